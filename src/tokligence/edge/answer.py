"""The answer to one request: `pipeline.contract.Sink` over a connection.

Every answer that cannot be completed as announced ends with the connection cut, so that a client never takes a part for
the whole.
"""

from __future__ import annotations

from asyncio import Event, WriteTransport
from collections.abc import Callable
from email.utils import formatdate
from enum import IntEnum
from http import HTTPStatus
from operator import itemgetter
from typing import Final, Protocol

from tokligence.pipeline.contract import Headers

_FRAMING: Final = frozenset((b"content-length", b"transfer-encoding", b"connection", b"date"))
_CLOSE: Final = b"connection: close"
_KEEP_ALIVE: Final = b"connection: keep-alive"
_CHUNKED: Final = b"transfer-encoding: chunked"
_LAST_CHUNK: Final = b"0\r\n\r\n"
_UNKNOWN_LENGTH: Final = -1
_BODILESS: Final = frozenset((204, 304))
_BROKEN: Final = "a header of the answer holds a line break or a NUL"
# As numbers: looking for bytes in bytes first tries them as a number, which costs ten times as much.
_LF, _CR, _NUL = b"\n\r\0"


_NAME: Final = itemgetter(0)
_LINE: Final = b": ".join
_LINES: Final = b"\r\n".join


class StatusLines(dict[int, bytes]):
    """By status: the lines that an answer begins with, of which `date`, the second, is made anew by `refresh`.
    `draining`: each answer that starts is its connection's last."""

    __slots__ = ("_second", "date", "draining")

    def __init__(self) -> None:
        super().__init__()
        self.draining = False
        self._second = -1
        self.refresh(0)

    def refresh(self, wall: float) -> None:
        """`wall`: Unix seconds."""
        if int(wall) != self._second:
            self._second = int(wall)
            self.date = b"date: " + formatdate(self._second, usegmt=True).encode()
            self.clear()

    def __missing__(self, status: int) -> bytes:
        reason = HTTPStatus(status).phrase if status in _KNOWN else ""
        lines = self[status] = b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, reason.encode(), self.date)
        return lines


_KNOWN: Final = frozenset(int(status) for status in HTTPStatus)


class Outlet(Protocol):
    """What an answer needs of its connection."""

    lines: StatusLines
    lost: bool
    room: Event | None  # set while the client reads fast enough; None if it always has
    written: int  # bytes, over the connection's life

    @property
    def transport(self) -> WriteTransport: ...

    def answered(self, answer: Answer) -> None: ...

    def cut(self) -> None:
        """Closes without flushing."""
        ...


class Progress(IntEnum):
    WAITING = 0
    STARTED = 1
    ENDED = 2


# Read often: a member looked up on its class costs several times as much.
_WAITING, _STARTED, ENDED = Progress


