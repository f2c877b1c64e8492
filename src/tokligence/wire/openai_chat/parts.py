"""Content parts, tool calls and reasoning of Chat messages -> parts of the conversation.

Used by requests and whole answers alike. Fields that we do not know become `Extras` of the part, or of the part
around it a loss where the conversation has no node for them (inside `image_url` and the like).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from tokligence.conversation import (
    Audio,
    Base64Source,
    CacheControl,
    Document,
    Extras,
    FileSource,
    Image,
    Loss,
    LossReason,
    Opaque,
    Part,
    ProtocolId,
    RedactedThinking,
    Refusal,
    Severity,
    Text,
    Thinking,
    ToolCall,
)
from tokligence.errors import GatewayError
from tokligence.wire.openai.media import as_text, checked_base64, read_url
from tokligence.wire.openai_chat.chunks import DetailDelta
from tokligence.wire.openai_chat.types import (
    AudioPart,
    CacheControlWire,
    Call,
    Content,
    ContentPart,
    CustomCall,
    FilePart,
    FunctionCall,
    ImagePart,
    MarkablePart,
    ReasoningDetail,
    ReasoningEncrypted,
    ReasoningSummary,
    ReasoningText,
    TextPart,
)
from tokligence.wire.severity import severity_of
from tokligence.wire.strict import OpaqueWire, Wire

OWN: Final = ProtocolId.OPENAI_CHAT


def read_extras(fields: Mapping[str, Raw] | None) -> Extras | None:
    """Unknown fields; one that is null says nothing."""
    if not fields:
        return None
    kept = {name: raw for name, value in fields.items() if (raw := bytes(value)) != b"null"}
    return Extras(OWN, kept) if kept else None


def lose_inner(inner: Wire, path: str, losses: list[Loss]) -> None:
    """Unknown fields of an object that has no node of its own in the conversation."""
    extras = read_extras(inner.extras)
    if extras is not None:
        losses.extend(Loss(f"{path}.{n}", LossReason.UNKNOWN_FIELD, severity_of(n)) for n in extras.fields)


def read_content(content: Content, path: str, losses: list[Loss]) -> tuple[Part, ...]:
    """An empty string says nothing and gives no part."""
    if not content:
        return ()
    if isinstance(content, str):
        return (Text(content),)
    return tuple([_read_part(part, f"{path}.content[{index}]", losses) for index, part in enumerate(content)])


def _read_part(part: ContentPart, path: str, losses: list[Loss]) -> Part:
    match part:
        case TextPart():
            if part.extras is None and part.cache_control is None and part.prompt_cache_breakpoint is None:
                return Text(part.text)
            return Text(part.text, _read_cache(part, path, losses), read_extras(part.extras))
        case ImagePart():
            image = part.image_url
            lose_inner(image, f"{path}.image_url", losses)
            cache = _read_cache(part, path, losses)
            source = read_url(image.url, f"{path}.image_url.url")
            return Image(source, image.detail, cache, read_extras(part.extras))
        case AudioPart():
            audio = part.input_audio
            lose_inner(audio, f"{path}.input_audio", losses)
            cache = _read_cache(part, path, losses)
            return Audio(audio.data, audio.format, cache, read_extras(part.extras))
        case FilePart():
            return _read_file(part, path, losses)
        case OpaqueWire():
            return read_opaque(part, path)
        case _:
            return Refusal(part.refusal, read_extras(part.extras))


def read_opaque(part: OpaqueWire, path: str) -> Opaque:
    if not part.kind:
        raise GatewayError("request.missing_field", path=f"{path}.type")
    return Opaque(OWN, part.kind, part.raw.encode())


def read_mark(mark: CacheControlWire | None, path: str, losses: list[Loss]) -> CacheControl | None:
    """OpenRouter's mark, on whatever stands at `path`."""
    if mark is None:
        return None
    lose_inner(mark, f"{path}.cache_control", losses)
    return CacheControl(mark.ttl)


def _read_cache(part: MarkablePart, path: str, losses: list[Loss]) -> CacheControl | None:
    if part.cache_control is not None:
        return read_mark(part.cache_control, path, losses)
    mark = part.prompt_cache_breakpoint
    if mark is None:
        return None
    lose_inner(mark, f"{path}.prompt_cache_breakpoint", losses)
    if mark.ttl is None:
        return CacheControl()
    if mark.ttl != "30m":  # an hour, the longest that others have, covers 30 minutes but not 12 hours
        losses.append(Loss(f"{path}.prompt_cache_breakpoint.ttl", LossReason.CLAMPED, Severity.COSMETIC))
    return CacheControl("1h")


