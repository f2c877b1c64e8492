"""One model call, from the client's request to the booked answer.

    peek → route → journal → same protocol ? splice : read → conversation → write → upstream → relay → book

Every way out passes `ModelCall.run`: an answer, an error in the client's own shape, or the client leaving.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter
from typing import Final

from msgspec.structs import replace

from tokligence.conversation import Loss, ProtocolId, Request, Severity
from tokligence.errors import Fault, GatewayError
from tokligence.ledger.record import Outcome
from tokligence.pipeline import relay
from tokligence.pipeline.contract import Call, Headers, Sink
from tokligence.pipeline.estimate import request_tokens, tokens_of
from tokligence.pipeline.headers import for_upstream, loss_header, route_header, upstream_request_id
from tokligence.pipeline.hub import Hub, Provider
from tokligence.pipeline.loopback_call import call_loopback
from tokligence.pipeline.meter import Trace, wall_us
from tokligence.pipeline.outbound import (
    JSON,
    ask,
    hop_of,
    leave_with_client,
    own_headers,
    passing_headers,
    target_of,
)
from tokligence.upstream.answer import Answer
from tokligence.wire.contract import Codec, ErrorView, Peek, ReplyContext, Target
from tokligence.wire.registry import CODECS

REQUEST_ID_HEADER: Final = {
    ProtocolId.OPENAI_CHAT: b"x-request-id",
    ProtocolId.OPENAI_RESPONSES: b"x-request-id",
    ProtocolId.ANTHROPIC: b"request-id",
    ProtocolId.GEMINI: b"x-request-id",
}
ENDPOINT: Final = {
    ProtocolId.OPENAI_CHAT: "chat",
    ProtocolId.OPENAI_RESPONSES: "responses",
    ProtocolId.ANTHROPIC: "messages",
    ProtocolId.GEMINI: "generate",
}

OUTCOME: Final = {
    Fault.CLIENT: Outcome.CLIENT_ERROR,
    Fault.OPERATOR: Outcome.CLIENT_ERROR,
    Fault.UPSTREAM: Outcome.UPSTREAM_ERROR,
    Fault.GATEWAY: Outcome.INTERRUPTED,
}
CLIENT_LEFT: Final = 499
"""The status booked when the client left before its answer began (nginx's convention)."""
PLAIN_BODY: Final = 131072
"""Bytes. The input of a larger request is estimated by its text: pictures make bodies large, not prompts long."""


class ModelCall:
    """One call of one client. `codec` speaks the client's protocol. `stream_error`: writes an error into the client's
    stream; `answer_losses`: lists that fill while an answer is read and written."""

    __slots__ = (
        "_hop",
        "_request",
        "_waiting_since",
        "answer",
        "answer_losses",
        "asked_at",
        "call",
        "codec",
        "hub",
        "provider",
        "sink",
        "state",
        "stream_error",
        "target",
        "trace",
    )

    provider: Provider
    target: Target
    asked_at: float  # by the loop's clock

    def __init__(self, hub: Hub, call: Call, sink: Sink, protocol: ProtocolId) -> None:
        self.hub = hub
        self.state = hub.state
        self.call = call
        self.sink = sink
        self.codec: Codec = CODECS[protocol]
        self.stream_error: Callable[[ErrorView], bytes] = self.codec.write_stream_error
        self.answer: Answer | None = None  # the upstream's, while anything of it is expected
        self.answer_losses: tuple[list[Loss], ...] = ()
        self._hop = hub.hop
        self._request: Request | None = None
        self._waiting_since: float | None = None
        self.trace = Trace(
            request_id=hub.ids.new("req_"),
            route=call.path,
            protocol=protocol,
            received=call.received,
            started_us=wall_us(),
            principal=call.principal,
        )

    async def run(self) -> None:
        """Answer the call. Raises nothing but `CancelledError` and what is a bug; both are booked, and a bug has been
        answered, with a note that names the request."""
        try:
            await self._answer()
        except GatewayError as error:
            self._fail(error)
        except asyncio.CancelledError:
            self._interrupted()
            raise
        except Exception as error:
            error.add_note(self.trace.request_id)
            self._fail(GatewayError("gateway.internal"))
            raise
        finally:
            self.sink.on_gone(None)
            if self.answer is not None:
                self.answer.cancel()

    # --- the way in ---------------------------------------------------------------------------------

    async def _answer(self) -> None:
        trace = self.trace
        self._hop = hop_of(self.hub, self.call)
        peek = self.codec.peek(self.call.body)
        trace.model_asked = peek.model
        trace.stream = peek.stream
        resolved = self.state.router.resolve(peek.model)
        self.provider = provider = self.state.providers[resolved.provider]
        self.target = self.state.target(provider, resolved.model)
        trace.provider = provider.id
        trace.card = self.target.card
        trace.upstream_protocol = provider.protocol
        if provider.protocol is self.codec.protocol:
            await self._same_protocol(peek)
        elif provider.protocol is None:
            await call_loopback(self, self._read())
        else:
            await self._translated(CODECS[provider.protocol])

    def _read(self) -> Request:
        self._request = request = self.codec.read_request(self.call.body)
        self.trace.losses.extend(request.losses)
        return request

    async def _same_protocol(self, peek: Peek) -> None:
        provider, call = self.provider, self.call
        inject = (
            peek.stream
            and not peek.include_usage
            and provider.dialect.stream_usage
            and self.state.settings.stream_usage == "inject"
        )
        body = self.codec.splice(
            call.body,
            model=self.target.model if self.target.model != peek.model else None,
            ask_usage=inject,
        )
        headers = passing_headers(provider, for_upstream(call.headers), self._hop)
        answer = await self._send(body, headers, call.query)
        if peek.stream and relay.is_event_stream(answer):
            await relay.forward_stream(self, answer, strip_usage=inject)
        else:
            await relay.forward_whole(self, answer)

    async def _translated(self, upstream: Codec) -> None:
        request = self._read()
        if request.max_tokens is None and self.target.card.max_output_tokens is None:
            request = replace(request, max_tokens=self.provider.max_tokens)
        written = upstream.write_request(request, self.target)
        self.trace.losses.extend(written.losses)
        self.refuse_losses()
        answer = await self._send(written.body, own_headers(self.provider, self._hop), "")
        if answer.status >= 400:
            await relay.translate_error(self, answer, upstream)
        elif request.stream:
            await relay.translate_stream(self, answer, upstream, written.memory, self.context(request))
        else:
            await relay.translate_whole(self, answer, upstream, written.memory, self.context(request))

    def refuse_losses(self) -> None:
        """Strict mode: a request that would lose its meaning is refused before any upstream sees it."""
        strict = self.state.settings.translation_losses == "strict"
        if strict or self.call.header(b"x-tokligence-strict") == b"1":
            semantic = [loss for loss in self.trace.losses if loss.severity is Severity.SEMANTIC]
            if semantic:
                named = ", ".join(f"{loss.path} ({loss.reason.value})" for loss in semantic)
                raise GatewayError("translation.refused", losses=named)

    def context(self, request: Request) -> ReplyContext:
        size = len(self.call.body)
        return ReplyContext(
            request_id=self.trace.request_id,
            now=self.trace.started_us // 1_000_000,
            new_id=self.hub.ids.new,
            include_usage=request.include_usage,
            estimated_input=tokens_of(size) if size <= PLAIN_BODY else request_tokens(request),
            request=self.call.body,
            clock=_now,
        )

    # --- the upstream -------------------------------------------------------------------------------

    async def _send(self, body: bytes, headers: Headers, query: str) -> Answer:
        """Call the upstream; the wait until its head is not our overhead. When the client leaves, so do we."""
        provider = self.provider
        assert provider.protocol is not None, "the loopback is not asked over HTTP"
        target = target_of(provider, ENDPOINT[provider.protocol], query)
        self.begin()
        leave_with_client(self.sink)
        self.asked_at = self.hub.loop.time()
        self.wait()
        self.answer = answer = await ask(self.hub, provider, b"POST", target, headers, body=body)
        self.arrived()
        self.trace.upstream_request_id = upstream_request_id(answer.headers)
        return answer

    def begin(self) -> None:
        """The start record; nothing is sent before it stands in the journal."""
        trace = self.trace
        self.hub.meter.begin(trace)
        trace.attempts += 1
        trace.model_served = self.target.model

    def wait(self) -> None:
        self._waiting_since = perf_counter()

    def arrived(self) -> None:
        if self._waiting_since is not None:
            self.trace.waited += perf_counter() - self._waiting_since
            self._waiting_since = None

    # --- the way out --------------------------------------------------------------------------------

    def head(self, *, translated: bool) -> Headers:
        """The headers of ours that every answer carries."""
        trace = self.trace
        request_id = trace.request_id.encode()
        headers: Headers = [
            (b"x-tokligence-request-id", request_id),
            (b"x-tokligence-overhead-us", b"%d" % trace.measure()),
        ]
        if trace.provider is not None:
            headers.append((b"x-tokligence-route", route_header(trace.provider, self.target.model)))
        if translated:
            headers.append((REQUEST_ID_HEADER[trace.protocol], request_id))
        if trace.losses:
            headers.append((b"x-tokligence-loss", loss_header(trace.losses)))
        if trace.cost is not None and not trace.stream:
            headers.append((b"x-tokligence-cost-usd", usd(trace.cost)))
        return headers

    def view(self, error: GatewayError) -> ErrorView:
        return ErrorView(
            status=error.status, message=error.text, request_id=self.trace.request_id, code=error.code
        )

    def end(self, status: int, outcome: Outcome = Outcome.OK, error_code: str | None = None) -> None:
        """Book the call, before its last byte is sent. What was delivered is metered, also of a broken answer."""
        trace = self.trace
        for losses in self.answer_losses:
            trace.losses.extend(losses)
        self.answer_losses = ()
        trace.estimate(self._input_tokens)
        self.hub.meter.end(trace, status, outcome, error_code)

    def _input_tokens(self) -> int:
        with suppress(GatewayError):  # an upstream may have taken what we cannot read
            return request_tokens(self._request or self.codec.read_request(self.call.body))
        return tokens_of(len(self.call.body))

    def content_seen(self) -> None:
        """Called once, when the first content has come."""
        self.trace.first_content = perf_counter()

    def _fail(self, error: GatewayError) -> None:
        self.arrived()
        started = self.sink.started
        try:
            self.end(200 if started else error.status, OUTCOME[error.fault], error.code)
        except GatewayError as unbooked:
            error = unbooked  # what is in no ledger must not look like an answer
        view = self.view(error)
        if started:
            # A writer that believes to have ended has nothing more to say, but the client has not had its end.
            self.sink.end(self.stream_error(view) or self.codec.write_stream_error(view))
            return
        headers = self.head(translated=True)
        headers += [JSON, (b"x-tokligence-error-code", error.code.encode())]
        if not error.retryable:
            headers.append((b"x-should-retry", b"false"))
        self.sink.whole(error.status, headers, self.codec.write_error(view))

    def _interrupted(self) -> None:
        self.arrived()
        gone = self.sink.gone
        status = 200 if self.sink.started else CLIENT_LEFT if gone else 503
        with suppress(GatewayError):  # the journal's start record makes it an interrupted call
            self.end(status, Outcome.CANCELLED if gone else Outcome.INTERRUPTED)


def _now() -> int:
    return wall_us() // 1_000_000


def usd(picousd: int) -> bytes:
    """Decimal text of an amount: 1500000 -> b"0.0000015"."""
    whole, fraction = divmod(picousd, 10**12)
    digits = f"{fraction:012d}".rstrip("0")
    return f"{whole}.{digits}".encode() if digits else str(whole).encode()
