"""The server as a whole: addresses, limits, crowds, the drain."""

from __future__ import annotations

import asyncio
import errno
import gc
import resource
import socket
import sys

import pytest

from tests.edge.conftest import LOOPS
from tests.edge.peer import Edge, Peer, request, until, write_error
from tokligence.edge import listen
from tokligence.edge.limits import Limits
from tokligence.edge.listen import AddressInUse, connection_limit, open_sockets, raise_file_limit
from tokligence.edge.server import REFUSABLE, Server
from tokligence.pipeline.contract import Call, Sink


async def echo(_call: Call, sink: Sink) -> None:
    sink.whole(200, [], b"echo")


class Held:
    """A handler that answers when it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.running = asyncio.Event()

    async def __call__(self, _call: Call, sink: Sink) -> None:
        self.running.set()
        await self.go.wait()
        sink.whole(200, [], b"done")


# --- addresses


def test_localhost_is_both_loopback_addresses_on_one_port() -> None:
    sockets = open_sockets("localhost", 0)
    names = [sock.getsockname()[:2] for sock in sockets]
    for sock in sockets:
        sock.close()
    assert names[0][0] == "127.0.0.1"
    assert [name for name, _ in names[1:]] in ([], ["::1"])
    assert len({port for _, port in names}) == 1


def test_localhost_is_one_address_on_a_machine_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    bind = listen._bind

    def no_ipv6(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EADDRNOTAVAIL, "no such address")
        return bind(family, address, port)

    monkeypatch.setattr(listen, "_bind", no_ipv6)
    (sock,) = open_sockets("localhost", 0)
    assert sock.getsockname()[0] == "127.0.0.1"
    sock.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1", "::"])
def test_an_address_is_taken_as_it_is(host: str) -> None:
    (sock,) = open_sockets(host, 0)
    assert sock.getsockname()[0] == host
    sock.close()


@pytest.mark.parametrize("taken", ["127.0.0.1", "::1"])
def test_a_used_port_is_an_error_that_names_it_and_leaves_nothing_open(taken: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in taken else socket.AF_INET) as other:
        other.bind((taken, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(AddressInUse) as caught:
            open_sockets("localhost", port)
        assert (caught.value.host, caught.value.port, caught.value.errno) == (
            "localhost",
            port,
            errno.EADDRINUSE,
        )
        assert str(port) in str(caught.value)


def test_an_address_of_another_machine_is_an_error() -> None:
    with pytest.raises(OSError, match="assign"):
        open_sockets("192.0.2.1", 0)


async def test_a_port_is_free_again_after_the_drain(edge: Edge) -> None:
    server = await edge.serve()
    peer = await edge.connect(server)
    await peer.send(request())
    await peer.reply()
    host, port = server.addresses[0]
    await server.drain()
    again = Server(echo, Limits(), write_error, lambda *_: None)
    assert await again.start(host, port) == [(host, port)]
    await again.drain()


# --- how many


def test_the_soft_limit_of_files_is_raised() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1000), hard))
    assert raise_file_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(hard, listen.MOST_FILES)
    assert raise_file_limit() == min(hard, listen.MOST_FILES)


def test_a_kernel_that_refuses_is_asked_for_less(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def setrlimit(_which: int, limits: tuple[int, int]) -> None:
        asked.append(limits[0])
        if limits[0] > 40000:
            raise ValueError("too much")

    monkeypatch.setattr(resource, "getrlimit", lambda _which: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    assert raise_file_limit() == 32768
    assert asked == [262144, 131072, 65536, 32768]


def test_a_process_without_a_limit_needs_none_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        resource, "getrlimit", lambda _which: (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    )
    assert raise_file_limit() == listen.MOST_FILES


def test_windows_has_no_such_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    assert raise_file_limit() is None


def test_a_quarter_of_the_files_stays_free_of_clients() -> None:
    assert connection_limit(Limits(), 20000) == 15000
    assert connection_limit(Limits(), 200) == 136
    assert connection_limit(Limits(), None) == listen.MOST_FILES
    assert connection_limit(Limits(max_connections=10), 20000) == 10
    assert connection_limit(Limits(max_connections=90000), 20000) == 15000


async def test_a_client_beyond_the_limit_is_told_to_come_back(edge: Edge) -> None:
    server = await edge.serve(max_connections=2)
    for _ in range(2):
        await edge.connect(server)
    await until(lambda: server.connections == 2)
    refused = await edge.connect(server)
    reply = await refused.reply()
    assert (reply.status, reply.headers["retry-after"], reply.headers["connection"]) == (503, "1", "close")
    assert await refused.closed()
    refused.close()
    await until(lambda: server.connections == 2)
    edge._peers[0].close()
    await until(lambda: server.connections == 1)
    assert (await edge.ask(server, request())).status == 200


async def test_a_crowd_beyond_the_limit_is_closed_without_a_word(edge: Edge) -> None:
    server = await edge.serve(max_connections=1)
    peers = [await edge.connect(server) for _ in range(REFUSABLE + 11)]
    heard = 0
    for peer in peers[1:]:
        try:
            heard += (await peer.rest()).startswith(b"HTTP/1.1 503")
        except ConnectionResetError:
            pass
    assert REFUSABLE <= heard < REFUSABLE + 10


async def connect_many(edge: Edge, server: Server, count: int) -> list[Peer]:
    """In steps, so that the listening queue never overflows."""
    peers: list[Peer] = []
    while len(peers) < count:
        step = min(100, count - len(peers))
        peers += await asyncio.gather(*(edge.connect(server) for _ in range(step)))
        await until(lambda: server.connections >= len(peers))  # noqa: B023 - awaited at once
    return peers


def resident() -> int:
    """KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


