"""The scripted Anthropic, seen by Anthropic's own SDK."""

from __future__ import annotations

import base64
from typing import Any

import anthropic
import pytest

from tests.fakes import anthropic_rules, replies
from tests.fakes.anthropic import Anthropic
from tests.fakes.replies import Call, Failure, Redacted, Reply, Text, Thinking, Usage

HELLO: list[Any] = [{"role": "user", "content": "hello"}]
MODEL = "claude-sonnet-4-5"
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER: Any = {"name": "weather", "input_schema": SCHEMA}
CITED: dict[str, Any] = {
    "type": "char_location",
    "cited_text": "a",
    "document_index": 0,
    "document_title": None,
}
CITED |= {"start_char_index": 0, "end_char_index": 1}
THINK: Any = {"type": "enabled", "budget_tokens": 1024}


def test_an_unscripted_text_is_echoed(anthropic_sdk: anthropic.Anthropic) -> None:
    answer = anthropic_sdk.messages.create(model=MODEL, max_tokens=99, messages=HELLO, system="be kind")
    assert answer.content[0].type == "text" and answer.content[0].text == "You said: hello"
    assert answer.stop_reason == "end_turn"
    assert answer.id.startswith("msg_01")


def test_a_stream_has_the_events_in_order(
    anthropic_sdk: anthropic.Anthropic, anthropic_upstream: Anthropic
) -> None:
    anthropic_upstream.script(replies.text("Hel", "lo", usage=Usage(input=5, output=9)))
    with anthropic_sdk.messages.create(model=MODEL, max_tokens=99, messages=HELLO, stream=True) as stream:
        events = list(stream)
    assert [e.type for e in events] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert events[0].type == "message_start" and events[0].message.usage.output_tokens == 1
    assert events[5].type == "message_delta" and events[5].usage.output_tokens == 9


def test_a_ping_follows_the_first_blocks_start(anthropic_sdk: anthropic.Anthropic) -> None:
    raw = anthropic_sdk.messages.with_raw_response.create(
        model=MODEL, max_tokens=9, messages=HELLO, stream=True
    )
    names = [line for line in raw.http_response.read().decode().splitlines() if line.startswith("event:")]
    assert names[:3] == ["event: message_start", "event: content_block_start", "event: ping"]


def test_a_tool_round_trip_with_signed_thinking(
    anthropic_sdk: anthropic.Anthropic, anthropic_upstream: Anthropic
) -> None:
    messages: list[Any] = [
        {"role": "user", "content": 'tool:weather {"city": "Rome"}\ntool:weather {"city": "Oslo"}'}
    ]
    common: Any = {"model": MODEL, "max_tokens": 2000, "tools": [WEATHER], "thinking": THINK}
    first = anthropic_sdk.messages.create(messages=messages, **common)
    assert [b.type for b in first.content] == ["thinking", "tool_use", "tool_use"]
    assert first.stop_reason == "tool_use"
    results: list[Any] = [
        {"type": "tool_result", "tool_use_id": b.id, "content": b.input["city"]}
        for b in first.content
        if b.type == "tool_use"
    ]
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    last = anthropic_sdk.messages.create(messages=messages, **common)
    assert last.content[-1].type == "text" and last.content[-1].text == "The tools said: Rome | Oslo"


def test_every_kind_of_block_streams_and_accumulates(
    anthropic_sdk: anthropic.Anthropic, anthropic_upstream: Anthropic
) -> None:
    parts = (
        Thinking("Hm, hm."),
        Redacted(),
        Text("So: ünicode"),
        Call("weather", {"city": "Rome"}),
        Call("now"),
    )
    anthropic_upstream.script(Reply(parts))
    with anthropic_sdk.messages.stream(model=MODEL, max_tokens=99, messages=HELLO, tools=[WEATHER]) as stream:
        final = stream.get_final_message()
    thinking, redacted, text, call, empty = final.content
    assert thinking.type == "thinking" and anthropic_upstream.signed(thinking.model_dump())
    assert redacted.type == "redacted_thinking" and anthropic_upstream.signed(redacted.model_dump())
    assert text.type == "text" and text.text == "So: ünicode"
    assert call.type == "tool_use" and call.input == {"city": "Rome"} and call.id.startswith("toolu_01")
    assert empty.type == "tool_use" and empty.input == {}


def test_a_signature_holds_for_its_text_only(anthropic_upstream: Anthropic) -> None:
    signature = anthropic_upstream.sign("a")
    assert anthropic_upstream.signed({"type": "thinking", "thinking": "a", "signature": signature})
    assert not anthropic_upstream.signed({"type": "thinking", "thinking": "b", "signature": signature})
    assert not anthropic_upstream.signed({"type": "thinking", "thinking": "a", "signature": "*"})


