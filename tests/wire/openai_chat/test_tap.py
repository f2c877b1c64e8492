"""A same-protocol stream is forwarded as it came and watched on the way."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tokligence.conversation import Usage
from tokligence.wire.contract import StreamTap
from tokligence.wire.openai_chat import CODEC

DONE = b"data: [DONE]\n\n"
NULL = b'"usage":null'


def event(text: str | bytes) -> bytes:
    return b"data: " + (text.encode() if isinstance(text, str) else text) + b"\n\n"


def delta(**fields: Any) -> bytes:
    chunk = {
        "id": "c",
        "model": "gpt-served",
        "choices": [{"index": 0, "delta": fields, "finish_reason": None}],
    }
    return event(json.dumps(chunk, separators=(",", ":")))


def tap(*events: bytes, strip: bool = False) -> tuple[StreamTap, bytes]:
    watched = CODEC.stream_tap(strip_usage=strip)
    return watched, b"".join(watched.feed(raw) for raw in events)


USAGE = event('{"id":"c","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}')


def test_bytes_go_on_unchanged_and_everything_is_seen():
    events = [delta(role="assistant", content=""), delta(content="Hi"), delta(content=" you"), USAGE, DONE]
    watched, out = tap(*events)
    assert out == b"".join(events)
    assert (watched.model, watched.usage) == ("gpt-served", Usage(input=5, output=2))
    assert (watched.content_seen, watched.ended, watched.failed) == (True, True, False)


@pytest.mark.parametrize(
    "fields",
    [
        {"content": "x"},
        {"reasoning_content": "x"},
        {"reasoning": "x"},
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]},
        {"refusal": "x"},
        {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f"}}]},
        {"function_call": {"name": "f"}},
    ],
)
def test_each_kind_of_content_is_seen(fields: dict[str, Any]):
    assert tap(delta(role="assistant"))[0].content_seen is False
    assert tap(delta(**fields))[0].content_seen is True


def test_comments_and_junk_are_forwarded_unjudged():
    events = [b": ping\n\n", event("not json"), event('{"choices":[{"index":0}]}'), event("{}")]
    watched, out = tap(*events)
    assert out == b"".join(events)
    assert (watched.content_seen, watched.ended, watched.failed, watched.model) == (False, False, False, None)


def test_the_upstreams_own_error_is_seen_at_any_time():
    error = event('{"error":{"message":"boom"}}')
    for before in ([], [delta(content="x")]):
        watched, out = tap(*before, error)
        assert watched.failed
        assert out.endswith(error)
    assert not tap(delta(content="x"), event('{"choices":[],"error":null}'))[0].failed


# --- the gateway asked for usage, the client did not ----------------------------------------------------


def test_the_usage_chunk_is_dropped_and_its_null_cut_from_the_others():
    def chunk(content: str, tail: str) -> bytes:
        return event(
            '{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"' + content + '"}}]' + tail + "}"
        )

    contents = ["", "Hi", 'say "usage":null'.replace('"', '\\"'), "you"]
    watched, out = tap(*[chunk(content, ',"usage":null') for content in contents], USAGE, DONE, strip=True)
    assert out == b"".join(chunk(content, "") for content in contents) + DONE
    assert watched.usage == Usage(input=5, output=2)
    assert watched.ended


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"choices":[],"usage":null}', '{"choices":[]}'),
        ('{"choices":[],"usage":null,"obfuscation":"a1"}', '{"choices":[],"obfuscation":"a1"}'),
        ('{"usage":null,"choices":[]}', '{"choices":[]}'),
        ('{"usage" : null , "choices": []}', '{ "choices": []}'),
        ('{"choices": [], "usage": null}', '{"choices": []}'),
        ('{"choices": [], "usage": null, "x": 1.50}', '{"choices": [], "x": 1.50}'),
        ('{"choices":[],"usage":null,"odd":{"a":1}}', '{"choices":[],"odd":{"a":1}}'),
        ('{"usage":null}', '{"usage":null}'),
        ('{"x":{"usage":null},"choices":[]}', '{"x":{"usage":null},"choices":[]}'),
        ('{"x":{"a":1,"usage":null},"choices":[]}', '{"x":{"a":1,"usage":null},"choices":[]}'),
        ('{"choices":[],"x":{"a":1,"usage":null}}', '{"choices":[],"x":{"a":1,"usage":null}}'),
        ('{"a":1,"a":2,"usage":null,"b":{}}', '{"a":1,"a":2,"usage":null,"b":{}}'),
        ('{"x":{"usage":null},"\\u0075sage":null,"b":{}}', '{"x":{"usage":null},"\\u0075sage":null,"b":{}}'),
    ],
)
@pytest.mark.parametrize("content", [False, True])
def test_exactly_the_null_member_and_its_comma_are_cut(before: str, after: str, content: bool):
    opening = delta(content="x") if content else b""
    assert tap(opening, event(before), strip=True)[1] == opening + event(after)
    assert tap(opening, event(before), strip=False)[1] == opening + event(before)


def test_line_ends_and_fields_around_the_data_stay():
    raw = b'event: x\r\ndata: {"choices":[],"usage":null}\r\nid: 1\r\n\r\n'
    assert tap(raw, strip=True)[1] == b'event: x\r\ndata: {"choices":[]}\r\nid: 1\r\n\r\n'
    split = b'data: {"choices":[],\ndata: "usage":null}\n\n'
    assert tap(split, strip=True)[1] == split


def test_usage_that_stands_beside_choices_is_read_and_stays():
    last = event('{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}')
    watched, out = tap(delta(content="x"), last, DONE, strip=True)
    assert out == delta(content="x") + last + DONE
    assert watched.usage == Usage(input=1)


def test_usage_is_read_beside_another_objects_null():
    raw = event('{"choices":[],"x":{"usage":null},"usage":{"prompt_tokens":1}}')
    assert tap(delta(content="x"), raw)[0].usage == Usage(input=1)


def test_a_broken_chunk_is_not_cut():
    raw = event('{"choices":[],"usage":null')
    assert tap(delta(content="x"), raw, strip=True)[1].endswith(raw)
