"""One client connection: bytes -> requests -> answers, in order, one at a time.

Reading and answering are two independent states. Reading:

    IDLE --byte--> HEAD --head complete--> BODY --message complete--> IDLE
    HEAD --head complete, no body--> IDLE;  any --refused, last request, end of input--> OVER

While an answer runs nothing more is parsed: bytes that come are held, and past a limit reading pauses. Only what
stood behind the request in the same slice has been parsed already; it waits in `_waiting`.

Two rules keep the cost bounded. llhttp accumulates a field until its end, so the parser is fed in slices and never
more than the header limit without having reported something. No timer is set for a request: a connection carries
one `deadline`, and the server's sweep looks at all of them.
A request whose head came before (see `known`) passes the parser by; everything unusual about one does not.
"""

from __future__ import annotations

import asyncio
from enum import IntEnum
from functools import partial
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Final, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from tokligence.edge.answer import Answer
from tokligence.edge.body import Body, open_body
from tokligence.edge.handling import Handling
from tokligence.edge.head import (
    CHUNKED,
    Head,
    headers_too_large,
    malformed,
    read_head,
    read_target,
    without_upgrade,
)
from tokligence.edge.known import Memory, Parts, Route
from tokligence.edge.outgoing import Outgoing
from tokligence.errors import GatewayError
from tokligence.pipeline.contract import Call, Headers, Principal, Talk

if TYPE_CHECKING:
    from tokligence.edge.server import Server

SLICE: Final = 16384  # bytes parsed at once where several requests may stand in one read
HELD_LIMIT: Final = 65536  # bytes held behind a running answer before reading pauses
BODY_STEP: Final = 65536  # bytes of a body that earn it another `body_timeout_s`
LINGER_S: Final = 5.0
"""How long we still read, and drop, after the last answer while the client is still sending: closing at once would
reset the connection and could take the answer away before the client has read it (RFC 9112, 9.6)."""


class Reading(IntEnum):
    IDLE = 0
    HEAD = 1
    BODY = 2
    OVER = 3  # what still comes is dropped


# Read often: a member looked up on its class costs several times as much.
_IDLE, _HEAD, _BODY, _OVER = Reading
_NO_HEAD: Final = Head(Call("", "/", "", [], b"", 0.0), True)


