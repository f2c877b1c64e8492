"""The paths of the Responses protocol besides the plain model call, and what answers them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from msgspec.structs import replace

from tokligence.conversation import ProtocolId
from tokligence.errors import GatewayError
from tokligence.pipeline.contract import Call, Sink, Talk
from tokligence.pipeline.exchange import ModelCall
from tokligence.pipeline.hub import Hub
from tokligence.pipeline.passthrough import PassedCall
from tokligence.pipeline.responses.conversations import Conversations
from tokligence.pipeline.responses.service import Responses
from tokligence.pipeline.responses.socket import serve
from tokligence.pipeline.responses.store import Store
from tokligence.wire.contract import ErrorView
from tokligence.wire.registry import CODECS

RESPONSES: Final = ProtocolId.OPENAI_RESPONSES
ROOTS: Final = ("responses", "conversations")

SESSION_BYTES: Final = 64 * 1024 * 1024
"""What one socket may keep of the responses that it has heard."""
CODE: Final = {"responses.previous_not_found": "previous_response_not_found"}
"""Codes that clients of the protocol act upon."""

Answer = Callable[..., Awaitable[None]]


class ResponsesPaths:
    """Below `/v1`. `answer` finds what a method and a path ask for; the parts in capitals are ids."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.service = service = Responses(hub, self._run, self._native, self._elsewhere)
        kept = Conversations(service.store, hub.ids.new, service.must_keep)
        self._table: dict[tuple[str, ...], Answer] = {
            ("POST", "responses"): service.create,
            ("POST", "responses", "compact"): service.compact,
            ("POST", "responses", "input_tokens"): service.count,
            ("GET", "responses", "ID"): service.retrieve,
            ("DELETE", "responses", "ID"): service.delete,
            ("POST", "responses", "ID", "cancel"): service.cancel,
            ("GET", "responses", "ID", "input_items"): service.input_items,
            ("POST", "conversations"): kept.create,
            ("GET", "conversations", "ID"): kept.one,
            ("POST", "conversations", "ID"): kept.one,
            ("DELETE", "conversations", "ID"): kept.one,
            ("GET", "conversations", "ID", "items"): kept.items,
            ("POST", "conversations", "ID", "items"): kept.items,
            ("GET", "conversations", "ID", "items", "ID"): kept.item,
            ("DELETE", "conversations", "ID", "items", "ID"): kept.item,
        }

    async def answer(self, call: Call, sink: Sink) -> None:
        """`call.path`: without a vendor's prefix. Raises `http.not_found` for what is no path of the protocol."""
        if call.open_socket is not None:
            await self._talk(call, call.open_socket)
            return
        parts = tuple(call.path.removeprefix("/v1/").rstrip("/").split("/"))
        found = self._table.get((call.method, *parts))
        if found is not None:
            await found(call, sink)
            return
        if len(parts) == 1:
            raise GatewayError(
                "http.method_not_allowed", method=call.method, path=call.path[:200], allowed="POST"
            )
        shape = tuple(["ID" if place % 2 else part for place, part in enumerate(parts)])
        found = self._table.get((call.method, *shape))
        if found is None or not all(parts):
            raise GatewayError("http.not_found", path=call.path[:200])
        await found(call, sink, *[part for place, part in enumerate(parts) if place % 2])

    async def _talk(self, call: Call, open_socket: Callable[[], Talk]) -> None:
        session, said = Store(SESSION_BYTES), replace(call, open_socket=None)
        talk = open_socket()
        try:
            await serve(talk, said, partial(self.service.create, session=session), self._refuse)
        finally:
            talk.close()

    def _refuse(self, error: GatewayError, sink: Sink) -> None:
        view = ErrorView(
            error.status, error.text, self._hub.ids.new("req_"), CODE.get(error.code, error.code)
        )
        sink.whole(error.status, [], CODECS[RESPONSES].write_error(view))

    async def close(self) -> None:
        await self.service.close()

    # --- what the service is given ------------------------------------------------------------------

    async def _run(self, call: Call, sink: Sink) -> None:
        await ModelCall(self._hub, call, sink, RESPONSES).run()

    def _native(self, model: str) -> bool:
        """Whether the model's upstream keeps responses itself. An unknown model is the model call's to refuse."""
        try:
            return self._hub.plans.of(RESPONSES, model).same
        except GatewayError:
            return True

    async def _elsewhere(self, call: Call, sink: Sink) -> None:
        """What is not kept here may be kept by the provider that calls are passed on to."""
        state = self._hub.state
        names_model = call.path.endswith(("/compact", "/input_tokens"))
        ours = self._hub.ids.stem in call.path  # no upstream has given it
        if ours or not (names_model or state.settings.passthrough_provider in state.providers):
            raise GatewayError("responses.not_found", id=call.path.split("/")[3][:100])
        route = "/".join(call.path.split("/")[:3])
        await PassedCall(
            self._hub, call, sink, ProtocolId.OPENAI_CHAT, route=route, names_model=names_model
        ).run()
