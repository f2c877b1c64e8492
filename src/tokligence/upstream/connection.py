"""One connection to an upstream, one exchange at a time, on llhttp (httptools).

States: *resting* (no answer expected; any byte but a close is a fault, the connection is dropped), *busy* (from
`begin` until the answer ends, fails or is cancelled), *lost*. After a complete answer the connection goes back to
its pool if both sides are in step: the whole request has left, the upstream keeps the connection alive, and not one
byte followed the answer.

llhttp runs without leniencies: it refuses bare CR or LF, folded lines, control characters, repeated or bad
Content-Length, and Content-Length beside Transfer-Encoding (RFC 9112, sections 2.2, 5 and 6.3). What it accepts but
we did not ask for, another transfer coding than chunked or a change of protocol, is refused here.
"""

from __future__ import annotations

import asyncio
import re
from typing import Final, NoReturn, Protocol, cast

import httptools
from msgspec import Struct

from tokligence.errors import GatewayError
from tokligence.upstream.answer import Answer

SLICE: Final = 65536
"""Bytes of a request body handed to the transport at a time; a shorter body leaves with the head in one write."""

_FRAMING: Final = frozenset({b"content-length", b"keep-alive", b"transfer-encoding"})

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
    """Where connections live between exchanges: their pool."""

    def opened(self, connection: Connection) -> None: ...

    def rest(self, connection: Connection) -> None: ...

    def withdraw(self, connection: Connection) -> None: ...

    def lost(self, connection: Connection) -> None: ...


_TOO_LARGE: Final = "its headers are too large"


def timed_out(provider: str, phase: str, seconds: float) -> GatewayError:
    return GatewayError("upstream.timeout", provider=provider, phase=phase, seconds=f"{seconds:g}")


class _Stop(Exception):
    """Raised inside a parser callback: nothing after this point is to be read."""


