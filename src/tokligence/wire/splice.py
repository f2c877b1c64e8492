"""Changes of a JSON object's top level without touching its other bytes.

`TopLevel(raw)` knows the span of each top-level value; `replace` and `append` give new bytes in which all else is
as it came: key order, white space, escapes, numbers. Repeated top-level keys are refused, since two parsers could
disagree about which one counts.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

import msgspec
from msgspec import Raw

from tokligence.errors import GatewayError

Top: TypeAlias = dict[str, Raw]
"""Name -> raw value."""

read_top: Final = msgspec.json.Decoder(Top).decode
"""Raises what `msgspec` raises; repeated keys are not seen."""

_encode: Final = msgspec.json.Encoder().encode
_KEY = re.compile(rb'[ \t\r\n]*,?[ \t\r\n]*"((?:[^"\\]|\\.)*)"[ \t\r\n]*:[ \t\r\n]*')
_OPEN = re.compile(rb"[ \t\r\n]*\{")
_CLOSE = re.compile(rb"[ \t\r\n]*\}[ \t\r\n]*\Z")
_SPACES: Final = b" \t\r\n"
_PAIR: Final = len('"":0,')
"""Bytes of the shortest pair, without its key."""


class TopLevel:
    """The top level of a JSON object. `values`: what `read_top` gave for `raw`, if it was asked before."""

    __slots__ = ("_gap", "_spans", "raw", "values")

    def __init__(self, raw: bytes, values: Top | None = None) -> None:
        try:
            if not raw.isascii():
                raw.decode()  # the decoder does not look into values that stay raw
            if values is None:
                values = read_top(raw)
        except msgspec.ValidationError:
            raise GatewayError("request.invalid_json", reason="it is not an object") from None
        except msgspec.DecodeError as error:
            raise GatewayError("request.invalid_json", reason=str(error)) from None
        except UnicodeDecodeError:
            raise GatewayError("request.invalid_json", reason="it is not UTF-8") from None
        except RecursionError:
            raise GatewayError("request.too_deep") from None
        self.raw = raw
        self.values = values
        spare = len(raw) - len(_encode(values))
        self._gap = b" " if spare else b""
        self._spans = _spans(raw, values) if spare and _may_repeat(values, spare) else None

    def span(self, name: str) -> tuple[int, int]:
        """Where the value of `name` stands; the key must be there."""
        if self._spans is None:
            found = self._find(name)
            if found is not None:
                return found
            self._spans = _spans(self.raw, self.values)
        return self._spans[name]

    def _find(self, name: str) -> tuple[int, int] | None:
        """The same if `raw` is written compactly or, as Python's json.dumps does, with a space after each separator:
        then the values' lengths tell where all keys stand. None: it is not."""
        raw, gap, position = self.raw, self._gap, 1
        for each, value in self.values.items():
            key = b'"%b":%b' % (each.encode(), gap)
            if not raw.startswith(key, position):
                return None
            position += len(key)
            if raw[position] in _SPACES:
                return None
            end = position + len(value)
            if each == name:
                return position, end
            position = end + len(gap) + 1
        return None

    def replace(self, name: str, value: bytes) -> bytes:
        """`raw` with the value of `name` replaced; the key must be there."""
        start, end = self.span(name)
        return self.raw[:start] + value + self.raw[end:]

    def append(self, name: str, value: bytes) -> bytes:
        """`raw` with one more pair at its end; the key must not be there."""
        close = self.raw.rindex(b"}")
        comma = b"," if self.values else b""
        return self.raw[:close] + comma + b'"' + name.encode() + b'":' + value + self.raw[close:]


def _may_repeat(values: Top, spare: int) -> bool:
    """`spare`: bytes that the most compact text of `values` would not have. One more pair would need some."""
    for name in values:  # noqa: SIM110 - a generator within `any` would cost more than the rest
        if spare >= _PAIR + len(name):
            return True
    return False


def _spans(raw: bytes, values: Top) -> dict[str, tuple[int, int]]:
    """Walk the keys: the decoder has told each value's length, so only keys are matched.

    A repeated key leaves fewer entries than there are pairs, so the walk goes astray and does not end at the brace.
    """
    spans: dict[str, tuple[int, int]] = {}
    opened = _OPEN.match(raw)
    position = opened.end() if opened else 0
    for name, value in values.items():
        key = _KEY.match(raw, position)
        content = bytes(value)
        if key is None or not raw.startswith(content, key.end()) or not _spells(key.group(1), name):
            raise GatewayError("request.duplicate_key")
        position = key.end() + len(content)
        spans[name] = (key.end(), position)
    if _CLOSE.match(raw, position) is None:
        raise GatewayError("request.duplicate_key")
    return spans


def _spells(spelled: bytes, name: str) -> bool:
    """Whether the raw key means `name`; escapes are legal in keys."""
    return spelled == name.encode() or (
        b"\\" in spelled and msgspec.json.decode(b'"' + spelled + b'"') == name
    )
