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


def test_a_vendor_that_is_known_by_name_has_its_address_dialect_and_models():
    groq = ProviderSection(name="groq", preset="groq", api_key="k")
    deepseek = ProviderSection(name="deepseek", preset="deepseek", api_key="k")
    state = built(**KEYS, providers=(groq, deepseek))
    assert state.providers["groq"].origin is not None
    assert state.providers["groq"].origin.host == "api.groq.com"
    assert state.providers["groq"].dialect.max_tokens_field == "max_completion_tokens"
    assert state.providers["groq"].credentials == ((b"authorization", b"Bearer k"),)
    assert state.router.resolve("groq/openai/gpt-oss-120b").model == "openai/gpt-oss-120b"
    assert state.router.resolve("deepseek-v4-pro").provider == "deepseek"
    assert state.router.resolve("deepseek-ai/DeepSeek-V4").provider == "llm"


def test_a_vendor_is_called_by_its_other_names_too_unless_they_are_taken():
    xai = ProviderSection(name="xai", preset="xai", api_key="k")
    mine = ProviderSection(name="grok", base_url="http://box/v1")
    assert built(providers=(xai,)).router.resolve("grok/grok-5").provider == "xai"
    assert built(providers=(xai, mine)).router.resolve("grok/grok-5").provider == "grok"


def test_a_vendor_by_messages_has_the_address_and_key_header_for_these():
    section = ProviderSection(name="moonshot", preset="moonshot", protocol="anthropic", api_key="k")
    provider = built(providers=(section,)).providers["moonshot"]
    assert provider.origin is not None
    assert (provider.origin.host, provider.origin.prefix) == ("api.moonshot.ai", b"/anthropic")
    assert provider.credentials == ((b"authorization", b"Bearer k"),)
    assert provider.targets["messages"] == b"/v1/messages"


def test_a_vendor_without_a_key_is_named_with_what_to_set():
    state = built(openai_api_key="k", providers=(ProviderSection(name="xai", preset="xai"),))
    assert "xai" not in state.providers
    for model, setting in (
        ("groq/llama", "groq_api_key"),
        ("kimi-k3", "moonshot_api_key"),
        ("grok/x", "xai_api_key"),
        ("ollama/llama", "ollama_base_url"),
    ):
        with pytest.raises(GatewayError) as caught:
            state.router.resolve(model)
        assert caught.value.code == "provider.not_configured"
        assert f"TOKLIGENCE_{setting.upper()}" in caught.value.text


def test_the_name_of_an_unset_vendor_is_a_part_of_a_models_name_where_all_models_have_a_home():
    resolved = built(llm_endpoint="http://box:1/v1").router.resolve("qwen/qwen3-32b")
    assert (resolved.provider, resolved.model) == ("llm", "qwen/qwen3-32b")


def test_local_only_keeps_vendors_out_and_servers_of_this_machine_in():
    sections = (
        ProviderSection(name="groq", preset="groq", api_key="k"),
        ProviderSection(name="mistral", preset="mistral", base_url="http://10.0.0.7/v1", api_key="k"),
        ProviderSection(name="ollama", preset="ollama"),
    )
    state = built(local_only=True, providers=sections)
    assert set(state.providers) == {"loopback", "mistral", "ollama"}
    allowed = allowed_hosts(state)
    assert allowed is not None
    assert [allowed(host) for host in ("10.0.0.7", "localhost", "api.groq.com")] == [True, True, False]


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
        ({"openai_api_key": "sk-\r\nx-evil: 1"}, "openai_api_key"),
        ({"anthropic_api_key": "sk\x00"}, "anthropic_api_key"),
        ({"openai_api_key": "sk\udcff"}, "openai_api_key"),
        ({"openai_api_key": "k", "openai_organization": "a\x7f"}, "openai_organization"),
        (
            {
                "providers": (
                    ProviderSection(name="p", protocol="openai", base_url="http://h", api_key="a\n"),
                )
            },
            "[provider.p] api_key",
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
    assert "evil" not in caught.value.message


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
