"""Parts of an answer -> output items, whole."""

from __future__ import annotations

from typing import Any, Final

from tokligence.conversation import ToolCall

Json = dict[str, Any]

MESSAGE_PREFIX: Final = "msg_"
REASONING_PREFIX: Final = "rs_"
FUNCTION_PREFIX: Final = "fc_"
CUSTOM_PREFIX: Final = "ctc_"

DONE: Final = "completed"


def text_part(text: str) -> Json:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def refusal_part(text: str) -> Json:
    return {"type": "refusal", "refusal": text}


def message_item(item_id: str, content: list[Json], status: str) -> Json:
    return {"id": item_id, "type": "message", "status": status, "role": "assistant", "content": content}


def reasoning_item(item_id: str, text: str, encrypted: str | None) -> Json:
    summary = [{"type": "summary_text", "text": text}] if text else []
    item: Json = {"id": item_id, "type": "reasoning", "summary": summary}
    if encrypted is not None:
        item["encrypted_content"] = encrypted
    return item


def call_item(item_id: str, call: ToolCall, arguments: str, status: str) -> Json:
    item: Json = {
        "id": item_id,
        "type": "custom_tool_call" if call.freeform else "function_call",
        "status": status,
        "call_id": call.id,
        "name": call.name,
        "input" if call.freeform else "arguments": arguments,
    }
    if call.namespace is not None:
        item["namespace"] = call.namespace
    return item


def call_prefix(call: ToolCall) -> str:
    return CUSTOM_PREFIX if call.freeform else FUNCTION_PREFIX
