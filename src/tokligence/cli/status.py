"""`tgw status`: exit status 0 running, 3 not."""

from __future__ import annotations

import argparse
import time
from typing import Any, Final

from tokligence import __version__
from tokligence.cli import daemon
from tokligence.cli.terminal import complain, say, say_json, table
from tokligence.edge.runfile import RunState

NOT_RUNNING: Final = 3


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for scripts")


def run(args: argparse.Namespace) -> int:
    state = daemon.found()
    if state is None:
        if args.json:
            say_json(_unasked(None))
        else:
            say("No gateway is running on this home. Start one: tgw start --daemon")
        return NOT_RUNNING
    try:
        status = daemon.ask(state, "GET", "status")
    except daemon.NoAnswer as error:
        # It runs all the same: it is stopping, or something keeps it busy.
        if args.json:
            say_json(_unasked(state))
        else:
            say(f"Tokligence Gateway {state.version} is running (pid {state.pid}).")
            complain(str(error))
        return 0
    if args.json:
        say_json({"answers": True, **status})
    else:
        _show(status)
    return 0


def _unasked(state: RunState | None) -> dict[str, Any]:
    """The fields of `status` as far as they are known without asking."""
    known = {} if state is None else {"pid": state.pid, "host": state.host, "port": state.port}
    return {
        "answers": False,
        "running": state is not None,
        "pid": None,
        "host": None,
        "port": None,
        "uptime_s": None if state is None else round(max(0.0, time.time() - state.started), 1),
        "version": __version__ if state is None else state.version,
        "workers": None,
        "providers": [],
        "journal_backlog": None,
        **known,
    }


def _show(status: dict[str, Any]) -> None:
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


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if n]
    return " ".join(parts) or f"{rest} s"
