import errno
import os
import sys

import pytest

from tests.ledger.records import ended, started
from tokligence.errors import GatewayError
from tokligence.ledger.frames import ENDED, STARTED
from tokligence.ledger.journal import Journal, SyncPolicy, Tail, leftover_segments
from tokligence.ledger.rows import read_batch, request_id_of


def events(directory):
    """What the files hold: "S id" and "E id", in order."""
    found = []
    for path in leftover_segments(directory):
        with path.open("rb", buffering=0) as file:
            tail = Tail(file)
            frames = [
                frame for piece in tail.read(path.stat().st_size) for frame in piece
            ] + tail.frames.close()
        assert tail.frames.torn is None
        assert tail.frames.gaps == []
        found += [f"{chr(kind)} {request_id_of(payload)}" for kind, payload in frames]
    return found


class Disk:
    """Stands in for `os.write`: takes `room` more bytes, then fails as a full disk does (partial writes included)."""

    def __init__(self, room=10**9):
        self.room = room

    def __call__(self, fd, data):
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = os.write(fd, data[: self.room])
        self.room -= taken
        return taken


@pytest.fixture
def open_journal(tmp_path):
    opened = []

    def build(**options):
        opened.append(Journal(tmp_path, **options))
        return opened[-1]

    yield build
    for journal in opened:
        journal.close()


def test_a_record_is_in_the_file_when_the_call_returns(tmp_path, open_journal):
    journal = open_journal()
    journal.started(started("a"))
    assert events(tmp_path) == ["S a"]
    journal.ended(ended("a"))
    assert events(tmp_path) == ["S a", "E a"]
    assert journal.calls == 1
    assert journal.unfinished == ()


def test_files_bear_the_workers_name_and_are_private(tmp_path, open_journal):
    open_journal(worker="w3")
    [path] = leftover_segments(tmp_path)
    assert path.name == "w3.000001.log"
    if sys.platform != "win32":
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_new_journal_never_writes_into_what_an_earlier_one_left(tmp_path, open_journal):
    open_journal().started(started("a"))
    open_journal().started(started("b"))
    assert [path.name for path in leftover_segments(tmp_path)] == ["main.000001.log", "main.000002.log"]


def test_leftovers_are_listed_in_the_order_of_their_numbers(tmp_path):
    for name in ("w.10.log", "w.9.log", "a.b.2.log", "odd.log"):
        (tmp_path / name).touch()
    assert [path.name for path in leftover_segments(tmp_path)] == [
        "a.b.2.log",
        "odd.log",
        "w.9.log",
        "w.10.log",
    ]


def test_a_full_segment_is_followed_by_one_that_repeats_the_calls_under_way(tmp_path, open_journal):
    journal = open_journal(segment_bytes=1)
    journal.started(started("long"))
    journal.started(started("short"))
    first, second = journal.segments
    assert (first.sealed, second.sealed) == (True, False)
    assert events(tmp_path) == ["S long", "S long", "S short"]
    journal.ended(ended("long"))
    journal.ended(ended("short"))
    assert events(tmp_path)[-5:] == ["S long", "S short", "E long", "S short", "E short"]


def test_many_calls_under_way_do_not_fill_the_next_segment_by_themselves(open_journal):
    journal = open_journal(segment_bytes=2_000)
    for i in range(200):
        journal.started(started(f"req_{i}"))
    segments = len(journal.segments)
    journal.ended(ended("req_1"))
    journal.ended(ended("req_2"))
    assert len(journal.segments) <= segments + 1


def test_a_released_segment_is_gone_and_no_longer_counts(tmp_path, open_journal):
    journal = open_journal(segment_bytes=1)
    journal.started(started("a"))
    journal.ended(ended("a"))
    before = journal.disk_bytes
    assert before == sum(path.stat().st_size for path in leftover_segments(tmp_path))
    journal.release()
    assert journal.disk_bytes == sum(path.stat().st_size for path in leftover_segments(tmp_path)) < before


def test_a_segment_that_someone_has_deleted_is_released_all_the_same(tmp_path, open_journal):
    journal = open_journal()
    leftover_segments(tmp_path)[0].unlink()
    journal.release()
    assert not journal.segments


def test_a_short_write_is_completed(tmp_path, open_journal):
    journal = open_journal(write=lambda fd, data: os.write(fd, data[:7]))
    journal.started(started("a"))
    journal.ended(ended("a"))
    assert events(tmp_path) == ["S a", "E a"]


@pytest.mark.parametrize("room", [0, 5, 60])
def test_a_full_disk_is_an_error_that_leaves_no_half_record(tmp_path, open_journal, room):
    disk = Disk()
    journal = open_journal(write=disk)
    journal.started(started("a"))
    disk.room = room
    with pytest.raises(GatewayError, match="No space left") as caught:
        journal.started(started("b"))
    assert caught.value.code == "gateway.ledger_unavailable"
    assert events(tmp_path) == ["S a"]
    disk.room = 10**9
    journal.ended(ended("a"))
    assert events(tmp_path) == ["S a", "E a"]


