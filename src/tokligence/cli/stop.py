"""`tgw stop`."""

from __future__ import annotations

import argparse

from tokligence.cli import daemon
from tokligence.cli.terminal import CommandFailed, say

PATIENCE_S = 60.0


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout", type=float, default=PATIENCE_S, help="seconds to wait for its end (default: 60)"
    )


def run(args: argparse.Namespace) -> int:
    state = daemon.found()
    if state is None:
        say("No gateway is running on this home.")
        return 0
    if not daemon.stop(state, args.timeout):
        raise CommandFailed(
            f"the gateway (pid {state.pid}) still finishes requests after {args.timeout:g} seconds"
        )
    say(f"Stopped (pid {state.pid}).")
    return 0
