"""The conversation -> Gemini's answers, whole and streamed, as Google's SDK reads them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from google.genai import types

from tests.wire.gemini.given import ANTHROPIC, GEMINI, Json, context, read, show, sse
from tokligence.conversation import (
    Audio,
    Base64Source,
    BlockClosed,
    BlockOpened,
    Closed,
    Extras,
    Failed,
    Finished,
    FinishReason,
    Image,
    Opaque,
    OpaqueDelta,
    Opened,
    Part,
    Ping,
    ProtocolId,
    RedactedThinking,
    Refusal,
    Response,
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
from tokligence.wire.contract import ErrorView
from tokligence.wire.gemini import ARRAY_CODEC, CODEC
from tokligence.wire.gemini.signatures import pack, pack_redacted
from tokligence.wire.gemini.tables import FINISH_REASON


def whole(*parts: Part, finish: FinishReason = FinishReason.STOP, **fields: Any) -> tuple[Json, list[str]]:
    reply = CODEC.write_response(Response("up", "m", parts, finish, **fields), context())
    types.GenerateContentResponse.model_validate_json(reply.body)
    return json.loads(reply.body), show(reply.losses)


def parts_of(body: Json) -> list[Json]:
    found: list[Json] = body["candidates"][0]["content"]["parts"]
    return found


CALL = ToolCall("1", "f", '{"a":1}')
PART_OF: list[tuple[Part, Json]] = [
    (Text("a"), {"text": "a"}),
    (Refusal("no"), {"text": "no"}),
    (Thinking("hm", None, "google"), {"text": "hm", "thought": True}),
    (Thinking("hm", "c2ln", "google"), {"text": "hm", "thought": True, "thoughtSignature": "c2ln"}),
    (Thinking("", "c2ln", "google"), {"text": "", "thoughtSignature": "c2ln"}),
    (
        Thinking("hm", "s", "anthropic"),
        {"text": "hm", "thought": True, "thoughtSignature": pack("s", "anthropic")},
    ),
    (
        Thinking("", "s", "anthropic"),
        {"text": "", "thought": True, "thoughtSignature": pack("s", "anthropic")},
    ),
    (
        Thinking("hm", None, "deepseek"),
        {"text": "hm", "thought": True, "thoughtSignature": pack("", "deepseek")},
    ),
    (
        RedactedThinking("d", "anthropic"),
        {"text": "", "thought": True, "thoughtSignature": pack_redacted("d", "anthropic")},
    ),
    (CALL, {"functionCall": {"id": "1", "name": "f", "args": {"a": 1}}}),
    (
        ToolCall("1", "f", "", signature="c2ln", issuer="google"),
        {"functionCall": {"id": "1", "name": "f", "args": {}}, "thoughtSignature": "c2ln"},
    ),
    (ToolCall("", "f", "{}"), {"functionCall": {"id": "call_new2", "name": "f", "args": {}}}),
    (
        ToolCall("1", "f", "x", freeform=True),
        {"functionCall": {"id": "1", "name": "f", "args": {"input": "x"}}},
    ),
    (Image(Base64Source("image/png", "aGk=")), {"inlineData": {"mimeType": "image/png", "data": "aGk="}}),
    (Opaque(GEMINI, "executableCode", b'{"executableCode":{}}'), {"executableCode": {}}),
    (Text("a", extras=Extras(GEMINI, {"partMetadata": b"{}"})), {"text": "a", "partMetadata": {}}),
]


@pytest.mark.parametrize(("part", "written"), PART_OF)
def test_every_part_is_written(part: Part, written: Json) -> None:
    body, losses = whole(part)
    assert json.dumps(parts_of(body)).replace("call_new1", "call_new2") == json.dumps([written])
    assert losses == []


@pytest.mark.parametrize(
    ("part", "losses"),
    [
        (Opaque(ANTHROPIC, "server_tool_use", b"{}"), ["content[0] unknown_part semantic"]),
        (Audio("aGk=", "wav"), ["content[0] unsupported semantic"]),
        (Image(UrlSource("https://x.org/a.png")), ["content[0] unsupported semantic"]),
    ],
)
def test_what_an_answer_cannot_hold_is_lost(part: Part, losses: list[str]) -> None:
    body, found = whole(part)
    assert parts_of(body) == [{"text": ""}]
    assert found == losses


def test_arguments_that_are_no_object_are_wrapped() -> None:
    body, losses = whole(ToolCall("1", "f", '{"a":'))
    assert parts_of(body)[0]["functionCall"]["args"] == {"invalid_json": '{"a":'}
    assert losses == ["content[0] repaired cosmetic"]


def test_fields_of_other_vendors_on_a_part_are_lost() -> None:
    assert whole(Text("a", extras=Extras(ANTHROPIC, {"citations": b"[]"})))[1] == [
        "content[0].citations unsupported semantic"
    ]


@pytest.mark.parametrize("finish", FinishReason)
def test_every_finish_has_a_word(finish: FinishReason) -> None:
    body, losses = whole(Text("a"), finish=finish)
    assert body["candidates"][0]["finishReason"] == FINISH_REASON[finish]
    assert losses == (["stop_reason converted semantic"] if finish is FinishReason.PAUSE else [])


def test_the_envelope_says_model_usage_and_an_id_of_ours() -> None:
    usage = Usage(input=5, output=2, cache_write_5m=1)
    body, losses = whole(Text("a"), usage=usage, stop_sequence="x", service_tier="priority")
    assert (body["modelVersion"], body["responseId"]) == ("m", "new1")
    assert body["usageMetadata"] == {"promptTokenCount": 6, "candidatesTokenCount": 2, "totalTokenCount": 8}
    assert losses == [
        "stop_sequence unsupported cosmetic",
        "service_tier unsupported cosmetic",
        "usage.cache_write_tokens unsupported cosmetic",
    ]
    assert whole(Text("a"), service_tier="standard")[1] == []


def test_own_fields_go_back_where_they_were_and_those_of_others_are_lost() -> None:
    fields = {"groundingMetadata": b"{}", "createTime": b'"2026-11-24T00:00:00Z"'}
    body, _ = whole(Text("a"), extras=Extras(GEMINI, fields | {"promptFeedback.safetyRatings": b"[]"}))
    assert body["promptFeedback"] == {"safetyRatings": []}
    assert body["createTime"] == "2026-11-24T00:00:00Z"
    assert body["candidates"][0]["groundingMetadata"] == {}
    assert whole(Text("a"), extras=Extras(ANTHROPIC, {"container": b"{}"}))[1] == [
        "container unsupported semantic"
    ]


# --- streamed -------------------------------------------------------------------------------------------


def written(events: Sequence[StreamEvent], *, array: bool = False) -> tuple[bytes, list[str]]:
    writer = (ARRAY_CODEC if array else CODEC).stream_writer(context())
    return b"".join([writer.write(event) for event in events]), show(writer.losses)


def streamed(*parts: Part, fragments: bool = True) -> list[StreamEvent]:
    """An answer's events; `fragments`: text and arguments come one character at a time."""
    events: list[StreamEvent] = [Opened("up", "m")]
    for index, part in enumerate(parts):
        text = "" if not fragments else part.text if isinstance(part, Text | Refusal | Thinking) else ""
        head: Part = part
        signature = None
        if fragments and isinstance(part, Text):
            head = Text("", extras=part.extras)
        elif fragments and isinstance(part, Refusal):
            head = Refusal("")
        elif fragments and isinstance(part, Thinking):
            head, signature = Thinking("", None, part.issuer), part.signature
        elif fragments and isinstance(part, ToolCall):
            text = part.arguments
            head = ToolCall(part.id, part.name, "", freeform=part.freeform, issuer=part.issuer)
            signature = part.signature
        events.append(BlockOpened(index, head))
        events += [TextDelta(index, character) for character in text]
        if signature is not None:
            events.append(SignatureDelta(index, signature))
        events.append(BlockClosed(index))
    return [*events, Finished(FinishReason.STOP), Closed()]


