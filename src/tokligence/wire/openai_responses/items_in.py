"""Items of a request or an answer -> parts of the conversation.

Usual items are decoded at once. One that has fields which are new to us, or lacks its `type`, costs a second look at
itself only, and what no other protocol has a word for stays raw as it came.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec
from msgspec import Raw

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
    Refusal,
    Severity,
    Text,
    ToolCall,
    ToolResult,
)
from tokligence.errors import GatewayError
from tokligence.wire.openai.media import as_text, checked_base64, read_url
from tokligence.wire.openai_responses.reasoning import read_reasoning
from tokligence.wire.openai_responses.types import (
    ABSENT,
    CacheBreakpoint,
    Content,
    ContentPart,
    CustomCall,
    CustomCallOutput,
    FunctionCall,
    FunctionCallOutput,
    Head,
    InputAudio,
    InputFile,
    InputImage,
    InputText,
    Item,
    OutputText,
    ReasoningItem,
)
from tokligence.wire.severity import severity_of
from tokligence.wire.strict import OpaqueWire, Reader, Wire

OWN: Final = ProtocolId.OPENAI_RESPONSES

T = TypeVar("T")

_ITEM: Final[msgspec.json.Decoder[Item]] = msgspec.json.Decoder(Item)
_UNUSUAL: Final[Reader[Item]] = Reader(Item)
_HEAD: Final[Reader[Head]] = Reader(Head)
_KINDS: Final = frozenset(
    {
        "message",
        "reasoning",
        "function_call",
        "custom_tool_call",
        "function_call_output",
        "custom_tool_call_output",
        "additional_tools",
    }
)
_EMPTY: Final = (b"null", b"[]")
_DIRECT: Final = b'{"type":"direct"}'


def read_item(raw: Raw, path: str) -> Item | Opaque:
    """Raises `request.*`; paths begin at `path`."""
    try:
        return _ITEM.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _read_unusual(bytes(raw), path)


def _read_unusual(raw: bytes, path: str) -> Item | Opaque:
    head = head_of(raw, path)
    kind = head.type
    if kind is None:
        if head.role is None:
            if head.id is not None:
                raise _reference(path)
            raise GatewayError("request.missing_field", path=f"{path}.type")
        raw = b'{"type":"message",' + raw.lstrip()[1:]  # an "easy" message
    elif kind == "item_reference":
        raise _reference(path)
    elif kind not in _KINDS:
        if not kind:
            raise GatewayError("request.missing_field", path=f"{path}.type")
        return Opaque(OWN, kind, raw)
    return within(path, _UNUSUAL, raw)


def _reference(path: str) -> GatewayError:
    return GatewayError(
        "request.invalid_field", path=path, reason="an item_reference names no item stored here"
    )


def head_of(raw: bytes, path: str) -> Head:
    """What an object claims to be."""
    return within(path, _HEAD, raw)


def within(path: str, reader: Reader[T], raw: bytes) -> T:
    """What `reader` makes of the JSON that stands at `path`."""
    try:
        return reader.read(raw)
    except GatewayError as error:
        named = error.details.get("path")
        if named is None:
            raise
        where = path if named == "(the body)" else f"{path}.{named}"
        raise GatewayError(error.code, path=where, reason=error.details.get("reason")) from None


def extras_of(unknown: Mapping[str, Raw] | None, fields: dict[str, bytes] | None = None) -> Extras | None:
    """Fields that only this protocol has: those that we know, and those that we do not; null says nothing."""
    kept = {} if fields is None else fields
    if unknown:
        kept.update((name, raw) for name, value in unknown.items() if (raw := bytes(value)) != b"null")
    return Extras(OWN, kept) if kept else None


def lose_inner(inner: Wire, path: str, losses: list[Loss]) -> None:
    """Unknown fields of an object that has no node of its own in the conversation."""
    if inner.extras:
        for name, value in inner.extras.items():
            if bytes(value) != b"null":
                losses.append(Loss(f"{path}.{name}", LossReason.UNKNOWN_FIELD, severity_of(name)))


# --- content --------------------------------------------------------------------------------------------


def read_content(content: Content, path: str, losses: list[Loss]) -> tuple[Part, ...]:
    """`path`: of the list. An empty string says nothing and gives no part."""
    if isinstance(content, str):
        return (Text(content),) if content else ()
    return tuple([read_part(part, f"{path}[{index}]", losses) for index, part in enumerate(content)])


def read_part(part: ContentPart, path: str, losses: list[Loss]) -> Part:
    match part:
        case InputText():
            if part.extras is None and part.prompt_cache_breakpoint is None:
                return Text(part.text)
            return Text(part.text, _cache(part.prompt_cache_breakpoint, path, losses), extras_of(part.extras))
        case OutputText():
            fields = _sent(annotations=part.annotations, logprobs=part.logprobs)
            return Text(part.text, extras=extras_of(part.extras, fields))
        case InputImage():
            return _read_image(part, path, losses)
        case InputFile():
            return _read_file(part, path, losses)
        case InputAudio():
            audio = part.input_audio
            lose_inner(audio, f"{path}.input_audio", losses)
            return Audio(audio.data, audio.format, extras=extras_of(part.extras))
        case OpaqueWire():
            if not part.kind:
                raise GatewayError("request.missing_field", path=f"{path}.type")
            return Opaque(OWN, part.kind, part.raw.encode())
        case _:
            return Refusal(part.refusal, extras_of(part.extras))


def read_spoken(content: Content, path: str, losses: list[Loss]) -> tuple[Part, ...]:
    """What an assistant's message says; `path`: of the list. A part that nobody knows is lost here: among items it
    would pass for one."""
    parts = read_content(content, path, losses)
    unknown = [index for index, part in enumerate(parts) if type(part) is Opaque]
    if not unknown:
        return parts
    losses += [Loss(f"{path}[{index}]", LossReason.UNKNOWN_PART) for index in unknown]
    return tuple([part for part in parts if type(part) is not Opaque])


def _sent(**values: Raw) -> dict[str, bytes]:
    """The values that say something."""
    return {
        name: raw
        for name, value in values.items()
        if value is not ABSENT and (raw := bytes(value)) not in _EMPTY
    }


def _cache(mark: CacheBreakpoint | None, path: str, losses: list[Loss]) -> CacheControl | None:
    if mark is None:
        return None
    lose_inner(mark, f"{path}.prompt_cache_breakpoint", losses)
    if mark.ttl is None:
        return CacheControl()
    if mark.ttl != "30m":  # an hour, the longest that others have, covers 30 minutes but not 12 hours
        losses.append(Loss(f"{path}.prompt_cache_breakpoint.ttl", LossReason.CLAMPED, Severity.COSMETIC))
    return CacheControl("1h")


def _read_image(part: InputImage, path: str, losses: list[Loss]) -> Image:
    cache = _cache(part.prompt_cache_breakpoint, path, losses)
    if part.image_url is not None:
        source = read_url(part.image_url, f"{path}.image_url")
    elif part.file_id is not None:
        return Image(FileSource(part.file_id, OWN), part.detail, cache, extras_of(part.extras))
    else:
        raise GatewayError("request.missing_field", path=f"{path}.image_url")
    return Image(source, part.detail, cache, extras_of(part.extras))


def _read_file(part: InputFile, path: str, losses: list[Loss]) -> Document:
    cache = _cache(part.prompt_cache_breakpoint, path, losses)
    fields = {} if part.detail is None else {"detail": msgspec.json.encode(part.detail)}
    extras = extras_of(part.extras, fields)
    if part.file_id is not None:
        return Document(FileSource(part.file_id, OWN), part.filename, cache=cache, extras=extras)
    if part.file_data is not None:
        where = f"{path}.file_data"
        if part.file_data[:5].lower() == "data:":
            source = read_url(part.file_data, where)
        else:
            source = Base64Source("application/pdf", checked_base64(part.file_data, where))
        text = as_text(source) if isinstance(source, Base64Source) else None
        return Document(text or source, part.filename, cache=cache, extras=extras)
    if part.file_url is not None:
        return Document(
            read_url(part.file_url, f"{path}.file_url"), part.filename, cache=cache, extras=extras
        )
    raise GatewayError("request.missing_field", path=f"{path}.file_data")


# --- calls and results ----------------------------------------------------------------------------------


def read_call(item: FunctionCall | CustomCall) -> ToolCall:
    """An item's own `id` and `status` name it within the vendor's store and are not kept."""
    freeform = isinstance(item, CustomCall)
    extras = None
    if item.extras or item.caller is not ABSENT or item.async_ is not ABSENT:
        extras = extras_of(item.extras, _called(item))
    return ToolCall(  # by position: names would take five times as long
        item.call_id or item.id or "",
        item.name,
        item.input if isinstance(item, CustomCall) else item.arguments,
        None,
        extras,
        freeform,
        item.namespace,
    )


def _called(item: FunctionCall | CustomCall | FunctionCallOutput | CustomCallOutput) -> dict[str, bytes]:
    """Who called and how, unless it is the model itself, which is what a call is."""
    fields: dict[str, bytes] = {}
    if item.caller is not ABSENT and bytes(item.caller).replace(b" ", b"") not in (_DIRECT, b"null"):
        fields["caller"] = bytes(item.caller)
    if isinstance(item, FunctionCall | CustomCall) and bytes(item.async_) not in (b"", b"false", b"null"):
        fields["async"] = bytes(item.async_)
    return fields


def read_result(item: FunctionCallOutput | CustomCallOutput, path: str, losses: list[Loss]) -> ToolResult:
    """`name` and `namespace` repeat what the call says."""
    where = f"{path}.output"
    extras = None
    if item.extras or item.caller is not ABSENT:
        extras = extras_of(item.extras, _called(item))
    return ToolResult(
        item.call_id or "", read_content(item.output, where, losses), False, None, extras, where
    )


def read_thought(item: ReasoningItem, issuer: str | None, path: str, losses: list[Loss]) -> Part | None:
    """None: the item says nothing."""
    if item.summary and item.content:
        losses.append(Loss(f"{path}.content", LossReason.CONVERTED, Severity.COSMETIC))
    for name, parts in (("summary", item.summary), ("content", item.content)):
        for index, each in enumerate(parts or ()):
            if each.extras:
                lose_inner(each, f"{path}.{name}[{index}]", losses)
    if item.extras:
        lose_inner(item, path, losses)
    part = read_reasoning(item, issuer, path)
    if part is None:
        losses.append(Loss(path, LossReason.DROPPED_EMPTY, Severity.COSMETIC))
    return part
