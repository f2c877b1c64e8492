"""The head of a request: from what the parser saw to what we are willing to serve. No I/O.

llhttp already refuses what RFC 9112 forbids in framing (both or repeated Content-Length and Transfer-Encoding,
bare LF, folded lines, space before a colon, control characters). What it lets pass and we do not: transfer
codings before `chunked`, `chunked` on HTTP/1.0, a missing or repeated Host, versions other than 1.0 and 1.1.
(RFC 9110 and 9112, read 2026-11-24.)
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_plus, unquote_to_bytes

from msgspec import Struct

from tokligence.edge.limits import Limits
from tokligence.errors import GatewayError
from tokligence.pipeline.contract import Call, Headers, first_values

CHUNKED: Final = -1
"""The value of `Head.length` for a body of unknown length."""

QUERY_KEY_HEADER: Final = b"x-goog-api-key"
"""Where a key from the query goes at once, so that no log can show it and no upstream is sent it. Gemini's clients
use either."""

_ONCE: Final = frozenset((b"host", b"content-length", b"transfer-encoding", b"content-encoding", b"expect"))
_LONGEST_HOST: Final = 300  # bytes: a name has at most 253
_LONGEST_CACHED: Final = 128  # bytes
_MOST_CACHED: Final = 256
_DECODED_AWAY: Final = frozenset((b"content-encoding", b"content-length"))
_UPGRADE_OFFER: Final = frozenset((b"upgrade", b"http2-settings", b"connection"))
_HOST: Final = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+,;=-]*)(?::[0-9]*)?")
_ABSOLUTE: Final = re.compile(rb"https?://([^/?]*)(.*)", re.IGNORECASE)
_BAD_PERCENT: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")


# Nearly all traffic goes to a few paths of a few hosts. (A dict, since a call of an `lru_cache` costs three times as
# much.) Never a target with a query, which may hold a key.
_HOSTS: Final[dict[bytes, str]] = {}  # those that passed; the values say nothing
_PATHS: Final[dict[bytes, str]] = {}  # by target


class Head(Struct, frozen=True):
    """A request head that we serve. `call`: still without body and time. `length`: bytes of the body, or `CHUNKED`.
    `encoding`: b"gzip", b"zstd" or b""."""

    call: Call
    http10: bool
    length: int = 0
    encoding: bytes = b""
    expects_continue: bool = False


def malformed(reason: str) -> GatewayError:
    return GatewayError("http.malformed", reason=reason)


def read_head(method: str, target: bytes, version: str, headers: Headers, limits: Limits) -> Head:
    """Raises `GatewayError` with an `http.*` code: 400, 405, 413, 415, 417, 431 or 505."""
    http10 = version == "1.0"
    if not http10 and version != "1.1":
        raise GatewayError("http.malformed", status=505, reason=f"HTTP/{version} is not spoken here")
    if method == "CONNECT":
        # Not a forward proxy: a tunnel would carry bytes past every check of ours.
        raise GatewayError("http.method_not_allowed", method=method, path="/", allowed="GET or POST")
    if len(headers) > limits.max_headers:
        raise headers_too_large(limits)
    fields = dict(headers)
    if len(fields) != len(headers):
        _refuse_repeated(headers)
        fields = first_values(headers)
    if b"host" in fields:
        if fields[b"host"] not in _HOSTS:
            _check_host(fields[b"host"])
    elif not http10:
        raise malformed("the Host header is missing")
    query = ""
    path = _PATHS.get(target)
    if path is None:
        path, query, authority = read_target(target, method)
        if authority is not None:
            # RFC 9112, 3.2.2: with an absolute target the Host header is ignored, so nobody later may read it.
            fields[b"host"] = authority
            headers = [(b"host", authority), *(field for field in headers if field[0] != b"host")]
        elif b"?" not in target and target != b"*":
            _remember(_PATHS, target, path)
        if query:
            query, key = take_key(query)
            if key is not None:
                fields.setdefault(QUERY_KEY_HEADER, key)
                headers = [*headers, (QUERY_KEY_HEADER, key)]
    call = Call(method, path, query, headers, b"", 0.0, fields=fields)
    if b"transfer-encoding" in fields:
        _check_coding(fields[b"transfer-encoding"], http10)
        length = CHUNKED
    elif b"content-length" in fields:
        # Not for `Call.header`, so that one table serves all calls that differ in nothing else (see `known`).
        length = int(fields.pop(b"content-length"))
        if length > limits.max_body_bytes:
            raise GatewayError("http.body_too_large", limit=limits.max_body_bytes)
    else:
        return Head(call, http10)
    if not length:
        return Head(call, http10)
    # RFC 9110, 10.1.1: an HTTP/1.0 client cannot mean it.
    expects_continue = b"expect" in fields and not http10
    if expects_continue:
        _check_expectation(fields[b"expect"])
    encoding = b""
    if b"content-encoding" in fields:
        encoding = _encoding(fields[b"content-encoding"])
        if encoding:
            call.headers = [field for field in headers if field[0] not in _DECODED_AWAY]
            call.fields = None
    return Head(call, http10, length, encoding, expects_continue)


def _refuse_repeated(headers: Headers) -> None:
    names = [name for name, _ in headers if name in _ONCE]
    if len(set(names)) != len(names):
        raise malformed("a header that may come once only is repeated")


def headers_too_large(limits: Limits) -> GatewayError:
    """The connection counts the bytes as they come, since a head may never end."""
    return GatewayError(
        "http.headers_too_large", limit=f"{limits.max_header_bytes} bytes or {limits.max_headers} lines"
    )


def _check_host(value: bytes) -> None:
    if not _is_host(value):
        raise malformed("the Host header is not a host")
    _remember(_HOSTS, value, "")


def _is_host(value: bytes) -> bool:
    return len(value) <= _LONGEST_HOST and _HOST.fullmatch(value) is not None


def _remember(cache: dict[bytes, str], key: bytes, value: str) -> None:
    if len(key) <= _LONGEST_CACHED:
        if len(cache) >= _MOST_CACHED:
            cache.clear()
        cache[key] = value


def _check_coding(coding: bytes, http10: bool) -> None:
    if coding.lower() != b"chunked":
        raise malformed("the only transfer coding is chunked")
    if http10:
        raise malformed("HTTP/1.0 has no chunked bodies")


def _encoding(value: bytes) -> bytes:
    encoding = value.lower()
    if encoding in (b"", b"identity"):
        return b""
    if encoding == b"x-gzip":  # RFC 9110, 8.4.1.3: equivalent
        return b"gzip"
    if encoding in (b"gzip", b"zstd"):
        return encoding
    raise GatewayError("http.unsupported_encoding", encoding=value.decode("latin-1"))


def _check_expectation(expect: bytes) -> None:
    if expect.lower() != b"100-continue":
        raise GatewayError("http.expectation_failed", expect=expect.decode("latin-1"))


def read_target(target: bytes, method: str) -> tuple[str, str, bytes | None]:
    """(path, query, authority): the path decoded and clean, the query as it came, the authority of an absolute
    target or None."""
    authority = None
    if not target.startswith(b"/"):
        if target == b"*" and method == "OPTIONS":
            return "*", "", None
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is None:
            raise malformed("the request target is not a path")
        authority, target = absolute.groups()
        if not authority or not _is_host(authority):
            raise malformed("the request target names no valid host")
        if not target.startswith(b"/"):
            target = b"/" + target
    if b"#" in target:
        raise malformed("the request target has a fragment")
    raw_path, _, query = target.partition(b"?")
    try:
        return clean_path(raw_path), query.decode("ascii"), authority
    except UnicodeDecodeError:
        raise malformed("the request target is not ASCII, or not UTF-8 once decoded") from None


def take_key(query: str) -> tuple[str, bytes | None]:
    """(the query without its `key` parameters, the first one's value)."""
    if "key" not in query and "%" not in query:
        return query, None
    kept: list[str] = []
    key: str | None = None
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if unquote_plus(name) != "key":
            kept.append(pair)
        elif key is None:
            key = unquote_plus(value)
    return "&".join(kept), None if key is None else key.encode()


def clean_path(raw: bytes) -> str:
    """Percent-decodes once, then removes empty and dot segments, so that one spelling of a path is left to decide on.

    `//v1/` is `/v1/`; `/a/%2e%2e/b` and `/a/..%2Fb` are `/b`; `%252e` stays the text `%2e`.
    """
    if b"%" not in raw and b"//" not in raw and b"/." not in raw:
        return raw.decode("ascii")
    if _BAD_PERCENT.search(raw) is not None:
        raise malformed("the path has an invalid percent escape")
    path = unquote_to_bytes(raw).decode()
    if _CONTROL.search(path) is not None:
        raise malformed("the path has control characters")
    segments = path.split("/")
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    slash = "/" if kept and segments[-1] in ("", ".", "..") else ""
    return "/" + "/".join(kept) + slash


def without_upgrade(method: str, target: bytes, headers: Headers) -> bytes:
    """The head again, without its offer to switch protocols: RFC 9110, 7.8 lets a server go on in HTTP/1.1 as if
    the offer had not been made, which clients on the JDK's HttpClient (it offers h2c by default) rely on."""
    lines = [b"%b %b HTTP/1.1\r\n" % (method.encode(), target)]
    for name, value in headers:
        if name not in _UPGRADE_OFFER:
            lines.append(b"%b: %b\r\n" % (name, value))
        elif name == b"connection" and b"close" in value.lower():
            lines.append(b"connection: close\r\n")
    lines.append(b"\r\n")
    return b"".join(lines)
