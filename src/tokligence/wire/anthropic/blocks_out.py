"""Parts of the conversation -> content blocks of a request.

One `Blocks` writes all blocks of one request, in the order in which the vendor sees them (tools, system, messages),
because cache breakpoints are counted over all of them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Final, TypeAlias, assert_never

import msgspec
from msgspec import Raw, Struct

from tokligence.catalog.models import ModelCard
from tokligence.conversation import (
    Audio,
    Base64Source,
    CacheControl,
    ContentSource,
    Document,
    Extras,
    FileSource,
    Image,
    Loss,
    LossReason,
    MediaSource,
    Opaque,
    Part,
    ProtocolId,
    RedactedThinking,
    Refusal,
    Role,
    Severity,
    Text,
    TextSource,
    Thinking,
    ToolCall,
    ToolResult,
    UrlSource,
)
from tokligence.wire.anthropic.tables import IMAGE_TYPES
from tokligence.wire.names import ANTHROPIC_ID, ANTHROPIC_NAME, ToolNames, in_form
from tokligence.wire.severity import foreign_losses

Block: TypeAlias = dict[str, object] | Raw

BREAKPOINTS: Final = 4
"""Cache breakpoints that a request may have (platform.claude.com prompt caching, read 2026-11-24)."""

INVALID_ARGUMENTS: Final = "invalid_json"
"""Key below which arguments stand that are no JSON object, as the vendor demands one."""

_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_ANTHROPIC: Final = ProtocolId.ANTHROPIC
_USER: Final = Role.USER
_ASSISTANT: Final = Role.ASSISTANT
_EMPTY: Final = Raw(b"{}")
_TTLS: Final = ("5m", "1h")


def tool_input(arguments: str) -> tuple[Raw, bool]:
    """A call's `input` and whether the arguments were valid; the empty text stands for no arguments."""
    if not arguments.strip():
        return _EMPTY, True
    raw = arguments.encode("utf-8", "replace")
    try:
        _OBJECT.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return Raw(msgspec.json.encode({INVALID_ARGUMENTS: raw.decode()})), False
    return Raw(raw), True


def without_blanks(blocks: list[Block]) -> tuple[list[Block], bool]:
    """The blocks that the vendor takes, and whether white space was dropped. It refuses text that is empty or has
    nothing else (github.com/anthropics/claude-code #23369); nothing is lost with an empty one."""
    kept: list[Block] = []
    dropped = False
    for block in blocks:
        text = block["text"] if isinstance(block, dict) and block["type"] == "text" else None
        if not isinstance(text, str) or text.strip():
            kept.append(block)
        else:
            dropped = dropped or text != ""
    return kept, dropped


