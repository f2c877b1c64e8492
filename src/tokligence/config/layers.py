"""The sources of settings, each read into one `Layer`: which settings it gives, with which text, from where.

What a text means is decided later (`values`), so that every layer can be shown as it was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from tokligence.catalog.presets import PRESET, SETTINGS
from tokligence.config.endpoints import SECTION, endpoint_name, is_endpoint, short_name
from tokligence.config.errors import ConfigError, printable
from tokligence.config.former import (
    FORMER_NAMES,
    FORMER_VARIABLES,
    LATER_SECTIONS,
    PLAIN_SECTIONS,
    former,
    former_section,
    present_name,
)
from tokligence.config.home import HOME_VARIABLE, expand_user
from tokligence.config.ini import Entry, Part, expand, headings, lines_of, read_entries, read_text, unquoted
from tokligence.config.schema import FIELDS, PROVIDER_SECRETS, SECRET_NAMES
from tokligence.config.values import Given, Origin, Source, closest

PREFIX: Final = "TOKLIGENCE_"
FILE_SUFFIX: Final = "_file"

ENVIRONMENT_VARIABLES: Final = ("TOKLIGENCE_ENV", "TOKLIGENCE_ENVIRONMENT")
"""Both name the environment; the first wins."""

VENDOR_VARIABLES: Final[dict[str, tuple[str, ...]]] = {
    "openai_api_key": ("OPENAI_API_KEY",),
    "anthropic_api_key": ("ANTHROPIC_API_KEY",),
    # Google's own libraries let GOOGLE_API_KEY win (documentation of python-genai, read 2026-11-24).
    "google_api_key": ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
}
"""Vendors' own variables for a setting, the stronger first."""


class Layer(Struct, frozen=True):
    """One source. `values`: what it gives, by setting, and by `provider.NAME.KEY` for named endpoints.
    `file`: where it stands, for INI files, whether or not it exists."""

    source: Source
    values: dict[str, Given]
    file: Path | None = None


class Notes:
    """What is gathered while the layers are read.

    `warnings`: each once, in order. `secret_files`: files that variables name. `holders`: INI files with a secret
    written out in them.
    """

    def __init__(self) -> None:
        self.warnings: dict[str, None] = {}
        self.secret_files: list[Path] = []
        self.holders: dict[Path, None] = {}
        self._named: set[str] = set()

    def warn(self, text: str) -> None:
        self.warnings[printable(text)] = None

    def name_once(self, key: str, text: str) -> None:
        """A warning about a former name: once, however often it stands."""
        if key not in self._named:
            self._named.add(key)
            self.warn(text)


class Found:
    """The values of one layer while it is read: those under a former name apart, since a present name wins."""

    def __init__(self) -> None:
        self.values: dict[str, Given] = {}
        self._former: dict[str, Given] = {}

    def add(self, key: str, name: str, given: Given) -> None:
        """`key`: as it was written; `name`: the setting that it sets."""
        (self.values if key == name else self._former)[name] = given

    def settled(self, notes: Notes) -> dict[str, Given]:
        for name, given in self._former.items():
            if name in self.values:
                notes.warn(
                    f"{place_of(given)} is not used, since {place_of(self.values[name])} sets the same"
                )
            else:
                self.values[name] = given
        return self.values


def place_of(given: Given) -> str:
    """Where a value stands, for a message: its key, and the file and line if it is from one."""
    return given.key if given.origin.line is None else f"{given.key} ({given.origin})"


def parts_of(text: str) -> tuple[Part, ...]:
    """The lines of a text that is not from a file."""
    return tuple(Part(line.strip()) for line in lines_of(text) if line.strip())


def plain_names() -> tuple[str, ...]:
    """Every setting that is a `key = value`, and the short names of presets' keys."""
    return (*(name for name, field in FIELDS.items() if field.plain), *SETTINGS)


def set_by(key: str) -> str | None:
    """The setting that a plain key (lower case) sets: of `FIELDS`, or `provider.NAME.KEY`. None: it sets none."""
    name = key if key in FIELDS else present_name(key) or short_name(key)
    return name if name is None or is_endpoint(name) or FIELDS[name].plain else None


# --- flags


