"""A Gemini stream -> conversation events.

Each event of the stream is a `GenerateContentResponse` with what is new; calls come whole, usage is cumulative, there is
no last event: the answer is whole if a finish reason has come when the upstream closes.

    OPENING  -- candidates, usage or a blocked prompt --> Opened --> FLOWING
    FLOWING  -- parts ----------------------------------> blocks: text and thinking stay open while they go on
    FLOWING  -- end of the connection, finished --------> UsageSeen, Finished, Closed --> ENDED
    FLOWING  -- end of the connection, not finished ----> upstream.cut
    any      -- error object, or an answer that failed -> Failed --> ENDED

More may follow a finish reason (a signature, the usage), and then another one: the last counts.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

import msgspec

from tokligence.conversation import (
    BlockClosed,
    BlockOpened,
    Closed,
    Failed,
    Finished,
    FinishReason,
    Loss,
    LossReason,
    Opened,
    Part,
    Refusal,
    Severity,
    SignatureDelta,
    StreamEvent,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    UsageSeen,
)
from tokligence.errors import GatewayError
from tokligence.wire.contract import ReplyMemory, bad_response
from tokligence.wire.gemini.calls import Calls
from tokligence.wire.gemini.extras import extras_of
from tokligence.wire.gemini.parts_in import Scope, read_part
from tokligence.wire.gemini.read_answer import (
    as_asked,
    broken_off,
    candidate_fields,
    decode_error,
    read_finish,
    refusal_text,
)
from tokligence.wire.gemini.tables import BROKEN_OFF, STATUS_OF
from tokligence.wire.gemini.types import (
    ABSENT,
    CandidateChunk,
    Chunk,
    PartChunk,
    PartWire,
    PromptFeedbackChunk,
    RawChunk,
    ResponseWire,
    UsageWire,
    sent,
)
from tokligence.wire.gemini.usage import read_usage
from tokligence.wire.severity import EXTRA_SEVERITY, severity_of
from tokligence.wire.strict import Reader, unknown_paths

_CHUNK: Final = msgspec.json.Decoder(Chunk)
_RAW: Final = msgspec.json.Decoder(RawChunk)
_PART: Final[Reader[PartWire]] = Reader(PartWire)
_TEXT: Final = Text("")


class _State(Enum):
    OPENING = "opening"
    FLOWING = "flowing"
    ENDED = "ended"


# Constants, since a member looked up on its class costs twenty times as much (Python 3.11).
_OPENING: Final = _State.OPENING
_FLOWING: Final = _State.FLOWING
_ENDED: Final = _State.ENDED


class StreamReader:
    """See `contract.StreamReader`. `issuer`: whose signatures these are; it also names the upstream in errors."""

    __slots__ = (
        "_blocked",
        "_called",
        "_calls",
        "_candidate",
        "_extras",
        "_index",
        "_issuer",
        "_memory",
        "_number",
        "_open",
        "_seed",
        "_shapes",
        "_state",
        "_thinking",
        "_usage",
        "losses",
    )

    def __init__(self, memory: ReplyMemory, issuer: str) -> None:
        self.losses: list[Loss] = []
        self._memory = memory
        self._issuer = issuer
        self._state = _OPENING
        self._index = -1  # of the open or last block
        self._open: type[Part] | None = None  # kind of the open block: Text or Thinking
        self._thinking = Thinking("", issuer=issuer)
        self._calls = Calls()
        self._number = 0  # of parts read
        self._called = False
        self._seed = ""
        self._candidate: CandidateChunk | None = None  # the one that finished
        self._blocked: PromptFeedbackChunk | None = None
        self._usage: UsageWire | None = None
        self._extras: dict[str, bytes] = {}
        self._shapes: set[tuple[object, ...]] = set()

    def feed(self, name: bytes, data: bytes) -> list[StreamEvent]:
        if self._state is _ENDED or not data or data == b"[DONE]":
            return []
        try:
            chunk = _CHUNK.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise bad_response(self._issuer, "a chunk is not one") from None
        if sent(chunk.error) or name == b"error":
            return [self._failed(data)]
        out: list[StreamEvent] = []
        candidates = chunk.candidates
        if self._state is _OPENING:
            self._begin(chunk, out)
        if chunk.usage_metadata is not None:
            self._usage = chunk.usage_metadata
        if chunk.prompt_feedback is not None:
            self._feedback(chunk.prompt_feedback)
        if not candidates and () not in self._shapes:
            self._shapes.add(())
            self._examine(data, rare=False)
        for candidate in candidates or ():
            if candidate.index:
                self._lose_once(f"candidates[{candidate.index}]", LossReason.UNSUPPORTED, Severity.SEMANTIC)
            else:
                self._take(candidate, chunk, data, out)
        return out

    def eof(self) -> list[StreamEvent]:
        if self._state is _ENDED:
            return []
        candidate = self._candidate or (CandidateChunk() if self._blocked is not None else None)
        if candidate is None:
            raise GatewayError("upstream.cut", provider=self._issuer)
        out: list[StreamEvent] = []
        self._close(out)
        if self._candidate is None:
            finish = FinishReason.REFUSAL
        else:
            finish = read_finish(candidate.finish_reason, self._called, self._issuer, self.losses)
        if finish is FinishReason.REFUSAL and self._index < 0:
            self._whole(Refusal(refusal_text(candidate, self._blocked)), out)
        if self._usage is not None:
            out.append(UsageSeen(read_usage(self._usage)))
        if candidate.finish_message is not None:
            self._extras["finishMessage"] = msgspec.json.encode(candidate.finish_message)
        out += (Finished(finish, extras=extras_of(self._extras)), Closed())
        self._state = _ENDED
        return out

    # --- the answer -------------------------------------------------------------------------------------

    def _begin(self, chunk: Chunk, out: list[StreamEvent]) -> None:
        if chunk.candidates is None and chunk.usage_metadata is None and chunk.prompt_feedback is None:
            raise bad_response(self._issuer, "a chunk is not one")
        self._state = _FLOWING
        self._seed = chunk.response_id or ""
        usage = chunk.usage_metadata
        told = None if usage is None else read_usage(usage, exact=False)
        out.append(Opened(self._seed, chunk.model_version or "", told))

    def _feedback(self, feedback: PromptFeedbackChunk) -> None:
        if sent(feedback.safety_ratings):
            self._extras["promptFeedback.safetyRatings"] = bytes(feedback.safety_ratings)
        if feedback.block_reason is not None:
            self._blocked = feedback

    def _failed(self, data: bytes) -> Failed:
        self._state = _ENDED
        error = decode_error(data)
        kind = (error.status if error is not None else None) or "INTERNAL"
        code = error.code if error is not None else None
        status = code if isinstance(code, int) and 400 <= code < 600 else STATUS_OF.get(kind)
        message = (error.message if error is not None else None) or "The upstream failed."
        return Failed(kind, message, status)

    def _take(self, candidate: CandidateChunk, chunk: Chunk, data: bytes, out: list[StreamEvent]) -> None:
        content = candidate.content
        parts = (content.parts if content is not None else None) or ()
        shape = (
            candidate.finish_reason is None,
            chunk.usage_metadata is None,
            *[(part.text is None, part.thought is None, part.function_call is None) for part in parts],
        )
        if shape not in self._shapes:
            self._shapes.add(shape)
            self._examine(data, rare=any(part.text is None for part in parts))
        for number, part in enumerate(parts):
            self._part(part, number, data, out)
        if (
            candidate.safety_ratings is not ABSENT
            or candidate.grounding_metadata is not ABSENT
            or candidate.citation_metadata is not ABSENT
            or candidate.finish_reason is not None
        ):
            self._extras.update(candidate_fields(candidate))
        word = candidate.finish_reason
        if word in BROKEN_OFF:
            self._state = _ENDED
            out.append(Failed(word, f"{broken_off(word).capitalize()}.", 502))
        elif word is not None:
            self._candidate = candidate

    # --- parts ------------------------------------------------------------------------------------------

    def _part(self, part: PartChunk, number: int, data: bytes, out: list[StreamEvent]) -> None:
        self._number += 1
        if part.function_call is not None or (
            part.text is None and (part.thought_signature is None or not part.thought)
        ):
            self._rare(number, data, out)
            return
        text, signature = part.text, part.thought_signature
        if part.thought:
            if text or signature:
                self._text(Thinking, self._thinking, text or "", out)
            if signature:
                out.append(SignatureDelta(self._index, signature))
                self._close(out)  # what the model thinks next has a signature of its own
            return
        if text:
            self._text(Text, _TEXT, text, out)
        if signature:
            self._whole(Thinking("", signature, self._issuer), out)

    def _text(self, kind: type[Part], head: Part, text: str, out: list[StreamEvent]) -> None:
        if self._open is not kind:
            self._close(out)
            self._index += 1
            self._open = kind
            out.append(BlockOpened(self._index, head))
        if text:
            out.append(TextDelta(self._index, text))

    def _whole(self, part: Part, out: list[StreamEvent]) -> None:
        self._close(out)
        self._index += 1
        out += (BlockOpened(self._index, part), BlockClosed(self._index))

    def _close(self, out: list[StreamEvent]) -> None:
        if self._open is not None:
            out.append(BlockClosed(self._index))
            self._open = None

    def _rare(self, number: int, data: bytes, out: list[StreamEvent]) -> None:
        """A part that comes whole: it is read as that of a whole answer is."""
        path = f"candidates[0].content.parts[{self._number - 1}]"
        scope = Scope("candidates[0].content", self.losses, self._calls, self._issuer, self._seed)
        try:
            raw = bytes(_RAW.decode(data).candidates[0].content.parts[number])
            found = read_part(_PART.read(raw), path, scope)
        except (GatewayError, msgspec.MsgspecError):
            raise bad_response(self._issuer, "a part is not valid") from None
        for part in found:
            self._called = self._called or type(part) is ToolCall
            self._whole(as_asked(part, self._memory), out)

    # --- what is lost -----------------------------------------------------------------------------------

    def _examine(self, data: bytes, *, rare: bool) -> None:
        """Fields that we do not know, once for each shape of chunk: the loop decodes leniently. `rare`: fields of parts
        are read with them."""
        try:
            found = unknown_paths(data, ResponseWire)
        except GatewayError:
            raise bad_response(self._issuer, "a chunk is not one") from None
        for path in found:
            if rare and ".parts[]." in path:
                continue
            name = path.rpartition(".")[2]
            reason = LossReason.UNSUPPORTED if name in EXTRA_SEVERITY else LossReason.UNKNOWN_FIELD
            self._lose_once(path, reason, severity_of(name))

    def _lose_once(self, path: str, reason: LossReason, severity: Severity) -> None:
        loss = Loss(path, reason, severity)
        if loss not in self.losses:
            self.losses.append(loss)
