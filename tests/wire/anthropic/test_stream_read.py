"""Messages streams of upstreams -> conversation events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.wire.anthropic.given import (
    ANTHROPIC,
    DONE,
    MEMORY,
    PING,
    arguments,
    block,
    delta,
    end,
    losses,
    read_stream,
    start,
    stop,
    text,
)
from tokligence.conversation import (
    BlockClosed,
    BlockOpened,
    Closed,
    Extras,
    Failed,
    Finished,
    FinishReason,
    Opaque,
    OpaqueDelta,
    Opened,
    Ping,
    RedactedThinking,
    SignatureDelta,
    StreamEvent,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    Usage,
    UsageSeen,
)
from tokligence.errors import GatewayError
from tokligence.wire.anthropic import CODEC
from tokligence.wire.contract import ReplyMemory

TEXT = block(0, type="text", text="")
TOOL = block(0, type="tool_use", id="t", name="f", input={})
OPENED = Opened("msg_1", "claude", Usage(input=25, output=1, exact=False))
END = [UsageSeen(Usage(input=25, output=15)), Finished(FinishReason.STOP), Closed()]


def blocks(
    *events: dict[str, Any], memory: ReplyMemory = MEMORY, reason: str = "end_turn"
) -> list[StreamEvent]:
    """What comes of the blocks: the events without the message's beginning and end."""
    return read_stream(start(), *events, end(reason), DONE, memory=memory)[0][1:-3]


def malformed(*events: dict[str, Any]) -> str:
    with pytest.raises(GatewayError) as caught:
        read_stream(*events)
    assert caught.value.code == "upstream.bad_response"
    return str(caught.value.details["reason"])


def test_a_stream_of_text() -> None:
    events, lost = read_stream(
        start(), TEXT, PING, text(0, "Hel"), text(0, ""), text(0, "lo \n"), stop(0), end(), DONE
    )
    assert events == [
        OPENED,
        BlockOpened(0, Text("")),
        Ping(),
        TextDelta(0, "Hel"),
        TextDelta(0, ""),
        TextDelta(0, "lo \n"),
        BlockClosed(0),
        *END,
    ]
    assert lost == []


def test_thinking_comes_with_its_signature() -> None:
    assert blocks(
        block(0, type="thinking", thinking="", signature=""),
        delta(0, type="thinking_delta", thinking="hm", estimated_tokens=2),
        delta(0, type="signature_delta", signature="sig"),
        stop(0),
        block(1, type="redacted_thinking", data="enc"),
        stop(1),
    ) == [
        BlockOpened(0, Thinking("", None, "anthropic")),
        TextDelta(0, "hm"),
        SignatureDelta(0, "sig"),
        BlockClosed(0),
        BlockOpened(1, RedactedThinking("enc", "anthropic")),
        BlockClosed(1),
    ]


def test_a_tool_calls_arguments_come_as_they_arrive() -> None:
    assert blocks(
        TOOL, arguments(0, ""), arguments(0, '{"a'), arguments(0, '":1}'), stop(0), reason="tool_use"
    ) == [
        BlockOpened(0, ToolCall("t", "f", "")),
        TextDelta(0, ""),
        TextDelta(0, '{"a'),
        TextDelta(0, '":1}'),
        BlockClosed(0),
    ]


def test_a_call_without_arguments_gets_an_empty_object() -> None:
    empty = [BlockOpened(0, ToolCall("t", "f", "")), TextDelta(0, "{}"), BlockClosed(0)]
    assert blocks(TOOL, stop(0)) == empty
    assert blocks(TOOL, arguments(0, ""), stop(0)) == [empty[0], TextDelta(0, ""), *empty[1:]]


def test_arguments_that_come_at_once_open_the_block() -> None:
    at_once = block(0, type="tool_use", id="t", name="f", input={"a": 1})
    assert blocks(at_once, stop(0)) == [BlockOpened(0, ToolCall("t", "f", '{"a": 1}')), BlockClosed(0)]


def test_indexes_are_ours_without_gaps() -> None:
    assert blocks(block(3, type="text", text="a"), stop(3), block(7, type="text", text="b"), stop(7)) == [
        BlockOpened(0, Text("a")),
        BlockClosed(0),
        BlockOpened(1, Text("b")),
        BlockClosed(1),
    ]


def test_names_are_the_clients_again() -> None:
    assert blocks(TOOL, stop(0), memory=ReplyMemory({"f": "my.f"}))[0] == BlockOpened(
        0, ToolCall("t", "my.f", "")
    )


def test_the_forced_tool_becomes_text_and_leaves_no_trace() -> None:
    memory = ReplyMemory(output_tool="f")
    events, _ = read_stream(
        start(),
        TOOL,
        arguments(0, '{"a":'),
        arguments(0, "1}"),
        stop(0),
        end("tool_use"),
        DONE,
        memory=memory,
    )
    assert events[1:5] == [
        BlockOpened(0, Text("")),
        TextDelta(0, '{"a":'),
        TextDelta(0, "1}"),
        BlockClosed(0),
    ]
    assert events[-2] == Finished(FinishReason.STOP)
    assert blocks(TOOL, stop(0), memory=memory)[1] == TextDelta(0, "{}")


