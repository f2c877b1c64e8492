"""A Chat Completions request -> the conversation.

| Chat                                   | conversation                                                  |
|----------------------------------------|---------------------------------------------------------------|
| message `tool`, `function`             | USER turn of one `ToolResult`                                 |
| `data:` URL                            | `Base64Source`; text files: `TextSource`                      |
| `functions`, `function_call`           | tools and calls; ids `call_fn_N` by the message's number      |
| `max_completion_tokens`, `max_tokens`  | `max_tokens`; the former counts if both are given             |
| `reasoning_effort`, `reasoning`        | `Reasoning`; effort "none" is DISABLED                        |
| `reasoning_details`, `reasoning…`      | `Thinking`, `RedactedThinking` with their issuer              |
| `cache_control`, `prompt_cache_…point` | `CacheControl` on the part                                    |
| custom tools                           | `OpaqueTool`; their calls: argument `input`                   |
| what only Chat has (`store` …)         | `Request.extras`                                              |
"""

from __future__ import annotations

import json
from operator import attrgetter
from typing import Final

from msgspec import Raw, Struct

from tokligence.conversation import (
    CacheControl,
    Extras,
    Loss,
    LossReason,
    OpaqueTool,
    OutputFormat,
    OutputKind,
    Reasoning,
    ReasoningMode,
    Refusal,
    Request,
    Role,
    Sampling,
    Severity,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
    Turn,
)
from tokligence.errors import GatewayError
from tokligence.wire.contract import Peek
from tokligence.wire.openai_chat.parts import (
    OWN,
    lose_inner,
    mark_last,
    read_call,
    read_content,
    read_extras,
    read_mark,
    read_opaque,
    read_reasoning,
)
from tokligence.wire.openai_chat.types import (
    ABSENT,
    KEPT_RAW,
    AssistantMessage,
    ChatRequest,
    Choice,
    ChosenAllowed,
    ChosenCustom,
    ChosenFunction,
    CustomTool,
    DeveloperMessage,
    Format,
    FunctionDefinition,
    FunctionMessage,
    FunctionTool,
    JsonObjectFormat,
    JsonSchemaFormat,
    Markable,
    Message,
    Named,
    StreamOptions,
    SystemMessage,
    TextFormat,
    ToolMessage,
    ToolWire,
    UserMessage,
)
from tokligence.wire.strict import OpaqueWire, Reader

REQUEST: Final[Reader[ChatRequest]] = Reader(ChatRequest)


class PeekOptions(Struct):
    include_usage: bool | None = None


class _Peek(Struct):
    model: str
    stream: bool | None = None
    stream_options: PeekOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None


_PEEK: Final[Reader[_Peek]] = Reader(_Peek)


def peek(raw: bytes) -> Peek:
    seen = _PEEK.read(raw)
    if not seen.model.strip():
        raise _no_model()
    options = seen.stream_options
    limit = seen.max_completion_tokens
    return Peek(
        seen.model,
        seen.stream is True,
        options is not None and options.include_usage is True,
        seen.max_tokens if limit is None else limit,
    )


def _no_model() -> GatewayError:
    return GatewayError("request.invalid_field", path="model", reason="it is empty")


def read_request(raw: bytes) -> Request:
    return conversation(REQUEST.read(raw), raw)


def conversation(wire: ChatRequest, raw: bytes) -> Request:
    """`wire`: what was decoded of `raw`."""
    _demand_utf8(raw)
    if not wire.model.strip():
        raise _no_model()
    if not wire.messages:
        raise GatewayError("request.invalid_field", path="messages", reason="it is empty")
    losses: list[Loss] = []
    options = wire.stream_options
    if options is not None:
        _lose_options(options, losses)
    limit = wire.max_completion_tokens
    if limit is not None and wire.max_tokens not in (None, limit):
        losses.append(Loss("max_tokens", LossReason.CONVERTED, Severity.COSMETIC))
    choice = wire.tool_choice or wire.function_call
    thinks = wire.reasoning_effort is not None or wire.reasoning is not None
    return Request(  # by position: names would take five times as long
        wire.model,
        _read_turns(wire.messages, losses),
        _read_tools(wire, losses) if wire.tools or wire.functions else (),
        None if choice is None else _read_choice(choice, losses),
        wire.parallel_tool_calls,
        wire.max_tokens if limit is None else limit,
        () if wire.stop is None else _read_stop(wire.stop),
        _read_sampling(wire),
        None if wire.response_format is None else _read_format(wire.response_format, losses),
        wire.verbosity,
        _read_effort(wire, losses) if thinks else None,
        wire.service_tier,
        wire.user,
        wire.metadata,
        wire.stream is True,
        options is not None and options.include_usage is True,
        _read_request_extras(wire),
        tuple(losses),
        OWN,
        None if limit is None else "max_completion_tokens",
    )


