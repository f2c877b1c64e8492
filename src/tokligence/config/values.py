"""Texts of settings into typed values and back. One reader for each `Kind`; nothing here knows files or layers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from tokligence.config.errors import ConfigError
from tokligence.config.home import expand_user
from tokligence.config.ini import Part, unquoted
from tokligence.config.schema import GIB, KIB, MIB, NAME, ClientKey, Field, Kind, Setting


class Source(StrEnum):
    """Where a value comes from, the strongest first."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    GATEWAY_INI = "gateway.ini"
    SETTINGS_INI = "settings.ini"
    VENDOR = "vendor's variable"
    AUTOMATIC = "automatic"
    DEFAULT = "default"


class Origin(Struct, frozen=True):
    """Where a value was found. `line`: of its key. `lines`: of each item, for lists from files.
    `variable`: the variable or flag; with `file` set too, the variable that names the file of a secret."""

    source: Source
    file: Path | None = None
    line: int | None = None
    variable: str | None = None
    lines: tuple[int, ...] = ()

    def __str__(self) -> str:
        if self.variable is not None:
            return self.variable if self.file is None else f"{self.variable} ({self.file})"
        return self.source.value if self.file is None else f"{self.file}:{self.line}"


class Given(Struct, frozen=True):
    """A value as the user gave it. `key`: the key, variable or flag as written; `parts`: its lines, expanded."""

    key: str
    parts: tuple[Part, ...]
    origin: Origin

    def __repr__(self) -> str:  # the parts may be a secret
        return f"Given({self.key}, {self.origin})"

    def error(self, reason: str, nearest: str | None = None, line: int | None = None) -> ConfigError:
        where = self.origin
        return ConfigError(reason, where.file, where.line if line is None else line, self.key, nearest)


class Place(Struct, frozen=True):
    """What paths are read against: relative ones against `root`, `~` by `environ`."""

    root: Path
    environ: Mapping[str, str]


class BadValue(ValueError):
    """A text that a reader refuses; its words never hold a secret."""

    def __init__(self, reason: str, nearest: str | None = None) -> None:
        super().__init__(reason)
        self.nearest = nearest


def closest(word: str, known: Sequence[str]) -> str | None:
    """The name among `known` that `word` was probably meant to be: one spelled alike, else the only one of which
    it is a part, as `url` is of `base_url`."""
    import difflib  # only an error needs it

    alike = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    if alike:
        return alike[0]
    longer = [name for name in known if word.lower() in name.split("_")]
    return longer[0] if len(longer) == 1 else None


def read_value(field: Field, given: Given, place: Place) -> Any:
    """The typed value of a setting. Raises `ConfigError` with the place, the reason and what to write instead."""
    check_characters(given)
    if field.setting.kind in LIST_READERS:
        return _read_list(field, given)
    if len(given.parts) > 1:
        raise given.error("goes on in this line, which only lists may do", line=given.parts[1].line)
    text = unquoted(given.parts[0].text)
    try:
        if field.setting.kind is Kind.PATH:
            return str(place.root / expand_user(text, place.environ))
        if field.setting.kind is Kind.SWITCH and field.default is None and text.lower() == "auto":
            return None
        return READERS[field.setting.kind](text, field.setting)
    except BadValue as bad:
        raise given.error(str(bad), bad.nearest) from None


def check_characters(given: Given) -> None:
    """Raises `ConfigError` for control characters, which no value may hold."""
    for part in given.parts:
        if any((char < " " and char != "\t") or char == "\x7f" for char in part.text):
            raise given.error("contains a control character", line=part.line)


def _read_list(field: Field, given: Given) -> tuple[Any, ...]:
    read = LIST_READERS[field.setting.kind]
    values: list[Any] = []
    for item, line in items(given.parts):
        try:
            values.append(read(item))
        except BadValue as bad:
            raise given.error(str(bad), bad.nearest, line) from None
    if field.setting.kind is Kind.CLIENT_KEYS:
        _check_unique(values, given)
    return tuple(values)


def items(parts: tuple[Part, ...]) -> Iterator[Part]:
    """The items of a list: split at commas and lines, without blanks and quotes, empty ones left out."""
    for part in parts:
        for item in unquoted(part.text).split(","):
            if text := unquoted(item.strip()):
                yield Part(text, part.line)


# --- one value


def _text(text: str, setting: Setting) -> str:
    if setting.choices:
        return _choice(text, setting)
    if not text.isprintable():
        raise BadValue("contains characters that cannot be printed")
    return text


SYNONYMS: Final = {"warn": "warning"}
"""Words that the shipped files of earlier versions used for a choice."""


def _choice(text: str, setting: Setting) -> str:
    word = SYNONYMS.get(text.lower(), text.lower())
    if word not in setting.choices:
        raise BadValue(
            f"{quoted(text)} is not one of {', '.join(setting.choices)}", closest(text, setting.choices)
        )
    return word


