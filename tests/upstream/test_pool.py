from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.upstream.scripted import OK, Peer, calling, failure_of, fetch, pool_of, post, serving, until

KEPT = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n"


async def echo_number(peer: Peer) -> None:
    """Answers for ever with the number of the connection."""
    while True:
        await peer.answer(KEPT + b"%d" % peer.number)


def test_a_connection_is_used_again_after_the_end_of_the_body(run: Any) -> None:
    async def main() -> None:
        async with serving(echo_number) as server, calling() as client:
            for _ in range(5):
                assert await fetch(client, server.origin()) == b"1"
            assert server.connections == 1

    run(main())


def test_a_connection_is_not_used_again_before_the_end_of_the_body(run: Any) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n%d" % peer.number)
        await peer.gone()

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            first = await post(client, server.origin())
            second = await post(client, server.origin())
            assert (await first.chunk(), await second.chunk()) == (b"1", b"2")

    run(main())


def test_the_connection_used_last_is_taken_first(run: Any) -> None:
    async def main() -> None:
        gates = {number: asyncio.Event() for number in (1, 2, 3)}

        async def script(peer: Peer) -> None:
            await peer.request()
            await gates[peer.number].wait()
            await peer.send(KEPT + b"%d" % peer.number)
            await echo_number(peer)

        async with serving(script) as server, calling() as client:
            calls = []
            for number in (1, 2, 3):
                calls.append(asyncio.ensure_future(fetch(client, server.origin())))
                await until(lambda number=number: server.connections == number)
            for number in (2, 3, 1):
                gates[number].set()
                assert await calls[number - 1] == b"%d" % number
            assert await fetch(client, server.origin()) == b"1"
            held = [await post(client, server.origin()) for _ in range(2)]
            # Each is complete when its head has come, so the same connection serves both.
            assert [await answer.read(9) for answer in held] == [b"1", b"1"]

    run(main())


def test_origins_do_not_share_connections(run: Any) -> None:
    async def main() -> None:
        async with serving(echo_number) as one, serving(echo_number) as two, calling() as client:
            for _ in range(2):
                await fetch(client, one.origin())
                await fetch(client, two.origin())
            assert (one.connections, two.connections) == (1, 1)

    run(main())


