"""What was decoded of a protocol's latest request, kept from the peek at it until it is read or spliced.

Decoding is most of what each of the three costs. Which of the two follows a peek is not known yet, but nearly always
it is the one that followed the peek before; so the peek decodes in the form which that one needs. A wrong guess costs
a second decoding and nothing else.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from tokligence.wire.splice import Top

T = TypeVar("T")


class Recent(Generic[T]):
    """`raw`: the object that was peeked at; None once it was read or spliced, for bodies may be large. `wire`: its
    content if it was decoded to be read, None if that failed; `top`: its top level if it was decoded to be spliced.
    `translated`: whether the latest request was read, not spliced."""

    __slots__ = ("raw", "top", "translated", "wire")

    def __init__(self) -> None:
        self.raw: bytes | None = None
        self.wire: T | None = None
        self.top: Top | None = None
        self.translated = True
