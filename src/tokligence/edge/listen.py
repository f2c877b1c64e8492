"""Listening sockets and the process's file limit."""

from __future__ import annotations

import errno
import socket
import sys
from typing import Final

from tokligence.edge.limits import Limits

BACKLOG: Final = 4096
"""Connections the kernel may hold for us; it applies its own lower limit."""

MOST_FILES: Final = 1 << 18
"""Where raising the soft limit stops: enough for any client count that one process serves."""

_NO_SUCH_FAMILY: Final = frozenset((errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT))


class AddressInUse(OSError):
    """Another process listens there already. `host` and `port` as they were asked for."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(errno.EADDRINUSE, f"{host}:{port} is in use by another process")
        self.host = host
        self.port = port


def open_sockets(host: str, port: int) -> list[socket.socket]:
    """Bound, not yet listening. `localhost` is 127.0.0.1 and, where the machine has it, ::1, on the same port;
    port 0 takes a free one. Raises `AddressInUse`, or `OSError` for a host that is not ours."""
    sockets: list[socket.socket] = []
    try:
        for family, address in _addresses(host, port):
            try:
                sock = _bind(family, address, sockets[0].getsockname()[1] if sockets else port)
            except OSError as error:
                if error.errno in _NO_SUCH_FAMILY and sockets:
                    continue
                raise
            sockets.append(sock)
    except OSError as error:
        for sock in sockets:
            sock.close()
        if error.errno == errno.EADDRINUSE:
            raise AddressInUse(host, port) from None
        raise
    return sockets


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    if host == "localhost":
        # Not by name: a hosts file that gives only one of them, or something else, must not decide it.
        return [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    # The name may resolve to one address several times.
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _bind(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            # There SO_REUSEADDR would let a second process take the port over.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            # Past connections in TIME_WAIT do not keep us out; a listener does.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address != "::")
        sock.bind((address, port))
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def raise_file_limit() -> int | None:
    """Raises the soft limit of open files towards the hard one and returns it; None where there is none."""
    if sys.platform == "win32":
        return None
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    # macOS reports no hard limit and refuses what the kernel cannot give: ask for less until it agrees.
    while soft != resource.RLIM_INFINITY and wanted > soft:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (ValueError, OSError):
            wanted //= 2
        else:
            return wanted
    return MOST_FILES if soft == resource.RLIM_INFINITY else soft


def connection_limit(limits: Limits, files: int | None) -> int:
    """How many clients may be connected: `max_connections`, but a quarter of the files (at least 64) stays free
    for upstream connections, the ledger and the log."""
    room = MOST_FILES if files is None else max(files - max(files // 4, 64), 1)
    return min(limits.max_connections, room) if limits.max_connections else room
