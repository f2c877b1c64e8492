"""Words of Chat Completions and their meaning in the conversation, each in one table.

Source, read 2026-11-24: openai SDK 3.57 `types/chat/chat_completion.py`.
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
