"""A whole Chat Completions answer of an OpenAI-compatible upstream -> the conversation."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from tokligence.conversation import (
    Extras,
    FinishReason,
    Loss,
    LossReason,
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
from tokligence.wire.openai.errors import reported_error
from tokligence.wire.openai_chat.parts import (
    OWN,
    lose_inner,
    made_id,
    read_call,
    read_content,
    read_extras,
    read_reasoning,
)
from tokligence.wire.openai_chat.tables import BROKEN_OFF, FINISH_OF
from tokligence.wire.openai_chat.types import ABSENT, AnswerChoice, AnswerMessage, Completion, UsageWire
from tokligence.wire.openai_chat.usage import read_usage as usage_of
from tokligence.wire.strict import Reader

_COMPLETION: Final[Reader[Completion]] = Reader(Completion)
_STOP: Final = FinishReason.STOP  # a member looked up on its class costs twenty times as much (Python 3.11)
_CALLED: Final = FinishReason.TOOL_CALLS
_SAYS_NOTHING: Final = frozenset({b"null", b"[]", b"{}"})


def read_response(raw: bytes, memory: ReplyMemory, issuer: str) -> Response:
    try:
        wire = _COMPLETION.read(raw)
    except GatewayError as error:
        raise _not_an_answer(raw, issuer, error.message.rstrip(".")) from None
    if not wire.choices:
        raise _not_an_answer(raw, issuer, "it has no choices")
    choice = wire.choices[0]
    losses: list[Loss] = []
    if len(wire.choices) > 1:
        losses += [
            Loss(f"choices[{number}]", LossReason.UNSUPPORTED) for number in range(1, len(wire.choices))
        ]
    word = choice.finish_reason or ""
    if word in BROKEN_OFF:
        raise GatewayError("upstream.error", provider=issuer, reason="the answer broke off")
    try:
        parts = _read_parts(choice.message, wire, memory, issuer, losses)
    except GatewayError as error:
        raise bad_response(issuer, error.message.rstrip(".")) from None
    called = refused = False
    for part in parts:
        called = called or type(part) is ToolCall
        refused = refused or type(part) is Refusal
    return Response(  # by position: names would take five times as long
        wire.id or "",
        wire.model or "",
        parts,
        settle_finish(word, called, refused, losses),
        None,
        None if wire.usage is None else usage_of(wire.usage),
        None if wire.created is None else int(wire.created),
        wire.service_tier,
        _read_extras(wire, choice),
        tuple(losses),
    )


def _not_an_answer(raw: bytes, issuer: str, reason: str) -> GatewayError:
    """Some gateways report an error with status 200."""
    error = reported_error(raw)
    if error is None:
        return bad_response(issuer, reason)
    return GatewayError("upstream.error", provider=issuer, reason=error.message)


def _read_parts(
    message: AnswerMessage, wire: Completion, memory: ReplyMemory, issuer: str, losses: list[Loss]
) -> tuple[Part, ...]:
    path = "choices[0].message"
    parts: list[Part] = []
    plain = message.reasoning_content or message.reasoning
    if plain or message.reasoning_details:
        parts = read_reasoning(message.reasoning_details, plain, issuer, path)
    content = message.content
    if type(content) is str and content:
        parts.append(Text(content))
    elif content:
        parts.extend(read_content(content, path, losses))
    if message.refusal:
        parts.append(Refusal(message.refusal))
    if not message.tool_calls and message.function_call is None:
        return tuple(parts)
    answer_id = wire.id or str(wire.created)
    for number, call in enumerate(message.tool_calls or ()):
        part = read_call(call, f"{path}.tool_calls[{number}]", losses)
        if isinstance(part, ToolCall):
            name = memory.renames.get(part.name, part.name)
            part = replace(part, id=part.id or made_id(answer_id, number), name=name)
        parts.append(part)
    legacy = message.function_call
    if legacy is not None:
        lose_inner(legacy, f"{path}.function_call", losses)
        name = memory.renames.get(legacy.name, legacy.name)
        parts.append(ToolCall(made_id(answer_id, 0), name, legacy.arguments))
    return tuple(parts)


def settle_finish(word: str, called: bool, refused: bool, losses: list[Loss]) -> FinishReason:
    """Servers say "stop" also after tool calls and refusals, and "tool_calls" without any: what the answer holds
    decides then."""
    finish = FINISH_OF.get(word)
    if finish is None or (finish is _CALLED and not called):
        losses.append(Loss("choices[0].finish_reason", LossReason.REPAIRED, Severity.COSMETIC))
        finish = _STOP
    if finish is not _STOP:
        return finish
    if called:
        return _CALLED
    return FinishReason.REFUSAL if refused else finish


def _read_extras(wire: Completion, choice: AnswerChoice) -> Extras | None:
    message = choice.message
    kept: dict[str, bytes] = {}
    if choice.logprobs is not ABSENT:
        _keep("logprobs", choice.logprobs, kept)
    if message.annotations is not ABSENT:
        _keep("annotations", message.annotations, kept)
    if message.audio is not ABSENT:
        _keep("audio", message.audio, kept)
    if wire.moderation is not ABSENT:
        _keep("moderation", wire.moderation, kept)
    if wire.system_fingerprint is not None:
        kept["system_fingerprint"] = msgspec.json.encode(wire.system_fingerprint)
    if wire.extras or choice.extras or message.extras:
        for node in (wire, choice, message):
            unknown = read_extras(node.extras)
            if unknown is not None:
                kept.update(unknown.fields)
    return Extras(OWN, kept) if kept else None


def _keep(name: str, value: Raw, kept: dict[str, bytes]) -> None:
    raw = bytes(value)
    if raw not in _SAYS_NOTHING:
        kept[name] = raw


# --- usage only -----------------------------------------------------------------------------------------


class _Metered(Struct):
    choices: Raw
    model: str | None = None
    usage: UsageWire | None = None


_METERED: Final = msgspec.json.Decoder(_Metered)


def read_usage(raw: bytes) -> tuple[Usage | None, str | None]:
    try:
        wire = _METERED.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None, None
    return None if wire.usage is None else usage_of(wire.usage), wire.model
