"""Tools and tool choice of a request."""

from __future__ import annotations

from typing import Final

from msgspec import Raw

from tokligence.conversation import LossReason, OpaqueTool, Request, Severity, Tool, ToolMode
from tokligence.wire.contract import Target
from tokligence.wire.gemini.extras import OWN
from tokligence.wire.gemini.parts_out import Contents, Json
from tokligence.wire.gemini.schema import as_object, write_subset

_C, _S = Severity.COSMETIC, Severity.SEMANTIC
_INPUT: Final = b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}'
_MODE: Final[dict[ToolMode, str]] = {
    ToolMode.AUTO: "AUTO",
    ToolMode.ANY: "ANY",
    ToolMode.NONE: "NONE",
    ToolMode.TOOL: "ANY",
}


def write_tools(body: Json, request: Request, target: Target, contents: Contents) -> bool:
    """Sets `tools` and `toolConfig`; says whether functions are offered."""
    functions: list[Json] = []
    others: list[Raw] = []
    for tool in request.tools:
        if isinstance(tool, Tool):
            functions.append(_write_function(tool, target, contents))
        elif tool.origin is OWN:
            others.append(Raw(tool.raw))
        else:
            contents.lose(tool.path, LossReason.UNSUPPORTED, _S)
    tools: list[Json | Raw] = [{"functionDeclarations": functions}] if functions else []
    tools += others
    if tools:
        body["tools"] = tools
    _write_choice(body, request, target, contents, any_functions=bool(functions))
    if request.parallel_tool_calls is False and functions:
        contents.lose("parallel_tool_calls", LossReason.UNSUPPORTED, _S)
    return bool(functions)


def _write_function(tool: Tool, target: Target, contents: Contents) -> Json:
    out: Json = {"name": contents.names.to_target(tool.name)}
    if tool.description:
        out["description"] = tool.description
    schema = _INPUT if tool.freeform else tool.parameters
    if schema is not None:
        parameters, mended = as_object(schema)
        if mended:
            contents.lose(f"{tool.path}.parameters", LossReason.REPAIRED, _S)
        if target.dialect.json_schema:
            out["parametersJsonSchema"] = Raw(parameters)
        else:
            subset, severity = write_subset(parameters)
            out["parameters"] = Raw(subset)
            if severity is not None:
                contents.lose(f"{tool.path}.parameters", LossReason.CONVERTED, severity)
    contents.lose_cache(tool.cache, tool.path)
    contents.add_extras(out, tool.extras, tool.path)
    return out


def _write_choice(
    body: Json, request: Request, target: Target, contents: Contents, *, any_functions: bool
) -> None:
    """A strict tool asks for VALIDATED, which holds calls to their schemas; so does ANY by itself."""
    choice = request.tool_choice
    mode = ToolMode.AUTO if choice is None else choice.mode
    names = () if choice is None else choice.names
    if not any_functions:
        if mode in (ToolMode.ANY, ToolMode.TOOL):
            contents.lose("tool_choice", LossReason.UNSUPPORTED, _S)
        return
    if mode is ToolMode.TOOL and not _offers(request, names):
        contents.lose("tool_choice", LossReason.UNSUPPORTED, _S)
        mode, names, choice = ToolMode.AUTO, (), None
    if mode in (ToolMode.ANY, ToolMode.TOOL) and not target.card.forced_tools:
        contents.lose("tool_choice", LossReason.MODEL_CAPABILITY, _S)
        mode = ToolMode.AUTO
    if names and not _offers(request, names):
        contents.lose("tool_choice", LossReason.CONVERTED, _S)
        names = tuple(name for name in names if _offers(request, (name,)))
    strict = _strict(request, target, contents)
    word = "VALIDATED" if mode is ToolMode.AUTO and (strict or names) else _MODE[mode]
    if choice is None and word == "AUTO":
        return
    config: Json = {"mode": word}
    if names and mode is not ToolMode.NONE:
        config["allowedFunctionNames"] = [contents.names.to_target(name) for name in names]
    body["toolConfig"] = {"functionCallingConfig": config}


def _offers(request: Request, names: tuple[str, ...]) -> bool:
    """Whether they are functions of this request; one of another vendor's own was lost."""
    offered = {tool.name for tool in request.tools if not isinstance(tool, OpaqueTool)}
    return offered.issuperset(names)


def _strict(request: Request, target: Target, contents: Contents) -> bool:
    strict = [tool for tool in request.tools if isinstance(tool, Tool) and tool.strict]
    if strict and not target.card.strict_tools:
        for tool in strict:
            contents.lose(f"{tool.path}.strict", LossReason.MODEL_CAPABILITY, _S)
        return False
    return bool(strict)
