"""The opening of a stream, its events one by one, and its end when something goes wrong."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.fakes import replies
from tests.fakes.replies import Failure, Gate, Raw, Reply, Text, Thinking, Wire
from tests.pipeline.harness import CHAT, MESSAGES, Bench, chat, events, messages, reached, text_of

CLAUDE = "claude-sonnet-4-5"
DIRECTIONS = {
    "chat": (CHAT, chat(stream=True)),
    "messages": (MESSAGES, messages(stream=True)),
    "chat from claude": (CHAT, chat(model=CLAUDE, stream=True)),
    "messages from gpt": (MESSAGES, messages(model="gpt-4o", stream=True)),
}
each_direction = pytest.mark.parametrize("direction", DIRECTIONS)
SAME = ("chat", "messages")


def upstream_of(bench: Bench, direction: str):
    return bench.anthropic if direction in ("messages", "chat from claude") else bench.openai


def frames_before_content(direction: str) -> int:
    """Claude: message_start, block start, ping; GPT: the role chunk."""
    return 3 if direction in ("messages", "chat from claude") else 1


def has_terminal_event(path: str, body: bytes) -> bool:
    return b"[DONE]" in body if path == CHAT else b"message_stop" in body


def error_event(path: str, body: bytes) -> dict:
    """The last event of a stream, which must be an error in the client's protocol."""
    name, data = events(body)[-1]
    if path == MESSAGES:
        assert name == "error"
        assert data["type"] == "error"
    return data["error"]


@each_direction
async def test_each_content_event_leaves_before_the_next_arrives(bench: Bench, direction: str):
    gate = await bench.serve()
    path, body = DIRECTIONS[direction]
    first = frames_before_content(direction)
    gates = {first + i: Gate() for i in range(1, 4)}
    upstream_of(bench, direction).script(replies.text("one ", "two ", "three ", wire=Wire(gates=gates)))
    peer = await gate.send(path, body)
    for word, held in zip((b"one ", b"two ", b"three "), gates.values(), strict=True):
        await peer.until(word)
        await reached(held.reached)
        held.open()
    await peer.until(b"0\r\n\r\n")
    assert gate.row.outcome == "ok"


@each_direction
async def test_the_opening_is_held_until_content(bench: Bench, direction: str):
    gate = await bench.serve()
    path, body = DIRECTIONS[direction]
    held = Gate()
    upstream_of(bench, direction).script(
        replies.text("word", wire=Wire(gates={frames_before_content(direction): held}))
    )
    peer = await gate.send(path, body)
    await reached(held.reached)
    waiting = asyncio.ensure_future(peer.until(b"\r\n\r\n"))
    await asyncio.sleep(0)
    assert not waiting.done()
    held.open()
    assert b"200 OK" in await waiting
    await peer.until(b"word")


@each_direction
async def test_an_error_event_before_content_becomes_an_http_error(bench: Bench, direction: str):
    gate = await bench.serve()
    path, body = DIRECTIONS[direction]
    upstream = upstream_of(bench, direction)
    kind = "overloaded_error" if upstream is bench.anthropic else "rate_limit_exceeded"
    failure = Failure(529, "Too much.", kind=kind, code=kind)
    upstream.script(replies.text("never", failure=failure, failure_after=1, headers={"retry-after": "9"}))
    reply = await gate.ask(path, body)
    expected = {
        "chat": 429,
        "messages": 529,
        "chat from claude": 503,
        "messages from gpt": 429,
    }
    assert reply.status == expected[direction]
    assert json.loads(reply.body)["error"]["message"] == "Too much."
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["retry-after"] == "9"
    row = gate.row
    assert (row.status, row.outcome, row.error_code) == (reply.status, "upstream_error", "upstream.error")
    assert row.ttft_us is None


async def test_an_error_event_of_an_unknown_kind_before_content_is_a_bad_gateway(bench: Bench):
    gate = await bench.serve()
    failure = Failure(500, "Odd.", kind="odd", code="odd")
    bench.openai.script(
        replies.text("x", failure=failure, failure_after=0),
        replies.text("x", failure=failure, failure_after=0),
    )
    assert (await gate.ask(CHAT, chat(stream=True))).status == 502
    assert (await gate.ask(MESSAGES, messages(model="gpt-4o", stream=True))).status == 502


