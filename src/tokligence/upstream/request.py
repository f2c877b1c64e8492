"""PURE: the head of a request, from precomputed bytes, with nothing in it that could end a line early."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

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

_KNOWN_LIMIT: Final = 1024
_known: Final[dict[bytes, bytes]] = {}
"""Header name found good before -> the start of its line: the same few come with every request. Names may come from
clients, hence the limit."""


def write_head(
    method: bytes, target: bytes, host_lines: bytes, headers: Sequence[tuple[bytes, bytes]], length: int
) -> bytes:
    """`target`: the whole request target; `host_lines`: from ` HTTP/1.1` to the end of the Host line (and the proxy's
    line); `length`: bytes of the body. What a client may have caused raises `http.malformed`; a header of `FRAMING` is
    a fault of ours, hence `ValueError`.
    """
    if method not in METHODS or target.translate(None, _TARGET_BYTES):
        raise GatewayError("http.malformed", reason="the method or the path cannot be sent on")
    try:
        block = b"\r\n".join([_known[name] + value for name, value in headers])
    except KeyError:
        block = b"\r\n".join([_start_line(name) + value for name, value in headers])
    breaks = max(0, len(headers) - 1)
    # One scan in C over the whole block costs less than one test for each value.
    if len(block.translate(None, b"\r\n\0")) != len(block) - 2 * breaks:
        raise GatewayError("http.malformed", reason="a header value holds a line break or a NUL")
    framing = b""
    if length or method not in _BODILESS:
        framing = b"content-length: %d\r\n" % length
    return b"".join((method, b" ", target, host_lines, framing, block, b"\r\n\r\n" if headers else b"\r\n"))


def _start_line(name: bytes) -> bytes:
    if not name or name.translate(None, _TOKEN_BYTES):
        raise GatewayError("http.malformed", reason="a header name is not valid")
    if name.lower() in FRAMING:
        raise ValueError(f"the header {name.decode()} is written by the upstream client alone")
    start = name + b": "
    if len(_known) < _KNOWN_LIMIT:
        _known[name] = start
    return start
