"""From the model that a client asks for to a provider and the model it gets there.

A route is `pattern=target` (also `=>` and `→`). The order is: exact patterns, then the pattern with most literal
characters, then the one that was written first; users' routes stand before the built-in ones. A target is a provider
id, or `provider/model`, or the name of a model or family, which is resolved again (at most `MAX_STEPS` times).
Everything is case-insensitive; a model's name goes on as the client wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from tokligence.errors import GatewayError

MAX_STEPS: Final = 8
CACHE_LIMIT: Final = 4096
"""Models whose resolution is remembered; clients may ask for any name, so it is bounded."""

_ARROW = re.compile(r"\s*(?:=>|→|=)\s*")


class RouteError(ValueError):
    """A route that cannot be used; the text is one line for the operator."""


class Route(Struct, frozen=True):
    """One rule. `origin`: where it was written, for `tgw routes`. `plain`: a `*` matches no slash."""

    pattern: str
    target: str
    origin: str = ""
    plain: bool = False


class Resolved(Struct, frozen=True):
    """`steps`: the rules that were applied, in order, for explanations."""

    provider: str
    model: str
    steps: tuple[str, ...] = ()


class ModelNames(Struct, frozen=True):
    """What the catalogue knows of names: a family's newest member, whether a model is a member, which of the `known`
    names are close to a misspelt one."""

    newest: Callable[[str], str | None]
    is_family: Callable[[str], bool]
    has_member: Callable[[str, str], bool]  # (family, model)
    near: Callable[[str], list[str]]


class Providers(Struct, frozen=True):
    """`ids`: every provider id and alias that selects one -> its id; `configured`: the ids that can be used now;
    `unset`: id or alias -> (setting, variable) that would configure it. One that is not in `ids` selects nothing until
    it is configured: its name may be a part of a model's."""

    ids: Mapping[str, str]
    configured: frozenset[str]
    unset: Mapping[str, tuple[str, str]]


def parse_route(text: str, origin: str = "") -> Route:
    """`pattern=target`; raises `RouteError`."""
    parts = _ARROW.split(text.strip(), maxsplit=1)
    if len(parts) != 2 or not parts[0] or not parts[1]:
        raise RouteError(f"not a route: {text.strip()!r}; write pattern=target, for example gpt*=openai")
    if "*" in parts[1]:
        raise RouteError(f"the target of {text.strip()!r} has a *; only patterns may")
    if _ARROW.search(parts[1]):
        raise RouteError(f"{text.strip()!r} has two arrows; separate routes by commas or lines")
    return Route(parts[0], parts[1], origin)


class _Rule:
    __slots__ = ("exact", "literal", "matches", "route")

    def __init__(self, route: Route, names: ModelNames) -> None:
        pattern = route.pattern.lower()
        self.route = route
        self.exact = "*" not in pattern
        self.literal = len(pattern.replace("*", ""))
        if not self.exact:
            anything = "[^/]*" if route.plain else ".*"
            expression = anything.join(re.escape(piece) for piece in pattern.split("*"))
            self.matches: Callable[[str], bool] = lambda model, m=re.compile(expression).fullmatch: bool(
                m(model)
            )  # type: ignore[misc]
        else:
            self.matches = lambda model: names.has_member(pattern, model)


