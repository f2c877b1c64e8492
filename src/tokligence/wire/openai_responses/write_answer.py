"""The conversation -> a whole Responses answer; the error of a stream."""

from __future__ import annotations

from typing import Any, Final

import orjson
from orjson import Fragment

from tokligence.conversation import (
    FinishReason,
    Loss,
    LossReason,
    Opaque,
    Part,
    RedactedThinking,
    Refusal,
    Response,
    Severity,
    Text,
    Thinking,
    ToolCall,
)
from tokligence.wire.contract import ErrorView, Reply, ReplyContext
from tokligence.wire.openai.tiers import ANSWER_TIER
from tokligence.wire.openai_responses.items_in import OWN
from tokligence.wire.openai_responses.items_told import (
    DONE,
    MESSAGE_PREFIX,
    REASONING_PREFIX,
    Json,
    call_item,
    call_prefix,
    message_item,
    reasoning_item,
    refusal_part,
    text_part,
)
from tokligence.wire.openai_responses.reasoning import pack
from tokligence.wire.openai_responses.resource import ID_PREFIX, Resource, ending
from tokligence.wire.openai_responses.tables import error_code
from tokligence.wire.openai_responses.usage import usage_losses
from tokligence.wire.severity import foreign_losses

TIER_LOST: Final = Loss("usage.service_tier", LossReason.UNSUPPORTED, Severity.COSMETIC)


def write_response(response: Response, context: ReplyContext) -> Reply:
    losses = foreign_losses(response.extras, OWN)
    losses += finish_losses(response.finish, response.stop_sequence)
    losses += usage_losses(response.usage)
    if response.service_tier is not None and response.service_tier not in ANSWER_TIER:
        losses.append(TIER_LOST)
    resource = Resource(context)
    resource.model = response.model
    resource.tier = response.service_tier
    if response.created is not None:
        resource.created = response.created
    refused = any(isinstance(part, Refusal) for part in response.parts)
    status, reason = ending(response.finish, refused=refused)
    output = _Output(context, losses).write(response.parts, status)
    return Reply(resource.write(status, output, usage=response.usage, reason=reason), tuple(losses))


def finish_losses(finish: FinishReason, stop_sequence: str | None) -> list[Loss]:
    """What a finish reason means that Responses has no word for."""
    losses: list[Loss] = []
    if finish is FinishReason.PAUSE:
        losses.append(Loss("stop_reason", LossReason.CONVERTED))
    if stop_sequence is not None:
        losses.append(Loss("stop_sequence", LossReason.UNSUPPORTED, Severity.COSMETIC))
    return losses


class _Output:
    """The items of one answer. Texts and refusals in a row are one message."""

    __slots__ = ("_content", "_context", "_losses", "items")

    def __init__(self, context: ReplyContext, losses: list[Loss]) -> None:
        self._context = context
        self._losses = losses
        self._content: list[Json] = []  # of the open message
        self.items: list[Any] = []

    def write(self, parts: tuple[Part, ...], status: str) -> list[Any]:
        """`status`: of the response; a message that it ends in has the same."""
        for number, part in enumerate(parts):
            path = f"content[{number}]"
            match part:
                case Text():
                    self._content.append(text_part(part.text))
                case Refusal():
                    self._content.append(refusal_part(part.text))
                case ToolCall() | Thinking() | RedactedThinking():
                    self._close(DONE)
                    self._item(part)
                case Opaque() if part.origin is OWN:
                    self._close(DONE)
                    self.items.append(Fragment(part.raw))
                    continue
                case _:
                    self._losses.append(Loss(path, LossReason.UNKNOWN_PART))
                    continue
            if part.extras is not None:
                self._losses += foreign_losses(part.extras, OWN, path)
        self._close(status)
        return self.items

    def _item(self, part: ToolCall | Thinking | RedactedThinking) -> None:
        new_id = self._context.new_id
        if isinstance(part, ToolCall):
            arguments = part.arguments or ("" if part.freeform else "{}")
            self.items.append(call_item(new_id(call_prefix(part)), part, arguments, DONE))
            return
        text = part.text if isinstance(part, Thinking) else ""
        encrypted = pack(part)
        if text or isinstance(part, RedactedThinking) or part.signature is not None:
            self.items.append(reasoning_item(new_id(REASONING_PREFIX), text, encrypted))

    def _close(self, status: str) -> None:
        if self._content:
            item_id = self._context.new_id(MESSAGE_PREFIX)
            self.items.append(message_item(item_id, self._content, status))
            self._content = []


# --- errors ---------------------------------------------------------------------------------------------


def error_object(error: ErrorView) -> dict[str, str]:
    """Of a failed response."""
    return {"code": error_code(error.status, error.code), "message": error.message}


def write_stream_error(error: ErrorView) -> bytes:
    """Ends a stream that somebody else began, whose numbers and ids are not known here."""
    response = {
        "id": f"{ID_PREFIX}{error.request_id}",
        "object": "response",
        "created_at": 0,
        "status": "failed",
        "error": error_object(error),
        "incomplete_details": None,
        "model": "",
        "output": [],
        "usage": None,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    event = {"type": "response.failed", "sequence_number": 0, "response": response}
    return b"event: response.failed\ndata: " + orjson.dumps(event) + b"\n\n"
