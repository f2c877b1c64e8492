"""Our INI dialect, its syntax only: which keys stand where, with which text. What they mean is `load`'s business.

    # a comment; so is a line that begins with ;     (there are none after a value)
    port = 8081                                      a line before any section is valid
    display_name = "Team #1"                         quotes around a whole value are taken away
    [provider.groq]                                  section names and keys in any case
    base_url = https://example.com/v1
    model_provider_routes =                          a deeper indented line continues the value;
        gpt*=openai                                  only lists may go over several lines
        # a comment in between
        claude*=anthropic

Files are UTF-8 with or without a byte order mark, with any line ending. `%` means nothing; `${VAR}` and
`${VAR:-default}` are replaced by `expand`, `$${` stands for `${`.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct

from tokligence.config.errors import ConfigError
from tokligence.config.home import user_home

MAX_FILE_BYTES: Final = 1024 * 1024
"""A configuration file larger than this is a mistake, such as a path to a log."""

_SECTION: Final = r"\[\s*([^\[\]]*?)\s*\]\s*(?:[#;].*)?"
_VARIABLE: Final = r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}"


class Part(NamedTuple):
    """One line of a value. `line`: counted from 1; None where the text is not from a file."""

    text: str
    line: int | None = None


class Entry(Struct, frozen=True):
    """One `key = value`. `section`, `key`: in lower case; `section` is "" before the first heading.
    `parts`: the lines of its value, empty ones left out."""

    section: str
    key: str
    line: int
    parts: tuple[Part, ...]


def lines_of(text: str) -> list[str]:
    """The lines of a text with any line ending; `str.splitlines` knows ends that no editor counts."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def read_text(path: Path) -> str | None:
    """The text of a configuration file; None if there is none. Raises `ConfigError` if it cannot be read as text."""
    try:
        mode = path.stat().st_mode  # first, since opening a pipe would wait for its other end
        if stat.S_ISDIR(mode):
            raise ConfigError("is a directory, not a file", file=path)
        if not stat.S_ISREG(mode):
            raise ConfigError("is not a regular file", file=path)
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=path) from error
    return _decoded(raw, path)


def _decoded(raw: bytes, path: Path) -> str:
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError(f"is larger than {MAX_FILE_BYTES} bytes", file=path)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = len(lines_of(raw[: error.start].decode("latin-1")))
        raise ConfigError("is not UTF-8 text", file=path, line=line) from error
    if (nul := text.find("\0")) >= 0:
        line = len(lines_of(text[:nul]))
        raise ConfigError("contains a NUL character", file=path, line=line)
    return text


def read_entries(text: str, file: Path) -> tuple[Entry, ...]:
    """Every `key = value` of a file in its order. Raises `ConfigError` with the line of the first syntax error."""
    entries: list[Entry] = []
    section = ""
    indent = -1  # of the key that a deeper line would continue; -1: there is none
    for number, raw in enumerate(lines_of(text), start=1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        depth = len(raw) - len(raw.lstrip())
        if 0 <= indent < depth:
            last = entries[-1]
            entries[-1] = Entry(last.section, last.key, last.line, (*last.parts, Part(line, number)))
            continue
        if line[0] == "[":
            section, indent = _section(line, number, file), -1
            continue
        key, equals, value = line.partition("=")
        if not equals or not key.strip():
            raise ConfigError("expected a line of the form: key = value", file=file, line=number)
        parts = (Part(value.strip(), number),) if value.strip() else ()
        entries.append(Entry(section, key.strip().lower(), number, parts))
        indent = depth
    return tuple(entries)


def headings(text: str) -> tuple[tuple[str, int], ...]:
    """Every section heading of a file that `read_entries` has read: name in lower case, line."""
    found = ((re.fullmatch(_SECTION, raw.strip()), line) for line, raw in enumerate(lines_of(text), start=1))
    return tuple((heading[1].lower(), line) for heading, line in found if heading is not None)


def _section(line: str, number: int, file: Path) -> str:
    heading = re.fullmatch(_SECTION, line)
    if heading is None or not heading[1]:
        raise ConfigError("expected a section heading of the form: [name]", file=file, line=number)
    return heading[1].lower()


def unquoted(text: str) -> str:
    """`text` without the quotes around the whole of it."""
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'" and text[0] not in text[1:-1]:
        return text[1:-1]
    return text


def expand(text: str, environ: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """`text` with `${VAR}` and `${VAR:-default}` replaced, and the names that have neither value nor default.
    A variable that is set but empty counts as not set."""
    missing: list[str] = []

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return "${"
        found = environ.get(name) or match[2]
        if found is None and name == "HOME":  # Windows and bare containers have no such variable
            found = str(user_home(environ))
        if found is None:
            missing.append(name)
            return ""
        return found

    return re.sub(_VARIABLE, value, text), tuple(missing)
