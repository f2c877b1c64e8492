"""Bad input, each with its status: what a client may send wrong, over a raw socket, and what the machine may do."""

from __future__ import annotations

import errno
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.live import CHAT, Live, Reply, live, read_reply
from tokligence.edge.listen import AddressInUse
from tokligence.ledger.query import UsageReader

CHAT_PATH = b"/v1/chat/completions"
MESSAGES_PATH = b"/v1/messages"
HEAD = b"Host: localhost\r\nContent-Type: application/json\r\n"
MESSAGES = b'"messages":[{"role":"user","content":"Hi"}]'
GOOD = b'{"model":"loopback","max_tokens":5,%b}' % MESSAGES


def post(
    body: bytes, path: bytes = CHAT_PATH, head: bytes = HEAD, extra: bytes = b"", length: int | None = None
) -> bytes:
    announced = len(body) if length is None else length
    return b"POST %b HTTP/1.1\r\n%bContent-Length: %d\r\n%b\r\n%b" % (path, head, announced, extra, body)


def with_field(field: bytes) -> bytes:
    return b'{"model":"loopback","max_tokens":5,%b,%b}' % (field, MESSAGES)


def saying(content: bytes) -> bytes:
    return b'{"model":"loopback","max_tokens":5,"messages":[{"role":"user","content":%b}]}' % content


HUGE = b'{"model":"loopback","max_tokens":%b,%b}' % (b"9" * 400, MESSAGES)
NAMELESS = b'{"model":"","max_tokens":5,%b}' % MESSAGES
DEEP = b"[" * 10_000 + b"]" * 10_000

# Each on both endpoints. Of repeated keys the last counts, as for the vendors' own parsers; where we would have to
# rewrite one of them the request is refused (see below).
BODIES: list[tuple[str, bytes, int, str | None]] = [
    ("good", GOOD, 200, None),
    ("a key repeated", b'{"max_tokens":1,"model":"gpt-4","model":"loopback",%b}' % MESSAGES, 200, None),
    ("NaN", with_field(b'"temperature":NaN'), 400, "request.invalid_json"),
    ("NaN in an unknown field", with_field(b'"x":[NaN]'), 400, "request.invalid_json"),
    ("infinity", with_field(b'"x":-Infinity'), 400, "request.invalid_json"),
    ("a number beyond any double", with_field(b'"temperature":1e999'), 400, "request.invalid_json"),
    ("a lone surrogate", saying(b'"a\\ud800b"'), 400, "request.invalid_json"),
    (
        "a lone surrogate as model",
        b'{"model":"\\udfff","max_tokens":5,%b}' % MESSAGES,
        400,
        "request.invalid_json",
    ),
    ("a pair of surrogates", saying(b'"\\ud83d\\ude00"'), 200, None),
    ("10,000 deep in an unknown field", with_field(b'"x":' + DEEP), 400, "request.too_deep"),
    ("10,000 deep in the content", saying(DEEP), 400, "request.too_deep"),
    ("10,000 deep from the top", DEEP, 400, "request.too_deep"),
    ("10,000 objects deep", b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400, "request.too_deep"),
    ("10,000 deep and cut short", b"[" * 10_000, 400, "request.too_deep"),
    ("a byte order mark", b"\xef\xbb\xbf" + GOOD, 400, "request.invalid_json"),
    ("UTF-16", GOOD.decode().encode("utf-16"), 400, "request.invalid_json"),
    ("bytes that are no UTF-8", saying(b'"\xff"'), 400, "request.invalid_json"),
    ("an empty body", b"", 400, "request.invalid_json"),
    ("white space only", b" \r\n", 400, "request.invalid_json"),
    ("an array", b"[]", 400, "request.invalid_field"),
    ("null", b"null", 400, "request.invalid_field"),
    ("JSON cut short", GOOD[:-5], 400, "request.invalid_json"),
    ("something behind the JSON", GOOD + b"{}", 400, "request.invalid_json"),
    ("a line end within a key", with_field(b'"a\nb":1'), 400, "request.invalid_json"),
    ("an escaped line end within a key", with_field(b'"a\\nb":1'), 200, None),
    ("a NUL within a key", with_field(b'"a\x00b":1'), 400, "request.invalid_json"),
    (
        "a huge integer in an unknown field",
        with_field(b'"x":' + b"9" * 5000),
        400,
        "request.invalid_json",
    ),
    (
        "a negative limit",
        b'{"model":"loopback","max_tokens":-1,%b}' % MESSAGES,
        400,
        "request.invalid_field",
    ),
    ("a model of another type", b'{"model":3,"max_tokens":5,%b}' % MESSAGES, 400, "request.invalid_field"),
    ("no model", b'{"max_tokens":5,%b}' % MESSAGES, 400, "request.missing_field"),
    ("no messages", b'{"model":"loopback","max_tokens":5}', 400, "request.missing_field"),
    ("a model with a line end", b'{"model":"a\\nb","max_tokens":5,%b}' % MESSAGES, 404, "route.no_match"),
    (
        "a model of a megabyte",
        b'{"model":"%b","max_tokens":5,%b}' % (b"m" * 1_000_000, MESSAGES),
        404,
        "route.no_match",
    ),
]

