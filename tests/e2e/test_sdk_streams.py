"""Streams that end badly, wait, or are left: what the client sees, and what the upstream sees of the client."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from tests.e2e.daemon import Daemon
from tests.e2e.samples import ANTHROPIC_TOOL, CLAUDE, GPT, OPENAI_TOOL, user
from tests.fakes import replies
from tests.fakes.anthropic import Anthropic
from tests.fakes.openai import OpenAI
from tests.fakes.replies import Call, Failure, Gate, Reply, Text, Wire
from tests.fakes.scripted import ScriptedUpstream

PAIRS = [("openai", GPT), ("openai", CLAUDE), ("anthropic", GPT), ("anthropic", CLAUDE)]
"""The client's protocol and the model: all four directions."""


class Client:
    """Either SDK, asking for a stream of text."""

    def __init__(self, gateway: Daemon, protocol: str, model: str) -> None:
        self._model = model
        self.error: type[Exception]
        self._sdk: Any
        if protocol == "openai":
            self._sdk = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="x", max_retries=0, timeout=30)
            self.error = openai.APIError
        else:
            self._sdk = anthropic.Anthropic(base_url=gateway.url, api_key="x", max_retries=0, timeout=30)
            self.error = anthropic.APIError

    def stream(self) -> Any:
        if isinstance(self._sdk, openai.OpenAI):
            return self._sdk.chat.completions.create(model=self._model, messages=[user("?")], stream=True)
        return self._sdk.messages.create(model=self._model, max_tokens=99, messages=[user("?")], stream=True)

    def text_of(self, event: Any) -> str:
        if isinstance(self._sdk, openai.OpenAI):
            return (event.choices[0].delta.content or "") if event.choices else ""
        return getattr(getattr(event, "delta", None), "text", "")

    def finished(self, event: Any) -> bool:
        if isinstance(self._sdk, openai.OpenAI):
            return any(c.finish_reason for c in event.choices)
        return event.type in ("message_delta", "message_stop")

    def close(self) -> None:
        self._sdk.close()


def _opening(upstream: ScriptedUpstream) -> int:
    """How many frames of a text stream precede its first content."""
    return 3 if isinstance(upstream, Anthropic) else 1


@pytest.fixture(params=PAIRS, ids=[f"{p}-{m}" for p, m in PAIRS])
def direction(request: pytest.FixtureRequest, gateway: Daemon) -> Any:
    """A client and the upstream that it will reach."""
    protocol, model = request.param
    client = Client(gateway, protocol, model)
    upstream = request.getfixturevalue("openai_upstream" if model == GPT else "anthropic_upstream")
    yield client, upstream
    client.close()


def test_each_piece_leaves_before_the_next_arrives(direction: tuple[Client, ScriptedUpstream]) -> None:
    client, upstream = direction
    opening = _opening(upstream)
    gates = {opening + 1: Gate(), opening + 2: Gate()}
    upstream.script(replies.text("one ", "two ", "three", wire=Wire(gates=gates)))
    pieces = (text for event in client.stream() if (text := client.text_of(event)))
    assert next(pieces) == "one "
    gates[opening + 1].open()
    assert next(pieces) == "two "
    gates[opening + 2].open()
    assert list(pieces) == ["three"]


def test_an_error_event_of_the_upstream_ends_the_stream_as_an_error(
    direction: tuple[Client, ScriptedUpstream],
) -> None:
    client, upstream = direction
    failure = Failure(529, "Overloaded, sorry")
    upstream.script(replies.text("one ", "two", failure=failure, failure_after=_opening(upstream) + 1))
    seen: list[Any] = []
    with pytest.raises(client.error, match="Overloaded, sorry"):
        seen.extend(client.stream())
    assert "".join(map(client.text_of, seen)) == "one "
    assert not any(map(client.finished, seen))


def test_an_error_event_before_any_content_is_an_error_with_a_status(
    direction: tuple[Client, ScriptedUpstream],
) -> None:
    client, upstream = direction
    upstream.script(replies.text("one", failure=Failure(529, "Overloaded, sorry"), failure_after=1))
    with pytest.raises(client.error, match="Overloaded, sorry"):
        list(client.stream())


@pytest.mark.parametrize("how", ["cut_frame", "reset_frame", "end"])
def test_a_stream_that_ends_too_early_is_an_error_and_never_finished(
    direction: tuple[Client, ScriptedUpstream], how: str
) -> None:
    client, upstream = direction
    gate = Gate()
    at = _opening(upstream) + 1
    if how == "end":
        # The framing is complete, but the vendor's terminal event never came.
        reply = replies.text("one ", "two", mangle=lambda frames: frames[:at], wire=Wire(gates={at: gate}))
    else:
        end: Any = {how: at}
        reply = replies.text("one ", "two", wire=Wire(gates={at: gate}, **end))
    upstream.script(reply)
    seen: list[Any] = []
    with pytest.raises(client.error):
        for event in client.stream():
            seen.append(event)
            if client.text_of(event):
                gate.open()
    assert "".join(map(client.text_of, seen)) == "one "
    assert not any(map(client.finished, seen))


