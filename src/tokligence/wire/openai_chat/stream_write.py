"""The conversation -> a Chat Completions stream for a client.

    Opened              role chunk                     (the id, created and model of every later chunk)
    BlockOpened         a tool call's id and name; text and reasoning begin with their first fragment
    TextDelta           content | reasoning_content + reasoning_details | refusal | arguments
    BlockClosed         `{}` for a call that had no arguments
    Finished            chunk with finish_reason
    Closed              usage chunk without choices, if the client asked for it; [DONE]
    Failed, fail()      chunk with `error`; nothing follows, no [DONE]

The bytes around a fragment are made once, so a fragment costs one JSON string and one join.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, assert_never

import orjson

from tokligence.conversation import (
    BlockClosed,
    BlockOpened,
    Closed,
    Failed,
    Finished,
    Loss,
    LossReason,
    OpaqueDelta,
    Opened,
    Ping,
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
from tokligence.wire.contract import ErrorView, ReplyContext
from tokligence.wire.openai.tiers import ANSWER_TIER
from tokligence.wire.openai_chat.parts import OWN
from tokligence.wire.openai_chat.reasoning import write_detail
from tokligence.wire.openai_chat.tables import FINISH_REASON
from tokligence.wire.openai_chat.usage import usage_losses, write_usage
from tokligence.wire.openai_chat.write_answer import ID_PREFIX, TIER_LOST, finish_losses, write_stream_error
from tokligence.wire.severity import foreign_losses

DONE: Final = b"data: [DONE]\n\n"


class _Kind(Enum):
    """What the open block's fragments are."""

    PLAIN = "plain"  # content or refusal
    THINKING = "thinking"
    CALL = "call"
    DROPPED = "dropped"


# Constants, since a member looked up on its class costs twenty times as much (Python 3.11).
_PLAIN: Final = _Kind.PLAIN
_THINKING: Final = _Kind.THINKING
_CALL: Final = _Kind.CALL
_DROPPED: Final = _Kind.DROPPED