class Router:
    """Resolves models. `routes` in order of precedence. Raises `RouteError` for a loop among them."""

    def __init__(
        self,
        routes: Sequence[Route],
        builtin: Sequence[Route],
        providers: Providers,
        names: ModelNames,
    ) -> None:
        self._providers = providers
        self._names = names
        self._cache: dict[str, Resolved] = {}
        active = [r for r in builtin if r.target in providers.configured]
        # A family whose provider has no key is told apart from a model that nobody knows; `*` says neither.
        idle = [r for r in builtin if r.target not in providers.configured and r.pattern != "*"]
        self._idle = [_Rule(r, names) for r in idle]
        self.routes: tuple[Route, ...] = (*routes, *active)
        self._exact: dict[str, Route] = {}
        for route in self.routes:
            if "*" not in route.pattern:
                self._exact.setdefault(route.pattern.lower(), route)
        # `sorted` is stable: among equals the first written stays first.
        rules = [_Rule(r, names) for r in self.routes if "*" in r.pattern or names.is_family(r.pattern)]
        self._rules = sorted(rules, key=lambda rule: -rule.literal)
        for route in routes:
            self._check(route)

    def resolve(self, model: str) -> Resolved:
        """Provider and model for what a client asked for. Raises `route.no_match` or `provider.not_configured`."""
        found = self._cache.get(model)
        if found is None:
            found = self._resolve(model)
            if len(self._cache) >= CACHE_LIMIT:
                self._cache.clear()
            self._cache[model] = found
        return found

    def provider(self, name: str) -> str:
        """The id of the provider called so, an id or an alias that is known. Raises `provider.not_configured`."""
        provider_id = self._providers.ids.get(name.lower(), name.lower())
        if provider_id not in self._providers.configured:
            raise self._not_configured(provider_id)
        return provider_id

    def exact_names(self) -> list[str]:
        """The patterns that are plain names: they join the list of models."""
        return [route.pattern for route in self._exact.values() if not self._names.is_family(route.pattern)]

    def _resolve(self, asked: str) -> Resolved:
        prefix, slash, rest = asked.partition("/")
        if slash and rest and prefix.lower() in self._providers.ids:
            return self._to_provider(prefix, rest, (f"{asked} names the provider",))
        name = asked
        steps: list[str] = []
        while True:
            route = self._exact.get(name.lower())
            if route is None:
                newest = self._names.newest(name)
                if newest is not None and newest != name:
                    steps.append(f"{name} is a family, newest member {newest}")
                    name = newest
                    continue
                route = self._match(name.lower())
            if route is None:
                raise self._no_match(name if steps else asked)
            steps.append(f"{route.pattern} → {route.target}")
            if len(steps) > MAX_STEPS:
                raise RouteError(
                    f"the route {steps[0]} does not end after {MAX_STEPS} steps: {', '.join(steps)}"
                )
            head, slash, rest = route.target.partition("/")
            if route.target.lower() in self._providers.ids:
                return self._to_provider(route.target, name, tuple(steps))
            if slash and rest and head.lower() in self._providers.ids:
                return self._to_provider(head, rest, tuple(steps))
            name = route.target

    def _match(self, name: str) -> Route | None:
        for rule in self._rules:
            if rule.matches(name):
                return rule.route
        return None

    def _to_provider(self, provider: str, model: str, steps: tuple[str, ...]) -> Resolved:
        return Resolved(self.provider(provider), model, steps)

    def _no_match(self, model: str) -> GatewayError:
        for rule in self._idle:
            name = model.lower()
            if rule.matches(name) or rule.route.pattern.lower() == name:
                return self._not_configured(rule.route.target)
        prefix = model.partition("/")[0].lower()
        if prefix in self._providers.configured:
            return GatewayError(
                "route.no_match", model=model[:200], hint=f"It names a provider: ask for {prefix}/MODEL."
            )
        if prefix in self._providers.unset:
            return self._not_configured(prefix)
        close = [name for name in self._names.near(model) if name not in self._providers.configured]
        hint = f"Did you mean {', '.join(close)}? " if close else ""
        hint += "GET /v1/models lists what is served."
        return GatewayError("route.no_match", model=model[:200], hint=hint)

    def _not_configured(self, provider: str) -> GatewayError:
        setting, variable = self._providers.unset[provider]
        pattern = next((r.route.pattern for r in self._idle if r.route.target == provider), f"{provider}*")
        return GatewayError(
            "provider.not_configured", provider=provider, setting=setting, variable=variable, pattern=pattern
        )

    def _check(self, route: Route) -> None:
        """Follow a user's route once, so that a loop is found when it is loaded."""
        name = route.target
        if name.lower() in self._providers.ids or name.partition("/")[0].lower() in self._providers.ids:
            return
        try:
            self._resolve(name)
        except GatewayError:
            return  # the target may be configured later; a call then says what is missing
