import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.ledger.records import attempt, ended, started
from tokligence.ledger.record import Attempt, CallEnded, Outcome, UsageSource
from tokligence.ledger.rows import (
    ATTEMPT_COLUMNS,
    CALL_COLUMNS,
    MAX_INTEGER,
    interrupted,
    read_batch,
    rows_of,
    storable,
)

encode = msgspec.msgpack.encode


def test_a_row_holds_the_plain_values_of_its_record():
    record = ended(stream=True, losses="a;unsupported")
    batch, unreadable = read_batch([encode(record)])
    assert unreadable == []
    [row] = batch.calls
    named = dict(zip(CALL_COLUMNS, row, strict=True))
    assert named == {name: getattr(record, name) for name in CALL_COLUMNS} | {"stream": 1}
    assert {type(value) for value in row} == {str, int, type(None)}


def test_tokens_of_unknown_usage_are_null_and_not_zero():
    lost = attempt(usage_source=UsageSource.NONE)
    batch, _ = read_batch([encode(ended(usage_source=UsageSource.NONE, attempt_log=(lost,)))])
    named = dict(zip(CALL_COLUMNS, batch.calls[0], strict=True))
    assert {named[name] for name in CALL_COLUMNS if name.endswith("_tokens")} == {None}
    named = dict(zip(ATTEMPT_COLUMNS, batch.attempts[0], strict=True))
    assert {named[name] for name in ATTEMPT_COLUMNS if name.endswith("_tokens")} == {None}


def test_metered_attempts_are_numbered_rows_of_their_own():
    record = ended("req_a", attempt_log=(attempt(provider="one"), attempt(provider="two")))
    batch, _ = read_batch([encode(record)])
    named = [dict(zip(ATTEMPT_COLUMNS, row, strict=True)) for row in batch.attempts]
    assert [(row["request_id"], row["number"], row["provider"]) for row in named] == [
        ("req_a", 1, "one"),
        ("req_a", 2, "two"),
    ]
    assert named[0]["outcome"] == "upstream_error"


def test_a_record_of_an_earlier_version_gets_the_defaults_of_what_it_lacks():
    old_width = CallEnded.__struct_fields__.index("input_audio_tokens")
    values = msgspec.msgpack.decode(encode(ended("req_old")))[: 1 + old_width]
    batch, unreadable = read_batch([encode(values)])
    assert unreadable == []
    named = dict(zip(CALL_COLUMNS, batch.calls[0], strict=True))
    assert named["request_id"] == "req_old"
    assert (named["web_searches"], named["upstream_request_id"]) == (0, None)


def test_an_attempt_of_an_earlier_version_gets_the_defaults_of_what_it_lacks():
    values = msgspec.msgpack.decode(encode(ended(attempt_log=(attempt(),))))
    values[-1][0] = values[-1][0][: Attempt.__struct_fields__.index("price_date")]
    batch, unreadable = read_batch([encode(values)])
    assert unreadable == []
    assert len(batch.attempts[0]) == len(ATTEMPT_COLUMNS)


def test_a_payload_that_is_no_record_stops_no_other():
    batch, unreadable = read_batch(
        [b"\xc1", encode(7), encode([]), encode(["e", 1]), encode(ended("req_good"))]
    )
    assert [row[0] for row in batch.calls] == ["req_good"]
    assert len(unreadable) == 4


def test_a_start_without_an_end_is_an_interrupted_row_of_which_nothing_else_is_known():
    row = interrupted(encode(started("req_i", stream=False)))
    named = dict(zip(CALL_COLUMNS, row, strict=True))
    assert named["request_id"] == "req_i"
    assert named["outcome"] == Outcome.INTERRUPTED
    assert named["key_name"] == "laptop"
    assert named["stream"] == 0
    assert named["usage_source"] == "none"
    assert named["input_tokens"] is None
    assert named["cost_picousd"] is None
    assert named["status"] is None


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=2000), st.lists, max_leaves=8)
)
def test_what_is_storable_fits_any_database(value):
    def check(one):
        if isinstance(one, list):
            for item in one:
                check(item)
        elif isinstance(one, str):
            one.encode()
            assert len(one) <= 500
        elif isinstance(one, int):
            assert abs(one) <= MAX_INTEGER

    check(storable(value))


def test_a_lone_surrogate_is_replaced():
    assert storable("a\ud800b") == "a?b"


names = st.none() | st.text(max_size=5)
numbers = st.integers(0, MAX_INTEGER)


@given(
    st.lists(
        st.builds(
            ended,
            st.text(min_size=1, max_size=5),
            stream=st.booleans(),
            key_name=names,
            model_served=names,
            outcome=st.sampled_from(Outcome),
            usage_source=st.sampled_from(UsageSource),
            cost_picousd=st.none() | numbers,
            input_tokens=numbers,
            web_searches=numbers,
            losses=names,
            upstream_request_id=names,
            attempt_log=st.sampled_from(
                [(), (attempt(),), (attempt(), attempt(usage_source=UsageSource.NONE))]
            ),
        ),
        max_size=5,
    )
)
def test_rows_of_records_at_hand_are_those_of_what_the_journal_holds(records):
    at_hand, unreadable = rows_of(records)
    assert unreadable == []
    read, _ = read_batch(map(encode, records))
    assert [list(row) for row in at_hand.calls] == read.calls
    assert at_hand.attempts == read.attempts


def test_a_record_at_hand_that_cannot_be_read_back_stops_no_other():
    at_hand, unreadable = rows_of([ended("a"), ended("bad", attempt_log=7), ended("b")])
    assert [row[0] for row in at_hand.calls] == ["a", "b"]
    assert len(unreadable) == 1
