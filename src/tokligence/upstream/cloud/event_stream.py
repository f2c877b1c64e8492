"""Amazon's event-stream framing (`application/vnd.amazon.eventstream`). PURE.

    total length 4 · length of headers 4 · CRC32 of these 8 bytes 4 · headers · payload · CRC32 of all before it 4

A header is: length of its name 1, name, type 1, value. Lengths are big-endian. Source: the specification of Amazon
Transcribe's event streams (docs.aws.amazon.com/transcribe/latest/dg/event-stream.html) and the types of
github.com/awslabs/aws-c-event-stream, read 2026-11-25.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from tokligence.errors import GatewayError

MAX_MESSAGE: Final = 24 * 1024 * 1024
"""Bytes; the limit that Amazon's own libraries have."""

_PRELUDE: Final = struct.Struct(">III")
_CRC: Final = struct.Struct(">I")
_SIZES: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Type of a header's value -> bytes. Types 6 (bytes) and 7 (text) say their length in two bytes."""
_BYTES, _TEXT = 6, 7


class Message(Struct, frozen=True):
    """`headers`: those with a value of text, by name; the others say nothing that matters here."""

    headers: dict[str, str]
    payload: bytes


class Decoder:
    """Cuts a byte stream into messages. Raises `upstream.bad_response` for what is not in this framing."""

    __slots__ = ("_buffer", "_provider")

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._buffer = b""

    @property
    def empty(self) -> bool:
        """Whether the stream may end here."""
        return not self._buffer

    def feed(self, data: bytes) -> list[Message]:
        buffer = self._buffer + data
        messages = []
        at = 0
        while len(buffer) - at >= _PRELUDE.size:
            total, headers, crc = _PRELUDE.unpack_from(buffer, at)
            if zlib.crc32(buffer[at : at + 8]) != crc:
                raise self._bad("a prelude's checksum is wrong")
            if not headers + 16 <= total <= MAX_MESSAGE:
                raise self._bad("a message's length cannot be right")
            if len(buffer) - at < total:
                break
            messages.append(self._read(buffer[at : at + total], headers))
            at += total
        self._buffer = buffer[at:]
        return messages

    def _read(self, raw: bytes, headers: int) -> Message:
        (crc,) = _CRC.unpack_from(raw, len(raw) - 4)
        if zlib.crc32(raw[:-4]) != crc:
            raise self._bad("a message's checksum is wrong")
        end = _PRELUDE.size + headers
        try:
            found = dict(_texts(raw[_PRELUDE.size : end]))
        except (IndexError, KeyError, UnicodeDecodeError, struct.error):
            raise self._bad("a message's headers cannot be read") from None
        return Message(found, raw[end:-4])

    def _bad(self, reason: str) -> GatewayError:
        return GatewayError("upstream.bad_response", provider=self._provider, reason=reason)


def _texts(raw: bytes) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(raw):
        name_end = at + 1 + raw[at]
        name, kind = raw[at + 1 : name_end].decode(), raw[name_end]
        at = name_end + 1
        if kind in (_BYTES, _TEXT):
            (size,) = struct.unpack_from(">H", raw, at)
            at += 2
        else:
            size = _SIZES[kind]
        if at + size > len(raw):
            raise IndexError
        if kind == _TEXT:
            yield name, raw[at : at + size].decode()
        at += size
