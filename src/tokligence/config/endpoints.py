"""Named endpoints: the sections `[provider.NAME]`, whose keys are layered one by one as `provider.NAME.KEY`.

A section is a known vendor's, a preset, if it is called so or says so. The key and the address of a preset may also stand
outside of its section under a short name: `groq_api_key` is `provider.groq.api_key`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tokligence.catalog.presets import PRESET, PRESETS, SETTINGS, Preset
from tokligence.config.errors import ConfigError
from tokligence.config.ini import Entry, unquoted
from tokligence.config.schema import PROTOCOLS, PROVIDER_KEYS, ProviderSection
from tokligence.config.values import BadValue, Given, check_characters, closest, read_secret, read_url

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
    return PRESET.get(values.get("preset") or section.removeprefix(SECTION))


def is_own(section: str, values: Mapping[str, str]) -> bool:
    """Whether a section's address is the user's own, not a vendor's: written down, or on this machine."""
    preset = preset_of(section, values)
    return "base_url" in values or preset is None or preset.local


def address_of(section: ProviderSection) -> str:
    """The base URL of a named endpoint."""
    if section.base_url:
        return section.base_url
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


def read_endpoint_value(name: str, given: Given) -> str:
    """The value of `provider.NAME.KEY`. Raises `ConfigError`."""
    check_characters(given)
    if len(given.parts) > 1:
        raise given.error("goes on in this line, which only lists may do", line=given.parts[1].line)
    text = unquoted(given.parts[0].text)
    key = name.rpartition(".")[2]
    try:
        if key == "base_url":
            return read_url(text)
        if key == "api_key":
            return read_secret(text)
    except BadValue as bad:
        raise given.error(str(bad)) from None
    if key == "preset":
        preset = PRESET.get(text.lower())
        if preset is None:
            raise given.error("is not a vendor known here", closest(text, tuple(PRESET)))
        return preset.id
    protocol = PROTOCOLS.get(text.lower())
    if protocol is None:
        raise given.error("must be openai or anthropic", closest(text, tuple(PROTOCOLS)))
    return protocol


def endpoints(found: Mapping[str, tuple[Any, Given]]) -> tuple[ProviderSection, ...]:
    """All named endpoints among the values found, in the order of the files. Raises `ConfigError` for an
    incomplete one."""
    return tuple(
        _endpoint(
            section, values, next(given for name, (_, given) in found.items() if name.startswith(section))
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


def calls_a_vendor(found: Mapping[str, tuple[Any, Given]]) -> bool:
    """Whether a section has a key for a vendor's own address."""
    return any(
        "api_key" in values and not is_own(section, values) for section, values in sections(found).items()
    )


def vendor_variables(found: Mapping[str, tuple[Any, Given]]) -> dict[str, tuple[str, ...]]:
    """Dotted name of a preset's key -> the vendor's own variables for it, the stronger first. A variable that serves
    other tools too counts only for a section that stands there."""
    named = {f"{SECTION}{preset.id}.api_key": preset.variables for preset in PRESETS if not preset.shared}
    for section, values in sections(found).items():
        preset = preset_of(section, values)
        if preset is not None:
            named[f"{section}.api_key"] = preset.variables
    return named
