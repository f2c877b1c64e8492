"""Interleaved blocks come out one after the other, whatever order the fragments had."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokligence.conversation import (
    BlockClosed,
    BlockOpened,
    RedactedThinking,
    SignatureDelta,
    StreamEvent,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
)
from tokligence.errors import GatewayError
from tokligence.wire.lanes import Lanes


def call(name: str) -> ToolCall:
    return ToolCall(name, name, "")


def brief(events: list[StreamEvent]) -> list[str]:
    """open:N:what, N:text, close:N"""
    out = []
    for event in events:
        match event:
            case BlockOpened(index=index, part=part):
                out.append(f"open:{index}:{getattr(part, 'name', type(part).__name__)}")
            case TextDelta(index=index, text=text):
                out.append(f"{index}:{text}")
            case SignatureDelta(index=index, signature=signature):
                out.append(f"{index}!{signature}")
            case BlockClosed(index=index):
                out.append(f"close:{index}")
    return out


def test_text_streams_live_and_closes_when_a_call_starts():
    lanes, out = Lanes("up"), []
    lanes.text("text", Text(""), "a", out)
    lanes.text("text", Text(""), "b", out)
    lanes.call(0, call("f"), out)
    lanes.finish(out)
    assert brief(out) == ["open:0:Text", "0:a", "0:b", "close:0", "open:1:f", "close:1"]


def test_text_of_another_kind_is_another_block():
    lanes, out = Lanes("up"), []
    lanes.text("thinking", Thinking(""), "t", out)
    lanes.text("text", Text(""), "a", out)
    lanes.text("thinking", Thinking(""), "u", out)
    lanes.finish(out)
    opened = [line for line in brief(out) if line.startswith("open")]
    assert opened == ["open:0:Thinking", "open:1:Text", "open:2:Thinking"]


def test_a_complete_call_is_closed_when_the_next_starts():
    lanes, out = Lanes("up"), []
    lanes.call(0, call("f"), out)
    lanes.arguments(0, '{"a":"}"', out)
    lanes.arguments(0, "}", out)
    lanes.call(1, call("g"), out)
    assert brief(out) == ["open:0:f", '0:{"a":"}"', "0:}", "close:0", "open:1:g"]


def test_an_incomplete_call_holds_the_next_until_it_completes():
    lanes, out = Lanes("up"), []
    lanes.call(0, call("f"), out)
    lanes.arguments(0, '{"a":', out)
    lanes.call(1, call("g"), out)
    lanes.arguments(1, '{"b":', out)
    lanes.arguments(1, "2}", out)
    assert brief(out) == ["open:0:f", '0:{"a":']
    out.clear()
    lanes.arguments(0, "1}", out)
    assert brief(out) == ["0:1}", "close:0", "open:1:g", '1:{"b":2}']


def test_several_held_lanes_come_in_their_order_when_the_first_completes():
    lanes, out = Lanes("up"), []
    lanes.call(0, call("f"), out)
    lanes.arguments(0, "[", out)
    lanes.call(1, call("g"), out)
    lanes.arguments(1, "{}", out)
    lanes.text("text", Text(""), "say", out)
    lanes.text("text", Text(""), " more", out)
    lanes.call(2, call("h"), out)
    lanes.arguments(0, "]", out)
    lanes.arguments(2, "{}", out)
    lanes.finish(out)
    assert brief(out) == [
        "open:0:f", "0:[", "0:]", "close:0",
        "open:1:g", "1:{}", "close:1",
        "open:2:Text", "2:say more", "close:2",
        "open:3:h", "3:{}", "close:3",
    ]  # fmt: skip


def test_the_end_releases_what_never_completed():
    lanes, out = Lanes("up"), []
    lanes.call(0, call("f"), out)
    lanes.arguments(0, '{"a', out)
    lanes.call(1, call("g"), out)
    lanes.finish(out)
    assert brief(out) == ["open:0:f", '0:{"a', "close:0", "open:1:g", "close:1"]


def test_a_fragment_for_a_closed_call_is_a_malformed_stream():
    lanes, out = Lanes("up"), []
    lanes.call(0, call("f"), out)
    lanes.arguments(0, "{}", out)
    lanes.call(1, call("g"), out)
    lanes.arguments(0, " \n", out)  # white space changes nothing
    with pytest.raises(GatewayError) as caught:
        lanes.arguments(0, "x", out)
    assert caught.value.code == "upstream.bad_response"
    assert "up" in caught.value.message


def test_a_call_that_is_said_to_be_done_makes_room_whatever_its_text():
    lanes, out = Lanes("up"), []
    lanes.call(0, call("f"), out)
    lanes.arguments(0, "plain text", out)
    lanes.call(1, call("g"), out)
    lanes.call(2, call("h"), out)
    lanes.done(1, out)
    lanes.done(1, out)  # says nothing new
    assert brief(out) == ["open:0:f", "0:plain text"]
    lanes.done(0, out)
    assert brief(out)[2:] == ["close:0", "open:1:g", "close:1", "open:2:h"]
    with pytest.raises(GatewayError):
        lanes.arguments(1, "more", out)


@pytest.mark.parametrize("broken", ["{]}", '{"a" 1}', "}{", "{} {}", "\\{}"])
def test_balanced_text_that_is_no_json_never_counts_as_complete(broken: str):
    lanes, out = Lanes("up"), []
    lanes.call(0, call("f"), out)
    lanes.arguments(0, broken, out)
    lanes.call(1, call("g"), out)
    lanes.arguments(0, " ", out)
    assert "open:1:g" not in brief(out)


def test_an_escape_cut_between_fragments_is_seen_whole():
    lanes, out = Lanes("up"), []
    lanes.call(0, call("f"), out)
    for fragment in ('{"a":"\\', '"}', '\\\\"', "}"):
        lanes.arguments(0, fragment, out)
    lanes.call(1, call("g"), out)
    assert "close:0" in brief(out)
    assert json.loads('{"a":"\\"}\\\\"}') == {"a": '"}\\'}


def test_a_call_without_arguments_holds_the_next():
    lanes, out = Lanes("up"), []
    lanes.call(0, call("f"), out)
    lanes.call(1, call("g"), out)
    assert brief(out) == ["open:0:f"]


def test_an_answer_without_blocks_has_no_block_events():
    lanes, out = Lanes("up"), []
    lanes.finish(out)
    assert out == []


def test_signatures_belong_to_the_last_thinking_block_or_make_one():
    lanes, out = Lanes("up"), []
    lanes.text("thinking", Thinking(""), "t", out)
    lanes.signature("thinking", Thinking(""), "s1", out)
    lanes.signature("other", Thinking(""), "s2", out)
    lanes.finish(out)
    assert brief(out) == ["open:0:Thinking", "0:t", "0!s1", "close:0", "open:1:Thinking", "1!s2", "close:1"]


def test_held_thinking_keeps_its_signature():
    lanes, out = Lanes("up"), []
    lanes.call(0, call("f"), out)
    lanes.text("thinking", Thinking(""), "t", out)
    lanes.signature("thinking", Thinking(""), "s", out)
    lanes.whole(RedactedThinking("x"), out)
    lanes.finish(out)
    assert brief(out)[2:] == [
        "open:1:Thinking",
        "1:t",
        "1!s",
        "close:1",
        "open:2:RedactedThinking",
        "close:2",
    ]


json_objects = st.dictionaries(
    st.text(max_size=4),
    st.recursive(
        st.text(max_size=6) | st.integers() | st.booleans() | st.none(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=5,
    ),
    max_size=3,
)


@st.composite
def interleavings(draw: st.DrawFn) -> tuple[list[str], list[tuple[int, str]]]:
    """Arguments of some calls and their fragments in a mixed order, each call's own order kept."""
    whole = [json.dumps(value) for value in draw(st.lists(json_objects, min_size=1, max_size=4))]
    queues = []
    for number, text in enumerate(whole):
        cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=5)))
        edges = [0, *cuts, len(text)]
        queues.append([(number, text[a:b]) for a, b in pairwise(edges)])
    order: list[tuple[int, str]] = []
    while any(queues):
        at = draw(st.sampled_from([n for n, queue in enumerate(queues) if queue]))
        order.append(queues[at].pop(0))
    return whole, order


