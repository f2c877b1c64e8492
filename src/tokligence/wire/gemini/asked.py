"""The codec of one call of a Gemini client, whose path says what its body does not."""

from __future__ import annotations

from msgspec.structs import replace

from tokligence.conversation import Request
from tokligence.wire.contract import ErrorView, Peek, ReplyContext
from tokligence.wire.gemini import read
from tokligence.wire.gemini.codec import Gemini, GeminiArray
from tokligence.wire.gemini.paths import Asked
from tokligence.wire.gemini.stream_write import StreamWriter


class AskedGemini(Gemini):
    """`contract.Codec` for one request. A route's model goes into the upstream's path, not into the body."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._shape = GeminiArray() if asked.array else Gemini()

    def peek(self, raw: bytes) -> Peek:
        return replace(read.peek(raw), model=self._asked.model, stream=self._asked.stream)

    def read_request(self, raw: bytes) -> Request:
        return replace(read.read_request(raw), model=self._asked.model, stream=self._asked.stream)

    def stream_writer(self, context: ReplyContext) -> StreamWriter:
        return self._shape.stream_writer(context)

    def write_stream_error(self, error: ErrorView) -> bytes:
        return self._shape.write_stream_error(error)
