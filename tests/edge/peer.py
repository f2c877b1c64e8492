"""A server under test and clients that can do everything a well-behaved client would not."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from tokligence.edge.limits import Limits
from tokligence.edge.protocol import Connection
from tokligence.edge.server import Handler, Server
from tokligence.errors import GatewayError
from tokligence.pipeline.contract import Call, Headers, Sink

HOST = b"Host: localhost\r\n"


async def until(condition: Callable[[], object]) -> None:
    """Lets the loop run until something has happened that nobody announces."""
    while not condition():  # noqa: ASYNC110 - nothing announces it
        await asyncio.sleep(0)


def request(
    method: str = "GET", target: str = "/", *, body: bytes | None = None, headers: bytes = b""
) -> bytes:
    length = b"" if body is None else b"Content-Length: %d\r\n" % len(body)
    return b"%b %b HTTP/1.1\r\n%b%b%b\r\n%b" % (
        method.encode(),
        target.encode(),
        HOST,
        headers,
        length,
        body or b"",
    )


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes
    raw: bytes


@dataclass
class Script:
    """A handler that records its calls and answers `METHOD PATH body`."""

    calls: list[Call] = field(default_factory=list)

    async def __call__(self, call: Call, sink: Sink) -> None:
        self.calls.append(call)
        text = f"{call.method} {call.path} ".encode() + call.body
        sink.whole(200, [(b"content-type", b"text/plain")], text)


def write_error(path: str, error: GatewayError) -> tuple[Headers, bytes]:
    return [
        (b"content-type", b"text/plain"),
        (b"x-path", path.encode()),
    ], f"{error.code}|{error.text}".encode()


class Edge:
    def __init__(self, loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
        self.loop_factory = loop_factory
        self.crashes: list[BaseException] = []
        self.script = Script()
        self._servers: list[Server] = []
        self._peers: list[Peer] = []

    async def serve(self, handler: Handler | None = None, **limits: float) -> Server:
        server = Server(
            handler or self.script,
            Limits(**limits),  # type: ignore[arg-type]
            write_error,
            lambda error, _call: self.crashes.append(error),
        )
        self._servers.append(server)
        await server.start("127.0.0.1", 0)
        return server

    def connection(self, server: Server) -> Connection:
        """The server's side of its only connection."""
        (connection,) = server._connections
        return connection

    async def connect(self, server: Server, *, receive_buffer: int = 0) -> Peer:
        sock = socket.socket()
        sock.setblocking(False)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        peer = Peer(sock)
        self._peers.append(peer)
        await peer.loop.sock_connect(sock, server.addresses[0])
        return peer

    async def ask(self, server: Server, raw: bytes) -> Reply:
        peer = await self.connect(server)
        await peer.send(raw)
        return await peer.reply()

    async def stop(self) -> None:
        for peer in self._peers:
            peer.close()
        for server in self._servers:
            await server.drain(0)


class Peer:
    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.loop = asyncio.get_running_loop()
        self.buffer = bytearray()

    async def send(self, data: bytes) -> None:
        await self.loop.sock_sendall(self.sock, data)

    async def more(self) -> bool:
        data = await self.loop.sock_recv(self.sock, 1 << 18)
        self.buffer += data
        return bool(data)

    def _take(self, size: int) -> bytes:
        taken = bytes(self.buffer[:size])
        del self.buffer[:size]
        return taken

    async def until(self, mark: bytes) -> bytes:
        """What came up to and including `mark`."""
        while mark not in self.buffer:
            if not await self.more():
                raise EOFError(bytes(self.buffer))
        position = self.buffer.index(mark) + len(mark)
        return self._take(position)

    async def exactly(self, size: int) -> bytes:
        while len(self.buffer) < size:
            if not await self.more():
                raise EOFError(bytes(self.buffer))
        return self._take(size)

    async def rest(self) -> bytes:
        """Everything until the server closes."""
        while await self.more():
            pass
        return self._take(len(self.buffer))

    async def reply(self, *, head_only: bool = False) -> Reply:
        head = await self.until(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:-2])
        }
        status = int(lines[0].split(" ")[1])
        if head_only or status in (204, 304) or status < 200:
            body = b""
        elif "content-length" in headers:
            body = await self.exactly(int(headers["content-length"]))
        elif headers.get("transfer-encoding") == "chunked":
            body = await self._chunks()
        else:
            body = await self.rest()
        return Reply(status, headers, body, head)

    async def _chunks(self) -> bytes:
        parts = []
        while size := int(await self.until(b"\r\n"), 16):
            parts.append(await self.exactly(size))
            assert await self.exactly(2) == b"\r\n"
        assert await self.exactly(2) == b"\r\n"
        return b"".join(parts)

    async def closed(self) -> bool:
        """Waits until the server has closed, without another byte."""
        return await self.rest() == b""

    def shut(self) -> None:
        """Says that nothing more will be sent; still reads."""
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
