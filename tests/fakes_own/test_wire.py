"""What the scripted upstreams can do to a connection, and what they notice of their clients."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from tests.fakes import replies
from tests.fakes.openai import OpenAI
from tests.fakes.replies import Failure, Gate, Raw, Reply, Text, Wire

BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
STREAM = BODY | {"stream": True}


def _client(fake: OpenAI, **headers: str) -> httpx2.Client:
    return httpx2.Client(
        base_url=fake.base_url, headers={"authorization": f"Bearer {fake.key}"} | headers, timeout=20
    )


def _raw(fake: OpenAI, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", fake.server.port)) as sock:
        sock.sendall(request)
        answer = b""
        while data := sock.recv(65536):
            answer += data
    return answer


def test_a_gate_holds_a_stream_until_it_is_opened(openai_upstream: OpenAI) -> None:
    gate = Gate()
    openai_upstream.script(replies.text("a", "b", wire=Wire(gates={2: gate})))
    with (
        _client(openai_upstream) as client,
        client.stream("POST", "/chat/completions", json=STREAM) as answer,
    ):
        lines = answer.iter_lines()
        seen = [next(line for line in lines if line) for _ in range(2)]
        gate.wait()
        assert not openai_upstream.last.finished.is_set()
        gate.open()
        seen += [line for line in lines if line]
    assert seen[-1] == "data: [DONE]"
    assert openai_upstream.last.finished.wait(20)


def test_an_open_gate_holds_nothing(openai_upstream: OpenAI) -> None:
    gate = Gate()
    gate.open()
    openai_upstream.script(replies.text("a", wire=Wire(hold=gate, gates={1: gate}, delay=0.001, drip=0.001)))
    with _client(openai_upstream) as client:
        assert client.post("/chat/completions", json=STREAM).text.endswith("data: [DONE]\n\n")


def test_an_unreached_gate_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="never reached"):
        Gate().wait(timeout=0)


def test_a_client_that_leaves_is_noticed_while_a_reply_is_held(openai_upstream: OpenAI) -> None:
    gate = Gate()
    openai_upstream.script(replies.text("a", "b", wire=Wire(gates={2: gate})))
    with (
        _client(openai_upstream) as client,
        client.stream("POST", "/chat/completions", json=STREAM) as answer,
    ):
        next(answer.iter_raw())
        gate.wait()
    assert openai_upstream.disconnected.wait(20)
    assert openai_upstream.last.disconnected.wait(20)
    assert not openai_upstream.last.finished.is_set()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("at", [0, 1, 50])
@pytest.mark.parametrize("how", ["cut_at", "reset_at"])
def test_an_answer_can_end_at_any_byte(openai_upstream: OpenAI, how: str, at: int, stream: bool) -> None:
    end: Any = {how: at}
    openai_upstream.script(replies.text("hello", wire=Wire(**end)))
    seen = b""
    with (
        _client(openai_upstream) as client,
        pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)),
        client.stream("POST", "/chat/completions", json=STREAM if stream else BODY) as answer,
    ):
        for piece in answer.iter_raw():
            seen += piece
    # A reset may overtake what was sent before it.
    assert len(seen) == at if how == "cut_at" else len(seen) <= at


@pytest.mark.parametrize("how", ["cut_frame", "reset_frame"])
@pytest.mark.parametrize("frame", [0, 2, 4])
def test_an_answer_can_end_before_any_frame(openai_upstream: OpenAI, how: str, frame: int) -> None:
    gate = Gate()
    end: Any = {how: frame}
    openai_upstream.script(replies.text("a", wire=Wire(gates={frame: gate}, **end)))
    seen = b""
    with (
        _client(openai_upstream) as client,
        pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)),
        client.stream("POST", "/chat/completions", json=STREAM) as answer,
    ):
        gate.open()
        for piece in answer.iter_raw():
            seen += piece
    assert seen.count(b"data: ") == frame or how == "reset_frame"


def test_an_answer_can_stall_until_the_client_leaves(openai_upstream: OpenAI) -> None:
    openai_upstream.script(replies.text("hello", wire=Wire(stall_at=10)))
    with (
        _client(openai_upstream) as client,
        client.stream("POST", "/chat/completions", json=STREAM) as answer,
    ):
        assert len(next(answer.iter_raw())) == 10
    assert openai_upstream.last.disconnected.wait(20)


@pytest.mark.parametrize("split", [1, 7, (3, 4, 90)])
def test_pieces_of_any_size_make_the_same_stream(openai_upstream: OpenAI, split: Any) -> None:
    reply = Reply((Text("häé 你好 😀", chunks=["häé ", "你好", " 😀"]),), model="m")
    openai_upstream.script(reply, Reply(reply.parts, model="m", wire=Wire(split=split)))
    with _client(openai_upstream) as client:
        one, other = (client.post("/chat/completions", json=STREAM).text for _ in range(2))
    ids = [json.loads(text.splitlines()[0].removeprefix("data: "))["id"] for text in (one, other)]
    assert one.replace(ids[0], ids[1]) == other


def test_frames_can_be_mangled_at_will(openai_upstream: OpenAI) -> None:
    openai_upstream.script(replies.text("a", mangle=lambda frames: [b"data: {half\n\n", *frames[-1:]]))
    with _client(openai_upstream) as client:
        assert client.post("/chat/completions", json=STREAM).text == "data: {half\n\ndata: [DONE]\n\n"


def test_connections_are_kept_alive_unless_the_script_closes_them(openai_upstream: OpenAI) -> None:
    before = openai_upstream.connections
    openai_upstream.script(replies.text("a"), replies.text("b", wire=Wire(close=True)), Raw(b"{}"))
    with _client(openai_upstream) as client:
        for _ in range(3):
            client.post("/chat/completions", json=BODY)
    assert openai_upstream.connections - before == 2


def test_a_script_may_decide_by_the_request(openai_upstream: OpenAI) -> None:
    openai_upstream.script(lambda request: replies.text(request.json["model"]))
    with _client(openai_upstream) as client:
        assert (
            client.post("/chat/completions", json=BODY).json()["choices"][0]["message"]["content"] == "gpt-4o"
        )


def test_chunked_bodies_and_expectations_are_read(openai_upstream: OpenAI) -> None:
    body = json.dumps(BODY).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{openai_upstream.server.port}\r\n"
        f"authorization: Bearer {openai_upstream.key}\r\ncontent-type: application/json\r\nconnection: close\r\n"
    ).encode()
    chunked = b"transfer-encoding: chunked\r\n\r\n5\r\n" + body[:5] + b"\r\n"
    chunked += b"%x\r\n%b\r\n0\r\n\r\n" % (len(body) - 5, body[5:])
    assert _raw(openai_upstream, head + chunked).startswith(b"HTTP/1.1 200 OK\r\n")
    expecting = b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    assert _raw(openai_upstream, head + expecting).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("request_head", "fault"),
    [
        ("GET / HTTP/1.0\r\nhost: a", "request line"),
        ("GET /\r\nhost: a", "request line"),
        ("GET / HTTP/1.1\r\nno colon", "header line"),
        ("GET / HTTP/1.1\r\nname : x", "header line"),
        ("GET / HTTP/1.1\r\na: b", "one Host"),
        (
            "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked",
            "with Transfer-Encoding",
        ),
        ("GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 1", "Content-Length"),
        ("GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip", "Transfer-Encoding"),
    ],
)
def test_bad_framing_ends_the_connection_and_is_recorded(
    openai_upstream: OpenAI, request_head: str, fault: str
) -> None:
    openai_upstream.expect(fault)
    assert _raw(openai_upstream, f"{request_head}\r\n\r\n".encode()).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    ("headers", "fault"),
    [
        ({"te": "trailers"}, "hop-by-hop header te"),
        ({"connection": "upgrade"}, "connection: upgrade"),
        ({"x-api-key": "other"}, "credential header x-api-key"),
        ({"host": "api.openai.com"}, "host is 'api.openai.com'"),
        ({"x-tokligence-strict": "1"}, "meant for the gateway only"),
        ({"x-note": "client-secret"}, "a client's key reached the upstream"),
    ],
)
def test_headers_that_must_not_be_forwarded_are_recorded(
    openai_upstream: OpenAI, headers: dict[str, str], fault: str
) -> None:
    openai_upstream.expect(fault)
    openai_upstream.must_not_see("client-secret")
    with _client(openai_upstream, **headers) as client:
        client.get("/models")


def test_a_repeated_header_is_recorded(openai_upstream: OpenAI) -> None:
    openai_upstream.expect("header accept came 2 times")
    port, key = openai_upstream.server.port, openai_upstream.key
    head = f"GET /v1/models HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {key}\r\n"
    _raw(openai_upstream, f"{head}accept: a\r\naccept: b\r\nconnection: close\r\n\r\n".encode())


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b'{"model": "gpt-4o", "model": "gpt-4o"}', "a key is repeated"),
        (b'{"temperature": NaN}', "NaN is not JSON"),
        (b"\xff", "not UTF-8"),
        (b"{", "could not parse"),
        (b"[]", "could not parse"),
    ],
)
def test_bad_json_is_refused(openai_upstream: OpenAI, body: bytes, fault: str) -> None:
    openai_upstream.expect(fault)
    with _client(openai_upstream) as client:
        headers = {"content-type": "application/json"}
        assert client.post("/chat/completions", content=body, headers=headers).status_code == 400


def test_another_content_type_is_refused(openai_upstream: OpenAI) -> None:
    openai_upstream.expect("Unsupported Media Type")
    with _client(openai_upstream) as client:
        assert client.post("/chat/completions", content=b"{}").status_code == 415


def test_an_unknown_path_and_a_missing_key_are_refused(openai_upstream: OpenAI) -> None:
    openai_upstream.expect("Invalid URL (GET /v1/nothing)")
    openai_upstream.expect("You didn't provide an API key")
    with _client(openai_upstream) as client:
        assert client.get("/nothing").status_code == 404
        assert httpx2.get(f"{openai_upstream.base_url}/models").status_code == 401


def test_the_verdict_names_what_is_wrong_with_a_test() -> None:
    fake = OpenAI()
    fake.start()
    fake.expect("something else")
    fake.script(Failure(500), Failure(500), lambda request: 1 // 0)  # type: ignore[arg-type, return-value]
    with _client(fake) as client:
        client.get("/nothing")
        for _ in range(2):
            client.post("/chat/completions", json=BODY)
        with pytest.raises(httpx2.RemoteProtocolError):
            client.post("/chat/completions", json=BODY)
    fake.script(Failure(500))
    verdict = "\n".join(fake.verdict())
    assert "Invalid URL" in verdict
    assert "expected, but did not happen: something else" in verdict
    assert "the fake itself failed: ZeroDivisionError" in verdict
    assert "1 scripted replies were never asked for" in verdict
    fake.reset()
    assert fake.verdict() == []
    fake.stop()


def test_requests_can_be_waited_for(openai_upstream: OpenAI) -> None:
    with pytest.raises(AssertionError, match="0 of 1 requests came"):
        openai_upstream.wait_for_requests(1, timeout=0)
    gate = Gate()
    openai_upstream.script(replies.text("a", wire=Wire(hold=gate)))

    def ask() -> None:
        with _client(openai_upstream) as client:
            client.post("/chat/completions", json=BODY)

    asking = threading.Thread(target=ask)
    asking.start()
    assert openai_upstream.wait_for_requests(1)[0].json == BODY
    gate.open()
    asking.join()


def test_many_clients_at_once_are_served(openai_upstream: OpenAI) -> None:
    async def ask_all() -> list[str | None]:
        async with openai.AsyncOpenAI(
            base_url=openai_upstream.base_url, api_key=openai_upstream.key
        ) as client:
            asks = [
                client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": str(i)}])
                for i in range(50)
            ]
            return [a.choices[0].message.content for a in await asyncio.gather(*asks)]

    assert asyncio.run(ask_all()) == [f"You said: {i}" for i in range(50)]


def test_a_large_answer_waits_for_a_slow_reader(openai_upstream: OpenAI) -> None:
    openai_upstream.script(Raw(b"x" * 20_000_000))
    with _client(openai_upstream) as client:
        assert len(client.post("/chat/completions", json=BODY).content) == 20_000_000


def test_the_fakes_run_as_a_process() -> None:
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.fakes"], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        where = json.loads(process.stdout.readline())["openai"]
        assert httpx2.get(f"{where['base_url']}/models").status_code == 401
        assert b"You didn't provide an API key" in process.stderr.readline()
        process.terminate()
