"""What is known of each model: price, limits, capabilities. Each row has its source and date (`data` module).

Prices are integers, pico-USD per token: $3 per million tokens = 3,000,000 pico-USD per token.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class ThinkingStyle(StrEnum):
    """How a model is asked to think."""

    NONE = "none"
    EFFORT = "effort"  # OpenAI reasoning_effort
    BUDGET = "budget"  # Anthropic thinking.budget_tokens
    ADAPTIVE = "adaptive"  # Anthropic thinking adaptive with output_config.effort
    UNKNOWN = "unknown"


class Price(Struct, frozen=True):
    """pico-USD per token of each disjoint class. `date`: when the source was read, YYYY-MM-DD."""

    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    date: str
    source: str
    web_search: int = 0  # pico-USD per search


class ModelCard(Struct, frozen=True):
    """`id`: the vendor's name. `vendor`: provider id. `family`: "claude-sonnet" …; `released`: orders a family.
    None or UNKNOWN: not known, so nothing is clamped or dropped on its account."""

    id: str
    vendor: str = ""
    family: str = ""
    released: str = ""
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    thinking: ThinkingStyle = ThinkingStyle.UNKNOWN
    efforts: tuple[str, ...] = ()  # accepted effort words; empty: not known
    sampling: bool = True  # takes temperature, top_p, top_k
    stop: bool = True  # takes stop sequences
    structured_output: bool = True  # takes a JSON schema natively
    strict_tools: bool = True  # takes `strict` on tools
    mid_system: bool = False  # Anthropic: takes role system inside messages
    images: bool = True
    price: Price | None = None


class Dialect(Struct, frozen=True):
    """What an upstream of a protocol takes beyond the vendor's own rules; a column of the provider table."""

    max_tokens_field: str = "max_tokens"  # Chat: or "max_completion_tokens"
    developer_role: bool = False  # Chat: takes role "developer"; else it becomes "system"
    stream_usage: bool = True  # Chat: takes stream_options.include_usage


def unknown(model: str) -> ModelCard:
    """The card of a model that the catalogue does not know."""
    return ModelCard(id=model)
