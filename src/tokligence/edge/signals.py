"""What the system's signals do to a running gateway. A table."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from typing import Any, Final

STOP: Final = ("SIGTERM", "SIGINT", "SIGBREAK")
RELOAD: Final = ("SIGHUP",)
"""Names, since Windows has no SIGHUP and only Windows has SIGBREAK."""


@contextlib.contextmanager
def handled(stop: Callable[[], None], reload: Callable[[], None]) -> Iterator[None]:
    """Within a running loop: `stop` and `reload` run in it. Outside of the main thread nothing happens: whoever embeds
    us has the signals."""
    loop = asyncio.get_running_loop()
    actions = {**dict.fromkeys(STOP, stop), **dict.fromkeys(RELOAD, reload)}
    undo: list[Callable[[], Any]] = []
    for name, action in actions.items():
        number = getattr(signal, name, None)
        if number is not None:
            with contextlib.suppress(ValueError, RuntimeError):  # not the main thread
                undo.append(_handle(loop, number, action))
    try:
        yield
    finally:
        for each in undo:
            each()


def _handle(
    loop: asyncio.AbstractEventLoop, number: signal.Signals, action: Callable[[], None]
) -> Callable[[], Any]:
    """Gives what takes it back: whoever handled the signal before handles it again."""
    before = signal.getsignal(number)
    try:
        loop.add_signal_handler(number, action)
    except NotImplementedError:  # Windows
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(action))
        return lambda: signal.signal(number, before)

    def undo() -> None:
        loop.remove_signal_handler(number)
        signal.signal(number, before)

    return undo
