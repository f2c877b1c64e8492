"""Streams of upstreams: complete ones, those that send only the whole, and those that are wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.wire.openai_responses.given import event, feed, responding
from tokligence.conversation import (
    BlockClosed,
    BlockOpened,
    Closed,
    Extras,
    Failed,
    FileSource,
    Finished,
    FinishReason,
    Image,
    Loss,
    LossReason,
    Opaque,
    Opened,
    Ping,
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
from tokligence.wire.contract import ReplyMemory
from tokligence.wire.openai_responses import CODEC

OWN = ProtocolId.OPENAI_RESPONSES
C, S = Severity.COSMETIC, Severity.SEMANTIC
OPENED = Opened("resp_1", "gpt-x")
THINKING = Thinking("", issuer="openai")
CREATED = responding("created", created_at=7)
END = responding("completed", status="completed")


def within(*events: dict[str, Any], renames: dict[str, str] | None = None) -> list[StreamEvent]:
    """What is read between the opening and the end."""
    out, _ = feed(CREATED, *events, END, renames=renames)
    assert out[0] == Opened("resp_1", "gpt-x", None, 7)
    assert isinstance(out[-2], Finished)
    assert out[-1] == Closed()
    return out[1:-2]


def finish_of(*events: dict[str, Any]) -> FinishReason:
    out, _ = feed(CREATED, *events)
    (finished,) = (each for each in out if isinstance(each, Finished))
    return finished.reason


def added(index: int | None, **item: Any) -> dict[str, Any]:
    return event("output_item.added", output_index=index, item=item)


def done(index: int | None, **item: Any) -> dict[str, Any]:
    return event("output_item.done", output_index=index, item=item)


def message(*content: Any, item_id: str = "msg_1") -> dict[str, Any]:
    return {"type": "message", "id": item_id, "role": "assistant", "content": list(content)}


def words(text: str, **fields: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": text, **fields}


# --- what usual upstreams send --------------------------------------------------------------------------


def test_a_text_passes_as_it_comes() -> None:
    assert within(
        responding("in_progress"),
        added(0, **message()),
        event("content_part.added", output_index=0, content_index=0, item_id="msg_1", part=words("")),
        event("output_text.delta", output_index=0, content_index=0, delta="H", logprobs=[], obfuscation="x"),
        event("output_text.delta", output_index=0, content_index=0, delta=""),
        event("output_text.delta", output_index=0, content_index=0, delta="i"),
        event("output_text.done", output_index=0, content_index=0, text="Hi"),
        event("content_part.done", output_index=0, content_index=0, part=words("Hi")),
        done(0, **message(words("Hi"))),
    ) == [BlockOpened(0, Text("")), TextDelta(0, "H"), TextDelta(0, "i"), BlockClosed(0)]


def test_each_part_of_a_message_is_a_block() -> None:
    assert within(
        added(0, **message()),
        event("output_text.delta", output_index=0, content_index=0, delta="a"),
        event("output_text.delta", output_index=0, content_index=1, delta="b"),
        event("refusal.delta", output_index=0, content_index=2, delta="no"),
        event("refusal.done", output_index=0, content_index=2, refusal="no"),
        done(0, **message(words("a"), words("b"), {"type": "refusal", "refusal": "no"})),
    ) == [
        BlockOpened(0, Text("")), TextDelta(0, "a"), BlockClosed(0),
        BlockOpened(1, Text("")), TextDelta(1, "b"), BlockClosed(1),
        BlockOpened(2, Refusal("")), TextDelta(2, "no"), BlockClosed(2),
    ]  # fmt: skip


def test_reasoning_is_its_summary_and_its_signature_has_its_id() -> None:
    item = {"type": "reasoning", "id": "rs_1", "encrypted_content": "gAAA"}
    assert within(
        added(0, type="reasoning", id="rs_1", summary=[]),
        event("reasoning_summary_part.added", output_index=0, summary_index=0, part={}),
        event("reasoning_summary_text.delta", output_index=0, summary_index=0, delta="a"),
        event("reasoning_summary_text.done", output_index=0, summary_index=0, text="a"),
        event("reasoning_summary_part.done", output_index=0, summary_index=0, part={}),
        event("reasoning_summary_text.delta", output_index=0, summary_index=1, delta="b"),
        event("reasoning_summary_text.delta", output_index=0, summary_index=1, delta="c"),
        done(0, summary=[{"text": "a"}, {"text": "bc"}], **item),
    ) == [
        BlockOpened(0, THINKING), TextDelta(0, "a"), TextDelta(0, "\n\nb"), TextDelta(0, "c"),
        SignatureDelta(0, "rs_1:gAAA"), BlockClosed(0),
    ]  # fmt: skip


def test_reasoning_without_words_is_encrypted_and_without_either_is_nothing() -> None:
    out, losses = feed(
        CREATED,
        added(0, type="reasoning", id="rs_1", summary=[]),
        done(0, type="reasoning", id="rs_1", summary=[], encrypted_content="gAAA"),
        done(1, type="reasoning", id="rs_2", summary=[]),
    )
    assert out[1:] == [BlockOpened(0, RedactedThinking("rs_1:gAAA", "openai"))]
    assert losses == [Loss("output[1]", LossReason.DROPPED_EMPTY, C)]


def test_reasoning_that_is_shown_itself_is_told_once() -> None:
    out, losses = feed(
        CREATED,
        added(0, type="reasoning", id="rs_1", summary=[]),
        event("reasoning_text.delta", output_index=0, content_index=0, delta="a"),
        event("reasoning_text.delta", output_index=0, content_index=1, delta="b"),
        event("reasoning_text.done", output_index=0, content_index=1, text="b"),
        event("reasoning_summary_text.delta", output_index=0, summary_index=0, delta="x"),
        done(0, type="reasoning", id="rs_1", summary=[], content=[{"text": "a"}, {"text": "b"}]),
    )
    assert out[1:] == [BlockOpened(0, THINKING), TextDelta(0, "a"), TextDelta(0, "b")]
    assert losses == [Loss("output[].content", LossReason.CONVERTED, C)]


def test_a_signature_comes_also_where_the_whole_item_leaves_out_its_words() -> None:
    assert within(
        event("reasoning_summary_text.delta", output_index=0, summary_index=0, delta="a"),
        done(0, type="reasoning", summary=[], encrypted_content="gAAA"),
    )[-2:] == [SignatureDelta(0, "gAAA"), BlockClosed(0)]
    assert within(done(0, type="reasoning", summary=[{"text": "a"}])) == [
        BlockOpened(0, THINKING),
        TextDelta(0, "a"),
        BlockClosed(0),
    ]


def test_calls_open_with_their_name_and_close_when_they_are_done() -> None:
    call = {"type": "function_call", "id": "fc_1", "call_id": "1", "name": "short"}
    custom = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "2", "name": "p", "namespace": "ns"}
    assert within(
        added(0, arguments="", **call),
        event("function_call_arguments.delta", output_index=0, item_id="fc_1", delta='{"a"'),
        event("function_call_arguments.delta", output_index=0, item_id="fc_1", delta=":1}"),
        event("function_call_arguments.done", output_index=0, item_id="fc_1", arguments='{"a":1}'),
        done(0, arguments='{"a":1}', **call),
        added(1, input="", **custom),
        event("custom_tool_call_input.delta", output_index=1, delta="*** "),
        event("custom_tool_call_input.done", output_index=1, input="*** x"),
        done(1, input="*** x", **custom),
        renames={"short": "long"},
    ) == [
        BlockOpened(0, ToolCall("1", "long", "")), TextDelta(0, '{"a"'), TextDelta(0, ":1}"), BlockClosed(0),
        BlockOpened(1, ToolCall("2", "p", "", freeform=True, namespace="ns")), TextDelta(1, "*** "), TextDelta(1, "x"),
        BlockClosed(1),
    ]  # fmt: skip


def test_interleaved_calls_are_put_in_a_row_and_a_done_one_makes_room() -> None:
    first = {"type": "custom_tool_call", "call_id": "1", "name": "p"}
    second = {"type": "function_call", "call_id": "2", "name": "f"}
    assert within(
        added(0, **first),
        added(1, **second),
        event("function_call_arguments.delta", output_index=1, delta="{"),
        event("custom_tool_call_input.delta", output_index=0, delta="x"),
        done(0, input="x", **first),
        event("function_call_arguments.delta", output_index=1, delta="}"),
        done(1, arguments="{}", **second),
    ) == [
        BlockOpened(0, ToolCall("1", "p", "", freeform=True)), TextDelta(0, "x"), BlockClosed(0),
        BlockOpened(1, ToolCall("2", "f", "")), TextDelta(1, "{"), TextDelta(1, "}"), BlockClosed(1),
    ]  # fmt: skip


def test_a_picture_in_a_message_is_a_block() -> None:
    assert within(done(0, **message({"type": "input_image", "file_id": "file-1"}))) == [
        BlockOpened(0, Image(FileSource("file-1", OWN))),
        BlockClosed(0),
    ]


def test_what_the_vendors_own_tools_did_is_kept_whole() -> None:
    item = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {}}
    raw = json.dumps(item).encode()
    out, losses = feed(
        CREATED,
        added(0, type="web_search_call", id="ws_1", status="in_progress", action={}),
        event("web_search_call.searching", output_index=0, item_id="ws_1"),
        done(0, **item),
    )
    assert out[1:] == [BlockOpened(0, Opaque(OWN, "web_search_call", raw))]
    assert losses == []


# --- the end --------------------------------------------------------------------------------------------


def test_usage_comes_before_the_finish() -> None:
    usage = {"input_tokens": 5, "output_tokens": 2}
    out, losses = feed(
        CREATED,
        responding("completed", status="completed", usage=usage, service_tier="default", moderation={"a": 1}),
    )
    assert out[1:] == [
        UsageSeen(Usage(5, output=2)),
        Finished(FinishReason.STOP, None, Extras(OWN, {"moderation": b'{"a": 1}'})),
        Closed(),
    ]
    assert losses == []


def test_what_the_answer_holds_says_why_it_ended() -> None:
    call = {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"}
    refusal = {"type": "refusal", "refusal": "no"}
    assert finish_of(done(0, **call), END) is FinishReason.TOOL_CALLS
    assert finish_of(done(0, **message(refusal)), END) is FinishReason.REFUSAL
    assert finish_of(done(0, **message(words("a"))), END) is FinishReason.STOP
    reason = {"reason": "max_output_tokens"}
    assert finish_of(responding("incomplete", incomplete_details=reason)) is FinishReason.LENGTH


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (
            responding("failed", status="failed", error={"code": "rate_limit_exceeded", "message": "Slow."}),
            Failed("rate_limit_exceeded", "Slow.", 429, "rate_limit_exceeded"),
        ),
        (responding("cancelled", status="cancelled"), Failed("server_error", "The response failed.", 500, "server_error")),
        (
            responding("completed", error={"code": "context_length_exceeded", "message": "Long."}),
            Failed("context_length_exceeded", "Long.", 400, "context_length_exceeded"),
        ),
        (
            {"type": "error", "code": "novel", "message": "Oh.", "param": None},
            Failed("novel", "Oh.", None, "novel"),
        ),
        ({"type": "error", "code": 503}, Failed("503", "The response failed.", 503, "503")),
        ({"type": "error"}, Failed("server_error", "The response failed.", 500, "server_error")),
        (
            {"type": "error", "error": {"type": "rate_limit_error", "message": "Slow."}},
            Failed("rate_limit_error", "Slow.", 429),
        ),
    ],
)  # fmt: skip
def test_a_failure_ends_the_stream(failure: dict[str, Any], expected: Failed) -> None:
    out, _ = feed(CREATED, failure, done(0, **message(words("late"))))
    assert out[1:] == [expected]


def test_a_failure_may_come_first() -> None:
    out, _ = feed(responding("failed", status="failed"))
    assert out == [OPENED, Failed("server_error", "The response failed.", 500, "server_error")]


def test_a_connection_that_ends_early_was_cut() -> None:
    reader = CODEC.stream_reader(ReplyMemory(), "openai")
    reader.feed(b"", json.dumps(CREATED).encode())
    with pytest.raises(GatewayError) as caught:
        reader.eof()
    assert caught.value.code == "upstream.cut"
    reader.feed(b"", json.dumps(END).encode())
    assert reader.eof() == []
    assert reader.feed(b"", json.dumps(CREATED).encode()) == []


# --- upstreams with habits of their own -----------------------------------------------------------------

CALL = {"type": "function_call", "id": "fc_1", "call_id": "1", "name": "f", "arguments": '{"a":1}'}
WHOLE = [
    {"type": "reasoning", "id": "rs_1", "summary": [{"text": "hm"}], "encrypted_content": "gAAA"},
    message(words("a"), {"type": "refusal", "refusal": "no"}),
    CALL,
]
TOLD = [
    BlockOpened(0, THINKING), TextDelta(0, "hm"), SignatureDelta(0, "rs_1:gAAA"), BlockClosed(0),
    BlockOpened(1, Text("")), TextDelta(1, "a"), BlockClosed(1),
    BlockOpened(2, Refusal("")), TextDelta(2, "no"), BlockClosed(2),
    BlockOpened(3, ToolCall("1", "f", "")), TextDelta(3, '{"a":1}'), BlockClosed(3),
]  # fmt: skip


def test_items_that_come_only_whole_are_read() -> None:
    assert within(*(done(n, **item) for n, item in enumerate(WHOLE))) == TOLD


def test_a_response_that_comes_only_whole_is_read() -> None:
    out, _ = feed(responding("completed", *WHOLE, status="completed"))
    assert out == [OPENED, *TOLD, Finished(FinishReason.TOOL_CALLS), Closed()]


def test_what_was_streamed_is_not_told_again_by_the_whole_response() -> None:
    events = [done(n, **item) for n, item in enumerate(WHOLE)]
    out, _ = feed(CREATED, *events, responding("completed", *WHOLE, status="completed"))
    assert out[1:-2] == TOLD


def test_items_without_an_index_are_told_apart_by_their_ids() -> None:
    out, _ = feed(
        CREATED,
        added(None, **message()),
        {"type": "response.output_text.delta", "item_id": "msg_1", "delta": "a"},
        added(None, **(CALL | {"arguments": '{"a"'})),
        {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "delta": ":1"},
        {"type": "response.function_call_arguments.delta", "delta": "}"},
        responding("completed", message(words("a")), CALL, status="completed"),
    )
    assert out[1:-2] == [
        BlockOpened(0, Text("")), TextDelta(0, "a"), BlockClosed(0),
        BlockOpened(1, ToolCall("1", "f", "")), TextDelta(1, '{"a"'), TextDelta(1, ":1"), TextDelta(1, "}"), BlockClosed(1),
    ]  # fmt: skip


def test_items_that_share_an_index_are_told_apart_by_their_order() -> None:
    out, _ = feed(
        CREATED,
        added(0, **message(item_id="msg_1")),
        event("output_text.delta", output_index=0, delta="a"),
        done(0, **message(words("a"), item_id="msg_1")),
        added(0, **message(item_id="msg_2")),
        event("output_text.delta", output_index=0, delta="b"),
        done(0, **message(words("b"), item_id="msg_2")),
        responding(
            "completed",
            message(words("a"), item_id="msg_1"),
            message(words("b"), item_id="msg_2"),
            status="completed",
        ),
    )
    assert [each.text for each in out if isinstance(each, TextDelta)] == ["a", "b"]


def test_a_stream_may_begin_without_its_response() -> None:
    out, _ = feed(event("output_text.delta", output_index=0, delta="a"))
    assert out == [Opened("", ""), BlockOpened(0, Text("")), TextDelta(0, "a")]
    assert feed(added(0, **message()))[0] == [Opened("", "")]


def test_keep_alives_and_the_mark_of_other_protocols_say_nothing() -> None:
    out, losses = feed(CREATED, {"type": "keepalive"}, b"", b"[DONE]", END)
    assert out[1:] == [Ping(), Finished(FinishReason.STOP), Closed()]
    assert losses == []


# --- what is new, and what is wrong ---------------------------------------------------------------------


def test_what_is_new_is_recorded_once() -> None:
    delta = event("output_text.delta", output_index=0, delta="a", novel=1)
    part = words("aa", annotations=[{"type": "file_path"}], novel=2)
    out, losses = feed(
        responding("created", novel=1),
        delta,
        delta,
        event("output_text.annotation.added", output_index=0, annotation={}),
        done(0, **message(part, {"type": "hologram"})),
        event("hologram.delta", output_index=0, delta={}),
        event("hologram.delta", output_index=0, delta={}),
    )
    assert [each.text for each in out if isinstance(each, TextDelta)] == ["a", "a"]
    assert losses == [
        Loss("novel", LossReason.UNKNOWN_FIELD),
        Loss("output[0].content[1]", LossReason.UNKNOWN_PART),
        Loss("output[0].content[0].annotations", LossReason.UNSUPPORTED),
        Loss("output[0].content[0].novel", LossReason.UNKNOWN_FIELD),
        Loss("stream.response.hologram.delta", LossReason.UNKNOWN_PART),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        b"{",
        b"[]",
        b'{"x":1}',
        b'{"type":"response.output_text.delta","delta":5}',
        b"\xff",
        event("created"),
        event("created", response=[]),
        event("function_call_arguments.delta", output_index=0, delta="{"),
        added(0, type="message", content=5, role="assistant"),
        event("output_item.added", output_index=0, item=5),
        event("output_item.done", output_index=0),
    ],
)
def test_a_malformed_event_is_the_upstreams_fault(wrong: Any) -> None:
    with pytest.raises(GatewayError) as caught:
        feed(wrong)
    assert caught.value.code == "upstream.bad_response"


def test_an_item_is_not_done_twice_and_a_call_does_not_go_on_after_its_end() -> None:
    with pytest.raises(GatewayError):
        feed(done(0, **CALL), done(0, **CALL))
    with pytest.raises(GatewayError):
        feed(done(0, **CALL), event("function_call_arguments.delta", output_index=0, delta="x"))
