"""`generationConfig` of a request: limits, sampling, thinking, the form of the answer.

Sources, read 2026-11-24: google-genai 3.6.1 `GenerationConfig`, `ThinkingConfig`; ai.google.dev/gemini-api/docs/thinking
(levels since generation 3, budgets before; what is thought counts within `maxOutputTokens`).
"""

from __future__ import annotations

from typing import Final

from msgspec import Raw

from tokligence.catalog.models import ModelCard, ThinkingStyle
from tokligence.conversation import (
    Loss,
    LossReason,
    OutputFormat,
    OutputKind,
    Reasoning,
    ReasoningMode,
    Request,
    Sampling,
    Severity,
)
from tokligence.wire.contract import Target
from tokligence.wire.effort import BUDGETS, effort_of_budget, nearest_effort
from tokligence.wire.gemini.schema import described, write_subset
from tokligence.wire.gemini.traits import Traits

MAX_STOPS: Final = 5
"""Stop sequences that a request may have."""
LEVELS: Final = ("low", "medium", "high")
"""Levels that every model since generation 3 takes (but for one of its previews)."""
DYNAMIC: Final = -1
"""The budget that the model chooses itself."""

_SEEDS: Final = 2**31
_C, _S = Severity.COSMETIC, Severity.SEMANTIC
_NO_SAMPLING: Final = Sampling()
Json = dict[str, object]


def write_config(
    request: Request, target: Target, traits: Traits, losses: list[Loss], *, tools: bool
) -> Json:
    """`tools`: functions are offered beside."""
    config: Json = {}
    _write_limits(config, request, target.card, losses)
    if request.sampling != _NO_SAMPLING:
        _write_sampling(config, request.sampling, target.card, traits, losses)
    if request.output is not None:
        _write_output(config, request.output, target, traits, losses, tools=tools)
    if request.reasoning is not None:
        thinking = write_thinking(request.reasoning, target.card, traits, losses)
        if thinking:
            config["thinkingConfig"] = thinking
    return config


def _write_limits(config: Json, request: Request, card: ModelCard, losses: list[Loss]) -> None:
    limit, most = request.max_tokens, card.max_output_tokens
    if limit is not None:
        if most is not None and limit > most:
            losses.append(Loss("max_tokens", LossReason.CLAMPED, _C))
            limit = most
        config["maxOutputTokens"] = limit
    stops = [each for each in request.stop if each]
    if not stops:
        return
    if not card.stop:
        losses.append(Loss("stop", LossReason.MODEL_CAPABILITY, _S))
        return
    if len(stops) > MAX_STOPS:
        losses.append(Loss("stop", LossReason.CLAMPED, _S))
    config["stopSequences"] = stops[:MAX_STOPS]


# --- sampling -------------------------------------------------------------------------------------------


def _write_sampling(
    config: Json, sampling: Sampling, card: ModelCard, traits: Traits, losses: list[Loss]
) -> None:
    for name, field, value in (
        ("temperature", "temperature", sampling.temperature),
        ("top_p", "topP", sampling.top_p),
        ("top_k", "topK", sampling.top_k),
    ):
        if value is None:
            continue
        if card.sampling:
            config[field] = value
        else:
            losses.append(Loss(name, LossReason.MODEL_CAPABILITY, _S))
    for name, field, penalty in (
        ("frequency_penalty", "frequencyPenalty", sampling.frequency_penalty),
        ("presence_penalty", "presencePenalty", sampling.presence_penalty),
    ):
        if penalty and traits.penalties:
            config[field] = penalty
        elif penalty:
            losses.append(Loss(name, LossReason.MODEL_CAPABILITY, _S))
    if sampling.seed is not None:
        config["seed"] = sampling.seed % _SEEDS
        if config["seed"] != sampling.seed:
            losses.append(Loss("seed", LossReason.CONVERTED, _C))
    # One answer is read, and its probabilities have no place in the conversation: they are not asked for.
    for name, asked in (
        ("n", sampling.n not in (None, 1)),
        ("logprobs", bool(sampling.logprobs)),
        ("top_logprobs", bool(sampling.top_logprobs)),
        ("logit_bias", sampling.logit_bias not in (None, b"{}", b"null")),
    ):
        if asked:
            losses.append(Loss(name, LossReason.UNSUPPORTED, _S))


# --- the form of the answer -----------------------------------------------------------------------------


