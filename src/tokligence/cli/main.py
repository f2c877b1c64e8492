"""The command line: `tgw COMMAND …`.

A command is a module with `arguments(parser)` and `run(args) -> exit status`. It is imported only when it is called:
`tgw --version` must answer at once. Exit status: 0 done, 1 failed, 2 wrong usage or configuration, 3 not running.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, NoReturn

from tokligence import __version__
from tokligence.cli.terminal import CommandFailed, complain, drop_output, is_text, mend_streams, say

INTERRUPTED: Final = 130
"""What a shell reports of a command that Ctrl-C ended."""


class Command(NamedTuple):
    """One row of the table: what the command does, an example. Its module has its name."""

    help: str
    example: str


COMMANDS: Final[dict[str, Command]] = {
    "init": Command("write sample configuration files", "tgw init"),
    "start": Command("start the gateway", "tgw start --port 8081 --daemon"),
    "stop": Command("stop the running gateway", "tgw stop"),
    "restart": Command("stop and start the gateway in the background", "tgw restart"),
    "status": Command("show whether the gateway runs, and its providers", "tgw status --json"),
    "logs": Command("show the log", "tgw logs -f -n 50"),
    "reload": Command("have the running gateway read its configuration anew", "tgw reload"),
    "config": Command("show and change settings", "tgw config set port 3000"),
    "routes": Command("show which models go where", "tgw routes explain gpt-4"),
    "models": Command("list the models that can be asked for", "tgw models"),
    "connect": Command("set up an agent to ask the gateway", "tgw connect claude-code"),
    "run": Command(
        "start an agent that asks the gateway", "tgw run codex --model claude-sonnet-4-5-20250929"
    ),
    "usage": Command("show tokens and costs", "tgw usage --by model --since 7d"),
}


class Parser(argparse.ArgumentParser):
    """Errors in two lines: what is wrong, where help is. No abbreviations: a later option would break scripts."""

    def __init__(self, *, example: str = "", **options: object) -> None:
        options.setdefault("allow_abbrev", False)
        if example:
            options["epilog"] = f"example: {example}"
        super().__init__(**options)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {' '.join(message.split())}\nTry: {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status. No user's mistake ends in a traceback."""
    mend_streams()
    status = 0  # what a reader that has gone (`| head`) leaves us with: it has what it wanted
    try:
        status = _run(sys.argv[1:] if argv is None else list(argv))
        sys.stdout.flush()
    except CommandFailed as error:
        complain(str(error))
        status = error.status
    except BrokenPipeError:
        drop_output()
    except KeyboardInterrupt:
        status = INTERRUPTED
    except OSError as error:
        drop_output()
        where = f"{error.filename}: " if error.filename else ""
        complain(f"{where}{error.strerror or error}")
        status = 1
    return status


def _run(words: list[str]) -> int:
    if words[:1] in (["--version"], ["-V"]):
        say(f"tgw {__version__}")
        return 0
    try:
        _check_text(words)
        if not words or words[0] not in COMMANDS:
            return _overview(words)
        command = COMMANDS[words[0]]
        module = importlib.import_module(f"tokligence.cli.{words[0]}")
        parser = Parser(
            prog=f"tgw {words[0]}",
            description=command.help[0].upper() + command.help[1:] + ".",
            example=command.example,
        )
        module.arguments(parser)
        args = parser.parse_args(words[1:])
    except SystemExit as stop:  # argparse's way of returning
        return int(stop.code or 0)
    return _guarded(module.run, args)


def _check_text(words: Sequence[str]) -> None:
    if not all(map(is_text, words)):
        Parser(prog="tgw").error("an argument is not text in UTF-8")


def _overview(words: Sequence[str]) -> int:
    parser = Parser(
        prog="tgw",
        usage="tgw COMMAND [options]",
        description="A self-hosted LLM gateway.",
        epilog="tgw COMMAND --help says more of each. First steps: tgw start",
    )
    parser.add_argument("--version", "-V", action="store_true", help="show the version")
    commands = parser.add_argument_group("commands")
    for name, command in COMMANDS.items():
        commands.add_argument(name, help=command.help, nargs="?")
    if words and not words[0].startswith("-"):
        import difflib

        close = difflib.get_close_matches(words[0], COMMANDS, n=1)
        parser.error(f"there is no command {words[0]!r}" + (f"; did you mean {close[0]}?" if close else ""))
    if words and words[0] not in ("-h", "--help"):
        parser.error(f"unknown option {words[0]}")
    parser.print_help()
    return 0


def _guarded(run: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    from tokligence.errors import GatewayError

    try:
        return run(args)
    except GatewayError as error:
        raise CommandFailed(error.text, 2 if error.code == "config.invalid" else 1) from None
