"""Service tiers in OpenAI's words.

Sources, read 2026-11-24: openai SDK 3.57 `types/chat/completion_create_params.py`, `types/responses/service_tier.py`;
anthropic SDK `types/message_create_params.py` for its tiers.
"""

from __future__ import annotations

from typing import Final

SERVICE_TIER: Final[dict[str, str]] = {
    "auto": "auto",
    "default": "default",
    "flex": "flex",
    "scale": "scale",
    "priority": "priority",
    "fast": "fast",
    "standard_only": "default",
}
"""Service tier asked for, in any protocol's word -> OpenAI's; others have no word here."""

ANSWER_TIER: Final[dict[str, str]] = {
    "auto": "auto",
    "default": "default",
    "flex": "flex",
    "scale": "scale",
    "priority": "priority",
    "fast": "fast",
    "standard": "default",
}
"""Service tier that served, in any protocol's word -> OpenAI's."""
