"""The conversation -> a whole Gemini answer, an error."""

from __future__ import annotations

from typing import Final, assert_never, cast

import msgspec
from msgspec import Raw

from tokligence.conversation import (
    Audio,
    Base64Source,
    Document,
    Extras,
    FinishReason,
    Image,
    Loss,
    LossReason,
    Opaque,
    Part,
    RedactedThinking,
    Refusal,
    Response,
    Severity,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from tokligence.wire.contract import ErrorView, Reply, ReplyContext
from tokligence.wire.gemini.extras import OWN
from tokligence.wire.gemini.parts_out import Json, Piece, call_arguments
from tokligence.wire.gemini.signatures import GOOGLE, pack, pack_redacted
from tokligence.wire.gemini.tables import FINISH_REASON, SILENT_TIERS, status_word
from tokligence.wire.gemini.usage import usage_losses, write_usage
from tokligence.wire.severity import foreign_losses

_encode: Final = msgspec.json.Encoder().encode
_OF_ANSWER: Final = frozenset(("createTime", "modelStatus"))
"""Extras that stand beside the candidates, not within one."""

MADE_CALL: Final = "call_"


def write_response(response: Response, context: ReplyContext) -> Reply:
    losses: list[Loss] = []
    pieces: list[Piece] = []
    for index, part in enumerate(response.parts):
        piece = write_part(part, f"content[{index}]", losses, context)
        if piece is not None:
            pieces.append(piece)
    losses += finish_losses(response.finish, response.stop_sequence)
    losses += tier_losses(response.service_tier)
    losses += usage_losses(response.usage)
    candidate: Json = {
        "content": {"parts": pieces or [{"text": ""}], "role": "model"},
        "finishReason": FINISH_REASON[response.finish],
        "index": 0,
    }
    body: Json = {"candidates": [candidate]}
    if response.usage is not None:
        body["usageMetadata"] = write_usage(response.usage)
    body["modelVersion"] = response.model
    body["responseId"] = context.new_id("")
    put_extras(response.extras, candidate, body, losses)
    return Reply(_encode(body), tuple(losses))


def finish_losses(finish: FinishReason, stop_sequence: str | None) -> list[Loss]:
    """What a finish reason means that Gemini has no word for."""
    losses: list[Loss] = []
    if finish is FinishReason.PAUSE:
        losses.append(Loss("stop_reason", LossReason.CONVERTED))
    if stop_sequence is not None:
        losses.append(Loss("stop_sequence", LossReason.UNSUPPORTED, Severity.COSMETIC))
    return losses


def tier_losses(service_tier: str | None) -> list[Loss]:
    if service_tier is None or service_tier in SILENT_TIERS:
        return []
    return [Loss("service_tier", LossReason.UNSUPPORTED, Severity.COSMETIC)]


def put_extras(extras: Extras | None, candidate: Json, body: Json, losses: list[Loss]) -> None:
    losses += foreign_losses(extras, OWN)
    if extras is not None and extras.origin is OWN:
        for name, raw in extras.fields.items():
            outer, dot, inner = name.partition(".")
            if dot:
                cast("Json", body.setdefault(outer, {}))[inner] = Raw(raw)
            else:
                (body if name in _OF_ANSWER else candidate)[name] = Raw(raw)


def write_part(part: Part, path: str, losses: list[Loss], context: ReplyContext) -> Piece | None:
    """A part of an answer; None and a loss for what an answer cannot hold."""
    piece: Json
    match part:
        case Text() | Refusal():
            piece = {"text": part.text}
        case Thinking():
            piece = write_thinking(part)
        case RedactedThinking():
            signature = pack_redacted(part.data, part.issuer)
            piece = {"text": "", "thought": True, "thoughtSignature": signature}
        case ToolCall():
            piece = write_call(part, path, losses, context)
        case Image(source=Base64Source(media_type=kind, data=data)):
            piece = {"inlineData": {"mimeType": kind, "data": data}}
        case Opaque():
            if part.origin is OWN:
                return Raw(part.raw)
            losses.append(Loss(path, LossReason.UNKNOWN_PART))
            return None
        case Image() | Document() | Audio() | ToolResult():
            losses.append(Loss(path, LossReason.UNSUPPORTED))
            return None
        case _:
            assert_never(part)
    if part.extras is not None:
        losses += foreign_losses(part.extras, OWN, path)
        if part.extras.origin is OWN:
            piece.update((name, Raw(raw)) for name, raw in part.extras.fields.items())
    return piece


def write_thinking(part: Thinking) -> Json:
    """A proof without text is the vendor's own way to sign what it said; another's is a thought, which says so."""
    signature = pack(part.signature or "", part.issuer)
    if signature and not part.text and part.issuer in (None, GOOGLE):
        return {"text": "", "thoughtSignature": signature}
    piece: Json = {"text": part.text, "thought": True}
    return piece | {"thoughtSignature": signature} if signature else piece


def write_call(part: ToolCall, path: str, losses: list[Loss], context: ReplyContext) -> Json:
    args, valid = call_arguments(part.arguments, freeform=part.freeform)
    if not valid:
        losses.append(Loss(path, LossReason.REPAIRED, Severity.COSMETIC))
    call: Json = {"id": part.id or context.new_id(MADE_CALL), "name": part.name, "args": args}
    piece: Json = {"functionCall": call}
    if part.signature is not None:
        piece["thoughtSignature"] = pack(part.signature, part.issuer)
    return piece


# --- errors ---------------------------------------------------------------------------------------------


def write_error(error: ErrorView) -> bytes:
    """google.rpc.Status in JSON (ai.google.dev/gemini-api/docs/troubleshooting, read 2026-11-24)."""
    status = status_word(error.status)
    return _encode({"error": {"code": error.status, "message": error.message, "status": status}})


def write_stream_error(error: ErrorView) -> bytes:
    """The SDKs raise on a chunk that begins so."""
    return b"data: " + write_error(error) + b"\r\n\r\n"
