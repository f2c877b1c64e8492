"""`tgw reload`."""

from __future__ import annotations

import argparse

from tokligence.cli import daemon
from tokligence.cli.status import NOT_RUNNING
from tokligence.cli.terminal import complain, say, say_json


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for scripts")


def run(args: argparse.Namespace) -> int:
    state = daemon.found()
    if state is None:
        complain("no gateway is running on this home")
        return NOT_RUNNING
    answer = daemon.ask(state, "POST", "reload")
    if args.json:
        say_json(answer)
    elif not answer["reloaded"]:
        complain(f"the configuration is not valid, the last good one stays: {answer['error']}")
    else:
        say("Reloaded." if answer["changed"] else "Reloaded; nothing has changed.")
        if answer["changed"]:
            say(f"  In effect:        {', '.join(answer['changed'])}")
        if answer["needs_restart"]:
            say(f"  Needs a restart:  {', '.join(answer['needs_restart'])} (tgw restart)")
    return 0 if answer["reloaded"] else 2
