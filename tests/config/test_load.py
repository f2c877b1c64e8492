from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tokligence.config.errors import ConfigError
from tokligence.config.home import Home
from tokligence.config.load import Loaded, environment_of, load, process_environ, settings_file
from tokligence.config.schema import FIELDS, ClientKey, Kind, ProviderSection, Settings
from tokligence.config.values import Source

Read = Callable[..., Loaded]


def test_nothing_given_gives_the_defaults(loaded: Read) -> None:
    result = loaded()
    assert result.settings == Settings(local_only=False)
    assert result.warnings == ()
    assert {origin.source for origin in result.origins.values()} == {Source.DEFAULT}


def test_the_strongest_source_wins_and_each_value_knows_where_it_is_from(
    loaded: Read, gateway_ini: Path, settings_ini: Path
) -> None:
    settings_ini.write_text("port = 1\nlog_keep = 1\nhost = a\nemail = e\n")
    gateway_ini.write_text("\nport = 2\nlog_keep = 2\nhost = b\n")
    result = loaded({"port": "4"}, TOKLIGENCE_PORT="3", TOKLIGENCE_LOG_KEEP="3")
    settings, origins = result.settings, result.origins
    assert (settings.port, settings.log_keep, settings.host, settings.email) == (4, 3, "b", "e")
    assert str(origins["port"]) == "--port"
    assert str(origins["log_keep"]) == "TOKLIGENCE_LOG_KEEP"
    assert str(origins["host"]) == f"{gateway_ini}:4"
    assert str(origins["email"]) == f"{settings_ini}:4"
    assert str(origins["max_headers"]) == "default"
    assert [layer.source for layer in result.layers] == [
        Source.FLAG,
        Source.ENVIRONMENT,
        Source.GATEWAY_INI,
        Source.SETTINGS_INI,
        Source.VENDOR,
    ]


def test_a_stronger_list_replaces_a_weaker_one(loaded: Read, gateway_ini: Path) -> None:
    gateway_ini.write_text("cors_origins = http://a, http://b\n")
    assert loaded(TOKLIGENCE_CORS_ORIGINS="http://c").settings.cors_origins == ("http://c",)


def test_the_two_route_lines_of_the_readme_are_kept_to_the_byte(loaded: Read, gateway_ini: Path) -> None:
    gateway_ini.write_text(
        "model_provider_routes=gpt-4→claude-sonnet,gpt-3.5→claude-haiku\n", encoding="utf-8"
    )
    assert loaded().settings.model_provider_routes == ("gpt-4→claude-sonnet", "gpt-3.5→claude-haiku")
    gateway_ini.write_text("model_provider_routes=gpt*→openai,claude*→anthropic\n", encoding="utf-8")
    assert loaded().settings.model_provider_routes == ("gpt*→openai", "claude*→anthropic")


def test_each_route_knows_its_line(loaded: Read, gateway_ini: Path) -> None:
    gateway_ini.write_text("# routes\nmodel_provider_routes =\n  a=b, c=d\n  # and\n  e=f\n")
    assert loaded().origins["model_provider_routes"].lines == (3, 3, 5)


def test_an_empty_value_or_variable_sets_nothing(loaded: Read, gateway_ini: Path) -> None:
    gateway_ini.write_text('openai_api_key =\nport=""\n')
    result = loaded(TOKLIGENCE_HOST="", TOKLIGENCE_NONSENSE=" ", OPENAI_API_KEY="sk-1")
    assert result.settings == Settings(local_only=False, openai_api_key="sk-1")
    assert result.warnings == ()


def test_a_mistake_behind_a_stronger_value_is_still_an_error(loaded: Read, gateway_ini: Path) -> None:
    gateway_ini.write_text("port = x\n")
    with pytest.raises(ConfigError, match=r"gateway\.ini:1: port: 'x' is not a whole number$"):
        loaded({"port": "1"})


# --- which environment


