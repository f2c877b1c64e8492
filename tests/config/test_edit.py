from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tokligence.config.edit import Edit, set_value, unset_value, write_samples
from tokligence.config.errors import ConfigError
from tokligence.config.home import Home
from tokligence.config.load import Loaded
from tokligence.config.render import sample_gateway_ini
from tokligence.config.values import Source

Read = Callable[..., Loaded]
ENVIRON = {"HOME": "/users/me", "USERPROFILE": "/users/me"}


@pytest.fixture
def put(root: Path) -> Callable[..., Edit]:
    def run(name: str, text: str, **environ: str) -> Edit:
        return set_value(name, text, {**ENVIRON, **environ}, {}, root)

    return run


@pytest.fixture
def drop(root: Path) -> Callable[..., Edit]:
    def run(name: str, **environ: str) -> Edit:
        return unset_value(name, {**ENVIRON, **environ}, {}, root)

    return run


Put = Callable[..., Edit]


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_first_value_makes_the_file_for_this_user_only(put: Put, root: Path) -> None:
    edit = put("port", "3000")
    file = root / "config" / "dev" / "gateway.ini"
    assert (edit.file, edit.line) == (file, 1)
    assert file.read_bytes() == b"port = 3000\n"
    assert mode(file) == 0o600
    assert mode(root) == 0o700
    assert edit.loaded is not None and edit.loaded.settings.port == 3000
    assert edit.restart


def test_the_home_may_be_named_by_the_environment(tmp_path: Path) -> None:
    edit = set_value("log_level", "debug", {**ENVIRON, "TOKLIGENCE_HOME": str(tmp_path)})
    assert edit.file == tmp_path / "config" / "dev" / "gateway.ini"
    assert not edit.restart


def test_every_other_byte_stays(put: Put, gateway_ini: Path) -> None:
    before = "\ufeff# mine\r\n\r\n  Port=1\r\n; more\r\nlog_level : x = 1\r\n".replace(
        "log_level : x = 1", "log_keep  =   3"
    )
    gateway_ini.write_bytes(before.encode())
    put("port", "2")
    put("log_keep", "4")
    after = before.replace("Port=1", "Port=2").replace("log_keep  =   3", "log_keep  =   4")
    assert gateway_ini.read_bytes() == after.encode()


def test_a_new_key_takes_the_files_line_ending_and_ends_the_last_line(put: Put, gateway_ini: Path) -> None:
    gateway_ini.write_bytes(b"a = 1\r\nport = 1".replace(b"a", b"log_keep"))
    put("email", "me@example.com")
    assert gateway_ini.read_bytes() == b"log_keep = 1\r\nport = 1\r\nemail = me@example.com\r\n"


def test_a_file_without_a_last_line_ending_keeps_none_when_a_value_changes(
    put: Put, gateway_ini: Path
) -> None:
    gateway_ini.write_bytes(b"port=1")
    put("port", "2")
    assert gateway_ini.read_bytes() == b"port=2"
    put("log_keep", "2")
    assert gateway_ini.read_bytes() == b"port=2\nlog_keep = 2\n"


def test_a_commented_default_is_replaced_and_comes_back(put: Put, drop: Put, gateway_ini: Path) -> None:
    sample = sample_gateway_ini()
    gateway_ini.write_text(sample, encoding="utf-8", newline="")
    put("port", "3000")
    assert gateway_ini.read_text(encoding="utf-8") == sample.replace("#port = 8081", "port = 3000")
    put("openai_api_key", "sk-1")
    assert "\n# API key of OpenAI.\nopenai_api_key = sk-1\n" in gateway_ini.read_text(encoding="utf-8")
    assert drop("port").line == put("port", "1").line
    drop("port")
    drop("openai_api_key")
    assert gateway_ini.read_text(encoding="utf-8") == sample


def test_another_commented_value_is_kept_above_the_new_one(put: Put, drop: Put, gateway_ini: Path) -> None:
    gateway_ini.write_text("# ports\n; port = 4000\nlog_keep = 1\n")
    assert put("port", "3000").line == 3
    assert gateway_ini.read_text() == "# ports\n; port = 4000\nport = 3000\nlog_keep = 1\n"
    drop("port")
    assert gateway_ini.read_text() == "# ports\n; port = 4000\nlog_keep = 1\n"


def test_a_value_over_several_lines_is_replaced_whole_and_comments_in_it_stay(
    put: Put, gateway_ini: Path
) -> None:
    gateway_ini.write_text("model_provider_routes =\n  a=b\n  # why\n  c=d\nport = 1\n")
    put("model_provider_routes", "gpt-4→claude-sonnet,gpt-3.5→claude-haiku")
    assert gateway_ini.read_text(encoding="utf-8") == (
        "model_provider_routes = gpt-4→claude-sonnet,gpt-3.5→claude-haiku\n  # why\nport = 1\n"
    )


