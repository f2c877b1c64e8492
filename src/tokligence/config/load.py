"""All sources of settings into one `Settings`, with where each value came from.

    flags > TOKLIGENCE_X (or TOKLIGENCE_X_FILE for secrets) > config/<env>/gateway.ini > config/settings.ini
          > vendors' own key variables > defaults

`load` is a pure function of its arguments and the files: a reload calls it again and compares with `changes`.
A higher source replaces a lower one, lists included. `model_provider_routes` holds the user's routes only; routing
adds the built-in ones behind them. Addresses in OPENAI_BASE_URL and ANTHROPIC_BASE_URL are never read: users set
these to point clients at the gateway.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from tokligence.config.endpoints import (
    calls_a_vendor,
    endpoints,
    is_endpoint,
    is_own,
    read_endpoint_value,
    sections,
    vendor_variables,
)
from tokligence.config.errors import ConfigError
from tokligence.config.home import Home, find_home
from tokligence.config.ini import read_text
from tokligence.config.layers import (
    PREFIX,
    VENDOR_VARIABLES,
    Layer,
    Notes,
    environment_layer,
    flag_layer,
    ini_layer,
    place_of,
    vendor_layer,
)
from tokligence.config.schema import FIELDS, VENDOR_KEYS, Kind, Settings
from tokligence.config.values import Given, Origin, Place, Source, items, odd_key, read_value

__all__ = ["ConfigError", "Loaded", "environment_of", "load", "process_environ", "settings_file"]

ReadText = Callable[[Path], str | None]
Values = dict[str, tuple[Any, Given]]
"""By setting, or `provider.NAME.KEY`: the strongest value and where it was given."""


class Loaded(Struct, frozen=True):
    """The result of `load`. `origins`: for each setting of `FIELDS`. `warnings`: one line each, to show at start.
    `layers`: the strongest first. `files`: those to watch for changes; they need not exist."""

    settings: Settings
    origins: dict[str, Origin]
    warnings: tuple[str, ...]
    home: Home
    layers: tuple[Layer, ...]
    files: tuple[Path, ...]


def process_environ() -> dict[str, str]:
    """A copy of this process's environment: the `environ` of `load` outside of tests."""
    return dict(os.environ)


def load(
    environ: Mapping[str, str],
    flags: Mapping[str, str] | None = None,
    home: Path | None = None,
    read: ReadText = read_text,
) -> Loaded:
    """Reads every source. `flags`: setting -> text, as given on the command line (`env` is `environment`).
    `home`: instead of the directory that `environ` names. `read`: gives a configuration file's text, None if absent.
    Raises `ConfigError` for the first thing that cannot be used."""
    where = find_home(environ) if home is None else Home(home.absolute())
    place = Place(where.root, environ)
    notes = Notes()
    asked = flag_layer(flags or {})
    variables = environment_layer(environ, notes)
    base = ini_layer(*settings_file(where, read), Source.SETTINGS_INI, environ, notes)
    environment = _environment((asked, variables, base), place)
    file = where.env_ini(environment)
    overlay = ini_layer(file, read(file), Source.GATEWAY_INI, environ, notes)
    _check_overlay(overlay, asked, where, notes)
    values = _merged((asked, variables, overlay, base), place)
    vendor = vendor_layer(environ, VENDOR_VARIABLES | vendor_variables(values))
    local_only = _local_only(values)
    if local_only:
        vendor = _without_vendors(vendor, values, notes)
    _add_vendors(vendor, values, place, notes)
    settings = _settings(values, environment, local_only)
    _warn_of_keys(settings, values, where, notes)
    return Loaded(
        settings,
        _origins(values, local_only),
        tuple(notes.warnings),
        where,
        (asked, variables, overlay, base, vendor),
        (where.settings_ini, where.former_settings_ini, file, *notes.secret_files),
    )


def environment_of(environ: Mapping[str, str], flags: Mapping[str, str], home: Home) -> str:
    """The environment's name, from the sources that may choose it. Raises `ConfigError` as `load` does."""
    notes = Notes()
    base = ini_layer(*settings_file(home), Source.SETTINGS_INI, environ, notes)
    return _environment(
        (flag_layer(flags), environment_layer(environ, notes), base), Place(home.root, environ)
    )


def settings_file(home: Home, read: ReadText = read_text) -> tuple[Path, str | None]:
    """The `settings.ini` that is read and its text: `setting.ini` if only that exists."""
    text = read(home.settings_ini)
    if text is None and (former := read(home.former_settings_ini)) is not None:
        return home.former_settings_ini, former
    return home.settings_ini, text


def _environment(layers: tuple[Layer, ...], place: Place) -> str:
    field = FIELDS["environment"]
    given = next((layer.values[field.name] for layer in layers if field.name in layer.values), None)
    return str(field.default if given is None else read_value(field, given, place))


