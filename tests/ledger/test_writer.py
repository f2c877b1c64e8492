import asyncio
import errno
import os
import shutil
import sqlite3
import stat
import threading

import pytest

from tests.ledger.records import attempt, ended, started
from tokligence.errors import GatewayError
from tokligence.ledger import journal as journal_module
from tokligence.ledger import poster as poster_module
from tokligence.ledger.journal import Journal, SyncPolicy, leftover_segments
from tokligence.ledger.writer import Ledger

WAIT = 30  # seconds: only a broken test waits that long


class Home:
    def __init__(self, directory):
        self.db = directory / "ledger.db"
        self.journal = directory / "journal"
        self.ledgers = []

    def open(self, **options):
        self.ledgers.append(Ledger.open(self.db, self.journal, **options))
        return self.ledgers[-1]

    def leave(self, *records, unfinished=()):
        """What a process that was killed leaves: records in the journal, none in the database."""
        self.journal.mkdir(exist_ok=True)
        journal = Journal(self.journal)
        for record in records:
            journal.started(started(record.request_id))
            journal.ended(record)
        for request_id in unfinished:
            journal.started(started(request_id))
        path = journal.segments[-1].path
        journal.close()
        return path

    def rows(self):
        db = sqlite3.connect(self.db)
        try:
            return dict(db.execute("SELECT request_id, outcome FROM calls ORDER BY seq"))
        finally:
            db.close()


@pytest.fixture(params=[journal_module.RECENT, 3, 0], ids=["at hand", "a few at hand", "from the files"])
def home(request, tmp_path, monkeypatch):
    """Of calls that are at hand in memory, are not any more, or never were."""
    monkeypatch.setattr(journal_module, "RECENT", request.param)
    home = Home(tmp_path)
    yield home
    for ledger in home.ledgers:
        ledger.close(timeout_s=0)


def call(ledger, request_id, **changes):
    ledger.started(started(request_id))
    ledger.ended(ended(request_id, **changes))


def row_appears(home, count):
    """Waits, without a flush, until there are `count` rows."""
    db = sqlite3.connect(home.db)
    changed = threading.Event()
    try:
        for _ in range(WAIT * 100):
            if db.execute("SELECT count(*) FROM calls").fetchone() == (count,):
                return True
            changed.wait(0.01)
        return False
    finally:
        db.close()


def alarm_is(ledger, wanted):
    pause = threading.Event()
    for _ in range(WAIT * 100):
        if bool(ledger.alarm) == wanted:
            return True
        pause.wait(0.01)
    return False


# --- the ordinary way


def test_a_call_becomes_a_row_by_itself(home):
    ledger = home.open()
    call(ledger, "a")
    assert row_appears(home, 1)
    call(ledger, "b")
    assert row_appears(home, 2)
    assert home.rows() == {"a": "ok", "b": "ok"}


def test_after_a_flush_every_ended_call_is_a_row(home):
    ledger = home.open()
    for i in range(2_500):
        call(ledger, f"req_{i:04}")
    assert ledger.flush(WAIT)
    assert ledger.backlog == 0
    assert list(home.rows()) == [f"req_{i:04}" for i in range(2_500)]


def test_the_event_loop_can_wait_for_the_rows(home):
    async def main():
        ledger = home.open()
        call(ledger, "a")
        assert await ledger.flushed(WAIT)

    asyncio.run(main())
    assert home.rows() == {"a": "ok"}


def test_a_refused_call_needs_no_start(home):
    ledger = home.open()
    ledger.ended(ended("a", status=401, outcome="client_error"))
    assert ledger.flush(WAIT)
    assert home.rows() == {"a": "client_error"}


def test_metered_attempts_are_posted_with_their_call(home):
    ledger = home.open()
    call(ledger, "a", attempt_log=(attempt(), attempt()))
    ledger.close()
    db = sqlite3.connect(home.db)
    assert db.execute("SELECT count(*) FROM attempt_log").fetchone() == (2,)
    db.close()


