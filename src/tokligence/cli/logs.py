"""`tgw logs`: the last lines of the log, and with `-f` those to come, also across a change of the file."""

from __future__ import annotations

import argparse
import sys
import time
from collections import deque
from pathlib import Path
from typing import BinaryIO, Final

from tokligence.cli import daemon
from tokligence.cli.terminal import complain
from tokligence.signals.log import readable

POLL_S: Final = 0.1
BLOCK: Final = 64 * 1024


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what is logged from now on")
    parser.add_argument(
        "-n", "--lines", type=int, default=20, help="how many of the last lines (default: 20)"
    )
    parser.add_argument("--json", action="store_true", help="the lines as they stand in the file")


def run(args: argparse.Namespace) -> int:
    path = daemon.home().log_file
    if args.lines < 0:
        complain("-n takes a number from 0 up")
        return 2
    if not path.exists() and not args.follow:
        complain(f"there is no log yet: {path}")
        return 1
    for line in last_lines(path, args.lines):
        _show(line, raw=args.json)
    return _follow(path, raw=args.json) if args.follow else 0


def last_lines(path: Path, number: int) -> list[bytes]:
    """The last `number` lines; the file is read from its end."""
    if not path.exists() or number == 0:
        return []
    with path.open("rb") as file:
        position = file.seek(0, 2)
        data = b""
        while position > 0 and data.count(b"\n") <= number:
            step = min(BLOCK, position)
            position -= step
            file.seek(position)
            data = file.read(step) + data
    return list(deque(data.splitlines(), maxlen=number))


def _follow(path: Path, *, raw: bool) -> int:
    """Until interrupted. A file that was turned is read to its end, then the new one from its start."""
    file: BinaryIO | None = None
    if path.exists():
        file = path.open("rb")
        file.seek(0, 2)
    rest = b""
    while True:
        if file is None and path.exists():
            file = path.open("rb")
        data = file.read() if file is not None else b""
        if data:
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                _show(line, raw=raw)
            continue
        if file is not None and _turned(file, path):
            file.close()
            file, rest = None, b""
            continue
        time.sleep(POLL_S)


def _turned(file: BinaryIO, path: Path) -> bool:
    """Whether `path` is another file by now, or was cut short."""
    import os

    here = os.fstat(file.fileno())
    try:
        there = path.stat()
    except FileNotFoundError:
        return True
    return (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino) or there.st_size < file.tell()


def _show(line: bytes, *, raw: bool) -> None:
    sys.stdout.write(line.decode("utf-8", "replace") + "\n" if raw else readable(line))
    sys.stdout.flush()  # into a pipe too: tgw logs -f | grep …
