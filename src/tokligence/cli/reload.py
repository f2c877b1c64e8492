"""`tgw reload`."""

from __future__ import annotations

import argparse

from tokligence.cli import daemon
from tokligence.cli.status import NOT_RUNNING
from tokligence.cli.terminal import CommandFailed, complain, say, say_json


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for scripts")


def run(args: argparse.Namespace) -> int:
    state = daemon.found()
    if state is None:
        raise CommandFailed("no gateway is running on this home", NOT_RUNNING)
    answer = daemon.ask(state, "POST", "reload")
    if args.json:
        say_json(answer)
    elif not answer["reloaded"]:
        complain(f"the configuration is not valid, the last good one stays: {answer['error']}")
    else:
        _tell(answer["changed"], answer["needs_restart"])
    return 0 if answer["reloaded"] else 2


def _tell(changed: list[str], needs_restart: list[str]) -> None:
    say("Reloaded." if changed or needs_restart else "Reloaded; nothing has changed.")
    if changed:
        say(f"  In effect:        {', '.join(changed)}")
    if needs_restart:
        say(f"  Needs a restart:  {', '.join(needs_restart)} (tgw restart)")
