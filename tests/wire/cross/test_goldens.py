"""Each golden exchange, whole and streamed: what is written is what the golden says, and the vendors take it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.wire.cross.harness import (
    CHAT,
    GEMINI,
    GOLDENS,
    MESSAGES,
    Golden,
    Json,
    dumps,
    faults,
    pretty,
    show,
    sse_events,
)
from tests.wire.cross.sdk import streamed, whole
from tests.wire.cross.vendor_streams import stream_of
from tokligence.wire.contract import ErrorView
from tokligence.wire.registry import CODECS

each = pytest.mark.parametrize("golden", GOLDENS, ids=lambda golden: golden.name)
answering = pytest.mark.parametrize(
    "golden", [golden for golden in GOLDENS if golden.answers], ids=lambda golden: golden.name
)
streaming = pytest.mark.parametrize(
    "golden", [golden for golden in GOLDENS if golden.upstream_sse.exists()], ids=lambda golden: golden.name
)
CUT_SHORT = tuple(
    golden.name
    for golden in GOLDENS
    if golden.name.endswith(("-error-in-stream", "-error-cut", "-error-answer-failed"))
)
# Their fragments have gone out before anyone can know that they will not become JSON.
UNFINISHED = ("messages-answer-arguments-broken",)
# Chat streams no calls of custom tools (openai 3.57 `types/chat/chat_completion_chunk.py`).
UNSTREAMED = ("messages-answer-custom-call", "gemini-chat-answer-custom-call")
whole_streams = pytest.mark.parametrize(
    "golden",
    [g for g in GOLDENS if g.upstream_sse.exists() and g.name not in CUT_SHORT],
    ids=lambda golden: golden.name,
)


def observed(golden: Golden) -> Json:
    """Everything in a golden that is not by hand."""
    written = golden.written
    found: Json = {"upstream_request": json.loads(written.body), "request_losses": show(written.losses)}
    if not golden.answers:
        status, body = golden.data["upstream_error"]["status"], golden.data["upstream_error"]["body"]
        raw = body.encode() if isinstance(body, str) else dumps(body)
        error = CODECS[golden.upstream].read_error(status, raw)
        view = ErrorView(error.status, error.message, "req_golden", error.code, error.param)
        return {**found, "error": json.loads(CODECS[golden.client].write_error(view))}
    reply = golden.exchange.reply(golden.upstream_answer, written.memory, include_usage=golden.include_usage)
    return {**found, "answer": json.loads(reply.body), "answer_losses": show(reply.losses)}


@each
def test_the_exchange_is_as_the_golden_says(golden: Golden, update_golden: bool) -> None:
    found = observed(golden)
    if update_golden:
        by_hand = {key: value for key, value in golden.data.items() if key not in found}
        order = [*[k for k in by_hand if not k.startswith("upstream_")], "upstream_request", "request_losses"]
        both = by_hand | found
        order += [key for key in both if key not in order]
        golden.path.write_text(pretty({key: both[key] for key in order}), "utf-8", newline="\n")
    else:
        assert found == {key: golden.data[key] for key in found}


@each
def test_a_golden_says_where_it_is_from_and_what_it_shows(golden: Golden) -> None:
    assert golden.data["provenance"].endswith("read 2026-11-24.")
    assert golden.data["shows"].endswith(".")
    assert golden.name.startswith(PREFIX[golden.client, golden.upstream])


PREFIX = {
    (CHAT, MESSAGES): "chat-",
    (MESSAGES, CHAT): "messages-",
    (CHAT, GEMINI): "chat-gemini-",
    (MESSAGES, GEMINI): "messages-gemini-",
    (GEMINI, CHAT): "gemini-chat-",
    (GEMINI, MESSAGES): "gemini-messages-",
}


@each
def test_the_upstream_takes_the_request(golden: Golden) -> None:
    body, model = json.loads(golden.written.body), golden.data["model"]
    assert faults(golden.upstream, body, compatible=golden.compatible, model=model) == []


@answering
def test_the_clients_sdk_reads_the_answer(golden: Golden) -> None:
    reply = golden.exchange.reply(golden.upstream_answer, golden.written.memory)
    assert whole(golden.client, reply.body)


@streaming
def test_the_stream_is_as_the_golden_says(golden: Golden, update_golden: bool) -> None:
    body, losses = golden.exchange.stream(
        [golden.upstream_sse.read_bytes()], golden.written.memory, include_usage=golden.include_usage
    )
    note = f": Written by the gateway. Losses: {'; '.join(show(losses)) or 'none'}.\n\n".encode()
    written = note + body.replace(b"\r\n", b"\n")  # files have one kind of line
    if update_golden:
        golden.client_sse.write_bytes(written)
    else:
        assert written.decode() == golden.client_sse.read_text("utf-8")


@whole_streams
def test_a_stream_by_hand_says_what_the_whole_answer_says(golden: Golden) -> None:
    agree(golden, [golden.upstream_sse.read_bytes()])


@pytest.mark.parametrize(
    "golden",
    [g for g in GOLDENS if g.answers and g.name not in (*UNFINISHED, *UNSTREAMED)],
    ids=lambda golden: golden.name,
)
def test_the_whole_answer_streamed_says_the_same(golden: Golden) -> None:
    agree(golden, stream_of(golden.upstream, golden.data["upstream_answer"]))


def agree(golden: Golden, chunks: list[bytes]) -> None:
    """accumulate(stream) == whole, by the client's SDK."""
    memory = golden.written.memory
    body, _ = golden.exchange.stream(chunks, memory, include_usage=True)
    reply = golden.exchange.reply(golden.upstream_answer, memory, include_usage=True)
    assert comparable(streamed(golden.client, body)) == comparable(whole(golden.client, reply.body))


