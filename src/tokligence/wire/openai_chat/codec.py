"""The package's functions in the shape of `contract.Codec`."""

from __future__ import annotations

from typing import Final

from tokligence.conversation import ProtocolId
from tokligence.wire.contract import Codec, ReplyContext, ReplyMemory
from tokligence.wire.openai import errors, listing
from tokligence.wire.openai_chat import plain, plain_answer, read_answer, write_answer
from tokligence.wire.openai_chat.stream_read import ChatStreamReader
from tokligence.wire.openai_chat.stream_write import ChatStreamWriter
from tokligence.wire.openai_chat.tap import ChatStreamTap


class ChatCodec:
    """`wire.contract.Codec`."""

    protocol: ProtocolId = ProtocolId.OPENAI_CHAT

    peek = staticmethod(plain.peek)
    splice = staticmethod(plain.splice)
    read_request = staticmethod(plain.read_request)
    write_request = staticmethod(plain.write_request)
    read_response = staticmethod(plain_answer.read_response)
    write_response = staticmethod(plain_answer.write_response)
    read_usage = staticmethod(read_answer.read_usage)
    read_error = staticmethod(errors.read_error)
    write_error = staticmethod(errors.write_error)
    write_stream_error = staticmethod(write_answer.write_stream_error)
    write_models = staticmethod(listing.write_models)
    write_model = staticmethod(listing.write_model)

    def stream_reader(self, memory: ReplyMemory, issuer: str) -> ChatStreamReader:
        return ChatStreamReader(memory, issuer)

    def stream_writer(self, context: ReplyContext) -> ChatStreamWriter:
        return ChatStreamWriter(context)

    def stream_tap(self, *, strip_usage: bool) -> ChatStreamTap:
        return ChatStreamTap(strip_usage=strip_usage)


CODEC: Final[Codec] = ChatCodec()
