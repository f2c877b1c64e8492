"""Conversation events -> Messages stream.

The reader's order is the writer's order (see `conversation`), so there is little state: which block is open, and what
waits for the end. `message_delta` holds stop reason and usage in one event, and upstreams tell the two in any order,
so both wait until the stream closes. A block that an answer cannot hold is skipped whole, with a loss; the others keep
indexes without gaps.
"""

from __future__ import annotations

from typing import Final, TypeAlias, assert_never

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from tokligence.conversation import (
    BlockClosed,
    BlockOpened,
    Closed,
    Failed,
    Finished,
    FinishReason,
    Loss,
    LossReason,
    OpaqueDelta,
    Opened,
    Part,
    Ping,
    ProtocolId,
    RedactedThinking,
    Refusal,
    SignatureDelta,
    StreamEvent,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    Usage,
    UsageSeen,
)
from tokligence.wire.anthropic.signatures import pack
from tokligence.wire.anthropic.tables import STOP_REASON_OF
from tokligence.wire.anthropic.usage import tier_losses, usage_losses, write_usage
from tokligence.wire.anthropic.write import message_id, write_answer_part, write_stream_error
from tokligence.wire.contract import ErrorView, ReplyContext
from tokligence.wire.severity import foreign_losses

_encode: Final = msgspec.json.Encoder().encode

_PING: Final = b'event: ping\ndata: {"type":"ping"}\n\n'
_STOP: Final = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_DELTA: Final = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":%s'
)
_START: Final = b'event: content_block_start\ndata: {"type":"content_block_start","index":%d,"content_block":'
_CLOSE: Final = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'

# What a text fragment is called in the delta of each kind of block.
_TEXT_DELTA: Final = b'"text_delta","text":'
_DELTA_OF: Final[dict[type, bytes]] = {
    Text: _TEXT_DELTA,
    Refusal: _TEXT_DELTA,
    Thinking: b'"thinking_delta","thinking":',
    ToolCall: b'"input_json_delta","partial_json":',
}


_Rare: TypeAlias = (
    Opened
    | BlockOpened
    | SignatureDelta
    | OpaqueDelta
    | BlockClosed
    | UsageSeen
    | Finished
    | Ping
    | Closed
    | Failed
)


class StreamWriter:
    """See `contract.StreamWriter`."""

    __slots__ = (
        "_bytes",
        "_context",
        "_done",
        "_finish",
        "_index",
        "_issuer",
        "_prefix",
        "_usage",
        "losses",
    )

    def __init__(self, context: ReplyContext) -> None:
        self.losses: list[Loss] = []
        self._context = context
        self._done = False
        self._index = -1
        self._prefix: bytes | None = (
            None  # of the open block's deltas; None: no block, or one that is skipped
        )
        self._issuer: str | None = None
        self._usage: Usage | None = None
        self._finish = Finished(FinishReason.STOP)
        self._bytes = 0  # of content, for an estimate when the upstream tells no usage

    def write(self, event: StreamEvent) -> bytes:
        if isinstance(event, TextDelta):
            if not self._prefix:
                return b""
            text = _encode(event.text)
            self._bytes += len(text) - 2
            return self._prefix + text + b"}}\n\n"
        return b"" if self._done else self._write_rare(event)

    def fail(self, error: ErrorView) -> bytes:
        if self._done:
            return b""
        self._done = True
        self._prefix = None
        return write_stream_error(error)

    def _write_rare(self, event: _Rare) -> bytes:
        match event:
            case BlockOpened():
                return self._open(event.part)
            case BlockClosed():
                return self._close()
            case SignatureDelta():
                return self._signature(event.signature)
            case OpaqueDelta():
                return self._opaque(event)
            case Opened():
                return self._start(event)
            case UsageSeen():
                self._usage = event.usage
                return b""
            case Finished():
                self._finish = event
                return b""
            case Ping():
                return _PING
            case Closed():
                return self._end()
            case Failed():
                status = event.status or 500
                return self.fail(ErrorView(status, event.message, self._context.request_id, event.code))
            case _:
                assert_never(event)

    # --- message ----------------------------------------------------------------------------------------

    def _start(self, event: Opened) -> bytes:
        self.losses += tier_losses(event.service_tier)
        usage = event.usage or Usage(input=self._context.estimated_input, exact=False)
        message: dict[str, object] = {
            "id": message_id(event.id, self._context.new_id),
            "type": "message",
            "role": "assistant",
            "model": event.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": write_usage(usage, event.service_tier),
        }
        return b'event: message_start\ndata: {"type":"message_start","message":' + _encode(message) + b"}\n\n"

    def _end(self) -> bytes:
        self._done = True
        delta: dict[str, object] = {
            "stop_reason": STOP_REASON_OF[self._finish.reason],
            "stop_sequence": self._finish.stop_sequence,
        }
        extras = self._finish.extras
        if extras is not None:
            self.losses += foreign_losses(extras, ProtocolId.ANTHROPIC)
            if extras.origin is ProtocolId.ANTHROPIC:
                delta.update((name, Raw(value)) for name, value in extras.fields.items())
        self.losses += usage_losses(self._usage)
        usage = self._usage
        if usage is None:
            usage = Usage(input=self._context.estimated_input, output=-(-self._bytes // 4), exact=False)
        body = {"type": "message_delta", "delta": delta, "usage": write_usage(usage, None)}
        return b"event: message_delta\ndata: " + _encode(body) + b"\n\n" + _STOP

    # --- blocks -----------------------------------------------------------------------------------------

    def _open(self, part: Part) -> bytes:
        """The block's start, empty as the vendor has it; what the part already holds follows as deltas."""
        head, text, signature = _split(part)
        block = write_answer_part(head, f"content[{self._index + 1}]", self.losses, self._context)
        if block is None:
            self._prefix = None
            return b""
        self._index += 1
        start = _START % self._index + _encode(block) + b"}\n\n"
        kind = _DELTA_OF.get(type(part))
        # A block without a text delta of its own takes no text, but is open for deltas of the vendor's own.
        self._prefix = b"" if kind is None else _DELTA % (self._index, kind)
        if isinstance(part, Thinking | RedactedThinking):
            self._issuer = part.issuer
        if text:
            start += self.write(TextDelta(self._index, text))
        if signature:
            start += self._signature(signature)
        return start

    def _close(self) -> bytes:
        if self._prefix is None:
            return b""
        self._prefix = None
        return _CLOSE % self._index

    def _signature(self, signature: str) -> bytes:
        if self._prefix is None:
            return b""
        packed = _encode(pack(signature, self._issuer))
        return _DELTA % (self._index, b'"signature_delta","signature":') + packed + b"}}\n\n"

    def _opaque(self, event: OpaqueDelta) -> bytes:
        if event.origin is not ProtocolId.ANTHROPIC:
            loss = Loss(f"content[{max(self._index, 0)}].{event.kind}", LossReason.UNKNOWN_PART)
            if loss not in self.losses:
                self.losses.append(loss)
            return b""
        if self._prefix is None:
            return b""
        start = (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":'
            % self._index
        )
        return start + event.raw + b"}\n\n"


def _split(part: Part) -> tuple[Part, str, str | None]:
    """A part without its content, the content, and its signature."""
    match part:
        case Text() | Refusal():
            return (replace(part, text=""), part.text, None) if part.text else (part, "", None)
        case Thinking():
            return replace(part, text="", signature=None), part.text, part.signature
        case ToolCall():
            return replace(part, arguments=""), part.arguments, None
        case _:
            return part, "", None
