"""A server that does exactly what a test's script says, byte by byte, and a client to meet it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from tokligence.errors import GatewayError
from tokligence.upstream.client import Answer, Client, Options
from tokligence.upstream.connection import Connection
from tokligence.upstream.origin import Origin, parse_origin
from tokligence.upstream.pool import Pool
from tokligence.upstream.proxies import Proxies

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Peer:
    """The server's end of one connection. `number`: 1 for the first connection."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.reader = reader
        self.writer = writer

    async def head(self) -> bytes:
        return await self.reader.readuntil(b"\r\n\r\n")

    async def request(self) -> tuple[bytes, bytes]:
        """Head and body of the next request."""
        head = await self.head()
        length = 0
        for line in head.split(b"\r\n"):
            if line.startswith(b"content-length: "):
                length = int(line[16:])
        return head, await self.reader.readexactly(length)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, data: bytes = OK) -> tuple[bytes, bytes]:
        request = await self.request()
        await self.send(data)
        return request

    async def gone(self) -> None:
        """Waits until the client has closed."""
        try:
            while await self.reader.read(65536):
                pass
        except ConnectionError:
            pass


Script = Callable[[Peer], Awaitable[None]]


class Server:
    """`connections`: how many have come; `failures`: what went wrong in the scripts."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._tasks: set[asyncio.Task[Any]] = set()
        self.connections = 0
        self.failures: list[BaseException] = []
        self.port = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            await self._script(Peer(self.connections, reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client left, or the test is over
        except AssertionError as failure:
            self.failures.append(failure)
        finally:
            self._tasks.discard(task)
            writer.close()

    def origin(self, *, scheme: str = "http", host: str = "127.0.0.1", path: str = "") -> Origin:
        return parse_origin(f"{scheme}://{host}:{self.port}{path}", versioned=True)


@asynccontextmanager
async def serving(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(script)
    listener = await asyncio.start_server(server._serve, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in tuple(server._tasks):
            task.cancel()
        await asyncio.gather(*server._tasks, return_exceptions=True)
    assert not server.failures, server.failures


@asynccontextmanager
async def calling(proxies: Proxies | None = None, **options: Any) -> AsyncIterator[Client]:
    allowed, on_connect = options.pop("allowed", None), options.pop("on_connect", None)
    client = Client(Options(**options), proxies or Proxies(), allowed, on_connect)
    try:
        yield client
    finally:
        await client.aclose()


async def post(client: Client, origin: Origin, body: bytes = b"{}", target: bytes = b"/x") -> Answer:
    return await client.send(origin, b"POST", target, [(b"x-a", b"b")], body, provider="acme")


async def fetch(client: Client, origin: Origin, body: bytes = b"{}") -> bytes:
    return await (await post(client, origin, body)).read(1 << 30)


async def failure_of(awaitable: Awaitable[Any]) -> GatewayError:
    try:
        result = await awaitable
    except GatewayError as error:
        return error
    raise AssertionError(f"no error, but {result!r}")


async def until(condition: Callable[[], bool]) -> None:
    """Lets the loop run until `condition` holds; the fixture's time-out bounds it."""
    while not condition():  # noqa: ASYNC110 - the states of a connection are no events
        await asyncio.sleep(0)


def pool_of(client: Client, server: Server) -> Pool:
    return client._lanes[server.origin().key].pool


async def busy(client: Client, server: Server) -> Connection:
    """The one connection to `server`, once it carries a request."""
    await until(lambda: server.origin().key in client._lanes and bool(pool_of(client, server).open))
    (connection,) = pool_of(client, server).open
    await until(lambda: connection._answer is not None)
    return connection
