"""A connection after it became a WebSocket (RFC 6455), at either end. The framing is that of the library `websockets`,
which does no I/O there; sockets, limits and time are ours.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, cast

from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import Protocol, Side, State

HELD_LIMIT: Final = 4
"""Whole messages that wait for being read before reading from the peer pauses."""
PING_EVERY_S: Final = 30.0
"""A peer that answers no ping until the next one is due has gone."""
CLOSE_WAIT_S: Final = 5.0
"""How long a peer is given to answer our close frame."""


class WebSocket(asyncio.Protocol):
    """Takes the transport over from what did the handshake. `side`: ours. `lost`: told when the transport is lost. What
    the peer sends comes as whole messages; what it is sent are text messages."""

    def __init__(
        self,
        transport: asyncio.Transport,
        lost: Callable[[Exception | None], None],
        *,
        side: Side,
        max_size: int,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._transport = transport
        self._lost = lost
        self._loop = loop
        self._frames = Protocol(side, state=State.OPEN, max_size=max_size)
        self._messages: deque[bytes] = deque()
        self._parts: list[bytes] = []
        self._waiting: asyncio.Future[None] | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._paused = False
        self._answered = True  # the last ping
        self._on_gone: Callable[[], None] | None = None
        self._timer = loop.call_later(PING_EVERY_S, self._ping)
        self._finishing = False
        self.gone = False

    # --- for the one who talks ----------------------------------------------------------------------

    async def receive(self) -> bytes | None:
        """The next message; None when there will be none."""
        while not self._messages:
            if self.gone or self._finishing:
                return None
            self._waiting = self._loop.create_future()
            await self._waiting
        message = self._messages.popleft()
        if self._paused and len(self._messages) < HELD_LIMIT:
            self._paused = False
            self._transport.resume_reading()
        return message

    def send(self, text: bytes) -> None:
        """One text message. Nothing is sent after the peer has gone."""
        if self._frames.state is State.OPEN:
            self._frames.send_text(text)
            self._flush()

    async def drained(self) -> None:
        """Waits while the peer reads too slowly."""
        await self._room.wait()

    def on_gone(self, callback: Callable[[], None] | None) -> None:
        """Called once when the peer leaves; None takes it back."""
        self._on_gone = callback

    def finish(self) -> None:
        """No further message is given out; what is under way goes on."""
        self._finishing = True
        self._wake()

    def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Say that it is over; the transport closes when the peer has agreed, or after a while."""
        if self._frames.state is State.OPEN:
            code = CloseCode.GOING_AWAY if self._finishing else code
            self._frames.send_close(code, reason)
            self._flush()
            self._timer.cancel()
            self._timer = self._loop.call_later(CLOSE_WAIT_S, self._transport.abort)

    # --- for the transport --------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self._frames.receive_data(data)
        self._work()

    def eof_received(self) -> bool:
        self._frames.receive_eof()
        self._work()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        self._leave()
        self._lost(exc)

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    # --- frames -------------------------------------------------------------------------------------

    def _work(self) -> None:
        for event in self._frames.events_received():
            frame = cast("Frame", event)  # the handshake is behind us
            if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self._parts.append(bytes(frame.data))
                if frame.fin:
                    self._messages.append(b"".join(self._parts))
                    self._parts.clear()
            elif frame.opcode is Opcode.PONG:
                self._answered = True
        self._flush()
        if len(self._messages) >= HELD_LIMIT and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        if self._frames.state is not State.OPEN:
            self._leave()
        self._wake()

    def _flush(self) -> None:
        for data in self._frames.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._transport.close()

    def _ping(self) -> None:
        if not self._answered:
            self._transport.abort()
            return
        self._answered = False
        self._frames.send_ping(b"")
        self._flush()
        self._timer = self._loop.call_later(PING_EVERY_S, self._ping)

    def _leave(self) -> None:
        self.gone = True
        self._room.set()
        callback, self._on_gone = self._on_gone, None
        if callback is not None:
            callback()
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
