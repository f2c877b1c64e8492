"""What the scripted upstreams have in common: the queue of replies, the record of requests, the violations.

    fake.script(replies.text("Hel", "lo"), Failure(529))   # the next two requests get these, in order
    fake.script(lambda request: ...)                        # or decide by the request
    fake.requests[0].json["messages"]

Whatever breaks the vendor's rules gets the vendor's own error *and* stands in `fake.violations`, which fails the test
when it ends, unless the test said `fake.expect("part of it")` before.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tests.fakes.replies import Failure, Reply, Script
from tests.fakes.server import Exchange, Request, Server

Brain = Callable[[Request], Script]

# RFC 9110 section 7.6.1, and what no client's credentials may arrive in besides the vendor's own header.
HOP_BY_HOP = (
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
)
CREDENTIALS = ("authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie")
ONCE = (
    "authorization",
    "x-api-key",
    "x-goog-api-key",
    "content-type",
    "content-length",
    "anthropic-version",
    "user-agent",
    "accept",
)


@dataclass(frozen=True)
class Violation:
    """A broken rule, as the vendor would answer it."""

    message: str
    status: int = 400
    kind: str | None = None
    code: str | None = None
    param: str | None = None


class ScriptedUpstream:
    """Base of the fakes: a server, its script and what it saw. Thread-safe for one test at a time."""

    vendor = ""
    key = ""
    key_headers: tuple[str, ...] = ()

    def __init__(self, port: int = 0) -> None:
        self.server = Server(self._handle, port)
        self.requests: list[Request] = []
        self.violations: list[str] = []
        self.notes: list[str] = []  # peculiar but allowed
        self._expected: list[str] = []
        self._queue: deque[Script | Brain] = deque()
        self._arrived = threading.Condition()
        self._secrets: list[str] = []
        self._numbers = itertools.count(1)

    # --- for tests

    def start(self) -> None:
        self.server.start()

    def stop(self) -> None:
        self.server.stop()

    @property
    def url(self) -> str:
        """Without a path, e.g. http://127.0.0.1:40001."""
        return self.server.url

    @property
    def disconnected(self) -> threading.Event:
        """Set when a client has left before its answer was complete."""
        return self.server.left

    @property
    def connections(self) -> int:
        """Accepted since the start."""
        return self.server.connections

    def script(self, *replies: Script | Brain) -> None:
        """Each of the next requests gets the next of these; after that, the brain decides again."""
        self._queue.extend(replies)

    def expect(self, fragment: str) -> None:
        """This test wants a violation whose text contains `fragment`; its absence fails too."""
        self._expected.append(fragment)

    def must_not_see(self, secret: str) -> None:
        """`secret` (a client's key) must not arrive here in any header, query or body."""
        self._secrets.append(secret)

    def wait_for_requests(self, count: int, timeout: float = 20.0) -> list[Request]:
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self.requests) >= count, timeout):
                raise AssertionError(f"{len(self.requests)} of {count} requests came")
        return self.requests

    def calls(self) -> list[Request]:
        """The requests that asked a model (no lists, no counts)."""
        return [r for r in self.requests if r.path == self.call_path]

    @property
    def last(self) -> Request:
        return self.calls()[-1]

    call_path = ""

    def reset(self) -> None:
        """Forgets script and record; connections stay."""
        self.requests.clear()
        self.violations.clear()
        self.notes.clear()
        self._expected.clear()
        self._queue.clear()
        self._secrets.clear()
        self.server.broken.clear()
        self.server.crashes.clear()
        self.server.left.clear()

    def verdict(self) -> list[str]:
        """Why the test fails; empty if it does not."""
        seen = self.violations + [f"HTTP: {fault}" for fault in self.server.broken]
        wrong = [v for v in seen if not any(e in v for e in self._expected)]
        wrong += [
            f"expected, but did not happen: {e}" for e in self._expected if not any(e in v for v in seen)
        ]
        wrong += [f"the fake itself failed: {crash!r}" for crash in self.server.crashes]
        if self._queue:
            wrong.append(f"{len(self._queue)} scripted replies were never asked for")
        return [f"{self.vendor}: {w}" for w in wrong]

    # --- for the fakes

    def new_id(self, prefix: str) -> str:
        """Unique, in the vendors' look: `chatcmpl-…`, `msg_01…`, `call_…`."""
        number = next(self._numbers)
        digits = re.sub(r"[^A-Za-z0-9]", "", f"{number * 2654435761 % 2**32:08x}{number:06d}Tgw")
        return prefix + digits.ljust(24, "x")

    def next_script(self, request: Request) -> Script:
        step = self._queue.popleft() if self._queue else self.brain
        return step(request) if callable(step) else step

    def brain(self, request: Request) -> Script:
        """What to answer when nothing is scripted."""
        raise NotImplementedError

    async def route(self, request: Request, exchange: Exchange) -> None:
        """Answers one request."""
        raise NotImplementedError

    async def _handle(self, request: Request, exchange: Exchange) -> None:
        with self._arrived:
            self.requests.append(request)
            self._arrived.notify_all()
        self.violations += [
            f"{request.method} {request.path}: {fault}" for fault in self._header_faults(request)
        ]
        await self.route(request, exchange)

    def violated(self, request: Request, violation: Violation) -> Failure:
        """Records `violation` and gives the vendor's answer to it."""
        where = (
            f" ({violation.param})" if violation.param and violation.param not in violation.message else ""
        )
        self.violations.append(f"{request.method} {request.path}: {violation.message}{where}")
        return Failure(
            violation.status,
            violation.message,
            kind=violation.kind,
            code=violation.code,
            param=violation.param,
        )

    def _header_faults(self, request: Request) -> Iterable[str]:
        for name in HOP_BY_HOP:
            if request.header(name) is not None:
                yield f"hop-by-hop header {name} was forwarded"
        connection = request.header("connection")
        if connection is not None and connection.lower() not in ("keep-alive", "close"):
            yield f"connection: {connection}"
        for name in CREDENTIALS:
            if name not in self.key_headers and request.header(name) is not None:
                yield f"credential header {name} was forwarded"
        for name in ONCE:
            if len(request.all(name)) > 1:
                yield f"header {name} came {len(request.all(name))} times"
        if request.header("host") != f"127.0.0.1:{self.server.port}":
            yield f"host is {request.header('host')!r}"
        for name, _ in request.headers:
            if name.startswith("x-tokligence-") and name != "x-tokligence-hop":
                yield f"header {name} is meant for the gateway only"
        everything = [v for _, v in request.headers] + [
            request.query,
            request.body.decode("utf-8", "replace"),
        ]
        for secret in self._secrets:
            if any(secret in place for place in everything):
                yield "a client's key reached the upstream"


class BadJson(ValueError):
    """Not JSON as RFC 8259 has it."""


def read_json(body: bytes) -> Any:
    """Strict: UTF-8, no NaN, no duplicate keys."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) != len(pairs):
            raise BadJson("a key is repeated")
        return value

    def constant(name: str) -> None:
        raise BadJson(f"{name} is not JSON")

    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=unique, parse_constant=constant)
    except UnicodeDecodeError as fault:
        raise BadJson("not UTF-8") from fault
    except json.JSONDecodeError as fault:
        raise BadJson(str(fault)) from fault


def sse(data: Any, event: str | None = None) -> bytes:
    """One event, as both vendors write it."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {text}\n\n".encode()


def script_failure(reply: Reply, frames: list[bytes], content_end: int, error_frame: bytes) -> list[bytes]:
    """Puts the error event of `reply` where it says; `content_end`: number of frames before the stream's closing."""
    cut = content_end if reply.failure_after is None else reply.failure_after
    return [*frames[:cut], error_frame]
