"""What a Chat client gets: the vendor's grammar, parsed by the vendor's SDK, and the same as a whole answer."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from openai.lib.streaming._deltas import accumulate_delta
from openai.types.chat import ChatCompletionChunk

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
from tokligence.wire.contract import ErrorView, ReplyContext, ReplyMemory, StreamWriter
from tokligence.wire.openai_chat import CODEC
from tokligence.wire.sse import Splitter, parse

FOREIGN = ProtocolId.ANTHROPIC
START = Opened("msg_1", "claude-x", created=7)
END = (Finished(FinishReason.STOP), Closed())


def writer(*, usage: bool = False) -> StreamWriter:
    return CODEC.stream_writer(ReplyContext("req_1", 9, lambda prefix: prefix + "1", include_usage=usage))


def write(*events: StreamEvent, usage: bool = False) -> tuple[bytes, list[Loss]]:
    stream = writer(usage=usage)
    return b"".join(stream.write(event) for event in events), stream.losses


def chunks(raw: bytes) -> list[dict[str, Any]]:
    """The chunks before [DONE], each checked against the vendor's type."""
    data = [parse(event)[1] for event in Splitter().feed(raw)]
    assert data.pop() == b"[DONE]"
    for each in data:
        ChatCompletionChunk.model_validate_json(each, strict=True)
    return [json.loads(each) for each in data]


def deltas(*events: StreamEvent) -> list[dict[str, Any]]:
    found = chunks(write(START, *events, *END)[0])
    assert found[0]["choices"][0]["delta"] == {"role": "assistant", "content": None}
    assert found[-1]["choices"][0]["delta"] == {}
    return [each["choices"][0]["delta"] for each in found[1:-1]]


# --- grammar --------------------------------------------------------------------------------------------


def test_all_chunks_share_id_time_and_model():
    raw, losses = write(
        START, BlockOpened(0, Text("")), TextDelta(0, 'H"i'), TextDelta(0, ""), BlockClosed(0), *END
    )
    found = chunks(raw)
    envelope = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "claude-x"}
    assert all(each.items() >= envelope.items() for each in found)
    assert [each["choices"] for each in found] == [
        [
            {
                "index": 0,
                "delta": {"role": "assistant", "content": None},
                "logprobs": None,
                "finish_reason": None,
            }
        ],
        [{"index": 0, "delta": {"content": 'H"i'}, "logprobs": None, "finish_reason": None}],
        [{"index": 0, "delta": {"content": ""}, "logprobs": None, "finish_reason": None}],
        [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}],
    ]
    assert losses == []


def test_our_time_stands_where_the_upstream_gave_none_and_the_tier_where_it_gave_one():
    found = chunks(write(Opened("x", "m", service_tier="standard"), *END)[0])
    assert (found[0]["created"], found[0]["service_tier"]) == (9, "default")