def _check_overlay(overlay: Layer, asked: Layer, home: Home, notes: Notes) -> None:
    """The file of an environment cannot choose the environment; and one asked for by name should exist."""
    given = overlay.values.pop("environment", None)
    if given is not None:
        notes.warn(f"{place_of(given)} has no effect: the environment is chosen in {home.settings_ini}")
    if "environment" in asked.values and overlay.file is not None and not overlay.file.exists():
        notes.warn(f"there is no {overlay.file}; the environment has no settings of its own")


def _merged(layers: tuple[Layer, ...], place: Place) -> Values:
    """The strongest value of each setting. Weaker ones are read too: a mistake must not lie in wait behind them."""
    values: Values = {}
    for layer in layers:
        for name, given in layer.values.items():
            values.setdefault(name, (_read(name, given, place), given))
    return values


def _read(name: str, given: Given, place: Place) -> Any:
    return (
        read_endpoint_value(name, given, place)
        if is_endpoint(name)
        else read_value(FIELDS[name], given, place)
    )


def _local_only(values: Values) -> bool:
    """As asked, else on exactly when an endpoint of the user's own is set and no vendor's key is: then nothing may
    leave for a vendor merely because another tool's variable is around."""
    asked, _ = values.get("local_only", (None, None))
    if asked is None:
        keys = any(name in values for name in VENDOR_KEYS) or calls_a_vendor(values)
        return "llm_endpoint" in values and not keys
    return bool(asked)


def _without_vendors(vendor: Layer, values: Values, notes: Notes) -> Layer:
    """What vendors' variables still give: the keys of endpoints whose address is the user's own."""
    own = {f"{section}.api_key" for section, keys in sections(values).items() if is_own(section, keys)}
    kept = {name: given for name, given in vendor.values.items() if name in own}
    present = [given.key for name, given in vendor.values.items() if name not in own]
    if present:
        asked = values.get("local_only", (None, None))[0]
        why = "" if asked else " because llm_endpoint is set and no vendor's key is"
        notes.warn(
            f"local_only is on{why}: {', '.join(present)} ignored; "
            f"set local_only=no{'' if asked else f', or {PREFIX}{present[0]},'} to use vendors"
        )
    return Layer(Source.VENDOR, kept)


def _add_vendors(vendor: Layer, values: Values, place: Place, notes: Notes) -> None:
    """A vendor's variable is not ours: one that cannot be used is only warned of."""
    for name, given in vendor.values.items():
        if name not in values:
            try:
                values[name] = (_read(name, given, place), given)
            except ConfigError as error:
                notes.warn(f"{error}; it is ignored")


def _settings(values: Values, environment: str, local_only: bool) -> Settings:
    given = {name: value for name, (value, _) in values.items() if not is_endpoint(name)}
    given |= {"environment": environment, "local_only": local_only, "providers": endpoints(values)}
    return Settings(**given)


def _origins(values: Values, local_only: bool) -> dict[str, Origin]:
    origins = {name: Origin(Source.DEFAULT) for name in FIELDS}
    for name, (_, given) in values.items():
        if is_endpoint(name):
            if origins["providers"].source is Source.DEFAULT:
                origins["providers"] = given.origin
        else:
            origins[name] = _with_lines(name, given)
    if local_only and values.get("local_only", (None, None))[0] is None:
        origins["local_only"] = Origin(Source.AUTOMATIC)
    return origins


def _with_lines(name: str, given: Given) -> Origin:
    """The origin, with each item's line for lists from INI files."""
    origin = given.origin
    if not isinstance(FIELDS[name].default, tuple) or origin.line is None:
        return origin
    lines = tuple(line for _, line in items(given.parts) if line is not None)
    return Origin(origin.source, origin.file, origin.line, lines=lines)


def _warn_of_keys(settings: Settings, values: Values, home: Home, notes: Notes) -> None:
    for name, field in FIELDS.items():
        if field.setting.kind is Kind.SECRET and name in values:
            # Behind an address of the user's own, keys have that server's form.
            address = FIELDS.get(name.replace("_api_key", "_base_url"))
            usual = address is not None and getattr(settings, address.name) == address.default
            odd = odd_key(field, getattr(settings, name)) if usual else None
            if odd is not None:
                notes.warn(f"{odd} ({values[name][1].origin})")
    for file in notes.holders if os.name == "posix" else ():
        if file.exists() and file.stat().st_mode & 0o077:
            notes.warn(f"{file} holds keys and other users may read it: chmod 600 it")
    if home.firewall_ini.exists():
        notes.warn(f"{home.firewall_ini} is not read: there is no prompt firewall in this version")
