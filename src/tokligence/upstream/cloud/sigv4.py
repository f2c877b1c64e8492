"""AWS Signature Version 4, in headers. PURE.

Source: "Create a signed AWS API request", docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request,
read 2026-11-25; checked against the signing test suite (github.com/awslabs/aws-c-auth, tests/aws-signing-test-suite/v4).

    canonical request → string to sign → signature by a key derived from date, region and service
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from urllib.parse import quote, unquote

from msgspec import Struct
from msgspec.structs import replace

ALGORITHM: Final = "AWS4-HMAC-SHA256"
_UNRESERVED: Final = "-_.~"

Headers = list[tuple[bytes, bytes]]


class AwsKeys(Struct, frozen=True):
    """`session_token`: of temporary keys; "" for lasting ones."""

    access_key_id: str
    secret_access_key: str
    session_token: str = ""

    def __repr__(self) -> str:  # it must not show up in a traceback
        return f"AwsKeys({self.access_key_id})"


class Scope(Struct, frozen=True):
    """What a signature is good for."""

    region: str
    service: str


class Request(Struct, frozen=True):
    """What is signed. `target`: path and query as they are sent; `headers`: names in lower case, Host among them."""

    method: bytes
    target: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes = b""


def sign(keys: AwsKeys, scope: Scope, request: Request, now: datetime) -> Headers:
    """The headers that the request must carry besides its own, all of which are signed: the date, the token of temporary
    keys, the signature. `now`: UTC."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    added: Headers = [(b"x-amz-date", stamp.encode())]
    if keys.session_token:
        added.append((b"x-amz-security-token", keys.session_token.encode()))
    text, names = canonical_request(replace(request, headers=[*request.headers, *added]))
    place = f"{stamp[:8]}/{scope.region}/{scope.service}/aws4_request"
    key = ("AWS4" + keys.secret_access_key).encode()
    for part in place.split("/"):
        key = _hmac(key, part)
    signature = _hmac(key, string_to_sign(stamp, place, text)).hex()
    value = (
        f"{ALGORITHM} Credential={keys.access_key_id}/{place}, SignedHeaders={names}, Signature={signature}"
    )
    return [*added, (b"authorization", value.encode())]


def canonical_request(request: Request) -> tuple[str, str]:
    """The request in its canonical form, and the names of the signed headers."""
    path, _, query = request.target.decode().partition("?")
    values: dict[str, list[str]] = {}
    for name, value in request.headers:
        values.setdefault(name.decode("ascii").lower(), []).append(" ".join(value.decode("utf-8").split()))
    names = ";".join(sorted(values))
    lines = [
        request.method.decode(),
        quote(path or "/", safe="/" + _UNRESERVED),  # once more, as every service but S3 has it
        _query(query),
        *(f"{name}:{','.join(values[name])}" for name in sorted(values)),
        "",
        names,
        hashlib.sha256(request.body).hexdigest(),
    ]
    return "\n".join(lines), names


def string_to_sign(stamp: str, place: str, request: str) -> str:
    return "\n".join((ALGORITHM, stamp, place, hashlib.sha256(request.encode()).hexdigest()))


def _query(query: str) -> str:
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    encoded = [(_again(name), _again(value)) for name, _, value in pairs]
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))


def _again(text: str) -> str:
    """Percent-encoded in the one way that counts, however it was encoded before."""
    return quote(unquote(text), safe=_UNRESERVED)


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
