"""Instructions per request on the hot path, part by part: the same on a busy machine as on a quiet one.

    python -m benchmarks hot

Runs the gateway in one process under valgrind's callgrind (Debian: valgrind), with transports that are no sockets on
the client side and a static nginx as the upstream. Time follows instructions closely enough to see what a change is
worth; `python -m benchmarks speed` then tells the truth.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

from benchmarks import speed
from benchmarks.processes import LOAD_CORE, free_port, nginx

CLIENTS = 16
CALLS = 640
BARE = {
    "loop": "a loop over nothing",
    "calls": "calls answered by nobody",
    "steps": "coroutines that do nothing",
}
"""What counting and the harness itself cost, by how a part is run: measured first and taken off the others' figures."""

ANSWER = b"HTTP/1.1 200 OK\r\n\r\n"
HEADERS = [
    (b"x-tokligence-request-id", b"req_0123456789abcdef01234567"),
    (b"x-tokligence-overhead-us", b"123"),
    (b"x-tokligence-route", b"anthropic/claude-sonnet-4-5-20250929"),
    (b"x-request-id", b"req_0123456789abcdef01234567"),
    (b"x-tokligence-cost-usd", b"0.000123"),
    (b"content-type", b"application/json"),
]


def measure(_args: argparse.Namespace) -> dict[str, Any]:
    if shutil.which("valgrind") is None:
        sys.exit("valgrind is not installed; on Debian: apt-get install valgrind")
    with tempfile.TemporaryDirectory() as folder:
        home, port = Path(folder), free_port()
        speed.write_answers(home)
        with nginx(home, "upstream", speed.upstream_conf(home, port), LOAD_CORE):
            valgrind = [
                "valgrind",
                "--tool=callgrind",
                "--instr-atstart=no",
                f"--callgrind-out-file={home}/cg",
            ]
            inside = [sys.executable, "-m", "benchmarks.hot", str(home), str(port)]
            out = subprocess.run([*valgrind, *inside], capture_output=True, text=True, check=False)
        if "DONE" not in out.stdout:
            sys.exit(out.stdout + out.stderr)
        bare: dict[str, int] = {}
        figures = {}
        parts = re.findall(r"^PART (\w+) (.+)$", out.stdout, re.M)
        for number, (kind, name) in enumerate(parts, 1):
            totals = re.findall(r"^totals: (\d+)", (home / f"cg.{number}").read_text(), re.M)
            count = int(totals[-1]) // CALLS
            if name == BARE[kind]:
                bare[kind] = count
                continue
            figures[name] = count - bare[kind]
            print(f"{figures[name]:>9,} instructions  {name}", flush=True)
    return figures


# --- inside valgrind ------------------------------------------------------------------------------------


def _control(*words: str) -> None:
    subprocess.run(["callgrind_control", *words, str(os.getpid())], capture_output=True, check=True)


class _Round:
    """One request of each client, until all have their answer."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._left = 0
        self.done = loop.create_future()

    def begin(self) -> asyncio.Future[None]:
        self._left = CLIENTS
        self.done = self._loop.create_future()
        return self.done

    def answered(self) -> None:
        self._left -= 1
        if not self._left:
            self.done.set_result(None)


class _Transport(asyncio.Transport):
    """The client's side of a connection: takes what is written."""

    def __init__(self, round_: _Round) -> None:
        super().__init__()
        self._round = round_
        self.last = b""

    def write(self, data: Any) -> None:
        self.last = data
        self._round.answered()

    def get_extra_info(self, _name: str, default: Any = None) -> Any:
        return default

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


class _AtOnce:
    """Stands in for a model call: what is counted then is the edge."""

    def __init__(self, _hub: Any, _call: Any, sink: Any, _protocol: Any) -> None:
        self._sink = sink

    async def run(self) -> None:
        self._sink.on_gone(None)
        self._sink.whole(200, HEADERS, b"x" * 500)


