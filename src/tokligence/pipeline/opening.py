"""The opening of a client's stream: status, headers and first bytes, held until there is content.

    HELD --content, or commit_after_ms, or more than HELD_LIMIT bytes--> SENT
    HELD --the upstream fails, the client leaves--> ABANDONED

While it is held an upstream that fails becomes an honest HTTP error; once sent, an error is an event of the stream.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from tokligence.pipeline.contract import Headers

if TYPE_CHECKING:
    from tokligence.pipeline.exchange import ModelCall

HELD_LIMIT: Final = 65536
"""Bytes of openings and pings that are held. An upstream that sends more without content is not worth the memory."""
TICK_S: Final = 0.05
"""How late an opening may be sent that waits for `commit_after_ms`."""


class Openings:
    """All that are held, the oldest first. One timer for all: most streams have content long before it is due."""

    __slots__ = ("_held", "_loop", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._held: dict[Opening, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, opening: Opening, delay_s: float) -> None:
        self._held[opening] = self._loop.time() + delay_s
        if self._timer is None:
            self._timer = self._loop.call_later(TICK_S, self._sweep)

    def discard(self, opening: Opening) -> None:
        self._held.pop(opening, None)

    def _sweep(self) -> None:
        now = self._loop.time()
        due = []
        for opening, when in self._held.items():
            if when > now:
                break  # all have the same delay, so the others are younger
            due.append(opening)
        self._timer = self._loop.call_later(TICK_S, self._sweep) if len(self._held) > len(due) else None
        for opening in due:
            opening.send()


class Opening:
    """`passed`: headers of the answer besides ours."""

    __slots__ = ("_call", "_held", "_passed", "_size", "_translated", "sent")

    def __init__(self, call: ModelCall, passed: Headers, *, translated: bool) -> None:
        self._call = call
        self._passed = passed
        self._translated = translated
        self._held: list[bytes] = []
        self._size = 0
        self.sent = False
        call.hub.openings.add(self, call.state.settings.commit_after_ms / 1000)

    def write(self, data: bytes, *, content: bool) -> None:
        if self.sent:
            self._call.sink.write(data)
            return
        self._held.append(data)
        self._size += len(data)
        if content or self._size > HELD_LIMIT:
            self.send()

    def end(self, data: bytes) -> None:
        """The last bytes of the stream."""
        if not self.sent:
            self.send(flush=False)
        self._call.sink.end(b"".join([*self._held, data]))

    def send(self, *, flush: bool = True) -> None:
        """Send the head and, with `flush`, what is held."""
        call = self._call
        call.hub.openings.discard(self)
        call.arrived()
        self.sent = True
        call.sink.start(200, call.head(translated=self._translated) + self._passed)
        if flush:
            call.sink.write(b"".join(self._held))
            self._held.clear()

    def abandon(self) -> None:
        """Nothing is sent any more by itself."""
        self._call.hub.openings.discard(self)