def test_prefixes_of_one_origin_share_connections(run: Any) -> None:
    seen = []

    async def script(peer: Peer) -> None:
        while True:
            head, _ = await peer.answer()
            seen.append(head.split(b" ", 2)[1])

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            for path in ("/v1", "/v2"):
                await fetch(client, server.origin(path=path))
            assert server.connections == 1
        assert seen == [b"/v1/x", b"/v2/x"]

    run(main())


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok and more",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nkeep-alive: timeout=1\r\ncontent-length: 2\r\n\r\nok",
        OK + b"H",
        OK + OK,
        OK + b"garbage",
    ],
)
def test_a_connection_that_is_closing_or_out_of_step_is_not_used_again(run: Any, raw: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(raw)
        await peer.gone()

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            for number in (1, 2):
                assert await fetch(client, server.origin()) == b"ok"
                assert server.connections == number

    run(main())


def test_bytes_that_nobody_asked_for_drop_a_resting_connection(run: Any) -> None:
    go = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.answer()
        if peer.number == 1:
            await go.wait()
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")
        await peer.gone()

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            assert await fetch(client, server.origin()) == b"ok"
            go.set()
            await until(lambda: not pool_of(client, server).open)
            assert await fetch(client, server.origin()) == b"ok"
            assert server.connections == 2

    run(main())


def test_a_resting_connection_that_the_upstream_closes_is_forgotten(run: Any) -> None:
    async def main() -> None:
        async with serving(lambda peer: peer.answer()) as server, calling() as client:
            assert await fetch(client, server.origin()) == b"ok"
            await until(lambda: not pool_of(client, server).open)
            assert await fetch(client, server.origin()) == b"ok"
            assert server.connections == 2

    run(main())


def test_a_kept_connection_that_dies_before_any_byte_is_replaced_once(run: Any) -> None:
    async def script(peer: Peer) -> None:
        if peer.number == 1:
            await peer.answer()
            await peer.request()
            peer.writer.transport.abort()
        else:
            _, body = await peer.answer(KEPT + b"2")
            assert body == b"again"
            await peer.gone()

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            assert await fetch(client, server.origin()) == b"ok"
            assert await fetch(client, server.origin(), b"again") == b"2"
            assert server.connections == 2

    run(main())


def test_a_request_is_not_sent_again_after_the_first_byte_of_an_answer(run: Any) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer()
        await peer.answer(b"H")

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            assert await fetch(client, server.origin()) == b"ok"
            assert (await failure_of(post(client, server.origin()))).code == "upstream.cut"
            assert server.connections == 1

    run(main())


def test_a_fresh_connection_that_dies_is_not_replaced(run: Any) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.writer.transport.abort()

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            assert (await failure_of(post(client, server.origin()))).code == "upstream.cut"
            assert server.connections == 1

    run(main())


def test_a_replacement_that_dies_too_is_not_replaced(run: Any) -> None:
    async def script(peer: Peer) -> None:
        if peer.number == 1:
            await peer.answer()
        await peer.request()
        peer.writer.transport.abort()

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            assert await fetch(client, server.origin()) == b"ok"
            assert (await failure_of(post(client, server.origin()))).code == "upstream.cut"
            assert server.connections == 2

    run(main())


def test_the_oldest_of_too_many_resting_connections_is_closed(run: Any) -> None:
    async def main() -> None:
        gate = asyncio.Event()
        closed = []

        async def script(peer: Peer) -> None:
            await peer.request()
            await gate.wait()
            await peer.send(OK)
            await peer.gone()
            closed.append(peer.number)

        async with serving(script) as server, calling(max_resting=2) as client:
            calls = [asyncio.ensure_future(fetch(client, server.origin())) for _ in range(5)]
            await until(lambda: server.connections == 5)
            gate.set()
            await asyncio.gather(*calls)
            await until(lambda: len(closed) == 3)
            assert len(pool_of(client, server).open) == 2

    run(main())


@pytest.mark.parametrize(
    ("kept", "options"),
    [(b"x-a: b", {"keepalive_s": 0.04}), (b"Keep-Alive: max=5, timeout=2", {"keepalive_s": 60.0})],
)
def test_a_resting_connection_is_closed_when_its_time_is_over(
    run: Any, kept: bytes, options: dict[str, float]
) -> None:
    closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n" + kept + b"\r\n\r\nok")
        await peer.gone()
        closed.set()

    async def main() -> None:
        async with serving(script) as server, calling(**options) as client:
            assert await fetch(client, server.origin()) == b"ok"
            assert client._timer is not None
            await closed.wait()
            await until(lambda: client._timer is None)  # nothing is open, so nothing is swept
            assert await fetch(client, server.origin()) == b"ok"
            assert client._timer is not None

    run(main())


def test_closing_the_client_ends_every_exchange_and_refuses_new_ones(run: Any) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
        await peer.gone()

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            answer = await post(client, server.origin())
            assert await answer.chunk() == b"half"
            waiting = asyncio.ensure_future(answer.chunk())
            await asyncio.sleep(0)
            await client.aclose()
            assert (await failure_of(waiting)).code == "gateway.shutting_down"
            assert (await failure_of(post(client, server.origin()))).code == "gateway.shutting_down"
            assert server.connections == 1

    run(main())


def test_a_connect_that_is_under_way_when_the_client_closes_is_dropped(run: Any) -> None:
    async def main() -> None:
        async with serving(lambda peer: peer.gone()) as server, calling() as client:
            call = asyncio.ensure_future(post(client, server.origin()))
            await asyncio.sleep(0)
            await client.aclose()
            assert (await failure_of(call)).code == "gateway.shutting_down"

    run(main())


def test_a_connection_that_is_about_to_begin_is_not_swept(run: Any) -> None:
    async def main() -> None:
        async with serving(echo_number) as server, calling(keepalive_s=0) as client:
            assert await fetch(client, server.origin()) == b"1"
            pool = pool_of(client, server)
            await until(lambda: not pool.open)
            lane = client._lanes[server.origin().key]
            connection = await client._open(lane, server.origin(), "acme")
            now = asyncio.get_running_loop().time()
            pool.sweep(now)
            pool.sweep(now + 1)
            answer = connection.begin("acme", b"GET / HTTP/1.1\r\nhost: h\r\n\r\n", b"", False)
            assert await answer.read(9) == b"2"

    run(main())


def test_a_keep_alive_header_without_a_time_changes_nothing(run: Any) -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.answer(b"HTTP/1.1 200 OK\r\nkeep-alive: max=5\r\ncontent-length: 2\r\n\r\nok")

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            for _ in range(2):
                assert await fetch(client, server.origin()) == b"ok"
            assert server.connections == 1

    run(main())
