"""Watches a Gemini stream that passes through unchanged, for its usage.

Each chunk says the usage so far. What cannot be read is the client's to judge, who gets the same bytes. There is no last
event: `whole` says that the answer is one if the upstream closes now.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from tokligence.conversation import Usage
from tokligence.wire.gemini.types import MeterWire
from tokligence.wire.gemini.usage import read_usage
from tokligence.wire.sse import parse

_METER: Final = msgspec.json.Decoder(MeterWire)
_CONTENT: Final = re.compile(
    rb'"text"\s*:\s*"[^"]|"(?:functionCall|inlineData|executableCode|codeExecutionResult|toolCall|toolResponse'
    rb'|fileData)"\s*:'
)
_FINISH: Final = re.compile(rb'"finishReason"\s*:\s*"|"blockReason"\s*:\s*"')
_ERROR: Final = re.compile(rb'data:\s*\{\s*"error"\s*:')


class StreamTap:
    """See `contract.StreamTap`."""

    __slots__ = ("content_seen", "ended", "failed", "model", "usage", "whole")

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.model: str | None = None
        self.content_seen = False
        self.ended = False
        self.failed = False
        self.whole = False

    def feed(self, raw: bytes) -> bytes:
        if not self.content_seen and _CONTENT.search(raw) is not None:
            self.content_seen = True
        if not self.whole and _FINISH.search(raw) is not None:
            self.whole = True
        if raw.find(b'"usageMetadata"') >= 0:  # `in` would first try the bytes as a number
            self._meter(raw)
        elif _ERROR.match(raw) is not None:
            self.failed = True
        return raw

    def _meter(self, raw: bytes) -> None:
        try:
            wire = _METER.decode(parse(raw)[1])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return  # not ours to refuse
        if wire.usage_metadata is not None:
            self.usage = read_usage(wire.usage_metadata, exact=self.whole)
        self.model = wire.model_version or self.model
