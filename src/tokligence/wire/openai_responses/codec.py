"""The package's functions in the shape of `contract.Codec`."""

from __future__ import annotations

from typing import Final

import orjson

from tokligence.conversation import ProtocolId
from tokligence.wire.contract import Codec, ReplyContext, ReplyMemory
from tokligence.wire.openai import errors, listing
from tokligence.wire.openai_responses import read, read_answer, write_answer, write_request
from tokligence.wire.openai_responses.stream_read import ResponsesStreamReader
from tokligence.wire.openai_responses.stream_write import ResponsesStreamWriter
from tokligence.wire.openai_responses.tap import ResponsesStreamTap
from tokligence.wire.splice import TopLevel


def splice(raw: bytes, *, model: str | None, ask_usage: bool) -> bytes:  # noqa: ARG001 - usage always comes
    """`wire.contract.Codec.splice`."""
    top = TopLevel(raw)
    return raw if model is None or "model" not in top.values else top.replace("model", orjson.dumps(model))


class ResponsesCodec:
    """`wire.contract.Codec`."""

    protocol: ProtocolId = ProtocolId.OPENAI_RESPONSES

    peek = staticmethod(read.peek)
    splice = staticmethod(splice)
    read_request = staticmethod(read.read_request)
    write_request = staticmethod(write_request.write_request)
    read_response = staticmethod(read_answer.read_response)
    write_response = staticmethod(write_answer.write_response)
    read_usage = staticmethod(read_answer.read_usage)
    read_error = staticmethod(errors.read_error)
    write_error = staticmethod(errors.write_error)
    write_stream_error = staticmethod(write_answer.write_stream_error)
    write_models = staticmethod(listing.write_models)
    write_model = staticmethod(listing.write_model)

    def stream_reader(self, memory: ReplyMemory, issuer: str) -> ResponsesStreamReader:
        return ResponsesStreamReader(memory, issuer)

    def stream_writer(self, context: ReplyContext) -> ResponsesStreamWriter:
        return ResponsesStreamWriter(context)

    def stream_tap(self, *, strip_usage: bool) -> ResponsesStreamTap:  # noqa: ARG002 - usage always comes
        return ResponsesStreamTap()


CODEC: Final[Codec] = ResponsesCodec()
