"""What one client may cost us: sizes, counts and times. The names are those of the settings."""

from __future__ import annotations

from msgspec import Struct

MIB = 1 << 20


class Limits(Struct, frozen=True, kw_only=True):
    """Sizes in bytes, times in seconds.

    `max_body_bytes` counts after decompression. `max_connections` 0: derived from the file limit.
    `header_timeout_s` runs from a head's first byte to its end; `body_timeout_s` is granted again for every
    64 KiB that arrive; `write_timeout_s` is how long a client may read nothing of what waits for it.
    """

    max_body_bytes: int = 64 * MIB
    max_header_bytes: int = 65536
    max_headers: int = 100
    max_connections: int = 0
    header_timeout_s: float = 15
    body_timeout_s: float = 60
    keepalive_timeout_s: float = 60
    write_timeout_s: float = 300
    drain_timeout_s: float = 30
