"""Fixtures for every test. `tests` is a package, so that `tests.fakes` can be imported from anywhere below it."""

from __future__ import annotations

import pytest

from tests.fakes.fixtures import (
    anthropic_server,
    anthropic_upstream,
    compatible_server,
    compatible_upstream,
    gemini_server,
    gemini_upstream,
    openai_server,
    openai_upstream,
)

__all__ = [
    "anthropic_server",
    "anthropic_upstream",
    "compatible_server",
    "compatible_upstream",
    "gemini_server",
    "gemini_upstream",
    "openai_server",
    "openai_upstream",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write golden files anew in place of comparing with them"
    )


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written."""
    return bool(request.config.getoption("--update-golden"))