def test_lines_of_a_list_become_one_line(put: Put, gateway_ini: Path) -> None:
    put("cors_origins", "http://a\nhttp://b\n")
    assert gateway_ini.read_text() == "cors_origins = http://a,http://b\n"


def test_an_empty_value_is_filled_in_place(put: Put, gateway_ini: Path) -> None:
    gateway_ini.write_text("port =\nlog_keep=\n")
    put("port", "1")
    put("log_keep", "2")
    assert gateway_ini.read_text() == "port = 1\nlog_keep=2\n"


def test_a_former_key_takes_its_present_name(put: Put, gateway_ini: Path) -> None:
    gateway_ini.write_text("facade_port=1\nopenai_org=a\n")
    put("port", "2")
    put("openai_org", "b")
    assert gateway_ini.read_text() == "port=2\nopenai_organization=b\n"


def test_the_present_key_is_changed_where_both_stand(put: Put, gateway_ini: Path) -> None:
    gateway_ini.write_text("facade_port=1\nport=2\n")
    put("port", "3")
    assert gateway_ini.read_text() == "facade_port=1\nport=3\n"


def test_a_value_is_changed_where_it_stands(put: Put, gateway_ini: Path, settings_ini: Path) -> None:
    settings_ini.write_text("port = 1\nlog_keep = 1\n")
    gateway_ini.write_text("log_keep = 2\n")
    assert put("port", "3").file == settings_ini
    assert put("log_keep", "3").file == gateway_ini
    assert settings_ini.read_text() == "port = 3\nlog_keep = 1\n"


def test_the_environment_is_chosen_in_settings_ini_or_its_former_spelling(
    put: Put, root: Path, gateway_ini: Path
) -> None:
    gateway_ini.write_text("environment = x\n")
    assert put("environment", "prod").file == root / "config" / "settings.ini"
    (root / "config" / "settings.ini").rename(root / "config" / "setting.ini")
    assert put("environment", "dev").file == root / "config" / "setting.ini"
    assert not (root / "config" / "settings.ini").exists()


def test_the_chosen_environments_file_is_written(root: Path, put: Put) -> None:
    assert put("port", "1", TOKLIGENCE_ENV="prod").file == root / "config" / "prod" / "gateway.ini"
    assert (
        set_value("port", "1", ENVIRON, {"env": "test"}, root).file
        == root / "config" / "test" / "gateway.ini"
    )


def test_settings_stay_before_a_section_and_its_comments(put: Put, gateway_ini: Path) -> None:
    gateway_ini.write_text("[gateway]\nport = 1\n\n# Groq\n[provider.groq]\nbase_url = http://groq\n")
    put("log_keep", "3")
    assert gateway_ini.read_text() == (
        "[gateway]\nport = 1\nlog_keep = 3\n\n# Groq\n[provider.groq]\nbase_url = http://groq\n"
    )


def test_an_endpoint_is_made_changed_and_taken_away(put: Put, drop: Put, gateway_ini: Path) -> None:
    gateway_ini.write_text("port = 1\n")
    put("provider.acme.base_url", "http://acme")
    put("provider.acme.api_key", "${ACME}", ACME="x")
    put("provider.own.base_url", "http://own")
    put("provider.acme.protocol", "anthropic")
    assert gateway_ini.read_text() == (
        "port = 1\n\n[provider.acme]\nbase_url = http://acme\napi_key = ${ACME}\nprotocol = anthropic\n"
        "\n[provider.own]\nbase_url = http://own\n"
    )
    assert drop("provider.acme.protocol").line == 6
    with pytest.raises(ConfigError, match="needs base_url"):
        drop("provider.acme.base_url", ACME="x")
    drop("provider.acme", ACME="x")
    assert gateway_ini.read_text() == "port = 1\n\n\n[provider.own]\nbase_url = http://own\n"


def test_an_endpoint_may_be_the_first_thing_in_a_file(put: Put, root: Path) -> None:
    put("provider.groq.base_url", "http://groq")
    assert (root / "config/dev/gateway.ini").read_text() == "[provider.groq]\nbase_url = http://groq\n"


def test_the_last_of_two_headings_takes_a_new_key(put: Put, gateway_ini: Path) -> None:
    gateway_ini.write_text("[provider.a]\nbase_url = http://a\n[gateway]\nport = 1\n[provider.a]\n; b\n")
    put("provider.a.api_key", "k")
    assert gateway_ini.read_text().endswith("[provider.a]\n; b\napi_key = k\n")


def test_all_entries_of_a_setting_are_unset_former_ones_too(drop: Put, gateway_ini: Path) -> None:
    gateway_ini.write_text("facade_port = 1\n# x\nport = 2\n")
    assert drop("port").line == 1
    assert gateway_ini.read_text() == "# x\n"


