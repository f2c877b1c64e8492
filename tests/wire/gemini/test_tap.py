"""Watching a stream that passes."""

from __future__ import annotations

from tests.wire.gemini.given import Json, chunk, dumps
from tokligence.conversation import Usage
from tokligence.wire.gemini import CODEC
from tokligence.wire.gemini.tap import StreamTap


def event(value: Json) -> bytes:
    return b"data: " + dumps(value) + b"\r\n\r\n"


def fed(*events: bytes) -> StreamTap:
    tap = CODEC.stream_tap(strip_usage=False)
    for raw in events:
        assert tap.feed(raw) == raw
    return tap


USED = {"promptTokenCount": 10, "candidatesTokenCount": 3}


def test_the_last_usage_counts() -> None:
    first = chunk({"text": "a"}, usageMetadata={"promptTokenCount": 10})
    tap = fed(event(first))
    assert tap.content_seen
    assert not tap.whole
    assert tap.usage == Usage(input=10, exact=False)
    tap.feed(event(chunk({"text": "b"}, finish="STOP", usageMetadata=USED)))
    assert tap.whole
    assert (tap.usage, tap.model) == (Usage(input=10, output=3), "m")
    assert not tap.ended  # only the connection ends a stream


def test_an_empty_text_is_no_content_and_a_call_is() -> None:
    tap = fed(event(chunk({"text": ""})), b": ping\n\n")
    assert not tap.content_seen
    assert (tap.usage, tap.model) == (None, None)
    tap.feed(event(chunk({"functionCall": {"name": "f"}})))
    assert tap.content_seen


def test_a_blocked_prompt_is_a_whole_answer() -> None:
    assert fed(event({"promptFeedback": {"blockReason": "SAFETY"}})).whole


def test_an_error_is_seen() -> None:
    assert fed(event({"error": {"code": 503, "message": "x", "status": "UNAVAILABLE"}})).failed
    assert not fed(event(chunk({"text": '{"error":'}))).failed


def test_what_cannot_be_read_passes() -> None:
    tap = fed(b'data: {"usageMetadata":\r\n\r\n')
    assert (tap.usage, tap.model) == (None, None)
    assert fed(b'data: {"usageMetadata":null,"modelVersion":"m"}\r\n\r\n').model == "m"
