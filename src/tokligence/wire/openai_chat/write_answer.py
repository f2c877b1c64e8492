"""The conversation -> a whole Chat Completions answer, the error of a stream."""

from __future__ import annotations

from typing import Any, Final

import orjson

from tokligence.conversation import (
    FinishReason,
    Loss,
    LossReason,
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
from tokligence.wire.openai.errors import write_error
from tokligence.wire.openai.tiers import ANSWER_TIER
from tokligence.wire.openai_chat.parts import OWN
from tokligence.wire.openai_chat.reasoning import write_detail
from tokligence.wire.openai_chat.tables import FINISH_REASON
from tokligence.wire.openai_chat.usage import usage_losses, write_usage
from tokligence.wire.severity import foreign_losses

ID_PREFIX = "chatcmpl-"
TIER_LOST: Final = Loss("usage.service_tier", LossReason.UNSUPPORTED, Severity.COSMETIC)


def write_response(response: Response, context: ReplyContext) -> Reply:
    finish, usage = response.finish, response.usage
    losses = [*foreign_losses(response.extras, OWN), *finish_losses(finish, response.stop_sequence)]
    body: dict[str, Any] = {
        "id": context.new_id(ID_PREFIX),
        "object": "chat.completion",
        "created": context.now if response.created is None else response.created,
        "model": response.model,
        "choices": [
            {
                "index": 0,
                "message": _write_message(response.parts, losses),
                "logprobs": None,
                "finish_reason": FINISH_REASON[finish],
            }
        ],
    }
    if usage is not None:
        losses += usage_losses(usage)
        body["usage"] = write_usage(usage)
    if response.service_tier is not None:
        tier = ANSWER_TIER.get(response.service_tier)
        if tier is not None:
            body["service_tier"] = tier
        else:
            losses.append(TIER_LOST)
    return Reply(orjson.dumps(body), tuple(losses))


def finish_losses(finish: FinishReason, stop_sequence: str | None) -> list[Loss]:
    """What a finish reason means that Chat has no word for."""
    losses: list[Loss] = []
    if finish is FinishReason.PAUSE:
        losses.append(Loss("stop_reason", LossReason.CONVERTED))
    if stop_sequence is not None:
        losses.append(Loss("stop_sequence", LossReason.UNSUPPORTED, Severity.COSMETIC))
    return losses


def _write_message(parts: tuple[Part, ...], losses: list[Loss]) -> dict[str, Any]:
    texts: list[str] = []
    refusals: list[str] = []
    calls: list[dict[str, Any]] = []
    reasoning: list[str] = []
    details: list[dict[str, Any]] = []
    for number, part in enumerate(parts):
        match part:
            case Text():
                texts.append(part.text)
            case Refusal():
                refusals.append(part.text)
            case ToolCall():
                calls.append(_write_call(part))
            case Thinking():
                if part.text or part.signature is not None:
                    reasoning.append(part.text)
                    details.append(write_detail(part, len(details)))
            case RedactedThinking():
                details.append(write_detail(part, len(details)))
            case _:
                losses.append(Loss(f"content[{number}]", LossReason.UNKNOWN_PART))
                continue
        if part.extras is not None:
            losses += foreign_losses(part.extras, OWN, f"content[{number}]")
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(texts) if texts else None,
        "refusal": "".join(refusals) if refusals else None,
    }
    if any(reasoning):
        message["reasoning_content"] = "".join(reasoning)
    if details:
        message["reasoning_details"] = details
    if calls:
        message["tool_calls"] = calls
    return message


def _write_call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments or "{}"}
    return {"id": call.id, "type": "function", "function": function}


def write_stream_error(error: ErrorView) -> bytes:
    """The SDKs raise on a chunk with `error`. No `[DONE]` follows: the answer is not whole."""
    return b"data: " + write_error(error) + b"\n\n"