def _demand_utf8(raw: bytes) -> None:
    """The decoder does not look into what it keeps raw."""
    if not raw.isascii():
        try:
            raw.decode()
        except UnicodeDecodeError:
            raise GatewayError("request.invalid_json", reason="it is not UTF-8") from None


# --- messages -------------------------------------------------------------------------------------------


def _read_turns(messages: list[Message], losses: list[Loss]) -> tuple[Turn, ...]:
    asked: dict[str, str] = {}  # legacy functions: name -> id of the latest call
    turns: list[Turn] = []
    for index, message in enumerate(messages):
        kind = type(message)
        role = _USER if kind is UserMessage else _SYSTEM if kind is SystemMessage else None
        content = message.content
        if (
            role is not None
            and content
            and type(content) is str
            and message.cache_control is None
            and message.extras is None
        ):  # the usual message: one text
            path = PATHS[index] if index < _COUNT else f"messages[{index}]"
            turns.append(Turn(role, (Text(content),), path, message.name))
        else:
            turns.append(_read_turn(message, index, asked, losses))
    return tuple(turns)


_COUNT: Final = 256
PATHS: Final = tuple(f"messages[{index}]" for index in range(_COUNT))


# Constants, since a member looked up on its class costs twenty times as much (Python 3.11).
_SYSTEM: Final = Role.SYSTEM
_USER: Final = Role.USER
_ASSISTANT: Final = Role.ASSISTANT
_ROLES: Final[dict[type[Message], Role]] = {
    SystemMessage: _SYSTEM,
    DeveloperMessage: Role.DEVELOPER,
    UserMessage: _USER,
}


def _read_turn(message: Message, index: int, asked: dict[str, str], losses: list[Loss]) -> Turn:
    path = f"messages[{index}]"
    extras = read_extras(message.extras) if message.extras else None
    role = _ROLES.get(type(message))
    if role is not None:
        parts = read_content(message.content, path, losses)
        if message.cache_control is not None:
            parts = mark_last(parts, _cache(message, path, losses))
        return Turn(role, parts, path, message.name, extras)
    if isinstance(message, AssistantMessage):
        return _read_assistant(message, index, asked, losses)
    call = asked.pop(message.name, f"call_fn_{index}") if isinstance(message, FunctionMessage) else ""
    call = message.tool_call_id if isinstance(message, ToolMessage) else call
    if isinstance(message, ToolMessage) and message.name is not None:
        losses.append(Loss(f"{path}.name", LossReason.UNSUPPORTED, Severity.COSMETIC))
    parts = read_content(message.content, path, losses)
    result = ToolResult(call, parts, cache=_cache(message, path, losses), extras=extras, path=path)
    return Turn(_USER, (result,), path)


def _cache(wire: Markable, path: str, losses: list[Loss]) -> CacheControl | None:
    return read_mark(wire.cache_control, path, losses)


