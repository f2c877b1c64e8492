"""The life of one gateway: start, reload, drain, end."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.edge.live import CHAT, Live, live, read_reply
from tests.edge.peer import until
from tests.fakes.openai import OpenAI
from tokligence.edge import process
from tokligence.edge.process import stamp
from tokligence.edge.runfile import RunState, running
from tokligence.errors import GatewayError
from tokligence.ledger.query import UsageReader
from tokligence.upstream import client as upstream_client

KEY = "client-key-0123456789"


class Waiting:
    """A call whose answer takes its time, on a connection of its own."""

    def __init__(self, gateway: Live, text: str, model: str = "loopback") -> None:
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": text}]}).encode()
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
        self.sock = socket.create_connection(("127.0.0.1", gateway.gateway.port), 30)
        self.sock.sendall(head % len(body) + body)

    def rest(self) -> bytes:
        data = b""
        try:
            while chunk := self.sock.recv(65536):
                data += chunk
        except ConnectionResetError:
            data += b"(reset)"
        self.sock.close()
        return data


def until_running(gateway: Live, number: int) -> None:
    done = threading.Event()

    async def look() -> None:
        await until(lambda: gateway.gateway._server.running >= number)
        done.set()

    asyncio.run_coroutine_threadsafe(look(), gateway.loop)
    assert done.wait(30)


# --- start and end --------------------------------------------------------------------------------------


def test_the_run_file_tells_how_to_address_it_and_goes_with_it(tmp_path: Path) -> None:
    with live(tmp_path, log_level="debug") as gateway:
        file = gateway.gateway.home.state_file
        state = running(gateway.gateway.home)
        assert state == RunState(
            pid=os.getpid(),
            parent=os.getppid(),
            host="localhost",
            port=gateway.gateway.port,
            version=state.version if state else "",
            environment="dev",
            started=state.started if state else 0.0,
            token=gateway.gateway.token,
            flags={"port": "0", "log_level": "debug"},
        )
        if sys.platform != "win32":
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert not file.exists()
    assert running(gateway.gateway.home) is None


def test_a_start_and_an_end_stand_in_the_log(tmp_path: Path) -> None:
    with live(tmp_path) as gateway:
        pass
    assert [line["event"] for line in gateway.lines()] == ["started", "stopping", "stopped"]


def test_warnings_of_the_configuration_stand_in_the_log(tmp_path: Path) -> None:
    with live(tmp_path, {"TOKLIGENCE_NO_SUCH": "1"}) as gateway:
        (line,) = gateway.events("configuration")
    assert "TOKLIGENCE_NO_SUCH" in line["warning"]


@pytest.mark.parametrize("mode", ["passthrough", "translation"])
def test_a_work_mode_that_is_not_there_yet_does_not_start(tmp_path: Path, mode: str) -> None:
    with (
        pytest.raises(GatewayError, match=f"work_mode={mode} is not available"),
        live(tmp_path, {"TOKLIGENCE_WORK_MODE": mode}),
    ):
        pass


def test_without_client_keys_it_does_not_listen_for_other_machines(tmp_path: Path) -> None:
    with (
        pytest.raises(GatewayError, match="client_keys is empty"),
        live(tmp_path, {"TOKLIGENCE_HOST": "0.0.0.0"}),
    ):
        pass


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid"])
def test_an_address_that_is_not_ours_is_named(tmp_path: Path, host: str) -> None:
    environ = {"TOKLIGENCE_HOST": host, "TOKLIGENCE_CLIENT_KEYS": f"a={KEY}"}
    with (
        pytest.raises(GatewayError, match=f"cannot listen on host {host}, port 0: "),
        live(tmp_path, environ),
    ):
        pass


def test_run_files_that_cannot_be_written_are_a_failed_start(tmp_path: Path) -> None:
    (tmp_path / "run" / "gateway.json" / "x").mkdir(parents=True)
    with pytest.raises(GatewayError, match=r"gateway\.json: cannot be written"), live(tmp_path):
        pass


def test_a_stop_lets_a_running_request_finish(tmp_path: Path) -> None:
    with live(tmp_path) as gateway:
        call = Waiting(gateway, "sleep:300")
        until_running(gateway, 1)
        gateway.loop.call_soon_threadsafe(gateway.gateway.stop)
        answer = read_reply(call.rest())
        assert answer.status == 200
        assert answer.headers["connection"] == "close"
        gateway.joined()
    assert gateway.events("stopping")[0]["requests"] == 1


def test_a_drain_that_takes_too_long_cuts_and_says_how_many(tmp_path: Path) -> None:
    with live(tmp_path, {"TOKLIGENCE_DRAIN_TIMEOUT_S": "0.05"}) as gateway:
        call = Waiting(gateway, "sleep:600000")
        until_running(gateway, 1)
        gateway.loop.call_soon_threadsafe(gateway.gateway.stop)
        assert b"200 OK" not in call.rest()
        gateway.joined()
    assert gateway.events("connections were cut")[0]["number"] == 1


def test_a_second_signal_does_not_wait_for_running_requests(tmp_path: Path) -> None:
    with live(tmp_path, {"TOKLIGENCE_DRAIN_TIMEOUT_S": "600"}) as gateway:
        call = Waiting(gateway, "sleep:600000")
        until_running(gateway, 1)
        gateway.loop.call_soon_threadsafe(gateway.gateway._stop_or_hurry)
        gateway.wait_for("stopping")
        gateway.loop.call_soon_threadsafe(gateway.gateway._stop_or_hurry)
        assert b"200 OK" not in call.rest()
        gateway.joined()
    with UsageReader(gateway.gateway.home.ledger_db) as reader:
        assert [row.outcome for row in reader.recent()] == ["cancelled"]


def test_flush_makes_rows_of_all_answered_calls(tmp_path: Path) -> None:
    path = tmp_path / "elsewhere.db"
    with live(tmp_path, {"TOKLIGENCE_LEDGER_PATH": str(path)}) as gateway:
        gateway.post("/v1/chat/completions")
        token = {"authorization": f"Bearer {gateway.gateway.token}"}
        answer = gateway.send("POST", "/admin/api/v1/flush", None, token).json
        assert answer == {"flushed": True, "ledger": str(path)}
        with UsageReader(path) as reader:
            assert len(reader.recent()) == 1


def test_metrics_show_what_is_under_way(tmp_path: Path) -> None:
    with live(tmp_path) as gateway:
        text = gateway.get("/metrics").body.decode()
    for line in (
        "tokligence_requests_in_flight 1",
        "tokligence_client_connections 1",
        "tokligence_ledger_backlog_records 0",
        "tokligence_ledger_alarm 0",
        "tokligence_log_lines_lost 0",
    ):
        assert line in text.splitlines()


# --- reload ---------------------------------------------------------------------------------------------


def models(gateway: Live) -> set[str]:
    return {model["id"] for model in gateway.get("/v1/models").json["data"]}


@pytest.fixture
def quick_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "WATCH_S", 0.01)


@pytest.mark.usefixtures("quick_watch")
def test_a_change_of_a_file_takes_effect_by_itself(tmp_path: Path) -> None:
    with live(tmp_path) as gateway:
        assert "mine" not in models(gateway)
        gateway.set("model_provider_routes = mine=loopback\n")
        gateway.wait_for("reloaded")
        assert "mine" in models(gateway)
        assert gateway.post("/v1/chat/completions", {**CHAT, "model": "mine"}).status == 200


@pytest.mark.usefixtures("quick_watch")
def test_a_bad_file_leaves_the_last_good_state_and_one_error_line(tmp_path: Path) -> None:
    bad = "the configuration is not valid; the last good one stays"
    with live(tmp_path) as gateway:
        gateway.set("model_provider_routes = mine=loopback\n")
        gateway.wait_for("reloaded")
        gateway.set("model_provider_routes = mine=loopback\nprot = 3000\n")
        gateway.wait_for(bad)
        assert "mine" in models(gateway)
        before = len(gateway.events("reloaded"))  # a file seen while it was written is read twice
        gateway.set("model_provider_routes = yours=loopback\n")
        gateway.wait_for("reloaded", before + 1)
        assert "yours" in models(gateway)
        (line,) = gateway.events(bad)
        assert line["reason"].endswith("gateway.ini:2: prot: is not a setting (did you mean port?)")
        assert line["level"] == "error"


@pytest.mark.usefixtures("quick_watch")
def test_the_prices_file_is_watched_too(tmp_path: Path) -> None:
    prices = tmp_path / "prices.json"
    prices.write_text("{}")
    with live(tmp_path) as gateway:
        gateway.set(f"prices_file = {prices}\n")
        gateway.wait_for("reloaded")
        prices.write_text("no JSON")
        gateway.wait_for("the configuration is not valid; the last good one stays")


def test_a_reload_says_what_changed_and_what_needs_a_restart_until_that(tmp_path: Path) -> None:
    with live(tmp_path, {"TOKLIGENCE_EMAIL": "me@example.com"}) as gateway:
        gateway.set("host = 127.0.0.1\nlog_level = debug\nemail = you@example.com\n")
        first = gateway.reload()
        assert first["changed"] == ["log_level"]
        assert first["needs_restart"] == ["host"]
        assert first["fixed"]["port"] == "--port"
        assert "TOKLIGENCE_EMAIL" in first["fixed"]["email"]
        second = gateway.reload()
        assert (second["changed"], second["needs_restart"]) == ([], ["host"])
        assert gateway.gateway.status()["host"] == "localhost"
        assert gateway.log.enabled("debug")


def test_a_restart_bound_host_does_not_open_metrics_to_others_before_the_restart(tmp_path: Path) -> None:
    environ = {"TOKLIGENCE_CLIENT_KEYS": f"a={KEY}"}
    with live(tmp_path, environ) as gateway:
        gateway.set("host = 0.0.0.0\n")
        gateway.reload()
        assert gateway.get("/metrics").status == 200
    with live(tmp_path, environ) as gateway:
        assert gateway.get("/metrics").status == 401
        gateway.set("host = localhost\n")
        gateway.reload()
        assert gateway.get("/metrics").status == 401


def test_keys_cannot_be_taken_away_while_other_machines_can_call(tmp_path: Path) -> None:
    with live(tmp_path) as gateway:
        gateway.set(f"host = 0.0.0.0\nclient_keys = a={KEY}\n")
    with live(tmp_path) as gateway:
        gateway.set("host = localhost\n")
        answer = gateway.reload()
        assert answer["reloaded"] is False
        assert "client_keys is empty" in answer["error"]
        assert gateway.get("/v1/models").status == 401


def test_keys_and_origins_and_limits_are_live(tmp_path: Path) -> None:
    with live(tmp_path) as gateway:
        gateway.set(f"client_keys = a={KEY}\nmax_body_bytes = 1KiB\n")
        assert gateway.reload()["reloaded"]
        assert gateway.get("/v1/models").status == 401
        large = {**CHAT, "messages": [{"role": "user", "content": "x" * 2000}]}
        assert gateway.post("/v1/chat/completions", large, x_api_key=KEY).status == 413
        assert KEY not in json.dumps(gateway.lines())


class SlowUpstream:
    """Answers a chat request when told to."""

    def __init__(self) -> None:
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.sock.getsockname()[1]}/v1"

    def take(self) -> socket.socket:
        connection, _ = self.sock.accept()
        connection.settimeout(30)
        received = b""
        while b"}]}" not in received:
            received += connection.recv(65536)
        return connection

    def answer(self, connection: socket.socket) -> None:
        message = {"role": "assistant", "content": "late"}
        body = json.dumps(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 1,
                "model": "own",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            }
        ).encode()
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        connection.sendall(head % len(body) + body)


@pytest.mark.parametrize("busy", [True, False])
def test_calls_under_way_keep_their_upstream_connection_through_a_reload(tmp_path: Path, busy: bool) -> None:
    upstream = SlowUpstream()
    with upstream.sock, live(tmp_path, {"TOKLIGENCE_LLM_ENDPOINT": upstream.url}) as gateway:
        old = gateway.gateway._hub.client
        if busy:
            call = Waiting(gateway, "Hello", "own")
            connection = upstream.take()
        gateway.set("idle_timeout_s = 7\n")
        assert gateway.reload()["changed"] == ["idle_timeout_s"]
        assert gateway.gateway._hub.client is not old
        if busy:
            assert not old._closed
            upstream.answer(connection)
            call.sock.settimeout(30)
            assert b"late" in call.sock.recv(65536)
            connection.close()
            call.sock.close()
    assert old._closed


def test_with_a_local_endpoint_only_no_connection_leaves_for_any_other_host(
    tmp_path: Path, compatible_upstream: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int]] = []
    connect = upstream_client.connect

    async def recorded(*args: Any, **options: Any) -> Any:
        seen.append(args[2:4])
        return await connect(*args, **options)

    monkeypatch.setattr(upstream_client, "connect", recorded)
    environ = {
        "TOKLIGENCE_LLM_ENDPOINT": compatible_upstream.base_url,
        "TOKLIGENCE_LLM_API_KEY": compatible_upstream.key,
        "OPENAI_API_KEY": "sk-vendor",
        "ANTHROPIC_API_KEY": "sk-ant-vendor",
        "GEMINI_API_KEY": "AIzaVendor",
    }
    with live(tmp_path, environ) as gateway:
        for path in ("/v1/chat/completions", "/v1/messages"):
            for model in ("gpt-4", "claude-sonnet-4-5", "gemini-2.5-pro", "own"):
                body = {"model": model, "max_tokens": 5, "messages": CHAT["messages"]}
                assert gateway.post(path, body).headers["x-tokligence-route"] == f"llm/{model}"
        gateway.get("/v1/models")
        (warning,) = gateway.events("configuration")
        assert "OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY ignored" in warning["warning"]
    assert {host for host, _ in seen} == {"127.0.0.1"}


def test_a_reload_that_concerns_no_upstream_keeps_the_connections(tmp_path: Path) -> None:
    with live(tmp_path) as gateway:
        old = gateway.gateway._hub.client
        gateway.set("log_level = debug\n")
        gateway.reload()
        assert gateway.gateway._hub.client is old


def test_a_signal_reloads(tmp_path: Path) -> None:
    with live(tmp_path) as gateway:
        gateway.loop.call_soon_threadsafe(gateway.gateway._reload_soon)
        gateway.wait_for("reloaded")


def test_a_stamp_is_none_where_there_is_no_file(tmp_path: Path) -> None:
    assert stamp(tmp_path / "none") is None
    (tmp_path / "file").write_text("x")
    assert stamp(tmp_path / "file") != stamp(tmp_path)


def test_another_error_of_listening_keeps_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def start(*_: object) -> None:
        raise UnicodeError("label too long")

    monkeypatch.setattr(process.Server, "start", start)
    with pytest.raises(GatewayError, match="port 0: label too long"), live(tmp_path):
        pass
