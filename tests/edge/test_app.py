"""What stands at which path, who may call it, and in whose shape it refuses; against a whole gateway."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.edge.live import CHAT, Live, live
from tests.fakes.openai import OpenAI
from tests.fakes.openai_rules import MODELS
from tokligence.pipeline.exchange import ModelCall

KEY = "client-key-0123456789"


@pytest.fixture(scope="module")
def open_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Without client keys; pages of one origin may call."""
    environ = {"TOKLIGENCE_CORS_ORIGINS": "http://app.example", "TOKLIGENCE_ANTHROPIC_API_KEY": "sk-ant-x"}
    with live(tmp_path_factory.mktemp("open"), environ) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def closed_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """With one client key."""
    with live(
        tmp_path_factory.mktemp("closed"), {"TOKLIGENCE_CLIENT_KEYS": f"laptop={KEY};user=me"}
    ) as gateway:
        yield gateway


# --- paths --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", "/anthropic", "/anthropic/", "/openai", "/health", "/livez", "/readyz"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_greetings_and_probes_answer(open_gateway: Live, method: str, path: str) -> None:
    answer = open_gateway.send(method, path)
    assert answer.status == 200
    assert (answer.body == b"") is (method == "HEAD")


def test_health_tells_status_version_and_uptime(open_gateway: Live) -> None:
    health = open_gateway.get("/health").json
    assert health.keys() == {"status", "version", "uptime_s"}
    assert health["status"] == "ok"
    assert health["uptime_s"] >= 0


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions",
        "/openai/v1/chat/completions",
        "//v1//chat/completions",
        "/v1/chat%2Fcompletions",
    ],
)
def test_chat_answers_at_each_of_its_paths(open_gateway: Live, path: str) -> None:
    answer = open_gateway.post(path)
    assert answer.status == 200
    assert answer.json["choices"][0]["message"]["content"] == "Hello"
    assert answer.headers["x-tokligence-route"] == "loopback/loopback"


@pytest.mark.parametrize("path", ["/v1/messages", "/anthropic/v1/messages", "/v1/messages?beta=true"])
def test_messages_answer_at_each_of_their_paths(open_gateway: Live, path: str) -> None:
    answer = open_gateway.post(path, {**CHAT, "max_tokens": 10})
    assert answer.status == 200
    assert answer.json["content"] == [{"type": "text", "text": "Hello"}]


@pytest.mark.parametrize("path", ["/v1/messages/count_tokens", "/anthropic/v1/messages/count_tokens"])
def test_tokens_are_counted(open_gateway: Live, path: str) -> None:
    answer = open_gateway.post(path)
    assert answer.status == 200
    assert answer.json["input_tokens"] > 0


def openai_shape(body: dict[str, object]) -> bool:
    error = body["error"]
    return isinstance(error, dict) and error.keys() == {"message", "type", "param", "code"}


def anthropic_shape(body: dict[str, object]) -> bool:
    return body.keys() == {"type", "error", "request_id"} and body["type"] == "error"


def google_shape(body: dict[str, object]) -> bool:
    error = body["error"]
    return isinstance(error, dict) and error.keys() == {"code", "message", "status"}


SHAPES: list[tuple[str, Callable[[dict[str, object]], bool]]] = [
    ("/nothing", openai_shape),
    ("/v1/nothing", openai_shape),
    ("/v1/models/", openai_shape),
    ("/openai/v1/nothing", openai_shape),
    ("/anthropic/nothing", anthropic_shape),
    ("/anthropic/v1/nothing", anthropic_shape),
    ("/v1/messages/nothing", anthropic_shape),
    ("/v1beta/nothing", google_shape),
    ("/v1beta/cachedContents/x", google_shape),
    ("/genai/v1beta/nothing", google_shape),
]


@pytest.mark.parametrize(("path", "shape"), SHAPES)
def test_an_unknown_path_is_404_in_the_shape_of_its_prefix(
    open_gateway: Live, path: str, shape: Callable[[dict[str, object]], bool]
) -> None:
    answer = open_gateway.get(path)
    assert answer.status == 404
    assert answer.headers["x-tokligence-error-code"] == "http.not_found"
    assert answer.headers["x-should-retry"] == "false"
    assert shape(answer.json), answer.json


