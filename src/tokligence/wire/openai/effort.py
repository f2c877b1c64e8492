"""The reasoning effort that a model of OpenAI's protocols is asked for, and the verbosity that it takes."""

from __future__ import annotations

from tokligence.catalog.models import ModelCard, ThinkingOff, ThinkingStyle
from tokligence.conversation import Loss, LossReason, Reasoning, ReasoningMode, Severity
from tokligence.wire.effort import EFFORTS, effort_of_budget, nearest_effort

_C, _S = Severity.COSMETIC, Severity.SEMANTIC


def effort_word(reasoning: Reasoning, card: ModelCard, losses: list[Loss]) -> str | None:
    """The word to send; None: nothing."""
    if reasoning.mode is ReasoningMode.DISABLED:
        return _off(reasoning, card, losses)
    if card.thinking is ThinkingStyle.NONE:
        losses.append(Loss("reasoning", LossReason.MODEL_CAPABILITY, _S))
        return None
    wanted = reasoning.effort
    if wanted is None and card.thinking is ThinkingStyle.UNKNOWN:
        # A server that we do not know may refuse the field, so only who names an effort gets it sent.
        losses.append(Loss("reasoning", LossReason.UNSUPPORTED, _C))
        return None
    if wanted is None and reasoning.budget is not None:
        wanted = effort_of_budget(reasoning.budget)
        losses.append(Loss("reasoning", LossReason.CONVERTED, _C))
    return None if wanted is None else _accepted(wanted, card, losses)


def takes_verbosity(verbosity: str, card: ModelCard) -> bool:
    """Models that do not think know "medium" only."""
    return verbosity == "medium" or card.thinking is not ThinkingStyle.NONE


def _off(reasoning: Reasoning, card: ModelCard, losses: list[Loss]) -> str | None:
    if card.thinking is ThinkingStyle.NONE:
        return None
    if "none" in card.efforts:
        return "none"
    if card.thinking is ThinkingStyle.UNKNOWN:
        if reasoning.effort is None:
            losses.append(Loss("reasoning", LossReason.UNSUPPORTED, _C))
        return reasoning.effort
    if card.thinking_off is ThinkingOff.OMIT:
        return None
    losses.append(Loss("reasoning", LossReason.MODEL_CAPABILITY, _S))
    return nearest_effort("none", card.efforts) if card.efforts else None


def _accepted(wanted: str, card: ModelCard, losses: list[Loss]) -> str | None:
    effort = nearest_effort(wanted, card.efforts)
    if effort != wanted:
        losses.append(Loss("reasoning.effort", LossReason.CLAMPED, _C))
    if effort not in EFFORTS:
        losses.append(Loss("reasoning.effort", LossReason.UNSUPPORTED, _C))
        return None
    return effort
