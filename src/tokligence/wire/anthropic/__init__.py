"""Anthropic Messages: one module per direction. `CODEC` is what the rest of the gateway sees."""

from __future__ import annotations

from typing import Final

from tokligence.wire.anthropic.codec import Anthropic

CODEC: Final = Anthropic()
