"""PURE: a provider's base URL, read once: where to connect and what precedes every path.

    parse_origin("https://api.openai.com/v1/", versioned=True).target(b"/models") == b"/v1/models"

A base URL is the operator's input, so a bad one is `GatewayError("config.invalid")`; the message never repeats the
URL, since it may hold a password.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from tokligence.errors import GatewayError

DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_VERSION_TAIL: Final = re.compile(r"/(?:v1|v1beta)$")
_HOST_NAME: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}))*\.?"
)
_UNSAFE: Final = re.compile(r"[\x00-\x20\x7f\\]")


class Origin(Struct, frozen=True):
    """One upstream address.

    `scheme`: "http" or "https"; `host`: lower case, an IPv6 address without brackets; `prefix`: path before every
    target, without a trailing slash; `authority`: the Host header, without a default port; `key`: scheme, host and
    port in one string, equal for origins that may share connections.
    """

    scheme: str
    host: str
    port: int
    prefix: bytes
    authority: bytes
    key: str

    def target(self, path: bytes) -> bytes:
        """The request target of `path`, which starts with a slash."""
        return self.prefix + path


def parse_origin(url: str, *, versioned: bool) -> Origin:
    """`versioned`: the base URL includes the protocol's version (`openai_base_url`, `llm_endpoint`); otherwise a
    trailing `/v1` or `/v1beta` is dropped, because the paths bring it (`anthropic_base_url`).
    """
    split = _split(url.strip())
    host, port = _host(split), _port(split)
    path = split.path.rstrip("/")
    if not versioned:
        path = _VERSION_TAIL.sub("", path).rstrip("/")
    if not path.isascii():
        raise _invalid("holds characters that must be percent-encoded")
    shown = f"[{host}]" if ":" in host else host
    explicit = "" if port == DEFAULT_PORTS[split.scheme] else f":{port}"
    return Origin(
        scheme=split.scheme,
        host=host,
        port=port,
        prefix=path.encode(),
        authority=f"{shown}{explicit}".encode(),
        key=f"{split.scheme}://{shown}:{port}",
    )


def _split(url: str) -> SplitResult:
    # urlsplit drops tabs and line breaks without a word, so they are refused before it sees them.
    if _UNSAFE.search(url):
        raise _invalid("holds a space, a backslash or a control character")
    try:
        split = urlsplit(url)
    except ValueError:
        raise _invalid("is not a URL") from None
    if split.scheme not in DEFAULT_PORTS:
        raise _invalid("must start with http:// or https://")
    if "@" in split.netloc:
        raise _invalid("holds a user name or a password", "Put the key into the provider's api_key setting.")
    if "?" in url or "#" in url:
        raise _invalid("must end before ? and #")
    return split


def _host(split: SplitResult) -> str:
    host = split.hostname or ""
    if "[" in split.netloc:
        try:
            address = ipaddress.IPv6Address(host)
        except ValueError:
            raise _invalid("holds a bad IPv6 address") from None
        if address.scope_id is not None:
            raise _invalid("holds an IPv6 address with a zone")
        return str(address)
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError:
            raise _invalid("holds a bad host name") from None
    if not _HOST_NAME.fullmatch(host):
        raise _invalid("holds no host name" if not host else "holds a bad host name")
    return host


def _port(split: SplitResult) -> int:
    try:
        port = split.port
    except ValueError:
        port = 0
    if port == 0:
        raise _invalid("holds a bad port")
    return port or DEFAULT_PORTS[split.scheme]


def _invalid(what: str, hint: str = "Example: https://host.example/v1") -> GatewayError:
    return GatewayError("config.invalid", reason=f"The base URL {what}.", hint=hint)