@pytest.mark.parametrize(
    ("flags", "environ", "name"),
    [
        ({}, {}, "live"),
        ({}, {"TOKLIGENCE_ENVIRONMENT": "test"}, "test"),
        ({}, {"TOKLIGENCE_ENV": "prod", "TOKLIGENCE_ENVIRONMENT": "prod"}, "prod"),
        ({"env": "dev"}, {"TOKLIGENCE_ENV": "prod"}, "dev"),
        ({"environment": "dev"}, {}, "dev"),
    ],
)
def test_the_environment_chooses_the_file(
    loaded: Read, root: Path, settings_ini: Path, flags: dict[str, str], environ: dict[str, str], name: str
) -> None:
    settings_ini.write_text("environment = live\n")
    for port, directory in enumerate(("dev", "test", "prod", "live"), start=1):
        (root / "config" / directory).mkdir()
        (root / "config" / directory / "gateway.ini").write_text(f"port = {port}\nemail = {directory}\n")
    result = loaded(flags, **environ)
    assert (result.settings.environment, result.settings.email) == (name, name)
    assert result.warnings == ()
    assert environment_of(environ, flags, Home(root)) == name
    assert root / "config" / name / "gateway.ini" in result.files


def test_two_different_variables_for_the_environment_are_told(loaded: Read) -> None:
    result = loaded(TOKLIGENCE_ENV="prod", TOKLIGENCE_ENVIRONMENT="test")
    assert result.settings.environment == "prod"
    assert result.warnings == ("TOKLIGENCE_ENV=prod is used, not the different TOKLIGENCE_ENVIRONMENT",)


def test_an_environment_asked_for_by_flag_should_exist(loaded: Read) -> None:
    assert "prod/gateway.ini" in loaded({"env": "prod"}).warnings[0].replace("\\", "/")
    assert loaded(TOKLIGENCE_ENV="prod").warnings == ()


def test_an_environment_cannot_leave_the_configuration_directory(loaded: Read) -> None:
    with pytest.raises(ConfigError, match=r"^TOKLIGENCE_ENV: '\.\./x' is not a name"):
        loaded(TOKLIGENCE_ENV="../x")


def test_the_file_of_an_environment_cannot_choose_another(loaded: Read, gateway_ini: Path) -> None:
    gateway_ini.write_text("environment = prod\n")
    result = loaded()
    assert result.settings.environment == "dev"
    assert "has no effect" in result.warnings[0]


def test_setting_ini_is_read_only_where_settings_ini_is_absent(
    loaded: Read, root: Path, settings_ini: Path
) -> None:
    former = root / "config" / "setting.ini"
    former.write_text("port = 5\n")
    assert loaded().settings.port == 5
    assert settings_file(Home(root))[0] == former
    settings_ini.write_text("port = 6\n")
    assert loaded().settings.port == 6
    assert settings_file(Home(root))[0] == settings_ini


