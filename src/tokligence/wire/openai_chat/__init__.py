"""OpenAI Chat Completions, as clients and OpenAI-compatible upstreams speak it."""

from __future__ import annotations

from collections.abc import Sequence

from tokligence.conversation import ProtocolId, Request, Response, Usage
from tokligence.wire.contract import (
    Codec,
    ErrorView,
    ListedModel,
    Peek,
    Reply,
    ReplyContext,
    ReplyMemory,
    Target,
    UpstreamError,
    Written,
)
from tokligence.wire.openai_chat import inject, listing, read, read_answer, write, write_answer
from tokligence.wire.openai_chat.stream_read import ChatStreamReader
from tokligence.wire.openai_chat.stream_write import ChatStreamWriter
from tokligence.wire.openai_chat.tap import ChatStreamTap


class ChatCodec:
    """`wire.contract.Codec`."""

    protocol = ProtocolId.OPENAI_CHAT

    def peek(self, raw: bytes) -> Peek:
        return read.peek(raw)

    def splice(self, raw: bytes, *, model: str | None, ask_usage: bool) -> bytes:
        return inject.splice(raw, model=model, ask_usage=ask_usage)

    def read_request(self, raw: bytes) -> Request:
        return read.read_request(raw)

    def write_request(self, request: Request, target: Target) -> Written:
        return write.write_request(request, target)

    def read_response(self, raw: bytes, memory: ReplyMemory, issuer: str) -> Response:
        return read_answer.read_response(raw, memory, issuer)

    def write_response(self, response: Response, context: ReplyContext) -> Reply:
        return write_answer.write_response(response, context)

    def stream_reader(self, memory: ReplyMemory, issuer: str) -> ChatStreamReader:
        return ChatStreamReader(memory, issuer)

    def stream_writer(self, context: ReplyContext) -> ChatStreamWriter:
        return ChatStreamWriter(context)

    def stream_tap(self, *, strip_usage: bool) -> ChatStreamTap:
        return ChatStreamTap(strip_usage=strip_usage)

    def read_usage(self, raw: bytes) -> tuple[Usage | None, str | None]:
        return read_answer.read_usage(raw)

    def read_error(self, status: int, raw: bytes) -> UpstreamError:
        return read_answer.read_error(status, raw)

    def write_error(self, error: ErrorView) -> bytes:
        return write_answer.write_error(error)

    def write_stream_error(self, error: ErrorView) -> bytes:
        return write_answer.write_stream_error(error)

    def write_models(self, models: Sequence[ListedModel]) -> bytes:
        return listing.write_models(models)

    def write_model(self, model: ListedModel) -> bytes:
        return listing.write_model(model)


CODEC: Codec = ChatCodec()
