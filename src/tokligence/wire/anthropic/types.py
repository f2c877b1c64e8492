"""The Messages API on the wire, as read.

Source: anthropic SDK 2.13.0, `types/` and `types/beta/` (read 2026-11-24); names as there. What the conversation
has no word for is `Raw`, so that it needs no decoding and goes back as it came; `ABSENT` means the field was not sent.
Requests and answers are strict (`Wire`: unknown fields end in `extras`); stream events are lenient and checked apart.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Raw, Struct

from tokligence.wire.strict import OpaqueWire, Wire

ABSENT: Final = Raw(b"")
NULL: Final = Raw(b"null")

Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Int64: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Tokens: TypeAlias = Annotated[int, Meta(ge=-(2**53), le=2**53)]
"""Counted by an upstream: sums of these stay within 64 bits."""


class CacheControlWire(Wire):
    """`scope`: sent by Claude Code under the beta prompt-caching-scope; no SDK type has it."""

    type: Literal["ephemeral"]
    ttl: str | None = None
    scope: str | None = None


# --- sources of media -----------------------------------------------------------------------------------


class Base64SourceWire(Wire, tag="base64"):
    media_type: str
    data: str


class UrlSourceWire(Wire, tag="url"):
    url: str


class FileSourceWire(Wire, tag="file"):
    file_id: str


class TextSourceWire(Wire, tag="text"):
    data: str
    media_type: str = "text/plain"


class ContentSourceWire(Wire, tag="content"):
    content: str | list[TextWire | ImageWire | OpaqueWire]


# --- content blocks of requests and answers -------------------------------------------------------------


class TextWire(Wire, tag="text"):
    text: str
    cache_control: CacheControlWire | None = None
    citations: Raw = ABSENT


class ImageWire(Wire, tag="image"):
    source: Base64SourceWire | UrlSourceWire | FileSourceWire
    cache_control: CacheControlWire | None = None
    transformations: Raw = ABSENT


class CitationsWire(Wire):
    enabled: bool | None = None


class DocumentWire(Wire, tag="document"):
    source: Base64SourceWire | UrlSourceWire | FileSourceWire | TextSourceWire | ContentSourceWire
    title: str | None = None
    context: str | None = None
    citations: CitationsWire | None = None
    cache_control: CacheControlWire | None = None


class ThinkingWire(Wire, tag="thinking"):
    thinking: str
    signature: str = ""


class RedactedThinkingWire(Wire, tag="redacted_thinking"):
    data: str


class ToolUseWire(Wire, tag="tool_use"):
    id: str
    name: str
    input: Raw
    cache_control: CacheControlWire | None = None
    caller: Raw = ABSENT
    toolset_name: str | None = None


class ToolResultWire(Wire, tag="tool_result"):
    tool_use_id: str
    content: str | list[TextWire | ImageWire | DocumentWire | OpaqueWire] | None = None
    is_error: bool | None = None
    cache_control: CacheControlWire | None = None
    toolset_name: str | None = None


BlockWire: TypeAlias = (
    TextWire
    | ImageWire
    | DocumentWire
    | ThinkingWire
    | RedactedThinkingWire
    | ToolUseWire
    | ToolResultWire
    | OpaqueWire
)


# --- request --------------------------------------------------------------------------------------------


class MessageWire(Wire):
    """`clear_at`, `output_config`: of system messages, beta."""

    role: Literal["user", "assistant", "system"]
    content: str | list[BlockWire] = []
    clear_at: Raw = ABSENT
    output_config: Raw = ABSENT


class ToolWire(Wire):
    """A client's tool. `type` other than "custom": a tool of the vendor, which is kept whole."""

    name: str
    input_schema: Raw
    type: Literal["custom"] | None = None
    description: str | None = None
    strict: bool | None = None
    cache_control: CacheControlWire | None = None
    allowed_callers: Raw = ABSENT
    defer_loading: Raw = ABSENT
    eager_input_streaming: Raw = ABSENT
    input_examples: Raw = ABSENT


class ToolKind(Struct):
    """Enough of a tool to know whose it is."""

    type: str | None = None


