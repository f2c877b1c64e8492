"""An upstream's answer on its way to the client: whole or streamed, same protocol or translated.

A stream's opening is held until its first content (see `opening`), so that an upstream that fails before it said
anything still becomes an honest HTTP error. Each row is booked when the terminal event has come and before it goes
on to the client.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from msgspec import Raw, Struct, json

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
from tokligence.pipeline.estimate import BYTES_PER_TOKEN, content_bytes, part_bytes, utf8
from tokligence.pipeline.events import events_of
from tokligence.pipeline.opening import Opening
from tokligence.pipeline.outbound import JSON
from tokligence.pipeline.passing import seen
from tokligence.pipeline.prepare import gathering, keep_streamed, keep_whole
from tokligence.upstream.answer import Answer
from tokligence.wire.contract import Codec, ErrorView, ReplyContext, ReplyMemory, UpstreamError
from tokligence.wire.sse import Splitter, parse

if TYPE_CHECKING:
    from tokligence.pipeline.exchange import ModelCall

ANSWER_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of a whole answer that are held in memory."""
LINGER_S: Final = 1.0
"""Seconds given to an upstream to end its body after the terminal event, so that its connection can be used again."""
EVENT_STREAM: Final[Headers] = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
]
JSON_ARRAY: Final[Headers] = [JSON, (b"cache-control", b"no-cache")]
ERROR_CODE: Final = "upstream.error"

UPSTREAM_FAULTS: Final = frozenset({401, 403, 408, 429})
"""Statuses below 500 that are not the client's fault: our key, our limits."""
UNKNOWN_FAILURE: Final = 502
"""The status of a failure within a stream whose kind says nothing."""

STATUS_FOR: Final[dict[ProtocolId, dict[int, int]]] = {
    ProtocolId.OPENAI_CHAT: {529: 503},  # Anthropic's "overloaded"; OpenAI's clients know 503
    ProtocolId.OPENAI_RESPONSES: {529: 503},
    ProtocolId.ANTHROPIC: {},
    ProtocolId.GEMINI: {529: 503},
}


def is_event_stream(answer: Answer) -> bool:
    return seen(answer.head).event_stream


def outcome_of(status: int) -> Outcome:
    if status < 400:
        return Outcome.OK
    return Outcome.UPSTREAM_ERROR if status >= 500 or status in UPSTREAM_FAULTS else Outcome.CLIENT_ERROR


async def read_whole(call: ModelCall, answer: Answer) -> bytes:
    call.wait()
    body = await answer.read(ANSWER_LIMIT)
    call.arrived()
    return body


async def opening_chunk(call: ModelCall, answer: Answer) -> bytes:
    """A stream's next bytes while its answer has not begun: waiting for them is not our overhead."""
    call.wait()
    chunk = await answer.chunk()
    call.arrived()
    return chunk


def events_in(chunk: bytes, splitter: Splitter) -> list[bytes]:
    """The raw events that a chunk completes; at the end (no chunk) the one that never got its blank line."""
    if chunk:
        return splitter.feed(chunk)
    rest = splitter.rest()
    return [rest] if rest else []


def expect_content(call: ModelCall, answer: Answer) -> None:
    """Keep-alives do not count: content must come in time, or the stream fails."""
    answer.deadline = call.asked_at + call.state.settings.first_content_timeout_s


def content_came(call: ModelCall, answer: Answer) -> None:
    answer.deadline = None
    call.content_seen()


def let_go(call: ModelCall, answer: Answer) -> None:
    """The client has all. The upstream may end its body on its own, so that the connection can be used again; if it
    does not do so in time, the client of upstreams closes it."""
    answer.deadline = call.hub.loop.time() + LINGER_S
    call.answer = None


# --- same protocol --------------------------------------------------------------------------------------


def forward_whole(call: ModelCall, answer: Answer, body: bytes) -> None:
    """Status and body unchanged."""
    trace = call.trace
    if answer.status < 400:
        usage, model = call.codec.read_usage(body)
        if usage is None and model is None:
            raise GatewayError(
                "upstream.bad_response", provider=call.provider.id, reason="its body is not an answer"
            )
        trace.usage = usage
        trace.model_served = model or trace.model_served
        trace.output_bytes = len(body)
        call.content_seen()
    outcome = outcome_of(answer.status)
    call.end(answer.status, outcome, None if outcome is Outcome.OK else ERROR_CODE)
    headers = call.head(translated=False) + call.seen.for_client()
    call.sink.whole(answer.status, headers, body)