class Connection(Outgoing):
    """Made by the server for each accepted socket."""

    __slots__ = (
        "_at_rest",
        "_behind",
        "_body",
        "_body_left",
        "_dropped",
        "_fresh",
        "_head",
        "_headers",
        "_held",
        "_memory",
        "_midway",
        "_offered_upgrade",
        "_owes_continue",
        "_parser",
        "_quiet",
        "_reading",
        "_target",
        "_unparsed",
        "_waiting",
    )

    _parser: HttpRequestParser

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self._reading: Reading = _IDLE
        self._at_rest = False  # surely between two requests, so the next bytes begin one
        self._behind = False  # there may be something behind the running answer
        self._target = b""
        self._headers: Headers = []
        self._head = _NO_HEAD
        self._body: Body | None = None
        self._body_left = 0  # bytes, of an announced length
        self._fresh = 0  # body bytes since the deadline was last moved
        self._quiet = 0  # bytes fed since the parser last completed something
        self._midway = False  # the parser is within a message
        self._memory = Memory(server.known)
        self._unparsed: Call | None = None  # the request under way, if it has a known head
        self._offered_upgrade = False
        self._owes_continue = False
        self._waiting: list[tuple[Answer, GatewayError | None]] = []
        self._held: bytearray | None = None
        self._dropped = False  # the client has sent, or is still sending, what nobody reads

    # --- the transport's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._parser = HttpRequestParser(self)
        self.deadline = self._server.now + self._server.limits.keepalive_timeout_s
        refusal = self._server.admit(self)
        if refusal is not None:
            self._refuse(refusal)
        elif self.lines.draining:
            self._close()
        else:
            self._at_rest = True

    def data_received(self, data: bytes) -> None:
        if not self._at_rest:
            self._receive_more(data)
            return
        self._at_rest = False
        memory = self._memory
        known = memory.known
        start = known.length_at
        stop = start + memory.digits
        begin = stop + known.after_size
        digits = data[start:stop]
        if data[:start] == known.before and data[stop:begin] == known.after and digits.isdigit():
            length = int(digits)
            left = length - len(data) + begin
            if left >= 0 and length <= known.longest_body:
                call = known.call(digits, data[begin:], perf_counter())
                if left:
                    self._await_body(call, left)
                else:
                    self._answer = handling = Handling(self, known.path, call)
                    self.deadline = inf
                    handling.begin(known.handler)
                return
        if memory.recalls(data):
            self._at_rest = True
            self.data_received(data)
        else:
            self._behind = True
            self._parse(data)
            memory.new = None

    def _receive_more(self, data: bytes) -> None:
        if self._reading is _OVER:
            self._behind = self._dropped = True
        elif self._unparsed is not None:
            self._take_body(self._unparsed, data)
        else:
            self._behind = True
            if self._answer is not None:
                self._hold(data)
            else:
                self._parse(data)

    def eof_received(self) -> bool:
        """True keeps our side open."""
        self._ended_input = self._behind = True
        answer = self._answer
        if answer is None:
            return self._input_ended()
        if answer.started:
            self.cut()
            return False
        self.watch()
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the interface
        self.lost = True
        self._at_rest = False
        self._reading = _OVER
        del self._parser  # it refers back to us
        self._body = self._held = None
        self._waiting.clear()
        self._server.forget(self)
        if self.room is not None:
            self.room.set()
        if self._answer is not None:
            self._answer.leave()

    # --- the parser's callbacks

    def on_message_begin(self) -> None:
        self._midway = True

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        # llhttp strips white space before a value, not after it; it lets none pass but spaces and tabs.
        self._headers.append((name.lower(), value.rstrip()))

    def on_headers_complete(self) -> None:
        parser = self._parser
        headers = self._headers
        method = parser.get_method().decode()
        if self._quiet > self._server.limits.max_header_bytes:
            self._measure_head()
        self._head = head = read_head(
            method, self._target, parser.get_http_version(), headers, self._server.limits
        )
        self._headers = []  # of trailers, which are dropped
        self._quiet = 0
        if parser.should_upgrade():
            self._weigh_upgrade(head.call, headers)
        elif head.length:
            if self._memory.new is not None:
                self._learn(self._memory.new, head)
            self._reading = _BODY
            self._body_left = 0 if head.length == CHUNKED else head.length
            self._fresh = BODY_STEP
            if head.expects_continue:
                self._owes_continue = True
                if self._answer is None:
                    self._go_ahead()

    def _measure_head(self) -> None:
        """What was read since the last request exceeds the limit, but may include the beginning of a body."""
        limits = self._server.limits
        size = len(self._target) + sum(len(name) + len(value) + 4 for name, value in self._headers)
        if size > limits.max_header_bytes:
            raise headers_too_large(limits)

    def on_body(self, data: bytes) -> None:
        size = len(data)
        body = self._body
        if body is None:
            head = self._head
            if size == head.length and not head.encoding:
                head.call.body = data  # all at once, as most come
                return
            body = self._body = open_body(head.encoding, self._server.limits.max_body_bytes)
        body.feed(data)
        self._fresh += size
        self._body_left -= size
        self._quiet = 0

    def on_message_complete(self) -> None:
        if self._offered_upgrade:
            return  # the parser stops here, before the body; see _replay
        head = self._head
        call = head.call
        if self._body is not None:
            call.body = self._body.finish()
            self._body = None
        self._head = _NO_HEAD
        self._target = b""
        if self._headers:
            self._headers = []  # trailers
        self._body_left = self._quiet = 0
        self._owes_continue = False
        self._midway = False
        self._memory.new = None  # it is that of the first request only
        # Whether or not a socket is opened, no further request comes.
        keep = self._parser.should_keep_alive() and call.open_socket is None
        self._reading = _IDLE if keep else _OVER
        call.received = perf_counter()
        handling = Handling(self, call.path, call)
        handling.suit(head_only=call.method == "HEAD", http10=head.http10, close=not keep)
        if self._answer is None:
            self._begin_soon(handling)
        else:
            self._waiting.append((handling, None))

    # --- known heads

    def _await_body(self, call: Call, left: int) -> None:
        """The request has a known head, so the parser sees nothing of it. `left`: bytes of its body that have not
        come."""
        self._unparsed = call
        self._reading = _BODY
        self._body_left = left
        if call.body:
            self._body = open_body(b"", self._server.limits.max_body_bytes)
            self._body.feed(call.body)
        self._fresh = BODY_STEP
        self._await_more()

    def _take_body(self, call: Call, data: bytes) -> None:
        """More of such a body."""
        left = self._body_left - len(data)
        behind = b""
        if left < 0:
            data, behind = data[:left], data[left:]
        if left <= 0 and self._body is None:
            call.body = data
        else:
            body = self._body = self._body or open_body(b"", self._server.limits.max_body_bytes)
            try:
                body.feed(data)
            except GatewayError as error:
                self._refuse(error)
                return
            if left > 0:
                self._body_left = left
                self._fresh += len(data)
                self._await_more()
                return
            call.body = body.finish()
            self._body = None
        self._body_left = 0
        self._unparsed = None
        self._reading = _IDLE
        self._begin_known(call)
        if behind:
            self.data_received(behind)

    def _begin_known(self, call: Call) -> None:
        known = self._memory.known
        handler = known.handler
        call.received = perf_counter()
        if known.forgotten:  # since its head came, so it is to be decided again
            call.path, call.principal, handler = known.path, Principal(), self._server.handler
        self._answer = handling = Handling(self, known.path, call)
        self.deadline = inf
        handling.begin(handler)

    def _learn(self, parts: Parts, head: Head) -> None:
        self._memory.new = None
        usual = head.length != CHUNKED and not (head.http10 or head.encoding or head.expects_continue)
        if usual and self._parser.should_keep_alive():
            server, call = self._server, head.call
            route = server.route and server.route(call)
            server.known.learn(parts, call, route or Route(server.handler, call.path), server.limits)

    # --- reading

    def _parse(self, data: bytes) -> None:
        if len(data) <= SLICE:
            self._feed(data)
        else:
            self._feed_slices(data)

    def _feed_slices(self, data: bytes) -> None:
        view = memoryview(data)
        position = 0
        while position < len(view) and self._reading is not _OVER:
            if self._answer is not None:
                self._hold(view[position:])
                return
            step = max(SLICE, self._body_left)
            self._feed(view[position : position + step])
            position += step

    def _feed(self, data: bytes | memoryview) -> None:
        self._quiet += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            rest = bytes(data[upgrade.args[0] :])
            if self._offered_upgrade:
                self._replay(rest)
            elif rest:
                self._dropped = True
        except HttpParserError as error:
            self._stop_parsing(error)
        if self._answer is None and self._reading is not _OVER:
            self._await_more()

    def _weigh_upgrade(self, call: Call, headers: Headers) -> None:
        """The handler of the path accepts a socket or refuses it; any other offer is declined in silence."""
        protocol = next((value for name, value in headers if name == b"upgrade"), b"")
        if protocol.lower() == b"websocket":
            call.open_socket = partial(self._accept, headers)
        else:
            self._offered_upgrade = True
            self._headers = headers

    def _accept(self, headers: Headers) -> Talk:
        """Raises `http.upgrade_refused`, also for a client that did not wait for the answer (RFC 6455, 4.1)."""
        if self._dropped:
            raise GatewayError(
                "http.upgrade_refused", protocol="a websocket that did not wait for its answer"
            )
        return self.open_socket(headers)

    def _replay(self, rest: bytes) -> None:
        """After an offer of an upgrade llhttp takes what follows for another protocol. It is the rest of this
        request, so a new parser gets the head again, without the offer."""
        head = without_upgrade(self._head.call.method, self._target, self._headers)
        self._offered_upgrade = False
        self._target, self._headers = b"", []
        self._parser = HttpRequestParser(self)
        self._feed(head)
        if rest:
            self.data_received(rest)

    def _stop_parsing(self, error: HttpParserError) -> None:
        cause = error.__context__
        if isinstance(cause, GatewayError):
            self._refuse(cause)
        elif self._reading is _OVER:  # bytes after a request that said it was the last
            self._dropped = True
        else:
            self._refuse(malformed(str(error)))

    def _hold(self, data: bytes | memoryview) -> None:
        if self._reading is _OVER:
            self._dropped = True
            return
        if self._held is None:
            self._held = bytearray()
        self._held += data
        if len(self._held) > HELD_LIMIT and not self._paused_reading and not self._ended_input:
            self._paused_reading = True
            self.transport.pause_reading()
            self.watch()

    def _await_more(self) -> None:
        """A request is under way: its limits, its deadline."""
        limits = self._server.limits
        if self._quiet > limits.max_header_bytes or len(self._headers) > limits.max_headers:
            self._refuse(headers_too_large(limits))
        elif self._reading is _IDLE:
            self._reading = _HEAD
            self.deadline = self.loop.time() + limits.header_timeout_s
        elif self._reading is _BODY and self._fresh >= BODY_STEP:
            self._fresh = 0
            self.deadline = self.loop.time() + limits.body_timeout_s

    def _input_ended(self) -> bool:
        if self._reading in (_HEAD, _BODY):
            self._refuse(malformed("the request was cut short"))
            return True
        return False

    def _go_ahead(self) -> None:
        self._owes_continue = False
        self.send_continue()

    # --- answering

    def _begin_soon(self, handling: Handling) -> None:
        """Not at once: the parser is under way, or the handler of the answer before."""
        self._answer = handling
        self._behind = True
        self.deadline = inf
        handling.begin_soon(self._server.handler)

    def handled(self, handling: Handling, error: BaseException) -> None:
        """Of `handling.Owner`."""
        if isinstance(error, GatewayError):
            self._fail(handling, error)
        elif isinstance(error, Exception):
            request_id = self._server.crashed(error, handling.call)
            self._fail(handling, GatewayError("gateway.internal", request_id=request_id))
        elif isinstance(error, asyncio.CancelledError) and not handling.ended:
            handling.abandon()

    def _fail(self, answer: Answer, error: GatewayError) -> None:
        if answer.started:
            if not answer.ended:
                answer.abandon()
            return
        headers, body = self._server.error_answer(answer.path, error)
        answer.whole(error.status, headers, body)

    def _refuse(self, error: GatewayError) -> None:
        """Answers a request that never becomes a call, after those before it, and ends the connection."""
        self._reading = _OVER
        self._dropped = self._behind = True
        path, head_only = self._blame()
        self._unparsed = self._body = None
        answer = Answer(self, path)
        answer.suit(head_only=head_only, close=True)
        if self._answer is None:
            self._answer = answer
            self._fail(answer, error)
        else:
            self._waiting.append((answer, error))

    def _blame(self) -> tuple[str, bool]:
        """The path of the request that is being read, as far as known, for the shape of its error; and whether it
        is a HEAD request."""
        if self._unparsed is not None:
            return self._memory.known.path, False
        if self._head is not _NO_HEAD:
            return self._head.call.path, self._head.call.method == "HEAD"
        try:
            return read_target(self._target, "")[0], False
        except GatewayError:
            return "/", False

    def answered(self, answer: Answer) -> None:
        """Of `answer.Outlet`."""
        if answer.close or self.lines.draining:
            self._answer = None
            self._end()
        else:
            self.proceed()

    def proceed(self) -> None:
        """Of `answer.Outlet`."""
        self._answer = None
        if self._behind:
            self._look_behind()
        else:
            self._at_rest = True
            self.deadline = self._server.idle_until

    def _look_behind(self) -> None:
        if self._waiting:
            waiting, error = self._waiting.pop(0)
            if error is not None:
                self._answer = waiting
                self._fail(waiting, error)
            elif isinstance(waiting, Handling):
                self._begin_soon(waiting)
        elif self._midway or self._held is not None or self._ended_input:
            self._resume()
        else:
            self._behind = False
            self._at_rest = True
            self.deadline = self._server.idle_until

    def _resume(self) -> None:
        """Goes on with what came while the answer ran."""
        limits = self._server.limits
        if self._reading is _BODY:
            self.deadline = self.loop.time() + limits.body_timeout_s
            if self._owes_continue:
                self._go_ahead()
        elif self._target:
            self._reading = _HEAD
            self.deadline = self.loop.time() + limits.header_timeout_s
        else:
            self.deadline = self.loop.time() + limits.keepalive_timeout_s
        held, self._held = self._held, None
        if held is not None:
            self._parse(bytes(held))
            if self._paused_reading:
                self._paused_reading = False
                self.transport.resume_reading()
        if self._ended_input and self._answer is None and not self._input_ended() and not self.closing:
            self._close()

    # --- ending

    def _end(self) -> None:
        """No further answer. Lingers if the client may still be sending."""
        unread = self._dropped or self._held is not None or self._reading in (_HEAD, _BODY)
        self._reading = _OVER
        self._waiting.clear()
        self._held = None
        if self._ended_input or not unread:
            self._close()
            return
        if self._paused_reading:
            self._paused_reading = False
            self.transport.resume_reading()
        self.transport.write_eof()
        self.deadline = self.loop.time() + LINGER_S
        self.watch()

    def _close(self) -> None:
        self.closing = True
        self._at_rest = False
        self.deadline = inf
        self._reading = _OVER
        self.transport.close()
        self.watch()

    def drain(self) -> None:
        """Closes if nothing is under way; else the running request is the last."""
        if self._socket is not None:
            self._socket.finish()
        elif self._answer is None and self._reading is _IDLE:
            self._close()

    # --- the sweep

    def expire(self) -> None:
        """The deadline has passed."""
        limits = self._server.limits
        if self._reading is _HEAD:
            self._refuse(GatewayError("http.timeout", seconds=f"{limits.header_timeout_s:g}"))
        elif self._reading is _BODY:
            self._refuse(GatewayError("http.timeout", seconds=f"{limits.body_timeout_s:g}"))
        else:
            self._close()