def test_googles_error_names_the_status_in_words_and_in_figures(open_gateway: Live) -> None:
    error = open_gateway.get("/v1beta/x").json["error"]
    assert (error["code"], error["status"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/chat/completions", "POST"),
        ("DELETE", "/anthropic/v1/messages", "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("POST", "/v1/models/gpt-4", "GET, HEAD"),
        ("PUT", "/health", "GET, HEAD"),
        ("OPTIONS", "/v1/messages", "POST"),
    ],
)
def test_a_wrong_method_is_405_and_tells_the_right_one(
    open_gateway: Live, method: str, path: str, allowed: str
) -> None:
    answer = open_gateway.send(method, path, b"" if method == "POST" else None)
    assert answer.status == 405
    assert answer.headers["allow"] == allowed


def test_an_error_carries_one_request_id_in_headers_and_body(open_gateway: Live) -> None:
    answer = open_gateway.get("/anthropic/x")
    request_id = answer.json["request_id"]
    for name in ("x-tokligence-request-id", "request-id", "x-request-id"):
        assert answer.headers[name] == request_id


def test_a_request_that_has_passed_through_here_is_508_wherever_it_goes(open_gateway: Live) -> None:
    hop = open_gateway.gateway._hub.hop[1].decode()
    for path in ("/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens"):
        assert open_gateway.post(path, x_tokligence_hop=hop).status == 508
    assert open_gateway.get("/v1/models", x_tokligence_hop=hop).status == 508
    assert open_gateway.get("/v1/models", x_tokligence_hop="another").status == 200
    assert open_gateway.get("/health", x_tokligence_hop=hop).status == 200


def test_a_bug_before_the_answer_is_500_and_the_log_has_its_place_under_the_same_id(
    open_gateway: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_call: ModelCall) -> None:
        raise KeyError("what was said")

    monkeypatch.setattr(ModelCall, "run", broken)
    answer = open_gateway.post("/anthropic/v1/messages")
    assert answer.status == 500
    assert anthropic_shape(answer.json)
    assert answer.headers["x-tokligence-error-code"] == "gateway.internal"
    *_, line = open_gateway.events("internal error")
    assert line["id"] == answer.json["request_id"]
    assert line["error"] == "KeyError"
    assert line["where"].startswith("test_app.py:")
    assert "what was said" not in json.dumps(line)


def test_a_bug_within_a_model_call_stands_in_the_log_under_the_id_of_its_answer(
    open_gateway: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_call: ModelCall) -> None:
        raise KeyError("what was said")

    monkeypatch.setattr(ModelCall, "_answer", broken)
    answer = open_gateway.post("/anthropic/v1/messages")
    assert answer.status == 500
    *_, line = open_gateway.events("internal error")
    assert line["id"] == answer.json["request_id"] == answer.headers["x-tokligence-request-id"]
    assert "what was said" not in json.dumps(line)


@pytest.mark.parametrize("error", [KeyError("x"), None])
def test_a_bug_within_the_answer_cuts_it(
    open_gateway: Live, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    from tokligence.errors import GatewayError

    async def broken(call: ModelCall) -> None:
        call.sink.start(200, [])
        call.sink.write(b"half")
        raise error or GatewayError("gateway.internal")

    monkeypatch.setattr(ModelCall, "run", broken)
    request = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"
    with socket.create_connection(("127.0.0.1", open_gateway.gateway.port)) as client:
        client.sendall(request)
        received = b""
        try:
            while chunk := client.recv(4096):
                received += chunk
        except ConnectionResetError:
            pass
    assert b"0\r\n\r\n" not in received


# --- who may call -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/v1/chat/completions", openai_shape),
        ("/v1/messages", anthropic_shape),
        ("/anthropic/v1/messages", anthropic_shape),
        ("/v1/messages/count_tokens", anthropic_shape),
        ("/v1beta/cachedContents/x", google_shape),
        ("/nothing", openai_shape),
    ],
)
@pytest.mark.parametrize("key", [None, "wrong"])
def test_without_a_known_key_the_answer_is_401_in_the_shape_of_the_path(
    closed_gateway: Live, path: str, shape: Callable[[dict[str, object]], bool], key: str | None
) -> None:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    answer = closed_gateway.post(path, **headers)
    assert answer.status == 401
    assert answer.headers["x-tokligence-error-code"] == ("auth.invalid_key" if key else "auth.missing_key")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert shape(answer.json), answer.json


@pytest.mark.parametrize(
    "header",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {KEY}"},
        {"x_api_key": KEY},
        {"x_goog_api_key": KEY},
        {"api_key": KEY},
        {"authorization": "Bearer sk-of-a-vendor", "x_api_key": KEY},
    ],
)
def test_a_key_is_taken_in_each_style(closed_gateway: Live, header: dict[str, str]) -> None:
    assert closed_gateway.post("/v1/chat/completions", **header).status == 200


