"""Heads that came before. A client that keeps its connection sends the same head with every request but for the
length of its body. What follows from it is kept, so that it need not be parsed, read and judged again.

A known head is what the parser accepted once, byte for byte, with another number where the length stands; so it
cannot mean anything else. It holds credentials, as the connection's own buffers do: it is never shown, and it goes
with the next reload.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from msgspec import Struct

from tokligence.edge.handling import Handler
from tokligence.edge.limits import Limits
from tokligence.pipeline.contract import Call, Headers, Principal, Sink

LONGEST: Final = 4096
"""Bytes of a head that is kept."""
MOST: Final = 256
"""Heads that are kept; the oldest gives way."""
MOST_MARKS: Final = 4096
"""Heads that are remembered as having come once; then that begins anew."""
PATIENCE: Final = 8
"""Heads in a row that never came before, after which a connection looks for none any more."""
LONGEST_LENGTH: Final = 15
"""Digits of a length that is read here: none of them is too large a number for anybody."""

_METHOD: Final = b"POST "
_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length"
_LENGTH_LINES: Final = (b"\r\ncontent-length: ", b"\r\nContent-Length: ")
_CR: Final = 13
_NOTHING: Final = b"\0"  # where `after` is looked for stands a CR


class Route(Struct, frozen=True):
    """What the head alone decides: who answers, at which path, who calls."""

    handler: Handler
    path: str
    principal: Principal = Principal()


class KnownHead:
    """`before` and `after`: the head's bytes around the length. `path`: as it was asked for. `route`: who answers the
    calls with this head. `longest_body`: bytes that it may announce."""

    __slots__ = (
        "_fields",
        "_headers",
        "_kept",
        "_length_place",
        "_method",
        "_path",
        "_principal",
        "_query",
        "after",
        "after_size",
        "before",
        "handler",
        "length_at",
        "longest_body",
        "path",
    )

    def __init__(self, before: bytes, after: bytes, call: Call, route: Route, longest_body: int) -> None:
        self.before = before
        self.length_at = len(before)
        self.after = after
        self.after_size = len(after)
        self.path = call.path
        self._method = call.method
        self._path = route.path
        self._query = call.query
        self._headers: Headers = list(call.headers)
        self._fields = call.fields
        self._kept: dict[object, Any] = {}
        self._length_place = next((i for i, (name, _) in enumerate(call.headers) if name == _LENGTH), 0)
        self._principal = route.principal
        self.handler = route.handler
        self.longest_body = longest_body

    def call(self, digits: bytes, body: bytes, received: float) -> Call:
        """A call with this head."""
        headers = self._headers.copy()
        headers[self._length_place] = _LENGTH, digits
        return Call(
            self._method,
            self._path,
            self._query,
            headers,
            body,
            received,
            self._principal,
            self._fields,
            self._kept,
        )

    def forget(self) -> None:
        """Connections may still refer to it."""
        self.before = self.after = _NOTHING
        self._headers = []
        self._fields = None
        self._kept = {}

    @property
    def forgotten(self) -> bool:
        return self.before is _NOTHING


async def _nobody(call: Call, sink: Sink) -> None: ...


NO_HEAD: Final = KnownHead(_NOTHING, _NOTHING, Call("", "", "", [], b"", 0.0), Route(_nobody, ""), 0)


class Parts(NamedTuple):
    """A head without its length, of which there is only the number of digits."""

    before: bytes
    digits: int
    after: bytes


class KnownHeads:
    """Those of all connections."""

    def __init__(self) -> None:
        self._heads: dict[bytes, KnownHead] = {}
        self._marks: set[int] = set()

    def __len__(self) -> int:
        return len(self._heads)

    def find(self, parts: Parts) -> KnownHead | None:
        """Heads are told apart by a hash over all of them, so the time that this takes says nothing about the
        credentials in others'."""
        return self._heads.get(parts.before + parts.after)

    def comes_again(self, parts: Parts) -> bool:
        """Whether this head came before, as far as that is remembered; the next time it did. What comes once, as with a
        trace id in it, is not worth the work of learning it."""
        mark = hash(parts.before + parts.after)
        if mark in self._marks:
            return True
        if len(self._marks) >= MOST_MARKS:
            self._marks.clear()
        self._marks.add(mark)
        return False

    def learn(self, parts: Parts, call: Call, route: Route, limits: Limits) -> None:
        """`call`: what the head was read as, with a body of a known length that needs no decoding, on a connection that
        goes on. `limits`: under which it was accepted; with others all heads are to be forgotten."""
        before, _, after = parts
        if len(before) + LONGEST_LENGTH + len(after) > limits.max_header_bytes:
            return
        if len(self._heads) >= MOST:
            self._heads.pop(next(iter(self._heads))).forget()
        self._heads[before + after] = KnownHead(before, after, call, route, limits.max_body_bytes)

    def forget(self) -> None:
        for known in self._heads.values():
            known.forget()
        self._heads.clear()


class Memory:
    """What one connection remembers. `known`: the last of its heads that came before, and how many `digits` its length
    had; `new`: the head that is being read, if it is worth to be known."""

    __slots__ = ("_heads", "_patience", "digits", "known", "new")

    def __init__(self, heads: KnownHeads) -> None:
        self._heads = heads
        self._patience = PATIENCE
        self.known = NO_HEAD
        self.digits = 0
        self.new: Parts | None = None

    def recalls(self, data: bytes) -> bool:
        """Whether `data` begins with a head that came before, which then is `known`, and was not before."""
        parts = split(data) if self._patience else None
        if parts is None:
            return False
        known = self._heads.find(parts)
        if known is not None:
            self._patience = PATIENCE
            last = self.known, self.digits
            self.known, self.digits = known, parts.digits
            return last != (known, parts.digits)
        if self._heads.comes_again(parts):
            self.new = parts
        else:
            self._patience -= 1
        return False


def split(data: bytes) -> Parts | None:
    """None: `data` does not begin with a whole head of a POST request, or it is too long, or its length is written in a
    way that few use."""
    if not data.startswith(_METHOD):
        return None
    end = data.find(_END, 0, LONGEST)
    if end < 0:
        return None
    for line in _LENGTH_LINES:
        at = data.find(line, 0, end)
        if at >= 0:
            start = at + len(line)
            stop = data.find(_CR, start, start + LONGEST_LENGTH + 1)
            if data[start:stop].isdigit():
                return Parts(data[:start], stop - start, data[stop : end + len(_END)])
    return None
