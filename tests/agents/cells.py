"""One agent, one task, one way to a model: directly, or through the gateway to a vendor."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.agents.agents import Agent, Outcome, environment, start
from tests.agents.brain import Brain
from tests.agents.task import Task, Turn
from tests.cli.command import words_of
from tests.e2e.daemon import Daemon, running
from tests.fakes.anthropic import Anthropic
from tests.fakes.gemini import Gemini
from tests.fakes.openai import OpenAI
from tests.fakes.openai_responses import OpenAIResponses
from tests.fakes.scripted import ScriptedUpstream
from tokligence.cli.clients import Facts, place_of
from tokligence.cli.settings import with_ours
from tokligence.conversation import ProtocolId

CLIENT_KEY = "tgw-key-of-the-agent-0123456789"


@dataclass(frozen=True)
class Vendor:
    """An upstream of a cell: the fake, what the gateway is told, and the model that is asked for there."""

    fake: Callable[[], Any]
    model: str
    address: str
    key: str

    def settings(self, upstream: Any) -> dict[str, str]:
        return {f"TOKLIGENCE_{self.address}": upstream.base_url, f"TOKLIGENCE_{self.key}": upstream.key}


def compatible() -> OpenAI:
    return OpenAI(compatible=True)


VENDORS = {
    "openai": Vendor(OpenAIResponses, "gpt-5.1", "OPENAI_BASE_URL", "OPENAI_API_KEY"),
    "google": Vendor(Gemini, "gemini-2.5-flash", "GOOGLE_BASE_URL", "GOOGLE_API_KEY"),
    "anthropic": Vendor(Anthropic, "claude-sonnet-4-5-20250929", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"),
    "llm": Vendor(compatible, "some-claude", "LLM_ENDPOINT", "LLM_API_KEY"),
}
OWN: dict[ProtocolId, Callable[[], Any]] = {
    ProtocolId.OPENAI_CHAT: compatible,
    ProtocolId.OPENAI_RESPONSES: lambda: OpenAIResponses(any_model=True),
    ProtocolId.ANTHROPIC: Anthropic,
    ProtocolId.GEMINI: Gemini,
}
"""Who is asked directly in an agent's protocol."""


class Direct(Facts, frozen=True):
    """A vendor's own address in the place of the gateway's."""

    def words(self) -> dict[str, str]:
        return {**Facts.words(self), "anthropic": self.url}


@dataclass
class Place:
    """Where an agent works: its user's home, and the directory of the task."""

    home: Path
    directory: Path

    @classmethod
    def make(cls, root: Path, task: Task) -> Place:
        place = cls(root / "user", root / "task")
        place.home.mkdir()
        place.directory.mkdir()
        for name, text in task.files.items():
            (place.directory / name).write_text(text, "utf-8")
        return place


@contextlib.contextmanager
def judged(*upstreams: ScriptedUpstream) -> Iterator[None]:
    """Runs them; they must have nothing to complain about in the end."""
    for upstream in upstreams:
        upstream.must_not_see(CLIENT_KEY)
        upstream.start()
    try:
        yield
    finally:
        for upstream in upstreams:
            upstream.stop()
    wrong = [fault for upstream in upstreams for fault in upstream.verdict()]
    assert not wrong, "\n".join(wrong)


def directly(agent: Agent, root: Path) -> Outcome:
    """Asks a fake of the agent's own protocol, with the settings that the product writes, but its address."""
    task = agent.task
    place = Place.make(root, task)
    upstream = OWN[agent.client.speaks]()
    brain = Brain(task, agent.hands, place.directory)
    brain.inhabit(upstream)
    with judged(upstream):
        environ = environment(agent, place.home)
        facts = Direct(upstream.url, upstream.key, agent.model, (agent.model,))
        for file in agent.client.files:
            path = place_of(agent.client, file, environ)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(with_ours("", file, facts)[0], "utf-8")
        # Not where those of the environment stand, which are the gateway's.
        outcome = start(agent, [agent.client.program, *agent.words, task.prompt], environ, place.directory)
    checked(outcome, brain, task)
    return outcome


