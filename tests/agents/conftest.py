"""The measure of each agent is taken once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agents import install
from tests.agents.agents import Agent, Outcome
from tests.agents.cells import directly

Measure = Callable[[Agent], Outcome]


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
def installed() -> Callable[[Agent], Path]:
    """Installs an agent. Where that is not possible its tests are skipped; under CI they fail."""

    def do(agent: Agent) -> Path:
        try:
            return agent.programs()
        except install.NotInstalled as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"{agent.id} could not be installed: {str(error)[:300]}")

    return do
