"""Settings shown to people: listings with masked secrets, and where a value comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from tokligence.config.endpoints import address_of, is_endpoint, short_name, split_endpoint
from tokligence.config.errors import ConfigError
from tokligence.config.former import former, present_name
from tokligence.config.ini import unquoted
from tokligence.config.layers import VENDOR_VARIABLES, Layer, is_secret, plain_names
from tokligence.config.load import Loaded
from tokligence.config.mask import masked
from tokligence.config.schema import FIELDS, Field, Kind, ProviderSection, Settings
from tokligence.config.values import Given, Origin, Source, closest, write_client_key, write_value


class Row(Struct, frozen=True):
    """One line of `tgw config list`. `value`: as text, secrets masked unless revealed; "" if there is none.
    `origin`: where it comes from, in words."""

    name: str
    value: str
    origin: str
    is_default: bool


def setting_name(name: str) -> str:
    """The present name of the setting that a user means: of `FIELDS`, or `provider.NAME.KEY`.
    Raises `ConfigError` for anything else, with what became of it or the nearest name."""
    key = name.strip().lower()
    if is_endpoint(key):
        split_endpoint(key)
        return key
    if key in FIELDS:
        return key
    present = present_name(key) or short_name(key)
    if present is not None:
        return present
    row = former(key)
    if row is not None:
        raise ConfigError(row.warning(key, None))
    plain = key.removeprefix("tokligence_").replace("-", "_")
    raise ConfigError("is not a setting", key=name, nearest=closest(plain, ("providers", *plain_names())))


def shown(name: str, value: Any, *, reveal: bool = False) -> str:
    """The value of a setting as text. Secrets are masked unless `reveal`; names of client keys always show."""
    field = FIELDS.get(name)
    if value is None or field is None:
        return "" if value is None else value if reveal or not is_secret(name) else masked(value)
    if field.setting.kind is Kind.CLIENT_KEYS:
        return ",".join(write_client_key(key, key.value if reveal else masked(key.value)) for key in value)
    if field.setting.kind is Kind.SECTIONS:
        return ", ".join(_shown_endpoint(endpoint, reveal) for endpoint in value)
    text = write_value(field, value)
    return masked(text) if field.setting.secret and not reveal else text


def _shown_endpoint(endpoint: ProviderSection, reveal: bool) -> str:
    key = "no key" if endpoint.api_key is None else endpoint.api_key if reveal else masked(endpoint.api_key)
    return f"{endpoint.name} ({endpoint.protocol}, {address_of(endpoint)}, {key})"


def value_of(loaded: Loaded, name: str) -> Any:
    """The value of a setting or of `provider.NAME.KEY`; None if it has none. Raises `ConfigError` for no setting."""
    name = setting_name(name)
    if name in FIELDS:
        return getattr(loaded.settings, name)
    section, key = split_endpoint(name)
    found = next((row for row in loaded.settings.providers if f"provider.{row.name}" == section), None)
    return None if found is None else getattr(found, key)


def listing(loaded: Loaded, *, reveal: bool = False) -> tuple[Row, ...]:
    """Every setting in the order of the schema."""
    return tuple(
        Row(
            name,
            shown(name, getattr(loaded.settings, name), reveal=reveal),
            str(loaded.origins[name]),
            loaded.origins[name].source is Source.DEFAULT,
        )
        for name in FIELDS
    )


def explain(loaded: Loaded, name: str) -> tuple[str, ...]:
    """Where a setting's value comes from: the value, then each source, the strongest first and the one that wins
    marked with `*`, then when a change takes effect. Raises `ConfigError` for what is no setting."""
    present = setting_name(name)
    lines = [] if present == name.strip().lower() else [f"{name.strip()} is now called {present}"]
    lines.append(f"{present} = {shown(present, value_of(loaded, present)) or '(not set)'}")
    field = FIELDS.get(present)
    if field is not None:
        lines.append(f"  {field.setting.help}")
    winner = _winner(loaded, present)
    for source, label, text in _sources(loaded, present, field):
        mark = "*" if source is winner else " "
        lines.append(f"  {mark} {label}: {text}")
    live = field is None or field.setting.reload
    lines.append("  a change takes effect at a reload" if live else "  a change needs a restart")
    return tuple(lines)


def origin_of(loaded: Loaded, name: str) -> Origin:
    """Where the value of a setting or of `provider.NAME.KEY` comes from."""
    if name in FIELDS:
        return loaded.origins[name]
    given = next((layer.values[name] for layer in loaded.layers if name in layer.values), None)
    return Origin(Source.DEFAULT) if given is None else given.origin


def _winner(loaded: Loaded, name: str) -> Source:
    return origin_of(loaded, name).source


def _sources(loaded: Loaded, name: str, field: Field | None) -> Iterator[tuple[Source, str, str]]:
    for layer in loaded.layers:
        given = layer.values.get(name)
        label = _label(layer, name, field)
        if given is not None:
            text = _given_text(name, given)
            yield layer.source, str(given.origin), text
        elif label:
            yield layer.source, label, "not set"
    if name == "local_only":
        yield Source.AUTOMATIC, "automatic", "yes when llm_endpoint is set and no vendor's key is"
    if field is not None:
        yield Source.DEFAULT, "default", shown(name, field.default) or "(none)"


def _label(layer: Layer, name: str, field: Field | None) -> str:
    """What a source is called for a setting; "" where it cannot give it."""
    if layer.file is not None:
        return str(layer.file)
    if field is None or not field.plain:
        return ""
    if layer.source is Source.FLAG:
        return field.setting.flag or ""
    if layer.source is Source.ENVIRONMENT:
        given = layer.values.get(name)
        return field.variable if given is None else str(given.origin)
    return " or ".join(VENDOR_VARIABLES.get(name, ()))


def _given_text(name: str, given: Given) -> str:
    """A value as it was written, in one line; secrets masked."""
    if name == "client_keys":
        return ", ".join(_masked_entry(part.text) for part in given.parts)
    text = ", ".join(unquoted(part.text) for part in given.parts)
    return masked(text) if is_secret(name) else text


def _masked_entry(text: str) -> str:
    entries = (entry.strip() for entry in unquoted(text).split(",") if entry.strip())
    parted = ((entry.partition("=")[0].strip(), entry.partition("=")[2].partition(";")) for entry in entries)
    return ", ".join(
        f"{name}={masked(value.strip())}{semicolon}{rest}" for name, (value, semicolon, rest) in parted
    )


def changes(old: Settings, new: Settings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The settings that differ: those that a reload puts into effect, and those that need a restart."""
    live: list[str] = []
    restart: list[str] = []
    for name, field in FIELDS.items():
        if getattr(old, name) != getattr(new, name):
            (live if field.setting.reload else restart).append(name)
    return tuple(live), tuple(restart)