REQUESTS: list[tuple[str, bytes, int, str | None]] = [
    *((f"{name}, Chat", post(body), status, code) for name, body, status, code in BODIES),
    *((f"{name}, Messages", post(body, MESSAGES_PATH), status, code) for name, body, status, code in BODIES),
    ("a huge integer, Chat", post(HUGE), 400, "request.invalid_field"),
    ("a huge integer, Messages", post(HUGE, MESSAGES_PATH), 400, "request.invalid_field"),
    ("an empty model, Chat", post(NAMELESS), 400, "request.invalid_field"),
    ("an empty model, Messages", post(NAMELESS, MESSAGES_PATH), 404, "route.no_match"),
    (
        "text/plain",
        post(GOOD, head=b"Host: localhost\r\nContent-Type: text/plain\r\n"),
        415,
        "http.unsupported_media_type",
    ),
    (
        "a form",
        post(GOOD, head=b"Host: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"),
        415,
        "http.unsupported_media_type",
    ),
    ("no content type", post(GOOD, head=b"Host: localhost\r\n"), 200, None),
    (
        "a content type with a charset",
        post(GOOD, head=b"Host: localhost\r\nContent-Type: Application/JSON; charset=utf-8\r\n"),
        200,
        None,
    ),
    (
        "neither length nor body",
        b"POST %b HTTP/1.1\r\n%b\r\n" % (CHAT_PATH, HEAD),
        400,
        "request.invalid_json",
    ),
    (
        "Content-Length with chunked",
        post(GOOD, extra=b"Transfer-Encoding: chunked\r\n"),
        400,
        "http.malformed",
    ),
    ("two lengths", post(GOOD, extra=b"Content-Length: 5\r\n"), 400, "http.malformed"),
    (
        "a length that is no number",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1x\r\n\r\na",
        400,
        "http.malformed",
    ),
    ("//v1/", post(GOOD, b"//v1///chat/completions"), 200, None),
    ("encoded slashes", post(GOOD, b"/v1%2Fchat%2fcompletions"), 200, None),
    ("encoded dots", post(GOOD, b"/v1/%2e%2e/v1/chat/completions"), 200, None),
    ("a path twice encoded", post(GOOD, b"/v1%252Fchat/completions"), 404, "http.not_found"),
    ("a bad escape in the path", post(GOOD, b"/v1/%zz"), 400, "http.malformed"),
    ("a NUL in the path", post(GOOD, b"/v1/%00"), 400, "http.malformed"),
    ("a line end in the path", post(GOOD, b"/v1/%0d%0aX: y"), 400, "http.malformed"),
    ("a key with a line end", post(GOOD, extra=b"Authorization: Bearer a\nb\r\n"), 400, "http.malformed"),
    ("a folded key", post(GOOD, extra=b"Authorization: Bearer a\r\n b\r\n"), 400, "http.malformed"),
    ("a key with a NUL", post(GOOD, extra=b"X-Api-Key: a\0b\r\n"), 400, "http.malformed"),
    # Without client keys any key will do, and none goes on.
    ("a key with an encoded line end", post(GOOD, CHAT_PATH + b"?key=a%0Ab"), 200, None),
    ("no host", b"GET /health HTTP/1.1\r\n\r\n", 400, "http.malformed"),
    (
        "two hosts",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        400,
        "http.malformed",
    ),
    ("gzip that is none", post(GOOD, extra=b"Content-Encoding: gzip\r\n"), 400, "http.bad_encoding"),
    (
        "an unknown encoding",
        post(GOOD, extra=b"Content-Encoding: br\r\n"),
        415,
        "http.unsupported_encoding",
    ),
    ("a head of 70 KB", post(GOOD, extra=b"X: " + b"a" * 70_000 + b"\r\n"), 431, "http.headers_too_large"),
    ("200 headers", post(GOOD, extra=b"X: y\r\n" * 200), 431, "http.headers_too_large"),
    ("a body announced above the limit", post(b"", length=1 << 40), 413, "http.body_too_large"),
    ("another version of HTTP", b"GET / HTTP/3.0\r\nHost: localhost\r\n\r\n", 400, "http.malformed"),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "http.malformed"),
    ("a tunnel", b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 405, "http.method_not_allowed"),
    (
        "a web socket",
        post(GOOD, extra=b"Connection: upgrade\r\nUpgrade: websocket\r\n"),
        426,
        "http.upgrade_refused",
    ),
]

