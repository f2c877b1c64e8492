"""The real pipeline behind the real server, over real sockets, in front of the scripted upstreams.

    gate = await bench.serve(stream_usage="estimate")
    reply = await gate.ask("/v1/chat/completions", {...})
    gate.row.outcome

Whatever a test does, each call that began has ended exactly once when it is over.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.edge.peer import Peer, Reply
from tests.fakes.anthropic import Anthropic
from tests.fakes.openai import OpenAI
from tokligence.config.schema import Settings
from tokligence.conversation import Loss
from tokligence.edge.app import App
from tokligence.edge.guard import Guard, Keyring, Rules
from tokligence.edge.limits import Limits
from tokligence.edge.server import Server
from tokligence.errors import GatewayError
from tokligence.ledger.record import CallEnded, CallStarted
from tokligence.pipeline.build import allowed_hosts, build_state
from tokligence.pipeline.contract import Call, Headers
from tokligence.pipeline.hub import Hub
from tokligence.pipeline.ids import IdSource
from tokligence.pipeline.meter import Book, Meter
from tokligence.upstream.client import Client, Options
from tokligence.upstream.proxies import Proxies

CLIENT_KEY = "sk-of-the-client-that-stays-here"
CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
PATIENCE_S = 20.0


def chat(text: str = "hello", model: str = "gpt-4o", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def messages(text: str = "hello", model: str = "claude-sonnet-4-5", **more: Any) -> dict[str, Any]:
    return {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": text}], **more}


@dataclass
class MemoryBook:
    """The ledger as a list. `broken`: what fails now, "started" or "ended"."""

    begun: list[CallStarted] = field(default_factory=list)
    ended_calls: list[CallEnded] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    refused: int = 0
    at_end: Callable[[], None] | None = None

    def started(self, record: CallStarted) -> None:
        self._check("started")
        self.begun.append(record)

    def ended(self, record: CallEnded) -> None:
        self._check("ended")
        if self.at_end is not None:
            self.at_end()
        self.ended_calls.append(record)

    def _check(self, what: str) -> None:
        if what in self.broken:
            self.refused += 1
            raise GatewayError("gateway.ledger_unavailable", reason="the disk is full")

    def verdict(self) -> None:
        """Each call that began has ended once, unless the book was broken; no call has ended twice."""
        ends = Counter(record.request_id for record in self.ended_calls)
        assert all(number == 1 for number in ends.values()), "a call was booked twice"
        if not self.refused:
            assert {record.request_id for record in self.begun} <= set(ends), "a call was never booked"


@dataclass
class Watcher:
    """What metrics and log are told."""

    seen: list[tuple[CallEnded, list[Loss], int | None]] = field(default_factory=list)

    def call_ended(self, record: CallEnded, losses: Iterable[Loss], overhead_us: int | None) -> None:
        self.seen.append((record, list(losses), overhead_us))


class Control:
    """The process, as far as the app asks for it here."""

    token = "token"

    def __init__(self) -> None:
        self.crashes: list[BaseException] = []

    def crashed(self, error: BaseException, call: Call) -> str:
        self.crashes.append(error)
        return "req_crashed"

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the pipeline's tests do not ask for {name}")


class Gate:
    """One gateway under test."""

    def __init__(self, settings: Settings, book: Book | None, rules: Rules, proxies: Proxies) -> None:
        self.settings = settings
        self.memory = MemoryBook()
        self.watcher = Watcher()
        self.control = Control()
        self.connects: list[tuple[str, int]] = []
        state = build_state(settings)
        options = Options(
            connect_timeout_s=settings.connect_timeout_s,
            first_content_timeout_s=settings.first_content_timeout_s,
            idle_timeout_s=settings.idle_timeout_s,
        )
        self.client = Client(
            options, proxies, allowed_hosts(state), lambda host, port: self.connects.append((host, port))
        )
        self.hub = Hub(state, self.client, Meter(book or self.memory, self.watcher), IdSource())
        self.app = App(self.hub, Guard(rules), self.control)  # type: ignore[arg-type]
        self.server = Server(
            self.app, Limits(), self._error, lambda error, _: self.control.crashes.append(error)
        )
        self.peers: list[Peer] = []

    def _error(self, path: str, error: GatewayError) -> tuple[Headers, bytes]:
        return [(b"content-type", b"text/plain")], error.text.encode()

    @property
    def rows(self) -> list[CallEnded]:
        return self.memory.ended_calls

    @property
    def row(self) -> CallEnded:
        (row,) = self.memory.ended_calls
        return row

    async def booked(self, count: int = 1) -> CallEnded:
        """Waits until so many calls are booked; gives the last."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.memory.ended_calls) < count:  # noqa: ASYNC110 - nothing announces it
                await asyncio.sleep(0)
        return self.memory.ended_calls[-1]

    async def connect(self, **more: int) -> Peer:
        import socket

        sock = socket.socket()
        sock.setblocking(False)
        if "receive_buffer" in more:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, more["receive_buffer"])
        peer = Peer(sock)
        self.peers.append(peer)
        await peer.loop.sock_connect(sock, self.server.addresses[0])
        return peer

    async def send(
        self, path: str, body: dict[str, Any] | bytes, headers: dict[str, str] | None = None, **more: int
    ) -> Peer:
        """A request whose answer the test reads itself."""
        peer = await self.connect(**more)
        await peer.send(raw_request(path, body, headers))
        return peer

    async def ask(
        self, path: str, body: dict[str, Any] | bytes, headers: dict[str, str] | None = None
    ) -> Reply:
        peer = await self.send(path, body, headers)
        reply = await peer.reply()
        peer.close()
        return reply

    async def get(self, path: str, headers: dict[str, str] | None = None) -> Reply:
        peer = await self.connect()
        lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        await peer.send(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n{lines}\r\n".encode())
        reply = await peer.reply()
        peer.close()
        return reply

    async def stop(self) -> None:
        for peer in self.peers:
            peer.close()
        await self.server.drain(0)
        await self.client.aclose()
        self.memory.verdict()


def raw_request(path: str, body: dict[str, Any] | bytes, headers: dict[str, str] | None = None) -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"host": "localhost", "content-type": "application/json"} | (headers or {})
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items() if value is not None)
    return f"POST {path} HTTP/1.1\r\n{lines}content-length: {len(data)}\r\n\r\n".encode("latin-1") + data


