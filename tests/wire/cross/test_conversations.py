"""Whatever valid request comes, of whichever vendor: the other vendor takes what is written, and each leaf of it is
in what is written or named by a loss."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes import anthropic_rules, openai_rules
from tests.wire.cross.harness import (
    CHAT,
    GOLDENS,
    MESSAGES,
    Exchange,
    Golden,
    Json,
    dumps,
    faults,
    show,
    target,
)
from tests.wire.cross.leaves import NEUTRAL, Path, explained, having, leaves, objects, spelled, without
from tests.wire.cross.strategies import chat_requests, messages_requests
from tests.wire.cross.test_goldens import UNSTREAMED
from tests.wire.cross.vendor_streams import stream_of
from tokligence.conversation import Loss, LossReason, ProtocolId
from tokligence.errors import GatewayError
from tokligence.wire.sse import parse

random = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
MARK = re.compile(r"mk\d{4}q|TWFya\d{3}")
CLAUDES = sorted(anthropic_rules.MODELS)
GPTS = [name for name in sorted(openai_rules.MODELS) if not name.startswith("gpt-6")]


@random
@given(chat_requests(), st.sampled_from(CLAUDES))
def test_a_chat_request_reaches_anthropic_whole(body: Json, model: str) -> None:
    assert faults(CHAT, body, compatible=True) == []
    reaches(body, Exchange(CHAT, target(model, "anthropic")), compatible=False)


@random
@given(messages_requests(), st.sampled_from(GPTS))
def test_a_messages_request_reaches_openai_whole(body: Json, model: str) -> None:
    assert faults(MESSAGES, body) == []
    reaches(body, Exchange(MESSAGES, target(model, "openai")), compatible=False)


@random
@given(messages_requests(), st.sampled_from(["openrouter", "deepseek", "llm"]))
def test_a_messages_request_reaches_a_compatible_server_whole(body: Json, provider: str) -> None:
    reaches(body, Exchange(MESSAGES, target("some-model", provider)), compatible=True)


def reaches(body: Json, exchange: Exchange, *, compatible: bool) -> None:
    written = exchange.write(dumps(body))
    out = json.loads(written.body)
    assert faults(ProtocolId(exchange.far.protocol), out, compatible=compatible) == []
    assert lost_silently(body, out, written.losses, dict(written.memory.renames)) == []


def lost_silently(body: Json, out: Json, losses: tuple[Loss, ...], renames: dict[str, str]) -> list[str]:
    """The leaves that are neither in `out` nor named by a loss."""
    text = json.dumps(out, ensure_ascii=False)
    numbers = {value for _, value in leaves(out) if isinstance(value, int | float)}
    back = set(renames.values())
    return [
        spelled(path)
        for path, value in leaves(body)
        if is_mark(value)
        and not is_present(value, text, numbers)
        and value not in back
        and not explained(path, losses)
    ]


def is_mark(value: object) -> bool:
    if isinstance(value, str):
        return MARK.search(value) is not None
    return isinstance(value, float) or (isinstance(value, int) and value > 70_000)


def is_present(value: Any, text: str, numbers: set[Any]) -> bool:
    if not isinstance(value, str):
        return value in numbers or str(value) in text
    if value.startswith("data:"):
        return value.partition(",")[2] in text
    return all(mark in text for mark in MARK.findall(value))


def outcome(golden: Golden, body: Json) -> tuple[bytes, list[str]]:
    written = golden.exchange.write(dumps(body))
    return written.body, show(written.losses)


@pytest.mark.parametrize("golden", GOLDENS, ids=lambda golden: golden.name)
def test_each_leaf_of_a_request_makes_a_difference_or_is_named_by_a_loss(golden: Golden) -> None:
    body = golden.data["request"]
    assert idle(golden, body) == []


def idle(golden: Golden, body: Json) -> list[str]:
    """The leaves without which the very same would be written and recorded."""
    whole = outcome(golden, body)
    losses = golden.written.losses
    found: list[str] = []
    for path, value in leaves(body):
        if value is None or is_neutral(path, value) or explained(path, losses):
            continue
        try:
            same = outcome(golden, without(body, path)) == whole
        except GatewayError:
            continue  # it is required
        if same:
            found.append(f"{spelled(path)} = {value!r}")
    return found


def is_neutral(path: Path, value: Any) -> bool:
    return any(rule(spelled(path)) and value in values for rule, values in NEUTRAL)


NOVEL = "novel"
TOLD_OTHERWISE = ("usage", "usageMetadata", "metadata")
"""A count that is new is in the others; metadata is the request's own."""


