"""The list of models as OpenAI has it (openai SDK 3.57, `types/model.py`, read 2026-11-24)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tokligence.wire.contract import ListedModel


def _model(model: ListedModel) -> dict[str, object]:
    return {"id": model.id, "object": "model", "created": model.created, "owned_by": model.owner}


def write_models(models: Sequence[ListedModel]) -> bytes:
    return msgspec.json.encode({"object": "list", "data": [_model(m) for m in models]})


def write_model(model: ListedModel) -> bytes:
    return msgspec.json.encode(_model(model))
