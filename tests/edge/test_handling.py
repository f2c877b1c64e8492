"""A handler under way is to what runs inside it what a task would be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.edge.peer import Edge, request, until
from tokligence.edge.handling import Handling
from tokligence.edge.server import Server, ended
from tokligence.pipeline.contract import Call, Sink

KNOWN = request("POST", body=b"x")


async def asked(
    edge: Edge, run: Callable[[], object], *, known: bool = True
) -> tuple[Server, asyncio.Task[int]]:
    """The server and the status of its answer to a request that `run` handles; by memory if `known`."""

    async def handler(call: Call, sink: Sink) -> None:
        if call.method == "POST" and len(edge.script.calls) == 2:
            await run()  # type: ignore[misc]
        edge.script.calls.append(call)
        sink.whole(200, [], b"")

    server = await edge.serve(handler)
    peer = await edge.connect(server)
    for _ in range(2):
        await peer.send(KNOWN if known else request("GET"))
        await peer.reply()
    assert bool(len(server.known)) is known
    await peer.send(KNOWN)

    async def status() -> int:
        return (await peer.reply()).status

    return server, asyncio.ensure_future(status())


@pytest.fixture(params=[True, False], ids=["known", "new"])
def known(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


async def test_it_is_the_current_task_and_only_inside(edge: Edge, known: bool) -> None:
    found: list[object] = []

    async def run() -> None:
        found.append(asyncio.current_task())
        await asyncio.sleep(0)
        found.append(asyncio.current_task())
        await asyncio.get_running_loop().run_in_executor(None, int)
        found.append(asyncio.current_task())

    _, status = await asked(edge, run, known=known)
    assert await status == 200
    assert isinstance(found[0], Handling)
    assert found == [found[0]] * 3
    assert asyncio.current_task() is not found[0]


async def test_a_time_out_within_it_ends_what_it_waits_for(edge: Edge, known: bool) -> None:
    async def run() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        async with asyncio.timeout(60):
            await asyncio.sleep(0)
        handling = asyncio.current_task()
        assert handling is not None
        assert handling.cancelling() == 0

    _, status = await asked(edge, run, known=known)
    assert await status == 200
    assert edge.crashes == []


async def test_what_it_awaits_may_fail(edge: Edge, known: bool) -> None:
    async def fail() -> None:
        raise KeyError("awaited")

    async def run() -> None:
        with pytest.raises(KeyError):
            await asyncio.ensure_future(fail())
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        with pytest.raises(asyncio.CancelledError):
            await future

    _, status = await asked(edge, run, known=known)
    assert await status == 200
    assert edge.crashes == []


async def test_cancelled_it_ends_at_what_it_waits_for(edge: Edge, known: bool) -> None:
    reached = asyncio.Event()
    seen: list[str] = []

    async def run() -> None:
        try:
            reached.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    server, status = await asked(edge, run, known=known)
    await reached.wait()
    (handling,) = server.tasks
    over = handling.over()
    assert not handling.done()
    assert handling.cancel()
    assert handling.cancelling() == 1
    await over
    assert handling.done()
    assert handling.over().done()
    assert not handling.cancel()
    assert seen == ["cancelled"]
    assert server.running == 0
    with pytest.raises((ConnectionResetError, EOFError)):
        await status


async def test_cancelled_by_itself_it_ends_where_it_waits_next(edge: Edge, known: bool) -> None:
    async def run() -> None:
        handling = asyncio.current_task()
        assert handling is not None
        handling.cancel()
        await asyncio.Event().wait()

    server, status = await asked(edge, run, known=known)
    with pytest.raises((ConnectionResetError, EOFError)):
        await status
    assert server.running == 0


async def test_cancelled_at_a_bare_yield_or_over_a_finished_wait_it_ends_at_its_next_turn(
    edge: Edge, known: bool
) -> None:
    turns: list[int] = []

    async def run() -> None:
        handling = asyncio.current_task()
        assert handling is not None
        loop = asyncio.get_running_loop()
        waited = loop.create_future()

        def finish_and_cancel() -> None:
            waited.set_result(None)
            handling.cancel()

        for wait in (asyncio.sleep(0), waited):
            loop.call_soon(handling.cancel if wait is not waited else finish_and_cancel)
            try:
                await wait
            except asyncio.CancelledError:
                turns.append(handling.uncancel())

    _, status = await asked(edge, run, known=known)
    assert await status == 200
    assert turns == [0, 0]


async def test_cancelled_before_it_began_it_never_begins(edge: Edge) -> None:
    begun: list[Call] = []

    async def handler(call: Call, sink: Sink) -> None:
        begun.append(call)
        sink.whole(200, [], b"")

    server = await edge.serve(handler)
    add = server.tasks.add

    class Cancelling(set[Handling]):
        def add(self, handling: Handling) -> None:
            add(handling)
            handling.cancel()

    server.tasks = Cancelling()
    peer = await edge.connect(server)
    await peer.send(request())
    with pytest.raises((ConnectionResetError, EOFError)):
        await peer.reply()
    assert begun == []


async def test_one_that_ends_at_its_own_cancellation_has_ended(edge: Edge) -> None:
    async def handler(_call: Call, sink: Sink) -> None:
        sink.whole(200, [], b"")
        handling = asyncio.current_task()
        assert handling is not None
        asyncio.get_running_loop().call_soon(handling.cancel)
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            return

    server = await edge.serve(handler)
    peer = await edge.connect(server)
    await peer.send(request())
    assert (await peer.reply()).status == 200
    await until(lambda: server.running == 0)
    assert edge.crashes == []


async def test_who_takes_a_cancellation_for_an_end_has_ended(edge: Edge, known: bool) -> None:
    reached = asyncio.Event()

    async def run() -> None:
        try:
            reached.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    server, status = await asked(edge, run, known=known)
    await reached.wait()
    (handling,) = server.tasks
    handling.cancel()
    assert await status == 200
    assert server.running == 0
    await handling.over()


async def test_all_that_run_can_be_waited_for(edge: Edge) -> None:
    go = asyncio.Event()
    server, status = await asked(edge, go.wait)
    await until(lambda: server.tasks)
    await ended([])
    await ended(server.tasks, 0)
    assert server.running == 1
    (handling,) = server.tasks
    waiting = asyncio.ensure_future(ended([handling]))
    await asyncio.sleep(0)
    go.set()
    await waiting
    await ended([handling])
    assert await status == 200


async def test_a_handler_that_is_no_coroutine_function_may_fail_too(edge: Edge) -> None:
    def handler(_call: Call, _sink: Sink) -> None:
        raise KeyError("at once")

    server = await edge.serve(handler)  # type: ignore[arg-type]
    assert (await edge.ask(server, request())).status == 500
    assert len(edge.crashes) == 1


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_the_end_of_the_process_is_not_held_up(edge: Edge, stop: type[BaseException]) -> None:
    async def main() -> None:
        async def run() -> None:
            raise stop

        _, status = await asked(edge, run)
        await status

    with pytest.raises(stop), asyncio.Runner(loop_factory=edge.loop_factory) as runner:
        runner.run(main())