def _name(text: str, _: Setting) -> str:
    if re.fullmatch(NAME, text) is None:
        raise BadValue(
            f"{quoted(text)} is not a name: letters, digits, dots, - and _, at most 64, the first no sign"
        )
    return text


def _word(text: str, _: Setting) -> str:
    # It is sent as a header's value.
    if not text.isascii() or not text.isprintable() or " " in text:
        raise BadValue(f"{quoted(text)} must be printable ASCII without blanks")
    return text


def _host(text: str, _: Setting) -> str:
    host = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if not host.isprintable() or any(char in host for char in " /@?#[]") or host.count(":") == 1:
        raise BadValue(f"{quoted(text)} is not a host name or address; the port is a setting of its own")
    return host


_INTEGER: Final = r"[+-]?[0-9]{1,18}"
_NUMBER: Final = r"[+-]?(?:[0-9]{1,15}(?:\.[0-9]*)?|\.[0-9]+)"
_SIZE: Final = r"([0-9]{1,15}(?:\.[0-9]+)?)\s*([a-z]*)"
_UNITS: Final = {
    "": 1, "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3,
    "k": KIB, "m": MIB, "g": GIB, "kib": KIB, "mib": MIB, "gib": GIB,
}  # fmt: skip


def _integer(text: str, setting: Setting) -> int:
    if re.fullmatch(_INTEGER, text) is None:
        raise BadValue(f"{quoted(text)} is not a whole number{_of(setting)}")
    return int(_in_range(int(text), setting, text))


def _number(text: str, setting: Setting) -> float:
    if re.fullmatch(_NUMBER, text) is None:
        raise BadValue(f"{quoted(text)} is not a number{_of(setting)}")
    return float(_in_range(float(text), setting, text))


def _size(text: str, setting: Setting) -> int:
    match = re.fullmatch(_SIZE, text.lower())
    unit = None if match is None else _UNITS.get(match[2])
    if match is None or unit is None:
        raise BadValue(f"{quoted(text)} is not a size such as 65536, 64KiB, 64MiB or 1GiB")
    return int(
        _in_range(int(float(match[1]) * unit) if "." in match[1] else int(match[1]) * unit, setting, text)
    )


def _of(setting: Setting) -> str:
    return f" of {setting.unit}" if setting.unit else ""


def _in_range(number: float, setting: Setting, text: str) -> float:
    if setting.minimum is not None and number < setting.minimum:
        raise BadValue(f"{quoted(text)} is below the least value, {write_number(setting.minimum, setting)}")
    if setting.maximum is not None and number > setting.maximum:
        raise BadValue(
            f"{quoted(text)} is above the greatest value, {write_number(setting.maximum, setting)}"
        )
    return number


SWITCHES: Final = {
    "yes": True,
    "true": True,
    "on": True,
    "1": True,
    "no": False,
    "false": False,
    "off": False,
    "0": False,
}


def _switch(text: str, _: Setting) -> bool:
    try:
        return SWITCHES[text.lower()]
    except KeyError:
        raise BadValue(f"{quoted(text)} is neither yes nor no (also true, false, on, off, 1, 0)") from None


_URL: Final = r"(?i)https?://(?:\[[0-9a-f:.]+\]|[^/?#@:\s\[\]\\]+)(?::([0-9]{1,5}))?(?:/[^?#\s]*)?"


def read_url(text: str, _: Setting | None = None) -> str:
    """`text` if it is the address of an API: http or https, host, optional port and path. Nothing else: a user
    name, password or query would be lost on the way, or show up in a log."""
    if "@" in text:
        raise BadValue("an address must not hold a user name or password")
    if "?" in text or "#" in text:
        raise BadValue("an address must not hold ? or #")
    match = re.fullmatch(_URL, text)
    if match is None or not text.isprintable() or not 0 < int(match[1] or 1) < 65536:
        raise BadValue(f"{quoted(text)} is not an address such as http://localhost:11434/v1")
    return text


def read_secret(text: str, _: Setting | None = None) -> str:
    """`text` if a header can carry it."""
    if not text.isascii() or not text.isprintable():
        raise BadValue("a key must consist of printable ASCII characters; was it copied whole?")
    return text


READERS: Final[dict[Kind, Callable[[str, Setting], Any]]] = {
    Kind.TEXT: _text,
    Kind.NAME: _name,
    Kind.WORD: _word,
    Kind.HOST: _host,
    Kind.INTEGER: _integer,
    Kind.NUMBER: _number,
    Kind.SIZE: _size,
    Kind.SWITCH: _switch,
    Kind.URL: read_url,
    Kind.SECRET: read_secret,
}
"""Kinds of one value; paths are read by `read_value`, which knows what they are relative to."""


