"""Upstreams that answer with something that is no answer, or not at all."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket

import pytest

from tests.fakes import replies
from tests.fakes.replies import Raw, Wire
from tests.pipeline.harness import CHAT, MESSAGES, Bench, chat, messages, reached

CLAUDE = "claude-sonnet-4-5"
NO_ANSWERS = {
    "a page": (b"<html>login</html>", "text/html"),
    "nothing": (b"", "application/json"),
    "half a document": (b'{"id": "x", "choi', "application/json"),
    "another document": (b'{"ok": true}', "application/json"),
    "a list": (b"[1]", "application/json"),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("what", NO_ANSWERS)
@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, chat()),
        (MESSAGES, messages()),
        (CHAT, chat(model=CLAUDE)),
        (MESSAGES, messages(model="gpt-4o")),
    ],
)
async def test_200_with_something_else_is_a_bad_gateway(
    bench: Bench, path: str, body: dict, what: str, stream: bool
):
    gate = await bench.serve()
    raw, kind = NO_ANSWERS[what]
    upstream = bench.anthropic if body["model"] == CLAUDE else bench.openai
    upstream.script(Raw(raw, content_type=kind))
    reply = await gate.ask(path, {**body, "stream": stream})
    assert reply.status == 502
    assert reply.headers["x-tokligence-error-code"] == "upstream.bad_response"
    message = json.loads(reply.body)["error"]["message"]
    assert "login" not in message
    row = gate.row
    assert (row.status, row.outcome, row.error_code) == (502, "upstream_error", "upstream.bad_response")
    assert (row.usage_source, row.attempts) == ("none", 1)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, chat()),
        (CHAT, chat(model=CLAUDE)),
        (MESSAGES, messages()),
        (MESSAGES, messages(model="gpt-4o")),
    ],
)
async def test_an_event_stream_that_says_nothing_is_a_bad_gateway(bench: Bench, path: str, body: dict):
    gate = await bench.serve()
    upstream = bench.anthropic if body["model"] == CLAUDE else bench.openai
    upstream.script(Raw(b"", content_type="text/event-stream"))
    reply = await gate.ask(path, {**body, "stream": True})
    assert (reply.status, reply.headers["x-tokligence-error-code"]) == (502, "upstream.cut")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [301, 302, 307, 308, 304])
async def test_redirects_are_not_followed(bench: Bench, status: int, stream: bool):
    gate = await bench.serve()
    for path, body in ((CHAT, chat(stream=stream)), (MESSAGES, messages(model="gpt-4o", stream=stream))):
        bench.openai.script(Raw(b"", status, headers={"location": "http://127.0.0.1:9/elsewhere"}))
        reply = await gate.ask(path, body)
        assert reply.status == 502
        assert f"status {status}" in json.loads(reply.body)["error"]["message"]
        assert "location" not in reply.headers
    assert {port for _, port in gate.connects} == {bench.openai.server.port}


async def test_a_compressed_body_that_nobody_asked_for_is_named(bench: Bench):
    gate = await bench.serve()
    packed = gzip.compress(b'{"id":"x"}')
    for path, body in ((CHAT, chat()), (CHAT, chat(stream=True)), (MESSAGES, messages(model="gpt-4o"))):
        bench.openai.script(Raw(packed, headers={"content-encoding": "gzip"}))
        reply = await gate.ask(path, body)
        assert reply.status == 502
        assert "encoded (gzip)" in json.loads(reply.body)["error"]["message"]
    bench.openai.script(replies.text("plain", headers={"content-encoding": "identity"}))
    assert (await gate.ask(CHAT, chat())).status == 200


async def test_an_answer_cut_in_the_middle_is_a_bad_gateway(bench: Bench):
    gate = await bench.serve()
    for path, body in ((CHAT, chat()), (MESSAGES, messages(model="gpt-4o"))):
        bench.openai.script(replies.text("word", wire=Wire(cut_at=40)))
        reply = await gate.ask(path, body)
        assert (reply.status, reply.headers["x-tokligence-error-code"]) == (502, "upstream.cut")


async def test_an_upstream_that_is_not_there_is_a_bad_gateway(bench: Bench):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    gate = await bench.serve(openai_base_url=f"http://127.0.0.1:{port}/v1")
    for path, body in ((CHAT, chat(stream=True)), (MESSAGES, messages(model="gpt-4o"))):
        reply = await gate.ask(path, body)
        assert (reply.status, reply.headers["x-tokligence-error-code"]) == (502, "upstream.connect_failed")
        assert "x-should-retry" not in reply.headers
    row = gate.rows[0]
    assert (row.outcome, row.attempts, row.usage_source, row.provider) == (
        "upstream_error",
        1,
        "none",
        "openai",
    )


async def test_an_upstream_that_never_answers_is_a_gateway_timeout(bench: Bench):
    gate = await bench.serve(first_content_timeout_s=0.05)
    bench.openai.script(replies.text("never", wire=Wire(hold=replies.Gate())))
    reply = await gate.ask(CHAT, chat())
    assert (reply.status, reply.headers["x-tokligence-error-code"]) == (504, "upstream.timeout")
    await reached(bench.openai.disconnected)


async def test_an_upstream_that_falls_silent_ends_in_an_error_event(bench: Bench):
    gate = await bench.serve(idle_timeout_s=0.05)
    bench.openai.script(replies.text(*["word "] * 9, wire=Wire(gates={5: replies.Gate()})))
    reply = await gate.ask(CHAT, chat(stream=True))
    assert b'"code":"upstream.timeout"' in reply.body
    assert b"[DONE]" not in reply.body
    await reached(bench.openai.disconnected)
    assert (gate.row.outcome, gate.row.usage_source) == ("upstream_error", "estimated")


async def test_a_broken_answer_to_a_request_that_only_its_upstream_understands_is_booked(bench: Bench):
    chunk = b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + chunk)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    gate = await bench.serve(llm_endpoint=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
    body = b'{"model":"llama","stream":true,"messages":"of tomorrow"}'
    reply = await gate.ask(CHAT, body)
    assert chunk in reply.body
    assert b"upstream.cut" in reply.body
    assert (gate.row.input_tokens, gate.row.output_tokens) == (-(-len(body) // 4), 1)
    server.close()


async def test_a_model_name_that_is_no_header_is_encoded(bench: Bench):
    gate = await bench.serve(**bench.endpoint())
    for model, shown in (
        ("a\x1bb", "llm/a%1Bb"),
        ("ü", "llm/%C3%BC"),
        ("x" * 500, "llm/" + "x" * 200),
    ):
        for path, body in ((CHAT, chat(model=model)), (MESSAGES, messages(model=model))):
            reply = await gate.ask(path, body)
            assert reply.status == 200
            assert reply.headers["x-tokligence-route"] == shown
            assert bench.compatible.last.json["model"] == model
            assert len(gate.rows[-1].model_asked) <= 200
