"""Which headers pass, in both directions: tables, and the few functions over them. Pure.

Hop-by-hop headers: RFC 9110, section 7.6.1 (read 2026-11-24); a header named by `Connection` is one too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from tokligence.conversation import Loss
from tokligence.pipeline.contract import Headers

HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)

CLIENT_KEYS: Final = frozenset({b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key", b"cookie"})
"""Credentials that a client sends to us: never forwarded."""

NOT_FOR_UPSTREAMS: Final = (
    HOP_BY_HOP
    | CLIENT_KEYS
    | {
        b"host",
        b"content-length",
        b"content-encoding",  # the body goes on decompressed
        b"accept-encoding",  # we ask for identity, so that we can read usage
        b"expect",
        b"origin",
        b"referer",
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-real-ip",
    }
)

NOT_FOR_CLIENTS: Final = HOP_BY_HOP | {
    b"content-length",  # set anew
    b"date",
    b"server",
    b"alt-svc",  # speaks of the vendor's address, not of ours
    b"strict-transport-security",
    b"set-cookie",
}

FROM_TRANSLATED: Final = frozenset(
    {b"retry-after", b"retry-after-ms", b"x-should-retry", b"anthropic-organization-id"}
)
"""Answer headers that mean the same in every protocol; rate limits (by prefix) pass too."""

RATE_LIMIT_PREFIXES: Final = (b"x-ratelimit-", b"anthropic-ratelimit-", b"anthropic-priority-")
REQUEST_ID_HEADERS: Final = (b"x-request-id", b"request-id")
OURS: Final = b"x-tokligence-"
CORS: Final = b"access-control-"
LOSS_HEADER_LIMIT: Final = 2048
"""Bytes of the loss header; what does not fit is counted."""


def for_upstream(headers: Headers) -> Headers:
    """A client's headers as a same-protocol upstream may see them."""
    named = _named_by_connection(headers)
    return [
        (name, value)
        for name, value in headers
        if name not in NOT_FOR_UPSTREAMS and name not in named and not name.startswith(OURS)
    ]


def for_client(headers: Headers) -> Headers:
    """A same-protocol upstream's answer headers as the client may see them."""
    named = _named_by_connection(headers)
    return [
        (name, value)
        for name, value in headers
        if name not in NOT_FOR_CLIENTS and name not in named and not name.startswith((OURS, CORS))
    ]


def for_translated_client(headers: Headers) -> Headers:
    """What of an upstream's answer headers makes sense in another protocol."""
    passed = [
        (name, value)
        for name, value in headers
        if name in FROM_TRANSLATED or name.startswith(RATE_LIMIT_PREFIXES)
    ]
    for name in REQUEST_ID_HEADERS:
        value = first(headers, name)
        if value is not None:
            passed.append((b"x-tokligence-upstream-request-id", value))
            break
    return passed


def first(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    for key, value in headers:
        if key == name:
            return value
    return None


def loss_text(losses: Iterable[Loss]) -> str:
    """`path;reason`, comma-separated, as the ledger keeps it."""
    return ",".join(f"{loss.path};{loss.reason.value}" for loss in losses)


def loss_header(losses: Iterable[Loss]) -> bytes:
    """The same, percent-encoded ASCII, at most `LOSS_HEADER_LIMIT` bytes, then `+N`."""
    entries = [f"{quote(loss.path, safe='.[]_-')};{loss.reason.value}".encode() for loss in losses]
    header = b",".join(entries)
    if len(header) <= LOSS_HEADER_LIMIT:
        return header
    kept: list[bytes] = []
    room = LOSS_HEADER_LIMIT - len(b",+%d" % len(entries))
    for entry in entries:
        room -= len(entry) + 1
        if room < 0:
            break
        kept.append(entry)
    return b",".join([*kept, b"+%d" % (len(entries) - len(kept))])


def _named_by_connection(headers: Headers) -> frozenset[bytes]:
    value = first(headers, b"connection")
    if value is None or value.lower() in (b"keep-alive", b"close"):
        return frozenset()
    return frozenset(token.strip().lower() for token in value.split(b","))