class ChatStreamWriter:
    """`wire.contract.StreamWriter` for clients that speak Chat."""

    __slots__ = (
        "_after",
        "_before",
        "_calls",
        "_context",
        "_details",
        "_envelope",
        "_filled",
        "_head",
        "_id",
        "_issuer",
        "_kind",
        "_over",
        "_tail",
        "_usage",
        "losses",
    )

    def __init__(self, context: ReplyContext) -> None:
        self.losses: list[Loss] = []
        self._context = context
        self._id = context.new_id(ID_PREFIX)
        self._usage: Usage | None = None
        self._over = False
        self._calls = 0
        self._details = 0
        self._kind = _DROPPED
        self._filled = False  # the open call has arguments, the open thinking its detail
        self._issuer: str | None = None  # of the open thinking, until it is told
        self._before = b""  # what goes before and after a fragment of the open block
        self._after = b""
        self._envelope = b""
        self._head = b""
        self._tail = (
            b'},"logprobs":null,"finish_reason":null}]'
            + (b',"usage":null' if context.include_usage else b"")
            + b"}\n\n"
        )
        self._open("", None, None)

    def write(self, event: StreamEvent) -> bytes:
        if self._over:
            return b""
        if type(event) is TextDelta and self._kind is _PLAIN:  # nearly every event
            return self._before + orjson.dumps(event.text) + self._after
        match event:
            case TextDelta():
                return self._text(event.text)
            case BlockOpened():
                return self._block(event)
            case BlockClosed():
                return self._close_block()
            case SignatureDelta():
                return self._signature(event.signature)
            case Opened():
                self._usage = event.usage
                self._open(event.model, event.created, event.service_tier)
                return self._chunk(b'"role":"assistant","content":null')
            case UsageSeen():
                self._usage = event.usage
                return b""
            case Finished():
                return self._finish(event)
            case Closed():
                return self._close()
            case Failed():
                status = event.status or 502
                return self.fail(ErrorView(status, event.message, self._context.request_id, event.code))
            case OpaqueDelta():
                self._lose_delta(event)
                return b""
            case Ping():
                return b""
            case _:
                assert_never(event)

    def fail(self, error: ErrorView) -> bytes:
        if self._over:
            return b""
        self._over = True
        return write_stream_error(error)

    # --- envelope -----------------------------------------------------------------------------------

    def _open(self, model: str, created: int | None, service_tier: str | None) -> None:
        envelope: dict[str, Any] = {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._context.now if created is None else created,
            "model": model,
        }
        tier = ANSWER_TIER.get(service_tier or "")
        if tier is not None:
            envelope["service_tier"] = tier
        elif service_tier is not None:
            self.losses.append(TIER_LOST)
        self._envelope = b"data: " + orjson.dumps(envelope)[:-1] + b',"choices":['
        self._head = self._envelope + b'{"index":0,"delta":{'

    def _chunk(self, delta: bytes) -> bytes:
        return self._head + delta + self._tail

    # --- blocks -------------------------------------------------------------------------------------

    def _block(self, event: BlockOpened) -> bytes:
        part = event.part
        path = f"content[{event.index}]"
        self._filled = False
        self._kind = _PLAIN
        match part:
            case Text():
                self._surround(b'"content":', b"")
                begun = self._text(part.text) if part.text else b""
            case Refusal():
                self._surround(b'"refusal":', b"")
                begun = self._text(part.text) if part.text else b""
            case ToolCall():
                self._kind = _CALL
                begun = self._call(part)
            case Thinking():
                self._kind = _THINKING
                self._issuer = part.issuer
                begun = self._text(part.text)
                if part.signature is not None:
                    begun += self._signature(part.signature)
            case RedactedThinking():
                self._kind = _DROPPED
                detail = write_detail(part, self._details)
                self._details += 1
                begun = self._chunk(b'"reasoning_details":' + orjson.dumps([detail]))
            case _:
                self._kind = _DROPPED
                self.losses.append(Loss(path, LossReason.UNKNOWN_PART))
                return b""
        if part.extras is not None:
            self.losses += foreign_losses(part.extras, OWN, path)
        return begun

    def _surround(self, before: bytes, after: bytes) -> None:
        self._before = self._head + before
        self._after = after + self._tail

    def _text(self, text: str) -> bytes:
        if self._kind is _PLAIN:
            return self._before + orjson.dumps(text) + self._after
        if not text or self._kind is _DROPPED:
            return b""
        quoted = orjson.dumps(text)
        if self._kind is _CALL:
            self._filled = True
            return self._before + quoted + self._after
        if not self._filled:
            self._begin_detail()
        return b"".join(
            (self._head, b'"reasoning_content":', quoted, b",", self._before, quoted, self._after)
        )

    def _call(self, call: ToolCall) -> bytes:
        index = b'"tool_calls":[{"index":%d,' % self._calls
        self._calls += 1
        self._surround(index + b'"function":{"arguments":', b"}}]")
        self._filled = bool(call.arguments)
        function = {"name": call.name, "arguments": call.arguments}
        head = orjson.dumps({"id": call.id, "type": "function", "function": function})
        return self._chunk(index + head[1:] + b"]")

    def _begin_detail(self) -> None:
        """A reasoning detail has its place once it says something."""
        self._filled = True
        self._before = b'"reasoning_details":[{"type":"reasoning.text","index":%d,"text":' % self._details
        self._after = b"}]" + self._tail
        self._details += 1

    def _signature(self, signature: str) -> bytes:
        if self._kind is not _THINKING:
            return b""
        if not self._filled:
            self._begin_detail()
        told: dict[str, str] = {"signature": signature}
        if self._issuer is not None:
            told["issuer"] = self._issuer
            self._issuer = None  # clients join the fragments of a field, so it is told once
        return b"".join((self._head, self._before, b'"",', orjson.dumps(told)[1:-1], self._after))

    def _close_block(self) -> bytes:
        if self._kind is _CALL and not self._filled:
            return self._before + b'"{}"' + self._after  # "" is not JSON: clients would fail on it
        return b""

    def _lose_delta(self, event: OpaqueDelta) -> None:
        """Once for each kind and block; a block that was dropped is lost with all that it holds."""
        loss = Loss(f"content[{event.index}].{event.kind}", LossReason.UNSUPPORTED)
        if self._kind is not _DROPPED and loss not in self.losses:
            self.losses.append(loss)

    # --- the end ------------------------------------------------------------------------------------

    def _finish(self, event: Finished) -> bytes:
        self.losses += finish_losses(event.reason, event.stop_sequence)
        self.losses += foreign_losses(event.extras, OWN)
        word = FINISH_REASON[event.reason].encode()
        return self._head + self._tail.replace(b'"finish_reason":null', b'"finish_reason":"%s"' % word)

    def _close(self) -> bytes:
        self._over = True
        self.losses += usage_losses(self._usage)
        if self._usage is None or not self._context.include_usage:
            return DONE
        return self._envelope + b'],"usage":' + orjson.dumps(write_usage(self._usage)) + b"}\n\n" + DONE
