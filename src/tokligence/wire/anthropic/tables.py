"""Words of the Messages API and their meaning in the conversation, each in one table.

Sources, read 2026-11-24: platform.claude.com/docs/en/api/errors; anthropic SDK 2.13.0 `types/stop_reason.py`,
`types/beta/beta_stop_reason.py`, `types/usage.py`, `types/message_create_params.py`, `types/shared/error_object.py`.
"""

from __future__ import annotations

from typing import Final

from tokligence.conversation import FinishReason, Severity

FINISH_OF: Final[dict[str, FinishReason]] = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP_SEQUENCE,
    "max_tokens": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.REFUSAL,
    "pause_turn": FinishReason.PAUSE,
    "model_context_window_exceeded": FinishReason.CONTEXT_WINDOW,
    "compaction": FinishReason.STOP,  # only answers a compaction request, which nobody translates
}

STOP_REASON_OF: Final[dict[FinishReason, str]] = {
    FinishReason.STOP: "end_turn",
    FinishReason.STOP_SEQUENCE: "stop_sequence",
    FinishReason.LENGTH: "max_tokens",
    FinishReason.TOOL_CALLS: "tool_use",
    FinishReason.REFUSAL: "refusal",
    FinishReason.PAUSE: "pause_turn",
    FinishReason.CONTEXT_WINDOW: "model_context_window_exceeded",
}

ERROR_TYPE_OF: Final[dict[int, str]] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}

STATUS_OF: Final[dict[str, int]] = {
    **{kind: status for status, kind in ERROR_TYPE_OF.items()},
    "gateway_timeout_error": 504,
}


def error_type(status: int) -> str:
    """The vendor's error type for a status; other 4xx are `invalid_request_error`, as its page says."""
    return ERROR_TYPE_OF.get(status) or ("api_error" if status >= 500 else "invalid_request_error")


REQUEST_TIER_OF: Final[dict[str, str]] = {
    "auto": "auto",
    "standard_only": "standard_only",
    "default": "standard_only",
    "priority": "auto",  # "auto" takes priority capacity where there is some
    "scale": "auto",
}
"""Service tier asked for, in any protocol's word -> Anthropic's; others have no word here."""

ANSWER_TIER_OF: Final[dict[str, str]] = {
    "standard": "standard",
    "priority": "priority",
    "batch": "batch",
    "default": "standard",
    "scale": "priority",
}
"""Service tier that served, in any protocol's word -> Anthropic's."""

IMAGE_TYPES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})

SAMPLING_LOSS: Final[dict[str, Severity]] = {
    "frequency_penalty": Severity.SEMANTIC,
    "presence_penalty": Severity.SEMANTIC,
    "seed": Severity.COSMETIC,  # OpenAI promises no more than an attempt
    "n": Severity.SEMANTIC,
    "logprobs": Severity.SEMANTIC,
    "top_logprobs": Severity.SEMANTIC,
    "logit_bias": Severity.SEMANTIC,
}
"""Fields of `Sampling` that Anthropic does not have."""

SAMPLING_NEUTRAL: Final[frozenset[object]] = frozenset({None, 0, b"{}", b"null"})
"""Values of those fields that ask for nothing (0 is also False); `n` is neutral at 1 too."""
