"""The Gemini API on the wire, as read.

Source: google-genai 3.6.1 `types.py` and `models.py` (read 2026-11-24); names as there. What the conversation has no
word for is `Raw`, so that it goes back as it came; `ABSENT` means the field was not sent. Google's parsers take each
field in camel case and in snake case, and one value where a list is meant; so do these. Requests and answers are strict
(`Wire`: unknown fields end in `extras`); chunks of streams are lenient and checked apart.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct

from tokligence.wire.strict import Wire

ABSENT: Final = Raw(b"")
NULL: Final = Raw(b"null")

Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Int32: TypeAlias = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Tokens: TypeAlias = Annotated[int, Meta(ge=-(2**53), le=2**53)]
"""Counted by an upstream: sums of these stay within 64 bits."""


class Proto(Wire, rename="camel"):
    both_names: ClassVar[bool] = True


def sent(value: Raw) -> bool:
    return value is not ABSENT and value != NULL


# --- contents -------------------------------------------------------------------------------------------


class BlobWire(Proto):
    data: str
    mime_type: str = ""
    display_name: str | None = None


class FileDataWire(Proto):
    file_uri: str
    mime_type: str = ""
    display_name: str | None = None


class FunctionCallWire(Proto):
    """`partial_args`, `will_continue`: of streams that were asked for arguments in pieces (Vertex only)."""

    name: str
    args: Raw = ABSENT
    id: str | None = None
    partial_args: Raw = ABSENT
    will_continue: Raw = ABSENT


class MediaWire(Proto):
    """A part of a function's response."""

    inline_data: BlobWire | None = None
    file_data: FileDataWire | None = None


class FunctionResponseWire(Proto):
    name: str
    response: Raw = ABSENT
    id: str | None = None
    parts: list[MediaWire] | None = None
    scheduling: Raw = ABSENT
    will_continue: Raw = ABSENT


