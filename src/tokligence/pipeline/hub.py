"""What every call shares: the state that a reload replaces, and the parts that live as long as the process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from tokligence.catalog.clouds import Cloud, plain_name
from tokligence.catalog.lookup import Catalogue
from tokligence.catalog.models import Dialect, ModelCard
from tokligence.config.schema import Settings
from tokligence.conversation import ProtocolId
from tokligence.pipeline.clouds import Way
from tokligence.pipeline.ids import IdSource
from tokligence.pipeline.meter import Meter
from tokligence.pipeline.opening import Openings
from tokligence.pipeline.plan import Plans
from tokligence.pipeline.signatures import Signatures
from tokligence.routing.match import Router
from tokligence.upstream.client import Client, header_lines
from tokligence.upstream.origin import Origin
from tokligence.wire.contract import Target

HOP: Final = b"x-tokligence-hop"
"""Names the gateways that a request has passed, so that a loop is noticed."""


class Resold(Struct, frozen=True):
    """Models of another vendor in a cloud. `maker`: whose they are, in the catalogue."""

    cloud: Cloud
    maker: str


class Provider(Struct, frozen=True):
    """One upstream, ready to be called. `protocol` and `origin` are None for the built-in loopback only.

    `credentials`: headers that every request carries; `defaults`: those it carries unless the client sent its own;
    `targets`: endpoint -> request target; `roots`: see `catalog.providers`. `resold`: a cloud's models, which have
    names and prices of its own; `way`: how its requests and answers differ from the plain protocol's. `own_endpoint`: the
    operator's (`llm_endpoint`, `[provider.NAME]`), or one that only speaks another vendor's protocol: the catalogue does
    not know its models, so it is asked for its list, and it may lack what the vendor of its protocol has. `max_tokens`: the
    output limit of a translated request that has none, for a model of which the catalogue knows none either."""

    id: str
    vendor: str
    issuer: str
    dialect: Dialect = Dialect()
    protocol: ProtocolId | None = None
    origin: Origin | None = None
    credentials: tuple[tuple[bytes, bytes], ...] = ()
    defaults: tuple[tuple[bytes, bytes], ...] = ()
    targets: Mapping[str, bytes] = {}
    roots: Mapping[ProtocolId, bytes] = {}
    resold: Resold | None = None
    way: Way | None = None
    own_endpoint: bool = False
    max_tokens: int | None = None


class State(Struct, frozen=True):
    """Everything that follows from the configuration; replaced as one by a reload."""

    settings: Settings
    catalogue: Catalogue
    providers: Mapping[str, Provider]
    router: Router

    def target(self, provider: Provider, model: str) -> Target:
        return Target(
            model=model,
            card=self.card(provider, model),
            issuer=provider.issuer,
            dialect=provider.dialect,
        )

    def card(self, provider: Provider, model: str) -> ModelCard:
        """What the catalogue knows of the model, if it is this vendor's; of a cloud's model all but the price."""
        card = self.catalogue.card(model, provider.vendor)
        resold = provider.resold
        if resold is None:
            return card
        makers = self.catalogue.card(plain_name(resold.cloud, model), resold.maker)
        return replace(makers, id=model, price=card.price)


class Hub:
    """Shared by all calls. `state` is replaced on reload; a running call keeps the one it began with. `plans`: what has been
    worked out of the state; `hop_lines`: our header of that name; `new_id`, `request_ids`: of `ids`."""

    def __init__(self, state: State, client: Client, meter: Meter, ids: IdSource) -> None:
        self.plans = Plans(state)
        self.client = client
        self.meter = meter
        self.ids = ids
        self.new_id = ids.new
        self.request_ids = ids.requests
        self.hop = (HOP, ids.stem.encode())
        self.hop_lines = header_lines([self.hop])
        self.loop = asyncio.get_running_loop()
        self.openings = Openings(self.loop)
        self.signatures = Signatures()

    @property
    def state(self) -> State:
        return self.plans.state

    @state.setter
    def state(self, state: State) -> None:
        self.plans = Plans(state)
