"""PURE: the head of a request, from precomputed bytes, with nothing in it that could end a line early."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NewType

from tokligence.errors import GatewayError

METHODS: Final = frozenset({b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"HEAD", b"OPTIONS"})

_BODILESS: Final = frozenset({b"GET", b"HEAD", b"OPTIONS", b"DELETE"})

FRAMING: Final = frozenset(
    {
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"keep-alive",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Headers that belong to the connection; only this package writes them."""

# RFC 9110 section 5.6.2 (tchar), and the characters that may stand in a request target without ending it.
_TOKEN_BYTES: Final = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TARGET_BYTES: Final = bytes(range(0x21, 0x7F)).replace(b"#", b"")

KNOWN_LIMIT: Final = 1024
LONGEST_KNOWN: Final = 128
"""Entries of a table of what was found good before, and bytes of one: some of it comes from clients and upstreams."""

_known: Final[dict[bytes, bytes]] = {}
"""Header name found good before -> the start of its line: the same few come with every request."""
_known_targets: Final[set[bytes]] = set()
"""Targets found good before; without a query, which is a client's own and seldom comes again."""

HeaderLines = NewType("HeaderLines", bytes)
"""Header lines that have been found good, each with its line end."""

NO_LINES: Final = HeaderLines(b"")


def write_head(
    method: bytes,
    target: bytes,
    host_lines: bytes,
    headers: Sequence[tuple[bytes, bytes]],
    length: int,
    *,
    prebuilt: HeaderLines = NO_LINES,
    before: bytes = b"",
    body: bytes = b"",
) -> bytes:
    """`before`: precedes `target`; `host_lines`: from ` HTTP/1.1` to the end of the Host line (and the proxy's line);
    `length`: bytes of the body; `prebuilt`: of `header_lines`; `body`: to follow at once. What a client may have caused
    raises `http.malformed`; a header of `FRAMING` is a fault of ours, hence `ValueError`.
    """
    start = write_start(method, target, host_lines, before)
    framing = b""
    if length or method not in _BODILESS:
        framing = b"content-length: %d\r\n" % length
    own = _lines(headers) if headers else b""
    return b"".join((start, framing, prebuilt, own, b"\r\n", body))


def write_start(method: bytes, target: bytes, host_lines: bytes, before: bytes = b"") -> bytes:
    """The request line and `host_lines`; parameters and errors as of `write_head`."""
    if method not in METHODS or not (target in _known_targets or _is_target(target)):
        raise GatewayError("http.malformed", reason="the method or the path cannot be sent on")
    return b"".join((method, b" ", before, target, host_lines))


def header_lines(headers: Sequence[tuple[bytes, bytes]]) -> HeaderLines:
    """Raises as `write_head` does."""
    return HeaderLines(_lines(headers))


def _lines(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    try:
        lines = [_known[name] + value for name, value in headers]
    except KeyError:
        lines = [_start_line(name) + value for name, value in headers]
    # Numbers, because `in` with bytes costs an exception; one scan in C over all costs less than one for each value.
    text = b"".join(lines)
    if 13 in text or 10 in text or 0 in text:
        raise GatewayError("http.malformed", reason="a header value holds a line break or a NUL")
    lines.append(b"")
    return b"\r\n".join(lines)


def _is_target(target: bytes) -> bool:
    if target.translate(None, _TARGET_BYTES):
        return False
    if b"?" not in target and len(_known_targets) < KNOWN_LIMIT and len(target) <= LONGEST_KNOWN:
        _known_targets.add(target)
    return True


def _start_line(name: bytes) -> bytes:
    if not name or name.translate(None, _TOKEN_BYTES):
        raise GatewayError("http.malformed", reason="a header name is not valid")
    if name.lower() in FRAMING:
        raise ValueError(f"the header {name.decode()} is written by the upstream client alone")
    start = name + b": "
    if len(_known) < KNOWN_LIMIT and len(name) <= LONGEST_KNOWN:
        _known[name] = start
    return start
