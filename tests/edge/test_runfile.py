"""Which gateway runs on a home."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import psutil
import pytest

from tokligence.config.errors import ConfigError
from tokligence.config.home import Home
from tokligence.edge import runfile
from tokligence.edge.runfile import AlreadyRunning, RunState, forget, hold_home, running, write_private


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.prepare()
    return home


def state(pid: int) -> RunState:
    return RunState(pid, 1, "localhost", 8081, "0", "dev", 0.0, "token")


def write_state(home: Home, pid: int) -> None:
    write_private(home.state_file, msgspec.json.encode(state(pid)))


def test_none_runs_where_nothing_is(tmp_path: Path) -> None:
    assert running(Home(tmp_path / "none")) is None


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"pid":"x"}'])
def test_a_run_file_that_is_none_of_ours_means_that_none_runs(home: Home, text: bytes) -> None:
    home.state_file.write_bytes(text)
    assert running(home) is None


def test_one_that_holds_the_lock_runs(home: Home) -> None:
    with hold_home(home):
        assert home.pid_file.read_text() == f"{os.getpid()}\n"
        assert running(home) is None  # not yet
        write_state(home, os.getpid())
        assert running(home) == state(os.getpid())
    assert running(home) is None
    assert not home.state_file.exists()
    assert not home.pid_file.exists()


def test_a_reused_pid_deceives_nobody(home: Home) -> None:
    write_state(home, os.getpid())  # as if left by one that was killed, whose pid is ours now
    assert running(home) is None


def test_a_lock_of_a_start_that_is_under_way_does_not_revive_what_was_left(home: Home) -> None:
    write_state(home, os.getpid())
    with hold_home(home):
        assert running(home) is None


def test_a_dead_pid_runs_no_more(home: Home) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with hold_home(home):
        write_state(home, process.pid)
        assert running(home) is None


def test_a_clock_that_jumped_hides_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with hold_home(home):
        write_state(home, os.getpid())
        monkeypatch.setattr(psutil, "boot_time", lambda: 0.0)
        assert running(home) is not None


def test_where_the_lock_cannot_be_opened_the_pid_decides(home: Home) -> None:
    home.lock_file.mkdir()
    write_state(home, os.getpid())
    assert running(home) == state(os.getpid())


def test_a_second_one_is_refused_with_the_pid_of_the_first(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runfile, "LOCK_PATIENCE_S", 0)
    with hold_home(home):
        with pytest.raises(AlreadyRunning, match=f"pid {os.getpid()}"), hold_home(home):
            pass
        home.pid_file.write_text("not a number")
        with pytest.raises(AlreadyRunning, match="pid unknown") as caught, hold_home(home):
            pass
        assert caught.value.pid is None


def test_a_lock_that_cannot_be_made_is_told(home: Home) -> None:
    home.lock_file.mkdir()
    with pytest.raises(ConfigError, match=r"gateway\.lock: cannot be locked"), hold_home(home):
        pass


def test_a_run_file_that_cannot_be_written_is_told_and_the_lock_goes(home: Home) -> None:
    home.pid_file.mkdir()
    with pytest.raises(ConfigError, match=r"gateway\.pid: cannot be written"), hold_home(home):
        pass
    home.pid_file.rmdir()
    with hold_home(home):
        pass


def test_a_file_that_does_not_go_is_left(home: Home) -> None:
    home.state_file.mkdir()
    forget(home.state_file)
    assert home.state_file.exists()
