"""`tgw connect`: an agent's own settings, on homes that are not the tester's."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import Home
from tests.cli.conftest import Cli
from tests.edge.live import Live, live
from tests.fakes.openai import OpenAI
from tests.ports import free_port
from tokligence.cli import gateway as peer
from tokligence.cli.clients import CLIENTS, NAMES, Client, Facts, filled, place_of
from tokligence.conversation import ProtocolId

ALL = [client.id for client in CLIENTS]
MADE = {
    "claude-code": [".claude/settings.json"],
    "codex": [".codex/config.toml"],
    "gemini-cli": [".gemini/settings.json", ".gemini/.env"],
    "opencode": [".config/opencode/opencode.json"],
    "aider": [".aider.conf.yml"],
}


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Their `~`."""
    for client in CLIENTS:
        if client.variable:
            monkeypatch.delenv(client.variable, raising=False)
    home = tmp_path / "user"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    return home


@pytest.fixture
def url(gateway: Live) -> str:
    return f"http://localhost:{gateway.gateway.port}"


def files_of(directory: Path) -> dict[str, bytes]:
    return {
        file.relative_to(directory).as_posix(): file.read_bytes()
        for file in directory.rglob("*")
        if file.is_file()
    }


@pytest.mark.parametrize("name", ALL)
def test_a_client_is_connected_and_put_back(cli: Cli, user: Path, url: str, name: str) -> None:
    said = cli("connect", name, "--model", "loopback", "--no-probe")
    assert said.status == 0, said.err
    written = files_of(user)
    assert sorted(written) == sorted(MADE[name])
    text = b"".join(written.values()).decode()
    assert url in text
    assert "loopback" in text
    assert "any-key" in text
    assert f"+{text.splitlines()[1]}" in said.out
    assert cli("connect", name, "--undo").status == 0
    assert files_of(user) == {}


@pytest.mark.parametrize("name", ALL)
def test_it_may_be_said_twice(cli: Cli, user: Path, url: str, name: str) -> None:
    cli("connect", name, "--no-probe")
    before = files_of(user)
    said = cli("connect", name, "--no-probe")
    assert "has these settings already" in said.out
    assert files_of(user) == before


def test_claude_code_gets_variables_and_a_model(cli: Cli, user: Path, url: str) -> None:
    cli("connect", "claude", "--model", "gpt-5.1", "--no-probe")
    assert json.loads((user / ".claude/settings.json").read_text()) == {
        "env": {
            "ANTHROPIC_BASE_URL": f"{url}/anthropic",
            "ANTHROPIC_AUTH_TOKEN": "any-key",
            "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1",
        },
        "model": "gpt-5.1",
    }


def test_codex_gets_a_provider(cli: Cli, user: Path, url: str) -> None:
    cli("connect", "codex", "--no-probe")
    assert tomllib.loads((user / ".codex/config.toml").read_text()) == {
        "model_provider": "tokligence",
        "model_providers": {
            "tokligence": {
                "name": "Tokligence Gateway",
                "base_url": f"{url}/v1",
                "wire_api": "responses",
                "experimental_bearer_token": "any-key",
            }
        },
    }


def test_opencode_gets_every_model_of_the_gateway(cli: Cli, user: Path, url: str) -> None:
    cli("connect", "opencode", "--model", "a-new-one", "--no-probe")
    config = json.loads((user / ".config/opencode/opencode.json").read_text())
    assert config["model"] == "tokligence/a-new-one"
    assert config["provider"]["tokligence"]["models"] == {"a-new-one": {}, "loopback": {}}


def test_a_client_without_a_model_of_its_own_gets_one_that_can_be_asked_for(
    cli: Cli, user: Path, url: str
) -> None:
    cli("connect", "aider", "--no-probe")
    assert 'model: "openai/loopback"' in (user / ".aider.conf.yml").read_text()


# --- what was there before ------------------------------------------------------------------------------

THEIRS = {
    "claude-code": (
        ".claude/settings.json",
        '{\n\t// mine\n\t"env": {"A": "1", "ANTHROPIC_BASE_URL": "https://old"},\n\t"model": "opus",\n}\n',
    ),
    "codex": (".codex/config.toml", '# mine\nmodel_provider = "openai"\n[tui]\nx = 1'),
    "gemini-cli": (".gemini/.env", "GEMINI_API_KEY=AIza-their-own-key-0000\nX=1\n"),
    "opencode": (".config/opencode/opencode.jsonc", '{"model": "a/b", /* mine */ "provider": {"o": {}}}'),
    "aider": (".aider.conf.yml", "model: gpt-4o\r\ndark-mode: true\r\n"),
}


