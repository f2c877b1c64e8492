"""One protocol on both sides: not a byte is changed that need not be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes import replies
from tests.fakes.replies import Raw, Wire
from tests.pipeline.harness import CHAT, CLIENT_KEY, MESSAGES, Bench, chat, events, messages

# Odd on purpose: order, white space, escapes, numbers, unknown fields that the vendor of the endpoint would take.
ODD_CHAT = b'{ "messages" : [ {"role":"user",\n"content":"caf\\u00e9 \\/ 1"} ],"temperature":1.0e0,\t"model":"gpt-4o" }'
ODD_MESSAGES = (
    b'{"max_tokens":100 , "messages":[{"content":"\\u0041","role":"user"}],\r\n"model":"claude-sonnet-4-5"}'
)
WHOLE_CHAT = (
    b'{"id":"chatcmpl-1", "object":"chat.completion","created":1,"model":"gpt-4o-2024-08-06","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"\\u0041"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,'
    b'"completion_tokens":1,"total_tokens":10},"new":[1.0,{"x" : null}]}\n'
)
WHOLE_MESSAGES = (
    b'{"id":"msg_1", "type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929","content":[{"type":"text",'
    b'"text":"\\u0041"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":1},'
    b'"new":1e0}\n'
)
STREAM_CHAT = (
    b': hello\n\ndata: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,'
    b'"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
    b'data: {"id":"c", "choices":[{"index":0,"delta":{"content":"caf\\u00e9 \xe2\x82\xac"},"finish_reason":null}],"x":1}\n\n'
    b": ping\n\n"
    b'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\r\n\r\n'
    b"data: [DONE]\n\n"
)
STREAM_MESSAGES = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":'
    b'"claude-sonnet-4-5-20250929","content":[],"usage":{"input_tokens":9,"output_tokens":1}}}\n\n'
    b'event: ping\ndata: {"type": "ping"}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":'
    b'"\\u20ac \xe2\x82\xac"} , "odd":1}\n\n'
    b'event: of_tomorrow\ndata: {"type":"of_tomorrow"}\n\n'
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
SETTINGS = ("inject", "estimate")


@pytest.mark.parametrize("stream_usage", SETTINGS)
async def test_request_and_whole_answer_keep_every_byte_chat(bench: Bench, stream_usage: str):
    gate = await bench.serve(stream_usage=stream_usage)
    bench.openai.script(Raw(WHOLE_CHAT))
    reply = await gate.ask(CHAT, ODD_CHAT)
    assert bench.openai.last.body == ODD_CHAT
    assert (reply.status, reply.body) == (200, WHOLE_CHAT)
    assert gate.row.model_served == "gpt-4o-2024-08-06"
    assert (gate.row.input_tokens, gate.row.output_tokens, gate.row.usage_source) == (9, 1, "exact")


@pytest.mark.parametrize("stream_usage", SETTINGS)
async def test_request_and_whole_answer_keep_every_byte_messages(bench: Bench, stream_usage: str):
    gate = await bench.serve(stream_usage=stream_usage)
    bench.anthropic.script(Raw(WHOLE_MESSAGES))
    reply = await gate.ask(MESSAGES, ODD_MESSAGES)
    assert bench.anthropic.last.body == ODD_MESSAGES
    assert (reply.status, reply.body) == (200, WHOLE_MESSAGES)


def as_stream(body: bytes, wire: Wire) -> Raw:
    return Raw(body, content_type="text/event-stream; charset=utf-8", wire=wire)


@pytest.mark.parametrize("split", [1, 2, 7, 64, 100_000])
async def test_a_stream_cut_anywhere_arrives_byte_for_byte_messages(bench: Bench, split: int):
    gate = await bench.serve()
    bench.anthropic.script(as_stream(STREAM_MESSAGES, Wire(split=split)))
    body = json.dumps(messages(stream=True)).encode()
    reply = await gate.ask(MESSAGES, body)
    assert bench.anthropic.last.body == body
    assert reply.body == STREAM_MESSAGES
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (gate.row.input_tokens, gate.row.output_tokens, gate.row.usage_source) == (9, 7, "exact")
    assert gate.row.model_served == "claude-sonnet-4-5-20250929"


@pytest.mark.parametrize("split", [1, 3, 50, 100_000])
@pytest.mark.parametrize("stream_usage", SETTINGS)
async def test_a_stream_cut_anywhere_arrives_byte_for_byte_chat(bench: Bench, split: int, stream_usage: str):
    gate = await bench.serve(stream_usage=stream_usage)
    bench.openai.script(as_stream(STREAM_CHAT, Wire(split=split)))
    reply = await gate.ask(CHAT, chat(stream=True))
    assert reply.body == STREAM_CHAT


async def test_with_estimate_no_byte_of_a_streamed_request_or_answer_changes(bench: Bench):
    gate = await bench.serve(stream_usage="estimate")
    bench.openai.script(replies.text("one ", "two"))
    body = json.dumps(chat(stream=True)).encode()
    reply = await gate.ask(CHAT, body)
    assert bench.openai.last.body == body
    assert b'"usage"' not in reply.body
    assert gate.row.usage_source == "estimated"
    assert gate.row.input_tokens == 2  # "hello"
    assert gate.row.output_tokens > 0


async def test_with_inject_the_usage_that_nobody_asked_for_is_booked_and_not_shown(bench: Bench):
    gate = await bench.serve()
    bench.openai.script(replies.text("one ", "two", usage=replies.Usage(input=30, cache_read=10, output=5)))
    reply = await gate.ask(CHAT, chat(stream=True))
    assert bench.openai.last.json["stream_options"] == {"include_usage": True}
    assert b'"usage"' not in reply.body
    assert reply.body.endswith(b"data: [DONE]\n\n")
    row = gate.row
    assert (row.input_tokens, row.cache_read_tokens, row.output_tokens) == (30, 10, 5)
    assert row.usage_source == "exact"


async def test_with_inject_the_rest_of_the_stream_is_what_the_client_would_have_had(bench: Bench):
    gate = await bench.serve()
    frames: list[list[bytes]] = []

    def keep(made: list[bytes]) -> list[bytes]:
        frames.append(made)
        return made

    bench.openai.script(replies.text("one ", "two", mangle=keep))
    reply = await gate.ask(CHAT, chat(stream=True))
    expected = [f.replace(b',"usage":null', b"") for f in frames[0] if b'"choices":[]' not in f]
    assert reply.body == b"".join(expected)


async def test_usage_that_the_client_asked_for_is_left_where_it_is(bench: Bench):
    gate = await bench.serve()
    body = chat(stream=True, stream_options={"include_usage": True})
    bench.openai.script(replies.text("one"))
    reply = await gate.ask(CHAT, body)
    assert bench.openai.last.json == body
    assert events(reply.body)[-2][1]["usage"]["completion_tokens"] == 7
    assert b'"usage":null' in reply.body
    assert gate.row.usage_source == "exact"


async def test_a_route_changes_the_model_and_nothing_else(bench: Bench):
    gate = await bench.serve(model_provider_routes=("fast=gpt-4o-mini", "smart=anthropic/claude-sonnet-4-5"))
    await gate.ask(CHAT, ODD_CHAT.replace(b'"gpt-4o"', b'"fast"'))
    assert bench.openai.last.body == ODD_CHAT.replace(b'"gpt-4o"', b'"gpt-4o-mini"')
    await gate.ask(MESSAGES, ODD_MESSAGES.replace(b'"claude-sonnet-4-5"', b'"smart"'))
    assert bench.anthropic.last.body == ODD_MESSAGES
    assert [row.model_asked for row in gate.rows] == ["fast", "smart"]


async def test_headers_that_mean_something_to_the_vendor_pass(bench: Bench):
    gate = await bench.serve()
    sent = {
        "anthropic-beta": "interleaved-thinking-2025-05-14",
        "anthropic-version": "2023-06-01",
        "user-agent": "some-agent/1.0",
        "x-stainless-lang": "python",
        "accept": "application/json",
        "accept-language": "*",
        "x-of-tomorrow": "yes",
    }
    await gate.ask(MESSAGES + "?beta=true", messages(), sent)
    seen = bench.anthropic.last
    assert {name: seen.header(name) for name in sent} == sent
    assert seen.query == "beta=true"
    await gate.ask(
        CHAT, chat(), {"openai-organization": "org-x", "openai-project": "p", "idempotency-key": "i"}
    )
    seen = bench.openai.last
    assert seen.header("openai-organization") == "org-x"
    assert seen.header("openai-project") == "p"
    assert seen.header("idempotency-key") == "i"


async def test_what_the_client_leaves_out_the_configuration_adds(bench: Bench):
    gate = await bench.serve(openai_organization="org-ours")
    await gate.ask(CHAT, chat(), {"content-type": None})
    assert bench.openai.last.header("openai-organization") == "org-ours"
    assert bench.openai.last.header("content-type") == "application/json"
    await gate.ask(MESSAGES, messages())
    assert bench.anthropic.last.header("anthropic-version") == "2023-06-01"


async def test_a_head_that_repeats_is_sent_on_alike_and_another_is_not(bench: Bench):
    gate = await bench.serve(**bench.endpoint())

    async def arrived(body: dict[str, Any], upstream: Any, **headers: str | None) -> list[tuple[str, str]]:
        assert (await gate.ask(CHAT, body, {"x-of-tomorrow": "yes", **headers})).status == 200
        return [field for field in upstream.last.headers if field[0] not in {"content-length", "host"}]

    first = await arrived(chat(), bench.openai)
    assert ("x-of-tomorrow", "yes") in first
    for text in ("one", "two, and longer"):
        assert await arrived(chat(text), bench.openai) == first
    for _ in range(2):
        other = await arrived(chat(model="llama"), bench.compatible)
        assert ("x-of-tomorrow", "yes") in other
        assert ("authorization", f"Bearer {bench.compatible.key}") in other
        assert ("x-of-tomorrow", "no") in await arrived(chat(), bench.openai, **{"x-of-tomorrow": "no"})
        hops = await arrived(chat(), bench.openai, **{"x-tokligence-hop": "another"})
        assert dict(hops)["x-tokligence-hop"].startswith("another, ")


async def test_what_is_meant_for_the_gateway_or_the_connection_stays_here(bench: Bench):
    gate = await bench.serve()
    private = {
        "authorization": f"Bearer {CLIENT_KEY}",
        "x-api-key": CLIENT_KEY,
        "api-key": CLIENT_KEY,
        "x-goog-api-key": CLIENT_KEY,
        "cookie": f"session={CLIENT_KEY}",
        "connection": "keep-alive, x-hop",
        "x-hop": "1",
        "keep-alive": "timeout=5",
        "te": "trailers",
        "proxy-authorization": "Basic x",
        "forwarded": "for=10.0.0.1",
        "via": "1.1 proxy",
        "x-forwarded-for": "10.0.0.1",
        "x-forwarded-port": "443",
        "x-real-ip": "10.0.0.1",
        "referer": "http://localhost/",
        "sec-fetch-mode": "cors",
        "x-tokligence-strict": "0",
        "accept-encoding": "gzip, br",
    }
    for path, body, upstream in ((CHAT, chat(), bench.openai), (MESSAGES, messages(), bench.anthropic)):
        assert (await gate.ask(path, body, private)).status == 200
        arrived = {name for name, _ in upstream.last.headers}
        assert not arrived & (set(private) - {"authorization", "x-api-key", "connection", "accept-encoding"})
        assert upstream.last.header("accept-encoding") == "identity"
        assert upstream.key in {*upstream.last.all("authorization"), *upstream.last.all("x-api-key")} | {
            (upstream.last.header("authorization") or "").removeprefix("Bearer ")
        }


async def test_the_upstreams_request_id_and_rate_limits_pass_and_its_cookies_do_not(bench: Bench):
    gate = await bench.serve()
    private = {
        "set-cookie": "a=b",
        "server": "cloudflare",
        "alt-svc": "h3",
        "strict-transport-security": "max-age=1",
        "access-control-allow-origin": "*",
        "nel": "{}",
        "x-tokligence-route": "another/gateway",
        "connection": "keep-alive",
    }
    for stream in (False, True):
        bench.openai.script(replies.text("hi", headers={**private, "x-of-tomorrow": "yes", "cf-ray": "1"}))
        reply = await gate.ask(CHAT, chat(stream=stream))
        assert not reply.headers.keys() & (private.keys() - {"x-tokligence-route"})
        assert reply.headers["x-tokligence-route"] == "openai/gpt-4o"
        assert reply.headers["x-request-id"].startswith("req_")
        assert reply.headers["x-request-id"] != reply.headers["x-tokligence-request-id"]
        assert reply.headers["x-ratelimit-remaining-requests"] == "9999"
        assert reply.headers["openai-processing-ms"] == "12"
        assert reply.headers["x-of-tomorrow"] == "yes"
        assert gate.rows[-1].upstream_request_id == reply.headers["x-request-id"]
    reply = await gate.ask(MESSAGES, messages())
    assert reply.headers["request-id"].startswith("req_01")
    assert reply.headers["anthropic-ratelimit-requests-remaining"] == "3999"
    assert reply.headers["x-tokligence-request-id"] == gate.rows[-1].request_id


async def test_an_upstreams_error_passes_with_status_and_body_unchanged(bench: Bench):
    gate = await bench.serve()
    for status, outcome in (
        (400, "client_error"),
        (401, "upstream_error"),
        (429, "upstream_error"),
        (529, "upstream_error"),
    ):
        bench.anthropic.script(replies.Failure(status, "no", retry_after="7"))
        reply = await gate.ask(MESSAGES, messages(stream=True))
        assert reply.status == status
        assert json.loads(reply.body)["error"]["message"] == "no"
        assert json.loads(reply.body)["request_id"] == reply.headers["request-id"]
        assert reply.headers["retry-after"] == "7"
        row = gate.rows[-1]
        assert (row.status, row.outcome, row.error_code) == (status, outcome, "upstream.error")
        assert (row.usage_source, row.ttft_us) == ("none", None)


async def test_an_endpoint_that_cannot_tell_usage_in_streams_is_not_asked_and_nothing_is_taken_away(
    bench: Bench,
):
    gate = await bench.serve(**bench.endpoint())
    bench.compatible.script(
        as_stream(STREAM_CHAT.replace(b'"x":1', b'"usage":null'), Wire()),
    )
    reply = await gate.ask(CHAT, chat(model="llama", stream=True))
    assert bench.compatible.last.json["stream_options"] == {"include_usage": True}
    assert b'"usage":null' not in reply.body
    _without_stream_usage(gate)
    bench.compatible.script(as_stream(STREAM_CHAT.replace(b'"x":1', b'"usage":null'), Wire()))
    reply = await gate.ask(CHAT, chat(model="llama", stream=True))
    assert "stream_options" not in bench.compatible.last.json
    assert b'"usage":null' in reply.body


def _without_stream_usage(gate) -> None:
    from msgspec.structs import replace

    state = gate.hub.state
    provider = state.providers["llm"]
    lacking = replace(provider, dialect=replace(provider.dialect, stream_usage=False))
    gate.hub.state = replace(state, providers={**state.providers, "llm": lacking})


async def test_repeated_keys_are_refused_before_two_parsers_can_disagree(bench: Bench):
    gate = await bench.serve()
    reply = await gate.ask(CHAT, b'{"model":"gpt-4o","model":"gpt-4","messages":[]}')
    assert reply.status == 400
    assert reply.headers["x-tokligence-error-code"] == "request.duplicate_key"
    assert gate.row.outcome == "client_error"
    assert bench.openai.requests == []
