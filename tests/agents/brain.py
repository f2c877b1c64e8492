"""How an upstream comes to say what the script has: it reads from the request how far the conversation is.

Nothing is kept between requests but the failures still to come, so a repeated request gets the same answer, and a
conversation may move from one upstream to another.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.agents.task import Act, Say, Task
from tests.fakes.anthropic import Anthropic
from tests.fakes.anthropic_rules import blocks_of, thinks
from tests.fakes.gemini import Gemini
from tests.fakes.openai import OpenAI, text_of
from tests.fakes.openai_responses import Offered, OpenAIResponses, items_of
from tests.fakes.replies import Call, Part, Reply, Script, Text, Thinking, Usage
from tests.fakes.scripted import ScriptedUpstream
from tests.fakes.server import Request

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Use:
    """A tool used in the agent's own words. `arguments`: an object, or a text that the tool takes as it is."""

    name: str
    arguments: Mapping[str, Any] | str


Hands = Callable[[Act, Path], Use]
"""How an agent's tool is called for something that the model does in a directory."""


@dataclass(frozen=True)
class Reading:
    """A request in words that all protocols share. `offered`: the tools' names, each with that of its only property if
    it has one. `answers`: the model's turns so far. `results`: texts of the tool results since the last of them.
    `said`: the user's text since then. `thinks`: the model may think aloud."""

    offered: Mapping[str, str]
    answers: int
    results: tuple[str, ...]
    said: str
    thinks: bool = False

    def tool(self, name: str) -> str | None:
        """What the tool `name` is called here: it may have got its namespace before it."""
        if name in self.offered:
            return name
        return next((each for each in self.offered if each.endswith((f"_{name}", f".{name}"))), None)


def _only_property(schema: Any) -> str:
    names = list((schema or {}).get("properties") or {})
    return names[0] if len(names) == 1 else ""


def _since_last(items: Sequence[Any], answered: Callable[[Any], bool]) -> tuple[int, Sequence[Any]]:
    """How many runs of answers there are, and what stands behind the last of them."""
    flags = [answered(item) for item in items]
    runs = sum(flag for flag, _ in groupby(flags))
    last = max((at for at, flag in enumerate(flags) if flag), default=-1)
    return runs, items[last + 1 :]


def read_chat(request: Request) -> Reading:
    body = request.json
    answers, rest = _since_last(body["messages"], lambda m: m["role"] == "assistant")
    functions = [t["function"] for t in body.get("tools") or () if "function" in t]
    return Reading(
        {f["name"]: _only_property(f.get("parameters")) for f in functions},
        answers,
        tuple(text_of(m["content"]) for m in rest if m["role"] == "tool"),
        "".join(text_of(m["content"]) for m in rest if m["role"] == "user"),
    )


def read_messages(request: Request) -> Reading:
    body = request.json
    answers, rest = _since_last(body["messages"], lambda m: m["role"] == "assistant")
    blocks = [b for m in rest for b in blocks_of(m["content"])]
    return Reading(
        {t["name"]: _only_property(t.get("input_schema")) for t in body.get("tools") or ()},
        answers,
        tuple(text_of(b.get("content")) for b in blocks if b.get("type") == "tool_result"),
        "".join(b["text"] for b in blocks if b.get("type") == "text"),
        thinks(body),
    )


def read_openai(request: Request) -> Reading:
    return read_responses(request) if request.path.endswith("/responses") else read_chat(request)


def read_responses(request: Request) -> Reading:
    body = request.json
    kinds = ("reasoning", "function_call", "custom_tool_call")
    answers, rest = _since_last(
        items_of(body), lambda item: item.get("type") in kinds or item.get("role") == "assistant"
    )
    offered = Offered(body)
    return Reading(
        {
            name: "" if name in offered.free else _only_property(offered.schemas[name])
            for name in offered.names
        },
        answers,
        tuple(text_of(i["output"]) for i in rest if str(i.get("type")).endswith("_call_output")),
        "".join(text_of(i.get("content")) for i in rest if i.get("role") == "user"),
        bool(body.get("reasoning")),
    )


def read_gemini(request: Request) -> Reading:
    body = request.json
    answers, rest = _since_last(body["contents"], lambda content: content.get("role") == "model")
    declared = [d for t in body.get("tools") or () for d in t.get("functionDeclarations") or ()]
    parts = [part for content in rest for part in content["parts"]]
    responses = [part["functionResponse"]["response"] for part in parts if "functionResponse" in part]
    config = (body.get("generationConfig") or {}).get("thinkingConfig") or {}
    return Reading(
        {d["name"]: _only_property(d.get("parametersJsonSchema") or d.get("parameters")) for d in declared},
        answers,
        tuple("\n".join(map(str, response.values())) for response in responses),
        "".join(part.get("text", "") for part in parts),
        bool(config.get("includeThoughts")),
    )


READERS: dict[type[ScriptedUpstream], Callable[[Request], Reading]] = {
    OpenAI: read_chat,
    OpenAIResponses: read_openai,
    Anthropic: read_messages,
    Gemini: read_gemini,
}


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
                reading = read(request)
                if not all(map(reading.tool, self._tools)):
                    return usual(request)
                return self._answer(reading)

        upstream.brain = answer  # type: ignore[method-assign]

    @property
    def _tools(self) -> set[str]:
        acts = [part for turn in self._task.turns for part in turn.parts if not isinstance(part, Say)]
        return {self._use(act).name for act in acts}

    def _use(self, act: Act) -> Use:
        assert self._hands is not None
        return self._hands(act, self._directory)

    def _answer(self, reading: Reading) -> Script:
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
            Text(part.text) if isinstance(part, Say) else self._call(part, reading) for part in turn.parts
        ]
        if reading.thinks:
            parts.insert(0, Thinking(f"This is turn {at}. “Ü”"))
        return Reply(parts=parts, usage=Usage(input=1000 + at, cache_read=100 * at, output=50 + at))

    def _call(self, act: Act, reading: Reading) -> Call:
        use = self._use(act)
        name = reading.tool(use.name)
        assert name is not None
        only = reading.offered[name]
        # Where a tool cannot take text as it is, it takes an object with one property for it.
        wrap = isinstance(use.arguments, str) and only
        return Call(name, {only: use.arguments} if wrap else use.arguments)
