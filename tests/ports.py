"""Ports for servers that must know theirs before they listen."""

from __future__ import annotations

import errno
import random
import socket

RANGE = range(10_000, 30_000)
"""Below the ports that systems hand out by themselves (from 32768 on Linux, from 49152 elsewhere): a test that binds
port 0 never gets one of these, so it cannot take it away before the server listens."""


def free_port() -> int:
    """Free on 127.0.0.1, and on ::1 where there is one, as far as can be told."""
    choice = random.Random()  # of the system's randomness: workers with one seed would choose alike
    while True:
        port = choice.choice(RANGE)
        if _is_free(socket.AF_INET, "127.0.0.1", port) and _is_free(socket.AF_INET6, "::1", port):
            return port


def _is_free(family: socket.AddressFamily, address: str, port: int) -> bool:
    try:
        with socket.socket(family) as probe:
            probe.bind((address, port))
    except OSError as error:
        # Without IPv6 nobody else has the port there either.
        return family is socket.AF_INET6 and error.errno != errno.EADDRINUSE
    return True
