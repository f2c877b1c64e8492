"""Runs `async def` tests of this directory in a loop of their own, uvloop where it exists; `bench` makes gateways."""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.fakes.anthropic import Anthropic
from tests.fakes.openai import OpenAI
from tests.pipeline.harness import CLIENT_KEY, Bench
from tokligence.conversation import ProtocolId
from tokligence.errors import GatewayError
from tokligence.pipeline.plan import Plan, Plans

FORESEEN = Plans.foreseen
LOOP: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
if sys.platform != "win32":
    import uvloop

    LOOP = uvloop.new_event_loop


@pytest.fixture(params=[False, True], ids=["a new model", "a known model"])
def bench(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    openai_upstream: OpenAI,
    anthropic_upstream: Anthropic,
    compatible_upstream: OpenAI,
) -> Bench:
    """With gateways that have seen no model before, as they begin, and with such as have seen each."""
    if request.param:
        monkeypatch.setattr(Plans, "foreseen", _foreseen)
    for upstream in (openai_upstream, anthropic_upstream, compatible_upstream):
        upstream.must_not_see(CLIENT_KEY)
    return Bench(openai_upstream, anthropic_upstream, compatible_upstream)


def _foreseen(plans: Plans, protocol: ProtocolId, body: bytes) -> Plan | None:
    """As if the plan for the model had been made before."""
    with suppress(ValueError, TypeError, AttributeError, LookupError, RecursionError, GatewayError):
        plans.of(protocol, json.loads(body)["model"])
    return FORESEEN(plans, protocol, body)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    bench: Bench = pyfuncitem.funcargs["bench"]
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}

    async def whole() -> None:
        try:
            async with asyncio.timeout(60):
                await pyfuncitem.obj(**arguments)
        finally:
            await bench.stop()

    with asyncio.Runner(loop_factory=LOOP) as runner:
        runner.run(whole())
    return True
