"""Reasoning, output limit and sampling of a request, which depend on each other.

Rules (platform.claude.com/docs/en/build-with-claude/extended-thinking and adaptive-thinking, read 2026-11-24): a
budget is at least 1,024 and below `max_tokens`; thinking excludes a forced tool, `top_k`, a temperature other than 1
and a `top_p` below 0.95; with a budget, the tool loop that the request continues must begin with a thinking block.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from tokligence.catalog.models import ModelCard, ThinkingOff, ThinkingStyle
from tokligence.conversation import Loss, LossReason, Reasoning, ReasoningMode, Request, Sampling, Severity
from tokligence.wire.effort import BUDGETS, effort_of_budget, nearest_effort

DEFAULT_MAX_TOKENS: Final = 8_192
"""Output limit when neither the client nor the catalogue says one."""

LEAST_BUDGET: Final = 1_024
LEAST_TOP_P: Final = 0.95

_EFFORTS: Final = (
    "low",
    "medium",
    "high",
    "xhigh",
    "max",
)  # anthropic SDK 2.13.0 `types/output_config_param.py`
_DISPLAYS: Final = ("summarized", "omitted", "updates")
_WITHOUT_THINKING: Final = ("low", "medium", "high")  # efforts above are refused when thinking is off
_OFF: Final[dict[ThinkingOff, dict[str, object]]] = {
    ThinkingOff.DISABLED: {"type": "disabled"},
    ThinkingOff.BETWEEN_TOOLS: {"type": "between_tools"},
}
"""How a model is told not to think; others are not told."""

_C, _S = Severity.COSMETIC, Severity.SEMANTIC


class Thought(Struct):
    """What was decided. `thinking`: the request's field, None to leave it out; `on`: whether it asks to think."""

    max_tokens: int
    thinking: dict[str, object] | None = None
    effort: str | None = None
    on: bool = False


def output_limit(request: Request, card: ModelCard, losses: list[Loss]) -> int:
    limit = card.max_output_tokens
    tokens = request.max_tokens if request.max_tokens is not None else limit or DEFAULT_MAX_TOKENS
    if limit is not None and tokens > limit:
        losses.append(Loss("max_tokens", LossReason.CLAMPED, _C))
        tokens = limit
    return tokens


def decide(
    request: Request, wish: Reasoning, card: ModelCard, losses: list[Loss], *, forced: bool, continues: bool
) -> Thought:
    """`forced`: a tool must be called. `continues`: the history allows thinking with a budget."""
    limit = card.max_output_tokens
    thought = Thought(output_limit(request, card, losses))
    if wish.mode is None and wish.effort is None and wish.budget is None:
        return thought
    style = card.thinking
    if wish.mode is ReasoningMode.DISABLED or wish.effort == "none":
        thought.thinking = _OFF.get(card.thinking_off)
        if card.thinking_off is ThinkingOff.NEVER:
            losses.append(Loss("reasoning", LossReason.MODEL_CAPABILITY, _S))
        return thought
    if style is ThinkingStyle.NONE:
        losses.append(Loss("reasoning", LossReason.MODEL_CAPABILITY, _S))
        return thought
    adaptive = style in (ThinkingStyle.ADAPTIVE, ThinkingStyle.EFFORT)
    if style is ThinkingStyle.UNKNOWN:
        adaptive = wish.mode is ReasoningMode.ADAPTIVE
    if adaptive:
        _decide_adaptive(thought, wish, card, losses, forced=forced)
    elif forced or not continues:
        losses.append(Loss("reasoning", LossReason.UNSUPPORTED, _S))
    else:
        _decide_budget(thought, request, wish, limit, losses)
    return thought


def _decide_adaptive(
    thought: Thought, wish: Reasoning, card: ModelCard, losses: list[Loss], *, forced: bool
) -> None:
    if forced:
        losses.append(Loss("reasoning", LossReason.UNSUPPORTED, _S))
        thought.thinking = _OFF.get(card.thinking_off)
    else:
        thought.on = True
        thought.thinking = _shown({"type": "adaptive"}, wish)
    effort = wish.effort
    if effort is None and wish.budget is not None:
        losses.append(Loss("reasoning", LossReason.CONVERTED, _C))
        effort = effort_of_budget(wish.budget)
    if effort is not None:
        accepted = card.efforts or _EFFORTS
        if forced:
            accepted = tuple(word for word in accepted if word in _WITHOUT_THINKING)
        nearest = nearest_effort(effort, accepted)
        if nearest not in accepted:
            losses.append(Loss("reasoning", LossReason.UNSUPPORTED, _S))
            return
        thought.effort = nearest
        if nearest != wish.effort and wish.effort is not None:
            losses.append(Loss("reasoning", LossReason.CLAMPED, _C))


def _decide_budget(
    thought: Thought, request: Request, wish: Reasoning, limit: int | None, losses: list[Loss]
) -> None:
    wanted = wish.budget
    if wanted is None:
        if wish.mode is ReasoningMode.ADAPTIVE:
            losses.append(Loss("reasoning", LossReason.CONVERTED, _C))
        effort = wish.effort or "high"  # the vendor's own default of adaptive thinking
        wanted = BUDGETS["xhigh"] if effort == "max" else BUDGETS.get(effort)
    if wanted is None:
        losses.append(Loss("reasoning", LossReason.UNSUPPORTED, _S))
        return
    if request.max_tokens is None and limit is None:
        # Nobody set the limit: leave the answer its room behind the thinking.
        thought.max_tokens = wanted + DEFAULT_MAX_TOKENS
    budget = min(max(wanted, LEAST_BUDGET), thought.max_tokens - 1)
    if budget < LEAST_BUDGET:
        raised = thought.max_tokens + LEAST_BUDGET
        thought.max_tokens = raised if limit is None else min(raised, limit)
        budget = LEAST_BUDGET
        if thought.max_tokens <= budget:
            losses.append(Loss("reasoning", LossReason.MODEL_CAPABILITY, _S))
            return
        losses.append(Loss("max_tokens", LossReason.CLAMPED, _S))
    elif budget != wanted:
        losses.append(Loss("reasoning", LossReason.CLAMPED, _C))
    thought.on = True
    thought.thinking = _shown({"type": "enabled", "budget_tokens": budget}, wish)


def _shown(thinking: dict[str, object], wish: Reasoning) -> dict[str, object]:
    if wish.display in _DISPLAYS:
        thinking["display"] = wish.display
    return thinking


# --- sampling -------------------------------------------------------------------------------------------


def write_sampling(
    body: dict[str, object], sampling: Sampling, card: ModelCard, losses: list[Loss], *, thinking: bool
) -> None:
    """Temperature, top_p and top_k as this model takes them."""
    for name, value in (
        ("temperature", sampling.temperature),
        ("top_p", sampling.top_p),
        ("top_k", sampling.top_k),
    ):
        if value is None:
            continue
        if not card.sampling or (thinking and not _takes_thinking(name, value)):
            losses.append(Loss(name, LossReason.MODEL_CAPABILITY, _S))
        elif name == "temperature" and value > 1:
            losses.append(Loss(name, LossReason.CLAMPED, _S))
            body[name] = 1
        elif name == "top_p" and card.one_sampler and "temperature" in body:
            if value != 1:  # 1 asks for nothing
                losses.append(Loss(name, LossReason.MODEL_CAPABILITY, _S))
        else:
            body[name] = value


def _takes_thinking(name: str, value: float) -> bool:
    return (name == "temperature" and value == 1) or (name == "top_p" and value >= LEAST_TOP_P)
