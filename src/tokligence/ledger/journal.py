"""The durable half of the ledger: append-only segments `journal/<worker>.<number>.log`, written by one thread.

    started ──> [S] ... upstream ... ended ──> [E] ──> last byte to the client
                          │ current segment (full: sealed, the next one begins)
    poster follows behind ┘ ──> database ──> sealed segment deleted

* One `write(2)` per record, on an O_APPEND descriptor, before the call returns: what was written survives
  `kill -9`; power loss is the matter of `SyncPolicy`.
* A segment is never renamed or rewritten, and a new one begins with the start records of all calls under way;
  so a segment whose rows are posted can go, and everything unfinished is found in those that are left.
* A failed write is taken back (the file is cut to its last whole record), so that the next may succeed.
* The newest calls are also at hand in memory (`take`), so that a poster that keeps up need not read the files. What waits
  for longer takes no memory.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final, Protocol, TypeAlias

import msgspec

from tokligence.errors import GatewayError
from tokligence.ledger.frames import ENDED, STARTED, FrameReader, FrameTooLarge, frame, payload_of
from tokligence.ledger.record import CallEnded, CallStarted
from tokligence.ledger.rows import storable

SEGMENT_BYTES: Final = 8 << 20
"""About 16,000 calls: a start after `kill -9` reads at most that much of what was already posted."""

RECENT: Final = 4096
"""Calls at hand in memory, until they are taken: several times what ends while the poster collects."""

# Bytes, and so a batch of the poster: one to two hundred calls. Small, since the event loop's thread cannot run while
# the poster's decodes a piece.
_READ: Final = 1 << 15
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
_NAME: Final = re.compile(r"^(?P<worker>.+)\.(?P<number>\d+)\.log$")

_UNSTORABLE: Final = (OverflowError, UnicodeEncodeError, FrameTooLarge)

Write: TypeAlias = Callable[[int, bytes], int]
"""`os.write`, or what a test puts in its place."""


class SyncPolicy(StrEnum):
    """When the journal goes to the disk itself; matters for power loss only."""

    OFF = "off"  # when the system likes
    INTERVAL = "interval"  # each second, by the posting thread
    ALWAYS = "always"  # before the record counts as written


class Segment:
    """One file. `size`: bytes of whole records; grown by the writing thread only. `synced`: bytes known to be on
    the disk; grown by the posting thread only. `sealed`: nothing will be added, `size` and `calls` are final. `calls`:
    the journal's number of the last call that ended in it or before. `full_at`: the size, bytes, at which the next
    segment begins; `look_at`: the size from which on the journal may be over its limit, at most `full_at`."""

    __slots__ = ("calls", "fd", "full_at", "look_at", "path", "reader", "sealed", "size", "synced")

    def __init__(self, path: Path, full_at: int) -> None:
        self.path = path
        self.fd = os.open(path, _FLAGS, 0o600)
        # Opened now: whoever deletes the file under us takes nothing that waits to be posted.
        self.reader: BinaryIO = path.open("rb", buffering=0)
        self.full_at = full_at
        self.look_at = 0
        self.size = 0
        self.synced = 0
        self.calls = 0
        self.sealed = False

    def sync(self) -> None:
        """Puts what is written so far on the disk. Raises OSError."""
        size = self.size
        if size > self.synced:
            os.fsync(self.fd)
            self.synced = size

    def close(self) -> None:
        self.reader.close()
        os.close(self.fd)


class Reader(Protocol):
    """Who posts what stands here. `idle`: it sleeps and wants `wake`; `hurry_at`: the number of calls at which it wants
    `hurry`."""

    idle: bool
    hurry_at: int

    def wake(self) -> None: ...

    def hurry(self) -> None: ...


class _Nobody:
    idle = False
    hurry_at = 0

    def wake(self) -> None: ...

    def hurry(self) -> None: ...


class Journal:
    """The segments of this process. `started` and `ended` belong to one thread, `take` and `release` to the posting thread.

    `max_bytes`: above it new calls are refused; a call under way may still end. `calls`: end records written, which
    numbers them from 1. `reader`: told that there is something to post.
    """

    def __init__(
        self,
        directory: Path,
        *,
        worker: str = "main",
        sync: SyncPolicy = SyncPolicy.INTERVAL,
        max_bytes: int = 1 << 30,
        segment_bytes: int = SEGMENT_BYTES,
        write: Write = os.write,
    ) -> None:
        """Raises OSError when the directory cannot be written."""
        self.calls = 0
        self.reader: Reader = _Nobody()
        self.segments: deque[Segment] = deque()
        self._directory = directory
        self._worker = worker
        self._always = sync is SyncPolicy.ALWAYS
        self._max_bytes = max_bytes
        self._segment_bytes = min(segment_bytes, max(max_bytes // 4, 1))
        self._write = write
        self._encode = msgspec.msgpack.Encoder().encode
        self._open: dict[str, bytes] = {}
        self._recent: deque[tuple[int, CallEnded]] = deque()
        self._number = max((_worker_and_number(path)[1] for path in leftover_segments(directory)), default=0)
        self._current = self._create(0)
        self.segments.append(self._current)

    @property
    def disk_bytes(self) -> int:
        """On disk now, of this process."""
        return sum(segment.size for segment in tuple(self.segments))

    @property
    def unfinished(self) -> tuple[bytes, ...]:
        """The payloads of the start records of all calls under way."""
        return tuple(payload_of(framed) for framed in self._open.values())

    def started(self, record: CallStarted) -> None:
        """Books that a call begins. Raises GatewayError `gateway.ledger_unavailable`; then nothing is booked."""
        segment = self._current
        if segment.size >= segment.look_at:
            segment = self._look(under_way=False)
        try:
            framed = frame(STARTED, self._encode(record))
        except _UNSTORABLE:
            framed = self._mended(STARTED, record)
        self._append(segment, framed)
        self._open[record.request_id] = framed
        reader = self.reader
        if reader.idle:
            reader.wake()

    def ended(self, record: CallEnded) -> None:
        """Books the outcome; `started` need not have come before. Raises GatewayError `gateway.ledger_unavailable`;
        then a started call stays under way: it may be ended again, else it becomes an interrupted one."""
        segment = self._current
        if segment.size >= segment.look_at:
            segment = self._look(under_way=record.request_id in self._open)
        recent = self._recent
        try:
            framed = frame(ENDED, self._encode(record))
        except _UNSTORABLE:
            self._append(segment, self._mended(ENDED, record))
            recent.clear()  # as mended it stands in the file only, and those before it there too
            self.calls += 1
        else:
            self._append(segment, framed)
            calls = self.calls + 1
            if len(recent) < RECENT:
                recent.append((calls, record))
            else:  # nobody keeps up
                recent.clear()
            self.calls = calls
        self._open.pop(record.request_id, None)
        reader = self.reader
        if reader.idle:
            reader.wake()
        elif self.calls == reader.hurry_at:
            reader.hurry()

    def take(self) -> list[tuple[int, CallEnded]]:
        """The newest calls with their numbers, ascending. One that is missing was not taken in time; it stands in the
        files, as they all do."""
        taken = []
        recent = self._recent
        with suppress(IndexError):
            while True:
                taken.append(recent.popleft())
        return taken

    def release(self) -> None:
        """Deletes the oldest segment, whose rows are all posted."""
        segment = self.segments.popleft()
        segment.close()
        with suppress(OSError):  # what stays is replayed by the next start, which changes nothing
            segment.path.unlink()

    def close(self) -> None:
        """Closes the files and leaves them where they are: the next start replays them."""
        while self.segments:
            self.segments.popleft().close()

    def _mended(self, kind: int, record: CallStarted | CallEnded) -> bytes:
        """Someone sent a number, a name or a character that no database takes: that there is a row counts for more."""
        return frame(kind, self._encode(storable(msgspec.to_builtins(record))))

    def _append(self, segment: Segment, framed: bytes) -> None:
        try:
            size = len(framed)
            written = self._write(segment.fd, framed)
            if written != size:
                self._write_rest(segment.fd, framed, written)
            if self._always:
                os.fsync(segment.fd)
        except OSError as error:
            self._take_back(segment)
            raise GatewayError("gateway.ledger_unavailable", reason=error.strerror or str(error)) from error
        segment.size += size

    def _write_rest(self, fd: int, framed: bytes, written: int) -> None:
        while written < len(framed):
            more = self._write(fd, framed[written:])
            if not more:
                raise OSError("nothing more could be written")
            written += more

    def _take_back(self, segment: Segment) -> None:
        """Cuts the file at its last whole record, or the next one would stand behind rubbish."""
        try:
            os.ftruncate(segment.fd, segment.size)
        except OSError:
            self._write = _refuse

    def _look(self, *, under_way: bool) -> Segment:
        """The segment for a record, when the current one is full or the journal may be over its limit. Raises
        `gateway.ledger_unavailable` if it is, unless for the end of a call under way."""
        room = self._max_bytes - self.disk_bytes
        if room <= 0 and not under_way:
            raise self._full()
        segment = self._current
        if segment.size >= segment.full_at:
            segment = self._next()
        # As long as no more than the room is written the limit cannot be reached: releasing only makes more of it.
        segment.look_at = min(segment.full_at, segment.size + room)
        return segment

    def _next(self) -> Segment:
        """The next segment, which repeats the starts of calls under way; the full one again if there can be none."""
        full, carried = self._current, b"".join(self._open.values())
        try:
            segment = self._create(len(carried))
        except OSError:
            return full
        try:
            self._write_rest(segment.fd, carried, 0)
        except OSError:
            segment.close()
            segment.path.unlink(missing_ok=True)
            return full
        segment.size = len(carried)
        self.segments.append(segment)
        self._current = segment
        full.calls = self.calls
        full.sealed = True  # last: the posting thread may release it from now on
        return segment

    def _create(self, carried: int) -> Segment:
        self._number += 1
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._directory / f"{self._worker}.{self._number:06}.log"
        return Segment(path, carried + self._segment_bytes)

    def _full(self) -> GatewayError:
        # The current segment may be most of the journal, and it goes only once it is followed by another.
        if self._current.size > sum(map(len, self._open.values())):
            self._next()
        return GatewayError(
            "gateway.ledger_unavailable",
            reason=f"{self.disk_bytes} bytes wait for the database, ledger_journal_max_bytes is {self._max_bytes}",
        )


class Tail:
    """A journal file, read in pieces from its beginning to where it ends now."""

    __slots__ = ("_file", "_position", "frames")

    def __init__(self, file: BinaryIO) -> None:
        self.frames = FrameReader()
        self._file = file
        self._position = 0

    def read(self, end: int) -> Iterator[list[tuple[int, bytes]]]:
        """Frames in order, a list per piece, up to the offset `end`. Raises OSError; then it can be read again."""
        while self._position < end:
            data = self._file.read(min(_READ, end - self._position))
            if not data:
                return
            self._position += len(data)
            yield self.frames.feed(data)


def leftover_segments(directory: Path) -> list[Path]:
    """The journal files in `directory`, oldest first within each worker."""
    return sorted(directory.glob("*.log"), key=_worker_and_number)


def _worker_and_number(path: Path) -> tuple[str, int]:
    match = _NAME.match(path.name)
    return (match["worker"], int(match["number"])) if match else (path.stem, 0)


def _refuse(_fd: int, _data: bytes) -> int:
    """Stands in for `write` once a failed write could not be taken back: the device is failing."""
    raise OSError("an earlier failed write could not be taken back; restart the gateway")
