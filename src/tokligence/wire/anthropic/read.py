"""Messages request and answer -> conversation."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw

from tokligence.conversation import (
    CacheControl,
    FinishReason,
    Loss,
    LossReason,
    OpaqueTool,
    OutputFormat,
    OutputKind,
    Part,
    ProtocolId,
    Reasoning,
    ReasoningMode,
    Request,
    Response,
    Role,
    Sampling,
    Severity,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    Turn,
    Usage,
)
from tokligence.errors import GatewayError
from tokligence.wire.anthropic.blocks_in import Scope, read_blocks
from tokligence.wire.anthropic.tables import FINISH_OF
from tokligence.wire.anthropic.types import (
    ABSENT,
    MeterWire,
    OutputFormatWire,
    PeekWire,
    RequestWire,
    ResponseWire,
    ThinkingConfigWire,
    ToolChoiceWire,
    ToolKind,
    ToolWire,
)
from tokligence.wire.anthropic.usage import extras_of, kept, read_usage, sent
from tokligence.wire.contract import Peek, ReplyMemory, bad_response
from tokligence.wire.strict import Reader

UPSTREAM: Final = "The upstream"

REQUEST: Final[Reader[RequestWire]] = Reader(RequestWire)
_PEEK: Final[Reader[PeekWire]] = Reader(PeekWire)
_TOOL: Final[Reader[ToolWire]] = Reader(ToolWire)
_CLIENT_TOOL: Final = msgspec.json.Decoder(ToolWire)
_TOOL_KIND: Final[Reader[ToolKind]] = Reader(ToolKind)
_RESPONSE: Final[Reader[ResponseWire]] = Reader(ResponseWire)
_METER: Final = msgspec.json.Decoder(MeterWire)

# Constants, since a member looked up on its class costs twenty times as much (Python 3.11).
_ANTHROPIC: Final = ProtocolId.ANTHROPIC
_SYSTEM: Final = Role.SYSTEM
_ROLE: Final = {"user": Role.USER, "assistant": Role.ASSISTANT, "system": Role.SYSTEM}
_MODE: Final = {"auto": ToolMode.AUTO, "any": ToolMode.ANY, "none": ToolMode.NONE, "tool": ToolMode.TOOL}
_THINKING: Final = {
    "enabled": ReasoningMode.ENABLED,
    "disabled": ReasoningMode.DISABLED,
    "adaptive": ReasoningMode.ADAPTIVE,
}


def peek(raw: bytes) -> Peek:
    wire = _PEEK.read(raw)
    return Peek(wire.model, bool(wire.stream), max_output=wire.max_tokens)


# --- request --------------------------------------------------------------------------------------------


def read_request(raw: bytes) -> Request:
    """Raises `request.*`. What only Anthropic has stands in `extras`, at the node where it was."""
    return conversation(REQUEST.read(raw), raw)


def conversation(wire: RequestWire, raw: bytes) -> Request:
    """`wire`: what was decoded of `raw`."""
    _demand_utf8(raw)
    losses: list[Loss] = []
    fields = _REQUEST_EXTRAS(wire)
    config, choice, tools = wire.output_config, wire.tool_choice, wire.tools
    reasoning = None if wire.thinking is None and config is None else _read_reasoning(wire, fields)
    formatted = config is not None or wire.output_format is not None
    if wire.metadata is not None and wire.metadata.extras:
        losses += [_unknown(f"metadata.{name}") for name in wire.metadata.extras]
    return Request(  # by position: names would take five times as long
        wire.model,
        _read_turns(wire, losses),
        tuple([_read_tool(tool, index, losses) for index, tool in enumerate(tools)]) if tools else (),
        None if choice is None else _read_choice(choice, losses),
        False if choice is not None and choice.disable_parallel_tool_use else None,
        wire.max_tokens,
        tuple(wire.stop_sequences) if wire.stop_sequences else (),
        Sampling(wire.temperature, wire.top_p, wire.top_k),
        _read_format(wire, losses) if formatted else None,
        None,
        reasoning,
        wire.service_tier,
        None if wire.metadata is None else wire.metadata.user_id,
        None,
        wire.stream is True,
        False,
        extras_of(fields, wire.extras) if fields or wire.extras else None,
        tuple(losses),
        _ANTHROPIC,
    )


_REQUEST_EXTRAS: Final = kept(
    "billing_policy",
    "cache_control",
    "compaction",
    "container",
    "context_management",
    "diagnostics",
    "fallback_credit_token",
    "fallbacks",
    "inference_geo",
    "mcp_servers",
    "speed",
    "thread",
    "user_profile_id",
    "workspace_id",
)


_MESSAGE_EXTRAS: Final = kept("clear_at", "output_config")
_TOOL_EXTRAS: Final = kept("allowed_callers", "defer_loading", "eager_input_streaming", "input_examples")
_RESPONSE_EXTRAS: Final = kept(
    "container", "context_management", "diagnostics", "input_transformations", "stop_details"
)


def _demand_utf8(raw: bytes) -> None:
    """The decoder does not look into what it keeps raw."""
    if raw.isascii():
        return
    try:
        raw.decode()
    except UnicodeDecodeError:
        raise GatewayError("request.invalid_json", reason="it is not UTF-8") from None


def _unknown(path: str) -> Loss:
    return Loss(path, LossReason.UNKNOWN_FIELD, Severity.COSMETIC)


def _read_turns(wire: RequestWire, losses: list[Loss]) -> tuple[Turn, ...]:
    scope = Scope("system", losses)
    turns: list[Turn] = []
    if wire.system:
        turns.append(Turn(_SYSTEM, read_blocks(wire.system, scope), "system"))
    for index, message in enumerate(wire.messages):
        scope.path = path = f"messages[{index}]"
        content = message.content
        parts = (Text(content),) if type(content) is str else read_blocks(content, scope)
        extras = None
        if (
            message.clear_at is not ABSENT
            or message.output_config is not ABSENT
            or message.extras is not None
        ):
            extras = extras_of(_MESSAGE_EXTRAS(message), message.extras)
        turns.append(Turn(_ROLE[message.role], parts, path, None, extras))
    return tuple(turns)


def _read_tool(raw: Raw, index: int, losses: list[Loss]) -> Tool | OpaqueTool:
    path = f"tools[{index}]"
    content = bytes(raw)
    try:
        wire = _CLIENT_TOOL.decode(content)
    except msgspec.ValidationError:
        try:
            kind = _TOOL_KIND.read(content).type
            if kind not in (None, "custom"):
                return OpaqueTool(ProtocolId.ANTHROPIC, kind, path, content)
            wire = _TOOL.read(content)
        except GatewayError as error:
            raise _below(path, error) from None
    cache = None
    if wire.cache_control is not None:
        cache = CacheControl(wire.cache_control.ttl)
        losses += [_unknown(f"{path}.cache_control.{name}") for name in wire.cache_control.extras or ()]
    return Tool(
        wire.name,
        path,
        wire.description,
        bytes(wire.input_schema),
        wire.strict,
        cache,
        extras_of(_TOOL_EXTRAS(wire), wire.extras),
    )


def _below(path: str, error: GatewayError) -> GatewayError:
    """An error of an element, with the path from the root."""
    where = error.details.get("path")
    details = {**error.details, "path": path if where in (None, "(the body)") else f"{path}.{where}"}
    return GatewayError(error.code, **details)  # type: ignore[arg-type]


def _read_choice(wire: ToolChoiceWire, losses: list[Loss]) -> ToolChoice:
    losses += [_unknown(f"tool_choice.{name}") for name in wire.extras or ()]
    if wire.type == "tool":
        if wire.name is None:
            raise GatewayError("request.missing_field", path="tool_choice.name")
        return ToolChoice(ToolMode.TOOL, (wire.name,))
    return ToolChoice(_MODE[wire.type])


def _read_reasoning(wire: RequestWire, fields: dict[str, bytes]) -> Reasoning | None:
    """What has no word here goes to `fields`, whole: a kind of thinking we do not know, its binding, a task budget."""
    config = wire.output_config
    effort = config.effort if config is not None else None
    if config is not None:
        rest = dict(config.extras or {})
        if sent(config.task_budget):
            rest["task_budget"] = config.task_budget
        if rest:
            fields["output_config"] = msgspec.json.encode(rest)
    thinking = wire.thinking
    if thinking is None:
        return Reasoning(effort=effort) if effort is not None else None
    mode = _THINKING.get(thinking.type)
    if mode is None or thinking.extras or sent(thinking.block_binding):
        fields["thinking"] = _thinking_whole(thinking)
    if mode is None and effort is None:
        return None
    return Reasoning(mode, effort, thinking.budget_tokens, thinking.display)


def _thinking_whole(thinking: ThinkingConfigWire) -> bytes:
    values: dict[str, object] = {"type": thinking.type}
    if thinking.budget_tokens is not None:
        values["budget_tokens"] = thinking.budget_tokens
    if thinking.display is not None:
        values["display"] = thinking.display
    if sent(thinking.block_binding):
        values["block_binding"] = thinking.block_binding
    values.update(thinking.extras or {})
    return msgspec.json.encode(values)


def _read_format(wire: RequestWire, losses: list[Loss]) -> OutputFormat | None:
    found: OutputFormatWire | None = wire.output_config.format if wire.output_config is not None else None
    path = "output_config.format"
    if found is None:
        found, path = wire.output_format, "output_format"
    if found is None:
        return None
    losses += [_unknown(f"{path}.{name}") for name in found.extras or ()]
    # The vendor always enforces the schema.
    return OutputFormat(OutputKind.JSON_SCHEMA, found.name, schema=bytes(found.schema), strict=True)


# --- answer ---------------------------------------------------------------------------------------------


def read_response(raw: bytes, memory: ReplyMemory, issuer: str) -> Response:
    """Raises `upstream.bad_response`; a field or block that is new to us never does."""
    losses: list[Loss] = []
    try:
        wire = _RESPONSE.read(raw)
        _demand_utf8(raw)
        parts = read_blocks(wire.content, Scope("content", losses, issuer))
    except GatewayError:
        raise bad_response(UPSTREAM, "it is not a Messages answer") from None
    if wire.type != "message":
        raise bad_response(UPSTREAM, "it is not a message")
    if memory.renames or memory.output_tool is not None:
        parts = tuple([_as_asked(part, memory) for part in parts])
    finish = FINISH_OF.get(wire.stop_reason or "") or read_finish(wire.stop_reason, losses)
    if memory.output_tool is not None and not any(type(part) is ToolCall for part in parts):
        finish = without_output_tool(finish)
    usage = wire.usage
    return Response(  # by position: names would take five times as long
        wire.id,
        wire.model,
        parts,
        finish,
        wire.stop_sequence,
        None if usage is None else read_usage(usage),
        None,
        None if usage is None else usage.service_tier,
        extras_of(_RESPONSE_EXTRAS(wire), wire.extras),
        tuple(losses),
    )


def _as_asked(part: Part, memory: ReplyMemory) -> Part:
    """A tool call with its client's name; the forced tool's call as the text that it stands for."""
    if type(part) is not ToolCall:
        return part
    if part.name == memory.output_tool:
        return Text(part.arguments, extras=part.extras)
    name = memory.renames.get(part.name)
    return part if name is None else msgspec.structs.replace(part, name=name)


def without_output_tool(finish: FinishReason) -> FinishReason:
    """The answer ended in the forced tool alone, so for the client it simply ended."""
    return FinishReason.STOP if finish is FinishReason.TOOL_CALLS else finish


def read_finish(reason: str | None, losses: list[Loss]) -> FinishReason:
    """A reason that is new to us counts as a plain end, recorded."""
    finish = FINISH_OF.get(reason or "")
    if finish is None:
        losses.append(Loss("stop_reason", LossReason.UNKNOWN_FIELD, Severity.SEMANTIC))
        return FinishReason.STOP
    return finish


def read_response_usage(raw: bytes) -> tuple[Usage | None, str | None]:
    try:
        wire = _METER.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None, None
    if wire.type != "message":
        return None, None
    return (read_usage(wire.usage) if wire.usage is not None else None), wire.model
