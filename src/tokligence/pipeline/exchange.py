"""One model call, from the client's request to the booked answer.

    peek → route → journal → same protocol ? splice : read → conversation → write → upstream → relay → book

Every way out passes `ModelCall.guarded`: an answer, an error in the client's own shape, or the client leaving.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import perf_counter, time_ns
from typing import Final

from msgspec import structs

from tokligence.conversation import Loss, ProtocolId, Request, Severity
from tokligence.errors import Fault, GatewayError
from tokligence.ledger.record import Outcome
from tokligence.pipeline import relay
from tokligence.pipeline.clouds import Sent, Way
from tokligence.pipeline.contract import Call, Headers, Sink
from tokligence.pipeline.estimate import request_tokens, tokens_of
from tokligence.pipeline.headers import loss_header, route_header, usd
from tokligence.pipeline.hub import HOP, Hub, Provider, State
from tokligence.pipeline.loopback_call import call_loopback
from tokligence.pipeline.meter import Trace
from tokligence.pipeline.outbound import (
    JSON,
    check,
    hop_of,
    leave_with_client,
    own_headers,
    passing_headers,
)
from tokligence.pipeline.passing import Seen, for_upstream, lines_of
from tokligence.pipeline.plan import REQUEST_ID_HEADER, Plan
from tokligence.pipeline.prepare import prepared
from tokligence.pipeline.straight import NOWHERE, begun
from tokligence.upstream.answer import Answer
from tokligence.upstream.client import Endpoint, HeaderLines, header_lines
from tokligence.wire.contract import Codec, ErrorView, Peek, ReplyContext, ReplyMemory, Target
from tokligence.wire.lower import lowering
from tokligence.wire.registry import CLEANED, CODECS, FOREIGN

OUTCOME: Final = {
    Fault.CLIENT: Outcome.CLIENT_ERROR,
    Fault.OPERATOR: Outcome.CLIENT_ERROR,
    Fault.UPSTREAM: Outcome.UPSTREAM_ERROR,
    Fault.GATEWAY: Outcome.INTERRUPTED,
}
LENIENT: Final = frozenset({b"0", b"false", b"no", b"off"})
"""Values of x-tokligence-strict that do not ask for it: whatever else stands there is meant as yes."""
CLIENT_LEFT: Final = 499
"""The status booked when the client left before its answer began (nginx's convention)."""
PLAIN_BODY: Final = 131072
"""Bytes. The input of a larger request is estimated by its text: pictures make bodies large, not prompts long."""


_OK: Final = Outcome.OK  # a member looked up on its class costs several times as much


class ModelCall:
    """One call of one client. `codec` speaks the client's protocol. `array`: the client reads a stream as one JSON array.
    `plan`: None until the model is known; `request`, `peeked`: None until it was read, was looked at; `answer`: the
    upstream's, while anything of it is expected; `booked`: its end is, by `straight`.

    Set up by `open`: `stream_error`: writes an error into the client's stream; `answer_losses`: lists that fill while an
    answer is read and written."""

    __slots__ = (
        "_waiting_since",
        "answer",
        "answer_losses",
        "array",
        "asked_at",
        "booked",
        "call",
        "codec",
        "hub",
        "peeked",
        "plan",
        "plans",
        "provider",
        "request",
        "request_id",
        "seen",
        "sink",
        "started_us",
        "stream_error",
        "target",
        "trace",
    )

    provider: Provider
    target: Target
    seen: Seen  # of the answer's head
    asked_at: float  # by the loop's clock
    trace: Trace
    stream_error: Callable[[ErrorView], bytes]
    answer_losses: tuple[list[Loss], ...]

    def __init__(
        self,
        hub: Hub,
        call: Call,
        sink: Sink,
        protocol: ProtocolId,
        *,
        codec: Codec | None = None,
        array: bool = False,
    ) -> None:
        self.hub = hub
        self.plans = hub.plans
        self.call = call
        self.sink = sink
        self.codec = codec or CODECS[protocol]
        self.array = array
        self.request_id = next(hub.request_ids)
        self.started_us = time_ns() // 1000
        self.plan: Plan | None = None
        self.request: Request | None = None
        self.peeked: Peek | None = None
        self.answer: Answer | None = None
        self.booked = False
        self._waiting_since: float | None = None

    def open(self) -> Trace:
        """Sets up what a call needs that is not answered straight away."""
        call, codec = self.call, self.codec
        self.stream_error = codec.write_stream_error
        self.answer_losses = ()
        self.trace = trace = Trace(
            self.request_id, call.path, codec.protocol, call.received, self.started_us, call.principal
        )
        return trace

    @property
    def state(self) -> State:
        """As it was when the call began."""
        return self.plans.state

    def run(self) -> Awaitable[None]:
        """Answer the call. Raises nothing but `CancelledError` and what is a bug; both are booked, and a bug has been
        answered, with a note that names the request."""
        return begun(self) or self.as_ever()

    def as_ever(self) -> Awaitable[None]:
        """The whole of it, whatever there is to deal with."""
        self.open()
        return self.guarded(self._answer())

    async def guarded(self, work: Awaitable[None]) -> None:
        """Any part of it, and the end that it comes to, as of `run`."""
        try:
            await work
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
        hop = None if self.call.header(HOP) is None else hop_of(self.hub, self.call)
        codec, body, trace = self.codec, self.call.body, self.trace
        plan, request = self.plan, self.request
        if plan is None or request is None:
            peek = self.peeked or codec.peek(body)
            trace.model_asked = peek.model
            trace.stream = peek.stream
            plan = self.plans.of(codec.protocol, peek.model)
            self.follow(plan)
            if plan.same and not self.array and self._clean():
                await self._same_protocol(plan, peek, hop)
                return
            self.request = request = codec.read_request(body)
        else:
            trace.model_asked = request.model
            trace.stream = request.stream
            self.follow(plan)
        if request.losses:
            trace.losses.extend(request.losses)
        if plan.upstream is None:
            await call_loopback(self, request)
        else:
            await self._translated(plan, plan.upstream, request, hop)

    def _clean(self) -> bool:
        """Whether nothing in the request is another vendor's, or could be taken out of it."""
        protocol, body = self.codec.protocol, self.call.body
        if body.find(FOREIGN.get(protocol, NOWHERE)) < 0:
            return True
        clean = CLEANED.get(protocol)
        if clean is None:
            return False
        body, losses = clean(body)
        self.call = structs.replace(self.call, body=body)
        self.trace.losses.extend(losses)
        return True

    def follow(self, plan: Plan) -> None:
        self.plan = plan
        self.provider = provider = plan.provider
        self.target = target = plan.target
        trace = self.trace
        trace.provider = provider.id
        trace.upstream_protocol = plan.protocol
        trace.card = target.card

    async def _same_protocol(self, plan: Plan, peek: Peek, hop: tuple[bytes, bytes] | None) -> None:
        provider, call = plan.provider, self.call
        inject = (
            peek.stream
            and not peek.include_usage
            and provider.dialect.stream_usage
            and self.state.settings.stream_usage == "inject"
        )
        model = plan.target.model
        body = self.codec.splice(call.body, model=None if model == peek.model else model, ask_usage=inject)
        if provider.way is None:
            lines = self.passing_lines(plan)
            lines = HeaderLines(lines + (self.hub.hop_lines if hop is None else header_lines([hop])))
            self._depart()
            assert plan.passed is not None, "the loopback is not asked over HTTP"
            self.answer = answer = await self.post(plan.passed, body, lines)
        else:
            headers = passing_headers(provider, for_upstream(call.headers), hop or self.hub.hop)
            self.answer = answer = await self._ask_cloud(plan, provider.way, headers, body)
        if not peek.stream:
            await self.received(answer, None, None)
            return
        self._take_head(answer)
        if self.seen.event_stream:
            await relay.forward_stream(self, answer, strip_usage=inject)
        else:
            relay.forward_whole(self, answer, await relay.read_whole(self, answer))

    def passing_lines(self, plan: Plan) -> HeaderLines:
        """The client's own headers, as a same-protocol upstream may see them."""
        kept = self.call.kept
        lines: HeaderLines | None = None if kept is None else kept.get(plan.passed)
        if lines is None:
            lines = lines_of(for_upstream(self.call.headers), plan.provider.defaults)
            if kept is not None:
                kept[plan.passed] = lines
        return lines

    async def _translated(
        self, plan: Plan, upstream: Codec, request: Request, hop: tuple[bytes, bytes] | None
    ) -> None:
        if request.max_tokens is None and plan.target.card.max_output_tokens is None:
            request = structs.replace(request, max_tokens=plan.provider.max_tokens)
        request = prepared(self, request, upstream.protocol)
        upstream = lowering(request, upstream)
        written = upstream.write_request(request, plan.target)
        if written.losses:
            self.trace.losses.extend(written.losses)
        self.refuse_losses()
        if plan.provider.way is None:
            lines = self.hub.hop_lines if hop is None else header_lines([hop])
            self._depart()
            assert plan.own is not None, "the loopback is not asked over HTTP"
            self.answer = answer = await self.hub.client.post(plan.own, written.body, lines)
        else:
            headers = own_headers(plan.provider, hop or self.hub.hop)
            self.answer = answer = await self._ask_cloud(plan, plan.provider.way, headers, written.body)
        await self.received(answer, (upstream, written.memory), None)

    async def received(
        self, answer: Answer, sent: tuple[Codec, ReplyMemory] | None, body: bytes | None
    ) -> None:
        """Goes on with the upstream's answer, whose head has come. `sent`: what the request was written by, None: it is
        the client's own, and asked for no stream; `body`: if it was taken from the answer already."""
        self._take_head(answer)
        request = self.request
        if sent is None or request is None:
            body = await relay.read_whole(self, answer) if body is None else body
            relay.forward_whole(self, answer, body)
            return
        upstream, memory = sent
        if answer.status >= 400:
            await relay.translate_error(self, answer, upstream)
        elif request.stream:
            await relay.translate_stream(self, answer, upstream, memory, self.context(request))
        else:
            body = await relay.read_whole(self, answer) if body is None else body
            relay.translate_whole(self, body, upstream, memory, context=self.context(request))

    def refuse_losses(self) -> None:
        """Strict mode: a request that would lose its meaning is refused before any upstream sees it."""
        if not self.trace.losses:
            return
        strict = self.state.settings.translation_losses == "strict"
        if strict or (self.call.header(b"x-tokligence-strict") or b"0").strip().lower() not in LENIENT:
            semantic = [loss for loss in self.trace.losses if loss.severity is Severity.SEMANTIC]
            if semantic:
                named = ", ".join(f"{loss.path} ({loss.reason.value})" for loss in semantic)
                raise GatewayError("translation.refused", losses=named)

    def context(self, request: Request) -> ReplyContext:
        body = self.call.body
        size = len(body)
        return ReplyContext(  # by position: names would take several times as long
            self.request_id,
            self.started_us // 1_000_000,
            self.hub.new_id,
            request.include_usage,
            tokens_of(size) if size <= PLAIN_BODY else request_tokens(request),
            body,
            _now,
        )

    # --- the upstream -------------------------------------------------------------------------------

    def _depart(self) -> None:
        """The upstream is called now; the wait until its head is not our overhead. When the client leaves, so do we."""
        self.begin()
        leave_with_client(self.sink)
        self.asked_at = self.hub.loop.time()
        self._waiting_since = perf_counter()

    async def _ask_cloud(self, plan: Plan, way: Way, headers: Headers, body: bytes) -> Answer:
        self._depart()
        provider, client = plan.provider, self.hub.client
        assert plan.own is not None and provider.origin is not None, "a cloud is asked over HTTP"
        sent = Sent(plan.own.target, headers, body)
        sent = await way.prepare(client, sent, model=plan.target.model, stream=self.trace.stream)
        answer = await client.send(
            provider.origin, b"POST", sent.target, sent.headers, sent.body, provider=provider.id
        )
        return way.plain(answer)

    def post(self, endpoint: Endpoint, body: bytes, lines: HeaderLines) -> Awaitable[Answer]:
        query, client = self.call.query, self.hub.client
        if not query:
            return client.post(endpoint, body, lines)
        target = b"%s?%s" % (endpoint.target, query.encode())
        lines = HeaderLines(endpoint.lines + lines)
        return client.send(
            endpoint.origin, b"POST", target, (), body, provider=endpoint.provider, prebuilt=lines
        )

    def _take_head(self, answer: Answer) -> None:
        """The head of the upstream's answer has come. Raises `upstream.bad_response` as `outbound.ask` does."""
        self.arrived()
        self.seen = seen = check(answer)
        self.trace.upstream_request_id = seen.request_id

    def begin(self) -> None:
        """The start record; nothing is sent before it stands in the journal."""
        trace = self.trace
        self.hub.meter.begin(trace)
        trace.attempts += 1
        trace.model_served = self.target.model

    def wait(self) -> None:
        self._waiting_since = perf_counter()

    def arrived(self) -> None:
        since = self._waiting_since
        if since is not None:
            self.trace.waited += perf_counter() - since
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
        if self.plan is not None:
            headers.append(self.plan.route)
        elif trace.provider is not None:
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

    def end(self, status: int, outcome: Outcome = _OK, error_code: str | None = None) -> None:
        """Book the call, before its last byte is sent. What was delivered is metered, also of a broken answer."""
        trace = self.trace
        if self.answer_losses:
            for losses in self.answer_losses:
                trace.losses.extend(losses)
            self.answer_losses = ()
        if trace.usage is None or not trace.usage.exact:
            trace.estimate(self._input_tokens)
        self.hub.meter.end(trace, status, outcome, error_code)

    def _input_tokens(self) -> int:
        with suppress(GatewayError):  # an upstream may have taken what we cannot read
            return request_tokens(self.request or self.codec.read_request(self.call.body))
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
    return time_ns() // 1_000_000_000
