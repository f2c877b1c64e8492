"""Usage in Anthropic's vocabulary <-> disjoint classes. `input_tokens` excludes what was read from or written to
the cache (platform.claude.com/docs/en/build-with-claude/prompt-caching, read 2026-11-24), so nothing is subtracted.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Final

from msgspec import Raw, Struct
from msgspec.structs import replace

from tokligence.conversation import Extras, Loss, LossReason, ProtocolId, Severity, Usage
from tokligence.wire.anthropic.tables import ANSWER_TIER_OF
from tokligence.wire.anthropic.types import ABSENT, NULL, CacheCreationWire, ServerToolUseWire, UsageWire

_ANTHROPIC: Final = ProtocolId.ANTHROPIC


def sent(value: Raw) -> bool:
    return value is not ABSENT and value != NULL


def kept(first: str, second: str, *more: str) -> Callable[[Struct], dict[str, bytes]]:
    """A function that takes from a struct the raw fields of these names that were sent and are not null, as extras
    keep them."""
    names = (first, second, *more)
    get = attrgetter(*names)
    none = (ABSENT,) * len(names)

    def take(wire: Struct) -> dict[str, bytes]:
        values: tuple[Raw, ...] = get(wire)
        if values == none:
            return {}
        return {name: bytes(value) for name, value in zip(names, values, strict=True) if sent(value)}

    return take


_USAGE_EXTRAS: Final = kept("fallback_credit", "inference_geo", "iterations", "speed")


def extras_of(fields: dict[str, bytes], unknown: dict[str, Raw] | None = None) -> Extras | None:
    if unknown:
        fields.update((name, bytes(value)) for name, value in unknown.items())
    return Extras(_ANTHROPIC, fields) if fields else None


def read_usage(wire: UsageWire, *, exact: bool = True) -> Usage:
    """`exact=False`: of message_start, whose output is not counted yet."""
    short, long, searches = wire.cache_creation_input_tokens or 0, 0, 0
    split, server, details = wire.cache_creation, wire.server_tool_use, wire.output_tokens_details
    extras = None
    if split is not None:
        long = split.ephemeral_1h_input_tokens or 0
        short = max(short - long, 0) if short else split.ephemeral_5m_input_tokens or 0
    if server is not None:
        searches = server.web_search_requests or 0
    if (
        server is not None
        or wire.fallback_credit is not ABSENT
        or wire.inference_geo is not ABSENT
        or wire.iterations is not ABSENT
        or wire.speed is not ABSENT
    ):
        extras = _usage_extras(wire)
    return Usage(  # by position: names would take five times as long
        wire.input_tokens or 0,
        wire.cache_read_input_tokens or 0,
        short,
        long,
        wire.output_tokens or 0,
        0 if details is None else details.thinking_tokens or 0,
        0,
        0,
        searches,
        exact,
        extras,
    )


def _usage_extras(wire: UsageWire) -> Extras | None:
    fields = _USAGE_EXTRAS(wire)
    if wire.server_tool_use is not None and wire.server_tool_use.web_fetch_requests:
        fields["web_fetch_requests"] = b"%d" % wire.server_tool_use.web_fetch_requests
    return extras_of(fields)


def merge_usage(start: UsageWire | None, delta: UsageWire | None) -> UsageWire:
    """What is known after a message_delta. Its counts are cumulative, so the greater one holds; some compatible
    servers send zeros in one of the two."""
    if start is None or delta is None:
        return start or delta or UsageWire()
    return replace(
        start,
        input_tokens=_greater(start.input_tokens, delta.input_tokens),
        output_tokens=_greater(start.output_tokens, delta.output_tokens),
        cache_creation_input_tokens=_greater(
            start.cache_creation_input_tokens, delta.cache_creation_input_tokens
        ),
        cache_read_input_tokens=_greater(start.cache_read_input_tokens, delta.cache_read_input_tokens),
        cache_creation=delta.cache_creation or start.cache_creation,
        server_tool_use=delta.server_tool_use or start.server_tool_use,
        output_tokens_details=delta.output_tokens_details or start.output_tokens_details,
        fallback_credit=start.fallback_credit if delta.fallback_credit is ABSENT else delta.fallback_credit,
        iterations=start.iterations if delta.iterations is ABSENT else delta.iterations,
    )


def _greater(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


def write_usage(usage: Usage, service_tier: str | None) -> dict[str, object]:
    """The whole `usage` object; fields that only one kind of answer has are left out when empty."""
    out: dict[str, object] = {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.output,
    }
    if usage.cache_write_1h or usage.cache_write_5m:
        out["cache_creation"] = CacheCreationWire(usage.cache_write_5m, usage.cache_write_1h)
    if usage.reasoning:
        out["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    if usage.web_searches:
        out["server_tool_use"] = ServerToolUseWire(usage.web_searches, 0)
    tier = ANSWER_TIER_OF.get(service_tier or "")
    if tier is not None:
        out["service_tier"] = tier
    if usage.extras is not None and usage.extras.origin is _ANTHROPIC:
        out.update(
            (name, Raw(value)) for name, value in usage.extras.fields.items() if name != "web_fetch_requests"
        )
    return out


def tier_losses(service_tier: str | None) -> list[Loss]:
    if service_tier is None or service_tier in ANSWER_TIER_OF:
        return []
    return [Loss("service_tier", LossReason.UNSUPPORTED, Severity.COSMETIC)]


def usage_losses(usage: Usage | None) -> list[Loss]:
    """What was counted that Messages has no word for; it is a part of the other counts."""
    if usage is None or not (usage.input_audio or usage.output_audio):
        return []
    return [Loss("usage.audio_tokens", LossReason.UNSUPPORTED, Severity.COSMETIC)]
