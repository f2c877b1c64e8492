"""The list of models as Anthropic has it (anthropic SDK 2.13, `types/model_info.py`, read 2026-11-24)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from tokligence.wire.contract import ListedModel


def _model(model: ListedModel) -> dict[str, object]:
    created = datetime.fromtimestamp(model.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.id,
        "created_at": created,
        "lifecycle": "active",
        "max_input_tokens": model.context_tokens,
        "max_tokens": model.max_output_tokens,
    }


def write_models(models: Sequence[ListedModel]) -> bytes:
    return msgspec.json.encode(
        {
            "data": [_model(m) for m in models],
            "has_more": False,
            "first_id": models[0].id if models else None,
            "last_id": models[-1].id if models else None,
        }
    )


def write_model(model: ListedModel) -> bytes:
    return msgspec.json.encode(_model(model))
