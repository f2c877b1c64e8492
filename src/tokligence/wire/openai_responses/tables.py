"""Words of the Responses protocol and their meaning in the conversation, each in one table.

Sources, read 2026-11-24: openai SDK 3.57 `types/responses/response.py`, `response_error.py`, `response_status.py`;
openai/codex `codex-rs/codex-api/src/sse/responses.rs` for the codes that it acts on.
"""

from __future__ import annotations

from typing import Final

from tokligence.conversation import FinishReason

INCOMPLETE_REASON: Final[dict[FinishReason, str]] = {
    FinishReason.LENGTH: "max_output_tokens",
    FinishReason.CONTEXT_WINDOW: "max_output_tokens",
    FinishReason.REFUSAL: "content_filter",
}
"""Why an answer is `incomplete`; with another finish reason it is `completed`."""

FINISH_OF: Final[dict[str, FinishReason]] = {
    "max_output_tokens": FinishReason.LENGTH,
    "content_filter": FinishReason.REFUSAL,
    "max_messages": FinishReason.PAUSE,
    "steered": FinishReason.PAUSE,
}
"""`incomplete_details.reason` -> finish reason."""

FAILED: Final = frozenset({"failed", "cancelled"})
"""Statuses of a response that gives no answer."""

ERROR_CODE: Final[dict[int, str]] = {
    400: "invalid_prompt",
    429: "rate_limit_exceeded",
}
"""Status -> code of a failed response; else `server_error`."""

KNOWN_CODES: Final = frozenset(
    {
        "bio_policy",
        "context_length_exceeded",
        "data_residency_mismatch",
        "insufficient_quota",
        "invalid_prompt",
        "misalignment_policy_violation",
        "rate_limit_exceeded",
        "server_error",
        "usage_not_included",
    }
)
"""Codes that a client knows; of others it is told what their status stands for."""

STATUS_OF_CODE: Final[dict[str, int]] = {
    "bio_policy": 400,
    "context_length_exceeded": 400,
    "data_residency_mismatch": 400,
    "invalid_prompt": 400,
    "misalignment_policy_violation": 400,
    "usage_not_included": 403,
}
"""The status that a failed response's code stands for, beside those of `openai.errors`."""


def error_code(status: int, code: str | None) -> str:
    """The code of a failed response."""
    return code if code in KNOWN_CODES else ERROR_CODE.get(status, "server_error")
