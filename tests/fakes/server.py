"""A small HTTP/1.1 server for scripted upstreams: its own thread, its own loop, port 0.

Written apart from the product's server, so that a fault there cannot hide here. It is strict about framing, keeps
connections alive, notices at once when a client leaves, and can do what real servers do at their worst: stall, cut,
reset, drip, and split bytes anywhere. Every answer goes through one `Exchange`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
import struct
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

MAX_HEAD = 256 * 1024


class ClientGone(Exception):
    """The client closed its connection before the answer was complete."""


class BadRequest(Exception):
    """The client broke HTTP/1.1 itself; the connection ends."""


class Gate:
    """Holds a reply at a point until the test lets it go, and tells the test when the point is reached.

    gate.wait()      # the reply has arrived here
    gate.open()      # let it pass (now and for ever)
    """

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._lock = threading.Lock()
        self._opened = False
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def wait(self, timeout: float = 20.0) -> None:
        if not self.reached.wait(timeout):
            raise AssertionError("the reply never reached this gate")

    def open(self) -> None:
        with self._lock:
            self._opened = True
            for loop, event in self._waiting:
                loop.call_soon_threadsafe(event.set)
            self._waiting.clear()

    async def arrive(self) -> None:
        event = asyncio.Event()
        with self._lock:
            if self._opened:
                event.set()
            else:
                self._waiting.append((asyncio.get_running_loop(), event))
        self.reached.set()
        await event.wait()


@dataclass(frozen=True)
class Wire:
    """How the bytes of an answer travel. Offsets count bytes of the body before chunked framing.

    `hold`: before the status line; `gates`: before frame i (a frame is one event of a stream; a whole body is one
    frame); `cut_at`/`reset_at`: end the connection there, with FIN or RST; `cut_frame`/`reset_frame`: the same before
    frame i; `stall_at`: send no more and wait until
    the client leaves; `split`: a piece size, or the offsets at which a new write begins; `delay`, `drip`: seconds
    before the head and between pieces, for use by hand (tests use gates); `close`: no keep-alive afterwards.
    """

    hold: Gate | None = None
    gates: Mapping[int, Gate] = field(default_factory=dict)
    cut_at: int | None = None
    reset_at: int | None = None
    cut_frame: int | None = None
    reset_frame: int | None = None
    stall_at: int | None = None
    split: int | Sequence[int] | None = None
    delay: float = 0.0
    drip: float = 0.0
    close: bool = False


@dataclass
class Request:
    """One request as it came. `path`: without the query; `headers`: in order, names in lower case.

    `disconnected` is set when the client leaves before the answer is complete, `finished` when it is complete.
    """

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    connection: int = 0
    disconnected: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Handler = Callable[[Request, "Exchange"], Awaitable[None]]


class Connection(asyncio.Protocol):
    """One client's connection: buffers what comes, serves one request after another."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._buffer = bytearray()
        self._more = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self.gone = asyncio.Event()
        self.transport: asyncio.Transport
        self.number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.number = self._server.accepted()
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._server.track(self._serve())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._more.set()

    def eof_received(self) -> bool:
        self._leave()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()

    def _leave(self) -> None:
        self.gone.set()
        self._more.set()
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def send(self, data: bytes) -> None:
        if self.gone.is_set():
            raise ClientGone
        self.transport.write(data)
        await self._writable.wait()

    async def unless_gone(self, work: Awaitable[Any]) -> None:
        """Waits for `work`, or raises if the client leaves first."""
        task, left = asyncio.ensure_future(work), asyncio.ensure_future(self.gone.wait())
        try:
            await asyncio.wait({task, left}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise ClientGone
            task.result()
        finally:
            task.cancel()
            left.cancel()

    def reset(self) -> None:
        """Ends with RST instead of FIN."""
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
        )
        self.transport.abort()

    async def _serve(self) -> None:
        try:
            while (request := await self._read_request()) is not None:
                exchange = Exchange(self, request)
                try:
                    await self._server.handler(request, exchange)
                except ClientGone:
                    request.disconnected.set()
                    self._server.left.set()
                    break
                request.finished.set()
                if exchange.must_close:
                    break
        except BadRequest as fault:
            self._server.broken.append(str(fault))
            with contextlib.suppress(ClientGone):
                await self.send(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        finally:
            self.transport.close()

    async def _fill(self) -> bool:
        if self.gone.is_set():
            return False
        self._more.clear()
        await self._more.wait()
        return True

    async def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            if not await self._fill():
                raise BadRequest("the request ended before its body was complete")
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    async def _take_until(self, mark: bytes, limit: int) -> bytes | None:
        while (end := self._buffer.find(mark)) < 0:
            if len(self._buffer) > limit:
                raise BadRequest("the request's head is too long")
            if not await self._fill():
                return None
        return (await self._take(end + len(mark)))[: -len(mark)]

    async def _read_request(self) -> Request | None:
        head = await self._take_until(b"\r\n\r\n", MAX_HEAD)
        if head is None:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        parts = first.split(" ")
        if len(parts) != 3 or parts[2] != "HTTP/1.1":
            raise BadRequest(f"request line: {first!r}")
        headers: list[tuple[str, str]] = []
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise BadRequest(f"header line: {line!r}")
            headers.append((name.lower(), value.strip(" \t")))
        path, _, query = parts[1].partition("?")
        request = Request(parts[0], path, query, headers, connection=self.number)
        if len(request.all("host")) != 1:
            raise BadRequest("there must be one Host header")
        request.body = await self._read_body(request)
        return request

    async def _read_body(self, request: Request) -> bytes:
        lengths, codings = request.all("content-length"), request.all("transfer-encoding")
        if lengths and codings:
            raise BadRequest("Content-Length with Transfer-Encoding")
        if len(lengths) > 1 or (lengths and not lengths[0].isdigit()):
            raise BadRequest(f"Content-Length: {lengths}")
        if request.header("expect") == "100-continue":
            await self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if lengths:
            return await self._take(int(lengths[0]))
        if not codings:
            return b""
        if [c.lower() for c in codings] != ["chunked"]:
            raise BadRequest(f"Transfer-Encoding: {codings}")
        body = bytearray()
        while True:
            size = await self._take_until(b"\r\n", 64)
            if size is None:
                raise BadRequest("the request ended between chunks")
            count = int(size, 16)
            body += await self._take(count)
            if await self._take(2) != b"\r\n":
                raise BadRequest("a chunk does not end where it says")
            if count == 0:
                return bytes(body)


class Exchange:
    """Where a handler puts its answer."""

    def __init__(self, connection: Connection, request: Request) -> None:
        self._connection = connection
        self._request = request
        self.must_close = (request.header("connection") or "").lower() == "close"

    async def answer(
        self,
        status: int,
        headers: Sequence[tuple[str, str]],
        frames: Sequence[bytes],
        *,
        stream: bool = False,
        wire: Wire | None = None,
    ) -> None:
        """Sends one answer. `stream`: chunked framing, one write per frame; else one body with its length."""
        wire = wire or Wire()
        connection = self._connection
        if wire.hold is not None:
            await connection.unless_gone(wire.hold.arrive())
        if wire.delay:
            await connection.unless_gone(asyncio.sleep(wire.delay))
        self.must_close = self.must_close or wire.close
        await connection.send(self._head(status, headers, frames, stream))
        if self._request.method == "HEAD":
            return
        sent = 0
        for number, frame in enumerate(frames):
            if number in wire.gates:
                await connection.unless_gone(wire.gates[number].arrive())
            await self._stop_if_due(wire, sent, number)
            for piece in _pieces(frame, sent, wire):
                await self._stop_if_due(wire, sent, -1)
                if sent and wire.drip:
                    await connection.unless_gone(asyncio.sleep(wire.drip))
                await connection.send(b"%x\r\n%b\r\n" % (len(piece), piece) if stream else piece)
                sent += len(piece)
                if wire.split is not None:
                    # Lets the loop flush, so that pieces leave as separate segments.
                    await asyncio.sleep(0)
        await self._stop_if_due(wire, sent, len(frames))
        if len(frames) in wire.gates:
            await connection.unless_gone(wire.gates[len(frames)].arrive())
        if stream:
            await connection.send(b"0\r\n\r\n")

    async def _stop_if_due(self, wire: Wire, sent: int, frame: int) -> None:
        """Ends the connection if the script says so for this byte or this frame (-1: within one)."""
        connection = self._connection
        if wire.stall_at is not None and sent >= wire.stall_at:
            await connection.gone.wait()
            raise ClientGone
        if (wire.reset_at is not None and sent >= wire.reset_at) or wire.reset_frame == frame:
            connection.reset()
            raise Ended
        if (wire.cut_at is not None and sent >= wire.cut_at) or wire.cut_frame == frame:
            connection.transport.close()
            raise Ended

    def _head(
        self, status: int, headers: Sequence[tuple[str, str]], frames: Sequence[bytes], stream: bool
    ) -> bytes:
        try:
            phrase = HTTPStatus(status).phrase
        except ValueError:
            phrase = "Unknown"
        lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers)]
        lines.append("transfer-encoding: chunked" if stream else f"content-length: {sum(map(len, frames))}")
        lines.append("connection: close" if self.must_close else "connection: keep-alive")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Ended(Exception):
    """The script ended the connection on purpose."""


