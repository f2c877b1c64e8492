"""Named endpoints: the sections `[provider.NAME]`, whose keys are layered one by one as `provider.NAME.KEY`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

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
    protocol = PROTOCOLS.get(text.lower())
    if protocol is None:
        raise given.error("must be openai or anthropic", closest(text, tuple(PROTOCOLS)))
    return protocol


def endpoints(found: Mapping[str, tuple[Any, Given]]) -> tuple[ProviderSection, ...]:
    """All named endpoints among the values found, in the order of the files. Raises `ConfigError` for an
    incomplete one."""
    sections: dict[str, dict[str, str]] = {}
    first: dict[str, Given] = {}
    for dotted, (value, given) in found.items():
        if is_endpoint(dotted):
            section, _, key = dotted.rpartition(".")
            sections.setdefault(section, {})[key] = value
            first.setdefault(section, given)
    for section, values in sections.items():
        if "base_url" not in values:
            raise first[section].error(f"the section [{section}] needs base_url")
    return tuple(
        ProviderSection(name=section.removeprefix(SECTION), **values) for section, values in sections.items()
    )
