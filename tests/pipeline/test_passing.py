"""What passes of headers, as the rules say: whatever was remembered before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tokligence.pipeline import headers as rules
from tokligence.pipeline import passing

NAMES = sorted(
    {
        *rules.NOT_FOR_UPSTREAMS,
        *rules.NOT_FOR_CLIENTS,
        *rules.FROM_TRANSLATED,
        *rules.REQUEST_ID_HEADERS,
        *(prefix + b"x" for prefix in (*rules.NEVER_FOR_UPSTREAMS, *rules.RATE_LIMIT_PREFIXES)),
        b"content-type",
        b"x-tokligence-upstream-request-id",
        b"user-agent",
        b"x-other",
    }
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from([*NAMES, b"connection"]),
        st.sampled_from([b"7", b"keep-alive", b"Close", b"x-other", b"close, User-Agent", b"\xe9" * 300]),
    ),
    max_size=8,
)


@given(HEADERS)
def test_what_passes_is_what_the_rules_let_pass(headers):
    shape = passing.answer_shape(headers)
    assert shape.for_client(headers) == rules.for_client(headers)
    assert shape.for_translated_client(headers) == rules.for_translated_client(headers)
    assert shape.id_in(headers) == rules.upstream_request_id(headers)
    coding = rules.first(headers, b"content-encoding")
    assert (None if shape.coding < 0 else headers[shape.coding][1]) == coding
    assert passing.for_upstream(headers) == rules.for_upstream(headers)


def test_what_is_remembered_is_bounded():
    for number in range(passing.SHAPES + 5):
        passing.answer_shape([(b"x-%d" % number, b"1")])
        passing.for_upstream([(b"x-%d" % number, b"1")])
    assert len(passing._answers) <= passing.SHAPES
    assert len(passing._requests) <= passing.SHAPES
    long = [(b"x" * (passing.LONGEST + 1), b"1")]
    assert passing.for_upstream(long) == long
    assert (long[0][0],) not in passing._requests