class _Later(_AtOnce):
    """One that waits once, as for an upstream: see `upstream.answer`."""

    _asyncio_future_blocking = False

    async def run(self) -> None:
        await self
        await super().run()

    def __await__(self) -> Generator[Any, None, None]:
        self._asyncio_future_blocking = True
        yield self

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        asyncio.get_running_loop().call_soon(callback, self)


class _Steps:
    """Runs a coroutine as `edge.handling` does, less what a task must do besides."""

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._steps = coroutine.__await__()

    def step(self, _awaited: object = None) -> None:
        awaited = next(self._steps, None)
        if awaited is not None:
            awaited._asyncio_future_blocking = False
            awaited.add_done_callback(self.step)


def _request(body: dict[str, Any]) -> tuple[bytes, bytes]:
    """Head and body."""
    raw = json.dumps(body).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost:8081\r\nuser-agent: OpenAI/Python 3.57\r\n"
        "content-type: application/json\r\naccept: application/json\r\nauthorization: Bearer any\r\n"
        f"content-length: {len(raw)}\r\n\r\n"
    )
    return head.encode(), raw


def _loaded(home: Path, port: int) -> Any:
    from tokligence.config.load import load

    base = f"http://127.0.0.1:{port}"
    names = {"HOME": home / "home", "PORT": 0, "OPENAI_BASE_URL": f"{base}/v1", "ANTHROPIC_BASE_URL": base}
    names |= {"OPENAI_API_KEY": "sk-bench", "ANTHROPIC_API_KEY": "sk-ant-bench"}
    return load({f"TOKLIGENCE_{name}": str(value) for name, value in names.items()})


