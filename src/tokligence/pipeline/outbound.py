"""One request to an upstream: the headers it carries, and what of its answer's head is refused at once."""

from __future__ import annotations

import asyncio
from typing import Final

from tokligence.errors import GatewayError
from tokligence.pipeline.contract import Call, Headers, Sink
from tokligence.pipeline.headers import first
from tokligence.pipeline.hub import HOP, Hub, Provider
from tokligence.pipeline.passing import Seen, seen
from tokligence.pipeline.plan import IDENTITY
from tokligence.upstream.answer import Answer

JSON: Final = (b"content-type", b"application/json")


def hop_of(hub: Hub, call: Call) -> tuple[bytes, bytes]:
    """The hop header of what this call sends on: the gateways that it has passed, and we. Raises `gateway.loop` if we
    are among those it has passed; keeping the others finds loops over several gateways."""
    if call.header(HOP) is None:
        return hub.hop
    passed = [
        hop.strip() for name, value in call.headers if name == HOP for hop in value.split(b",") if hop.strip()
    ]
    if hub.hop[1] in passed:
        raise GatewayError("gateway.loop")
    return HOP, b", ".join([*passed, hub.hop[1]])


def passing_headers(provider: Provider, headers: Headers, hop: tuple[bytes, bytes]) -> Headers:
    """A client's headers on their way to a same-protocol upstream, with what the provider adds to them."""
    sent = [*headers, *provider.credentials, hop, IDENTITY]
    sent += [default for default in provider.defaults if first(headers, default[0]) is None]
    return sent


def own_headers(provider: Provider, hop: tuple[bytes, bytes]) -> Headers:
    """The headers of a request of our own."""
    return [*provider.credentials, *provider.defaults, hop, IDENTITY]


def target_of(provider: Provider, endpoint: str, query: str = "") -> bytes:
    target = provider.targets[endpoint]
    return b"%s?%s" % (target, query.encode()) if query else target


async def ask(
    hub: Hub, provider: Provider, method: bytes, target: bytes, headers: Headers, *, body: bytes = b""
) -> Answer:
    """The answer, when its head has come. Raises `GatewayError` as the client does, and `upstream.bad_response` for
    a redirect, since a credential goes only where the configuration says, and for a body that is compressed although
    it must not be."""
    assert provider.origin is not None, "the loopback is not asked over HTTP"
    answer = await hub.client.send(provider.origin, method, target, headers, body, provider=provider.id)
    check(answer)
    return answer


def check(answer: Answer) -> Seen:
    """What is to be known of the answer's head. Raises `upstream.bad_response` for what `ask` says."""
    found = answer.head.seen
    if type(found) is not Seen:
        found = seen(answer.head)
    if found.fault is not None:
        answer.cancel()
        raise GatewayError("upstream.bad_response", provider=answer.provider, reason=found.fault)
    return found


def leave_with_client(sink: Sink) -> None:
    """Cancels this task when the client leaves, and with it the call of the upstream."""
    task = asyncio.current_task()
    assert task is not None
    sink.on_gone(task.cancel)  # type: ignore[arg-type]  # the result of cancel() is of no use
