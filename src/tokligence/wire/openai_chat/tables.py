"""Words of Chat Completions and their meaning in the conversation, each in one table.

Sources, read 2026-11-24: openai SDK 3.57 `types/chat/chat_completion.py`, `completion_create_params.py`;
developers.openai.com/api/docs/guides/error-codes; anthropic SDK `types/message_create_params.py` for its tiers.
"""

from __future__ import annotations

from typing import Final

from tokligence.conversation import FinishReason

FINISH_REASON: Final[dict[FinishReason, str]] = {
    FinishReason.STOP: "stop",
    FinishReason.STOP_SEQUENCE: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.TOOL_CALLS: "tool_calls",
    FinishReason.REFUSAL: "content_filter",
    FinishReason.PAUSE: "stop",
    FinishReason.CONTEXT_WINDOW: "length",
}

FINISH_OF: Final[dict[str, FinishReason]] = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.REFUSAL,
    # Words of compatible servers that pass their model's own through.
    "end_turn": FinishReason.STOP,
    "eos": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP_SEQUENCE,
    "max_tokens": FinishReason.LENGTH,
    "model_length": FinishReason.CONTEXT_WINDOW,
    "tool_use": FinishReason.TOOL_CALLS,
}

BROKEN_OFF: Final = frozenset({"error", "insufficient_system_resource", "network_error"})
"""Finish reasons by which OpenRouter, DeepSeek and Zhipu say that the answer failed half-way."""

SERVICE_TIER: Final[dict[str, str]] = {
    "auto": "auto",
    "default": "default",
    "flex": "flex",
    "scale": "scale",
    "priority": "priority",
    "fast": "fast",
    "standard_only": "default",
}
"""Service tier asked for, in any protocol's word -> Chat's; others have no word here."""

ANSWER_TIER: Final[dict[str, str]] = {
    "auto": "auto",
    "default": "default",
    "flex": "flex",
    "scale": "scale",
    "priority": "priority",
    "fast": "fast",
    "standard": "default",
}
"""Service tier that served, in any protocol's word -> Chat's."""

ERROR_TYPE: Final[dict[int, str]] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}

STATUS_OF: Final[dict[str, int]] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "insufficient_quota": 429,
    "permission_error": 403,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "requests": 429,
    "tokens": 429,
    "server_error": 500,
    "service_unavailable": 503,
    "overloaded_error": 503,
}
"""The status that an error's type or code stands for, where a stream has no status of its own."""


def error_type(status: int) -> str:
    return ERROR_TYPE.get(status) or ("server_error" if status >= 500 else "invalid_request_error")