def accumulated(chunks: list[Json]) -> list[Json]:
    """The parts of all chunks, texts of one kind joined as Google's clients do."""
    parts: list[Json] = []
    for value in chunks:
        types.GenerateContentResponse.model_validate_json(json.dumps(value))
        for part in parts_of(value):
            last = parts[-1] if parts else {}
            joins = "text" in part and "text" in last and part.get("thought") == last.get("thought")
            if joins and "thoughtSignature" not in last:
                last.update(part | {"text": last["text"] + part["text"]})
            elif part != {"text": ""}:
                parts.append(dict(part))
    return parts


@pytest.mark.parametrize("fragments", [True, False])
@pytest.mark.parametrize(("part", "whole_part"), PART_OF)
def test_a_streamed_part_is_that_of_the_whole_answer(part: Part, whole_part: Json, fragments: bool) -> None:
    raw, losses = written(streamed(part, fragments=fragments))
    if isinstance(part, Text) and part.extras is not None:
        whole_part = {"text": "a"}  # what stands beside a text has no place in its fragments
    if fragments and part == Thinking("", "c2ln", "google"):
        whole_part = whole_part | {
            "thought": True
        }  # only what comes whole is known to be nothing but a proof
    assert accumulated(sse(raw)) == [whole_part]
    assert losses == []


def test_a_call_is_one_part_when_its_block_closes() -> None:
    writer = CODEC.stream_writer(context())
    assert writer.write(BlockOpened(0, ToolCall("1", "f", ""))) == b""
    assert writer.write(TextDelta(0, '{"a"')) == writer.write(TextDelta(0, ":1}")) == b""
    (value,) = sse(writer.write(BlockClosed(0)))
    assert parts_of(value) == [{"functionCall": {"id": "1", "name": "f", "args": {"a": 1}}}]


