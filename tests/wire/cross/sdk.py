"""What the vendors' own SDKs make of our bytes: whole answers and streams, read by their clients over a transport in
memory, streams put together by their accumulators."""

from __future__ import annotations

import json
from typing import Any, cast

import anthropic
import httpx2
import openai
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from google import genai
from google.genai import types as google
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.wire.cross.harness import CHAT, GEMINI, Json
from tokligence.conversation import ProtocolId


def whole(protocol: ProtocolId, body: bytes) -> Json:
    """A whole answer as the SDK reads it, back as JSON. Every field is of the type that the vendor declares."""
    if protocol is CHAT:
        return ChatCompletion.model_validate_json(body, strict=True).to_dict()
    if protocol is GEMINI:
        return _gemini(google.GenerateContentResponse.model_validate_json(body))
    return anthropic.types.Message.model_validate_json(body, strict=True).to_dict()


def streamed(protocol: ProtocolId, body: bytes) -> Json:
    """The answer that the SDK's accumulator makes of a stream. Raises what the SDK raises."""
    if protocol is GEMINI:
        return _gemini_stream(body)
    return _chat_stream(body) if protocol is CHAT else _messages_stream(body)


def _answering(body: bytes) -> httpx2.Client:
    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)

    return httpx2.Client(transport=httpx2.MockTransport(answer))


def _chat_stream(body: bytes) -> Json:
    state: Any = ChatCompletionStreamState()
    with openai.OpenAI(api_key="x", http_client=_answering(body), max_retries=0) as client:
        chunks = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "?"}], stream=True
        )
        for chunk in chunks:
            ChatCompletionChunk.model_validate_json(chunk.to_json(), strict=True)
            state.handle_chunk(chunk)
    return cast("Json", state.current_completion_snapshot.to_dict())


def _messages_stream(body: bytes) -> Json:
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    with anthropic.Anthropic(api_key="x", http_client=_answering(body), max_retries=0) as client:
        events = client.messages.create(
            model="m", max_tokens=9, messages=[{"role": "user", "content": "?"}], stream=True
        )
        event: RawMessageStreamEvent
        for event in events:
            type(event).model_validate_json(event.to_json(), strict=True)
            snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    return cast("Json", json.loads(snapshot.to_json()))


def _gemini(answer: google.GenerateContentResponse) -> Json:
    found = answer.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {name: value for name, value in found.items() if name != "sdkHttpResponse"}


def _gemini_stream(body: bytes) -> Json:
    """The SDK leaves it to its user to put chunks together: texts of one kind are joined, what stands beside the content
    is the last that came."""

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)

    whole: Json = {}
    parts: list[Json] = []
    options = google.HttpOptions(client_args={"transport": httpx2.MockTransport(answer)})
    with genai.Client(api_key="x", http_options=options) as client:
        for chunk in client.models.generate_content_stream(model="m", contents="?"):
            found = _gemini(chunk)
            candidate = found["candidates"][0]
            for part in candidate.pop("content")["parts"]:
                last = parts[-1] if parts else {}
                joins = "text" in part and "text" in last and "thoughtSignature" not in last
                if joins and part.get("thought") == last.get("thought"):
                    last.update(part | {"text": last["text"] + part["text"]})
                elif part != {"text": ""}:
                    parts.append(part)
            whole |= found
    whole["candidates"][0]["content"] = {"parts": parts or [{"text": ""}], "role": "model"}
    return whole
