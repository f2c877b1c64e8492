"""A Gemini request -> the conversation.

| Gemini                                     | conversation                                                       |
|--------------------------------------------|--------------------------------------------------------------------|
| model and streaming, in the path           | model "" and `stream` False: who read the path sets them           |
| `systemInstruction`                        | the first turn                                                     |
| `functionCall`, `functionResponse`         | `ToolCall`, `ToolResult`, paired by id, else by name and order     |
| `thoughtSignature`                         | of the call; else a `Thinking` without text behind its part        |
| `tools[].functionDeclarations[]`           | `Tool`; `parameters` as JSON Schema                                |
| other fields of a tool (`googleSearch` …)  | `OpaqueTool` each                                                  |
| `functionCallingConfig` ANY with one name  | `ToolChoice` TOOL                                                  |
| `thinkingBudget` 0, -1                     | DISABLED, ADAPTIVE                                                 |
| what only Gemini has (`safetySettings` …)  | `Request.extras`, those of a config by their path                  |
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec
from msgspec import Raw

from tokligence.conversation import (
    Loss,
    LossReason,
    OpaqueTool,
    OutputFormat,
    OutputKind,
    Reasoning,
    ReasoningMode,
    Request,
    Role,
    Sampling,
    Severity,
    Tool,
    ToolChoice,
    ToolMode,
    Turn,
)
from tokligence.errors import GatewayError
from tokligence.wire.contract import Peek
from tokligence.wire.gemini.calls import Calls
from tokligence.wire.gemini.extras import OWN, extras_of, kept, lose
from tokligence.wire.gemini.parts_in import Scope, read_parts
from tokligence.wire.gemini.schema import read_subset
from tokligence.wire.gemini.types import (
    NULL,
    FunctionDeclarationWire,
    GenerationConfigWire,
    PeekWire,
    RequestWire,
    ThinkingConfigWire,
    ToolConfigWire,
    sent,
)
from tokligence.wire.splice import TopLevel
from tokligence.wire.strict import Reader

_REQUEST: Final[Reader[RequestWire]] = Reader(RequestWire)
_PEEK: Final[Reader[PeekWire]] = Reader(PeekWire)

# Constants, since a member looked up on its class costs twenty times as much (Python 3.11).
_SYSTEM: Final = Role.SYSTEM
_USER: Final = Role.USER
_ASSISTANT: Final = Role.ASSISTANT
_ROLES: Final = {None: _USER, "": _USER, "user": _USER, "function": _USER, "model": _ASSISTANT}
_MODES: Final = {
    "AUTO": ToolMode.AUTO,
    "ANY": ToolMode.ANY,
    "NONE": ToolMode.NONE,
    "VALIDATED": ToolMode.AUTO,
}
_TIERS: Final = {"standard": "default", "unspecified": "auto"}
"""Service tiers that others know by another name."""
_NO_CONFIG: Final = GenerationConfigWire()
_TEXT_ONLY: Final = b'["TEXT"]'

T = TypeVar("T")


def peek(raw: bytes) -> Peek:
    """`model` and `stream` stand in the path: see `paths.parse_target`."""
    wire = _PEEK.read(raw)
    config = wire.camel or wire.snake
    if config is None:
        return Peek("")
    return Peek("", max_output=config.snake if config.camel is None else config.camel)


def splice(raw: bytes, *, model: str | None, ask_usage: bool) -> bytes:  # noqa: ARG001 - usage always comes
    """The model is named in the path; a body may repeat it."""
    top = TopLevel(raw)
    if model is None or "model" not in top.values:
        return raw
    return top.replace("model", msgspec.json.encode(f"models/{model}"))


def read_request(raw: bytes) -> Request:
    """Raises `request.*`. The caller sets `model` and `stream`."""
    wire = _REQUEST.read(raw)
    _demand_utf8(raw)
    losses: list[Loss] = []
    config = wire.generation_config or _NO_CONFIG
    fields = kept(
        {
            "safetySettings": wire.safety_settings,
            "cachedContent": wire.cached_content,
            "labels": wire.labels,
            "store": wire.store,
        }
    )
    tools = tuple(_read_tools(wire, losses)) if wire.tools else ()
    choice = None if wire.tool_config is None else _read_choice(wire.tool_config, fields, losses)
    output = _read_output(config, fields)
    if config.extras:
        fields.update(_own_config(config.extras))
    return Request(
        "",
        _read_turns(wire, losses),
        tools,
        choice,
        None,
        config.max_output_tokens,
        tuple(config.stop_sequences or ()),
        _read_sampling(config),
        output,
        None,
        None if config.thinking_config is None else _read_thinking(config.thinking_config, losses),
        _TIERS.get(wire.service_tier or "", wire.service_tier),
        extras=extras_of(fields, wire.extras),
        losses=tuple(losses),
        origin=OWN,
    )


def _demand_utf8(raw: bytes) -> None:
    """The decoder does not look into what it keeps raw."""
    if not raw.isascii():
        try:
            raw.decode()
        except UnicodeDecodeError:
            raise GatewayError("request.invalid_json", reason="it is not UTF-8") from None


def _listed(value: list[T] | T) -> list[T]:
    return value if isinstance(value, list) else [value]


# --- contents -------------------------------------------------------------------------------------------


def _read_turns(wire: RequestWire, losses: list[Loss]) -> tuple[Turn, ...]:
    calls = Calls()
    turns: list[Turn] = []
    system = wire.system_instruction
    if system is not None:
        parts = read_parts(system, Scope("systemInstruction", losses, calls))
        turns.append(Turn(_SYSTEM, parts, "systemInstruction", extras=extras_of({}, system.extras)))
    contents = _listed(wire.contents)
    if not contents:
        raise GatewayError("request.invalid_field", path="contents", reason="it is empty")
    for index, content in enumerate(contents):
        path = f"contents[{index}]"
        role = _ROLES.get(content.role)
        if role is None:
            reason = "expected one of user, model"
            raise GatewayError("request.invalid_field", path=f"{path}.role", reason=reason)
        if role is _ASSISTANT:
            calls.begin()
        scope = Scope(path, losses, calls)
        parts = read_parts(content, scope)
        turns.append(Turn(role, parts, scope.turn(), extras=extras_of({}, content.extras)))
    return tuple(turns)


# --- tools ----------------------------------------------------------------------------------------------


def _read_tools(wire: RequestWire, losses: list[Loss]) -> list[Tool | OpaqueTool]:
    tools: list[Tool | OpaqueTool] = []
    for index, each in enumerate(_listed(wire.tools or [])):
        path = f"tools[{index}]"
        for number, function in enumerate(_listed(each.function_declarations or [])):
            tools.append(_read_function(function, f"{path}.functionDeclarations[{number}]", losses))
        for name, value in (each.extras or {}).items():
            if value != NULL:
                raw = msgspec.json.encode({name: value})
                tools.append(OpaqueTool(OWN, name, f"{path}.{name}", raw))
    return tools


def _read_function(function: FunctionDeclarationWire, path: str, losses: list[Loss]) -> Tool:
    schema: bytes | None = None
    if sent(function.parameters_json_schema):
        schema = bytes(function.parameters_json_schema)
        if sent(function.parameters):
            losses.append(Loss(f"{path}.parameters", LossReason.CONVERTED, Severity.COSMETIC))
    elif sent(function.parameters):
        schema = read_subset(bytes(function.parameters))
    fields = kept(
        {
            "response": function.response,
            "responseJsonSchema": function.response_json_schema,
            "behavior": function.behavior,
        }
    )
    return Tool(function.name, path, function.description, schema, extras=extras_of(fields, function.extras))


def _read_choice(wire: ToolConfigWire, fields: dict[str, bytes], losses: list[Loss]) -> ToolChoice | None:
    for name, value in (wire.extras or {}).items():
        fields[f"toolConfig.{name}"] = bytes(value)
    config = wire.function_calling_config
    if config is None:
        return None
    path = "toolConfig.functionCallingConfig"
    lose(config.extras or (), path, losses)
    word = (config.mode or "MODE_UNSPECIFIED").upper()
    names = tuple(config.allowed_function_names or ())
    if word == "MODE_UNSPECIFIED":
        return ToolChoice(ToolMode.AUTO, names) if names else None
    mode = _MODES.get(word)
    if mode is None:
        raise GatewayError(
            "request.invalid_field", path=f"{path}.mode", reason=f"expected one of {', '.join(_MODES)}"
        )
    if word == "VALIDATED":  # the vendor also holds the calls to their schemas
        losses.append(Loss(f"{path}.mode", LossReason.CONVERTED, Severity.COSMETIC))
    if mode is ToolMode.ANY and len(names) == 1:
        return ToolChoice(ToolMode.TOOL, names)
    return ToolChoice(mode, () if mode is ToolMode.NONE else names)


# --- options --------------------------------------------------------------------------------------------


def _read_sampling(config: GenerationConfigWire) -> Sampling:
    return Sampling(
        config.temperature,
        config.top_p,
        None if config.top_k is None else round(config.top_k),
        config.frequency_penalty,
        config.presence_penalty,
        config.seed,
        config.candidate_count,
        config.response_logprobs,
        config.logprobs,
    )


def _read_output(config: GenerationConfigWire, fields: dict[str, bytes]) -> OutputFormat | None:
    """The vendor always enforces a schema. A media type that no other vendor has is kept, with its schema."""
    kind = config.response_mime_type
    if kind not in (None, "", "text/plain", "application/json"):
        own = kept(
            {"responseJsonSchema": config.response_json_schema, "responseSchema": config.response_schema}
        )
        own["responseMimeType"] = msgspec.json.encode(kind)
        fields.update((f"generationConfig.{name}", value) for name, value in own.items())
        return None
    schema, path = b"", "generationConfig."
    if sent(config.response_json_schema):
        schema, path = bytes(config.response_json_schema), f"{path}responseJsonSchema"
    elif sent(config.response_schema):
        schema, path = read_subset(bytes(config.response_schema)), f"{path}responseSchema"
    if schema:
        return OutputFormat(OutputKind.JSON_SCHEMA, schema=schema, strict=True, path=path)
    if kind == "application/json":
        return OutputFormat(OutputKind.JSON_OBJECT, path=f"{path}responseMimeType")
    return OutputFormat(OutputKind.TEXT) if kind == "text/plain" else None


def _read_thinking(wire: ThinkingConfigWire, losses: list[Loss]) -> Reasoning | None:
    lose(wire.extras or (), "generationConfig.thinkingConfig", losses)
    display = None if wire.include_thoughts is None else "summarized" if wire.include_thoughts else "omitted"
    budget, level = wire.thinking_budget, wire.thinking_level
    if level is not None and level.upper() != "THINKING_LEVEL_UNSPECIFIED":
        return Reasoning(ReasoningMode.ENABLED, level.lower(), display=display)
    if budget is None:
        return None if display is None else Reasoning(display=display)
    if budget == 0:
        return Reasoning(ReasoningMode.DISABLED, display=display)
    if budget < 0:
        return Reasoning(ReasoningMode.ADAPTIVE, display=display)
    return Reasoning(ReasoningMode.ENABLED, budget=budget, display=display)


def _own_config(extras: dict[str, Raw]) -> dict[str, bytes]:
    """Fields of `generationConfig` by their path."""
    fields = {name: bytes(value) for name, value in extras.items() if value != NULL}
    if bytes(fields.get("responseModalities", b"")).replace(b" ", b"").upper() == _TEXT_ONLY:
        del fields["responseModalities"]  # the default
    return {f"generationConfig.{name}": value for name, value in fields.items()}
