"""A whole gateway in this process, on a loop of its own, with raw sockets to talk to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tokligence.config.load import Loaded, load
from tokligence.edge.process import Gateway
from tokligence.edge.runfile import hold_home
from tokligence.signals.log import Log

T = TypeVar("T")
JSON_HEADERS = {"host": "localhost", "content-type": "application/json"}
CHAT = {"model": "loopback", "messages": [{"role": "user", "content": "Hello"}]}


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class HeardLog(Log):
    """A log whose events can be waited for."""

    def __init__(self, directory: Path, *, level: str) -> None:
        self.heard: list[str] = []
        self.changed = threading.Condition()
        super().__init__(directory, level=level)

    def _append(self, level: bytes, event: str, fields: bytes) -> None:
        super()._append(level, event, fields)
        with self.changed:
            self.heard.append(event)
            self.changed.notify_all()


class Live:
    def __init__(self, home: Path, environ: Mapping[str, str], flags: Mapping[str, str]) -> None:
        self.environ = dict(environ)
        self.flags = {"port": "0", **flags}
        self.root = home
        self.gateway: Gateway
        self.log: HeardLog
        self.loop: asyncio.AbstractEventLoop
        self.failure: BaseException | None = None
        self._opened = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def load(self) -> Loaded:
        return load(self.environ, self.flags, self.root)

    def _serve(self) -> None:
        try:
            loaded = self.load()
            loaded.home.prepare()
            self.log = HeardLog(loaded.home.logs_dir, level=loaded.settings.log_level)
            with hold_home(loaded.home), asyncio.Runner() as runner:
                runner.run(self._whole(loaded))
        except BaseException as error:
            self.failure = error
        finally:
            self._opened.set()

    async def _whole(self, loaded: Loaded) -> None:
        self.loop = asyncio.get_running_loop()
        self.gateway = Gateway(loaded, self.load, self.log, self.flags)
        await self.gateway.run(self._opened.set)

    def start(self) -> None:
        self._thread.start()
        self._opened.wait()
        if self.failure is not None:
            self._thread.join()
            raise self.failure

    def stop(self) -> None:
        if self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                self.loop.call_soon_threadsafe(self.gateway.stop)
        self._thread.join()
        self.log.close()
        if self.failure is not None:
            raise self.failure

    def joined(self) -> None:
        self._thread.join()

    def within(self, action: Callable[[], T]) -> T:
        """What `action` gives, run by the gateway's own thread."""

        async def run() -> T:
            return action()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(30)

    def reload(self) -> dict[str, Any]:
        return asyncio.run_coroutine_threadsafe(self.gateway.reload(), self.loop).result(30)

    def lines(self) -> list[dict[str, Any]]:
        """The log so far."""
        if self._thread.is_alive():
            self.within(self.log.flush)
        text = self.gateway.home.log_file.read_text("utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.lines() if line["event"] == name]

    def wait_for(self, event: str, times: int = 1) -> None:
        """Until the log has had it so often."""
        with self.log.changed:
            assert self.log.changed.wait_for(lambda: self.log.heard.count(event) >= times, 30), self.log.heard

    def set(self, text: str) -> None:
        """The configuration file of the environment."""
        file = self.gateway.home.env_ini("dev")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")

    # --- talking to it

    def raw(self, data: bytes, *, half_close: bool = False) -> bytes:
        """Everything that comes back until the gateway closes, or the first whole answer."""
        with socket.create_connection(("127.0.0.1", self.gateway.port), 30) as sock:
            sock.sendall(data)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
            return _one_answer(sock, head_only=data.startswith(b"HEAD"))

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str | bytes] | None = None,
    ) -> Reply:
        named = {**JSON_HEADERS, **(headers or {})}
        lines = [f"{method} {path} HTTP/1.1".encode("latin-1")]
        lines += [
            name.encode() + b": " + (value if isinstance(value, bytes) else value.encode("latin-1"))
            for name, value in named.items()
            if value is not None
        ]
        if body is not None:
            lines.append(b"Content-Length: %d" % len(body))
        return read_reply(self.raw(b"\r\n".join([*lines, b"", body or b""])))

    def get(self, path: str, **headers: str) -> Reply:
        return self.send("GET", path, None, _named(headers))

    def post(self, path: str, body: Any = CHAT, **headers: str) -> Reply:
        return self.send("POST", path, json.dumps(body).encode(), _named(headers))


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def _one_answer(sock: socket.socket, *, head_only: bool) -> bytes:
    data = b""
    while chunk := sock.recv(65536):
        data += chunk
        head, end, body = data.partition(b"\r\n\r\n")
        if end and b" 100 " in head.split(b"\r\n", 1)[0]:
            data = body
            continue
        if end and (head_only or _is_whole(head, body)):
            break
    return data


def _is_whole(head: bytes, body: bytes) -> bool:
    for line in head.lower().split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return len(body) >= int(value)
        if name == b"transfer-encoding":
            return body.endswith(b"0\r\n\r\n")
    return b" 204 " in head.split(b"\r\n", 1)[0]


def read_reply(raw: bytes) -> Reply:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body = _dechunked(body)
    return Reply(int(first.split(" ")[1]), headers, body)


def _dechunked(data: bytes) -> bytes:
    parts = []
    while data:
        size, _, rest = data.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            break
        parts.append(rest[:length])
        data = rest[length + 2 :]
    return b"".join(parts)


@contextlib.contextmanager
def live(home: Path, environ: Mapping[str, str] | None = None, **flags: str) -> Iterator[Live]:
    """A gateway that serves; it must end without a failure."""
    running = Live(home, environ or {}, flags)
    running.start()
    try:
        yield running
    finally:
        running.stop()
