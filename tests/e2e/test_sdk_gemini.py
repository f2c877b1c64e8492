"""Google's SDK asks a Claude and a GPT model: Gemini in, another protocol out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from google import genai
from google.genai import errors, types

from tests.e2e.conftest import CLIENT_KEY
from tests.e2e.daemon import Daemon
from tests.e2e.samples import CITY, CLAUDE, GPT, TWO_CALLS
from tests.fakes import replies
from tests.fakes.anthropic import Anthropic
from tests.fakes.openai import OpenAI
from tests.fakes.replies import Reply, Text, Thinking, Usage

TOOL = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(name="weather", description="The weather.", parameters_json_schema=CITY)
    ]
)


@pytest.fixture
def genai_sdk(gateway: Daemon) -> Iterator[genai.Client]:
    options = types.HttpOptions(base_url=gateway.url, timeout=30_000)
    with genai.Client(api_key=CLIENT_KEY, http_options=options) as client:
        yield client


@pytest.mark.parametrize("model", [CLAUDE, GPT])
def test_a_text_arrives_whole_and_streamed(genai_sdk: genai.Client, model: str) -> None:
    answer = genai_sdk.models.generate_content(model=model, contents="hello")
    assert answer.text == "You said: hello"
    assert answer.candidates is not None
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    chunks = list(genai_sdk.models.generate_content_stream(model=model, contents="hello"))
    assert "".join(chunk.text or "" for chunk in chunks) == "You said: hello"
    assert chunks[-1].candidates is not None
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP


def test_usage_counts_cached_tokens_within_the_prompt(
    genai_sdk: genai.Client, anthropic_upstream: Anthropic
) -> None:
    anthropic_upstream.script(replies.text("a", usage=Usage(10, 90, 5, 6, output=8)))
    usage = genai_sdk.models.generate_content(model=CLAUDE, contents="hello").usage_metadata
    assert usage is not None
    assert (usage.prompt_token_count, usage.cached_content_token_count) == (111, 90)
    assert (usage.candidates_token_count, usage.total_token_count) == (8, 119)


@pytest.mark.parametrize("model", [CLAUDE, GPT])
def test_a_tool_round_trip_with_parallel_calls(genai_sdk: genai.Client, model: str) -> None:
    config = types.GenerateContentConfig(
        tools=[TOOL], automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True)
    )
    chat = genai_sdk.chats.create(model=model, config=config)
    calls = chat.send_message(TWO_CALLS).function_calls
    assert calls is not None
    assert [(call.name, call.args) for call in calls] == [
        ("weather", {"city": "Rome"}),
        ("weather", {"city": "Reykjavík"}),
    ]
    parts: list[Any] = [
        types.Part(
            function_response=types.FunctionResponse(id=call.id, name=call.name, response={"result": "sunny"})
        )
        for call in calls
    ]
    assert chat.send_message(parts).text


def test_thinking_is_shown_and_comes_back_to_its_issuer(
    genai_sdk: genai.Client, anthropic_upstream: Anthropic
) -> None:
    anthropic_upstream.script(Reply([Thinking("I should look."), Text("Rome.")]))
    config = types.GenerateContentConfig(
        thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=2048)
    )
    chat = genai_sdk.chats.create(model=CLAUDE, config=config)
    answer = chat.send_message("which city?")
    assert answer.candidates is not None and answer.candidates[0].content is not None
    parts = answer.candidates[0].content.parts or []
    assert [part.text for part in parts if part.thought] == ["I should look."]
    assert answer.text == "Rome."
    chat.send_message("sure?")
    blocks = anthropic_upstream.last.json["messages"][1]["content"]
    assert [block["type"] for block in blocks] == ["thinking", "text"]


def test_a_stream_without_sse_is_one_json_array(gateway: Daemon, anthropic_upstream: Anthropic) -> None:
    anthropic_upstream.script(replies.text("Hel", "lo"))
    answer = httpx2.post(
        f"{gateway.url}/v1beta/models/{CLAUDE}:streamGenerateContent?key={CLIENT_KEY}",
        json={"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
    )
    assert answer.headers["content-type"].startswith("application/json")
    pieces = [
        part["text"]
        for chunk in answer.json()
        for part in chunk["candidates"][0].get("content", {}).get("parts", [])
    ]
    assert "".join(pieces) == "Hello"


def test_tokens_are_counted(genai_sdk: genai.Client) -> None:
    counted = genai_sdk.models.count_tokens(model=GPT, contents="hello " * 100)
    assert counted.total_tokens is not None and 100 <= counted.total_tokens <= 200


def test_models_are_listed_in_its_shape(genai_sdk: genai.Client) -> None:
    names = {model.name for model in genai_sdk.models.list()}
    assert f"models/{GPT}" in names
    shown = genai_sdk.models.get(model=GPT)
    assert shown.name == f"models/{GPT}"


def test_an_upstreams_error_has_googles_shape(
    genai_sdk: genai.Client, anthropic_upstream: Anthropic, openai_upstream: OpenAI
) -> None:
    anthropic_upstream.script(replies.Failure(429))
    with pytest.raises(errors.ClientError) as refused:
        genai_sdk.models.generate_content(model=CLAUDE, contents="hello")
    assert (refused.value.code, refused.value.status) == (429, "RESOURCE_EXHAUSTED")
    openai_upstream.script(replies.Failure(500))
    with pytest.raises(errors.ServerError):
        genai_sdk.models.generate_content(model=GPT, contents="hello")


def test_the_path_below_genai_serves_too(gateway: Daemon) -> None:
    answer = httpx2.post(
        f"{gateway.url}/genai/v1beta/models/{CLAUDE}:generateContent",
        headers={"x-goog-api-key": CLIENT_KEY},
        json={"contents": [{"parts": [{"text": "hi"}]}]},
    )
    assert answer.json()["candidates"][0]["content"]["parts"][0]["text"] == "You said: hi"
    assert json.dumps(answer.json()).count("You said") == 1
