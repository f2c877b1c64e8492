"""Vendors that are known by name: a key, or for a server of this machine a heading, is all they need."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tokligence.catalog.presets import PRESETS
from tokligence.config.describe import explain, listing, setting_name, value_of
from tokligence.config.edit import set_value, unset_value
from tokligence.config.endpoints import BUILT_IN_PROVIDERS, ENDPOINT, address_of
from tokligence.config.errors import ConfigError
from tokligence.config.load import Loaded
from tokligence.config.schema import FIELDS, ProviderSection

Read = Callable[..., Loaded]


def sections(loaded: Loaded) -> dict[str, ProviderSection]:
    return {section.name: section for section in loaded.settings.providers}


@pytest.mark.parametrize(
    ("source", "variables"),
    [
        ("groq_api_key = k\n", {}),
        ("[provider.groq]\napi_key = k\n", {}),
        ("[provider.groq]\n", {"GROQ_API_KEY": "k"}),
        ("", {"TOKLIGENCE_GROQ_API_KEY": "k"}),
        ("", {"GROQ_API_KEY": "k"}),
    ],
)
def test_a_key_wherever_it_stands_makes_the_vendor_known(
    loaded: Read, gateway_ini: Path, source: str, variables: dict[str, str]
) -> None:
    gateway_ini.write_text(source)
    gateway_ini.chmod(0o600)
    result = loaded(**variables)
    assert result.warnings == ()
    assert result.settings.providers == (ProviderSection(name="groq", preset="groq", api_key="k"),)
    assert address_of(result.settings.providers[0]) == "https://api.groq.com/openai/v1"


def test_a_key_may_stand_in_a_file_of_its_own(loaded: Read, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("k\n")
    assert sections(loaded(TOKLIGENCE_QWEN_CN_API_KEY_FILE=str(file)))["qwen-cn"].api_key == "k"


def test_a_server_of_this_machine_needs_its_heading_alone(loaded: Read, gateway_ini: Path) -> None:
    gateway_ini.write_text("port = 1\n[provider.ollama]\n; nothing else\n[provider.vllm]\n")
    found = sections(loaded())
    assert found == {
        "ollama": ProviderSection(name="ollama", preset="ollama"),
        "vllm": ProviderSection(name="vllm", preset="vllm"),
    }
    assert address_of(found["ollama"]) == "http://localhost:11434/v1"


def test_a_heading_of_an_unknown_name_says_nothing(loaded: Read, gateway_ini: Path) -> None:
    gateway_ini.write_text("[provider.mine]\n[ollama_is_no_section]\n")
    assert loaded().settings.providers == ()


def test_an_address_of_ones_own_replaces_the_vendors(loaded: Read) -> None:
    result = loaded(TOKLIGENCE_OLLAMA_BASE_URL="http://box:11434/v1")
    assert address_of(sections(result)["ollama"]) == "http://box:11434/v1"


def test_a_second_endpoint_of_a_vendor_has_a_name_of_its_own(loaded: Read, gateway_ini: Path) -> None:
    gateway_ini.write_text(
        "[provider.mine]\npreset = Kimi\napi_key = a\n[provider.claude-kimi]\npreset = moonshot\nprotocol = anthropic\n"
    )
    found = sections(loaded(MOONSHOT_API_KEY="v"))
    assert found["mine"] == ProviderSection(name="mine", preset="moonshot", api_key="a")
    assert found["claude-kimi"].api_key == "v"
    assert address_of(found["claude-kimi"]) == "https://api.moonshot.ai/anthropic"
    assert found["moonshot"].api_key == "v"


def test_a_variable_that_serves_other_tools_is_read_for_a_section_only(
    loaded: Read, gateway_ini: Path
) -> None:
    variables = {"GITHUB_TOKEN": "g", "HF_TOKEN": "h"}
    assert loaded(**variables).settings.providers == ()
    gateway_ini.write_text("[provider.github]\n")
    assert {name: section.api_key for name, section in sections(loaded(**variables)).items()} == {
        "github": "g"
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[provider.x]\npreset = groc\n", "is not a vendor known here (did you mean groq?)"),
        ("[provider.mistral]\nprotocol = anthropic\n", "mistral has none for this protocol"),
        ("[provider.x]\napi_key = k\n", "needs base_url"),
        ("groq_api_key = a\ngroq_api_key = b\n", "stands twice"),
        ("groc_api_key = a\n", "did you mean groq_api_key?"),
    ],
)
def test_what_cannot_be_used_is_named(loaded: Read, gateway_ini: Path, text: str, reason: str) -> None:
    gateway_ini.write_text(text)
    with pytest.raises(ConfigError) as caught:
        loaded()
    assert reason in str(caught.value)


def test_the_section_is_stronger_than_the_short_name_of_the_same_file(
    loaded: Read, gateway_ini: Path
) -> None:
    gateway_ini.write_text("groq_api_key = short\n[provider.groq]\napi_key = long\n")
    result = loaded()
    assert sections(result)["groq"].api_key == "long"
    assert "groq_api_key" in result.warnings[0]


def test_with_local_only_no_vendor_comes_in_by_its_variable(loaded: Read, gateway_ini: Path) -> None:
    variables = {"GROQ_API_KEY": "k", "OLLAMA_API_KEY": "o"}
    gateway_ini.write_text("llm_endpoint = http://localhost:1/v1\n[provider.ollama]\n")
    result = loaded(**variables)
    assert result.settings.local_only is True
    assert {name: section.api_key for name, section in sections(result).items()} == {"ollama": "o"}
    (warning,) = result.warnings
    assert "GROQ_API_KEY ignored" in warning
    assert "OLLAMA" not in warning


@pytest.mark.parametrize("source", ["groq_api_key = k\n", "[provider.groq]\napi_key = k\n"])
def test_a_key_of_a_vendor_in_a_file_switches_local_only_off(
    loaded: Read, gateway_ini: Path, source: str
) -> None:
    gateway_ini.write_text("llm_endpoint = http://localhost:1/v1\n" + source)
    assert loaded().settings.local_only is False


def test_a_key_for_an_address_of_ones_own_leaves_local_only_on(loaded: Read, gateway_ini: Path) -> None:
    gateway_ini.write_text(
        "llm_endpoint = http://localhost:1/v1\n[provider.groq]\nbase_url = http://10.0.0.1/v1\napi_key = k\n"
    )
    assert loaded().settings.local_only is True


def test_a_short_name_is_a_name_for_the_command_too(root: Path, gateway_ini: Path) -> None:
    environ = {"HOME": str(root.parent)}
    assert setting_name("GROQ_API_KEY") == "provider.groq.api_key"
    set_value("groq_api_key", "one", environ, home=root)
    assert gateway_ini.read_text() == "[provider.groq]\napi_key = one\n"
    unset_value("provider.groq", environ, home=root)
    gateway_ini.write_text("groq_api_key = one  \nport = 1\n")
    set_value("groq_api_key", "two", environ, home=root)
    assert gateway_ini.read_text() == "groq_api_key = two\nport = 1\n"
    unset_value("groq_api_key", environ, home=root)
    assert gateway_ini.read_text() == "port = 1\n"


def test_a_heading_that_stands_alone_can_be_taken_away(root: Path, gateway_ini: Path) -> None:
    gateway_ini.write_text("port = 1\n[provider.ollama]\n[provider.vllm]\napi_key = k\n")
    edit = unset_value("provider.ollama", {"HOME": str(root.parent)}, home=root)
    assert (edit.file, edit.line) == (gateway_ini, 2)
    assert gateway_ini.read_text() == "port = 1\n[provider.vllm]\napi_key = k\n"


def test_where_a_key_comes_from_can_be_asked(loaded: Read) -> None:
    result = loaded(GROQ_API_KEY="gsk_0123456789abcdefghij")
    first, second, *sources = explain(result, "groq_api_key")
    assert first == "groq_api_key is now called provider.groq.api_key"
    assert second == "provider.groq.api_key = gsk…ghij"
    assert "  * GROQ_API_KEY: gsk…ghij" in sources
    assert value_of(result, "provider.groq.base_url") == ""
    (row,) = [row for row in listing(result) if row.name == "providers"]
    assert row.value == "groq (openai, https://api.groq.com/openai/v1, gsk…ghij)"


def test_names_of_presets_are_good_for_sections_and_clash_with_no_setting() -> None:
    import re

    for preset in PRESETS:
        for name in (preset.id, *preset.aliases):
            assert re.fullmatch(ENDPOINT, name)
            assert name not in BUILT_IN_PROVIDERS
            assert f"{name.replace('-', '_')}_api_key" not in FIELDS
