"""One connection to an upstream, one exchange at a time, on llhttp (httptools).

States: *resting* (no answer expected; any byte but a close is a fault, the connection is dropped), *busy* (from
`begin` until the answer ends, fails or is cancelled), *lost*. After a complete answer the connection goes back to
its pool if both sides are in step: the whole request has left, the upstream keeps the connection alive, and not one
byte followed the answer.

llhttp runs without leniencies: it refuses bare CR or LF, folded lines, control characters, repeated or bad
Content-Length, and Content-Length beside Transfer-Encoding (RFC 9112, sections 2.2, 5 and 6.3). What it accepts but
we did not ask for, another transfer coding than chunked or a change of protocol, is refused here.

Upstreams repeat themselves, and the same head need not be read twice. A whole answer that came in one read, a head and a
body of known length, is remembered by its head and the length of both. What begins with the same bytes and is as long is
a whole answer too, since llhttp looks at no byte of such a body; it is taken as that without asking llhttp again.
"""

from __future__ import annotations

import asyncio
import re
from types import SimpleNamespace
from typing import Final, NoReturn, Protocol, cast

import httptools
from msgspec import Struct

from tokligence.errors import GatewayError
from tokligence.upstream.answer import Answer, Head
from tokligence.upstream.request import KNOWN_LIMIT, LONGEST_KNOWN

SLICE: Final = 65536
"""Bytes of a request body handed to the transport at a time; a shorter body leaves with the head in one write."""

_LENGTHS: Final = frozenset({b"content-length", b"transfer-encoding"})
"""Without one of these a body ends with its connection."""
_SPECIAL: Final = frozenset({b"keep-alive", b"transfer-encoding"})
"""Headers to look into; of lengths llhttp takes care."""

_lower: Final[dict[bytes, bytes]] = {}
"""Header name as it came -> in lower case: upstreams send the same few every time. None of
`_SPECIAL`."""

HEADS: Final = 64
LONGEST_HEAD: Final = 4096
"""Heads remembered of one origin, and bytes of one."""

_MESSAGE: Final = (None, None)
"""The marks of one message: its begin and its end."""

_KEEP_ALIVE_HINT: Final = re.compile(rb"(?i)\btimeout\s*=\s*(\d{1,6})\b")

# A hint is the moment at which the upstream closes, so a request must leave a little earlier.
_HINT_MARGIN_S: Final = 1.0


class Limits(Struct, frozen=True, kw_only=True):
    """Times in seconds, sizes in bytes. `first_s`: until the first byte of the body; `idle_s`: between bytes."""

    first_s: float = 600.0
    idle_s: float = 300.0
    keepalive_s: float = 60.0
    max_head: int = 65536
    max_headers: int = 100
    buffer: int = 262144


class Home(Protocol):
    """Where connections live between exchanges: their pool. `heads`: of answers that came whole in one read, by the
    length of the whole. `resting`: the connections between two exchanges."""

    heads: dict[int, Head]
    resting: list[Connection]

    def opened(self, connection: Connection) -> None: ...

    def withdraw(self, connection: Connection) -> None: ...

    def lost(self, connection: Connection) -> None: ...


_TOO_LARGE: Final = "its headers are too large"


def timed_out(provider: str, phase: str, seconds: float) -> GatewayError:
    return GatewayError("upstream.timeout", provider=provider, phase=phase, seconds=f"{seconds:g}")


class _Stop(Exception):
    """Raised inside a parser callback: nothing after this point is to be read."""