def test_segments_are_deleted_only_once_their_rows_are_in_the_database(home, monkeypatch):
    released = []
    release = Journal.release

    def watched(self):
        released.append((self.segments[0].sealed, len(home.rows())))
        release(self)

    monkeypatch.setattr(Journal, "release", watched)
    ledger = home.open(segment_bytes=5_000)
    for i in range(200):
        call(ledger, f"req_{i:03}")
    assert ledger.flush(WAIT)
    assert ledger.journal_bytes < 7_000
    assert len(leftover_segments(home.journal)) == 1
    assert released[0][0]
    assert released[-1][1] > 150


def test_a_clean_end_leaves_no_journal_and_books_calls_under_way_as_interrupted(home):
    ledger = home.open()
    call(ledger, "a")
    ledger.started(started("b"))
    ledger.close()
    ledger.close()
    assert home.rows() == {"a": "ok", "b": "interrupted"}
    assert leftover_segments(home.journal) == []


@pytest.mark.parametrize("sync", SyncPolicy)
def test_every_sync_policy_books_the_same(home, sync):
    ledger = home.open(sync=sync, segment_bytes=500)
    for i in range(20):
        call(ledger, f"req_{i:02}")
    ledger.close()
    assert len(home.rows()) == 20


def test_the_interval_sync_happens_in_the_background_and_also_without_a_finished_call(home, monkeypatch):
    synced = threading.Event()
    threads = []
    fsync = os.fsync

    def watched(fd):
        threads.append(threading.current_thread())
        fsync(fd)
        synced.set()

    monkeypatch.setattr(os, "fsync", watched)
    monkeypatch.setattr(poster_module, "SYNC_S", 0.01)
    ledger = home.open(sync=SyncPolicy.INTERVAL)
    ledger.started(started("a"))
    assert synced.wait(WAIT)
    assert threading.current_thread() not in threads


def test_a_disk_that_cannot_sync_raises_the_alarm_until_it_can(home, monkeypatch):
    broken = threading.Event()
    broken.set()
    fsync = os.fsync

    def failing(fd):
        if broken.is_set():
            raise OSError(errno.EIO, "input/output error")
        fsync(fd)

    monkeypatch.setattr(os, "fsync", failing)
    monkeypatch.setattr(poster_module, "SYNC_S", 0.01)
    ledger = home.open()
    call(ledger, "a")
    assert alarm_is(ledger, True)
    assert "cannot be synced" in ledger.alarm
    broken.clear()
    assert alarm_is(ledger, False)


# --- the database in trouble


