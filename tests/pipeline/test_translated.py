"""Another protocol on the other side: ids, headers, losses, errors. What is said is the codecs' matter."""

from __future__ import annotations

import json
from urllib.parse import unquote

import pytest

from tests.fakes import replies
from tests.fakes.replies import Failure, Raw, Usage, Wire
from tests.pipeline.harness import CHAT, MESSAGES, Bench, chat, events, messages, text_of

CLAUDE = "claude-sonnet-4-5"


@pytest.mark.parametrize("split", [1, 5, 100_000])
async def test_chat_streams_from_claude(bench: Bench, split: int):
    gate = await bench.serve()
    bench.anthropic.script(
        replies.text("Hel", "lo ", "€", usage=Usage(input=20, cache_read=5, output=9), wire=Wire(split=split))
    )
    reply = await gate.ask(CHAT, chat(model=CLAUDE, stream=True, stream_options={"include_usage": True}))
    assert text_of(reply.body) == "Hello €"
    assert events(reply.body)[-1] == (None, "[DONE]")
    assert events(reply.body)[-2][1]["usage"]["prompt_tokens"] == 25
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    row = gate.row
    assert (row.input_tokens, row.cache_read_tokens, row.output_tokens, row.usage_source) == (
        20,
        5,
        9,
        "exact",
    )


@pytest.mark.parametrize("split", [1, 5, 100_000])
async def test_messages_stream_from_gpt(bench: Bench, split: int):
    gate = await bench.serve()
    bench.openai.script(
        replies.text("Hel", "lo ", "€", usage=Usage(input=20, cache_read=5, output=9), wire=Wire(split=split))
    )
    reply = await gate.ask(MESSAGES, messages(model="gpt-4o", stream=True))
    assert text_of(reply.body) == "Hello €"
    assert events(reply.body)[-1] == ("message_stop", {"type": "message_stop"})
    row = gate.row
    # OpenAI tells usage after the last content: it is exact all the same.
    assert (row.input_tokens, row.cache_read_tokens, row.output_tokens, row.usage_source) == (
        20,
        5,
        9,
        "exact",
    )


async def test_whole_answers_in_both_directions(bench: Bench):
    gate = await bench.serve()
    reply = await gate.ask(CHAT, chat("hi", model=CLAUDE))
    assert json.loads(reply.body)["choices"][0]["message"]["content"] == "You said: hi"
    reply = await gate.ask(MESSAGES, messages("hi", model="gpt-4o"))
    assert json.loads(reply.body)["content"][0]["text"] == "You said: hi"
    assert [row.usage_source for row in gate.rows] == ["exact", "exact"]


async def test_every_answer_names_request_route_overhead_and_if_whole_its_cost(bench: Bench):
    gate = await bench.serve()
    for path, body in ((CHAT, chat(model=CLAUDE)), (MESSAGES, messages(model="gpt-4o"))):
        for stream in (False, True):
            reply = await gate.ask(path, {**body, "stream": stream})
            row = gate.rows[-1]
            assert reply.headers["x-tokligence-request-id"] == row.request_id
            assert reply.headers["x-tokligence-route"] == f"{row.provider}/{body['model']}"
            assert int(reply.headers["x-tokligence-overhead-us"]) >= 0
            assert ("x-tokligence-cost-usd" in reply.headers) is not stream
            if not stream:
                assert float(reply.headers["x-tokligence-cost-usd"]) == row.cost_picousd / 1e12


async def test_the_request_id_is_ours_and_the_upstreams_stands_beside_it(bench: Bench):
    gate = await bench.serve()
    for stream in (False, True):
        reply = await gate.ask(CHAT, chat(model=CLAUDE, stream=stream))
        assert reply.headers["x-request-id"] == gate.rows[-1].request_id
        assert reply.headers["x-tokligence-upstream-request-id"].startswith("req_01")
        assert reply.headers["x-tokligence-upstream-request-id"] == gate.rows[-1].upstream_request_id
        assert reply.headers["anthropic-ratelimit-requests-limit"] == "4000"
        assert "anthropic-version" not in reply.headers
        reply = await gate.ask(MESSAGES, messages(model="gpt-4o", stream=stream))
        assert reply.headers["request-id"] == gate.rows[-1].request_id
        assert reply.headers["x-ratelimit-limit-requests"] == "10000"
        assert "openai-processing-ms" not in reply.headers


async def test_ids_have_the_form_of_the_clients_protocol(bench: Bench):
    gate = await bench.serve()
    body = json.loads((await gate.ask(CHAT, chat(model=CLAUDE))).body)
    assert body["id"].startswith("chatcmpl-")
    body = json.loads((await gate.ask(MESSAGES, messages(model="gpt-4o"))).body)
    assert body["id"].startswith("msg_")


