"""What the tests of this package share: contexts, responses, streams."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pydantic
from openai.types.responses import Response as VendorResponse
from openai.types.responses import ResponseStreamEvent

from tokligence.conversation import Loss, StreamEvent
from tokligence.wire.contract import ReplyContext, ReplyMemory
from tokligence.wire.openai_responses import CODEC
from tokligence.wire.sse import Splitter, parse

NOW = 1_764_000_000
_EVENT: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(ResponseStreamEvent)


def context(request: dict[str, Any] | None = None, *, clock: int | None = None) -> ReplyContext:
    numbers = count(1)
    raw = b"" if request is None else json.dumps(request).encode()
    return ReplyContext(
        "req_1",
        NOW,
        lambda prefix: f"{prefix}{next(numbers)}",
        request=raw,
        clock=None if clock is None else lambda: clock,
    )


def checked(body: bytes) -> dict[str, Any]:
    """A whole answer, of the vendor's type in each field."""
    VendorResponse.model_validate_json(body, strict=True)
    found: dict[str, Any] = json.loads(body)
    return found


def stream(*events: StreamEvent, request: dict[str, Any] | None = None) -> tuple[list[Any], list[Loss]]:
    """What a client gets, each event of the vendor's type and numbered without a gap."""
    writer = CODEC.stream_writer(context(request))
    return events_in(b"".join(writer.write(event) for event in events)), writer.losses


def events_in(raw: bytes) -> list[Any]:
    found = []
    for number, each in enumerate(Splitter().feed(raw)):
        name, data = parse(each)
        event = json.loads(data)
        assert (event["sequence_number"], event["type"].encode()) == (number, name)
        _EVENT.validate_python(event, strict=True)
        found.append(event)
    return found


def feed(
    *events: dict[str, Any] | bytes, renames: dict[str, str] | None = None
) -> tuple[list[StreamEvent], list[Loss]]:
    """What is read of an upstream's stream."""
    reader = CODEC.stream_reader(ReplyMemory(renames=renames or {}), "openai")
    out: list[StreamEvent] = []
    for event in events:
        out += reader.feed(b"", event if isinstance(event, bytes) else json.dumps(event).encode())
    return out, reader.losses


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "sequence_number": 0, **fields}


def responding(kind: str, *output: Any, **fields: Any) -> dict[str, Any]:
    """An event that carries the response."""
    return event(kind, response={"id": "resp_1", "model": "gpt-x", "output": list(output), **fields})
