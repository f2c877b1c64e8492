"""The journals of processes that are gone: their calls, and which of these never ended.

A call counts as interrupted only when no file has its end: a start may be repeated in later segments.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from tokligence.ledger import rows
from tokligence.ledger.frames import ENDED
from tokligence.ledger.journal import Tail, leftover_segments
from tokligence.ledger.rows import Batch, Row, UnreadableRecord

log = logging.getLogger("tokligence.ledger")


class Leftovers:
    """The journal files that stand in `directory` now. `corrupt`: places in the middle of a file that hold no
    record; `torn_bytes`: bytes of none at the files' ends, as a crash leaves them; `unreadable`: records whose
    checksum is right, which are none of ours."""

    def __init__(self, directory: Path) -> None:
        self.found = leftover_segments(directory)
        self.calls = 0
        self.interrupted = 0
        self.corrupt = 0
        self.torn_bytes = 0
        self.unreadable = 0
        self._done: list[tuple[Path, bool]] = []  # with whether it is corrupt

    def batches(self) -> Iterator[Batch]:
        """Rows to post, in the order they were written; interrupted ones last."""
        begun: dict[str, bytes] = {}
        for path in self.found:
            try:
                yield from self._read(path, begun)
            except OSError as error:
                log.error("the ledger's journal %s cannot be read and is left: %s", path, error)
        unfinished = [row for payload in begun.values() if (row := self._interrupted(payload))]
        self.interrupted = len(unfinished)
        yield Batch(unfinished, [])

    def discard(self) -> None:
        """All rows are posted: deletes the files. A corrupt one is kept under another name, for who wants to look."""
        for path, corrupt in self._done:
            try:
                if corrupt:
                    path.replace(path.with_suffix(".corrupt"))
                else:
                    path.unlink()
            except OSError as error:
                log.error("the ledger's journal %s cannot be removed: %s", path, error)
        log.warning(
            "the ledger posted the journal of an earlier process: %d calls, %d interrupted, %d torn bytes, "
            "%d corrupt places, %d unreadable records",
            self.calls,
            self.interrupted,
            self.torn_bytes,
            self.corrupt,
            self.unreadable,
        )

    def _read(self, path: Path, begun: dict[str, bytes]) -> Iterator[Batch]:
        with path.open("rb", buffering=0) as file:
            tail = Tail(file)
            for frames in tail.read(path.stat().st_size):
                yield self._batch(frames, begun)
        yield self._batch(tail.frames.close(), begun)
        for gap in tail.frames.gaps:
            log.error("%s: the %d bytes at %d hold no record", path, gap.length, gap.offset)
        self.corrupt += len(tail.frames.gaps)
        self.torn_bytes += tail.frames.torn.length if tail.frames.torn else 0
        self._done.append((path, bool(tail.frames.gaps)))

    def _batch(self, frames: list[tuple[int, bytes]], begun: dict[str, bytes]) -> Batch:
        ended = []
        for kind, payload in frames:
            try:
                request_id = rows.request_id_of(payload)
            except UnreadableRecord:
                self.unreadable += 1
                continue
            if kind == ENDED:
                ended.append(payload)
                begun.pop(request_id, None)
            else:
                begun[request_id] = payload
        batch, unreadable = rows.read_batch(ended)
        self.calls += len(batch.calls)
        self.unreadable += len(unreadable)
        return batch

    def _interrupted(self, payload: bytes) -> Row | None:
        try:
            return rows.interrupted(payload)
        except UnreadableRecord:
            self.unreadable += 1
            return None