@pytest.fixture(params=ALL)
def theirs(request: pytest.FixtureRequest, user: Path) -> tuple[str, Path, bytes]:
    """The client, a settings file of its user's, and what stands in it."""
    name, text = THEIRS[request.param]
    file = user / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())
    file.chmod(0o640)
    return request.param, file, text.encode()


def test_what_was_there_before_is_kept_and_comes_back_to_the_byte(
    cli: Cli, url: str, theirs: tuple[str, Path, bytes]
) -> None:
    name, file, before = theirs
    said = cli("connect", name, "--model", "loopback", "--no-probe")
    assert said.status == 0, said.err
    assert "mine" in file.read_text() or b"mine" not in before
    backup = said.out.partition("as it was: ")[2].partition(")")[0]
    assert Path(backup).read_bytes() == before
    cli("connect", name, "--model", "another", "--no-probe")
    assert Path(backup).read_bytes() == before
    undone = cli("connect", name, "--undo")
    assert f"As it was before: {file}" in undone.out
    assert file.read_bytes() == before
    assert file.stat().st_mode & 0o777 == 0o640
    assert not Path(backup).exists()
    assert "has changed nothing" in cli("connect", name, "--undo").out


def test_what_the_user_has_changed_since_is_kept(
    cli: Cli, url: str, user: Path, theirs: tuple[str, Path, bytes]
) -> None:
    name, file, before = theirs
    cli("connect", name, "--model", "loopback", "--no-probe")
    changed = file.read_bytes()
    at = changed.rindex(b"}") if name in ("claude-code", "opencode") else len(changed)
    added = (
        b'"later": 1'
        if name == "claude-code"
        else b', "later": 1'
        if name == "opencode"
        else b"\nlater = 1\n"
    )
    file.write_bytes(changed[:at] + added + changed[at:])
    undone = cli("connect", name, "--undo")
    assert "took out only what" in undone.out
    text = file.read_text()
    assert "later" in text
    for ours in ("loopback", "tokligence", url, "any-key"):
        assert ours not in text
    for line in before.decode().splitlines():
        assert line.strip(" ,}{") in text


def test_a_choice_made_since_is_the_users(cli: Cli, url: str, user: Path) -> None:
    cli("connect", "claude", "--model", "loopback", "--no-probe")
    file = user / ".claude/settings.json"
    file.write_text(file.read_text().replace('"loopback"', '"opus"'))
    cli("connect", "claude", "--undo")
    assert json.loads(file.read_text()) == {"model": "opus"}


def test_what_was_replaced_on_the_way_is_put_back(cli: Cli, url: str, user: Path) -> None:
    file = user / ".claude/settings.json"
    file.parent.mkdir()
    file.write_text('{"env": null, "provider": 1}')
    cli("connect", "claude", "--no-probe")
    text = file.read_text()
    file.write_text(text.replace('"provider": 1', '"provider": 2'))
    cli("connect", "claude", "--undo")
    assert json.loads(file.read_text()) == {"env": None, "provider": 2}


def test_a_file_that_is_gone_meanwhile_stays_gone(cli: Cli, url: str, user: Path) -> None:
    cli("connect", "claude", "--no-probe")
    (user / ".claude/settings.json").unlink()
    assert "Nothing to take out of" in cli("connect", "claude", "--undo").out
    assert files_of(user) == {}


def test_a_file_that_says_other_than_it_may_is_left_alone(cli: Cli, url: str, user: Path) -> None:
    file = user / ".claude/settings.json"
    file.parent.mkdir()
    file.write_text("not JSON")
    said = cli("connect", "claude")
    assert said.status == 1
    assert "settings.json cannot be changed: line 1 is not JSON" in said.err
    assert file.read_text() == "not JSON"


def test_a_file_that_is_damaged_since_is_left_alone(cli: Cli, url: str, user: Path) -> None:
    file = user / ".claude/settings.json"
    cli("connect", "claude", "--no-probe")
    file.write_text("{")
    said = cli("connect", "claude", "--undo")
    assert said.status == 1
    assert "cannot be changed" in said.err
    assert file.read_text() == "{"