# --- files


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prot = 1\n", ":1: prot: is not a setting (did you mean port?)"),
        ("\nTOKLIGENCE_PROT = 1\n", ":2: tokligence_prot: is not a setting (did you mean port?)"),
        ("qqqq = 1\n", ":1: qqqq: is not a setting"),
        ("providers = 1\n", ":1: providers: is not a setting"),
        ("port = 1\n[gateway]\nPORT = 2\n", ":3: port: stands twice in this file, first in line 1"),
        (
            "[gatway]\nport = 1\n",
            ":2: port: stands in the unknown section [gatway] (did you mean [gateway]?)",
        ),
        ("[zzzzzzz]\nport = 1\n", ":2: port: stands in the unknown section [zzzzzzz]"),
        ("port = 1\n  host = x\n", ":2: port: goes on in this line, which only lists may do"),
        (
            "[provider.groq]\nurl = x\n",
            ":2: url: is not a setting of [provider.groq] (did you mean base_url?)",
        ),
        ("[provider.openai]\nbase_url = http://x\n", ":2: base_url: openai is a built-in provider"),
        ("[provider.a b]\nbase_url = http://x\n", ":2: base_url: 'a b' is not a name for a section"),
        ("[provider.a]\nprotocol = openai\n", ":2: protocol: the section [provider.a] needs base_url"),
        ("[provider.a]\nbase_url = x\n", ":2: base_url: 'x' is not an address"),
        (
            "[provider.a]\nbase_url = http://x\nprotocol = gopher\n",
            ":3: protocol: must be openai, anthropic or gemini",
        ),
        ("[provider.a]\nbase_url =\n  http://x\n  http://y\n", ":4: base_url: goes on in this line"),
        ("[provider.a]\napi_key = ä\n", ":2: api_key: a key must consist of printable ASCII"),
        ("[provider.a]\nbase_url = http://\x07x\n", ":2: base_url: contains a control character"),
        ("openai_base_url = http://${NONE}/v1\n", ":1: openai_base_url: the variable NONE is not set"),
        ("client_keys =\n  a=b\n  ${NONE}\n", ":3: client_keys: the variable NONE is not set"),
    ],
)
def test_a_bad_line_is_named_with_the_nearest_word(
    loaded: Read, gateway_ini: Path, text: str, words: str
) -> None:
    gateway_ini.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        loaded()
    assert str(caught.value).startswith(f"{gateway_ini}{words}")


def test_headings_that_only_group_mean_nothing(loaded: Read, gateway_ini: Path) -> None:
    gateway_ini.write_text("[server]\nport = 1\n[openai]\nopenai_organization = o\n")
    assert (loaded().settings.port, loaded().settings.openai_organization) == (1, "o")


def test_named_endpoints_are_read_and_merged_key_by_key(
    loaded: Read, gateway_ini: Path, settings_ini: Path
) -> None:
    settings_ini.write_text(
        "[provider.local]\nbase_url = http://a:1/v1\napi_key = k\n[Provider.B]\nbase_url=http://b\n"
    )
    gateway_ini.write_text("[provider.local]\nbase_url = http://c:1/v1\nprotocol = openai_chat\n")
    result = loaded()
    assert result.settings.providers == (
        ProviderSection(name="local", base_url="http://c:1/v1", protocol="openai", api_key="k"),
        ProviderSection(name="b", base_url="http://b"),
    )
    assert str(result.origins["providers"]) == f"{gateway_ini}:2"


def test_variables_are_replaced_in_files(loaded: Read, gateway_ini: Path) -> None:
    gateway_ini.write_text(
        "host = ${H}\nemail=${E:-me@example.com}\nledger_path=${HOME}/l.db\nclient_keys=${K}\n"
    )
    settings = loaded(H="::1", K="a=b\nc=d").settings
    assert (settings.host, settings.email) == ("::1", "me@example.com")
    assert settings.ledger_path is not None and settings.ledger_path.endswith("l.db")
    assert settings.client_keys == (ClientKey(name="a", value="b"), ClientKey(name="c", value="d"))


def test_a_value_that_is_only_an_unset_variable_is_left_unset_with_a_warning(
    loaded: Read, gateway_ini: Path
) -> None:
    gateway_ini.write_text('port = "${PORT_}"\n')
    result = loaded()
    assert result.settings.port == 8081
    assert result.warnings == (f"port ({gateway_ini}:1) is left unset, since the variable PORT_ is not set",)


def test_a_key_that_refers_to_its_own_variable_needs_no_warning(loaded: Read, gateway_ini: Path) -> None:
    gateway_ini.write_text("anthropic_api_key=${TOKLIGENCE_ANTHROPIC_API_KEY}\n")
    assert loaded().warnings == ()


