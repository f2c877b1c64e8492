"""Endpoints that are only passed on, over real sockets: bytes, routes, forms, streams, binary bodies, and their rows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes.replies import Failure, Raw, Wire
from tests.pipeline.harness import CLIENT_KEY, Bench, Gate
from tokligence.config.schema import ProviderSection
from tokligence.pipeline import passthrough

EMBED = {"model": "text-embedding-3-small", "input": ["hello", "world"]}
FORM = "multipart/form-data; boundary=xyz"


def form(**fields: str | tuple[str, bytes]) -> bytes:
    body = b""
    for name, value in fields.items():
        file, content = value if isinstance(value, tuple) else (None, value.encode())
        filename = f'; filename="{file}"' if file else ""
        body += f'--xyz\r\nContent-Disposition: form-data; name="{name}"{filename}\r\n\r\n'.encode()
        body += content + b"\r\n"
    return body + b"--xyz--\r\n"


async def call(gate: Gate, method: str, path: str, headers: dict[str, str] | None = None):
    peer = await gate.connect()
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    await peer.send(f"{method} {path} HTTP/1.1\r\nhost: localhost\r\n{lines}\r\n".encode())
    reply = await peer.reply()
    peer.close()
    return reply


# --- JSON in, JSON out ----------------------------------------------------------------------------------


async def test_embeddings_pass_unchanged_and_are_booked_with_their_usage(bench: Bench):
    gate = await bench.serve()
    body = b'{ "input":["h\\u00e9llo"], "model" : "text-embedding-3-small", "new_field":1e0 }'
    answer = b'{"object":"list",  "data":[], "model":"text-embedding-3-small","usage":{"prompt_tokens":8,"total_tokens":8}}'
    bench.openai.script(Raw(answer))
    reply = await gate.ask("/v1/embeddings", body, {"authorization": f"Bearer {CLIENT_KEY}"})
    assert bench.openai.requests[-1].body == body
    assert (reply.status, reply.body) == (200, answer)
    assert reply.headers["x-tokligence-route"] == "openai/text-embedding-3-small"
    row = gate.row
    assert (row.route, row.model_asked, row.provider) == ("/v1/embeddings", EMBED["model"], "openai")
    assert (row.input_tokens, row.output_tokens, row.usage_source, row.outcome) == (8, 0, "exact", "ok")


@pytest.mark.parametrize(
    ("path", "body", "tokens"),
    [
        ("/v1/embeddings", EMBED, (4, 0)),
        ("/v1/completions", {"model": "gpt-3.5-turbo-instruct", "prompt": "Say"}, (5, 7)),
        ("/v1/images/generations", {"model": "gpt-image-1", "prompt": "a cat"}, (50, 4160)),
        ("/v1/images/generations", {"prompt": "a cat"}, (50, 4160)),
        ("/v1/moderations", {"input": "hello"}, None),
        ("/v1/moderations", {"input": "hello", "model": None}, None),
        ("/v1/rerank", {"model": "openai/x", "query": "q", "documents": ["a"]}, (42, 0)),
    ],
)
async def test_each_endpoint_has_one_row_with_what_its_answer_tells(
    bench: Bench, path: str, body: dict[str, Any], tokens: tuple[int, int] | None
):
    gate = await bench.serve()
    reply = await gate.ask(f"/openai{path}", body)
    assert reply.status == 200
    (row,) = gate.rows
    assert row.route == path
    if tokens is None:
        assert row.usage_source == "none"
    else:
        assert (row.input_tokens, row.output_tokens, row.usage_source) == (*tokens, "exact")


async def test_a_route_to_another_model_changes_its_name_alone(bench: Bench):
    gate = await bench.serve(model_provider_routes=("mine=openai/text-embedding-3-large",))
    await gate.ask("/v1/embeddings", b'{ "model" : "mine","input":"a" }')
    assert bench.openai.requests[-1].body == b'{ "model" : "text-embedding-3-large","input":"a" }'
    assert (gate.row.model_asked, gate.row.model_served) == ("mine", "text-embedding-3-large")


async def test_a_named_vendor_is_asked_below_its_own_address(bench: Bench):
    upstream = bench.compatible
    section = ProviderSection(name="jina", preset="jina", base_url=f"{upstream.url}/v1", api_key=upstream.key)
    gate = await bench.serve(providers=(section,))
    reply = await gate.ask("/v1/rerank", {"model": "jina-reranker-v3", "query": "q", "documents": ["a", "b"]})
    assert reply.status == 200
    assert upstream.requests[-1].path == "/v1/rerank"
    assert (gate.row.provider, gate.row.input_tokens) == ("jina", 42)


async def test_the_loopback_embeds_without_any_upstream(bench: Bench):
    gate = await bench.serve()
    body = {"model": "loopback", "input": "hello", "dimensions": 4}
    first, second = [await gate.ask("/v1/embeddings", body) for _ in range(2)]
    assert first.body == second.body
    answer = json.loads(first.body)
    assert len(answer["data"][0]["embedding"]) == 4
    row = gate.rows[-1]
    assert (row.provider, row.usage_source, row.input_tokens) == ("loopback", "estimated", 2)
    assert gate.connects == []


# --- forms ----------------------------------------------------------------------------------------------


async def test_a_form_passes_unchanged_and_its_model_is_found(bench: Bench):
    gate = await bench.serve()
    body = form(file=("a.mp3", bytes(range(256)) * 300), model="gpt-4o-transcribe")
    reply = await gate.ask("/v1/audio/transcriptions", body, {"content-type": FORM})
    assert json.loads(reply.body)["text"] == "Hello there."
    sent = bench.openai.requests[-1]
    assert (sent.body, sent.header("content-type")) == (body, FORM)
    row = gate.row
    assert (row.model_asked, row.input_tokens, row.output_tokens) == ("gpt-4o-transcribe", 14, 45)
    assert row.input_audio_tokens == 4


async def test_the_model_in_a_form_is_replaced_where_a_route_says_so(bench: Bench):
    gate = await bench.serve()
    body = form(model="openai/whisper-1", file=("a.mp3", b"sound"))
    reply = await gate.ask("/v1/audio/transcriptions", body, {"content-type": FORM})
    assert reply.status == 200
    assert bench.openai.requests[-1].body == form(model="whisper-1", file=("a.mp3", b"sound"))
    assert gate.row.usage_source == "none"  # this model is paid by the second


# --- streams and binary bodies --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "tokens"),
    [
        ("/v1/images/generations", {"model": "gpt-image-1", "prompt": "a", "stream": True}, (50, 4160)),
        (
            "/v1/audio/speech",
            {"model": "gpt-4o-mini-tts", "input": "a", "voice": "x", "stream_format": "sse"},
            (14, 101),
        ),
        (
            "/v1/completions",
            {
                "model": "davinci-002",
                "prompt": "a",
                "stream": True,
                "stream_options": {"include_usage": True},
            },
            (5, 7),
        ),
    ],
)
async def test_the_usage_in_a_stream_is_booked(
    bench: Bench, path: str, body: dict[str, Any], tokens: tuple[int, int]
):
    gate = await bench.serve()
    reply = await gate.ask(path, body)
    assert reply.headers["content-type"].startswith("text/event-stream")
    row = gate.row
    assert (row.input_tokens, row.output_tokens, row.stream, row.usage_source) == (*tokens, True, "exact")
    assert row.ttft_us is not None


async def test_a_stream_passes_unchanged_even_where_its_events_are_odd(bench: Bench):
    gate = await bench.serve()
    body = b": hello\r\n\r\ndata: {not json}\n\nevent: x\ndata: \xff\n\ndata: [DONE]\n\n"
    bench.openai.script(Raw(body, content_type="text/event-stream"))
    reply = await gate.ask("/v1/completions", {"model": "davinci-002", "prompt": "a", "stream": True})
    assert reply.body == body
    assert (gate.row.outcome, gate.row.usage_source) == ("ok", "none")


async def test_a_stream_that_is_cut_ends_with_an_error_event(bench: Bench):
    gate = await bench.serve()
    events = b'data: {"choices":[]}\n\n' * 3
    bench.openai.script(Raw(events, content_type="text/event-stream", wire=Wire(cut_frame=2)))
    reply = await gate.ask("/v1/completions", {"model": "davinci-002", "prompt": "a", "stream": True})
    assert b'"error"' in reply.body.split(b"\n\n")[-2]
    assert (gate.row.outcome, gate.row.error_code) == ("upstream_error", "upstream.cut")


async def test_sound_passes_unchanged(bench: Bench):
    gate = await bench.serve()
    reply = await gate.ask("/v1/audio/speech", {"model": "tts-1", "input": "a", "voice": "alloy"})
    assert reply.headers["content-type"] == "audio/mpeg"
    assert len(reply.body) == 5 + 256 * 40
    assert (gate.row.usage_source, gate.row.outcome, gate.row.status) == ("none", "ok", 200)


async def test_a_large_binary_body_goes_on_piece_by_piece_with_its_length(bench: Bench):
    gate = await bench.serve()
    body = bytes(range(256)) * 8192
    bench.openai.script(Raw(body, content_type="application/octet-stream", wire=Wire(split=100_000)))
    reply = await call(gate, "GET", "/v1/files/file-1/content")
    assert reply.body == body
    assert reply.headers["content-length"] == str(len(body))
    assert (gate.row.route, gate.row.outcome) == ("/v1/files", "ok")


async def test_an_empty_binary_body_has_its_row_too(bench: Bench):
    gate = await bench.serve()
    bench.openai.script(Raw(b"", content_type="application/octet-stream"))
    reply = await call(gate, "GET", "/v1/files/file-1/content")
    assert (reply.status, reply.body, gate.row.outcome) == (200, b"", "ok")


async def test_a_binary_body_that_is_cut_is_cut_for_the_client_too(bench: Bench):
    gate = await bench.serve()
    bench.openai.script(
        Raw(b"x" * 500_000, content_type="audio/mpeg", wire=Wire(cut_at=200_000, split=50_000))
    )
    peer = await gate.send("/v1/audio/speech", {"model": "tts-1", "input": "a", "voice": "x"})
    with pytest.raises((ConnectionError, EOFError, AssertionError, ValueError)):
        await peer.reply()
    assert (gate.row.outcome, gate.row.error_code) == ("upstream_error", "upstream.cut")
    assert gate.control.crashes == []


async def test_a_json_answer_too_large_to_hold_passes_and_its_usage_is_read_from_its_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(passthrough, "WHOLE_LIMIT", 1000)
    gate = await bench.serve()
    answer = b'{"data":[' + b"0.5," * 50_000 + b'0.5],"usage":{"prompt_tokens":8,"total_tokens":8}}'
    bench.openai.script(Raw(answer))
    reply = await gate.ask("/v1/embeddings", EMBED)
    assert reply.body == answer
    assert (gate.row.input_tokens, gate.row.usage_source) == (8, "exact")


async def test_a_client_that_leaves_ends_the_call(bench: Bench):
    gate = await bench.serve()
    body = Raw(b"data: 1\n\n" * 2, content_type="text/event-stream", wire=Wire(stall_at=9))
    bench.openai.script(body)
    peer = await gate.send("/v1/completions", {"model": "davinci-002", "prompt": "a", "stream": True})
    await peer.until(b"data: 1")
    peer.close()
    row = await gate.booked()
    assert row.outcome == "cancelled"


# --- what is kept at the provider -----------------------------------------------------------------------


async def test_files_batches_uploads_and_vector_stores_pass_by_all_their_methods(bench: Bench):
    gate = await bench.serve()
    made = await gate.ask(
        "/v1/files", form(purpose="batch", file=("in.jsonl", b"{}\n")), {"content-type": FORM}
    )
    file = json.loads(made.body)["id"]
    assert (await call(gate, "GET", f"/v1/files/{file}/content")).body == b"{}\n"
    assert (await call(gate, "GET", "/v1/files?purpose=batch&limit=2")).status == 200
    assert bench.openai.requests[-1].query == "purpose=batch&limit=2"
    assert json.loads((await call(gate, "DELETE", f"/v1/files/{file}")).body)["deleted"] is True
    for kind in ("batches", "uploads", "vector_stores"):
        made = await gate.ask(f"/v1/{kind}", {"metadata": {"a": "b"}})
        name = json.loads(made.body)["id"]
        assert (await gate.ask(f"/v1/{kind}/{name}/cancel", b"")).status == 200
        assert (await call(gate, "GET", f"/v1/{kind}/{name}")).status == 200
    assert {row.route for row in gate.rows} == {
        "/v1/files",
        "/v1/batches",
        "/v1/uploads",
        "/v1/vector_stores",
    }
    # A batch tells what it used each time that it is looked at: that is no usage of the look.
    assert {row.usage_source for row in gate.rows} == {"none"}
    assert len(gate.rows) == len(bench.openai.requests) == 13


async def test_calls_without_a_model_go_to_the_provider_of_the_setting(bench: Bench):
    gate = await bench.serve(passthrough_provider="llm", **bench.endpoint())
    reply = await call(gate, "GET", "/v1/files")
    assert (reply.status, gate.row.provider) == (200, "llm")
    assert reply.headers["x-tokligence-route"] == "llm/"


async def test_anthropics_batches_and_files_go_to_anthropic(bench: Bench):
    gate = await bench.serve()
    version = {"anthropic-version": "2023-06-01"}
    for path in ("/v1/files", "/anthropic/v1/files", "/v1/messages/batches"):
        assert (await call(gate, "GET", path, version)).status == 200
    assert [request.path for request in bench.anthropic.requests] == [
        "/v1/files",
        "/v1/files",
        "/v1/messages/batches",
    ]
    assert {row.client_protocol for row in gate.rows} == {"anthropic"}


@pytest.mark.parametrize("prefix", ["", "/anthropic"])
async def test_the_address_of_a_batchs_results_leads_back_to_the_gateway(bench: Bench, prefix: str):
    gate = await bench.serve()
    asked = {"requests": [{"custom_id": "a", "params": {"model": "claude-sonnet-4-5"}}]}
    made = json.loads((await gate.ask(f"{prefix}/v1/messages/batches", asked)).body)
    assert made["results_url"] == f"http://localhost{prefix}/v1/messages/batches/{made['id']}/results"
    results = await call(gate, "GET", f"{prefix}/v1/messages/batches/{made['id']}/results")
    assert json.loads(results.body)["custom_id"] == "a"
    behind_tls = {"x-forwarded-proto": "https"}
    listed = json.loads((await call(gate, "GET", f"{prefix}/v1/messages/batches", behind_tls)).body)
    assert listed["data"][0]["results_url"].startswith(f"https://localhost{prefix}/v1/")


# --- errors ---------------------------------------------------------------------------------------------


async def test_the_upstreams_error_passes_unchanged(bench: Bench):
    gate = await bench.serve()
    bench.openai.script(Failure(429, "slow down", retry_after="7"))
    reply = await gate.ask("/v1/embeddings", EMBED)
    assert (reply.status, reply.headers["retry-after"]) == (429, "7")
    assert json.loads(reply.body)["error"]["message"] == "slow down"
    assert (gate.row.outcome, gate.row.error_code) == ("upstream_error", "upstream.error")


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/embeddings", {"model": "claude-sonnet-4-5", "input": "a"}, 404, "route.unsupported"),
        ("/v1/completions", {"model": "loopback", "prompt": "a"}, 404, "route.unsupported"),
        ("/v1/embeddings", {"model": "nobody", "input": "a"}, 404, "route.no_match"),
        ("/v1/embeddings", {"model": "mistral-embed", "input": "a"}, 503, "provider.not_configured"),
        ("/v1/embeddings", {"model": 3, "input": "a"}, 400, "request.invalid_field"),
        ("/v1/embeddings", b"{", 400, "request.invalid_json"),
        ("/v1/embeddings", {"model": "loopback"}, 400, "request.invalid_field"),
    ],
)
async def test_what_cannot_be_passed_on_is_refused_in_openais_shape_and_booked(
    bench: Bench, path: str, body: Any, status: int, code: str
):
    gate = await bench.serve()
    reply = await gate.ask(path, body)
    assert (reply.status, reply.headers["x-tokligence-error-code"]) == (status, code)
    assert json.loads(reply.body)["error"]["code"] == code
    (row,) = gate.rows
    assert (row.status, row.error_code) == (status, code)
    assert bench.openai.requests == []


async def test_without_a_key_the_error_names_it(bench: Bench):
    gate = await bench.serve(openai_api_key=None, anthropic_api_key=None)
    for path, setting in (("/v1/files", "openai_api_key"), ("/v1/messages/batches", "anthropic_api_key")):
        reply = await call(gate, "GET", path)
        assert reply.status == 503
        assert setting.encode() in reply.body


async def test_methods_that_an_endpoint_has_not_are_refused(bench: Bench):
    gate = await bench.serve()
    assert (await call(gate, "GET", "/v1/embeddings")).status == 405
    assert (await call(gate, "PUT", "/v1/files/a")).status == 405
    assert (await call(gate, "GET", "/v1/filesystem")).status == 404
    assert gate.rows == []


async def test_odd_names_in_a_path_are_written_anew(bench: Bench):
    gate = await bench.serve()
    await call(gate, "GET", "/v1/files/..%2f..%2forganization%2fkeys")
    assert bench.openai.requests == []
    await call(gate, "GET", "/v1/files/a%20b%3Fc%23d")
    assert bench.openai.requests[-1].path == "/v1/files/a%20b%3Fc%23d"


async def test_what_is_in_no_ledger_does_not_look_like_an_answer(bench: Bench):
    gate = await bench.serve()
    gate.memory.broken.add("ended")
    reply = await gate.ask("/v1/embeddings", EMBED)
    assert (reply.status, reply.headers["x-tokligence-error-code"]) == (503, "gateway.ledger_unavailable")
    gate.memory.broken.clear()