@pytest.mark.parametrize("golden", GOLDENS, ids=lambda golden: golden.name)
def test_a_field_that_nobody_knows_is_kept_or_named_wherever_it_stands(golden: Golden) -> None:
    body = golden.data["request"]
    for path in objects(body):
        if path[-1:] in (("parts",), ("contents",)):
            continue  # one value in place of a list, which losses name as one
        try:
            written = golden.exchange.write(dumps(having(body, path, NOVEL, "mk9999q")))
        except GatewayError:
            assert spelled(path).endswith(("logit_bias", "metadata"))  # only of one type
            continue
        assert b"mk9999q" in written.body or explained((*path, NOVEL), written.losses), spelled(path)


@pytest.mark.parametrize(
    "golden", [golden for golden in GOLDENS if golden.answers], ids=lambda golden: golden.name
)
def test_a_new_field_of_an_answer_is_kept_or_named(golden: Golden) -> None:
    body = golden.data["upstream_answer"]
    for path in objects(body):
        if path[:1] and path[0] in TOLD_OTHERWISE:
            continue
        reply = golden.exchange.reply(dumps(having(body, path, NOVEL, "mk9999q")), golden.written.memory)
        within = (NOVEL, *path)
        named = [
            loss.path
            for loss in reply.losses
            if loss.path.split(".")[-1] in within or ("parts" in path and loss.path.startswith("content["))
        ]
        assert b"mk9999q" in reply.body or named or explained(path, reply.losses), spelled(path)


@pytest.mark.parametrize(
    "golden",
    [golden for golden in GOLDENS if golden.answers and golden.name not in UNSTREAMED],
    ids=lambda golden: golden.name,
)
def test_a_new_field_of_a_streams_event_is_kept_or_named(golden: Golden) -> None:
    """The first event of each kind is examined: what a server sends, it sends in all of them."""
    frames = stream_of(golden.upstream, golden.data["upstream_answer"], size=99)
    seen: set[str] = set()
    for number, frame in enumerate(frames):
        name, data = parse(frame)
        body = {} if data == b"[DONE]" else json.loads(data)
        kind = kind_of(body)
        if kind in seen or not body or body.get("choices") == []:  # the chunk of usage alone
            continue
        seen.add(kind)
        for path in objects(body):
            if "usage" in path or "usageMetadata" in path or path[-1:] == ("input",):
                continue
            changed = dumps(having(body, path, NOVEL, "mk9999q"))
            frames[number] = (b"event: %s\n" % name if name else b"") + b"data: " + changed + b"\n\n"
            out, losses = golden.exchange.stream(frames, golden.written.memory)
            assert b"mk9999q" in out or names(losses, path), (number, spelled(path))
        frames[number] = frame


def kind_of(body: Json) -> str:
    """A Chat chunk is examined once for each set of fields that it has; pings and the closing ones say nothing."""
    if "choices" not in body:
        return (
            f"{body.get('type')} {body.get('delta', {}).get('type')}"
            if body.get("delta")
            else str(body.get("type"))
        )
    return str([sorted(k for k, v in c["delta"].items() if v is not None) for c in body["choices"]])


def names(losses: list[Loss], path: Path) -> bool:
    inner = (NOVEL, "citations_delta", *(step for step in path if isinstance(step, str)))
    whole = "parts" in path and any(loss.path.startswith("content[") for loss in losses)
    return whole or any(
        loss.reason is LossReason.UNKNOWN_PART or loss.path.split(".")[-1] in inner for loss in losses
    )


def test_a_base64_mark_is_base64() -> None:
    assert base64.b64decode("TWFya017", validate=True)
