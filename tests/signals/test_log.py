import io
import json
import os
import stat
from datetime import UTC, datetime

import pytest

from tokligence.signals import log as module
from tokligence.signals.log import BUFFER_LINES, MAX_TEXT, Log, line_head, readable

NOON = datetime(2026, 11, 24, 12, 0, 0, 250_000, UTC).timestamp()
DAY = 86_400.0


class Clock:
    def __init__(self, now=NOON):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def logs(tmp_path):
    return tmp_path / "logs"


def lines(log):
    return [json.loads(line) for line in log.path.read_bytes().splitlines()]


def turned(log):
    return sorted(path.name for path in log.path.parent.glob("gateway-*.log"))


def test_a_line_is_one_json_object_with_time_level_and_event(logs, clock):
    log = Log(logs, clock=clock)
    log.info("started", host="127.0.0.1", port=8081, local=None)
    log.close()
    assert log.path.read_text() == (
        '{"time":"2026-11-24T12:00:00.250Z","level":"info","event":"started",'
        '"host":"127.0.0.1","port":8081,"local":null}\n'
    )


def test_an_event_without_fields_is_whole(logs, clock):
    log = Log(logs, clock=clock)
    log.info("stopping")
    log.close()
    assert lines(log) == [{"time": "2026-11-24T12:00:00.250Z", "level": "info", "event": "stopping"}]


def test_lines_may_come_whole(logs, clock):
    log = Log(logs, clock=clock)
    made = log.line("info", "call", 1_764_000_000_250_999, {"status": 200})
    assert made == f"{log.beginning(1_764_000_000)}250{line_head('info', 'call')}" + '"status":200}\n'
    log.add([made, made])
    log.close()
    assert [(line["time"], line["status"]) for line in lines(log)] == [("2025-11-24T16:00:00.250Z", 200)] * 2


def test_what_was_kept_back_is_written_before_the_next_line_and_before_the_file(logs, clock):
    log = Log(logs, clock=clock)
    waiting = []

    def write():
        found, waiting[:] = waiting[:], []
        if found:
            log.add(found)

    def keep(number):
        if log.enabled("info"):
            waiting.append(log.line("info", f"kept {number}", 0, {}))

    log.behind = write
    keep(1)
    log.info("between")
    keep(2)
    log.warning("now")
    keep(3)
    log.set_level("error")
    keep(4)
    log.set_level("info")
    keep(5)
    log.close()
    events = [line["event"] for line in lines(log)]
    assert events == ["kept 1", "between", "kept 2", "now", "kept 3", "kept 5"]


def test_time_goes_on_between_lines(logs, clock):
    log = Log(logs, clock=clock)
    log.info("one")
    clock.now += 0.5
    log.info("two")
    clock.now += 1
    log.info("three")
    log.close()
    assert [line["time"][17:] for line in lines(log)] == ["00.250Z", "00.750Z", "01.750Z"]


def test_only_lines_of_the_level_or_above_are_kept(logs, clock):
    log = Log(logs, level="warning", clock=clock)
    log.debug("a")
    log.info("b")
    log.warning("c")
    log.error("d")
    log.set_level("error")
    log.warning("e")
    log.set_level("debug")
    log.debug("f")
    log.close()
    assert [line["event"] for line in lines(log)] == ["c", "d", "f"]
    assert [line["level"] for line in lines(log)] == ["warning", "error", "debug"]


def test_enabled_tells_whether_a_level_is_kept(logs):
    log = Log(logs, level="info")
    assert not log.enabled("debug")
    assert log.enabled("info") and log.enabled("error")
    log.close()


def test_lines_wait_in_the_buffer_until_flushed(logs):
    log = Log(logs)
    log.info("waits")
    assert log.path.stat().st_size == 0
    log.flush()
    assert len(lines(log)) == 1
    log.flush()
    log.close()
    log.close()
    assert len(lines(log)) == 1


def test_a_warning_and_an_error_do_not_wait(logs):
    log = Log(logs)
    log.info("before")
    log.warning("now")
    assert [line["event"] for line in lines(log)] == ["before", "now"]
    log.error("at once")
    assert len(lines(log)) == 3
    log.close()


def test_a_full_buffer_is_written(logs):
    log = Log(logs)
    for number in range(BUFFER_LINES):
        log.info("line", number=number)
    assert len(lines(log)) == BUFFER_LINES
    log.close()


def test_only_the_owner_may_read_the_file(logs):
    log = Log(logs)
    modes = (stat.S_IMODE(log.path.stat().st_mode), stat.S_IMODE(logs.stat().st_mode))
    assert modes == (0o600, 0o700) or os.name == "nt"
    log.close()


def test_secrets_are_blotted_out_and_short_ones_are_not(logs):
    log = Log(logs)
    log.hide(["sk-very-secret", "sk-never-seen", "abc"])
    log.info("oops", text="key sk-very-secret and abc")
    log.close()
    assert lines(log)[0]["text"] == "key [hidden] and abc"


def test_long_texts_are_cut(logs):
    log = Log(logs)
    log.info("long", text="x" * 5000, other="y", number=1)
    log.info("many", **{f"f{number}": "z" * 100 for number in range(50)})
    log.close()
    first, second = lines(log)
    assert first["text"] == "x" * MAX_TEXT + "…"
    assert (first["other"], first["number"]) == ("y", 1)
    assert second["f49"] == "z" * 100