def _read_file(part: FilePart, path: str, losses: list[Loss]) -> Document:
    file = part.file
    lose_inner(file, f"{path}.file", losses)
    cache = _read_cache(part, path, losses)
    extras = read_extras(part.extras)
    if file.file_id is not None:
        return Document(FileSource(file.file_id, OWN), file.filename, cache=cache, extras=extras)
    if file.file_data is None:
        raise GatewayError("request.missing_field", path=f"{path}.file.file_data")
    where = f"{path}.file.file_data"
    if file.file_data[:5].lower() == "data:":
        source = read_url(file.file_data, where)
    else:
        source = Base64Source("application/pdf", checked_base64(file.file_data, where))
    text = as_text(source) if isinstance(source, Base64Source) else None
    return Document(text or source, file.filename, cache=cache, extras=extras)


# --- tool calls -----------------------------------------------------------------------------------------


def read_call(call: Call, path: str, losses: list[Loss]) -> ToolCall | Opaque:
    """A custom call's free text becomes the argument `input`; its extras say what it was."""
    match call:
        case FunctionCall():
            lose_inner(call.function, f"{path}.function", losses)
            return ToolCall(
                call.id or "", call.function.name, call.function.arguments, extras=read_extras(call.extras)
            )
        case CustomCall():
            lose_inner(call.custom, f"{path}.custom", losses)
            arguments = json.dumps({"input": call.custom.input}, ensure_ascii=False)
            extras = read_extras(call.extras)
            kept = {"type": b'"custom"', **(extras.fields if extras is not None else {})}
            return ToolCall(call.id or "", call.custom.name, arguments, extras=Extras(OWN, kept))
        case _:
            return read_opaque(call, path)


def made_id(answer_id: str, number: int) -> str:
    """An id for the call `number` of an answer whose vendor gives none: the same each time it is asked for, and
    another in every answer, since the client sends all of them back."""
    return f"call_{sha256(f'{answer_id} {number}'.encode()).hexdigest()[:24]}"


# --- reasoning ------------------------------------------------------------------------------------------


def read_reasoning(
    details: Sequence[ReasoningDetail] | None, plain: str | None, issuer: str | None, path: str
) -> list[Part]:
    """`reasoning_details`, or `plain` (`reasoning_content`, `reasoning`) where the details have no text.

    `issuer`: whose signatures these are, if the details do not say."""
    parts = [
        _read_detail(detail, issuer, f"{path}.reasoning_details[{index}]")
        for index, detail in enumerate(details or ())
    ]
    if plain and not any(isinstance(part, Thinking) and part.text for part in parts):
        parts.insert(0, Thinking(plain, issuer=issuer))
    return parts


def _read_detail(detail: ReasoningDetail, issuer: str | None, path: str) -> Part:
    match detail:
        case ReasoningText():
            whose = detail.issuer or issuer
            return Thinking(detail.text or "", detail.signature, whose, detail_extras(detail, detail.extras))
        case ReasoningSummary():
            return Thinking(detail.summary, issuer=issuer, extras=detail_extras(detail, detail.extras))
        case ReasoningEncrypted():
            whose = detail.issuer or issuer
            return RedactedThinking(detail.data, whose, detail_extras(detail, detail.extras))
        case _:
            return read_opaque(detail, path)


def detail_extras(
    detail: ReasoningText | ReasoningSummary | ReasoningEncrypted | DetailDelta,
    unknown: Mapping[str, Raw] | None = None,
) -> Extras | None:
    """What the conversation has no field for, so that the detail goes back as it came."""
    kept: dict[str, bytes] = {}
    if isinstance(detail, ReasoningSummary) or getattr(detail, "type", "") == "reasoning.summary":
        kept["type"] = b'"reasoning.summary"'
    for name, value in (("id", detail.id), ("format", detail.format)):
        if value is not None:
            kept[name] = msgspec.json.encode(value)
    extras = read_extras(unknown)
    if extras is not None:
        kept.update(extras.fields)
    return Extras(OWN, kept) if kept else None


def mark_last(parts: tuple[Part, ...], cache: CacheControl | None) -> tuple[Part, ...]:
    """A cache mark on a message stands after its last part."""
    if cache is None or not parts:
        return parts
    last = parts[-1]
    if isinstance(last, Thinking | RedactedThinking | Refusal | Opaque) or last.cache is not None:
        return parts
    return (*parts[:-1], replace(last, cache=cache))
