"""Signatures on the Gemini wire, which has no field for their issuer.

`thoughtSignature` is bytes, written in base64 of either alphabet: Google's SDKs decode it and encode it anew. So when an
answer came from another vendor, issuer and signature are packed into base64: `tgw:ISSUER:SIGNATURE`, encrypted reasoning
as `tgr:ISSUER:DATA`. Google's own look as they always do.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

GOOGLE: Final = "google"

PLACEHOLDER: Final = "skip_thought_signature_validator"
"""Stands for the signature of a call that Gemini did not make; without one its models of generation 3 and later refuse
the history (ai.google.dev/gemini-api/docs/thought-signatures, read 2026-11-24)."""

_PLACEHOLDERS: Final = frozenset(
    (PLACEHOLDER, PLACEHOLDER.replace("_", "/"), "context_engineering_is_the_way_to_go")
)
_SIGNED: Final = b"tgw:"
_REDACTED: Final = b"tgr:"
_ENCODED: Final = ("dGd3O", "dGdyO")  # how the base64 of the two begins


def pack(value: str, issuer: str | None) -> str:
    """A signature as a client gets it."""
    return value if issuer in (None, GOOGLE) else _packed(_SIGNED, value, issuer)


def pack_redacted(data: str, issuer: str | None) -> str:
    """Encrypted reasoning as a client gets it, in the place of a signature."""
    return _packed(_REDACTED, data, issuer or "")


def _packed(mark: bytes, value: str, issuer: str | None) -> str:
    return base64.urlsafe_b64encode(mark + f"{issuer}:{value}".encode("utf-8", "surrogatepass")).decode()


def unpack(value: str | None, issuer: str | None) -> tuple[str | None, str | None, bool]:
    """Signature, its issuer, and whether it is encrypted reasoning. `issuer`: who answered, if this is an answer;
    None: what a client sent back. A placeholder is no signature."""
    if not value or value in _PLACEHOLDERS:
        return None, issuer, False
    if issuer is None and value.startswith(_ENCODED):
        try:
            raw = base64.urlsafe_b64decode(
                value.replace("+", "-").replace("/", "_") + "=" * (-len(value) % 4)
            )
            named, colon, rest = raw[4:].decode("utf-8", "surrogatepass").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return value, GOOGLE, False
        mark = raw[:4]
        if colon and mark in (_SIGNED, _REDACTED):
            return rest or None, named or None, mark == _REDACTED
    return value, issuer or GOOGLE, False