@pytest.mark.parametrize("keep", [1, 30, -2, -1])
def test_a_stream_that_ends_within_an_event_is_an_error(
    direction: tuple[Client, ScriptedUpstream], keep: int
) -> None:
    client, upstream = direction
    at = _opening(upstream) + 1
    upstream.script(
        replies.text("one ", "two ", "three", mangle=lambda frames: [*frames[:at], frames[at][:keep]])
    )
    seen: list[Any] = []
    with pytest.raises(client.error):
        seen.extend(client.stream())
    assert not any(map(client.finished, seen))


def test_a_malformed_event_is_a_visible_failure(direction: tuple[Client, ScriptedUpstream]) -> None:
    client, upstream = direction
    middle = _opening(upstream) + 1

    def broken(frames: list[bytes]) -> list[bytes]:
        name = frames[middle].split(b"data:")[0]
        return [*frames[:middle], name + b"data: {broken\n\n", *frames[middle:]]

    upstream.script(replies.text("one ", "two ", "three", mangle=broken))
    with pytest.raises((client.error, json.JSONDecodeError)):
        list(client.stream())


@pytest.mark.parametrize("split", [1, 7, 1000])
def test_bytes_split_anywhere_make_the_same_stream(
    direction: tuple[Client, ScriptedUpstream], split: int
) -> None:
    client, upstream = direction
    upstream.script(replies.text("héé ", "你好 ", "😀", wire=Wire(split=split)))
    assert "".join(map(client.text_of, client.stream())) == "héé 你好 😀"


def test_a_client_that_closes_its_stream_closes_the_upstreams(
    direction: tuple[Client, ScriptedUpstream],
) -> None:
    client, upstream = direction
    gate = Gate()
    opening = _opening(upstream)
    upstream.script(replies.text("one ", "two", wire=Wire(gates={opening + 1: gate})))
    stream = client.stream()
    assert next(text for event in stream if (text := client.text_of(event))) == "one "
    gate.wait()
    stream.close()
    assert upstream.last.disconnected.wait(20)
    assert not upstream.last.finished.is_set()


def test_a_client_that_leaves_before_the_answer_closes_the_upstreams(
    gateway: Daemon, openai_upstream: OpenAI, anthropic_upstream: Anthropic
) -> None:
    for upstream, model in ((openai_upstream, GPT), (anthropic_upstream, CLAUDE)):
        gate = Gate()
        upstream.script(replies.text("a", wire=Wire(hold=gate)))
        client = httpx2.Client()
        body = {"model": model, "messages": [user("?")]}
        with pytest.raises(httpx2.ReadTimeout):
            client.post(f"{gateway.url}/v1/chat/completions", json=body, timeout=0.3)
        client.close()
        gate.wait()
        assert upstream.last.disconnected.wait(20)


def test_pings_of_the_upstream_do_no_harm(openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic) -> None:
    anthropic_upstream.script(replies.text("one ", "two", pings=range(1, 8)))
    chunks = openai_sdk.chat.completions.create(model=CLAUDE, messages=[user("?")], stream=True)
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "one two"


def test_an_error_within_a_call_leaves_no_finished_call(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic
) -> None:
    call = Call("weather", '{"city": "Rome"}', chunks=['{"city"', ': "Rome"}'])
    anthropic_upstream.script(Reply((Text("So."), call), failure=Failure(529), failure_after=9))
    seen: list[Any] = []
    with pytest.raises(openai.APIError):
        seen.extend(
            openai_sdk.chat.completions.create(
                model=CLAUDE, messages=[user("?")], tools=[OPENAI_TOOL], stream=True
            )
        )
    assert not any(c.finish_reason for chunk in seen for c in chunk.choices)


def test_an_error_within_interleaved_calls_is_shown(
    anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI
) -> None:
    parts = (Call("weather", {"city": "Rome"}), Call("weather", {"city": "Oslo"}))
    openai_upstream.script(Reply(parts, interleave=True, failure=Failure(500, "boom"), failure_after=5))
    with (
        pytest.raises(anthropic.APIError, match="boom"),
        anthropic_sdk.messages.stream(
            model=GPT, max_tokens=99, messages=[user("?")], tools=[ANTHROPIC_TOOL]
        ) as stream,
    ):
        stream.get_final_message()
