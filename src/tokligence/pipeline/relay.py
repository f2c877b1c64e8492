"""An upstream's answer on its way to the client: whole or streamed, same protocol or translated.

A stream's opening (status, `message_start`, role chunk, pings) is held until its first content or for
`commit_after_ms`, so that an upstream that fails before it said anything still becomes an honest HTTP error.
Each row is booked when the terminal event has come and before it goes on to the client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from tokligence.conversation import (
    BlockOpened,
    Closed,
    Failed,
    Finished,
    Opened,
    ProtocolId,
    StreamEvent,
    Text,
    TextDelta,
    Thinking,
    UsageSeen,
)
from tokligence.errors import GatewayError
from tokligence.ledger.record import Outcome
from tokligence.pipeline.contract import Headers
from tokligence.pipeline.events import events_of
from tokligence.pipeline.headers import first, for_client, for_translated_client
from tokligence.upstream.answer import Answer
from tokligence.wire.contract import Codec, ErrorView, ReplyContext, ReplyMemory
from tokligence.wire.sse import Splitter, parse

if TYPE_CHECKING:
    from tokligence.pipeline.exchange import ModelCall

ANSWER_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of a whole answer that are held in memory."""
LINGER_S: Final = 1.0
"""Seconds given to an upstream to end its body after the terminal event, so that its connection can be used again."""
JSON: Final = (b"content-type", b"application/json")
EVENT_STREAM: Final[Headers] = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
]

UPSTREAM_FAULTS: Final = frozenset({401, 403, 408, 429})
"""Statuses below 500 that are not the client's fault: our key, our limits."""

STATUS_FOR: Final[dict[ProtocolId, dict[int, int]]] = {
    ProtocolId.OPENAI_CHAT: {529: 503},  # Anthropic's "overloaded"; OpenAI's clients know 503
    ProtocolId.ANTHROPIC: {},
}


def is_event_stream(answer: Answer) -> bool:
    kind = first(answer.headers, b"content-type")
    return answer.status == 200 and kind is not None and kind.lower().startswith(b"text/event-stream")


def outcome_of(status: int) -> Outcome:
    if status < 400:
        return Outcome.OK
    return Outcome.UPSTREAM_ERROR if status >= 500 or status in UPSTREAM_FAULTS else Outcome.CLIENT_ERROR


