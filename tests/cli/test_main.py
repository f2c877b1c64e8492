"""What every command has in common: help, wrong usage, streams that are closed, full or read by nobody."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import Home, environment, words_of
from tests.cli.conftest import Cli
from tokligence import __version__
from tokligence.cli import status, terminal
from tokligence.cli.main import COMMANDS, main
from tokligence.cli.terminal import CommandFailed, drop_output, mend_streams, say


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_is_one_line(cli: Cli, option: str) -> None:
    said = cli(option)
    assert (said.status, said.out) == (0, f"tgw {__version__}\n")


def test_the_version_imports_nothing_of_the_gateway() -> None:
    code = (
        "import sys\n"
        "from tokligence.cli.main import main\n"
        "main(['--version'])\n"
        "heavy = ('msgspec', 'asyncio', 'psutil', 'http', 'json.decoder.x', 'tokligence.config', 'tokligence.edge')\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines() == [f"tgw {__version__}", "[]"]


@pytest.mark.parametrize("command", ["status", "stop", "logs", "reload"])
def test_commands_that_ask_do_not_import_the_gateway(home: Home, command: str) -> None:
    code = (
        "import sys\n"
        "from tokligence.cli.main import main\n"
        f"main(['{command}'])\n"
        "heavy = ('asyncio', 'tokligence.edge.process', 'tokligence.pipeline', 'tokligence.wire', 'httptools')\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment(home.root), capture_output=True, text=True, check=True
    )
    assert said.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_the_overview_names_every_command(cli: Cli, words: tuple[str, ...]) -> None:
    said = cli(*words)
    assert said.status == 0
    assert all(f"  {name} " in said.out for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_shows_an_example(cli: Cli, command: str) -> None:
    said = cli(command, "--help")
    assert said.status == 0
    assert f"example: tgw {command}" in said.out


@pytest.mark.parametrize("action", ["list", "get", "set", "unset", "explain"])
def test_the_help_of_each_config_action_shows_an_example(cli: Cli, action: str) -> None:
    said = cli("config", action, "--help")
    assert said.status == 0
    assert f"example: tgw config {action}" in said.out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("stat",), "tgw: there is no command 'stat'; did you mean "),
        (("xyzzy",), "tgw: there is no command 'xyzzy'\n"),
        (("--port",), "tgw: unknown option --port\n"),
        (("start", "--bogus"), "tgw start: unrecognized arguments: --bogus\n"),
        (("start", "--dae"), "tgw start: unrecognized arguments: --dae\n"),
        (("config",), "tgw config: "),
        (("config", "port"), "tgw config: "),
        (("config", "set", "port"), "tgw config set: "),
        (("logs", "-n", "x"), "tgw logs: argument -n/--lines: 'x' is not a whole number"),
        (("logs", "-n", "-1"), "tgw logs: argument -n/--lines: "),
        (("usage", "--since", "yesterday"), "tgw usage: argument --since: 'yesterday' is not a span"),
        (("usage", "--by", "moon"), "tgw usage: argument --by: invalid choice"),
        (("usage", "-n", "-3"), "tgw usage: argument -n/--last: "),
        (("stop", "--timeout", "long"), "tgw stop: argument --timeout: "),
        (("routes", "explain"), "tgw: explain, and only that, takes a model"),
        (("routes", "list", "gpt-4"), "tgw: explain, and only that, takes a model"),
        (("config", "set", "email", "a\0b"), "tgw: an argument is not text in UTF-8\n"),
        (("config", "get", "a\udcff"), "tgw: an argument is not text in UTF-8\n"),
    ],
)
def test_wrong_usage_is_two_lines_and_exit_status_2(cli: Cli, words: tuple[str, ...], complaint: str) -> None:
    said = cli(*words)
    assert said.status == 2
    assert said.out == ""
    assert said.err.startswith(complaint)
    assert said.err.count("\n") == 2
    assert "\nTry: tgw" in said.err


def test_what_a_command_cannot_do_is_one_line_and_its_status(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_args: object) -> int:
        raise CommandFailed("it is Tuesday", 7)

    monkeypatch.setattr(status, "run", fail)
    said = cli("status")
    assert (said.status, said.err) == (7, "tgw: it is Tuesday\n")


@pytest.mark.parametrize(
    ("error", "expected", "complaint"),
    [
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 0, ""),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "tgw: No space left on device\n"),
        (OSError(errno.EROFS, "Read-only file system", "/x"), 1, "tgw: /x: Read-only file system\n"),
        (OSError("odd"), 1, "tgw: odd\n"),
    ],
)
def test_what_the_system_refuses_is_no_traceback(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, error: BaseException, expected: int, complaint: str
) -> None:
    def fail(_args: object) -> int:
        raise error

    monkeypatch.setattr(status, "run", fail)
    said = cli("status")
    assert (said.status, said.err) == (expected, complaint)


def shell(home: Home, line: str) -> subprocess.CompletedProcess[str]:
    command = " ".join(f"'{word}'" for word in words_of())
    return subprocess.run(
        ["bash", "-c", line.replace("tgw", command)],
        env=environment(home.root),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("line", "out", "status"),
    [
        ("tgw config list | head -n 1; exit ${PIPESTATUS[0]}", "SETTING", 0),
        ("tgw config list --json | head -c 1; exit ${PIPESTATUS[0]}", "[", 0),
        ("tgw config list >&-", "", 0),
        ("tgw config list >&- 2>&- <&-", "", 0),
        ("tgw bogus 2>&-", "", 2),
        ("tgw bogus 2>/dev/full", "", 2),
        ("tgw config set email - <&-", "", 2),
    ],
)
def test_streams_that_are_closed_or_read_by_nobody_are_no_traceback(
    home: Home, line: str, out: str, status: int
) -> None:
    done = shell(home, line)
    assert done.stdout.startswith(out)
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("words", ["config list", "--version"])
def test_a_full_disk_behind_standard_output_is_one_line(home: Home, words: str) -> None:
    done = shell(home, f"tgw {words} >/dev/full")
    assert done.returncode == 1
    assert done.stderr == "tgw: No space left on device\n"


def test_a_closed_stream_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    mend_streams()
    streams = (sys.stdin, sys.stdout, sys.stderr)
    say("into nothing")
    assert sys.stdin.read() == ""
    for stream in streams:
        stream.close()


def test_a_character_that_the_terminal_cannot_show_is_written_as_an_escape(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    mend_streams()
    say("→")
    stream.flush()
    assert stream.buffer.getvalue() == b"\\u2192" + os.linesep.encode()  # type: ignore[attr-defined]


def test_output_that_is_no_file_is_dropped_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    drop_output()


def test_a_table_puts_figures_to_the_right(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    terminal.table(("NAME", "USD"), [("a", "1.5*"), (None, "12.25")])
    assert capsys.readouterr().out == "NAME    USD\na      1.5*\n      12.25\n"


def test_python_dash_m_is_the_same_command(home: Home) -> None:
    assert home.tgw("--version").out == f"tgw {__version__}\n"


def test_without_words_the_command_line_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["tgw", "--version"])
    assert main() == 0
    assert capsys.readouterr().out.startswith("tgw ")


# --- homes that cannot be used --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("status",), 3),
        (("stop",), 0),
        (("reload",), 3),
        (("start",), 2),
        (("start", "--daemon"), 2),
        (("restart",), 2),
        (("init",), 2),
        (("logs",), 1),
        (("usage",), 2),
        (("models",), 2),
        (("routes",), 2),
        (("config", "list"), 2),
        (("config", "set", "port", "3000"), 2),
    ],
)
def test_a_home_that_is_a_file_is_one_line(home: Home, cli: Cli, words: tuple[str, ...], status: int) -> None:
    home.root.write_text("not a directory")
    said = cli(*words)
    assert said.status == status
    assert said.err.count("\n") == (1 if status in (1, 2) or words == ("reload",) else 0)


@pytest.mark.parametrize(
    "words", [("start",), ("start", "--daemon"), ("init",), ("config", "set", "port", "1")]
)
def test_a_home_that_cannot_be_written_is_one_line(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    said = cli(*words)
    assert said.status == 2
    assert said.err.endswith("cannot make this directory: Read-only file system\n")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"prot = 3000\n", "gateway.ini:1: prot: is not a setting (did you mean port?)"),
        (b"port = many\n", "gateway.ini:1: port: 'many' is not a whole number"),
        (b"\xff\n", "gateway.ini:1: is not UTF-8 text"),
        (b"port\n", "gateway.ini:1: expected a line of the form: key = value"),
        (b"a\0b = 1\n", "gateway.ini:1: contains a NUL character"),
    ],
)
@pytest.mark.parametrize(
    "words", [("start",), ("start", "--daemon"), ("config", "list"), ("usage",), ("routes",)]
)
def test_a_bad_file_is_one_line_with_its_place(
    home: Home, cli: Cli, words: tuple[str, ...], text: bytes, complaint: str
) -> None:
    home.config("").write_bytes(text)
    said = cli(*words)
    assert said.status == 2
    assert said.err.endswith(f"{complaint}\n")
    assert said.err.count("\n") == 1


def test_a_file_that_is_a_directory_is_one_line(home: Home, cli: Cli) -> None:
    home.config("").unlink()
    (home.root / "config" / "dev" / "gateway.ini").mkdir()
    said = cli("start")
    assert said.status == 2
    assert said.err.endswith("gateway.ini: is a directory, not a file\n")
