"""Usage in Chat's vocabulary <-> disjoint classes.

`prompt_tokens` includes cached and cache-written tokens, `completion_tokens` includes reasoning (openai 3.57,
`types/completion_usage.py`; developers.openai.com prompt caching guide, read 2026-11-24).
"""

from __future__ import annotations

from tokligence.conversation import Loss, LossReason, Severity, Usage
from tokligence.wire.openai_chat.types import UsageWire


def read_usage(wire: UsageWire) -> Usage:
    """Counts that contradict each other never give negative classes."""
    prompt, output = wire.prompt_tokens or 0, wire.completion_tokens or 0
    if prompt < 0 or output < 0:  # not by `max`, which would cost more than the rest
        prompt, output = max(prompt, 0), max(output, 0)
    details, completion = wire.prompt_tokens_details, wire.completion_tokens_details
    cached = details.cached_tokens if details is not None else None
    if cached is None:
        cached = wire.prompt_cache_hit_tokens or wire.cached_tokens or 0
    written = (details.cache_write_tokens or 0) if details is not None else 0
    if cached or written:
        cached = min(max(cached, 0), prompt)
        written = min(max(written, 0), prompt - cached)
    return Usage(  # by position: names would take five times as long
        prompt - cached - written,
        cached,
        written,
        0,
        output,
        0 if completion is None else completion.reasoning_tokens or 0,
        0 if details is None else details.audio_tokens or 0,
        0 if completion is None else completion.audio_tokens or 0,
    )


def write_usage(usage: Usage) -> dict[str, object]:
    written = usage.cache_write_5m + usage.cache_write_1h
    prompt = usage.input + usage.cache_read + written
    return {
        "prompt_tokens": prompt,
        "completion_tokens": usage.output,
        "total_tokens": prompt + usage.output,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": written,
            "audio_tokens": usage.input_audio,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": usage.output_audio,
        },
    }


def usage_losses(usage: Usage | None) -> list[Loss]:
    """What was counted that Chat has no word for. The ledger has it all the same."""
    if usage is None or not usage.web_searches:
        return []
    return [Loss("usage.server_tool_use", LossReason.UNSUPPORTED, Severity.COSMETIC)]
