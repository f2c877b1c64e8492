"""Fixtures for every test. `tests` is a package, so that `tests.fakes` can be imported from anywhere below it."""

from __future__ import annotations

from tests.fakes.fixtures import (
    anthropic_server,
    anthropic_upstream,
    compatible_server,
    compatible_upstream,
    openai_server,
    openai_upstream,
)

__all__ = [
    "anthropic_server",
    "anthropic_upstream",
    "compatible_server",
    "compatible_upstream",
    "openai_server",
    "openai_upstream",
]
