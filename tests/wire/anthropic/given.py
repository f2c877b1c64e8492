"""Short ways to write requests, answers and streams for these tests."""

from __future__ import annotations

import json
from typing import Any

from tests.fakes.anthropic_rules import violations
from tokligence.catalog.models import ModelCard
from tokligence.conversation import Extras, Loss, Part, ProtocolId, Request, Role, StreamEvent, Text, Turn
from tokligence.wire.anthropic import CODEC
from tokligence.wire.contract import ReplyContext, ReplyMemory, Target, Written

ANTHROPIC = ProtocolId.ANTHROPIC
CHAT = ProtocolId.OPENAI_CHAT
MODEL = "claude-sonnet-4-5"
CARD = ModelCard(MODEL)
MEMORY = ReplyMemory()
CONTEXT = ReplyContext("req_1", 1_764_000_000, lambda prefix: f"{prefix}new", estimated_input=7)


def chat_extras(**fields: bytes) -> Extras:
    return Extras(CHAT, fields)


def user(*parts: Part | str, path: str = "messages[0]") -> Turn:
    return Turn(Role.USER, _parts(parts), path)


def assistant(*parts: Part | str, path: str = "messages[1]") -> Turn:
    return Turn(Role.ASSISTANT, _parts(parts), path)


def system(*parts: Part | str, path: str = "messages[0]") -> Turn:
    return Turn(Role.SYSTEM, _parts(parts), path)


def _parts(parts: tuple[Part | str, ...]) -> tuple[Part, ...]:
    return tuple(Text(part) if isinstance(part, str) else part for part in parts)


def request(*turns: Turn, **fields: Any) -> Request:
    return Request(model="gpt-5", turns=turns or (user("hi"),), **fields)


def write(
    asked: Request, card: ModelCard = CARD, issuer: str = "anthropic"
) -> tuple[dict[str, Any], list[Loss], Written]:
    """The body, which a strict upstream would take, the losses, and all that was written."""
    written = CODEC.write_request(asked, Target(MODEL, card, issuer))
    body: dict[str, Any] = json.loads(written.body)
    assert list(violations(body, lambda _: True, count=False, beta=True)) == []
    return body, list(written.losses), written


def losses(found: list[Loss]) -> list[str]:
    """`path reason severity`, short enough to compare."""
    return [f"{loss.path} {loss.reason} {loss.severity}" for loss in found]


def read(body: dict[str, Any]) -> Request:
    whole = {"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]} | body
    return CODEC.read_request(json.dumps(whole).encode())


# --- streams --------------------------------------------------------------------------------------------


def start(**message: Any) -> dict[str, Any]:
    whole = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 25, "output_tokens": 1},
    }
    return {"type": "message_start", "message": whole | message}


def block(index: int, **content: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": content}


def delta(index: int, **content: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": content}


def text(index: int, content: str) -> dict[str, Any]:
    return delta(index, type="text_delta", text=content)


def arguments(index: int, content: str) -> dict[str, Any]:
    return delta(index, type="input_json_delta", partial_json=content)


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def end(reason: str | None = "end_turn", **fields: Any) -> dict[str, Any]:
    head = {"stop_reason": reason, "stop_sequence": None}
    return {"type": "message_delta", "delta": head, "usage": {"output_tokens": 15}} | fields


DONE = {"type": "message_stop"}
PING = {"type": "ping"}


def sse(event: dict[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (event["type"].encode(), json.dumps(event).encode())


def read_stream(
    *events: dict[str, Any], memory: ReplyMemory = MEMORY, issuer: str = "anthropic"
) -> tuple[list[StreamEvent], list[Loss]]:
    """The conversation's events of a whole stream."""
    reader = CODEC.stream_reader(memory, issuer)
    out: list[StreamEvent] = []
    for event in events:
        out += reader.feed(str(event.get("type", "")).encode(), json.dumps(event).encode())
    out += reader.eof()
    return out, reader.losses