@settings(max_examples=150, deadline=None)
@given(interleavings(), st.lists(st.booleans(), max_size=40))
def test_any_interleaving_gives_contiguous_blocks_with_all_arguments(mixed, says):
    whole, order = mixed
    lanes, out = Lanes("up"), []
    started: list[int] = []
    spoken = 0
    for position, (number, fragment) in enumerate(order):
        if position < len(says) and says[position]:
            lanes.text("text", Text(""), "w", out)
            spoken += 1
        if number not in started:
            started.append(number)
            lanes.call(number, call(str(number)), out)
        lanes.arguments(number, fragment, out)
    lanes.finish(out)

    texts: dict[int, str] = {}
    kinds: list[object] = []
    open_block: int | None = None
    for event in out:
        match event:
            case BlockOpened(index=index, part=part):
                assert open_block is None
                assert index == len(kinds)
                open_block = index
                kinds.append(part)
                texts[index] = ""
            case TextDelta(index=index, text=text):
                assert index == open_block
                texts[index] += text
            case BlockClosed(index=index):
                assert index == open_block
                open_block = None
    assert open_block is None
    calls = [(int(part.name), texts[n]) for n, part in enumerate(kinds) if isinstance(part, ToolCall)]
    assert calls == [(number, whole[number]) for number in started]
    assert sum(len(texts[n]) for n, part in enumerate(kinds) if isinstance(part, Text)) == spoken


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(json_objects, json_objects), min_size=1, max_size=3))
def test_calls_that_come_one_after_the_other_are_never_held(pairs):
    lanes, out = Lanes("up"), []
    for number, (first, second) in enumerate(pairs):
        lanes.call(number, call("f"), out)
        text = json.dumps({"first": first, "second": second})
        for at in range(0, len(text), 3):
            lanes.arguments(number, text[at : at + 3], out)
            assert isinstance(out[-1], TextDelta)
            assert out[-1].index == number