def test_a_comment_within_our_value_does_not_confuse(cli: Cli, url: str, user: Path) -> None:
    file = user / ".config/opencode/opencode.json"
    cli("connect", "opencode", "--no-probe")
    file.write_text(file.read_text().replace('"loopback": {}', '"loopback": {} // mine'))
    cli("connect", "opencode", "--undo")
    assert json.loads(file.read_text()) == {}


def test_a_damaged_record_is_named(cli: Cli, url: str, user: Path, home: Home) -> None:
    cli("connect", "claude", "--no-probe")
    (home.root / "connect/claude-code.json").write_text("{")
    said = cli("connect", "claude", "--undo")
    assert said.status == 1
    assert "claude-code.json is damaged" in said.err


def test_the_directory_that_the_client_is_told_is_meant(
    cli: Cli, url: str, user: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("connect", "codex", "--no-probe")
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "elsewhere"))
    cli("connect", "codex", "--no-probe")
    assert (tmp_path / "elsewhere/config.toml").exists()
    cli("connect", "codex", "--undo")
    assert files_of(user) == {}
    assert not (tmp_path / "elsewhere/config.toml").exists()


def test_an_existing_file_of_another_name_is_the_one_that_is_changed(tmp_path: Path) -> None:
    client = NAMES["opencode"]
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    (tmp_path / "opencode").mkdir()
    assert place_of(client, client.files[0], environ).name == "opencode.json"
    (tmp_path / "opencode/opencode.jsonc").write_text("{}")
    assert place_of(client, client.files[0], environ).name == "opencode.jsonc"


# --- keys -----------------------------------------------------------------------------------------------

KEY = "tgw-client-key-0123456789"


@pytest.fixture
def keyed(home: Home, cli: Cli) -> Iterator[Live]:
    home.config(f"client_keys = laptop={KEY}\n")
    with live(home.root) as running:
        yield running


def test_the_one_client_key_is_written_and_shown_masked(cli: Cli, user: Path, keyed: Live) -> None:
    said = cli("connect", "claude", "--model", "loopback")
    assert said.status == 0, said.err
    file = user / ".claude/settings.json"
    assert KEY in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    assert KEY not in said.out
    assert "tgw…6789" in said.out


def test_a_key_that_is_given_is_the_one(cli: Cli, user: Path, keyed: Live) -> None:
    said = cli("connect", "claude", "--model", "loopback", "--key", "wrong-key-0123456789")
    assert said.status == 1
    assert "the probe failed: loopback: The API key is not known here." in said.err


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        (f"a={KEY},b={KEY}2", "several client_keys are set"),
        (f"a=sha256:{'0' * 64}", "client_keys has no key in clear"),
    ],
)
def test_which_key_must_be_said_where_it_is_not_clear(
    cli: Cli, user: Path, home: Home, keys: str, why: str
) -> None:
    home.config(f"client_keys = {keys}\n")
    said = cli("connect", "claude", "--print")
    assert said.status == 2
    assert why in said.err


# --- the probe ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["claude", "opencode", "aider"])
def test_a_probe_goes_through_the_gateway(cli: Cli, user: Path, url: str, name: str) -> None:
    said = cli("connect", name, "--model", "loopback")
    assert said.status == 0, said.err
    assert "Probe: loopback, answered by loopback/loopback" in said.out


def test_a_probe_that_fails_says_why_and_the_settings_stay(cli: Cli, user: Path, url: str) -> None:
    said = cli("connect", "claude")
    assert said.status == 1
    assert "the settings are written, but the probe failed: claude-sonnet-4-5-20250929" in said.err
    assert "anthropic" in said.err
    assert (user / ".claude/settings.json").exists()


def test_scripts_get_json(cli: Cli, user: Path, url: str) -> None:
    told = json.loads(cli("connect", "aider", "--model", "loopback", "--json").out)
    file = str(user / ".aider.conf.yml")
    assert told == {
        "client": "aider",
        "url": url,
        "model": "loopback",
        "files": [{"path": file, "changed": True, "backup": None}],
        "probe": {
            "ok": True,
            "model": "loopback",
            "status": 200,
            "answered_by": "loopback/loopback",
            "problem": None,
        },
    }
    assert json.loads(cli("connect", "aider", "--no-probe", "--json").out)["probe"] is None
    assert json.loads(cli("connect", "aider", "--undo", "--json").out) == {
        "client": "aider",
        "restored": [file],
    }