async def forward_stream(call: ModelCall, answer: Answer, *, strip_usage: bool) -> None:
    """The upstream's own events, less the usage that only we asked for."""
    tap = call.codec.stream_tap(strip_usage=strip_usage)
    splitter = Splitter()
    opening = Opening(call, call.seen.for_client(), translated=False)
    expect_content(call, answer)
    trace = call.trace
    try:
        while True:
            chunk = await (answer.chunk() if opening.sent else opening_chunk(call, answer))
            out = []
            for raw in events_in(chunk, splitter):
                out.append(tap.feed(raw))
                if tap.content_seen:
                    trace.output_bytes += BYTES_PER_TOKEN  # a vendor's delta holds about one token
                if tap.failed and not (opening.sent or tap.content_seen):
                    forward_failure(call, raw)
                    return
            trace.usage = tap.usage
            if tap.model:
                trace.model_served = tap.model
            if tap.content_seen and trace.first_content is None:
                content_came(call, answer)
            if tap.ended or tap.failed:
                if tap.ended:
                    call.end(200)
                else:
                    call.end(200, Outcome.UPSTREAM_ERROR, ERROR_CODE)
                opening.end(b"".join(out))
                let_go(call, answer)
                return
            if not chunk:  # what is left is part of an event, and would spoil the error event
                raise GatewayError("upstream.cut", provider=call.provider.id)
            opening.write(b"".join(out), content=tap.content_seen)
            await call.sink.drained()
    finally:
        opening.abandon()


def forward_failure(call: ModelCall, raw: bytes) -> None:
    """The upstream's own error event, before anything else was said: its kind tells the status, its data is the body
    of the vendor's error answers, if it has an `error`."""
    name, data = parse(raw)
    events = call.codec.stream_reader(ReplyMemory(), call.provider.issuer).feed(name, data)
    failed = next((event for event in events if isinstance(event, Failed)), None)
    status = (failed.status if failed else None) or UNKNOWN_FAILURE
    call.end(status, outcome_of(status), ERROR_CODE)
    passed = [(name, value) for name, value in call.seen.for_client() if name != b"content-type"]
    if failed is not None and not _has_error(data):
        data = call.codec.write_error(ErrorView(status, failed.message, call.trace.request_id, failed.code))
    call.sink.whole(status, [*call.head(translated=False), JSON, *passed], data)


class _WithError(Struct):
    error: Raw = Raw(b"")


def _has_error(data: bytes) -> bool:
    return json.decode(data, type=_WithError).error != Raw(b"")


# --- translated -----------------------------------------------------------------------------------------


async def translate_error(call: ModelCall, answer: Answer, upstream: Codec) -> None:
    """The upstream's error in the client's shape: its message and, but for one, its status."""
    body = await read_whole(call, answer)
    answer_error(call, upstream.read_error(answer.status, body))


def answer_error(call: ModelCall, error: UpstreamError) -> None:
    status = STATUS_FOR[call.trace.protocol].get(error.status, error.status)
    view = ErrorView(status, error.message, call.trace.request_id, error.code, error.param)
    call.end(status, outcome_of(error.status), ERROR_CODE)
    headers = call.head(translated=True) + call.seen.for_translated_client()
    headers += [JSON, (b"x-tokligence-error-code", ERROR_CODE.encode())]
    call.sink.whole(status, headers, call.codec.write_error(view))


def translate_whole(
    call: ModelCall,
    body: bytes,
    upstream: Codec,
    memory: ReplyMemory,
    *,
    context: ReplyContext,
) -> None:
    trace = call.trace
    response = upstream.read_response(body, memory, call.target.issuer)
    keep_whole(call, response)
    reply = call.codec.write_response(response, context)
    trace.usage = usage = response.usage
    if response.model:
        trace.model_served = response.model
    if usage is None or not usage.exact:
        trace.output_bytes = content_bytes(response.parts)
    if response.losses:
        trace.losses.extend(response.losses)
    if reply.losses:
        trace.losses.extend(reply.losses)
    call.content_seen()
    call.end(200)
    headers = call.head(translated=True)
    headers += call.seen.for_translated_client()
    headers.append(JSON)
    call.sink.whole(200, headers, reply.body)


