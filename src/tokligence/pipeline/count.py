"""`count_tokens`: the upstream's own count where it speaks the client's protocol, else an estimate that says so."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Final

import msgspec

from tokligence.conversation import ProtocolId
from tokligence.pipeline.contract import Call, Headers, Sink
from tokligence.pipeline.estimate import request_tokens
from tokligence.pipeline.headers import for_client, for_upstream, route_header
from tokligence.pipeline.hub import Hub, Provider
from tokligence.pipeline.outbound import JSON, ask, hop_of, leave_with_client, passing_headers, target_of
from tokligence.routing.match import Resolved
from tokligence.wire.contract import Codec
from tokligence.wire.gemini.listing import counted_request, write_count
from tokligence.wire.gemini.paths import Method, target_path
from tokligence.wire.registry import CODECS
from tokligence.wire.splice import TopLevel

COUNT_LIMIT: Final = 1024 * 1024
"""Bytes of an upstream's answer to this question."""
CANNOT_COUNT: Final = frozenset({404, 405, 501})
"""Answers of an endpoint that serves its vendor's protocol without this question."""


async def count_tokens(
    hub: Hub, call: Call, sink: Sink, protocol: ProtocolId, codec: Codec | None = None
) -> None:
    """Answers; raises `GatewayError` for a body that is not a request. Nothing is booked: no model is called. `codec`: of
    a call whose path says more than its body."""
    codec = codec or CODECS[protocol]
    state = hub.state
    hop = hop_of(hub, call)
    peek = codec.peek(call.body)
    resolved = state.router.resolve(peek.model)
    provider = state.providers[resolved.provider]
    waited = 0.0
    if provider.protocol is protocol and "count_tokens" in provider.targets:
        model = resolved.model if resolved.model != peek.model else None
        body = codec.splice(call.body, model=model, ask_usage=False)
        headers = passing_headers(provider, for_upstream(call.headers), hop)
        target = target_of(provider, "count_tokens", call.query)
        if protocol is ProtocolId.GEMINI:
            target = target_path(resolved.model, Method.COUNT)
        leave_with_client(sink)
        asked = perf_counter()
        try:
            answer = await ask(hub, provider, b"POST", target, headers, body=body)
            theirs = await answer.read(COUNT_LIMIT)
        finally:
            sink.on_gone(None)
        waited = perf_counter() - asked
        if not (provider.own_endpoint and answer.status in CANNOT_COUNT):
            ours = _ours(hub, call, provider, resolved, waited)
            sink.whole(answer.status, ours + for_client(answer.headers), theirs)
            return
    question, write = QUESTIONS[protocol]
    tokens = request_tokens(codec.read_request(question(call.body)))
    headers = [JSON, *_ours(hub, call, provider, resolved, waited), (b"x-tokligence-usage", b"estimated")]
    sink.whole(200, headers, write(tokens))


def _as_call(body: bytes) -> bytes:
    """The question as the model call that it is about: it lacks the limit of the output alone."""
    top = TopLevel(body)
    return body if "max_tokens" in top.values else top.append("max_tokens", b"1")


def _write_messages(tokens: int) -> bytes:
    return msgspec.json.encode({"input_tokens": tokens})


QUESTIONS: Final[dict[ProtocolId, tuple[Callable[[bytes], bytes], Callable[[int], bytes]]]] = {
    ProtocolId.ANTHROPIC: (_as_call, _write_messages),
    ProtocolId.GEMINI: (counted_request, write_count),
}
"""The request that a question is about, and its answer."""


def _ours(hub: Hub, call: Call, provider: Provider, resolved: Resolved, waited: float) -> Headers:
    overhead = max(0, round((perf_counter() - call.received - waited) * 1e6))
    return [
        (b"x-tokligence-request-id", hub.ids.new("req_").encode()),
        (b"x-tokligence-overhead-us", b"%d" % overhead),
        (b"x-tokligence-route", route_header(provider.id, resolved.model)),
    ]
