"""The command line: `tgw COMMAND …`.

A command is a module with `arguments(parser)` and `run(args) -> exit status`. It is imported only when it is called:
`tgw --version` must answer at once. Exit status: 0 done, 1 failed, 2 wrong usage or configuration, 3 not running.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

from tokligence import __version__


class Command:
    """One row of the table: where the command is, what it does, an example."""

    def __init__(self, module: str, help: str, example: str) -> None:
        self.module = module
        self.help = help
        self.example = example


COMMANDS: Final[dict[str, Command]] = {
    "init": Command("init", "write sample configuration files", "tgw init"),
    "start": Command("start", "start the gateway", "tgw start --port 8081 --daemon"),
    "stop": Command("stop", "stop the running gateway", "tgw stop"),
    "restart": Command("restart", "stop and start the gateway in the background", "tgw restart"),
    "status": Command("status", "show whether the gateway runs, and its providers", "tgw status --json"),
    "logs": Command("logs", "show the log", "tgw logs -f -n 50"),
    "reload": Command("reload", "have the running gateway read its configuration anew", "tgw reload"),
    "config": Command("config", "show and change settings", "tgw config set port 3000"),
    "routes": Command("routes", "show which models go where", "tgw routes explain gpt-4"),
    "models": Command("models", "list the models that can be asked for", "tgw models"),
    "usage": Command("usage", "show tokens and costs", "tgw usage --by model --since 7d"),
}


class Parser(argparse.ArgumentParser):
    """Errors in two lines: what is wrong, where help is."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\nTry: {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status. No user's mistake ends in a traceback."""
    words = sys.argv[1:] if argv is None else list(argv)
    if words[:1] in (["--version"], ["-V"]):
        sys.stdout.write(f"tgw {__version__}\n")
        return 0
    if not words or words[0].startswith("-") or words[0] not in COMMANDS:
        return _overview(words)
    command = COMMANDS[words[0]]
    module = importlib.import_module(f"tokligence.cli.{command.module}")
    parser = Parser(
        prog=f"tgw {words[0]}",
        description=command.help[0].upper() + command.help[1:] + ".",
        epilog=f"example: {command.example}",
    )
    module.arguments(parser)
    return _guarded(module.run, parser.parse_args(words[1:]))


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


def _guarded(run: object, args: argparse.Namespace) -> int:
    from tokligence.errors import GatewayError

    try:
        return int(run(args))  # type: ignore[operator]
    except GatewayError as error:
        sys.stderr.write(f"tgw: {error.text}\n")
        return 2 if error.code == "config.invalid" else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader (head, grep -m) has what it wanted; keep Python from complaining again at exit.
        sys.stdout = open("/dev/null", "w") if sys.platform != "win32" else open("NUL", "w")  # noqa: PTH123, SIM115
        return 0