class Answer:
    """See `pipeline.contract.Sink`. Headers named content-length, transfer-encoding, connection and date are the
    connection's affair: the caller's are dropped."""

    __slots__ = (
        "_chunked",
        "_http10",
        "_left",
        "_outlet",
        "_probed",
        "_silent",
        "_usual",
        "_when_gone",
        "close",
        "progress",
    )

    def __init__(self, outlet: Outlet, head_only: bool, http10: bool, close: bool) -> None:
        self._outlet = outlet
        self._silent = head_only  # no body follows the head
        self._http10 = http10
        self._usual = not (head_only or http10 or close)
        self._chunked = False
        self._probed = False
        self._left = _UNKNOWN_LENGTH  # bytes still owed of an announced length
        self.progress: Progress = _WAITING
        self._when_gone: Callable[[], None] | None = None
        self.close = close

    @property
    def started(self) -> bool:
        return self.progress is not _WAITING

    @property
    def ended(self) -> bool:
        return self.progress is ENDED

    @property
    def gone(self) -> bool:
        return self._outlet.lost

    def start(self, status: int, headers: Headers, length: int | None = None) -> None:
        head = self._head(status, headers, length, b"")
        self.progress = _STARTED
        self._send(head)

    def write(self, data: bytes) -> None:
        if self.progress is not _STARTED:
            raise RuntimeError("write before start or after end")
        if data:  # an empty chunk would be the last one
            self._send(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else self._frame(data))

    def end(self, data: bytes = b"") -> None:
        if self.progress is not _STARTED:
            raise RuntimeError("end before start or after end")
        last = self._frame(data) if data else b""
        if self._chunked:
            last += _LAST_CHUNK
        if last:
            self._send(last)
        self._finish()

    def whole(self, status: int, headers: Headers, body: bytes) -> None:
        outlet = self._outlet
        lines = outlet.lines
        if (
            self._usual
            and headers
            and status not in _BODILESS
            and self.progress is _WAITING
            and not lines.draining
            and _FRAMING.isdisjoint(map(_NAME, headers))
        ):
            # What `_head` would come to, in a few steps.
            text = _LINES(map(_LINE, headers))
            breaks = len(headers) - 1
            if text.count(_LF) != breaks or text.count(_CR) != breaks or _NUL in text:
                raise ValueError(_BROKEN)
            data = b"%b%b\r\ncontent-length: %d\r\n\r\n%b" % (lines[status], text, len(body), body)
        else:
            data = self._head(status, headers, len(body), body)
        self.progress = ENDED
        if not outlet.lost:
            outlet.written += len(data)
            outlet.transport.write(data)
            outlet.answered(self)

    async def drained(self) -> None:
        room = self._outlet.room
        if room is not None:
            await room.wait()

    def on_gone(self, callback: Callable[[], None] | None) -> None:
        """A client that has already gone is reported at once."""
        if callback is not None and self._outlet.lost and not self.ended:
            callback()
        else:
            self._when_gone = callback

    def leave(self) -> None:
        """The connection's word that the client has gone."""
        callback, self._when_gone = self._when_gone, None
        if callback is not None and not self.ended:
            callback()

    def may_probe(self) -> bool:
        """Whether an interim answer may go out, the first time that it is asked: see `protocol`."""
        asked, self._probed = self._probed, True
        return not (asked or self.started or self._http10)

    def abandon(self) -> None:
        """Gives up on an answer that has begun: the client sees that it is cut."""
        self.progress = ENDED
        self._outlet.cut()

    def _head(self, status: int, headers: Headers, length: int | None, body: bytes) -> bytes:
        """The head, and behind it the body if one may follow."""
        if self.progress is not _WAITING:
            raise RuntimeError("the answer has already started")
        known = self._outlet.lines
        lines = [_LINE(field) for field in headers if field[0] not in _FRAMING]
        text = b"".join(lines)
        if _LF in text or _CR in text or _NUL in text:
            raise ValueError(_BROKEN)
        if status in _BODILESS:
            self._silent, length = True, None
        if length is not None:
            lines.append(b"content-length: %d" % length)
            self._left = 0 if self._silent else length
        elif self._http10 and not self._silent:
            self.close = True  # the body ends where the connection does
        elif not self._silent:
            lines.append(_CHUNKED)
            self._chunked = True
        if self.close or known.draining:
            self.close = True
            lines.append(_CLOSE)
        elif self._http10:
            lines.append(_KEEP_ALIVE)
        lines += (b"", b"" if self._silent else body)
        return known[status] + _LINES(lines)

    def _frame(self, data: bytes) -> bytes:
        if self._silent:
            return b""
        if self._chunked:
            return b"%x\r\n%b\r\n" % (len(data), data)
        if self._left != _UNKNOWN_LENGTH:
            if len(data) > self._left:
                raise RuntimeError("the answer is longer than announced")
            self._left -= len(data)
        return data

    def _send(self, data: bytes) -> None:
        outlet = self._outlet
        if not outlet.lost and data:
            outlet.written += len(data)
            outlet.transport.write(data)

    def _finish(self) -> None:
        if self._left > 0:
            self.abandon()
            raise RuntimeError("the answer is shorter than announced")
        self.progress = ENDED
        if not self._outlet.lost:
            self._outlet.answered(self)
