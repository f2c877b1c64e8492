"""Finding a model's row: by name, by another of its names, by the family it belongs to.

Names match without regard to case. A name with a date (`gpt-4o-2024-08-06`, `claude-sonnet-4-5-20250929`) and the
same name without it, or with `-latest`, stand for each other unless each has a row of its own.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec.structs import replace

from tokligence.catalog.models import ModelCard, unknown

CACHE_LIMIT: Final = 4096
"""Looked-up names that are remembered; clients may ask for any name, so it is bounded."""
MAX_NAME: Final = 200
"""Characters of a misspelt name that are compared; longer ones are nobody's typing error."""

DATED: Final = re.compile(r"-(?:20\d{6}|20\d\d-\d\d-\d\d)$")
_LATEST: Final = "-latest"
_ANY: Final = "*"


class Catalogue:
    """`rows`: in order of precedence; an id of "*" stands for each other model of its vendor, and a row without a
    vendor holds for whoever serves the model."""

    def __init__(self, rows: Sequence[ModelCard]) -> None:
        self.rows = tuple(rows)
        self._by_name: dict[str, list[ModelCard]] = {}
        self._by_base: dict[str, list[ModelCard]] = {}
        self._families: dict[str, list[ModelCard]] = {}
        self._cache: dict[tuple[str, str | None], ModelCard] = {}
        for row in self.rows:
            for name in (row.id, *row.aliases):
                self._by_name.setdefault(name.lower(), []).append(row)
            base = DATED.sub("", row.id.lower())
            if base != row.id.lower():
                self._by_base.setdefault(base, []).append(row)
            if row.family:
                self._families.setdefault(row.family.lower(), []).append(row)
        for members in (*self._by_base.values(), *self._families.values()):
            members.sort(
                key=_released, reverse=True
            )  # stable: of one day's releases the first row is the newest

    def card(self, model: str, vendor: str | None = None) -> ModelCard:
        """What is known of `model`; a card of unknown capabilities if nothing is. `vendor`: whoever serves it: a local
        model that calls itself gpt-4 has neither the price nor the limits of OpenAI's."""
        key = (model, vendor)
        found = self._cache.get(key)
        if found is None:
            found = self._find(model.lower(), vendor) or self._any_of(model, vendor) or unknown(model)
            if len(self._cache) >= CACHE_LIMIT:
                self._cache.clear()
            self._cache[key] = found
        return found

    def knows(self, model: str) -> bool:
        """Whether `model` is a model's name, as against a family's."""
        return self._find(model.lower(), None) is not None

    def is_family(self, name: str) -> bool:
        """Whether `name` is a family's name and not also a model's: then the model is meant."""
        return name.lower() in self._families and not self.knows(name)

    def family_newest(self, name: str) -> str | None:
        """The newest member's id; None if `name` is no family."""
        return self._families[name.lower()][0].id if self.is_family(name) else None

    def family_members(self, name: str) -> Callable[[str], bool]:
        """Tells a family's members: its rows, and whatever continues its name (`gpt-3.5` matches `gpt-3.5-turbo-x`)."""
        return lambda model: self.has_member(name, model)

    def has_member(self, family: str, model: str) -> bool:
        if not self.is_family(family):
            return False
        return (
            model.lower().startswith(f"{family.lower()}-")
            or self.card(model).family.lower() == family.lower()
        )

    def known_models(self, vendor: str) -> list[str]:
        """Every name of the vendor's models, newest rows first as the table has them, without repetition."""
        names = dict.fromkeys(
            name
            for row in self.rows
            if row.vendor == vendor and row.id != _ANY
            for name in (row.id, *row.aliases, *self._undated(row))
        )
        return list(names)

    def near(self, model: str, n: int = 3, names: Iterable[str] | None = None) -> list[str]:
        """At most `n` of `names` (by default all names of the catalogue) that `model` may be a misspelling of, the
        closest first."""
        if names is None:
            names = [row.id for row in self.rows if row.id != _ANY]
        spelled = {name.lower(): name for name in names}
        close = difflib.get_close_matches(model.lower()[:MAX_NAME], spelled, n=n, cutoff=0.6)
        return [spelled[name] for name in close]

    def _undated(self, row: ModelCard) -> tuple[str, ...]:
        base = DATED.sub("", row.id)
        if base == row.id or base.lower() in self._by_name or self._by_base[base.lower()][0] is not row:
            return ()
        return (base,)

    def _find(self, name: str, vendor: str | None) -> ModelCard | None:
        for known in (name, name.removesuffix(_LATEST), DATED.sub("", name)):
            for rows in (self._by_name.get(known), self._by_base.get(known)):
                for row in rows or ():
                    if row.id != _ANY and _serves(row, vendor):
                        return row
        return None

    def _any_of(self, model: str, vendor: str | None) -> ModelCard | None:
        for row in self._by_name.get(_ANY, ()):
            if vendor is not None and row.vendor == vendor:
                return replace(row, id=model)
        return None


def _serves(row: ModelCard, vendor: str | None) -> bool:
    return vendor is None or row.vendor in ("", vendor)


def _released(row: ModelCard) -> str:
    return row.released
