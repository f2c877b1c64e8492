"""Ids: a random start for each process and a counter, so that none repeats and making one costs no system call."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator
from typing import Final

_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_RANDOM_CHARS: Final = 16
_COUNTER_CHARS: Final = 7


class IdSource:
    """`new("req_")` -> "req_" + 23 characters [0-9a-z]; they rise within one process."""

    __slots__ = ("_counter", "_stem")

    def __init__(self, stem: str | None = None) -> None:
        self._stem = stem or "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARS))
        self._counter: Iterator[int] = itertools.count(1)

    @property
    def stem(self) -> str:
        """What all ids of this process share: names this instance (the hop header)."""
        return self._stem

    def new(self, prefix: str) -> str:
        # Hexadecimal is what `format` does in C; 7 digits hold 268 million calls, more only lengthens the id.
        return f"{prefix}{self._stem}{next(self._counter):07x}"
