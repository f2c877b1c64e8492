"""Who may call: client keys, and what a web page in a browser may do. No I/O.

While no client key is configured the gateway serves this machine only, and anyone on it. The danger then is a web
page: its requests reach loopback addresses too. It betrays itself by its Origin, or, when its own name was rebound
to 127.0.0.1, by the Host that the browser sends.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, Protocol

from msgspec import Struct

from tokligence.errors import GatewayError
from tokligence.pipeline.contract import Call, Headers, Principal, Sink

HASHED: Final = "sha256:"

_KEY_HEADERS: Final = frozenset((b"x-api-key", b"x-goog-api-key", b"api-key"))
_METRICS: Final = "/metrics"
_ANYONE: Final = Principal()
_PREFLIGHT_AGE: Final = b"600"  # seconds
_METHODS: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


class KeyEntry(Protocol):
    """An entry of `client_keys`. `value`: the key in clear, or `sha256:` and 64 hexadecimal digits."""

    @property
    def name(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def user(self) -> str | None: ...
    @property
    def team(self) -> str | None: ...


class Keyring(Struct, frozen=True):
    """The configured keys by their SHA-256, so that finding one tells nothing about the others."""

    by_digest: dict[bytes, Principal] = {}

    @classmethod
    def of(cls, entries: Iterable[KeyEntry]) -> Keyring:
        """Raises `config.invalid` for a malformed hash and for one key under two names."""
        found: dict[bytes, Principal] = {}
        for entry in entries:
            digest = _digest_of(entry)
            if digest in found:
                reason = f"client_keys: {found[digest].key_name} and {entry.name} are the same key"
                raise GatewayError("config.invalid", reason=reason)
            found[digest] = Principal(entry.name, entry.user, entry.team)
        return cls(found)

    def find(self, key: bytes) -> Principal | None:
        digest = hashlib.sha256(key).digest()
        found = None
        for stored, principal in self.by_digest.items():
            # All are compared, each in constant time: neither the key nor its place shows in the time taken.
            if hmac.compare_digest(stored, digest):
                found = principal
        return found


class Rules(Struct, frozen=True):
    """`metrics_open`: the gateway listens on loopback only, so `/metrics` needs no key."""

    keys: Keyring = Keyring()
    cors_origins: frozenset[str] = frozenset()
    metrics_open: bool = True


def _digest_of(entry: KeyEntry) -> bytes:
    if not entry.value.startswith(HASHED):
        return hashlib.sha256(entry.value.encode()).digest()
    try:
        digest = bytes.fromhex(entry.value.removeprefix(HASHED))
    except ValueError:
        digest = b""
    if len(digest) != 32:
        reason = f"client_keys: {entry.name} needs 64 hexadecimal digits after {HASHED}"
        raise GatewayError("config.invalid", reason=reason)
    return digest


def check_exposure(host: str, keys: Keyring) -> None:
    """Raises `config.invalid` if other machines could call without a key."""
    if not keys.by_digest and not is_loopback(host):
        raise GatewayError(
            "config.invalid",
            reason=f"host {host} is reachable from other machines and client_keys is empty.",
            hint="Set client_keys, or host=localhost.",
        )


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address without a port, means this machine only."""
    name = host.removeprefix("[").removesuffix("]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def authenticate(headers: Headers, keys: Keyring) -> Principal:
    """A caller may send several keys (one of ours beside a vendor's): one that is known is enough. `?key=` is a
    header by now, see `head`. Raises `auth.missing_key` or `auth.invalid_key` (401)."""
    sent = [key for name, value in headers if (key := _key_in(name, value))]
    for key in sent:
        principal = keys.find(key)
        if principal is not None:
            return principal
    raise GatewayError("auth.invalid_key" if sent else "auth.missing_key")


def _key_in(name: bytes, value: bytes) -> bytes:
    if name in _KEY_HEADERS:
        return value
    if name == b"authorization" and value[:7].lower() == b"bearer ":
        return value[7:].strip()
    return b""


def check_host(host: bytes | None) -> None:
    """None: HTTP/1.0 without a Host header, which no browser sends."""
    if host is not None and not _is_local(host):
        raise GatewayError("auth.forbidden_host")


@lru_cache(maxsize=256)
def _is_local(host: bytes) -> bool:
    name, colon, port = host.decode("latin-1").rpartition(":")
    if not colon or port.endswith("]"):
        name = host.decode("latin-1")
    return is_loopback(name)


def check_origin(origin: bytes, rules: Rules) -> None:
    if not _allows(origin, rules):
        raise GatewayError("auth.forbidden_origin")


def _allows(origin: bytes, rules: Rules) -> bool:
    return "*" in rules.cors_origins or origin.decode("latin-1") in rules.cors_origins


def preflight_headers(call: Call) -> Headers:
    """What the answer to a preflight carries beside `cors_headers` (Fetch standard, "CORS-preflight fetch")."""
    headers = [
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-max-age", _PREFLIGHT_AGE),
    ]
    asked = call.header(b"access-control-request-headers")
    if asked is not None:
        headers.append((b"access-control-allow-headers", asked))
    return headers


def cors_headers(call: Call, rules: Rules) -> Headers:
    """Of any answer: with them a page of an origin in `cors_origins` may read it. Empty without such an origin."""
    origin = call.header(b"origin")
    if origin is None or not _allows(origin, rules):
        return []
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", b"*"),
        (b"vary", b"origin"),
    ]