def test_broken_arguments_are_wrapped_in_a_stream_too() -> None:
    raw, losses = written(streamed(ToolCall("1", "f", '{"a":')))
    assert accumulated(sse(raw))[0]["functionCall"]["args"] == {"invalid_json": '{"a":'}
    assert losses == ["content[0] repaired cosmetic"]


def test_the_last_chunk_has_finish_and_usage() -> None:
    usage = Usage(input=5, output=2)
    events: list[StreamEvent] = [
        Opened("up", "m", Usage(input=5, exact=False), service_tier="flex"),
        BlockOpened(0, Text("a")),
        TextDelta(0, ""),
        Ping(),
        OpaqueDelta(0, ANTHROPIC, "citations_delta", b"{}"),
        OpaqueDelta(0, ANTHROPIC, "citations_delta", b"{}"),
        BlockClosed(0),
        UsageSeen(usage),
        Finished(FinishReason.LENGTH, "x", Extras(GEMINI, {"finishMessage": b'"m"'})),
        Closed(),
        Closed(),
        TextDelta(0, "late"),
    ]
    raw, losses = written(events)
    first, last = sse(raw)
    assert "finishReason" not in first["candidates"][0]
    assert "usageMetadata" not in first
    assert last["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert last["candidates"][0]["finishMessage"] == "m"
    assert last["usageMetadata"] == {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}
    assert first["responseId"] == last["responseId"] == "new1"
    assert losses == [
        "service_tier unsupported cosmetic",
        "content[0].citations_delta unsupported semantic",
        "stop_sequence unsupported cosmetic",
    ]


def test_a_block_that_an_answer_cannot_hold_is_skipped_whole() -> None:
    opaque = Opaque(ANTHROPIC, "server_tool_use", b"{}")
    events: list[StreamEvent] = [
        BlockOpened(0, opaque),
        TextDelta(0, "x"),
        SignatureDelta(0, "x"),
        BlockClosed(0),
    ]
    assert written(events) == (b"", ["content[0] unknown_part semantic"])


def test_sse_is_written_with_crlf() -> None:
    raw, _ = written(streamed(Text("ab")))
    assert raw.count(b"\r\n\r\n") == raw.count(b"data: ") == 3


def test_a_client_without_sse_gets_one_array() -> None:
    events = streamed(Text("ab"), CALL)
    array, losses = written(events, array=True)
    assert json.loads(array) == sse(written(events)[0])
    assert losses == []
    assert (
        json.loads(written([Opened("up", "m"), Closed()], array=True)[0])[0]["candidates"][0]["finishReason"]
        == "STOP"
    )


# --- errors ---------------------------------------------------------------------------------------------

VIEW = ErrorView(503, "down", "req_1", "upstream.error")
ERROR = {"error": {"code": 503, "message": "down", "status": "UNAVAILABLE"}}


def test_an_error_is_googles() -> None:
    assert json.loads(CODEC.write_error(VIEW)) == ERROR
    assert sse(CODEC.write_stream_error(VIEW)) == [ERROR]
    assert json.loads(b"[{}" + ARRAY_CODEC.write_stream_error(VIEW)) == [{}, ERROR]


@pytest.mark.parametrize(
    ("status", "word"), [(404, "NOT_FOUND"), (418, "INVALID_ARGUMENT"), (529, "INTERNAL"), (500, "INTERNAL")]
)
def test_a_status_has_googles_word(status: int, word: str) -> None:
    assert json.loads(CODEC.write_error(ErrorView(status, "m", "r")))["error"]["status"] == word


@pytest.mark.parametrize("array", [False, True])
def test_an_error_ends_the_stream_once(array: bool) -> None:
    writer = (ARRAY_CODEC if array else CODEC).stream_writer(context())
    out = writer.write(BlockOpened(0, Text("a"))) + writer.fail(VIEW)
    assert writer.fail(VIEW) == writer.write(Closed()) == writer.write(TextDelta(0, "x")) == b""
    values = json.loads(out) if array else sse(out)
    assert values[1:] == [ERROR]


def test_a_failure_of_the_upstream_is_an_error() -> None:
    raw, _ = written([Failed("overloaded_error", "down", 503)])
    assert sse(raw) == [ERROR]
    raw, _ = written([Failed("x", "down")], array=True)
    assert json.loads(raw)[0]["error"]["code"] == 500


def test_an_answer_comes_back_as_it_went() -> None:
    """What a client sends back of an answer is what was answered."""
    parts = [
        part
        for part, _ in PART_OF
        if not isinstance(part, Refusal | Image | Opaque) and part != ToolCall("", "f", "{}")
    ]
    body, _ = whole(*parts)
    content = body["candidates"][0]["content"]
    returned = read({"contents": [{"role": "user", "parts": [{"text": "x"}]}, content]}).turns[1].parts
    for before, after in zip(parts, returned, strict=True):
        if isinstance(before, ToolCall):
            assert isinstance(after, ToolCall)
            assert (before.id, before.signature, before.issuer) == (after.id, after.signature, after.issuer)
        else:
            assert before == after
    assert ProtocolId.GEMINI is CODEC.protocol
