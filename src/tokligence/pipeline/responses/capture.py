"""Where an answer of the Responses protocol is overheard on its way to the client, or collected for later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from msgspec import Raw, Struct, json

from tokligence.pipeline.contract import Headers, Sink
from tokligence.wire.sse import parse

TERMINAL: Final = (b"event: response.completed", b"event: response.incomplete", b"event: response.failed")


class _Event(Struct):
    response: Raw = Raw(b"null")


def response_in(event: bytes) -> bytes | None:
    """The response object that a stream's event carries, raw."""
    data = parse(event)[1]
    response = bytes(json.decode(data, type=_Event).response)
    return None if response == b"null" else response


def last_response(data: bytes) -> bytes | None:
    """The response of the terminal event, if `data` (whole events) has one."""
    start = max([data.rfind(mark) for mark in TERMINAL])
    return None if start < 0 else response_in(data[start : data.find(b"\n\n", start) + 2])


class Overheard:
    """Passes everything on to the client; when the whole response is known, and before its last byte goes out,
    `done` is told its JSON. An answer that is an error is not."""

    __slots__ = ("_done", "_sink")

    def __init__(self, sink: Sink, done: Callable[[bytes], None]) -> None:
        self._sink = sink
        self._done = done

    @property
    def started(self) -> bool:
        return self._sink.started

    @property
    def gone(self) -> bool:
        return self._sink.gone

    def start(self, status: int, headers: Headers, length: int | None = None) -> None:
        self._sink.start(status, headers, length)

    def write(self, data: bytes) -> None:
        self._look(data)
        self._sink.write(data)

    def end(self, data: bytes = b"") -> None:
        self._look(data)
        self._sink.end(data)

    def whole(self, status: int, headers: Headers, body: bytes) -> None:
        if status == 200:
            self._done(body)
        self._sink.whole(status, headers, body)

    async def drained(self) -> None:
        await self._sink.drained()

    def on_gone(self, callback: Callable[[], None] | None) -> None:
        self._sink.on_gone(callback)

    def _look(self, data: bytes) -> None:
        response = last_response(data)
        if response is not None:
            self._done(response)


class Collected:
    """Takes a stream that no client waits for. `events`: each as it was sent; `answer`: the status, headers and body
    of an answer that is no stream; `response`: as the newest event has it."""

    gone = False

    def __init__(self) -> None:
        self.events: list[bytes] = []
        self.answer: tuple[int, Headers, bytes] | None = None
        self.headers: Headers = []
        self.started = False
        self.ended = False
        self.response: bytes | None = None
        self._changed = asyncio.Event()

    def start(self, status: int, headers: Headers, length: int | None = None) -> None:  # noqa: ARG002 - the interface
        self.started = True
        self.headers = headers

    def write(self, data: bytes) -> None:
        for event in data.split(b"\n\n"):
            if not event.startswith(b"event:"):
                continue  # a comment
            self.events.append(event + b"\n\n")
            if b'"response":' in event[:200]:
                self.response = response_in(event) or self.response
        self._tell()

    def end(self, data: bytes = b"") -> None:
        self.ended = True
        self.write(data)

    def whole(self, status: int, headers: Headers, body: bytes) -> None:
        self.started = self.ended = True
        self.answer = (status, headers, body)
        self._tell()

    async def drained(self) -> None:
        return

    def on_gone(self, callback: Callable[[], None] | None) -> None:  # noqa: ARG002 - nobody to leave
        return

    async def more(self) -> None:
        """Waits until something has come, or the end."""
        if not self.ended:
            await self._changed.wait()

    def close(self) -> None:
        """Nothing more comes."""
        self.ended = True
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
