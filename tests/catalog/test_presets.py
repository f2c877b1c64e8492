from __future__ import annotations

import re

import pytest

from tokligence.catalog.models import Dialect
from tokligence.catalog.presets import PRESET, PRESETS, SETTINGS, setting_of
from tokligence.catalog.providers import IDS, PROVIDERS, AuthStyle, from_preset
from tokligence.conversation import ProtocolId
from tokligence.upstream.origin import parse_origin


def test_there_are_more_than_twenty_vendors_each_under_names_of_its_own() -> None:
    names = [name for preset in PRESETS for name in (preset.id, *preset.aliases)]
    assert len(PRESETS) > 20
    assert len(names) == len(set(names)) == len(PRESET)
    assert not set(names) & set(IDS)


def test_every_vendor_of_the_plan_is_there() -> None:
    wanted = """deepseek mistral groq xai openrouter together fireworks qwen dashscope moonshot zhipu ollama vllm lmstudio
        llamacpp cerebras nvidia perplexity huggingface sambanova deepinfra nebius minimax cohere github"""
    assert set(wanted.split()) <= set(PRESET)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.id)
def test_addresses_can_be_called_and_only_servers_of_this_machine_are_unencrypted(preset) -> None:
    for url in filter(None, (preset.base_url, preset.anthropic_url)):
        origin = parse_origin(url, versioned=True)
        assert origin.scheme == ("http" if preset.local else "https")
        assert (origin.host == "localhost") is preset.local
        assert not url.endswith("/")
    assert preset.source


def test_no_variable_makes_two_vendors_known_at_once() -> None:
    variables = [name for preset in PRESETS if not preset.shared for name in preset.variables]
    variables += [name for row in PROVIDERS for name in row.variables]
    assert len(variables) == len(set(variables))
    assert all(re.fullmatch("[A-Z0-9_]+", name) for name in variables)


def test_no_two_vendors_claim_the_same_models() -> None:
    patterns = [pattern for row in (*PRESETS, *PROVIDERS) for pattern in row.routes]
    assert len(patterns) == len(set(patterns))


def test_dialects_are_those_of_the_vendors() -> None:
    assert PRESET["deepseek"].dialect.reasoning_field == "reasoning_content"
    assert PRESET["openrouter"].dialect.reasoning_field == "reasoning_details"
    assert PRESET["groq"].dialect.max_tokens_field == "max_completion_tokens"
    assert PRESET["mistral"].dialect.stream_usage is False
    assert not any(preset.dialect.developer_role for preset in PRESETS)


def test_the_short_names_of_what_can_be_set() -> None:
    assert SETTINGS["groq_api_key"] == ("groq", "api_key")
    assert SETTINGS["qwen_cn_base_url"] == ("qwen-cn", "base_url")
    assert setting_of(PRESET["groq"]) == "groq_api_key"
    assert setting_of(PRESET["ollama"]) == "ollama_base_url"


def test_a_row_of_a_preset_is_a_named_endpoint_with_the_vendors_dialect() -> None:
    row = from_preset("fast", PRESET["kimi"], ProtocolId.OPENAI_CHAT, "http://x/v1")
    assert (row.id, row.vendor, row.issuer, row.aliases) == ("fast", "moonshot", "moonshot", ())
    assert row.dialect.reasoning_field == "reasoning_content"
    messages = from_preset("moonshot", PRESET["kimi"], ProtocolId.ANTHROPIC, "http://x")
    assert (messages.dialect, messages.auth, messages.aliases) == (Dialect(), AuthStyle.BEARER, ("kimi",))
    assert messages.paths["messages"] == "/v1/messages"
