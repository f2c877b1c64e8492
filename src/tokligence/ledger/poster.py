"""The thread between the journal and the database: follows the journal, posts in batches, never gives up.

    resting ──(a record was written)──> collecting (≤ 200 ms) ──> posting ──> resting
                                                       database unavailable: alarm, wait, again
First it posts what an earlier process left. While it keeps up it takes the records that the journal has at hand; what has
waited for longer, for an unavailable database, is read from the files. Calls are numbered, so nothing is left out.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from itertools import chain, repeat
from typing import Final, TypeVar

from tokligence.ledger import rows
from tokligence.ledger.frames import ENDED
from tokligence.ledger.journal import Journal, SyncPolicy, Tail
from tokligence.ledger.record import CallEnded
from tokligence.ledger.replay import Leftovers
from tokligence.ledger.rows import Batch
from tokligence.ledger.store import Store, StoreUnavailable

HURRY_CALLS: Final = 1000
BATCH: Final = 500
"""Calls in one transaction, of those at hand."""
COLLECT_S: Final = 0.2
SYNC_S: Final = 1.0
BACK_OFF_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0)

log = logging.getLogger("tokligence.ledger")
T = TypeVar("T")


class Poster:
    """One background thread. `idle`: it sleeps and wants `wake`. `posted`: live calls that are through. `refused`:
    rows that the database did not take for their content. `hurry_at`: the number of calls in the journal at which
    to stop collecting. `replayed`: what an earlier process left is posted."""

    def __init__(self, journal: Journal, store: Store, leftovers: Leftovers, sync: SyncPolicy) -> None:
        self.idle = False
        self.posted = 0
        self.refused = 0
        self.hurry_at = HURRY_CALLS
        self.replayed = False
        self._journal = journal
        self._store = store
        self._leftovers = leftovers
        self._sync = sync
        self._tail = Tail(journal.segments[0].reader)
        self._read = 0  # the number of the last call that the tail has come by
        self._database_alarm: str | None = None
        self._disk_alarm: str | None = None
        self._synced_at = 0.0
        self._give_up_at = float("inf")
        self._stopping = False
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._progress = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="ledger-poster", daemon=True)

    @property
    def alarm(self) -> str | None:
        """Why the database or the disk does not work now; None: they do."""
        return self._database_alarm or self._disk_alarm

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There is work. Called by the journal's thread when `idle`."""
        self.idle = False
        self._wake.set()

    def hurry(self) -> None:
        """Collect no longer, wait for the database no longer: post now."""
        self._hurry.set()
        self._wake.set()

    def stop(self, timeout_s: float) -> None:
        """Posts what there is and ends the thread; gives up on an unavailable database after `timeout_s`."""
        self._give_up_at = time.monotonic() + timeout_s
        self._stopping = True
        self.hurry()
        self._thread.join()

    def wait_posted(self, calls: int, timeout_s: float) -> bool:
        """Blocks until the leftovers and the first `calls` live calls are posted; False: not within the time."""
        self.hurry()
        with self._progress:
            return self._progress.wait_for(lambda: self.replayed and self.posted >= calls, timeout_s)

    # --- the thread

    def _run(self) -> None:
        try:
            self._post_leftovers()
            while not self._stopping:
                self._rest()
                self._post_journal()
            if self._post_journal():
                self._finish()
        except StoreUnavailable:
            log.warning("the ledger's database is unavailable at the end; the journal keeps what it lacks")
        finally:
            if not self._stopping:
                self._database_alarm = "the posting thread has ended"
            self._store.close()

    def _post_leftovers(self) -> None:
        for batch in self._leftovers.batches():
            self._post(batch)
        if self._leftovers.found:
            self._retry(self._store.sync)
            self._leftovers.discard()
        with self._progress:
            self.replayed = True
            self._progress.notify_all()

    def _rest(self) -> None:
        """Sleeps until there is work, then collects for a while."""
        self.idle = True
        # Looked at after `idle` is set, so that a call booked just before is not slept over.
        if self._journal.calls > self.posted or self._wake.wait(self._until_sync()):
            self.idle = False
            self._hurry.wait(COLLECT_S)
        self._wake.clear()
        self._hurry.clear()

    def _post_journal(self) -> bool:
        """Posts what the journal holds now and deletes the segments that are done; False: the disk did not let us."""
        self._sync_journal()
        calls = self._journal.calls
        taken = self._journal.take()
        if self._is_all(taken, calls):
            self._post_taken(taken)
        elif calls > self.posted and not self._post_files():
            return False
        self._advance_to(calls)  # past records that could not be read back, if any
        self.hurry_at = self._journal.calls + HURRY_CALLS
        return True

    def _is_all(self, taken: list[tuple[int, CallEnded]], calls: int) -> bool:
        """Whether every call up to number `calls` is posted or among these, with no gap between."""
        if not taken:
            return False
        first, last = taken[0][0], taken[-1][0]
        return first <= self.posted + 1 and last >= calls and last - first == len(taken) - 1

    def _post_taken(self, taken: list[tuple[int, CallEnded]]) -> None:
        for start in range(max(self.posted + 1 - taken[0][0], 0), len(taken), BATCH):
            piece = taken[start : start + BATCH]
            batch, unreadable = rows.rows_of([record for _, record in piece])
            self._post_read(batch, unreadable)
            number = piece[-1][0]
            while (segment := self._journal.segments[0]).sealed and segment.calls <= number:
                self._release()
            self._advance_to(number)

    def _post_files(self) -> bool:
        """Reads on in the files to where they end now; False: the disk did not let us."""
        while True:
            segment = self._journal.segments[0]
            sealed, size = segment.sealed, segment.size  # in this order: a sealed size is final
            if not self._post_segment(size):
                return False
            if not sealed:
                return True
            self._release()
            self._sync_journal()

    def _post_segment(self, size: int) -> bool:
        """Posts the calls of the oldest segment up to `size`, bytes; False: the disk did not let us."""
        tail = self._tail
        try:
            for frames in tail.read(size):
                payloads = [payload for kind, payload in frames if kind == ENDED]
                # Broken bytes may have held calls, and then the numbers are not right; twice posted does no harm.
                known = 0 if tail.frames.gaps else max(self.posted - self._read, 0)
                self._read += len(payloads)
                self._post_read(*rows.read_batch(payloads[known:]))
                self._advance_to(self._read)
        except OSError as error:
            self._disk_alarm = f"the journal cannot be read: {error}"
            self._pause(BACK_OFF_S[-1])
            return False
        return True

    def _advance_to(self, number: int) -> None:
        """All calls up to this one are through."""
        if number > self.posted:
            with self._progress:
                self.posted = number
                self._progress.notify_all()

    def _release(self) -> None:
        """Deletes the oldest segment, once its rows are as durable as it was."""
        if self._sync is not SyncPolicy.OFF:
            self._retry(self._store.sync)
        self._read = self._journal.segments[0].calls
        self._journal.release()
        if self._journal.segments:
            self._tail = Tail(self._journal.segments[0].reader)

    def _finish(self) -> None:
        """The orderly end: what is still under way is interrupted, and nothing is left to replay."""
        self._post(Batch([rows.interrupted(payload) for payload in self._journal.unfinished], []))
        while self._journal.segments:
            self._release()

    # --- the database and the disk

    def _post_read(self, batch: Batch, unreadable: Sequence[str]) -> None:
        if unreadable:
            self._refuse(unreadable)
        self._post(batch)

    def _post(self, batch: Batch) -> None:
        if batch.calls:
            refused = self._retry(lambda: self._store.post(batch))
            if refused:
                self._refuse(refused)

    def _refuse(self, what: Sequence[object]) -> None:
        self.refused += len(what)
        log.error("the ledger cannot book %d records, the first: %r", len(what), what[0])

    def _retry(self, action: Callable[[], T]) -> T:
        """The result of `action`, however long the database is unavailable. Raises StoreUnavailable at the end."""
        for delay in chain(BACK_OFF_S, repeat(BACK_OFF_S[-1])):
            try:
                result = action()
            except StoreUnavailable as error:
                if time.monotonic() >= self._give_up_at:
                    raise
                if self._database_alarm is None:
                    log.error("the ledger's database is unavailable, the journal holds: %s", error)
                self._database_alarm = str(error)
                self._pause(delay)
            else:
                break
        if self._database_alarm is not None:
            log.warning("the ledger's database is available again")
            self._database_alarm = None
        return result

    def _pause(self, seconds: float) -> None:
        """Waits, unless someone is in a hurry; meanwhile the journal still goes to the disk."""
        self._sync_journal()
        if self._hurry.wait(min(seconds, max(self._give_up_at - time.monotonic(), 0.0))):
            self._hurry.clear()

    def _sync_journal(self) -> None:
        if self._sync is not SyncPolicy.INTERVAL or time.monotonic() - self._synced_at < SYNC_S:
            return
        self._synced_at = time.monotonic()
        try:
            for segment in list(self._journal.segments):
                segment.sync()
            self._disk_alarm = None
        except OSError as error:
            self._disk_alarm = f"the journal cannot be synced: {error}"

    def _until_sync(self) -> float | None:
        """Seconds for which nothing needs to be synced; None: nothing is written that is not on the disk."""
        if self._sync is not SyncPolicy.INTERVAL or not any(
            s.synced < s.size for s in list(self._journal.segments)
        ):
            return None
        return max(self._synced_at + SYNC_S - time.monotonic(), 0.0)
