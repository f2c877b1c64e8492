"""Usage in Gemini's vocabulary <-> disjoint classes.

`promptTokenCount` includes cached tokens; what tools of the vendor put into the prompt and what the model thought are
counted beside prompt and answer (google-genai 3.6.1, `GenerateContentResponseUsageMetadata`, read 2026-11-24).
"""

from __future__ import annotations

from typing import Final

from tokligence.conversation import Loss, LossReason, Severity, Usage
from tokligence.wire.gemini.types import ModalityTokensWire, UsageWire

_AUDIO: Final = "AUDIO"


def read_usage(wire: UsageWire, *, exact: bool = True) -> Usage:
    """Counts that contradict each other never give negative classes. `exact=False`: of a stream that goes on."""
    prompt = max(wire.prompt_token_count or 0, 0)
    cached = min(max(wire.cached_content_token_count or 0, 0), prompt)
    thoughts = max(wire.thoughts_token_count or 0, 0)
    return Usage(  # by position: names would take five times as long
        prompt - cached + max(wire.tool_use_prompt_token_count or 0, 0),
        cached,
        0,
        0,
        max(wire.candidates_token_count or 0, 0) + thoughts,
        thoughts,
        _audio(wire.prompt_tokens_details) if wire.prompt_tokens_details else 0,
        _audio(wire.candidates_tokens_details) if wire.candidates_tokens_details else 0,
        0,
        exact,
    )


def _audio(details: list[ModalityTokensWire]) -> int:
    return sum(max(each.token_count or 0, 0) for each in details if each.modality == _AUDIO)


def write_usage(usage: Usage) -> dict[str, object]:
    prompt = usage.input + usage.cache_read + usage.cache_write_5m + usage.cache_write_1h
    out: dict[str, object] = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": max(usage.output - usage.reasoning, 0),
        "totalTokenCount": prompt + usage.output,
    }
    if usage.cache_read:
        out["cachedContentTokenCount"] = usage.cache_read
    if usage.reasoning:
        out["thoughtsTokenCount"] = min(usage.reasoning, usage.output)
    for name, all_of_them, audio in (
        ("promptTokensDetails", prompt, usage.input_audio),
        ("candidatesTokensDetails", usage.output - usage.reasoning, usage.output_audio),
    ):
        if audio:
            text = {"modality": "TEXT", "tokenCount": max(all_of_them - audio, 0)}
            out[name] = [text, {"modality": _AUDIO, "tokenCount": audio}]
    return out


def usage_losses(usage: Usage | None) -> list[Loss]:
    """What was counted that Gemini has no word for; the ledger has it all the same."""
    losses: list[Loss] = []
    if usage is not None and (usage.cache_write_5m or usage.cache_write_1h):
        losses.append(Loss("usage.cache_write_tokens", LossReason.UNSUPPORTED, Severity.COSMETIC))
    if usage is not None and usage.web_searches:
        losses.append(Loss("usage.server_tool_use", LossReason.UNSUPPORTED, Severity.COSMETIC))
    return losses
