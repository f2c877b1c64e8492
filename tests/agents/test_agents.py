"""Each agent does the same as if asked directly, whatever vendor answers it through the gateway."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agents.agents import (
    AIDER,
    CLAUDE_CODE,
    CODEX,
    CODEX_CODE,
    CODEX_FREEFORM,
    GEMINI_CLI,
    OPENCODE,
    Agent,
)
from tests.agents.cells import Cell, through_gateway
from tests.agents.conftest import Available, Measure
from tests.agents.document import told
from tests.agents.task import Task
from tests.docs.shown import AGENTS, check_shown

pytestmark = [pytest.mark.agents, pytest.mark.timeout(300)]

CELLS = [
    (CLAUDE_CODE, "openai"),
    (CLAUDE_CODE, "anthropic"),
    (CODEX, "anthropic"),
    (CODEX, "llm"),
    (CODEX_FREEFORM, "openai"),
    (CODEX_FREEFORM, "anthropic"),
    (CODEX_CODE, "openai"),
    (CODEX_CODE, "anthropic"),
    (CODEX_CODE, "llm"),
    (GEMINI_CLI, "openai"),
    (GEMINI_CLI, "anthropic"),
    (GEMINI_CLI, "llm"),
    (OPENCODE, "anthropic"),
    (OPENCODE, "llm"),
    (AIDER, "anthropic"),
    (AIDER, "llm"),
]
DOCUMENTED = {
    CLAUDE_CODE.id: "openai",
    CODEX.id: "anthropic",
    GEMINI_CLI.id: "openai",
    OPENCODE.id: "anthropic",
    AIDER.id: "anthropic",
}
"""The run of each agent that docs/agents.md shows."""


def booked_as_said(cell: Cell, task: Task) -> None:
    """Every call of the task stands in the ledger with the tokens that its upstream said."""
    asked = [row for row in cell.calls if (row["input_tokens"] or 0) >= 1000 or row["outcome"] != "ok"]
    said = [(1000 + at, 100 * at, 50 + at) for at in range(len(task.turns))]
    done = [row for row in asked if row["outcome"] == "ok"]
    assert [(r["input_tokens"], r["cache_read_tokens"], r["output_tokens"]) for r in done] == said
    assert {row["usage_source"] for row in done} == {"exact"}
    failed = [row["status"] for row in asked if row["outcome"] != "ok"]
    assert failed == [failure.status for turn in task.turns for failure in turn.failures]
    assert {row["key_name"] for row in cell.calls} == {"agent"}


@pytest.mark.parametrize(("agent", "vendor"), CELLS, ids=[f"{a.id}-{v}" for a, v in CELLS])
def test_an_agent_does_the_same_through_the_gateway(
    agent: Agent, vendor: str, available: Available, measure: Measure, tmp_path: Path, update_golden: bool
) -> None:
    available(agent.programs)
    direct = measure(agent)
    cell = through_gateway(agent, tmp_path, {0: vendor}, connected=vendor != "anthropic")
    assert cell.outcome.transcript == direct.transcript
    assert cell.outcome.files == direct.files
    booked_as_said(cell, agent.task)
    if DOCUMENTED.get(agent.id) == vendor:
        check_shown(AGENTS, agent.client.title, "text", told(agent, cell), update=update_golden)


SWITCHES = [
    (CLAUDE_CODE, {0: "anthropic", 2: "openai"}),
    (CODEX_FREEFORM, {0: "openai", 2: "anthropic", 3: "openai", 4: "llm"}),
    (GEMINI_CLI, {0: "openai", 2: "anthropic", 3: "openai", 4: "llm"}),
    (OPENCODE, {0: "anthropic", 2: "llm", 3: "anthropic", 4: "llm"}),
]


@pytest.mark.parametrize(("agent", "vendors"), SWITCHES, ids=[s[0].id for s in SWITCHES])
def test_an_agent_does_the_same_while_its_model_changes_vendors(
    agent: Agent, vendors: dict[int, str], available: Available, measure: Measure, tmp_path: Path
) -> None:
    """What one vendor thought and signed comes to the other as history."""
    available(agent.programs)
    direct = measure(agent)
    cell = through_gateway(agent, tmp_path, vendors, connected=True)
    assert cell.outcome.transcript == direct.transcript
    assert cell.outcome.files == direct.files
    booked_as_said(cell, agent.task)
    served = [row["provider"] for row in cell.calls if (row["input_tokens"] or 0) >= 1000]
    assert served == [vendors[max(n for n in vendors if n <= at)] for at in range(len(agent.task.turns))]