def test_a_key_in_the_query_is_taken_and_never_logged(closed_gateway: Live) -> None:
    assert closed_gateway.post(f"/v1/chat/completions?key={KEY}&x=1").status == 200
    assert closed_gateway.post("/v1/chat/completions?key=wrong-key-42").status == 401
    text = json.dumps(closed_gateway.lines())
    assert KEY not in text
    assert "wrong-key-42" not in text


def test_the_ledger_books_on_the_keys_name(closed_gateway: Live) -> None:
    closed_gateway.post("/v1/chat/completions", x_api_key=KEY)
    assert closed_gateway.events("request")[-1]["key"] == "laptop"


@pytest.mark.parametrize("path", ["/health", "/livez", "/readyz", "/", "/anthropic", "/metrics"])
def test_probes_need_no_key_and_metrics_none_on_loopback(closed_gateway: Live, path: str) -> None:
    assert closed_gateway.get(path).status == 200


def test_metrics_need_a_key_where_other_machines_can_reach_them(tmp_path: Path) -> None:
    environ = {"TOKLIGENCE_CLIENT_KEYS": f"a={KEY}", "TOKLIGENCE_HOST": "0.0.0.0"}
    with live(tmp_path, environ) as gateway:
        assert gateway.get("/metrics").status == 401
        answer = gateway.get("/metrics", x_api_key=KEY)
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert b"tokligence_build_info" in answer.body


def test_with_keys_a_foreign_host_is_served(closed_gateway: Live) -> None:
    assert closed_gateway.get("/v1/models", host="gateway.example", x_api_key=KEY).status == 200


@pytest.mark.parametrize("path", ["/v1/models", "/metrics", "/health", "/nothing", "/anthropic/v1/models"])
@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"host": "evil.example"}, "auth.forbidden_host"),
        ({"origin": "http://evil.example"}, "auth.forbidden_origin"),
        ({"origin": "null"}, "auth.forbidden_origin"),
    ],
)
def test_without_keys_a_web_page_is_refused(
    open_gateway: Live, path: str, header: dict[str, str], code: str
) -> None:
    answer = open_gateway.get(path, **header)
    assert answer.status == 403
    assert answer.headers["x-tokligence-error-code"] == code
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("host", ["localhost", "localhost:8081", "127.0.0.1:8081", "[::1]:8081", "LOCALHOST"])
def test_without_keys_every_name_of_this_machine_is_served(open_gateway: Live, host: str) -> None:
    assert open_gateway.get("/v1/models", host=host).status == 200


def test_a_page_of_a_configured_origin_may_call_and_read(open_gateway: Live) -> None:
    for path, status in (("/v1/models", 200), ("/nothing", 404)):
        answer = open_gateway.get(path, origin="http://app.example")
        assert answer.status == status
        assert answer.headers["access-control-allow-origin"] == "http://app.example"


def test_a_preflight_is_answered_for_a_configured_origin_only(open_gateway: Live) -> None:
    asked = {"access_control_request_method": "POST", "access_control_request_headers": "authorization"}
    named = {name.replace("_", "-"): value for name, value in asked.items()}
    answer = open_gateway.send(
        "OPTIONS", "/v1/chat/completions", None, {**named, "origin": "http://app.example"}
    )
    assert answer.status == 204
    assert answer.headers["access-control-allow-headers"] == "authorization"
    refused = open_gateway.send(
        "OPTIONS", "/v1/chat/completions", None, {**named, "origin": "http://evil.example"}
    )
    assert refused.status == 403


# --- the endpoints of the command line ------------------------------------------------------------------

ADMIN = [("GET", "status"), ("GET", "models"), ("POST", "reload"), ("POST", "flush"), ("POST", "stop")]


@pytest.mark.parametrize(("method", "what"), ADMIN)
def test_the_commands_endpoints_want_the_token_of_the_run_directory(
    open_gateway: Live, closed_gateway: Live, method: str, what: str
) -> None:
    for gateway in (open_gateway, closed_gateway):
        for sent in ({}, {"authorization": "Bearer wrong"}, {"x-api-key": KEY}):
            answer = gateway.send(method, f"/admin/api/v1/{what}", None, sent)
            assert answer.status == 401


@pytest.mark.parametrize(("method", "what"), ADMIN[:-1])
def test_with_the_token_they_answer(open_gateway: Live, method: str, what: str) -> None:
    token = {"authorization": f"Bearer {open_gateway.gateway.token}"}
    answer = open_gateway.send(method, f"/admin/api/v1/{what}", None, token)
    assert answer.status == 200
    assert answer.json


