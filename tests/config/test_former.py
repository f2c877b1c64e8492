from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tokligence.config.former import FORMER_NAMES, FORMER_PREFIXES, Fate, former, former_section, present_name
from tokligence.config.load import Loaded
from tokligence.config.schema import FIELDS, ClientKey

Read = Callable[..., Loaded]

# Every key of the earlier gateway's files, and those that its documentation names without reading them.
EARLIER_KEYS = [
    "environment",
    "base_url",
    "email",
    "display_name",
    "enable_provider",
    "publish_name",
    "model_family",
    "price_per_1k",
    "marketplace_enabled",
    "telemetry_enabled",
    "admin_email",
    "auth_disabled",
    "auth_secret",
    "ledger_path",
    "identity_path",
    "db_max_open_conns",
    "db_max_idle_conns",
    "db_conn_max_lifetime",
    "db_conn_max_idle_time",
    "ledger_async_batch_size",
    "ledger_async_flush_ms",
    "ledger_async_buffer_size",
    "ledger_async_num_workers",
    "openai_api_key",
    "openai_base_url",
    "openai_org",
    "anthropic_api_key",
    "anthropic_base_url",
    "anthropic_version",
    "gemini_api_key",
    "gemini_base_url",
    "enable_facade",
    "multiport_mode",
    "facade_port",
    "admin_port",
    "openai_port",
    "anthropic_port",
    "gemini_port",
    "facade_endpoints",
    "admin_endpoints",
    "openai_endpoints",
    "anthropic_endpoints",
    "gemini_endpoints",
    "work_mode",
    "model_provider_routes",
    "routes",
    "fallback_adapter",
    "model_aliases",
    "model_aliases_file",
    "model_aliases_dir",
    "sidecar_model_map",
    "sidecar_model_map_file",
    "model_metadata_file",
    "model_metadata_url",
    "model_metadata_refresh",
    "anthropic_native_enabled",
    "anthropic_force_sse",
    "anthropic_token_check_enabled",
    "anthropic_max_tokens",
    "openai_completion_max_tokens",
    "openai_tool_bridge_stream",
    "chat_to_anthropic",
    "duplicate_tool_detection",
    "anthropic_web_search",
    "anthropic_computer_use",
    "anthropic_mcp",
    "anthropic_prompt_caching",
    "anthropic_json_mode",
    "anthropic_reasoning",
    "anthropic_beta_header",
    "bridge_session_enabled",
    "bridge_session_ttl",
    "bridge_session_max_count",
    "log_file",
    "log_file_cli",
    "log_file_daemon",
    "log_level",
    "hooks_enabled",
    "hooks_script_path",
    "hooks_script_args",
    "hooks_script_env",
    "hooks_timeout",
]

EARLIER_VARIABLES = [
    "TOKLIGENCE_MODEL_ALIASES_RELOAD_SEC",
    "TOKLIGENCE_MODEL_ALIASES_VERBOSE",
    "TOKLIGENCE_RESPONSES_STREAM_MODE",
    "TOKLIGENCE_RESPONSES_SSE_PING_MS",
    "TOKLIGENCE_PROMPT_FIREWALL_CONFIG",
    "TOKLIGENCE_PROMPT_FIREWALL_ENABLED",
    "TOKLIGENCE_PROMPT_FIREWALL_MODE",
    "TOKLIGENCE_PROMPT_FIREWALL_SSE_BUFFER_TIMEOUT_MS",
    "TOKLIGENCE_PROMPT_FIREWALL_SSE_MAX_BUFFER_LENGTH",
    "TOKLIGENCE_LOG_LEVEL",
    "TOKLIGENCE_UPDATE_CHECK_ENABLED",
    "TOKLIGENCE_DB_PATH",
    "TOKLIGENCE_HTTP_ADDRESS",
    "TOKLIGENCE_SIDECAR_DEFAULT_OPENAI_MODEL",
    "TOKLIGENCE_RESPONSES_DELEGATE",
    "TOKLIGENCE_ANTHROPIC_PASSTHROUGH_ENABLED",
    "TOKLIGENCE_RATE_LIMIT_ENABLED",
    "TOKLIGENCE_GOOGLE_API_KEY",
    "TOKLIGENCE_LLM_ENDPOINT",
    "TOKLIGENCE_LLM_API_KEY",
    "TOKLIGENCE_EMAIL",
    "TOKLIGENCE_OPENAI_API_KEY",
    "TOKLIGENCE_ANTHROPIC_API_KEY",
    "TOKLIGENCE_ENV",
    "TOKLIGENCE_HOOK_SCRIPT",
    "TOKLIGENCE_HOOK_SCRIPT_ARGS",
    "TOKLIGENCE_HOOK_SCRIPT_ENV",
    "TOKLIGENCE_HOOK_TIMEOUT",
    "TOKEN_EXCHANGE_BASE_URL",
    "HOOK_SCRIPT",
]

TEXTS = {
    "work_mode": "auto",
    "log_level": "debug",
    "anthropic_version": "2023-06-01",
    "anthropic_max_tokens": "8192",
    "facade_port": "8081",
    "openai_base_url": "https://api.openai.com/v1",
    "anthropic_base_url": "https://api.anthropic.com",
    "gemini_base_url": "https://generativelanguage.googleapis.com",
    "llm_endpoint": "http://localhost:11434/v1",
}


@pytest.mark.parametrize("key", EARLIER_KEYS)
def test_each_earlier_key_is_used_or_named_once(
    loaded: Read, gateway_ini: Path, settings_ini: Path, key: str
) -> None:
    text = f"{key} = {TEXTS.get(key, 'x')}\n"
    (settings_ini if key == "environment" else gateway_ini).write_text(text)
    if key != "environment":
        settings_ini.write_text(text)
    result = loaded()
    about = [warning for warning in result.warnings if warning.startswith(f"{key} (")]
    if present_name(key) or key in FIELDS:
        assert about == []
        assert any(
            present_name(key) == name or key == name for layer in result.layers for name in layer.values
        )
    else:
        assert len(about) == 1


