"""What a Responses client gets: every event of the vendor's type, in order, and the same as a whole answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.wire.openai_responses.given import context, events_in, stream
from tokligence.conversation import (
    BlockClosed,
    BlockOpened,
    Closed,
    Extras,
    Failed,
    Finished,
    FinishReason,
    Image,
    Loss,
    LossReason,
    Opaque,
    OpaqueDelta,
    Opened,
    Part,
    Ping,
    ProtocolId,
    RedactedThinking,
    Refusal,
    Response,
    Severity,
    SignatureDelta,
    StreamEvent,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    UrlSource,
    Usage,
    UsageSeen,
)
from tokligence.pipeline.events import events_of
from tokligence.wire.contract import ErrorView
from tokligence.wire.openai_responses import CODEC
from tokligence.wire.openai_responses.reasoning import pack

OWN, FOREIGN = ProtocolId.OPENAI_RESPONSES, ProtocolId.ANTHROPIC
START = Opened("msg_1", "claude-x", created=7, service_tier="standard")
END = (Finished(FinishReason.STOP), Closed())
C = Severity.COSMETIC


def kinds(events: list[Any]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


def within(*events: StreamEvent) -> list[Any]:
    """The events between the opening and the end."""
    found, _ = stream(START, *events, *END)
    assert kinds(found)[:2] == ["created", "in_progress"]
    assert kinds(found)[-1] == "completed"
    return found[2:-1]


# --- grammar --------------------------------------------------------------------------------------------


def test_a_text_opens_its_item_and_part_and_closes_both_with_the_whole() -> None:
    found = within(
        BlockOpened(0, Text("")), TextDelta(0, 'H"i'), TextDelta(0, ""), TextDelta(0, "!"), BlockClosed(0)
    )
    assert kinds(found) == [
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
    ]
    assert [event.get("delta") or event.get("text") for event in found[2:5]] == ['H"i', "!", 'H"i!']
    assert found[-1]["item"]["content"] == [
        {"type": "output_text", "annotations": [], "logprobs": [], "text": 'H"i!'}
    ]
    ids = {event.get("item_id") or event["item"]["id"] for event in found}
    assert ids == {"msg_2"}
    assert {event["output_index"] for event in found} == {0}


def test_texts_and_refusals_in_a_row_are_parts_of_one_message() -> None:
    found = within(
        BlockOpened(0, Text("a")), BlockClosed(0),
        BlockOpened(1, Refusal("")), TextDelta(1, "no"), BlockClosed(1),
        BlockOpened(2, Text("")), BlockClosed(2),
        BlockOpened(3, ToolCall("1", "f", "{}")), BlockClosed(3),
        BlockOpened(4, Text("b")), BlockClosed(4),
    )  # fmt: skip
    assert [event["item"]["type"] for event in found if "item" in event] == [
        "message", "message", "function_call", "function_call", "message", "message",
    ]  # fmt: skip
    assert [event["content_index"] for event in found if event["type"] == "response.content_part.added"] == [
        0,
        1,
        2,
        0,
    ]
    assert [event["output_index"] for event in found if "item" in event] == [0, 0, 1, 1, 2, 2]
    assert "refusal.delta" in kinds(found)
    assert "refusal.done" in kinds(found)


def test_thinking_is_a_summary_and_its_signature_is_packed() -> None:
    found = within(
        BlockOpened(0, Thinking("", issuer="anthropic")), TextDelta(0, "h"), TextDelta(0, "m"),
        SignatureDelta(0, "s1"), SignatureDelta(0, "s2"), BlockClosed(0),
        BlockOpened(1, Thinking("", issuer="anthropic")), SignatureDelta(1, "alone"), BlockClosed(1),
        BlockOpened(2, Thinking("", issuer="anthropic")), TextDelta(2, ""), BlockClosed(2),
        BlockOpened(3, Thinking("all", "sig", "anthropic")), BlockClosed(3),
        BlockOpened(4, RedactedThinking("data", "anthropic")), TextDelta(4, "x"), SignatureDelta(4, "x"), BlockClosed(4),
    )  # fmt: skip
    assert kinds(found)[:8] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
    ]
    done = [event["item"] for event in found if event["type"] == "response.output_item.done"]
    assert [(item["summary"], item["encrypted_content"]) for item in done] == [
        ([{"type": "summary_text", "text": "hm"}], pack(Thinking("hm", "s1s2", "anthropic"))),
        ([], pack(Thinking("", "alone", "anthropic"))),
        ([{"type": "summary_text", "text": "all"}], pack(Thinking("all", "sig", "anthropic"))),
        ([], pack(RedactedThinking("data", "anthropic"))),
    ]


def test_calls_stream_their_arguments_or_their_text() -> None:
    found = within(
        BlockOpened(0, ToolCall("1", "f", "")), TextDelta(0, '{"a":'), TextDelta(0, "1}"), BlockClosed(0),
        BlockOpened(1, ToolCall("2", "g", "")), TextDelta(1, ""), BlockClosed(1),
        BlockOpened(2, ToolCall("3", "p", "", freeform=True, namespace="ns")), TextDelta(2, "*** x"), BlockClosed(2),
        BlockOpened(3, ToolCall("4", "p", "", freeform=True)), BlockClosed(3),
    )  # fmt: skip
    assert kinds(found) == [
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.delta",
        "function_call_arguments.done", "output_item.done",
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done",
        "output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done", "output_item.done",
        "output_item.added", "custom_tool_call_input.done", "output_item.done",
    ]  # fmt: skip
    assert found[6]["delta"] == "{}"
    assert found[9]["item"] == {
        "id": "ctc_4",
        "type": "custom_tool_call",
        "status": "in_progress",
        "call_id": "3",
        "name": "p",
        "input": "",
        "namespace": "ns",
    }


# --- beginning and end ----------------------------------------------------------------------------------


def test_the_response_is_told_at_both_ends_with_what_it_repeats() -> None:
    asked = {"instructions": "Be brief.", "tools": [{"type": "custom", "name": "p"}]}
    usage = Usage(1, 2, 0, 0, 3, web_searches=1)
    found, losses = stream(
        START, UsageSeen(Usage()), BlockOpened(0, Text("a")), BlockClosed(0), Ping(),
        UsageSeen(usage), *END, request=asked,
    )  # fmt: skip
    created, in_progress, completed = (found[n]["response"] for n in (0, 1, -1))
    assert created == in_progress
    assert (created["status"], created["output"], created["usage"]) == ("in_progress", [], None)
    assert (completed["status"], completed["usage"]["total_tokens"]) == ("completed", 6)
    for response in (created, completed):
        assert (response["id"], response["created_at"], response["model"]) == ("resp_1", 7, "claude-x")
        assert {name: response[name] for name in asked} == asked
    assert losses == [Loss("usage.server_tool_use", LossReason.UNSUPPORTED, C)]


def test_an_incomplete_answer_ends_in_its_own_event() -> None:
    found, _ = stream(
        START, BlockOpened(0, Text("a")), BlockClosed(0), Finished(FinishReason.LENGTH), Closed()
    )
    assert found[-1]["type"] == "response.incomplete"
    assert found[-1]["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    assert found[-1]["response"]["output"][0]["status"] == "incomplete"


def test_a_failure_ends_the_stream_and_nothing_follows() -> None:
    writer = CODEC.stream_writer(context())
    raw = b"".join(
        writer.write(event)
        for event in (
            START,
            BlockOpened(0, ToolCall("1", "f", "{}")),
            BlockClosed(0),
            BlockOpened(1, Text("a")),
            Failed("overloaded_error", "Busy.", 529),
            TextDelta(1, "more"),
            Closed(),
        )
    )
    found = events_in(raw)
    assert found[-1]["type"] == "response.failed"
    assert found[-1]["response"]["error"] == {"code": "server_error", "message": "Busy."}
    assert [item["type"] for item in found[-1]["response"]["output"]] == ["function_call"]
    assert writer.fail(ErrorView(502, "again", "req_1")) == b""


def test_a_failure_before_anything_still_begins_the_response() -> None:
    writer = CODEC.stream_writer(context())
    found = events_in(writer.write(Failed("x", "Slow down.")) + writer.write(Ping()))
    assert kinds(found) == ["created", "in_progress", "failed"]
    assert found[-1]["response"]["error"] == {"code": "server_error", "message": "Slow down."}


def test_what_a_stream_cannot_say_is_recorded() -> None:
    alien = Extras(FOREIGN, {"citations": b"[]"})
    search = (
        b'{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"q"}}'
    )
    found, losses = stream(
        Opened("x", "m", service_tier="batch"),
        BlockOpened(0, Text("", extras=alien)), OpaqueDelta(0, FOREIGN, "citations_delta", b"{}"),
        OpaqueDelta(0, FOREIGN, "citations_delta", b"{}"), BlockClosed(0),
        BlockOpened(1, Opaque(FOREIGN, "server_tool_use", b"{}")), TextDelta(1, "x"), OpaqueDelta(1, FOREIGN, "x", b"{}"),
        BlockClosed(1),
        BlockOpened(2, Image(UrlSource("x"))), BlockClosed(2),
        BlockOpened(3, Opaque(OWN, "web_search_call", search)), BlockClosed(3),
        Finished(FinishReason.PAUSE, "END", Extras(FOREIGN, {"container": b"{}"})), Closed(),
    )  # fmt: skip
    assert [item["type"] for item in found[-1]["response"]["output"]] == ["message", "web_search_call"]
    assert losses == [
        Loss("usage.service_tier", LossReason.UNSUPPORTED, C),
        Loss("content[0].citations", LossReason.UNSUPPORTED),
        Loss("content[0].citations_delta", LossReason.UNSUPPORTED),
        Loss("content[1]", LossReason.UNKNOWN_PART),
        Loss("content[2]", LossReason.UNKNOWN_PART),
        Loss("stop_reason", LossReason.CONVERTED),
        Loss("stop_sequence", LossReason.UNSUPPORTED, C),
        Loss("container", LossReason.UNSUPPORTED),
    ]


# --- streamed and whole ---------------------------------------------------------------------------------

ANSWERS: list[tuple[tuple[Part, ...], FinishReason]] = [
    ((), FinishReason.STOP),
    ((Text("a"), Text("b"), Refusal("no")), FinishReason.REFUSAL),
    ((Text("a"),), FinishReason.REFUSAL),
    ((Text("a"),), FinishReason.LENGTH),
    (
        (
            Thinking("hm", "sig", "anthropic"),
            Text("so"),
            ToolCall("1", "f", '{"a":1}'),
            ToolCall("2", "g", ""),
        ),
        FinishReason.TOOL_CALLS,
    ),
    ((RedactedThinking("x", "anthropic"), Thinking("", "s", "anthropic"), Thinking("t")), FinishReason.STOP),
    (
        (ToolCall("1", "p", "text", freeform=True), ToolCall("2", "p", "", freeform=True), Text("b")),
        FinishReason.LENGTH,
    ),
]


@pytest.mark.parametrize(("parts", "finish"), ANSWERS)
def test_the_last_event_holds_what_the_whole_answer_says(
    parts: tuple[Part, ...], finish: FinishReason
) -> None:
    response = Response("x", "m", parts, finish, usage=Usage(1, output=2), created=7)
    found, _ = stream(*events_of(response))
    whole = json.loads(CODEC.write_response(response, context()).body)
    streamed = found[-1]["response"]
    done = [event["item"] for event in found if event["type"] == "response.output_item.done"]
    assert streamed["output"] == done
    assert without_ids(streamed) == without_ids(whole)


def without_ids(response: dict[str, Any]) -> dict[str, Any]:
    output = [{name: value for name, value in item.items() if name != "id"} for item in response["output"]]
    return {**response, "output": output}
