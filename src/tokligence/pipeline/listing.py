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
from tokligence.pipeline.outbound import ask, own_headers, target_of
from tokligence.wire.contract import ListedModel

FRESH_S: Final = 60.0
"""Seconds for which an endpoint's own list is believed."""
RETRY_S: Final = 5.0
"""Seconds for which an endpoint without a list is left alone: it may just be starting."""
PATIENCE_S: Final = 2.0
"""Seconds given to an endpoint for its list; one that is slower is left out this time."""
LIST_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of such a list."""
MAX_DATE: Final = 253402300800
"""Unix seconds of the year 10000, which no calendar of ours can write."""


class _TheirModel(Struct):
    """`created`: Unix seconds in OpenAI's list; Anthropic's has text, under another name."""

    id: str
    created: int | float | None = None


class _TheirList(Struct):
    data: list[_TheirModel] = []


class _Heard(Struct, frozen=True):
    """What an endpoint said, and until when (the loop's clock) it is not asked again."""

    until: float
    models: tuple[_TheirModel, ...]


_THEIR_LIST: Final = msgspec.json.Decoder(_TheirList | list[_TheirModel])
"""Together's list is a bare array (docs.together.ai/reference/models-1, read 2026-11-25)."""


class Listing:
    """The list of models, with what custom endpoints said remembered for a minute."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._heard: dict[tuple[str, str], _Heard] = {}
        # A second question waits for the answer to the first: many clients may ask at once, and an endpoint that is
        # this gateway itself must not be asked for ever.
        self._asking: dict[tuple[str, str], asyncio.Task[_Heard]] = {}

    async def models(self) -> list[ListedModel]:
        """Every model once, in a stable order: exact routes, then provider by provider."""
        state = self._hub.state
        asked = [p for p in state.providers.values() if p.own_endpoint]
        lists = await asyncio.gather(*(self._ask(p) for p in asked))
        found = {model.id: model for model in configured_models(state)}
        for provider, models in zip(asked, lists, strict=True):
            for model in models:
                name = _askable(state, provider, model.id)
                found.setdefault(name, ListedModel(name, _seconds(model.created), provider.id))
        return list(found.values())

    async def _ask(self, provider: Provider) -> tuple[_TheirModel, ...]:
        assert provider.origin is not None
        key = (provider.id, provider.origin.key)
        heard = self._heard.get(key)
        if heard is None or heard.until <= self._hub.loop.time():
            task = self._asking.get(key)
            if task is None:
                task = self._asking[key] = self._hub.loop.create_task(self._fetch(provider))
                task.add_done_callback(lambda _: self._asking.pop(key))
            heard = self._heard[key] = await asyncio.shield(task)
        return heard.models

    async def _fetch(self, provider: Provider) -> _Heard:
        hub = self._hub
        headers = own_headers(provider, hub.hop)
        try:
            async with asyncio.timeout(PATIENCE_S):
                answer = await ask(hub, provider, b"GET", target_of(provider, "models"), headers)
                body = await answer.read(LIST_LIMIT)
            if answer.status == 200:
                theirs = _THEIR_LIST.decode(body)
                models = theirs.data if isinstance(theirs, _TheirList) else theirs
                return _Heard(hub.loop.time() + FRESH_S, tuple(models))
        except (GatewayError, TimeoutError, msgspec.DecodeError, UnicodeDecodeError):
            pass  # the endpoint is down or lists nothing; its models can be asked for all the same
        return _Heard(hub.loop.time() + RETRY_S, ())


def _askable(state: State, provider: Provider, model: str) -> str:
    """The name by which a client gets this model: its own, where routes lead it to its endpoint."""
    try:
        if state.router.resolve(model).provider == provider.id:
            return model
    except GatewayError:
        pass  # no route leads anywhere
    return f"{provider.id}/{model}"


def _seconds(created: float | None) -> int:
    return int(created) if created is not None and 0 <= created < MAX_DATE else 0


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
