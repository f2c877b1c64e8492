"""A Gemini stream -> conversation events."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wire.gemini.given import GEMINI, ISSUER, Json, chunk, dumps, stream
from tokligence.conversation import (
    BlockClosed,
    BlockOpened,
    Closed,
    Extras,
    Failed,
    Finished,
    FinishReason,
    Opaque,
    Opened,
    Refusal,
    SignatureDelta,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    Usage,
    UsageSeen,
)
from tokligence.errors import GatewayError
from tokligence.wire.contract import ReplyMemory
from tokligence.wire.gemini import CODEC
from tokligence.wire.gemini.tables import BROKEN_OFF

OPENED = Opened("r1", "m")
STOPPED = [Finished(FinishReason.STOP), Closed()]


def test_text_flows_in_one_block() -> None:
    events, losses = stream([chunk({"text": "a"}), chunk({"text": "b"}), chunk({"text": ""}, finish="STOP")])
    assert events == [
        OPENED,
        BlockOpened(0, Text("")),
        TextDelta(0, "a"),
        TextDelta(0, "b"),
        BlockClosed(0),
        *STOPPED,
    ]
    assert losses == []


def test_each_fragment_comes_out_before_the_next_goes_in() -> None:
    reader = CODEC.stream_reader(ReplyMemory(), ISSUER)
    assert reader.feed(b"", dumps(chunk({"text": "a"})))[-1] == TextDelta(0, "a")
    assert reader.feed(b"", dumps(chunk({"text": "b"}))) == [TextDelta(0, "b")]


def test_thinking_comes_before_text_and_signatures_stand_where_they_belong() -> None:
    events, _ = stream(
        [
            chunk({"text": "h", "thought": True}, {"text": "m", "thought": True}),
            chunk({"text": "", "thought": True, "thoughtSignature": "YQ=="}),
            chunk({"text": "", "thought": True}),
            chunk({"text": "more", "thought": True, "thoughtSignature": "Yg=="}),
            chunk({"text": "so", "thoughtSignature": "Yw=="}, finish="STOP"),
        ]
    )
    thought = Thinking("", issuer=ISSUER)
    assert events == [
        OPENED,
        BlockOpened(0, thought),
        TextDelta(0, "h"),
        TextDelta(0, "m"),
        SignatureDelta(0, "YQ=="),
        BlockClosed(0),
        BlockOpened(1, thought),
        TextDelta(1, "more"),
        SignatureDelta(1, "Yg=="),
        BlockClosed(1),
        BlockOpened(2, Text("")),
        TextDelta(2, "so"),
        BlockClosed(2),
        BlockOpened(3, Thinking("", "Yw==", ISSUER)),
        BlockClosed(3),
        *STOPPED,
    ]


def test_a_call_comes_whole_with_its_signature_and_its_clients_name() -> None:
    call = {"functionCall": {"id": "1", "name": "f", "args": {"a": 1}}, "thoughtSignature": "YQ=="}
    events, _ = stream([chunk({"text": "x"}), chunk(call, finish="STOP")], ReplyMemory({"f": "asked"}))
    assert events[3:] == [
        BlockClosed(0),
        BlockOpened(1, ToolCall("1", "asked", '{"a": 1}', signature="YQ==", issuer=ISSUER)),
        BlockClosed(1),
        Finished(FinishReason.TOOL_CALLS),
        Closed(),
    ]


def test_calls_without_ids_get_different_ones() -> None:
    part = {"functionCall": {"name": "f"}}
    events, _ = stream([chunk(part, part), chunk(part, finish="STOP")])
    calls = [event.part for event in events if isinstance(event, BlockOpened)]
    assert len({call.id for call in calls if isinstance(call, ToolCall)}) == 3


def test_a_part_that_is_rare_is_read_as_that_of_a_whole_answer() -> None:
    code = {"executableCode": {"language": "PYTHON", "code": "1"}}
    events, losses = stream([chunk({"text": "a"}, code, {"thoughtSignature": "YQ=="}, {}, finish="STOP")])
    opened = [event.part for event in events if isinstance(event, BlockOpened)]
    assert isinstance(opened[1], Opaque)
    assert opened[1].kind == "executableCode"
    assert opened[2] == Thinking("", "YQ==", ISSUER)
    assert losses == []


def test_usage_is_told_first_as_a_guess_and_last_as_the_truth() -> None:
    events, _ = stream(
        [
            chunk({"text": "a"}, usageMetadata={"promptTokenCount": 9}),
            chunk(
                {"text": "b"}, finish="STOP", usageMetadata={"promptTokenCount": 9, "candidatesTokenCount": 2}
            ),
        ]
    )
    assert events[0] == Opened("r1", "m", Usage(input=9, exact=False))
    assert events[-3:] == [UsageSeen(Usage(input=9, output=2)), *STOPPED]


def test_usage_may_come_after_the_finish_reason() -> None:
    events, _ = stream([chunk({"text": "a"}, finish="STOP"), {"usageMetadata": {"promptTokenCount": 9}}])
    assert events[-3:] == [UsageSeen(Usage(input=9)), *STOPPED]


def test_the_last_finish_reason_counts() -> None:
    events, _ = stream([chunk({"text": "a"}, finish="STOP"), chunk({"text": "b"}, finish="MAX_TOKENS")])
    assert events[-2] == Finished(FinishReason.LENGTH)
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["a", "b"]


@pytest.mark.parametrize(
    ("chunks", "text"),
    [
        ([{"promptFeedback": {"blockReason": "SAFETY"}}], "The prompt was blocked: SAFETY."),
        ([{"candidates": [{"finishReason": "SAFETY"}]}], "The answer was withheld: SAFETY."),
    ],
)
def test_who_gets_nothing_is_told_why(chunks: list[Json], text: str) -> None:
    events, _ = stream(chunks)
    assert events[1:] == [
        BlockOpened(0, Refusal(text)),
        BlockClosed(0),
        Finished(FinishReason.REFUSAL),
        Closed(),
    ]


def test_what_only_gemini_says_of_an_answer_comes_with_its_end() -> None:
    first = chunk({"text": "a"})
    first["candidates"][0] |= {"groundingMetadata": {"a": 1}}
    last = chunk(finish="STOP")
    last["candidates"][0] |= {"groundingMetadata": {"a": 2}, "finishMessage": "done"}
    events, _ = stream([first, last])
    assert events[-2] == Finished(
        FinishReason.STOP,
        extras=Extras(GEMINI, {"groundingMetadata": b'{"a": 2}', "finishMessage": b'"done"'}),
    )


def test_how_safe_a_prompt_was_found_blocks_nothing() -> None:
    first = chunk({"text": "a"}) | {"promptFeedback": {"safetyRatings": [1]}}
    events, _ = stream([first, {"promptFeedback": {}}, chunk(finish="STOP")])
    ratings = Extras(GEMINI, {"promptFeedback.safetyRatings": b"[1]"})
    assert events[-2] == Finished(FinishReason.STOP, extras=ratings)


@pytest.mark.parametrize("word", sorted(BROKEN_OFF))
def test_an_answer_that_failed_fails_the_stream(word: str) -> None:
    events, _ = stream([chunk({"text": "a"}), chunk(finish=word)])
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.status) == (word, 502)


@pytest.mark.parametrize(
    ("error", "failed"),
    [
        (
            {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"},
            Failed("RESOURCE_EXHAUSTED", "quota", 429),
        ),
        ({"message": "down", "status": "UNAVAILABLE"}, Failed("UNAVAILABLE", "down", 503)),
        ({"code": 7, "status": "STRANGE"}, Failed("STRANGE", "The upstream failed.", None)),
        ({}, Failed("INTERNAL", "The upstream failed.", 500)),
    ],
)
def test_an_error_within_the_stream_is_a_failure(error: Json, failed: Failed) -> None:
    events, _ = stream([chunk({"text": "a"}), {"error": error}, chunk({"text": "b"})])
    assert events[-1] == failed


def test_an_error_event_of_another_form_is_a_failure() -> None:
    reader = CODEC.stream_reader(ReplyMemory(), ISSUER)
    assert reader.feed(b"error", b'{"code":1}') == [Failed("INTERNAL", "The upstream failed.", 500)]
    assert reader.eof() == []


def test_a_stream_that_ends_before_its_finish_reason_is_cut() -> None:
    reader = CODEC.stream_reader(ReplyMemory(), ISSUER)
    with pytest.raises(GatewayError) as caught:
        reader.eof()
    assert caught.value.code == "upstream.cut"
    reader.feed(b"", dumps(chunk({"text": "a"})))
    with pytest.raises(GatewayError):
        reader.eof()


def test_events_without_data_and_a_done_of_others_say_nothing() -> None:
    reader = CODEC.stream_reader(ReplyMemory(), ISSUER)
    assert reader.feed(b"", b"") == reader.feed(b"", b"[DONE]") == []


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"candidates":[{"content":{"parts":[{"text":5}]}}]}',
        dumps(chunk({"functionCall": {"name": 5}})),
        dumps(chunk({"inlineData": {"data": "aGk="}})),
        dumps(chunk({"executableCode": {}, "toolCall": {}})),
        b'{"candidates":[],"responseId":"a","response_id":"b","candidates":[{"finish_reason":1,"finishReason":"STOP"}]}',
    ],
)
def test_a_malformed_chunk_is_a_visible_failure(data: bytes) -> None:
    with pytest.raises(GatewayError) as caught:
        CODEC.stream_reader(ReplyMemory(), ISSUER).feed(b"", data)
    assert caught.value.code == "upstream.bad_response"


def test_fields_that_are_new_are_lost_by_name_once() -> None:
    def novel(**fields: Any) -> Json:
        value = chunk({"text": "a", "mood": 1}, **fields)
        value["candidates"][0]["shade"] = 2
        return value

    events, losses = stream([novel(fresh=1), novel(fresh=2), novel(finish="STOP"), chunk(code(), hologram())])
    assert sorted(losses) == [
        "candidates[].content.parts[].mood unknown_field semantic",
        "candidates[].shade unknown_field semantic",
        "fresh unknown_field semantic",
    ]
    opened = [event.part for event in events if isinstance(event, BlockOpened)]
    assert [part.kind for part in opened if isinstance(part, Opaque)] == ["executableCode", "hologram"]


def code() -> Json:
    return {"executableCode": {"code": "1"}}


def hologram() -> Json:
    return {"hologram": {}}


def test_further_candidates_are_lost_by_name_once() -> None:
    value = chunk({"text": "a"}, finish="STOP")
    value["candidates"].append({"index": 1, "content": {"parts": [{"text": "b"}]}})
    events, losses = stream([value, value])
    assert losses == ["candidates[1] unsupported semantic"]
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["a", "a"]


def test_a_finish_reason_nobody_knows_is_an_end_recorded() -> None:
    events, losses = stream([chunk({"text": "a"}, finish="TIRED")])
    assert events[-2] == Finished(FinishReason.STOP)
    assert losses == ["candidates[0].finishReason unknown_field semantic"]
