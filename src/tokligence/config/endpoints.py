"""Named endpoints: the sections `[provider.NAME]`, whose keys are layered one by one as `provider.NAME.KEY`.

A section is a known vendor's, a preset, if it is called so or says so. The key and the address of a preset may also stand
outside of its section under a short name: `groq_api_key` is `provider.groq.api_key`. A section with a `type` is a cloud's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tokligence.catalog.clouds import CLOUD, DEFAULT_LOCATION, Cloud, address_at
from tokligence.catalog.presets import PRESET, PRESETS, SETTINGS, Preset
from tokligence.config.errors import ConfigError
from tokligence.config.home import expand_user
from tokligence.config.ini import Entry, unquoted
from tokligence.config.schema import PROTOCOLS, PROVIDER_KEYS, ProviderSection
from tokligence.config.values import (
    BadValue,
    Given,
    Place,
    check_characters,
    closest,
    quoted,
    read_secret,
    read_url,
)

SECTION: Final = "provider."
"""What the section's name, and the dotted name of each of its keys, begin with."""

ENDPOINT: Final = r"[a-z0-9][a-z0-9_-]{0,63}"
"""Names of endpoints, a pattern for `re.fullmatch`. No dot: it parts the words of the dotted name."""

BUILT_IN_PROVIDERS: Final = frozenset({"openai", "anthropic", "google", "gemini", "llm", "loopback"})
"""Names that a section cannot take: their settings stand outside of sections."""


def is_endpoint(name: str) -> bool:
    """Whether a dotted name is a key of a named endpoint."""
    return name.startswith(SECTION)


def short_name(key: str) -> str | None:
    """The dotted name of what a preset's key or address is called outside of its section; None for any other name."""
    found = SETTINGS.get(key)
    return None if found is None else f"{SECTION}{found[0]}.{found[1]}"


def preset_of(section: str, values: Mapping[str, str]) -> Preset | None:
    """The vendor that a section `provider.NAME` with these values is."""
    if "type" in values:
        return None
    return PRESET.get(values.get("preset") or section.removeprefix(SECTION))


def is_own(section: str, values: Mapping[str, str]) -> bool:
    """Whether a section's address is the user's own, not a vendor's: written down, or on this machine."""
    if "base_url" in values:
        return True
    preset = preset_of(section, values)
    return "type" not in values and (preset is None or preset.local)


def address_of(section: ProviderSection) -> str:
    """The base URL of a named endpoint; "" for a cloud's of which too little is set."""
    if section.base_url:
        return section.base_url
    if section.type:
        place = section.region or section.location
        return address_at(CLOUD[section.type], place) if place else ""
    preset = PRESET[section.preset]
    return preset.anthropic_url if section.protocol == "anthropic" else preset.base_url


def split_endpoint(dotted: str) -> tuple[str, str]:
    """`provider.NAME.KEY` as section and key. Raises `ConfigError` if it is not one."""
    section, _, key = dotted.rpartition(".")
    if not is_endpoint(section):
        raise ConfigError("expected provider.NAME.KEY", key=dotted, nearest=f"{dotted}.base_url")
    endpoint_name(Entry(section, key, 0, ()), None)
    return section, key


def endpoint_name(entry: Entry, file: Path | None) -> str:
    """The dotted name of a key in such a section. Raises `ConfigError` for a bad name or key."""
    name = entry.section.removeprefix(SECTION)
    line = entry.line or None
    if name in BUILT_IN_PROVIDERS:
        raise ConfigError(
            f"{name} is a built-in provider; take another name for this section", file, line, entry.key
        )
    if re.fullmatch(ENDPOINT, name) is None:
        raise ConfigError(
            f"'{name}' is not a name for a section: letters, digits, - and _", file, line, entry.key
        )
    if entry.key not in PROVIDER_KEYS:
        nearest = closest(entry.key, PROVIDER_KEYS)
        raise ConfigError(f"is not a setting of [{entry.section}]", file, line, entry.key, nearest)
    return f"{entry.section}.{entry.key}"


def read_endpoint_value(name: str, given: Given, place: Place) -> str:
    """The value of `provider.NAME.KEY`. Raises `ConfigError`."""
    check_characters(given)
    if len(given.parts) > 1:
        raise given.error("goes on in this line, which only lists may do", line=given.parts[1].line)
    text = unquoted(given.parts[0].text)
    key = name.rpartition(".")[2]
    try:
        if key == "credentials_file":
            return str(place.root / expand_user(text, place.environ))
        return READERS[key](text)
    except BadValue as bad:
        raise given.error(str(bad), bad.nearest) from None


def _protocol(text: str) -> str:
    word = PROTOCOLS.get(text.lower())
    if word is None:
        raise BadValue("must be openai, anthropic or gemini", closest(text, tuple(PROTOCOLS)))
    return word


def _preset(text: str) -> str:
    preset = PRESET.get(text.lower())
    if preset is None:
        raise BadValue("is not a vendor known here", closest(text, tuple(PRESET)))
    return preset.id


