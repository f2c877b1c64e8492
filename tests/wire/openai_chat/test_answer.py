"""Whole answers, usage and errors, read from upstreams and written for clients."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from tokligence.conversation import (
    Extras,
    FinishReason,
    Image,
    Loss,
    LossReason,
    Opaque,
    ProtocolId,
    RedactedThinking,
    Refusal,
    Response,
    Severity,
    Text,
    Thinking,
    ToolCall,
    UrlSource,
    Usage,
)
from tokligence.errors import GatewayError
from tokligence.wire.contract import ErrorView, ListedModel, ReplyContext, ReplyMemory
from tokligence.wire.openai.tiers import ANSWER_TIER, SERVICE_TIER
from tokligence.wire.openai_chat import CODEC
from tokligence.wire.openai_chat.tables import FINISH_OF, FINISH_REASON

OWN, FOREIGN = ProtocolId.OPENAI_CHAT, ProtocolId.ANTHROPIC
MEMORY = ReplyMemory(renames={"short": "a-very-long-name"})
CONTEXT = ReplyContext("req_1", 1_700_000_000, lambda prefix: prefix + "1")


def answer(message: dict[str, Any], finish: str | None = "stop", **fields: Any) -> bytes:
    choice = {
        "index": 0,
        "message": {"role": "assistant", **message},
        "finish_reason": finish,
        "logprobs": None,
    }
    return json.dumps({"id": "c1", "object": "chat.completion", "created": 5, "model": "m", "choices": [choice], **fields}).encode()  # fmt: skip


def read(message: dict[str, Any], finish: str | None = "stop", **fields: Any) -> Response:
    return CODEC.read_response(answer(message, finish, **fields), MEMORY, "openai")


def failed(raw: bytes) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        CODEC.read_response(raw, MEMORY, "up")
    return caught.value


def call(call_id: str | None = "a", name: str = "f") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": "{}"}}


# --- reading --------------------------------------------------------------------------------------------


def test_a_text_answer():
    response = read(
        {"content": "Hi", "refusal": None, "annotations": []},
        service_tier="default",
        system_fingerprint="fp",
        usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    )
    assert response == Response(
        "c1", "m", (Text("Hi"),), FinishReason.STOP, None, Usage(input=3, output=2), 5, "default",
        Extras(OWN, {"system_fingerprint": b'"fp"'}),
    )  # fmt: skip


def test_content_may_be_parts():
    assert read({"content": [{"type": "text", "text": "a"}]}).parts == (Text("a"),)


def test_reasoning_text_calls_and_refusal_have_a_fixed_order():
    response = read(
        {
            "content": "Hi",
            "refusal": "no",
            "reasoning_content": "hm",
            "tool_calls": [call("a", "short"), call(None), {"type": "new"}],
        },
        "tool_calls",
    )
    thinking, text, refusal, first, second, third = response.parts
    assert (thinking, text, refusal) == (Thinking("hm", issuer="openai"), Text("Hi"), Refusal("no"))
    assert first == ToolCall("a", "a-very-long-name", "{}")
    assert second.id.startswith("call_")
    assert len(second.id) == 29
    assert third == Opaque(OWN, "new", b'{"type": "new"}')


def test_signatures_belong_to_the_upstream_that_sent_them():
    detail = {"type": "reasoning.text", "text": "t", "signature": "s", "format": "anthropic-claude-v1"}
    (part,) = read({"reasoning_details": [detail], "reasoning": "t"}).parts
    assert (part.text, part.signature, part.issuer) == ("t", "s", "openai")


def test_a_legacy_function_call_is_a_tool_call():
    response = read({"function_call": {"name": "short", "arguments": "{}"}}, "function_call")
    assert response.finish is FinishReason.TOOL_CALLS
    assert response.parts[0].name == "a-very-long-name"


@pytest.mark.parametrize(
    ("message", "word", "finish", "lost"),
    [
        ({"content": "x"}, "stop", FinishReason.STOP, False),
        ({"tool_calls": [call()]}, "stop", FinishReason.TOOL_CALLS, False),
        ({"refusal": "no"}, "stop", FinishReason.REFUSAL, False),
        ({"content": "x"}, "length", FinishReason.LENGTH, False),
        ({"content": "x"}, "content_filter", FinishReason.REFUSAL, False),
        ({"content": "x"}, "tool_calls", FinishReason.STOP, True),
        ({"content": "x"}, "unheard_of", FinishReason.STOP, True),
        ({"tool_calls": [call()]}, None, FinishReason.TOOL_CALLS, True),
    ],
)
def test_finish_reasons_agree_with_what_the_answer_holds(
    message: Any, word: Any, finish: FinishReason, lost: bool
):
    response = read(message, word)
    assert response.finish is finish
    assert bool(response.losses) is lost


def test_what_has_no_place_is_kept_or_recorded():
    choice = {"message": {"content": "x", "annotations": [1], "audio": {"id": "a"}, "m": 1, "nil": None}, "finish_reason": "stop", "logprobs": {"content": []}, "c": 2}  # fmt: skip
    raw = json.dumps({"choices": [choice, choice], "top": 3, "moderation": {}}).encode()
    response = CODEC.read_response(raw, MEMORY, "up")
    assert (response.id, response.model, response.created, response.usage) == ("", "", None, None)
    assert response.extras == Extras(
        OWN,
        {"logprobs": b'{"content": []}', "annotations": b"[1]", "audio": b'{"id": "a"}', "top": b"3", "c": b"2", "m": b"1"},
    )  # fmt: skip
    assert response.losses == (Loss("choices[1]", LossReason.UNSUPPORTED),)


@pytest.mark.parametrize(
    "raw", [b"", b"<html>", b"[]", b'{"choices":[]}', b'{"id":"x"}', b'{"choices":[{"message":5}]}', b"\xff"]
)
def test_what_is_not_an_answer_is_the_upstreams_fault(raw: bytes):
    error = failed(raw)
    assert (error.code, error.status) == ("upstream.bad_response", 502)


def test_an_error_with_status_200_is_an_error():
    assert failed(b'{"error":{"message":"overloaded"}}').message == "up reported an error: overloaded."
    assert failed(b'{"choices":[],"error":"oh"}').code == "upstream.error"
    assert failed(answer({"content": "x"}, "error")).code == "upstream.error"


# --- usage ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wire", "usage"),
    [
        ({}, Usage()),
        (
            {
                "prompt_tokens": 100, "completion_tokens": 50,
                "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10, "audio_tokens": 5},
                "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 3},
            },
            Usage(input=30, cache_read=60, cache_write_5m=10, output=50, reasoning=20, input_audio=5, output_audio=3),
        ),
        ({"prompt_tokens": 10, "prompt_cache_hit_tokens": 4}, Usage(input=6, cache_read=4)),
        ({"prompt_tokens": 10, "cached_tokens": 4, "prompt_tokens_details": {}}, Usage(input=6, cache_read=4)),
        ({"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 9, "cache_write_tokens": 9}}, Usage(cache_read=5)),
        ({"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": -1}, "completion_tokens_details": {}}, Usage(input=5)),
    ],
)  # fmt: skip
def test_usage_becomes_disjoint_classes(wire: dict[str, Any], usage: Usage):
    assert read({"content": "x"}, usage=wire).usage == usage


def test_read_usage_sees_usage_and_model_of_answers_only():
    assert CODEC.read_usage(answer({}, usage={"prompt_tokens": 1})) == (Usage(input=1), "m")
    assert CODEC.read_usage(answer({})) == (None, "m")
    for raw in (b"", b"<html>", b"{}", b'{"choices":[],"usage":5}'):
        assert CODEC.read_usage(raw) == (None, None)


# --- writing --------------------------------------------------------------------------------------------


def write(response: Response) -> tuple[dict[str, Any], tuple[Loss, ...]]:
    reply = CODEC.write_response(response, CONTEXT)
    ChatCompletion.model_validate_json(reply.body, strict=True)
    return json.loads(reply.body), reply.losses


def test_an_answer_with_everything():
    body, losses = write(
        Response(
            "msg_1", "claude-x",
            (
                Thinking("hm", "sig", "anthropic"),
                Thinking("", None, "anthropic"),
                RedactedThinking("data", "anthropic"),
                RedactedThinking("bare"),
                Text("Hel"), Text("lo"),
                ToolCall("toolu_1", "f", ""),
                Refusal("no"),
            ),
            FinishReason.TOOL_CALLS,
            usage=Usage(input=30, cache_read=60, cache_write_5m=6, cache_write_1h=4, output=50, reasoning=20),
            service_tier="standard",
        )
    )  # fmt: skip
    assert body == {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "claude-x",
        "service_tier": "default",
        "choices": [
            {
                "index": 0, "finish_reason": "tool_calls", "logprobs": None,
                "message": {
                    "role": "assistant", "content": "Hello", "refusal": "no", "reasoning_content": "hm",
                    "reasoning_details": [
                        {"type": "reasoning.text", "text": "hm", "signature": "sig", "issuer": "anthropic", "index": 0},
                        {"type": "reasoning.encrypted", "data": "data", "issuer": "anthropic", "index": 1},
                        {"type": "reasoning.encrypted", "data": "bare", "index": 2},
                    ],
                    "tool_calls": [{"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
                },
            }
        ],
        "usage": {
            "prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
            "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 0},
        },
    }  # fmt: skip
    assert losses == ()


def test_a_small_answer_keeps_the_upstreams_time():
    body, losses = write(Response("x", "m", (), FinishReason.STOP, created=7))
    assert body["created"] == 7
    assert body["choices"][0]["message"] == {"role": "assistant", "content": None, "refusal": None}
    assert "usage" not in body
    assert losses == ()


def test_a_signature_without_an_issuer_is_told_without_one():
    body, _ = write(Response("x", "m", (Thinking("", "s"),), FinishReason.STOP))
    message = body["choices"][0]["message"]
    assert message["reasoning_details"] == [
        {"type": "reasoning.text", "text": "", "signature": "s", "index": 0}
    ]
    assert "reasoning_content" not in message


def test_what_chat_cannot_say_of_an_answer_is_recorded():
    _, losses = write(
        Response(
            "x", "m",
            (Text("a", extras=Extras(FOREIGN, {"citations": b"[1]"})), Image(UrlSource("u")), Opaque(FOREIGN, "k", b"{}")),
            FinishReason.PAUSE,
            stop_sequence="END",
            extras=Extras(FOREIGN, {"container": b"{}"}),
        )
    )  # fmt: skip
    assert losses == (
        Loss("container", LossReason.UNSUPPORTED),
        Loss("stop_reason", LossReason.CONVERTED),
        Loss("stop_sequence", LossReason.UNSUPPORTED, Severity.COSMETIC),
        Loss("content[0].citations", LossReason.UNSUPPORTED),
        Loss("content[1]", LossReason.UNKNOWN_PART),
        Loss("content[2]", LossReason.UNKNOWN_PART),
    )


def test_every_finish_reason_has_a_word_and_every_word_of_the_vendor_a_meaning():
    assert set(FINISH_REASON) == set(FinishReason)
    vendor = {"stop", "length", "tool_calls", "content_filter", "function_call"}
    assert set(FINISH_REASON.values()) <= vendor <= set(FINISH_OF)
    for word in vendor - {"function_call"}:
        assert FINISH_REASON[FINISH_OF[word]] == word
    tiers = {"auto", "default", "flex", "scale", "priority", "fast"}
    assert set(SERVICE_TIER.values()) == set(ANSWER_TIER.values()) == tiers


def test_a_whole_answer_read_and_written_is_the_same():
    details = [{"type": "reasoning.text", "text": "hm", "signature": "s", "issuer": "openai", "index": 0}]
    raw = answer(
        {
            "content": "Hi",
            "refusal": None,
            "reasoning_content": "hm",
            "reasoning_details": details,
            "tool_calls": [call()],
        },
        "tool_calls",
    )
    response = CODEC.read_response(raw, ReplyMemory(), "openai")
    body = json.loads(CODEC.write_response(response, CONTEXT).body)
    assert body["choices"] == json.loads(raw)["choices"]


# --- errors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "raw", "kind", "message", "code", "param"),
    [
        (400, b'{"error":{"message":"bad","type":"invalid_request_error","param":"x","code":"c"}}', "invalid_request_error", "bad", "c", "x"),
        (429, b'{"error":{"message":"slow","code":429}}', "rate_limit_error", "slow", "429", None),
        (500, b'{"error":"boom"}', "server_error", "boom", None, None),
        (400, b'{"object":"error","message":"vllm","type":"BadRequestError","code":400}', "BadRequestError", "vllm", "400", None),
        (404, b'{"detail":"Not Found"}', "not_found_error", "Not Found", None, None),
        (400, b'[{"error":{"message":"gemini","code":400}}]', "invalid_request_error", "gemini", "400", None),
        (400, b"[]", "invalid_request_error", "The upstream gave no reason.", None, None),
        (502, b"<html>Bad Gateway</html>", "server_error", "The upstream gave no reason.", None, None),
        (503, b"", "server_error", "The upstream sent an empty answer.", None, None),
        (401, b'{"error":{"message":5}}', "authentication_error", "The upstream gave no reason.", None, None),
        (403, b'{"error":{}}', "permission_error", "The upstream gave no reason.", None, None),
    ],
)  # fmt: skip
def test_errors_of_all_shapes_are_read(
    status: int, raw: bytes, kind: str, message: str, code: str | None, param: str | None
):
    error = CODEC.read_error(status, raw)
    assert (error.status, error.kind, error.message, error.code, error.param) == (
        status,
        kind,
        message,
        code,
        param,
    )


def test_a_very_long_message_is_cut():
    assert len(CODEC.read_error(400, json.dumps({"error": "x" * 9999}).encode()).message) == 4096


def test_errors_are_written_in_the_vendors_shape():
    view = ErrorView(404, "no such model", "req_1", "model_not_found", "model")
    shape = {
        "message": "no such model",
        "type": "not_found_error",
        "param": "model",
        "code": "model_not_found",
    }
    assert json.loads(CODEC.write_error(view)) == {"error": shape}
    raw = CODEC.write_stream_error(ErrorView(502, "cut", "req_1"))
    assert raw.startswith(b"data: {")
    assert raw.endswith(b"}\n\n")
    assert json.loads(raw[6:])["error"]["type"] == "server_error"


def test_models_are_listed_in_the_vendors_shape():
    model = ListedModel("m", 5, "up")
    shape = {"id": "m", "object": "model", "created": 5, "owned_by": "up"}
    assert json.loads(CODEC.write_model(model)) == shape
    assert json.loads(CODEC.write_models([model])) == {"object": "list", "data": [shape]}
