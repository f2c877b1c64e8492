"""Our settings in files made of lines (TOML, YAML, .env): they stand between two marks, and lines of the user's that
would contradict them are commented out. Everything else stays as it is, and all of it can be taken back."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tokligence.cli.clients import Syntax, tree

BEGIN: Final = "# >>> tgw connect"
END: Final = "# <<< tgw connect"
OFF: Final = "#tgw# "
"""Begins a line of the user's that is out of force meanwhile."""

Values = Mapping[tuple[str, ...], str]

_TABLE: Final = re.compile(r"""\s*\[\[?[\w."' -]+\]\]?\s*(?:#.*)?$""")
_SHADOWS: Final = {
    Syntax.TOML: r"\s*[\"']?{}[\"']?\s*=",
    Syntax.YAML: r"[\"']?{}[\"']?\s*:",
    Syntax.DOTENV: r"\s*(?:export\s+)?{}\s*=",
}


class Unsafe(ValueError):
    """The file could not be changed without harm, in one line for the user."""


def put(text: str, syntax: Syntax, values: Values) -> str:
    """`text`, in which nothing of ours stands, with `values`. Raises `Unsafe`."""
    top = [_line(syntax, path[-1], value) for path, value in values.items() if len(path) == 1]
    names = [path[-1] for path in values if len(path) == 1]
    body = _off(text, syntax, names)
    if syntax is not Syntax.TOML:  # the last one counts
        return _after(body, top)
    new = _after(_before(body, top), _tables(values))
    _check(text, new, values)
    return new


def take_out(text: str) -> str:
    """`text` without anything of ours, the user's own lines in force again."""
    kept: list[str] = []
    ours = False
    for line in text.splitlines(keepends=True):
        if line.startswith(BEGIN):
            ours = True
        elif not ours:
            kept.append(line.removeprefix(OFF))
        elif line.startswith(END):
            ours = False
    return "".join(kept)


def lines_of(syntax: Syntax, values: Values) -> list[str]:
    """The settings alone, as they are written."""
    top = [_line(syntax, path[-1], value) for path, value in values.items() if len(path) == 1]
    tables = _tables(values) if syntax is Syntax.TOML else []
    return [*top, *([""] if top and tables else []), *tables]


def _line(syntax: Syntax, name: str, value: str) -> str:
    match syntax:
        case Syntax.TOML:
            return f"{name} = {json.dumps(value, ensure_ascii=False)}"
        case Syntax.YAML:
            return f"{name}: {json.dumps(value, ensure_ascii=False)}"
        case _:
            return f"{name}={value}" if re.fullmatch(r"[\w./:@+-]+", value) else f"{name}='{value}'"


def _tables(values: Values) -> list[str]:
    lines: list[str] = []
    table: Sequence[str] = ()
    for path, value in values.items():
        if len(path) == 1:
            continue
        if path[:-1] != table:
            table = path[:-1]
            lines.append(f"[{'.'.join(table)}]")
        lines.append(_line(Syntax.TOML, path[-1], value))
    return lines


def _off(text: str, syntax: Syntax, names: Sequence[str]) -> str:
    """`text` with the lines that set one of `names` commented out, and with those that continue them."""
    shadow = re.compile("|".join(_SHADOWS[syntax].format(re.escape(name)) for name in names) or r"(?!)")
    lines: list[str] = []
    root, within = True, False
    for line in text.splitlines(keepends=True):
        if syntax is Syntax.TOML and _TABLE.match(line):
            root = False
        within = (root and shadow.match(line) is not None) or (
            within and syntax is Syntax.YAML and line.startswith((" ", "\t", "-"))
        )
        lines.append(OFF + line if within else line)
    return "".join(lines)


def _block(lines: Sequence[str]) -> str:
    return "\n".join([BEGIN, *lines, END, ""])


def _before(text: str, lines: Sequence[str]) -> str:
    return _block(lines) + text if lines else text


def _after(text: str, lines: Sequence[str]) -> str:
    if not lines:
        return text
    return text + ("" if not text or text.endswith("\n") else "\n") + _block(lines)


def _check(text: str, new: str, values: Values) -> None:
    """A TOML file must be as it was but for our values."""
    try:
        before = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Unsafe(f"it is not valid TOML: {error}") from None
    try:
        after = tomllib.loads(new)
    except tomllib.TOMLDecodeError:
        after = None
    if after != _merged(before, tree(values)):
        raise Unsafe("it sets the same in a way that cannot be set aside line by line")


def _merged(base: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in ours.items():
        old = merged.get(name)
        merged[name] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
