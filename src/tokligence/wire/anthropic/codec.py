"""The package's functions in the shape of `contract.Codec`."""

from __future__ import annotations

from typing import Final

import msgspec

from tokligence.conversation import ProtocolId
from tokligence.wire.anthropic import listing, read, write
from tokligence.wire.anthropic.stream_read import StreamReader
from tokligence.wire.anthropic.stream_write import StreamWriter
from tokligence.wire.anthropic.tap import StreamTap
from tokligence.wire.anthropic.write_request import write_request
from tokligence.wire.contract import Codec, ReplyContext, ReplyMemory
from tokligence.wire.splice import TopLevel


class Anthropic:
    """See `contract.Codec`."""

    protocol: ProtocolId = ProtocolId.ANTHROPIC

    peek = staticmethod(read.peek)
    read_request = staticmethod(read.read_request)
    write_request = staticmethod(write_request)
    read_response = staticmethod(read.read_response)
    write_response = staticmethod(write.write_response)
    read_usage = staticmethod(read.read_response_usage)
    read_error = staticmethod(write.read_error)
    write_error = staticmethod(write.write_error)
    write_stream_error = staticmethod(write.write_stream_error)
    write_models = staticmethod(listing.write_models)
    write_model = staticmethod(listing.write_model)

    def splice(self, raw: bytes, *, model: str | None, ask_usage: bool) -> bytes:  # noqa: ARG002 - usage always comes
        top = TopLevel(raw)
        return raw if model is None else top.replace("model", msgspec.json.encode(model))

    def stream_reader(self, memory: ReplyMemory, issuer: str) -> StreamReader:
        return StreamReader(memory, issuer)

    def stream_writer(self, context: ReplyContext) -> StreamWriter:
        return StreamWriter(context)

    def stream_tap(self, *, strip_usage: bool) -> StreamTap:  # noqa: ARG002 - usage is part of every stream
        return StreamTap()


CODEC: Final[Codec] = Anthropic()
