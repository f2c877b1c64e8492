"""The connections to one origin: all that are open, and those that rest between two exchanges.

Last in, first out: the connection used last is the least likely to be stale, and after a burst the surplus grows
old and is closed. Active connections are not limited; the edge limits its clients.
"""

from __future__ import annotations

import asyncio
from typing import Final

from tokligence.errors import GatewayError
from tokligence.upstream.answer import Head
from tokligence.upstream.connection import Connection

MAX_RESTING: Final = 128


class Pool:
    """`heads`, `resting`: of `connection.Home`."""

    __slots__ = ("_emptied", "_max_resting", "heads", "open", "resting")

    def __init__(self, max_resting: int = MAX_RESTING) -> None:
        self.open: set[Connection] = set()
        self.heads: dict[int, Head] = {}
        self.resting: list[Connection] = []
        self._max_resting = max_resting
        self._emptied: asyncio.Event | None = None

    def take(self) -> Connection | None:
        """The connection that was used last, or None."""
        return self.resting.pop() if self.resting else None

    def sweep(self, now: float) -> None:
        """Ends what is overdue, exchanges and rests alike, and the rests that are too many."""
        surplus = max(0, len(self.resting) - self._max_resting)
        for connection in self.resting[:surplus]:
            connection.abort()
        for connection in tuple(self.open):
            connection.check(now)

    async def close(self, error: GatewayError) -> None:
        """Ends every exchange with `error` and waits until the last connection is gone."""
        for connection in tuple(self.open):
            connection.fail(error)
        if self.open:
            self._emptied = asyncio.Event()
            await self._emptied.wait()

    # ------------------------------------------------------------------ called by the connections

    def opened(self, connection: Connection) -> None:
        self.open.add(connection)

    def withdraw(self, connection: Connection) -> None:
        if connection in self.resting:
            self.resting.remove(connection)

    def lost(self, connection: Connection) -> None:
        self.open.discard(connection)
        if self._emptied is not None and not self.open:
            self._emptied.set()