def test_a_file_with_keys_that_others_may_read_is_told(loaded: Read, gateway_ini: Path) -> None:
    gateway_ini.write_text("openai_api_key = sk-1\n")
    gateway_ini.chmod(0o644)
    assert "other users may read it" in loaded().warnings[0]
    gateway_ini.chmod(0o600)
    assert loaded().warnings == ()
    gateway_ini.write_text("openai_api_key = ${K}\n")
    gateway_ini.chmod(0o644)
    assert loaded(K="sk-1").warnings == ()


def test_the_firewalls_file_is_named_while_it_has_no_effect(
    loaded: Read, root: Path, settings_ini: Path
) -> None:
    (root / "config" / "firewall.ini").write_text("[prompt_firewall]\n")
    assert "is not read" in loaded().warnings[0]


def test_a_configuration_directory_that_is_a_file_is_one_line(loaded: Read, root: Path) -> None:
    root.mkdir()
    (root / "config").write_text("")
    with pytest.raises(ConfigError, match=r"cannot be read: Not a directory$"):
        loaded()


def test_a_directory_in_place_of_settings_ini_is_one_line(loaded: Read, settings_ini: Path) -> None:
    settings_ini.mkdir()
    with pytest.raises(ConfigError, match=r"settings\.ini: is a directory, not a file$"):
        loaded()


# --- variables


def test_an_unknown_variable_is_told_with_the_nearest(loaded: Read) -> None:
    warnings = loaded(TOKLIGENCE_PROT="1", TOKLIGENCE_QQQQQQQ="1").warnings
    assert warnings == (
        "TOKLIGENCE_PROT is not a variable of the gateway and has no effect (did you mean TOKLIGENCE_PORT?)",
        "TOKLIGENCE_QQQQQQQ is not a variable of the gateway and has no effect",
    )


def test_known_variables_cause_no_warning(loaded: Read) -> None:
    assert loaded(TOKLIGENCE_HOME="/x", TOKLIGENCE_ENV="dev", TOKLIGENCE_ENVIRONMENT="dev").warnings == ()


def test_named_endpoints_have_no_variable(loaded: Read) -> None:
    assert "TOKLIGENCE_PROVIDERS is not a variable" in loaded(TOKLIGENCE_PROVIDERS="x").warnings[0]
    assert "TOKLIGENCE_PROVIDERS_FILE is not a variable" in loaded(TOKLIGENCE_PROVIDERS_FILE="x").warnings[0]