class Connection(asyncio.Protocol):
    """`resting`: kept by the pool, belongs to no exchange."""

    __slots__ = (
        "_answer",
        "_barren",
        "_busy",
        "_complete",
        "_fault",
        "_fresh",
        "_head_only",
        "_headers",
        "_hint_s",
        "_home",
        "_in_step",
        "_limits",
        "_loop",
        "_parser",
        "_quiet_since",
        "_reading_paused",
        "_started",
        "_transport",
        "_unframed",
        "_unsent",
        "_writing_paused",
        "resting",
    )

    # Set before anything reads them: by connection_made and by begin.
    _transport: asyncio.Transport
    _answer: Answer

    def __init__(self, loop: asyncio.AbstractEventLoop, home: Home, limits: Limits) -> None:
        self.resting = False
        self._loop = loop
        self._home = home
        self._limits = limits
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._busy = False
        self._complete = False
        self._in_step = False
        self._unframed = False
        self._head_only = False
        self._fault = ""
        self._barren = 0
        self._hint_s = limits.keepalive_s
        self._unsent: memoryview | None = None
        self._reading_paused = False
        self._writing_paused = False
        self._fresh = True
        self._started = self._quiet_since = loop.time()

    # ------------------------------------------------------------------ for the client

    def begin(self, provider: str, head: bytes, body: bytes, *, head_only: bool) -> Answer:
        """Sends a request and gives its answer, empty as yet. `head_only`: the answer to HEAD has no body."""
        answer = self._answer = Answer(provider, self._loop, self)
        self._busy = self._fresh = True
        self._complete = False
        self._head_only = head_only
        self._barren = 0
        self._hint_s = self._limits.keepalive_s
        self._started = self._loop.time()
        if len(body) <= SLICE:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._unsent = memoryview(body)
            self._send_more()
        return answer

    def fail(self, error: GatewayError) -> None:
        """Ends the exchange, if there is one, with `error`, and closes the connection."""
        if self._busy:
            self._answer.fail(error)
        self.abort()

    def abort(self) -> None:
        """Closes at once; what has not left of a request is dropped."""
        self._busy = False
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
        if self._busy:
            self._check_exchange(now)
        elif self.resting and now - self._quiet_since >= self._hint_s:
            self.abort()

    def _check_exchange(self, now: float) -> None:
        answer, limits = self._answer, self._limits
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
        if not self._busy:
            # An answer that nobody asked for would be taken for the next one.
            self.abort()
            return
        answer = self._answer
        answer.heard = self._fresh = True
        self._barren += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if not self._complete:
                self._refuse(self._fault or str(error))
                return
            self._in_step = False
        if self._complete:
            self._settle()
        elif self._barren > self._limits.max_head:
            self._refuse(_TOO_LARGE)
        elif answer.status:
            if answer.received - answer.taken > self._limits.buffer:
                self._reading_paused = True
                self._transport.pause_reading()
            answer.wake()

    def eof_received(self) -> None:
        self._home.withdraw(self)
        # asyncio cannot tell a TLS connection that was torn from one that was closed, so the end of an answer without
        # a length is believed here; the protocols above have terminal events and whole JSON to judge by.
        if self._busy and self._answer.status and self._unframed:
            self._busy = False
            self._answer.finish()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the reason helps nobody
        self._unsent = None
        self._home.withdraw(self)
        self._home.lost(self)
        del self._parser  # it refers back to us
        if self._busy:
            self._busy = False
            self._answer.fail(GatewayError("upstream.cut", provider=self._answer.provider))

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        self._send_more()

    def _send_more(self) -> None:
        while self._unsent is not None and not self._writing_paused:
            piece, rest = self._unsent[:SLICE], self._unsent[SLICE:]
            self._unsent = rest if rest else None
            self._transport.write(piece)

    def _settle(self) -> None:
        """The answer is complete."""
        self._busy = False
        answer = self._answer
        del self._answer  # a resting connection keeps nothing of what it carried
        answer.finish()
        if self._in_step and self._unsent is None and not self._writing_paused and self._hint_s > 0:
            self._home.rest(self)
        else:
            self.abort()

    def _refuse(self, reason: str) -> None:
        self.fail(GatewayError("upstream.bad_response", provider=self._answer.provider, reason=reason))

    # ------------------------------------------------------------------ httptools

    def on_message_begin(self) -> None:
        if self._complete:
            raise _Stop
        self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value.rstrip()))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status == 101:
            self._stop("it changed the protocol")
        if 100 <= status < 200:
            return
        if not 200 <= status <= 599:
            self._stop("its status is not valid")
        headers = self._headers
        limits = self._limits
        if len(headers) > limits.max_headers or (
            # What has been fed is at least the head; only if it is more than the limit the exact sum matters.
            self._barren > limits.max_head and sum(len(n) + len(v) + 4 for n, v in headers) > limits.max_head
        ):
            self._stop(_TOO_LARGE)
        self._read_framing(headers)
        answer = self._answer
        answer.status = status
        answer.headers = headers
        self._headers = []  # for trailers, which nobody gets
        if status >= 400 and self._unsent is not None:
            # An error before the whole request has left: the rest is unwanted (RFC 9112 section 9.5).
            self._unsent = None
            self._in_step = False
        if self._head_only:
            self._complete = True
            raise _Stop

    def _read_framing(self, headers: list[tuple[bytes, bytes]]) -> None:
        coded = measured = False
        for name, value in headers:
            if name not in _FRAMING:
                continue
            if name == b"content-length":
                measured = True
            elif name == b"keep-alive":
                hint = _KEEP_ALIVE_HINT.search(value)
                if hint is not None:
                    self._hint_s = min(self._hint_s, int(hint[1]) - _HINT_MARGIN_S)
            elif coded or value.lower() != b"chunked":
                self._stop("its transfer coding was not asked for")
            else:
                coded = True
        self._unframed = not (coded or measured)
        self._in_step = self._parser.should_keep_alive()

    def _stop(self, reason: str) -> NoReturn:
        self._fault = reason
        raise _Stop

    def on_body(self, body: bytes) -> None:
        self._barren = 0
        self._answer.add(body)

    def on_message_complete(self) -> None:
        # llhttp completes an interim answer (1xx) as well; its head left the status at 0.
        if self._answer.status:
            self._complete = True
