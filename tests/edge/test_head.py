"""Targets, paths and the key in the query, without a connection. The refusals stand in test_refusals."""

from __future__ import annotations

import pytest

from tokligence.edge.head import clean_path, read_target, take_key, without_upgrade
from tokligence.errors import GatewayError


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/v1/models", "/v1/models"),
        (b"/v1/models/", "/v1/models/"),
        (b"/", "/"),
        (b"//", "/"),
        (b"//v1/", "/v1/"),
        (b"/v1//models///gpt", "/v1/models/gpt"),
        (b"/v1/./models/.", "/v1/models/"),
        (b"/v1/../admin", "/admin"),
        (b"/v1/..", "/"),
        (b"/a/b/..", "/a/"),
        (b"/../../etc", "/etc"),
        (b"/v1/%2e%2e/admin", "/admin"),
        (b"/v1/..%2fadmin", "/admin"),
        (b"/v1/%2E./admin", "/admin"),
        (b"/v1/models/openai%2Fgpt-4o", "/v1/models/openai/gpt-4o"),
        (b"/%2fv1", "/v1"),
        (b"/v1/%252e%252e/x", "/v1/%2e%2e/x"),
        (b"/v1/a%20b%3Fc%23d", "/v1/a b?c#d"),
        (b"/v1/%C3%A4", "/v1/ä"),
        (b"/v1/.hidden", "/v1/.hidden"),
        (b"/v1/...", "/v1/..."),
        (b"/v1beta/models/gemini:generateContent", "/v1beta/models/gemini:generateContent"),
    ],
)
def test_a_path_is_decoded_once_and_has_one_spelling(raw: bytes, path: str) -> None:
    assert clean_path(raw) == path


@pytest.mark.parametrize(
    ("target", "method", "expected"),
    [
        (b"/a?b=c?d", "GET", ("/a", "b=c?d", None)),
        (b"/a?", "GET", ("/a", "", None)),
        (b"*", "OPTIONS", ("*", "", None)),
        (b"http://host:1/a?b", "GET", ("/a", "b", b"host:1")),
        (b"HTTPS://host", "GET", ("/", "", b"host")),
        (b"http://[::1]:8081?b", "GET", ("/", "b", b"[::1]:8081")),
    ],
)
def test_a_target_gives_path_query_and_authority(
    target: bytes, method: str, expected: tuple[str, str, bytes | None]
) -> None:
    assert read_target(target, method) == expected


@pytest.mark.parametrize("target", [b"", b"http:///a", b"http://a b/", b"/\xc3\xa4", b"/?\xe4", b"/%C3"])
def test_a_target_that_is_none_is_malformed(target: bytes) -> None:
    with pytest.raises(GatewayError) as caught:
        read_target(target, "GET")
    assert caught.value.code == "http.malformed"


@pytest.mark.parametrize(
    ("query", "rest", "key"),
    [
        ("", "", None),
        ("alt=sse", "alt=sse", None),
        ("monkey=1", "monkey=1", None),
        ("key=abc", "", b"abc"),
        ("a=1&key=abc&b=2", "a=1&b=2", b"abc"),
        ("key=abc&key=def", "", b"abc"),
        ("k%65y=a%2Bb+c", "", b"a+b c"),
        ("key", "", b""),
        ("a=%20", "a=%20", None),
        ("Key=abc", "Key=abc", None),
    ],
)
def test_the_key_leaves_the_query_in_every_spelling(query: str, rest: str, key: bytes | None) -> None:
    assert take_key(query) == (rest, key)


def test_a_head_without_its_offer_keeps_all_else() -> None:
    headers = [
        (b"host", b"a"),
        (b"connection", b"Upgrade, HTTP2-Settings"),
        (b"upgrade", b"h2c"),
        (b"http2-settings", b"AAMA"),
        (b"x", b"y"),
    ]
    assert without_upgrade("POST", b"/p?q", headers) == b"POST /p?q HTTP/1.1\r\nhost: a\r\nx: y\r\n\r\n"
    headers[1] = (b"connection", b"Upgrade, Close")
    assert b"\r\nconnection: close\r\n" in without_upgrade("POST", b"/", headers)
