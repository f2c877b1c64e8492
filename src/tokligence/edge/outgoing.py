"""The sending side of a client's connection: back-pressure, and noticing a client that is stuck or has left.

A client that shuts down its write side and one that has gone look the same until we send something. While the
answer has not begun it still goes out; meanwhile an HTTP/1.1 client is sent an interim `100 Continue`, which RFC
9110, 15.2 has it ignore, and to which a host without that connection replies with a reset. Within an answer nothing
can be sent in between, so there the end of input means that the client has left.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from math import inf
from typing import TYPE_CHECKING, Any, Final

from tokligence.edge.answer import ENDED, Answer
from tokligence.pipeline.contract import Headers, Talk

if TYPE_CHECKING:
    from tokligence.edge.server import Server
    from tokligence.upstream.websocket import WebSocket

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_LINGER_NOT: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class Outgoing(asyncio.Protocol):
    """`deadline`: the loop's clock, inf for none. `closing`: nothing more is read or begun."""

    __slots__ = (
        "_answer",
        "_ended_input",
        "_paused_reading",
        "_progress_at",
        "_progress_sent",
        "_server",
        "_socket",
        "closing",
        "deadline",
        "lines",
        "loop",
        "lost",
        "room",
        "tasks",
        "transport",
        "written",
    )

    transport: asyncio.Transport

    def __init__(self, server: Server) -> None:
        self._server = server
        self._answer: Answer | None = None
        self._ended_input = False
        self._paused_reading = False
        self._progress_at = 0.0
        self._progress_sent = 0
        self._socket: WebSocket | None = None
        self.deadline = inf
        self.closing = False
        # of answer.Outlet and handling.Owner
        self.loop = server.loop
        self.tasks = server.tasks
        self.lines = server.lines
        self.lost = False
        self.room: asyncio.Event | None = None
        self.written = 0

    def pause_writing(self) -> None:
        if self.room is None:
            self.room = asyncio.Event()
        self.room.clear()
        self.watch()

    def resume_writing(self) -> None:
        if self.room is not None:
            self.room.set()

    def send_continue(self) -> None:
        self.written += len(CONTINUE)
        self.transport.write(CONTINUE)

    def open_socket(self, headers: Headers) -> Talk:
        """Of `Call.open_socket`: from here on the connection is a WebSocket. Raises `http.upgrade_refused`."""
        from websockets.protocol import Side  # few need it

        from tokligence.edge.handshake import accept
        from tokligence.upstream.websocket import WebSocket

        switch = accept(headers)
        self.written += len(switch)
        self.transport.write(switch)
        if self._answer is not None:
            self._answer.progress = ENDED
        self._socket = socket = WebSocket(
            self.transport,
            self.connection_lost,
            side=Side.SERVER,
            max_size=self._server.limits.max_body_bytes,
            loop=self.loop,
        )
        self.transport.set_protocol(socket)
        return socket

    def cut(self) -> None:
        """Ends with a reset: a client that reads up to the end of the connection must see that this is none, and
        the kernel must not keep trying to deliver what a stuck client does not read."""
        if self.lost:
            return
        self.closing = True
        raw: Any = self.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        self.transport.abort()

    def watch(self) -> None:
        """Has the server's sweep call `check`, until that says that there is no need any longer."""
        if self._server.watch(self):
            self._progress_at = self._server.now

    def check(self, now: float) -> bool:
        """Whether this connection, watched because something is stuck, needs watching any longer."""
        transport = self.transport
        unsent = transport.get_write_buffer_size()
        sent = self.written - unsent
        if sent != self._progress_sent or not unsent:
            self._progress_sent = sent
            self._progress_at = now
        elif now - self._progress_at >= self._server.limits.write_timeout_s:
            self.cut()
        deaf = self._ended_input or self._paused_reading
        if deaf and not self.closing:
            self._check_peer()
        return deaf or unsent > 0 or self.closing

    def _check_peer(self) -> None:
        """Nothing is being read, so a reset shows in the socket only."""
        raw: Any = self.transport.get_extra_info("socket")
        if raw.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.cut()
        elif self._ended_input and self._answer is not None and self._answer.may_probe():
            self.send_continue()
