"""`tgw status`, `stop`, `reload`, `restart`, `usage`, `models`, `routes`: beside and without a running gateway."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.cli.command import Home
from tests.cli.conftest import Cli
from tests.edge.live import CHAT, Live, live
from tests.fakes.openai import OpenAI
from tests.fakes.openai_rules import MODELS
from tests.ports import free_port
from tokligence import __version__
from tokligence.cli import daemon, start
from tokligence.cli.status import _duration
from tokligence.cli.terminal import CommandFailed
from tokligence.edge.runfile import RunState
from tokligence.ledger.writer import Ledger

FIELDS = {"running", "pid", "host", "port", "uptime_s", "version", "workers", "providers", "journal_backlog"}


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> RunState:
    """A gateway that runs and does not answer: it is stopping."""
    state = RunState(os.getpid(), 1, "localhost", free_port(), "0.9", "dev", 0.0, "token")
    monkeypatch.setattr(daemon, "found", lambda: state)
    return state


# --- status ---------------------------------------------------------------------------------------------


def test_status_of_none_is_3(cli: Cli) -> None:
    said = cli("status")
    assert said.status == 3
    assert said.out == "No gateway is running on this home. Start one: tgw start --daemon\n"
    said = cli("status", "--json")
    assert said.status == 3
    told = json.loads(said.out)
    assert told.keys() >= FIELDS
    assert (told["running"], told["version"]) == (False, __version__)


def test_status_of_one_is_0(cli: Cli, gateway: Live) -> None:
    said = cli("status")
    assert said.status == 0
    assert f"is running (pid {os.getpid()})." in said.out
    assert "openai     off         openai_api_key is not set" in said.out
    told = json.loads(cli("status", "--json").out)
    assert told.keys() >= FIELDS
    assert told["running"] is True
    assert told["port"] == gateway.gateway.port
    assert {"name", "configured", "state", "reason"} == told["providers"][0].keys()


def test_status_shows_what_is_wrong_with_the_ledger(
    cli: Cli, gateway: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ledger, "alarm", "database or disk is full")
    assert "Ledger           database or disk is full" in cli("status").out


def test_one_that_does_not_answer_runs_all_the_same(cli: Cli, deaf: RunState) -> None:
    said = cli("status")
    assert said.status == 0
    assert f"Tokligence Gateway 0.9 is running (pid {deaf.pid})." in said.out
    assert "does not answer on port" in said.err
    told = json.loads(cli("status", "--json").out)
    assert told.keys() >= FIELDS
    assert (told["running"], told["answers"], told["pid"]) == (True, False, deaf.pid)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59, "59 s"), (60, "1 min"), (3661, "1 h 1 min"), (90_000, "1 d 1 h")],
)
def test_a_duration_is_said_in_words(seconds: float, text: str) -> None:
    assert _duration(seconds) == text


def test_another_server_on_the_port_is_not_taken_for_the_gateway(
    cli: Cli, gateway: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.gateway, "token", "another")
    said = cli("models")
    assert said.status == 1
    assert "answered 401 to models" in said.err


# --- stop -----------------------------------------------------------------------------------------------


def test_stop_of_none_is_0(cli: Cli) -> None:
    assert cli("stop").status == 0


def test_one_that_does_not_end_in_time_is_told(cli: Cli, deaf: RunState) -> None:
    said = cli("stop", "--timeout", "0.01")
    assert said.status == 1
    assert "still finishes requests after 0.01 seconds" in said.err


def test_one_that_has_ended_meanwhile_is_stopped(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    state = RunState(process.pid, 1, "localhost", 1, "0", "dev", 0.0, "t")
    monkeypatch.setattr(daemon, "found", lambda: state)
    assert cli("stop").out == f"Stopped (pid {process.pid}).\n"


# --- reload, restart ------------------------------------------------------------------------------------


def test_reload_of_none_is_3(cli: Cli) -> None:
    said = cli("reload")
    assert (said.status, said.err) == (3, "tgw: no gateway is running on this home\n")


def test_reload_says_what_changed(cli: Cli, gateway: Live) -> None:
    assert cli("reload").out == "Reloaded; nothing has changed.\n"
    gateway.set("email = a@b.c\nhost = 127.0.0.1\n")
    said = cli("reload")
    assert said.status == 0
    assert said.out.splitlines() == [
        "Reloaded.",
        "  In effect:        email",
        "  Needs a restart:  host (tgw restart)",
    ]
    told = json.loads(cli("reload", "--json").out)
    assert (told["reloaded"], told["needs_restart"]) == (True, ["host"])


def test_reload_of_a_bad_file_is_2_and_says_what_is_bad(cli: Cli, gateway: Live) -> None:
    gateway.set("prot = 1\n")
    said = cli("reload")
    assert said.status == 2
    assert "the last good one stays: " in said.err
    assert "(did you mean port?)" in said.err
    assert json.loads(cli("reload", "--json").out)["reloaded"] is False


def test_a_restart_of_none_is_a_start(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, str]] = []
    monkeypatch.setattr(start, "start_daemon", lambda flags: seen.append(flags) or 0)
    assert cli("restart", "--port", "1").status == 0
    assert seen == [{"port": "1"}]


def test_a_restart_waits_for_the_end_and_keeps_the_options(
    cli: Cli, gateway: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, str]] = []
    monkeypatch.setattr(start, "start_daemon", lambda flags: seen.append(flags) or 0)
    monkeypatch.setattr(daemon, "stop", lambda _state, _patience: True)
    assert cli("restart", "--log-level", "debug").status == 0
    assert seen == [{"port": "0", "log_level": "debug"}]


def test_one_that_does_not_end_is_not_restarted(
    cli: Cli, gateway: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "stop", lambda _state, _patience: False)
    said = cli("restart")
    assert said.status == 1
    assert "it was not restarted" in said.err


def test_a_start_in_the_background_greets_as_the_foreground_does(
    cli: Cli, gateway: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = daemon.found()
    assert state is not None
    monkeypatch.setattr(daemon, "found", lambda: None)
    monkeypatch.setattr(daemon, "spawn", lambda _words: state)
    said = cli("start", "--daemon")
    assert said.status == 0
    assert f"base_url = http://localhost:{state.port}/v1" in said.out


# --- usage ----------------------------------------------------------------------------------------------


def test_usage_before_the_first_call(cli: Cli) -> None:
    said = cli("usage")
    assert said.status == 0
    assert "nothing has been booked yet" in said.err
    assert json.loads(cli("usage", "--json").out) == []


def test_usage_has_each_answered_call_at_once(cli: Cli, gateway: Live) -> None:
    for number in range(1, 4):
        gateway.post("/v1/chat/completions")
        (row,) = json.loads(cli("usage", "--json").out)
        assert (row["model"], row["calls"], row["failed"]) == ("loopback", number, 0)


def test_usage_is_a_table_of_sums(cli: Cli, gateway: Live) -> None:
    assert gateway.post("/v1/chat/completions", {**CHAT, "model": "none"}).status == 404
    gateway.post("/v1/chat/completions")
    said = cli("usage", "--by", "provider", "--by", "day", "--since", "1h")
    head, *rows = said.out.splitlines()
    assert head.split()[:4] == ["PROVIDER", "DAY", "CALLS", "FAILED"]
    assert any(row.startswith("loopback") for row in rows)
    assert rows[-1] == "* without the calls whose price is not known"


def test_usage_shows_the_last_calls(cli: Cli, gateway: Live) -> None:
    gateway.post("/v1/chat/completions", {**CHAT, "model": "none"})
    gateway.post("/v1/chat/completions")
    said = cli("usage", "-n", "5")
    head, last, first = said.out.splitlines()
    assert head.startswith("STARTED")
    assert " loopback " in last
    assert " client_error " in first
    (row,) = json.loads(cli("usage", "-n", "1", "--json").out)
    assert (row["model_served"], row["outcome"], row["cost_microusd"]) == ("loopback", "ok", 0)


def test_usage_of_a_time_without_calls(cli: Cli, gateway: Live) -> None:
    cli("usage")
    assert cli("usage", "--since", "0m").out == "No calls.\n"


def test_usage_is_there_without_a_running_gateway(cli: Cli, home: Home) -> None:
    with live(home.root) as gateway:
        gateway.post("/v1/chat/completions")
    assert json.loads(cli("usage", "--json").out)[0]["calls"] == 1
    assert cli("usage").out.splitlines()[-1].startswith("loopback")


def test_usage_reads_the_ledger_that_the_gateway_writes(cli: Cli, home: Home, tmp_path: Path) -> None:
    with live(home.root, {"TOKLIGENCE_LEDGER_PATH": str(tmp_path / "other.db")}) as gateway:
        gateway.post("/v1/chat/completions")
        assert json.loads(cli("usage", "--json").out)[0]["calls"] == 1


def test_usage_of_one_that_is_stopping_warns_and_shows_what_is_booked(
    cli: Cli, home: Home, deaf: RunState
) -> None:
    with live(home.root) as gateway:
        gateway.post("/v1/chat/completions")
    said = cli("usage", "--json")
    assert "the last calls may be missing" in said.err
    assert json.loads(said.out)[0]["calls"] == 1


def test_usage_warns_while_the_database_is_busy(
    cli: Cli, gateway: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(_self: Ledger) -> bool:
        return False

    monkeypatch.setattr(Ledger, "flushed", busy)
    assert "the database is busy" in cli("usage").err


def test_a_ledger_that_is_none_is_one_line(cli: Cli, home: Home) -> None:
    home.root.mkdir()
    (home.root / "ledger.db").write_text("not a database " * 100)
    said = cli("usage")
    assert said.status == 2
    assert "cannot be read" in said.err


# --- models, routes -------------------------------------------------------------------------------------


def test_models_of_the_configuration(cli: Cli, home: Home) -> None:
    home.config("openai_api_key = sk-abc\nmodel_provider_routes = mine=openai/gpt-4.1\n")
    rows = cli("models").out.splitlines()
    assert rows[0].split() == ["MODEL", "PROVIDER"]
    assert {"mine", "gpt-4.1", "loopback"} <= {row.split()[0] for row in rows}
    listed = json.loads(cli("models", "--json").out)
    assert {"id", "object", "created", "owned_by"} == listed[0].keys()


def test_models_of_the_running_gateway_have_those_of_custom_endpoints(
    cli: Cli, home: Home, compatible_upstream: OpenAI
) -> None:
    environ = {
        "TOKLIGENCE_LLM_ENDPOINT": compatible_upstream.base_url,
        "TOKLIGENCE_LLM_API_KEY": compatible_upstream.key,
    }
    with live(home.root, environ):
        listed = {row["id"]: row["owned_by"] for row in json.loads(cli("models", "--json").out)}
    assert listed[next(iter(MODELS))] == "llm"


def test_routes_are_listed_the_users_first(cli: Cli, home: Home) -> None:
    home.config(
        "model_provider_routes = gpt-4→claude-sonnet,gpt-3.5→claude-haiku\nanthropic_api_key = sk-ant-x\n"
    )
    rows = cli("routes").out.splitlines()
    assert rows[1].split()[:2] == ["gpt-4", "claude-sonnet"]
    listed = json.loads(cli("routes", "--json").out)
    assert listed[0] == {"pattern": "gpt-4", "target": "claude-sonnet", "origin": "model_provider_routes"}
    said = cli("routes", "explain", "gpt-4")
    assert said.status == 0
    assert "gpt-4 is served by anthropic as claude-sonnet-" in said.out
    told = json.loads(cli("routes", "explain", "gpt-4", "--json").out)
    assert told["provider"] == "anthropic"
    assert told["steps"]


def test_a_model_that_goes_nowhere_is_explained(cli: Cli) -> None:
    said = cli("routes", "explain", "gpt-4")
    assert said.status == 1
    assert "Set openai_api_key" in said.err
    told = json.loads(cli("routes", "explain", "gpt-4", "--json").out)
    assert told["error"] == "provider.not_configured"


def test_another_environments_routes(cli: Cli) -> None:
    cli("config", "set", "model_provider_routes", "mine=loopback", "--env", "prod")
    assert cli("routes", "--env", "prod").out.splitlines()[1].split()[0] == "mine"
    assert cli("routes").out.splitlines()[1].split()[0] != "mine"


# --- asking ---------------------------------------------------------------------------------------------


def test_an_answer_that_is_none_is_no_traceback(cli: Cli, deaf: RunState) -> None:
    with pytest.raises(CommandFailed, match="does not answer on port"):
        daemon.ask(deaf, "GET", "status")


def test_a_process_that_goes_before_it_is_asked_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_pid: int) -> None:
        raise psutil.NoSuchProcess(1)

    monkeypatch.setattr(psutil, "Process", gone)
    assert daemon.stop(RunState(1, 1, "localhost", 1, "0", "dev", 0.0, "t"), 1)