def test_choices_of_tools_are_obeyed(anthropic_sdk: anthropic.Anthropic) -> None:
    order: list[Any] = [{"role": "user", "content": "tool:weather {}\ntool:weather {}"}]

    def calls(messages: list[Any], choice: Any) -> int:
        answer = anthropic_sdk.messages.create(
            model=MODEL, max_tokens=99, messages=messages, tools=[WEATHER], tool_choice=choice
        )
        return sum(b.type == "tool_use" for b in answer.content)

    assert calls(order, {"type": "auto"}) == 2
    assert calls(order, {"type": "auto", "disable_parallel_tool_use": True}) == 1
    assert calls(order, {"type": "none"}) == 0
    assert calls(HELLO, {"type": "any"}) == 1
    assert calls(HELLO, {"type": "tool", "name": "weather"}) == 1


def test_a_schema_gets_a_value_that_fits(anthropic_sdk: anthropic.Anthropic) -> None:
    form: Any = {"format": {"type": "json_schema", "schema": SCHEMA | {"additionalProperties": False}}}
    answer = anthropic_sdk.messages.create(model=MODEL, max_tokens=99, messages=HELLO, output_config=form)
    assert answer.content[0].type == "text" and answer.content[0].text == '{"city": "text"}'


def test_stop_sequences_and_limits_are_obeyed(anthropic_sdk: anthropic.Anthropic) -> None:
    stopped = anthropic_sdk.messages.create(
        model=MODEL, max_tokens=99, messages=HELLO, stop_sequences=["hel"]
    )
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "hel")
    limited = anthropic_sdk.messages.create(model=MODEL, max_tokens=2, messages=HELLO)
    assert limited.stop_reason == "max_tokens" and limited.usage.output_tokens == 2


def test_usage_keeps_cached_tokens_apart(
    anthropic_sdk: anthropic.Anthropic, anthropic_upstream: Anthropic
) -> None:
    anthropic_upstream.script(replies.text("x", usage=Usage(10, 90, 5, 6, 8, reasoning=3)))
    usage = anthropic_sdk.messages.create(model=MODEL, max_tokens=99, messages=HELLO).usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (
        10,
        90,
        11,
    )
    assert usage.cache_creation is not None and usage.cache_creation.ephemeral_1h_input_tokens == 6
    assert usage.output_tokens_details is not None and usage.output_tokens_details.thinking_tokens == 3


def test_citations_refusals_and_pauses_can_be_scripted(
    anthropic_sdk: anthropic.Anthropic, anthropic_upstream: Anthropic
) -> None:
    cited = {"type": "char_location", "cited_text": "a", "document_index": 0, "document_title": None}
    cited |= {"start_char_index": 0, "end_char_index": 1, "file_id": None}
    anthropic_upstream.script(
        Reply((Text("a", citations=[cited]),), stop="pause_turn"), Reply((), stop="refusal")
    )
    with anthropic_sdk.messages.stream(model=MODEL, max_tokens=99, messages=HELLO) as stream:
        final = stream.get_final_message()
    assert (
        final.content[0].type == "text" and final.content[0].citations and final.stop_reason == "pause_turn"
    )
    refused = anthropic_sdk.messages.create(model=MODEL, max_tokens=99, messages=HELLO)
    assert refused.stop_reason == "refusal" and refused.stop_details is not None


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, anthropic.BadRequestError, "invalid_request_error"),
        (401, anthropic.AuthenticationError, "authentication_error"),
        (403, anthropic.PermissionDeniedError, "permission_error"),
        (404, anthropic.NotFoundError, "not_found_error"),
        (409, anthropic.ConflictError, "conflict_error"),
        (413, anthropic.RequestTooLargeError, "request_too_large"),
        (422, anthropic.UnprocessableEntityError, "invalid_request_error"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.InternalServerError, "api_error"),
        (503, anthropic.ServiceUnavailableError, "api_error"),
        (529, anthropic.OverloadedError, "overloaded_error"),
    ],
)
def test_each_status_raises_the_class_of_the_sdk(
    anthropic_sdk: anthropic.Anthropic,
    anthropic_upstream: Anthropic,
    status: int,
    error: type[anthropic.APIStatusError],
    kind: str,
) -> None:
    anthropic_upstream.script(Failure(status, retry_after="7"))
    with pytest.raises(error) as caught:
        anthropic_sdk.messages.create(model=MODEL, max_tokens=9, messages=HELLO)
    assert caught.value.type == kind
    assert caught.value.request_id is not None and caught.value.request_id.startswith("req_01")
    assert caught.value.response.headers["retry-after"] == "7"