# --- one item of a list

_TRAILING_COMMENT: Final = r"\s[#;]"
_ORIGIN: Final = r"[a-z][a-z0-9+.-]*://[^/?#@\s\\]+"
_HASH: Final = r"sha256:[0-9a-f]{64}"
_ATTRIBUTES: Final = ("user", "team")


def _item(text: str) -> str:
    if re.search(_TRAILING_COMMENT, text):
        raise BadValue(f"{quoted(text)}: a comment stands on a line of its own")
    return text


def _origin(text: str) -> str:
    origin = text.lower().removesuffix("/")
    if re.fullmatch(_ORIGIN, origin) is None:
        raise BadValue(f"{quoted(text)} is not a web origin such as http://localhost:3000")
    return origin


def _client_key(text: str) -> ClientKey:
    entry, *rest = (piece.strip() for piece in text.split(";"))
    name, equals, value = (piece.strip() for piece in entry.partition("="))
    if not equals or re.fullmatch(NAME, name) is None:
        # The text is not shown: without a name it may be nothing but the key.
        raise BadValue("each entry must be name=value, the name of letters, digits, dots, - and _")
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        raise BadValue(f"{name} needs a value of printable ASCII characters without blanks")
    if value[:7].lower() == "sha256:":
        value = value.lower()
        if re.fullmatch(_HASH, value) is None:
            raise BadValue(f"{name}: sha256: must be followed by 64 hexadecimal digits")
    return ClientKey(name=name, value=value, **_attributes(name, rest))


def _attributes(name: str, pieces: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for piece in filter(None, pieces):
        key, _, value = (word.strip() for word in piece.partition("="))
        key = key.lower()
        if key not in _ATTRIBUTES:
            raise BadValue(f"{name}: after ; only user=… and team=… may stand", closest(key, _ATTRIBUTES))
        if key in found or not value or not value.isprintable():
            raise BadValue(f"{name}: {key} must be given once, with a value")
        found[key] = value
    return found


def _check_unique(keys: list[ClientKey], given: Given) -> None:
    names: set[str] = set()
    values: dict[str, str] = {}
    for key in keys:
        if key.name.lower() in names:
            raise given.error(f"the name {key.name} stands twice")
        if key.value in values:
            raise given.error(f"{values[key.value]} and {key.name} have the same value")
        names.add(key.name.lower())
        values[key.value] = key.name


LIST_READERS: Final[dict[Kind, Callable[[str], Any]]] = {
    Kind.LIST: _item,
    Kind.ORIGINS: _origin,
    Kind.CLIENT_KEYS: _client_key,
}


# --- odd keys

_PLACEHOLDER: Final = r"(?i)\.\.\.|^<.*>$|your|changeme|xxxx"


def odd_key(field: Field, value: str) -> str | None:
    """What looks wrong with an API key, in words without the key; None if nothing does. It is used all the same:
    vendors change the form of their keys."""
    prefixes = field.setting.prefixes
    if re.search(_PLACEHOLDER, value):
        return f"{field.name} looks like a placeholder, not like a key"
    if " " in value or '"' in value or "'" in value:
        return f"{field.name} contains blanks or quotes, which no known key does"
    if prefixes and not value.startswith(prefixes):
        return f"{field.name} does not begin with {' or '.join(prefixes)} as this vendor's keys do"
    if field.name == "openai_api_key" and value.startswith("sk-ant-"):
        return f"{field.name} looks like a key of Anthropic"
    return None


# --- back to text


def write_value(field: Field, value: Any) -> str:
    """The text of a value as an INI file would hold it; secrets in clear. None and empty lists are ""."""
    if value is None:
        return "auto" if field.setting.kind is Kind.SWITCH else ""
    if field.setting.kind is Kind.SWITCH:
        return "yes" if value else "no"
    if field.setting.kind is Kind.CLIENT_KEYS:
        return ",".join(write_client_key(key, key.value) for key in value)
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, int | float):
        return write_number(value, field.setting)
    return str(value)


def write_client_key(key: ClientKey, value: str) -> str:
    """An entry of `client_keys` with `value` in the place of its value."""
    user = f";user={key.user}" if key.user else ""
    team = f";team={key.team}" if key.team else ""
    return f"{key.name}={value}{user}{team}"


def write_number(number: float, setting: Setting) -> str:
    """Sizes in the largest unit that keeps them whole, other numbers without a needless `.0`."""
    if setting.kind is Kind.SIZE:
        for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
            if number >= unit and number % unit == 0:
                return f"{int(number) // unit}{name}"
    return str(int(number)) if float(number).is_integer() else str(number)


def quoted(text: str) -> str:
    """`text` in quotes for a message, shortened."""
    return f"'{text}'" if len(text) <= 60 else f"'{text[:57]}…'"
