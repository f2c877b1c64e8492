"""The scripted Responses, asked by OpenAI's SDK: what it answers, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.responses import Response

from tests.fakes import replies
from tests.fakes.openai_responses import OpenAIResponses
from tests.fakes.replies import Call, Failure, Refusal, Reply, Text, Thinking, Usage

TOOL: Any = {
    "type": "function",
    "name": "weather",
    "strict": False,
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
FREE: Any = {"type": "custom", "name": "patch", "format": {"type": "text"}}
SPACE: Any = {"type": "namespace", "name": "team", "description": "d", "tools": [{**TOOL, "name": "ask"}]}
ENCRYPTED: Any = ["reasoning.encrypted_content"]


@pytest.fixture
def fake() -> Iterator[OpenAIResponses]:
    upstream = OpenAIResponses()
    upstream.start()
    yield upstream
    upstream.stop()
    assert upstream.verdict() == []


@pytest.fixture
def sdk(fake: OpenAIResponses) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=fake.base_url, api_key=fake.key, max_retries=0) as client:
        yield client


def streamed(sdk: openai.OpenAI, **request: Any) -> tuple[list[str], Response]:
    """The kinds of events, and the response of the last."""
    events = list(sdk.responses.create(stream=True, **request))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    return [event.type.removeprefix("response.") for event in events], events[-1].response  # type: ignore[union-attr]


def test_it_says_what_it_is_told(fake: OpenAIResponses, sdk: openai.OpenAI) -> None:
    fake.script(replies.text("Good ", "day", usage=Usage(10, cache_read=90, output=5)))
    answer = sdk.responses.create(model="gpt-5.5", input="hi")
    assert (answer.output_text, answer.status) == ("Good day", "completed")
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.input_tokens_details.cached_tokens) == (100, 90)


def test_a_stream_has_every_part_of_every_item(fake: OpenAIResponses, sdk: openai.OpenAI) -> None:
    fake.script(
        Reply(
            (
                Thinking("well", chunks=["well"]),
                Text("a b", chunks=["a", " b"]),
                Call("weather", {"city": "Rome"}, chunks=['{"city": "Rome"}']),
                Call("patch", "*** x", chunks=["*** ", "x"]),
                Call("ask", {}),
            )
        )
    )
    kinds, response = streamed(
        sdk, model="gpt-5.5", input="hi", tools=[TOOL, FREE, SPACE], include=ENCRYPTED, reasoning={}
    )
    item = ["output_item.added", "output_item.done"]
    summary = [f"reasoning_summary_{w}" for w in ("part.added", "text.delta", "text.done", "part.done")]
    text = ["content_part.added", *["output_text.delta"] * 2, "output_text.done", "content_part.done"]
    arguments = ["function_call_arguments.delta", "function_call_arguments.done"]
    free = [*["custom_tool_call_input.delta"] * 2, "custom_tool_call_input.done"]
    assert kinds == [
        "created",
        "in_progress",
        *(item[0], *summary, item[1]),
        *(item[0], *text, item[1]),
        *(item[0], *arguments, item[1]),
        *(item[0], *free, item[1]),
        *(item[0], *arguments, item[1]),
        "completed",
    ]
    assert [part.type for part in response.output] == [
        *("reasoning", "message", "function_call", "custom_tool_call", "function_call")
    ]
    assert response.output[-1].namespace == "team"  # type: ignore[union-attr]


def test_a_stream_that_fails_says_so_last(fake: OpenAIResponses, sdk: openai.OpenAI) -> None:
    fake.script(Reply((Text("a"),), failure=Failure(500)))
    kinds, response = streamed(sdk, model="gpt-5.5", input="hi")
    assert kinds[-1] == "failed"
    assert response.error is not None


def test_it_echoes_refuses_and_stops_early(fake: OpenAIResponses, sdk: openai.OpenAI) -> None:
    ask: Any = {"model": "gpt-5.5"}
    assert sdk.responses.create(input="hi", **ask).output_text == "You said: hi"
    fake.script(Reply((Refusal("no"),)), Reply((Text("a"),), stop="max_output_tokens"))
    assert streamed(sdk, input="hi", **ask)[0][3:6] == ["content_part.added", "refusal.delta", "refusal.done"]
    assert sdk.responses.create(input="hi", **ask).status == "incomplete"


def test_its_own_history_comes_back(fake: OpenAIResponses, sdk: openai.OpenAI) -> None:
    fake.script(Reply((Thinking("well"), Call("weather", {"city": "Rome"}), Call("patch", "x"))))
    ask: Any = {"model": "gpt-5.5", "tools": [TOOL, FREE], "store": False, "include": ENCRYPTED}
    first = sdk.responses.create(input="go", **ask)
    history: list[Any] = [{"role": "user", "content": "go"}]
    history += [item.model_dump(exclude_none=True) for item in first.output]
    for item in first.output[1:]:
        kind = f"{item.type}_output"
        history.append({"type": kind, "call_id": item.call_id, "output": "sunny"})  # type: ignore[union-attr]
    second = sdk.responses.create(input=history, **ask)
    assert second.output_text == "The tools said: sunny | sunny"


CALL: Any = {"type": "function_call", "call_id": "c", "name": "weather", "arguments": "{}"}
OUTPUT: Any = {"type": "function_call_output", "call_id": "c", "output": "x"}
REASONING: Any = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAnobody"}


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        ({"input": []}, "must be provided"),
        ({"model": "claude"}, "does not exist"),
        ({"input": [CALL]}, "No tool output found for function call c"),
        ({"input": [OUTPUT]}, "No tool call found for function call output with call_id c"),
        ({"input": [CALL, {**OUTPUT, "type": "custom_tool_call_output"}]}, "No tool call found for custom"),
        ({"input": [{**CALL, "id": "call_1"}, OUTPUT]}, "Expected an ID that begins with 'fc'"),
        ({"input": [{**CALL, "call_id": "x" * 65}, OUTPUT]}, "string too long"),
        ({"input": [REASONING, CALL, OUTPUT]}, "could not be verified"),
        ({"input": [{**REASONING, "encrypted_content": None}, CALL, OUTPUT], "store": False}, "not found"),
        (
            {"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]},
            "'output_text'",
        ),
        ({"max_output_tokens": 5}, ">= 16"),
        ({"temperature": 0.5}, "not supported with this model"),
        ({"reasoning": {"effort": "minimal"}}, "Supported values are"),
        ({"nonsense": 1}, "Unknown parameter: 'nonsense'"),
        ({"tools": [{**TOOL, "name": "a b"}]}, "does not match pattern"),
        ({"tools": [TOOL, TOOL]}, "must be unique"),
        ({"tools": [{**TOOL, "strict": True}]}, "additionalProperties"),
        ({"tool_choice": "required"}, "must be specified with 'tools'"),
        ({"background": True, "store": False}, "requires 'store'"),
    ],
)
def test_what_openai_refuses_is_refused(
    fake: OpenAIResponses, sdk: openai.OpenAI, request_: dict[str, Any], why: str
) -> None:
    fake.expect("")
    with pytest.raises(openai.APIStatusError, match=why):
        sdk.post("/responses", cast_to=Response, body={"model": "gpt-5.5", "input": "hi", **request_})