def test_while_the_database_is_locked_traffic_goes_on_and_is_posted_afterwards(home):
    ledger = home.open()
    other = sqlite3.connect(home.db, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for i in range(50):
        call(ledger, f"req_{i}")
    assert alarm_is(ledger, True)
    assert "locked" in ledger.alarm
    assert ledger.backlog == 50
    assert not ledger.flush(0)
    other.execute("ROLLBACK")
    other.close()
    assert ledger.flush(WAIT)
    assert alarm_is(ledger, False)
    assert len(home.rows()) == 50


def test_an_end_while_the_database_is_locked_leaves_the_rest_to_the_next_start(home):
    ledger = home.open()
    other = sqlite3.connect(home.db, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    call(ledger, "a")
    ledger.started(started("b"))
    assert alarm_is(ledger, True)
    ledger.close(timeout_s=0)
    other.execute("ROLLBACK")
    other.close()
    assert home.rows() == {}
    home.open().close()
    assert home.rows() == {"a": "ok", "b": "interrupted"}


def test_a_journal_over_its_limit_refuses_calls_until_the_database_is_back(home):
    ledger = home.open(max_bytes=20_000)
    other = sqlite3.connect(home.db, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(GatewayError) as caught:
        for i in range(1_000):
            call(ledger, f"req_{i}")
    assert caught.value.code == "gateway.ledger_unavailable"
    other.execute("ROLLBACK")
    other.close()
    assert ledger.flush(WAIT)
    call(ledger, "again")
    assert ledger.flush(WAIT)
    assert home.rows()["again"] == "ok"


def test_a_ledger_that_someone_deletes_goes_on_in_a_new_file(home):
    ledger = home.open()
    call(ledger, "a")
    assert ledger.flush(WAIT)
    home.db.unlink()
    shutil.rmtree(home.journal)
    call(ledger, "b")
    assert ledger.flush(WAIT)
    assert home.rows() == {"b": "ok"}


def test_a_row_that_the_database_refuses_is_counted_and_logged(home, caplog):
    ledger = home.open()
    call(ledger, "a")
    call(ledger, "bad", status=["no number"])
    call(ledger, "worse", attempt_log=7)
    call(ledger, "b")
    assert ledger.flush(WAIT)
    assert home.rows() == {"a": "ok", "b": "ok"}
    assert ledger.refused == 2
    assert "cannot book" in caplog.text


def test_a_journal_that_cannot_be_read_back_raises_the_alarm_and_loses_nothing(home, monkeypatch):
    from tokligence.ledger.journal import Tail

    read, broken = Tail.read, threading.Event()
    broken.set()

    def failing(self, end):
        if broken.is_set():
            raise OSError(errno.EIO, "input/output error")
        return read(self, end)

    monkeypatch.setattr(Tail, "read", failing)
    monkeypatch.setattr(journal_module, "RECENT", 0)  # what is at hand need not be read
    ledger = home.open()
    call(ledger, "a")
    assert alarm_is(ledger, True)
    ledger.close(timeout_s=0)
    assert home.rows() == {}
    broken.clear()
    home.open().close()
    assert home.rows() == {"a": "ok"}


def test_a_posting_thread_that_dies_is_seen(home, monkeypatch):
    died = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: died.set())
    monkeypatch.setattr(poster_module.Poster, "_post_journal", lambda self: 1 / 0)
    ledger = home.open()
    call(ledger, "a")
    assert alarm_is(ledger, True)
    assert ledger.alarm == "the posting thread has ended"
    assert died.wait(WAIT)


# --- after a crash


def test_what_a_killed_process_left_becomes_rows_and_unfinished_calls_become_interrupted(home):
    home.leave(ended("a"), ended("b", outcome="cancelled"), unfinished=["c"])
    ledger = home.open()
    assert ledger.flush(WAIT)
    assert home.rows() == {"a": "ok", "b": "cancelled", "c": "interrupted"}
    assert (ledger.leftovers.calls, ledger.leftovers.interrupted) == (2, 1)
    assert len(leftover_segments(home.journal)) == 1


def test_rows_that_were_posted_before_the_crash_are_not_doubled(home):
    home.leave(ended("a"))
    home.open().close()
    home.leave(ended("a"), ended("b"))
    home.open().close()
    assert home.rows() == {"a": "ok", "b": "ok"}


def test_a_call_that_began_in_one_segment_and_ended_in_another_is_not_interrupted(home):
    home.leave(unfinished=["a"])
    home.leave(ended("a"))
    home.open().close()
    assert home.rows() == {"a": "ok"}


def test_a_torn_tail_is_ignored_and_reported(home, caplog):
    path = home.leave(ended("a"), ended("b"))
    os.truncate(path, path.stat().st_size - 5)
    ledger = home.open()
    assert ledger.flush(WAIT)
    assert home.rows() == {"a": "ok", "b": "interrupted"}
    assert ledger.leftovers.torn_bytes > 0
    assert ledger.leftovers.corrupt == 0
    assert "torn bytes" in caplog.text


def test_corruption_in_the_middle_is_reported_and_the_file_is_kept(home, caplog):
    path = home.leave(ended("a"), ended("b"), ended("c"))
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"anthropic/eu")] ^= 0xFF
    path.write_bytes(raw)
    ledger = home.open()
    assert ledger.flush(WAIT)
    assert home.rows() == {"b": "ok", "c": "ok", "a": "interrupted"}
    assert ledger.leftovers.corrupt == 1
    assert "hold no record" in caplog.text
    ledger.close()
    assert path.with_suffix(".corrupt").exists()
    assert leftover_segments(home.journal) == []


