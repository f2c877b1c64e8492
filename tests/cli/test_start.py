"""`tgw start`, in the foreground and in the background, with all that follows: status, logs, reload, restart, stop."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from tests.cli.command import PATIENCE, Home, banner_of
from tests.cli.conftest import Cli
from tests.edge.live import Live
from tests.ports import free_port
from tokligence import __version__
from tokligence.cli import banner, daemon, ports, start
from tokligence.cli.terminal import CommandFailed
from tokligence.config.load import load
from tokligence.edge.process import Gateway
from tokligence.edge.runfile import RunState


def get(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as answer:
        return json.loads(answer.read())


def do_as_curl(lines: list[str]) -> Any:
    """Sends what a `curl URL -H … -d …` sends."""
    words = shlex.split(" ".join(line.rstrip("\\") for line in lines))
    assert words[0] == "curl"
    headers = dict(words[i + 1].split(": ") for i, word in enumerate(words) if word == "-H")
    request = urllib.request.Request(words[1], words[words.index("-d") + 1].encode(), headers)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.loads(answer.read())


# --- the foreground -------------------------------------------------------------------------------------


def test_with_nothing_configured_it_serves_and_its_banner_has_a_curl_that_works(home: Home) -> None:
    with home.serving("--port", "0") as (process, lines):
        assert lines[0].startswith(f"Tokligence Gateway {__version__} listens on http://localhost:")
        text = "\n".join(lines)
        assert f"base_url = {lines[0].split()[-1]}/v1" in text
        assert f"base_url = {lines[0].split()[-1]}/anthropic" in text
        assert "Providers          loopback" in text
        assert "openai (set openai_api_key or OPENAI_API_KEY)" in text
        at = next(i for i, line in enumerate(lines) if "curl" in line)
        answer = do_as_curl(lines[at : at + 2])
        assert answer["choices"][0]["message"]["content"] == "Hello!"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert list((home.root / "run").iterdir()) == [home.root / "run" / "gateway.lock"]


def test_keys_in_the_vendors_own_variables_are_found(home: Home) -> None:
    with home.serving("--port", "0", OPENAI_API_KEY="sk-abc-123") as (_, lines):
        text = "\n".join(lines)
    assert "Providers          openai, loopback" in text
    assert "sk-abc-123" not in text


def test_local_only_names_the_variables_that_it_ignores(home: Home) -> None:
    settings = {"OPENAI_API_KEY": "sk-abc-123", "TOKLIGENCE_LLM_ENDPOINT": "http://127.0.0.1:9/v1"}
    with home.serving("--port", "0", **settings) as (_, lines):
        text = "\n".join(lines)
    assert "Warning: local_only is on because llm_endpoint is set" in text
    assert "OPENAI_API_KEY ignored" in text
    assert "no connection leaves for any other host" in text
    assert "Providers          llm, loopback" in text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_ends_with_0(home: Home, number: int) -> None:
    with home.serving("--port", "0") as (process, lines):
        port = int(lines[0].rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port)) as client:
            body = b'{"model":"loopback","messages":[{"role":"user","content":"sleep:400"}]}'
            client.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b"
                % (len(body), body)
            )
            while get(port, "/health") and not _in_flight(port):
                pass
            process.send_signal(number)
            assert b"200 OK" in client.recv(65536)
        assert process.wait(PATIENCE) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert home.tgw("usage", "--json").out.count('"calls": 1') == 1


def _in_flight(port: int) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as answer:
        return b"\ntokligence_requests_in_flight 2\n" in answer.read()


def test_sighup_reloads(home: Home) -> None:
    with home.serving("--port", "0") as (process, _), home.process("logs", "-f") as follower:
        assert follower.stdout is not None
        assert "started" in follower.stdout.readline()
        process.send_signal(signal.SIGHUP)
        assert "reloaded" in follower.stdout.readline()


def test_a_reader_of_the_banner_that_goes_does_not_end_it(home: Home) -> None:
    port = free_port()
    with home.process("start", "--port", str(port)) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        while True:
            try:
                assert get(port, "/health")["status"] == "ok"
                break
            except OSError:
                assert process.poll() is None
        process.terminate()
        assert process.wait(PATIENCE) == 0
        process.stdout = None


def test_at_debug_the_foreground_shows_the_log(home: Home) -> None:
    with home.process("start", "--port", "0", "--log-level", "debug") as process:
        banner_of(process)
        assert process.stderr is not None
        assert "started" in process.stderr.readline()


def test_a_second_one_on_the_same_home_is_refused_with_the_pid(home: Home) -> None:
    with home.serving("--port", "0") as (process, _):
        for words in (("start",), ("start", "--daemon")):
            refused = home.tgw(*words, "--port", "0")
            assert refused.status == 1
            assert f"(pid {process.pid}" in refused.err
            assert refused.err.count("\n") == 1
        assert home.tgw("logs").out.count("start failed") == 2


@pytest.mark.parametrize("words", [("start",), ("start", "--daemon")])
def test_a_used_port_is_told_with_pid_and_command_of_its_holder(
    home: Home, tmp_path: Path, words: tuple[str, ...]
) -> None:
    with home.serving("--port", "0") as (process, lines):
        port = lines[0].rsplit(":", 1)[1]
        other = Home(tmp_path / "other")
        refused = other.tgw(*words, "--port", port)
    assert refused.status == 1
    assert f"tgw: port {port} on localhost is in use by pid {process.pid} (" in refused.err
    assert "tokligence start" in refused.err
    assert refused.err.count("\n") == 1
    assert "start failed" in other.tgw("logs").out


def test_one_that_was_killed_leaves_nothing_that_misleads(home: Home) -> None:
    with home.serving("--port", "0") as (process, _):
        process.kill()
        process.wait()
    assert (home.root / "run" / "gateway.json").exists()
    assert home.tgw("status").status == 3
    assert home.tgw("stop").status == 0
    with home.serving("--port", "0") as (_, lines):
        assert lines


# --- the background -------------------------------------------------------------------------------------


def test_the_readmes_way_with_another_port(home: Home) -> None:
    port = free_port()
    assert home.tgw("config", "set", "port", str(port)).status == 0
    with home.daemon() as started:
        assert started.out.startswith(
            f"Tokligence Gateway {__version__} listens on http://localhost:{port}\n"
        )
        assert "Stop with tgw stop" in started.out
        assert get(port, "/health")["status"] == "ok"
        status = home.tgw("status")
        assert status.status == 0
        assert f"http://localhost:{port}" in status.out
        told = json.loads(home.tgw("status", "--json").out)
        assert (told["running"], told["port"], told["workers"]) == (True, port, 1)
        assert "started" in home.tgw("logs", "-n", "100").out
        changed = home.tgw("config", "set", "log_level", "debug")
        assert changed.out.endswith("In effect in the running gateway.\n")
        assert home.tgw("reload").out == "Reloaded; nothing has changed.\n"
        restarted = home.tgw("restart")
        assert restarted.status == 0
        assert json.loads(home.tgw("status", "--json").out)["pid"] != told["pid"]
        assert get(port, "/health")["status"] == "ok"
    assert home.tgw("stop").out == "No gateway is running on this home.\n"
    assert home.tgw("status").status == 3
    assert home.tgw("logs", "-n", "1", "--json").out.count('"event":"stopped"') == 1


def test_a_background_start_that_fails_says_why_and_so_does_the_log(home: Home) -> None:
    (home.root / "ledger.db").mkdir(parents=True)
    failed = home.tgw("start", "--daemon", "--port", "0")
    assert failed.status == 2
    assert failed.err.startswith("tgw: ledger_path: ")
    assert failed.err.count("\n") == 1
    assert "start failed" in home.tgw("logs").out


def test_a_restart_keeps_the_options_of_the_start_unless_given_others(home: Home) -> None:
    first, second = free_port(), free_port()
    with home.daemon("--port", str(first), "--log-level", "debug"):
        assert home.tgw("restart").status == 0
        assert json.loads(home.tgw("status", "--json").out)["port"] == first
        assert home.tgw("restart", "--port", str(second)).status == 0
        assert json.loads(home.tgw("status", "--json").out)["port"] == second
        state = json.loads((home.root / "run" / "gateway.json").read_text())
        assert state["flags"] == {"port": str(second), "log_level": "debug"}


def test_a_restart_with_a_bad_configuration_stops_nothing(home: Home) -> None:
    with home.daemon("--port", "0"):
        home.config("prot = 1\n")
        assert home.tgw("restart").status == 2
        assert home.tgw("status").status == 0
        home.config("")


def test_a_home_given_by_a_relative_path_is_the_same_in_the_background(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('shadowed')")
    monkeypatch.chdir(tmp_path)
    home = Home(Path("relative"))
    home.settings = {"PYTHONSAFEPATH": "1"}
    with home.daemon("--port", "0") as started:
        assert f"Files              {tmp_path / 'relative'}" in started.out


def test_a_model_of_another_vendor_shows_as_a_translation_in_the_log(
    home: Home, openai_upstream: Any
) -> None:
    port = free_port()
    settings = {
        "TOKLIGENCE_OPENAI_BASE_URL": openai_upstream.base_url,
        "TOKLIGENCE_OPENAI_API_KEY": openai_upstream.key,
    }
    body = {"model": "gpt-4.1", "max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}]}
    with home.daemon("--port", str(port), **settings):
        home.tgw("config", "set", "log_level", "debug")
        with home.process("logs", "-f") as follower:
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/anthropic/v1/messages",
                json.dumps(body).encode(),
                {"content-type": "application/json"},
            )
            urllib.request.urlopen(request, timeout=PATIENCE).close()
            assert follower.stdout is not None
            line = next(line for line in follower.stdout if "translation" in line)
    assert "anthropic→openai_chat" in line
    assert "Hello" not in line


# --- parts, in this process -----------------------------------------------------------------------------


def test_the_words_of_a_background_start_are_its_flags() -> None:
    flags = {"host": "::1", "port": "-1", "environment": "prod", "log_level": "debug"}
    assert start.words_of(flags) == ["--host=::1", "--port=-1", "--env=prod", "--log-level=debug"]


@pytest.fixture
def no_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)


@pytest.mark.usefixtures("no_uvloop")
def test_without_uvloop_the_plain_loop_does() -> None:
    assert start.fastest_loop() is None


def test_with_uvloop_it_is_used() -> None:
    factory = start.fastest_loop()
    assert factory is not None
    loop = factory()
    assert isinstance(loop, asyncio.AbstractEventLoop)
    loop.close()


def test_a_crash_is_in_the_log_with_its_place(home: Home, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> int:
        raise ValueError("what was said")

    monkeypatch.setattr(start, "_run_loop", broken)
    with pytest.raises(ValueError, match="what was said"):
        cli("start")
    text = (home.root / "logs" / "gateway.log").read_text()
    assert '"event":"crashed","error":"ValueError","where":"test_start.py:' in text
    assert "what was said" not in text


def test_a_foreground_start_within_this_process_serves_until_it_is_stopped(
    home: Home, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop_at_once(_loaded: object, gateway: Any) -> None:
        gateway.stop()

    monkeypatch.setattr(start, "greet", stop_at_once)
    assert cli("start", "--port", "0").status == 0


def test_the_background_process_itself_says_nothing(
    home: Home, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve = Gateway.serve

    async def stop_at_once(self: Gateway) -> None:
        self.stop()
        await serve(self)

    monkeypatch.setattr(Gateway, "serve", stop_at_once)
    said = cli("start", "--port", "0", "--detached")
    assert (said.status, said.out, said.err) == (0, "", "")


def test_a_greeting_that_nobody_reads_is_dropped(
    home: Home, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_line: str) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(start, "say", broken)
    monkeypatch.setattr(start, "drop_output", lambda: None)
    gateway = SimpleNamespace(port=1, status=lambda: {"providers": []})
    start.greet(load({}, {}, home.root), gateway)  # type: ignore[arg-type]


def test_in_this_process_the_same_refusals(
    cli: Cli, gateway: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = cli("start", "--daemon")
    assert refused.status == 1
    assert f"pid {os.getpid()}, port {gateway.gateway.port}" in refused.err
    monkeypatch.setattr("tokligence.edge.runfile.LOCK_PATIENCE_S", 0)
    refused = cli("start")
    assert refused.status == 1
    assert f"pid {os.getpid()}" in refused.err
    monkeypatch.setenv("TOKLIGENCE_HOME", str(tmp_path / "other"))
    refused = cli("start", "--port", str(gateway.gateway.port))
    assert refused.status == 1
    assert "is in use by pid" in refused.err
    refused = cli("start", "--host", "0.0.0.0")
    assert refused.status == 2
    assert "client_keys is empty. Set client_keys, or host=localhost." in refused.err
    refused = cli("start", "--port", "many")
    assert refused.status == 2


# --- the banner -----------------------------------------------------------------------------------------


def banner_for(home: Home, environ: dict[str, str]) -> str:
    loaded = load(environ, {}, home.root)
    providers = [{"name": "openai", "configured": True}, {"name": "google", "configured": False}]
    return banner.banner(loaded, 8081, providers, how_to_stop="Stop.")


def test_with_client_keys_the_banners_curl_sends_one(home: Home) -> None:
    text = banner_for(home, {"TOKLIGENCE_CLIENT_KEYS": "a=client-key-123"})
    assert "API key            one of client_keys" in text
    assert "-H 'authorization: Bearer YOUR-CLIENT-KEY'" in text
    assert "client-key-123" not in text
    assert "anthropic (set anthropic_api_key" in text
    assert "openai (set" not in text


def test_the_banner_warns_and_says_when_nothing_leaves(home: Home) -> None:
    environ = {"TOKLIGENCE_LLM_ENDPOINT": "http://127.0.0.1:9/v1", "OPENAI_API_KEY": "sk-x"}
    text = banner_for(home, environ)
    assert "  Warning: local_only is on" in text
    assert "  Local only         no connection leaves for any other host" in text
    assert "Not configured" not in text


def test_on_windows_the_banners_curl_is_for_cmd(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(banner, "os", SimpleNamespace(name="nt"))
    text = banner_for(home, {})
    (line,) = (line for line in text.splitlines() if "curl" in line)
    assert '-d "{\\"model\\":\\"loopback\\"' in line
    assert "'" not in line


def test_with_all_vendors_configured_nothing_is_missing(home: Home) -> None:
    loaded = load({}, {}, home.root)
    providers = [{"name": name, "configured": True} for name in ("openai", "anthropic", "google")]
    assert "Not configured" not in banner.banner(loaded, 1, providers, how_to_stop="")


# --- starting in the background, in parts ---------------------------------------------------------------


class Child:
    pid = 4711

    def __init__(self, status: int | None) -> None:
        self.returncode = status
        self.killed = False

    def poll(self) -> int | None:
        return self.returncode

    def kill(self) -> None:
        self.killed = True


def spawned(monkeypatch: pytest.MonkeyPatch, child: Child, said: bytes = b"") -> dict[str, Any]:
    seen: dict[str, Any] = {}

    def popen(words: list[str], **options: Any) -> Child:
        seen.update(options, words=words)
        options["stdout"].write(said)
        return child

    monkeypatch.setattr(subprocess, "Popen", popen)
    return seen


def state(pid: int, parent: int) -> RunState:
    return RunState(pid, parent, "localhost", 8081, "0", "dev", 0.0, "token")


@pytest.mark.usefixtures("cli")
@pytest.mark.parametrize("found", [state(4711, 1), state(1, 4711)])
def test_the_child_is_known_by_its_pid_or_by_its_parent(
    monkeypatch: pytest.MonkeyPatch, found: RunState
) -> None:
    spawned(monkeypatch, Child(None))
    monkeypatch.setattr(daemon, "running", lambda _home: found)
    assert daemon.spawn([]) is found


@pytest.mark.usefixtures("cli")
def test_another_ones_run_file_is_not_taken_for_the_childs(monkeypatch: pytest.MonkeyPatch) -> None:
    spawned(monkeypatch, Child(2), b"tgw: port 1 is in use\n")
    monkeypatch.setattr(daemon, "running", lambda _home: state(1, 1))
    with pytest.raises(CommandFailed, match=r"^port 1 is in use$") as caught:
        daemon.spawn([])
    assert caught.value.status == 2


@pytest.mark.usefixtures("cli")
def test_a_child_that_ends_without_a_word_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    spawned(monkeypatch, Child(0))
    with pytest.raises(CommandFailed, match="without a word; see tgw logs") as caught:
        daemon.spawn([])
    assert caught.value.status == 1


@pytest.mark.usefixtures("cli")
def test_a_child_that_never_serves_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    child = Child(None)
    spawned(monkeypatch, child)
    monkeypatch.setattr(daemon, "START_S", 0.05)
    with pytest.raises(CommandFailed, match="did not start"):
        daemon.spawn([])
    assert child.killed


@pytest.mark.usefixtures("cli")
def test_on_windows_the_child_is_detached_without_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "DETACHED_PROCESS", 8, raising=False)
    monkeypatch.setattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 512, raising=False)
    assert "start_new_session" in daemon._detached()
    monkeypatch.setattr(daemon, "os", SimpleNamespace(name="nt"))
    assert daemon._detached() == {"creationflags": 520}


@pytest.mark.usefixtures("cli")
def test_the_child_gets_the_home_by_its_whole_path(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = spawned(monkeypatch, Child(1))
    with pytest.raises(CommandFailed):
        daemon.spawn(["--port=1"])
    assert seen["env"]["TOKLIGENCE_HOME"] == str(home.root)
    assert seen["cwd"] == home.root
    assert seen["words"][-1] == "--port=1"
    assert seen["stdin"] == subprocess.DEVNULL


# --- who holds a port -----------------------------------------------------------------------------------


def test_where_only_the_administrator_may_ask_our_own_processes_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def denied(_kind: str) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "net_connections", denied)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert f"in use by pid {os.getpid()} (" in ports.in_use("localhost", port)


def test_a_holder_that_may_not_be_asked_is_named_by_its_pid(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_self: psutil.Process) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil.Process, "cmdline", denied)
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert f"pid {os.getpid()} (another user's)" in ports.in_use("localhost", server.getsockname()[1])


def test_where_nobody_tells_another_port_is_proposed() -> None:
    assert ports.in_use("localhost", 65535) == (
        "port 65535 on localhost is in use; stop it, or choose another: tgw start --port 8081"
    )


def test_a_failed_start_that_cannot_be_logged_is_told_all_the_same(
    home: Home, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.root / "logs" / "gateway.log").mkdir(parents=True)
    said = cli("start", "--port", "many")
    assert (said.status, said.err) == (2, "tgw: --port: 'many' is not a whole number\n")
    said = cli("start")
    assert said.status == 1
    assert said.err.endswith("gateway.log: Is a directory\n")


def test_an_address_is_shown_and_reached_as_this_machine_does() -> None:
    assert daemon.url("::1", 1) == "http://[::1]:1"
    assert daemon.url("0.0.0.0", 1) == "http://localhost:1"
    assert daemon.reachable("0.0.0.0") == "127.0.0.1"
    assert daemon.reachable("10.0.0.1") == "10.0.0.1"
