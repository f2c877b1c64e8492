"""Thinking, output limit and sampling, for each kind of model."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from tests.wire.anthropic.given import ANTHROPIC, CARD, assistant, losses, request, user
from tokligence.catalog.models import ModelCard, ThinkingOff, ThinkingStyle
from tokligence.conversation import (
    Extras,
    Opaque,
    Reasoning,
    ReasoningMode,
    Request,
    Sampling,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
    Turn,
)
from tokligence.wire.anthropic import CODEC
from tokligence.wire.contract import Target

BUDGET = replace(CARD, thinking=ThinkingStyle.BUDGET, max_output_tokens=64_000)
ADAPTIVE = replace(CARD, thinking=ThinkingStyle.ADAPTIVE, efforts=("low", "medium", "high", "max"))
QUIET = replace(ADAPTIVE, thinking_off=ThinkingOff.DISABLED)
PLAIN = replace(CARD, thinking=ThinkingStyle.NONE)
F = Tool("f", "tools[0]")
FORCED = {"tools": (F,), "tool_choice": ToolChoice(ToolMode.ANY)}
MAX = "max_tokens clamped semantic"


def plan(card: ModelCard, *turns: Turn, **fields: Any) -> tuple[dict[str, Any], list[str]]:
    """What the request says of thinking, limit and sampling, and the losses."""
    written = CODEC.write_request(request(*turns, **fields), Target("m", card, "anthropic"))
    body = json.loads(written.body)
    names = ("max_tokens", "thinking", "output_config", "temperature", "top_p", "top_k")
    return {name: body[name] for name in names if name in body}, losses(list(written.losses))


def effort(word: str | None) -> Reasoning:
    return Reasoning(ReasoningMode.ENABLED, word)


# --- output limit ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("card", "asked", "sent", "lost"),
    [
        (CARD, None, 8_192, []),
        (CARD, 999_999, 999_999, []),
        (BUDGET, None, 64_000, []),
        (BUDGET, 100, 100, []),
        (BUDGET, 65_000, 64_000, ["max_tokens clamped cosmetic"]),
    ],
)
def test_the_output_limit(card: ModelCard, asked: int | None, sent: int, lost: list[str]) -> None:
    assert plan(card, max_tokens=asked) == ({"max_tokens": sent}, lost)


# --- budget ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "asked", "tokens", "budget", "lost"),
    [
        (effort("low"), None, 64_000, 4_096, []),
        (effort("high"), None, 64_000, 32_768, []),
        (effort(None), None, 64_000, 32_768, []),
        (effort("xhigh"), None, 64_000, 63_999, ["reasoning clamped cosmetic"]),
        (effort("max"), None, 64_000, 63_999, ["reasoning clamped cosmetic"]),
        (effort("medium"), 5_000, 5_000, 4_999, ["reasoning clamped cosmetic"]),
        (effort("medium"), 500, 1_524, 1_024, [MAX]),
        (Reasoning(ReasoningMode.ENABLED, budget=2_000), 9_000, 9_000, 2_000, []),
        (Reasoning(ReasoningMode.ENABLED, budget=500), 9_000, 9_000, 1_024, ["reasoning clamped cosmetic"]),
        (Reasoning(ReasoningMode.ADAPTIVE), None, 64_000, 32_768, ["reasoning converted cosmetic"]),
    ],
)
def test_a_budget_model(
    wish: Reasoning, asked: int | None, tokens: int, budget: int, lost: list[str]
) -> None:
    assert plan(BUDGET, reasoning=wish, max_tokens=asked) == (
        {"max_tokens": tokens, "thinking": {"type": "enabled", "budget_tokens": budget}},
        lost,
    )


def test_a_limit_too_small_for_any_budget_switches_thinking_off() -> None:
    small = replace(BUDGET, max_output_tokens=1_000)
    assert plan(small, reasoning=effort("low")) == (
        {"max_tokens": 1_000},
        ["reasoning model_capability semantic"],
    )


def test_without_any_limit_the_answer_keeps_its_room() -> None:
    unlimited = replace(BUDGET, max_output_tokens=None)
    sent, lost = plan(unlimited, reasoning=effort("high"))
    assert sent["max_tokens"] - sent["thinking"]["budget_tokens"] == 8_192
    assert lost == []
    assert plan(unlimited, reasoning=effort("low"), max_tokens=600)[0]["max_tokens"] == 1_624


def test_an_effort_without_a_budget_is_lost() -> None:
    assert plan(BUDGET, reasoning=effort("heroic"))[1] == ["reasoning unsupported semantic"]


def test_how_thinking_is_shown_is_kept() -> None:
    wish = Reasoning(ReasoningMode.ENABLED, "low", display="omitted")
    assert plan(BUDGET, reasoning=wish)[0]["thinking"]["display"] == "omitted"
    assert "display" not in plan(BUDGET, reasoning=replace(wish, display="novel"))[0]["thinking"]


def test_a_forced_tool_excludes_a_budget() -> None:
    assert plan(BUDGET, reasoning=effort("low"), **FORCED) == (
        {"max_tokens": 64_000},
        ["reasoning unsupported semantic"],
    )


# --- the history of a budget ----------------------------------------------------------------------------

SIGNED = Thinking("hm", "sig", "anthropic")
CALL, RESULT = ToolCall("a", "f", "{}"), user(ToolResult("a", ()))
CALL_2, RESULT_2 = ToolCall("b", "f", "{}"), user(ToolResult("b", ()))


@pytest.mark.parametrize(
    ("turns", "on"),
    [
        ((user("q"), assistant("a"), user("b")), True),
        ((user("q"), assistant(CALL), RESULT), False),
        ((user("q"), assistant(SIGNED, CALL), RESULT), True),
        ((user("q"), assistant(SIGNED, CALL), RESULT, assistant(CALL_2), RESULT_2), True),
        ((user("q"), assistant(CALL), RESULT, assistant(SIGNED, CALL_2), RESULT_2), True),
        ((user("q"), assistant(CALL), RESULT, assistant("done"), user("b")), True),
        ((user("q"), assistant("The answer is")), False),
        ((user("q"), assistant(Opaque(ANTHROPIC, "novel", b'{"type":"novel"}'))), False),
        ((user(""),), True),
    ],
)
def test_a_tool_loop_must_have_begun_with_thinking(turns: tuple[Turn, ...], on: bool) -> None:
    sent, lost = plan(BUDGET, *turns, reasoning=effort("low"), tools=(F,))
    assert ("thinking" in sent) is on
    assert lost == ([] if on else ["reasoning unsupported semantic"])


# --- adaptive -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "sent_effort", "lost"),
    [
        (effort("high"), "high", []),
        (effort("minimal"), "low", ["reasoning clamped cosmetic"]),
        (effort(None), None, []),
        (effort("heroic"), None, ["reasoning unsupported semantic"]),
        (Reasoning(None, "low"), "low", []),
        (Reasoning(ReasoningMode.ENABLED, budget=30_000), "high", ["reasoning converted cosmetic"]),
    ],
)
def test_an_adaptive_model(wish: Reasoning, sent_effort: str | None, lost: list[str]) -> None:
    sent, found = plan(ADAPTIVE, reasoning=wish)
    assert sent["thinking"] == {"type": "adaptive"}
    assert sent.get("output_config", {}).get("effort") == sent_effort
    assert found == lost


def test_an_adaptive_model_of_unknown_efforts_takes_the_vendors_words() -> None:
    assert plan(replace(ADAPTIVE, efforts=()), reasoning=effort("xhigh"))[0]["output_config"] == {
        "effort": "xhigh"
    }


@pytest.mark.parametrize(
    ("off", "thinking"),
    [
        (ThinkingOff.OMIT, None),
        (ThinkingOff.DISABLED, {"type": "disabled"}),
        (ThinkingOff.BETWEEN_TOOLS, {"type": "between_tools"}),
    ],
)
def test_each_model_is_told_its_own_way_not_to_think(
    off: ThinkingOff, thinking: dict[str, str] | None
) -> None:
    card = replace(ADAPTIVE, thinking_off=off)
    for wish in (Reasoning(ReasoningMode.DISABLED), Reasoning(None, "none")):
        sent, lost = plan(card, reasoning=wish)
        assert (sent.get("thinking"), lost) == (thinking, [])


def test_a_model_that_always_thinks_cannot_be_told() -> None:
    card = replace(ADAPTIVE, thinking_off=ThinkingOff.NEVER)
    sent, lost = plan(card, reasoning=Reasoning(ReasoningMode.DISABLED))
    assert "thinking" not in sent
    assert lost == ["reasoning model_capability semantic"]


def test_a_forced_tool_excludes_adaptive_thinking_and_the_efforts_above_high() -> None:
    sent, lost = plan(QUIET, reasoning=effort("max"), **FORCED)
    assert sent["thinking"] == {"type": "disabled"}
    assert sent["output_config"] == {"effort": "high"}
    assert lost == ["reasoning unsupported semantic", "reasoning clamped cosmetic"]


# --- other models ---------------------------------------------------------------------------------------


def test_a_model_that_does_not_think_loses_the_wish() -> None:
    assert plan(PLAIN, reasoning=effort("low")) == (
        {"max_tokens": 8_192},
        ["reasoning model_capability semantic"],
    )


def test_an_unknown_model_is_asked_as_the_client_asked() -> None:
    assert plan(CARD, reasoning=Reasoning(ReasoningMode.ADAPTIVE, "low"))[0]["thinking"] == {
        "type": "adaptive"
    }
    assert plan(CARD, reasoning=effort("low"))[0]["thinking"] == {"type": "enabled", "budget_tokens": 4_096}


def test_no_wish_is_no_field() -> None:
    assert plan(BUDGET, reasoning=Reasoning(display="omitted")) == ({"max_tokens": 64_000}, [])


def test_thinking_of_the_vendors_own_goes_back_where_we_decide_nothing() -> None:
    own = Extras(ANTHROPIC, {"thinking": b'{"type":"between_tools"}', "output_config": b'{"task_budget":1}'})
    sent, lost = plan(ADAPTIVE, extras=own, reasoning=Reasoning(None, "low"))
    assert sent["thinking"] == {"type": "adaptive"}
    assert sent["output_config"] == {"effort": "low", "task_budget": 1}
    assert lost == ["thinking converted cosmetic"]
    assert plan(ADAPTIVE, extras=own) == (
        {"max_tokens": 8_192, "thinking": {"type": "between_tools"}, "output_config": {"task_budget": 1}},
        [],
    )


# --- sampling -------------------------------------------------------------------------------------------


def sampled(
    card: ModelCard, reasoning: Reasoning | None = None, **fields: Any
) -> tuple[dict[str, Any], list[str]]:
    sent, lost = plan(card, sampling=Sampling(**fields), reasoning=reasoning)
    return {name: sent[name] for name in ("temperature", "top_p", "top_k") if name in sent}, lost


def test_sampling_is_kept_for_models_that_take_it() -> None:
    assert sampled(CARD, temperature=0.5, top_p=0.9, top_k=4) == (
        {"temperature": 0.5, "top_p": 0.9, "top_k": 4},
        [],
    )


def test_a_temperature_above_one_is_clamped() -> None:
    assert sampled(CARD, temperature=1.7) == ({"temperature": 1}, ["temperature clamped semantic"])


def test_a_model_without_sampling_gets_none() -> None:
    card = replace(CARD, sampling=False)
    assert sampled(card, temperature=1, top_k=4) == (
        {},
        ["temperature model_capability semantic", "top_k model_capability semantic"],
    )


def test_a_model_of_one_sampler_gets_the_temperature() -> None:
    card = replace(CARD, one_sampler=True)
    assert sampled(card, temperature=0.5, top_p=1.0) == ({"temperature": 0.5}, [])
    assert sampled(card, temperature=0.5, top_p=0.9) == (
        {"temperature": 0.5},
        ["top_p model_capability semantic"],
    )
    assert sampled(card, top_p=0.9) == ({"top_p": 0.9}, [])


def test_thinking_excludes_most_sampling() -> None:
    assert sampled(BUDGET, effort("low"), temperature=0.5, top_p=0.5, top_k=4)[0] == {}
    assert sampled(BUDGET, effort("low"), temperature=1) == ({"temperature": 1}, [])
    assert sampled(BUDGET, effort("low"), top_p=0.97) == ({"top_p": 0.97}, [])


def test_a_request_without_a_wish_does_not_look_at_its_history() -> None:
    asked: Request = request(user("q"), assistant(CALL), RESULT, tools=(F,))
    assert CODEC.write_request(asked, Target("m", BUDGET, "anthropic")).losses == ()