class PartWire(Proto):
    """One kind of data, and what may stand beside it."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    inline_data: BlobWire | None = None
    file_data: FileDataWire | None = None
    function_call: FunctionCallWire | None = None
    function_response: FunctionResponseWire | None = None
    executable_code: Raw = ABSENT
    code_execution_result: Raw = ABSENT
    tool_call: Raw = ABSENT
    tool_response: Raw = ABSENT


class ContentWire(Proto):
    parts: list[PartWire] | PartWire | None = None
    role: str | None = None


# --- request --------------------------------------------------------------------------------------------


class ThinkingConfigWire(Proto):
    include_thoughts: bool | None = None
    thinking_budget: Int32 | None = None
    thinking_level: str | None = None


class GenerationConfigWire(Proto):
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    candidate_count: Count | None = None
    max_output_tokens: Count | None = None
    stop_sequences: list[str] | None = None
    seed: Int32 | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_logprobs: bool | None = None
    logprobs: Count | None = None
    response_mime_type: str | None = None
    response_schema: Raw = ABSENT
    response_json_schema: Raw = ABSENT
    thinking_config: ThinkingConfigWire | None = None


class FunctionDeclarationWire(Proto):
    name: str
    description: str | None = None
    parameters: Raw = ABSENT
    parameters_json_schema: Raw = ABSENT
    response: Raw = ABSENT
    response_json_schema: Raw = ABSENT
    behavior: Raw = ABSENT


class ToolWire(Proto):
    """Its other fields are tools that the vendor runs; they are `extras`."""

    function_declarations: list[FunctionDeclarationWire] | FunctionDeclarationWire | None = None


class FunctionCallingConfigWire(Proto):
    mode: str | None = None
    allowed_function_names: list[str] | None = None


class ToolConfigWire(Proto):
    function_calling_config: FunctionCallingConfigWire | None = None


class RequestWire(Proto):
    """`model`: repeats the model of the path ("models/NAME")."""

    contents: list[ContentWire] | ContentWire
    system_instruction: ContentWire | None = None
    tools: list[ToolWire] | ToolWire | None = None
    tool_config: ToolConfigWire | None = None
    generation_config: GenerationConfigWire | None = None
    service_tier: str | None = None
    model: str | None = None
    # Known, but no other protocol has them: they become extras.
    safety_settings: Raw = ABSENT
    cached_content: Raw = ABSENT
    labels: Raw = ABSENT
    store: Raw = ABSENT


class PeekConfigWire(Struct):
    camel: int | None = msgspec.field(default=None, name="maxOutputTokens")
    snake: int | None = msgspec.field(default=None, name="max_output_tokens")


class PeekWire(Struct):
    camel: PeekConfigWire | None = msgspec.field(default=None, name="generationConfig")
    snake: PeekConfigWire | None = msgspec.field(default=None, name="generation_config")


# --- answer ---------------------------------------------------------------------------------------------


class ModalityTokensWire(Struct, rename="camel"):
    modality: str | None = None
    token_count: Tokens | None = None


class UsageWire(Struct, rename="camel"):
    """Lenient, for it must never make an answer unreadable."""

    prompt_token_count: Tokens | None = None
    cached_content_token_count: Tokens | None = None
    candidates_token_count: Tokens | None = None
    thoughts_token_count: Tokens | None = None
    tool_use_prompt_token_count: Tokens | None = None
    prompt_tokens_details: list[ModalityTokensWire] | None = None
    candidates_tokens_details: list[ModalityTokensWire] | None = None
    # Sums, and parts that the others hold.
    total_token_count: Raw = ABSENT
    cache_tokens_details: Raw = ABSENT
    tool_use_prompt_tokens_details: Raw = ABSENT
    traffic_type: Raw = ABSENT


class CandidateWire(Proto):
    content: ContentWire | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    index: Raw = ABSENT
    token_count: Raw = ABSENT
    avg_logprobs: Raw = ABSENT
    citation_metadata: Raw = ABSENT
    continuation_token: Raw = ABSENT
    grounding_metadata: Raw = ABSENT
    logprobs_result: Raw = ABSENT
    safety_ratings: Raw = ABSENT
    url_context_metadata: Raw = ABSENT


class PromptFeedbackWire(Proto):
    block_reason: str | None = None
    block_reason_message: str | None = None
    safety_ratings: Raw = ABSENT


class ResponseWire(Proto):
    candidates: list[CandidateWire] | None = None
    prompt_feedback: PromptFeedbackWire | None = None
    usage_metadata: UsageWire | None = None
    model_version: str | None = None
    response_id: str | None = None
    create_time: Raw = ABSENT
    model_status: Raw = ABSENT


class MeterWire(Struct, rename="camel"):
    """What metering needs of a whole answer or of a chunk."""

    candidates: Raw = ABSENT
    prompt_feedback: Raw = ABSENT
    usage_metadata: UsageWire | None = None
    model_version: str | None = None


# --- chunks of a stream ---------------------------------------------------------------------------------


class CallChunk(Struct, rename="camel"):
    name: str
    args: Raw = ABSENT
    id: str | None = None
    partial_args: Raw = ABSENT
    will_continue: Raw = ABSENT


class PartChunk(Struct, rename="camel"):
    """The usual kinds; others are read again, as those of a whole answer."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: CallChunk | None = None


class ContentChunk(Struct):
    parts: list[PartChunk] | None = None


class CandidateChunk(Struct, rename="camel"):
    content: ContentChunk | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    index: int = 0
    avg_logprobs: Raw = ABSENT
    citation_metadata: Raw = ABSENT
    continuation_token: Raw = ABSENT
    grounding_metadata: Raw = ABSENT
    logprobs_result: Raw = ABSENT
    safety_ratings: Raw = ABSENT
    url_context_metadata: Raw = ABSENT


class PromptFeedbackChunk(Struct, rename="camel"):
    block_reason: str | None = None
    block_reason_message: str | None = None
    safety_ratings: Raw = ABSENT


class Chunk(Struct, rename="camel"):
    candidates: list[CandidateChunk] | None = None
    prompt_feedback: PromptFeedbackChunk | None = None
    usage_metadata: UsageWire | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: Raw = ABSENT


class RawContent(Struct):
    parts: list[Raw]


class RawCandidate(Struct):
    content: RawContent


class RawChunk(Struct):
    """A chunk whose parts stay as they are."""

    candidates: list[RawCandidate]
