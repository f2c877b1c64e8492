"""Usage in the words of Responses <-> disjoint classes.

`input_tokens` includes cached and cache-written tokens, `output_tokens` includes reasoning (openai 3.57,
`types/responses/response_usage.py`; developers.openai.com prompt caching guide, read 2026-11-24).
"""

from __future__ import annotations

from tokligence.conversation import Loss, LossReason, Severity, Usage
from tokligence.wire.openai_responses.types import CacheWriteDetails, InputDetails, ToolUse, UsageWire

_NO_INPUT_DETAILS = InputDetails()
_NO_WRITE_DETAILS = CacheWriteDetails()


def read_usage(wire: UsageWire, tools: ToolUse | None = None) -> Usage:
    """Counts that contradict each other never give negative classes."""
    total = max(wire.input_tokens or 0, 0)
    details = wire.input_tokens_details or _NO_INPUT_DETAILS
    cached = min(max(details.cached_tokens or 0, 0), total)
    written = min(max(details.cache_write_tokens or 0, 0), total - cached)
    lasting = (details.cache_write_tokens_details or _NO_WRITE_DETAILS).ttl_12h_tokens or 0
    lasting = min(max(lasting, 0), written)
    reasoning = wire.output_tokens_details.reasoning_tokens if wire.output_tokens_details is not None else 0
    search = None if tools is None else tools.web_search
    return Usage(
        input=total - cached - written,
        cache_read=cached,
        cache_write_5m=written - lasting,
        cache_write_1h=lasting,
        output=max(wire.output_tokens or 0, 0),
        reasoning=reasoning or 0,
        web_searches=0 if search is None else search.num_requests or 0,
    )


def write_usage(usage: Usage) -> dict[str, object]:
    written = usage.cache_write_5m + usage.cache_write_1h
    total = usage.input + usage.cache_read + written
    return {
        "input_tokens": total,
        "input_tokens_details": {"cached_tokens": usage.cache_read, "cache_write_tokens": written},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": total + usage.output,
    }


def usage_losses(usage: Usage | None) -> list[Loss]:
    """What was counted that Responses has no word for. The ledger has it all the same."""
    if usage is None or not usage.web_searches:
        return []
    return [Loss("usage.server_tool_use", LossReason.UNSUPPORTED, Severity.COSMETIC)]
