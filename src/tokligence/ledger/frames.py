"""The journal's framing: records in a byte stream of which any part may be missing or broken. Pure.

A frame is 2 bytes of magic and kind, 4 bytes length and 4 bytes CRC-32 (both little-endian), then the payload.
A process can die in the middle of a write and a disk can return rubbish, so the reader never trusts a length:
where a frame does not check, it looks for the next one that does. Bad bytes up to the end of the file are a
*torn tail*, which is what a crash leaves; bad bytes with a good frame behind them are *corruption*.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final, NamedTuple
from zlib import crc32

MAX_PAYLOAD: Final = 1 << 18
"""Bytes. A length above it is not believed; far above any record that we write."""

_MAGIC: Final = 0xF5  # no byte of UTF-8 text, so resynchronising rarely stops inside a record
_HEADER: Final = struct.Struct("<BBII")
_HEADER_SIZE: Final = _HEADER.size
_pack = _HEADER.pack
_unpack_from = _HEADER.unpack_from


class Kind(IntEnum):
    STARTED = 0x53  # "S"
    ENDED = 0x45  # "E"


# Plain integers for the hot path: an enum member costs a lookup per use.
STARTED: Final = int(Kind.STARTED)
ENDED: Final = int(Kind.ENDED)


class Gap(NamedTuple):
    """Bytes of a file that hold no record: offset of the first and their number."""

    offset: int
    length: int


class FrameTooLarge(ValueError):
    """A payload above `MAX_PAYLOAD`, which the reader would not believe."""


def frame(kind: int, payload: bytes) -> bytes:
    """`payload` framed; the checksum covers the kind too."""
    size = len(payload)
    if size > MAX_PAYLOAD:
        raise FrameTooLarge(f"a record of {size} bytes exceeds {MAX_PAYLOAD}")
    return _pack(_MAGIC, kind, size, crc32(payload, kind)) + payload


def payload_of(framed: bytes) -> bytes:
    """The payload of one frame that we made ourselves."""
    return framed[_HEADER_SIZE:]


class FrameReader:
    """Splits a byte stream, fed in any pieces, into frames. `gaps` are found corruptions, `torn` the bad end of
    the stream once `close` has been called."""

    __slots__ = ("_buffer", "_gap_from", "_offset", "gaps", "torn")

    def __init__(self) -> None:
        self.gaps: list[Gap] = []
        self.torn: Gap | None = None
        self._buffer = b""
        self._offset = 0  # in the stream, of the buffer's first byte
        self._gap_from: int | None = None

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The frames completed by `data`: (kind, payload), in order."""
        self._buffer = self._buffer + data if self._buffer else data
        return self._split(at_end=False)

    def close(self) -> list[tuple[int, bytes]]:
        """The stream has ended: frames found behind broken bytes, if any."""
        frames = self._split(at_end=True)
        end = self._offset + len(self._buffer)
        begin = self._offset if self._gap_from is None else self._gap_from
        if begin < end:
            self.torn = Gap(begin, end - begin)
        return frames

    def _split(self, *, at_end: bool) -> list[tuple[int, bytes]]:
        buffer, size = self._buffer, len(self._buffer)
        frames: list[tuple[int, bytes]] = []
        position = 0
        while size - position >= _HEADER_SIZE:
            magic, kind, length, checksum = _unpack_from(buffer, position)
            if magic == _MAGIC and length <= MAX_PAYLOAD and (kind in (ENDED, STARTED)):
                stop = position + _HEADER_SIZE + length
                if stop > size and not at_end:
                    break
                payload = buffer[position + _HEADER_SIZE : stop]
                if len(payload) == length and crc32(payload, kind) == checksum:
                    if self._gap_from is not None:
                        self._close_gap(position)
                    frames.append((kind, payload))
                    position = stop
                    continue
            if self._gap_from is None:
                self._gap_from = self._offset + position
            position = buffer.find(_MAGIC, position + 1)
            if position < 0:
                position = size
        self._buffer = buffer[position:]
        self._offset += position
        return frames

    def _close_gap(self, position: int) -> None:
        assert self._gap_from is not None
        self.gaps.append(Gap(self._gap_from, self._offset + position - self._gap_from))
        self._gap_from = None
