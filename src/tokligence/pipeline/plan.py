"""What follows from the configuration for the calls of one model: worked out at the first, kept with the state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from tokligence.catalog.models import ChatTools, Price
from tokligence.conversation import ProtocolId
from tokligence.pipeline.headers import NAME_LIMIT, route_header
from tokligence.upstream.client import Endpoint, header_lines
from tokligence.wire.contract import Codec, Target
from tokligence.wire.registry import CODECS

if TYPE_CHECKING:
    from tokligence.pipeline.hub import Provider, State

ENDPOINT: Final = {
    ProtocolId.OPENAI_CHAT: "chat",
    ProtocolId.OPENAI_RESPONSES: "responses",
    ProtocolId.ANTHROPIC: "messages",
    ProtocolId.GEMINI: "generate",
}
REQUEST_ID_HEADER: Final = {
    ProtocolId.OPENAI_CHAT: b"x-request-id",
    ProtocolId.OPENAI_RESPONSES: b"x-request-id",
    ProtocolId.ANTHROPIC: b"request-id",
    ProtocolId.GEMINI: b"x-request-id",
}
IDENTITY: Final = (b"accept-encoding", b"identity")
"""Usage is read from the bytes that pass, so they must not be compressed."""
MOST: Final = 1024
"""Plans of one state; clients may ask for any name."""

_NEVER: Final = ChatTools.NEVER
_RESPONSES: Final = ProtocolId.OPENAI_RESPONSES

_MODEL: Final = b"model"
_MARK: Final = b'"model"'
_NEAR: Final = 2048
"""Bytes at the end of a request in which its model's name is looked for, if it is not the first thing said."""
_FIRST: Final = 256
_QUOTE: Final = b'"'


class Plan(Struct, frozen=True, eq=False):
    """`asked`: the model as the client names it. `protocol`: what the upstream is asked in, None for the loopback;
    `same`: it is the client's; `upstream`: its codec. `own`, `passed`: the upstream's endpoint for requests that we write, and for
    those of a client; neither names a gateway, `passed` has none of the defaults. `route`: the header that tells the
    client; `names_request`: the header in which its protocol names a request. `client_word`, `word`: the client's and the
    upstream's protocol as they are booked; `served`: the target's model, likewise; `tariff`: its price."""

    asked: str
    provider: Provider
    target: Target
    protocol: ProtocolId | None
    same: bool
    upstream: Codec | None
    own: Endpoint | None
    passed: Endpoint | None
    route: tuple[bytes, bytes]
    names_request: bytes
    client_word: str
    word: str | None
    served: str
    tariff: Price | None


class Plans:
    """Those of one state."""

    __slots__ = ("_endpoints", "_plans", "state")

    def __init__(self, state: State) -> None:
        self.state = state
        self._plans: dict[tuple[ProtocolId, bytes], Plan] = {}
        self._endpoints: dict[tuple[str, ProtocolId | None], tuple[Endpoint | None, Endpoint | None]] = {}

    def of(self, protocol: ProtocolId, model: str) -> Plan:
        """Raises as the router does. `protocol`: the client's."""
        key = protocol, model.encode("utf-8", "surrogatepass")
        plan = self._plans.get(key)
        if plan is None:
            plan = self._make(protocol, model)
            if len(self._plans) >= MOST:
                self._plans.clear()
            if len(model) <= NAME_LIMIT:
                self._plans[key] = plan
        return plan

    def foreseen(self, protocol: ProtocolId, body: bytes) -> Plan | None:
        """The plan for the model that the request seems to name, if there is one already. It only seems so: what looks
        like a name may stand anywhere, so whoever reads the request has to compare."""
        parts = body[:_FIRST].split(_QUOTE, 4)
        if len(parts) == 5 and parts[1] == _MODEL:
            return self._plans.get((protocol, parts[3]))
        at = body.rfind(_MARK, max(0, len(body) - _NEAR))
        if at < 0:
            return None
        start = body.find(_QUOTE, at + len(_MARK)) + 1
        return self._plans.get((protocol, body[start : body.find(_QUOTE, start)]))

    def _make(self, protocol: ProtocolId, model: str) -> Plan:
        state = self.state
        resolved = state.router.resolve(model)
        provider = state.providers[resolved.provider]
        target = state.target(provider, resolved.model)
        spoken = _spoken(provider, target, protocol)
        own, passed = self._endpoints.get((provider.id, spoken)) or self._make_endpoints(provider, spoken)
        return Plan(
            asked=model,
            provider=provider,
            target=target,
            protocol=spoken,
            same=spoken is protocol,
            upstream=None if spoken is None else CODECS[spoken],
            own=own,
            passed=passed,
            route=(b"x-tokligence-route", route_header(provider.id, target.model)),
            names_request=REQUEST_ID_HEADER[protocol],
            client_word=protocol.value,
            word=None if spoken is None else spoken.value,
            served=target.model[:NAME_LIMIT],
            tariff=target.card.price,
        )

    def _make_endpoints(
        self, provider: Provider, protocol: ProtocolId | None
    ) -> tuple[Endpoint | None, Endpoint | None]:
        own = passed = None
        if provider.origin is not None and protocol is not None:
            target = provider.targets[ENDPOINT[protocol]]
            lines = header_lines((*provider.credentials, IDENTITY))
            passed = Endpoint(provider.origin, target, lines, provider.id)
            lines = header_lines((*provider.credentials, *provider.defaults, IDENTITY))
            own = Endpoint(provider.origin, target, lines, provider.id)
        self._endpoints[provider.id, protocol] = own, passed
        return own, passed


def _spoken(provider: Provider, target: Target, client: ProtocolId) -> ProtocolId | None:
    """The client's own protocol if the provider has it too; else the provider's first, but for models that it serves as
    agents by another only."""
    if provider.protocol is None or ENDPOINT[client] in provider.targets:
        return provider.protocol and client
    if target.card.chat_tools is _NEVER and ENDPOINT[_RESPONSES] in provider.targets:
        return _RESPONSES
    return provider.protocol
