from __future__ import annotations

import pytest

from tokligence.errors import GatewayError
from tokligence.upstream.origin import parse_origin
from tokligence.upstream.proxies import Proxies, Proxy, ProxyTable


def chosen(proxies: Proxies, url: str) -> Proxy | None:
    return ProxyTable(proxies).choose(parse_origin(url, versioned=True))


@pytest.mark.parametrize(
    ("no_proxy", "url", "direct"),
    [
        ("", "https://api.example", False),
        ("api.example", "https://api.example", True),
        ("API.Example", "https://api.example.", True),
        ("example", "https://api.example", True),
        (".example", "https://api.example", True),
        (".api.example", "https://api.example", True),
        ("ample", "https://api.example", False),
        ("api.example.org", "https://api.example", False),
        ("*", "https://api.example", True),
        ("*.example", "https://api.example", True),
        ("*.example", "https://a.b.example", True),
        ("*.example", "https://example", False),
        ("api-*.example", "https://api-3.example", True),
        ("other, api.example", "https://api.example", True),
        ("other api.example", "https://api.example", True),
        ("api.example:443", "https://api.example", True),
        ("api.example:8443", "https://api.example", False),
        ("10.1.2.3", "https://10.1.2.3", True),
        ("10.1.2.3", "https://10.1.2.4", False),
        ("10.0.0.0/8", "https://10.255.0.1", True),
        ("10.1.2.3/8", "https://10.255.0.1", True),
        ("10.0.0.0/8", "https://11.0.0.1", False),
        ("10.0.0.0/8", "https://api.example", False),
        ("10.0.0.0/99", "https://10.0.0.1", False),
        ("10.0.0.0/8", "https://[2001:db8::1]", False),
        ("2001:db8::/32", "https://[2001:db8::1]", True),
        ("2001:db8::1", "https://[2001:db8::1]", True),
        ("[2001:db8::1]:443", "https://[2001:db8::1]", True),
        ("[2001:db8::1]:80", "https://[2001:db8::1]", False),
    ],
)
def test_no_proxy_decides_by_name_wildcard_address_network_and_port(
    no_proxy: str, url: str, direct: bool
) -> None:
    proxy = chosen(Proxies(https="http://proxy.example:3128", no_proxy=no_proxy), url)
    assert (proxy is None) is direct


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost.",
        "ollama.localhost",
        "127.0.0.1",
        "127.8.9.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
    ],
)
def test_loopback_addresses_never_use_a_proxy(host: str) -> None:
    assert chosen(Proxies(http="http://proxy.example:3128"), f"http://{host}:11434/v1") is None


def test_the_scheme_of_the_origin_chooses_the_proxy() -> None:
    proxies = Proxies(http="http://one.example:1", https="http://two.example:2")
    assert chosen(proxies, "http://api.example") == Proxy("one.example", 1)
    assert chosen(proxies, "https://api.example") == Proxy("two.example", 2)
    assert chosen(Proxies(http="http://one.example"), "https://api.example") is None


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://proxy.example:3128", Proxy("proxy.example", 3128)),
        ("HTTP://proxy.example/", Proxy("proxy.example", 80)),
        ("proxy.example:3128", Proxy("proxy.example", 3128)),
        ("http://[::1]:3128", Proxy("::1", 3128)),
        ("http://user:p%40ss@proxy.example:1", Proxy("proxy.example", 1, b"Basic dXNlcjpwQHNz")),
        ("http://user@proxy.example:1", Proxy("proxy.example", 1, b"Basic dXNlcjo=")),
        ("  ", None),
        (None, None),
    ],
)
def test_proxy_urls_as_users_write_them(url: str | None, proxy: Proxy | None) -> None:
    assert chosen(Proxies(https=url), "https://api.example") == proxy


@pytest.mark.parametrize(
    "url",
    [
        "socks5://u:hunter2@p.example",
        "https://u:hunter2@p.example",
        "http://u:hunter2@:1",
        "http://hunter2@p:x",
    ],
)
def test_a_bad_proxy_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(GatewayError) as caught:
        ProxyTable(Proxies(https=url))
    assert caught.value.code == "config.invalid"
    assert caught.value.message.startswith("HTTPS_PROXY ")
    assert "hunter2" not in caught.value.text
