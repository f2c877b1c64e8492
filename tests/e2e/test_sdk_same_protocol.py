"""Each SDK asks its own vendor's models: the bytes pass through, and nothing is lost on the way."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from pydantic import BaseModel

from tests.e2e.daemon import Daemon
from tests.e2e.samples import ANTHROPIC_TOOL, CLAUDE, GPT, OPENAI_TOOL, PICTURE_URL, PNG, TWO_CALLS, user
from tests.fakes import replies
from tests.fakes.anthropic import Anthropic
from tests.fakes.openai import OpenAI
from tests.fakes.replies import Call, Raw, Redacted, Reply, Text, Thinking, Usage


class City(BaseModel):
    name: str
    people: int


# --- OpenAI ---------------------------------------------------------------------------------------------


def test_openai_whole_and_streamed_text(openai_sdk: openai.OpenAI, openai_upstream: OpenAI) -> None:
    answer = openai_sdk.chat.completions.create(model=GPT, messages=[user("hello")])
    assert answer.choices[0].message.content == "You said: hello"
    assert answer.system_fingerprint == "fp_scripted"
    openai_upstream.script(replies.text("Hel", "lo ", "wörld"))
    chunks = list(openai_sdk.chat.completions.create(model=GPT, messages=[user("hello")], stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "Hello wörld"
    # Usage was asked for in the client's place and is kept from it.
    assert all(c.usage is None and c.choices for c in chunks)
    assert openai_upstream.last.json["stream_options"] == {"include_usage": True}


def test_openai_usage_is_streamed_if_asked_for(openai_sdk: openai.OpenAI, openai_upstream: OpenAI) -> None:
    openai_upstream.script(replies.text("a", usage=Usage(10, cache_read=90, output=8)))
    options: Any = {"include_usage": True}
    chunks = list(
        openai_sdk.chat.completions.create(
            model=GPT, messages=[user("?")], stream=True, stream_options=options
        )
    )
    assert chunks[-1].usage is not None and chunks[-1].usage.prompt_tokens == 100


def test_openai_bytes_pass_unchanged_both_ways(gateway: Daemon, openai_upstream: OpenAI) -> None:
    body = b'{ "messages":[{"content":"h\\u00e9llo \xc3\xa9","role":"user"}],\n "model" : "gpt-4o", "seed":1234567890, "temperature":1.0e0}'
    reply = b'{"id":"chatcmpl-1", "object":"chat.completion","created":1,"model":"gpt-4o","choices":[],  "new_field":{"z":1,"a":1e2}}'
    openai_upstream.script(Raw(reply))
    answer = httpx2.post(
        f"{gateway.url}/v1/chat/completions", content=body, headers={"content-type": "application/json"}
    )
    assert openai_upstream.last.body == body
    assert answer.content == reply


def test_openai_tools_pictures_and_structure(openai_sdk: openai.OpenAI, openai_upstream: OpenAI) -> None:
    messages: list[Any] = [user(TWO_CALLS)]
    first = openai_sdk.chat.completions.create(model=GPT, messages=messages, tools=[OPENAI_TOOL])
    calls = first.choices[0].message.tool_calls or []
    messages.append({"role": "assistant", "tool_calls": [c.model_dump() for c in calls]})
    messages += [{"role": "tool", "tool_call_id": c.id, "content": "warm"} for c in calls]
    last = openai_sdk.chat.completions.create(model=GPT, messages=messages, tools=[OPENAI_TOOL])
    assert last.choices[0].message.content == "The tools said: warm | warm"
    content: list[Any] = [{"type": "image_url", "image_url": {"url": PICTURE_URL, "detail": "low"}}]
    parsed = openai_sdk.chat.completions.parse(model=GPT, messages=[user(content)], response_format=City)
    assert parsed.choices[0].message.parsed == City(name="text", people=1)


def test_openai_interleaved_calls_pass_as_they_are(
    openai_sdk: openai.OpenAI, openai_upstream: OpenAI
) -> None:
    openai_upstream.script(
        Reply((Call("weather", {"city": "Rome"}), Call("weather", {"city": "Oslo"})), interleave=True)
    )
    with openai_sdk.chat.completions.stream(model=GPT, messages=[user("?")], tools=[OPENAI_TOOL]) as stream:
        calls = stream.get_final_completion().choices[0].message.tool_calls or []
    assert [json.loads(c.function.arguments)["city"] for c in calls] == ["Rome", "Oslo"]


def test_openai_unknown_fields_and_headers_pass(gateway: Daemon, openai_upstream: OpenAI) -> None:
    openai_upstream.expect("Unrecognized request argument supplied: brand_new")
    with (
        openai.OpenAI(
            base_url=f"{gateway.url}/v1",
            api_key="x",
            organization="org-mine",
            project="proj-mine",
            max_retries=0,
        ) as client,
        pytest.raises(openai.BadRequestError, match="brand_new") as caught,
    ):
        client.chat.completions.create(model=GPT, messages=[user("?")], extra_body={"brand_new": 1})
    assert caught.value.param is None and caught.value.type == "invalid_request_error"
    sent = openai_upstream.last
    assert sent.header("openai-organization") == "org-mine"
    assert sent.header("openai-project") == "proj-mine"
    assert sent.header("accept-encoding") == "identity"
    assert sent.header("authorization") == f"Bearer {openai_upstream.key}"


# --- Anthropic ------------------------------------------------------------------------------------------


def test_anthropic_whole_and_streamed_text(
    anthropic_sdk: anthropic.Anthropic, anthropic_upstream: Anthropic
) -> None:
    answer = anthropic_sdk.messages.create(
        model=CLAUDE, max_tokens=99, messages=[user("hello")], system="be kind"
    )
    assert answer.content[0].type == "text" and answer.content[0].text == "You said: hello"
    anthropic_upstream.script(replies.text("Hel", "lo ", "wörld", usage=Usage(1, 2, 3, 4, 5)))
    with anthropic_sdk.messages.stream(model=CLAUDE, max_tokens=99, messages=[user("hello")]) as stream:
        assert list(stream.text_stream) == ["Hel", "lo ", "wörld"]
        usage = stream.get_final_message().usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (1, 2, 7)


def test_anthropic_bytes_pass_unchanged_both_ways(gateway: Daemon, anthropic_upstream: Anthropic) -> None:
    body = b'{ "messages":[{"content":"h\\u00e9llo \xc3\xa9","role":"user"}],\n "max_tokens":9, "stream":true, "model" : "claude-sonnet-4-5"}'
    reply = b'event: message_start\ndata: {"type":"message_start",  "message":{"new":1}}\n\nevent: brand_new\ndata: {"type":"brand_new"}\n\n'
    reply += b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    anthropic_upstream.script(Raw(reply, content_type="text/event-stream"))
    answer = httpx2.post(
        f"{gateway.url}/v1/messages",
        content=body,
        headers={"content-type": "application/json", "anthropic-version": "2023-06-01", "x-api-key": "x"},
    )
    assert anthropic_upstream.last.body == body
    assert answer.content == reply


def test_anthropic_signed_thinking_and_tools_make_a_round_trip(
    anthropic_sdk: anthropic.Anthropic, anthropic_upstream: Anthropic
) -> None:
    anthropic_upstream.script(
        Reply((Thinking("Hm."), Redacted(), Text("So."), Call("weather", {"city": "Rome"})))
    )
    common: Any = {
        "model": CLAUDE,
        "max_tokens": 2000,
        "tools": [ANTHROPIC_TOOL],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    }
    with anthropic_sdk.messages.stream(messages=[user("?")], **common) as stream:
        first = stream.get_final_message()
    assert [b.type for b in first.content] == ["thinking", "redacted_thinking", "text", "tool_use"]
    result = {"type": "tool_result", "tool_use_id": first.content[-1].id, "content": "warm"}  # type: ignore[union-attr]
    history: Any = [user("?"), {"role": "assistant", "content": first.content}, user([result])]
    last = anthropic_sdk.messages.create(messages=history, **common)
    assert last.content[-1].type == "text" and last.content[-1].text == "The tools said: warm"


def test_anthropic_pictures_caching_structure_and_betas(
    anthropic_sdk: anthropic.Anthropic, anthropic_upstream: Anthropic
) -> None:
    picture: Any = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    marked: Any = {"type": "text", "text": "?", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    parsed = anthropic_sdk.messages.parse(
        model=CLAUDE,
        max_tokens=99,
        messages=[user([picture, marked])],
        output_format=City,
        extra_headers={"anthropic-beta": "some-beta-2026-01-01"},
    )
    assert parsed.parsed_output == City(name="text", people=1)
    sent = anthropic_upstream.last
    assert sent.header("anthropic-beta") == "some-beta-2026-01-01"
    assert sent.json["messages"][0]["content"][1]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}


def test_anthropic_versions_pass_and_are_added_where_missing(
    gateway: Daemon, anthropic_upstream: Anthropic
) -> None:
    body = {"model": CLAUDE, "max_tokens": 9, "messages": [user("?")]}
    for version in ("2026-10-21", "2023-06-01"):
        httpx2.post(f"{gateway.url}/v1/messages", json=body, headers={"anthropic-version": version})
        assert anthropic_upstream.last.header("anthropic-version") == version
    assert httpx2.post(f"{gateway.url}/v1/messages", json=body).status_code == 200


@pytest.mark.parametrize("prefix", ["", "/anthropic"])
def test_anthropic_tokens_are_counted_by_the_upstream(
    gateway: Daemon, anthropic_upstream: Anthropic, prefix: str
) -> None:
    with anthropic.Anthropic(base_url=f"{gateway.url}{prefix}", api_key="x", max_retries=0) as client:
        counted = client.messages.count_tokens(model=CLAUDE, messages=[user("hello")])
    assert counted.input_tokens > 5
    assert [r.path for r in anthropic_upstream.requests] == ["/v1/messages/count_tokens"]


# --- lists ----------------------------------------------------------------------------------------------


def test_models_are_listed_in_the_clients_form(
    openai_sdk: openai.OpenAI, anthropic_sdk: anthropic.Anthropic
) -> None:
    ids = {m.id for m in openai_sdk.models.list()}
    assert {GPT, CLAUDE, "loopback"} <= ids
    listed = list(anthropic_sdk.models.list(limit=5))
    assert ids == {m.id for m in listed}
    assert all(m.display_name for m in listed)


def test_a_prefix_leads_to_the_same_places(gateway: Daemon, openai_upstream: OpenAI) -> None:
    with openai.OpenAI(base_url=f"{gateway.url}/openai/v1", api_key="x", max_retries=0) as client:
        assert client.chat.completions.create(model=GPT, messages=[user("?")]).object == "chat.completion"
    with anthropic.Anthropic(base_url=f"{gateway.url}/anthropic", api_key="x", max_retries=0) as client_2:
        assert client_2.messages.create(model=GPT, max_tokens=9, messages=[user("?")]).type == "message"
    assert httpx2.head(f"{gateway.url}/").status_code == 200
    assert httpx2.head(f"{gateway.url}/anthropic").status_code == 200
