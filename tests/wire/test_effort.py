from __future__ import annotations

import pytest

from tokligence.wire.effort import BUDGETS, budget_of_effort, effort_of_budget, nearest_effort


@pytest.mark.parametrize(("effort", "budget"), BUDGETS.items())
def test_a_word_and_its_budget_are_each_others(effort: str, budget: int):
    assert budget_of_effort(effort, 200_000) == budget
    assert effort_of_budget(budget) == effort


@pytest.mark.parametrize(
    ("budget", "effort"), [(1, "minimal"), (10_000, "low"), (31_999, "high"), (10**9, "xhigh")]
)
def test_a_budget_gets_the_nearest_word(budget: int, effort: str):
    assert effort_of_budget(budget) == effort


def test_a_budget_stays_below_the_output_limit():
    assert budget_of_effort("high", 8_000) == 7_999
    assert budget_of_effort("max", 50_000) == 49_999
    assert budget_of_effort("none", 50_000) is None
    assert budget_of_effort("odd", 50_000) is None


@pytest.mark.parametrize(
    ("wanted", "accepted", "given"),
    [
        ("high", (), "high"),
        ("high", ("low", "high"), "high"),
        ("xhigh", ("minimal", "low", "medium", "high"), "high"),
        ("max", ("none", "low", "medium"), "medium"),
        ("minimal", ("none", "low", "high"), "low"),  # "none" would switch thinking off
        ("medium", ("low", "high"), "low"),
        ("none", ("minimal", "high"), "minimal"),
        ("odd", ("low",), "odd"),
        ("low", ("none",), "none"),
        ("low", ("own-word",), "own-word"),
    ],
)
def test_the_nearest_accepted_word_is_taken(wanted: str, accepted: tuple[str, ...], given: str):
    assert nearest_effort(wanted, accepted) == given