def _pieces(frame: bytes, sent: int, wire: Wire) -> list[bytes]:
    """`frame`, cut where the script wants a new write or something to happen. `sent`: body bytes before it."""
    stops = {at - sent for at in (wire.cut_at, wire.reset_at, wire.stall_at) if at is not None}
    if isinstance(wire.split, int):
        stops.update(range(-sent % wire.split, len(frame), wire.split))
    elif wire.split is not None:
        stops.update(at - sent for at in wire.split)
    edges = [0, *sorted(s for s in stops if 0 < s < len(frame)), len(frame)]
    return [frame[a:b] for a, b in itertools.pairwise(edges) if a < b]


class Server:
    """Runs a handler in a thread of its own. `broken`: what clients did against HTTP; `left`: a client went early."""

    def __init__(self, handler: Handler, port: int = 0) -> None:
        self.handler = self._guarded(handler)
        self.port = port
        self.broken: list[str] = []
        self.left = threading.Event()
        self.connections = 0
        self.crashes: list[BaseException] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._done: asyncio.Event
        self._thread = threading.Thread(target=self._run, name="fake-upstream", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def accepted(self) -> int:
        self.connections += 1
        return self.connections

    def track(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: Request, exchange: Exchange) -> None:
            try:
                await handler(request, exchange)
            except Ended:
                exchange.must_close = True
            except ClientGone:
                raise
            except Exception as crash:
                # A fault of the fake itself must fail the test, not look like an upstream's cut.
                self.crashes.append(crash)
                exchange.must_close = True

        return guarded

    def _run(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._done = asyncio.Event()
        listener = await self._loop.create_server(
            lambda: Connection(self), "127.0.0.1", self.port, backlog=1024
        )
        self.port = listener.sockets[0].getsockname()[1]
        self._ready.set()
        await self._done.wait()
        listener.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
