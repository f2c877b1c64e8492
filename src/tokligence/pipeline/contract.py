"""The tiny interface between the edge and the pipeline: the same pipeline also runs below an ASGI application."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

Headers = list[tuple[bytes, bytes]]
"""Names in lower case, in the order they came."""


class Principal(Struct, frozen=True):
    """Who calls: the entry of `client_keys`, or the local user while auth is off."""

    key_name: str | None = None
    user: str | None = None
    team: str | None = None


def first_values(headers: Headers) -> dict[bytes, bytes]:
    return dict(reversed(headers))


class Talk(Protocol):
    """A WebSocket with a client."""

    @property
    def gone(self) -> bool: ...

    async def receive(self) -> bytes | None:
        """The next message, None when there will be none."""
        ...

    def send(self, text: bytes) -> None: ...

    async def drained(self) -> None: ...

    def on_gone(self, callback: Callable[[], None] | None) -> None: ...

    def close(self, code: int = 1000, reason: str = "") -> None: ...


class Call(Struct):
    """One HTTP request, whole, decompressed, authenticated. `path`: percent-decoded, without the query.
    `received`: `time.perf_counter()` when its last byte came; the loop's clock counts in milliseconds only.
    `fields`: the first value of each of the headers, for `header`; made when first asked for if nobody gave it.
    `kept`: shared by all calls with this very head, whatever the length of their bodies: for what follows from it.
    `open_socket`: the client asks for a WebSocket; makes its connection one, in place of an answer."""

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes
    received: float
    principal: Principal = Principal()
    fields: dict[bytes, bytes] | None = None
    kept: dict[object, Any] | None = None
    open_socket: Callable[[], Talk] | None = None

    def header(self, name: bytes) -> bytes | None:
        """The first value of `name` (lower case)."""
        fields = self.fields
        if fields is None:
            self.fields = fields = first_values(self.headers)
        return fields.get(name)


class Sink(Protocol):
    """Where the answer goes. `start` once, then `write` any number of times, then `end` once. With `length` None the
    sink frames the body itself (chunked on HTTP/1.1). Nothing is sent after the client has gone: writes are ignored.
    """

    @property
    def started(self) -> bool: ...

    @property
    def gone(self) -> bool:
        """The client has closed its connection."""
        ...

    def start(self, status: int, headers: Headers, length: int | None = None) -> None: ...

    def write(self, data: bytes) -> None: ...

    def end(self, data: bytes = b"") -> None: ...

    def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """`start`, `write` and `end` in one piece: one send."""
        ...

    async def drained(self) -> None:
        """Waits while the client reads too slowly; returns at once if there is room."""
        ...

    def on_gone(self, callback: Callable[[], None] | None) -> None:
        """Called once when the client leaves before `end`; None takes it back."""
        ...
