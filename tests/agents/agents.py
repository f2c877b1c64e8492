"""The agents: how each is installed, started without a terminal, and read.

An agent's *transcript* is what it says it did, in its own words' order: what the model said, which tools were called
with which arguments, and what came of them. Only the directory that it worked in is taken out.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.agents import install
from tests.agents.brain import Hands
from tests.agents.task import MEND, MEND_BY_LISTING, Act, Edit, Read, Run, Task, Write
from tests.fakes.replies import Call
from tokligence.cli.clients import NAMES, Client

PATIENCE = 120
"""Seconds that an agent may take for a task."""
HERE = "/work"
"""What the directory of the task is called in transcripts."""

Transcript = list[str]


@dataclass(frozen=True)
class Agent:
    """`client`: its row in the product's table. `programs`: installs it; gives the directory of its programs.
    `words`: what it is started with before the prompt. `model`: asked for. `hands`: its tools; None: it has none and
    changes files as the text says. `read`: its transcript, from its output or from what it left in the directory."""

    client: Client
    programs: Callable[[], Path]
    words: tuple[str, ...]
    model: str
    hands: Hands | None
    read: Callable[[str, Path], Iterator[str]]
    environ: dict[str, str] = field(default_factory=dict)
    task: Task = MEND

    @property
    def id(self) -> str:
        return self.client.id


@dataclass(frozen=True)
class Outcome:
    """`status`, `said`, `complained`: of the process. `files`: in its directory afterwards."""

    status: int
    said: str
    complained: str
    transcript: Transcript
    files: dict[str, str]

    def __str__(self) -> str:
        return f"ended with {self.status}\n{self.said[-4000:]}\n{self.complained[-4000:]}"


def environment(agent: Agent, home: Path) -> dict[str, str]:
    """A user's who has nothing but this agent."""
    programs = agent.programs()
    inherited = {name: os.environ[name] for name in ("PYTHONPATH", "SYSTEMROOT") if name in os.environ}
    return inherited | {
        "PATH": os.pathsep.join([str(programs), str(install.node()), os.environ["PATH"]]),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "PYTHONDONTWRITEBYTECODE": "1",  # what the task runs shall leave the same files every time
        **agent.environ,
    }


def start(agent: Agent, command: list[str], environ: dict[str, str], directory: Path) -> Outcome:
    """Runs it to its end in `directory`."""
    done = subprocess.run(
        command,
        env=environ,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    said = done.stdout.decode("utf-8", "replace")
    transcript = [line.replace(str(directory), HERE) for line in agent.read(said, directory)]
    return Outcome(
        done.returncode, said, done.stderr.decode("utf-8", "replace"), transcript, files_of(directory)
    )


def files_of(directory: Path) -> dict[str, str]:
    """All but hidden ones: agents keep notes in these."""
    return {
        file.relative_to(directory).as_posix(): file.read_bytes().decode("utf-8", "replace")
        for file in sorted(directory.rglob("*"))
        if file.is_file() and not file.name.startswith(".")
    }


def events(said: str) -> Iterator[dict[str, Any]]:
    """The lines of output that are JSON objects."""
    for line in said.splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


# --- Claude Code ----------------------------------------------------------------------------------------


def claude_hands(act: Act, directory: Path) -> Call:
    match act:
        case Read(path):
            return Call("Read", {"file_path": str(directory / path)})
        case Write(path, content):
            return Call("Write", {"file_path": str(directory / path), "content": content})
        case Edit(path, old, new):
            place = str(directory / path)
            return Call(
                "Edit", {"file_path": place, "old_string": old, "new_string": new, "replace_all": False}
            )
        case Run(command):
            return Call("Bash", {"command": command, "description": "Run it"})


def claude_transcript(said: str, _directory: Path) -> Iterator[str]:
    """Results stand behind their calls: those of parallel calls come in whatever order they end."""
    blocks = [
        block
        for event in events(said)
        if event["type"] in ("assistant", "user") and isinstance(event["message"]["content"], list)
        for block in event["message"]["content"]
    ]
    results = {block["tool_use_id"]: block["content"] for block in blocks if block["type"] == "tool_result"}
    for block in blocks:
        if block["type"] == "text":
            yield f"say: {block['text']}"
        elif block["type"] == "tool_use":
            yield f"call: {block['name']} {shown(block['input'])}"
            yield f"result: {shown(results[block['id']])}"


CLAUDE_CODE = Agent(
    client=NAMES["claude-code"],
    programs=lambda: install.npm("@anthropic-ai/claude-code"),
    words=("--dangerously-skip-permissions", "--output-format", "stream-json", "--verbose", "-p"),
    model="claude-sonnet-4-5-20250929",
    hands=claude_hands,
    read=claude_transcript,
    # It refuses to do without asking as root, unless told that this is a sandbox.
    environ={"IS_SANDBOX": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"},
)

# --- opencode -------------------------------------------------------------------------------------------


def opencode_hands(act: Act, directory: Path) -> Call:
    match act:
        case Read(path):
            return Call("read", {"filePath": str(directory / path)})
        case Write(path, content):
            return Call("write", {"content": content, "filePath": str(directory / path)})
        case Edit(path, old, new):
            return Call("edit", {"filePath": str(directory / path), "oldString": old, "newString": new})
        case Run(command):
            return Call("bash", {"command": command})


def opencode_transcript(said: str, _directory: Path) -> Iterator[str]:
    for event in events(said):
        part = event.get("part", {})
        match event["type"]:
            case "text":
                yield f"say: {part['text']}"
            case "tool_use":
                state = part["state"]
                yield f"call: {part['tool']} {shown(state['input'])}"
                yield f"result: {state['status']} {state.get('output', state.get('error'))}"
            case "error":
                yield f"error: {shown(event['error'])}"


OPENCODE = Agent(
    client=NAMES["opencode"],
    programs=lambda: install.npm("opencode-ai"),
    words=("run", "--format", "json"),
    model="claude-sonnet-4-5-20250929",
    hands=opencode_hands,
    read=opencode_transcript,
    environ={
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
    },
)

# --- aider ----------------------------------------------------------------------------------------------


def aider_transcript(_said: str, directory: Path) -> Iterator[str]:
    """Its history of the chat, without what it remarks beside it."""
    history = (directory / ".aider.chat.history.md").read_text("utf-8")
    for line in history.splitlines():
        if line.strip() and not line.startswith(("> ", "# aider chat started at")):
            yield f"say: {line}"


AIDER = Agent(
    client=NAMES["aider"],
    programs=lambda: install.pypi("aider-chat"),
    words=(
        *("--edit-format", "whole", "--yes-always", "--no-git", "--no-pretty", "--no-check-update"),
        *("--analytics-disable", "--no-show-model-warnings", "--no-show-release-notes", "--no-gitignore"),
        *("--max-chat-history-tokens", "1000000"),  # it would ask for summaries of the long ones
        *("--auto-test", "--test-cmd", "python3 check.py", "--file", "prices.py", "--message"),
    ),
    model="claude-sonnet-4-5-20250929",
    hands=None,
    read=aider_transcript,
    environ={"LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    task=MEND_BY_LISTING,
)
