"""Watching a Messages stream that passes through unchanged."""

from __future__ import annotations

import pytest

from tests.wire.anthropic.given import DONE, PING, block, end, sse, start, stop, text
from tokligence.conversation import Usage
from tokligence.wire.anthropic import CODEC

STREAM = [
    start(),
    PING,
    block(0, type="text", text=""),
    text(0, 'event: "message_stop"'),
    stop(0),
    end(),
    DONE,
]


def test_every_byte_is_forwarded_and_the_usage_seen() -> None:
    tap = CODEC.stream_tap(strip_usage=True)
    for event in STREAM:
        raw = sse(event)
        assert tap.feed(raw) is raw
    assert (tap.usage, tap.model) == (Usage(input=25, output=15), "claude")
    assert (tap.content_seen, tap.ended, tap.failed) == (True, True, False)


def test_the_opening_is_no_content_and_its_usage_not_final() -> None:
    tap = CODEC.stream_tap(strip_usage=False)
    for event in STREAM[:2]:
        tap.feed(sse(event))
    assert (tap.content_seen, tap.ended) == (False, False)
    assert tap.usage == Usage(input=25, output=1, exact=False)


def test_usage_may_come_in_one_place_only() -> None:
    tap = CODEC.stream_tap(strip_usage=False)
    tap.feed(sse(start(usage=None)))
    assert tap.usage is None
    tap.feed(sse(end(usage=None)))
    assert tap.usage is None
    tap.feed(sse(end()))
    assert tap.usage == Usage(output=15)


def test_an_error_is_seen() -> None:
    tap = CODEC.stream_tap(strip_usage=False)
    tap.feed(sse({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}))
    assert (tap.failed, tap.ended) == (True, False)


TOOL = block(0, type="tool_use", id="toolu_1", name="f", input={})
THINKING = block(0, type="thinking", thinking="", signature="")


@pytest.mark.parametrize(
    ("event", "content"),
    [(STREAM[2], False), (STREAM[3], True), (STREAM[4], False), (TOOL, True), (THINKING, False)],
)
def test_content_begins_with_a_fragment_or_a_tool(event: dict[str, object], content: bool) -> None:
    tap = CODEC.stream_tap(strip_usage=False)
    tap.feed(sse(event))
    assert tap.content_seen is content


@pytest.mark.parametrize(("event", "content"), [(STREAM[2], False), (STREAM[3], True), (TOOL, True)])
def test_events_without_a_name_are_known_by_their_type(event: dict[str, object], content: bool) -> None:
    tap = CODEC.stream_tap(strip_usage=False)
    tap.feed(sse(event).partition(b"\n")[2])
    assert tap.content_seen is content


@pytest.mark.parametrize(
    "raw",
    [
        b": comment\n\n",
        b"data: {\n\n",
        b"data: \xff\n\n",
        b'data: {"type":"novel"}\n\n',
        b'data: {"type":"message_start"}\n\n',
    ],
)
def test_what_cannot_be_read_is_the_clients_to_judge(raw: bytes) -> None:
    tap = CODEC.stream_tap(strip_usage=False)
    assert tap.feed(raw) is raw
    assert (tap.content_seen, tap.ended, tap.failed, tap.usage) == (False, False, False, None)
