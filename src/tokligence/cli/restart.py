"""`tgw restart`: stop, then start in the background with the options it ran with, or those given."""

from __future__ import annotations

import argparse

from tokligence.cli import daemon, start
from tokligence.cli.stop import PATIENCE_S
from tokligence.cli.terminal import CommandFailed


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", "-H", help="address to listen on")
    parser.add_argument("--port", "-p", help="port to listen on")
    parser.add_argument("--env", "-e", help="environment")
    parser.add_argument("--log-level", help="debug, info, warning or error")


def run(args: argparse.Namespace) -> int:
    flags = start.flags_of(args)
    state = daemon.found()
    if state is not None:
        flags = {**state.flags, **flags}
        start.read(flags)  # nothing is stopped for a configuration that would not start
        if not daemon.stop(state, PATIENCE_S):
            raise CommandFailed(
                f"the gateway (pid {state.pid}) still finishes requests; it was not restarted"
            )
    return start.start_daemon(flags)
