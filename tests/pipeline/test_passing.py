"""What passes of headers, as the rules say: whatever was remembered before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokligence.pipeline import headers as rules
from tokligence.pipeline import passing
from tokligence.upstream.answer import Head
from tokligence.upstream.client import header_lines

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
    for _ in range(2):
        head = passing.seen(Head(200, headers, 0.0))
        for _ in range(2):
            assert head.for_client() == rules.for_client(headers)
            assert head.for_translated_client() == rules.for_translated_client(headers)
        assert head.request_id == rules.upstream_request_id(headers)
        assert passing.for_upstream(headers) == rules.for_upstream(headers)


def test_what_was_made_of_a_head_is_kept_with_it():
    head = Head(200, [(b"request-id", b"7")], 0.0)
    assert passing.seen(head) is passing.seen(head)
    assert passing.seen(head).for_client() is passing.seen(head).for_client()


@pytest.mark.parametrize(
    ("status", "coding", "reason"),
    [
        (200, None, None),
        (200, b"", None),
        (200, b" Identity ", None),
        (500, b"gzip", "its body is encoded (gzip), which was not asked for"),
        (200, b"identity, br", "its body is encoded (identity, br), which was not asked for"),
        (302, None, "it redirects (status 302), which is not followed"),
        (399, b"gzip", "it redirects (status 399), which is not followed"),
        (400, None, None),
    ],
)
def test_an_answer_that_redirects_or_is_compressed_cannot_be_used(status, coding, reason):
    headers = [] if coding is None else [(b"content-encoding", coding)]
    assert passing.seen(Head(status, headers, 0.0)).fault == reason


@pytest.mark.parametrize(
    ("status", "kind", "is_one"),
    [
        (200, b"text/event-stream", True),
        (200, b"Text/Event-Stream; charset=utf-8", True),
        (200, b"application/json", False),
        (200, None, False),
        (500, b"text/event-stream", False),
    ],
)
def test_a_stream_of_events_says_so(status, kind, is_one):
    headers = [] if kind is None else [(b"content-type", kind)]
    assert passing.seen(Head(status, headers, 0.0)).event_stream is is_one


@given(
    HEADERS, st.lists(st.tuples(st.sampled_from(NAMES), st.just(b"d")), max_size=3, unique_by=lambda f: f[0])
)
def test_the_lines_are_the_passing_headers_and_the_missing_defaults(headers, defaults):
    headers = rules.for_upstream(headers)
    defaults = rules.for_upstream(defaults)
    missing = [field for field in defaults if rules.first(headers, field[0]) is None]
    assert passing.lines_of(headers, tuple(defaults)) == header_lines([*headers, *missing])


def test_what_is_remembered_is_bounded():
    for number in range(passing.SHAPES + 5):
        passing.seen(Head(200, [(b"x-%d" % number, b"1")], 0.0))
        passing.for_upstream([(b"x-%d" % number, b"1")])
    assert len(passing._answers) <= passing.SHAPES
    assert len(passing._requests) <= passing.SHAPES
    long = [(b"x" * (passing.LONGEST + 1), b"1")]
    assert passing.for_upstream(long) == long
    assert (long[0][0],) not in passing._requests
