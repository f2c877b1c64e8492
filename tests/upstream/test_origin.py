from __future__ import annotations

import pytest

from tokligence.errors import GatewayError
from tokligence.upstream.origin import parse_origin


@pytest.mark.parametrize(
    ("url", "versioned", "authority", "prefix"),
    [
        ("https://api.openai.com/v1", True, b"api.openai.com", b"/v1"),
        ("https://api.openai.com/v1/", True, b"api.openai.com", b"/v1"),
        ("  https://API.OpenAI.com/v1//  ", True, b"api.openai.com", b"/v1"),
        ("http://localhost:11434/v1", True, b"localhost:11434", b"/v1"),
        ("http://localhost:11434", True, b"localhost:11434", b""),
        ("https://host.example/openai/v1/", True, b"host.example", b"/openai/v1"),
        ("https://host.example/api/paas/v4", True, b"host.example", b"/api/paas/v4"),
        ("https://api.anthropic.com", False, b"api.anthropic.com", b""),
        ("https://api.anthropic.com/", False, b"api.anthropic.com", b""),
        ("https://api.anthropic.com/v1", False, b"api.anthropic.com", b""),
        ("https://api.anthropic.com/v1/", False, b"api.anthropic.com", b""),
        (
            "https://generativelanguage.googleapis.com/v1beta/",
            False,
            b"generativelanguage.googleapis.com",
            b"",
        ),
        ("https://host.example/anthropic/v1", False, b"host.example", b"/anthropic"),
        ("https://host.example/anthropic/dev1", False, b"host.example", b"/anthropic/dev1"),
        ("https://host.example:443/v1", True, b"host.example", b"/v1"),
        ("http://host.example:443/v1", True, b"host.example:443", b"/v1"),
        ("http://[::1]:8080/v1", True, b"[::1]:8080", b"/v1"),
        ("http://[2001:DB8:0:0::1]/v1", True, b"[2001:db8::1]", b"/v1"),
        ("https://bücher.example/v1", True, b"xn--bcher-kva.example", b"/v1"),
        ("https://a_b.example./v1", True, b"a_b.example.", b"/v1"),
    ],
)
def test_a_base_url_gives_authority_and_prefix(
    url: str, versioned: bool, authority: bytes, prefix: bytes
) -> None:
    origin = parse_origin(url, versioned=versioned)
    assert (origin.authority, origin.prefix) == (authority, prefix)


def test_targets_are_joined_below_the_prefix() -> None:
    origin = parse_origin("https://api.openai.com/v1/", versioned=True)
    assert origin.target(b"/chat/completions?a=b") == b"/v1/chat/completions?a=b"


def test_origins_that_may_share_connections_have_one_key() -> None:
    keys = {
        parse_origin(url, versioned=True).key
        for url in ("https://h.example/v1", "https://h.example:443/v2", "https://H.example")
    }
    assert keys == {"https://h.example:443"}


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "http"),
        ("api.openai.com/v1", "http"),
        ("ftp://host.example", "http"),
        ("file:///etc/passwd", "http"),
        ("https://user:hunter2@host.example/v1", "user name"),
        ("https://hunter2@host.example/v1", "user name"),
        ("https://host.example/v1?key=hunter2", "before ? and #"),
        ("https://host.example/v1#x", "before ? and #"),
        ("https://host.example/v1?", "before ? and #"),
        ("https://host.exa\nmple/v1", "control"),
        ("https://host.example/v1\r\nx: y", "control"),
        ("https://host.example/v 1", "space"),
        ("https://host.example\\@evil.example/", "backslash"),
        ("https://host.example/v1\x00", "control"),
        ("https://", "no host"),
        ("https:///v1", "no host"),
        ("https://-bad.example", "bad host"),
        ("https://a..b", "bad host"),
        ("https://" + "a" * 64 + ".example", "bad host"),
        ("https://" + "ü" * 70 + ".example", "bad host"),
        ("https://[::1/v1", "not a URL"),
        ("https://[v1.x]/v1", "IPv6"),
        ("https://[fe80::1%25eth0]/v1", "IPv6"),
        ("https://host.example:0/v1", "port"),
        ("https://host.example:65536/v1", "port"),
        ("https://host.example:x/v1", "port"),
        ("https://host.example/ü", "percent"),
    ],
)
def test_a_bad_base_url_is_refused_without_repeating_it(url: str, reason: str) -> None:
    with pytest.raises(GatewayError) as caught:
        parse_origin(url, versioned=True)
    assert caught.value.code == "config.invalid"
    assert reason in caught.value.message
    assert "hunter2" not in caught.value.text
