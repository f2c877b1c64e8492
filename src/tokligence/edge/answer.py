"""The answer to one request: `pipeline.contract.Sink` over a connection.

Every answer that cannot be completed as announced ends with the connection cut, so that a client never takes a part for
the whole.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, Event, WriteTransport
from collections.abc import Callable
from enum import IntEnum
from http import HTTPStatus
from time import gmtime
from typing import Final, Protocol

from tokligence.pipeline.contract import Headers

_FRAMING: Final = frozenset((b"content-length", b"transfer-encoding", b"connection", b"date"))
_CLOSE: Final = b"connection: close"
_KEEP_ALIVE: Final = b"connection: keep-alive"
_CHUNKED: Final = b"transfer-encoding: chunked"
_LAST_CHUNK: Final = b"0\r\n\r\n"
_UNKNOWN_LENGTH: Final = -1
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_BODILESS: Final = frozenset((204, 304))
_USUAL: Final = (200, 400, 401, 403, 404, 429, 500, 502, 503, 529)
_KNOWN: Final = frozenset(int(status) for status in HTTPStatus)
_BROKEN: Final = "a header of the answer holds a line break or a NUL"
# As numbers: looking for bytes in bytes first tries them as a number, which costs ten times as much.
_LF, _CR, _NUL = b"\n\r\0"


_LINE: Final = b": ".join
_LINES: Final = b"\r\n".join
_MOST_LAYOUTS: Final = 64
_LONGEST_LAYOUT: Final = 4096  # bytes

_layouts: Final[dict[tuple[bytes, ...], bytes]] = {}
"""Names of an answer's headers -> the whole answer, as the left side of `%`: the same few come every time."""


def _lay_out(names: tuple[bytes, ...]) -> bytes:
    """b"" where `whole` must look closer."""
    text = b"".join(names)
    if not _FRAMING.isdisjoint(names) or _LF in text or _CR in text or _NUL in text:
        return b""
    lines = [b"%b: %%b" % name.replace(b"%", b"%%") for name in names]
    layout = _LINES((b"%b", *lines, b"content-length: %d", b"", b"%b"))
    if len(layout) <= _LONGEST_LAYOUT:
        if len(_layouts) >= _MOST_LAYOUTS:
            _layouts.clear()
        _layouts[names] = layout
    return layout


def http_date(second: int) -> str:
    """RFC 9110, 5.6.7. `second`: Unix. (`email.utils` has it too, with a package that takes its time to load.)"""
    year, month, day, hour, minute, sec, weekday, *_ = gmtime(second)
    names = f"{_WEEKDAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year}"
    return f"{names} {hour:02}:{minute:02}:{sec:02} GMT"


class StatusLines:
    """The lines that an answer begins with: its status and the date. `draining`: each answer that starts is its
    connection's last."""

    __slots__ = ("_all", "_draining", "_second", "date", "usual")

    def __init__(self) -> None:
        self._draining = False
        self._second = -1
        self._all: dict[int, bytes] = {}
        self.usual: dict[int, bytes] = {}
        """By status, of those that `Answer.whole` sends in few steps."""
        self.refresh(0)

    @property
    def draining(self) -> bool:
        return self._draining

    @draining.setter
    def draining(self, value: bool) -> None:
        self._draining = value
        self._make()

    def refresh(self, wall: float) -> None:
        """`wall`: Unix seconds. Lines are made once a second."""
        if int(wall) != self._second:
            self._second = int(wall)
            self._make()

    def _make(self) -> None:
        self.date = b"date: " + http_date(self._second).encode()
        self._all.clear()
        self.usual = {} if self._draining else {status: self.of(status) for status in _USUAL}

    def of(self, status: int) -> bytes:
        lines = self._all.get(status)
        if lines is None:
            reason = HTTPStatus(status).phrase if status in _KNOWN else ""
            lines = self._all[status] = b"HTTP/1.1 %d %b\r\n%b" % (status, reason.encode(), self.date)
        return lines


class Outlet(Protocol):
    """What an answer needs of its connection."""

    loop: AbstractEventLoop
    lines: StatusLines
    lost: bool
    room: Event | None  # set while the client reads fast enough; None if it always has
    written: int  # bytes, over the connection's life

    @property
    def transport(self) -> WriteTransport: ...

    def answered(self, answer: Answer) -> None:
        """The last byte has been handed to the transport."""
        ...

    def proceed(self) -> None:
        """The same, of an answer after which the connection goes on."""
        ...

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

    # Defaults of the class, not of each answer: most are never changed.
    close: bool = False
    progress: Progress = _WAITING
    _silent: bool = False  # no body follows the head
    _http10: bool = False
    _chunked: bool = False
    _probed: bool = False
    _left: int = _UNKNOWN_LENGTH  # bytes still owed of an announced length
    _when_gone: Callable[[], None] | None = None

    def __init__(self, outlet: Outlet, path: str) -> None:
        """`path`: of the request, for the shape of its error."""
        self._outlet = outlet
        self._usual = True  # not begun yet, and nothing about it is as `suit` says
        self.path = path

    def suit(self, *, head_only: bool = False, http10: bool = False, close: bool = False) -> None:
        """To the request, before the answer begins."""
        self._silent = head_only
        self._http10 = http10
        self.close = close
        self._usual = not (head_only or http10 or close)

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
        begin = outlet.lines.usual.get(status) if self._usual else None
        if begin is not None and headers:
            # What `_head` would come to, in few steps, if there is nothing for it to drop or to refuse.
            names, values = zip(*headers)  # noqa: B905 - pairs are pairs
            layout = _layouts.get(names) or _lay_out(names)
            text = b"".join(values)
            if layout and not (_LF in text or _CR in text or _NUL in text):
                data = layout % (begin, *values, len(body), body)
                self._usual = False
                self.progress = ENDED
                if not outlet.lost:
                    outlet.written += len(data)
                    outlet.transport.write(data)
                    outlet.proceed()
                return
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
        self._usual = False
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
        return _LINES((known.of(status), *lines, b"", b"" if self._silent else body))

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
