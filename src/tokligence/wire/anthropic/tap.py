"""Watches a Messages stream that passes through unchanged, for its usage.

Nearly every event is a delta, told by its first bytes alone; only the four that say something of the message as a
whole are decoded, leniently: what cannot be read is the client's to judge, who gets the same bytes.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from tokligence.conversation import Usage
from tokligence.wire.anthropic.types import (
    BlockDeltaWire,
    BlockStartWire,
    ErrorWire,
    Kind,
    MessageDeltaWire,
    MessageStartWire,
    MessageStopWire,
    UsageWire,
)
from tokligence.wire.anthropic.usage import merge_usage, read_usage
from tokligence.wire.sse import parse

_START: Final = msgspec.json.Decoder(MessageStartWire)
_DELTA: Final = msgspec.json.Decoder(MessageDeltaWire)
_KIND: Final = msgspec.json.Decoder(Kind)

_BLOCK: Final = b"event: content_block_"
_FRAGMENT: Final = b"event: content_block_delta"
_START_OF_BLOCK: Final = b"event: content_block_start"
# A block of text or thinking begins empty: its first fragment is the first content.
_BEGINS_EMPTY: Final = re.compile(rb'"content_block"\s*:\s*\{[^{}]*"type"\s*:\s*"(?:text|thinking)"')
_PING: Final = b"event: ping"


class StreamTap:
    """See `contract.StreamTap`. Usage is exact once the upstream has counted the output (message_delta)."""

    __slots__ = ("_usage", "content_seen", "ended", "failed", "model", "usage")

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.model: str | None = None
        self.content_seen = False
        self.ended = False
        self.failed = False
        self._usage: UsageWire | None = None

    def feed(self, raw: bytes) -> bytes:
        if raw.startswith(_BLOCK):
            if not self.content_seen:
                self.content_seen = _has_content(raw)
        elif not raw.startswith(_PING):
            data = parse(raw)[1]
            if data:
                try:
                    self._see(data)
                except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                    pass  # not ours to refuse
        return raw

    def _see(self, data: bytes) -> None:
        kind = _KIND.decode(data).type
        if kind == _tag(MessageStartWire):
            message = _START.decode(data).message
            self.model = message.model
            self._usage = message.usage
            if message.usage is not None:
                self.usage = read_usage(message.usage, exact=False)
        elif kind == _tag(MessageDeltaWire):
            usage = _DELTA.decode(data).usage
            if usage is not None:
                self._usage = merge_usage(self._usage, usage)
                self.usage = read_usage(self._usage)
        elif kind == _tag(MessageStopWire):
            self.ended = True
        elif kind == _tag(ErrorWire):
            self.failed = True
        elif kind == _tag(BlockDeltaWire) or (
            kind == _tag(BlockStartWire) and not _BEGINS_EMPTY.search(data)
        ):
            self.content_seen = True  # a server that leaves out the event's name


def _has_content(raw: bytes) -> bool:
    """Of an event about a block."""
    return raw.startswith(_FRAGMENT) or (
        raw.startswith(_START_OF_BLOCK) and _BEGINS_EMPTY.search(raw) is None
    )


def _tag(cls: type[msgspec.Struct]) -> object:
    return cls.__struct_config__.tag
