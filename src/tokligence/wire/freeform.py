"""A freeform call said as a function call, and back: `{"input":"…"}` <-> the plain text.

A model answers with the JSON string piece by piece, and the client wants its plain text as it comes. `Unwrapped` reads
the pieces: once `{"input":"` has come, what follows is text with escapes, which may be cut anywhere. Arguments of
another form are only understood when they are whole.

    HEAD -- `{"input":"` ----------------------> TEXT
    HEAD -- anything that cannot become that --> WHOLE
    TEXT -- `"` -------------------------------> OVER
"""

from __future__ import annotations

import json
import re
from enum import Enum
from typing import Any, Final

INPUT: Final = "input"
"""Name of the one argument."""

SCHEMA: Final = (
    b'{"type":"object","properties":{"input":{"type":"string","description":"The whole input, as plain text."}},'
    b'"required":["input"],"additionalProperties":false}'
)

_BEGUN: Final = re.compile(r'\s*\{\s*"input"\s*:\s*"')
_MAY_BEGIN: Final = re.compile(r'\s*(?:\{\s*(?:"(?:i(?:n(?:p(?:u(?:t(?:"\s*(?::\s*)?)?)?)?)?)?)?)?)?')
_PIECE: Final = re.compile(r'[^"\\]+|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})')
_CUT: Final = re.compile(r"\\(?:u[0-9A-Fa-f]{0,3})?")
_LOW: Final = re.compile(r"\\u[dD][c-fC-F][0-9A-Fa-f]{2}")
_LOW_CUT: Final = re.compile(r"(?:\\(?:u(?:[dD](?:[c-fC-F][0-9A-Fa-f]?)?)?)?)?")
_ESCAPES: Final = {
    '"': '"',
    "\\": "\\",
    "/": "/",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
}
_NO_CHARACTER: Final = "\ufffd"  # stands for half a surrogate pair


def wrapped(text: str) -> str:
    """The arguments of the function that stands for a freeform tool."""
    return json.dumps({INPUT: text}, ensure_ascii=False)


def unwrapped(arguments: str) -> str:
    """The plain text; arguments of a form that nobody asked for, as they are."""
    reading = Unwrapped()
    return reading.feed(arguments) + reading.close()


class _State(Enum):
    HEAD = "head"
    TEXT = "text"
    WHOLE = "whole"
    OVER = "over"


class Unwrapped:
    """The plain text of one call, as it comes. All that `feed` and `close` give is the text."""

    __slots__ = ("_held", "_state")

    def __init__(self) -> None:
        self._state = _State.HEAD
        self._held = ""  # what cannot be told yet

    def feed(self, fragment: str) -> str:
        state = self._state
        if state is _State.TEXT:
            return self._text(self._held + fragment)
        if state is _State.OVER:
            return ""
        self._held += fragment
        if state is _State.HEAD:
            begun = _BEGUN.match(self._held)
            if begun is not None:
                self._state = _State.TEXT
                return self._text(self._held[begun.end() :])
            if _MAY_BEGIN.fullmatch(self._held) is None:
                self._state = _State.WHOLE
        return ""

    def close(self) -> str:
        """What is still due when no more comes."""
        held, self._held = self._held, ""
        if self._state is _State.TEXT:
            return _NO_CHARACTER + held[6:] if held.startswith("\\u") and len(held) >= 6 else held
        if self._state is _State.OVER:
            return ""
        return _whole(held)

    def _text(self, data: str) -> str:
        out: list[str] = []
        at = 0
        while at < len(data):
            piece = _PIECE.match(data, at)
            if piece is None:
                if data[at] == '"':
                    self._state = _State.OVER
                    at = len(data)
                elif _CUT.fullmatch(data, at) is not None:
                    break
                else:  # no escape that JSON knows: the model meant the backslash
                    out.append("\\")
                    at += 1
                continue
            text = piece.group()
            at = piece.end()
            if text[0] != "\\":
                out.append(text)
            elif text[1] != "u":
                out.append(_ESCAPES[text[1]])
            elif not "\\ud800" <= text.lower() < "\\udc00":
                code = int(text[2:], 16)
                out.append(_NO_CHARACTER if 0xDC00 <= code < 0xE000 else chr(code))
            elif (low := _LOW.match(data, at)) is not None:
                pair = ((int(text[2:], 16) - 0xD800) << 10) + int(low.group()[2:], 16) - 0xDC00 + 0x10000
                out.append(chr(pair))
                at = low.end()
            elif _LOW_CUT.fullmatch(data, at) is not None:
                at = piece.start()
                break
            else:
                out.append(_NO_CHARACTER)
        self._held = data[at:]
        return "".join(out)


def _whole(arguments: str) -> str:
    """Of arguments in another form: the one text in them, or all as it is."""
    if not arguments.strip():
        return ""
    try:
        value: Any = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        if not value:
            return ""
        told = value.get(INPUT) if INPUT in value else next(iter(value.values())) if len(value) == 1 else None
        if isinstance(told, str):
            return told
    return arguments
