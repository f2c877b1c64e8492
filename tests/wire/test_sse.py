import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokligence.errors import GatewayError
from tokligence.wire.sse import Splitter, parse

STREAMS = [
    b'event: a\ndata: {"x":1}\n\ndata: [DONE]\n\n',
    b"event: a\r\ndata: x\r\n\r\ndata: y\r\n\r\n",
    b"data: a\r\rdata: b\r\r",
    b": ping\n\ndata: a\ndata: b\n\n",
    b"data: a\n\r\ndata: b\r\n\n",
    "\ufeffdata: é\n\n: c\n\n".encode(),
]


@pytest.mark.parametrize("stream", STREAMS)
def test_a_stream_cut_at_any_byte_gives_the_same_events(stream):
    whole = Splitter().feed(stream)
    for cut in range(len(stream) + 1):
        splitter = Splitter()
        assert splitter.feed(stream[:cut]) + splitter.feed(stream[cut:]) == whole
    splitter = Splitter()
    bytewise = [event for i in range(len(stream)) for event in splitter.feed(stream[i : i + 1])]
    assert [parse(e) for e in bytewise] == [parse(e) for e in whole]


@given(st.lists(st.sampled_from([b"data: x", b"event: y", b"\n", b"\r\n", b"\n\n", b":c"])), st.data())
def test_no_byte_is_lost_or_made(pieces, data):
    stream = b"".join(pieces)
    splitter = Splitter()
    events: list[bytes] = []
    position = 0
    while position < len(stream):
        size = data.draw(st.integers(1, 5))
        events += splitter.feed(stream[position : position + size])
        position += size
    assert b"".join(events) + splitter.rest() == stream


def test_a_byte_order_mark_is_skipped_even_if_it_comes_in_pieces():
    splitter = Splitter()
    assert splitter.feed(b"\xef") == []
    assert splitter.feed(b"\xbb\xbfdata: a\n\n") == [b"data: a\n\n"]


@pytest.mark.parametrize(
    ("raw", "name", "data"),
    [
        (b"data: x\n\n", b"", b"x"),
        (b"data:x\n\n", b"", b"x"),
        (b"data:  x\n\n", b"", b" x"),
        (b"event: e\ndata: x\n\n", b"e", b"x"),
        (b"data: x\nevent: e\n\n", b"e", b"x"),
        (b"data: a\ndata: b\n\n", b"", b"a\nb"),
        (b"data: a\r\n\r\n", b"", b"a"),
        (b": comment\n\n", b"", b""),
        (b"data\n\n", b"", b""),
        (b"id: 1\nretry: 5\ndata: x\n\n", b"", b"x"),
    ],
)
def test_name_and_data_of_an_event(raw, name, data):
    assert parse(raw) == (name, data)


def test_an_event_without_end_is_refused_at_the_limit():
    splitter = Splitter(limit=100)
    assert splitter.feed(b"data: " + b"x" * 90) == []
    with pytest.raises(GatewayError) as caught:
        splitter.feed(b"y" * 20)
    assert caught.value.code == "upstream.bad_response"
