"""Reasoning of the conversation -> `reasoning_details` as OpenRouter has them (documentation of 2026-06), with the
issuer of a signature beside it, so that it goes back to that issuer only."""

from __future__ import annotations

from typing import Any

from orjson import Fragment

from tokligence.conversation import Extras, ProtocolId, RedactedThinking, Thinking


def write_detail(part: Thinking | RedactedThinking, index: int) -> dict[str, Any]:
    """One detail; `index`: its place among the answer's details."""
    own = _own(part.extras)
    if isinstance(part, RedactedThinking):
        detail: dict[str, Any] = {"type": "reasoning.encrypted", "data": part.data}
        if part.issuer is not None:
            detail["issuer"] = part.issuer
    elif own.get("type") == b'"reasoning.summary"':
        detail = {"type": "reasoning.summary", "summary": part.text}
    else:
        detail = {"type": "reasoning.text", "text": part.text}
        if part.signature is not None:
            detail["signature"] = part.signature
            if part.issuer is not None:
                detail["issuer"] = part.issuer
    detail["index"] = index
    detail.update((name, Fragment(raw)) for name, raw in own.items() if name != "type")
    return detail


def _own(extras: Extras | None) -> dict[str, bytes]:
    if extras is None or extras.origin is not ProtocolId.OPENAI_CHAT:
        return {}
    return dict(extras.fields)
