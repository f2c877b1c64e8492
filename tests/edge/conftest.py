"""Runs `async def` tests of this directory on plain asyncio and on uvloop, with a server and clients over real sockets."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable

import pytest

from tests.edge.peer import Edge

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
if sys.platform != "win32":
    import uvloop

    LOOPS["uvloop"] = uvloop.new_event_loop


@pytest.fixture(params=LOOPS)
def edge(request: pytest.FixtureRequest) -> Edge:
    return Edge(LOOPS[request.param])


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    edge: Edge = pyfuncitem.funcargs["edge"]
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}

    async def whole() -> None:
        try:
            async with asyncio.timeout(60):
                await pyfuncitem.obj(**arguments)
        finally:
            await edge.stop()

    with asyncio.Runner(loop_factory=edge.loop_factory) as runner:
        runner.run(whole())
    return True