def test_the_status_has_what_scripts_read(open_gateway: Live) -> None:
    token = {"authorization": f"Bearer {open_gateway.gateway.token}"}
    status = open_gateway.send("GET", "/admin/api/v1/status", None, token).json
    assert status["running"] is True
    assert (status["host"], status["port"]) == ("localhost", open_gateway.gateway.port)
    assert status["workers"] == 1
    assert status["journal_backlog"] >= 0
    assert status["requests_in_flight"] == 0
    providers = {each["name"]: each for each in status["providers"]}
    assert providers["loopback"] == {
        "name": "loopback",
        "configured": True,
        "state": "configured",
        "reason": None,
    }
    assert providers["openai"]["reason"] == "openai_api_key is not set"
    assert providers["anthropic"]["configured"] is True


def test_stop_answers_and_then_ends(tmp_path: Path) -> None:
    with live(tmp_path) as gateway:
        token = {"authorization": f"Bearer {gateway.gateway.token}"}
        assert gateway.send("POST", "/admin/api/v1/stop", None, token).json == {"stopping": True}
        gateway.joined()
        assert not gateway.gateway.home.state_file.exists()


def test_while_it_drains_it_is_not_ready(tmp_path: Path) -> None:
    with live(tmp_path) as gateway:
        gateway.within(lambda: setattr(gateway.gateway, "_draining", True))
        answer = gateway.get("/readyz")
        assert answer.status == 503
        assert answer.headers["x-tokligence-error-code"] == "gateway.shutting_down"
        assert gateway.get("/livez").status == 200


# --- lists of models ------------------------------------------------------------------------------------


def test_models_are_listed_in_openais_shape(open_gateway: Live) -> None:
    listed = open_gateway.get("/v1/models").json
    assert listed["object"] == "list"
    assert {"id", "object", "created", "owned_by"} <= listed["data"][0].keys()
    assert "loopback" in {model["id"] for model in listed["data"]}
    assert open_gateway.get("/openai/v1/models").json == listed


def test_models_are_listed_in_anthropics_shape_for_its_clients(open_gateway: Live) -> None:
    listed = open_gateway.get("/v1/models", anthropic_version="2023-06-01").json
    assert {"data", "has_more", "first_id", "last_id"} <= listed.keys()
    assert listed["data"][0]["type"] == "model"
    assert open_gateway.get("/anthropic/v1/models").json == listed


def test_one_model_is_shown_in_either_shape(open_gateway: Live) -> None:
    (name,) = {m["id"] for m in open_gateway.get("/v1/models").json["data"] if m["id"] == "loopback"}
    assert open_gateway.get(f"/v1/models/{name}").json["object"] == "model"
    assert open_gateway.get(f"/anthropic/v1/models/{name}").json["type"] == "model"
    assert open_gateway.get(f"/v1/models/{name}", anthropic_version="2023-06-01").json["type"] == "model"


def test_a_model_that_is_not_there_is_404_in_the_callers_shape(open_gateway: Live) -> None:
    answer = open_gateway.get("/v1/models/no/such")
    assert answer.status == 404
    assert openai_shape(answer.json)
    answer = open_gateway.get("/v1/models/no-such", anthropic_version="2023-06-01")
    assert answer.status == 404
    assert anthropic_shape(answer.json)


def test_only_configured_providers_models_are_listed(open_gateway: Live) -> None:
    owners = {model["owned_by"] for model in open_gateway.get("/v1/models").json["data"]}
    assert owners == {"anthropic", "loopback"}


def test_a_custom_endpoints_list_joins(tmp_path: Path, compatible_upstream: OpenAI) -> None:
    environ = {
        "TOKLIGENCE_LLM_ENDPOINT": compatible_upstream.base_url,
        "TOKLIGENCE_LLM_API_KEY": compatible_upstream.key,
    }
    with live(tmp_path, environ) as gateway:
        listed = {model["id"]: model["owned_by"] for model in gateway.get("/v1/models").json["data"]}
        name = next(iter(MODELS))
        assert listed[name] == "llm"
        assert gateway.get(f"/v1/models/{name}").json["id"] == name


def test_an_endpoint_that_is_down_is_left_out(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        environ = {"TOKLIGENCE_LLM_ENDPOINT": f"http://127.0.0.1:{unused.getsockname()[1]}/v1"}
        with live(tmp_path, environ) as gateway:
            answer = gateway.get("/v1/models")
    assert answer.status == 200
    assert [model["id"] for model in answer.json["data"]] == ["loopback"]
