"""Responses over one WebSocket: each message of the client asks for a response, whose events come back as messages.

Facts: developers.openai.com/api/reference/resources/responses/websocket-events (`stream` is implied, `background` not
supported), openai-python 3.x types/responses/responses_client_event.py, openai/codex codex-api (error events carry
`status` and `error`; `generate: false` prepares a turn without running it); read 2026-11-24.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from tokligence.errors import GatewayError
from tokligence.pipeline.contract import Call, Headers, Sink, Talk
from tokligence.pipeline.responses.asked import decoded
from tokligence.wire.splice import TopLevel
from tokligence.wire.sse import parse

CREATE: Final = "response.create"


class _Message(Struct):
    type: str = ""
    background: bool | None = None


class SocketSink:
    """Sends an answer as messages: the data of each event, or one error event for an answer that is no stream."""

    __slots__ = ("_talk", "started")

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self.started = False

    @property
    def gone(self) -> bool:
        return self._talk.gone

    def start(self, status: int, headers: Headers, length: int | None = None) -> None:  # noqa: ARG002 - the interface
        self.started = True

    def write(self, data: bytes) -> None:
        for event in data.split(b"\n\n"):
            said = parse(event + b"\n\n")[1]
            if said and said != b"[DONE]":
                self._talk.send(said)

    def end(self, data: bytes = b"") -> None:
        self.write(data)

    def whole(self, status: int, headers: Headers, body: bytes) -> None:  # noqa: ARG002 - messages have none
        self.started = True
        self._talk.send(error_event(status, body))

    async def drained(self) -> None:
        await self._talk.drained()

    def on_gone(self, callback: Callable[[], None] | None) -> None:
        self._talk.on_gone(callback)


def error_event(status: int, body: bytes) -> bytes:
    """The event for an answer that was refused. `body`: in the shape of the protocol, `{"error": {...}}`."""
    try:
        error: Any = msgspec.json.decode(body, type=dict[str, Raw])["error"]
    except (msgspec.DecodeError, KeyError):
        error = {"type": "server_error", "message": "The upstream's answer is not in the shape of an error."}
    return msgspec.json.encode({"type": "error", "status": status, "error": error})


async def serve(
    talk: Talk,
    call: Call,
    create: Callable[[Call, Sink], Awaitable[None]],
    refuse: Callable[[GatewayError, Sink], None],
) -> None:
    """Answers the client's messages one after the other until it leaves. `call`: the request that opened the socket;
    `create`: answers a request for a response; `refuse`: answers with an error."""
    while (message := await talk.receive()) is not None:
        sink = SocketSink(talk)
        try:
            body = _request(message)
            await create(replace(call, method="POST", body=body, received=perf_counter(), query=""), sink)
        except GatewayError as error:
            if sink.started:
                raise
            refuse(error, sink)
        except asyncio.CancelledError:
            if not talk.gone:
                raise


def _request(message: bytes) -> bytes:
    """The body of the HTTP request that a message stands for."""
    fields: dict[str, Raw] = dict(TopLevel(message).values)
    head = decoded(message, _Message)
    if head.type != CREATE:
        raise GatewayError(
            "request.invalid_field",
            path="type",
            reason=f"{CREATE} is what is served here, not {head.type[:60]}",
        )
    if head.background:
        raise GatewayError("request.invalid_field", path="background", reason="a socket does not serve it")
    del fields["type"]
    return msgspec.json.encode({**fields, "stream": True})
