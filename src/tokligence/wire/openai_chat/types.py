"""OpenAI Chat Completions on the wire: requests and whole answers.

Fields as of the vendor's SDK of 2026-11 (openai 3.57, `types/chat`, `types/shared`), and those of dialects in wide
use: `reasoning_content` (DeepSeek, vLLM), `reasoning` and `reasoning_details` (OpenRouter, documentation of
2026-06), `cache_control` on parts, messages and tools (OpenRouter), `top_k` (OpenRouter, vLLM). Fields of type `Raw`
are kept as they are; an absent one is empty.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Raw, Struct

from tokligence.wire.strict import OpaqueWire, Wire

Int64: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Count: TypeAlias = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Tokens: TypeAlias = Annotated[int, Meta(ge=-(2**53), le=2**53)]
"""Counted by an upstream: sums of these stay within 64 bits."""

ABSENT = Raw(b"")


# --- cache marks ----------------------------------------------------------------------------------------


class CacheControlWire(Wire, kw_only=True):
    """OpenRouter's, and Anthropic's own: {"type":"ephemeral","ttl":"1h"}."""

    type: str = "ephemeral"
    ttl: str | None = None


class CacheBreakpoint(Wire, kw_only=True):
    """OpenAI's own: `ttl` "30m" or "12h"."""

    mode: str = "explicit"
    ttl: str | None = None


class Markable(Wire, kw_only=True):
    cache_control: CacheControlWire | None = None


class MarkablePart(Markable, kw_only=True):
    prompt_cache_breakpoint: CacheBreakpoint | None = None


# --- content parts --------------------------------------------------------------------------------------


class TextPart(MarkablePart, tag_field="type", tag="text", kw_only=True):
    text: str


class ImageUrl(Wire, kw_only=True):
    url: str
    detail: str | None = None


class ImagePart(MarkablePart, tag_field="type", tag="image_url", kw_only=True):
    image_url: ImageUrl


class AudioData(Wire, kw_only=True):
    data: str
    format: str


class AudioPart(MarkablePart, tag_field="type", tag="input_audio", kw_only=True):
    input_audio: AudioData


class FileData(Wire, kw_only=True):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class FilePart(MarkablePart, tag_field="type", tag="file", kw_only=True):
    file: FileData


class RefusalPart(Wire, tag_field="type", tag="refusal", kw_only=True):
    refusal: str


ContentPart: TypeAlias = TextPart | ImagePart | AudioPart | FilePart | RefusalPart | OpaqueWire
Content: TypeAlias = str | list[ContentPart] | None


# --- reasoning of an assistant (OpenRouter) -------------------------------------------------------------


class ReasoningText(Wire, tag_field="type", tag="reasoning.text", kw_only=True):
    """`issuer`: ours, says whose `signature` it is; the vendor's `format` says how it is encoded."""

    text: str | None = None
    signature: str | None = None
    issuer: str | None = None
    id: str | None = None
    format: str | None = None
    index: int | None = None


class ReasoningSummary(Wire, tag_field="type", tag="reasoning.summary", kw_only=True):
    summary: str
    id: str | None = None
    format: str | None = None
    index: int | None = None


class ReasoningEncrypted(Wire, tag_field="type", tag="reasoning.encrypted", kw_only=True):
    data: str
    issuer: str | None = None
    id: str | None = None
    format: str | None = None
    index: int | None = None


ReasoningDetail: TypeAlias = ReasoningText | ReasoningSummary | ReasoningEncrypted | OpaqueWire


# --- tool calls -----------------------------------------------------------------------------------------


class CalledFunction(Wire, kw_only=True):
    name: str
    arguments: str = ""


class CalledCustom(Wire, kw_only=True):
    name: str
    input: str


class FunctionCall(Wire, tag_field="type", tag="function", kw_only=True):
    """`index`: some vendors leave the stream's index in whole answers; some give no `id`."""

    id: str | None = None
    function: CalledFunction
    index: int | None = None


class CustomCall(Wire, tag_field="type", tag="custom", kw_only=True):
    id: str | None = None
    custom: CalledCustom


Call: TypeAlias = FunctionCall | CustomCall | OpaqueWire


# --- messages -------------------------------------------------------------------------------------------


class AudioReference(Wire, kw_only=True):
    id: str


class SystemMessage(Markable, tag_field="role", tag="system", kw_only=True):
    content: Content
    name: str | None = None


class DeveloperMessage(Markable, tag_field="role", tag="developer", kw_only=True):
    content: Content
    name: str | None = None


class UserMessage(Markable, tag_field="role", tag="user", kw_only=True):
    content: Content
    name: str | None = None


class AssistantMessage(Markable, tag_field="role", tag="assistant", kw_only=True):
    content: Content = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[Call] | None = None
    function_call: CalledFunction | None = None
    audio: AudioReference | None = None
    annotations: Raw = ABSENT
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[ReasoningDetail] | None = None


class ToolMessage(Markable, tag_field="role", tag="tool", kw_only=True):
    tool_call_id: str
    content: Content = None
    name: str | None = None


class FunctionMessage(Markable, tag_field="role", tag="function", kw_only=True):
    """Before tools there were functions: one call at a time, without ids."""

    name: str
    content: str | None = None


Message: TypeAlias = (
    SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage | FunctionMessage
)


# --- tools ----------------------------------------------------------------------------------------------


