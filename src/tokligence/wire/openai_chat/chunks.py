"""OpenAI Chat Completions on the wire: the chunks of a stream.

Decoded leniently, since a stream's loop is hot; what these structs do not declare is found by `strict.unknown_paths`
on the first chunk of each shape. Fields as of openai 3.57 `types/chat/chat_completion_chunk.py` (2026-11), and the
reasoning fields of DeepSeek, vLLM and OpenRouter.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Raw, Struct

from tokligence.wire.openai_chat.types import ABSENT, UsageWire


class FunctionDelta(Struct):
    name: str | None = None
    arguments: str | None = None


class CallDelta(Struct):
    """`index`: which call; some vendors leave it out, or give every call the same."""

    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: FunctionDelta | None = None


class DetailDelta(Struct):
    """A fragment of `reasoning_details`; `type` decides which fields it has."""

    type: str = ""
    text: str | None = None
    summary: str | None = None
    data: str | None = None
    signature: str | None = None
    issuer: str | None = None
    id: str | None = None
    format: str | None = None
    index: int | None = None


class Delta(Struct):
    content: str | None = None
    role: str | None = None
    refusal: str | None = None
    tool_calls: list[CallDelta] | None = None
    function_call: FunctionDelta | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[DetailDelta] | None = None


class ChunkChoice(Struct):
    delta: Delta | None = None
    index: int | None = None
    finish_reason: str | None = None
    logprobs: Raw = ABSENT


class Chunk(Struct):
    choices: list[ChunkChoice] | None = None
    id: str | None = None
    model: str | None = None
    created: float | None = None
    object: str | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    obfuscation: str | None = None
    usage: UsageWire | None = None
    error: Raw = ABSENT


# --- the usual chunk of a text that flows ---------------------------------------------------------------
# Its types let nothing else pass, so that one decoding tells what it is and what it says.


class FlowingDelta(Struct):
    content: str
    refusal: None = None
    tool_calls: None = None
    function_call: None = None
    reasoning_content: None = None
    reasoning: None = None
    reasoning_details: None = None


class FlowingChoice(Struct):
    delta: FlowingDelta
    index: Literal[0] | None = None
    finish_reason: None = None
    logprobs: None = None


class FlowingChunk(Struct):
    choices: tuple[FlowingChoice]
    usage: None = None
    error: None = None
