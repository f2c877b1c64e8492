"""Changing single members in the text of a JSON file that people write: comments, order and layout stay.

It reads what agents' own readers take: JSON with `//` and `/* */` comments and trailing commas.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

_BLANK: Final = re.compile(r"(?:[ \t\r\n\ufeff]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_SCALAR: Final = re.compile(r"-?[0-9][0-9.eE+-]*|true|false|null")
_INDENT: Final = re.compile(r"[ \t]*")
_REST: Final = re.compile(r"(?:[ \t]*/\*[^\n]*?\*/)*(?:[ \t]*//[^\r\n]*)?")
"""Comments in the rest of a line."""


class NotJson(ValueError):
    """The text is not JSON, or its root is not an object. Says where."""


class Member(Struct, frozen=True):
    """`"name": value` from `start` to `end` (offsets into the text)."""

    name: str
    start: int
    end: int
    value: Node


class Node(Struct, frozen=True):
    """A value from `start` to `end`. `members`: of an object; None for anything else. `comma`: one stands behind the
    last member."""

    start: int
    end: int
    members: tuple[Member, ...] | None = None
    comma: bool = False

    def member(self, name: str) -> Member | None:
        return next((m for m in reversed(self.members or ()) if m.name == name), None)


def _behind_blank(text: str, at: int) -> int:
    """The offset of the first thing from `at` on that is neither blank nor a comment."""
    match = _BLANK.match(text, at)
    assert match is not None
    return match.end()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text

    def root(self) -> Node:
        node = self.value(self.blank(0))
        if self.blank(node.end) != len(self.text):
            raise self.wrong(node.end)
        return node

    def wrong(self, at: int) -> NotJson:
        return NotJson(f"line {self.text.count(chr(10), 0, at) + 1} is not JSON")

    def blank(self, at: int) -> int:
        return _behind_blank(self.text, at)

    def value(self, at: int) -> Node:
        opening = self.text[at : at + 1]
        if opening == "{":
            return self.object(at)
        if opening == "[":
            return self.array(at)
        match = (_STRING if opening == '"' else _SCALAR).match(self.text, at)
        if match is None:
            raise self.wrong(at)
        return Node(at, match.end())

    def object(self, start: int) -> Node:
        members: list[Member] = []
        comma = True
        at = self.blank(start + 1)
        while self.text[at : at + 1] != "}":
            name = _STRING.match(self.text, at)
            if name is None or not comma:
                raise self.wrong(at)
            colon = self.blank(name.end())
            if self.text[colon : colon + 1] != ":":
                raise self.wrong(colon)
            value = self.value(self.blank(colon + 1))
            members.append(Member(json.loads(name[0]), at, value.end, value))
            at, comma = self.behind(value.end)
        return Node(start, at + 1, tuple(members), comma and bool(members))

    def array(self, start: int) -> Node:
        comma = True
        at = self.blank(start + 1)
        while self.text[at : at + 1] != "]":
            if not comma:
                raise self.wrong(at)
            at, comma = self.behind(self.value(at).end)
        return Node(start, at + 1)

    def behind(self, end: int) -> tuple[int, bool]:
        """Where the next thing is, and whether a comma stands before it."""
        at = self.blank(end)
        if self.text[at : at + 1] != ",":
            return at, False
        return self.blank(at + 1), True


def parse(text: str) -> Node:
    """The root object of `text`; an empty file has none and is `{}`. Raises `NotJson`."""
    try:
        root = _Reader(text).root()
    except RecursionError:
        raise NotJson("it is nested too deeply") from None
    if root.members is None:
        raise NotJson("it is not an object")
    return root


def get(text: str, path: Sequence[str]) -> str | None:
    """The text of the value at `path`, None if there is none. Raises `NotJson`."""
    node: Node | None = parse(text)
    for name in path:
        member = node.member(name) if node is not None else None
        node = None if member is None else member.value
    return None if node is None else text[node.start : node.end]


def put(text: str, path: Sequence[str], value: Any) -> str:
    """The text with `value` at `path`; objects on the way are made, and what is no object there is replaced. Raises
    `NotJson`."""
    if not text.strip():
        text = "{}\n"
    node = parse(text)
    for depth, name in enumerate(path):
        member = node.member(name)
        if member is None:
            return _add(text, node, name, _nested(path[depth + 1 :], value))
        if depth == len(path) - 1 or member.value.members is None:
            written = _written(text, member.start, _nested(path[depth + 1 :], value))
            return text[: member.value.start] + written + text[member.value.end :]
        node = member.value
    raise AssertionError("a path has at least one name")


def put_raw(text: str, path: Sequence[str], raw: str) -> str:
    """The text with the value at `path`, which must be there, replaced by `raw` as it stands."""
    placed = put(text, path, None)
    node = parse(placed)
    for name in path:
        member = node.member(name)
        assert member is not None
        node = member.value
    return placed[: node.start] + raw + placed[node.end :]


def remove(text: str, path: Sequence[str]) -> str:
    """The text without the member at `path`, if there is one; what comments stand around it stay. Raises `NotJson`."""
    node = parse(text)
    for name in path[:-1]:
        member = node.member(name)
        if member is None:
            return text
        node = member.value
    member = node.member(path[-1])
    if member is None or node.members is None:
        return text
    at = node.members.index(member)
    comma = _behind_blank(text, member.end)
    if text[comma] == ",":
        return _joined(text[: member.start], text[comma + 1 :])
    if at == 0:
        return _joined(text[: member.start], text[member.end :])
    before = _behind_blank(text, node.members[at - 1].end)  # the comma that led to it
    return _joined(text[:before] + text[before + 1 : member.start], text[member.end :])


def _joined(head: str, tail: str) -> str:
    head = head.rstrip(" \t\r\n")
    if head.endswith("{") and tail.lstrip().startswith("}"):
        return head + tail.lstrip()
    in_comment = "//" in head[head.rfind("\n") + 1 :]
    return f"{head}\n{tail}" if in_comment and not tail.startswith(("\n", "\r")) else head + tail


def _nested(names: Sequence[str], value: Any) -> Any:
    for name in reversed(names):
        value = {name: value}
    return value


def _line_indent(text: str, at: int) -> str:
    """The blanks at the beginning of the line in which `at` stands."""
    match = _INDENT.match(text, text.rfind("\n", 0, at) + 1)
    assert match is not None
    return match[0]


def _step(text: str) -> str:
    """The file's indentation: that of its first indented member."""
    match = re.search(r'\n([ \t]+)"', text)
    return match[1] if match else "  "


