"""Content blocks as read -> parts of the conversation. The same for requests and answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeGuard, assert_never

import msgspec
from msgspec import Raw, Struct

from tokligence.conversation import (
    Base64Source,
    CacheControl,
    ContentSource,
    Document,
    FileSource,
    Image,
    Loss,
    LossReason,
    MediaSource,
    Opaque,
    Part,
    ProtocolId,
    RedactedThinking,
    Severity,
    Text,
    TextSource,
    Thinking,
    ToolCall,
    ToolResult,
    UrlSource,
)
from tokligence.wire.anthropic.signatures import unpack
from tokligence.wire.anthropic.types import (
    ABSENT,
    NULL,
    Base64SourceWire,
    BlockWire,
    CacheControlWire,
    ContentSourceWire,
    DocumentWire,
    FileSourceWire,
    ImageWire,
    RedactedThinkingWire,
    TextSourceWire,
    TextWire,
    ThinkingWire,
    ToolResultWire,
    ToolUseWire,
    UrlSourceWire,
)
from tokligence.wire.anthropic.usage import extras_of, sent
from tokligence.wire.strict import OpaqueWire

_DIRECT: Final = b'{"type":"direct"}'
_NO_CITATIONS: Final = (ABSENT, NULL, Raw(b"[]"))


class Scope(Struct):
    """Where a block stands. `issuer`: whose signatures these are; None: the client's, who may name another."""

    path: str
    losses: list[Loss]
    issuer: str | None = None


def read_blocks(content: str | Sequence[BlockWire], scope: Scope) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (Text(content),)
    return tuple([Text(block.text) if _is_plain(block) else read_block(block, scope) for block in content])


def _is_plain(block: BlockWire) -> TypeGuard[TextWire]:
    """Text and nothing else: most blocks are."""
    return (
        type(block) is TextWire
        and block.citations is ABSENT
        and block.cache_control is None
        and block.extras is None
    )


def read_block(block: BlockWire, scope: Scope) -> Part:
    match block:
        case TextWire():
            fields = {} if block.citations in _NO_CITATIONS else {"citations": bytes(block.citations)}
            return Text(block.text, _cache(block.cache_control, scope), extras_of(fields, block.extras))
        case ToolUseWire():
            return _read_tool_use(block, scope)
        case ToolResultWire():
            return _read_tool_result(block, scope)
        case ThinkingWire():
            signature, issuer = unpack(block.signature, scope.issuer)
            return Thinking(block.thinking, signature, issuer, extras_of({}, block.extras))
        case RedactedThinkingWire():
            data, issuer = unpack(block.data, scope.issuer)
            return RedactedThinking(data or "", issuer, extras_of({}, block.extras))
        case ImageWire():
            fields = {"transformations": bytes(block.transformations)} if sent(block.transformations) else {}
            extras = extras_of(fields, block.extras)
            return Image(_media(block.source), cache=_cache(block.cache_control, scope), extras=extras)
        case DocumentWire():
            return _read_document(block, scope)
        case OpaqueWire():
            return Opaque(ProtocolId.ANTHROPIC, block.kind, block.raw.encode())
        case _:
            assert_never(block)


def _read_tool_use(block: ToolUseWire, scope: Scope) -> ToolCall:
    fields: dict[str, bytes] = {}
    # Every answer of the vendor says that the model itself called; that is what a tool call is.
    if sent(block.caller) and bytes(block.caller).replace(b" ", b"") != _DIRECT:
        fields["caller"] = bytes(block.caller)
    if block.toolset_name is not None:
        fields["toolset_name"] = msgspec.json.encode(block.toolset_name)
    return ToolCall(
        block.id,
        block.name,
        bytes(block.input).decode(),
        _cache(block.cache_control, scope),
        extras_of(fields, block.extras),
    )


def _read_tool_result(block: ToolResultWire, scope: Scope) -> ToolResult:
    fields = {} if block.toolset_name is None else {"toolset_name": msgspec.json.encode(block.toolset_name)}
    return ToolResult(
        block.tool_use_id,
        read_blocks(block.content or (), scope),
        bool(block.is_error),
        _cache(block.cache_control, scope),
        extras_of(fields, block.extras),
    )


def _read_document(block: DocumentWire, scope: Scope) -> Document:
    source: MediaSource | TextSource | ContentSource
    if isinstance(block.source, TextSourceWire):
        source = TextSource(block.source.data, block.source.media_type)
    elif isinstance(block.source, ContentSourceWire):
        source = ContentSource(read_blocks(block.source.content, scope))
    else:
        source = _media(block.source)
    return Document(
        source,
        block.title,
        block.context,
        block.citations.enabled if block.citations else None,
        _cache(block.cache_control, scope),
        extras_of({}, block.extras),
    )


def _media(source: Base64SourceWire | UrlSourceWire | FileSourceWire) -> MediaSource:
    match source:
        case Base64SourceWire():
            return Base64Source(source.media_type, source.data)
        case UrlSourceWire():
            return UrlSource(source.url)
        case FileSourceWire():
            return FileSource(source.file_id, ProtocolId.ANTHROPIC)
        case _:
            assert_never(source)


def _cache(wire: CacheControlWire | None, scope: Scope) -> CacheControl | None:
    if wire is None:
        return None
    names = [*(wire.extras or ()), *(() if wire.scope is None else ("scope",))]
    for name in names:
        scope.losses.append(
            Loss(f"{scope.path}.cache_control.{name}", LossReason.UNKNOWN_FIELD, Severity.COSMETIC)
        )
    return CacheControl(wire.ttl)