async def test_no_header_of_the_client_reaches_another_vendor(bench: Bench):
    gate = await bench.serve()
    await gate.ask(
        CHAT, chat(model=CLAUDE), {"openai-organization": "org-x", "user-agent": "agent", "x-a": "b"}
    )
    arrived = {name for name, _ in bench.anthropic.last.headers}
    assert arrived == {
        "host",
        "content-length",
        "content-type",
        "x-api-key",
        "anthropic-version",
        "accept-encoding",
        "x-tokligence-hop",
    }


async def test_losses_stand_in_the_header_and_the_row(bench: Bench):
    gate = await bench.serve()
    body = chat(model=CLAUDE, seed=7, logit_bias={"5": 1})
    reply = await gate.ask(CHAT, body)
    assert reply.status == 200
    assert set(reply.headers["x-tokligence-loss"].split(",")) == {
        "seed;unsupported",
        "logit_bias;unsupported",
    }
    assert gate.row.losses == reply.headers["x-tokligence-loss"]
    assert len(gate.watcher.seen[0][1]) == 2


async def test_a_name_in_a_loss_is_percent_encoded(bench: Bench):
    gate = await bench.serve()
    reply = await gate.ask(CHAT, chat(model=CLAUDE, **{"naïve,;\n": 1}))
    header = reply.headers["x-tokligence-loss"]
    assert header.isascii()
    assert header.count(",") == 0
    assert unquote(header) == "naïve,;\n;unknown_field"


async def test_many_losses_are_counted_where_the_header_ends(bench: Bench):
    gate = await bench.serve()
    unknown = {f"field_number_{i:04d}": i for i in range(300)}
    reply = await gate.ask(CHAT, chat(model=CLAUDE, **unknown))
    header = reply.headers["x-tokligence-loss"]
    assert len(header) <= 2048
    *named, rest = header.split(",")
    assert int(rest.removeprefix("+")) + len(named) == 300
    assert gate.row.losses.count(";") == 300


@pytest.mark.parametrize("how", ["setting", "header"])
@pytest.mark.parametrize("stream", [False, True])
async def test_strict_mode_refuses_a_semantic_loss_before_any_upstream_call(
    bench: Bench, how: str, stream: bool
):
    gate = await bench.serve(**({"translation_losses": "strict"} if how == "setting" else {}))
    headers = {"x-tokligence-strict": "1"} if how == "header" else {}
    reply = await gate.ask(CHAT, chat(model=CLAUDE, stream=stream, logit_bias={"5": 1}), headers)
    assert reply.status == 400
    assert "logit_bias (unsupported)" in json.loads(reply.body)["error"]["message"]
    assert reply.headers["x-tokligence-error-code"] == "translation.refused"
    assert bench.anthropic.requests == []
    row = gate.row
    assert (row.outcome, row.status, row.attempts, row.usage_source) == ("client_error", 400, 0, "none")
    assert row.model_served is None
    assert "logit_bias" in row.losses


async def test_strict_mode_lets_cosmetic_losses_pass(bench: Bench):
    gate = await bench.serve(translation_losses="strict")
    reply = await gate.ask(CHAT, chat(model=CLAUDE, user="someone", store=False))
    assert reply.status == 200


async def test_losses_of_a_streamed_answer_stand_in_the_row_alone(bench: Bench):
    gate = await bench.serve(**bench.endpoint())

    def odd(frames: list[bytes]) -> list[bytes]:
        return [frame.replace(b'"delta":{', b'"delta":{"odd":1,') for frame in frames]

    bench.compatible.script(replies.text("hi", mangle=odd))
    reply = await gate.ask(MESSAGES, messages(model="llama", stream=True))
    assert text_of(reply.body) == "hi"
    assert "x-tokligence-loss" not in reply.headers
    assert "odd;unknown_field" in gate.row.losses


