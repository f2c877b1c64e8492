"""Proofs of a model's reasoning, kept for clients whose protocol has no place for them.

Anthropic wants the thinking of a turn with tool calls back together with its signature, Gemini the thought signature of
a call. A client that cannot carry them sends the turn without; here it gets them back before the upstream sees it, found
by the id of the call, or by what the turn said where it called nothing. An issuer gets only its own. Bounded; pure.

Facts: platform.claude.com/docs/en/build-with-claude/extended-thinking (preserving thinking blocks),
ai.google.dev/gemini-api/docs/thought-signatures; read 2026-11-24.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from tokligence.conversation import (
    BlockClosed,
    BlockOpened,
    Part,
    RedactedThinking,
    Request,
    Role,
    SignatureDelta,
    StreamEvent,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    Turn,
)

LIFETIME_S: Final = 24 * 3600
CAPACITY_BYTES: Final = 64 * 1024 * 1024
OVERHEAD_BYTES: Final = 300
ASSISTANT: Final = Role.ASSISTANT

Owner = str | None
"""Name of the client key; None while auth is off."""
Proof = Thinking | RedactedThinking


class Kept(Struct, frozen=True):
    """What belongs to one call or one text: the proofs that stood before it, and the call's own signature."""

    at: int
    size: int
    proofs: tuple[Proof, ...] = ()
    signature: str | None = None


class Signatures:
    """`keep` what an answer proved, `restore` it into a later request. `now`: Unix seconds."""

    def __init__(self, capacity: int = CAPACITY_BYTES, lifetime: int = LIFETIME_S) -> None:
        self._capacity = capacity
        self._lifetime = lifetime
        self.kept: dict[tuple[Owner, str, str], Kept] = {}
        self.size = 0

    def __len__(self) -> int:
        return len(self.kept)

    def keep(self, owner: Owner, issuer: str, parts: Sequence[Part], now: int) -> None:
        """Of a whole answer of the issuer's."""
        proofs: list[Proof] = []
        called = False
        for part in parts:
            if isinstance(part, RedactedThinking) or (isinstance(part, Thinking) and part.signature):
                proofs.append(part)
            elif isinstance(part, ToolCall):
                called = True
                if proofs or part.signature:
                    self._put((owner, issuer, part.id), tuple(proofs), part.signature, now)
                proofs = []
        if proofs and not called:
            self._put((owner, issuer, _said(parts)), tuple(proofs), None, now)

    def restore(self, owner: Owner, issuer: str, request: Request, now: int) -> Request:
        """The request with what its assistant turns lack; itself if they lack nothing that is known here."""
        if not self.kept:
            return request
        turns = [
            self._whole(owner, issuer, turn, now) if turn.role is ASSISTANT else turn
            for turn in request.turns
        ]
        if all(map(_same, turns, request.turns)):
            return request
        return replace(request, turns=tuple(turns))

    def _whole(self, owner: Owner, issuer: str, turn: Turn, now: int) -> Turn:
        if any(_proves(part, issuer) for part in turn.parts):
            return turn  # the client keeps them itself
        parts: list[Part] = []
        changed = called = False
        for part in turn.parts:
            if isinstance(part, ToolCall):
                called = True
                kept = self._get((owner, issuer, part.id), now)
                if kept is not None:
                    changed = True
                    parts.extend(kept.proofs)
                    if kept.signature and not part.signature:
                        part = replace(part, signature=kept.signature, issuer=issuer)
            parts.append(part)
        if not called:
            kept = self._get((owner, issuer, _said(turn.parts)), now)
            if kept is not None:
                changed = True
                parts[:0] = kept.proofs
        return replace(turn, parts=_proofs_first(parts)) if changed else turn

    def _put(
        self, key: tuple[Owner, str, str], proofs: tuple[Proof, ...], signature: str | None, now: int
    ) -> None:
        self._remove(key)
        size = OVERHEAD_BYTES + len(key[2]) + len(signature or "") + sum(map(_size, proofs))
        self.kept[key] = Kept(now, size, proofs, signature)
        self.size += size
        while self.size > self._capacity:
            self._remove(next(iter(self.kept)))

    def _get(self, key: tuple[Owner, str, str], now: int) -> Kept | None:
        kept = self.kept.get(key)
        if kept is not None and kept.at + self._lifetime <= now:
            self._remove(key)
            return None
        return kept

    def _remove(self, key: tuple[Owner, str, str]) -> None:
        gone = self.kept.pop(key, None)
        if gone is not None:
            self.size -= gone.size


class Gathered:
    """The parts of a streamed answer, as far as `keep` wants them."""

    __slots__ = ("_open", "_text", "parts")

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self._open: Part | None = None
        self._text: list[str] = []

    def feed(self, events: Iterable[StreamEvent]) -> None:
        for event in events:
            if isinstance(event, TextDelta):
                self._text.append(event.text)
            elif isinstance(event, BlockOpened):
                self._open, self._text = event.part, []
            elif isinstance(event, SignatureDelta):
                part = self._open
                if isinstance(part, Thinking | ToolCall):
                    self._open = replace(part, signature=(part.signature or "") + event.signature)
            elif isinstance(event, BlockClosed):
                self._close()

    def _close(self) -> None:
        part, text = self._open, "".join(self._text)
        if isinstance(part, Thinking | Text):
            part = replace(part, text=part.text + text)
        if part is not None:
            self.parts.append(part)
        self._open = None


def _said(parts: Iterable[Part]) -> str:
    """Names a turn by its text. No call's id looks like it."""
    digest = blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, Text):
            digest.update(part.text.encode("utf-8", "surrogatepass"))
    return f"text {digest.hexdigest()}"


def _proves(part: Part, issuer: str) -> bool:
    return isinstance(part, RedactedThinking) or (
        isinstance(part, Thinking | ToolCall) and part.signature is not None and part.issuer == issuer
    )


def _proofs_first(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The first call's proofs stand before what the turn said, as the issuer wrote it."""
    first_call = next((i for i, part in enumerate(parts) if isinstance(part, ToolCall)), len(parts))
    before = parts[:first_call]
    proofs = [part for part in before if isinstance(part, RedactedThinking | Thinking)]
    rest = [part for part in before if not isinstance(part, RedactedThinking | Thinking)]
    return (*proofs, *rest, *parts[first_call:])


def _size(proof: Proof) -> int:
    if isinstance(proof, RedactedThinking):
        return len(proof.data)
    return len(proof.text) + len(proof.signature or "")


def _same(left: Turn, right: Turn) -> bool:
    return left is right
