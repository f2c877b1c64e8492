"""The ledger as the pipeline sees it: two calls per request, both durable when they return.

    ledger = Ledger.open(home.ledger_db, home.journal_dir, sync=SyncPolicy(settings.ledger_sync), …)
    ledger.started(CallStarted(…))   # before the upstream is called
    ledger.ended(CallEnded(…))       # before the answer's last byte

`started` and `ended` belong to one thread (the event loop's). The database is never touched in that thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from filelock import FileLock, Timeout

from tokligence.errors import GatewayError
from tokligence.ledger.journal import SEGMENT_BYTES, Journal, SyncPolicy
from tokligence.ledger.poster import Poster
from tokligence.ledger.record import CallEnded, CallStarted
from tokligence.ledger.replay import Leftovers
from tokligence.ledger.store import SqliteStore


class Ledger:
    """The only writer of one ledger. `leftovers`: what an earlier process left, filled in by the background thread.

    `started` books that a call begins. Raises GatewayError `gateway.ledger_unavailable` (disk full, or the journal over its
    limit); then nothing is booked and the upstream must not be called.

    `ended` books the outcome of a call; `started` need not have come before (a refused call has no start). Raises
    GatewayError `gateway.ledger_unavailable`; the call may then be ended again, else it becomes interrupted.
    """

    started: Callable[[CallStarted], None]
    ended: Callable[[CallEnded], None]

    def __init__(self, journal: Journal, poster: Poster, leftovers: Leftovers, held: ExitStack) -> None:
        self.leftovers = leftovers
        self._journal = journal
        self._poster = poster
        self._held = held
        self._closed = False
        # The journal's own, which wakes the poster: a call between would cost as much as a part of what they do.
        self.started, self.ended = journal.started, journal.ended
        journal.reader = poster
        poster.start()

    @classmethod
    def open(
        cls,
        path: Path,
        journal_dir: Path,
        *,
        sync: SyncPolicy = SyncPolicy.INTERVAL,
        max_bytes: int = 1 << 30,
        worker: str = "main",
        segment_bytes: int = SEGMENT_BYTES,
    ) -> Ledger:
        """Makes or opens the database `path` and begins to post what lies in `journal_dir`.

        `max_bytes`: of the journal, above which new calls are refused. Raises GatewayError `config.invalid` when the
        database or the directory cannot be written, or when another process has this ledger open.
        """
        with ExitStack() as undo:
            try:
                for directory in (path.parent, journal_dir):
                    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                for target in (path.with_name(path.name + ".lock"), journal_dir / "lock"):
                    lock = FileLock(target, mode=0o600, thread_local=False)
                    lock.acquire(timeout=0)
                    undo.callback(lock.release)
                store = SqliteStore(path)
                undo.callback(store.close)
                leftovers = Leftovers(journal_dir)  # before our own first segment is among them
                journal = Journal(
                    journal_dir, worker=worker, sync=sync, max_bytes=max_bytes, segment_bytes=segment_bytes
                )
            except Timeout as error:
                reason = f"ledger_path: {path} is in use by another process"
                raise GatewayError("config.invalid", reason=reason) from error
            except OSError as error:
                raise GatewayError(
                    "config.invalid", reason=f"the ledger cannot be written: {error}"
                ) from error
            return cls(journal, Poster(journal, store, leftovers, sync), leftovers, undo.pop_all())

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Blocks until every call that has ended is a row; False: not within the time."""
        return self._poster.wait_posted(self._journal.calls, timeout_s)

    async def flushed(self, timeout_s: float = 5.0) -> bool:
        """`flush` without blocking the event loop."""
        return await asyncio.to_thread(self._poster.wait_posted, self._journal.calls, timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Posts everything, books calls still under way as interrupted, and lets another process open the ledger. While
        the database is unavailable it gives up after `timeout_s`; the next start posts the rest."""
        if self._closed:
            return
        self._closed = True
        self._poster.stop(timeout_s)
        self._journal.close()
        self._held.close()

    @property
    def backlog(self) -> int:
        """Calls that have ended and are not yet rows."""
        return self._journal.calls - self._poster.posted

    @property
    def alarm(self) -> str | None:
        """Why rows do not reach the database (or the journal the disk) now; None: all is well."""
        return self._poster.alarm

    @property
    def refused(self) -> int:
        """Records that could not be booked for their content; each is a bug, and in the log."""
        return self._poster.refused

    @property
    def journal_bytes(self) -> int:
        """Size of the journal on disk."""
        return self._journal.disk_bytes
