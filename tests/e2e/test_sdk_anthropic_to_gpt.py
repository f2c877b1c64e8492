"""Anthropic's SDK asks a GPT model: every request is translated, and so is every answer."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import pytest
from pydantic import BaseModel

from tests.e2e.samples import (
    ANTHROPIC_TOOL,
    CITY,
    GPT,
    PDF,
    PICTURE_URL,
    PNG,
    REASONING_GPT,
    TWO_CALLS,
    user,
)
from tests.fakes import replies
from tests.fakes.openai import OpenAI
from tests.fakes.replies import Call, Refusal, Reply, Text, Usage


def test_a_text_arrives_whole(anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI) -> None:
    answer = anthropic_sdk.messages.create(model=GPT, max_tokens=99, messages=[user("hello")])
    assert (answer.type, answer.role, answer.model) == ("message", "assistant", GPT)
    assert [b.text for b in answer.content if b.type == "text"] == ["You said: hello"]
    assert (answer.stop_reason, answer.stop_sequence) == ("end_turn", None)
    assert answer.id.startswith("msg_")
    sent = openai_upstream.last.json
    assert sent["messages"] == [{"role": "user", "content": "hello"}]
    assert sent.get("max_tokens", sent.get("max_completion_tokens")) == 99


def test_a_text_arrives_in_the_pieces_in_which_it_was_sent(
    anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI
) -> None:
    openai_upstream.script(replies.text("Hel", "lo ", "", " \n", "wörld 😀", usage=Usage(20, 80, output=9)))
    with anthropic_sdk.messages.create(
        model=GPT, max_tokens=99, messages=[user("hello")], stream=True
    ) as stream:
        events = list(stream)
    assert [e.type for e in events if e.type != "content_block_delta"] == [
        "message_start",
        "content_block_start",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    pieces = [
        e.delta.text for e in events if e.type == "content_block_delta" and e.delta.type == "text_delta"
    ]
    assert pieces == ["Hel", "lo ", " \n", "wörld 😀"]
    start, end = events[0], events[-2]
    assert start.type == "message_start" and start.message.usage.input_tokens >= 1
    assert end.type == "message_delta" and end.delta.stop_reason == "end_turn"
    assert (end.usage.input_tokens, end.usage.cache_read_input_tokens, end.usage.output_tokens) == (20, 80, 9)
    assert openai_upstream.last.json["stream_options"] == {"include_usage": True}


def test_usage_keeps_cached_tokens_apart(anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI) -> None:
    openai_upstream.script(replies.text("a", usage=Usage(10, 90, output=8, reasoning=3)))
    usage = anthropic_sdk.messages.create(model=GPT, max_tokens=99, messages=[user("hello")]).usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (10, 90, 8)


def test_system_blocks_become_system_messages(
    anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI
) -> None:
    system: Any = [
        {"type": "text", "text": "Be brief."},
        {"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}},
    ]
    anthropic_sdk.messages.create(model=GPT, max_tokens=99, messages=[user("hello")], system=system)
    before = openai_upstream.last.json["messages"][:-1]
    assert {m["role"] for m in before} <= {"system", "developer"}
    text = json.dumps([m["content"] for m in before])
    assert "Be brief." in text and "Be kind." in text and "cache_control" not in text


def test_a_system_message_in_the_middle_stays_in_its_place(
    anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI
) -> None:
    messages: list[Any] = [user("hello"), {"role": "system", "content": "Be brief."}]
    anthropic_sdk.messages.create(model=GPT, max_tokens=99, messages=messages)
    roles = [m["role"] for m in openai_upstream.last.json["messages"]]
    assert roles[0] == "user" and roles[1] in ("system", "developer")


def test_a_tool_round_trip_with_parallel_calls(
    anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI
) -> None:
    messages: list[Any] = [user(TWO_CALLS)]
    first = anthropic_sdk.messages.create(model=GPT, max_tokens=99, messages=messages, tools=[ANTHROPIC_TOOL])
    calls = [b for b in first.content if b.type == "tool_use"]
    assert first.stop_reason == "tool_use"
    assert [c.input for c in calls] == [{"city": "Rome"}, {"city": "Reykjavík"}]
    results: list[Any] = [
        {"type": "tool_result", "tool_use_id": calls[1].id, "content": [{"type": "text", "text": "1°"}]},
        {"type": "tool_result", "tool_use_id": calls[0].id, "content": "no data", "is_error": True},
        {"type": "text", "text": "so?"},
    ]
    messages += [{"role": "assistant", "content": first.content}, user(results)]
    last = anthropic_sdk.messages.create(model=GPT, max_tokens=99, messages=messages, tools=[ANTHROPIC_TOOL])
    assert last.stop_reason == "end_turn"
    sent = openai_upstream.last.json["messages"]
    assert [m["role"] for m in sent] == ["user", "assistant", "tool", "tool", "user"]
    assert {m["tool_call_id"] for m in sent if m["role"] == "tool"} == {c.id for c in calls}
    assert sent[-1]["content"] == "so?"


@pytest.mark.parametrize("interleave", [False, True])
def test_parallel_calls_stream_each_in_its_own_block(
    anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI, interleave: bool
) -> None:
    openai_upstream.script(
        Reply(
            (Text("Let me see."), Call("weather", {"city": "Rome"}), Call("weather", {"city": "Reykjavík"})),
            interleave=interleave,
        )
    )
    with anthropic_sdk.messages.stream(
        model=GPT, max_tokens=99, messages=[user("?")], tools=[ANTHROPIC_TOOL]
    ) as stream:
        events = list(stream)
        final: Any = stream.get_final_message()
    assert [b.type for b in final.content] == ["text", "tool_use", "tool_use"]
    assert [b.input for b in final.content if b.type == "tool_use"] == [
        {"city": "Rome"},
        {"city": "Reykjavík"},
    ]
    assert final.stop_reason == "tool_use"
    marks = [e for e in events if e.type in ("content_block_start", "content_block_stop")]
    assert [m.index for m in marks] == [0, 0, 1, 1, 2, 2]


def test_a_call_without_arguments_has_an_empty_object(
    anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI
) -> None:
    openai_upstream.script(Reply((Call("now", ""),)), Reply((Call("now", ""),)))
    common: Any = {"model": GPT, "max_tokens": 99, "messages": [user("?")], "tools": [ANTHROPIC_TOOL]}
    whole = anthropic_sdk.messages.create(**common)
    with anthropic_sdk.messages.stream(**common) as stream:
        streamed: Any = stream.get_final_message()
    messages: list[Any] = [whole, streamed]
    for message in messages:
        assert message.content[0].type == "tool_use" and message.content[0].input == {}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "weather"}, {"type": "function", "function": {"name": "weather"}}),
    ],
)
def test_each_form_of_tool_choice_is_translated(
    anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI, given: Any, sent: Any
) -> None:
    anthropic_sdk.messages.create(
        model=GPT, max_tokens=99, messages=[user("?")], tools=[ANTHROPIC_TOOL], tool_choice=given
    )
    assert openai_upstream.last.json["tool_choice"] == sent


def test_parallel_calls_can_be_switched_off(
    anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI
) -> None:
    answer = anthropic_sdk.messages.create(
        model=GPT,
        max_tokens=99,
        messages=[user(TWO_CALLS)],
        tools=[ANTHROPIC_TOOL],
        tool_choice={"type": "auto", "disable_parallel_tool_use": True},
    )
    assert sum(b.type == "tool_use" for b in answer.content) == 1
    assert openai_upstream.last.json["parallel_tool_calls"] is False


def test_pictures_and_documents_are_carried_over(
    anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI
) -> None:
    content: list[Any] = [
        {"type": "text", "text": "Look:"},
        {"type": "image", "source": {"type": "url", "url": PICTURE_URL}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
            "title": "a",
        },
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain words"}},
    ]
    anthropic_sdk.messages.create(model=GPT, max_tokens=99, messages=[user(content)])
    parts = openai_upstream.last.json["messages"][0]["content"]
    assert [p["type"] for p in parts][:4] == ["text", "image_url", "image_url", "file"]
    assert parts[1]["image_url"]["url"] == PICTURE_URL
    assert parts[2]["image_url"]["url"] == f"data:image/png;base64,{PNG}"
    assert parts[3]["file"]["file_data"] == f"data:application/pdf;base64,{PDF}"
    assert "plain words" in json.dumps(parts[4:])


def test_a_picture_in_a_result_follows_in_a_user_message(
    anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI
) -> None:
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    messages: list[Any] = [
        user("?"),
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}],
        },
        user([{"type": "tool_result", "tool_use_id": "toolu_1", "content": [picture]}]),
    ]
    anthropic_sdk.messages.create(model=GPT, max_tokens=99, messages=messages, tools=[ANTHROPIC_TOOL])
    sent = openai_upstream.last.json["messages"]
    assert [m["role"] for m in sent] == ["user", "assistant", "tool", "user"]
    assert PNG in json.dumps(sent[-1]["content"])


def test_thinking_becomes_effort_and_its_budget_stays_within_the_limit(
    anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI
) -> None:
    anthropic_sdk.messages.create(
        model=REASONING_GPT,
        max_tokens=20_000,
        messages=[user("hello")],
        thinking={"type": "enabled", "budget_tokens": 16_384},
    )
    sent = openai_upstream.last.json
    assert sent["reasoning_effort"] == "medium"
    assert sent["max_completion_tokens"] == 20_000
    assert "max_tokens" not in sent


def test_thinking_asked_of_a_model_that_cannot_is_a_loss(
    anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI
) -> None:
    raw = anthropic_sdk.messages.with_raw_response.create(
        model=GPT,
        max_tokens=16_000,
        messages=[user("hello")],
        thinking={"type": "enabled", "budget_tokens": 2048},
    )
    assert "thinking" in raw.headers["x-tokligence-loss"]
    assert "reasoning_effort" not in openai_upstream.last.json


def test_foreign_signed_thinking_never_reaches_openai(
    anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI
) -> None:
    messages: list[Any] = [
        user("?"),
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "secret thoughts", "signature": "c2lnbmVk"},
                {"type": "redacted_thinking", "data": "cmVkYWN0ZWQ="},
                {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}},
            ],
        },
        user([{"type": "tool_result", "tool_use_id": "toolu_1", "content": "warm"}]),
    ]
    answer = anthropic_sdk.messages.create(
        model=GPT, max_tokens=99, messages=messages, tools=[ANTHROPIC_TOOL]
    )
    assert answer.content[0].type == "text" and answer.content[0].text == "The tools said: warm"
    assert b"c2lnbmVk" not in openai_upstream.last.body
    assert b"cmVkYWN0ZWQ" not in openai_upstream.last.body


class City(BaseModel):
    name: str
    people: int


def test_structured_output_is_parsed(anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI) -> None:
    answer = anthropic_sdk.messages.parse(model=GPT, max_tokens=99, messages=[user("?")], output_format=City)
    assert answer.parsed_output == City(name="text", people=1)
    assert openai_upstream.last.json["response_format"]["type"] == "json_schema"


def test_a_strict_tool_stays_strict(anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI) -> None:
    anthropic_sdk.messages.create(
        model=GPT, max_tokens=99, messages=[user("?")], tools=[ANTHROPIC_TOOL | {"strict": True}]
    )
    function = openai_upstream.last.json["tools"][0]["function"]
    assert function["strict"] is True
    assert function["parameters"] == CITY


def test_cache_breakpoints_are_left_out(anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI) -> None:
    cached: Any = {"cache_control": {"type": "ephemeral"}}
    anthropic_sdk.messages.create(
        model=GPT,
        max_tokens=99,
        messages=[user([{"type": "text", "text": "hello"} | cached])],
        tools=[ANTHROPIC_TOOL | cached],
        metadata={"user_id": json.dumps({"device": "d" * 64, "session": "s" * 64})},
    )
    assert b"cache_control" not in openai_upstream.last.body


@pytest.mark.parametrize("stream", [False, True])
def test_a_limit_ends_with_max_tokens(
    anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI, stream: bool
) -> None:
    common: Any = {"model": GPT, "max_tokens": 2, "messages": [user("hello")]}
    if stream:
        with anthropic_sdk.messages.stream(**common) as events:
            answer = events.get_final_message()
    else:
        answer = anthropic_sdk.messages.create(**common)
    assert answer.stop_reason == "max_tokens"


def test_stop_sequences_stop(anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI) -> None:
    answer = anthropic_sdk.messages.create(
        model=GPT, max_tokens=99, messages=[user("one END two")], stop_sequences=["END", "x"]
    )
    assert answer.content[0].type == "text" and answer.content[0].text == "You said: one "
    assert answer.stop_reason in ("end_turn", "stop_sequence")
    assert openai_upstream.last.json["stop"] == ["END", "x"]


def test_more_than_four_stop_sequences_are_cut_with_a_loss(
    anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI
) -> None:
    raw = anthropic_sdk.messages.with_raw_response.create(
        model=GPT, max_tokens=99, messages=[user("hello")], stop_sequences=["a!", "b!", "c!", "d!", "e!"]
    )
    assert len(openai_upstream.last.json["stop"]) == 4
    assert "stop_sequences" in raw.headers["x-tokligence-loss"]


@pytest.mark.parametrize(
    ("finish", "stop"),
    [("stop", "end_turn"), ("length", "max_tokens"), ("content_filter", "refusal")],
)
@pytest.mark.parametrize("stream", [False, True])
def test_every_finish_reason_has_its_stop_reason(
    anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI, finish: str, stop: str, stream: bool
) -> None:
    openai_upstream.script(replies.text("a", stop=finish))
    common: Any = {"model": GPT, "max_tokens": 99, "messages": [user("hello")]}
    if stream:
        with anthropic_sdk.messages.stream(**common) as events:
            answer = events.get_final_message()
    else:
        answer = anthropic_sdk.messages.create(**common)
    assert answer.stop_reason == stop


@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_keeps_its_words(
    anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI, stream: bool
) -> None:
    openai_upstream.script(Reply((Refusal("I will not do that."),)))
    common: Any = {"model": GPT, "max_tokens": 99, "messages": [user("hello")]}
    if stream:
        with anthropic_sdk.messages.stream(**common) as events:
            answer = events.get_final_message()
    else:
        answer = anthropic_sdk.messages.create(**common)
    assert answer.stop_reason == "refusal"
    assert "".join(b.text for b in answer.content if b.type == "text") == "I will not do that."


def test_sampling_of_older_clients_is_kept_or_dropped_with_a_loss(
    anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI
) -> None:
    def losses(model: str, **given: Any) -> str:
        raw = anthropic_sdk.messages.with_raw_response.create(
            model=model, max_tokens=99, messages=[user("hello")], extra_body=given
        )
        return raw.headers.get("x-tokligence-loss", "")

    losses(GPT, temperature=0.5)
    assert openai_upstream.last.json["temperature"] == 0.5
    assert "top_k;unsupported" in losses(GPT, top_k=5)
    assert "top_k" not in openai_upstream.last.json
    assert "temperature;model_capability" in losses(REASONING_GPT, temperature=0.5)


def test_strict_mode_refuses_what_cannot_be_said_before_any_call(
    anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI
) -> None:
    with pytest.raises(anthropic.BadRequestError, match="top_k"):
        anthropic_sdk.messages.create(
            model=GPT,
            max_tokens=99,
            messages=[user("hello")],
            extra_body={"top_k": 5},
            extra_headers={"x-tokligence-strict": "1"},
        )
    assert openai_upstream.calls() == []


def test_a_name_too_long_for_openai_comes_back_whole(
    anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI
) -> None:
    name = "a_very_long_name_" * 6 + "end"
    tool: Any = {"name": name, "input_schema": {"type": "object", "properties": {}}}
    answer = anthropic_sdk.messages.create(
        model=GPT, max_tokens=99, messages=[user("?")], tools=[tool], tool_choice={"type": "any"}
    )
    assert [b.name for b in answer.content if b.type == "tool_use"] == [name]
    assert len(openai_upstream.last.json["tools"][0]["function"]["name"]) <= 64


def test_tokens_are_estimated_for_a_model_of_another_vendor(anthropic_sdk: anthropic.Anthropic) -> None:
    assert anthropic_sdk.messages.count_tokens(model=GPT, messages=[user("hello " * 100)]).input_tokens > 50
