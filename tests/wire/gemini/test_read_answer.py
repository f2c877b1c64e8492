"""A whole answer, or an error, of a Gemini upstream."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.wire.gemini.given import GEMINI, ISSUER, Json, answer, dumps, show
from tokligence.conversation import (
    Base64Source,
    Extras,
    FinishReason,
    Image,
    Refusal,
    Response,
    Text,
    Thinking,
    ToolCall,
    Usage,
)
from tokligence.errors import GatewayError
from tokligence.wire.contract import ReplyMemory
from tokligence.wire.gemini import CODEC
from tokligence.wire.gemini.tables import BROKEN_OFF, FINISH_OF, FINISH_REASON


def read(body: object, memory: ReplyMemory | None = None) -> Response:
    raw = body if isinstance(body, bytes) else dumps(body)
    return CODEC.read_response(raw, memory or ReplyMemory(), ISSUER)


def failure(body: object) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        read(body)
    return caught.value


CALL = {"functionCall": {"name": "f", "args": {"a": 12345678901234567890}}, "thoughtSignature": "c2ln"}


def test_an_answer_is_read() -> None:
    body = answer(
        {"text": "hm", "thought": True},
        {"text": "so ä", "thoughtSignature": "YQ=="},
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
        usageMetadata={"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7},
    )
    assert read(body) == Response(
        "r1",
        "m",
        (
            Thinking("hm", None, ISSUER),
            Text("so ä"),
            Thinking("", "YQ==", ISSUER),
            Image(Base64Source("image/png", "aGk=")),
        ),
        FinishReason.STOP,
        usage=Usage(input=5, output=2),
    )


def test_a_call_has_its_signature_an_id_and_its_clients_name() -> None:
    found = read(answer(CALL, {"text": "x"}), ReplyMemory({"f": "asked.for"}))
    call = found.parts[0]
    assert isinstance(call, ToolCall)
    assert found.finish is FinishReason.TOOL_CALLS
    assert (call.name, call.signature, call.issuer) == ("asked.for", "c2ln", ISSUER)
    assert json.loads(call.arguments) == {"a": 12345678901234567890}
    assert call.id.startswith("call_")
    assert read(answer(CALL)).parts[0] == read(answer(CALL)).parts[0]
    other = read(answer(CALL) | {"responseId": "r2"}).parts[0]
    assert isinstance(other, ToolCall)
    assert other.id != call.id


@pytest.mark.parametrize("word", FINISH_OF)
def test_every_finish_reason_is_read(word: str) -> None:
    assert read(answer({"text": "x"}, finish=word)).finish is FINISH_OF[word]


def test_every_finish_reason_has_a_word() -> None:
    assert set(FINISH_REASON) == set(FinishReason)
    assert set(FINISH_REASON.values()) <= set(FINISH_OF)


@pytest.mark.parametrize("word", sorted(BROKEN_OFF))
def test_an_answer_that_failed_is_no_answer(word: str) -> None:
    error = failure(answer(finish=word))
    assert error.code == "upstream.error"
    assert word in error.text


def test_a_finish_reason_nobody_knows_is_an_end_recorded() -> None:
    found = read(answer({"text": "x"}, finish="TIRED"))
    assert found.finish is FinishReason.STOP
    assert show(found.losses) == ["candidates[0].finishReason unknown_field semantic"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"promptFeedback": {"blockReason": "SAFETY"}}, "The prompt was blocked: SAFETY."),
        ({"promptFeedback": {"blockReason": "OTHER", "blockReasonMessage": "No."}}, "No."),
        (answer(finish="RECITATION"), "The answer was withheld: RECITATION."),
        ({"candidates": [{"finishReason": "SPII", "finishMessage": "It names people."}]}, "It names people."),
    ],
)
def test_who_gets_nothing_is_told_why(body: Json, text: str) -> None:
    found = read(body)
    assert found.finish is FinishReason.REFUSAL
    assert found.parts == (Refusal(text),)


def test_a_refusal_after_content_says_nothing_more() -> None:
    assert read(answer({"text": "so far"}, finish="SAFETY")).parts == (Text("so far"),)


def test_what_only_gemini_says_is_kept() -> None:
    body = answer(
        {"text": "x"}, createTime="t", modelStatus=None, novel=1, promptFeedback={"safetyRatings": []}
    )
    more = {
        "groundingMetadata": {"a": 1},
        "citationMetadata": {},
        "finishMessage": "m",
        "avgLogprobs": -0.1,
        "fresh": 2,
    }
    body["candidates"][0] |= more
    assert read(body).extras == Extras(
        GEMINI,
        {
            "avgLogprobs": b"-0.1",
            "citationMetadata": b"{}",
            "groundingMetadata": b'{"a": 1}',
            "finishMessage": b'"m"',
            "createTime": b'"t"',
            "novel": b"1",
            "fresh": b"2",
            "promptFeedback.safetyRatings": b"[]",
        },
    )


def test_further_candidates_are_lost_by_name() -> None:
    body = answer({"text": "a"})
    body["candidates"] *= 3
    assert show(read(body).losses) == [
        "candidates[1] unsupported semantic",
        "candidates[2] unsupported semantic",
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        {},
        {"candidates": []},
        {"promptFeedback": {}},
        {"candidates": [{"content": {"parts": [{"text": 5}]}}]},
        answer({"text": "a", "functionCall": {"name": "f"}}),
        b'{"candidates":[{"avgLogprobs":"\xff"}]}',
    ],
)
def test_what_is_no_answer_is_the_upstreams_fault(body: Any) -> None:
    assert failure(body).code == "upstream.bad_response"


def test_an_error_with_status_200_is_an_error() -> None:
    error = failure([{"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}])
    assert error.code == "upstream.error"
    assert "overloaded" in error.text


# --- usage ----------------------------------------------------------------------------------------------


def test_usage_and_model_are_read_alone() -> None:
    body = answer({"text": "x"}, usageMetadata={"promptTokenCount": 5})
    assert CODEC.read_usage(dumps(body)) == (Usage(input=5), "m")
    assert CODEC.read_usage(dumps(answer())) == (None, "m")
    assert CODEC.read_usage(dumps({"promptFeedback": {"blockReason": "SAFETY"}})) == (None, "")
    assert CODEC.read_usage(b"{}") == CODEC.read_usage(b"<") == (None, None)


def test_usage_of_a_stream_in_an_array_is_the_last() -> None:
    chunks = [answer(usageMetadata={"promptTokenCount": 5}), answer(usageMetadata={"promptTokenCount": 6})]
    assert CODEC.read_usage(dumps(chunks)) == (Usage(input=6), "m")
    assert CODEC.read_usage(b"[]") == (None, None)


# --- errors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "raw", "kind", "message"),
    [
        (
            429,
            b'{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[{"a":1}]}}',
            "RESOURCE_EXHAUSTED",
            "quota",
        ),
        (400, b'[{"error":{"message":"bad"}}]', "INVALID_ARGUMENT", "bad"),
        (500, b"[]", "INTERNAL", "The upstream answered with status 500."),
        (403, b'{"error":"denied"}', "PERMISSION_DENIED", "denied"),
        (502, b'{"message":"proxy"}', "UNAVAILABLE", "proxy"),
        (418, b'{"detail":"teapot"}', "INVALID_ARGUMENT", "teapot"),
        (599, b"<html>", "INTERNAL", "The upstream answered with status 599."),
        (503, b"", "UNAVAILABLE", "The upstream answered with status 503."),
    ],
)
def test_every_error_is_read(status: int, raw: bytes, kind: str, message: str) -> None:
    error = CODEC.read_error(status, raw)
    assert (error.status, error.kind, error.message) == (status, kind, message)
