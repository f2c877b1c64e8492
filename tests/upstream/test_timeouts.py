"""Time-outs by phase, and leaving early. The settings are short, and the tests await what the sweep does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.upstream.scripted import Peer, busy, calling, failure_of, fetch, pool_of, post, serving, until
from tokligence.upstream.answer import Answer
from tokligence.upstream.client import Client

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"


class Silent:
    """Sends `start`, then nothing; `closed` is set when the client leaves."""

    def __init__(self, start: bytes) -> None:
        self._start = start
        self.asked = asyncio.Event()
        self.closed = asyncio.Event()

    async def __call__(self, peer: Peer) -> None:
        await peer.request()
        self.asked.set()
        await peer.send(self._start)
        await peer.gone()
        self.closed.set()


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200"])
def test_an_upstream_that_never_answers_times_out_before_the_head(run: Any, start: bytes) -> None:
    async def main() -> None:
        script = Silent(start)
        async with serving(script) as server, calling(first_content_timeout_s=0.05) as client:
            error = await failure_of(post(client, server.origin()))
            assert (error.code, error.details["phase"], error.details["seconds"]) == (
                "upstream.timeout",
                "first byte",
                "0.05",
            )
            await script.closed.wait()

    run(main())


def test_a_head_without_a_body_still_waits_for_the_first_byte(run: Any) -> None:
    async def main() -> None:
        script = Silent(HEAD)
        async with (
            serving(script) as server,
            calling(first_content_timeout_s=0.05, idle_timeout_s=60) as client,
        ):
            answer = await post(client, server.origin())
            error = await failure_of(answer.chunk())
            assert (error.code, error.details["phase"]) == ("upstream.timeout", "first byte")
            await script.closed.wait()

    run(main())


def test_a_silence_between_bytes_times_out(run: Any) -> None:
    async def main() -> None:
        script = Silent(HEAD + b"half")
        async with serving(script) as server, calling(idle_timeout_s=0.05) as client:
            answer = await post(client, server.origin())
            assert await answer.chunk() == b"half"
            error = await failure_of(answer.chunk())
            assert (error.code, error.details["phase"]) == ("upstream.timeout", "idle")
            assert "idle, 0.05 s" in error.message
            await script.closed.wait()

    run(main())


def test_the_consumers_deadline_ends_a_stream_that_still_flows(run: Any) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            await peer.send(b"1\r\nx\r\n")
            await asyncio.sleep(0.005)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with serving(script) as server, calling(idle_timeout_s=0.2) as client:
            answer = await post(client, server.origin())
            answer.deadline = loop.time() + 60
            assert await answer.chunk()
            answer.deadline = loop.time() + 0.05
            error = None
            while error is None:
                try:
                    assert await answer.chunk()
                except Exception as caught:
                    error = caught
            assert getattr(error, "code", None) == "upstream.timeout"
            assert error.details["phase"] == "deadline"

    run(main())


def test_a_slow_consumer_is_not_the_upstreams_silence(run: Any) -> None:
    total = 1 << 22

    async def script(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % total + b"x" * total)

    async def main() -> None:
        async with serving(script) as server, calling(idle_timeout_s=0.04, buffer_bytes=1000) as client:
            answer = await post(client, server.origin())
            connection = await busy(client, server)
            await until(lambda: connection._reading_paused)
            now = asyncio.get_running_loop().time()
            for seconds in range(10):
                pool_of(client, server).sweep(now + seconds)
            assert len(await answer.read(total)) == total

    run(main())


async def started(client: Client, server: Any) -> Answer:
    answer = await post(client, server.origin())
    assert await answer.chunk() == b"half"
    return answer


def test_cancel_closes_the_connection_at_once_and_only_once(run: Any) -> None:
    async def main() -> None:
        script = Silent(HEAD + b"half")
        async with serving(script) as server, calling() as client:
            answer = await started(client, server)
            waiting = asyncio.ensure_future(answer.chunk())
            await asyncio.sleep(0)
            answer.cancel()
            answer.cancel()
            await script.closed.wait()
            assert (await failure_of(waiting)).code == "upstream.cut"

    run(main())


def test_cancel_after_the_end_keeps_the_connection(run: Any) -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.answer()

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            answer = await post(client, server.origin())
            assert await answer.read(9) == b"ok"
            answer.cancel()
            assert await fetch(client, server.origin()) == b"ok"
            assert server.connections == 1

    run(main())


def test_cancelling_the_task_that_waits_for_the_head_closes_the_connection(run: Any) -> None:
    async def main() -> None:
        script = Silent(b"")
        async with serving(script) as server, calling() as client:
            call = asyncio.ensure_future(post(client, server.origin()))
            await script.asked.wait()
            call.cancel()
            await script.closed.wait()
            with pytest.raises(asyncio.CancelledError):
                await call

    run(main())


def test_cancelling_the_task_that_waits_for_the_body_closes_the_connection(run: Any) -> None:
    async def main() -> None:
        script = Silent(HEAD + b"half")
        async with serving(script) as server, calling() as client:
            answer = await started(client, server)
            waiting = asyncio.ensure_future(answer.read(9))
            await asyncio.sleep(0)
            waiting.cancel()
            await script.closed.wait()
            with pytest.raises(asyncio.CancelledError):
                await waiting

    run(main())


def test_a_cancelled_task_whose_head_has_just_come_closes_the_connection_too(run: Any) -> None:
    async def main() -> None:
        script = Silent(HEAD + b"half")
        async with serving(script) as server, calling() as client:
            call = asyncio.ensure_future(post(client, server.origin()))
            connection = await busy(client, server)
            await until(lambda: bool(connection._answer.status))
            call.cancel()
            await script.closed.wait()
            with pytest.raises(asyncio.CancelledError):
                await call

    run(main())
