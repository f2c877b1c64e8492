"""A run as docs/agents.md shows it: what was started, what the agent said and did, what the gateway booked."""

from __future__ import annotations

from itertools import groupby

from tests.agents.agents import CALL, Agent
from tests.agents.cells import Cell

WIDTH = 110
"""Characters of a line; the rest is left out."""
MOST = 6
"""Lines of one text; those in between are left out."""


def told(agent: Agent, cell: Cell) -> str:
    asked = agent.task.prompt.partition(". ")[0]
    program = agent.client.program
    start = program if cell.connected else f"tgw run {program} --model {agent.model}"
    lines = [f'$ {start} "{asked}. …"']
    runs = groupby(cell.outcome.transcript, lambda line: line.startswith(CALL))
    for uses, texts in [(uses, list(group)) for uses, group in runs]:
        lines += map(_used, texts) if uses else _said(texts)
    return "\n".join([*(_cut(line) for line in lines), "", *_booked(cell), ""])


def _used(text: str) -> str:
    return "  " + text.removeprefix(CALL).partition("\n")[0]


def _said(texts: list[str]) -> list[str]:
    lines = [line for text in texts for line in text.removeprefix("say: ").splitlines()]
    return _shortened([line.replace("```", "~~~") for line in lines])


def _shortened(lines: list[str]) -> list[str]:
    if len(lines) <= MOST:
        return lines
    return [*lines[: MOST - 2], f"… {len(lines) - MOST + 1} more lines", lines[-1]]


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else f"{line[:WIDTH]}…"


def _booked(cell: Cell) -> list[str]:
    """The calls by model and outcome, in words."""
    done = [row for row in cell.calls if row["outcome"] == "ok"]
    failed = [str(row["status"]) for row in cell.calls if row["outcome"] != "ok"]
    served = sorted({f"{row['provider']}/{row['model_served']}" for row in done})
    again = f"; {len(failed)} failed ({', '.join(failed)}) and were asked again" if failed else ""
    return [f"The gateway booked {len(done)} answers of {', '.join(served)}{again}."]
