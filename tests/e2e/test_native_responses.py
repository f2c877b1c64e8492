"""The Responses protocol on both sides: bytes pass unchanged, the vendor keeps its own state, and clients of other
protocols reach models that call tools there only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.e2e.conftest import CLIENT_KEY, settings
from tests.e2e.daemon import Daemon, running
from tests.e2e.samples import ANTHROPIC_TOOL, CITY, CLAUDE, GPT, TWO_CALLS, user
from tests.fakes.anthropic import Anthropic
from tests.fakes.openai_responses import OpenAIResponses
from tests.fakes.replies import Reply, Text, Thinking

TOOL: Any = {"type": "function", "name": "weather", "parameters": CITY, "strict": False}


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAIResponses]:
    fake = OpenAIResponses()
    fake.start()
    yield fake
    fake.stop()


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, server: OpenAIResponses, anthropic_server: Anthropic
) -> Iterator[Daemon]:
    with running(tmp_path_factory.mktemp("home"), settings(server, anthropic_server)) as daemon:
        yield daemon


@pytest.fixture
def upstream(server: OpenAIResponses) -> Iterator[OpenAIResponses]:
    server.reset()
    server.must_not_see(CLIENT_KEY)
    yield server
    assert not server.verdict()


@pytest.fixture
def sdk(gateway: Daemon) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=CLIENT_KEY, max_retries=0, timeout=30) as client:
        yield client


def test_answers_are_the_vendors_own(sdk: openai.OpenAI, upstream: OpenAIResponses) -> None:
    raw = sdk.responses.with_raw_response.create(model=GPT, input="hello")
    assert raw.headers["x-tokligence-route"] == f"openai/{GPT}"
    assert "x-tokligence-loss" not in raw.headers
    assert raw.parse().output_text == "You said: hello"
    assert upstream.last.json == {"model": GPT, "input": "hello"}


def test_streams_are_the_vendors_own(sdk: openai.OpenAI, upstream: OpenAIResponses) -> None:
    events = list(sdk.responses.create(model=GPT, input="hello", stream=True))
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == "You said: hello"


def test_reasoning_of_another_vendor_does_not_reach_the_vendor(
    sdk: openai.OpenAI, upstream: OpenAIResponses, anthropic_upstream: Anthropic
) -> None:
    anthropic_upstream.script(Reply([Thinking("I look."), Text("Rome.")]))
    first = sdk.responses.create(model=CLAUDE, input="which?", reasoning={"effort": "low"}, store=False)
    assert first.output[0].type == "reasoning"
    history: list[Any] = [
        {"role": "user", "content": "which?"},
        *[item.model_dump(exclude_none=True) for item in first.output],
        {"role": "user", "content": "sure?"},
    ]
    answer = sdk.responses.create(model=GPT, input=history, store=False)
    assert answer.status == "completed"
    assert "tgw1." not in json.dumps(upstream.last.json)
    assert "Rome." in json.dumps(upstream.last.json)


def test_a_response_kept_here_can_be_followed_with_the_vendors_model(
    sdk: openai.OpenAI, upstream: OpenAIResponses, anthropic_upstream: Anthropic
) -> None:
    first = sdk.responses.create(model=CLAUDE, input="My name is Ada.")
    sdk.responses.create(model=GPT, input="who am I?", previous_response_id=first.id)
    sent = upstream.last.json
    assert "My name is Ada." in json.dumps(sent["input"])
    assert sent.get("previous_response_id") is None


def test_a_claude_client_with_tools_reaches_a_model_that_calls_them_in_responses_only(
    gateway: Daemon, upstream: OpenAIResponses
) -> None:
    with anthropic.Anthropic(base_url=gateway.url, api_key=CLIENT_KEY, max_retries=0) as client:
        answer = client.messages.create(
            model="gpt-6-astra", max_tokens=999, messages=[user(TWO_CALLS)], tools=[ANTHROPIC_TOOL]
        )
    assert [block.type for block in answer.content] == ["tool_use", "tool_use"]
    assert upstream.last.path == "/v1/responses"
