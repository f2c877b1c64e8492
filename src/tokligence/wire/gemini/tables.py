"""Words of the Gemini API and their meaning in the conversation, each in one table.

Sources, read 2026-11-24: google-genai 3.6.1 `types.py` (FinishReason, BlockedReason, ServiceTier, FunctionCallingConfig);
ai.google.dev/gemini-api/docs/troubleshooting; the HTTP mapping of google.rpc.Code.
"""

from __future__ import annotations

from typing import Final

from tokligence.conversation import FinishReason

FINISH_OF: Final[dict[str, FinishReason]] = {
    "STOP": FinishReason.STOP,
    "MAX_TOKENS": FinishReason.LENGTH,
    "SAFETY": FinishReason.REFUSAL,
    "RECITATION": FinishReason.REFUSAL,
    "LANGUAGE": FinishReason.REFUSAL,
    "BLOCKLIST": FinishReason.REFUSAL,
    "PROHIBITED_CONTENT": FinishReason.REFUSAL,
    "SPII": FinishReason.REFUSAL,
    "MODEL_ARMOR": FinishReason.REFUSAL,
    "ESCALATION": FinishReason.REFUSAL,
    "PUP_LIMITED_DISABLED": FinishReason.REFUSAL,
    "IMAGE_SAFETY": FinishReason.REFUSAL,
    "IMAGE_PROHIBITED_CONTENT": FinishReason.REFUSAL,
    "IMAGE_RECITATION": FinishReason.REFUSAL,
    "OTHER": FinishReason.REFUSAL,  # it was stopped, the vendor does not say why
    "CONTINUATION": FinishReason.PAUSE,
}

BROKEN_OFF: Final = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "MALFORMED_RESPONSE",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "NO_IMAGE",
        "IMAGE_OTHER",
    }
)
"""Finish reasons of an answer that failed: what the model wrote could not be used, so nothing of it is an answer."""

FINISH_REASON: Final[dict[FinishReason, str]] = {
    FinishReason.STOP: "STOP",
    FinishReason.STOP_SEQUENCE: "STOP",
    FinishReason.LENGTH: "MAX_TOKENS",
    FinishReason.TOOL_CALLS: "STOP",
    FinishReason.REFUSAL: "SAFETY",
    FinishReason.PAUSE: "STOP",
    FinishReason.CONTEXT_WINDOW: "MAX_TOKENS",
}

STATUS_WORD: Final[dict[int, str]] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    505: "UNIMPLEMENTED",
}

STATUS_OF: Final[dict[str, int]] = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNKNOWN": 500,
    "DATA_LOSS": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}


def status_word(status: int) -> str:
    """Google's word for a status; other 4xx are `INVALID_ARGUMENT`, other 5xx `INTERNAL`."""
    return STATUS_WORD.get(status) or ("INTERNAL" if status >= 500 else "INVALID_ARGUMENT")


REQUEST_TIER_OF: Final[dict[str, str]] = {
    "auto": "standard",
    "default": "standard",
    "standard_only": "standard",
    "standard": "standard",
    "flex": "flex",
    "priority": "priority",
}
"""Service tier asked for, in any protocol's word -> Gemini's; others have no word here."""

SILENT_TIERS: Final = frozenset({"standard", "default"})
"""Tiers that served an answer and go without saying, as Gemini has no field for it."""

OWN_CONFIG: Final = (
    "audioTimestamp",
    "audioTranscriptionConfig",
    "continuationToken",
    "enableAffectiveDialog",
    "enableEnhancedCivicAnswers",
    "imageConfig",
    "mediaResolution",
    "modelSelectionConfig",
    "responseFormat",
    "responseModalities",
    "routingConfig",
    "speechConfig",
    "translationConfig",
)
"""Fields of `generationConfig` that only Gemini has; they stand in the request's extras with their path."""

OWN_PART: Final = (
    "audioMetadata",
    "audioTranscription",
    "documentMetadata",
    "mediaProcessing",
    "mediaResolution",
    "partMetadata",
    "speechMetadata",
    "spreadsheetMetadata",
    "videoMetadata",
)
"""Fields that stand beside a part's data and that only Gemini has."""

AUDIO_TYPES: Final[dict[str, str]] = {
    "audio/mp3": "mp3",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
}
"""Media type -> format as OpenAI names it; others are named by their subtype."""

AUDIO_TYPE_OF: Final[dict[str, str]] = {"mp3": "audio/mp3", "wav": "audio/wav"}

IMAGE_TYPES: Final = frozenset({"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"})
"""Pictures that the models read (ai.google.dev/gemini-api/docs/image-understanding, read 2026-11-24)."""

TYPE_OF_NAME: Final[dict[str, str]] = {
    "csv": "text/csv",
    "heic": "image/heic",
    "heif": "image/heif",
    "htm": "text/html",
    "html": "text/html",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "md": "text/markdown",
    "pdf": "application/pdf",
    "png": "image/png",
    "txt": "text/plain",
    "webp": "image/webp",
}
"""How a file's name ends -> its media type."""
