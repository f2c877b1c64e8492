"""Signatures on the Messages wire, which has no field for their issuer.

A signature or encrypted reasoning goes back to who issued it only. A Messages client sends back what it was given,
so when the answer came from another vendor its issuer is written in front: `tgw:ISSUER:SIGNATURE`. The vendor's own
look as they always do.
"""

from __future__ import annotations

from typing import Final

ANTHROPIC: Final = "anthropic"
MARK: Final = "tgw:"


def pack(value: str | None, issuer: str | None) -> str:
    """A signature as a client gets it; "" if there is none (the field is required)."""
    if not value:
        return ""
    return value if issuer in (None, ANTHROPIC) else f"{MARK}{issuer}:{value}"


def unpack(value: str, issuer: str | None) -> tuple[str | None, str | None]:
    """Signature and issuer. `issuer`: who answered, if this is an answer; None: what a client sent back."""
    if not value:
        return None, issuer
    if issuer is None and value.startswith(MARK):
        named, colon, rest = value[len(MARK) :].partition(":")
        if colon and named:
            return rest or None, named
    return value, issuer or ANTHROPIC
