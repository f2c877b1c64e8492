"""`tgw usage`: tokens and costs from the ledger, with or without a running gateway."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any, Final

import msgspec

from tokligence.cli import daemon
from tokligence.cli.terminal import complain, say, say_json, table
from tokligence.cli.values import span, whole_number
from tokligence.config.load import load, process_environ
from tokligence.ledger.query import Grouping, UsageReader, UsageRow, UsageSum

PICO: Final = 10**12
LONGEST_NAME: Final = 60
"""Characters of a name in a table."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--by", action="append", choices=[g.value for g in Grouping], help="sum up by (may be repeated)"
    )
    parser.add_argument("--since", type=span, metavar="SPAN", help="only calls since: 30m, 24h, 7d, 4w")
    parser.add_argument(
        "-n", "--last", type=whole_number, metavar="N", help="show the last N calls instead of sums"
    )
    parser.add_argument("--json", action="store_true", help="for scripts")


def run(args: argparse.Namespace) -> int:
    since = None if args.since is None else int((time.time() - args.since) * 1e6)
    path = _flushed_by_the_gateway() or _configured()
    if not path.exists():
        if args.json:
            say_json([])
        else:
            complain("nothing has been booked yet; tgw start shows a request to try")
        return 0
    with UsageReader(path) as reader:
        if args.last is not None:
            _show_calls(reader.recent(args.last, since), as_json=args.json)
        else:
            by = [Grouping(word) for word in args.by or ["model"]]
            _show_sums(reader.summary(by, since), by, as_json=args.json)
    return 0


def _flushed_by_the_gateway() -> Path | None:
    """The ledger that the running gateway writes, with all of its calls in it; None if none says."""
    state = daemon.found()
    if state is None:
        return None
    try:
        answer = daemon.ask(state, "POST", "flush")
    except daemon.NoAnswer as error:  # it is stopping, and posts what it has
        complain(f"warning: {error}; the last calls may be missing")
        return None
    if not answer["flushed"]:
        complain("warning: the database is busy; the last calls may be missing")
    return Path(answer["ledger"])


def _configured() -> Path:
    loaded = load(process_environ())
    return Path(loaded.settings.ledger_path or loaded.home.ledger_db)


def _show_calls(rows: list[UsageRow], *, as_json: bool) -> None:
    if as_json:
        say_json([msgspec.to_builtins(row) for row in rows])
        return
    head = ("STARTED", "MODEL", "PROVIDER", "STATUS", "OUTCOME", "INPUT", "CACHED", "OUTPUT", "USD", "MS")
    table(
        head,
        [
            (
                row.started_at,
                _short(row.model_served or row.model_asked),
                row.provider,
                row.status,
                row.outcome,
                row.input_tokens,
                row.cache_read_tokens,
                row.output_tokens,
                None if row.cost_microusd is None else f"{row.cost_microusd / 1e6:.6f}",
                None if row.latency_ms is None else round(row.latency_ms),
            )
            for row in rows
        ],
    )


def _show_sums(sums: list[UsageSum], by: list[Grouping], *, as_json: bool) -> None:
    if as_json:
        say_json([_as_dict(row, by) for row in sums])
        return
    if not sums:
        say("No calls.")
        return
    head = [g.value.upper() for g in by]
    head += ["CALLS", "FAILED", "INPUT", "CACHE READ", "CACHE WRITE", "OUTPUT", "REASONING", "USD"]
    table(head, [[*map(_short, row.group), *_cells(row)] for row in sums])
    if any(row.unpriced for row in sums):
        say("* without the calls whose price is not known")


def _short(name: str | None) -> str | None:
    """Clients may name a model anything."""
    return name if name is None or len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"


def _cells(row: UsageSum) -> list[object]:
    star = "*" if row.unpriced else ""
    writes = row.cache_write_5m_tokens + row.cache_write_1h_tokens
    tokens = (row.input_tokens, row.cache_read_tokens, writes, row.output_tokens, row.reasoning_tokens)
    return [row.calls, row.failed, *tokens, f"{row.cost_picousd / PICO:.6f}{star}"]


def _as_dict(row: UsageSum, by: list[Grouping]) -> dict[str, Any]:
    fields = {name: getattr(row, name) for name in row.__struct_fields__ if name != "group"}
    return {**{g.value: value for g, value in zip(by, row.group, strict=True)}, **fields}
