"""Clients that leave, half or wholly, and clients that read too slowly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.edge.peer import Edge, Peer, request, until
from tokligence.pipeline.contract import Call, Sink


class Waiting:
    """A handler that waits for the word, and notes whether its client left."""

    def __init__(self) -> None:
        self.running = asyncio.Event()
        self.go = asyncio.Event()
        self.gone = asyncio.Event()
        self.goings = 0
        self.sink: Sink | None = None

    def leave(self) -> None:
        self.goings += 1
        self.gone.set()

    async def __call__(self, _call: Call, sink: Sink) -> None:
        self.sink = sink
        sink.on_gone(self.leave)
        self.running.set()
        await self.go.wait()
        sink.start(200, [])
        sink.write(b"an")
        await sink.drained()
        sink.end(b"swer")


async def test_a_client_that_resets_is_gone_once_and_what_is_written_then_goes_nowhere(edge: Edge) -> None:
    handler = Waiting()
    server = await edge.serve(handler)
    peer = await edge.connect(server)
    await peer.send(request())
    await handler.running.wait()
    assert handler.sink is not None
    assert not handler.sink.gone
    peer.reset()
    await handler.gone.wait()
    assert handler.sink.gone
    handler.go.set()
    await until(lambda: server.running == 0)
    assert (handler.goings, edge.crashes) == (1, [])


async def test_a_client_that_closes_while_it_waits_is_noticed_before_the_answer(edge: Edge) -> None:
    """To us it looks like a client that only shut its write side; the interim answer tells the two apart."""
    handler = Waiting()
    server = await edge.serve(handler)
    peer = await edge.connect(server)
    await peer.send(request())
    await handler.running.wait()
    peer.close()
    await handler.gone.wait()
    await until(lambda: server.connections == 0)
    handler.go.set()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("leave", [Peer.close, Peer.shut, Peer.reset])
async def test_a_client_whose_input_ends_within_a_stream_is_gone_without_another_piece(
    edge: Edge, leave: Callable[[Peer], None], version: str
) -> None:
    goings: list[bool] = []

    async def stream(_call: Call, sink: Sink) -> None:
        gone = asyncio.Event()
        sink.on_gone(gone.set)
        sink.start(200, [])
        sink.write(b"piece")
        await gone.wait()
        goings.append(sink.gone)

    server = await edge.serve(stream)
    peer = await edge.connect(server)
    await peer.send(f"GET / HTTP/{version}\r\nHost: localhost\r\n\r\n".encode())
    await peer.until(b"piece")
    leave(peer)
    await until(lambda: goings)
    await until(lambda: server.connections == 0)
    assert goings == [True]


async def test_a_client_that_shuts_its_write_side_within_a_stream_sees_that_the_answer_is_cut(
    edge: Edge,
) -> None:
    async def stream(_call: Call, sink: Sink) -> None:
        sink.start(200, [])
        sink.write(b"piece")
        await asyncio.Event().wait()

    server = await edge.serve(stream)
    peer = await edge.connect(server)
    await peer.send(request())
    await peer.until(b"piece")
    peer.shut()
    with pytest.raises(ConnectionResetError):
        await peer.rest()


async def test_a_client_that_shut_its_write_side_before_a_stream_began_gets_all_of_it(edge: Edge) -> None:
    handler = Waiting()
    server = await edge.serve(handler)
    peer = await edge.connect(server)
    await peer.send(request())
    await handler.running.wait()
    peer.shut()
    await until(lambda: edge.connection(server)._ended_input)
    handler.go.set()
    assert (await peer.reply()).body == b"answer"
    assert await peer.closed()
    assert handler.goings == 0


async def test_a_client_that_shuts_its_write_side_still_gets_its_answer(edge: Edge) -> None:
    handler = Waiting()
    server = await edge.serve(handler)
    peer = await edge.connect(server)
    await peer.send(request())
    await handler.running.wait()
    peer.shut()
    await until(lambda: edge.connection(server)._ended_input)
    for second in range(1, 5):
        server.sweep(server.loop.time() + second)
    assert not handler.gone.is_set()
    handler.go.set()
    assert (await peer.reply()).status == 100
    reply = await peer.reply()
    assert reply.body == b"answer"
    assert await peer.closed()
    assert handler.goings == 0


async def test_an_http_1_0_client_that_shuts_its_write_side_is_sent_no_interim_answer(edge: Edge) -> None:
    handler = Waiting()
    server = await edge.serve(handler)
    peer = await edge.connect(server)
    await peer.send(b"GET / HTTP/1.0\r\n\r\n")
    await handler.running.wait()
    peer.shut()
    await until(lambda: edge.connection(server)._ended_input)
    server.sweep(server.loop.time() + 1)
    handler.go.set()
    assert (await peer.reply()).body == b"answer"


async def test_nobody_is_told_that_the_client_left_after_the_end(edge: Edge) -> None:
    handler = Waiting()
    handler.go.set()
    server = await edge.serve(handler)
    peer = await edge.connect(server)
    await peer.send(request())
    await peer.reply()
    peer.reset()
    await until(lambda: server.connections == 0)
    assert handler.goings == 0


async def test_the_wish_to_be_told_can_be_taken_back(edge: Edge) -> None:
    handler = Waiting()
    server = await edge.serve(handler)
    peer = await edge.connect(server)
    await peer.send(request())
    await handler.running.wait()
    assert handler.sink is not None
    handler.sink.on_gone(None)
    peer.reset()
    await until(lambda: server.connections == 0)
    assert handler.goings == 0
    handler.sink.on_gone(handler.leave)  # who asks too late is told at once
    assert handler.goings == 1
    handler.go.set()


async def test_a_handler_may_give_up_without_an_answer_when_its_client_has_left(edge: Edge) -> None:
    async def handler(_call: Call, sink: Sink) -> None:
        gone = asyncio.Event()
        sink.on_gone(gone.set)
        await gone.wait()

    server = await edge.serve(handler)
    peer = await edge.connect(server)
    await peer.send(request())
    await until(lambda: server.running)
    peer.reset()
    await until(lambda: server.running == 0)
    assert edge.crashes == []


async def test_requests_behind_the_running_one_are_never_begun_when_the_client_leaves(edge: Edge) -> None:
    handler = Waiting()
    server = await edge.serve(handler)
    peer = await edge.connect(server)
    await peer.send(request() * 3)
    await handler.running.wait()
    peer.reset()
    await handler.gone.wait()
    handler.go.set()
    await until(lambda: server.running == 0)
    assert handler.goings == 1


async def test_a_writer_waits_while_the_client_reads_too_slowly_and_little_is_kept(edge: Edge) -> None:
    total = 30_000_000
    most = 0

    async def stream(_call: Call, sink: Sink) -> None:
        nonlocal most
        sink.start(200, [], total)
        for _ in range(total // 10_000):
            sink.write(bytes(10_000))
            most = max(most, edge.connection(server).transport.get_write_buffer_size())
            await sink.drained()
        sink.end()

    server = await edge.serve(stream)
    peer = await edge.connect(server)
    await peer.send(request())
    await until(lambda: most > 65536)
    assert len((await peer.reply()).body) == total
    assert most < 200_000


async def test_a_writer_that_waits_for_room_is_woken_when_the_client_leaves(edge: Edge) -> None:
    async def stream(_call: Call, sink: Sink) -> None:
        sink.start(200, [])
        sink.write(bytes(50_000_000))
        await sink.drained()
        sink.end()

    server = await edge.serve(stream)
    peer = await edge.connect(server, receive_buffer=4096)
    await peer.send(request())
    await until(lambda: server._watched)
    peer.reset()
    await until(lambda: server.running == 0)
    assert edge.crashes == []


async def test_a_handler_that_fails_after_its_client_has_left_is_still_reported(edge: Edge) -> None:
    async def stream(_call: Call, sink: Sink) -> None:
        gone = asyncio.Event()
        sink.on_gone(gone.set)
        sink.start(200, [], 9)
        await gone.wait()
        sink.write(b"ignored")
        raise ValueError("afterwards")

    server = await edge.serve(stream)
    peer = await edge.connect(server)
    await peer.send(request())
    await peer.until(b"\r\n\r\n")
    peer.reset()
    await until(lambda: edge.crashes)
    await until(lambda: server.running == 0)
    assert isinstance(edge.crashes[0], ValueError)