@pytest.mark.parametrize(
    "variable", [*EARLIER_VARIABLES, *(f"TOKLIGENCE_{key.upper()}" for key in EARLIER_KEYS)]
)
def test_each_earlier_variable_is_used_or_named_once(loaded: Read, variable: str) -> None:
    key = variable.removeprefix("TOKLIGENCE_").lower()
    result = loaded(**{variable: TEXTS.get(key, "x")})
    named = [warning for warning in result.warnings if warning.startswith(variable)]
    used = any(result.layers[1].values)
    assert used or len(named) == 1
    assert not any("is not a variable" in warning for warning in result.warnings)


@pytest.mark.parametrize(
    ("key", "text", "name", "value"),
    [
        ("facade_port", "3000", "port", 3000),
        ("openai_org", "org-1", "openai_organization", "org-1"),
        ("gemini_api_key", "AIza1", "google_api_key", "AIza1"),
        ("gemini_base_url", "http://g", "google_base_url", "http://g"),
        ("routes", "gpt*=>openai", "model_provider_routes", ("gpt*=>openai",)),
    ],
)
def test_a_renamed_key_is_used(
    loaded: Read, gateway_ini: Path, key: str, text: str, name: str, value: object
) -> None:
    assert getattr(loaded(**{f"TOKLIGENCE_{key.upper()}": text}).settings, name) == value
    gateway_ini.write_text(f"{key} = {text}\n")
    gateway_ini.chmod(0o600)
    result = loaded()
    assert getattr(result.settings, name) == value
    assert result.warnings == ()


def test_the_present_name_wins_over_the_former_in_the_same_source(loaded: Read, gateway_ini: Path) -> None:
    gateway_ini.write_text("port = 1\nfacade_port = 2\n")
    result = loaded()
    assert result.settings.port == 1
    assert result.warnings == (
        f"facade_port ({gateway_ini}:2) is not used, since port ({gateway_ini}:1) sets the same",
    )
    assert loaded(TOKLIGENCE_FACADE_PORT="3").settings.port == 3
    both = loaded(TOKLIGENCE_FACADE_PORT="3", TOKLIGENCE_PORT="4")
    assert both.settings.port == 4
    assert both.warnings[0] == "TOKLIGENCE_FACADE_PORT is not used, since TOKLIGENCE_PORT sets the same"


def test_a_former_key_in_two_files_is_named_once(loaded: Read, gateway_ini: Path, settings_ini: Path) -> None:
    gateway_ini.write_text("auth_disabled = false\n")
    settings_ini.write_text("auth_disabled = true\n")
    assert len(loaded(TOKLIGENCE_AUTH_DISABLED="true").warnings) == 1
    assert loaded().warnings[0].endswith("exactly when client_keys has one; see client_keys")


def test_the_firewalls_sections_are_accepted_whole(loaded: Read, gateway_ini: Path) -> None:
    gateway_ini.write_text(
        "[prompt_firewall]\nmode = redact\n[firewall_input_filters]\nfilter_sd_regex_enabled = true\n"
        "filter_http_enabled = true\n[firewall.mine]\nx = y\n[gateway]\nclient_keys = a=b\n"
    )
    gateway_ini.chmod(0o600)
    result = loaded()
    assert [warning.split(" ")[0] for warning in result.warnings] == [
        "[prompt_firewall]",
        "[firewall_input_filters]",
        "[firewall.mine]",
    ]
    assert result.settings.client_keys == (ClientKey(name="a", value="b"),)


def test_the_file_that_the_earlier_command_wrote_still_works(loaded: Read, gateway_ini: Path) -> None:
    gateway_ini.write_text(
        "# Tokligence Gateway Configuration\n\nopenai_api_key=${TOKLIGENCE_OPENAI_API_KEY}\n"
        "openai_base_url=https://api.openai.com/v1\nanthropic_api_key=${TOKLIGENCE_ANTHROPIC_API_KEY}\n"
        "email=${TOKLIGENCE_EMAIL:-me@example.com}\nbase_url=https://example.com\nmarketplace_enabled=false\n"
        "log_level=info\nlog_file_daemon=${HOME}/.tokligence/logs/gatewayd.log\n"
        "ledger_path=${HOME}/.tokligence/ledger.db\nwork_mode=auto\n"
        'model_provider_routes="gpt*=>openai,claude*=>anthropic"\n'
    )
    result = loaded(TOKLIGENCE_OPENAI_API_KEY="sk-1")
    assert result.settings.openai_api_key == "sk-1"
    assert result.settings.anthropic_api_key is None
    assert result.settings.email == "me@example.com"
    assert result.settings.model_provider_routes == ("gpt*=>openai", "claude*=>anthropic")
    assert {warning.split(" ")[0] for warning in result.warnings} == {
        "base_url",
        "marketplace_enabled",
        "log_file_daemon",
    }


def test_the_table_agrees_with_the_schema() -> None:
    for name, row in FORMER_NAMES.items():
        assert name not in FIELDS
        assert row.successor is None or row.successor in FIELDS
        assert (row.fate is Fate.RENAMED) == (row.note == "")
    assert not any(field.startswith(tuple(FORMER_PREFIXES)) for field in FIELDS)


def test_a_name_that_never_was_is_no_former_name() -> None:
    assert former("nonsense") is None
    assert former_section("nonsense") is None
    assert present_name("auth_disabled") is None
