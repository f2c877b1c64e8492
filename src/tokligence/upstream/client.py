"""The only outbound HTTP of the gateway: sends one request, gives one answer, keeps connections.

    client = Client(Options(), Proxies(), allowed=None)
    answer = await client.send(origin, b"POST", b"/v1/messages", headers, body, provider="anthropic")
    while data := await answer.chunk(): ...

    messages = Endpoint(origin, b"/v1/messages", header_lines(headers), "anthropic")  # once
    answer = await client.post(messages, body)

Time-outs by phase: connecting (with the proxy's tunnel and TLS), the first byte of the body, the silence between
bytes. One periodic sweep enforces them all, so a request costs no timer; it runs only while connections are open and
may be late by `SWEEP_S`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Generator, Sequence
from types import coroutine
from typing import Any, Final

from msgspec import Struct

from tokligence.errors import GatewayError
from tokligence.upstream.answer import Answer
from tokligence.upstream.connect import ConnectFailure, connect, describe, trust_store
from tokligence.upstream.connection import SLICE, Connection, Limits, timed_out
from tokligence.upstream.origin import Origin
from tokligence.upstream.pool import MAX_RESTING, Pool
from tokligence.upstream.proxies import Proxies, Proxy, ProxyTable
from tokligence.upstream.request import NO_LINES, HeaderLines, header_lines, write_head, write_start

__all__ = ["Answer", "Client", "Endpoint", "HeaderLines", "Options", "header_lines"]

SWEEP_S: Final = 0.25
"""Longest time between two sweeps; shorter time-outs make it shorter, down to a hundredth of a second."""


MOST_STARTS: Final = 256
"""Endpoints whose requests' beginning is kept. A reload makes new ones, so the old must go sometime."""


class Endpoint(Struct, frozen=True, eq=False):
    """What all POST requests to one endpoint share. `target`: below the origin's prefix; `lines`: headers that each
    of them carries. One object for each, made once: what precedes the body is remembered by it."""

    origin: Origin
    target: bytes
    lines: HeaderLines
    provider: str


class Options(Struct, frozen=True, kw_only=True):
    """Times in seconds, sizes in bytes. The first three are settings of the same names."""

    connect_timeout_s: float = 10.0
    first_content_timeout_s: float = 600.0
    idle_timeout_s: float = 300.0
    keepalive_s: float = 60.0
    max_resting: int = MAX_RESTING
    max_header_bytes: int = 65536
    max_headers: int = 100
    buffer_bytes: int = 262144


class _Lane:
    """What is known beforehand of the requests to one origin, whatever its prefix. `absolute`: precedes the target where
    a proxy reads it; `host_lines`: from the end of the target to the end of the lines that never change."""

    __slots__ = ("absolute", "host_lines", "origin", "pool", "proxy")

    def __init__(self, origin: Origin, proxy: Proxy | None, pool: Pool) -> None:
        self.origin = origin
        self.pool = pool
        self.proxy = proxy
        self.absolute = b""
        self.host_lines = b" HTTP/1.1\r\nhost: %b\r\n" % origin.authority
        if proxy is not None and origin.scheme == "http":
            self.absolute = b"http://" + origin.authority
            if proxy.authorization is not None:
                self.host_lines += b"proxy-authorization: %b\r\n" % proxy.authorization