class Opening:
    """The first bytes of a client's stream, held until there is content."""

    __slots__ = ("_call", "_held", "_passed", "_timer", "_translated")

    def __init__(self, call: ModelCall, passed: Headers, *, translated: bool) -> None:
        self._call = call
        self._passed = passed
        self._translated = translated
        self._held: list[bytes] = []
        delay = call.state.settings.commit_after_ms / 1000
        self._timer: asyncio.TimerHandle | None = call.hub.loop.call_later(delay, self.commit)

    def write(self, data: bytes, *, content: bool) -> None:
        if self._timer is None:
            self._call.sink.write(data)
            return
        self._held.append(data)
        if content:
            self.commit()

    def commit(self) -> None:
        """Send the head and what is held. From here on an error is an event of the stream."""
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        call = self._call
        call.arrived()
        call.sink.start(200, call.head(translated=self._translated) + self._passed)
        call.sink.write(b"".join(self._held))
        self._held.clear()

    def abandon(self) -> None:
        """The stream failed or was left: nothing more is committed by the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


# --- same protocol --------------------------------------------------------------------------------------


async def forward_whole(call: ModelCall, answer: Answer) -> None:
    """Status and body unchanged."""
    call.wait()
    body = await answer.read(ANSWER_LIMIT)
    call.arrived()
    refuse_redirect(call, answer)
    if answer.status < 400:
        usage, model = call.codec.read_usage(body)
        if usage is None and model is None:
            raise GatewayError(
                "upstream.bad_response", provider=call.provider.id, reason="it is not an answer"
            )
        call.trace.usage = usage
        call.trace.model_served = model or call.trace.model_served
        if usage is None:
            call.trace.delivered = -(-len(body) // 4)
        call.content_seen()
    outcome = outcome_of(answer.status)
    code = None if outcome is Outcome.OK else "upstream.error"
    call.end(answer.status, outcome, code)
    headers = call.head(translated=False, cost=True) + for_client(answer.headers)
    call.sink.whole(answer.status, headers, body)


async def forward_stream(call: ModelCall, answer: Answer, *, strip_usage: bool) -> None:
    """The upstream's own events, less the usage that only we asked for."""
    tap = call.codec.stream_tap(strip_usage=strip_usage)
    splitter = Splitter()
    opening = Opening(call, for_client(answer.headers), translated=False)
    expect_content(call, answer)
    trace, sink = call.trace, call.sink
    call.wait()
    try:
        ended = False
        while not ended:
            chunk = await answer.chunk()
            events = splitter.feed(chunk) if chunk else [rest] if (rest := splitter.rest()) else []
            data = b"".join([tap.feed(raw) for raw in events])
            ended = tap.ended
            trace.usage = tap.usage
            trace.model_served = tap.model or trace.model_served
            if tap.content_seen:
                answer.deadline = None
                call.content_seen()
                trace.delivered += len(events)  # a vendor's delta holds about one token
            if ended:
                call.end(200)
            elif not chunk:
                _cut(call, opening, data, failed=tap.failed)
                return
            opening.write(data, content=tap.content_seen or ended or tap.failed)
            await sink.drained()
        sink.end()
        await _linger(call, answer)
    finally:
        opening.abandon()


def _cut(call: ModelCall, opening: Opening, data: bytes, *, failed: bool) -> None:
    """The upstream closed without its terminal event. Its own error event, if it sent one, is the end."""
    opening.write(data, content=failed or bool(call.trace.first_content))
    if not failed:
        raise GatewayError("upstream.cut", provider=call.provider.id)
    call.end(200, Outcome.UPSTREAM_ERROR, "upstream.error")
    call.sink.end()


# --- translated -----------------------------------------------------------------------------------------


async def translate_error(call: ModelCall, answer: Answer, upstream: Codec) -> None:
    """The upstream's error in the client's shape: its message and, but for one, its status."""
    body = await answer.read(ANSWER_LIMIT)
    error = upstream.read_error(answer.status, body)
    status = STATUS_FOR[call.trace.protocol].get(answer.status, answer.status)
    view = ErrorView(
        status=status,
        message=error.message,
        request_id=call.trace.request_id,
        code=error.code,
        param=error.param,
    )
    call.end(status, outcome_of(answer.status), "upstream.error")
    headers = call.head(translated=True) + for_translated_client(answer.headers)
    headers += [JSON, (b"x-tokligence-error-code", b"upstream.error")]
    call.sink.whole(status, headers, call.codec.write_error(view))


