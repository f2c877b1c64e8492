"""The list of models as Gemini has it, and counts of tokens (ai.google.dev/api/{models,tokens}; google-genai 3.6.1
`Model`, `CountTokensResponse`; read 2026-11-24)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct

from tokligence.wire.contract import ListedModel
from tokligence.wire.splice import TopLevel

_METHODS: Final = ("generateContent", "streamGenerateContent", "countTokens")


def _model(model: ListedModel) -> dict[str, object]:
    out: dict[str, object] = {
        "name": f"models/{model.id}",
        "version": "1",
        "displayName": model.id,
        "description": f"Served by {model.owner}.",
    }
    if model.context_tokens is not None:
        out["inputTokenLimit"] = model.context_tokens
    if model.max_output_tokens is not None:
        out["outputTokenLimit"] = model.max_output_tokens
    return {**out, "supportedGenerationMethods": _METHODS}


def write_models(models: Sequence[ListedModel]) -> bytes:
    return msgspec.json.encode({"models": [_model(m) for m in models]})


def write_model(model: ListedModel) -> bytes:
    return msgspec.json.encode(_model(model))


# --- counting tokens ------------------------------------------------------------------------------------


class _Count(Struct, rename="camel"):
    total_tokens: int


_COUNT: Final = msgspec.json.Decoder(_Count)
_REQUEST: Final = ("generateContentRequest", "generate_content_request")


def counted_request(raw: bytes) -> bytes:
    """The request whose tokens a `countTokens` asks for: the body itself, or what it holds. Raises `request.*`."""
    top = TopLevel(raw)
    for name in _REQUEST:
        if name in top.values:
            return bytes(top.values[name])
    return raw


def write_count_request(body: bytes, model: str) -> bytes:
    """`countTokens` of a whole request, tools and system text included. `body`: of `write_request`."""
    inner = TopLevel(body).append("model", msgspec.json.encode(f"models/{model}"))
    return msgspec.json.encode({"generateContentRequest": Raw(inner)})


def write_count(tokens: int) -> bytes:
    return msgspec.json.encode({"totalTokens": tokens})


def read_count(raw: bytes) -> int | None:
    """None if it is no count."""
    try:
        return _COUNT.decode(raw).total_tokens
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
