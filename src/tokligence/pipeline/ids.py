"""Ids: a random start for each process and a counter, so that none repeats and making one costs no system call."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from itertools import chain, count, product
from typing import Final

_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_RANDOM_CHARS: Final = 16
_DIGITS: Final = "0123456789abcdef"
_COUNTER_CHARS: Final = 7
"""That many digits hold 268 million calls; the next only lengthens the id."""


class IdSource:
    """`new("req_")` -> "req_" + 23 characters [0-9a-z]; they rise within one process. `requests`: gives new ones of requests,
    without a call of ours."""

    __slots__ = ("_numbers", "_stem", "requests")

    def __init__(self, stem: str | None = None) -> None:
        self._stem = stem or "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARS))
        # The numbers from 1 as text, counted in C: to format a number takes several times as long.
        digits = chain.from_iterable(product(_DIGITS, repeat=size) for size in count(_COUNTER_CHARS))
        self._numbers: Iterator[str] = map("".join, digits)
        next(self._numbers)
        self.requests: Iterator[str] = map(f"req_{self._stem}".__add__, self._numbers)

    @property
    def stem(self) -> str:
        """What all ids of this process share: names this instance (the hop header)."""
        return self._stem

    def new(self, prefix: str) -> str:
        return f"{prefix}{self._stem}{next(self._numbers)}"