def test_a_secret_may_stand_in_a_file_of_its_own(loaded: Read, tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("sk-1\n")
    result = loaded(TOKLIGENCE_OPENAI_API_KEY_FILE="~/key")
    assert result.settings.openai_api_key == "sk-1"
    assert str(result.origins["openai_api_key"]) == f"TOKLIGENCE_OPENAI_API_KEY_FILE ({secret})"
    assert secret in result.files
    assert loaded(TOKLIGENCE_GEMINI_API_KEY_FILE=str(secret)).settings.google_api_key == "sk-1"


def test_client_keys_may_stand_in_a_file_one_a_line(loaded: Read, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a=b\r\n\r\nc=d\r\n")
    assert len(loaded(TOKLIGENCE_CLIENT_KEYS_FILE=str(tmp_path / "keys")).settings.client_keys) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no such file"),
        (b"\n", "the file is empty"),
        (b"\xff", ":1: TOKLIGENCE_LLM_API_KEY_FILE: is not UTF-8"),
    ],
)
def test_a_bad_file_of_a_secret_names_file_and_variable(
    loaded: Read, tmp_path: Path, content: bytes | None, words: str
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        loaded(TOKLIGENCE_LLM_API_KEY_FILE=str(file))
    assert words in str(caught.value)
    assert str(file) in str(caught.value)
    assert "TOKLIGENCE_LLM_API_KEY_FILE" in str(caught.value)


def test_a_secret_in_a_variable_and_in_a_file_is_an_error(loaded: Read) -> None:
    with pytest.raises(ConfigError, match="TOKLIGENCE_LLM_API_KEY is set too"):
        loaded(TOKLIGENCE_LLM_API_KEY="x", TOKLIGENCE_LLM_API_KEY_FILE="/x")


def test_a_nul_in_the_path_of_a_secret_is_an_error(loaded: Read) -> None:
    with pytest.raises(ConfigError, match="TOKLIGENCE_LLM_API_KEY_FILE: contains a NUL"):
        loaded(TOKLIGENCE_LLM_API_KEY_FILE="a\0b")


def test_only_secrets_have_a_variable_for_a_file(loaded: Read) -> None:
    assert "only secrets" in loaded(TOKLIGENCE_PORT_FILE="/x").warnings[0]
    assert "is not a variable" in loaded(TOKLIGENCE_NONSENSE_FILE="/x").warnings[0]
    assert loaded(TOKLIGENCE_PRICES_FILE="/x.json").settings.prices_file == str(Path("/x.json"))


def test_addresses_in_vendors_variables_are_never_read(loaded: Read) -> None:
    result = loaded(OPENAI_BASE_URL="http://localhost:8081/v1", ANTHROPIC_BASE_URL="http://localhost:8081")
    assert result.settings == Settings(local_only=False)


def test_vendors_variables_are_the_weakest(loaded: Read, gateway_ini: Path) -> None:
    gateway_ini.write_text("openai_api_key = ${K}\n")
    result = loaded(
        K="sk-file", OPENAI_API_KEY="sk-vendor", ANTHROPIC_API_KEY="sk-ant-1", GEMINI_API_KEY="AIza1"
    )
    assert result.settings.openai_api_key == "sk-file"
    assert result.settings.anthropic_api_key == "sk-ant-1"
    assert result.settings.google_api_key == "AIza1"
    assert str(result.origins["google_api_key"]) == "GEMINI_API_KEY"
    assert loaded(GEMINI_API_KEY="AIza1", GOOGLE_API_KEY="AIza2").settings.google_api_key == "AIza2"


def test_a_vendors_variable_that_cannot_be_used_is_ignored_with_a_warning(loaded: Read) -> None:
    result = loaded(OPENAI_API_KEY="ключ")
    assert result.settings.openai_api_key is None
    assert result.origins["openai_api_key"].source is Source.DEFAULT
    assert (
        result.warnings[0].startswith("OPENAI_API_KEY: a key must consist of")
        and "ignored" in result.warnings[0]
    )


def test_an_odd_key_is_told_only_at_the_vendors_own_address(loaded: Read) -> None:
    result = loaded(TOKLIGENCE_OPENAI_API_KEY="abc", TOKLIGENCE_LLM_API_KEY="x")
    assert result.settings.openai_api_key == "abc"
    assert result.warnings == (
        "openai_api_key does not begin with sk- as this vendor's keys do (TOKLIGENCE_OPENAI_API_KEY)",
    )
    assert (
        loaded(TOKLIGENCE_OPENAI_API_KEY="abc", TOKLIGENCE_OPENAI_BASE_URL="http://localhost:1/v1").warnings
        == ()
    )


def test_a_flag_that_is_no_setting_is_an_error(loaded: Read) -> None:
    with pytest.raises(ConfigError, match=r"--prot: is not a setting \(did you mean port\?\)"):
        loaded({"prot": "1"})
    with pytest.raises(ConfigError, match="--providers: is not a setting"):
        loaded({"providers": "1"})
    with pytest.raises(ConfigError, match="--port: needs a value"):
        loaded({"port": " "})


# --- local only


def test_an_own_endpoint_alone_keeps_everything_local(loaded: Read) -> None:
    result = loaded(
        TOKLIGENCE_LLM_ENDPOINT="http://localhost:11434/v1", OPENAI_API_KEY="sk-1", GEMINI_API_KEY="x"
    )
    assert result.settings.local_only is True
    assert result.settings.openai_api_key is None
    assert result.origins["local_only"].source is Source.AUTOMATIC
    (warning,) = result.warnings
    assert "OPENAI_API_KEY, GEMINI_API_KEY ignored" in warning
    assert "local_only=no, or TOKLIGENCE_OPENAI_API_KEY" in warning


def test_an_own_endpoint_alone_without_vendors_variables_needs_no_warning(
    loaded: Read, gateway_ini: Path
) -> None:
    gateway_ini.write_text("llm_endpoint = http://localhost:11434/v1\nlocal_only = auto\n")
    result = loaded()
    assert (result.settings.local_only, result.warnings) == (True, ())
    assert result.origins["local_only"].source is Source.AUTOMATIC


def test_a_vendors_key_of_ours_switches_local_only_off(loaded: Read, gateway_ini: Path) -> None:
    gateway_ini.write_text("openai_api_key = ${K}\n")
    result = loaded(TOKLIGENCE_LLM_ENDPOINT="http://localhost:1/v1", K="sk-1", ANTHROPIC_API_KEY="sk-ant-1")
    assert result.settings.local_only is False
    assert result.settings.anthropic_api_key == "sk-ant-1"


def test_local_only_can_be_set_by_hand(loaded: Read) -> None:
    off = loaded(
        TOKLIGENCE_LLM_ENDPOINT="http://localhost:1/v1", TOKLIGENCE_LOCAL_ONLY="no", OPENAI_API_KEY="sk-1"
    )
    assert (off.settings.local_only, off.settings.openai_api_key) == (False, "sk-1")
    on = loaded(TOKLIGENCE_LOCAL_ONLY="yes", OPENAI_API_KEY="sk-1")
    assert (on.settings.local_only, on.settings.openai_api_key) == (True, None)
    assert on.warnings == ("local_only is on: OPENAI_API_KEY ignored; set local_only=no to use vendors",)


# --- the whole


def test_without_a_home_given_the_environment_names_it(tmp_path: Path) -> None:
    assert load({"TOKLIGENCE_HOME": str(tmp_path)}).home.root == tmp_path
    assert load({"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}).home.root == tmp_path / ".tokligence"


def test_the_environment_of_this_process_is_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKLIGENCE_PORT", "77")
    copied = process_environ()
    monkeypatch.setenv("TOKLIGENCE_PORT", "78")
    assert copied["TOKLIGENCE_PORT"] == "77"


def test_loading_again_after_a_change_gives_the_new_values(loaded: Read, gateway_ini: Path) -> None:
    gateway_ini.write_text("port = 1\n")
    before = loaded()
    gateway_ini.write_text("port = 2\n")
    assert (before.settings.port, loaded().settings.port) == (1, 2)


def test_nothing_printed_of_the_result_holds_a_secret(loaded: Read, gateway_ini: Path) -> None:
    secret = "verysecretverysecret"
    gateway_ini.write_text(
        f"openai_api_key = {secret}\nclient_keys = a={secret}\n[provider.x]\nbase_url=http://x\napi_key={secret}\n"
    )
    result = loaded(TOKLIGENCE_ANTHROPIC_API_KEY=secret, GEMINI_API_KEY=secret)
    assert secret not in repr(result)
    assert secret not in "".join(result.warnings)
    assert secret not in repr(result.settings.client_keys) + repr(result.settings.providers)


def test_each_setting_has_its_variable(loaded: Read) -> None:
    samples = {
        Kind.LIST: "a=b",
        Kind.CLIENT_KEYS: "a=b",
        Kind.ORIGINS: "http://a",
        Kind.SWITCH: "no",
        Kind.URL: "http://h:1",
    }
    for name, field in FIELDS.items():
        if field.plain:
            smallest = str(int(field.setting.minimum or 0) + 1)
            text = (
                field.setting.choices[-1]
                if field.setting.choices
                else samples.get(field.setting.kind, smallest)
            )
            assert loaded(**{field.variable: text}).origins[name].variable == field.variable
