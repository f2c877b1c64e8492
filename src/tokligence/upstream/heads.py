"""PURE but for what it remembers: the heads of usual answers, read in fewer steps than llhttp takes.

Usual is a whole answer in one read: `HTTP/1.1`, a status whose answers have a body, plain header lines, one
Content-Length, as many bytes behind the head, a connection that stays open. Upstreams repeat themselves, so a head is
looked for among those that came before, by the length of the whole and then by its bytes; if it is new, at least most
of its lines are not. Whatever is not usual is for llhttp, which then also says what is wrong with it.

What is accepted here llhttp accepts too, and means the same (a property of the tests): the grammar is narrower than that
of RFC 9112, section 5, and headers that could change the framing are not in it.
"""

from __future__ import annotations

import re
from typing import Final

from tokligence.upstream.answer import Head

HEADS: Final = 64
"""Heads remembered of one origin."""
LINES: Final = 512
"""Header lines remembered of one origin; those that never come again, such as dates, push out the others now and then."""
LONGEST_HEAD: Final = 4096
"""Bytes of a head that is read here."""

_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length"
_CONNECTION: Final = b"connection"
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9]) [ -~]*")
_BODILESS: Final = frozenset({204, 304})
_LINE: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([!-~](?:[ -~]*[!-~])?)")
_DIGITS: Final = re.compile(rb"[0-9]{1,15}")
_UNUSUAL: Final = frozenset(
    {b"keep-alive", b"proxy-connection", b"trailer", b"transfer-encoding", b"upgrade"}
)

Field = tuple[bytes, bytes]


class Heads:
    """Those of one origin. `by_size`: heads by the length of the whole answer; what is as long and begins with the same
    bytes is an answer with this head."""

    __slots__ = ("_lines", "by_size")

    def __init__(self) -> None:
        self.by_size: dict[int, Head] = {}
        self._lines: dict[bytes, Field] = {}

    def read(self, data: bytes, *, most: int, longest: int, rest_s: float) -> Head | None:
        """The head of a usual answer, which all of `data` is. None: it may be none. `most`: headers; `longest`: bytes of a
        head; `rest_s`: becomes its `hint_s`."""
        end = data.find(_END, 0, min(longest, LONGEST_HEAD))
        if end < 0:
            return None
        first, *lines = data[:end].split(b"\r\n")
        matched = _STATUS_LINE.fullmatch(first)
        if matched is None or len(lines) > most or (status := int(matched[1])) in _BODILESS:
            return None
        known = self._lines
        headers = []
        length = -1
        for line in lines:
            field = known.get(line) or self._read_line(line)
            if field is None:
                return None
            if field[0] == _LENGTH:
                if length >= 0:
                    return None
                length = int(field[1])
            headers.append(field)
        if length < 0 or end + len(_END) + length != len(data):
            return None
        head = Head(status, headers, rest_s)
        head.raw = data[: end + len(_END)]
        if len(self.by_size) >= HEADS:
            self.by_size.clear()
        self.by_size[len(data)] = head
        return head

    def _read_line(self, line: bytes) -> Field | None:
        matched = _LINE.fullmatch(line)
        if matched is None:
            return None
        name, value = matched[1].lower(), matched[2]
        if (
            name in _UNUSUAL
            or (name == _CONNECTION and value.lower() != b"keep-alive")
            or (name == _LENGTH and not _DIGITS.fullmatch(value))
        ):
            return None
        if len(self._lines) >= LINES:
            self._lines.clear()
        field = self._lines[line] = name, value
        return field
