"""`count_tokens`: the upstream's own count where it speaks the client's protocol, else an estimate that says so."""

from __future__ import annotations

from typing import Final

import msgspec

from tokligence.conversation import ProtocolId
from tokligence.pipeline.contract import Call, Headers, Sink
from tokligence.pipeline.exchange import IDENTITY, JSON
from tokligence.pipeline.headers import first, for_client, for_upstream
from tokligence.pipeline.hub import Hub, Provider
from tokligence.wire.registry import CODECS

BYTES_PER_TOKEN: Final = 4
COUNT_LIMIT: Final = 1024 * 1024
"""Bytes of an upstream's answer to this question."""


async def count_tokens(hub: Hub, call: Call, sink: Sink, protocol: ProtocolId) -> None:
    """Answers; raises `GatewayError` for a body that is not a request. Nothing is booked: no model is called."""
    codec = CODECS[protocol]
    peek = codec.peek(call.body)
    state = hub.state
    resolved = state.router.resolve(peek.model)
    provider = state.providers[resolved.provider]
    if provider.protocol is protocol and "count_tokens" in provider.targets:
        model = resolved.model if resolved.model != peek.model else None
        body = codec.splice(call.body, model=model, ask_usage=False)
        await _forward(hub, call, sink, provider, body)
        return
    codec.read_request(call.body)  # what is no valid request is no countable one either
    tokens = max(1, -(-len(call.body) // BYTES_PER_TOKEN))
    headers = [JSON, *_ours(hub, provider), (b"x-tokligence-usage", b"estimated")]
    sink.whole(200, headers, msgspec.json.encode({"input_tokens": tokens}))


async def _forward(hub: Hub, call: Call, sink: Sink, provider: Provider, body: bytes) -> None:
    assert provider.origin is not None
    headers = [*for_upstream(call.headers), *provider.credentials, hub.hop, IDENTITY]
    headers += [default for default in provider.defaults if first(headers, default[0]) is None]
    target = provider.targets["count_tokens"]
    if call.query:
        target = b"%s?%s" % (target, call.query.encode())
    answer = await hub.client.send(provider.origin, b"POST", target, headers, body, provider=provider.id)
    theirs = await answer.read(COUNT_LIMIT)
    sink.whole(answer.status, _ours(hub, provider) + for_client(answer.headers), theirs)


def _ours(hub: Hub, provider: Provider) -> Headers:
    return [
        (b"x-tokligence-request-id", hub.ids.new("req_").encode()),
        (b"x-tokligence-route", provider.id.encode()),
    ]
