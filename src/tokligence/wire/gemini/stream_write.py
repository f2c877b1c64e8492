"""Conversation events -> Gemini stream.

Each chunk is a `GenerateContentResponse` with what is new. A call is one part, so its arguments wait until its block
closes. Finish reason and usage stand in the last chunk. As the vendor does, SSE is written with CRLF; a client that does
not ask for `alt=sse` gets the same chunks as one JSON array:

    NOTHING --chunk--> "[" chunk --chunk--> "," chunk ... --Closed or fail--> "," chunk "]"
"""

from __future__ import annotations

from typing import Final, TypeAlias, assert_never

import msgspec
from msgspec.structs import replace

from tokligence.conversation import (
    BlockClosed,
    BlockOpened,
    Closed,
    Failed,
    Finished,
    FinishReason,
    Loss,
    LossReason,
    OpaqueDelta,
    Opened,
    Part,
    Ping,
    Refusal,
    SignatureDelta,
    StreamEvent,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    Usage,
    UsageSeen,
)
from tokligence.wire.contract import ErrorView, ReplyContext
from tokligence.wire.gemini.parts_out import Json, Piece
from tokligence.wire.gemini.signatures import pack
from tokligence.wire.gemini.tables import FINISH_REASON
from tokligence.wire.gemini.usage import usage_losses, write_usage
from tokligence.wire.gemini.write_answer import (
    finish_losses,
    put_extras,
    tier_losses,
    write_error,
    write_part,
    write_thinking,
)

_encode: Final = msgspec.json.Encoder().encode
_HEAD: Final = b'{"candidates":[{"content":{"parts":['
_TEXT: Final = b'{"text":'
_ROLE: Final = b'],"role":"model"},"index":0}],'

_Rare: TypeAlias = (
    Opened
    | BlockOpened
    | SignatureDelta
    | OpaqueDelta
    | BlockClosed
    | UsageSeen
    | Finished
    | Ping
    | Closed
    | Failed
)


