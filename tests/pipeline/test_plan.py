"""What is worked out once for a model. Whether a call follows a plan that was foreseen or looks first makes no difference."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.pipeline.harness import CHAT, MESSAGES, Bench, chat, messages, raw_request
from tokligence.conversation import ProtocolId
from tokligence.pipeline.build import build_state
from tokligence.pipeline.plan import MOST, Plans

CLAUDE = "claude-sonnet-4-5"
LONG = "word " * 3000


def _text(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


SAID = [{"role": "user", "content": "hello"}]
BODIES: dict[str, bytes] = {
    "first": _text(model=CLAUDE, messages=SAID),
    "last": _text(messages=SAID, model=CLAUDE),
    "last of a long one": _text(messages=[{"role": "user", "content": LONG}], model=CLAUDE),
    "amid long ones": _text(user=LONG, model=CLAUDE, messages=[{"role": "user", "content": LONG}]),
    "the loopback": _text(model="loopback", messages=SAID),
    "the loopback in a stream": _text(model="loopback", messages=SAID, stream=True),
    "a stream": _text(messages=SAID, model=CLAUDE, stream=True),
    "the same protocol": _text(model="gpt-4o", messages=SAID),
    "in something else": _text(metadata={"model": CLAUDE}, messages=SAID, model="loopback"),
    "in something else of the same protocol": _text(
        metadata={"model": CLAUDE}, messages=SAID, model="gpt-4o", store=True
    ),
    "in a text": _text(messages=[{"role": "user", "content": f'"model":"{CLAUDE}"'}], model="gpt-4o"),
    "twice": b'{"model":"%s","messages":%s,"model":"loopback"}'
    % (CLAUDE.encode(), json.dumps(SAID).encode()),
    "escaped": _text(model=CLAUDE, messages=SAID).replace(b"claude", b"\\u0063laude"),
    "escaped key": _text(model=CLAUDE, messages=SAID).replace(b'"model"', b'"m\\u006fdel"'),
    "spaced": _text(model=CLAUDE, messages=SAID).replace(b'"model": ', b'"model"  :\n "'[:-1]),
    "no text": b'{"model":5,"messages":[],"user":"%s"}' % CLAUDE.encode(),
    "no name": _text(messages=SAID),
    "unknown": _text(model="nobody", messages=SAID),
    "broken": b'{"model":"%s","messages":[' % CLAUDE.encode(),
    "wrong": _text(model=CLAUDE, messages=5),
    "cut": b'{"model":"claude-sonnet-4-5',
    "strange": _text(model=CLAUDE, messages=SAID, of_tomorrow={"a": 1}),
    "empty": b"",
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_call_ends_the_same_whether_its_plan_was_foreseen_or_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str
):
    gate = await bench.serve()
    for model in (CLAUDE, "loopback", "gpt-4o"):
        assert (await gate.ask(CHAT, chat(model=model))).status == 200
    seen = []
    for foreseen in (True, False):
        if not foreseen:
            monkeypatch.setattr(Plans, "foreseen", lambda *_: None)
        bench.anthropic.reset()
        bench.openai.reset()
        reply = await gate.ask(CHAT, BODIES[name])
        sent = [request.body for request in (*bench.anthropic.requests, *bench.openai.requests)]
        row = gate.rows[-1]
        headers = {
            header: value
            for header, value in reply.headers.items()
            if header not in ("date", "x-tokligence-overhead-us") and "request-id" not in header
        }
        text = reply.body.decode().replace(row.request_id, "ID")
        seen.append((reply.status, headers, _without_ids(text), sent, row.outcome, row.error_code))
        seen[-1] += (
            row.provider,
            row.model_asked,
            row.model_served,
            row.stream,
            row.input_tokens,
            row.losses,
        )
    assert seen[0] == seen[1]


def _without_ids(text: str) -> str:
    return re.sub(r'"(id|created)": ?("[^"]*"|\d+)', "", text)


async def test_a_plan_is_made_once_for_each_model_and_protocol(bench: Bench):
    gate = await bench.serve()
    plans = gate.hub.plans
    one = plans.of(ProtocolId.OPENAI_CHAT, CLAUDE)
    assert plans.of(ProtocolId.OPENAI_CHAT, CLAUDE) is one
    other = plans.of(ProtocolId.ANTHROPIC, CLAUDE)
    assert (one.same, other.same) == (False, True)
    assert one.own is other.own
    assert plans.foreseen(ProtocolId.OPENAI_CHAT, _text(model=CLAUDE)) is one
    assert plans.foreseen(ProtocolId.OPENAI_CHAT, _text(model="another")) is None
    assert plans.foreseen(ProtocolId.OPENAI_CHAT, b"{}") is None


async def test_any_number_of_names_leaves_a_bounded_number_of_plans(bench: Bench):
    gate = await bench.serve(**bench.endpoint())
    plans = gate.hub.plans
    for number in range(MOST + 10):
        plans.of(ProtocolId.OPENAI_CHAT, f"model-{number}")
    plans.of(ProtocolId.OPENAI_CHAT, "m" * 10_000)
    plans.of(ProtocolId.OPENAI_CHAT, "a\ud800")
    assert len(plans._plans) <= MOST
    assert plans.foreseen(ProtocolId.OPENAI_CHAT, _text(model="m" * 10_000)) is None


async def test_a_reload_makes_new_plans_and_running_calls_keep_theirs(bench: Bench):
    gate = await bench.serve()
    before = gate.hub.plans
    gate.hub.state = build_state(bench.settings(model_provider_routes=("claude*=loopback",)))
    assert gate.hub.plans is not before
    assert gate.hub.plans.of(ProtocolId.OPENAI_CHAT, CLAUDE).provider.id == "loopback"
    assert before.of(ProtocolId.OPENAI_CHAT, CLAUDE).provider.id == "anthropic"
    assert (await gate.ask(CHAT, chat(model=CLAUDE))).status == 200
    assert gate.row.provider == "loopback"


@pytest.mark.parametrize("query", ["", "beta=true"])
async def test_a_query_goes_on_in_the_same_protocol_only(bench: Bench, query: str):
    gate = await bench.serve()
    await gate.ask(f"{MESSAGES}?{query}", messages())
    await gate.ask(f"{MESSAGES}?{query}", messages(model="gpt-4o"))
    assert bench.anthropic.last.query == query
    assert bench.openai.last.query == ""


async def test_a_client_may_change_its_model_with_every_request_on_one_connection(bench: Bench):
    gate = await bench.serve()
    peer = await gate.connect()
    order = [
        CLAUDE,
        CLAUDE,
        CLAUDE,
        "loopback",
        "gpt-4o",
        "gpt-4o",
        "loopback",
        CLAUDE,
        "gpt-4o",
        "gpt-4o-mini",
    ]
    for model in order:
        body = (
            json.dumps(chat(model=model)).encode().ljust(200)
        )  # of one length, so that the head is the same
        await peer.send(raw_request(CHAT, body))
        assert (await peer.reply()).status == 200
    assert [row.model_asked for row in gate.rows] == order
    assert [row.provider for row in gate.rows] == [
        {"loopback": "loopback", CLAUDE: "anthropic"}.get(model, "openai") for model in order
    ]
    assert [len(bench.anthropic.requests), len(bench.openai.requests)] == [4, 4]
