"""Conversation -> whole Messages answers, and errors in both directions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.types import Message
from anthropic.types.beta import BetaMessage

from tests.wire.anthropic.given import ANTHROPIC, CHAT, CONTEXT, MEMORY, chat_extras, losses
from tokligence.conversation import (
    Audio,
    Extras,
    FinishReason,
    Opaque,
    Part,
    RedactedThinking,
    Refusal,
    Response,
    Text,
    Thinking,
    ToolCall,
    Usage,
)
from tokligence.wire.anthropic import CODEC
from tokligence.wire.contract import ErrorView


def write(
    *parts: Part, finish: FinishReason = FinishReason.STOP, **fields: Any
) -> tuple[dict[str, Any], list[str]]:
    response = Response("msg_1", "claude", parts, finish, **{"usage": Usage(input=3, output=2)} | fields)
    reply = CODEC.write_response(response, CONTEXT)
    body: dict[str, Any] = json.loads(reply.body)
    Message.model_validate(body, strict=True)
    return body, losses(list(reply.losses))


def block(part: Part) -> dict[str, Any]:
    found: dict[str, Any] = write(part)[0]["content"][0]
    return found


def test_a_plain_answer() -> None:
    body, lost = write(Text("hi"), service_tier="default")
    assert body == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [{"type": "text", "text": "hi"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 3,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 2,
            "service_tier": "standard",
        },
    }
    assert lost == []


@pytest.mark.parametrize(
    ("upstream", "ours"),
    [
        ("msg_9", "msg_9"),
        ("chatcmpl-9", "msg_9"),
        ("gen:9", "msg_gen_9_"),
        ("", "msg_new"),
        ("chatcmpl-", "msg_new"),
    ],
)
def test_ids_are_in_the_vendors_form(upstream: str, ours: str) -> None:
    body = json.loads(CODEC.write_response(Response(upstream, "m", (), FinishReason.STOP), CONTEXT).body)
    assert body["id"].startswith(ours)


def test_tool_calls_have_an_object_as_input() -> None:
    body, lost = write(
        ToolCall("call_1", "f", '{"a": 1}'),
        ToolCall("", "f", ""),
        ToolCall("c.2", "f", "{"),
        finish=FinishReason.TOOL_CALLS,
    )
    assert [each["input"] for each in body["content"]] == [{"a": 1}, {}, {"invalid_json": "{"}]
    assert [each["id"] for each in body["content"]][:2] == ["call_1", "toolu_new"]
    assert "." not in body["content"][2]["id"]
    assert body["stop_reason"] == "tool_use"
    assert lost == ["content[2] repaired cosmetic"]


def test_signatures_of_others_name_their_issuer_and_come_back() -> None:
    own, other = Thinking("hm", "sig", "anthropic"), Thinking("hm", "sig", "other")
    assert block(own)["signature"] == "sig"
    assert block(other)["signature"] == "tgw:other:sig"
    assert block(Thinking("hm"))["signature"] == ""
    assert block(RedactedThinking("enc", "other"))["data"] == "tgw:other:enc"
    history = {"model": "m", "max_tokens": 1, "messages": [{"role": "assistant", "content": [block(other)]}]}
    assert CODEC.read_request(json.dumps(history).encode()).turns[0].parts == (other,)


def test_a_refusal_is_text() -> None:
    body, _ = write(Refusal("no"), finish=FinishReason.REFUSAL)
    assert (body["content"], body["stop_reason"]) == ([{"type": "text", "text": "no"}], "refusal")


def test_blocks_and_fields_of_the_vendors_own_are_written_back() -> None:
    own = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    body, lost = write(
        Text("x", extras=Extras(ANTHROPIC, {"citations": b"[]"})),
        Opaque(ANTHROPIC, "server_tool_use", json.dumps(own).encode()),
        extras=Extras(ANTHROPIC, {"container": b"null"}),
    )
    assert body["content"] == [{"type": "text", "text": "x", "citations": []}, own]
    assert body["container"] is None
    assert lost == []


def test_blocks_and_fields_of_others_are_recorded() -> None:
    body, lost = write(
        Text("x", extras=chat_extras(annotations=b"[]")),
        Opaque(CHAT, "novel", b"{}"),
        Audio("aGk=", "wav"),
        extras=chat_extras(system_fingerprint=b'"f"'),
    )
    assert body["content"] == [{"type": "text", "text": "x"}]
    assert lost == [
        "content[0].annotations unsupported semantic",
        "content[1] unknown_part semantic",
        "content[2] unsupported semantic",
        "system_fingerprint unsupported cosmetic",
    ]


def test_tokens_of_sound_are_a_part_of_the_others() -> None:
    _, lost = write(Text("x"), usage=Usage(input=9, output=3, input_audio=4))
    assert lost == ["usage.audio_tokens unsupported cosmetic"]


def test_usage_excludes_the_cache() -> None:
    usage = Usage(
        input=1,
        cache_read=2,
        cache_write_5m=3,
        cache_write_1h=4,
        output=9,
        reasoning=5,
        web_searches=6,
        extras=Extras(ANTHROPIC, {"speed": b'"fast"', "web_fetch_requests": b"1"}),
    )
    body, _ = write(Text("x"), usage=usage, service_tier="flex")
    assert body["usage"] == {
        "input_tokens": 1,
        "cache_creation_input_tokens": 7,
        "cache_read_input_tokens": 2,
        "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
        "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 5},
        "server_tool_use": {"web_search_requests": 6, "web_fetch_requests": 0},
        "speed": "fast",
    }
    assert BetaMessage.model_validate(body, strict=True).usage.output_tokens == 9


def test_without_usage_an_estimate_is_told() -> None:
    body, _ = write(Text("x" * 40), usage=None)
    assert body["usage"]["input_tokens"] == 7
    assert body["usage"]["output_tokens"] > 10


def test_what_is_written_reads_back() -> None:
    response = Response(
        "msg_1",
        "claude",
        (Thinking("hm", "sig", "anthropic"), Text("x"), ToolCall("t", "f", '{"a":1}')),
        FinishReason.TOOL_CALLS,
        usage=Usage(input=1, cache_write_5m=3, output=9, reasoning=5),
    )
    assert CODEC.read_response(CODEC.write_response(response, CONTEXT).body, MEMORY, "anthropic") == response


# --- errors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (408, "invalid_request_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ],
)
def test_errors_have_the_vendors_type(status: int, kind: str) -> None:
    assert json.loads(CODEC.write_error(ErrorView(status, "m", "req_1"))) == {
        "type": "error",
        "error": {"type": kind, "message": "m"},
        "request_id": "req_1",
    }


def test_an_error_in_a_stream_is_an_event() -> None:
    error = ErrorView(429, "slow down", "req_1")
    assert CODEC.write_stream_error(error) == b"event: error\ndata: " + CODEC.write_error(error) + b"\n\n"


def test_the_vendors_errors_are_read() -> None:
    error = CODEC.read_error(
        529, b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    )
    assert (error.status, error.kind, error.message, error.code) == (
        529,
        "overloaded_error",
        "Overloaded",
        None,
    )


@pytest.mark.parametrize(
    ("raw", "message", "code"),
    [
        (b'{"error":{"message":"no","code":42,"param":"p"}}', "no", "42"),
        (b'{"error":"no"}', "no", None),
        (b'{"message":"no"}', "no", None),
        (b'{"detail":"no"}', "no", None),
        (b"<html>bad gateway</html>", "The upstream answered with status 502.", None),
        (b"", "The upstream answered with status 502.", None),
        (b"\xff", "The upstream answered with status 502.", None),
        (b'{"error":{}}', "The upstream answered with status 502.", None),
    ],
)
def test_other_errors_are_read_as_far_as_they_go(raw: bytes, message: str, code: str | None) -> None:
    error = CODEC.read_error(502, raw)
    assert (error.kind, error.message, error.code) == ("api_error", message, code)


def test_an_endless_message_is_cut() -> None:
    assert len(CODEC.read_error(500, json.dumps({"error": "x" * 9_999}).encode()).message) == 4_000
