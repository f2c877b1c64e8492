"""OpenAI Chat Completions, as clients and OpenAI-compatible upstreams speak it. `CODEC` is what the rest of the gateway
sees."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """Loaded when it is first asked for: who wants one small module of the package does not wait for all of them."""
    if name == "CODEC":
        from tokligence.wire.openai_chat import codec

        return getattr(codec, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