def test_calls_are_counted_from_zero_and_stream_their_arguments():
    assert deltas(
        BlockOpened(0, Text("")), TextDelta(0, "a"), BlockClosed(0),
        BlockOpened(1, ToolCall("x", "f", "")), TextDelta(1, ""), TextDelta(1, '{"a":'), TextDelta(1, "1}"), BlockClosed(1),
        BlockOpened(2, ToolCall("y", "g", "{}")), BlockClosed(2),
    ) == [
        {"content": "a"},
        {"tool_calls": [{"index": 0, "id": "x", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a":'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]},
        {"tool_calls": [{"index": 1, "id": "y", "type": "function", "function": {"name": "g", "arguments": "{}"}}]},
    ]  # fmt: skip


def test_a_call_without_arguments_gets_an_empty_object():
    assert deltas(BlockOpened(0, ToolCall("x", "f", "")), TextDelta(0, ""), BlockClosed(0))[1:] == [
        {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}
    ]


def test_reasoning_is_said_plainly_and_with_details():
    assert deltas(
        BlockOpened(0, Thinking("", issuer="anthropic")), TextDelta(0, ""), TextDelta(0, "hm"),
        SignatureDelta(0, "s1"), SignatureDelta(0, "s2"), BlockClosed(0),
        BlockOpened(1, Thinking("", issuer="anthropic")), BlockClosed(1),
        BlockOpened(2, RedactedThinking("data", "anthropic")), TextDelta(2, "x"), SignatureDelta(2, "x"), BlockClosed(2),
        BlockOpened(3, Thinking("all", "sig")), BlockClosed(3),
        BlockOpened(4, Thinking("", issuer="anthropic")), SignatureDelta(4, "alone"), BlockClosed(4),
    ) == [
        {"reasoning_content": "hm", "reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "hm"}]},
        {"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "", "signature": "s1", "issuer": "anthropic"}]},
        {"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "", "signature": "s2"}]},
        {"reasoning_details": [{"type": "reasoning.encrypted", "index": 1, "data": "data", "issuer": "anthropic"}]},
        {"reasoning_content": "all", "reasoning_details": [{"type": "reasoning.text", "index": 2, "text": "all"}]},
        {"reasoning_details": [{"type": "reasoning.text", "index": 2, "text": "", "signature": "sig"}]},
        {"reasoning_details": [{"type": "reasoning.text", "index": 3, "text": "", "signature": "alone", "issuer": "anthropic"}]},
    ]  # fmt: skip


def test_refusals_and_text_that_came_at_once():
    assert deltas(
        BlockOpened(0, Refusal("n")), TextDelta(0, "o"), BlockClosed(0),
        BlockOpened(1, Refusal("")), BlockClosed(1),
        BlockOpened(2, Text("all")), BlockClosed(2),
    ) == [{"refusal": "n"}, {"refusal": "o"}, {"content": "all"}]  # fmt: skip


@pytest.mark.parametrize("reason", list(FinishReason))
def test_every_finish_reason_is_said(reason: FinishReason):
    raw, losses = write(START, Finished(reason), Closed())
    assert chunks(raw)[-1]["choices"][0]["finish_reason"] in {
        "stop",
        "length",
        "tool_calls",
        "content_filter",
    }
    assert bool(losses) is (reason is FinishReason.PAUSE)


def test_usage_comes_only_to_those_who_asked():
    events = (Opened("x", "m", Usage(input=1)), UsageSeen(Usage(input=5, cache_read=3, output=2)), *END)
    asked = chunks(write(*events, usage=True)[0])
    assert [each["usage"] for each in asked[:-1]] == [None, None]
    assert asked[-1]["choices"] == []
    assert asked[-1]["usage"]["prompt_tokens"] == 8
    assert all("usage" not in each for each in chunks(write(*events)[0]))
    assert "usage" in chunks(write(Opened("x", "m", Usage(input=1)), *END, usage=True)[0])[-1]
    assert chunks(write(START, *END, usage=True)[0])[-1]["usage"] is None


def test_pings_say_nothing():
    assert write(Ping())[0] == b""


# --- losses ---------------------------------------------------------------------------------------------


def test_what_chat_cannot_say_is_recorded():
    raw, losses = write(
        START,
        BlockOpened(0, Opaque(FOREIGN, "server_tool_use", b"{}")), TextDelta(0, "x"), BlockClosed(0),
        BlockOpened(1, Text("", extras=Extras(FOREIGN, {"citations": b"[]"}))),
        OpaqueDelta(1, FOREIGN, "citations_delta", b"{}"), BlockClosed(1),
        BlockOpened(2, Image(UrlSource("u"))), BlockClosed(2),
        Finished(FinishReason.STOP_SEQUENCE, "END", Extras(FOREIGN, {"container": b"{}"})),
        Closed(),
    )  # fmt: skip
    assert len(chunks(raw)) == 2
    assert losses == [
        Loss("content[0]", LossReason.UNKNOWN_PART),
        Loss("content[1].citations", LossReason.UNSUPPORTED),
        Loss("content[1].citations_delta", LossReason.UNSUPPORTED),
        Loss("content[2]", LossReason.UNKNOWN_PART),
        Loss("stop_sequence", LossReason.UNSUPPORTED, Severity.COSMETIC),
        Loss("container", LossReason.UNSUPPORTED),
    ]


# --- failure --------------------------------------------------------------------------------------------


def test_a_failure_is_one_error_chunk_and_nothing_after_it():
    stream = writer()
    stream.write(START)
    raw = stream.fail(ErrorView(502, "cut off", "req_1", "upstream.cut"))
    error = {"message": "cut off", "type": "server_error", "param": None, "code": "upstream.cut"}
    assert raw.startswith(b"data: ")
    assert json.loads(raw[6:]) == {"error": error}
    assert stream.fail(ErrorView(502, "again", "req_1")) == b""
    assert [stream.write(event) for event in END] == [b"", b""]


def test_a_failure_of_the_upstream_is_the_same():
    raw, _ = write(START, Failed("overloaded_error", "busy", 503, "c"), *END)
    assert b"[DONE]" not in raw
    assert json.loads(raw.splitlines()[-2][6:])["error"]["message"] == "busy"
    assert b'"server_error"' in write(Failed("x", "m"))[0]


def test_the_sdk_raises_on_our_error_chunk():
    raw = write(START, Failed("overloaded_error", "busy", 503))[0]
    lines = iter(raw.splitlines(keepends=True))
    response = openai.OpenAI(api_key="x", base_url="http://127.0.0.1:9")
    stream = openai.Stream(cast_to=ChatCompletionChunk, response=_Canned(lines), client=response)
    with pytest.raises(openai.APIError, match="busy"):
        list(stream)


class _Canned:
    """As much of an HTTP response as the SDK's stream needs."""

    def __init__(self, lines: Any) -> None:
        self._lines = lines
        self.request = None

    def iter_bytes(self) -> Any:
        return self._lines

    def close(self) -> None:
        pass


# --- whole and streamed agree ---------------------------------------------------------------------------


def stream_of(response: Response, size: int) -> list[StreamEvent]:
    """The answer as an upstream would have streamed it, in fragments of `size`."""
    events: list[StreamEvent] = [
        Opened(response.id, response.model, created=response.created, service_tier=response.service_tier)
    ]
    for index, part in enumerate(response.parts):
        head, text = _head(part)
        events.append(BlockOpened(index, head))
        events += [TextDelta(index, text[at : at + size]) for at in range(0, len(text), size)]
        if isinstance(part, Thinking) and part.signature:
            events.append(SignatureDelta(index, part.signature))
        events.append(BlockClosed(index))
    assert response.usage is not None
    return [*events, UsageSeen(response.usage), Finished(response.finish), Closed()]


def _head(part: Part) -> tuple[Part, str]:
    match part:
        case Text():
            return Text(""), part.text
        case Refusal():
            return Refusal(""), part.text
        case Thinking():
            return Thinking("", issuer=part.issuer), part.text
        case ToolCall():
            return ToolCall(part.id, part.name, ""), part.arguments
        case _:
            return part, ""


ANSWERS = [
    (Text("Hello"),),
    (ToolCall("a", "f", '{"x": "ü"}'), ToolCall("b", "g", "")),
    (
        Thinking("hm, yes", "sig", "anthropic"),
        RedactedThinking("d", "anthropic"),
        Thinking("unsigned", None, "anthropic"),
        Text("So"),
        Text(" be it"),
        ToolCall("a", "f", "{}"),
    ),
    (Refusal("no way"),),
    (Thinking("", "sig", "anthropic"),),
    (),
]


@pytest.mark.parametrize("parts", ANSWERS)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_the_accumulated_stream_is_the_whole_answer(parts: tuple[Part, ...], size: int):
    response = Response(
        "x", "m", parts, FinishReason.STOP, usage=Usage(input=3, output=4), created=5, service_tier="standard"
    )
    context = ReplyContext("req_1", 9, lambda prefix: prefix + "1", include_usage=True)
    whole = json.loads(CODEC.write_response(response, context).body)

    found = chunks(write(*stream_of(response, size), usage=True)[0])
    message: dict[Any, Any] = {"refusal": None}
    for each in found[:-1]:
        message = accumulate_delta(message, each["choices"][0]["delta"])
    for call in message.get("tool_calls", ()):
        del call["index"]
    assert message == whole["choices"][0]["message"]
    assert found[-2]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
    assert found[-1]["usage"] == whole["usage"]
    assert {found[-1][name] == whole[name] for name in ("id", "model", "created", "service_tier")} == {True}


@pytest.mark.parametrize("parts", ANSWERS[:-1])
def test_our_own_stream_read_again_is_the_whole_answer_read_again(parts: tuple[Part, ...]):
    response = Response("x", "m", parts, FinishReason.TOOL_CALLS if any(isinstance(p, ToolCall) for p in parts) else FinishReason.STOP, usage=Usage(output=1), created=5)  # fmt: skip
    context = ReplyContext("req_1", 9, lambda prefix: prefix + "1", include_usage=True)
    whole = CODEC.read_response(CODEC.write_response(response, context).body, ReplyMemory(), "up")

    reader = CODEC.stream_reader(ReplyMemory(), "up")
    texts: dict[int, str] = {}
    signatures: dict[int, str] = {}
    heads: list[Part] = []
    finish = None
    for raw in Splitter().feed(write(*stream_of(response, 2), usage=True)[0]):
        for event in reader.feed(*parse(raw)):
            match event:
                case BlockOpened(part=part):
                    heads.append(part)
                case TextDelta(index=index, text=text):
                    texts[index] = texts.get(index, "") + text
                case SignatureDelta(index=index, signature=signature):
                    signatures[index] = signature
                case Finished(reason=reason):
                    finish = reason
    assert finish is whole.finish
    assert [type(head) for head in heads] == [type(part) for part in whole.parts]
    for index, part in enumerate(whole.parts):
        said = part.arguments if isinstance(part, ToolCall) else getattr(part, "text", "")
        assert texts.get(index, "") == said
        assert signatures.get(index) == getattr(part, "signature", None)
    assert reader.losses == []