def test_a_record_that_is_none_of_ours_is_counted(home):
    from tokligence.ledger.frames import ENDED, STARTED, frame

    path = home.leave(ended("a"))
    import msgspec

    strange = [
        (ENDED, b"\xc1"),
        (ENDED, msgspec.msgpack.encode(["e", "x"])),
        (STARTED, msgspec.msgpack.encode(["s", "y"])),
    ]
    path.write_bytes(path.read_bytes() + b"".join(frame(kind, payload) for kind, payload in strange))
    ledger = home.open()
    assert ledger.flush(WAIT)
    assert home.rows() == {"a": "ok"}
    assert ledger.leftovers.unreadable == 3


def test_a_leftover_that_cannot_be_read_is_left_and_stops_nothing(home, caplog):
    home.leave(ended("a"))
    (home.journal / "odd.log").mkdir()
    ledger = home.open()
    assert ledger.flush(WAIT)
    assert home.rows() == {"a": "ok"}
    assert "cannot be read" in caplog.text


def test_a_leftover_that_cannot_be_removed_is_reported(home, caplog, monkeypatch):
    from pathlib import Path

    left = home.leave(ended("a"))
    unlink = Path.unlink

    def failing(self, missing_ok=False):
        if self == left:
            raise PermissionError(errno.EACCES, "permission denied")
        unlink(self, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", failing)
    ledger = home.open()
    assert ledger.flush(WAIT)
    assert home.rows() == {"a": "ok"}
    assert "cannot be removed" in caplog.text


def test_leftovers_wait_for_a_database_that_is_locked_at_the_start(home):
    home.open().close()
    home.leave(ended("a"))
    other = sqlite3.connect(home.db, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    ledger = home.open()
    call(ledger, "b")
    assert alarm_is(ledger, True)
    other.execute("ROLLBACK")
    other.close()
    assert ledger.flush(WAIT)
    assert list(home.rows()) == ["a", "b"]


# --- opening


def test_a_second_process_on_one_ledger_is_refused(home):
    home.open()
    with pytest.raises(GatewayError, match="in use by another process") as caught:
        home.open()
    assert caught.value.code == "config.invalid"


def test_a_closed_ledger_can_be_opened_again(home):
    home.open().close()
    call(home.open(), "a")


def test_a_failed_opening_leaves_the_ledger_free(home):
    home.db.mkdir()
    with pytest.raises(GatewayError, match="ledger_path"):
        home.open()
    home.db.rmdir()
    home.open()


def test_a_journal_directory_that_is_a_file_is_one_clear_line(home):
    home.journal.write_text("")
    with pytest.raises(GatewayError, match="the ledger cannot be written") as caught:
        home.open()
    assert caught.value.code == "config.invalid"


def test_a_home_that_can_only_be_read_is_one_clear_line(home, monkeypatch):
    real = os.open

    def read_only(path, flags, *rest, **options):
        if flags & os.O_CREAT:
            raise PermissionError(errno.EROFS, "Read-only file system", str(path))
        return real(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", read_only)
    with pytest.raises(GatewayError, match="Read-only file system"):
        home.open()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_what_it_makes_is_private(home):
    ledger = home.open()
    call(ledger, "a")
    assert ledger.flush(WAIT)
    assert stat.S_IMODE(home.journal.stat().st_mode) == 0o700
    for path in [home.db, *leftover_segments(home.journal)]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
