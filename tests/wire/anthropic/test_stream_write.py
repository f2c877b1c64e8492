"""Conversation events -> Messages streams, read back by the vendor's SDK."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from anthropic import Anthropic

from tests.wire.anthropic.given import ANTHROPIC, CHAT, CONTEXT, MEMORY, chat_extras, losses
from tokligence.conversation import (
    Audio,
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
    Part,
    Ping,
    RedactedThinking,
    Refusal,
    SignatureDelta,
    StreamEvent,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    Usage,
    UsageSeen,
)
from tokligence.wire.anthropic import CODEC
from tokligence.wire.contract import ErrorView
from tokligence.wire.sse import Splitter, parse

ERROR = ErrorView(502, "broken", "req_1")
OPENED = Opened("chatcmpl-1", "gpt")
END = [Finished(FinishReason.STOP), UsageSeen(Usage(input=5, cache_read=2, output=3)), Closed()]


def write(*events: StreamEvent) -> tuple[list[dict[str, Any]], list[str]]:
    """The events of the wire, whose names agree with their types, and the losses."""
    writer = CODEC.stream_writer(CONTEXT)
    raw = b"".join([writer.write(event) for event in events])
    return events_of(raw), losses(writer.losses)


def events_of(raw: bytes) -> list[dict[str, Any]]:
    splitter = Splitter()
    parsed = [parse(each) for each in splitter.feed(raw)]
    assert splitter.rest() == b""
    out = [json.loads(data) for _, data in parsed]
    assert [name.decode() for name, _ in parsed] == [event["type"] for event in out]
    return out


def of_block(part: Part, *deltas: StreamEvent) -> tuple[list[dict[str, Any]], list[str]]:
    found, lost = write(OPENED, BlockOpened(0, part), *deltas, BlockClosed(0), *END)
    return found[1:-2], lost


def starts(content: dict[str, Any], index: int = 0) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": content}


def deltas(content: dict[str, Any], index: int = 0) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": content}


STOP = {"type": "content_block_stop", "index": 0}


def test_a_stream_of_text() -> None:
    found, lost = write(
        OPENED, Ping(), BlockOpened(0, Text("")), TextDelta(0, "Hé"), TextDelta(0, ""), BlockClosed(0), *END
    )
    assert found == [
        {
            "type": "message_start",
            "message": {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "gpt",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": {
                    "input_tokens": 7,
                    "cache_creation_input_tokens": 0,
                    "cache_read_input_tokens": 0,
                    "output_tokens": 0,
                },
            },
        },
        {"type": "ping"},
        starts({"type": "text", "text": ""}),
        deltas({"type": "text_delta", "text": "Hé"}),
        deltas({"type": "text_delta", "text": ""}),
        STOP,
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {
                "input_tokens": 5,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 2,
                "output_tokens": 3,
            },
        },
        {"type": "message_stop"},
    ]
    assert lost == []


def test_usage_that_the_upstream_told_opens_the_message() -> None:
    found, _ = write(Opened("msg_1", "m", Usage(input=9), service_tier="priority"))
    assert found[0]["message"]["usage"]["input_tokens"] == 9
    assert found[0]["message"]["usage"]["service_tier"] == "priority"


def test_without_usage_an_estimate_is_told_at_the_end() -> None:
    found, _ = write(OPENED, BlockOpened(0, Text("")), TextDelta(0, "x" * 9), BlockClosed(0), Closed())
    assert found[-2]["usage"]["input_tokens"] == 7
    assert found[-2]["usage"]["output_tokens"] == 3


def test_a_part_that_is_full_already_comes_as_deltas() -> None:
    assert of_block(Text("all"))[0] == [
        starts({"type": "text", "text": ""}),
        deltas({"type": "text_delta", "text": "all"}),
        STOP,
    ]
    assert of_block(Thinking("hm", "sig", "anthropic"))[0] == [
        starts({"type": "thinking", "thinking": "", "signature": ""}),
        deltas({"type": "thinking_delta", "thinking": "hm"}),
        deltas({"type": "signature_delta", "signature": "sig"}),
        STOP,
    ]
    assert of_block(RedactedThinking("enc", "other"))[0] == [
        starts({"type": "redacted_thinking", "data": "tgw:other:enc"}),
        STOP,
    ]


def test_signatures_of_others_name_their_issuer() -> None:
    found, _ = of_block(Thinking("", None, "other"), TextDelta(0, "hm"), SignatureDelta(0, "sig"))
    assert found[2] == deltas({"type": "signature_delta", "signature": "tgw:other:sig"})


def test_tool_arguments_are_fragments_of_json() -> None:
    found, _ = of_block(ToolCall("call_1", "f", ""), TextDelta(0, '{"a'), TextDelta(0, '":1}'))
    assert found == [
        starts({"type": "tool_use", "id": "call_1", "name": "f", "input": {}}),
        deltas({"type": "input_json_delta", "partial_json": '{"a'}),
        deltas({"type": "input_json_delta", "partial_json": '":1}'}),
        STOP,
    ]
    assert of_block(ToolCall("", "f", '{"a":1}'))[0][0]["content_block"]["id"] == "toolu_new"


def test_a_refusal_is_text_with_its_stop_reason() -> None:
    found, _ = write(
        OPENED,
        BlockOpened(0, Refusal("")),
        TextDelta(0, "no"),
        BlockClosed(0),
        Finished(FinishReason.REFUSAL),
        Closed(),
    )
    assert found[2] == deltas({"type": "text_delta", "text": "no"})
    assert found[-2]["delta"]["stop_reason"] == "refusal"


def test_blocks_that_an_answer_cannot_hold_are_skipped_and_leave_no_gap() -> None:
    found, lost = write(
        OPENED,
        BlockOpened(0, Audio("aGk=", "wav")),
        TextDelta(0, "x"),
        SignatureDelta(0, "x"),
        OpaqueDelta(0, ANTHROPIC, "novel", b"{}"),
        BlockClosed(0),
        BlockOpened(1, Text("")),
        BlockClosed(1),
        *END,
    )
    assert [event["index"] for event in found if "index" in event] == [0, 0]
    assert lost == ["content[0] unsupported semantic"]


def test_blocks_and_deltas_of_the_vendors_own_are_written_back() -> None:
    own = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    query = {"type": "input_json_delta", "partial_json": "{}"}
    found, lost = of_block(
        Opaque(ANTHROPIC, "server_tool_use", json.dumps(own).encode()),
        OpaqueDelta(0, ANTHROPIC, "input_json_delta", json.dumps(query).encode()),
        TextDelta(0, "for no text block"),
    )
    assert found == [starts(own), deltas(query), STOP]
    assert lost == []


def test_deltas_of_others_are_recorded_once() -> None:
    annotation = OpaqueDelta(0, CHAT, "annotations", b"{}")
    assert of_block(Text(""), annotation, annotation)[1] == ["content[0].annotations unknown_part semantic"]


def test_fields_of_the_end() -> None:
    own = Extras(ANTHROPIC, {"stop_details": b'{"type":"refusal"}'})
    found, lost = write(OPENED, Finished(FinishReason.STOP_SEQUENCE, "END", own), Closed())
    assert found[-2]["delta"] == {
        "stop_reason": "stop_sequence",
        "stop_sequence": "END",
        "stop_details": {"type": "refusal"},
    }
    assert lost == []
    _, lost = write(OPENED, Finished(FinishReason.STOP, None, chat_extras(system_fingerprint=b"1")), Closed())
    assert lost == ["system_fingerprint unsupported cosmetic"]


# --- failure --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", range(5))
def test_an_error_may_come_at_any_point_and_ends_the_stream(count: int) -> None:
    writer = CODEC.stream_writer(CONTEXT)
    events: list[StreamEvent] = [OPENED, BlockOpened(0, Text("")), TextDelta(0, "x"), BlockClosed(0)]
    for event in events[:count]:
        writer.write(event)
    assert events_of(writer.fail(ERROR)) == [
        {"type": "error", "error": {"type": "api_error", "message": "broken"}, "request_id": "req_1"}
    ]
    assert writer.fail(ERROR) == b""
    assert [writer.write(event) for event in (*events, *END)] == [b""] * 7


def test_behind_the_end_there_is_no_error() -> None:
    writer = CODEC.stream_writer(CONTEXT)
    writer.write(OPENED)
    writer.write(Closed())
    assert writer.fail(ERROR) == b""


@pytest.mark.parametrize(("status", "kind"), [(529, "overloaded_error"), (None, "api_error")])
def test_the_upstreams_error_is_passed_on(status: int | None, kind: str) -> None:
    found, _ = write(OPENED, Failed("novel", "down", status), TextDelta(0, "too late"))
    assert found[-1]["error"] == {"type": kind, "message": "down"}


# --- both ways ------------------------------------------------------------------------------------------

EVERYTHING: list[StreamEvent] = [
    Opened("msg_1", "claude", Usage(input=4, output=0, exact=False)),
    BlockOpened(0, Thinking("", None, "anthropic")),
    TextDelta(0, "hm"),
    SignatureDelta(0, "sig"),
    BlockClosed(0),
    Ping(),
    BlockOpened(1, Text("")),
    TextDelta(1, "Hello"),
    BlockClosed(1),
    BlockOpened(2, ToolCall("toolu_1", "f", "")),
    TextDelta(2, '{"a": "é"}'),
    BlockClosed(2),
    UsageSeen(Usage(input=4, cache_write_5m=2, output=9)),
    Finished(FinishReason.TOOL_CALLS),
    Closed(),
]


def raw_stream() -> bytes:
    writer = CODEC.stream_writer(CONTEXT)
    return b"".join([writer.write(event) for event in EVERYTHING])


def test_what_is_written_reads_back() -> None:
    reader = CODEC.stream_reader(MEMORY, "anthropic")
    events = [event for raw in Splitter().feed(raw_stream()) for event in reader.feed(*parse(raw))]
    assert [*events, *reader.eof()] == EVERYTHING
    assert reader.losses == []


def test_a_stream_cut_anywhere_gives_the_same_events() -> None:
    raw = raw_stream()
    for cut in range(len(raw)):
        splitter, reader = Splitter(), CODEC.stream_reader(MEMORY, "anthropic")
        pieces = [*splitter.feed(raw[:cut]), *splitter.feed(raw[cut:])]
        assert [event for piece in pieces for event in reader.feed(*parse(piece))] == EVERYTHING


def test_the_vendors_sdk_accumulates_the_same_message_as_a_whole_answer() -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            self.wfile.write(raw_stream())

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        client = Anthropic(api_key="k", base_url=f"http://127.0.0.1:{server.server_port}", max_retries=0)
        asked: Any = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "q"}]}
        with client.messages.stream(**asked) as stream:
            message = stream.get_final_message()
        thread.join()
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
    assert message.content[0].signature == "sig"  # type: ignore[union-attr]
    assert message.content[2].input == {"a": "é"}  # type: ignore[union-attr]
    assert (message.stop_reason, message.usage.output_tokens, message.usage.input_tokens) == (
        "tool_use",
        9,
        4,
    )
