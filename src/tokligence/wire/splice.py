"""Changes of a JSON object's top level without touching its other bytes.

`TopLevel(raw)` knows the span of each top-level value; `replace` and `append` give new bytes in which all else is
as it came: key order, white space, escapes, numbers. Repeated top-level keys are refused, since two parsers could
disagree about which one counts.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw

from tokligence.errors import GatewayError

_OBJECT: msgspec.json.Decoder[dict[str, Raw]] = msgspec.json.Decoder(dict[str, Raw])
_KEY = re.compile(rb'[ \t\r\n]*,?[ \t\r\n]*"((?:[^"\\]|\\.)*)"[ \t\r\n]*:[ \t\r\n]*')
_OPEN = re.compile(rb"[ \t\r\n]*\{")
_CLOSE = re.compile(rb"[ \t\r\n]*\}[ \t\r\n]*\Z")


class TopLevel:
    """The top level of a JSON object. `values`: name -> raw value."""

    __slots__ = ("_spans", "_width", "raw", "values")

    def __init__(self, raw: bytes) -> None:
        try:
            if not raw.isascii():
                raw.decode()  # the decoder does not look into values that stay raw
            values = _OBJECT.decode(raw)
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
        self._width = _separator_width(raw, values)
        self._spans = None if self._width else _spans(raw, values)

    def span(self, name: str) -> tuple[int, int]:
        """Where the value of `name` stands; the key must be there."""
        if self._spans is not None:
            return self._spans[name]
        width = self._width
        position = 1
        for each, value in self.values.items():
            position += len(each) + 2 + width
            if each == name:
                return position, position + len(value)
            position += len(value) + width
        raise KeyError(name)

    def replace(self, name: str, value: bytes) -> bytes:
        """`raw` with the value of `name` replaced; the key must be there."""
        start, end = self.span(name)
        return self.raw[:start] + value + self.raw[end:]

    def append(self, name: str, value: bytes) -> bytes:
        """`raw` with one more pair at its end; the key must not be there."""
        close = self.raw.rindex(b"}")
        comma = b"," if self.values else b""
        return self.raw[:close] + comma + b'"' + name.encode() + b'":' + value + self.raw[close:]


# Nearly every client writes JSON compactly or as Python's json.dumps does, with a space after each separator. In both
# styles the values' lengths tell where all of them stand, and no key has to be looked for.


def _separator_width(raw: bytes, values: dict[str, Raw]) -> int:
    """Bytes of each colon and comma: 1 or 2, or 0 if `raw` is written in another way or repeats a key."""
    count = len(values)
    least = sum(map(len, values)) + sum(map(len, values.values())) + 4 * count + 1
    if len(raw) == least:
        return 1  # it has no byte for white space, escapes in keys or one more pair
    if len(raw) == least + 2 * count - 1 and raw == _spaced(values):
        return 2
    return 0


def _spaced(values: dict[str, Raw]) -> bytes:
    pieces: list[bytes | Raw] = []
    for name, value in values.items():
        pieces += (b', "', name.encode(), b'": ', value)
    pieces[0] = b'{"'
    pieces.append(b"}")
    return b"".join(pieces)


def _spans(raw: bytes, values: dict[str, Raw]) -> dict[str, tuple[int, int]]:
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