def _read_assistant(message: AssistantMessage, index: int, asked: dict[str, str], losses: list[Loss]) -> Turn:
    path = f"messages[{index}]"
    parts = read_content(message.content, path, losses)
    if message.reasoning_details or message.reasoning_content or message.reasoning:
        plain = message.reasoning_content or message.reasoning
        parts = (*read_reasoning(message.reasoning_details, plain, None, path), *parts)
    if message.refusal:
        parts = (*parts, Refusal(message.refusal))
    if message.tool_calls:
        calls = enumerate(message.tool_calls)
        parts += tuple([read_call(call, f"{path}.tool_calls[{n}]", losses) for n, call in calls])
    legacy = message.function_call
    if legacy is not None:
        lose_inner(legacy, f"{path}.function_call", losses)
        asked[legacy.name] = f"call_fn_{index}"
        parts = (*parts, ToolCall(asked[legacy.name], legacy.name, legacy.arguments))
    if message.cache_control is not None:
        parts = mark_last(parts, _cache(message, path, losses))
    return Turn(_ASSISTANT, parts, path, message.name, _assistant_extras(message))


def _assistant_extras(message: AssistantMessage) -> Extras | None:
    if message.extras is None and message.audio is None and message.annotations is ABSENT:
        return None
    extras = read_extras(message.extras)
    kept: dict[str, bytes] = {} if extras is None else dict(extras.fields)
    if message.audio is not None:  # an earlier spoken answer, by its id: only its vendor has it
        kept["audio"] = json.dumps({"id": message.audio.id}).encode()
    annotations = _raw(message.annotations)
    if annotations is not None and annotations != b"[]":
        kept["annotations"] = annotations
    return Extras(OWN, kept) if kept else None


# --- tools ----------------------------------------------------------------------------------------------


def _read_tools(wire: ChatRequest, losses: list[Loss]) -> tuple[Tool | OpaqueTool, ...]:
    tools = [_read_tool(tool, f"tools[{index}]", losses) for index, tool in enumerate(wire.tools or ())]
    tools += [
        _read_function(function, f"functions[{index}]", None, read_extras(function.extras))
        for index, function in enumerate(wire.functions or ())
    ]
    return tuple(tools)


def _read_tool(tool: ToolWire, path: str, losses: list[Loss]) -> Tool | OpaqueTool:
    match tool:
        case FunctionTool():
            lose_inner(tool.function, f"{path}.function", losses)
            return _read_function(tool.function, path, _cache(tool, path, losses), read_extras(tool.extras))
        case CustomTool():
            lose_inner(tool, path, losses)
            return OpaqueTool(OWN, "custom", path, b'{"type":"custom","custom":' + bytes(tool.custom) + b"}")
        case _:
            opaque = read_opaque(tool, path)
            return OpaqueTool(OWN, opaque.kind, path, opaque.raw)


def _read_function(
    function: FunctionDefinition, path: str, cache: CacheControl | None, extras: Extras | None
) -> Tool:
    return Tool(
        function.name,
        path,
        function.description,
        _raw(function.parameters),
        function.strict,
        cache,
        extras,
    )


_MODES: Final = {
    "none": ToolMode.NONE,
    "auto": ToolMode.AUTO,
    "required": ToolMode.ANY,
}


def _read_choice(choice: Choice | Named, losses: list[Loss]) -> ToolChoice:
    if isinstance(choice, Named):  # `function_call`
        lose_inner(choice, "function_call", losses)
        return ToolChoice(ToolMode.TOOL, (choice.name,))
    if isinstance(choice, str):
        return ToolChoice(_MODES[choice])
    lose_inner(choice, "tool_choice", losses)
    match choice:
        case ChosenFunction():
            lose_inner(choice.function, "tool_choice.function", losses)
            return ToolChoice(ToolMode.TOOL, (choice.function.name,))
        case ChosenCustom():
            lose_inner(choice.custom, "tool_choice.custom", losses)
            return ToolChoice(ToolMode.TOOL, (choice.custom.name,))
        case _:
            return _read_allowed(choice, losses)


def _read_allowed(choice: ChosenAllowed, losses: list[Loss]) -> ToolChoice:
    names: list[str] = []
    lose_inner(choice.allowed_tools, "tool_choice.allowed_tools", losses)
    for index, tool in enumerate(choice.allowed_tools.tools):
        path = f"tool_choice.allowed_tools.tools[{index}]"
        match tool:
            case ChosenFunction(function=named) | ChosenCustom(custom=named):
                lose_inner(tool, path, losses)
                lose_inner(
                    named, f"{path}.{'function' if isinstance(tool, ChosenFunction) else 'custom'}", losses
                )
                names.append(named.name)
            case _:
                losses.append(Loss(path, LossReason.UNKNOWN_PART))
    return ToolChoice(_MODES[choice.allowed_tools.mode], tuple(names))


