"""`kill -9` loses and doubles nothing: real processes, killed under load, again and again on one home."""

import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.ledger.load import UNDER_WAY
from tokligence.ledger.journal import SyncPolicy, leftover_segments
from tokligence.ledger.query import UsageReader
from tokligence.ledger.writer import Ledger

ROOT = Path(__file__).parents[2]


def run_and_kill(home, prefix, sync, lines, attempts=1):
    """The ids begun and the ids answered by a process that is killed once it has written `lines` lines."""
    command = [sys.executable, "-m", "tests.ledger.load", str(home), prefix, sync, str(attempts)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        assert process.stdout is not None
        seen = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        seen += process.stdout.read().splitlines(keepends=True)
    whole = [line.split() for line in seen if line.endswith("\n")]
    return {name for kind, name in whole if kind == "s"}, {name for kind, name in whole if kind == "e"}


@pytest.mark.parametrize(
    ("sync", "attempts"), [(SyncPolicy.OFF, 1), (SyncPolicy.INTERVAL, 1), (SyncPolicy.INTERVAL, 0)]
)
def test_every_answered_call_is_one_row_after_kills_under_load(tmp_path, sync, attempts):
    begun, answered = set(), set()
    for turn, lines in enumerate([1, 50, 400, 3_000, 9_000, 1_500]):
        more_begun, more_answered = run_and_kill(tmp_path, f"run{turn}", sync, lines, attempts)
        begun |= more_begun
        answered |= more_answered
    Ledger.open(tmp_path / "ledger.db", tmp_path / "journal").close()
    db = sqlite3.connect(tmp_path / "ledger.db")
    rows = db.execute("SELECT request_id, outcome FROM usage_log").fetchall()
    metered = Counter(name for (name,) in db.execute("SELECT request_id FROM attempt_log"))
    db.close()
    booked = dict(rows)
    assert len(rows) == len(booked)
    assert {booked[name] for name in answered} == {"ok"}
    assert set(booked) <= begun
    unanswered = set(booked) - answered
    assert {booked[name] for name in unanswered} <= {
        "ok",
        "interrupted",
    }  # ended, but killed before the answer
    assert len(begun - set(booked)) <= 6  # killed between the line and the record
    assert len([name for name in unanswered if booked[name] == "interrupted"]) <= 6 * (UNDER_WAY + 1)
    assert set(metered.values()) <= {attempts}
    assert set(metered) == {name for name, outcome in booked.items() if outcome == "ok" and attempts}
    assert leftover_segments(tmp_path / "journal") == []


def test_a_reader_sees_the_posted_rows_of_a_killed_process_before_the_next_start(tmp_path):
    begun, _ = run_and_kill(tmp_path, "run", SyncPolicy.OFF, 9_000)
    with UsageReader(tmp_path / "ledger.db") as reader:
        seen = {row.request_id for row in reader.recent(limit=10**6)}
    assert seen
    assert seen <= begun
