"""Whole answers and errors, written for clients and read from upstreams."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.wire.openai_responses.given import NOW, checked, context
from tokligence.conversation import (
    Extras,
    FinishReason,
    Image,
    Loss,
    LossReason,
    Opaque,
    Part,
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
from tokligence.wire.contract import ErrorView, ListedModel, ReplyMemory, UpstreamError
from tokligence.wire.openai_responses import CODEC
from tokligence.wire.openai_responses.reasoning import pack
from tokligence.wire.openai_responses.tables import FINISH_OF, INCOMPLETE_REASON

OWN, FOREIGN = ProtocolId.OPENAI_RESPONSES, ProtocolId.ANTHROPIC
C = Severity.COSMETIC


def write(
    *parts: Part, request: dict[str, Any] | None = None, **fields: Any
) -> tuple[dict[str, Any], tuple[Loss, ...]]:
    response = Response("msg_1", "claude-x", parts, fields.pop("finish", FinishReason.STOP), **fields)
    reply = CODEC.write_response(response, context(request))
    return checked(reply.body), reply.losses


# --- written --------------------------------------------------------------------------------------------


def test_every_kind_of_part_is_an_item_and_texts_in_a_row_are_one_message() -> None:
    body, losses = write(
        Thinking("hm", "sig", "anthropic"),
        RedactedThinking("data", "anthropic"),
        Thinking("", "alone", "anthropic"),
        Thinking("", None, "anthropic"),
        Text("a"),
        Text("b"),
        Refusal("no"),
        ToolCall("1", "f", ""),
        ToolCall("2", "p", "", freeform=True, namespace="ns"),
        Text("c"),
        finish=FinishReason.TOOL_CALLS,
    )
    text = {"type": "output_text", "annotations": [], "logprobs": []}
    assert body["output"] == [
        {
            "id": "rs_2",
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": pack(Thinking("hm", "sig", "anthropic")),
        },
        {
            "id": "rs_3",
            "type": "reasoning",
            "summary": [],
            "encrypted_content": pack(RedactedThinking("data", "anthropic")),
        },
        {
            "id": "rs_4",
            "type": "reasoning",
            "summary": [],
            "encrypted_content": pack(Thinking("", "alone", "anthropic")),
        },
        {
            "id": "msg_5",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [
                {**text, "text": "a"},
                {**text, "text": "b"},
                {"type": "refusal", "refusal": "no"},
            ],
        },
        {
            "id": "fc_6",
            "type": "function_call",
            "status": "completed",
            "call_id": "1",
            "name": "f",
            "arguments": "{}",
        },
        {
            "id": "ctc_7",
            "type": "custom_tool_call",
            "status": "completed",
            "call_id": "2",
            "name": "p",
            "input": "",
            "namespace": "ns",
        },
        {
            "id": "msg_8",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [{**text, "text": "c"}],
        },
    ]
    assert losses == ()


def test_what_the_request_left_out_is_told_with_the_value_that_holds() -> None:
    body, _ = write(Text("a"), created=7, service_tier="standard")
    body.pop("output")
    assert body == {
        "id": "resp_1",
        "object": "response",
        "created_at": 7,
        "status": "completed",
        "completed_at": NOW,
        "error": None,
        "incomplete_details": None,
        "model": "claude-x",
        "usage": None,
        "service_tier": "default",
        "background": False,
        "frequency_penalty": 0,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "presence_penalty": 0,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "prompt_cache_retention": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "store": True,
        "temperature": 1,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1,
        "truncation": "disabled",
        "user": None,
    }


def test_an_answer_repeats_its_request() -> None:
    function = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}
    asked = {
        "instructions": "Be brief.",
        "temperature": 0.5,
        "top_p": None,
        "max_output_tokens": 99,
        "metadata": {"a": "b"},
        "reasoning": {"effort": "low"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"a": 1}}},
        "tools": [function, {"type": "function", "name": "g"}, {"type": "custom", "name": "p"}],
        "tool_choice": {"type": "function", "name": "f"},
        "conversation": "conv_1",
        "store": False,
        "previous_response_id": "resp_0",
    }
    body, _ = write(Text("a"), request=asked)
    assert body["tools"] == [
        {**function, "description": None},
        {"type": "function", "name": "g", "description": None, "parameters": None, "strict": None},
        {"type": "custom", "name": "p"},
    ]
    form = {**asked["text"]["format"], "description": None, "strict": False}  # type: ignore[index]
    assert body["text"] == {"format": form, "verbosity": "medium"}
    assert (body["reasoning"], body["top_p"]) == ({"effort": "low", "summary": None}, 1)
    assert body["conversation"] == {"id": "conv_1"}
    same = asked.keys() - {"tools", "text", "reasoning", "top_p", "conversation"}
    assert {name: body[name] for name in same} == {name: asked[name] for name in same}
    assert write(Text("a"), request={"conversation": {"id": "c"}})[0]["conversation"] == {"id": "c"}


@pytest.mark.parametrize("asked", [{"tools": 5, "text": [], "reasoning": "x"}, {"text": {"format": 7}}])
def test_what_is_no_request_is_not_repeated(asked: dict[str, Any]) -> None:
    reply = CODEC.write_response(Response("x", "m", (), FinishReason.STOP), context(asked))
    body = json.loads(reply.body)
    assert (body["tools"], body["reasoning"]) == ([], {"effort": None, "summary": None})


def test_an_answer_is_over_when_the_clock_says_so() -> None:
    reply = CODEC.write_response(Response("x", "m", (), FinishReason.STOP), context(clock=NOW + 9))
    body = checked(reply.body)
    assert (body["created_at"], body["completed_at"]) == (NOW, NOW + 9)


@pytest.mark.parametrize(
    ("finish", "parts", "status", "reason"),
    [
        (FinishReason.LENGTH, (Text("a"),), "incomplete", "max_output_tokens"),
        (FinishReason.CONTEXT_WINDOW, (Text("a"),), "incomplete", "max_output_tokens"),
        (FinishReason.REFUSAL, (Text("a"),), "incomplete", "content_filter"),
        (FinishReason.REFUSAL, (Refusal("no"),), "completed", None),
        (FinishReason.STOP_SEQUENCE, (Text("a"),), "completed", None),
    ],
)
def test_an_answer_that_was_cut_short_says_why(
    finish: FinishReason, parts: tuple[Part, ...], status: str, reason: str | None
) -> None:
    body, _ = write(*parts, finish=finish)
    assert (body["status"], body["output"][0]["status"]) == (status, status)
    assert body["incomplete_details"] == (None if reason is None else {"reason": reason})
    assert (body["completed_at"] is None) is (status == "incomplete")


def test_usage_is_in_the_vendors_words() -> None:
    body, losses = write(Text("a"), usage=Usage(1, 2, 3, 4, 5, reasoning=1, web_searches=1))
    assert body["usage"] == {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 7},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 15,
    }
    assert losses == (Loss("usage.server_tool_use", LossReason.UNSUPPORTED, C),)


def test_what_an_answer_cannot_say_is_recorded() -> None:
    alien = Extras(FOREIGN, {"citations": b"[]"})
    body, losses = write(
        Text("a", extras=alien),
        Image(UrlSource("x")),
        Opaque(OWN, "web_search_call", b'{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"q"}}'),
        finish=FinishReason.PAUSE,
        stop_sequence="END",
        service_tier="batch",
        extras=Extras(FOREIGN, {"container": b"{}"}),
    )  # fmt: skip
    assert [item["type"] for item in body["output"]] == ["message", "web_search_call"]
    assert losses == (
        Loss("container", LossReason.UNSUPPORTED),
        Loss("stop_reason", LossReason.CONVERTED),
        Loss("stop_sequence", LossReason.UNSUPPORTED, C),
        Loss("usage.service_tier", LossReason.UNSUPPORTED, C),
        Loss("content[0].citations", LossReason.UNSUPPORTED),
        Loss("content[1]", LossReason.UNKNOWN_PART),
    )


# --- read -----------------------------------------------------------------------------------------------


def answer(*output: Any, **fields: Any) -> bytes:
    return json.dumps(
        {"id": "resp_1", "model": "gpt-x", "status": "completed", "output": output, **fields}
    ).encode()


def read(*output: Any, renames: dict[str, str] | None = None, **fields: Any) -> Response:
    return CODEC.read_response(answer(*output, **fields), ReplyMemory(renames=renames or {}), "openai")


def message(*content: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "id": "msg_1", "content": list(content), **fields}


def text(words: str, **fields: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": words, **fields}


def test_items_are_parts_and_calls_have_the_clients_names() -> None:
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}}
    result = {"type": "function_call_output", "call_id": "9", "output": "x"}
    response = read(
        {"type": "reasoning", "id": "rs_1", "summary": [{"text": "hm"}], "encrypted_content": "gAAA"},
        {"type": "reasoning", "id": "rs_2", "summary": []},
        search,
        message(
            text("a"), text(""), {"type": "refusal", "refusal": "no"}, {"type": "refusal", "refusal": ""}
        ),
        {"type": "function_call", "id": "fc_1", "call_id": "1", "name": "short", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "2", "name": "p", "input": "x", "namespace": "ns"},
        result,
        renames={"short": "long"},
        created_at=7.0,
        service_tier="flex",
        usage={"input_tokens": 5, "output_tokens": 2},
        tool_usage={"web_search": {"num_requests": 3}},
    )
    assert response == Response(
        "resp_1",
        "gpt-x",
        (
            Thinking("hm", "rs_1:gAAA", "openai"),
            Opaque(OWN, "web_search_call", json.dumps(search).encode()),
            Text("a"),
            Refusal("no"),
            ToolCall("1", "long", "{}"),
            ToolCall("2", "p", "x", freeform=True, namespace="ns"),
            Opaque(OWN, "function_call_output", json.dumps(result).encode()),
        ),
        FinishReason.TOOL_CALLS,
        usage=Usage(5, 0, 0, 0, 2, web_searches=3),
        created=7,
        service_tier="flex",
        losses=(Loss("output[1]", LossReason.DROPPED_EMPTY, C),),
    )


def test_an_upstream_that_packs_as_we_do_is_not_unpacked() -> None:
    packed = pack(Thinking("x", "sig", "anthropic"))
    response = read({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": packed})
    assert response.parts == (RedactedThinking(f"rs_1:{packed}", "openai"),)


@pytest.mark.parametrize(
    ("fields", "finish", "lost"),
    [
        ({}, FinishReason.STOP, []),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, FinishReason.LENGTH, []),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, FinishReason.REFUSAL, []),
        ({"status": "incomplete", "incomplete_details": {"reason": "steered"}}, FinishReason.PAUSE, []),
        ({"status": "incomplete", "incomplete_details": {"reason": "novel"}}, FinishReason.LENGTH, ["incomplete_details.reason"]),
        ({"status": "incomplete"}, FinishReason.LENGTH, ["incomplete_details.reason"]),
        ({"status": None}, FinishReason.STOP, ["status"]),
    ],
)  # fmt: skip
def test_why_an_answer_ended(fields: dict[str, Any], finish: FinishReason, lost: list[str]) -> None:
    response = read(message(text("a")), **fields)
    assert (response.finish, [loss.path for loss in response.losses]) == (finish, lost)


def test_a_refusal_is_why_an_answer_ended() -> None:
    assert read(message({"type": "refusal", "refusal": "no"})).finish is FinishReason.REFUSAL


def test_finish_reasons_are_covered_both_ways() -> None:
    assert set(FINISH_OF.values()) <= set(FinishReason)
    assert set(INCOMPLETE_REASON.values()) <= set(FINISH_OF)


def test_what_is_new_or_only_this_protocols_is_kept_or_recorded() -> None:
    response = read(
        message(text("a", novel=1), {"type": "hologram"}, phase="final_answer", novel=2),
        novel=3,
        moderation={"input": 1},
        input_transformations=[],
        prompt_cache_diagnostics=None,
        store=True,
    )
    assert response.parts == (Text("a", extras=Extras(OWN, {"novel": b"1"})),)
    assert response.extras == Extras(OWN, {"moderation": b'{"input": 1}', "novel": b"3"})
    assert response.losses == (
        Loss("output[0].novel", LossReason.UNKNOWN_FIELD),
        Loss("output[0].phase", LossReason.UNSUPPORTED, C),
        Loss("output[0].content[1]", LossReason.UNKNOWN_PART),
    )


@pytest.mark.parametrize(
    ("raw", "code", "words"),
    [
        (answer(error={"code": "server_error", "message": "Oh."}, status="failed"), "upstream.error", "Oh."),
        (answer(status="cancelled"), "upstream.error", "The response failed."),
        (b'{"error":{"message":"Busy."}}', "upstream.error", "Busy."),
        (b'{"id":"x"}', "upstream.bad_response", "no output"),
        (b"<html>", "upstream.bad_response", "JSON"),
        (answer({"type": "message"}), "upstream.bad_response", "output[0].role"),
        (answer({"type": "reasoning", "summary": 5}), "upstream.bad_response", "output[0].summary"),
    ],
)
def test_what_is_no_answer_is_the_upstreams_fault(raw: bytes, code: str, words: str) -> None:
    with pytest.raises(GatewayError) as caught:
        CODEC.read_response(raw, ReplyMemory(), "openai")
    assert caught.value.code == code
    assert words in caught.value.message


# --- usage ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wire", "usage"),
    [
        ({}, Usage()),
        (
            {
                "input_tokens": 100,
                "output_tokens": 9,
                "input_tokens_details": {
                    "cached_tokens": 60,
                    "cache_write_tokens": 30,
                    "cache_write_tokens_details": {"ttl_12h_tokens": 10, "ttl_30m_tokens": 20},
                },
                "output_tokens_details": {"reasoning_tokens": 4},
            },
            Usage(10, 60, 20, 10, 9, reasoning=4),
        ),
        (
            {
                "input_tokens": 5,
                "output_tokens": -1,
                "input_tokens_details": {"cached_tokens": 9, "cache_write_tokens": 9},
                "output_tokens_details": {},
            },
            Usage(0, 5, 0, 0, 0),
        ),
    ],
)
def test_token_classes_are_disjoint_whatever_the_upstream_says(wire: Any, usage: Usage) -> None:
    assert read(usage=wire).usage == usage
    assert CODEC.read_usage(answer(usage=wire)) == (usage, "gpt-x")


def test_usage_of_what_is_no_answer_is_none() -> None:
    assert CODEC.read_usage(b"<html>") == CODEC.read_usage(b'{"error":{}}') == (None, None)
    assert CODEC.read_usage(answer()) == (None, "gpt-x")
    assert read(tool_usage={}, usage={}).usage == Usage()


# --- errors and models ----------------------------------------------------------------------------------


def test_errors_are_in_openais_shape() -> None:
    error = ErrorView(429, "Slow down.", "req_1", "rate_limit_exceeded")
    assert json.loads(CODEC.write_error(error)) == {
        "error": {
            "message": "Slow down.",
            "type": "rate_limit_error",
            "param": None,
            "code": "rate_limit_exceeded",
        }
    }
    assert CODEC.read_error(429, CODEC.write_error(error)) == UpstreamError(
        429, "rate_limit_error", "Slow down.", "rate_limit_exceeded"
    )


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (429, None, "rate_limit_exceeded"),
        (400, None, "invalid_prompt"),
        (502, "upstream.cut", "server_error"),
        (400, "context_length_exceeded", "context_length_exceeded"),
    ],
)
def test_the_error_of_a_stream_that_another_began_is_a_failed_response(
    status: int, code: str | None, told: str
) -> None:
    raw = CODEC.write_stream_error(ErrorView(status, "Cut.", "req_1", code))
    name, data = raw.split(b"\n")[:2]
    event = json.loads(data.removeprefix(b"data: "))
    assert name == b"event: response.failed"
    assert event["response"]["error"]["message"] == "Cut."
    assert event["response"]["error"]["code"] == told


def test_models_are_listed_as_openai_lists_them() -> None:
    model = ListedModel("m", 1, "o")
    assert json.loads(CODEC.write_models([model]))["data"] == [json.loads(CODEC.write_model(model))]
