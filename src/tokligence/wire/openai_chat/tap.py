"""Watches a same-protocol Chat stream: its bytes go on as they came.

With `strip_usage` (the gateway asked for usage, the client did not) the client gets what it would have got: the last
chunk, which has usage and no choices, is dropped, and the member `"usage":null` is cut from the others.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from tokligence.conversation import Usage
from tokligence.errors import GatewayError
from tokligence.wire.openai_chat.chunks import Chunk, Delta
from tokligence.wire.openai_chat.types import ABSENT
from tokligence.wire.openai_chat.usage import read_usage
from tokligence.wire.splice import TopLevel
from tokligence.wire.sse import parse

_CHUNK: Final = msgspec.json.Decoder(Chunk)
_NULL: Final = re.compile(rb'"usage"[ \t\r\n]*:[ \t\r\n]*null')
# How OpenAI writes it: near the end, with flat members after it, so that the last brace closes the whole chunk.
_NEAR_END: Final = re.compile(rb',"usage":null((?:,"\w+":(?:"[^"\\]*"|null))*\}[\r\n]*)\Z')
_BEFORE: Final = re.compile(rb',[ \t\r\n]*"usage"[ \t\r\n]*:[ \t\r\n]*\Z')
_KEY: Final = re.compile(rb'"usage"[ \t\r\n]*:[ \t\r\n]*\Z')
_AFTER: Final = re.compile(rb"[ \t\r\n]*,")


class ChatStreamTap:
    """`wire.contract.StreamTap`. Once content has come, a chunk is decoded only if it may hold usage or an error."""

    __slots__ = ("_strip", "content_seen", "ended", "failed", "model", "usage")

    def __init__(self, *, strip_usage: bool) -> None:
        self._strip = strip_usage
        self.usage: Usage | None = None
        self.model: str | None = None
        self.content_seen = False
        self.ended = False
        self.failed = False

    def feed(self, raw: bytes) -> bytes:
        usage = raw.find(b'"usage"')  # `in` would first try the bytes as a number
        null = usage >= 0 and _NULL.search(raw, usage) is not None
        if self.content_seen and raw.find(b'"error"') < 0:
            if usage < 0 and raw.find(b"[DONE]") < 0:
                return raw
            if null and raw.count(b'"usage"') == 1:
                return _cut(raw, usage) if self._strip else raw
        _, data = parse(raw)
        if data == b"[DONE]":
            self.ended = True
            return raw
        try:
            chunk = _CHUNK.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return raw  # a comment, or nothing that we know: the client's to judge
        self._watch(chunk)
        if not self._strip:
            return raw
        if chunk.usage is not None and not chunk.choices:
            return b""
        return _cut(raw, usage) if null else raw

    def _watch(self, chunk: Chunk) -> None:
        if chunk.model:
            self.model = chunk.model
        if chunk.usage is not None:
            self.usage = read_usage(chunk.usage)
        if chunk.error is not ABSENT and bytes(chunk.error) != b"null":
            self.failed = True
        for choice in chunk.choices or ():
            if choice.delta is not None and _speaks(choice.delta):
                self.content_seen = True


def _speaks(delta: Delta) -> bool:
    return bool(
        delta.content
        or delta.tool_calls
        or delta.reasoning_content
        or delta.reasoning
        or delta.reasoning_details
        or delta.refusal
        or delta.function_call
    )


def _cut(raw: bytes, usage: int) -> bytes:
    """`raw` without its top-level member `"usage":null` and the comma that goes with it. `usage`: where the name
    stands first."""
    near = _NEAR_END.match(raw, usage - 1)
    if near is not None:
        return raw[: usage - 1] + near.group(1)
    _, data = parse(raw)
    at = raw.find(data)
    if at < 0:
        return raw  # data over several lines, which no server of this protocol sends
    try:
        top = TopLevel(data)
    except GatewayError:
        return raw
    if "usage" not in top.values or bytes(top.values["usage"]) != b"null":
        return raw
    start, end = top.span("usage")
    before = _BEFORE.search(data, 0, start)
    if before is not None:
        return raw[: at + before.start()] + raw[at + end :]
    key, after = _KEY.search(data, 0, start), _AFTER.match(data, end)
    if key is None or after is None:
        return raw
    return raw[: at + key.start()] + raw[at + after.end() :]
