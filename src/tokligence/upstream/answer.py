"""One answer, as its consumer sees it: status and headers at once, the body as it arrives.

The connection fills it from the loop's callbacks, one consumer empties it. It never holds more than the buffer limit
and one read of the socket, because the connection stops reading while the consumer is slow.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from tokligence.errors import GatewayError


class Source(Protocol):
    """What an answer needs of its connection."""

    def resume_reading(self) -> None: ...

    def abort(self) -> None: ...


class Answer:
    """`status`: 0 until the head has come. `headers`: names in lower case, in the order they came.

    `deadline`: an end by the loop's clock, in seconds, that the consumer may set and move; past it the answer fails
    with `upstream.timeout` (phase "deadline"), at most one sweep late. `heard`: any byte has come.
    `waiter`: done when what is waited for has come or the answer has failed; the client's for the head at first.
    `received`, `taken`: bytes of the body so far, from the upstream and by the consumer.
    """

    __slots__ = (
        "_pieces",
        "_source",
        "deadline",
        "ended",
        "error",
        "headers",
        "heard",
        "provider",
        "received",
        "status",
        "taken",
        "waiter",
    )

    def __init__(self, provider: str, waiter: asyncio.Future[None], source: Source) -> None:
        self.provider = provider
        self.waiter = waiter
        self._source: Source | None = source
        self.status = self.received = self.taken = 0
        self.heard = self.ended = False
        self.headers: list[tuple[bytes, bytes]] = []
        self.deadline: float | None = None
        self.error: GatewayError | None = None
        self._pieces: list[bytes] = []

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
            self.waiter = asyncio.get_running_loop().create_future()
            try:
                await self.waiter
            except asyncio.CancelledError:
                self.cancel()
                raise
        data = b"".join(self._pieces)
        self._pieces.clear()
        self.taken = self.received
        if self._source is not None:
            self._source.resume_reading()
        return data

    async def read(self, limit: int) -> bytes:
        """The rest of the body, whole. A body of more than `limit` bytes is `upstream.bad_response`."""
        most = self.taken + limit
        pieces = []
        while not self.ended and self.received <= most:
            pieces.append(await self.chunk())
        if self.received > most:
            self.cancel()
            raise GatewayError(
                "upstream.bad_response", provider=self.provider, reason=f"its body exceeds {limit} bytes"
            )
        pieces += self._pieces
        self._pieces.clear()
        self.taken = self.received
        return b"".join(pieces)

    def cancel(self) -> None:
        """The client has left: close the connection at once and forget what was not taken. Does nothing once the
        answer has ended or failed; a consumer that still waits gets `upstream.cut`."""
        source = self._source
        if source is not None:
            self._pieces.clear()
            self.fail(GatewayError("upstream.cut", provider=self.provider))
            source.abort()

    # ------------------------------------------------------------------ for the connection and the client

    def add(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self.received += len(piece)
        if not self.waiter.done():
            self.waiter.set_result(None)

    def finish(self, piece: bytes = b"") -> None:
        """The body is complete with `piece`. All in one, because most answers come in one read."""
        if piece:
            self._pieces.append(piece)
            self.received += len(piece)
        self.ended = True
        self._source = None
        if not self.waiter.done():
            self.waiter.set_result(None)

    def fail(self, error: GatewayError) -> None:
        self.error = error
        self._source = None
        self.wake()

    def wake(self) -> None:
        if not self.waiter.done():
            self.waiter.set_result(None)
