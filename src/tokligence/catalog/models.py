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


class ThinkingOff(StrEnum):
    """How a model that thinks is asked not to."""

    OMIT = "omit"  # it thinks only when asked: leave the field out
    DISABLED = "disabled"  # Anthropic thinking.type disabled (refused at efforts above high)
    BETWEEN_TOOLS = "between_tools"  # Anthropic thinking.type between_tools (refused at efforts above high)
    NEVER = "never"  # it always thinks


class ChatTools(StrEnum):
    """Whether OpenAI's Chat endpoint lets a model call functions."""

    ANY = "any"
    WITHOUT_REASONING = "without_reasoning"  # only together with reasoning_effort "none", said explicitly
    NEVER = "never"  # only OpenAI's Responses endpoint does


class Price(Struct, frozen=True):
    """pico-USD per token of each disjoint class. `date`: as of when the source says so, YYYY-MM-DD.

    `cache_write_5m` and `cache_write_1h` are the short-lived and the long-lived write; OpenAI's are 30 minutes and
    12 hours. A request with more than `long_from` prompt tokens (all input classes) is billed at `long` throughout:
    see `at_length`."""

    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    date: str
    source: str
    web_search: int = 0  # pico-USD per search
    long_from: int | None = None
    long: Price | None = None


def at_length(price: Price, prompt_tokens: int) -> Price:
    """The price that holds for a request of that many prompt tokens."""
    if price.long is not None and price.long_from is not None and prompt_tokens > price.long_from:
        return price.long
    return price


class ModelCard(Struct, frozen=True):
    """`id`: the vendor's name, `aliases`: its other names. `vendor`: provider id. `family`: "claude-sonnet" …;
    `released`: YYYY-MM-DD, orders a family. `source`: where limits and capabilities were read.
    None or UNKNOWN: not known, so nothing is clamped or dropped on its account."""

    id: str
    vendor: str = ""
    family: str = ""
    released: str = ""
    aliases: tuple[str, ...] = ()
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    thinking: ThinkingStyle = ThinkingStyle.UNKNOWN
    thinking_off: ThinkingOff = ThinkingOff.OMIT
    efforts: tuple[str, ...] = ()  # accepted effort words; empty: not known
    sampling: bool = True  # takes temperature, top_p, top_k
    one_sampler: bool = False  # takes temperature or top_p, not both
    stop: bool = True  # takes stop sequences
    structured_output: bool = True  # takes a JSON schema natively
    strict_tools: bool = True  # takes `strict` on tools
    forced_tools: bool = True  # takes a tool choice that demands a call
    chat_tools: ChatTools = ChatTools.ANY
    mid_system: bool = False  # Anthropic: takes role system inside messages
    images: bool = True
    price: Price | None = None
    source: str = ""


class Dialect(Struct, frozen=True):
    """What an upstream of a protocol takes beyond the vendor's own rules; a column of the provider table."""

    max_tokens_field: str = "max_tokens"  # Chat: or "max_completion_tokens"
    developer_role: bool = False  # Chat: takes role "developer"; else it becomes "system"
    stream_usage: bool = True  # Chat: takes stream_options.include_usage
    # Chat: the field in which a model's earlier reasoning goes back to it, "reasoning_content" (DeepSeek, Kimi) or
    # "reasoning_details" (OpenRouter); "": it is not sent back.
    reasoning_field: str = ""
    json_schema: bool = True  # Gemini: takes JSON Schema; else only its subset of OpenAPI (`parameters`)


def unknown(model: str) -> ModelCard:
    """The card of a model that the catalogue does not know."""
    return ModelCard(id=model)
