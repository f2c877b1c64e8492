from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tokligence.config.describe import changes, explain, listing, origin_of, setting_name, shown, value_of
from tokligence.config.errors import ConfigError
from tokligence.config.load import Loaded
from tokligence.config.schema import FIELDS, ClientKey, Settings
from tokligence.config.values import Source

Read = Callable[..., Loaded]
SECRET = "sk-verysecretverysecret-1234"
HEX = "cd" * 32


def full(loaded: Read, gateway_ini: Path) -> Loaded:
    gateway_ini.write_text(
        f"port = 3000\nopenai_api_key = {SECRET}\nclient_keys = laptop={SECRET}-2;user=me,\n  ci=sha256:{HEX}\n"
        f"[provider.groq]\nbase_url = http://groq/v1\napi_key = {SECRET}-3\n[provider.own]\nbase_url = http://own\n"
    )
    gateway_ini.chmod(0o600)
    return loaded({"host": "::1"}, TOKLIGENCE_LOG_KEEP="3")


def test_a_listing_has_each_setting_with_secrets_masked_and_its_origin(
    loaded: Read, gateway_ini: Path
) -> None:
    rows = {row.name: row for row in listing(full(loaded, gateway_ini))}
    assert list(rows) == list(FIELDS)
    assert SECRET not in repr(rows)
    assert rows["openai_api_key"].value == "sk-…1234"
    assert rows["client_keys"].value == "laptop=sk-…34-2;user=me,ci=sha256:…cdcd"
    assert (
        rows["providers"].value == "groq (openai, http://groq/v1, sk-…34-3), own (openai, http://own, no key)"
    )
    assert (rows["port"].value, rows["port"].origin, rows["port"].is_default) == (
        "3000",
        f"{gateway_ini}:1",
        False,
    )
    assert (rows["max_body_bytes"].value, rows["max_body_bytes"].is_default) == ("64MiB", True)
    assert rows["email"].value == ""


def test_secrets_are_revealed_when_asked_for(loaded: Read, gateway_ini: Path) -> None:
    rows = {row.name: row.value for row in listing(full(loaded, gateway_ini), reveal=True)}
    assert rows["openai_api_key"] == SECRET
    assert f"laptop={SECRET}-2;user=me" in rows["client_keys"]
    assert f"{SECRET}-3" in rows["providers"]


def test_one_value_is_found_by_any_of_its_names(loaded: Read, gateway_ini: Path) -> None:
    result = full(loaded, gateway_ini)
    assert value_of(result, "facade_port") == 3000
    assert value_of(result, "provider.groq.base_url") == "http://groq/v1"
    assert value_of(result, "provider.own.api_key") is None
    assert value_of(result, "provider.none.api_key") is None
    assert shown("provider.groq.api_key", SECRET) == "sk-…1234"
    assert shown("provider.groq.api_key", SECRET, reveal=True) == SECRET
    assert shown("provider.groq.base_url", "http://x") == "http://x"
    assert shown("email", None) == ""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("prot", "prot: is not a setting (did you mean port?)"),
        ("TOKLIGENCE_PROT", "(did you mean port?)"),
        ("log-level", "(did you mean log_level?)"),
        ("auth_disabled", "auth_disabled is no longer needed"),
        ("prompt_firewall_mode", "prompt_firewall_mode has no effect in this version"),
        ("provider.groq", "expected provider.NAME.KEY (did you mean provider.groq.base_url?)"),
        ("provider.groq.url", "url: is not a setting of [provider.groq]"),
        ("provider.openai.api_key", "openai is a built-in provider"),
    ],
)
def test_a_name_that_is_no_setting_is_refused_with_the_nearest(name: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        setting_name(name)
    assert words in str(caught.value)


def test_names_may_be_written_in_any_case() -> None:
    assert setting_name(" PORT ") == "port"
    assert setting_name("Provider.Groq.API_KEY") == "provider.groq.api_key"


def test_explain_shows_each_source_and_which_wins(
    loaded: Read, gateway_ini: Path, settings_ini: Path
) -> None:
    settings_ini.write_text("port = 1\n")
    gateway_ini.write_text("\nfacade_port = 2\n")
    assert explain(loaded(TOKLIGENCE_PORT="3"), "port") == (
        "port = 3",
        "  Port to listen on; 0 takes any free one.",
        "    --port: not set",
        "  * TOKLIGENCE_PORT: 3",
        f"    {gateway_ini}:2: 2",
        f"    {settings_ini}:1: 1",
        "    default: 8081",
        "  a change needs a restart",
    )


def test_explain_masks_secrets_in_every_source(loaded: Read, gateway_ini: Path) -> None:
    gateway_ini.write_text(f"openai_api_key = {SECRET}\nclient_keys =\n  a = {SECRET};user=me, b={SECRET}x\n")
    gateway_ini.chmod(0o600)
    result = loaded(OPENAI_API_KEY=f"{SECRET}-2", TOKLIGENCE_ANTHROPIC_API_KEY=SECRET)
    for name in ("openai_api_key", "client_keys", "anthropic_api_key"):
        assert SECRET not in "\n".join(explain(result, name))
    assert f"  * {gateway_ini}:2: a=sk-…1234;user=me, b=sk-…234x" in explain(result, "client_keys")
    assert "    OPENAI_API_KEY: sk-…34-2" in explain(result, "openai_api_key")
    assert "    GOOGLE_API_KEY or GEMINI_API_KEY: not set" in explain(result, "google_api_key")
    assert "  * default: (none)" in explain(result, "google_api_key")


def test_explain_knows_former_names_and_the_automatic_rule(loaded: Read) -> None:
    result = loaded(TOKLIGENCE_LLM_ENDPOINT="http://localhost:1/v1")
    assert explain(result, "openai_org")[0] == "openai_org is now called openai_organization"
    assert explain(result, "openai_org")[1] == "openai_organization = (not set)"
    lines = explain(result, "local_only")
    assert lines[0] == "local_only = yes"
    assert "  * automatic: yes when llm_endpoint is set and no vendor's key is" in lines
    assert lines[-1] == "  a change takes effect at a reload"


def test_explain_shows_named_endpoints(loaded: Read, gateway_ini: Path) -> None:
    result = full(loaded, gateway_ini)
    lines = explain(result, "provider.groq.base_url")
    assert lines[0] == "provider.groq.base_url = http://groq/v1"
    assert f"  * {gateway_ini}:6: http://groq/v1" in lines
    assert explain(result, "provider.groq.protocol")[0] == "provider.groq.protocol = openai"
    assert explain(result, "providers")[0].startswith("providers = groq (openai")
    assert origin_of(result, "provider.groq.protocol").source is Source.DEFAULT


def test_changes_are_parted_by_what_a_reload_can_do() -> None:
    old = Settings()
    new = Settings(
        port=1, log_level="debug", client_keys=(ClientKey(name="a", value="b"),), ledger_sync="off"
    )
    assert changes(old, new) == (("client_keys", "log_level"), ("port", "ledger_sync"))
    assert changes(old, Settings()) == ((), ())
