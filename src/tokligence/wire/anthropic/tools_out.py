"""Tools, tool choice and structured output of a request: they are decided together.

Where the model has no structured output of its own, the schema becomes a tool that must be called, and
`ReplyMemory.output_tool` tells the reader of the answer to undo it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Raw, Struct

from tokligence.catalog.models import ModelCard
from tokligence.conversation import (
    LossReason,
    OpaqueTool,
    OutputFormat,
    OutputKind,
    ProtocolId,
    Request,
    Severity,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
)
from tokligence.wire.anthropic.blocks_out import Blocks
from tokligence.wire.anthropic.schemas import OPEN_OBJECT, described, output_schema, tool_schema

OUTPUT_TOOL: Final = "final_answer"
_OUTPUT_DESCRIPTION: Final = "Give your final answer by calling this tool: its input is the answer."

_C, _S = Severity.COSMETIC, Severity.SEMANTIC


class Tools(Struct):
    """What the request says of tools. `format`: for `output_config`; `output_tool`: name of the tool that stands for
    the answer; `instruction`: what the system prompt must add, for models that cannot be made to call it."""

    tools: list[dict[str, object] | Raw]
    choice: dict[str, object] | None = None
    format: dict[str, object] | None = None
    output_tool: str | None = None
    instruction: str | None = None

    @property
    def forced(self) -> bool:
        return self.choice is not None and self.choice["type"] in ("any", "tool")


def plan_tools(request: Request, blocks: Blocks, card: ModelCard) -> Tools:
    plan = Tools(_write_tools(request, blocks, card))
    plan.choice = _write_choice(request, blocks, card, any_tools=bool(plan.tools))
    if request.output is not None and request.output.kind is not OutputKind.TEXT:
        _plan_output(request.output, plan, blocks, card)
    if not plan.tools:
        _declare_called(request, plan, blocks)
    return plan


# --- tools ----------------------------------------------------------------------------------------------


def _write_tools(request: Request, blocks: Blocks, card: ModelCard) -> list[dict[str, object] | Raw]:
    allowed = _allowed(request.tool_choice)
    out: list[dict[str, object] | Raw] = []
    for tool in request.tools:
        if isinstance(tool, OpaqueTool):
            if tool.origin is ProtocolId.ANTHROPIC:
                out.append(Raw(tool.raw))
            else:
                blocks.lose(tool.path, LossReason.UNSUPPORTED, _S)
        elif allowed and tool.name not in allowed:
            blocks.lose(tool.path, LossReason.CONVERTED, _C)
        else:
            out.append(_write_tool(tool, blocks, card))
    return out


def _allowed(choice: ToolChoice | None) -> frozenset[str]:
    """The tools that may be called, empty for all. The vendor has no such list, so the others are not shown."""
    if choice is None or choice.mode not in (ToolMode.AUTO, ToolMode.ANY):
        return frozenset()
    return frozenset(choice.names)


def _write_tool(tool: Tool, blocks: Blocks, card: ModelCard) -> dict[str, object]:
    schema, repaired = tool_schema(tool.parameters)
    if repaired is not None:
        blocks.lose(f"{tool.path}.parameters", LossReason.REPAIRED, repaired)
    out: dict[str, object] = {"name": blocks.names.to_target(tool.name)}
    if tool.description:
        out["description"] = tool.description
    if tool.strict:
        schema = _be_strict(out, schema, tool.path, blocks, card)
    out["input_schema"] = Raw(schema)
    blocks.mark(out, tool.cache, tool.extras, tool.path)
    return out


def _be_strict(out: dict[str, object], schema: bytes, path: str, blocks: Blocks, card: ModelCard) -> bytes:
    """A strict tool's schema obeys the rules of structured output."""
    subset = output_schema(schema) if card.strict_tools else None
    if subset is None:
        reason = LossReason.UNSUPPORTED if card.strict_tools else LossReason.MODEL_CAPABILITY
        blocks.lose(f"{path}.strict", reason, _S)
        return schema
    out["strict"] = True
    if subset[1]:
        blocks.lose(f"{path}.parameters", LossReason.CONVERTED, _C)
    return subset[0]


