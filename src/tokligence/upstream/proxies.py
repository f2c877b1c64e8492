"""PURE: which proxy, if any, leads to an origin.

HTTP_PROXY, HTTPS_PROXY and NO_PROXY follow no standard. The rules are those of curl (CURLOPT_NOPROXY, read
2026-11-24) and a little wider: a name covers itself and all names below it, a leading dot changes nothing, `*` stands
for anything (curl: only alone), an address or a network (CIDR) covers literal addresses, and `:port` after an entry
limits it. Names are never resolved for this. Userinfo may hold a raw slash only percent-encoded.
"""

from __future__ import annotations

import base64
import ipaddress
from fnmatch import fnmatchcase
from urllib.parse import unquote

from msgspec import Struct

from tokligence.errors import GatewayError
from tokligence.upstream.origin import Origin, parse_origin

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Proxies(Struct, frozen=True):
    """The values of HTTP_PROXY, HTTPS_PROXY and NO_PROXY as the user wrote them; read by the configuration."""

    http: str | None = None
    https: str | None = None
    no_proxy: str = ""


class Proxy(Struct, frozen=True):
    """`authorization`: the value of Proxy-Authorization, a secret."""

    host: str
    port: int
    authorization: bytes | None = None


class ProxyTable:
    """`Proxies`, read. A bad proxy URL raises `GatewayError("config.invalid")` at once, not at the first request."""

    __slots__ = ("_by_scheme", "_exempt")

    def __init__(self, proxies: Proxies) -> None:
        self._by_scheme = {
            "http": _parse_proxy("HTTP_PROXY", proxies.http),
            "https": _parse_proxy("HTTPS_PROXY", proxies.https),
        }
        self._exempt = tuple(_Exemption(entry) for entry in proxies.no_proxy.replace(",", " ").split())

    def choose(self, origin: Origin) -> Proxy | None:
        proxy = self._by_scheme[origin.scheme]
        if proxy is None:
            return None
        address = _address(origin.host)
        if _is_local(origin.host, address):
            return None
        if any(rule.covers(origin.host.rstrip("."), address, origin.port) for rule in self._exempt):
            return None
        return proxy


class _Exemption:
    """One entry of NO_PROXY."""

    __slots__ = ("_name", "_network", "_port")

    def __init__(self, entry: str) -> None:
        name, self._port = _split_port(entry.lower())
        self._network = _network(name)
        self._name = name.strip(".")

    def covers(self, host: str, address: Address | None, port: int) -> bool:
        if self._port not in {None, port}:
            return False
        if self._network is not None:
            return address is not None and address in self._network
        if "*" in self._name:
            return fnmatchcase(host, self._name)
        return host == self._name or host.endswith(f".{self._name}")


def _split_port(entry: str) -> tuple[str, int | None]:
    """`name:8080` and `[::1]:8080`; a bare IPv6 address has more than one colon and no port."""
    if entry.startswith("["):
        name, _, tail = entry[1:].partition("]")
        port = tail.removeprefix(":")
    elif entry.count(":") == 1:
        name, _, port = entry.partition(":")
    else:
        name, port = entry, ""
    return name, int(port) if port.isdecimal() else None


def _network(name: str) -> Network | None:
    try:
        return ipaddress.ip_network(name, strict=False)
    except ValueError:
        return None


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_local(host: str, address: Address | None) -> bool:
    if address is None:
        name = host.rstrip(".")
        return name == "localhost" or name.endswith(".localhost")
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback or address.is_unspecified


def _parse_proxy(variable: str, url: str | None) -> Proxy | None:
    text = (url or "").strip()
    if not text:
        return None
    scheme, mark, rest = text.rpartition("://")
    if mark and scheme.lower() != "http":
        raise _invalid(variable, "must start with http://: other kinds of proxies are not supported")
    login, at, address = rest.split("/", 1)[0].rpartition("@")
    try:
        origin = parse_origin(f"http://{address}", versioned=True)
    except GatewayError:
        raise _invalid(variable, "holds a bad host name or port") from None
    authorization = None
    if at:
        user, _, password = login.partition(":")
        pair = f"{unquote(user)}:{unquote(password)}"
        authorization = b"Basic " + base64.b64encode(pair.encode())
    return Proxy(origin.host, origin.port, authorization)


def _invalid(variable: str, what: str) -> GatewayError:
    return GatewayError(
        "config.invalid", reason=f"{variable} {what}.", hint="Example: http://proxy.example:3128"
    )
