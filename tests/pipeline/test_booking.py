"""One row for each call, every column right, and in the ledger before the client has the whole answer."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.fakes import replies
from tests.fakes.replies import Usage
from tests.pipeline.harness import CHAT, MESSAGES, Bench, MemoryBook, chat, events, messages
from tokligence.config.schema import ClientKey
from tokligence.ledger.journal import SyncPolicy
from tokligence.ledger.writer import Ledger

CLAUDE = "claude-sonnet-4-5"
CALLS = {
    "chat": (CHAT, chat()),
    "messages": (MESSAGES, messages()),
    "chat from claude": (CHAT, chat(model=CLAUDE)),
    "messages from gpt": (MESSAGES, messages(model="gpt-4o")),
    "loopback chat": (CHAT, chat(model="loopback")),
    "loopback messages": (MESSAGES, messages(model="loopback")),
}
each_call = pytest.mark.parametrize("name", CALLS)
each_way = pytest.mark.parametrize("stream", [False, True])
KEY = "sk-of-the-client-that-stays-here"


async def test_every_column_of_a_row_in_the_database(bench: Bench, tmp_path: Path):
    book = Ledger.open(tmp_path / "ledger.db", tmp_path / "journal", sync=SyncPolicy.OFF)
    key = ClientKey(name="laptop", value=KEY, user="ada", team="core")
    gate = await bench.serve(book=book, keys=[key], model_provider_routes=("smart=claude-sonnet-4-5",))
    usage = Usage(
        input=1000, cache_read=2000, cache_write_5m=300, cache_write_1h=40, output=500, reasoning=60
    )
    bench.anthropic.script(replies.text("hi", usage=usage, model="claude-sonnet-4-5-20250929"))
    body = chat(model="smart", seed=1)
    reply = await gate.ask(CHAT, body, {"authorization": f"Bearer {KEY}"})
    await book.flushed()
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        database.row_factory = sqlite3.Row
        (row,) = database.execute("SELECT * FROM usage_log").fetchall()
        (call,) = database.execute("SELECT upstream_request_id FROM calls").fetchall()
    book.close()
    found = dict(row)
    assert found.pop("started_at").endswith("Z")
    assert found.pop("latency_ms") >= found.pop("ttft_ms") > 0
    assert found.pop("price_date") >= "2025"
    assert found == {
        "request_id": reply.headers["x-tokligence-request-id"],
        "route": CHAT,
        "client_protocol": "openai_chat",
        "upstream_protocol": "anthropic",
        "stream": 0,
        "model_asked": "smart",
        "model_served": "claude-sonnet-4-5-20250929",
        "provider": "anthropic",
        "deployment": None,
        "key_name": "laptop",
        "user": "ada",
        "team": "core",
        "status": 200,
        "outcome": "ok",
        "error_code": None,
        "attempts": 1,
        "input_tokens": 1000,
        "cache_read_tokens": 2000,
        "cache_write_5m_tokens": 300,
        "cache_write_1h_tokens": 40,
        "output_tokens": 500,
        "reasoning_tokens": 60,
        "usage_source": "exact",
        # $3, $0.30, $3.75, $6 and $15 for a million tokens
        "cost_microusd": 3000 + 600 + 1125 + 240 + 7500,
        "losses": "seed;unsupported",
        "firewall_findings": None,
        "direction": "consumed",
    }
    assert reply.headers["x-tokligence-cost-usd"] == "0.012465"
    assert call["upstream_request_id"] == reply.headers["x-tokligence-upstream-request-id"]


@each_call
@each_way
async def test_a_good_answer_is_one_row(bench: Bench, name: str, stream: bool):
    gate = await bench.serve()
    path, body = CALLS[name]
    reply = await gate.ask(path, {**body, "stream": stream})
    assert reply.status == 200
    row = gate.row
    assert (row.status, row.outcome, row.error_code, row.attempts) == (200, "ok", None, 1)
    assert (row.route, row.stream, row.model_asked) == (path, stream, body["model"])
    assert row.client_protocol == ("openai_chat" if path == CHAT else "anthropic")
    assert 0 < row.ttft_us <= row.latency_us
    assert row.input_tokens > 0
    assert row.output_tokens > 0
    if body["model"] == "loopback":
        assert (row.provider, row.upstream_protocol, row.usage_source) == ("loopback", None, "estimated")
        assert (row.cost_picousd, row.input_tokens, row.output_tokens) == (0, 2, 2)
        assert row.upstream_request_id is None
    else:
        assert (row.usage_source, row.provider) == (
            "exact",
            "openai" if body["model"] == "gpt-4o" else "anthropic",
        )
        assert row.upstream_protocol == ("openai_chat" if body["model"] == "gpt-4o" else "anthropic")
        assert row.cost_picousd > 0
        assert row.upstream_request_id


@each_call
@each_way
async def test_nothing_is_called_while_the_ledger_cannot_be_written(bench: Bench, name: str, stream: bool):
    gate = await bench.serve()
    gate.memory.broken.add("started")
    path, body = CALLS[name]
    reply = await gate.ask(path, {**body, "stream": stream})
    assert reply.status == 503
    assert reply.headers["x-tokligence-error-code"] == "gateway.ledger_unavailable"
    assert "disk is full" in json.loads(reply.body)["error"]["message"]
    assert bench.openai.requests == bench.anthropic.requests == []
    assert gate.row.outcome == "interrupted"
    assert gate.row.attempts == 0


@each_call
@each_way
async def test_no_client_gets_a_whole_answer_that_is_in_no_ledger(bench: Bench, name: str, stream: bool):
    gate = await bench.serve()
    gate.memory.broken.add("ended")
    path, body = CALLS[name]
    reply = await gate.ask(path, {**body, "stream": stream})
    assert reply.status == 503 if not stream else reply.status in (200, 503)
    assert b"ledger" in reply.body
    assert b"[DONE]" not in reply.body
    assert b"message_stop" not in reply.body
    assert gate.rows == []
    (seen,) = gate.watcher.seen
    assert (seen[0].outcome, seen[0].error_code) == ("interrupted", "gateway.ledger_unavailable")


async def test_a_stream_that_has_begun_ends_in_an_error_if_it_cannot_be_booked(bench: Bench):
    gate = await bench.serve()
    for path, body in ((CHAT, chat()), (MESSAGES, messages(model="gpt-4o")), (CHAT, chat(model=CLAUDE))):
        gate.memory.broken.clear()
        held = replies.Gate()
        upstream = bench.anthropic if body["model"] == CLAUDE else bench.openai
        at = 5 if upstream is bench.anthropic else 3
        upstream.script(replies.text("one ", "two ", "three", wire=replies.Wire(gates={at: held})))
        peer = await gate.send(path, {**body, "stream": True})
        await peer.until(b"one ")
        gate.memory.broken.add("ended")
        held.open()
        rest = await peer.until(b"0\r\n\r\n")
        assert b"ledger" in rest
        assert b"[DONE]" not in rest
        assert b"message_stop" not in rest
    assert gate.rows == []


async def test_an_error_that_cannot_be_booked_says_so(bench: Bench):
    gate = await bench.serve()
    gate.memory.broken.add("ended")
    reply = await gate.ask(CHAT, chat(model="nobody"))
    assert reply.status == 503
    bench.anthropic.script(replies.Failure(429))
    assert (await gate.ask(CHAT, chat(model=CLAUDE))).status == 503


async def test_a_client_that_leaves_while_the_ledger_is_broken_harms_nobody(bench: Bench):
    gate = await bench.serve()
    held = replies.Gate()
    bench.anthropic.script(replies.text("never", wire=replies.Wire(hold=held)))
    peer = await gate.send(CHAT, chat(model=CLAUDE))
    from tests.pipeline.harness import reached

    await reached(held.reached)
    gate.memory.broken.add("ended")
    peer.reset()
    await reached(bench.anthropic.disconnected)
    assert (await gate.ask(CHAT, chat(model="nobody"))).status == 503
    assert gate.control.crashes == []


@each_call
@each_way
async def test_the_row_is_written_before_the_last_byte(bench: Bench, name: str, stream: bool):
    gate = await bench.serve()
    path, body = CALLS[name]
    connections = gate.server._connections
    answered: list[bool] = []

    def look() -> None:
        (connection,) = connections
        answered.append(connection._answer.ended)

    gate.memory.at_end = look
    await gate.ask(path, {**body, "stream": stream})
    assert answered == [False]


async def test_refused_calls_are_rows_too(bench: Bench):
    gate = await bench.serve()
    cases = [
        (CHAT, b"{", 400, "request.invalid_json"),
        (CHAT, b"", 400, "request.invalid_json"),
        (CHAT, {"messages": []}, 400, "request.missing_field"),
        (CHAT, chat(model="nobody"), 404, "route.no_match"),
        (MESSAGES, messages(model="gemini-2.5-pro"), 503, "provider.not_configured"),
        (MESSAGES, {"model": "gpt-4o", "messages": 5}, 400, "request.invalid_field"),
    ]
    for number, (path, body, status, code) in enumerate(cases):
        reply = await gate.ask(path, body)
        row = gate.rows[number]
        assert (reply.status, reply.headers["x-tokligence-error-code"]) == (status, code)
        assert (row.status, row.outcome, row.error_code, row.attempts) == (status, "client_error", code, 0)
        assert (row.usage_source, row.cost_picousd, row.ttft_us) == ("none", None, None)
        assert reply.headers["x-tokligence-request-id"] == row.request_id
        assert reply.headers["x-should-retry"] == "false"
    assert gate.memory.begun == []


async def test_what_the_text_asks_the_loopback_to_fail_is_an_upstream_error(bench: Bench):
    gate = await bench.serve()
    for stream in (False, True):
        reply = await gate.ask(CHAT, chat("fail:429", model="loopback", stream=stream))
        assert reply.status == 429
        assert (gate.rows[-1].outcome, gate.rows[-1].error_code) == ("upstream_error", "upstream.error")


async def test_the_loopback_waits_as_it_is_told(bench: Bench):
    gate = await bench.serve()
    reply = await gate.ask(CHAT, chat("sleep:20 hi", model="loopback", stream=True))
    assert b"[DONE]" in reply.body
    assert gate.row.latency_us >= 15_000  # the clock of timers counts in milliseconds


async def test_a_long_echo_leaves_in_batches(bench: Bench):
    gate = await bench.serve()
    reply = await gate.ask(CHAT, chat("word " * 5000, model="loopback", stream=True))
    said = [
        data["choices"][0]["delta"].get("content") for _, data in events(reply.body)[:-1] if data["choices"]
    ]
    assert said.count("word ") == 5000
    assert gate.row.outcome == "ok"


async def test_strict_mode_holds_for_the_loopback(bench: Bench):
    gate = await bench.serve()
    allowed = {"mode": "auto", "tools": [{"type": "of_tomorrow"}]}
    body = chat(model="loopback", tool_choice={"type": "allowed_tools", "allowed_tools": allowed})
    assert (await gate.ask(CHAT, body)).status == 200
    assert "of_tomorrow" not in gate.row.losses
    assert gate.row.losses.endswith(";unknown_part")
    reply = await gate.ask(CHAT, body, {"x-tokligence-strict": "true"})
    assert (reply.status, gate.rows[1].attempts) == (400, 0)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_bug_is_booked_answered_and_told(bench: Bench, monkeypatch: pytest.MonkeyPatch, stream: bool):
    gate = await bench.serve()

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("tokligence.pipeline.exchange.for_upstream", fail)
    reply = await gate.ask(MESSAGES, messages(stream=stream))
    assert reply.status == 500
    body = json.loads(reply.body)
    assert (body["error"]["type"], body["request_id"]) == ("api_error", gate.row.request_id)
    assert (gate.row.outcome, gate.row.error_code) == ("interrupted", "gateway.internal")
    (crash,) = gate.control.crashes
    assert isinstance(crash, ZeroDivisionError)
    assert crash.__notes__ == [gate.row.request_id]


async def test_a_bug_within_a_stream_ends_it_in_an_error_event(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    gate = await bench.serve()
    held = replies.Gate()
    bench.anthropic.script(replies.text("one ", "two ", wire=replies.Wire(gates={4: held})))
    peer = await gate.send(CHAT, chat(model=CLAUDE, stream=True))
    await peer.until(b"one ")

    def fail(_: str) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("tokligence.pipeline.relay.utf8", fail)
    held.open()
    rest = await peer.until(b"0\r\n\r\n")
    assert b"gateway.internal" in rest
    assert b"[DONE]" not in rest
    assert (gate.row.outcome, gate.row.error_code, gate.row.status) == (
        "interrupted",
        "gateway.internal",
        200,
    )


async def test_a_long_prompt_is_paid_at_its_own_price(bench: Bench):
    gate = await bench.serve()
    model = "gpt-5.5"
    card = gate.hub.state.catalogue.card(model, "openai")
    assert card.price.long is not None
    short, long = card.price.long_from, card.price.long_from + 1
    for prompt in (short, long):
        bench.openai.script(replies.text("hi", usage=Usage(input=prompt - 10, cache_read=10, output=2)))
        await gate.ask(CHAT, chat(model=model))
    cheap, dear = (row.cost_picousd for row in gate.rows)
    base, above = card.price, card.price.long
    assert cheap == (short - 10) * base.input + 10 * base.cache_read + 2 * base.output
    assert dear == (long - 10) * above.input + 10 * above.cache_read + 2 * above.output


async def test_a_model_without_a_price_has_no_cost(bench: Bench):
    gate = await bench.serve(**bench.endpoint())
    reply = await gate.ask(CHAT, chat(model="llama"))
    assert "x-tokligence-cost-usd" not in reply.headers
    assert (gate.rows[-1].cost_picousd, gate.rows[-1].price_date) == (None, None)


async def test_the_watcher_is_told_the_overhead_and_losses_of_every_call(bench: Bench):
    gate = await bench.serve()
    for path, body in CALLS.values():
        for stream in (False, True):
            await gate.ask(path, {**body, "stream": stream})
    await gate.ask(CHAT, chat(model="nobody"))
    assert len(gate.watcher.seen) == 2 * len(CALLS) + 1
    assert all(overhead is not None and overhead >= 0 for _, _, overhead in gate.watcher.seen)
    assert isinstance(gate.memory, MemoryBook)
