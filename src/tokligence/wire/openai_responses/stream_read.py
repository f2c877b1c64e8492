"""A Responses stream of an upstream -> events of the conversation.

Theory: a response has items, by `output_index`; a message has parts, reasoning has summaries. Fragments pass as they
come, `done` events give the whole: what is in it and was not in fragments is still due. So upstreams that send only
whole items, or only the whole response at the end, are read as well.

    OPENING -- the first event with a response, or of an item --> Opened --> ITEMS
    ITEMS   -- output_item.added of a call ---------------------> a block opens
    ITEMS   -- fragments of text, reasoning, arguments ---------> a block opens if none is, TextDelta
    ITEMS   -- output_item.done --------------------------------> what is still due, signature
    ITEMS   -- completed, incomplete ---------------------------> UsageSeen, Finished, Closed --> ENDED
    any     -- failed, cancelled, error ------------------------> Failed --> ENDED
    ITEMS   -- end of the connection ---------------------------> upstream.cut
"""

from __future__ import annotations

from functools import cache
from typing import Final

import msgspec
from msgspec import Raw, Struct

from tokligence.conversation import (
    Closed,
    Failed,
    Finished,
    Loss,
    LossReason,
    Opened,
    Part,
    Ping,
    RedactedThinking,
    Refusal,
    Severity,
    StreamEvent,
    Text,
    Thinking,
    ToolCall,
    UsageSeen,
)
from tokligence.errors import GatewayError
from tokligence.wire.contract import ReplyMemory, bad_response
from tokligence.wire.lanes import Lanes
from tokligence.wire.openai.errors import STATUS_OF, read_error
from tokligence.wire.openai_responses import events as on_wire
from tokligence.wire.openai_responses.events import PROGRESS, AnyEvent
from tokligence.wire.openai_responses.items_in import read_call, read_item, read_thought
from tokligence.wire.openai_responses.read_answer import (
    failure_of,
    named,
    read_extras,
    read_message,
    read_told,
    settle_finish,
)
from tokligence.wire.openai_responses.reasoning import BETWEEN
from tokligence.wire.openai_responses.tables import FAILED, STATUS_OF_CODE
from tokligence.wire.openai_responses.types import (
    ABSENT,
    CustomCall,
    FunctionCall,
    Head,
    MessageItem,
    ReasoningItem,
    ResponseWire,
)
from tokligence.wire.openai_responses.usage import read_usage
from tokligence.wire.severity import EXTRA_SEVERITY, severity_of
from tokligence.wire.strict import Reader

_EVENT: Final[msgspec.json.Decoder[AnyEvent]] = msgspec.json.Decoder(AnyEvent)
_KEYS: Final = msgspec.json.Decoder(dict[str, Raw])
_RESPONSE: Final[Reader[ResponseWire]] = Reader(ResponseWire)
_KINDS: Final = frozenset(
    each.__struct_config__.tag
    for each in vars(on_wire).values()
    if isinstance(each, type) and issubclass(each, Struct)
)
_TEXT: Final = Text("")
_REFUSAL: Final = Refusal("")


class _Item:
    """An output item as far as it has come. `number`: in the order they came, since some servers give all the same
    index; `call`: its head, if it is one; `sent`: characters of each part, by its kind and place; `shown`: whether
    reasoning came as "summary" or as "content"."""

    __slots__ = ("call", "done", "number", "sent", "shown")

    def __init__(self, number: int) -> None:
        self.number = number
        self.sent: dict[tuple[str, int], int] = {}
        self.call: ToolCall | None = None
        self.shown = ""
        self.done = False

    def due(self, kind: str, place: int, whole: str) -> str:
        """What of `whole` has not been sent."""
        return whole[self.sent.get((kind, place), 0) :]


