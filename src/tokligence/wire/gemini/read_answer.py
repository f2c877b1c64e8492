"""A whole Gemini answer, or an error, of an upstream -> the conversation."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from tokligence.conversation import (
    FinishReason,
    Loss,
    LossReason,
    Part,
    Refusal,
    Response,
    Severity,
    ToolCall,
    Usage,
)
from tokligence.errors import GatewayError
from tokligence.wire.contract import ReplyMemory, UpstreamError, bad_response
from tokligence.wire.gemini.calls import Calls
from tokligence.wire.gemini.extras import extras_of, kept
from tokligence.wire.gemini.parts_in import Scope, read_parts
from tokligence.wire.gemini.tables import BROKEN_OFF, FINISH_OF, status_word
from tokligence.wire.gemini.types import (
    CandidateChunk,
    CandidateWire,
    MeterWire,
    PromptFeedbackChunk,
    PromptFeedbackWire,
    ResponseWire,
    sent,
)
from tokligence.wire.gemini.usage import read_usage as usage_of
from tokligence.wire.strict import Reader

_RESPONSE: Final[Reader[ResponseWire]] = Reader(ResponseWire)
_METER: Final = msgspec.json.Decoder(MeterWire)
_METERS: Final = msgspec.json.Decoder(list[MeterWire])
_STOP: Final = FinishReason.STOP  # a member looked up on its class costs twenty times as much (Python 3.11)
_REFUSED: Final = FinishReason.REFUSAL


def read_response(raw: bytes, memory: ReplyMemory, issuer: str) -> Response:
    """Raises `upstream.bad_response`, and `upstream.error` for an answer that failed; a field or part that is new to
    us never does."""
    losses: list[Loss] = []
    try:
        wire = _RESPONSE.read(raw)
        if not raw.isascii():
            raw.decode()  # the decoder does not look into what it keeps raw
    except (GatewayError, UnicodeDecodeError):
        raise _not_an_answer(raw, issuer, "it is not a Gemini answer") from None
    blocked = wire.prompt_feedback
    if wire.candidates:
        candidate = wire.candidates[0]
    elif blocked is not None and blocked.block_reason is not None:
        candidate = CandidateWire()
    else:
        raise _not_an_answer(raw, issuer, "it has no candidates")
    losses += [Loss(f"candidates[{n}]", LossReason.UNSUPPORTED) for n in range(1, len(wire.candidates or ()))]
    parts: tuple[Part, ...] = ()
    if candidate.content is not None:
        scope = Scope("candidates[0].content", losses, Calls(), issuer, wire.response_id or "")
        try:
            parts = read_parts(candidate.content, scope)
        except GatewayError as error:
            raise bad_response(issuer, error.message.rstrip(".")) from None
    if memory.renames:
        parts = tuple([as_asked(part, memory) for part in parts])
    if wire.candidates:
        called = any(type(part) is ToolCall for part in parts)
        finish = read_finish(candidate.finish_reason, called, issuer, losses)
    else:
        finish = _REFUSED
    if finish is _REFUSED and not parts:
        parts = (Refusal(refusal_text(candidate, blocked)),)
    usage = wire.usage_metadata
    return Response(
        wire.response_id or "",
        wire.model_version or "",
        parts,
        finish,
        usage=None if usage is None else usage_of(usage),
        extras=extras_of(_answer_fields(wire, candidate), _unknown(wire, candidate)),
        losses=tuple(losses),
    )


def as_asked(part: Part, memory: ReplyMemory) -> Part:
    """A tool call with its client's name."""
    if type(part) is not ToolCall:
        return part
    name = memory.renames.get(part.name)
    return part if name is None else replace(part, name=name)


def read_finish(word: str | None, called: bool, issuer: str, losses: list[Loss]) -> FinishReason:
    """The vendor says STOP also after calls. A reason that is new to us counts as a plain end, recorded."""
    if word in BROKEN_OFF:
        raise GatewayError("upstream.error", provider=issuer, reason=broken_off(word))
    finish = FINISH_OF.get(word or "")
    if finish is None:
        losses.append(Loss("candidates[0].finishReason", LossReason.UNKNOWN_FIELD, Severity.SEMANTIC))
        finish = _STOP
    return FinishReason.TOOL_CALLS if finish is _STOP and called else finish


def broken_off(word: str) -> str:
    return f"the answer failed: {word}"