def test_beside_the_forced_tool_a_clients_call_is_a_call() -> None:
    events, _ = read_stream(
        start(), TOOL, stop(0), end("tool_use"), DONE, memory=ReplyMemory(output_tool="g")
    )
    assert events[-2] == Finished(FinishReason.TOOL_CALLS)


# --- blocks and deltas of the vendor's own --------------------------------------------------------------


def test_a_server_tools_block_is_kept_with_its_deltas() -> None:
    search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    query = {"type": "input_json_delta", "partial_json": '{"q":1}'}
    assert blocks(block(0, **search), delta(0, **query), stop(0)) == [
        BlockOpened(0, Opaque(ANTHROPIC, "server_tool_use", json.dumps(search).encode())),
        OpaqueDelta(0, ANTHROPIC, "input_json_delta", json.dumps(query).encode()),
        BlockClosed(0),
    ]


def test_citations_and_novel_deltas_are_kept() -> None:
    citation = {"type": "citations_delta", "citation": {"type": "page_location"}}
    assert blocks(TEXT, delta(0, **citation), delta(0, n=1), stop(0))[1:3] == [
        OpaqueDelta(0, ANTHROPIC, "citations_delta", json.dumps(citation).encode()),
        OpaqueDelta(0, ANTHROPIC, "", b'{"n": 1}'),
    ]


def test_an_event_that_is_new_is_recorded_once() -> None:
    novel = {"type": "novel_event", "x": 1}
    events, lost = read_stream(start(), novel, novel, end(), DONE)
    assert events == [OPENED, *END]
    assert losses(lost) == ["stream.novel_event unknown_part semantic"]


def test_a_block_without_a_type_is_malformed() -> None:
    with pytest.raises(GatewayError, match="a block is not valid"):
        read_stream(start(), block(0, text="a"))


def test_a_new_field_within_a_block_is_named_by_its_place() -> None:
    _, lost = read_stream(
        start(),
        block(0, type="text", text="", cache_control={"type": "ephemeral", "x": 1}),
        stop(0),
        end(),
        DONE,
    )
    assert losses(lost) == ["content[0].cache_control.x unknown_field cosmetic"]


def test_fields_that_are_new_are_recorded_once_for_each_kind_of_event() -> None:
    events, lost = read_stream(
        start(novel=1),
        TEXT | {"novel": 2},
        text(0, '"novel":3') | {"obfuscation": "x"},
        text(0, "b") | {"obfuscation": "y"},
        stop(0),
        end(),
        DONE,
    )
    assert TextDelta(0, "b") in events
    assert (
        losses(lost)
        == [
            "message_start.message.novel unknown_field semantic",
            "content_block_start.novel unknown_field semantic",
            "content_block_delta.obfuscation unsupported cosmetic",
        ]
        or losses(lost)[2] == "content_block_delta.obfuscation unknown_field cosmetic"
    )
    assert len(lost) == 3


def test_json_that_is_quoted_in_a_text_is_no_field() -> None:
    assert read_stream(start(), TEXT, text(0, '{"novel": 1}'), stop(0), end(), DONE)[1] == []


def test_a_ping_without_type_is_a_ping() -> None:
    reader = CODEC.stream_reader(MEMORY, "anthropic")
    assert list(reader.feed(b"ping", b"{}")) == [Ping()]
    assert list(reader.feed(b"ping", b'{"type":"ping","n":1}')) == [Ping()]
    assert list(reader.feed(b"", b"")) == []


# --- usage and end --------------------------------------------------------------------------------------


def test_usage_is_merged_and_never_shrinks() -> None:
    split = {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 3}
    first = {
        "input_tokens": 25,
        "output_tokens": 1,
        "cache_read_input_tokens": 7,
        "cache_creation_input_tokens": 5,
        "cache_creation": split,
        "service_tier": "priority",
    }
    events, _ = read_stream(
        start(usage=first),
        end(
            usage={
                "input_tokens": 0,
                "output_tokens": 9,
                "cache_creation_input_tokens": 5,
                "output_tokens_details": {"thinking_tokens": 4},
                "server_tool_use": {"web_search_requests": 1},
                "iterations": [1],
                "fallback_credit": {"a": 1},
            }
        ),
        DONE,
    )
    assert events[0] == Opened(
        "msg_1",
        "claude",
        Usage(input=25, cache_read=7, cache_write_5m=2, cache_write_1h=3, output=1, exact=False),
        service_tier="priority",
    )
    assert events[1] == UsageSeen(
        Usage(
            input=25,
            cache_read=7,
            cache_write_5m=2,
            cache_write_1h=3,
            output=9,
            reasoning=4,
            web_searches=1,
            extras=Extras(ANTHROPIC, {"fallback_credit": b'{"a": 1}', "iterations": b"[1]"}),
        )
    )


