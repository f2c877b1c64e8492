"""Tools and tool choice -> the conversation.

Each tool is read by itself, so one that the vendor runs stays raw as it came and costs nothing more. The tools of a
namespace become tools of their own that know it; the namespace's description stays with the first of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Raw

from tokligence.conversation import Extras, Loss, LossReason, OpaqueTool, Tool, ToolChoice, ToolMode
from tokligence.errors import GatewayError
from tokligence.wire.lower import NAMESPACE_DESCRIPTION
from tokligence.wire.openai_responses.items_in import OWN, extras_of, head_of, lose_inner, within
from tokligence.wire.openai_responses.types import (
    ABSENT,
    Choice,
    ChosenAllowed,
    ChosenCustom,
    ChosenFunction,
    CustomTool,
    FunctionTool,
    NamespaceTool,
    ToolHolder,
    ToolWire,
)
from tokligence.wire.strict import OpaqueWire, Reader

_TOOL: Final[msgspec.json.Decoder[ToolWire]] = msgspec.json.Decoder(ToolWire)
_UNUSUAL: Final[Reader[ToolWire]] = Reader(ToolWire)
_HOLDER: Final[Reader[ToolHolder]] = Reader(ToolHolder)
_KINDS: Final = frozenset({"function", "custom", "namespace"})
_TEXT: Final = (b"null", b'{"type":"text"}')


def held_tools(raw: bytes, path: str, losses: list[Loss]) -> list[Tool | OpaqueTool]:
    """The tools that an item holds among other things; `path`: theirs."""
    return read_tools(within(path.removesuffix(".tools"), _HOLDER, raw).tools, path, losses)


def read_tools(tools: Sequence[Raw], path: str, losses: list[Loss]) -> list[Tool | OpaqueTool]:
    out: list[Tool | OpaqueTool] = []
    for index, raw in enumerate(tools):
        _read_tool(raw, f"{path}[{index}]", None, out, losses)
    return out


def _read_tool(
    raw: Raw, path: str, namespace: str | None, out: list[Tool | OpaqueTool], losses: list[Loss]
) -> None:
    try:
        tool = _TOOL.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        content = bytes(raw)
        kind = head_of(content, path).type
        if not kind:
            raise GatewayError("request.missing_field", path=f"{path}.type") from None
        if kind not in _KINDS:
            out.append(OpaqueTool(OWN, kind, path, content))
            return
        tool = within(path, _UNUSUAL, content)
    if isinstance(tool, NamespaceTool):
        _read_namespace(tool, path, out, losses)
    elif isinstance(tool, CustomTool):
        form = bytes(tool.format)
        form_told = form if form and form.replace(b" ", b"") not in _TEXT else None
        extras = _extras(tool)
        out.append(
            Tool(tool.name, path, tool.description, None, None, None, extras, namespace, True, form_told)
        )
    else:
        parameters = bytes(tool.parameters)
        schema = None if parameters in (b"", b"null") else parameters
        out.append(
            Tool(tool.name, path, tool.description, schema, tool.strict, None, _extras(tool), namespace)
        )


def _extras(tool: FunctionTool | CustomTool) -> Extras | None:
    fields: dict[str, bytes] = {}
    for name, value in (
        ("allowed_callers", tool.allowed_callers),
        ("async", tool.async_),
        ("defer_loading", tool.defer_loading),
        ("output_schema", tool.output_schema if isinstance(tool, FunctionTool) else ABSENT),
    ):
        if value is not ABSENT and (raw := bytes(value)) not in (b"null", b"false"):
            fields[name] = raw
    return extras_of(tool.extras, fields)


def _read_namespace(tool: NamespaceTool, path: str, out: list[Tool | OpaqueTool], losses: list[Loss]) -> None:
    lose_inner(tool, path, losses)
    first = len(out)
    for index, raw in enumerate(tool.tools):
        _read_tool(raw, f"{path}.tools[{index}]", tool.name, out, losses)
    head = out[first] if len(out) > first else None
    if tool.description and isinstance(head, Tool):
        told = {NAMESPACE_DESCRIPTION: msgspec.json.encode(tool.description)}
        own = {} if head.extras is None else dict(head.extras.fields)
        out[first] = msgspec.structs.replace(head, extras=Extras(OWN, {**own, **told}))


# --- choice ---------------------------------------------------------------------------------------------

_MODES: Final = {"none": ToolMode.NONE, "auto": ToolMode.AUTO, "required": ToolMode.ANY}


def read_choice(choice: Choice, losses: list[Loss]) -> ToolChoice | None:
    """None: it names a tool that the vendor runs, which the conversation has no word for."""
    if isinstance(choice, str):
        return ToolChoice(_MODES[choice])
    if isinstance(choice, OpaqueWire):
        return None
    lose_inner(choice, "tool_choice", losses)
    if isinstance(choice, ChosenAllowed):
        return ToolChoice(_MODES[choice.mode], _allowed(choice, losses))
    return ToolChoice(ToolMode.TOOL, (choice.name,))


def _allowed(choice: ChosenAllowed, losses: list[Loss]) -> tuple[str, ...]:
    names: list[str] = []
    for index, tool in enumerate(choice.tools):
        path = f"tool_choice.tools[{index}]"
        match tool:
            case ChosenFunction() | ChosenCustom():
                lose_inner(tool, path, losses)
                names.append(tool.name)
            case _:
                losses.append(Loss(path, LossReason.UNKNOWN_PART))
    return tuple(names)


def hosted_choice(choice: Choice) -> bytes | None:
    """A choice that only this protocol can express, raw."""
    return choice.raw.encode() if isinstance(choice, OpaqueWire) else None