def test_values_that_json_has_no_word_for_are_written_all_the_same(logs):
    log = Log(logs)
    log.info("odd", path=logs, surrogate="\ud800", huge=2**80)
    log.close()
    assert lines(log)[0]["huge"] == 2**80
    assert lines(log)[0]["path"] == str(logs)


def test_a_file_that_is_large_enough_is_turned(logs, clock):
    log = Log(logs, max_bytes=200, clock=clock)
    for number in range(4):
        log.warning("line", number=number, text="x" * 50)
    log.close()
    assert turned(log) == ["gateway-2026-11-24-2.log", "gateway-2026-11-24-3.log", "gateway-2026-11-24.log"]
    assert [line["number"] for line in lines(log)] == [3]


def test_a_new_day_begins_a_new_file(logs, clock):
    log = Log(logs, clock=clock)
    log.warning("today")
    clock.now += DAY
    log.warning("tomorrow")
    log.warning("tomorrow again")
    log.close()
    assert turned(log) == ["gateway-2026-11-24.log"]
    assert len(lines(log)) == 2


def test_an_empty_file_takes_the_day_of_its_first_line(logs, clock):
    log = Log(logs, clock=clock)
    clock.now += DAY
    log.warning("first")
    clock.now += DAY
    log.warning("second")
    log.close()
    assert turned(log) == ["gateway-2026-11-25.log"]


def test_what_was_left_from_an_earlier_day_is_turned_at_the_first_line(logs, clock):
    logs.mkdir()
    (logs / "gateway.log").write_bytes(b'{"old":1}\n')
    os.utime(logs / "gateway.log", (NOON - 3 * DAY, NOON - 3 * DAY))
    log = Log(logs, clock=clock)
    log.warning("new")
    log.close()
    assert turned(log) == ["gateway-2026-11-21.log"]
    assert [line["event"] for line in lines(log)] == ["new"]


def test_lines_of_the_same_day_go_on_in_the_same_file(logs, clock):
    first = Log(logs, clock=clock)
    first.info("one")
    first.close()
    os.utime(first.path, (NOON, NOON))
    second = Log(logs, clock=clock)
    second.info("two")
    second.close()
    assert [line["event"] for line in lines(second)] == ["one", "two"]


def test_only_so_many_turned_files_stay_and_strangers_files_are_left_alone(logs, clock):
    logs.mkdir()
    (logs / "gateway-notes.log").write_text("mine")
    log = Log(logs, max_bytes=100, keep=3, clock=clock)
    for number in range(12):
        log.warning("line", number=number, text="x" * 50)
    log.close()
    assert lines(log)[0]["number"] == 11
    assert turned(log) == [
        "gateway-2026-11-24-10.log",
        "gateway-2026-11-24-11.log",
        "gateway-2026-11-24-9.log",
        "gateway-notes.log",
    ]


def test_limits_change_while_it_runs(logs, clock):
    log = Log(logs, clock=clock)
    log.warning("one")
    log.set_limits(max_bytes=10, keep=0)
    log.warning("two")
    log.close()
    assert turned(log) == []
    assert [line["event"] for line in lines(log)] == ["two"]


def test_a_file_that_somebody_took_away_is_begun_anew(logs, clock):
    log = Log(logs, clock=clock)
    log.warning("one")
    log.path.unlink()
    clock.now += DAY
    log.warning("two")
    log.close()
    assert [line["event"] for line in lines(log)] == ["two"]


def test_a_disk_that_refuses_counts_lost_lines_and_stops_nothing(logs, monkeypatch):
    terminal = io.StringIO()
    log = Log(logs, mirror=terminal)

    def full(file, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "write", full)
    log.info("one")
    log.info("two")
    log.flush()
    assert log.lost == 2
    assert "the log cannot be written: No space left on device" in terminal.getvalue()
    monkeypatch.undo()
    log.warning("three")
    log.close()
    assert [line["event"] for line in lines(log)] == ["three"]


def test_a_disk_that_refuses_without_a_terminal_stops_nothing_either(logs, monkeypatch):
    log = Log(logs)
    monkeypatch.setattr(module.os, "write", lambda file, data: (_ for _ in ()).throw(OSError(28, "full")))
    log.warning("one")
    assert log.lost == 1
    log.close()


def test_a_write_that_takes_a_part_is_completed(logs, monkeypatch):
    log = Log(logs)
    whole = os.write
    monkeypatch.setattr(module.os, "write", lambda file, data: whole(file, data[:7]))
    log.warning("bit by bit")
    log.close()
    assert lines(log)[0]["event"] == "bit by bit"


def test_the_terminal_gets_the_lines_for_reading(logs, clock):
    terminal = io.StringIO()
    log = Log(logs, mirror=terminal, clock=clock)
    log.info("started", host="127.0.0.1", port=8081, model=None, note="two words", empty="")
    assert terminal.getvalue() == ""
    log.flush()
    assert terminal.getvalue() == (
        '12:00:00.250 info    started host=127.0.0.1 port=8081 note="two words" empty=""\n'
    )
    log.close()


def test_a_terminal_that_is_gone_is_forgotten(logs):
    terminal = io.StringIO()
    log = Log(logs, mirror=terminal)
    terminal.close()
    log.warning("one")
    log.warning("two")
    log.close()
    assert len(lines(log)) == 2


def test_a_line_that_is_not_ours_is_shown_as_it_is():
    assert readable(b"plain \xff text\n") == "plain � text\n"
    assert readable(b"[1]") == "[1]\n"
    assert readable(b"1") == "1\n"
    assert readable(b'{"a":1}') == '{"a":1}\n'
