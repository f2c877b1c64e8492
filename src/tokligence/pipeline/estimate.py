"""Tokens where nobody has counted them: UTF-8 bytes / 4, rounded up, at least 1. Pure.

The one estimate used throughout. What a model reads as text counts; pictures, sounds and files count nothing, since
the size of their base64 says nothing about their tokens.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tokligence.conversation import (
    ContentSource,
    Document,
    Part,
    Refusal,
    Request,
    Text,
    TextSource,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)

BYTES_PER_TOKEN: Final = 4


def tokens_of(size: int) -> int:
    """`size`: UTF-8 bytes."""
    return -(-size // BYTES_PER_TOKEN) or 1


def request_tokens(request: Request) -> int:
    """The input of a model call: its turns and the tools it offers."""
    size = 0
    for turn in request.turns:
        size += content_bytes(turn.parts)
    for tool in request.tools:
        if isinstance(tool, Tool):
            size += utf8(tool.name) + utf8(tool.description or "") + len(tool.parameters or b"")
        else:
            size += len(tool.raw)
    return tokens_of(size)


def content_bytes(parts: Iterable[Part]) -> int:
    size = 0
    for part in parts:
        size += part_bytes(part)
    return size


def part_bytes(part: Part) -> int:
    """UTF-8 bytes of what can be read in the part."""
    if type(part) is Text:  # as most are: looked at first, and without the cost of a pattern
        return utf8(part.text)
    match part:
        case Thinking(text=text) | Refusal(text=text):
            return utf8(text)
        case Document(source=TextSource(text=text)):
            return utf8(text)
        case ToolCall(name=name, arguments=arguments):
            return utf8(name) + utf8(arguments)
        case ToolResult(parts=parts) | Document(source=ContentSource(parts=parts)):
            return content_bytes(parts)
        case _:
            return 0


def utf8(text: str) -> int:
    """The length of `text` in bytes, without a copy where it is ASCII."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
