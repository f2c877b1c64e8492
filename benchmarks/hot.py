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
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks import speed
from benchmarks.processes import LOAD_CORE, free_port, nginx

CLIENTS = 16
CALLS = 320
NOTHING = "nothing"
"""What switching the counting on and off costs; taken off the other figures."""


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
        names = re.findall(r"^PART (.+)$", out.stdout, re.M)
        figures = {}
        for number, name in enumerate(names, 1):
            totals = re.findall(r"^totals: (\d+)", (home / f"cg.{number}").read_text(), re.M)
            figures[name] = round(int(totals[-1]) / CALLS) - figures.get(NOTHING, 0)
            if name != NOTHING:
                print(f"{figures[name]:>9,} instructions  {name}", flush=True)
    return figures


# --- inside valgrind ------------------------------------------------------------------------------------


def _control(*words: str) -> None:
    subprocess.run(["callgrind_control", *words, str(os.getpid())], capture_output=True, check=True)


class _Transport(asyncio.Transport):
    """The client's side of a connection: takes what is written, tells when the answer is there."""

    def __init__(self) -> None:
        super().__init__()
        self.answered = asyncio.Event()
        self.last = b""

    def write(self, data: Any) -> None:
        self.last = bytes(data)
        self.answered.set()

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def get_extra_info(self, _name: str, default: Any = None) -> Any:
        return default

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


class _Sink:
    started = gone = False

    def whole(self, *_: Any) -> None: ...

    def on_gone(self, _: Any) -> None: ...


def _request(body: dict[str, Any]) -> bytes:
    raw = json.dumps(body).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost:8081\r\nuser-agent: OpenAI/Python 3.57\r\n"
        "content-type: application/json\r\naccept: application/json\r\nauthorization: Bearer any\r\n"
        f"content-length: {len(raw)}\r\n\r\n"
    )
    return head.encode() + raw


async def _parts(home: Path, port: int) -> None:
    from tokligence.catalog.data import ROWS
    from tokligence.catalog.lookup import Catalogue
    from tokligence.config.load import load
    from tokligence.conversation import ProtocolId
    from tokligence.edge.process import Gateway
    from tokligence.edge.protocol import Connection
    from tokligence.signals.log import Log
    from tokligence.wire.contract import ReplyContext, Target
    from tokligence.wire.registry import CODECS

    base = f"http://127.0.0.1:{port}"
    names = {"HOME": home / "home", "PORT": 0, "OPENAI_BASE_URL": f"{base}/v1", "ANTHROPIC_BASE_URL": base}
    names |= {"OPENAI_API_KEY": "sk-bench", "ANTHROPIC_API_KEY": "sk-ant-bench"}
    loaded = load({f"TOKLIGENCE_{name}": str(value) for name, value in names.items()})
    loaded.home.prepare()
    gateway = Gateway(loaded, lambda: loaded, Log(loaded.home.logs_dir))
    await gateway.open()
    server = gateway._server
    clients = []
    for _ in range(CLIENTS):
        transport = _Transport()
        connection = Connection(server)
        connection.connection_made(transport)
        clients.append((connection, transport))

    async def calls(request: bytes, number: int) -> None:
        for _ in range(number // CLIENTS):
            for connection, transport in clients:
                transport.answered.clear()
                connection.data_received(request)
            for _, transport in clients:
                await transport.answered.wait()
                assert b" 200 " in transport.last[:20], transport.last[:500]

    async def part(name: str, run: Callable[[int], Awaitable[None]]) -> None:
        await run(CALLS)
        _control("-i", "on")
        await run(CALLS)
        _control("-d")
        _control("-i", "off")
        print(f"PART {name}", flush=True)

    def repeated(function: Callable[[], object]) -> Callable[[int], Awaitable[None]]:
        async def run(number: int) -> None:
            for _ in range(number):
                function()

        return run

    chat, messages = CODECS[ProtocolId.OPENAI_CHAT], CODECS[ProtocolId.ANTHROPIC]
    raw, answer = json.dumps(speed.TO_CLAUDE).encode(), json.dumps(speed.MESSAGE_ANSWER).encode()
    card = Catalogue(ROWS).card("claude-sonnet-4-5-20250929")
    target = Target(model=card.id, card=card, issuer="anthropic")
    request = chat.read_request(raw)
    written = messages.write_request(request, target)
    response = messages.read_response(answer, written.memory, "anthropic")
    context = ReplyContext(request_id="req_1", now=1, new_id=lambda prefix: prefix + "0" * 24)
    for name, body in (
        ("translated", speed.TO_CLAUDE),
        ("same protocol", speed.CHAT),
        ("loopback", speed.TO_LOOPBACK),
    ):
        http = _request(body)
        await part(f"the whole, {name}", lambda number, http=http: calls(http, number))
    await part("peek", repeated(lambda: chat.peek(raw)))
    await part("read_request", repeated(lambda: chat.read_request(raw)))
    await part("write_request", repeated(lambda: messages.write_request(request, target)))
    await part("read_response", repeated(lambda: messages.read_response(answer, written.memory, "anthropic")))
    await part("write_response", repeated(lambda: chat.write_response(response, context)))
    await part("splice", repeated(lambda: chat.splice(raw, model="gpt-4o", ask_usage=False)))

    async def echo(_call: Any, sink: Any) -> None:
        sink.whole(200, [(b"content-type", b"application/json")], b"x" * 200)

    server.handler = echo
    http = _request(speed.CHAT)
    await part("server alone", lambda number: calls(http, number))
    origin = gateway._hub.state.providers["anthropic"].origin
    assert origin is not None
    headers = [
        (b"content-type", b"application/json"),
        (b"x-api-key", b"k"),
        (b"anthropic-version", b"2023-06-01"),
    ]
    client = gateway._hub.client

    async def ask(number: int) -> None:
        for _ in range(number // CLIENTS):
            await asyncio.gather(*(one() for _ in range(CLIENTS)))

    async def one() -> None:
        got = await client.send(origin, b"POST", b"/v1/messages", headers, written.body, provider="anthropic")
        await got.read(1 << 20)

    await part("client alone", ask)
    print("DONE", flush=True)
    os._exit(0)


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_parts(Path(sys.argv[1]), int(sys.argv[2])))