def _declare_called(request: Request, plan: Tools, blocks: Blocks) -> None:
    """A history with calls needs their tools declared, also when none may be called any more."""
    names = dict.fromkeys(_called(request))
    if not names:
        return
    blocks.lose("tools", LossReason.REPAIRED, _C)
    plan.tools = [{"name": blocks.names.to_target(name), "input_schema": Raw(OPEN_OBJECT)} for name in names]
    plan.choice = {"type": "none"}


def _called(request: Request) -> Iterable[str]:
    return (part.name for turn in request.turns for part in turn.parts if type(part) is ToolCall)


# --- choice ---------------------------------------------------------------------------------------------


def _write_choice(
    request: Request, blocks: Blocks, card: ModelCard, *, any_tools: bool
) -> dict[str, object] | None:
    choice = request.tool_choice
    if not any_tools:
        if choice is not None and choice.mode in (ToolMode.ANY, ToolMode.TOOL):
            blocks.lose("tool_choice", LossReason.UNSUPPORTED, _S)
        return None
    single = request.parallel_tool_calls is False
    if choice is not None and choice.mode is ToolMode.TOOL and not _offers(request, choice.names[0]):
        blocks.lose("tool_choice", LossReason.UNSUPPORTED, _S)
        choice = None
    if choice is None:
        return {"type": "auto", "disable_parallel_tool_use": True} if single else None
    out: dict[str, object] = {"type": choice.mode.value}
    if choice.mode in (ToolMode.ANY, ToolMode.TOOL) and not card.forced_tools:
        blocks.lose("tool_choice", LossReason.MODEL_CAPABILITY, _S)
        out["type"] = "auto"
    elif choice.mode is ToolMode.TOOL:
        out["name"] = blocks.names.to_target(choice.names[0])
    if single and choice.mode is not ToolMode.NONE:
        out["disable_parallel_tool_use"] = True
    return out


def _offers(request: Request, name: str) -> bool:
    """Whether it is a tool that both vendors have; one of another vendor's own was lost."""
    return any(
        tool.name == name if isinstance(tool, Tool) else tool.origin is ProtocolId.ANTHROPIC
        for tool in request.tools
    )


# --- structured output ----------------------------------------------------------------------------------


def _plan_output(output: OutputFormat, plan: Tools, blocks: Blocks, card: ModelCard) -> None:
    schema = output.schema if output.kind is OutputKind.JSON_SCHEMA else None
    if schema is not None and card.structured_output:
        native = output_schema(
            schema if output.description is None else described(schema, output.description)
        )
        if native is not None:
            plan.format = {"type": "json_schema", "schema": Raw(native[0])}
            if native[1]:
                blocks.lose("response_format", LossReason.CONVERTED, _C)
            if output.name is not None:
                blocks.lose("response_format.name", LossReason.UNSUPPORTED, _C)
            return
    if plan.choice is not None and plan.choice["type"] == "tool":
        blocks.lose("response_format", LossReason.UNSUPPORTED, _S)
        return
    _offer_output(output, schema, plan, blocks, card)


def _offer_output(
    output: OutputFormat, schema: bytes | None, plan: Tools, blocks: Blocks, card: ModelCard
) -> None:
    """With tools of the client the model may still call those; without, or when they are ruled out, only this one."""
    blocks.lose("response_format", LossReason.CONVERTED, _C if card.forced_tools else _S)
    name = OUTPUT_TOOL
    while any(isinstance(tool, dict) and tool["name"] == name for tool in plan.tools):
        name += "_"
    repaired, severity = tool_schema(schema or OPEN_OBJECT)
    if severity is Severity.SEMANTIC:
        blocks.lose("response_format", LossReason.REPAIRED, severity)
    only = not plan.tools or (plan.choice is not None and plan.choice["type"] == "none")
    plan.tools.append(
        {
            "name": name,
            "description": output.description or _OUTPUT_DESCRIPTION,
            "input_schema": Raw(repaired),
        }
    )
    parallel = plan.choice is None or "disable_parallel_tool_use" not in plan.choice
    if not card.forced_tools:
        plan.choice = {"type": "auto"}
        plan.instruction = f"Give your final answer only by calling the tool {name}, never as text."
    else:
        plan.choice = {"type": "tool", "name": name} if only else {"type": "any"}
    if only or not parallel:
        plan.choice["disable_parallel_tool_use"] = True
    plan.output_tool = name
