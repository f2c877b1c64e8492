"""Clients whose protocol has no place for a model's proofs of reasoning, over several turns; and prompt caches."""

from __future__ import annotations

import json
from typing import Any

import openai

from tests.e2e.samples import CLAUDE, OPENAI_TOOL, user
from tests.fakes.anthropic import Anthropic
from tests.fakes.replies import Call, Reply, Text, Thinking


def asked(client: openai.OpenAI, messages: list[Any], *, stream: bool) -> list[Any]:
    """The messages and what was answered, as a client keeps it that knows nothing of reasoning."""
    common: dict[str, Any] = {"model": CLAUDE, "tools": [OPENAI_TOOL], "reasoning_effort": "medium"}
    if not stream:
        said = client.chat.completions.create(messages=messages, **common).choices[0].message
        calls = [call.model_dump(exclude_none=True) for call in said.tool_calls or ()]
        content = said.content
    else:
        calls, content = [], ""
        for chunk in client.chat.completions.create(messages=messages, stream=True, **common):
            delta = chunk.choices[0].delta
            content += delta.content or ""
            for piece in delta.tool_calls or ():
                assert piece.function is not None
                if piece.id:
                    function = {"name": piece.function.name, "arguments": ""}
                    calls.append({"id": piece.id, "type": "function", "function": function})
                calls[-1]["function"]["arguments"] += piece.function.arguments or ""
    answer: dict[str, Any] = {"role": "assistant", "content": content or None}
    if calls:
        answer["tool_calls"] = calls
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "sunny"} for call in calls]
    return [*messages, answer, *results]


def test_claudes_thinking_before_a_call_comes_back_though_the_client_dropped_it(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic
) -> None:
    for stream in (False, True):
        thought = f"I look it up, streamed {stream}."
        anthropic_upstream.script(Reply([Thinking(thought), Call("weather", {"city": "Rome"})]))
        messages = asked(openai_sdk, [user("go")], stream=stream)
        assert "reasoning" not in json.dumps(messages)
        asked(openai_sdk, messages, stream=stream)
        blocks = anthropic_upstream.last.json["messages"][1]["content"]
        assert [block["type"] for block in blocks] == ["thinking", "tool_use"]
        assert blocks[0]["thinking"] == thought  # with its signature, or the fake had refused it


def test_a_session_of_a_hundred_turns_keeps_its_beginning(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic
) -> None:
    messages: list[Any] = [{"role": "system", "content": "You are a careful assistant. " * 200}]
    before = b""
    for number in range(100):
        anthropic_upstream.script(Reply([Text(f"answer {number}")]))
        messages = asked(openai_sdk, [*messages, user(f"question {number}")], stream=bool(number % 2))
        sent = anthropic_upstream.last.json
        assert count_of_breakpoints(sent) <= 4
        assert "cache_control" in sent["system"][-1]
        now = without_breakpoints(sent)
        assert now.startswith(before)
        before = now[: now.rindex(b"]")].rstrip()


def without_breakpoints(sent: dict[str, Any]) -> bytes:
    """What the vendor's cache compares: tools, system, messages, in this order."""
    text = json.dumps([sent.get("tools"), sent.get("system"), sent["messages"]])
    text = text.replace(', "cache_control": {"type": "ephemeral"}', "")
    return text[: text.rindex("]")].encode()


def count_of_breakpoints(sent: dict[str, Any]) -> int:
    return json.dumps(sent).count('"cache_control"')
