"""How an upstream comes to say what the script has: it reads from the request how far the conversation is.

Nothing is kept between requests but the failures still to come, so a repeated request gets the same answer, and a
conversation may move from one upstream to another.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.agents.task import Act, Say, Task
from tests.fakes.anthropic import Anthropic
from tests.fakes.anthropic_rules import blocks_of, thinks
from tests.fakes.openai import OpenAI, text_of
from tests.fakes.replies import Call, Part, Reply, Script, Text, Thinking, Usage
from tests.fakes.scripted import ScriptedUpstream
from tests.fakes.server import Request

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Reading:
    """A request in words that all protocols share. `answers`: the model's turns so far. `results`: texts of the tool
    results since the last of them. `said`: the user's text since then."""

    offered: frozenset[str]
    answers: int
    results: tuple[str, ...]
    said: str


def read_chat(body: Body) -> Reading:
    messages = body["messages"]
    latest = len(messages) - next(
        (at for at, m in enumerate(reversed(messages)) if m["role"] == "assistant"), len(messages)
    )
    return Reading(
        frozenset(t["function"]["name"] for t in body.get("tools") or () if "function" in t),
        _runs(m["role"] == "assistant" for m in messages),
        tuple(text_of(m["content"]) for m in messages[latest:] if m["role"] == "tool"),
        "".join(text_of(m["content"]) for m in messages[latest:] if m["role"] == "user"),
    )


def read_messages(body: Body) -> Reading:
    messages = body["messages"]
    latest = len(messages) - next(
        (at for at, m in enumerate(reversed(messages)) if m["role"] == "assistant"), len(messages)
    )
    blocks = [b for m in messages[latest:] for b in blocks_of(m["content"])]
    return Reading(
        frozenset(t["name"] for t in body.get("tools") or ()),
        _runs(m["role"] == "assistant" for m in messages),
        tuple(text_of(b.get("content")) for b in blocks if b.get("type") == "tool_result"),
        "".join(b["text"] for b in blocks if b.get("type") == "text"),
    )


def _runs(flags: Any) -> int:
    """How many uninterrupted runs of true there are."""
    return sum(flag for flag, _ in groupby(flags))


READERS: dict[type[ScriptedUpstream], Callable[[Body], Reading]] = {
    OpenAI: read_chat,
    Anthropic: read_messages,
}

Hands = Callable[[Act, Path], Call]
"""How an agent's tool is called for something that the model does in a directory."""


class Brain:
    """The model behind all upstreams of one conversation. `mistakes`: what it was not shown as it should have been.
    `asked`: the numbers of the turns that it has answered. Without `hands` it only talks, and as agents of that kind
    make up turns of its own in what they send, it answers in the script's order."""

    def __init__(self, task: Task, hands: Hands | None, directory: Path) -> None:
        self._task = task
        self._hands = hands
        self._directory = directory
        self._failures = {at: deque(turn.failures) for at, turn in enumerate(task.turns)}
        self._lock = threading.Lock()
        self.mistakes: list[str] = []
        self.asked: list[int] = []

    def inhabit(self, upstream: ScriptedUpstream) -> None:
        """Has `upstream` answer the agent's questions by the script, and others (a title, say) as it always does."""
        usual = upstream.brain
        read = READERS[type(upstream)]

        def answer(request: Request) -> Script:
            with self._lock:
                reading = read(request.json)
                if not self._tools <= reading.offered:
                    return usual(request)
                return self._answer(reading, thinking=upstream.vendor == "anthropic" and thinks(request.json))

        upstream.brain = answer  # type: ignore[method-assign]

    @property
    def _tools(self) -> set[str]:
        acts = [part for turn in self._task.turns for part in turn.parts if not isinstance(part, Say)]
        return {self._call(act).name for act in acts}

    def _call(self, act: Act) -> Call:
        assert self._hands is not None
        return self._hands(act, self._directory)

    def _answer(self, reading: Reading, *, thinking: bool) -> Script:
        answers = reading.answers if self._hands else len(self.asked)
        at = min(answers, len(self._task.turns) - 1)
        turn = self._task.turns[at]
        if self._failures[at]:
            return self._failures[at].popleft()
        self.asked.append(at)
        shown = "\n".join(reading.results) if self._hands else reading.said
        self.mistakes += [
            f"turn {at} was not shown {text!r}, but {shown!r}" for text in turn.saw if text not in shown
        ]
        if turn.before is not None:
            turn.before()
        parts: list[Part] = [
            Text(part.text) if isinstance(part, Say) else self._call(part) for part in turn.parts
        ]
        if thinking:
            parts.insert(0, Thinking(f"This is turn {at}. “Ü”"))
        return Reply(parts=parts, usage=Usage(input=1000 + at, cache_read=100 * at, output=50 + at))
