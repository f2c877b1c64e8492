"""The measure of each agent is taken once."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol, TypeVar

import pytest

from tests.agents import install
from tests.agents.agents import Agent, Outcome
from tests.agents.cells import directly

T = TypeVar("T")
Measure = Callable[[Agent], Outcome]


class Available(Protocol):
    def __call__(self, work: Callable[[], T]) -> T: ...


@pytest.fixture(scope="session")
def measure(tmp_path_factory: pytest.TempPathFactory) -> Measure:
    """What an agent does when it asks directly."""
    taken: dict[str, Outcome] = {}

    def of(agent: Agent) -> Outcome:
        if agent.id not in taken:
            taken[agent.id] = directly(agent, tmp_path_factory.mktemp(f"{agent.id}-direct"))
        return taken[agent.id]

    return of


@pytest.fixture
def available() -> Available:
    """Does what needs something from npm or PyPI. Where that cannot be had the test is skipped; under CI it fails."""

    def do(work: Callable[[], T]) -> T:
        try:
            return work()
        except install.NotInstalled as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"could not be installed: {str(error)[:300]}")

    return do
