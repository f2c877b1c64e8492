"""Content blocks as read -> parts of the conversation. The same for requests and answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, assert_never

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
from tokligence.errors import GatewayError
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
_LISTS: Final = ("system", "content")  # they are lists themselves
_NO_CITATIONS: Final = (ABSENT, NULL, Raw(b"[]"))


class Scope(Struct):
    """Where a block stands: `path`, and `index` in the list there. `issuer`: whose signatures these are; None: the
    client's, who may name another."""

    path: str
    losses: list[Loss]
    issuer: str | None = None
    index: int | None = None

    @property
    def here(self) -> str:
        if self.index is None:
            return self.path
        return f"{self.path}[{self.index}]" if self.path in _LISTS else f"{self.path}.content[{self.index}]"

    def lose_unknown(self, names: Iterable[str], within: str) -> None:
        """Fields of an object that has no node of its own in the conversation."""
        for name in names:
            path = f"{self.here}.{within}.{name}"
            self.losses.append(Loss(path, LossReason.UNKNOWN_FIELD, Severity.COSMETIC))


def read_blocks(content: str | Sequence[BlockWire], scope: Scope) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (Text(content),)
    parts: list[Part] = []
    for index, block in enumerate(content):
        if (
            type(block) is TextWire
            and block.citations is ABSENT
            and block.cache_control is None
            and block.extras is None
        ):
            parts.append(Text(block.text))  # and nothing else: most blocks are
        else:
            scope.index = index
            parts.append(read_block(block, scope))
    return tuple(parts)


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
            source = _media(block.source, scope)
            return Image(source, cache=_cache(block.cache_control, scope), extras=extras)
        case DocumentWire():
            return _read_document(block, scope)
        case OpaqueWire():
            if not block.kind:
                raise GatewayError("request.missing_field", path=f"{scope.here}.type")
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
        _read_within(block.content, scope, scope.here) if block.content else (),
        bool(block.is_error),
        _cache(block.cache_control, scope),
        extras_of(fields, block.extras),
    )


def _read_within(content: str | Sequence[BlockWire], scope: Scope, path: str) -> tuple[Part, ...]:
    return (
        (Text(content),)
        if isinstance(content, str)
        else read_blocks(content, Scope(path, scope.losses, scope.issuer))
    )


def _read_document(block: DocumentWire, scope: Scope) -> Document:
    source: MediaSource | TextSource | ContentSource
    if isinstance(block.source, TextSourceWire):
        scope.lose_unknown(block.source.extras or (), "source")
        source = TextSource(block.source.data, block.source.media_type)
    elif isinstance(block.source, ContentSourceWire):
        scope.lose_unknown(block.source.extras or (), "source")
        source = ContentSource(_read_within(block.source.content, scope, f"{scope.here}.source"))
    else:
        source = _media(block.source, scope)
    if block.citations is not None:
        scope.lose_unknown(block.citations.extras or (), "citations")
    return Document(
        source,
        block.title,
        block.context,
        block.citations.enabled if block.citations else None,
        _cache(block.cache_control, scope),
        extras_of({}, block.extras),
    )


def _media(source: Base64SourceWire | UrlSourceWire | FileSourceWire, scope: Scope) -> MediaSource:
    if source.extras:
        scope.lose_unknown(source.extras, "source")
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
    scope.lose_unknown((*(wire.extras or ()), *(() if wire.scope is None else ("scope",))), "cache_control")
    return CacheControl(wire.ttl)
