"""OpenAI Responses on the wire: requests, items and whole answers.

Fields as of the vendor's SDK of 2026-11 (openai 3.57, `types/responses`), those that Codex sends beyond them
(openai/codex `codex-rs/codex-api/src/common.rs`, read 2026-11-24), and the penalties of the OpenResponses
specification. Items, tools and content that no other protocol has stay raw. Fields of type `Raw` are kept as they
are; an absent one is empty.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct

from tokligence.wire.strict import OpaqueWire, Wire

Int64: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Count: TypeAlias = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Tokens: TypeAlias = Annotated[int, Meta(ge=-(2**53), le=2**53)]
"""Counted by an upstream: sums of these stay within 64 bits."""

ABSENT = Raw(b"")


# --- content parts --------------------------------------------------------------------------------------


class CacheBreakpoint(Wire, kw_only=True):
    """`ttl`: "30m" or "12h"."""

    mode: str = "explicit"
    ttl: str | None = None


class MarkablePart(Wire, kw_only=True):
    prompt_cache_breakpoint: CacheBreakpoint | None = None


class InputText(MarkablePart, tag_field="type", tag="input_text", kw_only=True):
    text: str


class InputImage(MarkablePart, tag_field="type", tag="input_image", kw_only=True):
    detail: str | None = None
    file_id: str | None = None
    image_url: str | None = None


class InputFile(MarkablePart, tag_field="type", tag="input_file", kw_only=True):
    detail: str | None = None
    file_data: str | None = None
    file_id: str | None = None
    file_url: str | None = None
    filename: str | None = None


class AudioData(Wire, kw_only=True):
    data: str
    format: str


class InputAudio(Wire, tag_field="type", tag="input_audio", kw_only=True):
    input_audio: AudioData


class OutputText(Wire, tag_field="type", tag="output_text", kw_only=True):
    text: str
    annotations: Raw = ABSENT
    logprobs: Raw = ABSENT


class RefusalPart(Wire, tag_field="type", tag="refusal", kw_only=True):
    refusal: str


ContentPart: TypeAlias = (
    InputText | InputImage | InputFile | InputAudio | OutputText | RefusalPart | OpaqueWire
)
Content: TypeAlias = str | list[ContentPart]


# --- items ----------------------------------------------------------------------------------------------


class MessageItem(Wire, tag_field="type", tag="message", kw_only=True):
    """`phase` says of an assistant's message whether it is the answer or said on the way to it."""

    role: Literal["user", "assistant", "system", "developer"]
    content: Content
    id: str | None = None
    phase: str | None = None
    status: str | None = None


class SummaryText(Wire, kw_only=True):
    text: str
    type: str = "summary_text"


class ReasoningText(Wire, kw_only=True):
    text: str
    type: str = "reasoning_text"


class ReasoningItem(Wire, tag_field="type", tag="reasoning", kw_only=True):
    """`content`: the reasoning itself, of models that show it."""

    id: str | None = None
    summary: list[SummaryText] | None = None
    content: list[ReasoningText] | None = None
    encrypted_content: str | None = None
    status: str | None = None


class FunctionCall(Wire, tag_field="type", tag="function_call", kw_only=True):
    name: str
    arguments: str = ""
    call_id: str | None = None
    id: str | None = None
    namespace: str | None = None
    status: str | None = None
    async_: Raw = msgspec.field(default=ABSENT, name="async")
    caller: Raw = ABSENT


class CustomCall(Wire, tag_field="type", tag="custom_tool_call", kw_only=True):
    name: str
    input: str = ""
    call_id: str | None = None
    id: str | None = None
    namespace: str | None = None
    status: str | None = None
    async_: Raw = msgspec.field(default=ABSENT, name="async")
    caller: Raw = ABSENT


class FunctionCallOutput(Wire, tag_field="type", tag="function_call_output", kw_only=True):
    output: Content
    call_id: str | None = None
    id: str | None = None
    name: str | None = None
    namespace: str | None = None
    status: str | None = None
    caller: Raw = ABSENT


