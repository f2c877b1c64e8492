"""The Gemini API (`generateContent`), one module per direction. `CODEC` is what the rest of the gateway sees; `ARRAY_CODEC`
writes the streams of clients that do not ask for SSE. `paths` reads and writes what stands in the URL."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """Loaded when it is first asked for: who wants one small module of the package does not wait for all of them."""
    if name in ("CODEC", "ARRAY_CODEC"):
        from tokligence.wire.gemini import codec

        return getattr(codec, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