CUT_SHORT: list[tuple[str, bytes]] = [
    ("a body cut short", post(GOOD, length=len(GOOD) + 10)),
    (
        "chunks cut short",
        b"POST %b HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n40\r\n{" % (CHAT_PATH, HEAD),
    ),
    ("a head cut short", b"POST %b HTTP/1.1\r\nHost: loc" % CHAT_PATH),
]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(tmp_path_factory.mktemp("bad")) as running:
        yield running
        assert not [line for line in running.lines() if line["level"] == "error"]


def check(answer: Reply, status: int, code: str | None) -> None:
    assert answer.status == status, answer
    assert answer.headers.get("x-tokligence-error-code") == code
    assert answer.headers["x-tokligence-request-id"]
    if code is not None:
        assert "error" in answer.json


@pytest.mark.parametrize(
    ("sent", "status", "code"), [row[1:] for row in REQUESTS], ids=[row[0] for row in REQUESTS]
)
def test_bad_input_has_its_status(gateway: Live, sent: bytes, status: int, code: str | None) -> None:
    check(read_reply(gateway.raw(sent)), status, code)


@pytest.mark.parametrize("sent", [row[1] for row in CUT_SHORT], ids=[row[0] for row in CUT_SHORT])
def test_what_is_cut_short_is_400(gateway: Live, sent: bytes) -> None:
    check(read_reply(gateway.raw(sent, half_close=True)), 400, "http.malformed")


def test_a_repeated_model_that_would_have_to_be_rewritten_is_refused(tmp_path: Path) -> None:
    environ = {
        "TOKLIGENCE_LLM_ENDPOINT": "http://127.0.0.1:9/v1",
        "TOKLIGENCE_MODEL_PROVIDER_ROUTES": "renamed=llm/other",
    }
    with live(tmp_path, environ) as gateway:
        body = b'{"model":"x","model":"renamed",%b}' % MESSAGES
        check(read_reply(gateway.raw(post(body))), 400, "request.duplicate_key")


@pytest.mark.parametrize("key", [b"k%0Aey", b"k%00", b"%FF", b""])
def test_with_keys_an_odd_key_in_the_query_is_401(tmp_path: Path, key: bytes) -> None:
    with live(tmp_path, {"TOKLIGENCE_CLIENT_KEYS": "a=a-client-key-123"}) as gateway:
        answer = read_reply(gateway.raw(post(GOOD, CHAT_PATH + b"?key=" + key)))
        check(answer, 401, "auth.invalid_key" if key else "auth.missing_key")


# --- the machine ----------------------------------------------------------------------------------------


