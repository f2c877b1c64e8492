"""Compaction for upstreams that have none: the model sums the conversation up, and the summary travels as the content of a
`compaction` item, which only this gateway reads. Pure.

Facts: openai-python 3.x, types/responses/compacted_response.py (all user messages, then one compaction item) and
response_compact_params.py, read 2026-11-24.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from tokligence.errors import GatewayError
from tokligence.pipeline.responses.items import Item

PREFIX: Final = "tgw1."
ASK: Final = (
    "Summarize this conversation so that another assistant can continue it with nothing but your summary and the user's"
    " own messages. State the goal, what was decided and why, what was done and found (files, commands, results, exact"
    " names and values), and what remains to be done. Write only the summary."
)
INTRODUCTION: Final = "Summary of the conversation so far:\n\n"


class _Summary(Struct):
    summary: str


class _Compaction(Struct):
    type: str = ""
    role: str = ""
    encrypted_content: str = ""


class _Part(Struct):
    type: str = ""
    text: str = ""


class _Message(Struct):
    type: str = ""
    content: list[_Part] = []


class _Answer(Struct):
    id: str
    created_at: int
    output: list[Raw]
    usage: Raw


def request_body(fields: dict[str, Raw], items: Sequence[Item]) -> bytes:
    """The request that asks for the summary. `fields`: of the request for compaction."""
    asked = {name: fields[name] for name in ("model", "instructions", "service_tier") if name in fields}
    question = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": ASK}]}
    return msgspec.json.encode(
        {**asked, "input": [*[Raw(item.raw) for item in items], question], "store": False}
    )


def compacted(answer: bytes, items: Sequence[Item], name: str) -> bytes:
    """The `response.compaction` from the answer that holds the summary. `name`: the id of the new item. Raises
    `upstream.bad_response` for a summary without text."""
    found = msgspec.json.decode(answer, type=_Answer)
    text = "".join(
        [
            part.text
            for raw in found.output
            if (message := msgspec.json.decode(raw, type=_Message)).type == "message"
            for part in message.content
            if part.type == "output_text"
        ]
    )
    if not text:
        raise GatewayError("upstream.bad_response", provider="The model", reason="it gave no summary")
    content = PREFIX + urlsafe_b64encode(msgspec.json.encode(_Summary(text))).decode()
    users = [Raw(item.raw) for item in items if _is_user(item)]
    compaction = {"id": name, "type": "compaction", "encrypted_content": content}
    return msgspec.json.encode(
        {
            "id": found.id,
            "object": "response.compaction",
            "created_at": found.created_at,
            "output": [*users, compaction],
            "usage": found.usage,
        }
    )


def unfolded(items: Sequence[Item]) -> tuple[Item, ...]:
    """The items with the summaries of this gateway as messages that any model can read. Raises `request.invalid_field`
    for one that is not as it was given out."""
    return tuple([_unfolded(item) if b'"compaction"' in item.raw else item for item in items])


def _unfolded(item: Item) -> Item:
    compaction = msgspec.json.decode(item.raw, type=_Compaction)
    if compaction.type != "compaction" or not compaction.encrypted_content.startswith(PREFIX):
        return item  # the vendor's own, or something else that has the word in it
    try:
        packed = urlsafe_b64decode(compaction.encrypted_content[len(PREFIX) :].encode("ascii"))
        text = msgspec.json.decode(packed, type=_Summary).summary
    except (ValueError, msgspec.MsgspecError):
        raise GatewayError(
            "request.invalid_field", path="input", reason="a compaction item is not as it was given out"
        ) from None
    message: dict[str, Any] = {
        "id": item.id,
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": INTRODUCTION + text}],
    }
    return Item(item.id, msgspec.json.encode(message))


def _is_user(item: Item) -> bool:
    seen = msgspec.json.decode(item.raw, type=_Compaction)
    return seen.type == "message" and seen.role == "user"
