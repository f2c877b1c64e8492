"""Limits, sampling, thinking and the form of the answer of a request."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes import gemini_rules
from tests.wire.gemini.given import NEW, OLD, PRO, Json, dumps, request, target, tool, write
from tokligence.catalog.models import Dialect, ModelCard, ThinkingStyle
from tokligence.conversation import OutputFormat, OutputKind, Reasoning, ReasoningMode, Sampling
from tokligence.wire.contract import Target
from tokligence.wire.gemini.traits import traits_of

ENABLED, ADAPTIVE, DISABLED = ReasoningMode.ENABLED, ReasoningMode.ADAPTIVE, ReasoningMode.DISABLED


def config(to: Target | None = None, **fields: Any) -> tuple[Json, list[str]]:
    to = to or target()
    body, losses = write(request(**fields), to)
    if to.model in gemini_rules.MODELS:
        assert [fault.message for fault in gemini_rules.violations(body, to.model, lambda _: True)] == []
    found: Json = body.get("generationConfig", {})
    return found, losses


def test_limits_are_clamped() -> None:
    card = ModelCard(NEW, max_output_tokens=100)
    assert config(target(card=card), max_tokens=500) == (
        {"maxOutputTokens": 100},
        ["max_tokens clamped cosmetic"],
    )
    assert config(target(card=card), max_tokens=50) == ({"maxOutputTokens": 50}, [])
    assert config(max_tokens=50) == ({"maxOutputTokens": 50}, [])


def test_stop_sequences_are_at_most_five() -> None:
    assert config(stop=("a", "")) == ({"stopSequences": ["a"]}, [])
    assert config(stop=("",)) == ({}, [])
    assert config(stop=tuple("abcdef")) == ({"stopSequences": list("abcde")}, ["stop clamped semantic"])
    assert config(target(card=ModelCard(NEW, stop=False)), stop=("a",)) == (
        {},
        ["stop model_capability semantic"],
    )


def test_sampling_is_written() -> None:
    wish = Sampling(0.5, 0.9, 40, 0, 0, 7, 1, False, 0, b"{}")
    assert config(sampling=wish) == ({"temperature": 0.5, "topP": 0.9, "topK": 40, "seed": 7}, [])
    fixed = target(card=ModelCard(NEW, sampling=False))
    assert config(fixed, sampling=Sampling(0.5)) == ({}, ["temperature model_capability semantic"])


def test_penalties_are_for_models_that_take_them() -> None:
    wish = Sampling(frequency_penalty=0.5, presence_penalty=0.4)
    assert config(target("gemini-2.0-flash"), sampling=wish)[0] == {
        "frequencyPenalty": 0.5,
        "presencePenalty": 0.4,
    }
    assert config(target(OLD), sampling=wish) == (
        {},
        ["frequency_penalty model_capability semantic", "presence_penalty model_capability semantic"],
    )


def test_a_seed_is_made_to_fit() -> None:
    assert config(sampling=Sampling(seed=2**40 + 5)) == ({"seed": 5}, ["seed converted cosmetic"])


def test_what_an_answer_would_not_carry_is_not_asked_for() -> None:
    wish = Sampling(n=2, logprobs=True, top_logprobs=3, logit_bias=b'{"1":5}')
    assert config(sampling=wish) == (
        {},
        [f"{name} unsupported semantic" for name in ("n", "logprobs", "top_logprobs", "logit_bias")],
    )


# --- the form of the answer -----------------------------------------------------------------------------

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}


def schema_format(**fields: Any) -> OutputFormat:
    return OutputFormat(OutputKind.JSON_SCHEMA, schema=dumps(SCHEMA), **fields)


def test_a_schema_is_json_schema() -> None:
    assert config(output=schema_format()) == (
        {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
        [],
    )
    found, losses = config(output=schema_format(name="n", description="d"))
    assert found["responseJsonSchema"] == SCHEMA | {"description": "d"}
    assert losses == ["response_format.name unsupported cosmetic"]


def test_a_dialect_without_json_schema_gets_the_subset() -> None:
    subset = target(dialect=Dialect(json_schema=False))
    found, losses = config(subset, output=schema_format())
    assert found["responseSchema"] == {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}
    assert losses == []
    odd = OutputFormat(OutputKind.JSON_SCHEMA, schema=b'{"type":"object","patternProperties":{}}')
    assert config(subset, output=odd)[1] == ["response_format converted semantic"]


def test_json_and_text_are_media_types() -> None:
    assert config(output=OutputFormat(OutputKind.JSON_OBJECT)) == (
        {"responseMimeType": "application/json"},
        [],
    )
    assert config(output=OutputFormat(OutputKind.JSON_SCHEMA)) == (
        {"responseMimeType": "application/json"},
        [],
    )
    assert config(output=OutputFormat(OutputKind.TEXT)) == ({}, [])


def test_a_form_beside_tools_is_for_models_that_take_both() -> None:
    tools = (tool("f"),)
    assert "responseJsonSchema" in config(output=schema_format(), tools=tools)[0]
    lost = ["response_format model_capability semantic"]
    assert config(target(OLD), output=schema_format(), tools=tools) == ({}, lost)
    assert "responseJsonSchema" in config(target(OLD), output=schema_format())[0]
    plain = target(card=ModelCard(NEW, structured_output=False))
    assert config(plain, output=schema_format()) == ({}, lost)


# --- thinking -------------------------------------------------------------------------------------------


def thinking(wish: Reasoning, name: str = NEW, **card: Any) -> tuple[Json | None, list[str]]:
    found, losses = config(target(name, card=ModelCard(name, **card) if card else None), reasoning=wish)
    return found.get("thinkingConfig"), losses


@pytest.mark.parametrize(
    ("wish", "said", "losses"),
    [
        (Reasoning(ENABLED, "high"), {"includeThoughts": True, "thinkingLevel": "HIGH"}, []),
        (
            Reasoning(ENABLED, "minimal"),
            {"includeThoughts": True, "thinkingLevel": "LOW"},
            ["reasoning.effort clamped cosmetic"],
        ),
        (
            Reasoning(ENABLED, "max", display="omitted"),
            {"includeThoughts": False, "thinkingLevel": "HIGH"},
            ["reasoning.effort clamped cosmetic"],
        ),
        (Reasoning(ENABLED, "weird"), {"includeThoughts": True}, ["reasoning.effort unsupported semantic"]),
        (
            Reasoning(ENABLED, budget=16_000),
            {"includeThoughts": True, "thinkingLevel": "MEDIUM"},
            ["reasoning.budget converted cosmetic"],
        ),
        (Reasoning(ADAPTIVE), {"includeThoughts": True}, []),
        (Reasoning(DISABLED), {"thinkingLevel": "LOW"}, ["reasoning model_capability semantic"]),
        (Reasoning(ENABLED, "none"), {"thinkingLevel": "LOW"}, ["reasoning model_capability semantic"]),
        (Reasoning(display="summarized"), {"includeThoughts": True}, []),
        (Reasoning(display="omitted"), {"includeThoughts": False}, []),
        (Reasoning(), None, []),
    ],
)
def test_a_new_model_has_levels(wish: Reasoning, said: Json | None, losses: list[str]) -> None:
    assert thinking(wish) == (said, losses)


@pytest.mark.parametrize(
    ("name", "wish", "said", "losses"),
    [
        (OLD, Reasoning(ENABLED, budget=5_000), {"includeThoughts": True, "thinkingBudget": 5_000}, []),
        (
            OLD,
            Reasoning(ENABLED, budget=99_000),
            {"includeThoughts": True, "thinkingBudget": 24_576},
            ["reasoning clamped cosmetic"],
        ),
        (OLD, Reasoning(ADAPTIVE), {"includeThoughts": True, "thinkingBudget": -1}, []),
        (OLD, Reasoning(ENABLED, "low"), {"includeThoughts": True, "thinkingBudget": 4_096}, []),
        (OLD, Reasoning(ENABLED, "max"), {"includeThoughts": True, "thinkingBudget": 24_576}, []),
        (
            OLD,
            Reasoning(ENABLED, "weird"),
            {"includeThoughts": True},
            ["reasoning.effort unsupported semantic"],
        ),
        (OLD, Reasoning(DISABLED), {"thinkingBudget": 0}, []),
        (PRO, Reasoning(DISABLED), {"thinkingBudget": 128}, ["reasoning model_capability semantic"]),
        ("gemini-2.0-flash", Reasoning(ENABLED, "low"), None, ["reasoning model_capability semantic"]),
        ("gemini-2.0-flash", Reasoning(DISABLED), None, []),
        ("gemini-2.0-flash", Reasoning(display="summarized"), None, []),
        ("mine", Reasoning(ENABLED, "low"), {"includeThoughts": True, "thinkingLevel": "LOW"}, []),
        ("mine", Reasoning(ENABLED, budget=5), {"includeThoughts": True, "thinkingBudget": 5}, []),
        ("mine", Reasoning(DISABLED), {"thinkingBudget": 0}, []),
    ],
)
def test_an_old_model_has_budgets(name: str, wish: Reasoning, said: Json | None, losses: list[str]) -> None:
    assert thinking(wish, name) == (said, losses)


def test_what_the_catalogue_knows_counts_before_the_name() -> None:
    levels = ("minimal", "low", "high")
    assert thinking(Reasoning(DISABLED), "mine", thinking=ThinkingStyle.ADAPTIVE, efforts=levels)[0] == {
        "thinkingLevel": "MINIMAL"
    }
    assert thinking(Reasoning(ENABLED, "medium"), "mine", thinking=ThinkingStyle.EFFORT, efforts=levels) == (
        {"includeThoughts": True, "thinkingLevel": "LOW"},
        ["reasoning.effort clamped cosmetic"],
    )
    assert thinking(Reasoning(ENABLED, "low"), "mine", thinking=ThinkingStyle.BUDGET)[0] == {
        "includeThoughts": True,
        "thinkingBudget": 4_096,
    }
    assert thinking(Reasoning(ENABLED, "low"), thinking=ThinkingStyle.NONE) == (
        None,
        ["reasoning model_capability semantic"],
    )


@pytest.mark.parametrize(
    ("name", "signed"),
    [
        ("gemini-3-pro-preview", True),
        ("models/gemini-4-flash", True),
        ("gemini-flash-latest", True),
        ("gemini-2.5-pro", False),
        ("gemini-1.5-pro", False),
        ("gemma-3-27b-it", False),
        ("my-gemini-3", False),
    ],
)
def test_a_models_name_tells_what_it_takes(name: str, signed: bool) -> None:
    assert traits_of(name).signed_calls is signed
