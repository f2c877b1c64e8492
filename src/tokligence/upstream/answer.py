"""One answer, as its consumer sees it: status and headers at once, the body as it arrives.

The connection fills it from the loop's callbacks, one consumer empties it. It never holds more than the buffer limit
and one read of the socket, because the connection stops reading while the consumer is slow.

A consumer waits on the answer itself: it is awaitable in the way in which a future is ("duck-typed", says
`asyncio.isfuture`), because a future of its own for each wait, and the loop's turn until its waiter runs, cost more than
all else here. Who waits without a context of its own (`edge.handling`) is called at once, within the callback of the
loop in which the bytes came, and so as the last thing of that callback; a task at the loop's next turn, as ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any, Final, Protocol

from tokligence.errors import GatewayError


class Head:
    """Status and headers of an answer; names in lower case, in the order they came. `hint_s`: seconds for which its
    connection may rest. `raw`: its bytes, if it can be told by them. `seen`: what the consumer has made of it: a head
    that an upstream repeats byte for byte is the same object again, and must not be changed."""

    __slots__ = ("headers", "hint_s", "raw", "seen", "status")

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], hint_s: float) -> None:
        self.status = status
        self.headers = headers
        self.hint_s = hint_s
        self.raw = b""
        self.seen: object = None


_NO_HEAD: Final = Head(0, [], 0.0)


class Source(Protocol):
    """What an answer needs of its connection."""

    def resume_reading(self) -> None: ...

    def abort(self) -> None: ...


class Answer:
    """`status`: 0 until the head has come.

    `deadline`: an end by the loop's clock, in seconds, that the consumer may set and move; past it the answer fails
    with `upstream.timeout` (phase "deadline"), at most one sweep late. `heard`: any byte has come.
    `received`, `taken`: bytes of the body so far, from the upstream and by the consumer; of no use once it has `ended`.
    """

    __slots__ = (
        "_asyncio_future_blocking",
        "_callback",
        "_context",
        "_pieces",
        "_source",
        "deadline",
        "ended",
        "error",
        "head",
        "heard",
        "provider",
        "received",
        "status",
        "taken",
    )

    def __init__(self, provider: str, source: Source) -> None:
        self.provider = provider
        self._asyncio_future_blocking = True  # says to a task that this may be waited for
        self._callback: Callable[[Any], object] | None = None
        self._source: Source | None = source
        self.status = self.received = self.taken = 0
        self.heard = self.ended = False
        self.head = _NO_HEAD
        self.deadline: float | None = None
        self.error: GatewayError | None = None
        self._pieces: list[bytes] = []

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return self.head.headers

    # ------------------------------------------------------------------ for the consumer

    async def chunk(self) -> bytes:
        """All body bytes that have arrived since the last call, at least one; b"" at the end.

        Raises `GatewayError` when the answer fails (`upstream.cut`, `upstream.timeout`, `upstream.bad_response`),
        after everything that came before the failure has been handed out.
        """
        while not self._pieces:
            if self.ended:
                return b""
            if self.error is not None:
                raise self.error
            await self
        data = b"".join(self._pieces)
        self._pieces.clear()
        if not self.ended and self._source is not None:
            self.taken = self.received
            self._source.resume_reading()
        return data

    def body(self, limit: int) -> bytes | None:
        """The rest of the body if all of it is here, as in most answers, and within `limit` bytes; else None, and it
        is for `read`."""
        if not self.ended:
            return None
        whole = b"".join(self._pieces)
        if len(whole) > limit:
            return None
        self._pieces.clear()
        return whole

    async def read(self, limit: int) -> bytes:
        """The rest of the body, whole. A body of more than `limit` bytes is `upstream.bad_response`."""
        pieces = []
        size = 0
        while not self.ended and size <= limit:
            piece = await self.chunk()
            pieces.append(piece)
            size += len(piece)
        pieces += self._pieces
        self._pieces.clear()
        whole = b"".join(pieces)
        if len(whole) > limit:
            self.cancel()
            raise GatewayError(
                "upstream.bad_response", provider=self.provider, reason=f"its body exceeds {limit} bytes"
            )
        return whole

    def cancel(self, _msg: object = None) -> bool:
        """The client has left: close the connection at once and forget what was not taken. Does nothing once the
        answer has ended or failed; a consumer that still waits gets `upstream.cut`. False: when it is a task that is
        being cancelled, that task has to raise in its own code, which it is woken for."""
        source = self._source
        if source is not None and not self.ended:
            self._pieces.clear()
            self.fail(GatewayError("upstream.cut", provider=self.provider))
            source.abort()
        return False

    # ------------------------------------------------------------------ for who waits

    def __await__(self) -> Generator[Any, None, None]:
        """Until the head, more of the body, the end or a failure has come."""
        self._asyncio_future_blocking = True
        yield self

    def add_done_callback(self, callback: Callable[[Any], object], *, context: Context | None = None) -> None:
        self._callback = callback
        self._context = context

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def result(self) -> None:
        """Nothing: what there is to know stands in the answer."""

    def wake(self) -> None:
        callback = self._callback
        if callback is None:
            return
        if self._context is None:
            self._callback = None
            callback(self)
        else:
            self._wake_soon()

    def _wake_soon(self) -> None:
        callback = self._callback
        if callback is not None:
            self._callback = None
            asyncio.get_running_loop().call_soon(callback, self, context=self._context)

    # ------------------------------------------------------------------ for the connection and the client

    def add(self, piece: bytes) -> None:
        """More of the body; `wake` is to follow."""
        self._pieces.append(piece)
        self.received += len(piece)

    def finish(self, piece: bytes = b"") -> None:
        """The body is complete with `piece`. All in one, because most answers come in one read."""
        if piece:
            self._pieces.append(piece)
        self.ended = True
        self.wake()

    def complete(self, head: Head, body: bytes) -> None:
        """Head and whole body have come in one."""
        self.head = head
        self.status = head.status
        self._pieces.append(body)
        self.ended = True
        callback = self._callback
        if callback is not None:
            if self._context is None:  # here and not in `wake`, to save a call
                self._callback = None
                callback(self)
            else:
                self._wake_soon()

    def fail(self, error: GatewayError) -> None:
        self.error = error
        self._source = None
        self._wake_soon()  # whoever makes it fail has more to do
