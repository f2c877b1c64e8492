"""Signatures and whose they are."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokligence.wire.gemini.signatures import PLACEHOLDER, pack, pack_redacted, unpack


def reencoded(signature: str) -> str:
    """What Google's SDK for Python makes of it."""
    return base64.urlsafe_b64encode(base64.urlsafe_b64decode(signature)).decode()


@given(st.text(), st.sampled_from(["anthropic", "openrouter"]))
def test_another_vendors_signature_survives_googles_sdk(signature: str, issuer: str) -> None:
    packed = pack(signature, issuer)
    for sent in (packed, reencoded(packed), packed.replace("-", "+").replace("_", "/"), packed.rstrip("=")):
        assert unpack(sent, None) == (signature or None, issuer, False)


def test_encrypted_reasoning_keeps_what_it_is() -> None:
    assert unpack(pack_redacted("data:x", "anthropic"), None) == ("data:x", "anthropic", True)
    assert unpack(pack_redacted("data", None), None) == ("data", None, True)


def test_googles_own_look_as_they_always_do() -> None:
    assert pack("c2ln", "google") == pack("c2ln", None) == "c2ln"
    assert unpack("c2ln", None) == ("c2ln", "google", False)
    assert unpack(pack("x", "anthropic"), "google") == (pack("x", "anthropic"), "google", False)


@pytest.mark.parametrize(
    "placeholder",
    [PLACEHOLDER, PLACEHOLDER.replace("_", "/"), "context_engineering_is_the_way_to_go", "", None],
)
def test_a_placeholder_is_no_signature(placeholder: str | None) -> None:
    assert unpack(placeholder, None) == (None, None, False)


@pytest.mark.parametrize("strange", ["dGd3O", "dGd3Onh4", "dGd3Ov8=", "dGd3PA=="])
def test_what_only_begins_like_ours_is_googles(strange: str) -> None:
    assert unpack(strange, None) == (strange, "google", False)
