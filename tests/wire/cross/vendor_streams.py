"""A vendor's whole answer as the same vendor streams it, written after the vendors' documents and independently of
the gateway's writers (platform.claude.com/docs/en/build-with-claude/streaming; openai 3.57
`types/chat/chat_completion_chunk.py`; ai.google.dev/api/generate-content; all read 2026-11-24)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.wire.cross.harness import CHAT, GEMINI, Json
from tokligence.conversation import ProtocolId


def stream_of(protocol: ProtocolId, answer: Json, *, size: int = 3) -> list[bytes]:
    """`size`: characters of a fragment."""
    if protocol is GEMINI:
        return list(_gemini(answer, size))
    return list(_chat(answer, size) if protocol is CHAT else _messages(answer, size))


def pieces(text: str, size: int) -> list[str]:
    return re.findall(f".{{1,{size}}}", text, re.DOTALL)


# --- Chat -----------------------------------------------------------------------------------------------


def _chat(answer: Json, size: int) -> Iterator[bytes]:
    choice = answer["choices"][0]
    message = choice["message"]
    head = {
        key: answer[key]
        for key in ("id", "created", "model", "service_tier", "system_fingerprint")
        if key in answer
    }
    head["object"] = "chat.completion.chunk"

    def chunk(delta: Json, finish: str | None = None) -> bytes:
        choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
        return _data({**head, "choices": choices, "usage": None})

    yield chunk({"role": "assistant", "content": "", "refusal": None})
    yield from map(chunk, _chat_reasoning(message, size))
    for field in ("content", "refusal"):
        for piece in pieces(message.get(field) or "", size):
            yield chunk({field: piece})
    for index, call in enumerate(message.get("tool_calls") or ()):
        function = {"name": call["function"]["name"], "arguments": ""}
        yield chunk(
            {"tool_calls": [{"index": index, "id": call["id"], "type": "function", "function": function}]}
        )
        for piece in pieces(call["function"]["arguments"], size):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    if "function_call" in message:
        yield chunk({"function_call": {"name": message["function_call"]["name"], "arguments": ""}})
        for piece in pieces(message["function_call"]["arguments"], size):
            yield chunk({"function_call": {"arguments": piece}})
    yield chunk({}, choice["finish_reason"])
    if "usage" in answer:
        yield _data({**head, "choices": [], "usage": answer["usage"]})
    yield b"data: [DONE]\n\n"


def _chat_reasoning(message: Json, size: int) -> Iterator[Json]:
    for index, detail in enumerate(message.get("reasoning_details") or ()):
        rest = {key: value for key, value in detail.items() if key not in ("text", "summary", "signature")}
        for field in ("text", "summary"):
            for piece in pieces(detail.get(field) or "", size):
                yield {"reasoning_details": [{**rest, "index": index, field: piece}]}
        if "signature" in detail:
            yield {"reasoning_details": [{**rest, "index": index, "signature": detail["signature"]}]}
        elif not detail.get("text") and not detail.get("summary"):
            yield {"reasoning_details": [{**rest, "index": index}]}
    if not message.get("reasoning_details"):
        for field in ("reasoning_content", "reasoning"):
            for piece in pieces(message.get(field) or "", size):
                yield {field: piece}


def _data(value: Json) -> bytes:
    return b"data: %s\n\n" % json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


# --- Messages -------------------------------------------------------------------------------------------


def _messages(answer: Json, size: int) -> Iterator[bytes]:
    usage = answer["usage"]
    ends = ("content", "stop_reason", "stop_sequence", "stop_details")
    start = {key: value for key, value in answer.items() if key not in ends}
    counted = ("output_tokens_details", "server_tool_use")
    first = {key: value for key, value in usage.items() if key not in counted} | {"output_tokens": 1}
    start |= {"content": [], "stop_reason": None, "stop_sequence": None, "usage": first}
    yield _event("message_start", message=start)
    yield _event("ping")
    for index, block in enumerate(answer["content"]):
        head, deltas = _block(block, size)
        yield _event("content_block_start", index=index, content_block=head)
        for delta in deltas:
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    delta = {key: answer.get(key) for key in ends[1:] if key in answer}
    last = {key: value for key, value in usage.items() if key not in ("cache_creation", "service_tier")}
    yield _event("message_delta", delta=delta, usage=last)
    yield _event("message_stop")


def _block(block: Json, size: int) -> tuple[Json, list[Json]]:
    kind = block["type"]
    if kind == "text":
        head = {key: value for key, value in block.items() if key != "citations"} | {"text": ""}
        deltas: list[Any] = [
            {"type": "citations_delta", "citation": each} for each in block.get("citations") or ()
        ]
        return head, [
            *({"type": "text_delta", "text": piece} for piece in pieces(block["text"], size)),
            *deltas,
        ]
    if kind == "thinking":
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"], size)]
        signed = {"type": "signature_delta", "signature": block["signature"]}
        return {"type": "thinking", "thinking": "", "signature": ""}, [*deltas, signed]
    if kind in ("tool_use", "server_tool_use"):
        whole = (
            json.dumps(block["input"], ensure_ascii=False, separators=(",", ":")) if block["input"] else ""
        )
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces(whole, size))]
        return {**block, "input": {}}, deltas
    return block, []


def _event(kind: str, **fields: Any) -> bytes:
    body = json.dumps({"type": kind, **fields}, ensure_ascii=False, separators=(",", ":"))
    return f"event: {kind}\ndata: {body}\n\n".encode()


# --- Gemini ---------------------------------------------------------------------------------------------


def _gemini(answer: Json, size: int) -> Iterator[bytes]:
    """Each chunk has a fragment; the last one what the answer says beside its content, and the whole usage."""
    head = {key: answer[key] for key in ("modelVersion", "responseId") if key in answer}
    candidates = answer.get("candidates") or []
    last = {key: value for key, value in answer.items() if key not in ("candidates", "usageMetadata")}
    if "usageMetadata" in answer:
        last["usageMetadata"] = answer["usageMetadata"]
        head["usageMetadata"] = {"promptTokenCount": answer["usageMetadata"].get("promptTokenCount", 0)}
    if not candidates:
        yield _crlf(last)
        return
    first, *others = candidates
    for part in first.get("content", {}).get("parts", ()):
        for piece in _fragments(part, size):
            yield _crlf(
                {"candidates": [{"content": {"parts": [piece], "role": "model"}, "index": 0}], **head}
            )
    ending = {key: value for key, value in first.items() if key != "content"}
    content = {"content": {"parts": [{"text": ""}], "role": "model"}}
    yield _crlf({"candidates": [content | ending, *others], **last})


def _fragments(part: Json, size: int) -> Iterator[Json]:
    if not part.get("text"):
        yield part
        return
    rest = {key: value for key, value in part.items() if key not in ("text", "thoughtSignature")}
    yield from ({**rest, "text": piece} for piece in pieces(part["text"], size))
    if "thoughtSignature" in part:
        thought = {"thought": True} if part.get("thought") else {}
        yield {**thought, "text": "", "thoughtSignature": part["thoughtSignature"]}


def _crlf(value: Json) -> bytes:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return f"data: {body}\r\n\r\n".encode()