def _cloud(text: str) -> str:
    if text.lower() not in CLOUD:
        raise BadValue(f"must be one of {', '.join(CLOUD)}", closest(text, tuple(CLOUD)))
    return text.lower()


def _word(text: str) -> str:
    # It becomes a part of a host's name or of a path.
    if re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9.:_-]{0,126}[A-Za-z0-9])?", text) is None:
        raise BadValue(f"{quoted(text)} is not a name of letters, digits and -")
    return text


READERS: Final[dict[str, Callable[[str], str]]] = {
    "base_url": read_url,
    "protocol": _protocol,
    "api_key": read_secret,
    "preset": _preset,
    "type": _cloud,
    "api_version": _word,
    "project": _word,
    "location": _word,
    "region": _word,
    "access_key_id": read_secret,
    "secret_access_key": read_secret,
    "session_token": read_secret,
}
"""Keys of a section; a file's path is read by `read_endpoint_value`, which knows what it is relative to."""


def endpoints(found: Mapping[str, tuple[Any, Given]]) -> tuple[ProviderSection, ...]:
    """All named endpoints among the values found, in the order of the files. Raises `ConfigError` for an
    incomplete one."""
    return tuple(
        _endpoint(
            section,
            values,
            next(given for name, (_, given) in found.items() if name.startswith(f"{section}.")),
        )
        for section, values in sections(found).items()
    )


def sections(found: Mapping[str, tuple[Any, Given]]) -> dict[str, dict[str, str]]:
    """`provider.NAME` -> its keys and values."""
    by_section: dict[str, dict[str, str]] = {}
    for dotted, (value, _) in found.items():
        if is_endpoint(dotted):
            section, _, key = dotted.rpartition(".")
            by_section.setdefault(section, {})[key] = value
    return by_section


def _endpoint(section: str, values: dict[str, str], given: Given) -> ProviderSection:
    if "type" in values:
        return _of_cloud(section, values, given)
    for key in OF_CLOUDS:
        if key in values:
            raise given.error(f"the section [{section}] has {key} but no type; it may be {', '.join(CLOUD)}")
    if values.get("protocol") == "gemini":
        raise given.error(f"the section [{section}]: protocol gemini is for type vertex only")
    preset = preset_of(section, values)
    if "base_url" not in values:
        if preset is None:
            raise given.error(f"the section [{section}] needs base_url")
        if values.get("protocol") == "anthropic" and not preset.anthropic_url:
            raise given.error(
                f"the section [{section}] needs base_url: {preset.id} has none for this protocol"
            )
    name = section.removeprefix(SECTION)
    return ProviderSection(name=name, **{**values, "preset": preset.id if preset else ""})


def _of_cloud(section: str, values: dict[str, str], given: Given) -> ProviderSection:
    """What it still lacks is no error: it may come by a variable, and other providers are no worse for it."""
    cloud = CLOUD[values["type"]]
    if "preset" in values:
        raise given.error(f"the section [{section}] has both type and preset; it can be one of them")
    protocol = values.get("protocol", cloud.protocols[0])
    if protocol not in cloud.protocols:
        raise given.error(
            f"the section [{section}]: {cloud.id} speaks {' or '.join(cloud.protocols)}, not {protocol}"
        )
    if cloud.addresses:
        values = {"location": DEFAULT_LOCATION, **values}
    return ProviderSection(name=section.removeprefix(SECTION), **{**values, "protocol": protocol})


OF_CLOUDS: Final = tuple(
    key for key in PROVIDER_KEYS if key not in ("base_url", "protocol", "api_key", "preset", "type")
)


def lacking(section: ProviderSection) -> str | None:
    """The first key that a cloud's section needs and has not; None if it has all, or is no cloud's."""
    cloud = CLOUD.get(section.type)
    needs = () if cloud is None else cloud.needs
    return next((keys[-1] for keys in needs if not any(getattr(section, key) for key in keys)), None)


def calls_a_vendor(found: Mapping[str, tuple[Any, Given]]) -> bool:
    """Whether a section has a key for a vendor's own address, or is a cloud's, which nobody writes down by chance."""
    return any(
        ("api_key" in values or "type" in values) and not is_own(section, values)
        for section, values in sections(found).items()
    )


def vendor_variables(found: Mapping[str, tuple[Any, Given]]) -> dict[str, tuple[str, ...]]:
    """Dotted name of a preset's key -> the vendor's own variables for it, the stronger first. A variable that serves
    other tools too counts only for a section that stands there."""
    named = {f"{SECTION}{preset.id}.api_key": preset.variables for preset in PRESETS if not preset.shared}
    for section, values in sections(found).items():
        preset = preset_of(section, values)
        if preset is not None:
            named[f"{section}.api_key"] = preset.variables
        elif "type" in values:
            named |= {
                f"{section}.{key}": names for key, names in _cloud_variables(CLOUD[values["type"]], values)
            }
    return named


def _cloud_variables(cloud: Cloud, values: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for group in cloud.variables:
        if not any(key in values for key in group):
            yield from group.items()