def test_an_error_within_a_stream_raises(
    anthropic_sdk: anthropic.Anthropic, anthropic_upstream: Anthropic
) -> None:
    anthropic_upstream.script(replies.text("a", "b", failure=Failure(529)))
    stream = anthropic_sdk.messages.create(model=MODEL, max_tokens=9, messages=HELLO, stream=True)
    seen = [next(stream).type for _ in range(5)]
    assert seen[-1] == "content_block_stop"
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        next(stream)


def test_tokens_are_counted(anthropic_sdk: anthropic.Anthropic, anthropic_upstream: Anthropic) -> None:
    assert anthropic_sdk.messages.count_tokens(model=MODEL, messages=HELLO).input_tokens > 5
    anthropic_upstream.script(Failure(500))
    with pytest.raises(anthropic.InternalServerError):
        anthropic_sdk.messages.count_tokens(model=MODEL, messages=HELLO)


def test_models_are_listed_in_pages(anthropic_sdk: anthropic.Anthropic) -> None:
    assert [m.id for m in anthropic_sdk.models.list(limit=4)] == list(anthropic_rules.MODELS)
    assert anthropic_sdk.models.retrieve(MODEL).max_tokens == 64_000
    with pytest.raises(anthropic.NotFoundError):
        anthropic_sdk.models.retrieve("claude-nope")


def test_beta_requests_are_checked_against_the_beta_types(anthropic_sdk: anthropic.Anthropic) -> None:
    answer = anthropic_sdk.beta.messages.create(
        model=MODEL,
        max_tokens=9,
        messages=HELLO,
        betas=["context-management-2025-06-27"],
        context_management={"edits": [{"type": "clear_tool_uses_20250919"}]},
    )
    assert answer.type == "message"


# --- what is refused ------------------------------------------------------------------------------------

PNG = base64.b64encode(b"png").decode()


def _use(*ids: str, name: str = "weather") -> dict[str, Any]:
    return {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": i, "name": name, "input": {}} for i in ids],
    }


def _results(*ids: str) -> dict[str, Any]:
    return {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": i, "content": "x"} for i in ids],
    }


def _said(role: str, *blocks: dict[str, Any]) -> list[Any]:
    return [*HELLO, {"role": role, "content": list(blocks)}, *HELLO]


