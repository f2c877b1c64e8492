"""Puts interleaved blocks of a stream one after the other.

Some vendors send the fragments of parallel tool calls mixed; the conversation (and Anthropic's stream) has one open
block at a time. Theory: blocks are *lanes*, ordered by when they started. The first lane that is not finished is
*live*: its fragments pass at once. When a new lane starts, the live one is closed if it is complete: text always is,
a tool call is if its arguments are one whole JSON object or array. Else the new lane is *held*: its fragments wait
until the live one completes or the upstream finishes. So lanes keep their order, and nothing waits without need.

    LIVE -- new lane, complete ------------------------> CLOSED, the new lane is live
    LIVE -- new lane, not complete --------------------> stays live, the new lane is held
    LIVE -- fragment that completes it, lanes held ----> CLOSED, the first held lane is live
    LIVE -- said to be done, lanes held ---------------> CLOSED, the first held lane is live
    any  -- finish ------------------------------------> CLOSED, in order

A fragment for a closed call means that the upstream's stream is malformed.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Hashable
from typing import Final

import msgspec

from tokligence.conversation import (
    BlockClosed,
    BlockOpened,
    Part,
    SignatureDelta,
    StreamEvent,
    TextDelta,
    ToolCall,
)
from tokligence.wire.contract import bad_response

_STRUCTURE: Final = re.compile(r'["\\{}\[\]]')
_WHOLE: Final = msgspec.json.Decoder(msgspec.Raw)


class _Arguments:
    """Tells when the fragments of a call are one whole JSON object or array. Each character is scanned once, and
    only when somebody asks, so that a call that runs alone costs an append a fragment."""

    __slots__ = ("_depth", "_fragments", "_hopeless", "_opened", "_quoted", "_scanned", "_skip")

    def __init__(self) -> None:
        self._fragments: list[str] = []
        self._scanned = 0  # fragments
        self._depth = 0
        self._opened = False
        self._quoted = False
        self._skip = False  # the next fragment's first character is escaped
        self._hopeless = False  # balanced, but not JSON: it stays so, whatever comes

    def feed(self, text: str) -> None:
        self._fragments.append(text)

    def complete(self) -> bool:
        while self._scanned < len(self._fragments):
            self._scan(self._fragments[self._scanned])
            self._scanned += 1
        if not self._opened or self._depth > 0 or self._hopeless:
            return False
        try:
            _WHOLE.decode("".join(self._fragments))
        except msgspec.DecodeError:
            self._hopeless = True
            return False
        return True

    def _scan(self, text: str) -> None:
        skipped = 0 if self._skip else -1  # position of an escaped character
        self._skip = False
        for match in _STRUCTURE.finditer(text):
            position = match.start()
            if position == skipped:
                continue
            char = text[position]
            if char == '"':
                self._quoted = not self._quoted
            elif self._quoted:
                if char == "\\":
                    skipped = position + 1
                    self._skip = skipped == len(text)
            elif char in "{[":
                self._opened = True
                self._depth += 1
            elif char in "}]":
                self._depth -= 1


class _Lane:
    """One block. `arguments`: None if it is not a tool call. `fragments`, `signature`: what waits while held."""

    __slots__ = ("arguments", "fragments", "index", "key", "part", "signature")

    def __init__(self, key: Hashable, part: Part) -> None:
        self.key = key
        self.part = part
        self.index = -1
        self.arguments = _Arguments() if isinstance(part, ToolCall) else None
        self.fragments: list[str] = []
        self.signature = ""

    def complete(self) -> bool:
        return self.arguments is None or self.arguments.complete()


class Lanes:
    """Makes block events for one answer; every method appends to `out`. `provider`: named in errors."""

    __slots__ = ("_calls", "_held", "_last", "_live", "_next", "_provider")

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._next = 0
        self._live: _Lane | None = None
        self._last: _Lane | None = None  # the lane that started last
        self._held: deque[_Lane] = deque()
        self._calls: dict[Hashable, _Lane] = {}  # those not closed

    def text(self, key: Hashable, head: Part, text: str, out: list[StreamEvent]) -> None:
        """`text` for the block `key`, which is the last one or else starts now with `head`."""
        lane = self._last
        if lane is None or lane.key != key:
            lane = self._start(_Lane(key, head), out)
        if lane is self._live:
            out.append(TextDelta(lane.index, text))
        else:
            lane.fragments.append(text)

    def signature(self, key: Hashable, head: Part, signature: str, out: list[StreamEvent]) -> None:
        """The signature of the thinking block `key`; without such a block it gets one of its own."""
        lane = self._last
        if lane is None or lane.key != key:
            lane = self._start(_Lane(key, head), out)
        if lane is self._live:
            out.append(SignatureDelta(lane.index, signature))
        else:
            lane.signature += signature

    def whole(self, part: Part, out: list[StreamEvent]) -> None:
        """A block that comes in one piece."""
        self._start(_Lane(object(), part), out)

    def call(self, key: Hashable, head: ToolCall, out: list[StreamEvent]) -> None:
        """Starts a tool call; `key` must be new. `head.arguments` is empty: fragments go to `arguments`."""
        lane = _Lane(key, head)
        self._calls[key] = lane
        self._start(lane, out)

    def arguments(self, key: Hashable, text: str, out: list[StreamEvent]) -> None:
        """A fragment of the arguments of the call `key`, "" included."""
        lane = self._calls.get(key)
        if lane is None or lane.arguments is None:
            if text.strip():
                raise bad_response(self._provider, "a tool call went on after its arguments were complete")
            return
        lane.arguments.feed(text)
        if lane is not self._live:
            lane.fragments.append(text)
            return
        out.append(TextDelta(lane.index, text))
        while self._held and lane.complete():
            self._close(lane, out)
            lane = self._held.popleft()
            self._open(lane, out)

    def done(self, key: Hashable, out: list[StreamEvent]) -> None:
        """The upstream says that the call `key` is complete; nothing more may come for it."""
        lane = self._calls.pop(key, None)
        if lane is None:
            return
        lane.arguments = None
        while self._held and self._live is not None and self._live.complete():
            self._close(self._live, out)
            self._open(self._held.popleft(), out)

    def finish(self, out: list[StreamEvent]) -> None:
        """The upstream has finished: everything that is open or held is written and closed."""
        if self._live is not None:
            self._close(self._live, out)
        while self._held:
            lane = self._held.popleft()
            self._open(lane, out)
            self._close(lane, out)
        self._last = None

    def _start(self, lane: _Lane, out: list[StreamEvent]) -> _Lane:
        self._last = lane
        live = self._live
        if live is not None:
            if self._held or not live.complete():
                self._held.append(lane)
                return lane
            self._close(live, out)
        self._open(lane, out)
        return lane

    def _open(self, lane: _Lane, out: list[StreamEvent]) -> None:
        lane.index = self._next
        self._next += 1
        self._live = lane
        out.append(BlockOpened(lane.index, lane.part))
        if lane.fragments:
            out.append(TextDelta(lane.index, "".join(lane.fragments)))
        if lane.signature:
            out.append(SignatureDelta(lane.index, lane.signature))

    def _close(self, lane: _Lane, out: list[StreamEvent]) -> None:
        out.append(BlockClosed(lane.index))
        self._live = None
        self._calls.pop(lane.key, None)
