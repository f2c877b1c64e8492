"""OpenAI's SDK asks a Claude model: every request is translated, and so is every answer."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.e2e.samples import (
    ADAPTIVE_CLAUDE,
    CITY,
    CLAUDE,
    OPENAI_TOOL,
    PDF,
    PICTURE_URL,
    PNG,
    TWO_CALLS,
    user,
)
from tests.fakes import replies
from tests.fakes.anthropic import Anthropic
from tests.fakes.replies import Call, Redacted, Reply, Text, Thinking, Usage


def test_a_text_arrives_whole(openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic) -> None:
    answer = openai_sdk.chat.completions.create(model=CLAUDE, messages=[user("hello")])
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.content == "You said: hello"
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == CLAUDE
    sent = anthropic_upstream.last.json
    assert sent["messages"] == [{"role": "user", "content": "hello"}] or sent["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "hello"}]}
    ]
    assert sent["max_tokens"] >= 4096


def test_a_text_arrives_in_the_pieces_in_which_it_was_sent(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic
) -> None:
    anthropic_upstream.script(replies.text("Hel", "lo ", "", " \n", "wörld 😀"))
    stream = openai_sdk.chat.completions.create(model=CLAUDE, messages=[user("hello")], stream=True)
    chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    pieces = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    assert pieces == ["Hel", "lo ", " \n", "wörld 😀"]
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert len({c.id for c in chunks}) == 1
    assert all(c.usage is None for c in chunks)


def test_the_usage_chunk_comes_last_if_asked_for(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic
) -> None:
    anthropic_upstream.script(replies.text("a", usage=Usage(10, 90, 5, 6, output=8)))
    chunks = list(
        openai_sdk.chat.completions.create(
            model=CLAUDE, messages=[user("hello")], stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].choices == []
    usage = chunks[-1].usage
    assert usage is not None and usage.prompt_tokens_details is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (111, 8, 119)
    assert usage.prompt_tokens_details.cached_tokens == 90
    assert all(c.usage is None for c in chunks[:-1])


def test_usage_counts_cached_tokens_within_the_prompt(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic
) -> None:
    anthropic_upstream.script(replies.text("a", usage=Usage(10, 90, 5, 6, output=8, reasoning=3)))
    usage = openai_sdk.chat.completions.create(model=CLAUDE, messages=[user("hello")]).usage
    assert usage is not None
    assert usage.prompt_tokens_details is not None and usage.completion_tokens_details is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (111, 8, 119)
    assert usage.prompt_tokens_details.cached_tokens == 90
    assert usage.prompt_tokens_details.cache_write_tokens == 11
    assert usage.completion_tokens_details.reasoning_tokens == 3


def test_leading_system_and_developer_messages_become_the_system_prompt(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic
) -> None:
    messages: list[Any] = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        user("hello"),
    ]
    openai_sdk.chat.completions.create(model=CLAUDE, messages=messages)
    sent = anthropic_upstream.last.json
    assert [block["text"] for block in sent["system"]] == ["Be brief.", "Be kind."]
    assert [m["role"] for m in sent["messages"]] == ["user"]


@pytest.mark.parametrize(("model", "role"), [(CLAUDE, "user"), (ADAPTIVE_CLAUDE, "system")])
def test_a_system_message_in_the_middle_stays_in_its_place(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic, model: str, role: str
) -> None:
    messages: list[Any] = [
        user("hello"),
        {"role": "assistant", "content": "Hi."},
        user("more"),
        {"role": "system", "content": "Be brief."},
    ]
    openai_sdk.chat.completions.create(model=model, messages=messages)
    last = anthropic_upstream.last.json["messages"][-1]
    assert last["role"] == role
    assert "Be brief." in json.dumps(last["content"])


def test_a_tool_round_trip_with_parallel_calls(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic
) -> None:
    messages: list[Any] = [user(TWO_CALLS)]
    first = openai_sdk.chat.completions.create(model=CLAUDE, messages=messages, tools=[OPENAI_TOOL])
    calls = first.choices[0].message.tool_calls
    assert first.choices[0].finish_reason == "tool_calls"
    assert calls is not None and [c.type for c in calls] == ["function", "function"]
    assert [json.loads(c.function.arguments)["city"] for c in calls if c.type == "function"] == [
        "Rome",
        "Reykjavík",
    ]
    messages.append(first.choices[0].message)
    # In the other order, and with text behind them: the results must come first and be matched by id.
    messages += [
        {"role": "tool", "tool_call_id": c.id, "content": f"{i}°"}
        for i, c in reversed(list(enumerate(calls)))
    ]
    messages.append(user("so?"))
    last = openai_sdk.chat.completions.create(model=CLAUDE, messages=messages, tools=[OPENAI_TOOL])
    assert set((last.choices[0].message.content or "").removeprefix("The tools said: ").split(" | ")) == {
        "0°",
        "1°",
    }
    turn = anthropic_upstream.last.json["messages"][-1]
    assert [block["type"] for block in turn["content"]] == ["tool_result", "tool_result", "text"]


def test_parallel_calls_stream_each_in_its_own_index(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic
) -> None:
    anthropic_upstream.script(
        Reply(
            (
                Text("Let me see."),
                Call("weather", {"city": "Rome"}),
                Call("weather", {"city": "Oslo"}),
                Call("now"),
            )
        )
    )
    with openai_sdk.chat.completions.stream(
        model=CLAUDE, messages=[user("?")], tools=[OPENAI_TOOL]
    ) as stream:
        final = stream.get_final_completion()
    message = final.choices[0].message
    assert message.content == "Let me see."
    assert [c.function.arguments for c in message.tool_calls or ()] == [
        '{"city": "Rome"}',
        '{"city": "Oslo"}',
        "{}",
    ]
    assert final.choices[0].finish_reason == "tool_calls"


def test_arguments_stream_as_they_arrive(openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic) -> None:
    anthropic_upstream.script(
        Reply((Call("weather", '{"city": "Oslo"}', chunks=['{"ci', 'ty": "Os', 'lo"}']),))
    )
    chunks = openai_sdk.chat.completions.create(
        model=CLAUDE, messages=[user("?")], tools=[OPENAI_TOOL], stream=True
    )
    deltas = [c.choices[0].delta.tool_calls[0] for c in chunks if c.choices and c.choices[0].delta.tool_calls]
    assert deltas[0].id and deltas[0].function is not None and deltas[0].function.name == "weather"
    pieces = [d.function.arguments for d in deltas if d.function is not None and d.function.arguments]
    assert pieces == ['{"ci', 'ty": "Os', 'lo"}']


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("auto", {"type": "auto"}),
        ("required", {"type": "any"}),
        ("none", {"type": "none"}),
        ({"type": "function", "function": {"name": "weather"}}, {"type": "tool", "name": "weather"}),
    ],
)
def test_each_form_of_tool_choice_is_translated(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic, given: Any, sent: Any
) -> None:
    openai_sdk.chat.completions.create(
        model=CLAUDE, messages=[user("?")], tools=[OPENAI_TOOL], tool_choice=given
    )
    assert anthropic_upstream.last.json["tool_choice"] == sent


def test_parallel_calls_can_be_switched_off(openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic) -> None:
    answer = openai_sdk.chat.completions.create(
        model=CLAUDE, messages=[user(TWO_CALLS)], tools=[OPENAI_TOOL], parallel_tool_calls=False
    )
    assert len(answer.choices[0].message.tool_calls or ()) == 1
    assert anthropic_upstream.last.json["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


def test_pictures_and_documents_are_carried_over(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic
) -> None:
    content: list[Any] = [
        {"type": "text", "text": "Look:"},
        {"type": "image_url", "image_url": {"url": PICTURE_URL}},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}},
    ]
    openai_sdk.chat.completions.create(model=CLAUDE, messages=[user(content)])
    blocks = anthropic_upstream.last.json["messages"][0]["content"]
    assert [b["type"] for b in blocks] == ["text", "image", "image", "document"]
    assert blocks[1]["source"] == {"type": "url", "url": PICTURE_URL}
    assert blocks[2]["source"] == {"type": "base64", "media_type": "image/png", "data": PNG}
    assert blocks[3]["source"] == {"type": "base64", "media_type": "application/pdf", "data": PDF}


def test_a_result_of_several_texts_is_carried_over(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic
) -> None:
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": "Rome"}'},
    }
    parts = [{"type": "text", "text": "warm"}, {"type": "text", "text": " and dry"}]
    messages: list[Any] = [
        user("?"),
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": parts},
    ]
    answer = openai_sdk.chat.completions.create(model=CLAUDE, messages=messages, tools=[OPENAI_TOOL])
    assert answer.choices[0].message.content == "The tools said: warm and dry"


def test_a_history_with_missing_and_orphan_results_is_mended(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic
) -> None:
    calls = [
        {"id": f"call_{i}", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
        for i in (1, 2)
    ]
    messages: list[Any] = [
        user("?"),
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "call_2", "content": "warm"},
        {"role": "tool", "tool_call_id": "call_9", "content": "of nobody"},
        user("so?"),
    ]
    raw = openai_sdk.chat.completions.with_raw_response.create(
        model=CLAUDE, messages=messages, tools=[OPENAI_TOOL]
    )
    assert "repaired" in raw.headers["x-tokligence-loss"]


def test_thinking_is_asked_for_by_effort_and_comes_as_reasoning(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic
) -> None:
    answer = openai_sdk.chat.completions.create(
        model=CLAUDE, messages=[user("hello")], reasoning_effort="low", max_completion_tokens=9000
    )
    assert anthropic_upstream.last.json["thinking"] == {"type": "enabled", "budget_tokens": 4096}
    extra = answer.choices[0].message.model_extra or {}
    assert extra["reasoning_content"] == "The user wants: hello"
    assert extra["reasoning_details"][0]["signature"]
    assert answer.choices[0].message.content == "You said: hello"


def test_an_adaptive_model_gets_its_effort(openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic) -> None:
    openai_sdk.chat.completions.create(
        model=ADAPTIVE_CLAUDE, messages=[user("hello")], reasoning_effort="high"
    )
    sent = anthropic_upstream.last.json
    assert sent["thinking"]["type"] == "adaptive"
    assert sent["output_config"]["effort"] == "high"


@pytest.mark.parametrize("stream", [False, True])
def test_signed_thinking_makes_a_round_trip_through_a_tool_call(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic, stream: bool
) -> None:
    anthropic_upstream.script(
        Reply((Thinking("Hm."), Redacted(), Thinking("Aha."), Call("weather", {"city": "Rome"})))
    )
    common: Any = {
        "model": CLAUDE,
        "tools": [OPENAI_TOOL],
        "reasoning_effort": "low",
        "max_completion_tokens": 9000,
    }
    messages: list[Any] = [user("?")]
    if stream:
        message = _accumulate(openai_sdk.chat.completions.create(messages=messages, stream=True, **common))
    else:
        message = (
            openai_sdk.chat.completions.create(messages=messages, **common).choices[0].message.model_dump()
        )
        message = {k: v for k, v in message.items() if v is not None}
    call = message["tool_calls"][0]["id"]
    messages += [message, {"role": "tool", "tool_call_id": call, "content": "warm"}]
    last = openai_sdk.chat.completions.create(messages=messages, **common)
    assert last.choices[0].message.content == "The tools said: warm"
    # The upstream checks the signatures; here only that the blocks are there, in order.
    blocks = anthropic_upstream.last.json["messages"][1]["content"]
    assert [b["type"] for b in blocks] == ["thinking", "redacted_thinking", "thinking", "tool_use"]


def _accumulate(stream: Any) -> dict[str, Any]:
    """As clients that keep reasoning do: details with the same index are one detail."""
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None,
        "reasoning_details": [],
        "tool_calls": [],
    }
    for chunk in stream:
        delta = chunk.choices[0].delta
        for detail in (delta.model_extra or {}).get("reasoning_details") or ():
            details = message["reasoning_details"]
            same = [d for d in details if d.get("index") == detail.get("index")]
            if not same:
                details.append(dict(detail))
                continue
            for key, value in detail.items():
                joined = key in ("text", "signature", "data") and key in same[0]
                same[0][key] = same[0][key] + value if joined else value
        for call in delta.tool_calls or ():
            if call.id:
                message["tool_calls"].append(
                    {
                        "id": call.id,
                        "type": "function",
                        "function": {"name": call.function.name, "arguments": ""},
                    }
                )
            message["tool_calls"][call.index]["function"]["arguments"] += call.function.arguments or ""
    return message


class City(BaseModel):
    name: str
    people: int


@pytest.mark.parametrize("stream", [False, True])
def test_structured_output_is_parsed(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic, stream: bool
) -> None:
    if stream:
        with openai_sdk.chat.completions.stream(
            model=CLAUDE, messages=[user("?")], response_format=City
        ) as events:
            message = events.get_final_completion().choices[0].message
    else:
        message = (
            openai_sdk.chat.completions.parse(model=CLAUDE, messages=[user("?")], response_format=City)
            .choices[0]
            .message
        )
    assert message.parsed == City(name="text", people=1)
    assert not message.tool_calls
    assert anthropic_upstream.last.json["output_config"]["format"]["type"] == "json_schema"


def test_a_strict_tool_stays_strict(openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic) -> None:
    tool: Any = {"type": "function", "function": {"name": "weather", "parameters": CITY, "strict": True}}
    openai_sdk.chat.completions.create(model=CLAUDE, messages=[user("?")], tools=[tool])
    sent = anthropic_upstream.last.json["tools"][0]
    assert sent["strict"] is True
    assert sent["input_schema"] == CITY


def test_a_stop_sequence_stops(openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic) -> None:
    answer = openai_sdk.chat.completions.create(
        model=CLAUDE, messages=[user("one END two")], stop=["END", "x"]
    )
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].message.content == "You said: one "
    assert anthropic_upstream.last.json["stop_sequences"] == ["END", "x"]


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_limit_ends_with_length(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic, field: str, stream: bool
) -> None:
    answer: Any = openai_sdk.chat.completions.create(
        model=CLAUDE,
        messages=[user("hello")],
        stream=stream,
        **{field: 2},
    )
    last = list(answer)[-1] if stream else answer
    assert last.choices[0].finish_reason == "length"
    assert anthropic_upstream.last.json["max_tokens"] == 2


def test_a_limit_above_the_models_is_clamped_with_a_loss(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic
) -> None:
    raw = openai_sdk.chat.completions.with_raw_response.create(
        model=CLAUDE, messages=[user("hello")], max_completion_tokens=900_000
    )
    assert anthropic_upstream.last.json["max_tokens"] == 64_000
    assert raw.headers["x-tokligence-loss"] == "max_completion_tokens;clamped"


@pytest.mark.parametrize(
    ("stop", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("refusal", "content_filter"),
        ("pause_turn", "stop"),
        ("model_context_window_exceeded", "length"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_every_stop_reason_has_its_finish_reason(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic, stop: str, finish: str, stream: bool
) -> None:
    anthropic_upstream.script(replies.text("a", stop=stop))
    answer: Any = openai_sdk.chat.completions.create(
        model=CLAUDE,
        messages=[user("hello")],
        stream=stream,
    )
    last = [c for c in answer if c.choices][-1] if stream else answer
    assert last.choices[0].finish_reason == finish


def test_sampling_is_kept_clamped_or_dropped_with_a_loss(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic
) -> None:
    def losses(**given: Any) -> str:
        raw = openai_sdk.chat.completions.with_raw_response.create(messages=[user("hello")], **given)
        return raw.headers.get("x-tokligence-loss", "")

    assert losses(model=CLAUDE, temperature=0.5) == ""
    assert anthropic_upstream.last.json["temperature"] == 0.5
    assert losses(model=CLAUDE, temperature=1.5) == "temperature;clamped"
    assert anthropic_upstream.last.json["temperature"] == 1
    assert losses(model=ADAPTIVE_CLAUDE, temperature=0.5) == "temperature;model_capability"
    assert "temperature" not in anthropic_upstream.last.json
    assert "seed;" in losses(model=CLAUDE, seed=3, frequency_penalty=1)


def test_strict_mode_refuses_what_cannot_be_said_before_any_call(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic
) -> None:
    with pytest.raises(openai.BadRequestError, match="frequency_penalty"):
        openai_sdk.chat.completions.create(
            model=CLAUDE,
            messages=[user("hello")],
            frequency_penalty=1,
            extra_headers={"x-tokligence-strict": "1"},
        )
    assert anthropic_upstream.calls() == []


def test_a_long_tool_name_and_odd_ids_come_back_as_they_were(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic
) -> None:
    call = {"id": "call:1/ä", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    messages: list[Any] = [
        user("?"),
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call:1/ä", "content": "warm"},
    ]
    answer = openai_sdk.chat.completions.create(model=CLAUDE, messages=messages, tools=[OPENAI_TOOL])
    assert answer.choices[0].message.content == "The tools said: warm"


def test_empty_texts_never_reach_the_upstream(openai_sdk: openai.OpenAI) -> None:
    messages: list[Any] = [
        {"role": "system", "content": ""},
        user([{"type": "text", "text": ""}, {"type": "text", "text": "hello"}]),
        {"role": "assistant", "content": "  \n"},
        user("again"),
    ]
    answer = openai_sdk.chat.completions.create(model=CLAUDE, messages=messages)
    assert (answer.choices[0].message.content or "").endswith("again")
