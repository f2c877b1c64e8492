"""Reading `prices_file`: the operator's own prices and limits over the built-in rows.

    {
      "gpt-4o":      {"input": 2.2, "output": 9, "cache_read": 1.1, "date": "2026-11-01"},
      "my-llama":    {"vendor": "llm", "input": 0, "output": 0, "context_tokens": 131072},
      "*":           {"vendor": "llm", "input": 0, "output": 0}
    }

Prices are US dollars for a million tokens, `web_search` for a thousand searches. What a known model's entry leaves out
keeps its built-in value, except that any price of one's own ends a surcharge on long prompts. A new model needs `input`
and `output`; its other classes cost what input costs. `"*"` stands for each other model of the vendor.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from msgspec.structs import replace

from tokligence.catalog.data import PICO_PER_USD, ROWS, pico
from tokligence.catalog.lookup import DATED, Catalogue
from tokligence.catalog.models import ModelCard, Price

PRICES: Final = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "web_search")
LIMITS: Final = ("context_tokens", "max_output_tokens")
TEXTS: Final = ("vendor", "family", "date")
MAX_USD: Final = 10**6
"""Above it a price is a mistake of units."""

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class PricesError(ValueError):
    """What is wrong with the file, in one line that starts with its name."""


def overrides(
    raw: bytes, origin: str, date: str, builtin: Sequence[ModelCard] = ROWS
) -> tuple[ModelCard, ...]:
    """The built-in rows with the file's entries over them, the file's first. `origin`: the file's name, for messages
    and as the prices' source; `date`: YYYY-MM-DD, for entries that name none. Raises `PricesError`."""
    own = [_row(name, entry, origin, date, Catalogue(builtin)) for name, entry in _read(raw, origin).items()]
    replaced = {(row.id, row.vendor) for row in own}
    return (*own, *(row for row in builtin if (row.id, row.vendor) not in replaced))


def _read(raw: bytes, origin: str) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise PricesError(f"{origin}: {key!r} stands there twice")
            found[key] = value
        return found

    try:
        tree = json.loads(raw.decode("utf-8-sig"), parse_float=Decimal, object_pairs_hook=once)
    except UnicodeDecodeError:
        raise PricesError(f"{origin}: it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise PricesError(f"{origin}, line {error.lineno}: it is not JSON: {error.msg}") from None
    except RecursionError:
        raise PricesError(f"{origin}: it is nested too deeply") from None
    if not isinstance(tree, dict):
        raise PricesError(f"{origin}: it must be an object of model names")
    return tree


def _row(name: str, entry: Any, origin: str, date: str, catalogue: Catalogue) -> ModelCard:
    where = f"{origin}: {name!r}"
    if not isinstance(entry, dict):
        raise PricesError(f'{where}: it must be an object, for example {{"input": 2.5, "output": 10}}}}')
    for key in entry:
        if key not in (*PRICES, *LIMITS, *TEXTS):
            nearest = difflib.get_close_matches(key, (*PRICES, *LIMITS, *TEXTS), n=1)
            hint = (
                f"; did you mean {nearest[0]}?"
                if nearest
                else f"; known are {', '.join((*PRICES, *LIMITS, *TEXTS))}"
            )
            raise PricesError(f"{where}: {key!r} is not known{hint}")
    texts = {key: _text(entry[key], f"{where}: {key}") for key in TEXTS if key in entry}
    limits = {key: _limit(entry[key], f"{where}: {key}") for key in LIMITS if key in entry}
    prices = {key: _price(key, entry[key], f"{where}: {key}") for key in PRICES if key in entry}
    day = texts.pop("date", date)
    if not _DAY.fullmatch(day):
        raise PricesError(f"{where}: date must be YYYY-MM-DD")
    card = catalogue.card(name, texts.get("vendor"))
    if DATED.search(name):  # a snapshot that is priced by itself, not its model's other name
        card = replace(card, id=name, aliases=())
    card = replace(card, **texts, **limits)
    if not prices:
        return card
    return replace(card, price=_merged(card.price, prices, day, origin, where))


def _merged(known: Price | None, own: dict[str, int], day: str, origin: str, where: str) -> Price:
    if known is not None:
        return replace(known, **own, date=day, source=origin, long=None, long_from=None)
    missing = [key for key in ("input", "output") if key not in own]
    if missing:
        raise PricesError(f"{where}: {missing[0]} is missing; the model's price is not built in")
    base = own["input"]
    plain = Price(base, own["output"], base, base, base, day, origin)
    return replace(plain, **own)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise PricesError(f"{where} must be text")
    return value


def _limit(value: Any, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise PricesError(f"{where} must be a whole number of tokens above 0")
    return value


def _price(key: str, value: Any, where: str) -> int:
    """pico-USD for one token, or for one search."""
    if not isinstance(value, int | Decimal) or isinstance(value, bool) or not 0 <= value <= MAX_USD:
        raise PricesError(f"{where} must be a number of US dollars from 0 to {MAX_USD}")
    try:
        amount = pico(Decimal(value))
    except ValueError:
        raise PricesError(f"{where} has more than 6 decimals") from None
    # One token of a million is 10^-6, one search of a thousand 10^-3.
    return amount if key != "web_search" else amount * (PICO_PER_USD // 1000) // (PICO_PER_USD // 10**6)
