"""Amazon's signatures. The expected ones are those of Amazon's own suite (aws-c-auth, tests/aws-signing-test-suite/v4),
under the names of its cases."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest

from tokligence.upstream.cloud.sigv4 import AwsKeys, Request, Scope, canonical_request, sign

KEYS = AwsKeys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SCOPE = Scope("us-east-1", "service")
WHEN = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
HOST = (b"host", b"example.amazonaws.com")
FORM = b"Param1=value1"

CASES = {
    "get-vanilla": (
        Request(b"GET", b"/", [HOST]),
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    "get-vanilla-query-order-key-case": (
        Request(b"GET", b"/?Param2=value2&Param1=value1", [HOST]),
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    "get-vanilla-query-order-encoded": (
        Request(b"GET", b"/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1", [HOST]),
        "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
    ),
    "get-header-value-trim": (
        Request(b"GET", b"/", [HOST, (b"my-header1", b" value1"), (b"my-header2", b' "a   b   c"')]),
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    "get-header-key-duplicate": (
        Request(b"GET", b"/", [HOST, *((b"my-header1", v) for v in (b"value2", b"value2", b"value1"))]),
        "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
    ),
    "get-space-normalized": (
        Request(b"GET", b"/example space/", [HOST]),
        "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
    ),
    "get-utf8": (
        Request(b"GET", "/ሴ".encode(), [HOST]),
        "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
    ),
    "post-header-key-sort": (
        Request(b"POST", b"/", [HOST, (b"My-Header1", b"value1")]),
        "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
    ),
    "post-x-www-form-urlencoded": (
        Request(
            b"POST",
            b"/",
            [
                (b"content-type", b"application/x-www-form-urlencoded"),
                HOST,
                (b"content-length", b"13"),
                (b"x-amz-content-sha256", hashlib.sha256(FORM).hexdigest().encode()),
            ],
            FORM,
        ),
        "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_signatures_are_those_of_amazons_suite(case: str) -> None:
    request, signature = CASES[case]
    headers = dict(sign(KEYS, SCOPE, request, WHEN))
    assert headers[b"x-amz-date"] == b"20150830T123600Z"
    assert headers[b"authorization"].endswith(f"Signature={signature}".encode())


def test_temporary_keys_send_and_sign_their_token() -> None:
    """The suite's get-vanilla-with-session-token."""
    token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"
    keys = AwsKeys(KEYS.access_key_id, KEYS.secret_access_key, token)
    headers = dict(sign(keys, SCOPE, Request(b"GET", b"/", [HOST]), WHEN))
    assert headers[b"x-amz-security-token"] == token.encode()
    assert headers[b"authorization"] == (
        b"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        b"SignedHeaders=host;x-amz-date;x-amz-security-token, "
        b"Signature=07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"
    )


def test_a_path_that_is_encoded_is_encoded_once_more_for_the_signature() -> None:
    text, _ = canonical_request(Request(b"POST", b"/model/a.b-v1%3A0/invoke", [HOST]))
    assert text.split("\n")[1] == "/model/a.b-v1%253A0/invoke"


def test_a_secret_does_not_show_when_keys_are_printed() -> None:
    assert KEYS.secret_access_key not in repr(KEYS)