def test_unset_takes_the_value_from_the_stronger_file(
    drop: Put, gateway_ini: Path, settings_ini: Path
) -> None:
    settings_ini.write_text("port = 1\n")
    gateway_ini.write_text("port = 2\n")
    edit = drop("port")
    assert (edit.file, edit.loaded and edit.loaded.settings.port) == (gateway_ini, 1)
    edit = drop("port")
    assert (edit.file, edit.loaded and edit.loaded.settings.port) == (settings_ini, 8081)


def test_there_is_nothing_to_unset_where_no_file_has_the_value(drop: Put) -> None:
    edit = drop("port", TOKLIGENCE_PORT="1")
    assert edit.file is None
    assert edit.overridden is not None and edit.overridden.variable == "TOKLIGENCE_PORT"


def test_a_stronger_source_is_told(put: Put, root: Path) -> None:
    edit = put("port", "1", TOKLIGENCE_PORT="2")
    assert edit.overridden is not None and str(edit.overridden) == "TOKLIGENCE_PORT"
    assert put("log_keep", "1", TOKLIGENCE_PORT="2").overridden is None
    flagged = set_value("port", "1", ENVIRON, {"port": "9"}, root)
    assert flagged.overridden is not None and flagged.overridden.source is Source.FLAG
    assert put("provider.a.base_url", "http://a").overridden is None


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("port", "x", "port: 'x' is not a whole number"),
        ("port", " ", "port: needs a value"),
        ("prot", "1", "did you mean port?"),
        ("providers", "x", "is set key by key"),
        ("email", "a\nb", "goes on in this line"),
        ("provider.a.base_url", "x", "'x' is not an address"),
        ("provider.a.api_key", "x", "needs base_url"),
        ("port", "1${NONE}", "the variable NONE is not set"),
    ],
)
def test_what_is_refused_changes_nothing(
    put: Put, gateway_ini: Path, name: str, text: str, words: str
) -> None:
    gateway_ini.write_text("log_keep = 1\n")
    with pytest.raises(ConfigError) as caught:
        put(name, text)
    assert words in str(caught.value)
    assert gateway_ini.read_text() == "log_keep = 1\n"
    assert list(gateway_ini.parent.iterdir()) == [gateway_ini]


def test_an_odd_key_is_written_with_a_warning(put: Put, gateway_ini: Path) -> None:
    edit = put("openai_api_key", "abc")
    assert "does not begin with sk-" in edit.warnings[0]
    assert gateway_ini.read_text() == "openai_api_key = abc\n"
    assert put("openai_api_key", "sk-1").warnings == ()


def test_a_reference_to_an_unset_variable_is_written_with_a_warning(put: Put, gateway_ini: Path) -> None:
    assert put("openai_api_key", "${LATER}").warnings == (
        "openai_api_key: the variable LATER is not set here",
    )
    assert gateway_ini.read_text() == "openai_api_key = ${LATER}\n"


def test_one_mistake_can_be_mended_while_there_is_another(put: Put, gateway_ini: Path) -> None:
    gateway_ini.write_text("port = x\nlog_keep = y\n")
    edit = put("port", "1")
    assert edit.loaded is None and edit.overridden is None
    assert "log_keep: 'y'" in edit.warnings[0]
    assert put("log_keep", "1").warnings == ()


def test_a_secret_takes_the_rights_of_others_away_and_other_values_do_not(
    put: Put, gateway_ini: Path
) -> None:
    gateway_ini.write_text("port = 1\n")
    gateway_ini.chmod(0o644)
    put("port", "2")
    assert mode(gateway_ini) == 0o644
    put("openai_api_key", "sk-1")
    assert mode(gateway_ini) == 0o600


def test_a_link_to_a_file_elsewhere_stays_a_link(put: Put, gateway_ini: Path, tmp_path: Path) -> None:
    (tmp_path / "real.ini").write_text("port = 1\n")
    gateway_ini.symlink_to(tmp_path / "real.ini")
    put("port", "2")
    assert gateway_ini.is_symlink()
    assert (tmp_path / "real.ini").read_text() == "port = 2\n"


def test_a_disk_that_takes_no_more_leaves_the_old_file_and_no_other(
    put: Put, gateway_ini: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway_ini.write_text("port = 1\n")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match=r"gateway\.ini: cannot be written: No space left on device$"):
        put("port", "2")
    assert gateway_ini.read_text() == "port = 1\n"
    assert list(gateway_ini.parent.iterdir()) == [gateway_ini]


def test_a_directory_that_may_not_be_written_is_one_line(
    put: Put, gateway_ini: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(ConfigError, match=r"gateway\.ini: cannot be written: Permission denied$"):
        put("port", "2")


def test_both_samples_are_written_once_and_again_by_force(root: Path) -> None:
    home = Home(root)
    written = write_samples(home)
    assert written == (home.settings_ini, home.env_ini("dev"))
    assert [mode(file) for file in written] == [0o600, 0o600]
    home.settings_ini.write_text("x")
    assert write_samples(home) == ()
    assert write_samples(home, force=True) == written
    assert "environment" in home.settings_ini.read_text(encoding="utf-8")