async def translate_whole(
    call: ModelCall, answer: Answer, upstream: Codec, memory: ReplyMemory, context: ReplyContext
) -> None:
    call.wait()
    body = await answer.read(ANSWER_LIMIT)
    call.arrived()
    refuse_redirect(call, answer)
    response = upstream.read_response(body, memory, call.target.issuer)
    reply = call.codec.write_response(response, context)
    call.trace.usage = response.usage
    call.trace.model_served = response.model or call.trace.model_served
    call.lose([*response.losses, *reply.losses])
    if response.usage is None:
        call.trace.delivered = -(-len(body) // 4)
    call.content_seen()
    call.end(200)
    headers = call.head(translated=True, cost=True) + for_translated_client(answer.headers)
    headers.append(JSON)
    call.sink.whole(200, headers, reply.body)


async def translate_stream(
    call: ModelCall, answer: Answer, upstream: Codec, memory: ReplyMemory, context: ReplyContext
) -> None:
    refuse_redirect(call, answer)
    trace = call.trace
    stream = Translated(call, context, for_translated_client(answer.headers))
    try:
        if not is_event_stream(answer):
            # An upstream that answers a streamed request whole: the client still gets its stream.
            response = upstream.read_response(await answer.read(ANSWER_LIMIT), memory, call.target.issuer)
            call.lose([*response.losses])
            stream.write(events_of(response))
            return
        reader = upstream.stream_reader(memory, call.target.issuer)
        splitter = Splitter()
        call.wait()
        expect_content(call, answer)
        while not stream.closed:
            chunk = await answer.chunk()
            events: list[StreamEvent] = []
            if chunk:
                for raw in splitter.feed(chunk):
                    name, data = parse(raw)
                    if data:
                        events.extend(reader.feed(name, data))
            else:
                events.extend(reader.eof())
            if events and type(events[-1]) is Closed:
                call.lose(reader.losses)
            stream.write(events)
            if trace.first_content is not None:
                answer.deadline = None
            if not chunk and not stream.closed:
                raise GatewayError("upstream.cut", provider=call.provider.id)
            await call.sink.drained()
        await _linger(call, answer)
    finally:
        stream.opening.abandon()


class Translated:
    """Writes conversation events to a client as its protocol's stream."""

    __slots__ = ("_call", "_writer", "closed", "opening")

    def __init__(self, call: ModelCall, context: ReplyContext, passed: Headers) -> None:
        self._call = call
        self._writer = call.codec.stream_writer(context)
        call.stream_error = self._writer.fail
        self.opening = Opening(call, [*EVENT_STREAM, *passed], translated=True)
        self.closed = False

    def write(self, events: Iterable[StreamEvent]) -> None:
        """Send a batch; the row is booked before the terminal event goes out."""
        call, trace, writer = self._call, self._call.trace, self._writer
        out: list[bytes] = []
        content = False
        for event in events:
            kind = type(event)
            if kind is TextDelta:
                content = content or event.text != ""  # type: ignore[union-attr]
                trace.delivered += 1  # a vendor's delta holds about one token
            elif isinstance(event, BlockOpened):
                content = content or not isinstance(event.part, Text | Thinking)
            elif isinstance(event, Opened):
                trace.model_served = event.model or trace.model_served
                trace.usage = event.usage or trace.usage
            elif isinstance(event, UsageSeen):
                trace.usage = event.usage
            elif isinstance(event, Failed):
                self._send(out, content)
                raise GatewayError(
                    "upstream.error", provider=call.provider.id, reason=event.message, status=event.status
                )
            elif kind is Finished:
                content = True
            elif kind is Closed:
                self.closed = True
            out.append(writer.write(event))
        if self.closed:
            call.lose(writer.losses)
            call.end(200)
        self._send(out, content)
        if self.closed:
            call.sink.end()

    def _send(self, out: list[bytes], content: bool) -> None:
        if content:
            self._call.content_seen()
        data = b"".join(out)
        if data or content:
            self.opening.write(data, content=content or self.closed)


def expect_content(call: ModelCall, answer: Answer) -> None:
    """Keep-alives do not count: content must come in time, or the stream fails."""
    answer.deadline = call.hub.loop.time() + call.state.settings.first_content_timeout_s


async def _linger(call: ModelCall, answer: Answer) -> None:
    """The client has all; let the upstream end its body. What goes wrong here concerns nobody."""
    call.sink.on_gone(None)
    answer.deadline = call.hub.loop.time() + LINGER_S
    try:
        while await answer.chunk():
            pass
    except GatewayError:
        answer.cancel()


def refuse_redirect(call: ModelCall, answer: Answer) -> None:
    """Redirects are not followed: a credential goes only where the configuration says."""
    if not 200 <= answer.status < 300 and answer.status < 400:
        raise GatewayError(
            "upstream.bad_response", provider=call.provider.id, reason=f"status {answer.status}"
        )
