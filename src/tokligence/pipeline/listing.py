"""Which models can be asked for: the catalogue's of each configured provider, users' exact routes, and what the
custom endpoints list themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import Struct

from tokligence.errors import GatewayError
from tokligence.pipeline.hub import Hub, Provider, State
from tokligence.wire.contract import ListedModel

FRESH_S: Final = 60.0
"""Seconds for which an endpoint's own list is believed."""
PATIENCE_S: Final = 2.0
"""Seconds given to an endpoint for its list; one that is slower is left out this time."""
LIST_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of such a list."""


class _TheirModel(Struct):
    id: str
    created: int | float | None = None


class _TheirList(Struct):
    data: list[_TheirModel] = []


_THEIR_LIST: Final = msgspec.json.Decoder(_TheirList)


class Listing:
    """The list of models, with what custom endpoints said remembered for a minute."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._heard: dict[str, tuple[float, list[ListedModel]]] = {}

    async def models(self) -> list[ListedModel]:
        """Every model once, in a stable order: exact routes, then provider by provider."""
        state = self._hub.state
        asked = [p for p in state.providers.values() if p.lists]
        lists = await asyncio.gather(*(self._ask(p) for p in asked))
        found = {model.id: model for model in configured_models(state)}
        for model in (m for models in lists for m in models):
            found.setdefault(model.id, model)
        return list(found.values())

    async def _ask(self, provider: Provider) -> list[ListedModel]:
        now = self._hub.loop.time()
        heard = self._heard.get(provider.id)
        if heard is not None and now - heard[0] < FRESH_S:
            return heard[1]
        models = await self._fetch(provider)
        self._heard[provider.id] = (now, models)
        return models

    async def _fetch(self, provider: Provider) -> list[ListedModel]:
        assert provider.origin is not None
        headers = [
            *provider.credentials,
            *provider.defaults,
            self._hub.hop,
            (b"accept-encoding", b"identity"),
        ]
        client, target = self._hub.client, provider.targets["models"]
        try:
            async with asyncio.timeout(PATIENCE_S):
                answer = await client.send(
                    provider.origin, b"GET", target, headers, b"", provider=provider.id
                )
                body = await answer.read(LIST_LIMIT)
            theirs = _THEIR_LIST.decode(body) if answer.status == 200 else _TheirList()
        except (GatewayError, TimeoutError, msgspec.DecodeError):
            return []  # the endpoint is down or lists nothing; its models can be asked for all the same
        return [ListedModel(m.id, int(m.created or 0), provider.id) for m in theirs.data]


def configured_models(state: State) -> list[ListedModel]:
    """What follows from the configuration alone: users' exact routes, then provider by provider."""
    found: dict[str, ListedModel] = {}
    for model in (*_routed(state), *_catalogued(state)):
        found.setdefault(model.id, model)
    return list(found.values())


def _routed(state: State) -> Iterable[ListedModel]:
    for name in state.router.exact_names():
        try:
            resolved = state.router.resolve(name)
        except GatewayError:
            continue  # its provider has no key
        yield _listed(state, name, resolved.provider, resolved.model)


def _catalogued(state: State) -> Iterable[ListedModel]:
    for provider in state.providers.values():
        for name in state.catalogue.known_models(provider.vendor):
            yield _listed(state, name, provider.id, name)


def _listed(state: State, name: str, provider_id: str, model: str) -> ListedModel:
    provider = state.providers[provider_id]
    card = state.card(provider, model)
    return ListedModel(name, _unix(card.released), provider.id, card.context_tokens, card.max_output_tokens)


def _unix(date: str) -> int:
    """Seconds of a date YYYY-MM-DD; 0 if it is not one."""
    try:
        return int(datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
    except ValueError:
        return 0
