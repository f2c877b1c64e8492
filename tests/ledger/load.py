"""A process that books calls until it is killed: `python -m tests.ledger.load HOME PREFIX SYNC ATTEMPTS`.

Writes "s ID" before a call is booked as started and "e ID" after it is booked as ended: what a client would see.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections import deque
from pathlib import Path

from tests.ledger.records import attempt, ended, started
from tokligence.ledger.journal import SyncPolicy
from tokligence.ledger.writer import Ledger

UNDER_WAY = 7
"""Calls that are open at any time."""


def main(home: Path, prefix: str, sync: SyncPolicy, attempts: int) -> None:
    ledger = Ledger.open(home / "ledger.db", home / "journal", sync=sync, segment_bytes=20_000)
    open_calls: deque[str] = deque()
    for number in itertools.count():
        request_id = f"{prefix}_{number:06}"
        os.write(1, f"s {request_id}\n".encode())
        ledger.started(started(request_id))
        open_calls.append(request_id)
        if len(open_calls) > UNDER_WAY:
            done = open_calls.popleft()
            ledger.ended(ended(done, attempt_log=(attempt(),) * attempts))
            os.write(1, f"e {done}\n".encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], SyncPolicy(sys.argv[3]), int(sys.argv[4]))