class Guard:
    """The rules, as an endpoint applies them. To change them, make another."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._keyless = not rules.keys.by_digest

    def dress(self, call: Call, sink: Sink) -> Sink:
        """The sink, with CORS headers on whatever answer goes through it."""
        if not self.rules.cors_origins:
            return sink
        headers = cors_headers(call, self.rules)
        return CorsSink(sink, headers) if headers else sink

    def preflight(self, call: Call, sink: Sink) -> bool:
        """Answers a CORS preflight into the dressed sink; False if the call is none. It carries no key, so only the
        origin counts. Raises `auth.forbidden_*`."""
        if call.method != "OPTIONS" or call.header(b"access-control-request-method") is None:
            return False
        self.check_origin(call)
        if not cors_headers(call, self.rules):
            raise GatewayError("auth.forbidden_origin")
        sink.whole(204, preflight_headers(call), b"")
        return True

    def check(self, call: Call) -> Principal:
        """Who calls. Raises `auth.*`: 401, 403."""
        if self._keyless:
            self.check_origin(call)
            return _ANYONE
        if call.path == _METRICS and self.rules.metrics_open:
            return _ANYONE
        return authenticate(call.headers, self.rules.keys)

    def check_origin(self, call: Call) -> None:
        """Without client keys: raises `auth.forbidden_host` or `auth.forbidden_origin` (403) for a web page's call."""
        if self._keyless:
            check_host(call.header(b"host"))
            origin = call.header(b"origin")
            if origin is not None:
                check_origin(origin, self.rules)


class CorsSink:
    """A sink that adds headers to the answer."""

    __slots__ = ("_extra", "_sink")

    def __init__(self, sink: Sink, extra: Headers) -> None:
        self._sink = sink
        self._extra = extra

    @property
    def started(self) -> bool:
        return self._sink.started

    @property
    def gone(self) -> bool:
        return self._sink.gone

    def start(self, status: int, headers: Headers, length: int | None = None) -> None:
        self._sink.start(status, headers + self._extra, length)

    def write(self, data: bytes) -> None:
        self._sink.write(data)

    def end(self, data: bytes = b"") -> None:
        self._sink.end(data)

    def whole(self, status: int, headers: Headers, body: bytes) -> None:
        self._sink.whole(status, headers + self._extra, body)

    async def drained(self) -> None:
        await self._sink.drained()

    def on_gone(self, callback: Callable[[], None] | None) -> None:
        self._sink.on_gone(callback)