def refusal_text(
    candidate: CandidateWire | CandidateChunk, blocked: PromptFeedbackWire | PromptFeedbackChunk | None
) -> str:
    """What to tell who gets an answer without content: the vendor's words, else what happened."""
    if candidate.finish_message:
        return candidate.finish_message
    if blocked is not None and blocked.block_reason is not None:
        return blocked.block_reason_message or f"The prompt was blocked: {blocked.block_reason}."
    return f"The answer was withheld: {candidate.finish_reason}."


def candidate_fields(candidate: CandidateWire | CandidateChunk) -> dict[str, bytes]:
    """What a candidate says beside its content."""
    return kept(
        {
            "avgLogprobs": candidate.avg_logprobs,
            "citationMetadata": candidate.citation_metadata,
            "continuationToken": candidate.continuation_token,
            "groundingMetadata": candidate.grounding_metadata,
            "logprobsResult": candidate.logprobs_result,
            "safetyRatings": candidate.safety_ratings,
            "urlContextMetadata": candidate.url_context_metadata,
        }
    )


def _answer_fields(wire: ResponseWire, candidate: CandidateWire) -> dict[str, bytes]:
    fields = candidate_fields(candidate)
    if candidate.finish_message is not None:
        fields["finishMessage"] = msgspec.json.encode(candidate.finish_message)
    return fields | kept({"createTime": wire.create_time, "modelStatus": wire.model_status})


def _unknown(wire: ResponseWire, candidate: CandidateWire) -> dict[str, Raw]:
    """Fields of the answer and of what it holds that are new to us."""
    found = {**(wire.extras or {}), **(candidate.extras or {})}
    if candidate.content is not None:
        found |= candidate.content.extras or {}
    feedback = wire.prompt_feedback
    if feedback is not None:
        more = {"safetyRatings": feedback.safety_ratings, **(feedback.extras or {})}
        found |= {f"promptFeedback.{name}": value for name, value in more.items() if sent(value)}
    return found


# --- usage only -----------------------------------------------------------------------------------------


def read_usage(raw: bytes) -> tuple[Usage | None, str | None]:
    """Also of a stream that came as one JSON array: its last usage counts."""
    try:
        found = _METERS.decode(raw) if raw.lstrip()[:1] == b"[" else [_METER.decode(raw)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None, None
    usage: Usage | None = None
    model: str | None = None
    for each in found:
        if each.usage_metadata is not None:
            usage = usage_of(each.usage_metadata)
        elif not sent(each.candidates) and not sent(each.prompt_feedback):
            continue
        model = each.model_version or model or ""
    return usage, model


# --- errors ---------------------------------------------------------------------------------------------


class ErrorBody(Struct):
    """google.rpc.Status."""

    message: str | None = None
    status: str | None = None
    code: int | str | None = None


class ErrorWire(Struct):
    """Google's error, or what proxies send in its place."""

    error: ErrorBody | str | None = None
    message: str | None = None
    detail: str | None = None


_ERROR: Final = msgspec.json.Decoder(ErrorWire)
_ERRORS: Final = msgspec.json.Decoder(list[ErrorWire])
MESSAGE_LIMIT: Final = 4_000
"""Characters of an upstream's message that are passed on."""


def decode_error(raw: bytes) -> ErrorBody | None:
    """None if it is no error. A stream without `alt=sse` has its error in an array."""
    try:
        if raw.lstrip()[:1] == b"[":
            several = _ERRORS.decode(raw)
            wire = several[0] if several else ErrorWire()
        else:
            wire = _ERROR.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(wire.error, str):
        return ErrorBody(wire.error)
    text = wire.message or wire.detail
    return wire.error or (ErrorBody(text) if text else None)


def read_error(status: int, raw: bytes) -> UpstreamError:
    """Never fails: a page of a proxy or an empty body gives a message that names the status alone."""
    body = decode_error(raw) or ErrorBody()
    return UpstreamError(
        status=status,
        kind=body.status or status_word(status),
        message=(body.message or f"The upstream answered with status {status}.")[:MESSAGE_LIMIT],
    )


def _not_an_answer(raw: bytes, issuer: str, reason: str) -> GatewayError:
    """Some gateways report an error with status 200."""
    error = decode_error(raw)
    if error is None:
        return bad_response(issuer, reason)
    return GatewayError("upstream.error", provider=issuer, reason=read_error(502, raw).message)
