"""The gateway's log: one JSON object a line, buffered, in files that turn by size and by day.

    log.info("started", host="127.0.0.1", port=8081)
    -> {"time":"2026-11-24T15:31:39.027Z","level":"info","event":"started","host":"127.0.0.1","port":8081}

Writing a line appends bytes to a list; the file is touched by `flush`, which its owner calls every now and then (each
second, and at the end), by a full buffer, and by a warning or an error. Nothing here waits, and a disk that refuses
lines never stops the gateway: they are counted in `lost`. Who makes many lines may keep back what they are made of, and
write them when the log asks for them (`behind`): before another line, and before the file is written.

What is logged names things (ids, models, counts, codes), never what was said: no prompt, no answer, no secret. As a
second line of defence long texts are cut and the secrets that the log was told of are blotted out.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO

import orjson

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
NAME: Final = "gateway.log"
BUFFER_LINES: Final = 256
"""Lines are kept back until so much has gathered, if nobody calls `flush` before."""
MAX_TEXT: Final = 1000
"""Characters of one value; a longer one is an error message that quotes too much."""
HIDDEN: Final = b"[hidden]"
MIN_SECRET: Final = 6
"""Shorter secrets are not blotted out: they would hit innocent words."""
MS: Final = tuple(f"{ms:03}" for ms in range(1000))

_TURNED: Final = re.compile(r"gateway-\d{4}-\d{2}-\d{2}(?:-\d+)?\.log")


class Log:
    """`directory`: where `gateway.log` lives, made if need be. `max_bytes`: size at which a file is turned; `keep`:
    turned files that stay. `mirror`: a terminal that gets each line too, for reading. `clock`: Unix seconds. `behind`:
    called to `add` the lines that somebody has kept back until now."""

    def __init__(
        self,
        directory: Path,
        *,
        level: str = "info",
        max_bytes: int = 300 * 1024 * 1024,
        keep: int = 14,
        mirror: TextIO | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = directory / NAME
        self.lost = 0  # lines that could not be written
        self.behind: Callable[[], None] = _nothing
        self._max_bytes = max_bytes
        self._keep = keep
        self._mirror = mirror
        self._clock = clock
        self._threshold = LEVELS[level]
        self._secrets: tuple[bytes, ...] = ()
        self._buffer: list[bytes] = []
        self._lines = 0
        self._second = -1
        self._prefix = ""
        self._file: int | None = None
        self._size = 0
        self._day = ""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._open()

    # --- writing lines: the hot side -----------------------------------------------------------------

    def debug(self, event: str, /, **fields: object) -> None:
        if self._threshold <= 10:
            self._append("debug", event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        if self._threshold <= 20:
            self._append("info", event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        if self._threshold <= 30:
            self._append("warning", event, fields)
            self.flush()

    def error(self, event: str, /, **fields: object) -> None:
        self._append("error", event, fields)
        self.flush()

    def add(self, lines: Sequence[str]) -> None:
        """Lines that somebody else has made, of `beginning`, `line_head` and fields in JSON, with their line ends; whether
        their level is kept is for him to ask. The cheapest way, for the lines of requests."""
        self._buffer.append("".join(lines).encode())
        self._lines += len(lines)
        if self._lines >= BUFFER_LINES:
            self.flush()

    def line(self, level: str, event: str, us: int, fields: dict[str, object]) -> str:
        """One whole line. `us`: Unix microseconds."""
        second, us = divmod(us, 1_000_000)
        body = _encode(fields).decode()
        head = line_head(level, event)
        return f"{self.beginning(second)}{MS[us // 1000]}{head if fields else head[:-1]}{body[1:]}\n"

    def beginning(self, second: int) -> str:
        """Of a line, up to the milliseconds, which follow in three digits. `second`: Unix seconds."""
        if second != self._second:
            self._second = second
            stamp = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            self._prefix = f'{{"time":"{stamp}.'
        return self._prefix

    def enabled(self, level: str) -> bool:
        """Whether such lines are kept, for callers whose fields cost something."""
        return self._threshold <= LEVELS[level]

    def _append(self, level: str, event: str, fields: dict[str, object]) -> None:
        self.behind()
        self.add([self.line(level, event, int(self._clock() * 1e6), fields)])

    # --- settings that change while it runs ----------------------------------------------------------

    def set_level(self, level: str) -> None:
        self.behind()  # what happened before is judged by the level that held then
        self._threshold = LEVELS[level]

    def set_limits(self, max_bytes: int, keep: int) -> None:
        self._max_bytes = max_bytes
        self._keep = keep

    def hide(self, secrets: Iterable[str]) -> None:
        """From now on these are blotted out of every line, should one ever get into it. Replaces those told before."""
        self._secrets = tuple({secret.encode() for secret in secrets if len(secret) >= MIN_SECRET})

    # --- the file: the cold side ---------------------------------------------------------------------

    def flush(self) -> None:
        """Write what has gathered. Cheap when nothing has."""
        self.behind()
        if not self._buffer:
            return
        lines = self._lines
        data = b"".join(self._buffer)
        self._buffer.clear()
        self._lines = 0
        for secret in self._secrets:
            if secret in data:
                data = data.replace(secret, HIDDEN)
        self._show(data)
        try:
            self._turn_if_due(len(data))
            self._write(data)
        except OSError as error:
            self.lost += lines
            self._close_file()
            self._tell(f"the log cannot be written: {error.strerror}\n")

    def _show(self, data: bytes) -> None:
        if self._mirror is not None:
            self._tell("".join(readable(line) for line in data.splitlines()))

    def _tell(self, text: str) -> None:
        if self._mirror is None:
            return
        try:
            self._mirror.write(text)
            self._mirror.flush()
        except (OSError, ValueError):  # the terminal is gone
            self._mirror = None

    def close(self) -> None:
        self.flush()
        self._close_file()

    def _write(self, data: bytes) -> None:
        file = self._open() if self._file is None else self._file
        self._size += len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(file, view) :]

    def _open(self) -> int:
        flags = (
            os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        )
        self._file = os.open(self.path, flags, 0o600)
        status = os.fstat(self._file)
        self._size = status.st_size
        self._day = _day(status.st_mtime if self._size else self._clock())
        return self._file

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _turn_if_due(self, coming: int) -> None:
        today = _day(self._clock())
        if self._size == 0:
            self._day = today
        elif today != self._day or self._size + coming > self._max_bytes:
            self._turn()

    def _turn(self) -> None:
        """Rename the file after the day of its lines, begin a new one, drop the oldest."""
        self._close_file()  # Windows renames no open file
        # One above the day's highest, not the first that is free: the number says which lines are older.
        number = 1 + max((n for day, n in map(_age, self._turned()) if day == self._day), default=0)
        suffix = f"-{number}" if number > 1 else ""
        target = self.path.with_name(f"gateway-{self._day}{suffix}.log")
        try:
            self.path.rename(target)
        except (PermissionError, FileNotFoundError):
            # Windows: somebody reads the file without sharing it; it goes on growing and turns the next time.
            # Elsewhere: somebody took it away; a new one begins.
            pass
        self._open()
        turned = sorted(self._turned(), key=_age)
        for old in turned[: max(0, len(turned) - self._keep)]:
            old.unlink(missing_ok=True)

    def _turned(self) -> list[Path]:
        return [path for path in self.path.parent.iterdir() if _TURNED.fullmatch(path.name)]


def line_head(level: str, event: str) -> str:
    """Of a line, from behind the milliseconds to its first field."""
    return f'Z","level":"{level}","event":"{event}",'


def _nothing() -> None: ...


def _encode(fields: dict[str, object]) -> bytes:
    """The fields as a JSON object."""
    try:
        body = orjson.dumps(fields, default=str)
    except orjson.JSONEncodeError:  # lone surrogates, huge integers
        body = json.dumps(fields, default=str).encode()
    if len(body) <= MAX_TEXT:
        return body
    short = {key: _cut(value) for key, value in fields.items()}
    return body if short == fields else _encode(short)


def _cut(value: object) -> object:
    text = value if isinstance(value, str) else ""
    return f"{text[:MAX_TEXT]}…" if len(text) > MAX_TEXT + 1 else value


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def _age(path: Path) -> tuple[str, int]:
    """Orders turned files: by day, then by number."""
    day, number = path.stem[len("gateway-") :][:10], path.stem[len("gateway-YYYY-MM-DD-") :]
    return day, int(number or 1)


def readable(line: bytes) -> str:
    """One line of the log for a person; a line that is not ours comes back as it is."""
    try:
        fields = json.loads(line)
        when, level, event = fields.pop("time"), fields.pop("level"), fields.pop("event")
    except (ValueError, KeyError, TypeError, AttributeError):
        return line.decode("utf-8", "replace").rstrip("\r\n") + "\n"
    rest = "".join(f" {key}={_value(value)}" for key, value in fields.items() if value is not None)
    return f"{when[11:23]} {level:<7} {event}{rest}\n"


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return json.dumps(text, ensure_ascii=False) if " " in text or not text.isprintable() or not text else text