def test_a_call_whose_end_could_not_be_written_may_be_ended_again(tmp_path, open_journal):
    disk = Disk()
    journal = open_journal(write=disk)
    journal.started(started("a"))
    disk.room = 20
    with pytest.raises(GatewayError):
        journal.ended(ended("a"))
    assert len(journal.unfinished) == 1
    assert journal.calls == 0
    disk.room = 10**9
    journal.ended(ended("a"))
    assert journal.unfinished == ()


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limit to set")
def test_a_limit_of_the_system_in_the_middle_of_a_record_leaves_no_half_record(tmp_path, open_journal):
    import resource

    journal = open_journal()
    journal.started(started("a"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (journal.disk_bytes + 30, hard))
    try:
        with pytest.raises(GatewayError):
            journal.ended(ended("a"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert events(tmp_path) == ["S a"]


def test_a_device_that_writes_nothing_is_an_error(open_journal):
    journal = open_journal(write=lambda fd, data: 0)
    with pytest.raises(GatewayError, match="nothing more could be written"):
        journal.started(started("a"))


def test_after_a_failed_write_that_cannot_be_taken_back_nothing_more_is_written(monkeypatch, open_journal):
    disk = Disk(room=5)
    journal = open_journal(write=disk)

    def broken(fd, size):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "ftruncate", broken)
    with pytest.raises(GatewayError, match="No space"):
        journal.started(started("a"))
    disk.room = 10**9
    with pytest.raises(GatewayError, match="restart the gateway"):
        journal.started(started("b"))


def test_without_room_for_a_new_segment_the_full_one_goes_on(tmp_path, open_journal):
    disk = Disk()
    journal = open_journal(segment_bytes=1, write=disk)
    journal.started(started("a"))
    size = journal.disk_bytes
    disk.room = 10
    with pytest.raises(GatewayError):
        journal.ended(ended("a"))
    assert len(leftover_segments(tmp_path)) == 1
    assert journal.disk_bytes == size
    disk.room = 10**9
    journal.ended(ended("a"))
    assert events(tmp_path) == ["S a", "S a", "E a"]


def test_without_a_descriptor_for_a_new_segment_the_full_one_goes_on(tmp_path, open_journal, monkeypatch):
    journal = open_journal(segment_bytes=1)
    journal.started(started("a"))

    def none_left(*_):
        raise OSError(errno.EMFILE, "too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", none_left)
        journal.ended(ended("a"))
    assert events(tmp_path) == ["S a", "E a"]


def test_above_the_limit_new_calls_are_refused_and_calls_under_way_may_end(open_journal):
    journal = open_journal(max_bytes=150, segment_bytes=10**6)
    journal.started(started("a"))
    journal.started(started("b"))
    with pytest.raises(GatewayError, match="ledger_journal_max_bytes is 150") as caught:
        journal.started(started("c"))
    assert (caught.value.code, caught.value.status) == ("gateway.ledger_unavailable", 503)
    with pytest.raises(GatewayError, match="ledger_journal_max_bytes"):
        journal.ended(ended("never started"))
    journal.ended(ended("a"))
    journal.ended(ended("b"))


def test_a_journal_over_its_limit_takes_calls_again_once_its_rows_are_posted(open_journal):
    journal = open_journal(max_bytes=150, segment_bytes=10**6)
    for name in ("a", "b"):
        journal.started(started(name))
    for name in ("a", "b"):
        journal.ended(ended(name))
    with pytest.raises(GatewayError):
        journal.started(started("c"))
    while len(journal.segments) > 1:
        journal.release()
    journal.started(started("c"))
    journal.ended(ended("c"))


def test_with_sync_always_each_record_is_on_the_disk_before_it_counts(tmp_path, open_journal, monkeypatch):
    synced = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(events(tmp_path)) or fsync(fd))
    journal = open_journal(sync=SyncPolicy.ALWAYS)
    journal.started(started("a"))
    journal.ended(ended("a"))
    assert synced == [["S a"], ["S a", "E a"]]


def test_a_record_that_cannot_be_synced_is_taken_back(tmp_path, open_journal, monkeypatch):
    def broken(fd):
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(GatewayError):
        open_journal(sync=SyncPolicy.ALWAYS).started(started("a"))
    assert events(tmp_path) == []


@pytest.mark.parametrize("sync", [SyncPolicy.OFF, SyncPolicy.INTERVAL])
def test_otherwise_no_write_waits_for_the_disk(open_journal, monkeypatch, sync):
    monkeypatch.setattr(os, "fsync", lambda fd: pytest.fail("synced"))
    journal = open_journal(sync=sync)
    journal.started(started("a"))
    journal.ended(ended("a"))


def test_a_segment_is_synced_once_for_what_it_holds(open_journal, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    journal = open_journal()
    segment = journal.segments[0]
    segment.sync()
    journal.started(started("a"))
    segment.sync()
    segment.sync()
    assert len(synced) == 1


@pytest.mark.parametrize(
    "changes",
    [{"model_asked": "m" * 10**6}, {"model_asked": "a\ud800"}, {"started_us": 2**70}],
    ids=["a huge name", "a lone surrogate", "a huge number"],
)
def test_a_record_that_no_database_takes_is_mended(tmp_path, open_journal, changes):
    journal = open_journal()
    journal.started(started("a", **changes))
    journal.ended(ended("a", **changes))
    assert events(tmp_path) == ["S a", "E a"]
    with leftover_segments(tmp_path)[0].open("rb") as file:
        frames = next(Tail(file).read(journal.disk_bytes))
    assert [kind for kind, _ in frames] == [STARTED, ENDED]
    batch, unreadable = read_batch([frames[1][1]])
    assert (len(batch.calls), unreadable) == (1, [])


def test_a_tail_stops_where_the_file_does(tmp_path, open_journal):
    journal = open_journal()
    journal.started(started("a"))
    tail = Tail(journal.segments[0].reader)
    assert len(list(tail.read(10**6))) == 1
    assert list(tail.read(10**6)) == []
