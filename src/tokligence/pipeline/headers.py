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
        b"via",
        b"x-real-ip",
        b"x-client-ip",
        b"true-client-ip",
        b"cf-connecting-ip",
    }
)

NEVER_FOR_UPSTREAMS: Final = (
    b"x-tokligence-",
    b"x-forwarded-",
    b"sec-fetch-",
    b"sec-ch-",
    b"access-control-",
)
"""Prefixes: what is meant for us, tells where the client is, or is a browser's."""

NOT_FOR_CLIENTS: Final = HOP_BY_HOP | {
    b"content-length",  # set anew
    b"date",
    b"server",
    b"alt-svc",  # speaks of the vendor's address, not of ours
    b"strict-transport-security",
    b"set-cookie",
    b"set-cookie2",
    b"nel",  # these too would make a browser act on our address for the vendor
    b"report-to",
    b"reporting-endpoints",
    b"clear-site-data",
}

FROM_TRANSLATED: Final = frozenset(
    {b"retry-after", b"retry-after-ms", b"x-should-retry", b"anthropic-organization-id"}
)
"""Answer headers that mean the same in every protocol; rate limits (by prefix) pass too."""

RATE_LIMIT_PREFIXES: Final = (b"x-ratelimit-", b"anthropic-ratelimit-", b"anthropic-priority-")
REQUEST_ID_HEADERS: Final = (b"request-id", b"x-request-id")
OURS: Final = b"x-tokligence-"
CORS: Final = b"access-control-"
LOSS_HEADER_LIMIT: Final = 2048
"""Bytes of the loss header; what does not fit is counted."""
LOSS_TEXT_LIMIT: Final = 16384
"""Bytes of losses in one row of the ledger."""
NAME_LIMIT: Final = 200
"""Characters of a model's name that are shown and booked; clients may send any."""


def for_upstream(headers: Headers) -> Headers:
    """A client's headers as a same-protocol upstream may see them."""
    named = _named_by_connection(headers)
    return [
        (name, value)
        for name, value in headers
        if name not in NOT_FOR_UPSTREAMS and name not in named and not name.startswith(NEVER_FOR_UPSTREAMS)
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
    theirs = upstream_request_id(headers)
    if theirs is not None:
        passed.append((b"x-tokligence-upstream-request-id", theirs.encode("latin-1")))
    return passed


def upstream_request_id(headers: Headers) -> str | None:
    """The upstream's own name of the call, for its support, at most `NAME_LIMIT` characters."""
    for name, value in headers:
        if name in REQUEST_ID_HEADERS:
            return value.decode("latin-1")[:NAME_LIMIT]
    return None


def first(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    for key, value in headers:
        if key == name:
            return value
    return None


def loss_header(losses: Iterable[Loss]) -> bytes:
    """`path;reason`, comma-separated, percent-encoded ASCII, at most `LOSS_HEADER_LIMIT` bytes, then `+N`."""
    return _loss_list(losses, LOSS_HEADER_LIMIT).encode()


def loss_text(losses: Iterable[Loss]) -> str:
    """The same as the ledger keeps it, where there is more room."""
    return _loss_list(losses, LOSS_TEXT_LIMIT)


def _loss_list(losses: Iterable[Loss], limit: int) -> str:
    entries = [f"{quote(loss.path, safe='.[]_-')};{loss.reason.value}" for loss in losses]
    whole = ",".join(entries)
    if len(whole) <= limit:
        return whole
    kept = 0
    room = limit - len(f",+{len(entries)}")
    while (room := room - len(entries[kept]) - 1) >= 0:  # all together they exceed the limit
        kept += 1
    return ",".join([*entries[:kept], f"+{len(entries) - kept}"])


def route_header(provider: str, model: str) -> bytes:
    """`provider/model`, percent-encoded where the name of a model is no plain text; a very long one is cut."""
    if model.isascii() and model.isprintable():
        return f"{provider}/{model[:NAME_LIMIT]}".encode()
    return f"{provider}/{quote(model[:NAME_LIMIT], safe=':/@+ ', errors='replace')}".encode()


def usd(picousd: int) -> bytes:
    """Decimal text of an amount: 1500000 -> b"0.0000015"."""
    digits = b"%013d" % picousd  # at least one before the point
    return (digits[:-12] + b"." + digits[-12:].rstrip(b"0")).rstrip(b".")


def _named_by_connection(headers: Headers) -> frozenset[bytes]:
    named: frozenset[bytes] = frozenset()
    for name, value in headers:
        if name == b"connection" and value.lower() not in (b"keep-alive", b"close"):
            named |= {token.strip().lower() for token in value.split(b",")}
    return named
