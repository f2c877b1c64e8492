"""`tgw run`: a client started with what it needs to ask the gateway, and nothing else."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.cli.command import Home, Result
from tests.cli.conftest import Cli
from tests.edge.live import Live
from tokligence.cli import run
from tokligence.cli.clients import CLIENTS

TELL = """\
#!{python}
import json, os, signal, sys
print(json.dumps({{"words": sys.argv[1:], "environ": dict(os.environ)}}), flush=True)
if "wait" in sys.argv:
    signal.pause()
sys.exit(7)
"""


@pytest.fixture
def installed(tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs of all clients' names, which tell how they were started and end with 7."""
    directory = tmp_path / "bin"
    home.settings["HOME"] = str(tmp_path / "nobody")
    directory.mkdir()
    for client in CLIENTS:
        program = directory / client.program
        program.write_text(TELL.format(python=sys.executable), "utf-8")
        program.chmod(0o755)
    home.settings["PATH"] = str(directory)
    monkeypatch.setenv("PATH", str(directory))
    return directory


class Told:
    def __init__(self, said: Result) -> None:
        assert said.status == 7, said.err
        told = json.loads(said.out)
        self.words: list[str] = told["words"]
        self.environ: dict[str, str] = told["environ"]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.id)
def test_a_client_is_told_the_address_the_key_and_the_model(
    home: Home, gateway: Live, installed: Path, client: object
) -> None:
    assert isinstance(client, type(CLIENTS[0]))
    told = Told(home.tgw("run", client.program, "--model", "gpt-5.1", "do", "it", OPENAI_API_KEY="theirs"))
    everything = json.dumps([told.words, told.environ])
    assert f"localhost:{gateway.gateway.port}" in everything
    assert "any-key" in everything
    assert "gpt-5.1" in everything
    assert told.words[-2:] == ["do", "it"]
    assert told.environ["OPENAI_API_KEY"] == "theirs"


def test_claude_code_gets_no_second_credential(home: Home, gateway: Live, installed: Path) -> None:
    told = Told(home.tgw("run", "claude-code", "-p", "hi", ANTHROPIC_API_KEY="sk-ant-theirs"))
    url = f"http://localhost:{gateway.gateway.port}/anthropic"
    assert told.environ["ANTHROPIC_BASE_URL"] == url
    assert told.environ["ANTHROPIC_AUTH_TOKEN"] == "any-key"
    assert "ANTHROPIC_API_KEY" not in told.environ
    settings = json.dumps({"env": {"ANTHROPIC_BASE_URL": url}}, separators=(",", ":"))
    assert told.words == ["--settings", settings, "-p", "hi"]


def test_gemini_cli_gets_its_users_settings_with_ours_in_them(
    home: Home, gateway: Live, installed: Path, tmp_path: Path
) -> None:
    theirs = tmp_path / ".gemini"
    theirs.mkdir()
    (theirs / "settings.json").write_text(
        '{"ui": {"theme": "x"}, "security": {"auth": {"selectedType": "oauth"}}}'
    )
    (theirs / ".env").write_text("A=1\nGEMINI_API_KEY=theirs\n")
    before = {file.name: file.read_bytes() for file in theirs.iterdir()}
    for _ in range(2):
        told = Told(home.tgw("run", "gemini", "--model=loopback", HOME=str(tmp_path)))
    directory = Path(told.environ["GEMINI_CLI_HOME"])
    assert directory == home.root / "clients" / "gemini-cli"
    assert json.loads((directory / ".gemini/settings.json").read_text()) == {
        "ui": {"theme": "x"},
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "model": {"name": "loopback"},
    }
    assert (directory / ".gemini/.env").read_text().count("GEMINI_API_KEY=any-key") == 1
    assert told.words == ["--model", "loopback"]
    assert {file.name: file.read_bytes() for file in theirs.iterdir()} == before


def test_settings_that_cannot_be_read_are_told(
    home: Home, gateway: Live, installed: Path, tmp_path: Path
) -> None:
    (tmp_path / ".gemini").mkdir()
    (tmp_path / ".gemini/settings.json").write_text("{")
    said = home.tgw("run", "gemini", HOME=str(tmp_path))
    assert said.status == 1
    assert "settings.json cannot be read: line 1 is not JSON" in said.err


def test_opencode_gets_its_configuration_in_a_variable(home: Home, gateway: Live, installed: Path) -> None:
    told = Told(home.tgw("run", "opencode", "run", "--", "-m", "theirs"))
    config = json.loads(told.environ["OPENCODE_CONFIG_CONTENT"])
    assert config["model"] == "tokligence/loopback"
    assert told.words == ["run", "--", "-m", "theirs"]


@pytest.mark.parametrize(
    ("words", "model", "rest"),
    [
        ([], None, []),
        (["-m", "x", "y"], "x", ["y"]),
        (["a", "--model=x", "--", "--model", "z"], "x", ["a", "--", "--model", "z"]),
        (["--model"], None, ["--model"]),
    ],
)
def test_the_model_is_ours_to_read_and_the_rest_the_clients(
    words: list[str], model: str | None, rest: list[str]
) -> None:
    assert run.model_in(words) == (model, rest)


def test_what_the_client_is_started_with_is_what_takes_our_place(
    gateway: Live, installed: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(run, "start", lambda command, environ: started.append(command) or 0)
    assert cli("run", "aider", "--yes").status == 0
    assert started == [[str(installed / "aider"), "--model", "openai/loopback", "--yes"]]


def test_where_no_process_becomes_another_the_child_is_waited_for(
    gateway: Live, installed: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "start", run.wait_for)
    before = signal.getsignal(signal.SIGINT)
    assert cli("run", "aider").status == 7
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_signal_reaches_the_client_and_its_end_is_ours(home: Home, gateway: Live, installed: Path) -> None:
    with home.process("run", "codex", "wait") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["words"][-1] == "wait"
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(20) == -signal.SIGTERM


def test_a_client_that_is_not_installed_is_told_how_to(
    cli: Cli, gateway: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = cli("run", "codex", "hi")
    assert said.status == 127
    assert said.err == (
        "tgw: Codex is not installed (codex is not on the PATH); install it: npm install -g @openai/codex\n"
    )


def test_without_a_gateway_no_client_is_started(cli: Cli, installed: Path) -> None:
    said = cli("run", "codex", "hi")
    assert said.status == 3
    assert "start one: tgw start --daemon" in said.err