@each_direction
@pytest.mark.parametrize("how", ["cut_at", "reset_at"])
async def test_a_cut_before_content_becomes_an_http_error(bench: Bench, direction: str, how: str):
    gate = await bench.serve()
    path, body = DIRECTIONS[direction]
    upstream_of(bench, direction).script(replies.text("never", wire=Wire(**{how: 60})))
    reply = await gate.ask(path, body)
    assert reply.status == 502
    assert reply.headers["x-tokligence-error-code"] == "upstream.cut"
    assert set(json.loads(reply.body)) >= {"error"}
    row = gate.row
    assert (row.status, row.outcome, row.error_code) == (502, "upstream_error", "upstream.cut")


@each_direction
@pytest.mark.parametrize("how", ["cut_at", "reset_at"])
async def test_a_cut_after_content_ends_in_the_protocols_error_event(bench: Bench, direction: str, how: str):
    gate = await bench.serve()
    path, body = DIRECTIONS[direction]
    held = Gate()
    words = [f"word{i} " for i in range(40)]
    frame = frames_before_content(direction) + 30
    cut = {}

    def cut_within(frames: list[bytes]) -> list[bytes]:
        # Half an event more, which must not spoil the error event behind it.
        cut["at"] = sum(map(len, frames[:frame])) + 20
        return frames

    upstream = upstream_of(bench, direction)
    upstream.script(replies.text(*words, mangle=cut_within))
    await gate.ask(path, body)
    upstream.script(replies.text(*words, wire=Wire(gates={frame: held}, **{how: cut["at"]})))
    peer = await gate.send(path, body)
    asked = asyncio.ensure_future(peer.reply())
    await reached(held.reached)
    held.open()
    reply = await asked
    assert reply.status == 200
    assert text_of(reply.body).startswith("word0 word1 ")
    assert error_event(path, reply.body)["message"]
    assert not has_terminal_event(path, reply.body)
    row = gate.rows[-1]
    assert (row.status, row.outcome, row.error_code) == (200, "upstream_error", "upstream.cut")
    assert row.usage_source == "estimated"
    assert row.output_tokens > 0
    assert row.input_tokens > 0
    assert row.ttft_us is not None


@each_direction
async def test_an_error_event_after_content_reaches_the_client_as_one(bench: Bench, direction: str):
    gate = await bench.serve()
    path, body = DIRECTIONS[direction]
    upstream_of(bench, direction).script(replies.text("one ", "two", failure=Failure(500, "It broke.")))
    reply = await gate.ask(path, body)
    assert reply.status == 200
    assert text_of(reply.body) == "one two"
    assert error_event(path, reply.body)["message"] == "It broke."
    assert not has_terminal_event(path, reply.body)
    row = gate.row
    assert (row.status, row.outcome, row.error_code) == (200, "upstream_error", "upstream.error")


@each_direction
async def test_after_commit_after_ms_the_opening_goes_out_and_a_failure_is_an_event(
    bench: Bench, direction: str
):
    gate = await bench.serve(commit_after_ms=1)
    path, body = DIRECTIONS[direction]
    held = Gate()
    at = frames_before_content(direction)
    failure = Failure(529, "Too late.")
    upstream_of(bench, direction).script(
        replies.text("never", failure=failure, failure_after=at, wire=Wire(gates={at: held}))
    )
    peer = await gate.send(path, body)
    head = await peer.until(b"\r\n\r\n")
    assert b"200 OK" in head
    await peer.until(b"message_start" if path == MESSAGES else b"assistant")
    held.open()
    rest = await peer.until(b"0\r\n\r\n")
    assert b"Too late." in rest
    assert not has_terminal_event(path, rest)
    assert (gate.row.status, gate.row.outcome) == (200, "upstream_error")
    assert gate.row.ttft_us is None


@each_direction
async def test_after_commit_after_ms_a_cut_is_an_event(bench: Bench, direction: str):
    gate = await bench.serve(commit_after_ms=1)
    path, body = DIRECTIONS[direction]
    held = Gate()
    upstream = upstream_of(bench, direction)
    sizes = []

    def measure(frames: list[bytes]) -> list[bytes]:
        sizes.append(len(frames[0]))
        return frames

    upstream.script(replies.text("x", mangle=measure))
    await gate.ask(path, body)
    upstream.script(replies.text("never", wire=Wire(gates={1: held}, cut_at=sizes[0])))
    peer = await gate.send(path, body)
    await peer.until(b"\r\n\r\n")
    held.open()
    rest = await peer.until(b"0\r\n\r\n")
    assert b'"error"' in rest
    assert (gate.rows[-1].status, gate.rows[-1].error_code) == (200, "upstream.cut")