@pytest.mark.parametrize(
    ("status", "shown", "outcome"),
    [
        (400, 400, "client_error"),
        (401, 401, "upstream_error"),
        (404, 404, "client_error"),
        (429, 429, "upstream_error"),
        (500, 500, "upstream_error"),
        (529, 503, "upstream_error"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_errors_of_claude_reach_a_chat_client_in_its_shape(
    bench: Bench, status: int, shown: int, outcome: str, stream: bool
):
    gate = await bench.serve()
    bench.anthropic.script(Failure(status, "The vendor's words.", retry_after="3"))
    reply = await gate.ask(CHAT, chat(model=CLAUDE, stream=stream))
    assert reply.status == shown
    error = json.loads(reply.body)["error"]
    assert error["message"] == "The vendor's words."
    assert set(error) == {"message", "type", "param", "code"}
    assert reply.headers["retry-after"] == "3"
    assert reply.headers["x-tokligence-error-code"] == "upstream.error"
    assert reply.headers["x-request-id"] == gate.row.request_id
    assert (gate.row.status, gate.row.outcome) == (shown, outcome)


@pytest.mark.parametrize(
    ("status", "kind"), [(400, "invalid_request_error"), (429, "rate_limit_error"), (503, "overloaded_error")]
)
async def test_errors_of_gpt_reach_a_messages_client_in_its_shape(bench: Bench, status: int, kind: str):
    gate = await bench.serve()
    bench.openai.script(Failure(status, "The vendor's words."))
    reply = await gate.ask(MESSAGES, messages(model="gpt-4o"))
    body = json.loads(reply.body)
    assert (reply.status, body["type"], body["error"]["type"]) == (status, "error", kind)
    assert body["error"]["message"] == "The vendor's words."
    assert body["request_id"] == gate.row.request_id


async def test_an_error_page_of_a_proxy_keeps_its_status_and_shows_no_html(bench: Bench):
    gate = await bench.serve()
    bench.anthropic.script(Raw(b"<html>bad gateway</html>", 502, "text/html"), Raw(b"", 503))
    for status in (502, 503):
        reply = await gate.ask(CHAT, chat(model=CLAUDE))
        assert reply.status == status
        assert "html" not in json.loads(reply.body)["error"]["message"]


async def test_json_where_a_stream_was_asked_for_becomes_a_stream(bench: Bench):
    gate = await bench.serve()
    whole = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": CLAUDE,
        "content": [{"type": "text", "text": "all at once"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 4},
    }
    bench.anthropic.script(Raw(json.dumps(whole).encode()))
    reply = await gate.ask(CHAT, chat(model=CLAUDE, stream=True))
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert text_of(reply.body) == "all at once"
    assert events(reply.body)[-1] == (None, "[DONE]")
    assert (gate.row.input_tokens, gate.row.output_tokens, gate.row.usage_source) == (3, 4, "exact")


async def test_an_answer_without_usage_is_booked_by_its_text(bench: Bench):
    gate = await bench.serve(**bench.endpoint())
    silent = b'{"id":"c","object":"chat.completion","created":1,"model":"llama","choices":[{"index":0,"message":{"role":"assistant","content":"eight by"},"finish_reason":"stop"}]}'
    bench.compatible.script(Raw(silent), Raw(silent))
    await gate.ask(MESSAGES, messages("12345678", model="llama"))
    assert (gate.row.input_tokens, gate.row.output_tokens, gate.row.usage_source) == (2, 2, "estimated")
    await gate.ask(CHAT, chat("12345678", model="llama"))
    assert (gate.rows[1].input_tokens, gate.rows[1].usage_source) == (2, "estimated")


async def test_the_estimate_at_the_start_of_a_stream_counts_text_not_pictures(bench: Bench):
    gate = await bench.serve()
    picture = {"type": "base64", "media_type": "image/png", "data": "A" * 400_000}
    content = [{"type": "text", "text": "look"}, {"type": "image", "source": picture}]
    body = {**messages(model="gpt-4o", stream=True), "messages": [{"role": "user", "content": content}]}
    reply = await gate.ask(MESSAGES, body)
    assert events(reply.body)[0][1]["message"]["usage"]["input_tokens"] == 1
    small = messages(model="gpt-4o", stream=True)
    reply = await gate.ask(MESSAGES, small)
    assert events(reply.body)[0][1]["message"]["usage"]["input_tokens"] == -(-len(json.dumps(small)) // 4)


async def test_an_output_limit_of_the_configuration_goes_to_models_that_nobody_knows(bench: Bench):
    endpoint = {
        "name": "other",
        "protocol": "anthropic",
        "base_url": bench.anthropic.base_url,
        "api_key": bench.anthropic.key,
    }
    from tokligence.config.schema import ProviderSection

    gate = await bench.serve(anthropic_max_tokens=321, providers=(ProviderSection(**endpoint),))
    await gate.ask(CHAT, chat(model=f"other/{CLAUDE}"))
    assert bench.anthropic.last.json["max_tokens"] == 321
    await gate.ask(CHAT, chat(model=f"other/{CLAUDE}", max_tokens=5))
    assert bench.anthropic.last.json["max_tokens"] == 5
    await gate.ask(CHAT, chat(model=CLAUDE))
    assert bench.anthropic.last.json["max_tokens"] == 64_000
