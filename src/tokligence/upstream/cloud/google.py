"""Tokens of Google Cloud from a credentials file. PURE but for the signature, which `cryptography` makes.

A service account signs a JWT (RS256) that its token endpoint exchanges for an access token (RFC 7523;
developers.google.com/identity/protocols/oauth2/service-account, read 2026-11-25); a user's own file (`gcloud auth
application-default login`) has a refresh token in place of the key.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from tokligence.errors import GatewayError

SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
TOKEN_URI: Final = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
LIFETIME_S: Final = 3600
"""Of an assertion, seconds: the most that Google takes."""
MARGIN_S: Final = 120
"""Seconds before its end at which a token is no longer used."""

_JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"

Signer = Callable[[bytes], bytes]


class ServiceAccount(Struct, frozen=True, tag="service_account"):
    client_email: str
    private_key: str
    private_key_id: str = ""
    token_uri: str = TOKEN_URI
    project_id: str = ""

    def __repr__(self) -> str:
        return f"ServiceAccount({self.client_email})"


class AuthorizedUser(Struct, frozen=True, tag="authorized_user"):
    client_id: str
    client_secret: str
    refresh_token: str
    token_uri: str = TOKEN_URI
    quota_project_id: str = ""

    def __repr__(self) -> str:
        return f"AuthorizedUser({self.client_id})"


class Token(Struct, frozen=True):
    """`until`: Unix seconds up to which it is used."""

    value: str
    until: float

    def __repr__(self) -> str:
        return f"Token(until={self.until})"


class _TokenAnswer(Struct):
    access_token: str
    expires_in: int = LIFETIME_S


Credentials = ServiceAccount | AuthorizedUser


def read_credentials(raw: bytes) -> Credentials:
    """Raises `ValueError` with the reason, without anything of the file."""
    try:
        return msgspec.json.decode(raw, type=ServiceAccount | AuthorizedUser)
    except msgspec.ValidationError as error:
        raise ValueError(f"it is no file of a service account or user: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ValueError("it is not JSON") from None


def rs256(private_key: str) -> Signer:
    """A signer with a key in PEM. Raises `ValueError` for a key that cannot be used, `ImportError` without
    `cryptography`."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    try:
        key = serialization.load_pem_private_key(private_key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("its private key cannot be read") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("its private key is not an RSA key")  # noqa: TRY004 - the file is wrong, not the caller
    return lambda data: key.sign(data, padding.PKCS1v15(), hashes.SHA256())


def jwt(header: dict[str, object], claims: dict[str, object], sign: Signer) -> str:
    """A signed token in its compact form (RFC 7515, section 7.1)."""
    text = f"{_base64url(msgspec.json.encode(header))}.{_base64url(msgspec.json.encode(claims))}"
    return f"{text}.{_base64url(sign(text.encode()))}"


def token_request(credentials: Credentials, now: int, sign: Signer | None) -> bytes:
    """The form that is sent to the token endpoint. `now`: Unix seconds; `sign`: of a service account."""
    if isinstance(credentials, AuthorizedUser):
        form = {
            "grant_type": "refresh_token",
            "client_id": credentials.client_id,
            "client_secret": credentials.client_secret,
            "refresh_token": credentials.refresh_token,
        }
        return urlencode(form).encode()
    assert sign is not None, "a service account signs"
    header: dict[str, object] = {"alg": "RS256", "typ": "JWT"}
    if credentials.private_key_id:
        header["kid"] = credentials.private_key_id
    claims: dict[str, object] = {
        "iss": credentials.client_email,
        "scope": SCOPE,
        "aud": credentials.token_uri,
        "iat": now,
        "exp": now + LIFETIME_S,
    }
    return urlencode({"grant_type": _JWT_BEARER, "assertion": jwt(header, claims, sign)}).encode()


def read_token(status: int, raw: bytes, now: float, provider: str) -> Token:
    """Raises `upstream.error` for a refusal: its words, which name no secret, tell what is wrong with the account."""
    if status != 200:
        raise GatewayError(
            "upstream.error", provider=provider, reason=f"no access token: {_refusal(status, raw)}"
        )
    try:
        answer = msgspec.json.decode(raw, type=_TokenAnswer)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise GatewayError(
            "upstream.bad_response", provider=provider, reason="the token endpoint's answer has no token"
        ) from None
    return Token(answer.access_token, now + answer.expires_in - MARGIN_S)


class _Refusal(Struct):
    error: str = ""
    error_description: str = ""


def _refusal(status: int, raw: bytes) -> str:
    try:
        refusal = msgspec.json.decode(raw, type=_Refusal)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return f"status {status}"
    words = [word for word in (refusal.error, refusal.error_description) if word]
    return ": ".join(words)[:200] or f"status {status}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