class _Counter:
    """A gateway with clients that are no sockets; `part` counts what one thing costs it."""

    def __init__(self, gateway: Any) -> None:
        from tokligence.edge.protocol import Connection

        self.gateway = gateway
        self._loop = asyncio.get_running_loop()
        self._round = _Round(self._loop)
        self.transports = [_Transport(self._round) for _ in range(CLIENTS)]
        self._received = []
        for transport in self.transports:
            connection = Connection(gateway._server)
            connection.connection_made(transport)
            self._received.append(connection.data_received)

    async def part(self, kind: str, name: str, run: Callable[[int], Awaitable[None]]) -> None:
        await run(CALLS)
        await self._settle()
        _control("-i", "on")
        await run(CALLS)
        await self._settle()
        _control("-d")
        _control("-i", "off")
        print(f"PART {kind} {name}", flush=True)

    async def _settle(self) -> None:
        """What was put off is done: it belongs to the calls that caused it."""
        await self.gateway.flush()
        self.gateway._log.flush()

    async def calls(
        self, *pieces: bytes, number: int, receivers: list[Callable[[bytes], object]] | None = None
    ) -> None:
        for _ in range(number // CLIENTS):
            done = self._round.begin()
            for receive in receivers or self._received:
                for piece in pieces:
                    self._loop.call_soon(receive, piece)
            await done
        transports = self.transports
        assert all(b" 200 " in transport.last[:20] for transport in transports), transports[0].last[:500]

    async def chain(self, function: Callable[[], Awaitable[object]], number: int) -> None:
        """A few at a time, each one call after the other."""

        async def one_after_the_other() -> None:
            for _ in range(number // CLIENTS):
                await function()
            self._round.answered()

        done = self._round.begin()
        for _ in range(CLIENTS):
            self._loop.call_soon(_Steps(one_after_the_other()).step)
        await done


def _repeated(function: Callable[[], object]) -> Callable[[int], Awaitable[None]]:
    async def run(number: int) -> None:
        for _ in range(number):
            function()

    return run


async def _parts(home: Path, port: int) -> None:
    from tokligence.conversation import ProtocolId
    from tokligence.edge.process import Gateway
    from tokligence.signals.log import Log
    from tokligence.wire.registry import CODECS

    loaded = _loaded(home, port)
    loaded.home.prepare()
    gateway = Gateway(loaded, lambda: loaded, Log(loaded.home.logs_dir))
    await gateway.open()
    for protocol in ProtocolId:
        _ = CODECS[protocol]  # which else are loaded while something is counted
    counter = _Counter(gateway)
    await _bare_parts(counter)
    await _whole_parts(counter)
    sent = await _codec_parts(counter)
    await _edge_parts(counter)
    await _client_part(counter, sent)
    print("DONE", flush=True)
    os._exit(0)


async def _bare_parts(counter: _Counter) -> None:
    async def nothing() -> None: ...

    at_once = [lambda _data, transport=transport: transport.write(ANSWER) for transport in counter.transports]
    await counter.part("loop", BARE["loop"], _repeated(lambda: None))
    await counter.part(
        "calls", BARE["calls"], lambda number: counter.calls(b"", number=number, receivers=at_once)
    )
    await counter.part("steps", BARE["steps"], lambda number: counter.chain(nothing, number))


async def _whole_parts(counter: _Counter) -> None:
    for name, body in (
        ("translated", speed.TO_CLAUDE),
        ("same protocol", speed.CHAT),
        ("loopback", speed.TO_LOOPBACK),
    ):
        http = b"".join(_request(body))
        await counter.part(
            "calls", f"the whole, {name}", lambda number, http=http: counter.calls(http, number=number)
        )


async def _codec_parts(counter: _Counter) -> bytes:
    """The body that goes to the upstream."""
    from tokligence.catalog.data import ROWS
    from tokligence.catalog.lookup import Catalogue
    from tokligence.conversation import ProtocolId
    from tokligence.wire.contract import ReplyContext, Target
    from tokligence.wire.registry import CODECS

    chat, messages = CODECS[ProtocolId.OPENAI_CHAT], CODECS[ProtocolId.ANTHROPIC]
    raw, answer = json.dumps(speed.TO_CLAUDE).encode(), json.dumps(speed.MESSAGE_ANSWER).encode()
    card = Catalogue(ROWS).card("claude-sonnet-4-5-20250929")
    target = Target(model=card.id, card=card, issuer="anthropic")
    request = chat.read_request(raw)
    written = messages.write_request(request, target)
    response = messages.read_response(answer, written.memory, "anthropic")
    context = ReplyContext(request_id="req_1", now=1, new_id=lambda prefix: prefix + "0" * 24)
    for name, function in (
        ("peek", lambda: chat.peek(raw)),
        ("read_request", lambda: chat.read_request(raw)),
        ("write_request", lambda: messages.write_request(request, target)),
        ("read_response", lambda: messages.read_response(answer, written.memory, "anthropic")),
        ("write_response", lambda: chat.write_response(response, context)),
        ("splice", lambda: chat.splice(raw, model="gpt-4o", ask_usage=False)),
    ):
        await counter.part("loop", name, _repeated(function))
    return written.body


async def _edge_parts(counter: _Counter) -> None:
    from tokligence.edge import app

    http = _request(speed.CHAT)
    whole = b"".join(http)
    app.ModelCall = _AtOnce
    await counter.part("calls", "edge, an answer at once", lambda number: counter.calls(whole, number=number))
    await counter.part(
        "calls", "edge, head and body apart", lambda number: counter.calls(*http, number=number)
    )
    app.ModelCall = _Later
    await counter.part(
        "calls", "edge, an answer after a wait", lambda number: counter.calls(whole, number=number)
    )


async def _client_part(counter: _Counter, body: bytes) -> None:
    from tokligence.conversation import ProtocolId

    hub = counter.gateway._hub
    endpoint = hub.plans.of(ProtocolId.OPENAI_CHAT, "claude-sonnet-4-5-20250929").own
    assert endpoint is not None
    client, hop = hub.client, hub.hop_lines

    async def ask() -> None:
        got = await client.post(endpoint, body, hop)
        if got.body(1 << 20) is None:
            await got.read(1 << 20)

    await counter.part("steps", "upstream client", lambda number: counter.chain(ask, number))


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_parts(Path(sys.argv[1]), int(sys.argv[2])))
