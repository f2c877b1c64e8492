"""A same-protocol stream is watched, never changed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.wire.openai_responses.given import event, responding
from tokligence.conversation import Usage
from tokligence.wire.openai_responses import CODEC
from tokligence.wire.openai_responses.tap import ResponsesStreamTap


def raw(fields: dict[str, Any]) -> bytes:
    return f"event: {fields['type']}\ndata: {json.dumps(fields)}\n\n".encode()


def tapped(*events: bytes) -> ResponsesStreamTap:
    tap = CODEC.stream_tap(strip_usage=True)
    assert isinstance(tap, ResponsesStreamTap)
    for each in events:
        assert tap.feed(each) == each
    return tap


def test_a_stream_is_seen_from_its_beginning_to_its_end() -> None:
    created = raw(responding("created"))
    tap = tapped(created, raw(responding("in_progress")), b": ping\n\n", raw({"type": "keepalive"}))
    assert (tap.content_seen, tap.ended, tap.failed, tap.model, tap.usage) == (
        False,
        False,
        False,
        "gpt-x",
        None,
    )
    tap = tapped(created, raw(event("output_item.added", output_index=0, item={})))
    assert tap.content_seen
    usage = {"input_tokens": 5, "output_tokens": 2}
    delta = raw(event("output_text.delta", delta="response.completed is what it says"))
    for kind in ("completed", "incomplete"):
        tap = tapped(created, delta, delta, raw(responding(kind, usage=usage)))
        assert (tap.content_seen, tap.ended, tap.failed) == (True, True, False)
        assert tap.usage == Usage(5, output=2)


@pytest.mark.parametrize(
    "failure", [responding("failed"), responding("cancelled", model=None), {"type": "error", "message": "x"}]
)
def test_a_failure_is_seen(failure: dict[str, Any]) -> None:
    tap = tapped(raw(failure))
    assert (tap.failed, tap.ended, tap.content_seen) == (True, False, False)
    tap = tapped(raw(event("output_text.delta", delta="a")), raw(failure))
    assert (tap.failed, tap.ended, tap.content_seen) == (True, False, True)