def comparable(answer: Json) -> Json:
    """Without ids and times, which are new in each answer, and without what only accumulators add or leave out."""
    if "candidates" in answer:
        return _gemini(answer)
    return _chat(answer) if "choices" in answer else _messages(answer)


def _chat(answer: Json) -> Json:
    choice = answer["choices"][0]
    message = {
        key: value for key, value in choice["message"].items() if value is not None and key != "parsed"
    }
    for call in message.get("tool_calls", ()):
        call.pop("index", None)
        call["function"].pop("parsed_arguments", None)
        call["function"]["arguments"] = json.loads(
            call["function"]["arguments"]
        )  # white space is the model's
    return {
        "model": answer["model"],
        "message": message,
        "finish_reason": choice["finish_reason"],
        "service_tier": answer.get("service_tier"),
        "usage": answer.get("usage"),
    }


def _gemini(answer: Json) -> Json:
    (candidate,) = answer["candidates"]
    parts: list[Json] = []
    for part in candidate["content"]["parts"]:
        last = parts[-1] if parts else {}
        joins = "text" in part and "text" in last and part.get("thought") == last.get("thought")
        if joins and "thoughtSignature" not in last:
            last.update(part | {"text": last["text"] + part["text"]})
        else:
            parts.append(dict(part))
    return {
        "model": answer["modelVersion"],
        "parts": [part for part in parts if part != {"text": ""}],
        "finish": candidate["finishReason"],
        "beside": {key: value for key, value in candidate.items() if key not in ("content", "finishReason")},
        "usage": answer.get("usageMetadata"),
    }


COUNTED = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def _messages(answer: Json) -> Json:
    content: list[Any] = answer["content"]
    return {
        "model": answer["model"],
        "content": content,
        "stop_reason": answer["stop_reason"],
        "stop_sequence": answer["stop_sequence"],
        "usage": {
            name: answer["usage"][name] for name in COUNTED
        },  # the SDK takes no others from a stream's end
    }


def test_every_stream_by_hand_belongs_to_an_exchange() -> None:
    names = {golden.name for golden in GOLDENS}
    for path in GOLDENS[0].path.parent.iterdir():
        assert path.name.split(".")[0] in names
        if path.name.endswith(".upstream.sse"):
            assert path.read_text("utf-8").startswith(": Written by hand after ")


@streaming
def test_a_streams_events_keep_their_order(golden: Golden) -> None:
    well_formed(golden, golden.client_sse.read_bytes())


def well_formed(golden: Golden, body: bytes) -> None:
    """Blocks open once, in order, and close before the next; the message begins once and ends once."""
    events = sse_events(body)
    if golden.client is GEMINI:
        gemini_order([data for _, data in events])
    elif golden.client is MESSAGES:
        messages_order([data for _, data in events])
    else:
        chat_order([data for _, data in events])


def gemini_order(events: list[Any]) -> None:
    """Every chunk says whose it is; the last one finishes, or is an error."""
    failed = "error" in events[-1]
    chunks = events[:-1] if failed else events
    assert not any("error" in chunk for chunk in chunks)
    assert len({chunk["responseId"] for chunk in chunks}) <= 1
    ends = [n for n, chunk in enumerate(chunks) if "finishReason" in chunk["candidates"][0]]
    assert ends == ([] if failed else [len(chunks) - 1])
    assert all("usageMetadata" not in chunk for chunk in chunks[:-1])


def messages_order(events: list[Any]) -> None:
    kinds = [event["type"] for event in events]
    failed = kinds[-1] == "error"
    assert kinds.count("error") == int(failed)
    assert kinds.count("message_start") == 1 or kinds == ["error"]
    assert kinds[0] == "message_start" or kinds == ["error"]
    assert kinds.count("message_stop") == kinds.count("message_delta") == (0 if failed else 1)
    assert failed or kinds[-2:] == ["message_delta", "message_stop"]
    open_block: int | None = None
    opened = 0
    for event in events:
        match event["type"]:
            case "content_block_start":
                assert open_block is None
                assert event["index"] == opened
                open_block, opened = opened, opened + 1
            case "content_block_delta":
                assert event["index"] == open_block
            case "content_block_stop":
                assert event["index"] == open_block
                open_block = None
            case "message_delta" | "message_stop":
                assert open_block is None
            case _:
                pass


def chat_order(events: list[Any]) -> None:
    failed = isinstance(events[-1], dict) and "error" in events[-1]
    assert events.count(b"[DONE]") == (0 if failed else 1)
    chunks = events[:-1]
    if not chunks:
        return
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert sum("role" in choice["delta"] for chunk in chunks for choice in chunk["choices"]) == 1
    ends = [n for n, chunk in enumerate(chunks) for choice in chunk["choices"] if choice["finish_reason"]]
    assert len(ends) == 1 or (failed and not ends)
    said = [n for n, chunk in enumerate(chunks) for choice in chunk["choices"] if choice["delta"]]
    assert not ends or max(said) < ends[0]
    called = [
        call
        for chunk in chunks
        for choice in chunk["choices"]
        for call in choice["delta"].get("tool_calls", ())
    ]
    heads = [call["index"] for call in called if "id" in call]
    assert heads == list(range(len(heads)))
    latest = [call["index"] for call in called]
    assert latest == sorted(latest)
