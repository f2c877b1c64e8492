"""The package's functions in the shape of `contract.Codec`."""

from __future__ import annotations

from typing import Final

from tokligence.conversation import ProtocolId
from tokligence.wire.contract import Codec, ErrorView, ReplyContext, ReplyMemory
from tokligence.wire.gemini import listing, read, read_answer, write_answer
from tokligence.wire.gemini.stream_read import StreamReader
from tokligence.wire.gemini.stream_write import StreamWriter
from tokligence.wire.gemini.tap import StreamTap
from tokligence.wire.gemini.write_request import write_request


class Gemini:
    """See `contract.Codec`. Model and streaming stand in the path of a request (`paths.parse_target`): `peek` and
    `read_request` give "" and False for them, and who knows the path sets them."""

    protocol: ProtocolId = ProtocolId.GEMINI

    peek = staticmethod(read.peek)
    splice = staticmethod(read.splice)
    read_request = staticmethod(read.read_request)
    write_request = staticmethod(write_request)
    read_response = staticmethod(read_answer.read_response)
    write_response = staticmethod(write_answer.write_response)
    read_usage = staticmethod(read_answer.read_usage)
    read_error = staticmethod(read_answer.read_error)
    write_error = staticmethod(write_answer.write_error)
    write_models = staticmethod(listing.write_models)
    write_model = staticmethod(listing.write_model)

    def stream_reader(self, memory: ReplyMemory, issuer: str) -> StreamReader:
        return StreamReader(memory, issuer)

    def stream_writer(self, context: ReplyContext) -> StreamWriter:
        return StreamWriter(context)

    def stream_tap(self, *, strip_usage: bool) -> StreamTap:  # noqa: ARG002 - usage is part of every stream
        return StreamTap()

    def write_stream_error(self, error: ErrorView) -> bytes:
        return write_answer.write_stream_error(error)


class GeminiArray(Gemini):
    """For clients that stream without `alt=sse`: their answers are one JSON array (`application/json`)."""

    def stream_writer(self, context: ReplyContext) -> StreamWriter:
        return StreamWriter(context, array=True)

    def write_stream_error(self, error: ErrorView) -> bytes:
        """Of an array that has begun."""
        return b",\r\n" + write_answer.write_error(error) + b"]"


CODEC: Final[Codec] = Gemini()
ARRAY_CODEC: Final[Codec] = GeminiArray()