async def test_an_opening_that_was_given_up_is_not_sent_later(bench: Bench):
    gate = await bench.serve(commit_after_ms=1)
    bench.anthropic.script(Failure(500), replies.text("x", failure=Failure(500, "no"), failure_after=1))
    for _ in range(2):
        peer = await gate.send(CHAT, chat(model=CLAUDE, stream=True))
        reply = await peer.reply()
        if reply.status == 500:
            assert not gate.hub.openings._held
            assert json.loads(reply.body)["error"]


async def test_openings_that_wait_are_sent_by_one_timer_and_none_runs_without_them(bench: Bench):
    gate = await bench.serve(commit_after_ms=30)
    held = [Gate() for _ in range(3)]
    for each in held:
        bench.openai.script(replies.text("x", wire=Wire(gates={1: each})))
    peers = [await gate.send(CHAT, chat(stream=True)) for _ in held]
    for peer in peers:
        assert b"200 OK" in await peer.until(b"\r\n\r\n")
    for each, peer in zip(held, peers, strict=True):
        each.open()
        await peer.until(b"0\r\n\r\n")
    while gate.hub.openings._timer is not None:  # noqa: ASYNC110 - nothing announces it
        await asyncio.sleep(0)


@pytest.mark.parametrize("direction", ["messages", "chat from claude"])
async def test_pings_do_not_stand_for_content(bench: Bench, direction: str):
    gate = await bench.serve(first_content_timeout_s=0.2, commit_after_ms=60_000)
    path, body = DIRECTIONS[direction]

    def only_pings(frames: list[bytes]) -> list[bytes]:
        return [frames[0], *[b'event: ping\ndata: {"type":"ping"}\n\n'] * 500, *frames[1:]]

    bench.anthropic.script(replies.text("never", mangle=only_pings, wire=Wire(drip=0.01)))
    reply = await gate.ask(path, body)
    assert reply.status == 504
    assert reply.headers["x-tokligence-error-code"] == "upstream.timeout"
    assert (gate.row.status, gate.row.outcome, gate.row.error_code) == (
        504,
        "upstream_error",
        "upstream.timeout",
    )


async def test_a_long_answer_is_not_held_to_the_time_of_its_first_content(bench: Bench):
    gate = await bench.serve(first_content_timeout_s=0.3)
    bench.anthropic.script(replies.text(*["w "] * 60, wire=Wire(drip=0.01)))
    reply = await gate.ask(CHAT, chat(model=CLAUDE, stream=True))
    assert events(reply.body)[-1][1] == "[DONE]"


async def test_pings_pass_within_the_protocol_and_do_no_harm_across(bench: Bench):
    gate = await bench.serve()
    bench.anthropic.script(
        replies.text("a ", "b ", "c", pings=(4, 5)), replies.text("a ", "b ", "c", pings=(4, 5))
    )
    reply = await gate.ask(MESSAGES, messages(stream=True))
    assert [name for name, _ in events(reply.body)].count("ping") == 3
    reply = await gate.ask(CHAT, chat(model=CLAUDE, stream=True))
    assert text_of(reply.body) == "a b c"


async def test_comments_before_content_do_not_open_the_stream(bench: Bench):
    gate = await bench.serve(**bench.endpoint())
    upstream_says = b": processing\n\n" * 3
    bench.compatible.script(Raw(upstream_says, content_type="text/event-stream"))
    reply = await gate.ask(CHAT, chat(model="llama", stream=True))
    assert reply.status == 502


async def test_comments_do_no_harm_across_protocols(bench: Bench):
    gate = await bench.serve(**bench.endpoint())

    def commented(frames: list[bytes]) -> list[bytes]:
        return [part for frame in frames for part in (b": keep-alive\n\n", frame)]

    bench.compatible.script(replies.text("a ", "b", mangle=commented))
    reply = await gate.ask(MESSAGES, messages(model="llama", stream=True))
    assert text_of(reply.body) == "a b"


