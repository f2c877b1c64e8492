"""A connection after it became a WebSocket, with the `websockets` client at its other end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.protocol import Side
from websockets.utils import accept_key

from tokligence.upstream import websocket
from tokligence.upstream.websocket import WebSocket

LIMIT = 100_000
Run = Callable[[Coroutine[Any, Any, None]], None]


class _Host(asyncio.Protocol):
    """Does the handshake, then hands the transport over."""

    def __init__(self, sockets: asyncio.Queue[WebSocket], lost: asyncio.Event) -> None:
        self._sockets = sockets
        self._lost = lost
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._head += data
        head, complete, rest = self._head.partition(b"\r\n\r\n")
        if not complete:
            return
        key = next(
            line[19:] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:")
        )
        transport = cast("asyncio.Transport", self._transport)

        answer = accept_key(key.decode().strip())
        transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
            b"sec-websocket-accept: " + answer.encode() + b"\r\n\r\n"
        )
        loop = asyncio.get_running_loop()
        socket = WebSocket(transport, lambda _: self._lost.set(), side=Side.SERVER, max_size=LIMIT, loop=loop)
        transport.set_protocol(socket)
        if rest:
            socket.data_received(rest)
        self._sockets.put_nowait(socket)


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[WebSocket, ClientConnection, asyncio.Event]]:
    sockets: asyncio.Queue[WebSocket] = asyncio.Queue()
    lost = asyncio.Event()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Host(sockets, lost), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with connect(f"ws://127.0.0.1:{port}/", max_size=None, compression=None) as client:
        yield await sockets.get(), client, lost
    server.close()


def test_messages_go_both_ways_whole(run: Run) -> None:
    async def main() -> None:
        async with pair() as (socket, client, _):
            await client.send("hello é")
            assert await socket.receive() == "hello é".encode()
            await client.send(["in ", "three ", "fragments"])
            assert await socket.receive() == b"in three fragments"
            socket.send(b'{"a":1}')
            assert await client.recv() == '{"a":1}'

    run(main())


def test_a_client_that_closes_ends_the_messages_and_is_noticed(run: Run) -> None:
    async def main() -> None:
        async with pair() as (socket, client, lost):
            left = asyncio.Event()
            socket.on_gone(left.set)
            await client.send("last")
            await client.close()
            assert await socket.receive() == b"last"
            assert await socket.receive() is None
            await asyncio.wait_for(lost.wait(), 5)
            assert left.is_set() and socket.gone
            socket.send(b"nobody hears this")

    run(main())


def test_a_client_whose_connection_breaks_is_noticed_while_we_wait(run: Run) -> None:
    async def main() -> None:
        async with pair() as (socket, client, _):
            waiting = asyncio.ensure_future(socket.receive())
            await asyncio.sleep(0)
            client.transport.abort()
            assert await asyncio.wait_for(waiting, 5) is None

    run(main())


def test_our_close_tells_code_and_reason(run: Run) -> None:
    async def main() -> None:
        async with pair() as (socket, client, lost):
            socket.close(1001, "shutting down")
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "shutting down")
            await asyncio.wait_for(lost.wait(), 5)

    run(main())


def test_a_message_above_the_limit_closes_with_1009(run: Run) -> None:
    async def main() -> None:
        async with pair() as (socket, client, _):
            await client.send("x" * (LIMIT + 1))
            assert await socket.receive() is None
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1009

    run(main())


def test_messages_that_nobody_reads_stop_the_reading(run: Run) -> None:
    async def main() -> None:
        async with pair() as (socket, client, _):
            text = "x" * (LIMIT // 2)
            sending = asyncio.ensure_future(_send_many(client, text, 400))
            await asyncio.sleep(0.3)
            assert not sending.done()  # 20 MB do not fit into the buffers between
            for _number in range(400):
                assert await socket.receive() == text.encode()
            await asyncio.wait_for(sending, 10)

    run(main())


async def _send_many(client: ClientConnection, text: str, count: int) -> None:
    for _ in range(count):
        await client.send(text)


def test_a_client_that_reads_slowly_is_waited_for(run: Run) -> None:
    async def main() -> None:
        async with pair() as (socket, client, _):
            client.transport.pause_reading()
            chunk = b"y" * 50_000
            for _ in range(400):
                socket.send(chunk)
            waiting = asyncio.ensure_future(socket.drained())
            await asyncio.sleep(0.1)
            assert not waiting.done()
            client.transport.resume_reading()
            for _ in range(400):
                await client.recv()
            await asyncio.wait_for(waiting, 5)

    run(main())


def test_a_client_that_answers_no_ping_has_gone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "PING_EVERY_S", 0.05)

    async def main() -> None:
        async with pair() as (socket, client, lost):
            await asyncio.sleep(0.3)
            assert not lost.is_set()  # it answers, by itself
            client.transport.pause_reading()
            assert await asyncio.wait_for(socket.receive(), 5) is None

    run(main())


def test_a_client_that_does_not_agree_to_a_close_is_cut_off(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "CLOSE_WAIT_S", 0.05)

    async def main() -> None:
        async with pair() as (socket, client, lost):
            client.transport.pause_reading()
            socket.close()
            socket.close()
            await asyncio.wait_for(lost.wait(), 5)

    run(main())
