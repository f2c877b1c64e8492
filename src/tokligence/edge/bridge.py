"""What Python's own `logging` and the event loop have to tell, into the gateway's log.

The ledger's thread and the libraries use `logging`; a background process has no terminal on which anybody would
read that. Of an exception the log gets type and place, never its text, which may quote what was said.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from tokligence.signals.log import Log

FRAMES: Final = 4
"""Innermost frames of a traceback that are named."""
ALARM: Final = "internal"
OURS: Final = "tokligence"


def place_of(error: BaseException) -> str:
    """`match.py:41 resolve < exchange.py:120 _answer`, the innermost first."""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    return " < ".join(
        f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames)
    )


class Bridge(logging.Handler):
    """Takes records of any thread; the log belongs to the loop's."""

    def __init__(self, log: Log, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        self._loop = loop

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        named = {"source": record.name, "message": record.getMessage(), **_named(error)}
        write = self._log.error if record.levelno >= logging.ERROR else self._log.warning
        self._hand_over(partial(write, ALARM, **named))

    def loop_failed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The loop's exception handler. What the context says beyond its message shows values."""
        named = {"source": "asyncio", "message": context["message"], **_named(context.get("exception"))}
        self._log.error(ALARM, **named)

    def _hand_over(self, write: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(write)
        except RuntimeError:  # the loop has ended, so nobody else writes any more
            write()


def _named(error: BaseException | None) -> dict[str, str]:
    return {} if error is None else {"error": type(error).__name__, "where": place_of(error)}


@contextlib.contextmanager
def bridged(log: Log) -> Iterator[None]:
    """Within a running loop."""
    loop = asyncio.get_running_loop()
    bridge = Bridge(log, loop)
    ours = logging.getLogger(OURS)
    before = loop.get_exception_handler()
    ours.addHandler(bridge)
    loop.set_exception_handler(bridge.loop_failed)
    try:
        yield
    finally:
        ours.removeHandler(bridge)
        loop.set_exception_handler(before)