class Client:
    """`allowed`: asked with the origin's host before every connect; False is `upstream.blocked` (`local_only`). With
    it no proxy is used.
    `on_connect(host, port)`: sees every socket before it is opened, the proxy's address where one is used."""

    def __init__(
        self,
        options: Options,
        proxies: Proxies,
        allowed: Callable[[str], bool] | None = None,
        on_connect: Callable[[str, int], None] | None = None,
    ) -> None:
        self._options = options
        self._limits = Limits(
            first_s=options.first_content_timeout_s,
            idle_s=options.idle_timeout_s,
            keepalive_s=options.keepalive_s,
            max_head=options.max_header_bytes,
            max_headers=options.max_headers,
            buffer=options.buffer_bytes,
        )
        shortest = min(options.first_content_timeout_s, options.idle_timeout_s, options.keepalive_s)
        self._sweep_s = max(0.01, min(SWEEP_S, shortest / 4))
        self._proxies = ProxyTable(proxies)
        self._allowed = allowed
        self._on_connect = on_connect
        self._lanes: dict[str, _Lane] = {}
        self._starts: dict[Endpoint, tuple[_Lane, bytes]] = {}
        self._tls: ssl.SSLContext | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def post(self, endpoint: Endpoint, body: bytes, lines: HeaderLines = NO_LINES) -> Awaitable[Answer]:
        """`send` to an endpoint known beforehand; `lines`: headers of this request only."""
        lane, start = self._starts.get(endpoint) or self._begin_with(endpoint)
        length = len(body)
        if length <= SLICE:  # a short body leaves with the head in one write, copied once
            start = b"".join((start, str(length).encode(), b"\r\n", lines, b"\r\n", body))
            return self._exchange(lane, endpoint.provider, start)
        start = b"".join((start, str(length).encode(), b"\r\n", lines, b"\r\n"))
        return self._exchange(lane, endpoint.provider, start, body)

    def send(
        self,
        origin: Origin,
        method: bytes,
        target: bytes,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
        *,
        provider: str,
        prebuilt: HeaderLines = NO_LINES,
    ) -> Awaitable[Answer]:
        """Gives the answer when its head has come. `target`: path and query below the origin's prefix; `prebuilt`:
        the headers that many requests share, checked and written once by `header_lines`. Host, Content-Length and the
        proxy's headers are added, nothing else; redirects are not followed.

        Raises `GatewayError`: `upstream.*`, `http.malformed` for headers that cannot be sent,
        `gateway.shutting_down` after `aclose`. Cancelling the task closes the connection.
        """
        lane = self._lanes.get(origin.key) or self._new_lane(origin)
        length = len(body)
        now, later = (body, b"") if length <= SLICE else (b"", body)
        before = lane.absolute + origin.prefix
        head = write_head(
            method, target, lane.host_lines, headers, length, prebuilt=prebuilt, before=before, body=now
        )
        return self._exchange(lane, provider, head, later, method == b"HEAD")

    @coroutine
    def _exchange(
        self,
        lane: _Lane,
        provider: str,
        start: bytes,
        later: bytes = b"",
        head_only: bool = False,
    ) -> Generator[Any, Any, Answer]:
        """`start`, `later`, `head_only`: as `Connection.begin` takes them. A generator, because to yield the answer for
        waiting costs half of awaiting it."""
        connection = lane.pool.take()
        kept = connection is not None
        while True:
            if connection is None:
                connection = yield from self._open(lane, lane.origin, provider).__await__()
            answer = connection.begin(provider, start, later, head_only)
            try:
                yield answer
            except asyncio.CancelledError:
                answer.cancel()
                raise
            if answer.status:
                return answer
            error = answer.error
            assert error is not None
            # The upstream closed a kept connection just as we wrote. It has not sent one byte of an answer, so once
            # more, on a fresh connection (RFC 9112 section 9.3.1).
            if not kept or answer.heard or error.code != "upstream.cut":
                raise error
            kept = False
            connection = None

    async def aclose(self) -> None:
        """Closes every connection; unfinished exchanges fail with `gateway.shutting_down`."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        error = GatewayError("gateway.shutting_down")
        await asyncio.gather(*(lane.pool.close(error) for lane in self._lanes.values()))

    def _new_lane(self, origin: Origin) -> _Lane:
        # A proxy is another host, so where hosts are restricted none is used.
        proxy = self._proxies.choose(origin) if self._allowed is None else None
        lane = _Lane(origin, proxy, Pool(self._options.max_resting))
        self._lanes[origin.key] = lane
        return lane

    def _begin_with(self, endpoint: Endpoint) -> tuple[_Lane, bytes]:
        origin = endpoint.origin
        lane = self._lanes.get(origin.key) or self._new_lane(origin)
        before = lane.absolute + origin.prefix
        start = write_start(b"POST", endpoint.target, lane.host_lines, before)
        start += endpoint.lines + b"content-length: "
        if len(self._starts) >= MOST_STARTS:
            self._starts.clear()
        self._starts[endpoint] = lane, start
        return lane, start

    async def _open(self, lane: _Lane, origin: Origin, provider: str) -> Connection:
        if self._closed:
            raise GatewayError("gateway.shutting_down")
        if self._allowed is not None and not self._allowed(origin.host):
            raise GatewayError("upstream.blocked", provider=provider)
        loop = asyncio.get_running_loop()
        if self._tls is None and origin.scheme == "https":
            self._tls = trust_store()
        limit = asyncio.timeout(self._options.connect_timeout_s)
        try:
            async with limit:
                connection = await connect(
                    loop,
                    lambda: Connection(loop, lane.pool, self._limits),
                    origin.host,
                    origin.port,
                    tls=self._tls if origin.scheme == "https" else None,
                    proxy=lane.proxy,
                    on_connect=self._on_connect,
                )
        except (OSError, ConnectFailure) as error:
            if limit.expired():
                raise timed_out(provider, "connect", self._options.connect_timeout_s) from None
            raise GatewayError("upstream.connect_failed", provider=provider, reason=describe(error)) from None
        if self._closed:
            connection.abort()
            raise GatewayError("gateway.shutting_down")
        if self._timer is None:
            self._timer = loop.call_later(self._sweep_s, self._sweep, loop)
        return connection

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        busy = False
        for lane in self._lanes.values():
            lane.pool.sweep(now)
            busy = busy or bool(lane.pool.open)
        self._timer = loop.call_later(self._sweep_s, self._sweep, loop) if busy else None
