"""Clients that leave or read slowly, and gateways that stop."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes import replies
from tests.fakes.replies import Gate, Wire
from tests.pipeline.harness import CHAT, MESSAGES, Bench, chat, messages, raw_request, reached

CLAUDE = "claude-sonnet-4-5"
FROM_CLAUDE = [(CHAT, chat(model=CLAUDE)), (MESSAGES, messages())]


@pytest.mark.parametrize(("path", "body"), FROM_CLAUDE)
@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_client_that_leaves_before_the_answer_ends_the_upstream_call(
    bench: Bench, path: str, body: dict, how: str
):
    gate = await bench.serve()
    held = Gate()
    bench.anthropic.script(replies.text("never", wire=Wire(hold=held)))
    peer = await gate.send(path, body)
    await reached(held.reached)
    getattr(peer, how)()
    await reached(bench.anthropic.disconnected)
    row = await gate.booked()
    assert (row.status, row.outcome, row.error_code) == (499, "cancelled", None)
    assert (row.usage_source, row.attempts, row.ttft_us) == ("none", 1, None)


@pytest.mark.parametrize(("path", "body"), FROM_CLAUDE)
async def test_a_client_that_leaves_within_a_stream_is_booked_with_what_it_got(
    bench: Bench, path: str, body: dict
):
    gate = await bench.serve()
    held = Gate()
    usage = replies.Usage(input=50, output=900)
    bench.anthropic.script(replies.text(*["word "] * 20, usage=usage, wire=Wire(gates={13: held})))
    peer = await gate.send(path, {**body, "stream": True})
    await reached(held.reached)
    await peer.until(b"word ")
    peer.reset()
    await reached(bench.anthropic.disconnected)
    row = await gate.booked()
    assert (row.status, row.outcome) == (200, "cancelled")
    assert (row.usage_source, row.input_tokens) == ("estimated", 50)
    assert 0 < row.output_tokens <= 20
    assert row.cost_picousd > 0
    assert row.ttft_us is not None


async def test_a_cancelled_stream_of_gpt_is_booked_by_its_text(bench: Bench):
    gate = await bench.serve()
    held = Gate()
    bench.openai.script(replies.text(*["word "] * 20, wire=Wire(gates={11: held})))
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 400_000}}
    content = [{"type": "text", "text": "12345678"}, picture]
    body = {**chat(stream=True), "messages": [{"role": "user", "content": content}]}
    peer = await gate.send(CHAT, body)
    await reached(held.reached)
    await peer.until(b"word ")
    peer.reset()
    row = await gate.booked()
    assert (row.outcome, row.usage_source, row.input_tokens) == ("cancelled", "estimated", 2)


async def test_a_client_that_closes_within_a_stream_is_noticed_when_more_is_sent(bench: Bench):
    gate = await bench.serve()
    held, end = Gate(), Gate()
    bench.openai.script(replies.text(*["word "] * 2000, wire=Wire(gates={3: held, 2001: end})))
    peer = await gate.send(CHAT, chat(stream=True))
    await reached(held.reached)
    await peer.until(b"word ")
    peer.close()
    held.open()
    await reached(bench.openai.disconnected)
    assert (await gate.booked()).outcome == "cancelled"


async def test_a_client_that_leaves_while_it_reads_slowly_ends_the_upstream_call(bench: Bench):
    gate = await bench.serve()
    big = "x" * 200_000
    bench.anthropic.script(replies.text(*[big] * 200, wire=Wire(gates={200: Gate()})))
    peer = await gate.send(CHAT, chat(model=CLAUDE, stream=True), receive_buffer=4096)
    await peer.until(b"xxx")
    peer.reset()
    await reached(bench.anthropic.disconnected)
    row = await gate.booked()
    assert row.outcome == "cancelled"
    assert row.output_tokens < 200 * 50_000


@pytest.mark.parametrize(("path", "body"), FROM_CLAUDE)
async def test_a_slow_client_stops_the_reading_of_the_upstream(bench: Bench, path: str, body: dict):
    gate = await bench.serve()
    pieces, size = 250, 100_000
    bench.anthropic.script(replies.text(*["y" * size] * pieces))
    peer = await gate.send(path, {**body, "stream": True}, receive_buffer=4096)
    await peer.until(b"yyy")
    (connection,) = gate.client._lanes[f"http://127.0.0.1:{bench.anthropic.server.port}"].pool.open
    while not connection._reading_paused:  # noqa: ASYNC110 - nothing announces it
        await asyncio.sleep(0.01)
    assert connection._reading_paused
    assert not bench.anthropic.requests[0].finished.is_set()
    answer = connection._answer
    assert answer.received - answer.taken < 2_000_000
    (client,) = gate.server._connections
    assert client.transport.get_write_buffer_size() < 2_000_000
    while not peer.buffer.endswith(b"0\r\n\r\n"):
        assert await peer.more()
    assert len(peer.buffer) > (pieces - 1) * size
    assert gate.row.outcome == "ok"


async def test_a_pipelined_request_is_answered_after_a_stream(bench: Bench):
    gate = await bench.serve()
    peer = await gate.connect()
    await peer.send(
        raw_request(CHAT, chat("one", model=CLAUDE, stream=True)) + raw_request(CHAT, chat("two"))
    )
    first, second = await peer.reply(), await peer.reply()
    assert first.body.endswith(b"[DONE]\n\n")
    assert b"You said: two" in second.body
    assert len(gate.rows) == 2


async def test_a_call_that_the_gateway_ends_is_booked(bench: Bench):
    gate = await bench.serve()
    held = Gate()
    bench.anthropic.script(replies.text("never", wire=Wire(hold=held)))
    await gate.send(CHAT, chat(model=CLAUDE))
    await reached(held.reached)
    (task,) = gate.server.tasks
    task.cancel()
    row = await gate.booked()
    assert (row.status, row.outcome) == (503, "interrupted")
    await reached(bench.anthropic.disconnected)


async def test_a_client_that_leaves_while_the_loopback_sleeps_is_booked(bench: Bench):
    gate = await bench.serve()
    peer = await gate.send(CHAT, chat("sleep:60000 x", model="loopback"))
    while not gate.memory.begun:  # noqa: ASYNC110 - nothing announces it
        await asyncio.sleep(0)
    peer.close()
    row = await gate.booked()
    assert (row.status, row.outcome, row.provider) == (499, "cancelled", "loopback")


async def test_upstreams_closed_at_the_end_interrupt_what_runs(bench: Bench):
    gate = await bench.serve()
    held = Gate()
    bench.anthropic.script(replies.text("never", wire=Wire(hold=held)))
    peer = await gate.send(CHAT, chat(model=CLAUDE))
    await reached(held.reached)
    await gate.client.aclose()
    reply = await peer.reply()
    assert (reply.status, reply.headers["x-tokligence-error-code"]) == (503, "gateway.shutting_down")
    assert gate.row.outcome == "interrupted"