def _written(text: str, at: int, value: Any) -> str:
    return _dumped(value, text, _line_indent(text, at))


def _dumped(value: Any, text: str, indent: str) -> str:
    lines = json.dumps(value, ensure_ascii=False, indent=_step(text)).split("\n")
    return ("\n" + indent).join(lines)


def _add(text: str, node: Node, name: str, value: Any) -> str:
    """A new last member."""
    key = json.dumps(name, ensure_ascii=False)
    if not node.members:
        indent = _line_indent(text, node.start)
        inner = indent + _step(text)
        body = _dumped(value, text, inner)
        inside = text[node.start + 1 : node.end - 1].rstrip()
        return f"{text[: node.start + 1]}{inside}\n{inner}{key}: {body}\n{indent}{text[node.end - 1 :]}"
    last = node.members[-1]
    own_line = not text[text.rfind("\n", 0, last.start) + 1 : last.start].strip()
    gap = "\n" + _line_indent(text, last.start) if own_line else " "
    member = f"{gap}{key}: {_written(text, last.start, value)}"
    end = _behind_blank(text, last.end) + 1 if node.comma else last.end
    # What the rest of the line says is said of the member that is there.
    rest = _REST.match(text, end)
    place = rest.end() if own_line and rest is not None else end
    if node.comma:
        return f"{text[:place]}{member},{text[place:]}"
    return f"{text[:end]},{text[end:place]}{member}{text[place:]}"
