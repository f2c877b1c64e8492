"""What the tests of this package begin with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any

from tokligence.catalog.models import Dialect, ModelCard, unknown
from tokligence.conversation import Loss, Part, ProtocolId, Request, Role, StreamEvent, Text, Tool, Turn
from tokligence.wire.contract import ReplyContext, ReplyMemory, Target, Written
from tokligence.wire.gemini import CODEC
from tokligence.wire.sse import Splitter, parse

Json = dict[str, Any]

NEW, OLD, PRO = "gemini-3.8-flash", "gemini-2.5-flash", "gemini-2.5-pro"
ISSUER = "google"
GEMINI, ANTHROPIC = ProtocolId.GEMINI, ProtocolId.ANTHROPIC


def dumps(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def target(
    model: str = NEW, *, card: ModelCard | None = None, dialect: Dialect | None = None, issuer: str = ISSUER
) -> Target:
    return Target(model, card or unknown(model), issuer, dialect or Dialect())


def context() -> ReplyContext:
    numbers = count(1)
    return ReplyContext("req_1", 5, lambda prefix: f"{prefix}new{next(numbers)}")


def show(losses: Iterable[Loss]) -> list[str]:
    return [f"{loss.path} {loss.reason} {loss.severity}" for loss in losses]


# --- requests -------------------------------------------------------------------------------------------


def asked(*parts: Json, **fields: Any) -> Json:
    """A request of one turn."""
    return {"contents": [{"role": "user", "parts": list(parts or ({"text": "hi"},))}], **fields}


def read(body: Json) -> Request:
    return CODEC.read_request(dumps(body))


def user(*parts: Part) -> Turn:
    return Turn(Role.USER, parts, "messages[0]")


def model(*parts: Part, path: str = "messages[1]") -> Turn:
    return Turn(Role.ASSISTANT, parts, path)


def request(*turns: Turn, **fields: Any) -> Request:
    return Request("asked", turns or (user(Text("hi")),), **fields)


def write(value: Request, to: Target | None = None) -> tuple[Json, list[str]]:
    written = written_of(value, to)
    return json.loads(written.body), show(written.losses)


def written_of(value: Request, to: Target | None = None) -> Written:
    return CODEC.write_request(value, to or target())


def tool(name: str = "f", schema: Json | None = None, **fields: Any) -> Tool:
    return Tool(name, "tools[0]", parameters=None if schema is None else dumps(schema), **fields)


# --- answers --------------------------------------------------------------------------------------------


def answer(*parts: Json, finish: str = "STOP", **fields: Any) -> Json:
    candidate = {"content": {"parts": list(parts), "role": "model"}, "finishReason": finish, "index": 0}
    return {"candidates": [candidate], "modelVersion": "m", "responseId": "r1", **fields}


def chunk(*parts: Json, finish: str | None = None, **fields: Any) -> Json:
    candidate: Json = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "modelVersion": "m", "responseId": "r1", **fields}


def stream(chunks: Sequence[Json], memory: ReplyMemory | None = None) -> tuple[list[StreamEvent], list[str]]:
    """The events of a stream that ends as it should, and the losses."""
    reader = CODEC.stream_reader(memory or ReplyMemory(), ISSUER)
    events: list[StreamEvent] = []
    for each in chunks:
        events += reader.feed(b"", dumps(each))
    events += reader.eof()
    return events, show(reader.losses)


def sse(raw: bytes) -> list[Json]:
    splitter = Splitter()
    found = [json.loads(parse(each)[1]) for each in splitter.feed(raw)]
    assert splitter.rest() == b""
    return found