def test_usage_may_come_in_one_place_only() -> None:
    assert read_stream(start(usage=None), end(), DONE)[0][:2] == [
        Opened("msg_1", "claude"),
        UsageSeen(Usage(output=15)),
    ]
    assert read_stream(start(), end(usage=None), DONE)[0][1] == UsageSeen(Usage(input=25, output=1))
    assert read_stream(start(usage=None), end(usage=None), DONE)[0][1] == Finished(FinishReason.STOP)


def test_figures_in_the_middle_do_not_end_the_message() -> None:
    events, _ = read_stream(start(), end(None), TEXT, stop(0), end(), end(), end(None), DONE)
    assert sum(isinstance(event, Finished) for event in events) == 1
    assert events[-1] == Closed()


def test_the_stop_sequence_and_fields_of_the_end_are_kept() -> None:
    details = {"stop_reason": "stop_sequence", "stop_sequence": "END", "stop_details": {"type": "refusal"}}
    events, _ = read_stream(
        start(container={"id": "c"}), end(delta=details, context_management={"a": 1}), DONE
    )
    assert events[-2] == Finished(
        FinishReason.STOP_SEQUENCE,
        "END",
        Extras(
            ANTHROPIC,
            {
                "container": b'{"id": "c"}',
                "context_management": b'{"a": 1}',
                "stop_details": b'{"type": "refusal"}',
            },
        ),
    )


def test_a_stop_reason_that_is_new_is_recorded() -> None:
    assert losses(read_stream(start(), end("novel"), DONE)[1]) == ["stop_reason unknown_field semantic"]


# --- failure --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "failed"),
    [
        (
            {"type": "overloaded_error", "message": "Overloaded"},
            Failed("overloaded_error", "Overloaded", 529),
        ),
        ({"type": "rate_limit_error", "message": "m"}, Failed("rate_limit_error", "m", 429)),
        ({"type": "timeout_error", "message": "m"}, Failed("timeout_error", "m", 504)),
        ({"type": "novel_error", "message": "m"}, Failed("novel_error", "m")),
        ({}, Failed("api_error", "The upstream failed.", 500)),
    ],
)
def test_the_upstreams_error_ends_the_stream(error: dict[str, str], failed: Failed) -> None:
    events, _ = read_stream(start(), TEXT, {"type": "error", "error": error}, text(0, "too late"))
    assert events[-1] == failed


def test_events_behind_the_end_are_nothing() -> None:
    assert read_stream(start(), end(), DONE, PING, TEXT)[0] == [OPENED, *END]


@pytest.mark.parametrize("count", range(6))
def test_a_stream_that_is_cut_is_an_error(count: int) -> None:
    with pytest.raises(GatewayError) as caught:
        read_stream(*[start(), TEXT, text(0, "a"), stop(0), end()][:count])
    assert caught.value.code == "upstream.cut"


@pytest.mark.parametrize(
    "events",
    [
        [TEXT],
        [start(), start()],
        [start(), TEXT, block(1, type="text", text="")],
        [start(), stop(0)],
        [start(), DONE],
        [start(), TEXT, end()],
        [start(), TEXT, stop(0), end(), TEXT],
    ],
)
def test_events_out_of_order_are_malformed(events: list[dict[str, Any]]) -> None:
    assert malformed(*events).endswith("is out of order")


def test_other_malformed_streams() -> None:
    assert malformed(start(), TEXT, stop(0), TEXT) == "a block is opened twice"
    assert malformed(start(), TEXT, stop(1)) == "a block is closed that is not open"
    assert malformed(start(), text(0, "a")) == "a delta is for a block that is not open"
    assert malformed(start(), TEXT, text(1, "a")) == "a delta is for a block that is not open"
    assert malformed(start(), TEXT, arguments(0, "a")) == "a delta does not fit its block"
    assert malformed(start(), TOOL, text(0, "a")) == "a delta does not fit its block"
    assert malformed(start(), block(0, type="text")) == "a block is not valid"
    assert malformed(start(), delta(0, type="citations_delta")) == "a delta is for a block that is not open"
    for event in (
        {"type": "message_start"},
        {"x": 1},
        {"type": 1},
        delta(0, type="text_delta"),
        {"type": "content_block_delta"},
    ):
        assert malformed(event) == "an event is not valid"


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b'{"type":"ping"',
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\xff"}}',
    ],
)
def test_an_event_that_is_no_json_is_malformed(data: bytes) -> None:
    with pytest.raises(GatewayError) as caught:
        CODEC.stream_reader(MEMORY, "anthropic").feed(b"", data)
    assert caught.value.code == "upstream.bad_response"


def test_a_nameless_event_with_an_unreadable_name_is_malformed() -> None:
    with pytest.raises(GatewayError):
        CODEC.stream_reader(MEMORY, "anthropic").feed(b"\xff", b"{}")