class StreamWriter:
    """See `contract.StreamWriter`. `array`: one JSON array instead of SSE."""

    __slots__ = (
        "_after",
        "_arguments",
        "_array",
        "_before",
        "_begun",
        "_call",
        "_context",
        "_done",
        "_finish",
        "_model",
        "_number",
        "_response_id",
        "_signed",
        "_tail",
        "_thinking",
        "_usage",
        "losses",
    )

    def __init__(self, context: ReplyContext, *, array: bool = False) -> None:
        self.losses: list[Loss] = []
        self._context = context
        self._array = array
        self._begun = False
        self._done = False
        self._number = -1  # of the open or last block
        self._before: bytes | None = None  # of a fragment of the open block; None: it takes no text at once
        self._after = b""
        self._call: ToolCall | None = None  # the open one
        self._arguments: list[str] = []
        self._thinking: Thinking | None = None  # the open one
        self._signed = False  # the open one is
        self._usage: Usage | None = None
        self._finish = Finished(FinishReason.STOP)
        self._model = ""
        self._response_id = context.new_id("")
        self._tail = b""
        self._name("")

    def write(self, event: StreamEvent) -> bytes:
        if isinstance(event, TextDelta):
            if self._before is not None:
                if not event.text or self._done:
                    return b""
                return self._framed(self._before + _encode(event.text) + self._after)
            if self._call is not None:
                self._arguments.append(event.text)
            return b""
        return b"" if self._done else self._write_rare(event)

    def fail(self, error: ErrorView) -> bytes:
        if self._done:
            return b""
        framed = self._framed(write_error(error))
        self._done = True
        return framed + b"]" if self._array else framed

    def _write_rare(self, event: _Rare) -> bytes:
        match event:
            case BlockOpened():
                return self._open(event.part)
            case BlockClosed():
                return self._close()
            case SignatureDelta():
                return self._signature(event.signature)
            case Opened():
                self._usage = event.usage
                self.losses += tier_losses(event.service_tier)
                self._name(event.model)
                return b""
            case UsageSeen():
                self._usage = event.usage
                return b""
            case Finished():
                self._finish = event
                return b""
            case OpaqueDelta():
                loss = Loss(f"content[{max(self._number, 0)}].{event.kind}", LossReason.UNSUPPORTED)
                if loss not in self.losses:
                    self.losses.append(loss)
                return b""
            case Ping():
                return b""
            case Closed():
                return self._end()
            case Failed():
                status = event.status or 500
                return self.fail(ErrorView(status, event.message, self._context.request_id, event.code))
            case _:
                assert_never(event)

    # --- chunks -----------------------------------------------------------------------------------------

    def _name(self, model: str) -> None:
        self._model = model
        self._tail = _encode({"modelVersion": model, "responseId": self._response_id})[1:]

    def _framed(self, body: bytes) -> bytes:
        if not self._array:
            return b"data: " + body + b"\r\n\r\n"
        begun, self._begun = self._begun, True
        return (b",\r\n" if begun else b"[") + body

    def _chunk(self, piece: Piece) -> bytes:
        return self._framed(_HEAD + _encode(piece) + _ROLE + self._tail)

    def _end(self) -> bytes:
        finish = self._finish
        self.losses += finish_losses(finish.reason, finish.stop_sequence)
        self.losses += usage_losses(self._usage)
        candidate: Json = {
            "content": {"parts": [{"text": ""}], "role": "model"},
            "finishReason": FINISH_REASON[finish.reason],
            "index": 0,
        }
        body: Json = {"candidates": [candidate]}
        if self._usage is not None:
            body["usageMetadata"] = write_usage(self._usage)
        body |= {"modelVersion": self._model, "responseId": self._response_id}
        put_extras(finish.extras, candidate, body, self.losses)
        framed = self._framed(_encode(body))
        self._done = True
        return framed + b"]" if self._array else framed

    # --- blocks -----------------------------------------------------------------------------------------

    def _open(self, part: Part) -> bytes:
        """The block's head says nothing by itself; what the part already holds goes out at once."""
        self._number += 1
        self._before = self._call = self._thinking = None
        path = f"content[{self._number}]"
        match part:
            case Text() | Refusal():
                self._before, self._after = _HEAD + _TEXT, b"}" + _ROLE + self._tail
                write_part(replace(part, text=""), path, self.losses, self._context)  # for its extras
                return self.write(TextDelta(self._number, part.text)) if part.text else b""
            case Thinking():
                self._thinking = part
                self._signed = part.signature is not None
                self._before, self._after = _HEAD + _TEXT, b',"thought":true}' + _ROLE + self._tail
                write_part(replace(part, signature=None), path, self.losses, self._context)
                if part.signature is not None:
                    return self._chunk(write_thinking(part))
                return self.write(TextDelta(self._number, part.text)) if part.text else b""
            case ToolCall():
                self._call = part
                self._arguments = [part.arguments]
                return b""
            case _:
                piece = write_part(part, path, self.losses, self._context)
                return b"" if piece is None else self._chunk(piece)

    def _signature(self, signature: str) -> bytes:
        if self._call is not None:
            self._call = replace(self._call, signature=(self._call.signature or "") + signature)
        elif self._thinking is not None:
            self._signed = True
            return self._proof(pack(signature, self._thinking.issuer))
        return b""

    def _proof(self, packed: str) -> bytes:
        return self._chunk({"text": "", "thought": True, "thoughtSignature": packed})

    def _close(self) -> bytes:
        call, thinking = self._call, self._thinking
        self._before = self._call = self._thinking = None
        if thinking is not None and not self._signed:
            packed = pack("", thinking.issuer)  # says whose it is, where that is not Google
            return self._proof(packed) if packed else b""
        if call is None:
            return b""
        whole = replace(call, arguments="".join(self._arguments))
        piece = write_part(whole, f"content[{self._number}]", self.losses, self._context)
        assert piece is not None, "a call is a part"
        return self._chunk(piece)
