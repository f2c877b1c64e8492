"""The asynchronous SDKs, many requests at once; and the headers that every answer carries."""

from __future__ import annotations

import asyncio
from typing import Any

import anthropic
import openai
import pytest

from tests.e2e.daemon import Daemon
from tests.e2e.samples import ADAPTIVE_CLAUDE, CLAUDE, GPT, user
from tests.fakes import replies
from tests.fakes.anthropic import Anthropic
from tests.fakes.openai import OpenAI
from tests.fakes.replies import Gate, Usage, Wire


@pytest.mark.parametrize("model", [GPT, CLAUDE])
def test_many_requests_at_once_get_their_own_answers(gateway: Daemon, model: str) -> None:
    async def ask_all() -> tuple[list[str], list[str]]:
        async with (
            openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="x", max_retries=0) as ours,
            anthropic.AsyncAnthropic(base_url=gateway.url, api_key="x", max_retries=0) as theirs,
        ):

            async def by_openai(number: int) -> str:
                stream = await ours.chat.completions.create(
                    model=model, messages=[user(str(number))], stream=True
                )
                return "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])

            async def by_anthropic(number: int) -> str:
                async with theirs.messages.stream(
                    model=model, max_tokens=99, messages=[user(str(number))]
                ) as stream:
                    return await stream.get_final_text()

            asks = [by_openai(i) for i in range(20)], [by_anthropic(i) for i in range(20)]
            return await asyncio.gather(*asks[0]), await asyncio.gather(*asks[1])

    expected = [f"You said: {i}" for i in range(20)]
    assert asyncio.run(ask_all()) == (expected, expected)


def test_cancelling_a_task_closes_the_upstreams_connection(
    gateway: Daemon, anthropic_upstream: Anthropic
) -> None:
    gate = Gate()
    anthropic_upstream.script(replies.text("a", "b", wire=Wire(gates={4: gate})))

    async def start_and_cancel() -> None:
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="x", max_retries=0) as client:
            begun = asyncio.Event()

            async def read() -> None:
                stream = await client.chat.completions.create(model=CLAUDE, messages=[user("?")], stream=True)
                async for chunk in stream:
                    if chunk.choices and chunk.choices[0].delta.content:
                        begun.set()

            reading = asyncio.ensure_future(read())
            await begun.wait()
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading

    asyncio.run(start_and_cancel())
    assert anthropic_upstream.last.disconnected.wait(20)


def _headers_of(gateway: Daemon, protocol: str, model: str, *, stream: bool, **more: Any) -> Any:
    if protocol == "openai":
        with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="x", max_retries=0) as client:
            raw: Any = client.chat.completions.with_raw_response.create(
                model=model,
                messages=[user("?")],
                stream=stream,
                **more,
            )
            raw.http_response.read()
            return raw.headers
    with anthropic.Anthropic(base_url=gateway.url, api_key="x", max_retries=0) as other:
        raw = other.messages.with_raw_response.create(
            model=model, max_tokens=99, messages=[user("?")], stream=stream, **more
        )
        raw.http_response.read()
        return raw.headers


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("protocol", "model", "route"),
    [
        ("openai", GPT, f"openai/{GPT}"),
        ("openai", CLAUDE, f"anthropic/{CLAUDE}"),
        ("anthropic", GPT, f"openai/{GPT}"),
        ("anthropic", CLAUDE, f"anthropic/{CLAUDE}"),
    ],
)
def test_every_answer_says_its_request_route_and_overhead(
    gateway: Daemon, protocol: str, model: str, route: str, stream: bool
) -> None:
    headers = _headers_of(gateway, protocol, model, stream=stream)
    assert headers["x-tokligence-request-id"]
    assert headers["x-tokligence-route"] == route
    assert int(headers["x-tokligence-overhead-us"]) > 0
    assert ("x-tokligence-cost-usd" in headers) is not stream
    own = headers["x-request-id" if protocol == "openai" else "request-id"]
    same_protocol = route.startswith(protocol)
    assert (own == headers["x-tokligence-request-id"]) is not same_protocol
    assert ("x-tokligence-upstream-request-id" in headers) is not same_protocol
    assert headers["content-type"].startswith("text/event-stream" if stream else "application/json")


def test_rate_limits_of_the_upstream_are_shown(gateway: Daemon) -> None:
    assert _headers_of(gateway, "openai", GPT, stream=False)["x-ratelimit-remaining-requests"] == "9999"
    headers = _headers_of(gateway, "anthropic", CLAUDE, stream=True)
    assert headers["anthropic-ratelimit-requests-remaining"] == "3999"


def test_losses_of_a_request_are_listed(gateway: Daemon) -> None:
    headers = _headers_of(
        gateway, "openai", ADAPTIVE_CLAUDE, stream=True, temperature=0.5, logit_bias={"5": 1}
    )
    assert set(headers["x-tokligence-loss"].split(",")) == {
        "temperature;model_capability",
        "logit_bias;unsupported",
    }
    assert "x-tokligence-loss" not in _headers_of(gateway, "openai", GPT, stream=False, temperature=0.5)


def test_the_cost_is_that_of_the_tokens(gateway: Daemon, openai_upstream: OpenAI) -> None:
    openai_upstream.script(replies.text("a", usage=Usage(1_000_000, output=0)))
    assert float(_headers_of(gateway, "openai", GPT, stream=False)["x-tokligence-cost-usd"]) == 2.5