class FunctionDefinition(Wire, kw_only=True):
    name: str
    description: str | None = None
    parameters: Raw = ABSENT
    strict: bool | None = None


class FunctionTool(Markable, tag_field="type", tag="function", kw_only=True):
    function: FunctionDefinition


class CustomTool(Markable, tag_field="type", tag="custom", kw_only=True):
    custom: Raw


ToolWire: TypeAlias = FunctionTool | CustomTool | OpaqueWire


class Named(Wire, kw_only=True):
    name: str


class ChosenFunction(Wire, tag_field="type", tag="function", kw_only=True):
    function: Named


class ChosenCustom(Wire, tag_field="type", tag="custom", kw_only=True):
    custom: Named


class AllowedTools(Wire, kw_only=True):
    mode: Literal["auto", "required"]
    tools: list[ChosenFunction | ChosenCustom | OpaqueWire]


class ChosenAllowed(Wire, tag_field="type", tag="allowed_tools", kw_only=True):
    allowed_tools: AllowedTools


Choice: TypeAlias = Literal["none", "auto", "required"] | ChosenFunction | ChosenCustom | ChosenAllowed


# --- output and options ---------------------------------------------------------------------------------


class TextFormat(Wire, tag_field="type", tag="text", kw_only=True):
    pass


class JsonObjectFormat(Wire, tag_field="type", tag="json_object", kw_only=True):
    pass


class JsonSchema(Wire, kw_only=True):
    name: str
    description: str | None = None
    schema: Raw = ABSENT
    strict: bool | None = None


class JsonSchemaFormat(Wire, tag_field="type", tag="json_schema", kw_only=True):
    json_schema: JsonSchema


Format: TypeAlias = TextFormat | JsonObjectFormat | JsonSchemaFormat | OpaqueWire


class StreamOptions(Wire, kw_only=True):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class ReasoningOptions(Wire, kw_only=True):
    """OpenRouter's `reasoning`: an effort or a budget in tokens."""

    effort: str | None = None
    max_tokens: Count | None = None
    enabled: bool | None = None
    exclude: bool | None = None
    summary: str | None = None


class ChatRequest(Wire, kw_only=True):
    messages: list[Message]
    model: str
    frequency_penalty: float | None = None
    function_call: Literal["none", "auto"] | Named | None = None
    functions: list[FunctionDefinition] | None = None
    logit_bias: Raw = ABSENT
    logprobs: bool | None = None
    max_completion_tokens: Count | None = None
    max_tokens: Count | None = None
    metadata: dict[str, str] | None = None
    n: Count | None = None
    parallel_tool_calls: bool | None = None
    presence_penalty: float | None = None
    reasoning: ReasoningOptions | None = None
    reasoning_effort: str | None = None
    response_format: Format | None = None
    seed: Int64 | None = None
    service_tier: str | None = None
    stop: str | list[str] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    tool_choice: Choice | None = None
    tools: list[ToolWire] | None = None
    top_k: Int64 | None = None
    top_logprobs: Int64 | None = None
    top_p: float | None = None
    user: str | None = None
    verbosity: str | None = None
    # Known, but only this protocol has them: kept raw in Request.extras.
    audio: Raw = ABSENT
    cache_control: Raw = ABSENT
    modalities: Raw = ABSENT
    moderation: Raw = ABSENT
    prediction: Raw = ABSENT
    prompt_cache_key: Raw = ABSENT
    prompt_cache_options: Raw = ABSENT
    prompt_cache_retention: Raw = ABSENT
    safety_identifier: Raw = ABSENT
    store: Raw = ABSENT
    web_search_options: Raw = ABSENT


KEPT_RAW = (
    "audio",
    "cache_control",
    "modalities",
    "moderation",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "store",
    "web_search_options",
)
"""The fields of `ChatRequest` that go into `Request.extras`."""


# --- answers --------------------------------------------------------------------------------------------


class PromptDetails(Struct, gc=False):
    cached_tokens: Tokens | None = None
    cache_write_tokens: Tokens | None = None
    audio_tokens: Tokens | None = None


class CompletionDetails(Struct, gc=False):
    reasoning_tokens: Tokens | None = None
    audio_tokens: Tokens | None = None


class UsageWire(Struct, gc=False):
    """`prompt_tokens` includes what was read from and written to the cache. DeepSeek reports reads as
    `prompt_cache_hit_tokens`, Moonshot as a top-level `cached_tokens`."""

    prompt_tokens: Tokens | None = None
    completion_tokens: Tokens | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    prompt_cache_hit_tokens: Tokens | None = None
    cached_tokens: Tokens | None = None


class AnswerMessage(Wire, kw_only=True):
    role: str | None = None
    content: Content = None
    refusal: str | None = None
    tool_calls: list[Call] | None = None
    function_call: CalledFunction | None = None
    annotations: Raw = ABSENT
    audio: Raw = ABSENT
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[ReasoningDetail] | None = None


class AnswerChoice(Wire, kw_only=True):
    message: AnswerMessage
    index: int | None = None
    finish_reason: str | None = None
    logprobs: Raw = ABSENT


class Completion(Wire, kw_only=True):
    choices: list[AnswerChoice]
    id: str | None = None
    created: float | None = None
    model: str | None = None
    object: str | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    usage: UsageWire | None = None
    moderation: Raw = ABSENT
    metadata: Raw = ABSENT
