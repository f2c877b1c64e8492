"""One model call, from the client's request to the booked answer.

    peek → route → journal → same protocol ? splice : read → conversation → write → upstream → relay → book

Every way out passes `ModelCall.run`: an answer, an error in the client's own shape, or the client leaving.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Final

from tokligence.conversation import Loss, ProtocolId, Request, Severity
from tokligence.errors import Fault, GatewayError
from tokligence.ledger.record import Outcome
from tokligence.pipeline import relay
from tokligence.pipeline.contract import Call, Headers, Sink
from tokligence.pipeline.headers import first, for_upstream, loss_header
from tokligence.pipeline.hub import Hub, Provider
from tokligence.pipeline.loopback_call import call_loopback
from tokligence.pipeline.meter import Trace, wall_us
from tokligence.upstream.answer import Answer
from tokligence.wire.contract import Codec, ErrorView, Peek, ReplyContext, Target
from tokligence.wire.registry import CODECS

JSON: Final = (b"content-type", b"application/json")
IDENTITY: Final = (b"accept-encoding", b"identity")
REQUEST_ID_HEADER: Final = {ProtocolId.OPENAI_CHAT: b"x-request-id", ProtocolId.ANTHROPIC: b"request-id"}
ENDPOINT: Final = {ProtocolId.OPENAI_CHAT: "chat", ProtocolId.ANTHROPIC: "messages"}

OUTCOME: Final = {
    Fault.CLIENT: Outcome.CLIENT_ERROR,
    Fault.OPERATOR: Outcome.CLIENT_ERROR,
    Fault.UPSTREAM: Outcome.UPSTREAM_ERROR,
    Fault.GATEWAY: Outcome.INTERRUPTED,
}
CLIENT_LEFT: Final = 499
"""The status booked when the client left before its answer began (nginx's convention)."""


class ModelCall:
    """One call of one client. `codec` speaks the client's protocol."""

    __slots__ = (
        "call",
        "codec",
        "hub",
        "provider",
        "sink",
        "state",
        "stream_error",
        "target",
        "trace",
        "waiting_since",
    )

    def __init__(self, hub: Hub, call: Call, sink: Sink, protocol: ProtocolId) -> None:
        self.hub = hub
        self.state = hub.state
        self.call = call
        self.sink = sink
        self.codec: Codec = CODECS[protocol]
        self.provider: Provider
        self.target: Target
        self.stream_error: Callable[[ErrorView], bytes] = self.codec.write_stream_error
        self.waiting_since: float | None = None
        self.trace = Trace(
            request_id=hub.ids.new("req_"),
            route=call.path,
            protocol=protocol,
            received=call.received,
            started_us=wall_us(),
            principal=call.principal,
        )

    async def run(self) -> None:
        """Answer the call. Raises nothing but `CancelledError` and what is a bug; both are booked."""
        try:
            await self._answer()
        except GatewayError as error:
            self._fail(error)
        except asyncio.CancelledError:
            self._interrupted()
            raise
        finally:
            if not self.trace.booked:
                self.end(500, Outcome.INTERRUPTED, "gateway.internal")
            self.sink.on_gone(None)

    # --- the way in ---------------------------------------------------------------------------------

    async def _answer(self) -> None:
        trace = self.trace
        if self.call.header(b"x-tokligence-hop") == self.hub.hop[1]:
            raise GatewayError("gateway.loop")
        peek = self.codec.peek(self.call.body)
        trace.model_asked = peek.model
        trace.stream = peek.stream
        resolved = self.state.router.resolve(peek.model)
        provider = self.state.providers[resolved.provider]
        self.provider = provider
        self.target = self.state.target(provider, resolved.model)
        trace.provider = provider.id
        trace.model_served = resolved.model
        trace.card = self.target.card
        trace.upstream_protocol = provider.protocol
        if provider.protocol is self.codec.protocol:
            await self._same_protocol(peek)
        elif provider.protocol is None:
            await call_loopback(self, self._read())
        else:
            await self._translated(CODECS[provider.protocol])

    def _read(self) -> Request:
        request = self.codec.read_request(self.call.body)
        self.trace.losses.extend(request.losses)
        return request

    async def _same_protocol(self, peek: Peek) -> None:
        settings = self.state.settings
        inject = peek.stream and not peek.include_usage and settings.stream_usage == "inject"
        body = self.codec.splice(
            self.call.body,
            model=self.target.model if self.target.model != peek.model else None,
            ask_usage=inject and self.provider.dialect.stream_usage,
        )
        answer = await self.send(body, for_upstream(self.call.headers), self.call.query)
        if peek.stream and relay.is_event_stream(answer):
            await relay.forward_stream(self, answer, strip_usage=inject)
        else:
            await relay.forward_whole(self, answer)

    async def _translated(self, upstream: Codec) -> None:
        request = self._read()
        written = upstream.write_request(request, self.target)
        self.trace.losses.extend(written.losses)
        self.refuse_losses()
        answer = await self.send(written.body, [JSON], "")
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
        return ReplyContext(
            request_id=self.trace.request_id,
            now=self.trace.started_us // 1_000_000,
            new_id=self.hub.ids.new,
            include_usage=request.include_usage,
            estimated_input=max(1, -(-len(self.call.body) // 4)),
        )

    # --- the upstream -------------------------------------------------------------------------------

    async def send(self, body: bytes, headers: Headers, query: str) -> Answer:
        """Call the upstream; the wait until its head is not our overhead. When the client leaves, so do we."""
        provider = self.provider
        assert provider.origin is not None
        target = provider.targets[ENDPOINT[self.trace.upstream_protocol or self.trace.protocol]]
        if query:
            target = b"%s?%s" % (target, query.encode())
        sent = [*headers, *provider.credentials, self.hub.hop, IDENTITY]
        sent += [default for default in provider.defaults if first(headers, default[0]) is None]
        self.trace.attempts += 1
        self.begin()
        self.leave_with_client()
        self.wait()
        answer = await self.hub.client.send(
            provider.origin, b"POST", target, sent, body, provider=provider.id
        )
        self.arrived()
        return answer

    def begin(self) -> None:
        """The start record; nothing is sent before it stands in the journal."""
        self.hub.meter.begin(self.trace)

    def leave_with_client(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.sink.on_gone(task.cancel)  # type: ignore[arg-type]  # the result of cancel() is of no use

    def wait(self) -> None:
        self.waiting_since = perf_counter()

    def arrived(self) -> None:
        if self.waiting_since is not None:
            self.trace.waited += perf_counter() - self.waiting_since
            self.waiting_since = None

    # --- the way out --------------------------------------------------------------------------------

    def head(self, *, translated: bool, cost: bool = False) -> Headers:
        """The headers of ours that every answer carries."""
        trace = self.trace
        trace.overhead_us = max(0, round((perf_counter() - trace.received - trace.waited) * 1e6))
        request_id = trace.request_id.encode()
        headers: Headers = [
            (b"x-tokligence-request-id", request_id),
            (b"x-tokligence-overhead-us", b"%d" % trace.overhead_us),
        ]
        if trace.provider is not None:
            route = f"{trace.provider}/{self.target.model}"
            headers.append((b"x-tokligence-route", route.encode("ascii", "replace")))
        if translated:
            headers.append((REQUEST_ID_HEADER[trace.protocol], request_id))
        if trace.losses:
            headers.append((b"x-tokligence-loss", loss_header(trace.losses)))
        if cost:
            amount = trace.cost()
            if amount is not None:
                headers.append((b"x-tokligence-cost-usd", usd(amount)))
        return headers

    def view(self, error: GatewayError) -> ErrorView:
        return ErrorView(
            status=error.status, message=error.text, request_id=self.trace.request_id, code=error.code
        )

    def end(self, status: int, outcome: Outcome = Outcome.OK, error_code: str | None = None) -> None:
        """Book the call, before its last byte is sent. What was delivered is metered, also of a broken answer."""
        if self.trace.usage is None or outcome is not Outcome.OK:
            self.trace.estimate(len(self.call.body))
        self.hub.meter.end(self.trace, perf_counter(), status, outcome, error_code)

    def content_seen(self) -> None:
        if self.trace.first_content is None:
            self.trace.first_content = perf_counter()

    def lose(self, losses: list[Loss]) -> None:
        """Losses of an answer."""
        self.trace.losses.extend(losses)

    def _fail(self, error: GatewayError) -> None:
        self.arrived()
        status = error.status
        self.end(status, OUTCOME[error.fault], error.code)
        if self.sink.started:
            self.sink.end(self.stream_error(self.view(error)))
            return
        headers = self.head(translated=True)
        headers += [JSON, (b"x-tokligence-error-code", error.code.encode())]
        if error.retry_after is not None:
            headers.append((b"retry-after", error.retry_after.encode()))
        if not error.retryable:
            headers.append((b"x-should-retry", b"false"))
        self.sink.whole(status, headers, self.codec.write_error(self.view(error)))

    def _interrupted(self) -> None:
        gone = self.sink.gone
        self.end(CLIENT_LEFT if gone else 503, Outcome.CANCELLED if gone else Outcome.INTERRUPTED)


def usd(picousd: int) -> bytes:
    """Decimal text of an amount: 1500000 -> b"0.0000015"."""
    whole, fraction = divmod(picousd, 10**12)
    digits = f"{fraction:012d}".rstrip("0")
    return f"{whole}.{digits}".encode() if digits else str(whole).encode()
