"""Reasoning effort <-> thinking budget, in tokens: OpenAI says a word, Anthropic a number (or, adaptive, a word)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""All words, from least to most (openai 3.57 `types/shared/reasoning_effort.py`)."""

BUDGETS: Final[dict[str, int]] = {
    "minimal": 1_024,  # also Anthropic's least budget
    "low": 4_096,
    "medium": 16_384,
    "high": 32_768,
    "xhigh": 65_536,
}


def effort_of_budget(budget: int) -> str:
    """The word whose budget is nearest; the smaller one if two are equally near."""
    return min(BUDGETS, key=lambda word: abs(BUDGETS[word] - budget))


def budget_of_effort(effort: str, max_tokens: int) -> int | None:
    """The budget of a word, below `max_tokens` as Anthropic demands; None if the word means none or is unknown.

    "max" is all that fits.
    """
    budget = max_tokens - 1 if effort == "max" else BUDGETS.get(effort)
    return None if budget is None else min(budget, max_tokens - 1)


def nearest_effort(effort: str, accepted: Sequence[str]) -> str:
    """`effort` if it is accepted or nothing is known of what is accepted or of the word, else the nearest accepted
    word, the weaker one if two are equally near. Thinking is not switched on or off if there is another choice."""
    if not accepted or effort in accepted or effort not in EFFORTS:
        return effort
    wanted = EFFORTS.index(effort)
    choices = [word for word in accepted if word in EFFORTS and word != "none"] or list(accepted)
    return min(
        choices,
        key=lambda word: (abs(_rank(word) - wanted), _rank(word)),
    )


def _rank(word: str) -> int:
    return EFFORTS.index(word) if word in EFFORTS else len(EFFORTS)