class ToolChoiceWire(Wire):
    type: Literal["auto", "any", "none", "tool"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class ThinkingConfigWire(Wire):
    """`type`: "enabled" | "disabled" | "adaptive" | "between_tools"."""

    type: str
    budget_tokens: Count | None = None
    display: str | None = None
    block_binding: Raw = ABSENT


class OutputFormatWire(Wire):
    """`name`: sent by old clients of the beta, ignored by the vendor."""

    type: Literal["json_schema"]
    schema: Raw
    name: str | None = None


class OutputConfigWire(Wire):
    effort: str | None = None
    format: OutputFormatWire | None = None
    task_budget: Raw = ABSENT


class MetadataWire(Wire):
    user_id: str | None = None


class RequestWire(Wire):
    """`output_format`: the former place of `output_config.format`. `temperature`, `top_p`, `top_k`: gone from the
    SDK's signature, still sent by old clients and taken by old models."""

    model: str
    max_tokens: Count
    messages: list[MessageWire]
    system: str | list[BlockWire] | None = None
    tools: list[Raw] | None = None
    tool_choice: ToolChoiceWire | None = None
    thinking: ThinkingConfigWire | None = None
    output_config: OutputConfigWire | None = None
    output_format: OutputFormatWire | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: Int64 | None = None
    metadata: MetadataWire | None = None
    service_tier: str | None = None
    stream: bool | None = None
    # Known, but no other protocol has them: they become extras.
    billing_policy: Raw = ABSENT
    cache_control: Raw = ABSENT
    compaction: Raw = ABSENT
    container: Raw = ABSENT
    context_management: Raw = ABSENT
    diagnostics: Raw = ABSENT
    fallback_credit_token: Raw = ABSENT
    fallbacks: Raw = ABSENT
    inference_geo: Raw = ABSENT
    mcp_servers: Raw = ABSENT
    speed: Raw = ABSENT
    thread: Raw = ABSENT
    user_profile_id: Raw = ABSENT
    workspace_id: Raw = ABSENT


class PeekWire(Struct):
    model: str
    stream: bool | None = None
    max_tokens: int | None = None


# --- answer ---------------------------------------------------------------------------------------------


class CacheCreationWire(Struct, gc=False):
    ephemeral_5m_input_tokens: Tokens | None = None
    ephemeral_1h_input_tokens: Tokens | None = None


class ServerToolUseWire(Struct, gc=False):
    web_search_requests: Tokens | None = None
    web_fetch_requests: Tokens | None = None


class OutputDetailsWire(Struct, gc=False):
    thinking_tokens: Tokens | None = None


class UsageWire(Struct, gc=False):
    """Of `message`, `message_start` and `message_delta`; lenient, for it must never make an answer unreadable."""

    input_tokens: Tokens | None = None
    cache_creation_input_tokens: Tokens | None = None
    cache_read_input_tokens: Tokens | None = None
    cache_creation: CacheCreationWire | None = None
    output_tokens: Tokens | None = None
    server_tool_use: ServerToolUseWire | None = None
    output_tokens_details: OutputDetailsWire | None = None
    service_tier: str | None = None
    fallback_credit: Raw = ABSENT
    inference_geo: Raw = ABSENT
    iterations: Raw = ABSENT
    speed: Raw = ABSENT


class ResponseWire(Wire):
    id: str
    model: str
    content: list[TextWire | ThinkingWire | RedactedThinkingWire | ToolUseWire | OpaqueWire]
    type: str = "message"
    role: str = "assistant"
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: UsageWire | None = None
    container: Raw = ABSENT
    context_management: Raw = ABSENT
    diagnostics: Raw = ABSENT
    input_transformations: Raw = ABSENT
    stop_details: Raw = ABSENT


class MeterWire(Struct):
    """What metering needs of a whole answer."""

    type: str | None = None
    model: str | None = None
    usage: UsageWire | None = None


# --- stream events --------------------------------------------------------------------------------------


class StartedMessageWire(Struct):
    id: str
    model: str
    usage: UsageWire | None = None
    type: str = "message"
    role: str = "assistant"
    content: Raw = ABSENT
    stop_reason: str | None = None
    stop_sequence: str | None = None
    container: Raw = ABSENT
    context_management: Raw = ABSENT
    diagnostics: Raw = ABSENT
    input_transformations: Raw = ABSENT
    stop_details: Raw = ABSENT


class MessageStartWire(Struct, tag="message_start"):
    message: StartedMessageWire


class BlockStartWire(Struct, tag="content_block_start"):
    index: int
    content_block: Raw


StartedBlockWire: TypeAlias = TextWire | ThinkingWire | RedactedThinkingWire | ToolUseWire | OpaqueWire


class TextDeltaWire(Struct, tag="text_delta"):
    text: str


class InputJsonDeltaWire(Struct, tag="input_json_delta"):
    partial_json: str


class ThinkingDeltaWire(Struct, tag="thinking_delta"):
    """`estimated_tokens`: beta, a progress figure."""

    thinking: str
    estimated_tokens: int | None = None


class SignatureDeltaWire(Struct, tag="signature_delta"):
    signature: str


DeltaWire: TypeAlias = TextDeltaWire | InputJsonDeltaWire | ThinkingDeltaWire | SignatureDeltaWire


class BlockDeltaWire(Struct, tag="content_block_delta"):
    index: int
    delta: DeltaWire


class RawDeltaWire(Struct, tag="content_block_delta"):
    """A delta of a kind that only this protocol has: citations, compaction, a server tool's input."""

    index: int
    delta: Raw


class BlockStopWire(Struct, tag="content_block_stop"):
    index: int


class MessageEndWire(Struct):
    """The `delta` of message_delta."""

    stop_reason: str | None = None
    stop_sequence: str | None = None
    container: Raw = ABSENT
    stop_details: Raw = ABSENT


class MessageDeltaWire(Struct, tag="message_delta"):
    delta: MessageEndWire
    usage: UsageWire | None = None
    context_management: Raw = ABSENT
    input_transformations: Raw = ABSENT


class MessageStopWire(Struct, tag="message_stop"):
    pass


class PingWire(Struct, tag="ping"):
    pass


class ErrorBodyWire(Struct):
    type: str | None = None
    message: str | None = None
    details: Raw = ABSENT


class ErrorWire(Struct, tag="error"):
    error: ErrorBodyWire
    request_id: str | None = None


EventWire: TypeAlias = (
    BlockDeltaWire
    | BlockStartWire
    | BlockStopWire
    | MessageStartWire
    | MessageDeltaWire
    | MessageStopWire
    | PingWire
    | ErrorWire
)


class Kind(Struct):
    """The `type` of an event, block or delta."""

    type: str | None = None
