"""Streams of OpenAI-compatible upstreams become events in order, whatever their vendors' habits."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tokligence.conversation import (
    BlockClosed,
    BlockOpened,
    Closed,
    Extras,
    Failed,
    Finished,
    FinishReason,
    Loss,
    LossReason,
    Opened,
    ProtocolId,
    RedactedThinking,
    Refusal,
    Severity,
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
from tokligence.wire.contract import ReplyMemory, StreamReader
from tokligence.wire.openai_chat import CODEC

OPENED = Opened("c1", "m", None, 5)
MEMORY = ReplyMemory(renames={"short": "long-name"}, tools=frozenset({"f", "short"}))


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **fields: Any) -> bytes:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish, "logprobs": None}
    return json.dumps({"id": "c1", "object": "chat.completion.chunk", "created": 5, "model": "m", "choices": [choice], **fields}).encode()  # fmt: skip


def call(
    index: int | None = None,
    call_id: str | None = None,
    name: str | None = None,
    arguments: str | None = None,
) -> bytes:
    delta: dict[str, Any] = {"function": {"name": name, "arguments": arguments}}
    if index is not None:
        delta["index"] = index
    if call_id is not None:
        delta |= {"id": call_id, "type": "function"}
    return chunk({"tool_calls": [delta]})


STOP = chunk(finish="stop")
USAGE = b'{"id":"c1","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}'
DONE = b"[DONE]"


def reader(memory: ReplyMemory = MEMORY) -> StreamReader:
    return CODEC.stream_reader(memory, "up")


def read(*data: bytes, memory: ReplyMemory = MEMORY) -> tuple[list[StreamEvent], list[Loss]]:
    stream = reader(memory)
    events = [event for each in data for event in stream.feed(b"", each)]
    events += stream.eof()
    return events, stream.losses


def blocks(*data: bytes, memory: ReplyMemory = MEMORY) -> list[tuple[Any, str]]:
    """Each block's head and its text; the stream's order is checked on the way."""
    events, _ = read(*data, memory=memory)
    assert events[0] == OPENED
    assert isinstance(events[-1], Closed)
    found: list[tuple[Any, str]] = []
    open_block: int | None = None
    for event in events:
        match event:
            case BlockOpened(index=index, part=part):
                assert open_block is None
                assert index == len(found)
                open_block = index
                found.append((part, ""))
            case TextDelta(index=index, text=text):
                assert index == open_block
                found[index] = (found[index][0], found[index][1] + text)
            case SignatureDelta(index=index, signature=signature):
                assert index == open_block
                found[index] = (found[index][0], f"{found[index][1]}!{signature}")
            case BlockClosed(index=index):
                assert index == open_block
                open_block = None
            case Finished():
                assert open_block is None
    return found


def failure(*data: bytes) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        read(*data)
    return caught.value


# --- the usual stream -----------------------------------------------------------------------------------


def test_text_with_usage_after_the_finish():
    events, losses = read(
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "Hi"}),
        chunk({"content": " \n"}),
        STOP,
        USAGE,
        DONE,
    )
    assert events == [
        OPENED,
        BlockOpened(0, Text("")),
        TextDelta(0, "Hi"),
        TextDelta(0, " \n"),
        BlockClosed(0),
        UsageSeen(Usage(input=5, output=2)),
        Finished(FinishReason.STOP),
        Closed(),
    ]
    assert losses == []


def test_each_content_event_leaves_with_its_chunk():
    stream = reader()
    assert stream.feed(b"", chunk({"role": "assistant", "content": None})) == [OPENED]
    assert stream.feed(b"", chunk({"content": "a"})) == [BlockOpened(0, Text("")), TextDelta(0, "a")]
    assert stream.feed(b"", chunk({"content": "b"})) == [TextDelta(0, "b")]
    assert stream.feed(b"", call(0, "x", "f", ""))[-1] == BlockOpened(1, ToolCall("x", "f", ""))
    assert stream.feed(b"", call(0, arguments="{")) == [TextDelta(1, "{")]


def test_usage_in_the_last_chunk_with_choices():
    events, _ = read(chunk({"content": "a"}), chunk(finish="stop", usage={"prompt_tokens": 1}), DONE)
    assert events[-4:] == [UsageSeen(Usage(input=1)), BlockClosed(0), Finished(FinishReason.STOP), Closed()]


def test_usage_in_every_chunk_replaces_what_was_seen():
    events, _ = read(
        chunk({"content": "a"}, usage={"completion_tokens": 1}),
        chunk(finish="stop", usage={"completion_tokens": 2}),
        DONE,
    )
    assert [e.usage.output for e in events if isinstance(e, UsageSeen)] == [1, 2]


def test_an_answer_of_nothing_but_usage_is_opened_too():
    events, _ = read(USAGE, STOP, DONE)
    assert events[0] == Opened("c1", "")
    assert events[-2:] == [Finished(FinishReason.STOP), Closed()]


def test_a_missing_done_is_tolerated_after_the_finish():
    stream = reader()
    stream.feed(b"", chunk({"content": "a"}))
    stream.feed(b"", STOP)
    assert stream.eof() == [Finished(FinishReason.STOP), Closed()]
    assert stream.eof() == []
    assert stream.feed(b"", chunk({"content": "late"})) == []


def test_chunks_that_say_nothing_are_passed_over():
    events, losses = read(
        b"",
        b"{}",
        b'{"choices":[]}',
        chunk({"content": "a"}),
        chunk({"content": ""}),
        chunk(None),
        STOP,
        chunk({"content": ""}),
        DONE,
    )
    assert [type(e) for e in events] == [Opened, BlockOpened, TextDelta, BlockClosed, Finished, Closed]
    assert losses == []


def test_an_object_that_is_no_chunk_is_recorded():
    _, losses = read(b'{"novel":1}', chunk({"content": "a"}), STOP, DONE)
    assert losses == [Loss("stream", LossReason.UNKNOWN_PART)]


def test_a_choice_without_a_delta_may_finish():
    raw = b'{"id":"c1","model":"m","created":5,"choices":[{"finish_reason":"length"}]}'
    events, _ = read(chunk({"content": "a"}), raw, DONE)
    assert Finished(FinishReason.LENGTH) in events


# --- kinds of content -----------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_then_text(field: str):
    assert blocks(
        chunk({field: "h"}), chunk({field: "m", "content": None}), chunk({"content": "a"}), STOP, DONE
    ) == [
        (Thinking("", issuer="up"), "hm"),
        (Text(""), "a"),
    ]


def test_reasoning_details_keep_signatures_and_are_not_said_twice():
    def detail(**fields: Any) -> dict[str, Any]:
        return {"type": "reasoning.text", "index": 0, **fields}

    found = blocks(
        chunk({"reasoning": "h", "reasoning_details": [detail(text="h")]}),
        chunk({"reasoning": "m", "reasoning_details": [detail(text="m")]}),
        chunk({"reasoning_details": [detail(signature="sig", issuer="anthropic")]}),
        chunk({"reasoning_details": [detail(type="reasoning.encrypted", data="d", id="r", index=1)]}),
        chunk({"reasoning_details": [detail(type="reasoning.summary", summary="sum", index=2)]}),
        chunk({"content": "a"}),
        STOP,
        DONE,
    )
    own = ProtocolId.OPENAI_CHAT
    assert found == [
        (Thinking("", issuer="up"), "hm!sig"),
        (RedactedThinking("d", "up", Extras(own, {"id": b'"r"'})), ""),
        (Thinking("", issuer="up", extras=Extras(own, {"type": b'"reasoning.summary"'})), "sum"),
        (Text(""), "a"),
    ]


def test_plain_reasoning_counts_beside_details_without_text():
    encrypted = {"type": "reasoning.encrypted", "data": "d"}
    assert blocks(chunk({"reasoning": "hm", "reasoning_details": [encrypted]}), STOP, DONE) == [
        (Thinking("", issuer="up"), "hm"),
        (RedactedThinking("d", "up"), ""),
    ]


def test_reasoning_of_an_unknown_kind_is_a_loss():
    _, losses = read(chunk({"reasoning_details": [{"type": "reasoning.new"}]}), STOP, DONE)
    assert losses == [Loss("choices[].delta.reasoning_details", LossReason.UNKNOWN_PART)]


def test_a_refusal_finishes_as_one():
    data = [chunk({"refusal": "I "}), chunk({"refusal": "won't"}), STOP, DONE]
    assert blocks(*data) == [(Refusal(""), "I won't")]
    assert Finished(FinishReason.REFUSAL) in read(*data)[0]


# --- tool calls -----------------------------------------------------------------------------------------


def test_parallel_calls_each_in_its_block():
    found = blocks(
        call(0, "a", "f", ""), call(0, arguments='{"x":'), call(0, arguments="1}"),
        call(1, "b", "short", ""), call(1, arguments="{}"), chunk(finish="tool_calls"), DONE,
    )  # fmt: skip
    assert found == [(ToolCall("a", "f", ""), '{"x":1}'), (ToolCall("b", "long-name", ""), "{}")]


def test_interleaved_calls_are_put_one_after_the_other():
    found = blocks(
        call(0, "a", "f", '{"x"'), call(1, "b", "f", "{"), call(0, arguments=":1"), call(1, arguments="}"),
        call(0, arguments="}"), chunk(finish="tool_calls"), DONE,
    )  # fmt: skip
    assert found == [(ToolCall("a", "f", ""), '{"x":1}'), (ToolCall("b", "f", ""), "{}")]


def test_a_finish_of_stop_with_calls_means_tool_calls():
    events, losses = read(call(0, "a", "f", "{}"), STOP, DONE)
    assert Finished(FinishReason.TOOL_CALLS) in events
    assert losses == []


def test_a_finish_of_tool_calls_without_any_means_stop():
    events, losses = read(chunk({"content": "a"}), chunk(finish="tool_calls"), DONE)
    assert Finished(FinishReason.STOP) in events
    assert losses == [Loss("choices[0].finish_reason", LossReason.REPAIRED, Severity.COSMETIC)]


def test_whole_calls_in_one_chunk_without_index():
    delta = {
        "tool_calls": [
            {"id": i, "type": "function", "function": {"name": "g", "arguments": "{}"}} for i in "ab"
        ]
    }
    found = blocks(chunk(delta), STOP, DONE)
    assert found == [(ToolCall("a", "g", ""), "{}"), (ToolCall("b", "g", ""), "{}")]


def test_fragments_without_an_index_belong_to_their_id_or_the_last_call():
    found = blocks(
        call(None, "a", "f", ""), call(None, None, None, '{"x":'), call(None, "a", None, "1}"),
        call(None, "b", "f", "{}"), STOP, DONE,
    )  # fmt: skip
    assert found == [(ToolCall("a", "f", ""), '{"x":1}'), (ToolCall("b", "f", ""), "{}")]


def test_calls_that_all_have_index_0_are_told_apart_by_id_and_name():
    found = blocks(call(0, "a", "f", "{}"), call(0, "b", "f", "{}"), STOP, DONE)
    assert found == [(ToolCall("a", "f", ""), "{}"), (ToolCall("b", "f", ""), "{}")]


def test_an_id_that_changes_without_a_name_is_the_same_call():
    assert blocks(call(0, "a", "f", "{"), call(0, "zzz", None, "}"), STOP, DONE) == [
        (ToolCall("a", "f", ""), "{}")
    ]


@pytest.mark.parametrize(
    "names",
    [
        ["get_", "weather"],
        ["get_weather", "get_weather"],
        ["get_", "get_weather"],
        ["get_weather", "get"],
        ["get_weather", ""],
    ],
)
def test_names_split_or_repeated_come_out_once(names: list[str]):
    data = [call(0, "a" if n == 0 else None, name) for n, name in enumerate(names)]
    for tools in (frozenset(), frozenset({"get_weather"})):
        found = blocks(*data, call(0, arguments="{}"), STOP, DONE, memory=ReplyMemory(tools=tools))
        assert found == [(ToolCall("a", "get_weather", ""), "{}")]


def test_a_name_that_is_known_opens_its_block_at_once():
    stream = reader()
    assert len(stream.feed(b"", call(0, "a", "f"))) == 2
    assert stream.feed(b"", call(1, "b", "unknown")) == []


def test_calls_keep_their_order_when_the_first_has_no_arguments():
    found = blocks(call(0, "a", "g"), call(1, "b", "h", "{}"), STOP, DONE, memory=ReplyMemory())
    assert found == [(ToolCall("a", "g", ""), ""), (ToolCall("b", "h", ""), "{}")]


def test_a_call_whose_name_comes_after_the_next_one_started():
    found = blocks(call(0, "a"), call(1, "b", "h", "{}"), call(0, None, "g", "{}"), STOP, DONE)
    assert found == [(ToolCall("b", "h", ""), "{}"), (ToolCall("a", "g", ""), "{}")]


def test_calls_without_an_id_get_one_that_is_the_same_every_time():
    first, second = (blocks(call(0, None, "f", "{}"), STOP, DONE)[0][0].id for _ in range(2))
    assert first == second
    assert first.startswith("call_")
    raw = {"id": "c1", "created": 5, "model": "m", "choices": [{"finish_reason": "stop", "message": {"tool_calls": [{"type": "function", "function": {"name": "f"}}]}}]}  # fmt: skip
    assert CODEC.read_response(json.dumps(raw).encode(), MEMORY, "up").parts[0].id == first


def test_a_call_without_a_function_only_names_itself():
    assert blocks(chunk({"tool_calls": [{"index": 0, "id": "a"}]}), call(0, None, "f", "{}"), STOP, DONE) == [
        (ToolCall("a", "f", ""), "{}")
    ]


def test_a_legacy_function_call_is_a_tool_call():
    found = blocks(
        chunk({"function_call": {"name": "f", "arguments": ""}}),
        chunk({"function_call": {"arguments": "{}"}}),
        chunk(finish="function_call"),
        DONE,
    )
    assert [(part.name, text) for part, text in found] == [("f", "{}")]


def test_a_call_without_a_name_is_malformed():
    assert failure(call(0, "a", None, "{}")).code == "upstream.bad_response"
    assert failure(call(0, "a"), STOP).code == "upstream.bad_response"


def test_a_fragment_for_a_closed_call_is_malformed():
    error = failure(call(0, "a", "f", "{}"), call(1, "b", "f", "{}"), call(0, arguments="x"))
    assert error.code == "upstream.bad_response"


# --- malformed, cut, failed -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "junk", [b"{", b"[]", b"not json", b'{"choices":5}', b"\xff", b'{"choices":[{"delta":{"content":[1]}}]}']
)
def test_a_malformed_chunk_is_the_upstreams_fault(junk: bytes):
    error = failure(chunk({"content": "a"}), junk)
    assert (error.code, error.message) == (
        "upstream.bad_response",
        "up sent an answer that is not valid: a chunk is not one.",
    )


@pytest.mark.parametrize("data", [(), (chunk({"content": "a"}),), (call(0, "a", "f", "{"),)])
def test_an_end_without_a_finish_is_a_cut(data: tuple[bytes, ...]):
    assert failure(*data).code == "upstream.cut"


def test_done_without_a_finish_ends_with_a_loss():
    events, losses = read(chunk({"content": "a"}), DONE)
    assert events[-3:] == [BlockClosed(0), Finished(FinishReason.STOP), Closed()]
    assert losses == [Loss("choices[0].finish_reason", LossReason.REPAIRED, Severity.COSMETIC)]


def test_done_before_anything_is_malformed():
    assert failure(DONE).code == "upstream.bad_response"


def test_content_after_the_finish_is_malformed():
    assert failure(chunk({"content": "a"}), STOP, chunk({"content": "b"})).code == "upstream.bad_response"


@pytest.mark.parametrize(
    ("name", "data", "failed"),
    [
        (b"", b'{"error":{"message":"slow","type":"rate_limit_error"}}', Failed("rate_limit_error", "slow", 429)),
        (b"", b'{"error":{"message":"m","type":"x","code":"rate_limit_exceeded"}}', Failed("x", "m", 429, "rate_limit_exceeded")),
        (b"", b'{"id":"c1","choices":[],"error":{"message":"m","code":503}}', Failed("server_error", "m", 503, "503")),
        (b"", b'{"error":{"message":"m","type":"x","code":7}}', Failed("x", "m", None, "7")),
        (b"", b'{"object":"error","message":"m","type":"BadRequestError","code":400}', Failed("BadRequestError", "m", 400, "400")),
        (b"error", b'{"message":"m"}', Failed("server_error", "m", 500)),
    ],
)  # fmt: skip
def test_an_error_in_the_stream_ends_it(name: bytes, data: bytes, failed: Failed):
    stream = reader()
    stream.feed(b"", chunk({"content": "a"}))
    assert stream.feed(name, data) == [failed]
    assert stream.feed(b"", DONE) == []
    assert stream.eof() == []


def test_a_finish_that_means_failure_is_one():
    events, _ = read(chunk({"content": "a"}), chunk(finish="error", usage={"completion_tokens": 1}))
    assert events[-1] == Failed("error", "The answer broke off.", 502)


# --- losses ---------------------------------------------------------------------------------------------


def test_other_choices_are_recorded_once():
    other = json.dumps(
        {"choices": [{"index": 1, "delta": {"content": "x"}}, {"index": 0, "delta": {"content": "a"}}]}
    ).encode()
    events, losses = read(chunk({"content": "z"}), other, other, STOP, DONE)
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == "zaa"
    assert losses == [Loss("choices[1]", LossReason.UNSUPPORTED)]


def test_unknown_fields_are_recorded_once_for_each_shape_of_chunk():
    odd = {
        "odd": 1,
        "nil": None,
        "obfuscation": "x",
        "system_fingerprint": "fp",
        "provider": "P",
        "usage": {"cost": 1},
    }
    _, losses = read(
        chunk({"content": "a", "new": 2}, **odd), chunk({"content": "b", "new": 2}, **odd), STOP, DONE
    )
    assert losses == [
        Loss("system_fingerprint", LossReason.UNSUPPORTED, Severity.COSMETIC),
        Loss("choices[].delta.new", LossReason.UNKNOWN_FIELD),
        Loss("odd", LossReason.UNKNOWN_FIELD),
        Loss("provider", LossReason.UNSUPPORTED, Severity.COSMETIC),
    ]


def test_logprobs_are_a_loss():
    raw = json.dumps({"id": "c1", "model": "m", "created": 5, "choices": [{"index": 0, "delta": {"content": "a"}, "logprobs": {"content": []}}]}).encode()  # fmt: skip
    assert read(raw, STOP, DONE)[1] == [Loss("choices[].logprobs", LossReason.UNSUPPORTED)]
