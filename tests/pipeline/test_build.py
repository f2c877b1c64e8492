"""From the configuration to the state that calls run on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tokligence.config.schema import ProviderSection, Settings
from tokligence.errors import GatewayError
from tokligence.pipeline.build import allowed_hosts, build_state

KEYS = {
    "openai_api_key": "sk-o",
    "anthropic_api_key": "sk-a",
    "google_api_key": "g",
    "llm_endpoint": "http://box:1/v1",
}


def built(**settings: Any):
    return build_state(Settings(**({"local_only": False} | settings)))


def test_only_what_is_configured_can_be_called():
    assert set(built().providers) == {"loopback"}
    assert set(built(**KEYS).providers) == {"openai", "anthropic", "google", "llm", "loopback"}
    assert set(built(**KEYS | {"local_only": True}).providers) == {"llm", "loopback"}


def test_keys_go_in_the_header_that_the_vendor_wants():
    providers = built(**KEYS, llm_api_key="sk-l").providers
    assert providers["openai"].credentials == ((b"authorization", b"Bearer sk-o"),)
    assert providers["anthropic"].credentials == ((b"x-api-key", b"sk-a"),)
    assert providers["llm"].credentials == ((b"authorization", b"Bearer sk-l"),)
    assert built(**KEYS).providers["llm"].credentials == ()
    assert providers["loopback"].credentials == ()


def test_addresses_are_those_of_the_configuration():
    openai = built(openai_api_key="k", openai_base_url="http://127.0.0.1:9/v1/").providers["openai"]
    assert openai.origin is not None
    assert (openai.origin.host, openai.origin.port, openai.origin.prefix) == ("127.0.0.1", 9, b"/v1")
    assert built().providers["loopback"].origin is None


def test_named_endpoints_join_and_are_the_operators_own():
    sections = (
        ProviderSection(
            name="groq", protocol="openai", base_url="https://api.groq.com/openai/v1", api_key="k"
        ),
        ProviderSection(name="claude-box", protocol="anthropic", base_url="http://box", api_key="k"),
    )
    state = built(**KEYS, providers=sections, anthropic_max_tokens=99)
    assert state.providers["groq"].credentials == ((b"authorization", b"Bearer k"),)
    assert state.providers["claude-box"].credentials == ((b"x-api-key", b"k"),)
    assert {name for name, p in state.providers.items() if p.own_endpoint} == {"llm", "groq", "claude-box"}
    assert {name for name, p in state.providers.items() if p.max_tokens} == {"anthropic", "claude-box"}
    assert state.router.resolve("groq/llama").provider == "groq"


def test_the_original_readmes_routes_work_as_they_stand():
    state = built(**KEYS, model_provider_routes=("gpt-4=>claude-sonnet", "gpt-3.5=>claude-haiku"))
    for asked, family in (("gpt-4", "claude-sonnet"), ("gpt-3.5-turbo", "claude-haiku")):
        resolved = state.router.resolve(asked)
        assert resolved.provider == "anthropic"
        assert resolved.model.startswith(family)


def test_with_local_only_the_hosts_that_may_be_reached_are_the_endpoints():
    section = ProviderSection(name="box", protocol="openai", base_url="http://10.0.0.7/v1", api_key="k")
    allowed = allowed_hosts(built(**KEYS | {"local_only": True}, providers=(section,)))
    assert allowed is not None
    assert [allowed(host) for host in ("box", "10.0.0.7", "api.openai.com")] == [True, True, False]
    assert allowed_hosts(built(**KEYS)) is None


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"openai_api_key": "k", "openai_base_url": "ftp://x"}, "openai_base_url"),
        (
            {"providers": (ProviderSection(name="p", protocol="openai", base_url="nowhere", api_key="k"),)},
            "[provider.p]",
        ),
        ({"model_provider_routes": ("gpt*",)}, "model_provider_routes"),
        ({"model_provider_routes": ("a=b", "b=a")}, "model_provider_routes"),
    ],
)
def test_what_cannot_be_used_is_named(settings: dict[str, Any], part: str):
    with pytest.raises(GatewayError) as caught:
        built(**settings)
    assert caught.value.code == "config.invalid"
    assert part in caught.value.message


def test_the_operators_prices_stand_before_the_catalogues(tmp_path: Path):
    prices = tmp_path / "prices.json"
    prices.write_text(
        '{"gpt-4o": {"input": 1, "output": 2}, "my-llama": {"vendor": "llm", "input": 0, "output": 0}}'
    )
    state = built(**KEYS, prices_file=str(prices))
    card = state.card(state.providers["openai"], "gpt-4o")
    assert card.price is not None
    assert (card.price.input, card.price.output) == (1_000_000, 2_000_000)
    assert len(card.price.date) == len("2026-01-01")
    mine = state.card(state.providers["llm"], "my-llama")
    assert mine.price is not None
    assert mine.price.input == 0


@pytest.mark.parametrize("content", [None, "{", '{"x": {"inptu": 1}}'])
def test_a_prices_file_that_cannot_be_used_is_named(tmp_path: Path, content: str | None):
    prices = tmp_path / "prices.json"
    if content is not None:
        prices.write_text(content)
    with pytest.raises(GatewayError) as caught:
        built(prices_file=str(prices))
    assert caught.value.code == "config.invalid"
    assert "prices_file" in caught.value.message


def test_a_local_model_has_neither_the_price_nor_the_limits_of_its_namesake():
    state = built(**KEYS)
    assert state.card(state.providers["llm"], "gpt-4o").price is None
