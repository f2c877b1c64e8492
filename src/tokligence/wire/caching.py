"""Prompt caches across dialects: breakpoints for those who cannot set them, and a prefix that stays the same. Pure.

Anthropic caches up to a breakpoint, at most four in a request, in the order tools, system, messages, and looks back about
20 blocks from each (platform.claude.com/docs/en/build-with-claude/prompt-caching, read 2026-11-24). OpenAI and Gemini
cache the longest known prefix by themselves (developers.openai.com/api/docs/guides/prompt-caching,
ai.google.dev/gemini-api/docs/caching, read 2026-11-24), so nothing at the front may change from turn to turn.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from tokligence.conversation import (
    CacheControl,
    Document,
    Image,
    Loss,
    LossReason,
    OpaqueTool,
    Part,
    Request,
    Role,
    Severity,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
)

BILLING: Final = "x-anthropic-billing-header:"
"""How a block of Claude Code's system prompt begins that says who pays, and that changes from request to request."""

SYSTEM: Final = (Role.SYSTEM, Role.DEVELOPER)
USER: Final = Role.USER
HERE: Final = CacheControl()
EMPTY: Final = Text("")
CACHEABLE: Final = (Text, Image, Document, ToolCall, ToolResult)


def with_breakpoints(request: Request) -> Request:
    """The request with breakpoints after its fixed beginning (tools and system), and after its last two turns of the
    user: the last is what the next request reads, the one before what this one reads. A request that sets its own keeps
    them."""
    if _has_breakpoints(request):
        return request
    turns, tools = list(request.turns), request.tools
    leading = next((at for at, turn in enumerate(turns) if turn.role not in SYSTEM), len(turns))
    if not (leading and _mark(turns, leading - 1)):
        tools = _with_last_marked(tools)
    users = [at for at in range(leading, len(turns)) if turns[at].role is USER]
    for at in users[-2:]:
        _mark(turns, at)
    return replace(request, turns=tuple(turns), tools=tools)


def without_volatile(request: Request) -> Request:
    """The request without the parts of its system prompt that change from turn to turn and mean nothing to another
    vendor; each is a cosmetic loss."""
    if not any(turn.role is Role.SYSTEM and any(map(_is_volatile, turn.parts)) for turn in request.turns):
        return request
    losses = list(request.losses)
    turns = []
    for turn in request.turns:
        if turn.role is Role.SYSTEM:
            kept = tuple([part for part in turn.parts if not _is_volatile(part)])
            if len(kept) < len(turn.parts):
                losses.append(Loss(turn.path, LossReason.UNSUPPORTED, Severity.COSMETIC))
                turn = replace(turn, parts=kept)
        if turn.parts:
            turns.append(turn)
    return replace(request, turns=tuple(turns), losses=tuple(losses))


def _has_breakpoints(request: Request) -> bool:
    if any(isinstance(tool, Tool) and tool.cache is not None for tool in request.tools):
        return True
    parts = (part for turn in request.turns for part in turn.parts)
    return any(isinstance(part, CACHEABLE) and part.cache is not None for part in parts)


def _mark(turns: list[Turn], at: int) -> bool:
    """Put a breakpoint after the last part of a turn that can carry one; False if none can."""
    parts = list(turns[at].parts)
    for place in range(len(parts) - 1, -1, -1):
        part = parts[place]
        if isinstance(part, CACHEABLE) and part != EMPTY:
            parts[place] = replace(part, cache=HERE)
            turns[at] = replace(turns[at], parts=tuple(parts))
            return True
    return False


def _with_last_marked(tools: tuple[Tool | OpaqueTool, ...]) -> tuple[Tool | OpaqueTool, ...]:
    last = tools[-1] if tools else None
    return (*tools[:-1], replace(last, cache=HERE)) if isinstance(last, Tool) else tools


def _is_volatile(part: Part) -> bool:
    return isinstance(part, Text) and part.text.startswith(BILLING)
