"""A Chat Completions stream of an OpenAI-compatible upstream -> events of the conversation.

Theory: a chunk adds to one or more blocks, `finish_reason` closes them, usage may stand in any chunk and mostly
comes after it, `[DONE]` ends. So the finish is held until usage, `[DONE]` or the end has come:

    OPENING  -- a chunk with a choice or usage --> Opened --> BLOCKS
    BLOCKS   -- finish_reason -------------------> FINISHED (blocks closed)
    BLOCKS   -- [DONE] --------------------------> finish made up, with a loss; Finished, Closed --> ENDED
    BLOCKS   -- end of the connection -----------> upstream.cut
    FINISHED -- usage ---------------------------> UsageSeen, Finished
    FINISHED -- [DONE], end of the connection ---> Finished if due, Closed --> ENDED
    any      -- error object --------------------> Failed --> ENDED

Tool calls are told apart by `index`, where it is missing or the same for all by `id`. A call's block opens when its
name is known to be whole: it is one of the tools offered, or its arguments begin.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

import msgspec

from tokligence.conversation import (
    Closed,
    Failed,
    Finished,
    FinishReason,
    Loss,
    LossReason,
    Opened,
    RedactedThinking,
    Refusal,
    Severity,
    StreamEvent,
    Text,
    Thinking,
    ToolCall,
    UsageSeen,
)
from tokligence.errors import GatewayError
from tokligence.wire.contract import ReplyMemory, bad_response
from tokligence.wire.lanes import Lanes
from tokligence.wire.openai.errors import STATUS_OF, read_error
from tokligence.wire.openai_chat.chunks import (
    CallDelta,
    Chunk,
    ChunkChoice,
    Delta,
    DetailDelta,
    FlowingChunk,
    FunctionDelta,
)
from tokligence.wire.openai_chat.parts import detail_extras, made_id
from tokligence.wire.openai_chat.read_answer import settle_finish
from tokligence.wire.openai_chat.tables import BROKEN_OFF
from tokligence.wire.openai_chat.types import ABSENT
from tokligence.wire.openai_chat.usage import read_usage
from tokligence.wire.severity import EXTRA_SEVERITY, severity_of
from tokligence.wire.strict import unknown_paths

_CHUNK: Final = msgspec.json.Decoder(Chunk)
_FLOWING: Final = msgspec.json.Decoder(FlowingChunk)
_NULL: Final = b"null"
_TEXT: Final = Text("")
_REFUSAL: Final = Refusal("")
_LEGACY: Final = "function_call"


class _State(Enum):
    OPENING = "opening"
    BLOCKS = "blocks"
    FINISHED = "finished"
    ENDED = "ended"


# Constants, since a member looked up on its class costs twenty times as much (Python 3.11).
_OPENING: Final = _State.OPENING
_BLOCKS: Final = _State.BLOCKS
_FINISHED: Final = _State.FINISHED
_ENDED: Final = _State.ENDED


class _Call:
    """A tool call as far as it is known. `key`: its lane; `opened`: its block is, so that the name is settled."""

    __slots__ = ("id", "key", "name", "opened")

    def __init__(self, key: int) -> None:
        self.key = key
        self.id = ""
        self.name = ""
        self.opened = False

    def add_name(self, fragment: str) -> None:
        """Some vendors send the name in pieces, some again in each chunk, some longer each time."""
        if fragment.startswith(self.name):
            self.name = fragment
        elif not self.name.startswith(fragment):
            self.name += fragment


def _flowing_text(data: bytes) -> str | None:
    """The text of a chunk that says nothing else, read without its envelope; None if it is another chunk."""
    try:
        return _FLOWING.decode(data).choices[0].delta.content
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


class ChatStreamReader:
    """`wire.contract.StreamReader` for OpenAI-compatible upstreams. `issuer`: whose signatures these are; it also
    names the upstream in errors."""

    __slots__ = (
        "_answer_id",
        "_by_index",
        "_calls",
        "_current",
        "_finish",
        "_flows",
        "_issuer",
        "_lanes",
        "_memory",
        "_refused",
        "_shapes",
        "_state",
        "_thinking",
        "losses",
    )

    def __init__(self, memory: ReplyMemory, issuer: str) -> None:
        self.losses: list[Loss] = []
        self._memory = memory
        self._issuer = issuer
        self._lanes = Lanes(issuer)
        self._state = _OPENING
        self._finish: FinishReason | None = None  # due, not told yet
        self._answer_id = ""
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._current: _Call | None = None  # the call that spoke last
        self._refused = False
        self._thinking = Thinking("", issuer=issuer)
        self._shapes: set[tuple[bool, ...]] = set()
        self._flows = False  # the last chunk was plain text, so nearly surely the next one is too

    def feed(self, name: bytes, data: bytes) -> list[StreamEvent]:
        if self._state is _ENDED or not data:
            return []
        if data == b"[DONE]":
            return self._done()
        if self._flows and (text := _flowing_text(data)):
            flow: list[StreamEvent] = []
            self._lanes.text("text", _TEXT, text, flow)
            return flow
        try:
            chunk = _CHUNK.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise bad_response(self._issuer, "a chunk is not one") from None
        if chunk.choices is None and (
            chunk.error is not ABSENT or chunk.object == "error" or name == b"error"
        ):
            return self._failed(data)
        if chunk.error is not ABSENT and bytes(chunk.error) != _NULL:
            return self._failed(data)
        out: list[StreamEvent] = []
        choices = chunk.choices
        if self._state is _OPENING and (choices or chunk.usage is not None):
            self._open(chunk, out)
        if chunk.usage is not None:
            out.append(UsageSeen(read_usage(chunk.usage)))
        if choices:
            for choice in choices:
                if not choice.index:
                    self._choice(choice, data, out)
                else:
                    self._lose_once(f"choices[{choice.index}]", LossReason.UNSUPPORTED, Severity.SEMANTIC)
        elif choices is None and chunk.usage is None and data != b"{}":
            self._lose_once(
                "stream", LossReason.UNKNOWN_PART, Severity.SEMANTIC
            )  # an object that is no chunk
        if chunk.usage is not None:
            self._tell_finish(out)
        return out

    def eof(self) -> list[StreamEvent]:
        if self._state is _ENDED:
            return []
        if self._state is not _FINISHED:
            raise GatewayError("upstream.cut", provider=self._issuer)
        return self._done()

    # --- opening and end ----------------------------------------------------------------------------

    def _open(self, chunk: Chunk, out: list[StreamEvent]) -> None:
        self._state = _BLOCKS
        created = None if chunk.created is None else int(chunk.created)
        self._answer_id = chunk.id or str(chunk.created)
        opened = Opened(chunk.id or "", chunk.model or "", None, created, chunk.service_tier)
        out.append(opened)
        if chunk.system_fingerprint is not None:
            name = "system_fingerprint"
            self._lose_once(name, LossReason.UNSUPPORTED, severity_of(name))

    def _done(self) -> list[StreamEvent]:
        out: list[StreamEvent] = []
        if self._state is _OPENING:
            raise bad_response(self._issuer, "the stream ended before it began")
        if self._state is _BLOCKS:
            self._finished("", out)
        self._tell_finish(out)
        out.append(Closed())
        self._state = _ENDED
        return out

    def _finished(self, word: str, out: list[StreamEvent]) -> None:
        if word in BROKEN_OFF:
            self._state = _ENDED
            out.append(Failed(word, "The answer broke off.", 502))
            return
        for call in self._calls:
            self._open_call(call, out)
        self._lanes.finish(out)
        self._finish = settle_finish(word, bool(self._calls), self._refused, self.losses)
        self._state = _FINISHED
        self._flows = False

    def _tell_finish(self, out: list[StreamEvent]) -> None:
        if self._finish is not None:
            out.append(Finished(self._finish))
            self._finish = None

    def _failed(self, data: bytes) -> list[StreamEvent]:
        self._state = _ENDED
        error = read_error(502, data)
        status = int(error.code) if error.code is not None and error.code.isdigit() else None
        if status is None or not 400 <= status < 600:
            status = STATUS_OF.get(error.code or "") or STATUS_OF.get(error.kind)
        return [Failed(error.kind, error.message, status, error.code)]

    # --- a choice -----------------------------------------------------------------------------------

    def _choice(self, choice: ChunkChoice, data: bytes, out: list[StreamEvent]) -> None:
        delta = choice.delta
        if delta is not None:
            shape = (
                delta.content is None,
                delta.tool_calls is None,
                delta.reasoning_content is None,
                choice.finish_reason is None,
                delta.reasoning is None,
                delta.role is None,
                choice.logprobs is ABSENT,
            )
            if shape not in self._shapes:
                self._shapes.add(shape)
                self._examine(choice, data)
            self._delta(delta, out)
            self._flows = self._state is _BLOCKS and bool(delta.content)
        if choice.finish_reason is not None and self._state is _BLOCKS:
            self._finished(choice.finish_reason, out)

    def _delta(self, delta: Delta, out: list[StreamEvent]) -> None:
        before = len(out)
        if delta.reasoning_details:
            self._details(delta.reasoning_details, delta.reasoning_content or delta.reasoning, out)
        elif reasoning := delta.reasoning_content or delta.reasoning:
            self._lanes.text("thinking", self._thinking, reasoning, out)
        if delta.content:
            self._lanes.text("text", _TEXT, delta.content, out)
        if delta.refusal:
            self._refused = True
            self._lanes.text("refusal", _REFUSAL, delta.refusal, out)
        if delta.tool_calls:
            for call in delta.tool_calls:
                self._call(call, out)
        if delta.function_call is not None:
            self._call_with(self._legacy_call(out), delta.function_call, out)
        if self._state is _FINISHED and len(out) > before:
            raise bad_response(self._issuer, "content came after the finish reason")

    def _details(self, details: list[DetailDelta], plain: str | None, out: list[StreamEvent]) -> None:
        """Each detail in the order it came; `plain` repeats their text, so it counts only where they have none."""
        if plain and not any(detail.text or detail.summary for detail in details):
            self._lanes.text("thinking", self._thinking, plain, out)
        for detail in details:
            issuer = detail.issuer or self._issuer
            extras = detail_extras(detail)
            if detail.type == "reasoning.encrypted":
                self._lanes.whole(RedactedThinking(detail.data or "", issuer, extras), out)
                continue
            if detail.type not in {"reasoning.text", "reasoning.summary"}:
                self._lose_once(
                    "choices[].delta.reasoning_details", LossReason.UNKNOWN_PART, Severity.SEMANTIC
                )
            key = ("thinking", detail.index)
            head = Thinking("", issuer=issuer, extras=extras)
            if text := detail.text or detail.summary:
                self._lanes.text(key, head, text, out)
            if detail.signature:
                self._lanes.signature(key, head, detail.signature, out)

    # --- tool calls ---------------------------------------------------------------------------------

    def _call(self, delta: CallDelta, out: list[StreamEvent]) -> None:
        call = self._which(delta, out)
        if delta.id and not call.id:
            call.id = delta.id
        self._call_with(call, delta.function or FunctionDelta(), out)

    def _which(self, delta: CallDelta, out: list[StreamEvent]) -> _Call:
        """The call that a delta belongs to; a new one if it names itself and is not known."""
        named = delta.function is not None and bool(delta.function.name)
        if delta.index is not None:
            call = self._by_index.get(delta.index)
        elif delta.id:
            call = next((each for each in self._calls if each.id == delta.id), None)
        else:
            call = self._current
        if call is None or (named and delta.id and call.id and delta.id != call.id):
            call = self._new_call(out)
            if delta.index is not None:
                self._by_index[delta.index] = call
        self._current = call
        return call

    def _legacy_call(self, out: list[StreamEvent]) -> _Call:
        if self._current is None:
            self._current = self._new_call(out)
        return self._current

    def _new_call(self, out: list[StreamEvent]) -> _Call:
        if self._calls and self._calls[-1].name:
            self._open_call(self._calls[-1], out)  # calls keep their order
        call = _Call(len(self._calls))
        self._calls.append(call)
        return call

    def _call_with(self, call: _Call, function: FunctionDelta, out: list[StreamEvent]) -> None:
        if function.name and not call.opened:
            call.add_name(function.name)
            if call.name in self._memory.tools:
                self._open_call(call, out)
        if function.arguments:
            self._open_call(call, out)
            self._lanes.arguments(call.key, function.arguments, out)

    def _open_call(self, call: _Call, out: list[StreamEvent]) -> None:
        if call.opened:
            return
        if not call.name:
            raise bad_response(self._issuer, "a tool call has no name")
        call.opened = True
        call_id = call.id or made_id(self._answer_id, call.key)
        name = self._memory.renames.get(call.name, call.name)
        self._lanes.call(call.key, ToolCall(call_id, name, ""), out)

    # --- what is lost -------------------------------------------------------------------------------

    def _examine(self, choice: ChunkChoice, data: bytes) -> None:
        """Fields that we do not know, once for each shape of chunk: the loop decodes leniently."""
        if choice.logprobs is not ABSENT and bytes(choice.logprobs) != _NULL:
            self._lose_once("choices[].logprobs", LossReason.UNSUPPORTED, severity_of("logprobs"))
        for path in unknown_paths(data, Chunk):
            name = path.rpartition(".")[2]
            reason = LossReason.UNSUPPORTED if name in EXTRA_SEVERITY else LossReason.UNKNOWN_FIELD
            if not path.startswith("usage."):
                self._lose_once(path, reason, severity_of(name))

    def _lose_once(self, path: str, reason: LossReason, severity: Severity) -> None:
        loss = Loss(path, reason, severity)
        if loss not in self.losses:
            self.losses.append(loss)