class Blocks(Struct):
    """`losses`: what could not be said, appended to. `cached`: the breakpoints wanted so far."""

    card: ModelCard
    issuer: str
    losses: list[Loss] = []
    cached: list[tuple[dict[str, object], CacheControl, str]] = []
    tool_names: ToolNames | None = None

    @property
    def names(self) -> ToolNames:
        """Of the tools."""
        if self.tool_names is None:  # most requests have none
            self.tool_names = ToolNames(ANTHROPIC_NAME.max_len, ANTHROPIC_NAME.charset)
        return self.tool_names

    @property
    def renames(self) -> dict[str, str]:
        return {} if self.tool_names is None else self.tool_names.renames

    def lose(self, path: str, reason: LossReason, severity: Severity) -> None:
        self.losses.append(Loss(path, reason, severity))

    # --- cache ------------------------------------------------------------------------------------------

    def mark(
        self, block: dict[str, object], cache: CacheControl | None, extras: Extras | None, path: str
    ) -> None:
        """What every element may have: a breakpoint, decided in `place_breakpoints`, and fields of its own."""
        if cache is not None:
            self.cached.append((block, cache, path))
        if extras is not None:
            self.add_extras(block, extras, path)

    def add_extras(self, target: dict[str, object], extras: Extras | None, path: str) -> None:
        if extras is None:
            return
        if extras.origin is _ANTHROPIC:
            for name, value in extras.fields.items():
                target.setdefault(name, Raw(value))
        else:
            self.losses += foreign_losses(extras, _ANTHROPIC, path)

    def place_breakpoints(self) -> None:
        """The last four, since a later one covers all before it; a longer-lived one may not follow a shorter."""
        extra = max(len(self.cached) - BREAKPOINTS, 0)
        for _, _, path in self.cached[:extra]:
            self.lose(f"{path}.cache_control", LossReason.CLAMPED, Severity.COSMETIC)
        short = False
        for block, cache, path in self.cached[extra:]:
            control = {"type": "ephemeral"}
            if cache.ttl in _TTLS and not (short and cache.ttl == "1h"):
                control["ttl"] = cache.ttl
            elif cache.ttl is not None:
                self.lose(f"{path}.cache_control.ttl", LossReason.CLAMPED, Severity.COSMETIC)
            short = short or control.get("ttl") != "1h"
            block["cache_control"] = control

    # --- parts ------------------------------------------------------------------------------------------

    def write(self, parts: Sequence[Part], role: Role, path: str) -> list[Block]:
        """The blocks of a turn, without those that the vendor refuses as blank."""
        if len(parts) == 1 and type(only := parts[0]) is Text and only.cache is None and only.extras is None:
            text = only.text
            if text and not text.isspace():  # the usual turn
                return [{"type": "text", "text": text}]
        blocks: list[Block] = []
        blank = False  # whether a block may be blank
        moved = 0  # results that stood elsewhere
        for index, part in enumerate(parts):
            if type(part) is Text and part.cache is None and part.extras is None:
                block: Block | None = {"type": "text", "text": part.text}
                blank = blank or not part.text or part.text.isspace()
            else:
                if type(part) is ToolResult and part.path is not None:
                    moved += 1
                    where = part.path
                else:
                    where = f"{path}.content[{index - moved}]"
                block = self._write_part(part, role, where)
                blank = blank or (type(part) is Text or type(part) is Refusal)
            if block is not None:
                blocks.append(block)
        if not blank:
            return blocks
        kept, dropped = without_blanks(blocks)
        if dropped:
            self.lose(path, LossReason.DROPPED_EMPTY, Severity.COSMETIC)
        return kept

    def _write_part(self, part: Part, role: Role, path: str) -> Block | None:
        match part:
            case Text():
                block: dict[str, object] = {"type": "text", "text": part.text}
                self.mark(block, part.cache if part.text.strip() else None, part.extras, path)
                return block
            case ToolCall():
                return self._tool_call(part, role, path)
            case ToolResult():
                return self._tool_result(part, path)
            case Thinking() | RedactedThinking():
                return self._thinking(part, role, path)
            case Image():
                return self._image(part, role, path)
            case Document():
                return self._document(part, role, path)
            case Audio():
                return self._placeholder("audio", path, LossReason.UNSUPPORTED)
            case Refusal():
                self.lose(path, LossReason.CONVERTED, Severity.COSMETIC)
                return {"type": "text", "text": part.text}
            case Opaque():
                if part.origin is _ANTHROPIC:
                    return Raw(part.raw)
                self.lose(path, LossReason.UNKNOWN_PART, Severity.SEMANTIC)
                return None
            case _:
                assert_never(part)

    def _placeholder(self, kind: str, path: str, reason: LossReason) -> Block:
        """So that the model knows that something was there."""
        self.lose(path, reason, Severity.SEMANTIC)
        return {"type": "text", "text": f"[{kind} omitted]"}

    def _tool_call(self, part: ToolCall, role: Role, path: str) -> Block | None:
        if role is not _ASSISTANT:
            self.lose(path, LossReason.UNSUPPORTED, Severity.SEMANTIC)
            return None
        content, valid = tool_input(part.arguments)
        if not valid:
            self.lose(path, LossReason.REPAIRED, Severity.COSMETIC)
        if part.signature is not None:
            self.lose(f"{path}.signature", LossReason.FOREIGN_SIGNATURE, Severity.COSMETIC)
        block: dict[str, object] = {
            "type": "tool_use",
            "id": in_form(part.id, ANTHROPIC_ID),
            "name": self.names.to_target(part.name),
            "input": content,
        }
        self.mark(block, part.cache, part.extras, path)
        return block

    def _tool_result(self, part: ToolResult, path: str) -> Block:
        block: dict[str, object] = {"type": "tool_result", "tool_use_id": in_form(part.call_id, ANTHROPIC_ID)}
        marked = len(self.cached)
        content = self.write(part.parts, _USER, path)
        if part.cache is not None and len(self.cached) > marked:
            # The result's own breakpoint, behind its content, covers those within; so no order has to be right.
            del self.cached[marked:]
            self.lose(f"{path}.cache_control", LossReason.CLAMPED, Severity.COSMETIC)
        if content:
            block["content"] = content
        if part.is_error:
            block["is_error"] = True
        self.mark(block, part.cache, part.extras, path)
        return block

    def _thinking(self, part: Thinking | RedactedThinking, role: Role, path: str) -> Block | None:
        proof = part.signature if isinstance(part, Thinking) else part.data
        if not proof or part.issuer != self.issuer or role is not _ASSISTANT:
            self.lose(path, LossReason.FOREIGN_SIGNATURE, Severity.COSMETIC)
            return None
        block: dict[str, object]
        if isinstance(part, Thinking):
            block = {"type": "thinking", "thinking": part.text, "signature": proof}
        else:
            block = {"type": "redacted_thinking", "data": proof}
        self.add_extras(block, part.extras, path)
        return block

    # --- media ------------------------------------------------------------------------------------------

    def _image(self, part: Image, role: Role, path: str) -> Block:
        source = self._media(part.source)
        if source is None or role is not _USER:
            return self._placeholder("image", path, LossReason.UNSUPPORTED)
        if not self.card.images:
            return self._placeholder("image", path, LossReason.MODEL_CAPABILITY)
        if isinstance(part.source, Base64Source) and part.source.media_type not in IMAGE_TYPES:
            return self._placeholder("image", path, LossReason.UNSUPPORTED)
        if part.detail not in (None, "auto"):
            self.lose(f"{path}.detail", LossReason.UNSUPPORTED, Severity.COSMETIC)
        block: dict[str, object] = {"type": "image", "source": source}
        self.mark(block, part.cache, part.extras, path)
        return block

    def _document(self, part: Document, role: Role, path: str) -> Block:
        source = self._document_source(part, path)
        if source is None or role is not _USER:
            return self._placeholder("document", path, LossReason.UNSUPPORTED)
        block: dict[str, object] = {"type": "document", "source": source}
        if part.title is not None:
            block["title"] = part.title
        if part.context is not None:
            block["context"] = part.context
        if part.citations is not None:
            block["citations"] = {"enabled": part.citations}
        self.mark(block, part.cache, part.extras, path)
        return block

    def _document_source(self, part: Document, path: str) -> dict[str, object] | None:
        match part.source:
            case TextSource():
                return {"type": "text", "media_type": "text/plain", "data": part.source.text}
            case ContentSource():
                return {
                    "type": "content",
                    "content": self.write(part.source.parts, _USER, f"{path}.source"),
                }
            case Base64Source() if part.source.media_type.startswith("text/"):
                text = _decoded(part.source.data)
                return None if text is None else {"type": "text", "media_type": "text/plain", "data": text}
            case Base64Source() if part.source.media_type != "application/pdf":
                return None
            case Base64Source() | UrlSource() | FileSource():
                return self._media(part.source)
            case _:
                assert_never(part.source)

    def _media(self, source: MediaSource) -> dict[str, object] | None:
        match source:
            case UrlSource():
                # "Only HTTPS URLs are supported."
                return {"type": "url", "url": source.url} if source.url.startswith("https://") else None
            case Base64Source():
                return {"type": "base64", "media_type": source.media_type, "data": source.data}
            case FileSource():
                if source.origin is not _ANTHROPIC:
                    return None
                return {"type": "file", "file_id": source.file_id}
            case _:
                assert_never(source)


def _decoded(data: str) -> str | None:
    """A text file; None if it is not one."""
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