# --- options --------------------------------------------------------------------------------------------


def _read_stop(stop: str | list[str]) -> tuple[str, ...]:
    return (stop,) if isinstance(stop, str) else tuple(stop)


def _read_sampling(wire: ChatRequest) -> Sampling:
    return Sampling(
        wire.temperature,
        wire.top_p,
        wire.top_k,
        wire.frequency_penalty,
        wire.presence_penalty,
        wire.seed,
        wire.n,
        wire.logprobs,
        wire.top_logprobs,
        None if wire.logit_bias is ABSENT else _raw(wire.logit_bias),
    )


def _read_format(form: Format, losses: list[Loss]) -> OutputFormat | None:
    if not isinstance(form, OpaqueWire):
        lose_inner(form, "response_format", losses)
    match form:
        case TextFormat():
            return OutputFormat(OutputKind.TEXT)
        case JsonObjectFormat():
            return OutputFormat(OutputKind.JSON_OBJECT)
        case JsonSchemaFormat():
            schema = form.json_schema
            lose_inner(schema, "response_format.json_schema", losses)
            return OutputFormat(
                OutputKind.JSON_SCHEMA, schema.name, schema.description, _raw(schema.schema), schema.strict
            )
        case _:
            return None


def _read_effort(wire: ChatRequest, losses: list[Loss]) -> Reasoning:
    effort, options = wire.reasoning_effort, wire.reasoning
    if options is None:
        return Reasoning(ReasoningMode.DISABLED if effort == "none" else ReasoningMode.ENABLED, effort)
    lose_inner(options, "reasoning", losses)
    if options.summary is not None:
        losses.append(Loss("reasoning.summary", LossReason.UNSUPPORTED, Severity.COSMETIC))
    effort = effort or options.effort
    off = options.enabled is False or effort == "none"
    return Reasoning(
        ReasoningMode.DISABLED if off else ReasoningMode.ENABLED,
        effort,
        None if off else options.max_tokens,
        "omitted" if options.exclude else None,
    )


def _lose_options(options: StreamOptions, losses: list[Loss]) -> None:
    lose_inner(options, "stream_options", losses)
    if options.include_obfuscation:
        losses.append(Loss("stream_options.include_obfuscation", LossReason.UNSUPPORTED, Severity.COSMETIC))


_kept_raw: Final = attrgetter(*KEPT_RAW)


def _read_request_extras(wire: ChatRequest) -> Extras | None:
    if (  # nearly always; one by one is faster than a loop
        wire.extras is None
        and wire.audio is ABSENT
        and wire.cache_control is ABSENT
        and wire.modalities is ABSENT
        and wire.moderation is ABSENT
        and wire.prediction is ABSENT
        and wire.prompt_cache_key is ABSENT
        and wire.prompt_cache_options is ABSENT
        and wire.prompt_cache_retention is ABSENT
        and wire.safety_identifier is ABSENT
        and wire.store is ABSENT
        and wire.web_search_options is ABSENT
        and type(wire.response_format) is not OpaqueWire
    ):
        return None
    values: tuple[Raw, ...] = _kept_raw(wire)
    kept = {n: raw for n, value in zip(KEPT_RAW, values, strict=True) if (raw := _raw(value)) is not None}
    if kept.get("modalities") == b'["text"]':  # the default
        del kept["modalities"]
    if isinstance(wire.response_format, OpaqueWire):
        kept["response_format"] = wire.response_format.raw.encode()
    if wire.extras:
        unknown = read_extras(wire.extras)
        kept.update({} if unknown is None else unknown.fields)
    return Extras(OWN, kept) if kept else None


def _raw(value: Raw) -> bytes | None:
    """Absent and null are the same."""
    if value is ABSENT:
        return None
    raw = bytes(value)
    return None if raw == b"null" else raw
