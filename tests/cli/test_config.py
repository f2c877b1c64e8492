"""`tgw config` and `tgw init`, beside and without a running gateway."""

from __future__ import annotations

import json
import stat
import sys

import pytest

from tests.cli.command import Home
from tests.cli.conftest import Cli
from tests.edge.live import Live
from tokligence.config.schema import FIELDS

SECRET = "sk-proj-0123456789abcdef"


def test_the_list_masks_secrets_and_says_where_each_value_comes_from(
    cli: Cli, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = home.config(f"openai_api_key = {SECRET}\nclient_keys = laptop=client-key-0123456789\n")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-0123456789abcdef")
    said = cli("config", "list")
    assert said.status == 0
    rows = {line.split()[0]: line for line in said.out.splitlines()}
    assert set(rows) == {"SETTING", *FIELDS}
    assert "sk-…cdef" in rows["openai_api_key"]
    assert f"{file}:1" in rows["openai_api_key"]
    assert "ANTHROPIC_API_KEY" in rows["anthropic_api_key"]
    for secret in (SECRET, "client-key-0123456789", "sk-ant-0123456789abcdef"):
        assert secret not in said.out
        assert secret in cli("config", "list", "--reveal").out


def test_the_list_is_there_for_scripts(cli: Cli, home: Home) -> None:
    home.config(f"openai_api_key = {SECRET}\n")
    rows = {row["name"]: row for row in json.loads(cli("config", "list", "--json").out)}
    assert rows["port"] == {"name": "port", "value": "8081", "origin": "default"}
    assert SECRET not in json.dumps(rows)


def test_the_list_warns_of_what_is_not_read(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKLIGENCE_NO_SUCH", "1")
    assert "tgw: warning: " in cli("config", "list").err
    assert cli("config", "get", "port").err == ""


def test_get_masks_unless_asked_to_reveal(cli: Cli, home: Home) -> None:
    home.config(f"openai_api_key = {SECRET}\n")
    assert cli("config", "get", "openai_api_key").out == "sk-…cdef\n"
    assert cli("config", "get", "openai_api_key", "--reveal").out == f"{SECRET}\n"
    assert json.loads(cli("config", "get", "port", "--json").out) == {"name": "port", "value": "8081"}
    assert cli("config", "get", "email").out == "\n"


def test_explain_shows_every_source(cli: Cli, home: Home) -> None:
    file = home.config("port = 3000\n")
    said = cli("config", "explain", "port")
    assert said.status == 0
    assert f"* {file}:1: 3000" in said.out
    assert "a change needs a restart" in said.out


def test_a_setting_that_is_none_is_wrong_usage_with_the_nearest(cli: Cli) -> None:
    for words in (("get", "prot"), ("set", "prot", "1"), ("unset", "prot"), ("explain", "prot")):
        said = cli("config", *words)
        assert (said.status, said.err) == (2, "tgw: prot: is not a setting (did you mean port?)\n")


def test_a_value_that_is_none_changes_nothing(cli: Cli, home: Home) -> None:
    file = home.config("# mine\nport = 3000\n")
    said = cli("config", "set", "port", "many")
    assert (said.status, said.err) == (2, "tgw: port: 'many' is not a whole number\n")
    assert file.read_text() == "# mine\nport = 3000\n"


def test_set_keeps_comments_and_order_and_makes_the_file_if_need_be(cli: Cli, home: Home) -> None:
    said = cli("config", "set", "port", "3000")
    file = home.root / "config" / "dev" / "gateway.ini"
    assert (said.status, said.out, said.err) == (0, f"Set port in {file}.\n", "")
    home.config("# mine\nport = 3000 \n\nemail = a@b.c\n")
    cli("config", "set", "port", "4000")
    assert file.read_text() == "# mine\nport = 4000\n\nemail = a@b.c\n"


def test_a_value_comes_from_standard_input(cli: Cli, home: Home) -> None:
    assert cli("config", "set", "openai_api_key", "-", stdin=f"{SECRET}\n".encode()).status == 0
    assert SECRET in (home.root / "config" / "dev" / "gateway.ini").read_text()


@pytest.mark.parametrize("sent", [b"a\0b", b"\xff"])
def test_standard_input_that_is_no_text_is_refused(cli: Cli, sent: bytes) -> None:
    said = cli("config", "set", "email", "-", stdin=sent)
    assert (said.status, said.err) == (2, "tgw: standard input is not text in UTF-8\n")


def test_an_odd_looking_key_is_written_with_a_warning(cli: Cli) -> None:
    said = cli("config", "set", "openai_api_key", "abc")
    assert said.status == 0
    assert "tgw: warning: openai_api_key" in said.err


def test_a_variable_that_still_wins_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKLIGENCE_PORT", "9")
    assert "TOKLIGENCE_PORT still wins over the file" in cli("config", "set", "port", "3000").err


def test_unset_takes_a_value_out_of_its_file(cli: Cli, home: Home) -> None:
    file = home.config("port = 3000\nemail = a@b.c\n")
    assert cli("config", "unset", "port").out == f"Took out port in {file}.\n"
    assert file.read_text() == "email = a@b.c\n"
    assert cli("config", "unset", "port").out == "port stands in no file.\n"


def test_another_environments_file_is_written_if_asked(cli: Cli, home: Home) -> None:
    assert cli("config", "set", "port", "3000", "--env", "prod").status == 0
    assert (home.root / "config" / "prod" / "gateway.ini").read_text() == "port = 3000\n"
    assert cli("config", "get", "port", "--env", "prod").out == "3000\n"
    assert cli("config", "get", "port").out == "8081\n"


# --- beside a running gateway ---------------------------------------------------------------------------


def test_what_is_live_takes_effect_at_once(cli: Cli, gateway: Live) -> None:
    said = cli("config", "set", "model_provider_routes", "mine=loopback")
    assert said.out.endswith("In effect in the running gateway.\n")
    body = {"model": "mine", "messages": [{"role": "user", "content": "Hi"}]}
    assert gateway.post("/v1/chat/completions", body).status == 200
    assert cli("config", "unset", "model_provider_routes").out.endswith("In effect in the running gateway.\n")
    assert gateway.post("/v1/chat/completions", body).status == 404


def test_what_needs_a_restart_says_so(cli: Cli, gateway: Live) -> None:
    said = cli("config", "set", "host", "127.0.0.1")
    assert said.status == 0
    assert said.out.endswith("The running gateway needs a restart for it: tgw restart\n")


def test_what_the_gateways_command_line_fixes_is_named(cli: Cli, gateway: Live) -> None:
    said = cli("config", "set", "port", "3000")
    assert "tgw: warning: in the running gateway --port still wins over the file\n" in said.err


def test_what_another_environment_reads_is_told(cli: Cli, gateway: Live) -> None:
    said = cli("config", "set", "email", "a@b.c", "--env", "prod")
    assert said.out.endswith("The running gateway reads the environment dev, not this one.\n")


def test_what_the_running_gateway_cannot_take_is_told(
    cli: Cli, gateway: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = cli("config", "set", "work_mode", "translation")
    assert said.status == 1
    assert "tgw: the running gateway did not take it: work_mode=translation is not available" in said.err


def test_what_stands_nowhere_needs_no_word_with_the_gateway(cli: Cli, gateway: Live) -> None:
    assert cli("config", "unset", "email").out == "email stands in no file.\n"
    assert not gateway.events("reloaded")


# --- init -----------------------------------------------------------------------------------------------


def test_init_writes_samples_once_and_again_if_forced(cli: Cli, home: Home) -> None:
    said = cli("init")
    files = [home.root / "config" / "settings.ini", home.root / "config" / "dev" / "gateway.ini"]
    assert said.status == 0
    assert said.out.splitlines()[:2] == [f"Wrote {file}" for file in files]
    for file in files:
        assert all(not line or line[0] in "#[" for line in file.read_text().splitlines())
        if sys.platform != "win32":
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
    files[1].write_text("port = 3000\n")
    assert "Nothing to write" in cli("init").out
    assert files[1].read_text() == "port = 3000\n"
    assert "Wrote" in cli("init", "--force").out
    assert files[1].read_text() != "port = 3000\n"


def test_the_samples_are_a_valid_configuration(cli: Cli) -> None:
    cli("init")
    said = cli("config", "list")
    assert (said.status, said.err) == (0, "")
