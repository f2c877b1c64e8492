"""The conversation -> a Responses stream for a client.

    Opened              response.created, response.in_progress
    BlockOpened         Text, Refusal: output_item.added if no message is open, content_part.added
                        ToolCall: output_item.added
                        Thinking: nothing yet, in case it has neither text nor signature
    TextDelta           output_text | refusal | reasoning_summary_text | function_call_arguments |
                        custom_tool_call_input .delta
    BlockClosed         the block's .done events; a message stays open for what follows in it
    Finished            what is open is done
    Closed              response.completed or response.incomplete
    Failed, fail()      response.failed; nothing follows

Every event has the next `sequence_number`. A part is opened before its fragments and told whole when it is done, an
item likewise. The bytes around a fragment are made once, so a fragment costs one JSON string and one join.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, assert_never

import orjson
from orjson import Fragment

from tokligence.conversation import (
    BlockClosed,
    BlockOpened,
    Closed,
    Failed,
    Finished,
    FinishReason,
    Loss,
    LossReason,
    Opaque,
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
from tokligence.wire.openai_responses.items_in import OWN
from tokligence.wire.openai_responses.items_told import (
    DONE,
    MESSAGE_PREFIX,
    REASONING_PREFIX,
    Json,
    call_item,
    call_prefix,
    message_item,
    reasoning_item,
    refusal_part,
    text_part,
)
from tokligence.wire.openai_responses.reasoning import pack, pack_signature
from tokligence.wire.openai_responses.resource import Resource, ending
from tokligence.wire.openai_responses.usage import usage_losses
from tokligence.wire.openai_responses.write_answer import TIER_LOST, error_object, finish_losses
from tokligence.wire.severity import foreign_losses

_PROGRESS: Final = "in_progress"


class _Kind(Enum):
    """What the open block is."""

    TEXT = "text"
    REFUSAL = "refusal"
    CALL = "call"
    THINKING = "thinking"
    DROPPED = "dropped"


# Constants, since a member looked up on its class costs twenty times as much (Python 3.11).
_TEXT: Final = _Kind.TEXT
_REFUSAL: Final = _Kind.REFUSAL
_CALL: Final = _Kind.CALL
_THINKING: Final = _Kind.THINKING
_DROPPED: Final = _Kind.DROPPED


class ResponsesStreamWriter:
    """`wire.contract.StreamWriter` for clients that speak Responses."""

    __slots__ = (
        "_after",
        "_before",
        "_call",
        "_content",
        "_context",
        "_finish",
        "_fragments",
        "_issuer",
        "_item_id",
        "_kind",
        "_message_id",
        "_next",
        "_opened",
        "_output",
        "_over",
        "_refused",
        "_resource",
        "_signature",
        "_usage",
        "losses",
    )

    def __init__(self, context: ReplyContext) -> None:
        self.losses: list[Loss] = []
        self._context = context
        self._resource = Resource(context)
        self._next = 0  # sequence_number
        self._opened = self._over = self._refused = False
        self._usage: Usage | None = None
        self._finish = FinishReason.STOP
        self._output: list[Any] = []  # items that are done
        self._message_id = ""  # of the open message, "" if none is
        self._content: list[Json] = []  # its parts that are done
        self._kind = _DROPPED
        self._item_id = ""  # of the open block's item, "" while it is not announced
        self._call: ToolCall | None = None
        self._fragments: list[str] = []  # of the open block
        self._signature = ""
        self._issuer: str | None = None  # of the open thinking
        self._before = b""  # what goes before and after a fragment of the open block
        self._after = b""

    def write(self, event: StreamEvent) -> bytes:
        if self._over:
            return b""
        match event:
            case TextDelta():  # nearly every event
                return self._fragment(event.text)
            case BlockOpened():
                return self._block(event)
            case BlockClosed():
                return self._close_block()
            case SignatureDelta():
                return self._sign(event.signature)
            case Opened():
                return self._open(event)
            case UsageSeen():
                self._usage = event.usage
                return b""
            case Finished():
                return self._finished(event)
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
        begun = b"" if self._opened else self._begin()
        failed = self._resource.write("failed", self._output, usage=self._usage, error=error_object(error))
        return begun + self._event("response.failed", b'"response":' + failed)

    # --- events -------------------------------------------------------------------------------------

    def _event(self, kind: str, fields: bytes) -> bytes:
        number = self._next
        self._next = number + 1
        name = kind.encode()
        return b'event: %s\ndata: {"type":"%s","sequence_number":%d,%s}\n\n' % (name, name, number, fields)

    def _item_event(self, kind: str, item: Json | Fragment) -> bytes:
        return self._event(kind, orjson.dumps({"output_index": len(self._output), "item": item})[1:-1])

    def _inner(self, kind: str, item_id: str, **fields: Any) -> bytes:
        """An event of a part of an item."""
        told = {"item_id": item_id, "output_index": len(self._output), **fields}
        return self._event(kind, orjson.dumps(told)[1:-1])

    def _surround(self, kind: str, item_id: str, after: bytes = b"", **fields: Any) -> None:
        told = {"item_id": item_id, "output_index": len(self._output), **fields}
        name = kind.encode()
        self._before = b'event: %s\ndata: {"type":"%s",%s,"delta":' % (
            name,
            name,
            orjson.dumps(told)[1:-1],
        )
        self._after = after + b',"sequence_number":'

    # --- beginning and end --------------------------------------------------------------------------

    def _open(self, event: Opened) -> bytes:
        self._usage = event.usage
        self._resource.model = event.model
        if event.created is not None:
            self._resource.created = event.created
        self._resource.tier = event.service_tier
        if event.service_tier is not None and event.service_tier not in ANSWER_TIER:
            self.losses.append(TIER_LOST)
        return self._begin()

    def _begin(self) -> bytes:
        self._opened = True
        told = b'"response":' + self._resource.write(_PROGRESS, [])
        return self._event("response.created", told) + self._event("response.in_progress", told)

    def _finished(self, event: Finished) -> bytes:
        self._finish = event.reason
        self.losses += finish_losses(event.reason, event.stop_sequence)
        self.losses += foreign_losses(event.extras, OWN)
        return self._close_message(ending(self._finish, refused=self._refused)[0])

    def _close(self) -> bytes:
        self._over = True
        self.losses += usage_losses(self._usage)
        status, reason = ending(self._finish, refused=self._refused)
        told = self._resource.write(status, self._output, usage=self._usage, reason=reason)
        return self._event(f"response.{status}", b'"response":' + told)

    # --- blocks -------------------------------------------------------------------------------------

    def _block(self, event: BlockOpened) -> bytes:
        part = event.part
        path = f"content[{event.index}]"
        self._fragments = []
        self._kind = _DROPPED
        match part:
            case Text():
                begun = self._open_part(_TEXT, text_part("")) + self._fragment(part.text)
            case Refusal():
                self._refused = True
                begun = self._open_part(_REFUSAL, refusal_part("")) + self._fragment(part.text)
            case ToolCall():
                begun = self._open_call(part)
            case Thinking():
                begun = self._close_message(DONE)
                self._kind = _THINKING
                self._item_id = ""
                self._signature = part.signature or ""
                self._issuer = part.issuer
                begun += self._fragment(part.text)
            case RedactedThinking():
                item = reasoning_item(self._context.new_id(REASONING_PREFIX), "", pack(part))
                begun = self._close_message(DONE) + self._whole(item)
            case Opaque() if part.origin is OWN:
                return self._close_message(DONE) + self._whole(Fragment(part.raw))
            case _:
                self.losses.append(Loss(path, LossReason.UNKNOWN_PART))
                return b""
        if part.extras is not None:
            self.losses += foreign_losses(part.extras, OWN, path)
        return begun

    def _open_part(self, kind: _Kind, part: Json) -> bytes:
        self._kind = kind
        begun = b""
        if not self._message_id:
            self._message_id = self._context.new_id(MESSAGE_PREFIX)
            item = message_item(self._message_id, [], _PROGRESS)
            begun = self._item_event("response.output_item.added", item)
        place = len(self._content)
        if kind is _TEXT:
            self._surround(
                "response.output_text.delta", self._message_id, b',"logprobs":[]', content_index=place
            )
        else:
            self._surround("response.refusal.delta", self._message_id, content_index=place)
        return begun + self._inner(
            "response.content_part.added", self._message_id, content_index=place, part=part
        )

    def _open_call(self, call: ToolCall) -> bytes:
        begun = self._close_message(DONE)
        self._kind = _CALL
        self._call = call
        self._item_id = self._context.new_id(call_prefix(call))
        begun += self._item_event("response.output_item.added", call_item(self._item_id, call, "", _PROGRESS))
        kind = "custom_tool_call_input" if call.freeform else "function_call_arguments"
        self._surround(f"response.{kind}.delta", self._item_id)
        return begun + self._fragment(call.arguments)

    def _fragment(self, text: str) -> bytes:
        if not text or self._kind is _DROPPED:
            return b""
        begun = b""
        if self._kind is _THINKING and not self._fragments:
            begun = self._open_summary()
        self._fragments.append(text)
        number = self._next
        self._next = number + 1
        return b"".join((begun, self._before, orjson.dumps(text), self._after, b"%d}\n\n" % number))

    def _open_summary(self) -> bytes:
        begun = self._open_thinking()
        self._surround("response.reasoning_summary_text.delta", self._item_id, summary_index=0)
        part = {"type": "summary_text", "text": ""}
        return begun + self._inner(
            "response.reasoning_summary_part.added", self._item_id, summary_index=0, part=part
        )

    def _open_thinking(self) -> bytes:
        self._item_id = self._context.new_id(REASONING_PREFIX)
        return self._item_event("response.output_item.added", reasoning_item(self._item_id, "", None))

    def _sign(self, signature: str) -> bytes:
        if self._kind is _THINKING:
            self._signature += signature
        return b""

    def _lose_delta(self, event: OpaqueDelta) -> None:
        """Once for each kind and block; a block that was dropped is lost with all that it holds."""
        loss = Loss(f"content[{event.index}].{event.kind}", LossReason.UNSUPPORTED)
        if self._kind is not _DROPPED and loss not in self.losses:
            self.losses.append(loss)

    # --- what is done -------------------------------------------------------------------------------

    def _close_block(self) -> bytes:
        kind, self._kind = self._kind, _DROPPED
        if kind is _TEXT or kind is _REFUSAL:
            return self._close_part(kind)
        if kind is _CALL:
            return self._close_call()
        return self._close_thinking() if kind is _THINKING else b""

    def _close_part(self, kind: _Kind) -> bytes:
        text = "".join(self._fragments)
        place, item_id = len(self._content), self._message_id
        if kind is _TEXT:
            part = text_part(text)
            done = self._inner(
                "response.output_text.done", item_id, content_index=place, text=text, logprobs=[]
            )
        else:
            part = refusal_part(text)
            done = self._inner("response.refusal.done", item_id, content_index=place, refusal=text)
        done += self._inner("response.content_part.done", item_id, content_index=place, part=part)
        self._content.append(part)
        return done

    def _close_call(self) -> bytes:
        call = self._call
        assert call is not None, "a call is open"
        done = b""
        if not self._fragments and not call.freeform:
            self._kind = _CALL
            done = self._fragment("{}")  # "" is not JSON: clients would fail on it
            self._kind = _DROPPED
        whole = "".join(self._fragments)
        if call.freeform:
            done += self._inner("response.custom_tool_call_input.done", self._item_id, input=whole)
        else:
            done += self._inner(
                "response.function_call_arguments.done", self._item_id, name=call.name, arguments=whole
            )
        return done + self._done(call_item(self._item_id, call, whole, DONE))

    def _close_thinking(self) -> bytes:
        text = "".join(self._fragments)
        if not text and not self._signature:
            return b""
        done = b""
        if text:
            part = {"type": "summary_text", "text": text}
            done += self._inner(
                "response.reasoning_summary_text.done", self._item_id, summary_index=0, text=text
            )
            done += self._inner(
                "response.reasoning_summary_part.done", self._item_id, summary_index=0, part=part
            )
        else:
            done += self._open_thinking()
        encrypted = pack_signature(self._issuer, self._signature or None)
        return done + self._done(reasoning_item(self._item_id, text, encrypted))

    def _close_message(self, status: str) -> bytes:
        """`status`: of the message; that of the response if it ends here."""
        if not self._message_id:
            return b""
        item = message_item(self._message_id, self._content, status)
        self._message_id = ""
        self._content = []
        return self._done(item)

    def _whole(self, item: Json | Fragment) -> bytes:
        return self._item_event("response.output_item.added", item) + self._done(item)

    def _done(self, item: Json | Fragment) -> bytes:
        done = self._item_event("response.output_item.done", item)
        self._output.append(item)
        return done
