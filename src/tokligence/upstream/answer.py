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
    `opening`: done when the head has come or the answer has failed; for the client, which awaits it once.
    `received`, `taken`: bytes of the body so far, from the upstream and by the consumer.
    """

    __slots__ = (
        "_loop",
        "_pieces",
        "_source",
        "_waiter",
        "deadline",
        "ended",
        "error",
        "headers",
        "heard",
        "opening",
        "provider",
        "received",
        "status",
        "taken",
    )

    def __init__(self, provider: str, loop: asyncio.AbstractEventLoop, source: Source) -> None:
        self.provider = provider
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.deadline: float | None = None
        self.heard = False
        self.ended = False
        self.error: GatewayError | None = None
        self.received = 0
        self.taken = 0
        self._pieces: list[bytes] = []
        self._loop = loop
        self._source: Source | None = source
        self.opening = loop.create_future()
        self._waiter: asyncio.Future[None] | None = self.opening

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
            await self._wait()
        return self._take()

    async def read(self, limit: int) -> bytes:
        """The rest of the body, whole. A body of more than `limit` bytes is `upstream.bad_response`."""
        pieces = []
        size = 0
        while True:
            # Most whole answers have come with their head: then there is nothing to wait for.
            data = self._take() if self.ended else await self.chunk()
            size += len(data)
            if size > limit:
                self.cancel()
                raise GatewayError(
                    "upstream.bad_response", provider=self.provider, reason=f"its body exceeds {limit} bytes"
                )
            pieces.append(data)
            if self.ended and not self._pieces:
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

    def finish(self) -> None:
        """The body is complete."""
        self.ended = True
        self._source = None
        self.wake()

    def fail(self, error: GatewayError) -> None:
        self.error = error
        self._source = None
        self.wake()

    def wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _take(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces.clear()
        self.taken = self.received
        if self._source is not None:
            self._source.resume_reading()
        return data

    async def _wait(self) -> None:
        waiter = self._waiter = self._loop.create_future()
        try:
            await waiter
        except asyncio.CancelledError:
            self.cancel()
            raise
        finally:
            self._waiter = None