# --- printing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_printing_writes_nothing_and_needs_no_gateway(cli: Cli, user: Path, home: Home, name: str) -> None:
    home.config("port = 18081\n")
    said = cli("connect", name, "--print", "--model", "m-1")
    assert said.status == 0, said.err
    assert "http://localhost:18081" in said.out
    assert "m-1" in said.out
    assert f"tgw run {NAMES[name].program}" in said.out
    assert files_of(user) == {}
    told = json.loads(cli("connect", name, "--print", "--json").out)
    assert [Path(file["path"]).relative_to(user).as_posix() for file in told["files"]] == MADE[name]


# --- gateways -------------------------------------------------------------------------------------------


def test_without_a_gateway_nothing_is_written(cli: Cli, user: Path) -> None:
    said = cli("connect", "claude")
    assert said.status == 3
    assert said.err == "tgw: no gateway is running on this home; start one: tgw start --daemon\n"
    assert files_of(user) == {}


def test_a_gateway_elsewhere_is_asked_for_its_models(cli: Cli, user: Path, url: str) -> None:
    said = cli("connect", "opencode", "--url", f"{url}/v1/", "--key", "k")
    assert said.status == 0, said.err
    config = json.loads((user / ".config/opencode/opencode.json").read_text())
    assert config["provider"]["tokligence"]["options"] == {"baseURL": f"{url}/v1", "apiKey": "k"}
    assert config["provider"]["tokligence"]["models"] == {"loopback": {}}
    assert cli("connect", "aider", "--url", url.removeprefix("http://"), "--print").status == 0


def test_what_is_no_gateway_is_told(cli: Cli, user: Path, keyed: Live) -> None:
    closed, url = free_port(), f"http://localhost:{keyed.gateway.port}"
    for address, why in (
        (f"http://localhost:{closed}", "does not answer"),
        (url, "answered 401"),
        (f"{url}/health", "answered 404"),
    ):
        said = cli("connect", "claude", "--url", address, *(["--key", KEY] if "health" in address else []))
        assert said.status == 1
        assert why in said.err
    for address in ("ftp://x", "http://", "http://x:99999", "http://x/?a=1"):
        assert cli("connect", "claude", "--url", address).status == 2
    assert files_of(user) == {}


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"data": [1]}'])
def test_a_web_server_is_no_gateway(
    cli: Cli, user: Path, openai_server: OpenAI, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    monkeypatch.setattr(peer, "_fetch", lambda *_: (200, {}, body))
    said = cli("connect", "claude", "--url", openai_server.url)
    assert said.err == f"tgw: {openai_server.url} is no gateway: it lists no models\n"


def test_an_answer_that_is_no_json_is_shown(
    cli: Cli, user: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer, "_fetch", lambda *_: (502, {}, b"<h1>Bad Gateway</h1>"))
    assert "probe failed: loopback: <h1>Bad Gateway</h1>" in cli("connect", "aider").err


def test_a_gateway_that_has_gone_meanwhile_is_told(
    cli: Cli, user: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise ConnectionResetError

    monkeypatch.setattr(peer, "_fetch", gone)
    assert f"{url} does not answer: ConnectionResetError" in cli("connect", "aider").err


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.id)
def test_each_client_is_probed_in_its_own_protocol(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(peer, "_fetch", lambda url, *_: asked.append(url) or (200, {}, b""))
    assert peer.probe(client, Facts("http://h", model="a/b")).ok
    paths = {
        ProtocolId.ANTHROPIC: "/v1/messages",
        ProtocolId.OPENAI_CHAT: "/v1/chat/completions",
        ProtocolId.OPENAI_RESPONSES: "/v1/responses",
        ProtocolId.GEMINI: "/v1beta/models/a%2Fb:generateContent",
    }
    assert asked == [f"http://h{paths[client.speaks]}"]


def test_a_template_that_needs_a_model_is_left_out_without_one() -> None:
    facts = Facts("http://localhost:8081")
    assert filled("a {openai} {key}", facts) == "a http://localhost:8081/v1 any-key"
    assert filled("{model}", facts) is None
