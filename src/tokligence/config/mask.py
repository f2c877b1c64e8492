"""Secrets as they may be shown: enough to tell two keys apart, never enough to use one."""

from __future__ import annotations

from typing import Final

from tokligence.config.errors import printable

SHOW_ENDS_FROM: Final = 20
"""Characters a secret must have before its first three and last four are shown."""

SHOW_TAIL_FROM: Final = 12
"""Characters a secret must have before its last two are shown."""


def masked(secret: str) -> str:
    """`sk-proj-1234567890abcdef` as `sk-…cdef`; the shorter a secret, the less of it is shown."""
    if secret.startswith("sha256:"):
        return f"sha256:…{printable(secret[-4:])}" if len(secret) > SHOW_ENDS_FROM else "sha256:…"
    if len(secret) >= SHOW_ENDS_FROM:
        return printable(f"{secret[:3]}…{secret[-4:]}")
    if len(secret) >= SHOW_TAIL_FROM:
        return printable(f"…{secret[-2:]}")
    return "…"
