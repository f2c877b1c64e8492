"""Server-sent events, split and parsed (WHATWG HTML, section 9.2, read 2026-11-24).

`Splitter.feed(chunk)` gives whole raw events with their blank line, however the bytes were cut. Lines may end in
LF, CRLF or CR; a BOM at the start is skipped; comments (lines that begin with a colon) are events without data,
so that a relay forwards them unchanged.
"""

from __future__ import annotations

import re

from tokligence.errors import GatewayError

# A blank line after a line: the end of an event. CR CR and mixed endings are legal.
_END = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n)(?=[^\n]))")
BOM = b"\xef\xbb\xbf"


class Splitter:
    """Cuts a byte stream into raw events. `limit`: bytes that one event may have."""

    __slots__ = ("_buffer", "_fresh", "_limit")

    def __init__(self, limit: int = 32 * 1024 * 1024) -> None:
        self._buffer = b""
        self._fresh = True
        self._limit = limit

    def feed(self, chunk: bytes) -> list[bytes]:
        buffer = self._buffer + chunk if self._buffer else chunk
        if self._fresh:
            if len(buffer) < len(BOM) and BOM.startswith(buffer):
                self._buffer = buffer
                return []
            self._fresh = False
            buffer = buffer.removeprefix(BOM)
        if buffer.find(b"\r") >= 0:  # `in` would first try the bytes as a number
            events, rest = _split_any(buffer)
        else:
            parts = buffer.split(b"\n\n")
            rest = parts.pop()
            events = [part + b"\n\n" for part in parts]
        if len(rest) > self._limit:
            raise GatewayError(
                "upstream.bad_response", provider="The upstream", reason="an event exceeds the limit"
            )
        self._buffer = rest
        return events

    def rest(self) -> bytes:
        """What is left when the stream ends: an event that never got its blank line."""
        return self._buffer


def _split_any(buffer: bytes) -> tuple[list[bytes], bytes]:
    events: list[bytes] = []
    start = 0
    for match in _END.finditer(buffer):
        events.append(buffer[start : match.end()])
        start = match.end()
    return events, buffer[start:]


def parse(raw: bytes) -> tuple[bytes, bytes]:
    """Event name and data of one raw event; (name, b"") if it has no data (a comment, a ping)."""
    lines = raw.splitlines()
    # The usual events of OpenAI (data) and of Anthropic (event, data).
    if len(lines) == 2 and lines[0][:6] == b"data: " and not lines[1]:
        return b"", lines[0][6:]
    if len(lines) == 3 and lines[0][:7] == b"event: " and lines[1][:6] == b"data: " and not lines[2]:
        return lines[0][7:], lines[1][6:]
    name = b""
    data: list[bytes] = []
    for line in lines:
        field, colon, value = line.partition(b":")
        if not field and colon:
            continue
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return name, b"\n".join(data)
