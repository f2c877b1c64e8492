"""The Gemini API (`generateContent`), one module per direction. `CODEC` is what the rest of the gateway sees; `ARRAY_CODEC`
writes the streams of clients that do not ask for SSE. `paths` reads and writes what stands in the URL."""

from __future__ import annotations

from typing import Final

from tokligence.wire.gemini.codec import Gemini, GeminiArray

CODEC: Final = Gemini()
ARRAY_CODEC: Final = GeminiArray()
