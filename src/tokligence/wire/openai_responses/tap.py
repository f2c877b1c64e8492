"""Watches a same-protocol Responses stream: its bytes go on as they came."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from tokligence.conversation import Usage
from tokligence.wire.openai_responses.types import ToolUse, UsageWire
from tokligence.wire.openai_responses.usage import read_usage
from tokligence.wire.sse import parse


class _Metered(Struct):
    model: str | None = None
    usage: UsageWire | None = None
    tool_usage: ToolUse | None = None


class _Event(Struct):
    type: str = ""
    response: _Metered | None = None


_EVENT: Final = msgspec.json.Decoder(_Event)
_ENDED: Final = frozenset({"response.completed", "response.incomplete"})
_FAILED: Final = frozenset({"response.failed", "response.cancelled", "error"})
_TOLD: Final = (
    b"response.completed",
    b"response.incomplete",
    b"response.failed",
    b"response.cancelled",
    b"error",
)
_SILENT: Final = frozenset(
    {"", "response.created", "response.queued", "response.in_progress", "keepalive", "codex.rate_limits"}
)
"""Events that are no content."""


class ResponsesStreamTap:
    """`wire.contract.StreamTap`. Once content has come, an event is decoded only if its name is a terminal one's."""

    __slots__ = ("content_seen", "ended", "failed", "model", "usage")

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.model: str | None = None
        self.content_seen = False
        self.ended = False
        self.failed = False

    def feed(self, raw: bytes) -> bytes:
        if self.content_seen and not _may_end(raw):
            return raw
        _, data = parse(raw)
        try:
            event = _EVENT.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return raw  # a comment, or nothing that we know: the client's to judge
        self._watch(event)
        return raw

    def _watch(self, event: _Event) -> None:
        if event.response is not None:
            self.model = event.response.model or self.model
            if event.response.usage is not None:
                self.usage = read_usage(event.response.usage, event.response.tool_usage)
        if event.type in _ENDED:
            self.ended = True
        elif event.type in _FAILED:
            self.failed = True
        elif event.type not in _SILENT:
            self.content_seen = True


def _may_end(raw: bytes) -> bool:
    """Whether the event's name, or the beginning of its data, is a terminal one's."""
    head = raw[:96]
    return any(head.find(name) >= 0 for name in _TOLD)