class CustomCallOutput(Wire, tag_field="type", tag="custom_tool_call_output", kw_only=True):
    output: Content
    call_id: str | None = None
    id: str | None = None
    name: str | None = None
    namespace: str | None = None
    status: str | None = None
    caller: Raw = ABSENT


class AdditionalTools(Wire, tag_field="type", tag="additional_tools", kw_only=True):
    """Tools that are offered from here on."""

    tools: list[Raw]
    role: str | None = None
    id: str | None = None


Item: TypeAlias = (
    MessageItem
    | ReasoningItem
    | FunctionCall
    | CustomCall
    | FunctionCallOutput
    | CustomCallOutput
    | AdditionalTools
)
"""The items that other protocols have a word for."""


class Head(Struct):
    """What an object claims to be."""

    type: str | None = None
    role: str | None = None
    id: str | None = None


class ToolHolder(Struct):
    """An item that holds tools among other things."""

    tools: list[Raw] = []


# --- tools ----------------------------------------------------------------------------------------------


class FunctionTool(Wire, tag_field="type", tag="function", kw_only=True):
    name: str
    description: str | None = None
    parameters: Raw = ABSENT
    strict: bool | None = None
    allowed_callers: Raw = ABSENT
    async_: Raw = msgspec.field(default=ABSENT, name="async")
    defer_loading: Raw = ABSENT
    output_schema: Raw = ABSENT


class CustomTool(Wire, tag_field="type", tag="custom", kw_only=True):
    """Takes plain text, that of a grammar if `format` has one."""

    name: str
    description: str | None = None
    format: Raw = ABSENT
    allowed_callers: Raw = ABSENT
    async_: Raw = msgspec.field(default=ABSENT, name="async")
    defer_loading: Raw = ABSENT


class NamespaceTool(Wire, tag_field="type", tag="namespace", kw_only=True):
    name: str
    tools: list[Raw]
    description: str | None = None


ToolWire: TypeAlias = FunctionTool | CustomTool | NamespaceTool


class ChosenFunction(Wire, tag_field="type", tag="function", kw_only=True):
    name: str


class ChosenCustom(Wire, tag_field="type", tag="custom", kw_only=True):
    name: str


class ChosenAllowed(Wire, tag_field="type", tag="allowed_tools", kw_only=True):
    mode: Literal["auto", "required"]
    tools: list[ChosenFunction | ChosenCustom | OpaqueWire]


Choice: TypeAlias = (
    Literal["none", "auto", "required"] | ChosenFunction | ChosenCustom | ChosenAllowed | OpaqueWire
)


# --- options --------------------------------------------------------------------------------------------


class TextFormat(Wire, tag_field="type", tag="text", kw_only=True):
    pass


class JsonObjectFormat(Wire, tag_field="type", tag="json_object", kw_only=True):
    pass


class JsonSchemaFormat(Wire, tag_field="type", tag="json_schema", kw_only=True):
    name: str | None = None
    description: str | None = None
    schema: Raw = ABSENT
    strict: bool | None = None


Format: TypeAlias = TextFormat | JsonObjectFormat | JsonSchemaFormat | OpaqueWire


class TextOptions(Wire, kw_only=True):
    format: Format | None = None
    verbosity: str | None = None


class ReasoningOptions(Wire, kw_only=True):
    """`generate_summary` is the former name of `summary`."""

    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None
    context: Raw = ABSENT
    mode: Raw = ABSENT


class StreamOptions(Wire, kw_only=True):
    include_obfuscation: bool | None = None