def test_a_full_disk_refuses_calls_with_503_until_there_is_room(tmp_path: Path) -> None:
    def full(_file: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with live(tmp_path) as gateway:
        journal = gateway.gateway._ledger._journal
        write = journal._write
        gateway.within(lambda: setattr(journal, "_write", full))
        answer = gateway.post("/v1/chat/completions")
        check(answer, 503, "gateway.ledger_unavailable")
        assert "No space left on device" in answer.json["error"]["message"]
        assert gateway.get("/health").status == 200
        assert gateway.get("/v1/models").status == 200
        gateway.within(lambda: setattr(journal, "_write", write))
        assert gateway.post("/v1/chat/completions").status == 200


def test_a_full_journal_refuses_calls_with_503_while_the_database_cannot_take_them(tmp_path: Path) -> None:
    with live(tmp_path) as gateway:
        journal = gateway.gateway._ledger._journal
        gateway.within(lambda: setattr(journal, "_max_bytes", 0))
        answer = gateway.post("/v1/chat/completions")
        check(answer, 503, "gateway.ledger_unavailable")
        assert "ledger_journal_max_bytes" in answer.json["error"]["message"]


@pytest.mark.parametrize("jump", [-86_400, 10 * 365 * 86_400], ids=["back a day", "ahead ten years"])
def test_a_clock_that_jumps_disturbs_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    seconds, nanoseconds = time.time, time.time_ns
    with live(tmp_path) as gateway:
        assert gateway.post("/v1/chat/completions").status == 200
        monkeypatch.setattr(time, "time", lambda: seconds() + jump)
        monkeypatch.setattr(time, "time_ns", lambda: nanoseconds() + jump * 10**9)
        assert gateway.post("/v1/chat/completions").status == 200
        assert 0 <= gateway.get("/health").json["uptime_s"] < 60
        assert gateway.within(gateway.gateway.ready)
    with UsageReader(gateway.gateway.home.ledger_db) as reader:
        rows = reader.recent()
        assert [row.outcome for row in rows] == ["ok", "ok"]
        assert all(row.latency_ms is not None and 0 <= row.latency_ms < 60_000 for row in rows)


def test_a_busy_port_is_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with live(tmp_path / "first") as first:
        with pytest.raises(AddressInUse), live(tmp_path / "second", port=str(first.gateway.port)):
            pass
        assert first.get("/health").status == 200
    run_dir = tmp_path / "second" / "run"
    assert [path.name for path in run_dir.iterdir()] == ["gateway.lock"]


# --- secrets --------------------------------------------------------------------------------------------

MARKERS = {
    "TOKLIGENCE_OPENAI_API_KEY": "sk-MARKER-openai-0001",
    "TOKLIGENCE_ANTHROPIC_API_KEY": "sk-ant-MARKER-anthropic-0002",
    "TOKLIGENCE_GOOGLE_API_KEY": "AIzaMARKER-google-0003",
    "TOKLIGENCE_LLM_API_KEY": "MARKER-llm-0004",
    "TOKLIGENCE_CLIENT_KEYS": "laptop=MARKER-client-0005",
}


def test_no_secret_and_no_prompt_stands_in_what_we_write(tmp_path: Path) -> None:
    environ = {
        **MARKERS,
        "TOKLIGENCE_LOG_LEVEL": "debug",
        "TOKLIGENCE_OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "TOKLIGENCE_ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
        "TOKLIGENCE_LLM_ENDPOINT": "http://127.0.0.1:9/v1",
    }
    said = {"role": "user", "content": "MARKER-prompt"}
    answers = []
    with live(tmp_path, environ) as gateway:
        for key in ("MARKER-client-0005", "MARKER-wrong-0006"):
            for path in ("/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens", "/nothing"):
                for model in ("gpt-4", "claude-sonnet-4-5", "gemini-2.5-pro", "own"):
                    body = {"model": model, "max_tokens": 5, "messages": [said]}
                    answers.append(gateway.post(path, body, authorization=f"Bearer {key}"))
        answers.append(gateway.post("/v1/chat/completions?key=MARKER-wrong-0007", CHAT))
        answers.append(
            gateway.post("/v1/chat/completions", {"model": "x", "messages": [{"role": "MARKER-prompt"}]})
        )
        answers.append(gateway.get("/metrics"))
        answers.append(gateway.get("/v1/models", x_api_key="MARKER-client-0005"))
        token = {"authorization": f"Bearer {gateway.gateway.token}"}
        for method, what in (("GET", "status"), ("GET", "models"), ("POST", "reload"), ("POST", "flush")):
            answers.append(gateway.send(method, f"/admin/api/v1/{what}", None, token))
        state = gateway.gateway.home.state_file.read_bytes()
        assert gateway.gateway.token.encode() in state
        kept = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        run_token = gateway.gateway.token
        lines = json.dumps(gateway.lines())
    kept |= {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for path, data in kept.items():
        assert b"MARKER" not in data, path
        assert path.name == "gateway.json" or run_token.encode() not in data, path
    assert run_token not in lines
    for answer in answers:
        assert b"MARKER" not in answer.body, answer
        assert "MARKER" not in json.dumps(answer.headers), answer
