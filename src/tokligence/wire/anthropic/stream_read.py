"""Messages stream -> conversation events.

Theory of operation. One message is open from message_start to message_stop, and in it one block at a time:

    START --message_start--> IDLE --content_block_start--> BLOCK --content_block_stop--> IDLE
    IDLE --message_delta with a stop reason--> ENDING --message_stop--> DONE
    any --error--> DONE

`_NEXT` is that table; a pair that is not in it is a malformed stream, which must become a visible failure. Pings may
come anywhere. A message_delta may be repeated; its usage is cumulative, its stop reason counts once.

Events are decoded leniently, so that a field that is new to us costs nothing but a recorded loss, and only the first
event of each kind is examined for such fields.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum, auto
from functools import cache
from typing import Final, get_args

import msgspec
from msgspec import Struct

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
    Part,
    Ping,
    ProtocolId,
    Severity,
    SignatureDelta,
    StreamEvent,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    UsageSeen,
)
from tokligence.errors import GatewayError
from tokligence.wire.anthropic.blocks_in import Scope, read_block
from tokligence.wire.anthropic.read import UPSTREAM, read_finish, without_output_tool
from tokligence.wire.anthropic.tables import STATUS_OF
from tokligence.wire.anthropic.types import (
    BlockDeltaWire,
    BlockStartWire,
    BlockStopWire,
    DeltaWire,
    ErrorWire,
    EventWire,
    InputJsonDeltaWire,
    Kind,
    MessageDeltaWire,
    MessageStartWire,
    MessageStopWire,
    PingWire,
    RawDeltaWire,
    SignatureDeltaWire,
    StartedBlockWire,
    TextDeltaWire,
    ThinkingDeltaWire,
    UsageWire,
)
from tokligence.wire.anthropic.usage import extras_of, kept, merge_usage, read_usage
from tokligence.wire.contract import ReplyMemory, bad_response
from tokligence.wire.severity import severity_of
from tokligence.wire.strict import Reader, unknown_paths


class Phase(Enum):
    START = auto()
    IDLE = auto()
    BLOCK = auto()
    ENDING = auto()
    DONE = auto()


# Constants, since a member looked up on its class costs twenty times as much (Python 3.11).
_START: Final = Phase.START
_IDLE: Final = Phase.IDLE
_BLOCK: Final = Phase.BLOCK
_ENDING: Final = Phase.ENDING
_DONE: Final = Phase.DONE

_NEXT: Final[dict[tuple[Phase, type[Struct]], Phase]] = {
    (_START, MessageStartWire): _IDLE,
    (_IDLE, BlockStartWire): _BLOCK,
    (_BLOCK, BlockStopWire): _IDLE,
    (_IDLE, MessageDeltaWire): _ENDING,
    (_ENDING, MessageDeltaWire): _ENDING,
    (_ENDING, MessageStopWire): _DONE,
}

_EVENT: Final[msgspec.json.Decoder[EventWire]] = msgspec.json.Decoder(EventWire)
_RAW_DELTA: Final = msgspec.json.Decoder(RawDeltaWire)
_KIND: Final = msgspec.json.Decoder(Kind)
_STARTED: Final[Reader[StartedBlockWire]] = Reader(StartedBlockWire)

_KINDS: Final = frozenset(each.__struct_config__.tag for each in get_args(EventWire))
_DELTA_KINDS: Final = frozenset(each.__struct_config__.tag for each in get_args(DeltaWire))

# Which delta feeds which open part.
_FED_BY: Final[dict[type[Struct], type[Struct]]] = {
    Text: TextDeltaWire,
    ToolCall: InputJsonDeltaWire,
    Thinking: ThinkingDeltaWire,
}

_START_EXTRAS: Final = kept("container", "context_management", "diagnostics", "input_transformations")
_DELTA_EXTRAS: Final = kept("context_management", "input_transformations")
_END_EXTRAS: Final = kept("container", "stop_details")

_NOTHING: Final[tuple[StreamEvent, ...]] = ()
_PING: Final = (Ping(),)


class StreamReader:
    """See `contract.StreamReader`."""

    __slots__ = (
        "_checked",
        "_extras",
        "_fed",
        "_fed_by",
        "_finish",
        "_index",
        "_issuer",
        "_memory",
        "_part",
        "_phase",
        "_real_call",
        "_texts",
        "_upstream_index",
        "_usage",
        "losses",
    )

    def __init__(self, memory: ReplyMemory, issuer: str) -> None:
        self.losses: list[Loss] = []
        self._memory = memory
        self._issuer = issuer
        self._phase = _START
        self._checked: set[object] = set()
        self._usage: UsageWire | None = None
        self._extras: dict[str, bytes] = {}
        self._finish: FinishReason | None = None
        self._index = -1  # of the open or last block, ours
        self._upstream_index = -1  # the same, as the upstream counts
        self._part: Part | None = None
        self._fed_by: type[Struct] | None = None
        self._fed = False  # the open tool call has had arguments
        self._texts = False  # the open block has had text, and its deltas hold nothing that is new to us
        self._real_call = False  # a tool of the client was called

    def feed(self, name: bytes, data: bytes) -> Sequence[StreamEvent]:
        if self._phase is _DONE or not data:
            return _NOTHING
        try:
            event = _EVENT.decode(data)
        except msgspec.ValidationError:
            return self._unusual(name, data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise bad_response(UPSTREAM, "an event is not valid JSON") from None
        if type(event) is BlockDeltaWire:
            delta = event.delta
            if self._texts and type(delta) is TextDeltaWire and event.index == self._upstream_index:
                return (TextDelta(self._index, delta.text),)  # nearly every event
            if type(delta) not in self._checked:
                self._check(type(delta), data, BlockDeltaWire)
            return self._delta(event.index, delta, data)
        if type(event) not in self._checked:
            self._check(type(event), data, type(event))
        return self._event(event)

    def eof(self) -> Sequence[StreamEvent]:
        if self._phase is not _DONE:
            raise GatewayError("upstream.cut", provider=UPSTREAM)
        return _NOTHING

    # --- events -----------------------------------------------------------------------------------------

    def _event(self, event: EventWire) -> Sequence[StreamEvent]:
        if type(event) is PingWire:
            return _PING
        if type(event) is ErrorWire:
            self._phase = _DONE
            kind = event.error.type or "api_error"
            return (Failed(kind, event.error.message or "The upstream failed.", STATUS_OF.get(kind)),)
        phase = _NEXT.get((self._phase, type(event)))
        if phase is None:
            raise bad_response(UPSTREAM, f"{event.__struct_config__.tag} is out of order")
        self._phase = phase
        match event:
            case BlockStartWire():
                return self._open(event)
            case BlockStopWire():
                return self._close(event.index)
            case MessageStartWire():
                return self._start(event)
            case MessageDeltaWire():
                return self._end(event)
            case _:
                return (Closed(),)

    def _start(self, event: MessageStartWire) -> Sequence[StreamEvent]:
        message = event.message
        self._usage = message.usage
        self._extras = _START_EXTRAS(message)
        usage = read_usage(message.usage, exact=False) if message.usage is not None else None
        tier = message.usage.service_tier if message.usage is not None else None
        return (Opened(message.id, message.model, usage, service_tier=tier),)

    def _end(self, event: MessageDeltaWire) -> Sequence[StreamEvent]:
        self._extras.update(_DELTA_EXTRAS(event))
        self._extras.update(_END_EXTRAS(event.delta))
        out: list[StreamEvent] = []
        if event.usage is not None:
            self._usage = merge_usage(self._usage, event.usage)
        if self._usage is not None:
            out.append(UsageSeen(read_usage(self._usage)))
        if event.delta.stop_reason is None:
            if self._finish is None:
                self._phase = _IDLE  # figures only: the answer goes on
        elif self._finish is None:
            self._finish = read_finish(event.delta.stop_reason, self.losses)
            if self._memory.output_tool is not None and not self._real_call:
                self._finish = without_output_tool(self._finish)
            out.append(Finished(self._finish, event.delta.stop_sequence, extras_of(self._extras)))
        return out

    # --- blocks -----------------------------------------------------------------------------------------

    def _open(self, event: BlockStartWire) -> Sequence[StreamEvent]:
        if event.index <= self._upstream_index:
            raise bad_response(UPSTREAM, "a block is opened twice")
        self._upstream_index = event.index
        self._index += 1
        try:
            wire = _STARTED.read(bytes(event.content_block))
            part = read_block(wire, Scope(f"content[{self._index}]", self.losses, self._issuer))
        except GatewayError:
            raise bad_response(UPSTREAM, "a block is not valid") from None
        self._fed_by = _FED_BY.get(type(part))
        self._part = self._open_call(part) if type(part) is ToolCall else part
        return (BlockOpened(self._index, self._part),)

    def _open_call(self, call: ToolCall) -> Part:
        """Streams open a call with `{}`, which stands for arguments to come; some servers send them at once."""
        arguments = "" if call.arguments.strip() in ("{}", "null") else call.arguments
        self._fed = bool(arguments)
        if call.name == self._memory.output_tool:
            return Text(arguments, extras=call.extras)
        self._real_call = True
        name = self._memory.renames.get(call.name, call.name)
        return ToolCall(call.id, name, arguments, extras=call.extras)

    def _delta(self, index: int, delta: DeltaWire, data: bytes) -> Sequence[StreamEvent]:
        self._demand_open(index)
        fed_by = self._fed_by
        if type(delta) is TextDeltaWire and fed_by is TextDeltaWire:
            self._texts = True
            return (TextDelta(self._index, delta.text),)
        if type(delta) is InputJsonDeltaWire and fed_by is InputJsonDeltaWire:
            self._fed = self._fed or delta.partial_json != ""
            return (TextDelta(self._index, delta.partial_json),)
        if type(delta) is ThinkingDeltaWire and fed_by is ThinkingDeltaWire:
            return (TextDelta(self._index, delta.thinking),)
        if type(delta) is SignatureDeltaWire and type(self._part) is Thinking:
            return (SignatureDelta(self._index, delta.signature),)
        if type(self._part) is Opaque:
            return self._opaque_delta(_RAW_DELTA.decode(data))
        raise bad_response(UPSTREAM, "a delta does not fit its block")

    def _demand_open(self, index: int) -> None:
        if self._phase is not _BLOCK or index != self._upstream_index:
            raise bad_response(UPSTREAM, "a delta is for a block that is not open")

    def _opaque_delta(self, event: RawDeltaWire) -> Sequence[StreamEvent]:
        kind = _KIND.decode(event.delta).type or ""
        return (OpaqueDelta(self._index, ProtocolId.ANTHROPIC, kind, bytes(event.delta)),)

    def _close(self, index: int) -> Sequence[StreamEvent]:
        if index != self._upstream_index:
            raise bad_response(UPSTREAM, "a block is closed that is not open")
        self._texts = False
        closed = BlockClosed(self._index)
        if self._fed_by is InputJsonDeltaWire and not self._fed:
            # No argument was streamed: the call has none, and a whole answer would say {}.
            return (TextDelta(self._index, "{}"), closed)
        return (closed,)

    # --- what is new to us ------------------------------------------------------------------------------

    def _unusual(self, name: bytes, data: bytes) -> Sequence[StreamEvent]:
        """An event that the usual types do not fit: of a kind that is new, with a delta that is new, or wrong."""
        try:
            kind = _KIND.decode(data).type
            if kind is None:
                kind = name.decode()
            if kind == PingWire.__struct_config__.tag:
                return _PING
            if kind == BlockDeltaWire.__struct_config__.tag:
                event = _RAW_DELTA.decode(data)
                if _KIND.decode(event.delta).type not in _DELTA_KINDS:
                    self._demand_open(event.index)
                    return self._opaque_delta(event)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            kind = ""
        if not kind or kind in _KINDS:
            raise bad_response(UPSTREAM, "an event is not valid")
        if kind not in self._checked:
            self._checked.add(kind)
            self.losses.append(Loss(f"stream.{kind[:64]}", LossReason.UNKNOWN_PART, Severity.SEMANTIC))
        return _NOTHING

    def _check(self, key: type[Struct], data: bytes, shape: type[Struct]) -> None:
        """Record the fields of an event that we do not know. Names alone tell nearly always that there are none."""
        self._checked.add(key)
        if not _names_known(shape).issuperset(_KEY.findall(data)):
            kind = shape.__struct_config__.tag
            for path in unknown_paths(data, shape):
                name = path.rpartition(".")[2]
                self.losses.append(Loss(f"{kind}.{path}", LossReason.UNKNOWN_FIELD, severity_of(name)))


_KEY: Final = re.compile(rb'"(\w+)"\s*:')


@cache
def _names_known(shape: type[Struct]) -> frozenset[bytes]:
    """All field names that may stand anywhere in an event; a block's are examined when it is read."""
    found = {b"type"}
    pending: list[object] = [shape, *(get_args(StartedBlockWire) if shape is BlockStartWire else ())]
    while pending:
        each = pending.pop()
        if isinstance(each, type) and issubclass(each, Struct):
            for field in msgspec.structs.fields(each):
                found.add(field.encode_name.encode())
                pending.append(field.type)
        else:
            pending.extend(get_args(each))
    return frozenset(found)
