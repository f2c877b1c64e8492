"""OpenAI's SDK asks a Claude model by the Responses protocol: translated, with the state kept by the gateway."""

from __future__ import annotations

import json
import time
from typing import Any

import openai
import pytest

from tests.e2e.samples import CITY, CLAUDE, TWO_CALLS
from tests.fakes import replies
from tests.fakes.anthropic import Anthropic
from tests.fakes.replies import Call, Reply, Text, Thinking, Usage

TOOL: Any = {"type": "function", "name": "weather", "parameters": CITY, "strict": False}
MODEL = CLAUDE


def test_a_text_arrives_whole(openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic) -> None:
    answer = openai_sdk.responses.create(model=MODEL, input="hello", instructions="Be brief.")
    assert (answer.status, answer.output_text, answer.model) == ("completed", "You said: hello", MODEL)
    assert answer.instructions == "Be brief."
    assert anthropic_upstream.last.json["system"][0]["text"] == "Be brief."


def test_a_stream_opens_before_it_says_and_ends_with_the_whole_answer(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic
) -> None:
    anthropic_upstream.script(replies.text("Hel", "lo ", "wörld 😀", usage=Usage(10, 90, 5, 6, output=8)))
    events = list(openai_sdk.responses.create(model=MODEL, input="hello", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert deltas == ["Hel", "lo ", "wörld 😀"]
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == "Hello wörld 😀"
    usage = last.response.usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.input_tokens_details.cached_tokens) == (111, 8, 90)


def test_a_tool_round_trip_with_parallel_calls_by_the_previous_response(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic
) -> None:
    first = openai_sdk.responses.create(model=MODEL, input=TWO_CALLS, tools=[TOOL])
    calls = [item for item in first.output if item.type == "function_call"]
    assert len(calls) == 2
    outputs: list[Any] = [
        {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"} for call in calls
    ]
    second = openai_sdk.responses.create(
        model=MODEL, input=outputs, tools=[TOOL], previous_response_id=first.id
    )
    assert second.status == "completed"
    assert second.previous_response_id == first.id
    sent = anthropic_upstream.last.json["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]
    assert [block["type"] for block in sent[2]["content"]] == ["tool_result", "tool_result"]


def test_thinking_comes_back_to_its_issuer_through_the_reasoning_item(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic
) -> None:
    anthropic_upstream.script(Reply([Thinking("I should look."), Call("weather", {"city": "Rome"})]))
    first = openai_sdk.responses.create(
        model=MODEL,
        input="go",
        tools=[TOOL],
        reasoning={"effort": "medium", "summary": "auto"},
        include=["reasoning.encrypted_content"],
        store=False,
    )
    reasoning = next(item for item in first.output if item.type == "reasoning")
    assert reasoning.summary[0].text == "I should look."
    call = next(item for item in first.output if item.type == "function_call")
    history: list[Any] = [
        {"role": "user", "content": "go"},
        *[item.model_dump(exclude_none=True) for item in first.output],
        {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"},
    ]
    openai_sdk.responses.create(
        model=MODEL, input=history, tools=[TOOL], reasoning={"effort": "medium"}, store=False
    )
    assistant = anthropic_upstream.last.json["messages"][1]["content"]
    assert [block["type"] for block in assistant] == ["thinking", "tool_use"]
    assert assistant[0]["thinking"] == "I should look."  # the fake checks that the signature is its own


def test_a_kept_response_is_retrieved_listed_and_deleted(openai_sdk: openai.OpenAI) -> None:
    made = openai_sdk.responses.create(model=MODEL, input="hello", metadata={"a": "b"})
    again = openai_sdk.responses.retrieve(made.id)
    assert again.output_text == made.output_text
    assert again.metadata == {"a": "b"}
    items = openai_sdk.responses.input_items.list(made.id).data
    assert [item.type for item in items] == ["message"]
    openai_sdk.responses.delete(made.id)
    with pytest.raises(openai.APIStatusError):
        openai_sdk.responses.retrieve(made.id)


def test_what_is_not_stored_cannot_be_followed(openai_sdk: openai.OpenAI) -> None:
    made = openai_sdk.responses.create(model=MODEL, input="hello", store=False)
    with pytest.raises(openai.BadRequestError) as refused:
        openai_sdk.responses.create(model=MODEL, input="more", previous_response_id=made.id)
    assert "send the whole history" in str(refused.value)


def test_a_conversation_grows_with_each_response(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic
) -> None:
    conversation = openai_sdk.conversations.create(
        items=[{"type": "message", "role": "user", "content": "My name is Ada."}]
    )
    openai_sdk.responses.create(model=MODEL, input="hello", conversation=conversation.id)
    openai_sdk.responses.create(model=MODEL, input="who am I?", conversation=conversation.id)
    said = json.dumps(anthropic_upstream.last.json["messages"])
    assert "My name is Ada." in said and "You said: My name is Ada.hello" in said
    listed = openai_sdk.conversations.items.list(conversation.id, order="asc").data
    assert len(listed) == 5
    item = openai_sdk.conversations.items.retrieve(str(listed[0].id), conversation_id=conversation.id)
    assert item.type == "message"
    openai_sdk.conversations.items.delete(str(listed[0].id), conversation_id=conversation.id)
    assert openai_sdk.conversations.update(conversation.id, metadata={"k": "v"}).metadata == {"k": "v"}
    assert openai_sdk.conversations.delete(conversation.id).deleted
    with pytest.raises(openai.NotFoundError):
        openai_sdk.conversations.retrieve(conversation.id)


def test_a_response_in_the_background_is_asked_for_until_it_is_there(openai_sdk: openai.OpenAI) -> None:
    begun = openai_sdk.responses.create(model=MODEL, input="hello", background=True)
    assert begun.status == "queued"
    for _ in range(100):
        now = openai_sdk.responses.retrieve(begun.id)
        if now.status == "completed":
            break
        time.sleep(0.05)
    assert now.output_text == "You said: hello"
    events = list(openai_sdk.responses.retrieve(begun.id, stream=True, starting_after=1))
    assert events[0].sequence_number == 2
    assert events[-1].type == "response.completed"


def test_a_response_in_the_background_is_cancelled(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic
) -> None:
    gate = replies.Gate()
    anthropic_upstream.script(
        Reply([Text("begun"), Text(" and never ended")], wire=replies.Wire(gates={4: gate}))
    )
    begun = openai_sdk.responses.create(model=MODEL, input="hello", background=True)
    cancelled = openai_sdk.responses.cancel(begun.id)
    gate.open()
    assert cancelled.status == "cancelled"
    assert openai_sdk.responses.retrieve(begun.id).status == "cancelled"


def test_a_long_history_is_compacted_and_goes_on(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic
) -> None:
    anthropic_upstream.script(replies.text("They like blue."))
    compacted = openai_sdk.responses.compact(
        model=MODEL,
        input=[
            {"role": "user", "content": "I like blue."},
            {"role": "assistant", "content": "Noted."},
        ],
    )
    assert [item.type for item in compacted.output] == ["message", "compaction"]
    items: list[Any] = [item.model_dump(exclude_none=True) for item in compacted.output]
    openai_sdk.responses.create(model=MODEL, input=[*items, {"role": "user", "content": "what do I like?"}])
    assert "They like blue." in json.dumps(anthropic_upstream.last.json["messages"])


def test_input_tokens_are_estimated(openai_sdk: openai.OpenAI) -> None:
    count = openai_sdk.responses.input_tokens.count(model=MODEL, input="hello " * 100)
    assert 100 <= count.input_tokens <= 200


def test_an_upstreams_error_has_the_protocols_shape(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic
) -> None:
    anthropic_upstream.script(replies.Failure(529))
    with pytest.raises(openai.InternalServerError) as refused:
        openai_sdk.responses.create(model=MODEL, input="hello")
    assert refused.value.status_code == 503


def test_a_conversation_may_begin_empty(openai_sdk: openai.OpenAI) -> None:
    assert openai_sdk.conversations.create().object == "conversation"
    assert openai_sdk.conversations.create(metadata={"a": "b"}).metadata == {"a": "b"}
    with pytest.raises(openai.BadRequestError):
        openai_sdk.conversations.create(items=5)  # type: ignore[arg-type]


def test_responses_are_not_listed(openai_sdk: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        openai_sdk.get("/responses", cast_to=object)
    assert refused.value.status_code == 405
