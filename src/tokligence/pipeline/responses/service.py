"""Responses with state: what a client may ask of a server that keeps responses and conversations.

An upstream that speaks the protocol keeps its own, and is asked itself. For all others they are kept here
(`store`), the history is put before the input of the next request, and a response in the background is a task of ours.

Facts: openai-python 3.x, resources/responses and resources/conversations, read 2026-11-24.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import time
from typing import Final
from urllib.parse import parse_qs

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from tokligence.conversation import FinishReason, ProtocolId, Response, Usage
from tokligence.errors import GatewayError
from tokligence.pipeline.contract import Call, Sink
from tokligence.pipeline.estimate import request_tokens
from tokligence.pipeline.hub import Hub
from tokligence.pipeline.outbound import JSON
from tokligence.pipeline.responses.asked import answer, decoded, page, whole_number
from tokligence.pipeline.responses.capture import Collected, Overheard
from tokligence.pipeline.responses.compact import compacted, request_body, unfolded
from tokligence.pipeline.responses.items import (
    Item,
    array,
    items_of,
    output_items,
    page_of,
    resolved,
)
from tokligence.pipeline.responses.store import Conversation, Owner, Store, StoredResponse
from tokligence.wire.contract import ReplyContext
from tokligence.wire.registry import CODECS
from tokligence.wire.splice import TopLevel

Run = Callable[[Call, Sink], Awaitable[None]]
"""Answers a request of the protocol as a model call."""

EVENTS: Final = (b"content-type", b"text/event-stream; charset=utf-8")
FINISHED: Final = frozenset({"completed", "incomplete", "failed", "cancelled"})


class _Wants(Struct):
    """What of a request concerns state."""

    model: str = ""
    previous_response_id: str | None = None
    conversation: str | dict[str, Raw] | None = None
    store: bool | None = None
    background: bool | None = None
    stream: bool | None = None
    generate: bool | None = None


class _Background(Struct):
    """A response that runs without its client."""

    task: asyncio.Task[None]
    collected: Collected


REFERENCE: Final = b"item_reference"
COMPACTION: Final = b'"compaction"'
"""Kinds of items that an upstream which keeps no state does not know, or that may be of our making."""

_encode = msgspec.json.encode


class Responses:
    """The endpoints. `run`: a model call of the protocol; `native`: whether the model's upstream keeps state itself;
    `elsewhere`: passes a request on to such an upstream, or raises the error that there is none."""

    def __init__(self, hub: Hub, run: Run, native: Callable[[str], bool], elsewhere: Run) -> None:
        self._hub = hub
        self._run = run
        self._native = native
        self._elsewhere = elsewhere
        self.store = Store()
        self._background: dict[tuple[Owner, str], _Background] = {}

    # --- create -------------------------------------------------------------------------------------

    async def create(self, call: Call, sink: Sink, session: Store | None = None) -> None:
        """`session`: what one socket has said; there a response can be followed that is not stored."""
        wants = decoded(call.body, _Wants)
        owner = call.principal.key_name
        native = self._native(wants.model)
        prior, conversation = self._found(owner, wants, session)
        follows = prior is not None or conversation is not None
        if native and not follows and session is None:
            await self._run(call, sink)
            return
        if not native and not follows:
            self._must_be_known(wants)
        kept = self._begun(call, wants, session, prior or conversation, native=native)
        inner = replace(call, body=_continued(call.body, kept, forget=native))
        if wants.generate is False and session is not None:
            self._prepare(inner, sink, kept, wants.model)
        elif wants.background and not native:
            self.must_keep()
            await self._in_background(inner, sink, kept, stream=bool(wants.stream))
        elif kept.stores:
            await self._run(inner, Overheard(sink, lambda response: self._keep(kept, response)))
        else:
            await self._run(inner, sink)

    def _prepare(self, call: Call, sink: Sink, kept: _Kept, model: str) -> None:
        """A turn that a client will go on from, without asking the model."""
        new_id = self._hub.ids.new
        context = ReplyContext(new_id("req_"), int(time()), new_id, request=call.body)
        empty = Response(new_id("resp_"), model, (), FinishReason.STOP, usage=Usage())
        response = CODECS[ProtocolId.OPENAI_RESPONSES].write_response(empty, context).body
        self._keep(kept, response)
        sink.start(200, [EVENTS])
        for number, kind in enumerate(("response.created", "response.completed")):
            event = {"type": kind, "sequence_number": number, "response": Raw(response)}
            sink.write(b"event: %b\ndata: %b\n\n" % (kind.encode(), _encode(event)))
        sink.end()

    def _found(
        self, owner: Owner, wants: _Wants, session: Store | None
    ) -> tuple[StoredResponse | None, Conversation | None]:
        now, previous, named = int(time()), wants.previous_response_id, _conversation_id(wants.conversation)
        if previous is not None and named is not None:
            raise GatewayError(
                "request.invalid_field",
                path="previous_response_id",
                reason="it cannot be used together with conversation",
            )
        prior = None
        if previous is not None:
            prior = session.response(owner, previous, now) if session is not None else None
            prior = prior or self.store.response(owner, previous, now)
        return prior, None if named is None else self.store.conversation(owner, named, now)

    def _begun(
        self,
        call: Call,
        wants: _Wants,
        session: Store | None,
        before: StoredResponse | Conversation | None,
        *,
        native: bool,
    ) -> _Kept:
        """What is known of a response before it is made. An upstream that keeps its own is not helped to keep it."""
        owner = call.principal.key_name
        raw = TopLevel(call.body).values.get("input")
        given = () if raw is None else items_of(raw, "input", self._hub.ids.new)
        stores = [] if session is None else [session]
        if not native:
            given = resolved(given, lambda name: self._item(owner, name, session))
            if wants.store is not False and not self._off:
                stores.append(self.store)
        return _Kept(
            owner,
            unfolded(given),
            before.items if before is not None else (),
            before.id if isinstance(before, Conversation) else None,
            tuple(stores),
        )

    def _item(self, owner: Owner, name: str, session: Store | None) -> Item | None:
        found = session.item(owner, name) if session is not None else None
        return found or self.store.item(owner, name)

    def _must_be_known(self, wants: _Wants) -> None:
        if wants.previous_response_id is not None:
            self.must_keep()
            raise GatewayError("responses.previous_not_found", id=wants.previous_response_id[:100])
        named = _conversation_id(wants.conversation)
        if named is not None:
            self.must_keep()
            raise GatewayError("responses.conversation_not_found", id=named[:100])

    @property
    def _off(self) -> bool:
        return self._hub.state.settings.responses_store == "off"

    def must_keep(self) -> None:
        if self._off:
            raise GatewayError("responses.not_kept")

    def _keep(self, kept: _Kept, response: bytes, events: tuple[bytes, ...] = ()) -> None:
        head, now, output = _head(response), int(time()), output_items(response)
        entry = StoredResponse(head.id, kept.owner, now, response, kept.input, kept.history, output, events)
        for store in kept.stores:
            store.put(entry, now)
        if kept.conversation is not None and head.status in ("completed", "incomplete"):
            found = self.store.conversation(kept.owner, kept.conversation, now)
            if found is not None:
                self.store.put(found.with_items((*kept.input, *output)), now)

    async def compact(self, call: Call, sink: Sink) -> None:
        """A shorter history for the same conversation. An upstream that keeps its own state compacts itself."""
        wants = decoded(call.body, _Wants)
        prior, _ = self._found(call.principal.key_name, wants, None)
        native = self._native(wants.model)
        if native and prior is None:
            await self._elsewhere(call, sink)
            return
        if prior is None:
            self._must_be_known(wants)
        kept = self._begun(call, wants, None, prior, native=False)
        items = (*kept.history, *kept.input)
        collected = Collected()
        await self._run(replace(call, body=request_body(TopLevel(call.body).values, items)), collected)
        if collected.answer is None:
            raise GatewayError("gateway.internal")
        status, headers, body = collected.answer
        if status == 200:
            body = compacted(body, items, self._hub.ids.new("cmp_"))
        sink.whole(status, headers, body)

    async def count(self, call: Call, sink: Sink) -> None:
        """The tokens of a request's input: the upstream's count where it keeps state itself, else an estimate."""
        wants = decoded(call.body, _Wants)
        prior, conversation = self._found(call.principal.key_name, wants, None)
        if prior is None and conversation is None:
            if self._native(wants.model):
                await self._elsewhere(call, sink)
                return
            self._must_be_known(wants)
        kept = self._begun(call, wants, None, prior or conversation, native=False)
        request = CODECS[ProtocolId.OPENAI_RESPONSES].read_request(_continued(call.body, kept, forget=False))
        tokens = request_tokens(request)
        body = _encode({"object": "response.input_tokens", "input_tokens": tokens})
        sink.whole(200, [JSON, (b"x-tokligence-usage", b"estimated")], body)

    # --- in the background --------------------------------------------------------------------------

    async def _in_background(self, call: Call, sink: Sink, kept: _Kept, *, stream: bool) -> None:
        """The answer is the response as it stands, or its stream; the work goes on when the client leaves."""
        collected = Collected()
        inner = replace(call, body=_with(call.body, "stream", b"true"))
        task = self._hub.loop.create_task(self._collect(inner, collected, kept))
        while collected.response is None and not collected.ended:
            await collected.more()
        if collected.answer is not None:
            sink.whole(*collected.answer)
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
        position = whole_number(query, "starting_after", -1) + 1
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
        self.store.remove(call.principal.key_name, name)
        answer(sink, {"id": name, "object": "response", "deleted": True})

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
            sink.whole(200, [JSON], page_of((*kept.history, *kept.input), page(call)))

    async def _kept(self, call: Call, sink: Sink, name: str) -> StoredResponse | None:
        """None: it is not ours, and an upstream that keeps its own has answered."""
        kept = self.store.response(call.principal.key_name, name, int(time()))
        if kept is None:
            await self._elsewhere(call, sink)
        return kept


class _Kept(Struct, frozen=True):
    """What is already known of a response that will be kept."""

    owner: Owner
    input: tuple[Item, ...]
    history: tuple[Item, ...]
    conversation: str | None
    stores: tuple[Store, ...]


class _Head(Struct):
    id: str
    status: str = ""


def _head(response: bytes) -> _Head:
    return msgspec.json.decode(response, type=_Head)


def _conversation_id(named: str | dict[str, Raw] | None) -> str | None:
    if named is None or isinstance(named, str):
        return named
    return decoded(_encode(named), _Head).id


def _continued(body: bytes, kept: _Kept, *, forget: bool) -> bytes:
    """The request with all that came before in its input. `forget`: the upstream must not look for it itself."""
    if not (kept.history or COMPACTION in body or (REFERENCE in body and not forget)):
        return body
    body = _with(body, "input", array((*kept.history, *kept.input)))
    for name in ("previous_response_id", "conversation") if forget else ():
        if name in TopLevel(body).values:
            body = _with(body, name, b"null")
    return body


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
