"""Streams cut, truncated and broken: how the bytes arrive makes no difference, and what is not whole ends as an error."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pytest
from google.genai import errors as google
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.cross.harness import (
    CHAT,
    GEMINI,
    GOLDENS,
    MESSAGES,
    Exchange,
    Golden,
    context,
    sse_events,
    target,
)
from tests.wire.cross.sdk import streamed, whole
from tests.wire.cross.test_goldens import CUT_SHORT, comparable, well_formed
from tests.wire.cross.vendor_streams import stream_of
from tokligence.conversation import ProtocolId
from tokligence.errors import GatewayError
from tokligence.wire.contract import ErrorView, ReplyMemory
from tokligence.wire.registry import CODECS
from tokligence.wire.sse import BOM, Splitter, parse

BY_HAND = [golden for golden in GOLDENS if golden.upstream_sse.exists()]
WHOLE = [golden for golden in BY_HAND if golden.name not in CUT_SHORT]


def named(goldens: list[Golden]) -> Any:
    return pytest.mark.parametrize("golden", goldens, ids=lambda golden: golden.name)


def client_bytes(golden: Golden, *chunks: bytes) -> bytes:
    return golden.exchange.stream(chunks, golden.written.memory, include_usage=True)[0]


# --- cut ------------------------------------------------------------------------------------------------


@named(BY_HAND)
def test_a_stream_cut_at_any_byte_says_the_same(golden: Golden) -> None:
    raw = golden.upstream_sse.read_bytes()
    expected = client_bytes(golden, raw)
    for offset in range(0, len(raw) + 1, 7):
        assert client_bytes(golden, raw[:offset], raw[offset:]) == expected, offset
    assert client_bytes(golden, *(raw[n : n + 1] for n in range(len(raw)))) == expected


@named(BY_HAND)
def test_a_stream_cut_at_any_byte_has_the_same_events(golden: Golden) -> None:
    raw = golden.upstream_sse.read_bytes()
    for form in (raw, raw.replace(b"\n", b"\r\n"), raw.replace(b"\n", b"\r") + b"\n", BOM + raw):
        events = events_of(form)
        assert [parse(event)[1] for event in events] == [parse(event)[1] for event in events_of(raw)]
        for offset in range(len(form) + 1):
            assert events_of(form[:offset], form[offset:]) == events, offset


def events_of(*chunks: bytes) -> list[bytes]:
    splitter = Splitter()
    found = [event for chunk in chunks for event in splitter.feed(chunk)]
    return [*found, splitter.rest()] if splitter.rest().strip() else found


@named(BY_HAND)
def test_line_endings_and_a_byte_order_mark_make_no_difference(golden: Golden) -> None:
    raw = golden.upstream_sse.read_bytes()
    expected = client_bytes(golden, raw)
    assert client_bytes(golden, raw.replace(b"\n", b"\r\n")) == expected
    assert client_bytes(golden, BOM + raw) == expected
    assert client_bytes(golden, raw.replace(b"\n\n", b"\n: a comment\n\n")) == expected


@named(BY_HAND)
def test_a_same_protocol_stream_cut_at_any_byte_is_told_the_same(golden: Golden) -> None:
    raw = golden.upstream_sse.read_bytes()
    expected = tapped(golden.upstream, raw)
    for offset in range(0, len(raw) + 1, 5):
        assert tapped(golden.upstream, raw[:offset], raw[offset:]) == expected


def tapped(protocol: ProtocolId, *chunks: bytes) -> tuple[object, ...]:
    tap = CODECS[protocol].stream_tap(strip_usage=True)
    splitter = Splitter()
    out = b"".join([tap.feed(event) for chunk in chunks for event in splitter.feed(chunk)])
    return out, tap.usage, tap.model, tap.content_seen, tap.ended, tap.failed


# --- random answers -------------------------------------------------------------------------------------

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12)
NAMES = st.sampled_from(["weather", "now"])
INPUTS = st.sampled_from([{}, {"city": "Reykjavík"}, {"a": [1, None, {"b": '"}'}]}])


@st.composite
def chat_answers(draw: st.DrawFn) -> dict[str, Any]:
    calls = [
        {
            "id": f"call_{n}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(draw(INPUTS))},
        }
        for n, name in enumerate(draw(st.lists(NAMES, max_size=3)))
    ]
    message: dict[str, Any] = {"role": "assistant", "content": draw(st.none() | WORDS), "refusal": None}
    if draw(st.booleans()):
        message["reasoning_content"] = draw(WORDS)
    if calls:
        message["tool_calls"] = calls
    finish = "tool_calls" if calls else draw(st.sampled_from(["stop", "length", "content_filter"]))
    usage = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 5, "model": "m"}
    return {**head, "choices": [choice], "usage": usage}


@st.composite
def messages_answers(draw: st.DrawFn) -> dict[str, Any]:
    thinking = st.builds(lambda text: {"type": "thinking", "thinking": text, "signature": "c2ln"}, WORDS)
    text = st.builds(lambda text: {"type": "text", "text": text}, WORDS)
    redacted = st.just({"type": "redacted_thinking", "data": "ZW5j"})
    content = [*draw(st.lists(thinking | redacted, max_size=2)), *draw(st.lists(text, max_size=2))]
    calls = [
        {"type": "tool_use", "id": f"toolu_{n}", "name": name, "input": draw(INPUTS)}
        for n, name in enumerate(draw(st.lists(NAMES, max_size=3)))
    ]
    stop = "tool_use" if calls else draw(st.sampled_from(["end_turn", "max_tokens", "refusal", "pause_turn"]))
    usage = {
        "input_tokens": 9,
        "output_tokens": 4,
        "cache_creation_input_tokens": 2,
        "cache_read_input_tokens": 1,
    }
    head = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [*content, *calls],
    }
    return {**head, "stop_reason": stop, "stop_sequence": None, "usage": usage}


TO_CLAUDE = Exchange(CHAT, target("claude-sonnet-4-5", "anthropic"))
TO_GPT = Exchange(MESSAGES, target("some-model", "llm"))
MEMORY = ReplyMemory(tools=frozenset({"weather", "now"}))
few = settings(max_examples=60, deadline=None)


@few
@given(messages_answers(), st.integers(1, 9), st.randoms())
def test_any_answer_of_anthropic_streams_to_a_chat_client_as_it_comes_whole(
    answer: dict[str, Any], size: int, chance: Any
) -> None:
    streams_alike(TO_CLAUDE, answer, size, chance)


@few
@given(chat_answers(), st.integers(1, 9), st.randoms())
def test_any_chat_answer_streams_to_a_messages_client_as_it_comes_whole(
    answer: dict[str, Any], size: int, chance: Any
) -> None:
    streams_alike(TO_GPT, answer, size, chance)


def streams_alike(exchange: Exchange, answer: dict[str, Any], size: int, chance: Any) -> None:
    """In fragments of any size, cut anywhere."""
    raw = b"".join(stream_of(ProtocolId(exchange.far.protocol), answer, size=size))
    cuts = sorted(chance.sample(range(len(raw)), 5))
    chunks = [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    body, _ = exchange.stream(chunks, MEMORY, include_usage=True)
    reply = exchange.reply(json.dumps(answer).encode(), MEMORY, include_usage=True)
    assert comparable(streamed(exchange.client, body)) == comparable(whole(exchange.client, reply.body))


# --- truncated and broken -------------------------------------------------------------------------------


def is_clean(client: ProtocolId, body: bytes) -> bool:
    """Whether the client takes the stream for a whole answer."""
    last = sse_events(body)[-1:]
    assert last, "the client was told nothing"
    if client is GEMINI:
        return "finishReason" in last[0][1].get("candidates", [{}])[0]
    return last[0][1] == b"[DONE]" if client is CHAT else last[0][0] == b"message_stop"


def is_error(client: ProtocolId, body: bytes) -> bool:
    name, data = sse_events(body)[-1]
    return "error" in data and (client is not MESSAGES or name == b"error")


@named(WHOLE)
def test_a_truncated_stream_ends_in_the_clients_error_event(golden: Golden) -> None:
    raw = golden.upstream_sse.read_bytes()
    enough = whole_from(golden.upstream, raw)
    for end in [*range(0, len(raw) - 60, 3), *range(len(raw) - 60, len(raw))]:
        body = client_bytes(golden, raw[:end])
        if is_clean(golden.client, body):
            assert end >= enough, end
        else:
            assert is_error(golden.client, body), end
            assert end < len(raw) - 1
    well_formed(golden, client_bytes(golden, raw[: enough // 2]))


def whole_from(protocol: ProtocolId, raw: bytes) -> int:
    """The number of bytes after which the answer is whole: the terminal event, in Chat the finish reason."""
    for number in range(len(raw)):
        if protocol is GEMINI and finishes(raw[:number]):
            return number
        if protocol is CHAT and raw[:number].endswith(b"}") and b'"finish_reason":"' in raw[:number]:
            return raw.index(b"\n", number) if raw[number : number + 1] != b"\n" else number
        if protocol is MESSAGES and raw[:number].endswith(b'{"type":"message_stop"}'):
            return number
    raise AssertionError(raw)


def finishes(raw: bytes) -> bool:
    """Whether the last event is whole and has a finish reason, or says that there will be none."""
    _, data = parse(raw.rpartition(b"\n\n")[2])
    try:
        answer = json.loads(data)
    except ValueError:
        return False
    return "finishReason" in answer.get("candidates", [{}])[0] or "promptFeedback" in answer


@named(WHOLE)
def test_a_stream_that_repeats_drops_or_swaps_events_never_breaks_the_clients(golden: Golden) -> None:
    """It may be read or refused; what the client gets keeps its order, and ends once."""
    frames = events_of(golden.upstream_sse.read_bytes())
    for number in range(len(frames)):
        for changed in (
            [*frames[:number], *frames[number + 1 :]],
            [*frames[: number + 1], *frames[number:]],
            [*frames[:number], *reversed(frames[number : number + 2]), *frames[number + 2 :]],
        ):
            body = client_bytes(golden, *changed)
            assert is_clean(golden.client, body) or is_error(golden.client, body)
            well_formed(golden, body)


MALFORMED = [
    b"data: {\n\n",
    b"data: []\n\n",
    b'data: "text"\n\n',
    b"data: nonsense\n\n",
    b"data: \xff\xfe\n\n",
    b'data: {"choices":[{"index":0,"delta":{"content":5}}]}\n\n',
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":"x"}\n\n',
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0}\n\n',
    b"data: " + b"[" * 100_000 + b"\n\n",
]
OF_OTHERS = {
    CHAT: (b"event: content",),
    MESSAGES: (b'data: {"choices"',),
    GEMINI: (b"event: content", b'data: {"choices"'),
}
"""Malformed for the other protocol; here an event of a kind that is new, which is passed over with a loss."""


@named(WHOLE)
def test_a_malformed_event_ends_in_the_clients_error_event(golden: Golden) -> None:
    frames = events_of(golden.upstream_sse.read_bytes())
    for number in range(len(frames) - 1):
        for wrong in MALFORMED:
            body = client_bytes(golden, *frames[:number], wrong, *frames[number:])
            if not wrong.startswith(OF_OTHERS[golden.upstream]):
                assert is_error(golden.client, body), (number, wrong[:60])
                assert not is_clean(golden.client, body)
            well_formed(golden, body)


@few
@given(st.sampled_from(WHOLE), st.data())
def test_a_stream_with_changed_bytes_is_read_or_refused(golden: Golden, data: st.DataObject) -> None:
    raw = bytearray(golden.upstream_sse.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    body = client_bytes(golden, bytes(raw))
    assert is_clean(golden.client, body) or is_error(golden.client, body)


@pytest.mark.parametrize("protocol", [CHAT, MESSAGES, GEMINI])
def test_nothing_follows_the_clients_error_event(protocol: ProtocolId) -> None:
    writer = CODECS[protocol].stream_writer(context())
    error = ErrorView(502, "broken", "req_1")
    assert writer.fail(error) != b""
    assert writer.fail(error) == b""
    reader = CODECS[protocol].stream_reader(ReplyMemory(), "x")
    golden = next(g for g in WHOLE if g.upstream is protocol)
    for raw in events_of(golden.upstream_sse.read_bytes()):
        for event in reader.feed(*parse(raw)):
            assert writer.write(event) == b""


@pytest.mark.parametrize(
    "golden", [g for g in BY_HAND if g.name in CUT_SHORT], ids=lambda golden: golden.name
)
def test_the_clients_sdk_raises_on_a_stream_that_ends_in_an_error(golden: Golden) -> None:
    raised = {CHAT: openai.APIError, MESSAGES: anthropic.APIError, GEMINI: google.APIError}
    with pytest.raises(raised[golden.client]):
        streamed(golden.client, client_bytes(golden, golden.upstream_sse.read_bytes()))


@named([g for g in GOLDENS if g.answers])
def test_a_changed_answer_is_read_or_refused(golden: Golden) -> None:
    raw = golden.upstream_answer
    for end in range(0, len(raw), 11):
        with pytest.raises(GatewayError) as refused:
            golden.exchange.reply(raw[:end], golden.written.memory)
        assert refused.value.code in ("upstream.bad_response", "upstream.error")