class Bench:
    """Makes gateways for one test."""

    def __init__(self, openai: OpenAI, anthropic: Anthropic, compatible: OpenAI) -> None:
        self.openai = openai
        self.anthropic = anthropic
        self.compatible = compatible
        self.gates: list[Gate] = []

    def settings(self, **more: Any) -> Settings:
        given: dict[str, Any] = {
            "openai_base_url": self.openai.base_url,
            "openai_api_key": self.openai.key,
            "anthropic_base_url": self.anthropic.base_url,
            "anthropic_api_key": self.anthropic.key,
            "local_only": False,
        }
        return Settings(**(given | more))

    def endpoint(self) -> dict[str, str]:
        """Settings of the custom endpoint, an OpenAI-compatible server."""
        return {"llm_endpoint": self.compatible.base_url, "llm_api_key": self.compatible.key}

    async def serve(
        self, *, book: Book | None = None, keys: Any = (), proxies: Proxies | None = None, **settings: Any
    ) -> Gate:
        gate = Gate(self.settings(**settings), book, Rules(Keyring.of(keys)), proxies or Proxies())
        self.gates.append(gate)
        await gate.server.start("127.0.0.1", 0)
        return gate

    async def stop(self) -> None:
        for gate in self.gates:
            await gate.stop()


def events(body: bytes) -> list[tuple[str | None, Any]]:
    """The events of a stream: name and data, parsed unless it is `[DONE]`."""
    found: list[tuple[str | None, Any]] = []
    for raw in body.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in raw.split("\n") if ": " in line and line[0] != ":")
        if "data" in fields:
            data = fields["data"]
            found.append((fields.get("event"), data if data == "[DONE]" else json.loads(data)))
    return found


def text_of(body: bytes) -> str:
    """The text that a client of either protocol reads from a stream."""
    said = ""
    for _, data in events(body):
        if isinstance(data, dict):
            for choice in data.get("choices", ()):
                said += choice["delta"].get("content") or ""
            said += data.get("delta", {}).get("text", "") if data.get("type") == "content_block_delta" else ""
    return said


async def reached(event: Any) -> None:
    """Waits for an event of a scripted upstream, which lives in another thread."""
    assert await asyncio.to_thread(event.wait, PATIENCE_S) is not False, "it never happened"
