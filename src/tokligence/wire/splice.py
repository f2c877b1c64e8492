"""Changes of a JSON object's top level without touching its other bytes.

`TopLevel(raw)` finds the span of each top-level value; `replace` and `append` give new bytes in which all else is
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

    __slots__ = ("raw", "spans", "values")

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
        self.spans = _spans(raw, values)

    def replace(self, name: str, value: bytes) -> bytes:
        """`raw` with the value of `name` replaced; the key must be there."""
        start, end = self.spans[name]
        return self.raw[:start] + value + self.raw[end:]

    def append(self, name: str, value: bytes) -> bytes:
        """`raw` with one more pair at its end; the key must not be there."""
        close = self.raw.rindex(b"}")
        comma = b"," if self.values else b""
        return self.raw[:close] + comma + b'"' + name.encode() + b'":' + value + self.raw[close:]


# The two ways in which nearly every client writes JSON: compact, and as Python's json.dumps does.
_STYLES = ((b'":', 1), (b'": ', 2))


def _spans(raw: bytes, values: dict[str, Raw]) -> dict[str, tuple[int, int]]:
    """Walk the keys: the decoder has told each value's length, so only keys are matched.

    A repeated key leaves fewer entries than there are pairs, so the walk goes astray and does not end at the brace.
    """
    for colon, comma in _STYLES:
        spans = _spans_in_style(raw, values, colon, comma)
        if spans is not None:
            return spans
    return _spans_in_any_style(raw, values)


def _spans_in_style(
    raw: bytes, values: dict[str, Raw], colon: bytes, comma: int
) -> dict[str, tuple[int, int]] | None:
    """The spans if every pair is written `"key"` + `colon` + value + a separator of `comma` bytes; else None."""
    spans: dict[str, tuple[int, int]] = {}
    position = 1
    for name, value in values.items():
        key = b'"' + name.encode() + colon
        content = bytes(value)
        start = position + len(key)
        end = start + len(content)
        if not raw.startswith(key, position) or not raw.startswith(content, start):
            return None
        spans[name] = (start, end)
        position = end + comma
    return spans if values and position - comma == len(raw) - 1 else None


def _spans_in_any_style(raw: bytes, values: dict[str, Raw]) -> dict[str, tuple[int, int]]:
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
