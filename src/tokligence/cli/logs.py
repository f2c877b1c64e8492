"""`tgw logs`: the last lines of the log, and with `-f` those to come, also across a change of the file."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import deque
from pathlib import Path
from typing import BinaryIO, Final

from tokligence.cli import daemon
from tokligence.cli.terminal import CommandFailed
from tokligence.cli.values import whole_number
from tokligence.signals.log import readable

POLL_S: Final = 0.1
BLOCK: Final = 64 * 1024


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what is logged from now on")
    parser.add_argument(
        "-n", "--lines", type=whole_number, default=20, help="how many of the last lines (default: 20)"
    )
    parser.add_argument("--json", action="store_true", help="the lines as they stand in the file")


def run(args: argparse.Namespace) -> int:
    path = daemon.home().log_file
    follower = Follower(path)
    earlier = turned_files(path)
    if follower.file is None and not args.follow and not earlier:
        raise CommandFailed(f"there is no log yet: {path}")
    lines = follower.last(args.lines)
    for file in earlier:
        if len(lines) >= args.lines:
            break
        with file.open("rb") as old:
            lines = last_lines(old, args.lines - len(lines))[0] + lines
    if not args.follow and follower.rest:  # a line that is being written right now, or that a full disk cut
        lines = [*lines, follower.rest][-args.lines :] if args.lines else []
    show(lines, raw=args.json)
    while args.follow:
        lines = follower.more()
        show(lines, raw=args.json)
        if not lines:
            time.sleep(POLL_S)
    return 0


def show(lines: list[bytes], *, raw: bool) -> None:
    for line in lines:
        sys.stdout.write(line.decode("utf-8", "replace") + "\n" if raw else readable(line))
    if lines:
        sys.stdout.flush()  # into a pipe too: tgw logs -f | grep …


def turned_files(path: Path) -> list[Path]:
    """Those that the log filled before, the youngest first."""
    found = path.parent.glob("gateway-*.log")
    return sorted(found, key=lambda file: file.stat().st_mtime_ns, reverse=True)


def last_lines(file: BinaryIO, number: int) -> tuple[list[bytes], bytes]:
    """(the last `number` whole lines, the beginning of one behind them). Read from the end of the file, which is where
    the file then stands."""
    end = position = file.seek(0, os.SEEK_END)
    blocks: list[bytes] = []
    found = 0
    while position > 0 and found <= number:
        step = min(BLOCK, position)
        position -= step
        file.seek(position)
        blocks.append(file.read(step))
        found += blocks[-1].count(b"\n")
    file.seek(end)
    *lines, rest = b"".join(reversed(blocks)).split(b"\n")
    return list(deque(lines, maxlen=number)), rest


class Follower:
    """The log file and what comes to it. `rest`: a line without its end yet."""

    def __init__(self, path: Path) -> None:
        self.file = _open(path)
        self.rest = b""
        self._path = path

    def last(self, number: int) -> list[bytes]:
        """The last whole lines there are; `more` goes on behind them."""
        if self.file is None:
            return []
        lines, self.rest = last_lines(self.file, number)
        return lines

    def more(self) -> list[bytes]:
        """What has come since. A file that was turned is read to its end, then the new one from its start."""
        lines = self._read()
        while self.file is None or self._is_turned(self.file):
            lines += self._read()  # what came after the reading and before the turning
            if self.rest:
                lines.append(self.rest)
                self.rest = b""
            if self.file is not None:
                self.file.close()
            self.file = _open(self._path)
            if self.file is None:
                break
            lines += self._read()
        return lines

    def _read(self) -> list[bytes]:
        data = b"" if self.file is None else self.file.read()
        *lines, self.rest = (self.rest + data).split(b"\n")
        return lines

    def _is_turned(self, file: BinaryIO) -> bool:
        """Whether another file has its name by now, or it was cut short."""
        here = os.fstat(file.fileno())
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return True
        return (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino) or there.st_size < file.tell()


def _open(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None
