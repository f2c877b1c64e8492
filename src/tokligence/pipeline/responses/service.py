"""Responses with state: what a client may ask of a server that keeps responses and conversations.

An upstream that speaks the protocol keeps its own, and is asked itself. For all others they are kept here
(`store`), the history is put before the input of the next request, and a response in the background is a task of ours.

Facts: openai-python 3.x, resources/responses and resources/conversations, read 2026-11-24.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import time
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from tokligence.errors import GatewayError
from tokligence.pipeline.contract import Call, Sink
from tokligence.pipeline.hub import Hub
from tokligence.pipeline.outbound import JSON
from tokligence.pipeline.responses.capture import Collected, Overheard
from tokligence.pipeline.responses.items import (
    DEFAULT_PAGE,
    LARGEST_PAGE,
    Item,
    Page,
    array,
    items_of,
    output_items,
    page_of,
    resolved,
)
from tokligence.pipeline.responses.store import Conversation, Owner, Store, StoredResponse
from tokligence.wire.splice import TopLevel

Run = Callable[[Call, Sink], Awaitable[None]]
"""Answers a request of the protocol as a model call."""

EVENTS: Final = (b"content-type", b"text/event-stream; charset=utf-8")
FINISHED: Final = frozenset({"completed", "incomplete", "failed", "cancelled"})
MOST_ITEMS: Final = 20
"""Items that may be added to a conversation at once."""


class _Wants(Struct):
    """What of a request concerns state."""

    model: str = ""
    previous_response_id: str | None = None
    conversation: str | dict[str, Raw] | None = None
    store: bool | None = None
    background: bool | None = None
    stream: bool | None = None


class _Background(Struct):
    """A response that runs without its client."""

    task: asyncio.Task[None]
    collected: Collected


_encode = msgspec.json.encode


class Responses:
    """The endpoints. `run`: a model call of the protocol; `native`: whether the model's upstream keeps state itself;
    `elsewhere`: passes a request on to such an upstream, or raises the error that there is none."""

    def __init__(self, hub: Hub, run: Run, native: Callable[[str], bool], elsewhere: Run) -> None:
        self._hub = hub
        self._run = run
        self._native = native
        self._elsewhere = elsewhere
        self._store = Store()
        self._background: dict[tuple[Owner, str], _Background] = {}

    # --- create -------------------------------------------------------------------------------------

    async def create(self, call: Call, sink: Sink) -> None:
        wants = _decoded(call.body, _Wants)
        owner = call.principal.key_name
        prior, conversation = self._found(owner, wants)
        if prior is None and conversation is None:
            if self._native(wants.model):
                await self._run(call, sink)
                return
            self._must_be_known(wants)
        top = TopLevel(call.body)
        raw = top.values.get("input")
        given = () if raw is None else items_of(raw, "input", self._hub.ids.new)
        given = resolved(given, lambda name: self._store.item(owner, name))
        history = prior.items if prior else conversation.items if conversation else ()
        inner = replace(call, body=_with_items(top, (*history, *given)))
        kept = _Kept(owner, given, history, conversation.id if conversation else None)
        if wants.background:
            self._must_keep()
            await self._in_background(inner, sink, kept, stream=bool(wants.stream))
        elif wants.store is False or self._off:
            await self._run(inner, sink)
        else:
            await self._run(inner, Overheard(sink, lambda response: self._keep(kept, response)))

    def _found(self, owner: Owner, wants: _Wants) -> tuple[StoredResponse | None, Conversation | None]:
        now = int(time())
        named = _conversation_id(wants.conversation)
        if wants.previous_response_id is not None and named is not None:
            raise GatewayError(
                "request.invalid_field",
                path="previous_response_id",
                reason="it cannot be used together with conversation",
            )
        prior = conversation = None
        if wants.previous_response_id is not None:
            prior = self._store.response(owner, wants.previous_response_id, now)
        if named is not None:
            conversation = self._store.conversation(owner, named, now)
        return prior, conversation

    def _must_be_known(self, wants: _Wants) -> None:
        if wants.previous_response_id is not None:
            self._must_keep()
            raise GatewayError("responses.previous_not_found", id=wants.previous_response_id[:100])
        named = _conversation_id(wants.conversation)
        if named is not None:
            self._must_keep()
            raise GatewayError("responses.conversation_not_found", id=named[:100])

    @property
    def _off(self) -> bool:
        return self._hub.state.settings.responses_store == "off"

    def _must_keep(self) -> None:
        if self._off:
            raise GatewayError("responses.not_kept")

    def _keep(self, kept: _Kept, response: bytes, events: tuple[bytes, ...] = ()) -> None:
        head, now, output = _head(response), int(time()), output_items(response)
        self._store.put(
            StoredResponse(head.id, kept.owner, now, response, kept.input, kept.history, output, events), now
        )
        if kept.conversation is not None and head.status in ("completed", "incomplete"):
            found = self._store.conversation(kept.owner, kept.conversation, now)
            if found is not None:
                self._store.put(found.with_items((*kept.input, *output)), now)

    # --- in the background --------------------------------------------------------------------------

    async def _in_background(self, call: Call, sink: Sink, kept: _Kept, *, stream: bool) -> None:
        """The answer is the response as it stands, or its stream; the work goes on when the client leaves."""
        collected = Collected()
        inner = replace(call, body=_with(call.body, "stream", b"true"))
        task = self._hub.loop.create_task(self._collect(inner, collected, kept))
        while collected.response is None and not collected.ended:
            await collected.more()
        if collected.refused is not None:
            sink.whole(*collected.refused)
            return
        if collected.response is None:
            raise GatewayError("gateway.internal")
        key = kept.owner, _head(collected.response).id
        running = self._background[key] = _Background(task, collected)
        task.add_done_callback(lambda _: self._background.pop(key, None))
        if stream:
            await _replay(running.collected, sink, 0)
        else:
            headers = [
                pair for pair in collected.headers if pair[0] not in (b"content-type", b"cache-control")
            ]
            sink.whole(200, [JSON, *headers], _with(collected.response, "status", b'"queued"'))

    async def _collect(self, call: Call, collected: Collected, kept: _Kept) -> None:
        try:
            await self._run(call, collected)
        finally:
            response = collected.response
            if response is not None:
                if _head(response).status not in FINISHED:  # cancelled, or broken off with an error event
                    response = _with(response, "status", b'"cancelled"')
                    collected.response = response
                self._keep(kept, response, tuple(collected.events))
            collected.close()

    async def close(self) -> None:
        """Ends what runs in the background; it is kept as cancelled."""
        tasks = [running.task for running in self._background.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # --- what is kept -------------------------------------------------------------------------------

    async def retrieve(self, call: Call, sink: Sink, name: str) -> None:
        """The response as it stands; with `stream=true` the events of one that ran in the background as a stream."""
        query = parse_qs(call.query)
        streamed = query.get("stream", ["false"])[0] == "true"
        position = _whole_number(query, "starting_after", -1) + 1
        running = self._background.get((call.principal.key_name, name))
        if running is not None and running.collected.response is not None:
            if streamed:
                await _replay(running.collected, sink, position)
            else:
                sink.whole(200, [JSON], running.collected.response)
            return
        kept = await self._kept(call, sink, name)
        if kept is None:
            return
        if not streamed:
            sink.whole(200, [JSON], kept.response)
        elif kept.events:
            sink.start(200, [EVENTS])
            sink.end(b"".join(kept.events[position:]))
        else:
            raise GatewayError(
                "request.invalid_field", path="stream", reason="the response did not run in the background"
            )

    async def delete(self, call: Call, sink: Sink, name: str) -> None:
        running = self._background.get((call.principal.key_name, name))
        if running is not None:
            running.task.cancel()
        if running is None and await self._kept(call, sink, name) is None:
            return
        self._store.remove(call.principal.key_name, name)
        _answer(sink, {"id": name, "object": "response", "deleted": True})

    async def cancel(self, call: Call, sink: Sink, name: str) -> None:
        running = self._background.get((call.principal.key_name, name))
        if running is not None:
            running.task.cancel()
            await asyncio.wait([running.task])
        kept = await self._kept(call, sink, name)
        if kept is None:
            return
        if not kept.events:
            raise GatewayError(
                "request.invalid_field", path="id", reason="the response did not run in the background"
            )
        sink.whole(200, [JSON], kept.response)

    async def input_items(self, call: Call, sink: Sink, name: str) -> None:
        kept = await self._kept(call, sink, name)
        if kept is not None:
            sink.whole(200, [JSON], page_of((*kept.history, *kept.input), _page(call)))

    async def _kept(self, call: Call, sink: Sink, name: str) -> StoredResponse | None:
        """None: it is not ours, and an upstream that keeps its own has answered."""
        kept = self._store.response(call.principal.key_name, name, int(time()))
        if kept is None:
            await self._elsewhere(call, sink)
        return kept

    # --- conversations ------------------------------------------------------------------------------

    async def new_conversation(self, call: Call, sink: Sink) -> None:
        self._must_keep()
        asked = _decoded(call.body or b"{}", _NewConversation)
        new_id = self._hub.ids.new
        items = items_of(asked.items, "items", new_id) if asked.items != b"null" else ()
        _few(items)
        conversation = Conversation(
            new_id("conv_"), call.principal.key_name, int(time()), bytes(asked.metadata or b"{}"), items
        )
        self._store.put(conversation, conversation.created)
        _answer(sink, _shown(conversation))

    async def conversation(self, call: Call, sink: Sink, name: str) -> None:
        """GET shows it, POST replaces its metadata, DELETE removes it."""
        found = self._conversation(call, name)
        if call.method == "DELETE":
            self._store.remove(found.owner, found.id)
            _answer(sink, {"id": name, "object": "conversation.deleted", "deleted": True})
            return
        if call.method == "POST":
            found = replace(found, metadata=bytes(_decoded(call.body, _NewConversation).metadata or b"{}"))
            self._store.put(found, int(time()))
        _answer(sink, _shown(found))

    async def conversation_items(self, call: Call, sink: Sink, name: str) -> None:
        """GET lists them, POST adds some."""
        found = self._conversation(call, name)
        if call.method != "POST":
            sink.whole(200, [JSON], page_of(found.items, _page(call)))
            return
        added = items_of(_decoded(call.body, _NewConversation).items, "items", self._hub.ids.new)
        _few(added)
        self._store.put(found.with_items(added), int(time()))
        sink.whole(200, [JSON], page_of(added, Page(limit=LARGEST_PAGE, order="asc")))

    async def conversation_item(self, call: Call, sink: Sink, name: str, item: str) -> None:
        """GET shows it, DELETE removes it and answers with the conversation."""
        found = self._conversation(call, name)
        shown = next((each for each in found.items if each.id == item), None)
        if shown is None:
            raise GatewayError("responses.not_found", id=item[:100])
        if call.method == "DELETE":
            found = replace(found, items=tuple([each for each in found.items if each.id != item]))
            self._store.put(found, int(time()))
            _answer(sink, _shown(found))
        else:
            sink.whole(200, [JSON], shown.raw)

    def _conversation(self, call: Call, name: str) -> Conversation:
        found = self._store.conversation(call.principal.key_name, name, int(time()))
        if found is None:
            raise GatewayError("responses.conversation_not_found", id=name[:100])
        return found


class _Kept(Struct, frozen=True):
    """What is already known of a response that will be kept."""

    owner: Owner
    input: tuple[Item, ...]
    history: tuple[Item, ...]
    conversation: str | None


class _NewConversation(Struct):
    metadata: Raw | None = None
    items: Raw = Raw(b"null")


class _Head(Struct):
    id: str
    status: str = ""


T = TypeVar("T", bound=Struct)


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise GatewayError("request.invalid_field", path="the body", reason=str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise GatewayError("request.invalid_json", reason=str(error)) from None
    except RecursionError:
        raise GatewayError("request.too_deep") from None


def _head(response: bytes) -> _Head:
    return msgspec.json.decode(response, type=_Head)


def _conversation_id(named: str | dict[str, Raw] | None) -> str | None:
    if named is None or isinstance(named, str):
        return named
    return _decoded(_encode(named), _Head).id


def _with_items(top: TopLevel, items: tuple[Item, ...]) -> bytes:
    raw = array(items)
    return top.replace("input", raw) if "input" in top.values else top.append("input", raw)


def _with(body: bytes, name: str, value: bytes) -> bytes:
    top = TopLevel(body)
    return top.replace(name, value) if name in top.values else top.append(name, value)


async def _replay(collected: Collected, sink: Sink, position: int) -> None:
    """The events from `position` on, those that are still to come too."""
    sink.start(200, [EVENTS])
    while not sink.gone:
        events = collected.events[position:]
        position += len(events)
        sink.write(b"".join(events))
        if collected.ended and position >= len(collected.events):
            break
        await sink.drained()
        await collected.more()
    sink.end()


def _page(call: Call) -> Page:
    query = parse_qs(call.query)
    order = query.get("order", ["desc"])[0]
    if order not in ("asc", "desc"):
        raise GatewayError("request.invalid_field", path="order", reason="it is asc or desc")
    limit = _whole_number(query, "limit", DEFAULT_PAGE)
    if not 1 <= limit <= LARGEST_PAGE:
        raise GatewayError("request.invalid_field", path="limit", reason=f"it is 1 to {LARGEST_PAGE}")
    return Page(limit, order, query.get("after", [None])[0])


def _whole_number(query: dict[str, list[str]], name: str, default: int) -> int:
    text = query.get(name, [str(default)])[0]
    try:
        return int(text)
    except ValueError:
        raise GatewayError("request.invalid_field", path=name, reason="it is no whole number") from None


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


def _answer(sink: Sink, value: dict[str, Any]) -> None:
    sink.whole(200, [JSON], _encode(value))
