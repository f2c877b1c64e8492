"""Opening a connection: name, TCP, perhaps a proxy's tunnel, TLS.

TCP is raced as RFC 8305 (Happy Eyeballs) says, here and not by the loop, because uvloop's `create_connection` knows no
`happy_eyeballs_delay` (uvloop issue 406, read 2026-11-24) and a broken IPv6 route would cost the whole time-out.
The tunnel is opened on the bare socket, before the loop's transport exists, so that TLS is the loop's own in any case.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias, cast

import httptools

from tokligence.upstream.connection import Connection
from tokligence.upstream.proxies import Proxy

ATTEMPT_DELAY_S: Final = 0.25
"""RFC 8305 section 5: how long an attempt may hang before the next address is tried beside it."""

_MAX_PROXY_HEAD: Final = 65536

# Without keep-alive probes a middlebox forgets a connection on which a model thinks for minutes.
_SOCKET_OPTIONS: Final = tuple(
    (level, getattr(socket, name), value)
    for level, name, value in (
        (socket.IPPROTO_TCP, "TCP_NODELAY", 1),
        (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
        (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 60),
        (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 30),
    )
    if hasattr(socket, name)
)

_Target: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
_Address: TypeAlias = tuple[int, int, int, _Target]


class ConnectFailure(Exception):
    """A failure that no `OSError` describes. Its text goes to the client."""


async def connect(
    loop: asyncio.AbstractEventLoop,
    make: Callable[[], Connection],
    host: str,
    port: int,
    *,
    tls: ssl.SSLContext | None,
    proxy: Proxy | None,
    on_connect: Callable[[str, int], None] | None,
) -> Connection:
    """A connection to `host`. Through a proxy: with TLS in a tunnel; without TLS the proxy itself is the peer.

    `on_connect` sees the address of every socket before it is opened. Raises `OSError` or `ConnectFailure`.
    """
    peer, peer_port = (host, port) if proxy is None else (proxy.host, proxy.port)
    if on_connect is not None:
        on_connect(peer, peer_port)
    sock = await dial(loop, peer, peer_port)
    handed_over = False
    try:
        if proxy is not None and tls is not None:
            await open_tunnel(loop, sock, host, port, proxy)
        handed_over = True  # from here on the transport closes it
        _, connection = await loop.create_connection(
            make, sock=sock, ssl=tls, server_hostname=None if tls is None else host.rstrip(".")
        )
    finally:
        if not handed_over:
            sock.close()
    return connection


def trust_store() -> ssl.SSLContext:
    """The system's certificates (SSL_CERT_FILE and SSL_CERT_DIR are OpenSSL's own affair), else certifi's."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if not context.cert_store_stats()["x509_ca"] and not _has_certificates(
        ssl.get_default_verify_paths().capath
    ):
        import certifi  # few systems need it, and it takes its time to load

        context.load_verify_locations(certifi.where())
    return context


def _has_certificates(directory: str | None) -> bool:
    """OpenSSL reads a directory only when it needs a certificate, so the store's statistics do not count it."""
    return directory is not None and any(Path(directory).iterdir())


def describe(error: OSError | ConnectFailure) -> str:
    """Why a connection failed, in short words without addresses or secrets."""
    if isinstance(error, ConnectFailure):
        return str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its TLS certificate is not trusted ({error.verify_message.rstrip('.')})"
    if isinstance(error, ssl.SSLError):
        # Only errors that OpenSSL itself has raised carry a reason.
        reason = getattr(error, "reason", None) or "protocol error"
        return f"the TLS handshake failed ({reason.replace('_', ' ').lower()})"
    if isinstance(error, socket.gaierror):
        return "its host name cannot be resolved"
    if error.errno is None:
        return "the connection was closed during the handshake"
    return os.strerror(error.errno).lower()


# ---------------------------------------------------------------------- TCP


async def dial(loop: asyncio.AbstractEventLoop, host: str, port: int) -> socket.socket:
    """A connected, non-blocking socket. Raises the last attempt's `OSError` if all fail."""
    waiting = deque(interleave(await _resolve(loop, host, port)))
    attempts: set[asyncio.Task[socket.socket]] = set()
    failure = OSError("no address")
    try:
        while waiting or attempts:
            if waiting:
                attempts.add(loop.create_task(_attempt(loop, waiting.popleft())))
            done, _ = await asyncio.wait(
                attempts,
                timeout=ATTEMPT_DELAY_S if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                attempts.discard(task)
                try:
                    return task.result()
                except OSError as error:
                    failure = error
    finally:
        for task in attempts:
            task.cancel()
            task.add_done_callback(_close_late)
    raise failure


async def _resolve(loop: asyncio.AbstractEventLoop, host: str, port: int) -> list[_Address]:
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [
        (family, kind, protocol, cast("_Target", address)) for family, kind, protocol, _, address in found
    ]


def interleave(addresses: list[_Address]) -> list[_Address]:
    """Families in turn, beginning with the resolver's first (RFC 8305 section 4)."""
    first = [a for a in addresses if a[0] == addresses[0][0]]
    other = [a for a in addresses if a[0] != addresses[0][0]]
    mixed = [a for pair in zip(first, other, strict=False) for a in pair]
    shorter = min(len(first), len(other))
    return mixed + first[shorter:] + other[shorter:]


async def _attempt(loop: asyncio.AbstractEventLoop, address: _Address) -> socket.socket:
    family, kind, protocol, target = address
    sock = socket.socket(family, kind, protocol)
    connected = False
    try:
        sock.setblocking(False)
        for level, option, value in _SOCKET_OPTIONS:
            sock.setsockopt(level, option, value)
        await loop.sock_connect(sock, target)
        connected = True
    finally:
        if not connected:
            sock.close()
    return sock


def _close_late(task: asyncio.Task[socket.socket]) -> None:
    """An attempt that lost the race may have connected before it could be cancelled."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()


# ---------------------------------------------------------------------- the proxy's tunnel


class _TunnelAnswer:
    """Reads the answer to CONNECT. A 2xx has no body (RFC 9110 section 9.3.6), so a body is a fault."""

    def __init__(self) -> None:
        self.status = 0
        self.surplus = False
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:
            self.status = status

    def on_body(self, body: bytes) -> None:  # noqa: ARG002 - the parser's signature
        self.surplus = True


async def open_tunnel(
    loop: asyncio.AbstractEventLoop, sock: socket.socket, host: str, port: int, proxy: Proxy
) -> None:
    """Asks `proxy`, at the other end of `sock`, for a tunnel (CONNECT)."""
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    login = b"" if proxy.authorization is None else b"proxy-authorization: %b\r\n" % proxy.authorization
    line = authority.encode()
    await loop.sock_sendall(sock, b"CONNECT %b HTTP/1.1\r\nhost: %b\r\n%b\r\n" % (line, line, login))
    answer = _TunnelAnswer()
    size = 0
    while not answer.status:
        data = await loop.sock_recv(sock, 4096)
        size += len(data)
        if not data:
            raise ConnectFailure("the proxy closed the connection")
        if size > _MAX_PROXY_HEAD:
            raise ConnectFailure("the proxy's answer is too large")
        try:
            answer.feed(data)
        except httptools.HttpParserError:
            raise ConnectFailure("the proxy's answer is not HTTP") from None
    if answer.status == 407:
        raise ConnectFailure("the proxy wants a user name and a password, or others")
    if answer.status >= 300:
        raise ConnectFailure(f"the proxy refused with status {answer.status}")
    if answer.surplus:
        raise ConnectFailure("the proxy's answer is not valid")