def _write_output(
    config: Json, output: OutputFormat, target: Target, traits: Traits, losses: list[Loss], *, tools: bool
) -> None:
    if output.kind is OutputKind.TEXT:
        return
    if not target.card.structured_output or (tools and not traits.output_beside_tools):
        losses.append(Loss("response_format", LossReason.MODEL_CAPABILITY, _S))
        return
    config["responseMimeType"] = "application/json"
    if output.kind is OutputKind.JSON_OBJECT or output.schema is None:
        return
    if output.name is not None:
        losses.append(Loss("response_format.name", LossReason.UNSUPPORTED, _C))
    schema = output.schema if output.description is None else described(output.schema, output.description)
    if target.dialect.json_schema:
        config["responseJsonSchema"] = Raw(schema)
        return
    subset, severity = write_subset(schema)
    config["responseSchema"] = Raw(subset)
    if severity is not None:
        losses.append(Loss("response_format", LossReason.CONVERTED, severity))


# --- thinking -------------------------------------------------------------------------------------------


def write_thinking(wish: Reasoning, card: ModelCard, traits: Traits, losses: list[Loss]) -> Json:
    """`thinkingConfig`; empty to leave it out."""
    style = traits.thinking if card.thinking is ThinkingStyle.UNKNOWN else card.thinking
    asked = wish.mode is not None or wish.effort is not None or wish.budget is not None
    off = wish.mode is ReasoningMode.DISABLED or wish.effort == "none"
    if style is ThinkingStyle.NONE:
        if asked and not off:
            losses.append(Loss("reasoning", LossReason.MODEL_CAPABILITY, _S))
        return {}
    if off:
        return _off(style, card, traits, losses)
    shown = wish.display != "omitted"
    if not asked:
        return {} if wish.display is None else {"includeThoughts": shown}
    by_level = style in (ThinkingStyle.EFFORT, ThinkingStyle.ADAPTIVE)
    if style is ThinkingStyle.UNKNOWN:
        by_level = wish.effort is not None
    config: Json = {"includeThoughts": shown}
    if by_level:
        level = _level(wish, card, losses)
        if level is not None:
            config["thinkingLevel"] = level
    else:
        budget = _budget(wish, traits, losses)
        if budget is not None:
            config["thinkingBudget"] = budget
    return config


def _off(style: ThinkingStyle, card: ModelCard, traits: Traits, losses: list[Loss]) -> Json:
    """Models that always think are asked to think least."""
    if style in (ThinkingStyle.EFFORT, ThinkingStyle.ADAPTIVE):
        losses.append(Loss("reasoning", LossReason.MODEL_CAPABILITY, _S))
        return {"thinkingLevel": nearest_effort("none", card.efforts or LEVELS).upper()}
    if traits.off:
        return {"thinkingBudget": 0}
    losses.append(Loss("reasoning", LossReason.MODEL_CAPABILITY, _S))
    return {"thinkingBudget": traits.budgets[0]}


def _level(wish: Reasoning, card: ModelCard, losses: list[Loss]) -> str | None:
    """None: as the model likes, which is its default."""
    effort = wish.effort
    if effort is None and wish.budget is not None:
        losses.append(Loss("reasoning.budget", LossReason.CONVERTED, _C))
        effort = effort_of_budget(wish.budget)
    if effort is None:
        return None
    levels = card.efforts or LEVELS
    nearest = nearest_effort(effort, levels)
    if nearest not in levels:
        losses.append(Loss("reasoning.effort", LossReason.UNSUPPORTED, _S))
        return None
    if nearest != wish.effort and wish.effort is not None:
        losses.append(Loss("reasoning.effort", LossReason.CLAMPED, _C))
    return nearest.upper()


def _budget(wish: Reasoning, traits: Traits, losses: list[Loss]) -> int | None:
    wanted = wish.budget
    if wanted is None and wish.effort is None:
        return DYNAMIC
    least, most = traits.budgets
    if wanted is None:
        wanted = most if wish.effort == "max" else BUDGETS.get(wish.effort or "")
    if wanted is None:
        losses.append(Loss("reasoning.effort", LossReason.UNSUPPORTED, _S))
        return None
    budget = min(max(wanted, least), most)
    if budget != wanted:
        losses.append(Loss("reasoning", LossReason.CLAMPED, _C))
    return budget