def _text(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": text, **more}


CACHED = {"cache_control": {"type": "ephemeral"}}
NEW = {"model": "claude-opus-4-8"}

REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("max_tokens: Field required", {"max_tokens": None}),
    ("max_tokens: Input should be greater", {"max_tokens": 0}),
    ("which is the maximum allowed", {"max_tokens": 64_001}),
    ("user: Extra inputs are not permitted", {"user": "me"}),
    ("messages.0.content.0.type: Input should be", {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}),
    ("messages.0.content.0.text: Field required", {"messages": [{"role": "user", "content": [{"type": "text"}]}]}),
    ("model: claude-nope", {"model": "claude-nope"}),
    ("at least one message", {"messages": []}),
    ('first message must use the "user" role', {"messages": [{"role": "assistant", "content": "a"}, *HELLO]}),
    ("use the top-level 'system' parameter", NEW | {"messages": [{"role": "system", "content": "a"}, *HELLO]}),
    ("role 'system' is not supported", {"messages": [*HELLO, {"role": "system", "content": "a"}]}),
    ("must follow a 'user' message", NEW | {"messages": [*HELLO, {"role": "assistant", "content": "a"}, {"role": "system", "content": "a"}, *HELLO]}),
    ("trailing whitespace", {"messages": [*HELLO, {"role": "assistant", "content": "so: "}]}),
    ("does not support assistant message prefill", NEW | {"messages": [*HELLO, {"role": "assistant", "content": "so:"}]}),
    ("must have non-empty content", {"messages": [{"role": "user", "content": []}]}),
    ("text content blocks must be non-empty", {"messages": [{"role": "user", "content": [_text("")]}]}),
    ("text content blocks must be non-empty", {"system": [_text("")]}),
    ("text content blocks must be non-empty", {"messages": [*HELLO, _use("a"), {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [_text("")]}]}]}),
    ("must contain non-whitespace", {"messages": [{"role": "user", "content": " \n"}]}),
    ("blocks are not permitted in user messages", {"messages": _said("user", {"type": "thinking", "thinking": "a", "signature": "b"})}),
    ("blocks are not permitted in assistant messages", {"messages": _said("assistant", {"type": "image", "source": {"type": "url", "url": "https://e.org"}})}),
    ("without `tool_result` blocks immediately after: b", {"messages": [*HELLO, _use("a", "b"), _results("a")]}),
    ("without `tool_result` blocks immediately after: a", {"messages": [*HELLO, _use("a"), *HELLO, _results("a")][:3]}),
    ("without `tool_result` blocks immediately after: a", {"messages": [*HELLO, _use("a")]}),
    ("without `tool_result` blocks immediately after: a", {"messages": [*HELLO, _use("a"), {"role": "user", "content": [_text("first"), *_results("a")["content"]]}]}),
    ("unexpected `tool_use_id`", {"messages": [*HELLO, _use("a"), _results("a", "z")]}),
    ("each tool_use must have a single result", {"messages": [*HELLO, _use("a"), _results("a", "a")]}),
    ("ids must be unique", {"messages": [*HELLO, _use("a"), _results("a"), _use("a"), _results("a")]}),
    ("tool_use.id: String should match", {"messages": [*HELLO, _use("a.b"), _results("a.b")]}),
    ("tool_use.name: String should match", {"messages": [*HELLO, _use("a", name="a.b"), _results("a")]}),
    ("Invalid `signature`", {"messages": _said("assistant", {"type": "thinking", "thinking": "a", "signature": "AAAA"}, _text("b"))}),
    ("Invalid `data`", {"messages": _said("assistant", {"type": "redacted_thinking", "data": "AAAA"}, _text("b"))}),
    ("Only HTTPS URLs", {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "http://e.org"}}]}]}),
    ("invalid base64", {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "*"}}]}]}),
    ("cannot be empty", {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": ""}}]}]}),
    ("media_type: Input should be", {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/bmp", "data": PNG}}]}]}),
    ("custom.name: String should match", {"tools": [WEATHER | {"name": "n" * 129}]}),
    ("Tool names must be unique", {"tools": [WEATHER, WEATHER]}),
    ("input_schema.type", {"tools": [WEATHER | {"input_schema": {"properties": {}}}]}),
    ("does not support oneOf", {"tools": [WEATHER | {"input_schema": {"type": "object", "oneOf": []}}]}),
    ("Property keys should match", {"tools": [WEATHER | {"input_schema": {"type": "object", "properties": {"a b": {}}}}]}),
    ("'additionalProperties' must be explicitly", {"tools": [WEATHER | {"strict": True}]}),
    ("'additionalProperties' must be explicitly", {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object", "additionalProperties": False, "properties": {"a": {"anyOf": [{"type": "object"}]}}}}}}),
    ("only be specified while providing tools", {"tool_choice": {"type": "auto"}}),
    ("not found in provided tools", {"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "x"}}),
    ("A maximum of 4 blocks", {"system": [_text("a", **CACHED)] * 4, "tools": [WEATHER | CACHED]}),
    ("must not come after a ttl='5m'", {"tools": [WEATHER | CACHED], "system": [_text("a", cache_control={"type": "ephemeral", "ttl": "1h"})]}),
    ("adaptive thinking is not supported", {"thinking": {"type": "adaptive"}}),
    ("is not supported for this model", NEW | {"thinking": THINK, "max_tokens": 2000}),
    ("greater than or equal to 1024", {"thinking": {"type": "enabled", "budget_tokens": 1023}, "max_tokens": 2000}),
    ("must be greater than `thinking.budget_tokens`", {"thinking": THINK, "max_tokens": 1024}),
    ("Expected `thinking` or `redacted_thinking`", {"thinking": THINK, "max_tokens": 2000, "messages": [*HELLO, _use("a"), _results("a")]}),
    ("when tool_choice forces tool use", {"thinking": THINK, "max_tokens": 2000, "tools": [WEATHER], "tool_choice": {"type": "any"}}),
    ("stop_sequences.0: each stop sequence", {"stop_sequences": [" \n"]}),
    ("metadata.user_id: String should have at most 256", {"metadata": {"user_id": "u" * 257}}),
    ("thinking.type.disabled", {"model": "claude-fable-5", "thinking": {"type": "disabled"}}),
    ("effort parameter value 'high'", {"output_config": {"effort": "high"}}),
    ("temperature: range: 0..1", {"temperature": 1.5}),
    ("temperature: Input should be a valid number", {"temperature": True}),
    ("`temperature` is deprecated", NEW | {"temperature": 0.5}),
    ("cannot both be specified", {"temperature": 0.5, "top_p": 0.5}),
    ("may only be set to 1", {"thinking": THINK, "max_tokens": 2000, "temperature": 0.5}),
    ("`top_k` must be unset", {"thinking": THINK, "max_tokens": 2000, "top_k": 5}),
    ("`top_p` must be greater", {"thinking": THINK, "max_tokens": 2000, "top_p": 0.5}),
    ("betas: Extra inputs", {"betas": ["x"]}),
]  # fmt: skip


OLD: Any = {"headers": {"anthropic-version": "2023-06-01"}}


@pytest.mark.parametrize(
    ("message", "change"),
    [
        ("temperature: Extra inputs are not permitted", {"temperature": 1}),
        (
            "citations are not permitted",
            {"messages": [{"role": "user", "content": [_text("a", citations=[CITED])]}]},
        ),
    ],
)
def test_the_version_of_2026_10_21_refuses_more(
    anthropic_sdk: anthropic.Anthropic, anthropic_upstream: Anthropic, message: str, change: dict[str, Any]
) -> None:
    anthropic_sdk.post("/v1/messages", body=_body(change), cast_to=object, options=OLD)
    anthropic_upstream.expect(message)
    with pytest.raises(anthropic.BadRequestError, match=message):
        anthropic_sdk.post("/v1/messages", body=_body(change), cast_to=object)


def _body(change: dict[str, Any]) -> dict[str, Any]:
    body = {"model": MODEL, "max_tokens": 99, "messages": HELLO} | change
    return {k: v for k, v in body.items() if v is not None}


@pytest.mark.parametrize(("message", "change"), REFUSED, ids=[f"{i}-{m}" for i, (m, _) in enumerate(REFUSED)])
def test_a_broken_rule_is_answered_with_the_vendors_error_and_recorded(
    anthropic_sdk: anthropic.Anthropic, anthropic_upstream: Anthropic, message: str, change: dict[str, Any]
) -> None:
    anthropic_upstream.expect(message)
    with pytest.raises(anthropic.APIStatusError) as caught:
        anthropic_sdk.post("/v1/messages", body=_body(change), cast_to=object, options=OLD)
    assert message in str(caught.value.api_message)
    assert caught.value.type in ("invalid_request_error", "not_found_error")


ACCEPTED: list[dict[str, Any]] = [
    {"max_tokens": 0, "system": [_text("a", **CACHED)]},
    {"messages": [*HELLO, *HELLO, {"role": "assistant", "content": "so:"}]},
    {"messages": [*HELLO, _use("a", "b"), _results("b"), _results("a"), *HELLO]},
    {"messages": [*HELLO, _use("a"), {"role": "user", "content": [*_results("a")["content"], _text("then")]}]},
    NEW | {"messages": [*HELLO, {"role": "system", "content": "a"}], "output_config": {"effort": "xhigh"}},
    NEW | {"messages": [*HELLO, _use("a"), _results("a"), {"role": "system", "content": "a"}]},
    {"temperature": 1, "top_k": 5, "stop_sequences": ["a"], "metadata": {"user_id": "u"}, "service_tier": "auto"},
    {"thinking": THINK, "max_tokens": 2000, "top_p": 0.95, "tools": [WEATHER], "tool_choice": {"type": "auto"}},
    {"thinking": {"type": "disabled"}, "tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}, WEATHER]},
    {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}, {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a"}, "title": "t"}]}]},
    {"tools": [WEATHER | {"strict": True, "input_schema": SCHEMA | {"additionalProperties": False}}]},
]  # fmt: skip


@pytest.mark.parametrize("change", ACCEPTED)
def test_what_the_vendor_takes_is_taken(anthropic_sdk: anthropic.Anthropic, change: dict[str, Any]) -> None:
    anthropic_sdk.post("/v1/messages", body=_body(change), cast_to=object, options=OLD)


def test_a_wrong_key_and_a_missing_version_are_refused(
    anthropic_sdk: anthropic.Anthropic, anthropic_upstream: Anthropic
) -> None:
    anthropic_upstream.expect("invalid authorization")
    anthropic_upstream.expect("the key came in two headers")
    anthropic_upstream.expect("anthropic-version")
    with pytest.raises(anthropic.AuthenticationError):
        anthropic_sdk.with_options(api_key="sk-other").models.list()
    with pytest.raises(anthropic.BadRequestError):
        anthropic_sdk.models.list(extra_headers={"x-api-key": anthropic_upstream.key})
    with pytest.raises(anthropic.BadRequestError):
        anthropic_sdk.models.list(extra_headers={"anthropic-version": "1999"})
