"""The scripted OpenAI, seen by OpenAI's own SDK."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.fakes import openai_rules, replies
from tests.fakes.openai import OpenAI
from tests.fakes.replies import Call, Failure, Raw, Refusal, Reply, Text, Thinking, Usage

HELLO: list[Any] = [{"role": "user", "content": "hello"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def test_an_unscripted_text_is_echoed(openai_sdk: openai.OpenAI) -> None:
    answer = openai_sdk.chat.completions.create(model="gpt-4o", messages=HELLO)
    assert answer.choices[0].message.content == "You said: hello"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.id.startswith("chatcmpl-")
    assert answer.usage is not None and answer.usage.total_tokens > 0


def test_a_stream_has_the_role_first_then_text_then_finish_then_usage(
    openai_sdk: openai.OpenAI, openai_upstream: OpenAI
) -> None:
    openai_upstream.script(replies.text("Hel", "lo ", "wörld"))
    chunks = list(
        openai_sdk.chat.completions.create(
            model="gpt-4o", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].delta.content for c in chunks[1:4]] == ["Hel", "lo ", "wörld"]
    assert chunks[4].choices[0].finish_reason == "stop"
    assert chunks[5].choices == []
    assert chunks[5].usage is not None and chunks[5].usage.completion_tokens == 7
    assert len({c.id for c in chunks}) == 1


def test_without_include_usage_no_chunk_has_usage(openai_sdk: openai.OpenAI) -> None:
    chunks = list(openai_sdk.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True))
    assert all(c.usage is None and c.choices for c in chunks)


def test_a_tool_round_trip(openai_sdk: openai.OpenAI, openai_upstream: OpenAI) -> None:
    messages: list[Any] = [
        {"role": "user", "content": 'tool:weather {"city": "Rome"}\ntool:weather {"city": "Oslo"}'}
    ]
    first = openai_sdk.chat.completions.create(model="gpt-4o", messages=messages, tools=[WEATHER])
    calls = first.choices[0].message.tool_calls
    assert first.choices[0].finish_reason == "tool_calls" and calls is not None and len(calls) == 2
    messages.append(first.choices[0].message.model_dump(exclude_none=True, exclude={"annotations"}))
    messages += [{"role": "tool", "tool_call_id": c.id, "content": f"{i}°"} for i, c in enumerate(calls)]
    last = openai_sdk.chat.completions.create(model="gpt-4o", messages=messages, tools=[WEATHER])
    assert last.choices[0].message.content == "The tools said: 0° | 1°"


@pytest.mark.parametrize("interleave", [False, True])
def test_streamed_parallel_calls_accumulate(
    openai_sdk: openai.OpenAI, openai_upstream: OpenAI, interleave: bool
) -> None:
    openai_upstream.script(
        Reply(
            (Text("Let me see."), Call("weather", {"city": "Reykjavík"}), Call("weather", {"city": "Oslo"})),
            interleave=interleave,
        )
    )
    with openai_sdk.chat.completions.stream(model="gpt-4o", messages=HELLO, tools=[WEATHER]) as stream:
        final = stream.get_final_completion()
    calls = final.choices[0].message.tool_calls
    assert calls is not None
    assert [json.loads(c.function.arguments)["city"] for c in calls] == ["Reykjavík", "Oslo"]
    assert final.choices[0].message.content == "Let me see."


def test_a_forced_tool_is_called_with_arguments_that_fit(openai_sdk: openai.OpenAI) -> None:
    choices: list[Any] = ["required", {"type": "function", "function": {"name": "weather"}}]
    for choice in choices:
        answer = openai_sdk.chat.completions.create(
            model="gpt-4o",
            messages=HELLO,
            tools=[WEATHER],
            tool_choice=choice,
        )
        calls = answer.choices[0].message.tool_calls
        assert calls is not None and calls[0].type == "function"
        assert json.loads(calls[0].function.arguments) == {"city": "text"}


def test_a_schema_gets_a_value_that_fits(openai_sdk: openai.OpenAI) -> None:
    class City(BaseModel):
        name: str
        people: int

    answer = openai_sdk.chat.completions.parse(model="gpt-4o", messages=HELLO, response_format=City)
    assert answer.choices[0].message.parsed == City(name="text", people=1)


def test_refusals_logprobs_and_several_choices(openai_sdk: openai.OpenAI, openai_upstream: OpenAI) -> None:
    openai_upstream.script(Reply((Refusal("I will not."),)), Reply((Refusal("I will not."),)))
    whole = openai_sdk.chat.completions.create(model="gpt-4o", messages=HELLO)
    assert whole.choices[0].message.refusal == "I will not."
    with openai_sdk.chat.completions.stream(model="gpt-4o", messages=HELLO) as stream:
        assert stream.get_final_completion().choices[0].message.refusal == "I will not."
    many = openai_sdk.chat.completions.create(model="gpt-4o", messages=HELLO, n=2, logprobs=True)
    assert len(many.choices) == 2
    assert many.choices[1].logprobs is not None and many.choices[1].logprobs.content


def test_usage_counts_cached_tokens_within_the_prompt(
    openai_sdk: openai.OpenAI, openai_upstream: OpenAI
) -> None:
    openai_upstream.script(
        replies.text("x", usage=Usage(10, cache_read=90, cache_write_5m=5, output=8, reasoning=3))
    )
    usage = openai_sdk.chat.completions.create(model="gpt-4o", messages=HELLO).usage
    assert (
        usage is not None
        and usage.prompt_tokens_details is not None
        and usage.completion_tokens_details is not None
    )
    assert (usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens) == (105, 90)
    assert usage.completion_tokens_details.reasoning_tokens == 3


def test_a_compatible_server_sends_reasoning_content(
    compatible_sdk: openai.OpenAI, compatible_upstream: OpenAI
) -> None:
    compatible_upstream.script(Reply((Thinking("Hm."), Text("Yes."))), Reply((Thinking("Hm."), Text("Yes."))))
    whole = compatible_sdk.chat.completions.create(model="qwen3", messages=HELLO, extra_body={"top_k": 5})
    assert whole.choices[0].message.model_extra == {"reasoning_content": "Hm."}
    chunks = list(compatible_sdk.chat.completions.create(model="qwen3", messages=HELLO, stream=True))
    assert (
        "".join((c.choices[0].delta.model_extra or {}).get("reasoning_content", "") for c in chunks) == "Hm."
    )


def test_stop_and_limit_are_obeyed(openai_sdk: openai.OpenAI) -> None:
    stopped = openai_sdk.chat.completions.create(model="gpt-4o", messages=HELLO, stop=["hel"])
    assert (stopped.choices[0].message.content, stopped.choices[0].finish_reason) == ("You said: ", "stop")
    limited = openai_sdk.chat.completions.create(model="gpt-4o", messages=HELLO, max_tokens=2)
    assert (limited.choices[0].message.content, limited.choices[0].finish_reason) == ("You said:", "length")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (409, openai.ConflictError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
def test_each_status_raises_the_class_of_the_sdk(
    openai_sdk: openai.OpenAI, openai_upstream: OpenAI, status: int, error: type[openai.APIStatusError]
) -> None:
    openai_upstream.script(Failure(status, retry_after="7"))
    with pytest.raises(error) as caught:
        openai_sdk.chat.completions.create(model="gpt-4o", messages=HELLO)
    assert caught.value.type in ("invalid_request_error", "server_error", "requests")
    assert caught.value.request_id is not None and caught.value.response.headers["retry-after"] == "7"


def test_an_error_within_a_stream_raises(openai_sdk: openai.OpenAI, openai_upstream: OpenAI) -> None:
    openai_upstream.script(replies.text("a", "b", failure=Failure(500, "boom"), failure_after=2))
    stream = openai_sdk.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
    assert [next(stream).choices[0].delta.content for _ in range(2)] == ["", "a"]
    with pytest.raises(openai.APIError, match="boom"):
        next(stream)


def test_html_with_200_and_an_empty_answer_can_be_scripted(
    openai_sdk: openai.OpenAI, openai_upstream: OpenAI
) -> None:
    openai_upstream.script(Raw(b"<html>hi</html>", content_type="text/html"), Raw())
    raw = openai_sdk.chat.completions.with_raw_response.create(model="gpt-4o", messages=HELLO)
    assert raw.text == "<html>hi</html>"
    assert openai_sdk.chat.completions.with_raw_response.create(model="gpt-4o", messages=HELLO).content == b""


def test_models_are_listed(openai_sdk: openai.OpenAI) -> None:
    assert {m.id for m in openai_sdk.models.list()} == set(openai_rules.MODELS)
    assert openai_sdk.models.retrieve("gpt-4o").owned_by == "system"
    with pytest.raises(openai.NotFoundError):
        openai_sdk.models.retrieve("gpt-nope")


def _assistant(*ids: str) -> dict[str, Any]:
    calls = [{"id": i, "type": "function", "function": {"name": "weather", "arguments": "{}"}} for i in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def _tool(name: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": name, "content": "x"}


def _function(**more: Any) -> dict[str, Any]:
    return {"tools": [{"type": "function", "function": {"name": "f", **more}}]}


def _schema(schema: dict[str, Any], strict: bool = True) -> dict[str, Any]:
    return {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "s", "schema": schema, "strict": strict},
        }
    }


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("Unrecognized request argument supplied: top_k", {"top_k": 3}),
    ("Unknown parameter: 'messages[0].content[0].cache_control'", {"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {}}]}]}),
    ("Invalid type for 'temperature': expected a number", {"temperature": "warm"}),
    ("Invalid value for 'messages[0].role'", {"messages": [{"role": "robot", "content": "a"}]}),
    ("Missing required parameter: 'messages[0].content'", {"messages": [{"role": "user"}]}),
    ("Invalid 'messages': empty array", {"messages": []}),
    ("does not exist", {"model": "gpt-nope"}),
    ("must be followed by tool messages", {"messages": [*HELLO, _assistant("a", "b"), _tool("a"), *HELLO]}),
    ("must be followed by tool messages", {"messages": [*HELLO, _assistant("a")]}),
    ("Duplicate tool message", {"messages": [*HELLO, _assistant("a"), _tool("a"), _tool("a")]}),
    ("Duplicate value for 'tool_call_id'", {"messages": [*HELLO, _assistant("a", "a"), _tool("a"), _tool("a")]}),
    ("must be a response to a preceeding message", {"messages": [*HELLO, _tool("a")]}),
    ("maximum length 40", {"messages": [*HELLO, _assistant("a" * 41), _tool("a" * 41)]}),
    ("Invalid 'messages[0].tool_calls': empty array", {"messages": [{"role": "assistant", "content": "a", "tool_calls": []}]}),
    ("expected a string, got null", {"messages": [{"role": "assistant", "content": None}]}),
    ("Invalid 'messages[0].content': empty array", {"messages": [{"role": "user", "content": []}]}),
    ("Invalid 'messages[0].name'", {"messages": [{"role": "user", "content": "a", "name": "a b"}]}),
    ("expected a valid URL", {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "ftp://x"}}]}]}),
    ("base64 data URL", {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,*"}}]}]}),
    ("file.filename", {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}}]}]}),
    ("file.file_id", {"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]}),
    ("not base64", {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "*", "format": "wav"}}]}]}),
    ("Invalid 'tools': empty array", {"tools": []}),
    ("only allowed when 'tools' are specified", {"tool_choice": "auto"}),
    ("only allowed when 'tools' are specified", {"parallel_tool_calls": True}),
    ("maximum length 128", {"tools": [WEATHER] * 129}),
    ("maximum length 64", _function() | {"tools": [{"type": "function", "function": {"name": "f" * 65}}]}),
    ("does not match pattern", {"tools": [{"type": "function", "function": {"name": "a.b"}}]}),
    ("'additionalProperties' is required", _function(strict=True, parameters={"type": "object", "properties": {}})),
    ("Missing 'a'", _function(strict=True, parameters={"type": "object", "additionalProperties": False, "properties": {"a": {"type": "string"}}})),
    ("array schema missing items", _function(parameters={"type": "object", "properties": {"a": {"type": "array"}}})),
    ("array schema missing items", _function(parameters={"type": "object", "properties": {"a": {"type": "array", "items": {"anyOf": [{"type": "array"}]}}}})),
    ("schema must be a JSON Schema", _function(parameters={"type": "string"})),
    ("not found in 'tools'", {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "g"}}}),
    ("must contain the word 'json'", {"response_format": {"type": "json_object"}}),
    ("json_schema.schema", {"response_format": {"type": "json_schema", "json_schema": {"name": "s"}}}),
    ("Invalid schema for response_format 's'", _schema({"type": "object"})),
    ("maximum 2", {"temperature": 2.5}),
    ("minimum 1", {"max_tokens": 0}),
    ("maximum length 64", {"user": "u" * 65}),
    ("maximum length 4", {"stop": ["a", "b", "c", "d", "e"]}),
    ("Invalid 'stop': empty", {"stop": []}),
    ("Invalid 'stop': empty string", {"stop": [""]}),
    ("too many properties", {"store": True, "metadata": {str(i): "" for i in range(17)}}),
    ("maximum length 512", {"store": True, "metadata": {"a": "x" * 513}}),
    ("only allowed when 'store' is enabled", {"metadata": {"a": "b"}}),
    ("only allowed when 'stream' is enabled", {"stream_options": {"include_usage": True}}),
    ("'logprobs' must be true", {"top_logprobs": 2}),
    ("at the same time", {"max_tokens": 5, "max_completion_tokens": 5}),
    ("supports at most 16384", {"max_tokens": 20_000}),
    ("Unrecognized request argument supplied: reasoning_effort", {"reasoning_effort": "low"}),
    ("'verbosity' is not supported", {"verbosity": "low"}),
    ("Use 'max_completion_tokens' instead", {"model": "o3", "max_tokens": 5}),
    ("'temperature' does not support 0.5", {"model": "gpt-5", "temperature": 0.5}),
    ("'stop' is not supported", {"model": "gpt-5", "stop": "a"}),
    ("'top_p' is not supported", {"model": "o4-mini", "top_p": 0.5}),
    ("does not support 'minimal'", {"model": "o3", "reasoning_effort": "minimal"}),
]  # fmt: skip


@pytest.mark.parametrize(("message", "change"), REFUSED, ids=[f"{i}-{m}" for i, (m, _) in enumerate(REFUSED)])
def test_a_broken_rule_is_answered_with_the_vendors_error_and_recorded(
    openai_sdk: openai.OpenAI, openai_upstream: OpenAI, message: str, change: dict[str, Any]
) -> None:
    openai_upstream.expect(message)
    body = {"model": "gpt-4o", "messages": HELLO} | change
    with pytest.raises(openai.APIStatusError) as caught:
        openai_sdk.post("/chat/completions", body=body, cast_to=object)
    assert message in caught.value.message
    assert caught.value.status_code in (400, 404)
    assert caught.value.type == "invalid_request_error"


ACCEPTED: list[dict[str, Any]] = [
    {"model": "gpt-5", "temperature": 1, "reasoning_effort": "minimal", "verbosity": "low", "max_completion_tokens": 9},
    {"model": "o3", "messages": [{"role": "developer", "content": "be brief"}, *HELLO], "seed": 3},
    {"messages": [{"role": "system", "content": [{"type": "text", "text": "be brief"}]}, *HELLO], "stop": "x", "user": "u"},
    {"messages": [*HELLO, _assistant("a", "b"), _tool("b"), _tool("a"), *HELLO]},
    {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://e.org/a.png", "detail": "low"}}]}]},
    {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}}]}]},
    {"store": True, "metadata": {"a": "b"}, "logit_bias": {"5": -100}, "logprobs": True, "top_logprobs": 2},
    {"response_format": {"type": "text"}, "frequency_penalty": -1, "presence_penalty": 2, "service_tier": "flex"},
    _schema({"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}, "required": ["a"], "additionalProperties": False, "$defs": {"x": {"type": ["array", "null"], "items": {"type": "string"}}}}),
    _schema({"type": "object"}, strict=False),
]  # fmt: skip


@pytest.mark.parametrize("change", ACCEPTED)
def test_what_the_vendor_takes_is_taken(openai_sdk: openai.OpenAI, change: dict[str, Any]) -> None:
    openai_sdk.post("/chat/completions", body={"model": "gpt-4o", "messages": HELLO} | change, cast_to=object)


def test_a_wrong_key_is_refused(openai_sdk: openai.OpenAI, openai_upstream: OpenAI) -> None:
    openai_upstream.expect("Incorrect API key")
    with pytest.raises(openai.AuthenticationError) as caught:
        openai_sdk.with_options(api_key="sk-other").models.list()
    assert caught.value.code == "invalid_api_key"
