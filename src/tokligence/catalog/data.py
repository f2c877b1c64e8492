"""The dated rows of the catalogue: what vendors say of their chat models, and where that was read.

A price that no source gives is None, never a guess. Prices are written as the vendors write them, US dollars for a
million tokens, and kept as integers of pico-USD for a token. Where a vendor names no price of its own for a class
(no discount on cached input, no charge for cache writes), that class costs what plain input costs.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from tokligence.catalog.models import ChatTools, ModelCard, Price, ThinkingOff, ThinkingStyle

PICO_PER_USD: Final = 10**12
_MILLION: Final = 10**6


class Source(NamedTuple):
    """`date`: as of when the document says so, YYYY-MM-DD."""

    text: str
    date: str


CLAUDE_PRICES: Final = Source(
    "platform.claude.com/docs/en/about-claude/pricing; changes up to 2026-10-24 from github.com/kurofune/claudit v1.9.2",
    "2026-10-24",
)
CLAUDE_52_PRICES: Final = Source(
    "platform.claude.com/docs/en/models/fable-5-2/whats-new-fable-5-2; github.com/archid21/rightsize v0.10.2",
    "2026-11-09",
)
CLAUDE_MODELS: Final = (
    "platform.claude.com/docs/en/models/*/overview and migration guides, build-with-claude/{effort, structured-outputs,"
    " mid-conversation-system-messages}; github.com/anomalyco/models.dev providers/anthropic; read 2026-11-24"
)
OPENAI_OLD: Final = Source(
    "developers.openai.com/api/docs/pricing as kept by github.com/pydantic/genai-prices", "2026-08-21"
)
OPENAI_56: Final = Source(
    "developers.openai.com/api/docs/models/gpt-5.6-{terra,luna} as kept by github.com/pydantic/genai-prices",
    "2026-08-02",
)
OPENAI_56_SOL: Final = Source(
    "developers.openai.com/api/docs/models/gpt-5.6-sol: promotional, announced to hold at least until 2026-11-21",
    "2026-09-24",
)
OPENAI_6: Final = Source(
    "developers.openai.com/api/docs/models/gpt-6-{astra,sol,luna}; github.com/merefield/codexometer v0.18.4",
    "2026-09-22",
)
OPENAI_61_SOL: Final = Source("developers.openai.com/api/docs/models/gpt-6.1-sol", "2026-09-29")
OPENAI_61_TERRA: Final = Source(
    "developers.openai.com/api/docs/models/gpt-6.1-terra; docs.litellm.ai/blog/gpt-6-1-terra", "2026-10-26"
)
OPENAI_62_SOL: Final = Source("developers.openai.com/api/docs/models/gpt-6.2-sol", "2026-11-17")
OPENAI_MODELS: Final = (
    "developers.openai.com/api/docs/models; github.com/anomalyco/models.dev providers/openai; list of models and shutdown"
    " dates of the openai Python package 3.57; read 2026-11-24"
)


def pico(usd_per_million: str | Decimal) -> int:
    """ "2.50" US dollars for a million tokens -> pico-USD for one. Raises `ValueError` if that is not a whole number."""
    value = Decimal(usd_per_million) * PICO_PER_USD / _MILLION
    if value != value.to_integral_value():
        raise ValueError(f"{usd_per_million} has more than 6 decimals")
    return int(value)


def _claude_price(text: str, source: Source = CLAUDE_PRICES, searches: str = "10") -> Price:
    """`text`: input, 5-minute write, 1-hour write, cache read, output, in the order of Anthropic's table.
    `searches`: US dollars for a thousand web searches."""
    base, write_5m, write_1h, read, output = (pico(part) for part in text.split())
    return Price(
        input=base,
        output=output,
        cache_read=read,
        cache_write_5m=write_5m,
        cache_write_1h=write_1h,
        date=source.date,
        source=source.text,
        web_search=int(searches) * PICO_PER_USD // 1000,
    )


def _openai_price(text: str, source: Source = OPENAI_OLD, *, long: bool = False) -> Price:
    """`text`: input, cached input, output, then cache write (30 minutes) and (12 hours) where they are charged; "-" for
    a discount that there is not. `long`: above 272,000 prompt tokens input and cache cost twice, output 1.5 times."""
    words = text.split()
    base = pico(words[0])
    read = base if words[1] == "-" else pico(words[1])
    output = pico(words[2])
    write = pico(words[3]) if len(words) > 3 else base
    write_12h = pico(words[4]) if len(words) > 4 else write
    price = Price(base, output, read, write, write_12h, source.date, source.text)
    if not long:
        return price
    above = Price(2 * base, output * 3 // 2, 2 * read, 2 * write, 2 * write_12h, source.date, source.text)
    return replace(price, long_from=272_000, long=above)


def _row(like: ModelCard, columns: str, price: Price | None, **changes: Any) -> ModelCard:
    """`columns`: name, family, day of release, context and largest output, both in tokens; "-": not known."""
    name, family, released, context, output = columns.split()
    return replace(
        like,
        id=name,
        family=family,
        released="" if released == "-" else released,
        context_tokens=None if context == "-" else int(context),
        max_output_tokens=None if output == "-" else int(output),
        price=price,
        **changes,
    )


# --- what several models have in common -----------------------------------------------------------------

_CLAUDE: Final = ModelCard("", "anthropic", source=CLAUDE_MODELS)
# Before structured outputs a schema or `strict` is an error.
_CLAUDE_3: Final = replace(_CLAUDE, thinking=ThinkingStyle.NONE, structured_output=False, strict_tools=False)
_CLAUDE_4: Final = replace(_CLAUDE_3, thinking=ThinkingStyle.BUDGET)
_CLAUDE_45: Final = replace(_CLAUDE, thinking=ThinkingStyle.BUDGET, one_sampler=True)
_CLAUDE_46: Final = replace(
    _CLAUDE_45, thinking=ThinkingStyle.ADAPTIVE, efforts=("low", "medium", "high", "max")
)
# From Opus 4.7 on: only adaptive thinking, no sampling parameters.
_CLAUDE_47: Final = replace(
    _CLAUDE_46, sampling=False, one_sampler=False, efforts=("low", "medium", "high", "xhigh", "max")
)
_CLAUDE_48: Final = replace(_CLAUDE_47, mid_system=True)
_CLAUDE_5: Final = replace(_CLAUDE_48, thinking_off=ThinkingOff.DISABLED)
_FABLE_5: Final = replace(_CLAUDE_48, thinking_off=ThinkingOff.NEVER)
# From Fable 5.1 on, Haiku excepted, a tool choice that demands a call is an error.
_FABLE_51: Final = replace(_FABLE_5, forced_tools=False)

_LOW_HIGH: Final = ("low", "medium", "high")
_GPT: Final = ModelCard("", "openai", source=OPENAI_MODELS)
_GPT_4O: Final = replace(_GPT, thinking=ThinkingStyle.NONE)
_GPT_4: Final = replace(_GPT_4O, structured_output=False, strict_tools=False)
_GPT_3: Final = replace(_GPT_4, images=False)
_O1: Final = replace(
    _GPT, thinking=ThinkingStyle.EFFORT, thinking_off=ThinkingOff.NEVER, efforts=_LOW_HIGH, sampling=False
)
_O3: Final = replace(_O1, stop=False)
_GPT_5: Final = replace(_O3, efforts=("minimal", *_LOW_HIGH))
_GPT_51: Final = replace(_O3, thinking_off=ThinkingOff.OMIT, efforts=("none", *_LOW_HIGH))
_GPT_52: Final = replace(_GPT_51, efforts=("none", *_LOW_HIGH, "xhigh"))
_GPT_54: Final = replace(_GPT_52, chat_tools=ChatTools.WITHOUT_REASONING)
_GPT_56: Final = replace(_GPT_54, efforts=("none", *_LOW_HIGH, "xhigh", "max"))
_GPT_6_TOP: Final = replace(_O3, efforts=(*_LOW_HIGH, "xhigh", "max"), chat_tools=ChatTools.NEVER)
_CODEX_52: Final = replace(_O3, efforts=(*_LOW_HIGH, "xhigh"))
_PRO: Final = replace(_O3, efforts=("medium", "high", "xhigh"))
_CHAT: Final = replace(_O3, efforts=("medium",))

_HAIKU_55: Final = replace(
    _claude_price("0.10 0.125 0.20 0.01 0.50"),
    long_from=100_000,
    long=_claude_price("0.50 0.625 1 0.05 2.50"),
)
_OPUS_3: Final = "15 18.75 30 1.50 75"
_OPUS_45: Final = "5 6.25 10 0.50 25"
_SONNET: Final = "3 3.75 6 0.30 15"
_MINI_51: Final = "0.25 0.025 2"

# fmt: off
ANTHROPIC: Final[tuple[ModelCard, ...]] = (
    _row(_FABLE_51, "claude-fable-5-2 claude-fable 2026-11-09 1_000_000 128_000", _claude_price("8 10 16 0.20 40", CLAUDE_52_PRICES)),
    _row(_FABLE_51, "claude-mythos-5-2 claude-mythos 2026-11-09 1_000_000 128_000", _claude_price("8 10 16 0.20 40", CLAUDE_52_PRICES)),
    _row(_CLAUDE_5, "claude-haiku-5-5 claude-haiku 2026-10-07 1_000_000 128_000", _HAIKU_55),
    _row(_FABLE_51, "claude-sonnet-5-5 claude-sonnet 2026-09-28 1_000_000 128_000", _claude_price("2 2.50 4 0.10 10"), thinking_off=ThinkingOff.BETWEEN_TOOLS),
    _row(_FABLE_51, "claude-opus-5-5 claude-opus 2026-09-22 1_000_000 128_000", _claude_price("4 5 8 0.20 20")),
    _row(_FABLE_51, "claude-fable-5-1 claude-fable 2026-09-01 1_000_000 128_000", _claude_price("10 12.50 20 0.25 50")),
    _row(_FABLE_51, "claude-mythos-5-1 claude-mythos 2026-09-01 1_000_000 128_000", _claude_price("10 12.50 20 0.25 50")),
    _row(_CLAUDE_5, "claude-opus-5 claude-opus 2026-07-24 1_000_000 128_000", _claude_price(_OPUS_45)),
    _row(_CLAUDE_5, "claude-sonnet-5 claude-sonnet 2026-06-30 1_000_000 128_000", _claude_price("2 2.50 4 0.20 10")),
    _row(_FABLE_5, "claude-fable-5 claude-fable 2026-06-09 1_000_000 128_000", _claude_price("10 12.50 20 1 50")),
    _row(_FABLE_5, "claude-mythos-5 claude-mythos 2026-06-09 1_000_000 128_000", _claude_price("10 12.50 20 1 50")),
    _row(_CLAUDE_48, "claude-opus-4-8 claude-opus 2026-05-28 1_000_000 128_000", _claude_price(_OPUS_45)),
    _row(_CLAUDE_47, "claude-opus-4-7 claude-opus 2026-04-16 1_000_000 128_000", _claude_price(_OPUS_45)),
    _row(_CLAUDE_46, "claude-sonnet-4-6 claude-sonnet 2026-02-17 1_000_000 64_000", _claude_price(_SONNET)),
    _row(_CLAUDE_46, "claude-opus-4-6 claude-opus 2026-02-05 1_000_000 128_000", _claude_price(_OPUS_45)),
    _row(_CLAUDE_45, "claude-opus-4-5-20251101 claude-opus 2025-11-24 200_000 64_000", _claude_price(_OPUS_45), efforts=_LOW_HIGH),
    _row(_CLAUDE_45, "claude-haiku-4-5-20251001 claude-haiku 2025-10-15 200_000 64_000", _claude_price("1 1.25 2 0.10 5")),
    _row(_CLAUDE_45, "claude-sonnet-4-5-20250929 claude-sonnet 2025-09-29 200_000 64_000", _claude_price(_SONNET)),
    _row(_CLAUDE_4, "claude-opus-4-1-20250805 claude-opus 2025-08-05 200_000 32_000", _claude_price(_OPUS_3), one_sampler=True),
    _row(_CLAUDE_4, "claude-opus-4-20250514 claude-opus 2025-05-22 200_000 32_000", _claude_price(_OPUS_3), aliases=("claude-opus-4-0",)),
    _row(_CLAUDE_4, "claude-sonnet-4-20250514 claude-sonnet 2025-05-22 200_000 64_000", _claude_price(_SONNET), aliases=("claude-sonnet-4-0",)),
    _row(_CLAUDE_4, "claude-3-7-sonnet-20250219 claude-sonnet 2025-02-19 200_000 64_000", _claude_price(_SONNET)),
    _row(_CLAUDE_3, "claude-3-5-haiku-20241022 claude-haiku 2024-10-22 200_000 8192", _claude_price("0.80 1 1.60 0.08 4")),
    _row(_CLAUDE_3, "claude-3-5-sonnet-20241022 claude-sonnet 2024-10-22 200_000 8192", _claude_price(_SONNET)),
    _row(_CLAUDE_3, "claude-3-5-sonnet-20240620 claude-sonnet 2024-06-20 200_000 8192", _claude_price(_SONNET)),
    _row(_CLAUDE_3, "claude-3-haiku-20240307 claude-haiku 2024-03-13 200_000 4096", _claude_price("0.25 0.30 0.50 0.03 1.25", searches="0")),
    _row(_CLAUDE_3, "claude-3-sonnet-20240229 claude-sonnet 2024-03-04 200_000 4096", _claude_price(_SONNET, searches="0")),
    _row(_CLAUDE_3, "claude-3-opus-20240229 claude-opus 2024-02-29 200_000 4096", _claude_price(_OPUS_3, searches="0")),
)

OPENAI: Final[tuple[ModelCard, ...]] = (
    # gpt-6.2-astra: input $8, cached input $0.40 and output $40 are reported, its cache writes are not: no price.
    _row(_GPT_6_TOP, "gpt-6.2-astra gpt-astra 2026-11-17 1_050_000 128_000", None),
    _row(_GPT_6_TOP, "gpt-6.2-sol gpt-sol 2026-11-17 1_050_000 128_000", _openai_price("2 0.10 10 2.50 5", OPENAI_62_SOL, long=True)),
    _row(_GPT_56, "gpt-6.1-terra gpt-terra 2026-10-26 1_050_000 128_000", _openai_price("1 0.05 5 1.25 2.50", OPENAI_61_TERRA, long=True)),
    _row(_GPT_6_TOP, "gpt-6.1-sol gpt-sol 2026-09-29 1_050_000 128_000", _openai_price("2 0.10 10 2.50", OPENAI_61_SOL, long=True)),
    _row(_GPT_56, "gpt-6-sol gpt-sol 2026-09-22 1_050_000 128_000", _openai_price("2 0.20 10 2.50", OPENAI_6, long=True)),
    _row(_GPT_56, "gpt-6-luna gpt-luna 2026-09-22 1_050_000 128_000", _openai_price("0.10 0.01 0.50 0.125", OPENAI_6, long=True)),
    _row(_GPT_6_TOP, "gpt-6-astra gpt-astra 2026-09-03 1_050_000 128_000", _openai_price("10 1 50 12.50", OPENAI_6, long=True)),
    _row(_GPT_56, "gpt-5.6-sol gpt-sol 2026-07-09 1_050_000 128_000", _openai_price("4 0.40 20 5", OPENAI_56_SOL, long=True), aliases=("gpt-5.6",)),
    _row(_GPT_56, "gpt-5.6-terra gpt-terra 2026-07-09 1_050_000 128_000", _openai_price("2 0.20 12 2.50", OPENAI_56, long=True)),
    _row(_GPT_56, "gpt-5.6-luna gpt-luna 2026-07-09 1_050_000 128_000", _openai_price("0.20 0.02 1.20 0.25", OPENAI_56, long=True)),
    _row(_GPT_54, "gpt-5.5 gpt-5.5 2026-04-23 1_050_000 128_000", _openai_price("5 0.50 30", long=True)),
    _row(_PRO, "gpt-5.5-pro gpt-pro 2026-04-23 1_050_000 128_000", _openai_price("30 - 180", long=True)),
    _row(_GPT_54, "gpt-5.4-mini gpt-mini 2026-03-17 400_000 128_000", _openai_price("0.75 0.075 4.50")),
    _row(_GPT_54, "gpt-5.4-nano gpt-nano 2026-03-17 400_000 128_000", _openai_price("0.20 0.02 1.25")),
    _row(_GPT_54, "gpt-5.4 gpt-5.4 2026-03-05 1_050_000 128_000", _openai_price("2.50 0.25 15", long=True)),
    _row(_PRO, "gpt-5.4-pro gpt-pro 2026-03-05 1_050_000 128_000", _openai_price("30 - 180", long=True), structured_output=False),
    _row(_GPT_4O, "gpt-5.3-chat-latest gpt-chat 2026-03-03 128_000 16_384", _openai_price("1.75 0.175 14")),
    _row(_GPT_52, "gpt-5.3-codex gpt-codex 2026-02-05 400_000 128_000", _openai_price("1.75 0.175 14")),
    _row(_GPT_52, "gpt-5.2 gpt-5.2 2025-12-11 400_000 128_000", _openai_price("1.75 0.175 14")),
    _row(_PRO, "gpt-5.2-pro gpt-pro 2025-12-11 400_000 128_000", _openai_price("21 - 168"), structured_output=False),
    _row(_CODEX_52, "gpt-5.2-codex gpt-codex 2025-12-11 400_000 128_000", _openai_price("1.75 0.175 14")),
    _row(_CHAT, "gpt-5.2-chat-latest gpt-chat 2025-12-11 128_000 16_384", _openai_price("1.75 0.175 14")),
    _row(_GPT_51, "gpt-5.1 gpt-5.1 2025-11-13 400_000 128_000", _openai_price("1.25 0.125 10")),
    _row(_CODEX_52, "gpt-5.1-codex-max gpt-codex 2025-11-13 400_000 128_000", _openai_price("1.25 0.125 10")),
    _row(_O3, "gpt-5.1-codex gpt-codex 2025-11-13 400_000 128_000", _openai_price("1.25 0.125 10")),
    _row(_O3, "gpt-5.1-codex-mini gpt-codex-mini 2025-11-13 400_000 128_000", _openai_price(_MINI_51)),
    _row(_CHAT, "gpt-5.1-chat-latest gpt-chat 2025-11-13 128_000 16_384", _openai_price("1.25 0.125 10")),
    _row(_O3, "gpt-5-pro gpt-pro 2025-10-06 400_000 272_000", _openai_price("15 - 120"), efforts=("high",)),
    _row(_O3, "gpt-5-codex gpt-codex 2025-09-15 400_000 128_000", _openai_price("1.25 0.125 10")),
    _row(_GPT_5, "gpt-5 gpt-5 2025-08-07 400_000 128_000", _openai_price("1.25 0.125 10")),
    _row(_GPT_5, "gpt-5-mini gpt-mini 2025-08-07 400_000 128_000", _openai_price(_MINI_51)),
    _row(_GPT_5, "gpt-5-nano gpt-nano 2025-08-07 400_000 128_000", _openai_price("0.05 0.005 0.40")),
    _row(_GPT_4O, "gpt-5-chat-latest gpt-chat 2025-08-07 400_000 128_000", _openai_price("1.25 0.125 10")),
    _row(_GPT, "codex-mini-latest gpt-codex-mini - - -", _openai_price("1.50 0.375 6")),
    _row(_GPT_4O, "gpt-4.1 gpt-4.1 2025-04-14 1_047_576 32_768", _openai_price("2 0.50 8")),
    _row(_GPT_4O, "gpt-4.1-mini gpt-mini 2025-04-14 1_047_576 32_768", _openai_price("0.40 0.10 1.60")),
    _row(_GPT_4O, "gpt-4.1-nano gpt-nano 2025-04-14 1_047_576 32_768", _openai_price("0.10 0.025 0.40")),
    _row(_O3, "o3-pro o3 2025-06-10 200_000 100_000", _openai_price("20 - 80")),
    _row(_O3, "o4-mini o4 2025-04-16 200_000 100_000", _openai_price("1.10 0.275 4.40")),
    _row(_O3, "o3 o3 2025-04-16 200_000 100_000", _openai_price("2 0.50 8")),
    _row(_O3, "o1-pro o1 2025-03-19 200_000 100_000", _openai_price("150 - 600")),
    _row(_O1, "o3-mini o3 2025-01-31 200_000 100_000", _openai_price("1.10 0.55 4.40"), images=False),
    _row(_O1, "o1 o1 2024-12-17 200_000 100_000", _openai_price("15 7.50 60")),
    _row(_GPT, "o1-preview o1 2024-09-12 - -", _openai_price("15 7.50 60"), sampling=False),
    _row(_GPT, "o1-mini o1 2024-09-12 - -", _openai_price("1.10 0.55 4.40"), sampling=False),
    _row(_GPT_4O, "chatgpt-4o-latest chatgpt-4o - - -", _openai_price("5 - 15")),
    _row(_GPT_4O, "gpt-4o-2024-11-20 gpt-4o 2024-11-20 128_000 16_384", _openai_price("2.50 1.25 10")),
    _row(_GPT_4O, "gpt-4o gpt-4o 2024-08-06 128_000 16_384", _openai_price("2.50 1.25 10")),
    _row(_GPT_4O, "gpt-4o-mini gpt-mini 2024-07-18 128_000 16_384", _openai_price("0.15 0.075 0.60")),
    _row(_GPT_4O, "gpt-4o-2024-05-13 gpt-4o 2024-05-13 128_000 4096", _openai_price("5 - 15")),
    _row(_GPT_4, "gpt-4-turbo gpt-4 2024-04-09 128_000 4096", _openai_price("10 - 30"), aliases=(
        "gpt-4-turbo-preview", "gpt-4-0125-preview", "gpt-4-1106-preview", "gpt-4-vision-preview")),
    _row(_GPT_3, "gpt-4 gpt-4 2023-06-13 8192 8192", _openai_price("30 - 60"), aliases=("gpt-4-0613", "gpt-4-0314")),
    _row(_GPT_3, "gpt-4-32k gpt-4 2023-03-14 32_000 -", _openai_price("60 - 120"),
         aliases=("gpt-4-32k-0613", "gpt-4-32k-0314")),
    _row(_GPT_3, "gpt-3.5-turbo gpt-3.5 2024-01-25 16_385 4096", _openai_price("0.50 - 1.50"), aliases=("gpt-3.5-turbo-0125",)),
    _row(_GPT_3, "gpt-3.5-turbo-1106 gpt-3.5 2023-11-06 16_385 4096", _openai_price("1 - 2")),
    _row(_GPT_3, "gpt-3.5-turbo-16k gpt-3.5 2023-06-13 16_385 -", _openai_price("3 - 4"), aliases=("gpt-3.5-turbo-16k-0613",)),
    _row(_GPT_3, "gpt-3.5-turbo-0613 gpt-3.5 2023-06-13 16_385 -", _openai_price("1.50 - 2"), aliases=("gpt-3.5-turbo-0301",)),
)
# fmt: on

_FREE: Final = Price(0, 0, 0, 0, 0, "2026-11-24", "the built-in upstream costs nothing")
_LOOPBACK: Final = ModelCard(
    "loopback", "loopback", thinking=ThinkingStyle.NONE, price=_FREE, source=_FREE.source
)
LOOPBACK: Final[tuple[ModelCard, ...]] = (_LOOPBACK, replace(_LOOPBACK, id="*"))

ROWS: Final[tuple[ModelCard, ...]] = (*ANTHROPIC, *OPENAI, *LOOPBACK)
"""Newest first within a family where several were released on one day. An id of "*" stands for each other model of
its vendor."""