def flag_layer(flags: Mapping[str, str]) -> Layer:
    """`flags`: setting -> text; `env` is `environment`. Raises `ConfigError` for what is no setting."""
    values: dict[str, Given] = {}
    for key, text in flags.items():
        name = "environment" if key == "env" else key
        field = FIELDS.get(name)
        shown = field.setting.flag if field and field.setting.flag else f"--{key.replace('_', '-')}"
        if field is None or not field.plain:
            raise ConfigError("is not a setting", key=shown, nearest=closest(key, plain_names()))
        if not text.strip():
            raise ConfigError("needs a value", key=shown)
        values[name] = Given(shown, parts_of(text), Origin(Source.FLAG, variable=shown))
    return Layer(Source.FLAG, values)


# --- the environment


def environment_layer(environ: Mapping[str, str], notes: Notes) -> Layer:
    """Everything that begins with TOKLIGENCE_. A variable that is empty counts as not set: compose files write
    `VAR=` for that. Raises `ConfigError` for the file of a secret that cannot be read."""
    found = Found()
    for variable, text in environ.items():
        if variable in FORMER_VARIABLES:
            notes.name_once(variable, FORMER_VARIABLES[variable].warning(variable, None))
        elif (
            variable.startswith(PREFIX)
            and variable not in (HOME_VARIABLE, *ENVIRONMENT_VARIABLES)
            and text.strip()
        ):
            _variable(variable, text, environ, found, notes)
    values = found.settled(notes)
    named = [name for name in ENVIRONMENT_VARIABLES if environ.get(name, "").strip()]
    if named:
        text = environ[named[0]].strip()
        if any(environ[other].strip() != text for other in named[1:]):
            notes.warn(f"{named[0]}={text} is used, not the different {named[1]}")
        values["environment"] = Given(named[0], parts_of(text), Origin(Source.ENVIRONMENT, variable=named[0]))
    return Layer(Source.ENVIRONMENT, values)


def _variable(variable: str, text: str, environ: Mapping[str, str], found: Found, notes: Notes) -> None:
    key = variable.removeprefix(PREFIX).lower()
    name = set_by(key)
    if name is not None:
        found.add(key, name, Given(variable, parts_of(text), Origin(Source.ENVIRONMENT, variable=variable)))
    elif (row := former(key)) is not None:
        notes.name_once(key, row.warning(variable, None))
    elif key.endswith(FILE_SUFFIX):
        _secret_file(variable, text, environ, found, notes)
    else:
        _unknown(variable, notes)


def _unknown(variable: str, notes: Notes) -> None:
    renamed = (key for key in FORMER_NAMES if present_name(key))
    nearest = closest(variable.removeprefix(PREFIX), (*plain_names(), *renamed, "home", "env"))
    hint = "" if nearest is None else f" (did you mean {PREFIX}{nearest.upper()}?)"
    notes.warn(f"{variable} is not a variable of the gateway and has no effect{hint}")


def _secret_file(variable: str, path: str, environ: Mapping[str, str], found: Found, notes: Notes) -> None:
    """TOKLIGENCE_X_FILE: the value of the secret x stands in a file. Its path is relative to the working directory."""
    key = variable.removeprefix(PREFIX).lower().removesuffix(FILE_SUFFIX)
    name = set_by(key)
    if name is None:
        return _unknown(variable, notes)
    if not is_secret(name):
        return notes.warn(
            f"{variable} has no effect: only secrets are read from files of their own, and {name} is none"
        )
    plain = variable.removesuffix(FILE_SUFFIX.upper())
    if environ.get(plain, "").strip():
        raise ConfigError(f"{plain} is set too; set one of them only", key=variable)
    if "\0" in path:
        raise ConfigError("contains a NUL character", key=variable)
    file = expand_user(path.strip(), environ).absolute()
    notes.secret_files.append(file)
    found.add(
        key,
        name,
        Given(variable, _file_parts(file, variable), Origin(Source.ENVIRONMENT, file, variable=variable)),
    )
    return None


def _file_parts(file: Path, variable: str) -> tuple[Part, ...]:
    try:
        text = read_text(file)
    except ConfigError as error:
        raise ConfigError(error.reason, file, error.line, variable) from error
    if text is None:
        raise ConfigError("there is no such file", file=file, key=variable)
    parts = parts_of(text)
    if not parts:
        raise ConfigError("the file is empty", file=file, key=variable)
    return parts


