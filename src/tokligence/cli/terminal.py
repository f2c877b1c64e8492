"""Writing for people and for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any


def say(line: str = "") -> None:
    sys.stdout.write(line + "\n")


def complain(line: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"tgw: {line}\n")


def say_json(value: Any) -> None:
    say(json.dumps(value, ensure_ascii=False, indent=2))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns aligned; numbers to the right, None as nothing."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    numeric = [bool(cells) and all(_is_number(row[i]) for row in cells) for i in range(len(head))]
    widths = [max(len(row[i]) for row in [list(head), *cells]) for i in range(len(head))]
    for row in [list(head), *cells]:
        padded = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        say("  ".join(padded).rstrip())


def _is_number(cell: str) -> bool:
    return not cell or cell.replace(",", "").replace(".", "", 1).replace("-", "", 1).isdigit()
