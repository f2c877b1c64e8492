"""Clients that take their time: what the sweep over the deadlines does with them. The clock is the sweep's argument."""

from __future__ import annotations

import asyncio

import pytest

from tests.edge.peer import HOST, Edge, request, until
from tokligence.edge.protocol import BODY_STEP, Reading
from tokligence.edge.server import Server
from tokligence.pipeline.contract import Call, Sink

HALF_HEAD = b"GET /v1 HTTP/1.1\r\nHost: loc"
HALF_BODY = b"POST /v1 HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nfour"


def later(server: Server, seconds: float) -> None:
    server.sweep(server.loop.time() + seconds)


@pytest.mark.parametrize(("raw", "reading"), [(HALF_HEAD, Reading.HEAD), (HALF_BODY, Reading.BODY)])
async def test_a_request_that_does_not_arrive_in_time_gets_408(
    edge: Edge, raw: bytes, reading: Reading
) -> None:
    server = await edge.serve(header_timeout_s=15, body_timeout_s=60)
    peer = await edge.connect(server)
    await peer.send(raw)
    await until(lambda: server.connections and edge.connection(server)._reading is reading)
    seconds = 15 if reading is Reading.HEAD else 60
    later(server, seconds - 1)
    assert edge.connection(server)._reading is reading
    later(server, seconds + 1)
    reply = await peer.reply()
    assert (reply.status, reply.headers["connection"], reply.headers["x-path"]) == (408, "close", "/v1")
    assert b"within %d seconds" % seconds in reply.body
    assert await peer.closed()


async def test_dripping_a_head_does_not_buy_time(edge: Edge) -> None:
    server = await edge.serve(header_timeout_s=15)
    peer = await edge.connect(server)
    await peer.send(b"GET")
    await until(lambda: server.connections and edge.connection(server)._reading is Reading.HEAD)
    deadline = edge.connection(server).deadline
    await peer.send(b" /v1 HTTP/1.1\r\n")
    await until(lambda: edge.connection(server)._target)
    assert edge.connection(server).deadline == deadline


async def test_a_body_earns_time_by_64_kib_and_not_by_bytes(edge: Edge) -> None:
    server = await edge.serve(body_timeout_s=60)
    peer = await edge.connect(server)
    await peer.send(b"POST /v1 HTTP/1.1\r\n" + HOST + b"Content-Length: 1000000\r\n\r\n")
    await until(lambda: server.connections and edge.connection(server)._reading is Reading.BODY)
    connection = edge.connection(server)
    connection.deadline = 1e9  # so that a new one shows
    await peer.send(b"x")
    await until(lambda: connection._fresh == 1)
    assert connection.deadline == 1e9
    await peer.send(bytes(BODY_STEP))
    await until(lambda: connection._body_left == 1000000 - 1 - BODY_STEP)
    assert connection.deadline < server.loop.time() + 61


async def test_idle_connections_are_closed_without_a_word(edge: Edge) -> None:
    server = await edge.serve(keepalive_timeout_s=60)
    fresh, used = await edge.connect(server), await edge.connect(server)
    await used.send(request())
    await used.reply()
    await until(lambda: server.connections == 2)
    later(server, 59)
    assert server.connections == 2
    later(server, 61)
    assert await fresh.closed()
    assert await used.closed()
    await until(lambda: server.connections == 0)


async def test_a_running_request_has_all_the_time_it_needs(edge: Edge) -> None:
    go = asyncio.Event()
    running = asyncio.Event()

    async def slow(_call: Call, sink: Sink) -> None:
        running.set()
        await go.wait()
        sink.whole(200, [], b"at last")

    server = await edge.serve(slow)
    peer = await edge.connect(server)
    await peer.send(request())
    await running.wait()
    later(server, 1e6)
    go.set()
    assert (await peer.reply()).body == b"at last"


async def test_the_sweep_runs_by_itself(edge: Edge) -> None:
    server = await edge.serve(header_timeout_s=0)
    peer = await edge.connect(server)
    await peer.send(HALF_HEAD)
    assert (await peer.reply()).status == 408


async def test_a_client_that_reads_nothing_is_cut_after_the_write_timeout(edge: Edge) -> None:
    gone = asyncio.Event()

    async def flood(_call: Call, sink: Sink) -> None:
        sink.on_gone(gone.set)
        sink.start(200, [])
        while not sink.gone:
            sink.write(bytes(65536))
            await sink.drained()

    server = await edge.serve(flood, write_timeout_s=300)
    peer = await edge.connect(server, receive_buffer=4096)
    await peer.send(request())
    await until(lambda: server.connections and stuck(edge, server))
    later(server, 1)
    later(server, 299)
    assert not gone.is_set()
    later(server, 302)
    await gone.wait()
    await until(lambda: server.connections == 0)
    assert server.running == 0
    assert edge.crashes == []


def stuck(edge: Edge, server: Server) -> bool:
    room = edge.connection(server).room
    return room is not None and not room.is_set()


async def test_a_client_that_reads_a_little_is_given_more_time(edge: Edge) -> None:
    async def large(_call: Call, sink: Sink) -> None:
        sink.whole(200, [], bytes(50_000_000))

    server = await edge.serve(large, write_timeout_s=300)
    peer = await edge.connect(server)
    await peer.send(request())
    await until(lambda: server.connections and stuck(edge, server))
    connection = edge.connection(server)
    for turn in range(1, 4):
        before = connection.transport.get_write_buffer_size()
        while connection.transport.get_write_buffer_size() == before:
            await peer.more()
        later(server, turn * 299)
        assert not connection.lost
    later(server, 1000)
    later(server, 2000)
    await until(lambda: server.connections == 0)


async def test_closing_does_not_wait_for_ever_for_a_client_that_reads_nothing(edge: Edge) -> None:
    async def large(_call: Call, sink: Sink) -> None:
        sink.whole(200, [], bytes(50_000_000))

    server = await edge.serve(large, write_timeout_s=300)
    peer = await edge.connect(server, receive_buffer=4096)
    await peer.send(request(headers=b"Connection: close\r\n"))
    await until(lambda: server.connections and edge.connection(server).closing)
    later(server, 1)
    assert server.connections == 1
    later(server, 302)
    await until(lambda: server.connections == 0)


async def test_what_is_no_longer_stuck_is_no_longer_watched(edge: Edge) -> None:
    async def large(_call: Call, sink: Sink) -> None:
        sink.whole(200, [], bytes(20_000_000))

    server = await edge.serve(large)
    peer = await edge.connect(server)
    await peer.send(request())
    await until(lambda: server._watched)
    assert len((await peer.reply()).body) == 20_000_000
    later(server, 0)
    assert not server._watched
    assert server.connections == 1
