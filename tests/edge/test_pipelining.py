"""Several requests at once on one connection: one at a time, in order, and little kept of those that wait."""

from __future__ import annotations

import asyncio

from tests.edge.peer import HOST, Edge, chunked, request, until
from tokligence.edge.protocol import HELD_LIMIT
from tokligence.pipeline.contract import Call, Sink


class Gate:
    """A handler that answers when it is told to."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self.most = 0
        self.go = asyncio.Semaphore(0)

    async def __call__(self, call: Call, sink: Sink) -> None:
        self.running.append(call.path)
        self.most = max(self.most, len(self.running))
        await self.go.acquire()
        self.running.remove(call.path)
        sink.whole(200, [], call.path.encode() + call.body)


async def test_answers_come_in_the_order_of_the_requests_and_one_runs_at_a_time(edge: Edge) -> None:
    gate = Gate()
    server = await edge.serve(gate)
    peer = await edge.connect(server)
    await peer.send(b"".join(request("POST", f"/{number}", body=b"!") for number in range(50)))
    for number in range(50):
        await until(lambda: gate.running)
        assert gate.running == [f"/{number}"]
        gate.go.release()
        assert (await peer.reply()).body == b"/%d!" % number
    assert gate.most == 1


async def test_requests_that_arrive_during_an_answer_wait_unparsed(edge: Edge) -> None:
    gate = Gate()
    server = await edge.serve(gate)
    peer = await edge.connect(server)
    await peer.send(request(target="/1"))
    await until(lambda: gate.running)
    await peer.send(request(target="/2")[:-1])
    await until(lambda: edge.connection(server)._held)
    gate.go.release()
    assert (await peer.reply()).body == b"/1"
    await peer.send(b"\n")
    gate.go.release()
    assert (await peer.reply()).body == b"/2"


async def test_a_client_that_sends_far_ahead_is_not_read_any_further(edge: Edge) -> None:
    gate = Gate()
    server = await edge.serve(gate)
    peer = await edge.connect(server)
    count = 20_000
    raw = request(target="/")
    sending = asyncio.ensure_future(peer.send(raw * count))
    await until(lambda: gate.running and edge.connection(server)._paused_reading)
    connection = edge.connection(server)
    assert connection._held is not None
    assert len(connection._held) <= HELD_LIMIT + (1 << 18)
    assert len(connection._waiting) < 1000
    for _ in range(count):
        gate.go.release()
    for _ in range(count):
        assert (await peer.reply()).body == b"/"
    await sending


async def test_an_error_behind_a_request_is_answered_after_it(edge: Edge) -> None:
    gate = Gate()
    server = await edge.serve(gate)
    peer = await edge.connect(server)
    await peer.send(request(target="/1") + request(target="/2") + b"nonsense\r\n\r\n" + request(target="/3"))
    gate.go.release()
    gate.go.release()
    gate.go.release()
    assert [(await peer.reply()).status for _ in range(3)] == [200, 200, 400]
    assert await peer.closed()
    assert gate.running == []


async def test_requests_behind_one_that_ends_the_connection_are_dropped(edge: Edge) -> None:
    gate = Gate()
    server = await edge.serve(gate)
    peer = await edge.connect(server)
    await peer.send(b"GET /1 HTTP/1.0\r\n\r\n" + request(target="/2"))
    gate.go.release()
    gate.go.release()
    assert (await peer.reply()).body == b"/1"
    assert await peer.closed()


async def test_the_go_ahead_for_a_body_waits_for_the_answer_before_it(edge: Edge) -> None:
    gate = Gate()
    server = await edge.serve(gate)
    peer = await edge.connect(server)
    head = b"POST /2 HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
    await peer.send(request(target="/1") + head)
    gate.go.release()
    assert (await peer.reply()).body == b"/1"
    assert (await peer.reply()).status == 100
    await peer.send(chunked(b"!"))
    gate.go.release()
    assert (await peer.reply()).body == b"/2!"


async def test_a_request_that_has_partly_come_behind_another_may_still_take_its_time_and_no_more(
    edge: Edge,
) -> None:
    for behind in (request("POST", "/2", body=b"body")[:-1], b"GET /2 HTTP/1.1\r\nHost: loc"):
        gate = Gate()
        server = await edge.serve(gate)
        peer = await edge.connect(server)
        await peer.send(request(target="/1") + behind)
        await until(lambda gate=gate: gate.running)
        server.sweep(server.loop.time() + 1000)
        gate.go.release()
        assert (await peer.reply()).body == b"/1"
        server.sweep(server.loop.time() + 1)
        server.sweep(server.loop.time() + 1000)
        assert (await peer.reply()).status == 408


async def test_a_client_that_pipelines_and_shuts_its_side_gets_every_answer(edge: Edge) -> None:
    gate = Gate()
    server = await edge.serve(gate)
    peer = await edge.connect(server)
    await peer.send(request(target="/1"))
    await until(lambda: gate.running)
    await peer.send(request(target="/2") + request(target="/3"))
    peer.shut()
    for number in (1, 2, 3):
        gate.go.release()
        assert (await peer.reply()).body == b"/%d" % number
    assert await peer.closed()


async def test_a_request_cut_short_behind_others_gets_400_after_them(edge: Edge) -> None:
    gate = Gate()
    server = await edge.serve(gate)
    peer = await edge.connect(server)
    await peer.send(request(target="/1"))
    await until(lambda: gate.running)
    await peer.send(b"GET /2 HTTP/1.1\r\nHost")
    peer.shut()
    await until(lambda: edge.connection(server)._ended_input)
    gate.go.release()
    assert [(await peer.reply()).status for _ in range(2)] == [200, 400]
    assert await peer.closed()


async def test_a_client_held_back_that_leaves_is_noticed(edge: Edge) -> None:
    gone = asyncio.Event()

    async def waiting(_call: Call, sink: Sink) -> None:
        sink.on_gone(gone.set)
        await gone.wait()

    server = await edge.serve(waiting)
    peer = await edge.connect(server)
    sending = asyncio.ensure_future(peer.send(request() * 100_000))
    await until(lambda: server.connections and edge.connection(server)._paused_reading)
    sending.cancel()
    await asyncio.wait([sending])
    peer.reset()
    await gone.wait()
    await until(lambda: server.connections == 0)


async def test_an_end_of_the_connection_drops_what_was_held_back(edge: Edge) -> None:
    go = asyncio.Event()

    async def ending(_call: Call, sink: Sink) -> None:
        await go.wait()
        sink.start(200, [])  # of unknown length, so that HTTP/1.0 needs the end of the connection
        sink.end(b"last")

    server = await edge.serve(ending)
    peer = await edge.connect(server)
    await peer.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    await until(lambda: server.connections and edge.connection(server)._answer)
    sending = asyncio.ensure_future(peer.send(request() * 10_000))
    await until(lambda: edge.connection(server)._paused_reading)
    go.set()
    assert (await peer.reply()).body == b"last"
    await sending