class ResponsesRequest(Wire, kw_only=True):
    model: str
    input: str | list[Raw] | None = None
    frequency_penalty: float | None = None
    include: list[str] | None = None
    instructions: str | None = None
    max_output_tokens: Count | None = None
    metadata: dict[str, str] | None = None
    parallel_tool_calls: bool | None = None
    presence_penalty: float | None = None
    reasoning: ReasoningOptions | None = None
    service_tier: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    text: TextOptions | None = None
    tool_choice: Choice | None = None
    tools: list[Raw] | None = None
    top_logprobs: Int64 | None = None
    top_p: float | None = None
    user: str | None = None
    # State, which is kept before a request is read: see `pipeline.responses`.
    background: Raw = ABSENT
    background_options: Raw = ABSENT
    conversation: Raw = ABSENT
    previous_response_id: Raw = ABSENT
    store: Raw = ABSENT
    # Known, but only this protocol has them: kept raw in Request.extras.
    access_programs: Raw = ABSENT
    client_metadata: Raw = ABSENT
    context_management: Raw = ABSENT
    image: Raw = ABSENT
    max_tool_calls: Raw = ABSENT
    moderation: Raw = ABSENT
    prompt: Raw = ABSENT
    prompt_cache_key: Raw = ABSENT
    prompt_cache_options: Raw = ABSENT
    prompt_cache_retention: Raw = ABSENT
    safety_identifier: Raw = ABSENT
    truncation: Raw = ABSENT


KEPT_RAW = (
    "access_programs",
    "client_metadata",
    "context_management",
    "image",
    "max_tool_calls",
    "moderation",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "truncation",
)
"""The fields of `ResponsesRequest` that go into `Request.extras`."""


# --- answers --------------------------------------------------------------------------------------------


class CacheWriteDetails(Struct):
    ttl_12h_tokens: Tokens | None = None
    ttl_30m_tokens: Tokens | None = None


class InputDetails(Struct):
    cache_write_tokens: Tokens | None = None
    cache_write_tokens_details: CacheWriteDetails | None = None
    cached_tokens: Tokens | None = None


class OutputDetails(Struct):
    reasoning_tokens: Tokens | None = None


class UsageWire(Struct):
    """`input_tokens` includes what was read from and written to the cache."""

    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None


class WebSearchUse(Struct):
    num_requests: Tokens | None = None


class ToolUse(Struct):
    """What the vendor's own tools did."""

    web_search: WebSearchUse | None = None


class Incomplete(Struct):
    reason: str | None = None


class ErrorWire(Struct):
    code: str | None = None
    message: str | None = None
    type: str | None = None


class ResponseWire(Wire, kw_only=True):
    """A response. Most of it repeats the request."""

    output: list[Raw] | None = None
    id: str | None = None
    created_at: float | None = None
    error: ErrorWire | None = None
    incomplete_details: Incomplete | None = None
    model: str | None = None
    object: str | None = None
    service_tier: str | None = None
    status: str | None = None
    tool_usage: ToolUse | None = None
    usage: UsageWire | None = None
    # What the vendor did to the input.
    input_transformations: Raw = ABSENT
    moderation: Raw = ABSENT
    prompt_cache_diagnostics: Raw = ABSENT
    # What the request said, and the state.
    access_programs: Raw = ABSENT
    background: Raw = ABSENT
    billing: Raw = ABSENT
    completed_at: Raw = ABSENT
    conversation: Raw = ABSENT
    frequency_penalty: Raw = ABSENT
    image: Raw = ABSENT
    instructions: Raw = ABSENT
    max_output_tokens: Raw = ABSENT
    max_tool_calls: Raw = ABSENT
    metadata: Raw = ABSENT
    output_text: Raw = ABSENT
    parallel_tool_calls: Raw = ABSENT
    presence_penalty: Raw = ABSENT
    previous_response_id: Raw = ABSENT
    prompt: Raw = ABSENT
    prompt_cache_key: Raw = ABSENT
    prompt_cache_options: Raw = ABSENT
    prompt_cache_retention: Raw = ABSENT
    reasoning: Raw = ABSENT
    safety_identifier: Raw = ABSENT
    store: Raw = ABSENT
    temperature: Raw = ABSENT
    text: Raw = ABSENT
    tool_choice: Raw = ABSENT
    tools: Raw = ABSENT
    top_logprobs: Raw = ABSENT
    top_p: Raw = ABSENT
    truncation: Raw = ABSENT
    user: Raw = ABSENT


TOLD = ("input_transformations", "moderation", "prompt_cache_diagnostics")
"""The fields of `ResponseWire` that go into `Response.extras`."""
