"""A whole Responses answer of an upstream -> the conversation."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Final

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from tokligence.conversation import (
    Extras,
    FinishReason,
    Loss,
    LossReason,
    Opaque,
    Part,
    Refusal,
    Response,
    Severity,
    Text,
    ToolCall,
    Usage,
)
from tokligence.errors import GatewayError
from tokligence.wire.contract import ReplyMemory, bad_response
from tokligence.wire.openai.errors import STATUS_OF, reported_error
from tokligence.wire.openai_responses.items_in import (
    OWN,
    extras_of,
    lose_inner,
    read_call,
    read_item,
    read_spoken,
    read_thought,
)
from tokligence.wire.openai_responses.tables import FAILED, FINISH_OF, STATUS_OF_CODE
from tokligence.wire.openai_responses.types import (
    TOLD,
    CustomCall,
    ErrorWire,
    FunctionCall,
    MessageItem,
    ReasoningItem,
    ResponseWire,
    ToolUse,
    UsageWire,
)
from tokligence.wire.openai_responses.usage import read_usage as usage_of
from tokligence.wire.severity import severity_of
from tokligence.wire.strict import Reader

_RESPONSE: Final[Reader[ResponseWire]] = Reader(ResponseWire)
_SAYS_NOTHING: Final = frozenset({b"", b"null", b"[]", b"{}"})


def read_response(raw: bytes, memory: ReplyMemory, issuer: str) -> Response:
    try:
        wire = _RESPONSE.read(raw)
    except GatewayError as error:
        raise _not_an_answer(raw, issuer, error.message.rstrip(".")) from None
    if wire.output is None:
        raise _not_an_answer(raw, issuer, "it has no output")
    if wire.error is not None or wire.status in FAILED:
        raise GatewayError("upstream.error", provider=issuer, reason=failure_of(wire.error)[1])
    losses: list[Loss] = []
    try:
        parts = read_output(wire.output, memory, issuer, losses)
    except GatewayError as error:
        raise bad_response(issuer, error.message.rstrip(".")) from None
    return Response(
        id=wire.id or "",
        model=wire.model or "",
        parts=tuple(parts),
        finish=settle_finish(
            wire.status or "",
            None if wire.incomplete_details is None else wire.incomplete_details.reason,
            called=any(type(part) is ToolCall for part in parts),
            refused=any(type(part) is Refusal for part in parts),
            losses=losses,
        ),
        usage=None if wire.usage is None else usage_of(wire.usage, wire.tool_usage),
        created=None if wire.created_at is None else int(wire.created_at),
        service_tier=wire.service_tier,
        extras=read_extras(wire),
        losses=tuple(losses),
    )


def _not_an_answer(raw: bytes, issuer: str, reason: str) -> GatewayError:
    """Some gateways report an error with status 200."""
    error = reported_error(raw)
    if error is None:
        return bad_response(issuer, reason)
    return GatewayError("upstream.error", provider=issuer, reason=error.message)


def failure_of(error: ErrorWire | None) -> tuple[str, str, int | None]:
    """Code, message and status of a response that failed."""
    told = error or ErrorWire()
    code = told.code or told.type or "server_error"
    status = STATUS_OF_CODE.get(code) or STATUS_OF.get(code)
    return code, told.message or "The response failed.", status


# --- output ---------------------------------------------------------------------------------------------


def read_output(output: Sequence[Raw], memory: ReplyMemory, issuer: str, losses: list[Loss]) -> list[Part]:
    parts: list[Part] = []
    for index, raw in enumerate(output):
        parts += read_told(raw, f"output[{index}]", memory, issuer, losses)
    return parts


def read_told(raw: Raw, path: str, memory: ReplyMemory, issuer: str, losses: list[Loss]) -> tuple[Part, ...]:
    """The parts of one output item. One that the vendor's own tools made stays as it is."""
    item = read_item(raw, path)
    match item:
        case MessageItem():
            return read_message(item, path, losses)
        case FunctionCall() | CustomCall():
            return (named(read_call(item), memory),)
        case ReasoningItem():
            thought = read_thought(item, issuer, path, losses)
            return () if thought is None else (thought,)
        case Opaque():
            return (item,)
        case _:
            return (Opaque(OWN, str(item.__struct_config__.tag), bytes(raw)),)


def read_message(
    item: MessageItem, path: str, losses: list[Loss], *, keep_empty: bool = False
) -> tuple[Part, ...]:
    """`keep_empty`: texts that say nothing too, so that each part has its place."""
    lose_inner(item, path, losses)
    if item.phase is not None:
        losses.append(Loss(f"{path}.phase", LossReason.UNSUPPORTED, severity_of("phase")))
    parts = read_spoken(item.content, f"{path}.content", losses)
    if keep_empty:
        return parts
    return tuple([part for part in parts if not (isinstance(part, Text | Refusal) and not part.text)])


def named(call: ToolCall, memory: ReplyMemory) -> ToolCall:
    """The call with the client's own name of the tool."""
    name = memory.renames.get(call.name)
    return call if name is None else replace(call, name=name)


def settle_finish(
    status: str, reason: str | None, *, called: bool, refused: bool, losses: list[Loss]
) -> FinishReason:
    """A response does not say that it stopped for a call: what it holds decides."""
    if status == "incomplete":
        finish = FINISH_OF.get(reason or "")
        if finish is not None:
            return finish
        losses.append(Loss("incomplete_details.reason", LossReason.REPAIRED, Severity.COSMETIC))
        return FinishReason.LENGTH
    if status != "completed":
        losses.append(Loss("status", LossReason.REPAIRED, Severity.COSMETIC))
    if called:
        return FinishReason.TOOL_CALLS
    return FinishReason.REFUSAL if refused else FinishReason.STOP


_told: Final = attrgetter(*TOLD)


def read_extras(wire: ResponseWire) -> Extras | None:
    values: tuple[Raw, ...] = _told(wire)
    kept = {
        name: raw
        for name, value in zip(TOLD, values, strict=True)
        if (raw := bytes(value)) not in _SAYS_NOTHING
    }
    return extras_of(wire.extras, kept)


# --- usage only -----------------------------------------------------------------------------------------


class _Metered(Struct):
    output: Raw
    model: str | None = None
    usage: UsageWire | None = None
    tool_usage: ToolUse | None = None


_METERED: Final = msgspec.json.Decoder(_Metered)


def read_usage(raw: bytes) -> tuple[Usage | None, str | None]:
    try:
        wire = _METERED.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None, None
    return None if wire.usage is None else usage_of(wire.usage, wire.tool_usage), wire.model