async def test_an_upstream_that_sends_much_without_content_is_not_kept_in_memory(bench: Bench):
    gate = await bench.serve(**bench.endpoint())
    held = Gate()
    noise = b": " + b"x" * 1000 + b"\n\n"

    def noisy(frames: list[bytes]) -> list[bytes]:
        return [noise] * 100 + frames

    bench.compatible.script(replies.text("end", mangle=noisy, wire=Wire(gates={100: held})))
    peer = await gate.send(CHAT, chat(model="llama", stream=True))
    assert b"200 OK" in await peer.until(b"\r\n\r\n")
    held.open()
    assert b"end" in await peer.until(b"0\r\n\r\n")


async def test_thinking_and_tool_calls_open_a_stream(bench: Bench):
    gate = await bench.serve()
    for part in (Thinking("hm"), replies.Call("f", {"a": 1})):
        held = Gate()
        bench.anthropic.script(Reply(parts=(part, Text("later")), wire=Wire(gates={6: held})))
        tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
        more = (
            {"tools": tools}
            if isinstance(part, replies.Call)
            else {"reasoning_effort": "low", "max_tokens": 9000}
        )
        peer = await gate.send(CHAT, chat(model=CLAUDE, stream=True, **more))
        await peer.until(b"hm" if isinstance(part, Thinking) else b'"name":"f"')
        held.open()
        await peer.until(b"[DONE]")


async def test_an_empty_answer_still_is_a_whole_stream(bench: Bench):
    gate = await bench.serve()
    for direction in DIRECTIONS:
        path, body = DIRECTIONS[direction]
        upstream_of(bench, direction).script(Reply(parts=()))
        reply = await gate.ask(path, body)
        assert has_terminal_event(path, reply.body)
        assert gate.rows[-1].outcome == "ok"


@each_direction
async def test_a_stream_without_its_last_blank_line_is_complete(bench: Bench, direction: str):
    gate = await bench.serve()
    path, body = DIRECTIONS[direction]

    def hasty(frames: list[bytes]) -> list[bytes]:
        return [*frames[:-1], frames[-1].rstrip(b"\n")]

    upstream_of(bench, direction).script(replies.text("all", mangle=hasty))
    reply = await gate.ask(path, body)
    assert text_of(reply.body) == "all"
    assert gate.row.outcome == "ok"


async def test_a_malformed_event_is_a_visible_failure_and_ends_the_upstream_call(bench: Bench):
    gate = await bench.serve()
    held = Gate()

    def broken(frames: list[bytes]) -> list[bytes]:
        return [*frames[:5], b"event: content_block_delta\ndata: {nonsense\n\n", *frames[5:]]

    wire = Wire(gates={6: held})
    bench.anthropic.script(replies.text("a ", "b ", "c ", mangle=broken, wire=wire))
    reply = await gate.ask(CHAT, chat(model=CLAUDE, stream=True))
    assert error_event(CHAT, reply.body)["code"] == "upstream.bad_response"
    await reached(bench.anthropic.disconnected)
    assert (gate.row.outcome, gate.row.error_code) == ("upstream_error", "upstream.bad_response")


async def test_the_connection_of_a_finished_stream_is_used_again(bench: Bench):
    gate = await bench.serve()
    for direction in (*DIRECTIONS, *DIRECTIONS):
        path, body = DIRECTIONS[direction]
        await gate.ask(path, body)
        await reached(upstream_of(bench, direction).requests[-1].finished)
        await asyncio.sleep(0)
    assert len(gate.connects) == 2


async def test_an_upstream_that_does_not_end_its_body_holds_up_neither_client_nor_drain(bench: Bench):
    gate = await bench.serve()
    held = Gate()
    bench.openai.script(
        lambda request: replies.text("one", wire=Wire(gates={5: held}))  # after [DONE], before the last chunk
    )
    peer = await gate.connect()
    from tests.pipeline.harness import raw_request

    request = raw_request(CHAT, chat(stream=True))
    await peer.send(request + raw_request(CHAT, chat("second")))
    first = await peer.reply()
    assert first.body.endswith(b"[DONE]\n\n")
    second = await peer.reply()
    assert second.status == 200
    assert not held.reached.is_set() or gate.server.running == 0
    await gate.server.drain(5)
    assert gate.server.running == 0
    held.open()
