"""The listening side: sockets, all connections, the sweep over their deadlines, and the drain."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Final

from tokligence.edge.answer import StatusLines
from tokligence.edge.handling import Handler, Handling
from tokligence.edge.known import KnownHeads, Route
from tokligence.edge.limits import Limits
from tokligence.edge.listen import BACKLOG, connection_limit, open_sockets, raise_file_limit
from tokligence.edge.outgoing import Outgoing
from tokligence.edge.protocol import Connection
from tokligence.errors import GatewayError
from tokligence.pipeline.contract import Call, Headers

Router = Callable[[Call], Route | None]
"""What is to be done with every call with the head of this one, as far as the head alone decides it; None: let the
handler see each. It does not change the call."""

ErrorWriter = Callable[[str, GatewayError], tuple[Headers, bytes]]
"""(path, error) -> headers, among them content-type, and body, in the shape that the path's clients expect."""

OnCrash = Callable[[BaseException, Call], str | None]
"""Told of an exception that escaped the handler; the client gets `gateway.internal`, with the detail `request_id` as
given back."""

TICK_S: Final = 0.25
"""How often deadlines are looked at, so how late a time-out may come."""

REFUSABLE: Final = 32
"""Connections beyond the limit that are told so at a time; more are closed without a word."""

CANCEL_S: Final = 2.0
"""After a drain's time-out: how long handlers whose client was cut have to finish, before they are cancelled."""


class Server:
    """Made inside a running loop. `limits` may be replaced while serving (except `max_connections`). What `route`
    said is kept until `forget_heads`."""

    def __init__(
        self,
        handler: Handler,
        limits: Limits,
        error_writer: ErrorWriter,
        on_crash: OnCrash,
        route: Router | None = None,
    ) -> None:
        self.handler = handler
        self.route = route
        self.known = KnownHeads()
        self._limits = limits
        self.loop = asyncio.get_running_loop()
        self.lines = StatusLines()
        self.tasks: set[Handling] = set()
        self.now = self.loop.time()  # as of the last tick
        self.idle_until = self.now + limits.keepalive_timeout_s  # of a connection that has nothing to do now
        self.max_connections = 0
        self.addresses: list[tuple[str, int]] = []
        self.crashed = on_crash
        self._error_writer = error_writer
        self._connections: set[Connection] = set()
        self._watched: set[Outgoing] = set()
        self._listeners: list[asyncio.Server] = []
        self._timer: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def limits(self) -> Limits:
        return self._limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._limits = limits
        self.known.forget()

    @property
    def draining(self) -> bool:
        return self.lines.draining

    @property
    def connections(self) -> int:
        return len(self._connections)

    @property
    def running(self) -> int:
        """Requests whose handler has not returned."""
        return len(self.tasks)

    async def start(self, host: str, port: int) -> list[tuple[str, int]]:
        """Listens; returns the addresses. Raises `listen.AddressInUse`."""
        self.max_connections = connection_limit(self.limits, raise_file_limit())
        for sock in open_sockets(host, port):
            self.addresses.append(sock.getsockname()[:2])
            listener = await self.loop.create_server(lambda: Connection(self), sock=sock, backlog=BACKLOG)
            self._listeners.append(listener)
        self._tick()
        return self.addresses

    def stop_accepting(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    async def drain(self, timeout: float | None = None) -> int:
        """Stops accepting, closes idle connections, lets running requests finish for `timeout` seconds
        (`drain_timeout_s`), then cuts the rest. Returns how many connections were cut."""
        self.lines.draining = True
        self.stop_accepting()
        for connection in tuple(self._connections):
            connection.drain()
        seconds = self.limits.drain_timeout_s if timeout is None else timeout
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            pass
        cut = len(self._connections)
        for connection in tuple(self._connections):
            connection.cut()
        await self._empty.wait()
        await self._finish_tasks()
        if self._timer is not None:
            self._timer.cancel()
        return cut

    async def _finish_tasks(self) -> None:
        """A handler outlives its answer by what it still books."""
        await ended(self.tasks, CANCEL_S)
        late = tuple(self.tasks)
        for task in late:
            task.cancel()
        await ended(late)

    def forget_heads(self) -> None:
        """Those who call may no longer be allowed to."""
        self.known.forget()

    # --- what connections need of the server

    def admit(self, connection: Connection) -> GatewayError | None:
        """Counts a new connection in; gives the error to send if there is no room for it."""
        self._connections.add(connection)
        self._empty.clear()
        excess = len(self._connections) - self.max_connections
        if excess <= 0:
            return None
        if excess > REFUSABLE:
            connection.cut()
            return None
        return GatewayError("gateway.overloaded", retry_after="1")

    def forget(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._watched.discard(connection)
        if not self._connections:
            self._empty.set()

    def watch(self, connection: Outgoing) -> bool:
        """Has `connection.check` called at each tick; False if that is so already."""
        if connection in self._watched:
            return False
        self._watched.add(connection)
        return True

    def error_answer(self, path: str, error: GatewayError) -> tuple[Headers, bytes]:
        headers, body = self._error_writer(path, error)
        if error.retry_after is not None and all(name != b"retry-after" for name, _ in headers):
            headers = [*headers, (b"retry-after", error.retry_after.encode())]
        return headers, body

    # --- the sweep

    def _tick(self) -> None:
        self._timer = self.loop.call_later(TICK_S, self._tick)
        self.sweep(self.loop.time())

    def sweep(self, now: float) -> None:
        """`now`: the loop's clock."""
        self.now = now
        self.idle_until = now + self.limits.keepalive_timeout_s
        self.lines.refresh(time.time())
        late = [connection for connection in self._connections if connection.deadline <= now]
        for connection in late:
            connection.expire()
        for watched in tuple(self._watched):
            if not watched.check(now):
                self._watched.discard(watched)


async def ended(handlings: Iterable[Handling], timeout: float | None = None) -> None:
    """Waits until all of them have ended, `timeout` seconds at most."""
    waited = [handling.over() for handling in handlings]
    if waited:
        await asyncio.wait(waited, timeout=timeout)