async def test_a_thousand_slow_clients_keep_nobody_from_being_served(edge: Edge) -> None:
    server = await edge.serve()
    before = resident()
    slow = await connect_many(edge, server, 1000)
    for number, peer in enumerate(slow):
        head = b"GET /" + b"a" * number
        body = request("POST", "/", body=bytes(number + 2000))[:-1000]
        await peer.send(body if number % 2 else head)
    for _ in range(10):
        for peer in slow[::10]:
            await peer.send(b"x")
        assert (await edge.ask(server, request(target="/quick"))).body == b"GET /quick "
    assert resident() - before < 60_000
    server.sweep(server.loop.time() + 1000)
    assert {(await peer.reply()).status for peer in slow} == {408}
    assert (await edge.ask(server, request(target="/quick"))).body == b"GET /quick "


async def test_ten_thousand_idle_connections_cost_little_and_a_new_client_is_served(edge: Edge) -> None:
    files = raise_file_limit() or 0
    server = await edge.serve(echo)
    count = min(10_000, (files - 500) // 2, server.max_connections - 10)  # both ends are this process's files
    before = resident()
    peers = await connect_many(edge, server, count)
    assert server.connections == count
    for peer in peers[:: count // 20]:
        await peer.send(request())
        assert (await peer.reply()).body == b"echo"
    assert (await edge.ask(server, request())).body == b"echo"
    assert (resident() - before) / count < 12  # KiB for both ends
    server.sweep(server.loop.time() + 1000)
    for peer in peers:
        assert await peer.closed()
    await until(lambda: server.connections == 0)


# --- the drain


async def test_a_drain_lets_the_running_request_finish_and_closes_the_idle(edge: Edge) -> None:
    held = Held()
    server = await edge.serve(held)
    idle, busy = await edge.connect(server), await edge.connect(server)
    await busy.send(request() + request(target="/never"))
    await held.running.wait()
    await until(lambda: server.connections == 2)
    drain = asyncio.ensure_future(server.drain())
    assert await idle.closed()
    with pytest.raises(ConnectionRefusedError):
        await edge.connect(server)
    assert server.draining
    held.go.set()
    reply = await busy.reply()
    assert (reply.body, reply.headers["connection"]) == (b"done", "close")
    assert await busy.closed()
    busy.close()
    assert await drain == 0


async def test_a_connection_that_was_accepted_too_late_is_closed(edge: Edge) -> None:
    held = Held()
    server = await edge.serve(held)
    busy = await edge.connect(server)
    await busy.send(request())
    await held.running.wait()
    server.lines.draining = True  # as when the drain began between the accept and the connection
    late = await edge.connect(server)
    assert await late.closed()
    held.go.set()
    assert (await busy.reply()).headers["connection"] == "close"


async def test_a_request_that_is_still_arriving_is_served_before_the_drain_ends(edge: Edge) -> None:
    server = await edge.serve()
    peer = await edge.connect(server)
    await peer.send(b"GET / HT")
    await until(lambda: server.connections and edge.connection(server)._reading)
    drain = asyncio.ensure_future(server.drain())
    await until(lambda: server.draining)
    await peer.send(b"TP/1.1\r\nHost: localhost\r\n\r\n")
    reply = await peer.reply()
    assert (reply.body, reply.headers["connection"]) == (b"GET / ", "close")
    assert await drain == 0


async def test_a_stream_that_began_before_the_drain_is_the_last_of_its_connection(edge: Edge) -> None:
    step = asyncio.Event()

    async def stream(_call: Call, sink: Sink) -> None:
        sink.start(200, [])
        sink.write(b"one")
        await step.wait()
        sink.end(b"two")

    server = await edge.serve(stream)
    peer = await edge.connect(server)
    await peer.send(request())
    await peer.until(b"\r\n\r\n")
    drain = asyncio.ensure_future(server.drain())
    await until(lambda: server.draining)
    step.set()
    assert await peer.rest() == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
    assert await drain == 0


async def test_a_drain_that_takes_too_long_cuts_what_still_runs(edge: Edge) -> None:
    booked = asyncio.Event()
    gone = asyncio.Event()

    async def endless(_call: Call, sink: Sink) -> None:
        sink.on_gone(gone.set)
        await gone.wait()
        booked.set()

    server = await edge.serve(endless)
    peer = await edge.connect(server)
    await peer.send(request())
    await until(lambda: server.running)
    assert await server.drain(0) == 1
    assert booked.is_set()
    assert server.running == 0
    with pytest.raises(ConnectionResetError):
        await peer.rest()


async def test_a_handler_that_ignores_everything_is_cancelled_at_the_end(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tokligence.edge.server.CANCEL_S", 0)
    held = Held()
    server = await edge.serve(held)
    peer = await edge.connect(server)
    await peer.send(request())
    await held.running.wait()
    assert await server.drain(0) == 1
    assert server.running == 0
    assert edge.crashes == []


async def test_a_handler_that_still_books_after_its_answer_is_waited_for(edge: Edge) -> None:
    book = asyncio.Event()
    booked = asyncio.Event()

    async def handler(_call: Call, sink: Sink) -> None:
        sink.whole(200, [], b"")
        await book.wait()
        booked.set()

    server = await edge.serve(handler)
    peer = await edge.connect(server)
    await peer.send(request())
    await peer.reply()
    drain = asyncio.ensure_future(server.drain())
    assert await peer.closed()
    await until(lambda: server.connections == 0)
    book.set()
    assert await drain == 0
    assert booked.is_set()


@pytest.mark.parametrize("loop_name", LOOPS)
def test_a_loop_that_closes_under_a_running_answer_takes_its_handler_along_quietly(
    loop_name: str, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    complaints: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: complaints.append(what.exc_value))
    loop = LOOPS[loop_name]()
    loop.set_exception_handler(lambda _loop, _context: None)  # told of the task that never ended

    async def ask() -> Peer:
        async def stream(_call: Call, sink: Sink) -> None:
            sink.start(200, [])
            sink.write(b"piece")
            await asyncio.Event().wait()

        edge = Edge(LOOPS[loop_name])
        server = await edge.serve(stream)
        peer = await edge.connect(server)
        await peer.send(request())
        await peer.until(b"piece")
        return peer

    peer = loop.run_until_complete(ask())
    loop.close()
    del loop
    gc.collect()
    peer.close()
    assert complaints == []
    assert all(warning.category is ResourceWarning for warning in recwarn)
