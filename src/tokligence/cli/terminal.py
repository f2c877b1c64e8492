"""Writing for people and for scripts."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any


class CommandFailed(Exception):
    """What a command could not do, in one line for the user."""

    def __init__(self, reason: str, status: int = 1) -> None:
        super().__init__(reason)
        self.status = status


def mend_streams() -> None:
    """Every standard stream is there and takes every character. A closed one (`>&-`, or no console on Windows) is
    replaced: else its number would go to the next file that we open, and what is printed would land there."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - for the process's life
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def drop_output() -> None:
    """Nobody reads standard output any more: what is still buffered must not be tried again at the exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError):  # not a file: nothing is tried
        os.dup2(null, sys.stdout.fileno())
    os.close(null)


def is_text(word: str) -> bool:
    """Whether it can stand in a file: no NUL, and nothing that was no UTF-8."""
    return "\0" not in word and not any("\ud800" <= character <= "\udfff" for character in word)


def say(line: str = "") -> None:
    sys.stdout.write(line + "\n")


def complain(line: str) -> None:
    with contextlib.suppress(OSError):  # nowhere to tell it
        sys.stdout.flush()
        sys.stderr.write(f"tgw: {line}\n")


def say_json(value: Any) -> None:
    say(json.dumps(value, ensure_ascii=False, indent=2))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns aligned; numbers to the right, None as nothing. What clients named is shown on its line, and harmless to a
    terminal."""
    cells = [["" if cell is None else _shown(str(cell)) for cell in row] for row in rows]
    numeric = [bool(cells) and all(_is_number(row[i]) for row in cells) for i in range(len(head))]
    widths = [max(len(row[i]) for row in [list(head), *cells]) for i in range(len(head))]
    for row in [list(head), *cells]:
        padded = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        say("  ".join(padded).rstrip())


def _shown(cell: str) -> str:
    return "".join([c if c.isprintable() else repr(c)[1:-1] for c in cell])


def _is_number(cell: str) -> bool:
    plain = cell.removesuffix("*").replace(".", "", 1).replace("-", "", 1)
    return not cell or plain.isdigit()