def vendor_layer(environ: Mapping[str, str], variables_of: Mapping[str, tuple[str, ...]]) -> Layer:
    """Keys in the variables of the vendors' own tools. `variables_of`: of each setting, the stronger first."""
    values: dict[str, Given] = {}
    for name, variables in variables_of.items():
        present = [variable for variable in variables if environ.get(variable, "").strip()]
        if present:
            origin = Origin(Source.VENDOR, variable=present[0])
            values[name] = Given(present[0], parts_of(environ[present[0]]), origin)
    return Layer(Source.VENDOR, values)


# --- INI files


def ini_layer(
    file: Path, text: str | None, source: Source, environ: Mapping[str, str], notes: Notes
) -> Layer:
    """`text`: of the file, None if there is none. Raises `ConfigError` for a syntax error, an unknown key or
    section, and a key that stands twice."""
    found = Found()
    seen: dict[str, int] = {}
    for entry in () if text is None else read_entries(text, file):
        name = _ini_name(entry, file, notes)
        if name is None:
            continue
        key = name if entry.section.startswith(SECTION) else entry.key
        if key in seen:
            raise ConfigError(
                f"stands twice in this file, first in line {seen[key]}", file, entry.line, entry.key
            )
        seen[key] = entry.line
        given = _expanded(name, entry, Origin(source, file, entry.line), environ, notes)
        if given is not None:
            found.add(key, name, given)
    values = found.settled(notes)
    for section, line in () if text is None else headings(text):
        # The heading alone says that this vendor is wanted.
        name = section.removeprefix(SECTION)
        if name in PRESET and section == f"{SECTION}{name}":
            heading = Given("preset", (Part(name, line),), Origin(source, file, line))
            values.setdefault(f"{section}.preset", heading)
    return Layer(source, values, file)


def _ini_name(entry: Entry, file: Path, notes: Notes) -> str | None:
    """The setting that a key sets; None if the key is accepted without effect."""
    if entry.section.startswith(SECTION):
        return endpoint_name(entry, file)
    row = former_section(entry.section)
    if row is not None:
        heading = f"[{entry.section}]"
        notes.name_once(heading, row.warning(heading, f"{file}:{entry.line}"))
        return None
    if entry.section and entry.section not in PLAIN_SECTIONS:
        nearest = closest(entry.section, (*PLAIN_SECTIONS, *LATER_SECTIONS, f"{SECTION}{entry.section}"))
        reason = f"stands in the unknown section [{entry.section}]"
        raise ConfigError(reason, file, entry.line, entry.key, None if nearest is None else f"[{nearest}]")
    name = set_by(entry.key)
    if name is not None:
        return name
    row = former(entry.key)
    if row is None:
        nearest = closest(entry.key.removeprefix(PREFIX.lower()), plain_names())
        raise ConfigError("is not a setting", file, entry.line, entry.key, nearest)
    notes.name_once(entry.key, row.warning(entry.key, f"{file}:{entry.line}"))
    return None


def _expanded(
    name: str, entry: Entry, origin: Origin, environ: Mapping[str, str], notes: Notes
) -> Given | None:
    """The value with each `${VAR}` replaced; None if nothing is left, which sets nothing."""
    parts: list[Part] = []
    for part in entry.parts:
        text, missing = expand(part.text, environ)
        if missing:
            _missing(name, Given(entry.key, (part,), origin), missing[0], notes)
        elif unquoted(text):
            parts.extend(Part(line.strip(), part.line) for line in lines_of(text) if line.strip())
            if origin.file is not None and text == part.text and is_secret(name):
                notes.holders[origin.file] = None
    return Given(entry.key, tuple(parts), origin) if parts else None


def is_secret(name: str) -> bool:
    """Whether the value of a setting or of `provider.NAME.KEY` is a secret."""
    return name in SECRET_NAMES or (is_endpoint(name) and name.rpartition(".")[2] in PROVIDER_SECRETS)


def _missing(name: str, given: Given, variable: str, notes: Notes) -> None:
    """A variable in a value has no value. Where it is the whole value, the setting is left unset; but a list of
    client keys that silently vanished would open the gateway, and half a value is a wrong one."""
    (part,) = given.parts
    if name == "client_keys" or unquoted(part.text) != f"${{{variable}}}":
        raise given.error(f"the variable {variable} is not set", line=part.line)
    if variable != f"{PREFIX}{name.upper()}":  # its own variable would win anyway
        notes.warn(f"{place_of(given)} is left unset, since the variable {variable} is not set")
