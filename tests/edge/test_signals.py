"""Signals, with and without the loop's own handlers."""

from __future__ import annotations

import asyncio
import signal
import threading

import pytest

from tests.edge.peer import Edge
from tokligence.edge.signals import handled


class Heard:
    def __init__(self) -> None:
        self.stopped = asyncio.Event()
        self.reloaded = asyncio.Event()


async def test_the_loop_hears_stop_and_reload(edge: Edge) -> None:
    heard = Heard()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    with handled(heard.stopped.set, heard.reloaded.set):
        signal.raise_signal(signal.SIGTERM)
        await heard.stopped.wait()
        if hasattr(signal, "SIGHUP"):
            signal.raise_signal(signal.SIGHUP)
            await heard.reloaded.wait()
    assert signal.getsignal(signal.SIGTERM) == before[signal.SIGTERM]


async def test_where_the_loop_takes_no_handlers_the_old_way_does(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise NotImplementedError

    loop = asyncio.get_running_loop()
    heard = Heard()
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.delattr(signal, "SIGHUP", raising=False)
    monkeypatch.setattr("tokligence.edge.signals.asyncio.get_running_loop", lambda: Refusing(loop, refuse))
    with handled(heard.stopped.set, heard.reloaded.set):
        signal.raise_signal(signal.SIGTERM)
        await heard.stopped.wait()
    assert signal.getsignal(signal.SIGTERM) == before


class Refusing:
    """A loop as Windows has it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, refuse: object) -> None:
        self.add_signal_handler = refuse
        self.call_soon_threadsafe = loop.call_soon_threadsafe


def test_outside_of_the_main_thread_the_signals_stay_as_they_are() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []

    async def look() -> None:
        with handled(lambda: None, lambda: None):
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=lambda: asyncio.run(look()))
    thread.start()
    thread.join()
    assert seen == [before]
