"""`tgw status`: exit status 0 running, 3 not."""

from __future__ import annotations

import argparse

from tokligence import __version__
from tokligence.cli import daemon
from tokligence.cli.terminal import say, say_json, table

NOT_RUNNING = 3


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for scripts")


def run(args: argparse.Namespace) -> int:
    state = daemon.found()
    if state is None:
        if args.json:
            say_json({"running": False, "version": __version__})
        else:
            say("No gateway is running on this home. Start one: tgw start --daemon")
        return NOT_RUNNING
    status = daemon.ask(state, "GET", "status")
    if args.json:
        say_json(status)
        return 0
    say(f"Tokligence Gateway {status['version']} is running (pid {status['pid']}).")
    say(f"  Listens on       {daemon.url(status['host'], status['port'])}")
    say(f"  Up for           {_duration(status['uptime_s'])}")
    say(f"  Requests         {status['requests_in_flight']} running, {status['connections']} connections")
    say(f"  Journal backlog  {status['journal_backlog']}")
    if status["ledger_alarm"]:
        say(f"  Ledger           {status['ledger_alarm']}")
    say()
    table(
        ("PROVIDER", "STATE", "REASON"), [(p["name"], p["state"], p["reason"]) for p in status["providers"]]
    )
    return 0


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if n]
    return " ".join(parts) or f"{rest} s"