@dataclass
class Cell:
    """An agent's run through a gateway, and what the gateway booked. `connected`: it had settings of its own for that."""

    connected: bool
    outcome: Outcome
    calls: list[dict[str, Any]]
    upstreams: dict[str, ScriptedUpstream]


def through_gateway(agent: Agent, root: Path, vendors: Mapping[int, str], *, connected: bool) -> Cell:
    """Asks the gateway, which has the keys of `vendors` and sends the agent's model to the one that stands at the
    number of the turn, or before it. `connected`: set up by `tgw connect`; else started by `tgw run`."""
    place = Place.make(root, agent.task)
    home = root / "gateway"
    upstreams = {name: VENDORS[name].fake() for name in vendors.values()}
    task = _switching(agent.task, lambda at: route(home, agent, vendors[at]), frozenset(vendors))
    brain = Brain(task, agent.hands, place.directory)
    for upstream in upstreams.values():
        brain.inhabit(upstream)
    with judged(*upstreams.values()):
        settings = {
            "TOKLIGENCE_CLIENT_KEYS": f"agent={CLIENT_KEY}",
            "TOKLIGENCE_DRAIN_TIMEOUT_S": "5",
        }
        for name, upstream in upstreams.items():
            settings |= VENDORS[name].settings(upstream)
        route(home, agent, vendors[0])
        with running(home, settings) as gateway:
            outcome = _run(agent, task, place, gateway, connected=connected)
            calls = booked(gateway)
    checked(outcome, brain, task)
    return Cell(connected, outcome, calls, upstreams)


def _switching(task: Task, switch: Callable[[int], None], turns: frozenset[int]) -> Task:
    """The task, with `switch(n)` done before turn n is asked for: while the turn before is being answered."""

    def watched(at: int, turn: Turn) -> Turn:
        return replace(turn, before=lambda: switch(at + 1)) if at + 1 in turns else turn

    return replace(task, turns=tuple(watched(at, turn) for at, turn in enumerate(task.turns)))


def route(home: Path, agent: Agent, vendor: str) -> None:
    """Has the gateway on `home` send the agent's model to `vendor`, at once if it runs."""
    target = f"{vendor}/{VENDORS[vendor].model}"
    tgw(home, "config", "set", "model_provider_routes", f"{agent.model}→{target}")


def tgw(home: Path, *words: str, environ: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        words_of(*words),
        env=(environ or os.environ) | {"TOKLIGENCE_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"tgw {' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout


def _run(agent: Agent, task: Task, place: Place, gateway: Daemon, *, connected: bool) -> Outcome:
    environ = environment(agent, place.home)
    words = [*agent.words, task.prompt]
    model = ("--model", agent.model)
    if connected:
        key = ("--key", CLIENT_KEY)
        tgw(gateway.home, "connect", agent.client.id, *model, *key, "--no-probe", environ=environ)
        return start(agent, [agent.client.program, *words], environ, place.directory)
    ours = environ | {"TOKLIGENCE_HOME": str(gateway.home)}
    command = words_of("run", "--key", CLIENT_KEY, agent.client.program, *model, *words)
    return start(agent, command, ours, place.directory)


def booked(gateway: Daemon) -> list[dict[str, Any]]:
    """The calls in the gateway's ledger, the oldest first."""
    rows: list[dict[str, Any]] = json.loads(tgw(gateway.home, "usage", "-n", "500", "--json"))
    return rows[::-1]


def checked(outcome: Outcome, brain: Brain, task: Task) -> None:
    """The agent has done its task, and the model was shown what it should be."""
    assert outcome.status == 0, outcome
    assert brain.mistakes == [], f"{brain.mistakes}\n{outcome}"
    assert brain.asked == list(range(len(task.turns))), f"{brain.asked}\n{outcome}"
    assert {name: outcome.files.get(name) for name in task.after} == task.after
