"""The handshake that makes a client's connection a WebSocket (RFC 6455, section 4.2)."""

from __future__ import annotations

from typing import Final

from websockets.utils import accept_key

from tokligence.errors import GatewayError
from tokligence.pipeline.contract import Headers

VERSION: Final = b"13"


def accept(headers: Headers) -> bytes:
    """The answer that makes a request's connection a WebSocket. Raises `http.upgrade_refused` for a handshake that is
    not one (RFC 6455, 4.2.1)."""
    fields = dict(headers)
    key = fields.get(b"sec-websocket-key", b"")
    if fields.get(b"sec-websocket-version") != VERSION or len(key) != 24:
        raise GatewayError("http.upgrade_refused", protocol="websocket without a key or of another version")
    answer = accept_key(key.decode("latin-1")).encode()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
        b"sec-websocket-accept: " + answer + b"\r\n\r\n"
    )