async def translate_stream(
    call: ModelCall, answer: Answer, upstream: Codec, memory: ReplyMemory, context: ReplyContext
) -> None:
    stream = Translated(call, context, call.seen.for_translated_client())
    try:
        if call.seen.event_stream:
            await _translate_events(call, answer, upstream, memory, stream)
        else:  # an upstream that answers a streamed request whole: the client still gets its stream
            body = await read_whole(call, answer)
            response = upstream.read_response(body, memory, call.target.issuer)
            call.trace.losses.extend(response.losses)
            stream.write(list(events_of(response)))
    finally:
        stream.opening.abandon()


async def _translate_events(
    call: ModelCall, answer: Answer, upstream: Codec, memory: ReplyMemory, stream: Translated
) -> None:
    reader = upstream.stream_reader(memory, call.target.issuer)
    call.answer_losses = (*call.answer_losses, reader.losses)
    splitter, opening = Splitter(), stream.opening
    expect_content(call, answer)
    while True:
        chunk = await (answer.chunk() if opening.sent else opening_chunk(call, answer))
        events: list[StreamEvent] = []
        try:
            for raw in events_in(chunk, splitter):
                name, data = parse(raw)
                if data:
                    events.extend(reader.feed(name, data))
            if not chunk:
                events.extend(reader.eof())
        except GatewayError:
            stream.write(events)  # what was said before the fault, wherever the bytes were cut
            raise
        if events:
            failed = stream.write(events)
            if failed is not None:
                stream.fail(failed)
                return
            if stream.closed:
                let_go(call, answer)
                return
            if call.trace.first_content is not None:
                answer.deadline = None
        await call.sink.drained()


class Translated:
    """Writes conversation events to a client as its protocol's stream."""

    __slots__ = ("_call", "_gathered", "_writer", "closed", "opening")

    def __init__(self, call: ModelCall, context: ReplyContext, passed: Headers) -> None:
        self._call = call
        self._writer = call.codec.stream_writer(context)
        self._gathered = gathering(call)
        call.stream_error = self._writer.fail
        call.answer_losses = (self._writer.losses,)
        kind = JSON_ARRAY if call.array else EVENT_STREAM
        self.opening = Opening(call, [*kind, *passed], translated=True)
        self.closed = False

    def write(self, events: Sequence[StreamEvent]) -> Failed | None:
        """Send a batch; the row is booked before the terminal event goes out. A failure is given back."""
        trace, write = self._call.trace, self._writer.write
        out: list[bytes] = []
        content = False
        failed: Failed | None = None
        if self._gathered is not None:
            self._gathered.feed(events)
        for event in events:
            kind = type(event)
            if kind is TextDelta:
                text: str = event.text  # type: ignore[union-attr]  # `kind` says so, faster than isinstance
                if text:
                    trace.output_bytes += utf8(text)
                    content = True
            elif isinstance(event, BlockOpened):
                size = part_bytes(event.part)
                trace.output_bytes += size
                content = content or size > 0 or not isinstance(event.part, Text | Thinking)
            elif isinstance(event, Opened):
                trace.model_served = event.model or trace.model_served
                trace.usage = event.usage
            elif isinstance(event, UsageSeen):
                trace.usage = event.usage
            elif isinstance(event, Failed):
                failed = event
                break
            elif kind is Finished:
                content = True
            elif kind is Closed:
                self.closed = True
            out.append(write(event))
        self._send(b"".join(out), content)
        return failed

    def _send(self, data: bytes, content: bool) -> None:
        call = self._call
        if content and call.trace.first_content is None:
            call.content_seen()
        if self.closed:
            keep_streamed(call, self._gathered)
            call.end(200)
            self.opening.end(data)
        elif data:
            self.opening.write(data, content=content)

    def fail(self, failed: Failed) -> None:
        """The upstream reported an error within its stream: an HTTP error if the client has had nothing yet, else the
        error event of its protocol."""
        call = self._call
        error = UpstreamError(failed.status or UNKNOWN_FAILURE, failed.kind, failed.message, failed.code)
        if not self.opening.sent:
            answer_error(call, error)
            return
        call.end(200, Outcome.UPSTREAM_ERROR, ERROR_CODE)
        view = ErrorView(error.status, error.message, call.trace.request_id, error.code)
        self.opening.end(self._writer.fail(view))
