"""Conversation -> Messages answer, and errors in both directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, assert_never

import msgspec
from msgspec import Raw, Struct

from tokligence.conversation import (
    Audio,
    Document,
    Image,
    Loss,
    LossReason,
    Opaque,
    Part,
    ProtocolId,
    RedactedThinking,
    Refusal,
    Response,
    Severity,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Usage,
)
from tokligence.wire.anthropic.blocks_out import Block, tool_input
from tokligence.wire.anthropic.signatures import pack
from tokligence.wire.anthropic.tables import STOP_REASON_OF, error_type
from tokligence.wire.anthropic.usage import tier_losses, usage_losses, write_usage
from tokligence.wire.contract import ErrorView, Reply, ReplyContext, UpstreamError
from tokligence.wire.names import ANTHROPIC_ID, in_form
from tokligence.wire.severity import foreign_losses

_encode: Final = msgspec.json.Encoder().encode
_ANTHROPIC: Final = ProtocolId.ANTHROPIC
USUAL_ID: Final = 64
"""Characters. An id up to this length needs no closer look if it is of letters and digits."""


def write_response(response: Response, context: ReplyContext) -> Reply:
    losses: list[Loss] = []
    content: list[Block] = []
    for index, part in enumerate(response.parts):
        block = write_answer_part(part, f"content[{index}]", losses, context)
        if block is not None:
            content.append(block)
    losses += usage_losses(response.usage)
    losses += tier_losses(response.service_tier)
    usage = response.usage
    if usage is None:
        usage = Usage(input=context.estimated_input, output=-(-len(_encode(content)) // 4), exact=False)
    body: dict[str, object] = {
        "id": message_id(response.id, context.new_id),
        "type": "message",
        "role": "assistant",
        "model": response.model,
        "content": content,
        "stop_reason": STOP_REASON_OF[response.finish],
        "stop_sequence": response.stop_sequence,
        "usage": write_usage(usage, response.service_tier),
    }
    if response.extras is not None:
        losses += foreign_losses(response.extras, _ANTHROPIC)
        if response.extras.origin is _ANTHROPIC:
            body.update((name, Raw(value)) for name, value in response.extras.fields.items())
    return Reply(_encode(body), tuple(losses))


def message_id(upstream: str, new_id: Callable[[str], str]) -> str:
    """The upstream's id in the vendor's form, so that the two can be matched in logs."""
    if upstream.startswith("msg_"):
        return upstream
    bare = upstream.removeprefix("chatcmpl-")
    if bare.isalnum() and bare.isascii() and len(bare) <= USUAL_ID:
        return f"msg_{bare}"
    return in_form(f"msg_{bare}", ANTHROPIC_ID) if bare else new_id("msg_")


def call_id(upstream: str, new_id: Callable[[str], str]) -> str:
    return in_form(upstream, ANTHROPIC_ID) if upstream else new_id("toolu_")


def write_answer_part(part: Part, path: str, losses: list[Loss], context: ReplyContext) -> Block | None:
    """A content block of an answer; None and a loss for what an answer cannot hold."""
    block: dict[str, object]
    match part:
        case Text():
            block = {"type": "text", "text": part.text}
        case ToolCall():
            content, valid = tool_input(part.arguments)
            if not valid:
                losses.append(Loss(path, LossReason.REPAIRED, Severity.COSMETIC))
            block = {
                "type": "tool_use",
                "id": call_id(part.id, context.new_id),
                "name": part.name,
                "input": content,
            }
        case Thinking():
            signature = pack(part.signature, part.issuer)
            block = {"type": "thinking", "thinking": part.text, "signature": signature}
        case RedactedThinking():
            block = {"type": "redacted_thinking", "data": pack(part.data, part.issuer)}
        case Refusal():
            block = {"type": "text", "text": part.text}
        case Opaque():
            if part.origin is _ANTHROPIC:
                return Raw(part.raw)
            losses.append(Loss(path, LossReason.UNKNOWN_PART))
            return None
        case Image() | Document() | Audio() | ToolResult():
            losses.append(Loss(path, LossReason.UNSUPPORTED))
            return None
        case _:
            assert_never(part)
    if part.extras is not None:
        losses += foreign_losses(part.extras, _ANTHROPIC, path)
        if part.extras.origin is _ANTHROPIC:
            block.update((name, Raw(value)) for name, value in part.extras.fields.items())
    return block


# --- errors ---------------------------------------------------------------------------------------------


class _ErrorBody(Struct):
    type: str | None = None
    message: str | None = None
    code: str | int | None = None
    param: str | None = None


class _Error(Struct):
    """Anthropic's error, or what compatible servers and proxies send in its place."""

    error: _ErrorBody | str | None = None
    message: str | None = None
    detail: str | None = None


_ERROR: Final = msgspec.json.Decoder(_Error)
MESSAGE_LIMIT: Final = 4_000
"""Characters of an upstream's message that are passed on."""


def read_error(status: int, raw: bytes) -> UpstreamError:
    """Never fails: a page of a proxy or an empty body gives a message that names the status alone."""
    try:
        wire = _ERROR.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        wire = _Error()
    body = wire.error
    if isinstance(body, str):
        body = _ErrorBody(message=body)
    elif body is None:
        body = _ErrorBody(message=wire.message or wire.detail)
    return UpstreamError(
        status=status,
        kind=body.type or error_type(status),
        message=(body.message or f"The upstream answered with status {status}.")[:MESSAGE_LIMIT],
        code=None if body.code is None else str(body.code),
        param=body.param,
    )


def write_error(error: ErrorView) -> bytes:
    return _encode(
        {
            "type": "error",
            "error": {"type": error_type(error.status), "message": error.message},
            "request_id": error.request_id,
        }
    )


def write_stream_error(error: ErrorView) -> bytes:
    return b"event: error\ndata: " + write_error(error) + b"\n\n"