class Connection(asyncio.Protocol):
    __slots__ = (
        "_answer",
        "_awaited",
        "_barren",
        "_fault",
        "_fresh",
        "_head_only",
        "_headers",
        "_heads",
        "_hint_s",
        "_home",
        "_in_step",
        "_limits",
        "_loop",
        "_parser",
        "_pieces",
        "_quiet_since",
        "_reading_paused",
        "_resting",
        "_special",
        "_started",
        "_transport",
        "_unsent",
        "_usual",
        "_writing_paused",
    )

    _transport: asyncio.Transport  # set by connection_made

    def __init__(self, loop: asyncio.AbstractEventLoop, home: Home, limits: Limits) -> None:
        self._loop = loop
        self._home = home
        self._heads = home.heads
        self._resting = home.resting
        self._limits = limits
        self._answer: Answer | None = None
        # llhttp takes one mark at the begin of a message and one at its end, and fails when there is none: nothing is
        # awaited any more, and no byte may follow. That and collecting the body need no code of ours to run.
        self._awaited: list[None] = []
        self._pieces: list[bytes] = []
        self._headers: list[tuple[bytes, bytes]] = []
        self._special = False
        self._parser = httptools.HttpResponseParser(
            SimpleNamespace(
                on_message_begin=self._awaited.pop,
                on_header=self._on_header,
                on_headers_complete=self._on_head,
                on_body=self._pieces.append,
                on_message_complete=self._awaited.pop,
            )
        )
        self._in_step = False
        self._head_only = False
        self._usual = False  # the first bytes of an answer are awaited, to a request that left in one write
        self._fault = ""
        self._barren = 0
        self._hint_s = limits.keepalive_s
        self._unsent: memoryview | None = None
        self._reading_paused = False
        self._writing_paused = False
        self._fresh = True
        self._started = self._quiet_since = loop.time()

    # ------------------------------------------------------------------ for the client

    def begin(self, provider: str, start: bytes, rest: bytes, head_only: bool) -> Answer:
        """Sends a request and gives its answer, empty as yet. `start`: its head, with a body of at most `SLICE`;
        `rest`: a longer body. `head_only`: the answer to HEAD has no body."""
        answer = self._answer = Answer(provider, self)
        self._fresh = True
        self._head_only = head_only
        self._usual = not (rest or head_only)
        self._started = self._loop.time()
        self._transport.write(start)
        if rest:
            self._unsent = memoryview(rest)
            self._send_more()
        return answer

    def fail(self, error: GatewayError) -> None:
        """Ends the exchange, if there is one, with `error`, and closes the connection."""
        if self._answer is not None:
            self._answer.fail(error)
        self.abort()

    def abort(self) -> None:
        """Closes at once; what has not left of a request is dropped."""
        self._answer = None
        self._unsent = None
        self._home.withdraw(self)
        self._transport.abort()

    def check(self, now: float) -> None:
        """The sweep's question: is anything overdue? Silence is counted from the first sweep that finds it, so that
        no byte costs a look at the clock."""
        if self._fresh or self._reading_paused:
            # A paused upstream cannot be blamed for a silence that we asked for.
            self._fresh = False
            self._quiet_since = now
        if self._answer is not None:
            self._check_exchange(self._answer, now)
        elif (
            now - self._quiet_since >= self._hint_s > 0
        ):  # at 0 no connection rests; one may be about to begin
            self.abort()

    def _check_exchange(self, answer: Answer, now: float) -> None:
        limits = self._limits
        if answer.deadline is not None and now >= answer.deadline:
            self.fail(timed_out(answer.provider, "deadline", max(0.0, answer.deadline - self._started)))
        elif not answer.received:
            if now - self._started >= limits.first_s:
                self.fail(timed_out(answer.provider, "first byte", limits.first_s))
        elif now - self._quiet_since >= limits.idle_s:
            self.fail(timed_out(answer.provider, "idle", limits.idle_s))

    def resume_reading(self) -> None:
        if self._reading_paused:
            self._reading_paused = False
            self._fresh = True
            self._transport.resume_reading()

    # ------------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._home.opened(self)

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None:
            # An answer that nobody asked for would be taken for the next one.
            self.abort()
            return
        self._fresh = True
        usual = self._usual
        if usual:
            self._usual = False
            size = len(data)
            head = self._heads.get(size)
            if head is not None:
                body = data.removeprefix(head.raw)
                if len(body) < size:
                    self._answer = None
                    self._hint_s = head.hint_s
                    self._resting.append(self)
                    answer.complete(head, body)
                    return
        if not answer.heard:
            answer.heard = True
            self._awaited += _MESSAGE
            self._barren = 0
        self._barren += len(data)
        fault = None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._in_step = False
            fault = self._fault or str(error)
        body = b""
        if self._pieces:
            self._barren = 0
            body = b"".join(self._pieces)
            self._pieces.clear()
        if not self._awaited:
            if usual and self._in_step and self._hint_s > 0:
                self._learn(answer.head, data, len(body))
            self._settle(answer, body)
            return
        if body:
            answer.add(body)
        if fault is not None:
            self._refuse(answer, fault)
        elif self._barren > self._limits.max_head:
            self._refuse(answer, _TOO_LARGE)
        elif answer.status:
            if answer.received - answer.taken > self._limits.buffer:
                self._reading_paused = True
                self._transport.pause_reading()
            answer.wake()

    def _learn(self, head: Head, data: bytes, length: int) -> None:
        """`data` is a whole answer with a body of `length` bytes. If that is all that follows the head (there was no
        interim answer, and there are no chunks), the head is remembered."""
        start = data.find(b"\r\n\r\n") + 4
        if start + length == len(data) and start <= LONGEST_HEAD:
            if len(self._heads) >= HEADS:
                self._heads.clear()
            head.raw = data[:start]
            self._heads[len(data)] = head

    def eof_received(self) -> None:
        self._home.withdraw(self)
        answer = self._answer
        # asyncio cannot tell a TLS connection that was torn from one that was closed, so the end of an answer without
        # a length is believed here; the protocols above have terminal events and whole JSON to judge by.
        if answer is not None and answer.status and not any(name in _LENGTHS for name, _ in answer.headers):
            self._answer = None
            answer.finish()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the reason helps nobody
        self._unsent = None
        self._home.withdraw(self)
        self._home.lost(self)
        del self._parser  # it refers back to us
        answer = self._answer
        if answer is not None:
            self._answer = None
            answer.fail(GatewayError("upstream.cut", provider=answer.provider))

    def pause_writing(self) -> None:
        self._writing_paused = True
        self._usual = False

    def resume_writing(self) -> None:
        self._writing_paused = False
        self._send_more()

    def _send_more(self) -> None:
        while self._unsent is not None and not self._writing_paused:
            piece, rest = self._unsent[:SLICE], self._unsent[SLICE:]
            self._unsent = rest if rest else None
            self._transport.write(piece)

    def _settle(self, answer: Answer, body: bytes) -> None:
        """The answer is complete; `body`: its last piece."""
        self._answer = None  # a resting connection keeps nothing of what it carried
        self._headers.clear()
        if self._in_step and self._unsent is None and not self._writing_paused and self._hint_s > 0:
            self._resting.append(self)
        else:
            self.abort()
        answer.finish(body)

    def _refuse(self, answer: Answer, reason: str) -> None:
        self.fail(GatewayError("upstream.bad_response", provider=answer.provider, reason=reason))

    # ------------------------------------------------------------------ llhttp

    def _on_header(self, name: bytes, value: bytes) -> None:
        try:
            name = _lower[name]
        except KeyError:
            name = self._lower_new(name)
        self._headers.append((name, value.rstrip()))

    def _lower_new(self, name: bytes) -> bytes:
        lower = name.lower()
        if lower in _SPECIAL:
            self._special = True
        elif len(_lower) < KNOWN_LIMIT and len(name) <= LONGEST_KNOWN:
            _lower[name] = lower
        return lower

    def _on_head(self) -> None:
        headers = self._headers
        self._headers = []  # for the next head, or for trailers, which nobody gets
        parser, limits, answer = self._parser, self._limits, self._answer
        assert answer is not None, "nothing is parsed while no answer is awaited"
        status = parser.get_status_code()
        if not 200 <= status <= 599:
            self._on_other_status(status)
            return
        if len(headers) > limits.max_headers or (
            # What has been fed is at least the head; only if it is more than the limit the exact sum matters.
            self._barren > limits.max_head and sum(len(n) + len(v) + 4 for n, v in headers) > limits.max_head
        ):
            self._stop(_TOO_LARGE)
        self._in_step = parser.should_keep_alive()
        self._hint_s = limits.keepalive_s
        if self._special:
            self._special = False
            self._read_special(headers)
        answer.status = status
        answer.head = Head(status, headers, self._hint_s)
        if status >= 400 and self._unsent is not None:
            # An error before the whole request has left: the rest is unwanted (RFC 9112 section 9.5).
            self._unsent = None
            self._in_step = False
        if self._head_only:
            self._awaited.clear()
            raise _Stop

    def _on_other_status(self, status: int) -> None:
        if status == 101:
            self._stop("it changed the protocol")
        if not 100 <= status < 200:
            self._stop("its status is not valid")
        self._awaited += _MESSAGE  # an interim answer is a message to llhttp, and the next one is awaited

    def _read_special(self, headers: list[tuple[bytes, bytes]]) -> None:
        coded = False
        for name, value in headers:
            if name == b"keep-alive":
                hint = _KEEP_ALIVE_HINT.search(value)
                if hint is not None:
                    self._hint_s = min(self._hint_s, int(hint[1]) - _HINT_MARGIN_S)
            elif name == b"transfer-encoding":
                if coded or value.lower() != b"chunked":
                    self._stop("its transfer coding was not asked for")
                coded = True

    def _stop(self, reason: str) -> NoReturn:
        self._fault = reason
        raise _Stop
