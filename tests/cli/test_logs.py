"""`tgw logs`: the last lines, and those to come across a change of the file."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.command import Home, environment, words_of
from tests.cli.conftest import Cli
from tokligence.cli import logs
from tokligence.cli.logs import Follower, last_lines
from tokligence.signals.log import Log


@pytest.fixture
def path(home: Home) -> Path:
    (home.root / "logs").mkdir(parents=True)
    return home.root / "logs" / "gateway.log"


def written(path: Path, *names: str) -> None:
    with path.open("ab") as file:
        for name in names:
            line = {"time": "2026-11-24T15:31:39.027Z", "level": "info", "event": name, "n": 1}
            file.write(json.dumps(line).encode() + b"\n")


def events(text: str) -> list[str]:
    return [line.split()[2] for line in text.splitlines()]


@pytest.mark.usefixtures("path")
def test_where_there_is_no_log_yet_that_is_told(cli: Cli) -> None:
    said = cli("logs")
    assert said.status == 1
    assert said.err.startswith("tgw: there is no log yet: ")


def test_the_last_lines_are_shown_for_reading(cli: Cli, path: Path) -> None:
    written(path, *(f"e{i}" for i in range(30)))
    said = cli("logs")
    assert said.status == 0
    assert events(said.out) == [f"e{i}" for i in range(10, 30)]
    assert said.out.splitlines()[0] == "15:31:39.027 info    e10 n=1"


@pytest.mark.parametrize("number", [0, 1, 29, 30, 31])
def test_as_many_as_asked_for(cli: Cli, path: Path, number: int) -> None:
    written(path, *(f"e{i}" for i in range(30)))
    assert events(cli("logs", "-n", str(number)).out) == [f"e{i}" for i in range(30)][30 - min(number, 30) :]


def test_for_scripts_the_lines_are_as_they_stand(cli: Cli, path: Path) -> None:
    written(path, "one", "two")
    assert cli("logs", "--json").out == path.read_text()


def test_lines_before_the_last_turn_are_shown_too(cli: Cli, path: Path) -> None:
    for number, name in enumerate(("gateway-2026-11-22.log", "gateway-2026-11-23.log", "gateway.log")):
        file = path.with_name(name)
        written(file, f"a{number}", f"b{number}")
        os.utime(file, (number, number))
    assert events(cli("logs").out) == ["a0", "b0", "a1", "b1", "a2", "b2"]
    assert events(cli("logs", "-n", "3").out) == ["b1", "a2", "b2"]
    path.unlink()
    assert events(cli("logs", "-n", "1").out) == ["b1"]


def test_a_line_without_its_end_is_shown_as_the_last(cli: Cli, path: Path) -> None:
    written(path, "one", "two")
    with path.open("ab") as file:
        file.write(b"half")
    assert cli("logs", "-n", "2").out.splitlines()[-1] == "half"
    assert events(cli("logs", "-n", "2").out.splitlines()[0]) == ["two"]
    assert cli("logs", "-n", "0").out == ""


def test_bytes_that_are_no_text_are_shown_all_the_same(cli: Cli, path: Path) -> None:
    path.write_bytes(b"\xff\xfe\n")
    assert cli("logs").out == "��\n"


def test_a_large_file_is_read_from_its_end(path: Path) -> None:
    written(path, *(f"event-number-{i}" for i in range(3000)))
    assert path.stat().st_size > 3 * logs.BLOCK
    with path.open("rb") as file:
        lines, rest = last_lines(file, 1500)
        assert file.tell() == path.stat().st_size
    assert [json.loads(line)["event"] for line in lines] == [f"event-number-{i}" for i in range(1500, 3000)]
    assert rest == b""


# --- following ------------------------------------------------------------------------------------------


def test_following_goes_on_behind_the_last_line_without_a_gap(path: Path) -> None:
    written(path, "one")
    with path.open("ab") as file:
        file.write(b"be")
    follower = Follower(path)
    assert len(follower.last(5)) == 1
    with path.open("ab") as file:
        file.write(b"gun\nen")
    assert follower.more() == [b"begun"]
    with path.open("ab") as file:
        file.write(b"d\n")
    assert follower.more() == [b"end"]
    assert follower.more() == []


def test_a_turned_file_is_read_to_its_end_then_the_new_one(path: Path) -> None:
    path.write_bytes(b"one\n")
    follower = Follower(path)
    follower.last(1)
    with path.open("ab") as file:
        file.write(b"two\nhalf")
    path.rename(path.with_name("gateway-2026-11-24.log"))
    path.write_bytes(b"three\n")
    assert follower.more() == [b"two", b"half", b"three"]


def test_a_file_that_is_taken_away_is_awaited(path: Path) -> None:
    path.write_bytes(b"one\n")
    follower = Follower(path)
    follower.last(1)
    path.unlink()
    assert follower.more() == []
    assert follower.more() == []
    path.write_bytes(b"two\n")
    assert follower.more() == [b"two"]


def test_a_file_that_is_cut_short_is_read_from_its_start(path: Path) -> None:
    path.write_bytes(b"one\ntwo\nthree\n")
    follower = Follower(path)
    follower.last(1)
    path.write_bytes(b"new\n")
    assert follower.more() == [b"new"]


def test_a_log_that_begins_later_is_followed_from_its_start(path: Path) -> None:
    follower = Follower(path)
    assert follower.last(5) == []
    path.write_bytes(b"one\n")
    assert follower.more() == [b"one"]


def test_our_own_log_is_followed_through_its_turns(path: Path) -> None:
    log = Log(path.parent, max_bytes=300)
    follower = Follower(path)
    seen: list[bytes] = []
    for number in range(20):
        log.info("event", number=number)
        log.flush()
        seen += follower.more()
    log.close()
    assert len(list(path.parent.iterdir())) > 3
    assert [json.loads(line)["number"] for line in seen] == list(range(20))


def test_following_waits_between_the_lines_and_ends_by_ctrl_c(
    cli: Cli, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(path, "one")
    steps: list[Callable[[], None]] = [lambda: written(path, "two"), lambda: written(path, "three")]

    def sleep(_seconds: float) -> None:
        if not steps:
            raise KeyboardInterrupt
        steps.pop(0)()

    monkeypatch.setattr(logs.time, "sleep", sleep)
    said = cli("logs", "-f")
    assert said.status == 130
    assert events(said.out) == ["one", "two", "three"]


def test_each_line_reaches_a_pipe_at_once(home: Home, path: Path) -> None:
    written(path, "one")
    with home.process("logs", "-f") as process:
        assert process.stdout is not None
        assert events(process.stdout.readline()) == ["one"]
        for name in ("two", "three"):
            written(path, name)
            assert events(process.stdout.readline()) == [name]


def test_a_filter_behind_it_gets_each_line_at_once(home: Home, path: Path) -> None:
    written(path, "other", "translation")
    with home.process("logs", "-f", "--json") as process:
        grep = subprocess.Popen(
            ["grep", "--line-buffered", "translation"], stdin=process.stdout, stdout=subprocess.PIPE
        )
        assert grep.stdout is not None
        assert b'"translation"' in grep.stdout.readline()
        written(path, "noise", "translation")
        assert b'"translation"' in grep.stdout.readline()
        grep.kill()
        grep.communicate()


def test_a_reader_that_goes_ends_it_without_a_traceback(home: Home, path: Path) -> None:
    written(path, "one")
    process = subprocess.Popen(
        words_of("logs", "-f"),
        env=environment(home.root),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    ended = threading.Event()
    threading.Thread(target=lambda: (process.wait(), ended.set())).start()
    while not ended.wait(0.02):  # only writing shows it that nobody reads
        written(path, "more")
    assert process.returncode == 0
    assert process.stderr.read() == b""
    process.stderr.close()
