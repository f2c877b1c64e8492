"""Tokens of Google Cloud: the signature against RFC 7515, the request against Google's own library."""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tokligence.errors import GatewayError
from tokligence.upstream.cloud.google import (
    AuthorizedUser,
    ServiceAccount,
    jwt,
    read_credentials,
    read_token,
    rs256,
    token_request,
)

# The example of RFC 7515, appendix A.2: its key (n, d, p, q) and its signature.
RFC_KEY = {
    "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pC"
    "gNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg6"
    "65xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRW"
    "yuXpoQ",
    "d": "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pW"
    "J1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2Qv"
    "Xt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRu"
    "OopznQ",
    "p": "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDc"
    "mnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",
    "q": "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-"
    "TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc",
}
RFC_INPUT = (
    b"eyJhbGciOiJSUzI1NiJ9."
    b"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
)
RFC_SIGNATURE = (
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZ"
    "cAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-e"
    "OkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
)
EMAIL = "svc@project.iam.gserviceaccount.com"


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def rfc_pem() -> str:
    n, d, p, q = (int.from_bytes(decoded(RFC_KEY[name])) for name in "ndpq")
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(65537, n)
    )
    return pem(numbers.private_key())


def test_the_signature_is_that_of_the_standards_example() -> None:
    assert rs256(rfc_pem())(RFC_INPUT) == decoded(RFC_SIGNATURE)


def test_a_compact_token_has_three_parts_without_padding() -> None:
    header, claims, signature = jwt({"alg": "RS256"}, {"iss": "joe"}, lambda data: data[:1]).split(".")
    assert (decoded(header), decoded(claims), decoded(signature)) == (
        b'{"alg":"RS256"}',
        b'{"iss":"joe"}',
        b"e",
    )


def test_the_assertion_is_what_googles_own_library_would_send() -> None:
    from google.auth import jwt as google_jwt
    from google.oauth2 import service_account

    account = ServiceAccount(
        EMAIL, rfc_pem(), private_key_id="k1", token_uri="https://oauth2.googleapis.com/token"
    )
    form = parse_qs(token_request(account, 1_700_000_000, rs256(account.private_key)).decode())
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    ours = form["assertion"][0]
    theirs = service_account.Credentials.from_service_account_info(
        {
            "type": "service_account",
            "client_email": EMAIL,
            "private_key": account.private_key,
            "private_key_id": "k1",
            "token_uri": account.token_uri,
        },
        scopes=["https://www.googleapis.com/auth/cloud-platform"],
    )._make_authorization_grant_assertion()
    mine, his = google_jwt.decode(ours, verify=False), google_jwt.decode(theirs, verify=False)
    assert mine.keys() == his.keys()
    assert {name: value for name, value in mine.items() if name not in ("iat", "exp")} == {
        name: value for name, value in his.items() if name not in ("iat", "exp")
    }
    assert mine["exp"] - mine["iat"] == his["exp"] - his["iat"] == 3600
    assert google_jwt.decode_header(ours) == google_jwt.decode_header(theirs)


def test_a_users_own_file_is_exchanged_by_its_refresh_token() -> None:
    user = AuthorizedUser("id", "s/e", "r&t")
    form = parse_qs(token_request(user, 0, None).decode())
    assert form == {
        "grant_type": ["refresh_token"],
        "client_id": ["id"],
        "client_secret": ["s/e"],
        "refresh_token": ["r&t"],
    }


def test_both_kinds_of_files_are_read() -> None:
    account = {
        "type": "service_account",
        "client_email": EMAIL,
        "private_key": "k",
        "project_id": "p",
        "x": 1,
    }
    assert read_credentials(json.dumps(account).encode()) == ServiceAccount(EMAIL, "k", project_id="p")
    user = {"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c"}
    assert read_credentials(json.dumps(user).encode()) == AuthorizedUser("a", "b", "c")


@pytest.mark.parametrize(
    "raw", [b"{", b"\xff", b"{}", b'{"type":"external_account"}', b'{"type":"service_account"}']
)
def test_other_files_are_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="it is no"):
        read_credentials(raw)


def test_a_key_that_cannot_sign_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        rs256("nonsense")
    with pytest.raises(ValueError, match="not an RSA key"):
        rs256(pem(ec.generate_private_key(ec.SECP256R1())))


def test_secrets_do_not_show_when_credentials_are_printed() -> None:
    for value in (
        ServiceAccount(EMAIL, "secret"),
        AuthorizedUser("id", "secret", "secret"),
        read_token(200, b'{"access_token":"secret"}', 0, "vertex"),
    ):
        assert "secret" not in repr(value)


def test_a_token_is_used_until_a_little_before_its_end() -> None:
    token = read_token(200, b'{"access_token":"t","expires_in":3599,"token_type":"Bearer"}', 1000, "vertex")
    assert (token.value, token.until) == ("t", 1000 + 3599 - 120)


@pytest.mark.parametrize(
    ("status", "raw", "code", "part"),
    [
        (
            400,
            b'{"error":"invalid_grant","error_description":"Invalid JWT"}',
            "upstream.error",
            "invalid_grant: Inv",
        ),
        (400, b'{"error":{"code":3}}', "upstream.error", "status 400"),
        (503, b"<html>", "upstream.error", "status 503"),
        (403, b"{}", "upstream.error", "status 403"),
        (200, b"{}", "upstream.bad_response", "no token"),
        (200, b"\xff", "upstream.bad_response", "no token"),
    ],
)
def test_a_refusal_says_why(status: int, raw: bytes, code: str, part: str) -> None:
    with pytest.raises(GatewayError) as caught:
        read_token(status, raw, 0, "vertex")
    assert caught.value.code == code
    assert part in caught.value.message
