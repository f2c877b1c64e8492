"""Fields of a request that both of OpenAI's protocols have under one name, though the conversation has no word for
them (openai SDK 3.57, `types/chat/completion_create_params.py` and `types/responses/response_create_params.py`)."""

from __future__ import annotations

from typing import Final

from tokligence.conversation import Extras, Loss, ProtocolId
from tokligence.wire.severity import foreign_losses

_FAMILY: Final = frozenset({ProtocolId.OPENAI_CHAT, ProtocolId.OPENAI_RESPONSES})

SHARED: Final = frozenset(
    {
        "moderation",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
    }
)


def taken_over(extras: Extras, own: ProtocolId, losses: list[Loss]) -> dict[str, bytes]:
    """The fields that `own` can write as they are; the others are lost."""
    if extras.origin is own:
        return dict(extras.fields)
    fields = extras.fields
    shared: dict[str, bytes] = {}
    if extras.origin in _FAMILY:
        shared = {name: raw for name, raw in fields.items() if name in SHARED}
        fields = {name: raw for name, raw in fields.items() if name not in shared}
    losses += foreign_losses(Extras(extras.origin, fields), own)
    return shared
