"""Whole Messages answers of upstreams -> conversation, and their usage."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.wire.anthropic.given import ANTHROPIC, MEMORY, losses
from tokligence.conversation import (
    Extras,
    FinishReason,
    Opaque,
    RedactedThinking,
    Response,
    Text,
    Thinking,
    ToolCall,
    Usage,
)
from tokligence.errors import GatewayError
from tokligence.wire.anthropic import CODEC
from tokligence.wire.anthropic.tables import FINISH_OF, STOP_REASON_OF
from tokligence.wire.contract import ReplyMemory

USAGE = {"input_tokens": 10, "output_tokens": 5}


def answer(**fields: Any) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [{"type": "text", "text": "hi", "citations": None}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": USAGE,
    } | fields


def read(memory: ReplyMemory = MEMORY, issuer: str = "anthropic", **fields: Any) -> Response:
    return CODEC.read_response(json.dumps(answer(**fields)).encode(), memory, issuer)


def usage(**fields: Any) -> Usage:
    found = read(usage=USAGE | fields).usage
    assert found is not None
    return found


def test_a_plain_answer_is_read() -> None:
    assert read() == Response(
        "msg_1", "claude", (Text("hi"),), FinishReason.STOP, usage=Usage(input=10, output=5)
    )


def test_every_block_is_read() -> None:
    search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    found = read(
        content=[
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            {"type": "redacted_thinking", "data": "enc"},
            search,
            {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}, "caller": {"type": "direct"}},
        ],
        stop_reason="tool_use",
    )
    assert found.parts == (
        Thinking("hm", "sig", "anthropic"),
        RedactedThinking("enc", "anthropic"),
        Opaque(ANTHROPIC, "server_tool_use", json.dumps(search).encode()),
        ToolCall("t", "f", '{"a": 1}'),
    )


def test_signatures_belong_to_who_answered() -> None:
    found = read(issuer="other", content=[{"type": "thinking", "thinking": "", "signature": "tgw:x:y"}])
    assert found.parts == (Thinking("", "tgw:x:y", "other"),)


@pytest.mark.parametrize(("reason", "finish"), FINISH_OF.items())
def test_every_stop_reason_is_read(reason: str, finish: FinishReason) -> None:
    assert read(stop_reason=reason).finish is finish


def test_every_finish_reason_has_a_stop_reason_that_reads_back() -> None:
    assert {finish: FINISH_OF[reason] for finish, reason in STOP_REASON_OF.items()} == {
        f: f for f in FinishReason
    }


@pytest.mark.parametrize("reason", ["novel", None])
def test_a_stop_reason_that_is_new_is_an_end_with_a_loss(reason: str | None) -> None:
    found = read(stop_reason=reason)
    assert found.finish is FinishReason.STOP
    assert losses(list(found.losses)) == ["stop_reason unknown_field semantic"]


def test_fields_without_a_word_are_kept() -> None:
    found = read(stop_details={"type": "refusal"}, container=None, novel=1, stop_reason="refusal")
    assert found.extras == Extras(ANTHROPIC, {"stop_details": b'{"type": "refusal"}', "novel": b"1"})


def test_names_are_the_clients_again() -> None:
    found = read(
        ReplyMemory({"a_b_123": "a.b"}),
        content=[
            {"type": "text", "text": "x"},
            {"type": "tool_use", "id": "1", "name": "a_b_123", "input": {}},
            {"type": "tool_use", "id": "2", "name": "f", "input": {}},
        ],
    )
    assert [part.name for part in found.parts if isinstance(part, ToolCall)] == ["a.b", "f"]


def test_the_forced_tool_leaves_no_trace() -> None:
    content = [{"type": "tool_use", "id": "1", "name": "final_answer", "input": {"a": 1}}]
    found = read(ReplyMemory(output_tool="final_answer"), content=content, stop_reason="tool_use")
    assert (found.parts, found.finish) == ((Text('{"a": 1}'),), FinishReason.STOP)
    cut = read(ReplyMemory(output_tool="final_answer"), content=content, stop_reason="max_tokens")
    assert cut.finish is FinishReason.LENGTH


def test_beside_the_forced_tool_a_clients_tool_may_be_called() -> None:
    content = [{"type": "tool_use", "id": "1", "name": "f", "input": {}}]
    found = read(ReplyMemory(output_tool="final_answer"), content=content, stop_reason="tool_use")
    assert (found.parts, found.finish) == ((ToolCall("1", "f", "{}"),), FinishReason.TOOL_CALLS)


# --- usage ----------------------------------------------------------------------------------------------


def test_cache_classes_are_disjoint() -> None:
    assert usage(cache_read_input_tokens=100, cache_creation_input_tokens=30) == Usage(
        input=10, output=5, cache_read=100, cache_write_5m=30
    )


def test_cache_writes_are_split_by_lifetime() -> None:
    split = {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20}
    assert usage(cache_creation_input_tokens=30, cache_creation=split) == Usage(
        input=10, output=5, cache_write_5m=10, cache_write_1h=20
    )
    assert usage(cache_creation=split) == Usage(input=10, output=5, cache_write_5m=10, cache_write_1h=20)
    assert usage(cache_creation={}) == Usage(input=10, output=5)


def test_thinking_and_searches_are_counted() -> None:
    found = usage(
        output_tokens_details={"thinking_tokens": 3},
        server_tool_use={"web_search_requests": 2, "web_fetch_requests": 1},
        speed="fast",
        service_tier="priority",
    )
    assert found == Usage(
        input=10,
        output=5,
        reasoning=3,
        web_searches=2,
        extras=Extras(ANTHROPIC, {"speed": b'"fast"', "web_fetch_requests": b"1"}),
    )
    assert read(usage=USAGE | {"service_tier": "priority"}).service_tier == "priority"


def test_nulls_in_usage_are_zero() -> None:
    nothing = {
        "input_tokens": None,
        "output_tokens": None,
        "server_tool_use": {},
        "output_tokens_details": {},
    }
    assert read(usage=nothing).usage == Usage()


def test_an_answer_without_usage_is_still_an_answer() -> None:
    assert read(usage=None).usage is None


def test_metering_reads_only_usage_and_model() -> None:
    raw = json.dumps(answer(content="never looked at")).encode()
    assert CODEC.read_usage(raw) == (Usage(input=10, output=5), "claude")
    assert CODEC.read_usage(b'{"type":"message","model":"m"}') == (None, "m")


@pytest.mark.parametrize("raw", [b"", b"<html>", b'{"type":"error","error":{}}', b"\xff", b"[" * 100_000])
def test_metering_of_what_is_no_answer_gives_nothing(raw: bytes) -> None:
    assert CODEC.read_usage(raw) == (None, None)


# --- bad answers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        b"<html>",
        b"{}",
        b'{"id":"m","model":"m","content":[{"type":"text"}]}',
        b'{"id":"m","model":"m","content":[],"type":"completion"}',
        b'{"id":"m","model":"m","content":[{"type":"tool_use","id":"1","name":"f","input":{"a":"\xff"}}]}',
    ],
)
def test_a_bad_answer_is_the_upstreams_fault(raw: bytes) -> None:
    with pytest.raises(GatewayError) as caught:
        CODEC.read_response(raw, MEMORY, "anthropic")
    assert caught.value.code == "upstream.bad_response"
