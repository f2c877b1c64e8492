"""Who listens on a port."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import psutil

LONGEST_COMMAND: Final = 120  # characters


def in_use(host: str, port: int) -> str:
    """One line for the user whose port is taken: by whom, as far as the system tells, and what to do."""
    named = [f"pid {pid} ({_command(pid)})" for pid in sorted(_listeners(port))]
    who = f" by {', '.join(named)}" if named else ""
    other = port + 1 if port < 65535 else 8081
    return f"port {port} on {host} is in use{who}; stop it, or choose another: tgw start --port {other}"


def _listeners(port: int) -> set[int]:
    return {
        pid
        for pid, connection in _connections()
        if pid and connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
    }


def _connections() -> Iterator[tuple[int | None, Any]]:
    """(pid, connection) of all processes, or where only the administrator may ask that (macOS) of our own."""
    try:
        yield from ((connection.pid, connection) for connection in psutil.net_connections("tcp"))
    except psutil.AccessDenied:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                yield from ((process.pid, connection) for connection in process.net_connections("tcp"))


def _command(pid: int) -> str:
    try:
        process = psutil.Process(pid)
        return " ".join(process.cmdline())[:LONGEST_COMMAND] or process.name()
    except psutil.Error:
        return "another user's"
