"""The package's functions in the shape of `contract.Codec`."""

from __future__ import annotations

from typing import Final

from tokligence.conversation import ProtocolId
from tokligence.wire.anthropic import listing, plain, plain_answer, read, write
from tokligence.wire.anthropic.stream_read import StreamReader
from tokligence.wire.anthropic.stream_write import StreamWriter
from tokligence.wire.anthropic.tap import StreamTap
from tokligence.wire.contract import Codec, ReplyContext, ReplyMemory


class Anthropic:
    """See `contract.Codec`."""

    protocol: ProtocolId = ProtocolId.ANTHROPIC

    peek = staticmethod(plain.peek)
    splice = staticmethod(plain.splice)
    read_request = staticmethod(plain.read_request)
    write_request = staticmethod(plain.write_request)
    read_response = staticmethod(plain_answer.read_response)
    write_response = staticmethod(plain_answer.write_response)
    read_usage = staticmethod(read.read_response_usage)
    read_error = staticmethod(write.read_error)
    write_error = staticmethod(write.write_error)
    write_stream_error = staticmethod(write.write_stream_error)
    write_models = staticmethod(listing.write_models)
    write_model = staticmethod(listing.write_model)

    def stream_reader(self, memory: ReplyMemory, issuer: str) -> StreamReader:
        return StreamReader(memory, issuer)

    def stream_writer(self, context: ReplyContext) -> StreamWriter:
        return StreamWriter(context)

    def stream_tap(self, *, strip_usage: bool) -> StreamTap:  # noqa: ARG002 - usage is part of every stream
        return StreamTap()


CODEC: Final[Codec] = Anthropic()