class ResponsesStreamReader:
    """`wire.contract.StreamReader`. `issuer`: whose signatures these are; it also names the upstream in errors."""

    __slots__ = (
        "_by_id",
        "_called",
        "_checked",
        "_count",
        "_ended",
        "_issuer",
        "_items",
        "_lanes",
        "_last",
        "_memory",
        "_opened",
        "_refused",
        "_thinking",
        "losses",
    )

    def __init__(self, memory: ReplyMemory, issuer: str) -> None:
        self.losses: list[Loss] = []
        self._memory = memory
        self._issuer = issuer
        self._lanes = Lanes(issuer)
        self._items: dict[int, _Item] = {}  # by output_index
        self._by_id: dict[str, _Item] = {}
        self._last: _Item | None = None
        self._count = 0
        self._opened = self._ended = self._called = self._refused = False
        self._checked: set[type[Struct] | str] = set()
        self._thinking = Thinking("", issuer=issuer)

    def feed(self, name: bytes, data: bytes) -> list[StreamEvent]:  # noqa: ARG002 - the data has the name
        if self._ended or not data or data == b"[DONE]":
            return []
        try:
            event = _EVENT.decode(data)
        except msgspec.ValidationError:
            return self._unusual(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise bad_response(self._issuer, "an event is not valid JSON") from None
        kind = type(event)
        if kind not in self._checked:
            self._check(kind, data)
        out: list[StreamEvent] = []
        try:
            if isinstance(event, on_wire.TextFragment):  # nearly every event
                self._say(self._item(event, out), "text", event.content_index, event.delta, out)
            elif isinstance(event, on_wire.ItemEvent):
                self._item_event(event, out)
            else:
                self._response_event(event, data, out)
        except GatewayError as error:
            if not error.code.startswith("request."):
                raise
            raise bad_response(self._issuer, error.message.rstrip(".")) from None
        return out

    def eof(self) -> list[StreamEvent]:
        if not self._ended:
            raise GatewayError("upstream.cut", provider=self._issuer)
        return []

    # --- the response -------------------------------------------------------------------------------

    def _response_event(self, event: AnyEvent, data: bytes, out: list[StreamEvent]) -> None:
        match event:
            case on_wire.Created() | on_wire.InProgress() | on_wire.Queued():
                wire = self._response(event.response)
                for each in wire.extras or ():
                    self._lose_field(each)
                if not self._opened:
                    self._open(wire, out)
            case on_wire.Completed():
                self._end("completed", event.response, out)
            case on_wire.Incomplete():
                self._end("incomplete", event.response, out)
            case on_wire.Failed():
                self._end("failed", event.response, out)
            case on_wire.Cancelled():
                self._end("cancelled", event.response, out)
            case on_wire.Error():
                self._ended = True
                out.append(_reported(event, data))
            case _:
                out.append(Ping())

    def _response(self, raw: Raw) -> ResponseWire:
        if raw is ABSENT:
            raise bad_response(self._issuer, "an event has no response")
        return _RESPONSE.read(bytes(raw))

    def _open(self, wire: ResponseWire, out: list[StreamEvent]) -> None:
        self._opened = True
        created = None if wire.created_at is None else int(wire.created_at)
        out.append(Opened(wire.id or "", wire.model or "", None, created, wire.service_tier))

    def _end(self, status: str, raw: Raw, out: list[StreamEvent]) -> None:
        wire = self._response(raw)
        if not self._opened:
            self._open(wire, out)
        self._ended = True
        if status in FAILED or wire.error is not None:
            code, message, http = failure_of(wire.error)
            out.append(Failed(code, message, http, code))
            return
        for index, item in enumerate(wire.output or ()):
            self._whole(index, item, out)
        self._lanes.finish(out)
        if wire.usage is not None:
            out.append(UsageSeen(read_usage(wire.usage, wire.tool_usage)))
        reason = None if wire.incomplete_details is None else wire.incomplete_details.reason
        finish = settle_finish(status, reason, called=self._called, refused=self._refused, losses=self.losses)
        out += [Finished(finish, None, read_extras(wire)), Closed()]

    def _whole(self, index: int, raw: Raw, out: list[StreamEvent]) -> None:
        """An item as the whole response has it: nothing new, unless it was not streamed."""
        item = self._by_id.get(_id_of(raw) or "") or self._items.get(index)
        if item is None:
            item = self._add(index, raw)
        if not item.done:
            self._done(item, f"output[{index}]", raw, out)

    # --- items --------------------------------------------------------------------------------------

    def _item_event(self, event: on_wire.ItemEvent, out: list[StreamEvent]) -> None:
        if isinstance(event, on_wire.ItemAdded):
            index = self._count if event.output_index is None else event.output_index
            self._begin(self._add(index, event.item), f"output[{index}]", event.item, out)
            return
        item = self._item(event, out)
        match event:
            case on_wire.ArgumentsFragment() | on_wire.InputFragment():
                self._argue(item, event.delta, out)
            case on_wire.ArgumentsDone(arguments=whole) | on_wire.InputDone(input=whole):
                self._argue(item, item.due("call", 0, whole), out)
            case on_wire.SummaryFragment():
                self._think(item, "summary", event.summary_index, event.delta, out)
            case on_wire.ReasoningFragment():
                self._think(item, "content", event.content_index, event.delta, out)
            case on_wire.RefusalFragment():
                self._say(item, "refusal", event.content_index, event.delta, out)
            case on_wire.ItemDone():
                self._done(item, f"output[{item.number}]", event.item, out)
            case _:
                return  # the rest says what fragments have said, or what the whole item will say

    def _item(self, event: on_wire.ItemEvent, out: list[StreamEvent]) -> _Item:
        """The item that an event is of; one that was not announced begins now."""
        if not self._opened:
            self._open(_NO_RESPONSE, out)
        if event.output_index is not None:
            item = self._items.get(event.output_index)
        elif event.item_id is not None:
            item = self._by_id.get(event.item_id)
        else:
            item = self._last
        return item or self._add(self._count if event.output_index is None else event.output_index, None)

    def _add(self, index: int, raw: Raw | None) -> _Item:
        item = _Item(self._count)
        self._count += 1
        self._items[index] = item
        self._last = item
        if raw is not None and (item_id := _id_of(raw)) is not None:
            self._by_id[item_id] = item
        return item

    def _begin(self, item: _Item, path: str, raw: Raw, out: list[StreamEvent]) -> None:
        if not self._opened:
            self._open(_NO_RESPONSE, out)
        wire = read_item(raw, path)
        if isinstance(wire, FunctionCall | CustomCall):
            self._call(item, wire, out)
            self._argue(item, wire.input if isinstance(wire, CustomCall) else wire.arguments, out)

    def _call(self, item: _Item, wire: FunctionCall | CustomCall, out: list[StreamEvent]) -> None:
        self._called = True
        call = named(read_call(wire), self._memory)
        item.call = msgspec.structs.replace(call, arguments="")
        self._lanes.call(item.number, item.call, out)

    def _done(self, item: _Item, path: str, raw: Raw, out: list[StreamEvent]) -> None:
        if item.done:
            raise bad_response(self._issuer, "an item is done twice")
        item.done = True
        wire = read_item(raw, path)
        match wire:
            case MessageItem():
                self._message_done(item, wire, path, out)
            case FunctionCall() | CustomCall():
                if item.call is None:
                    self._call(item, wire, out)
                whole = wire.input if isinstance(wire, CustomCall) else wire.arguments
                self._argue(item, item.due("call", 0, whole), out)
                self._lanes.done(item.number, out)
            case ReasoningItem():
                self._reasoning_done(item, wire, path, out)
            case _:
                for part in read_told(raw, path, self._memory, self._issuer, self.losses):
                    self._lanes.whole(part, out)

    def _message_done(self, item: _Item, wire: MessageItem, path: str, out: list[StreamEvent]) -> None:
        for place, part in enumerate(read_message(wire, path, self.losses, keep_empty=True)):
            if isinstance(part, Text):
                self._say(item, "text", place, item.due("text", place, part.text), out)
                for name in () if part.extras is None else part.extras.fields:
                    self._lose_once(f"{path}.content[{place}].{name}", *weight(name))
            elif isinstance(part, Refusal):
                self._say(item, "refusal", place, item.due("refusal", place, part.text), out)
            else:
                self._lanes.whole(part, out)

    def _reasoning_done(self, item: _Item, wire: ReasoningItem, path: str, out: list[StreamEvent]) -> None:
        shown = item.shown or ("summary" if wire.summary else "content")
        told = [part.text for part in (wire.summary if shown == "summary" else None) or ()]
        told = told or [part.text for part in (wire.content if shown == "content" else None) or ()]
        for place, text in enumerate(told):
            self._think(item, shown, place, item.due(shown, place, text), out)
        thought = read_thought(wire, self._issuer, path, self.losses)
        if isinstance(thought, RedactedThinking) and not item.shown:
            self._lanes.whole(thought, out)
            return
        signature = thought.data if isinstance(thought, RedactedThinking) else None
        if isinstance(thought, Thinking):
            signature = thought.signature
        if signature is not None:
            self._lanes.signature(("thought", item.number), self._thinking, signature, out)

    # --- fragments ----------------------------------------------------------------------------------

    def _say(self, item: _Item, kind: str, place: int, text: str, out: list[StreamEvent]) -> None:
        if not text:
            return
        sent = item.sent
        sent[kind, place] = sent.get((kind, place), 0) + len(text)
        head: Part = _TEXT
        if kind == "refusal":
            self._refused = True
            head = _REFUSAL
        self._lanes.text((kind, item.number, place), head, text, out)

    def _argue(self, item: _Item, text: str, out: list[StreamEvent]) -> None:
        if not text:
            return
        if item.call is None:
            raise bad_response(self._issuer, "arguments came before their call")
        item.sent["call", 0] = item.sent.get(("call", 0), 0) + len(text)
        self._lanes.arguments(item.number, text, out)

    def _think(self, item: _Item, shown: str, place: int, text: str, out: list[StreamEvent]) -> None:
        """Reasoning that comes both as summary and as content is told once."""
        if not text:
            return
        if item.shown not in ("", shown):
            self._lose_once("output[].content", LossReason.CONVERTED, Severity.COSMETIC)
            return
        between = BETWEEN if shown == "summary" and item.shown and (shown, place) not in item.sent else ""
        item.shown = shown
        item.sent[shown, place] = item.sent.get((shown, place), 0) + len(text)
        self._lanes.text(("thought", item.number), self._thinking, between + text, out)

    # --- what is new to us --------------------------------------------------------------------------

    def _unusual(self, data: bytes) -> list[StreamEvent]:
        """An event of a kind that is new to us, or wrong."""
        try:
            kind = _KIND.decode(data).type or ""
        except msgspec.MsgspecError:
            kind = ""
        if not kind or kind in _KINDS:
            raise bad_response(self._issuer, "an event is not valid")
        if not kind.startswith(PROGRESS):
            self._lose_once(f"stream.{kind[:64]}", LossReason.UNKNOWN_PART, Severity.SEMANTIC)
        return []

    def _check(self, kind: type[Struct], data: bytes) -> None:
        """Fields that we do not know, once for each kind of event: the loop decodes leniently."""
        self._checked.add(kind)
        for name in _KEYS.decode(data).keys() - _fields(kind):
            self._lose_field(name)

    def _lose_field(self, name: str) -> None:
        self._lose_once(name, *weight(name))

    def _lose_once(self, path: str, reason: LossReason, severity: Severity) -> None:
        loss = Loss(path, reason, severity)
        if loss not in self.losses:
            self.losses.append(loss)


_NO_RESPONSE: Final = ResponseWire()
_KIND: Final = msgspec.json.Decoder(Head)


def weight(name: str) -> tuple[LossReason, Severity]:
    """Why and how much is lost with a field that the conversation has no word for."""
    known = name in EXTRA_SEVERITY
    return LossReason.UNSUPPORTED if known else LossReason.UNKNOWN_FIELD, severity_of(name)


@cache
def _fields(kind: type[Struct]) -> frozenset[str]:
    return frozenset(["type", *(field.encode_name for field in msgspec.structs.fields(kind))])


def _id_of(raw: Raw) -> str | None:
    try:
        return _KIND.decode(raw).id
    except msgspec.MsgspecError:
        return None  # what it is is found out by who reads it


def _reported(event: on_wire.Error, data: bytes) -> Failed:
    if event.error is not ABSENT:
        error = read_error(502, data)
        code = error.code or error.kind
        return Failed(error.kind, error.message, _status(code) or _status(error.kind), error.code)
    code = "server_error" if event.code is None else str(event.code)
    return Failed(code, event.message or "The response failed.", _status(code), code)


def _status(code: str) -> int | None:
    if code.isdigit() and 400 <= int(code) < 600:
        return int(code)
    return STATUS_OF_CODE.get(code) or STATUS_OF.get(code)
