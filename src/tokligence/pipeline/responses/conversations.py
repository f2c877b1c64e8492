"""Conversations: lists of items to which responses add (openai-python 3.x, resources/conversations, read 2026-11-24)."""

from __future__ import annotations

from collections.abc import Callable
from time import time
from typing import Any, Final

from msgspec import Raw, Struct
from msgspec.json import encode
from msgspec.structs import replace

from tokligence.errors import GatewayError
from tokligence.pipeline.contract import Call, Sink
from tokligence.pipeline.outbound import JSON
from tokligence.pipeline.responses.asked import answer, decoded, page
from tokligence.pipeline.responses.items import LARGEST_PAGE, Item, Page, items_of, page_of
from tokligence.pipeline.responses.store import Conversation, Store

MOST_ITEMS: Final = 20
"""Items that may be added to a conversation at once."""


class _NewConversation(Struct):
    metadata: dict[str, str] | None = None
    items: Raw = Raw(b"null")


class Conversations:
    """The endpoints. `must_keep` raises where nothing is kept."""

    def __init__(self, store: Store, new_id: Callable[[str], str], must_keep: Callable[[], None]) -> None:
        self._store = store
        self._new_id = new_id
        self._must_keep = must_keep

    async def create(self, call: Call, sink: Sink) -> None:
        self._must_keep()
        asked = decoded(call.body or b"{}", _NewConversation)
        new_id = self._new_id
        items = () if bytes(asked.items) == b"null" else items_of(asked.items, "items", new_id)
        _few(items)
        conversation = Conversation(
            new_id("conv_"), call.principal.key_name, int(time()), encode(asked.metadata or {}), items
        )
        self._store.put(conversation, conversation.created)
        answer(sink, _shown(conversation))

    async def one(self, call: Call, sink: Sink, name: str) -> None:
        """GET shows it, POST replaces its metadata, DELETE removes it."""
        found = self._found(call, name)
        if call.method == "DELETE":
            self._store.remove(found.owner, found.id)
            answer(sink, {"id": name, "object": "conversation.deleted", "deleted": True})
            return
        if call.method == "POST":
            found = replace(found, metadata=encode(decoded(call.body, _NewConversation).metadata or {}))
            self._store.put(found, int(time()))
        answer(sink, _shown(found))

    async def items(self, call: Call, sink: Sink, name: str) -> None:
        """GET lists them, POST adds some."""
        found = self._found(call, name)
        if call.method != "POST":
            sink.whole(200, [JSON], page_of(found.items, page(call)))
            return
        added = items_of(decoded(call.body, _NewConversation).items, "items", self._new_id)
        _few(added)
        self._store.put(found.with_items(added), int(time()))
        sink.whole(200, [JSON], page_of(added, Page(limit=LARGEST_PAGE, order="asc")))

    async def item(self, call: Call, sink: Sink, name: str, item: str) -> None:
        """GET shows it, DELETE removes it and answers with the conversation."""
        found = self._found(call, name)
        shown = next((each for each in found.items if each.id == item), None)
        if shown is None:
            raise GatewayError("responses.not_found", id=item[:100])
        if call.method == "DELETE":
            found = replace(found, items=tuple([each for each in found.items if each.id != item]))
            self._store.put(found, int(time()))
            answer(sink, _shown(found))
        else:
            sink.whole(200, [JSON], shown.raw)

    def _found(self, call: Call, name: str) -> Conversation:
        found = self._store.conversation(call.principal.key_name, name, int(time()))
        if found is None:
            raise GatewayError("responses.conversation_not_found", id=name[:100])
        return found


def _few(items: tuple[Item, ...]) -> None:
    if len(items) > MOST_ITEMS:
        raise GatewayError("request.invalid_field", path="items", reason=f"at most {MOST_ITEMS} at a time")


def _shown(conversation: Conversation) -> dict[str, Any]:
    return {
        "id": conversation.id,
        "object": "conversation",
        "created_at": conversation.created,
        "metadata": Raw(conversation.metadata),
    }
