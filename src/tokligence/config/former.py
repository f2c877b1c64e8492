"""Former names: every key and variable of earlier versions, or of versions to come, that is not a setting here.

One table, so that an old configuration starts. A renamed key is used under its new name; any other is accepted
and named once in a warning that says what takes its place. The variable of key `x` is `TOKLIGENCE_X`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct


class Fate(StrEnum):
    """What became of a name; the value is what a warning says of it. A renamed one gets no warning."""

    RENAMED = "has a new name"
    GONE = "is no longer needed"
    LATER = "has no effect in this version"


class Former(Struct, frozen=True):
    """`successor`: the setting that took its place, if one did. `note`: why, for the warning."""

    fate: Fate
    note: str = ""
    successor: str | None = None

    def warning(self, key: str, place: str | None) -> str:
        """One line for the name as written, found at `place`; None if the name itself is the place."""
        where = "" if place is None else f" ({place})"
        instead = "" if self.successor is None else f"; see {self.successor}"
        return f"{key}{where} {self.fate.value}: {self.note}{instead}"


def _renamed(successor: str) -> Former:
    return Former(Fate.RENAMED, successor=successor)


def _gone(note: str, successor: str | None = None) -> Former:
    return Former(Fate.GONE, note, successor)


def _later(note: str, successor: str | None = None) -> Former:
    return Former(Fate.LATER, note, successor)


_MARKET = _later("there is no marketplace yet")
_PORTS = _later("everything is served on one port", "port")
_FIREWALL = _later("there is no prompt firewall yet")
_ALIASES = _later("a route may name another model as its target", "model_provider_routes")
_CATALOGUE = _gone("limits of models come from the built-in catalogue")
_DATABASE = _gone("the ledger writes through one connection")
_BATCH = _gone("the ledger writes in batches of its own and drops nothing", "ledger_sync")
_ALWAYS = _gone("requests pass on unchanged where the protocols agree and are translated otherwise")
_BETA = _gone("what clients send, beta headers included, reaches the provider")
_STATELESS = _gone("translation keeps no sessions")
_HOOKS = _later("there are no hooks yet")
_LOG_FILE = _gone("the log is logs/gateway.log in the home directory")
_ACCOUNTS = _later("there are no accounts yet", "client_keys")
_LIMITS = _later("there are no rate limits yet")
_GUARD = _later("there is no guard against repeated tool calls yet")

FORMER_NAMES: Final[dict[str, Former]] = {
    # --- renamed
    "facade_port": _renamed("port"),
    "openai_org": _renamed("openai_organization"),
    "gemini_api_key": _renamed("google_api_key"),
    "gemini_base_url": _renamed("google_base_url"),
    "routes": _renamed("model_provider_routes"),
    # --- account and market
    "base_url": _MARKET,
    "enable_provider": _MARKET,
    "publish_name": _MARKET,
    "model_family": _MARKET,
    "price_per_1k": _MARKET,
    "marketplace_enabled": _MARKET,
    "telemetry_enabled": _gone("nothing is reported to anyone"),
    "update_check_enabled": _gone("no updates are looked for"),
    "admin_email": _ACCOUNTS,
    # --- who may call
    "auth_disabled": _gone("keys are asked for exactly when client_keys has one", "client_keys"),
    "auth_secret": _ACCOUNTS,
    # --- storage
    "identity_path": _ACCOUNTS,
    "db_path": _gone("the ledger's file is", "ledger_path"),
    "db_max_open_conns": _DATABASE,
    "db_max_idle_conns": _DATABASE,
    "db_conn_max_lifetime": _DATABASE,
    "db_conn_max_idle_time": _DATABASE,
    "ledger_async_batch_size": _BATCH,
    "ledger_async_flush_ms": _BATCH,
    "ledger_async_buffer_size": _BATCH,
    "ledger_async_num_workers": _BATCH,
    # --- ports
    "enable_facade": _PORTS,
    "multiport_mode": _PORTS,
    "admin_port": _PORTS,
    "openai_port": _PORTS,
    "anthropic_port": _PORTS,
    "gemini_port": _PORTS,
    "facade_endpoints": _PORTS,
    "admin_endpoints": _PORTS,
    "openai_endpoints": _PORTS,
    "anthropic_endpoints": _PORTS,
    "gemini_endpoints": _PORTS,
    "http_address": _gone("the address is two settings, host and", "port"),
    "workers": _later("one process serves everything"),
    "tls_cert_file": _later("put a proxy in front for TLS"),
    "tls_key_file": _later("put a proxy in front for TLS"),
    # --- routing
    "fallback_adapter": _gone(
        "a model that no route matches is an error; add a route for *", "model_provider_routes"
    ),
    "model_aliases": _ALIASES,
    "model_aliases_file": _ALIASES,
    "model_aliases_dir": _ALIASES,
    "model_aliases_reload_sec": _ALIASES,
    "model_aliases_reload_verbose": _ALIASES,
    "model_aliases_verbose": _ALIASES,
    "sidecar_model_map": _ALIASES,
    "sidecar_model_map_file": _ALIASES,
    "sidecar_default_openai_model": _ALIASES,
    "model_metadata_file": _CATALOGUE,
    "model_metadata_url": _CATALOGUE,
    "model_metadata_refresh": _CATALOGUE,
    # --- protocols
    "anthropic_native_enabled": _ALWAYS,
    "anthropic_passthrough_enabled": _ALWAYS,
    "anthropic_force_sse": _ALWAYS,
    "chat_to_anthropic": _ALWAYS,
    "openai_tool_bridge_stream": _ALWAYS,
    "responses_delegate": _ALWAYS,
    "responses_stream_mode": _ALWAYS,
    "responses_sse_ping_ms": _ALWAYS,
    "anthropic_token_check_enabled": _CATALOGUE,
    "openai_completion_max_tokens": _CATALOGUE,
    "duplicate_tool_detection": _GUARD,
    "anthropic_web_search": _BETA,
    "anthropic_computer_use": _BETA,
    "anthropic_mcp": _BETA,
    "anthropic_prompt_caching": _BETA,
    "anthropic_json_mode": _BETA,
    "anthropic_reasoning": _BETA,
    "anthropic_beta_header": _BETA,
    "retry_max_attempts": _later("failed calls are not repeated yet"),
    # --- logs and hooks
    "log_file": _LOG_FILE,
    "log_file_cli": _LOG_FILE,
    "log_file_daemon": _LOG_FILE,
    "hooks_enabled": _HOOKS,
    "hooks_script_path": _HOOKS,
    "hooks_script_args": _HOOKS,
    "hooks_script_env": _HOOKS,
    "hooks_timeout": _HOOKS,
    "hook_script": _HOOKS,
    "hook_script_args": _HOOKS,
    "hook_script_env": _HOOKS,
    "hook_timeout": _HOOKS,
    "firewall_secret": _FIREWALL,
}

FORMER_PREFIXES: Final[dict[str, Former]] = {
    "prompt_firewall_": _FIREWALL,
    "rate_limit_": _LIMITS,
    "bridge_session_": _STATELESS,
}
"""Families of names, by what they begin with."""

FORMER_VARIABLES: Final[dict[str, Former]] = {
    "TOKEN_EXCHANGE_BASE_URL": _MARKET,
    "HOOK_SCRIPT": _HOOKS,
    "PROMPT_FIREWALL_ENABLED": _FIREWALL,
    "PROMPT_FIREWALL_MODE": _FIREWALL,
    "PROMPT_FIREWALL_CONFIG": _FIREWALL,
}
"""Variables that do not begin with TOKLIGENCE_."""

PLAIN_SECTIONS: Final = frozenset(
    {
        "account", "anthropic", "auth", "clients", "default", "gateway", "general", "global", "ledger", "limits", "logging",
        "logs", "openai", "providers", "routing", "server", "settings", "storage", "tokligence", "upstream",
    }
)  # fmt: skip
"""Headings that only group settings; a key means the same below each of them and below none."""

LATER_SECTIONS: Final[dict[str, Former]] = {
    "prompt_firewall": _FIREWALL,
    "tokenizer": _FIREWALL,
    "firewall": _FIREWALL,
    "firewall_input_filters": _FIREWALL,
    "firewall_output_filters": _FIREWALL,
}
"""Sections that are accepted whole."""


def former(key: str) -> Former | None:
    """What became of `key` (lower case); None if it never was a name."""
    found = FORMER_NAMES.get(key)
    if found is None:
        found = next((row for prefix, row in FORMER_PREFIXES.items() if key.startswith(prefix)), None)
    return found


def present_name(key: str) -> str | None:
    """The setting that a renamed key is now; None if it was not renamed."""
    row = FORMER_NAMES.get(key)
    return row.successor if row is not None and row.fate is Fate.RENAMED else None


def former_section(section: str) -> Former | None:
    """What became of a section; any section of the firewall's counts."""
    found = LATER_SECTIONS.get(section)
    if found is None and section.startswith(("firewall.", "firewall_")):
        return _FIREWALL
    return found
