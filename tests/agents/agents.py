"""The agents: how each is installed, started without a terminal, and read.

An agent's *transcript* is what it says it did, in its own words' order: what the model said, which tools were called
with which arguments, and what came of them. Only the directory that it worked in is taken out.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.agents import install
from tests.agents.brain import Hands, Use
from tests.agents.task import (
    MEND,
    MEND_BY_LISTING,
    MEND_ONE_BY_ONE,
    MEND_OVERLOADED,
    Act,
    Edit,
    Read,
    Run,
    Task,
    Write,
)
from tokligence.cli.clients import NAMES, Client

PATIENCE = 120
"""Seconds that an agent may take for a task."""
HERE = "~/job"
"""What the directory of the task is called in transcripts."""

CALL = "call: "
"""Begins a line about a tool."""

Transcript = list[str]


@dataclass(frozen=True)
class Agent:
    """`id`: unlike the client's it tells its modes apart. `client`: its row in the product's table. `programs`: installs it; gives the directory of its programs.
    `words`: what it is started with before the prompt. `model`: asked for. `hands`: its tools; None: it has none and
    changes files as the text says. `read`: its transcript, from its output or from what it left in the directory."""

    id: str
    client: Client
    programs: Callable[[], Path]
    words: tuple[str, ...]
    model: str
    hands: Hands | None
    read: Callable[[str, Path], Iterator[str]]
    environ: dict[str, str] = field(default_factory=dict)
    task: Task = MEND


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
    transcript = in_order(line.replace(str(directory), HERE) for line in agent.read(said, directory))
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


def done(call: str, result: str) -> str:
    """A tool's use, for a transcript."""
    return f"{CALL}{call}\nresult: {result}"


def in_order(transcript: Iterable[str]) -> Transcript:
    """Between two texts tools run at once, and agents tell of them in whatever order they end."""
    groups = groupby(transcript, lambda line: line.startswith(CALL))
    return [line for tools, lines in groups for line in (sorted(lines) if tools else lines)]


def shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


# --- Claude Code ----------------------------------------------------------------------------------------


def claude_hands(act: Act, directory: Path) -> Use:
    match act:
        case Read(path):
            return Use("Read", {"file_path": str(directory / path)})
        case Write(path, content):
            return Use("Write", {"file_path": str(directory / path), "content": content})
        case Edit(path, old, new):
            place = str(directory / path)
            return Use(
                "Edit", {"file_path": place, "old_string": old, "new_string": new, "replace_all": False}
            )
        case Run(command):
            return Use("Bash", {"command": command, "description": "Run it"})


def claude_transcript(said: str, _directory: Path) -> Iterator[str]:
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
            yield done(f"{block['name']} {shown(block['input'])}", shown(results[block["id"]]))


CLAUDE_CODE = Agent(
    id="claude-code",
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


def opencode_hands(act: Act, directory: Path) -> Use:
    match act:
        case Read(path):
            return Use("read", {"filePath": str(directory / path)})
        case Write(path, content):
            return Use("write", {"content": content, "filePath": str(directory / path)})
        case Edit(path, old, new):
            return Use("edit", {"filePath": str(directory / path), "oldString": old, "newString": new})
        case Run(command):
            return Use("bash", {"command": command})


def opencode_transcript(said: str, _directory: Path) -> Iterator[str]:
    for event in events(said):
        part = event.get("part", {})
        match event["type"]:
            case "text":
                yield f"say: {part['text']}"
            case "tool_use":
                state = part["state"]
                result = f"{state['status']} {state.get('output', state.get('error'))}"
                yield done(f"{part['tool']} {shown(state['input'])}", result)
            case "error":
                yield f"error: {shown(event['error'])}"


OPENCODE = Agent(
    id="opencode",
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
    """Its history of the chat, without what it remarks beside it and what the user said."""
    history = (directory / ".aider.chat.history.md").read_text("utf-8")
    for line in history.splitlines():
        if line.strip() and not line.startswith(("> ", "#### ", "# aider chat started at")):
            yield f"say: {line}"


AIDER = Agent(
    id="aider",
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

# --- Codex ----------------------------------------------------------------------------------------------


def patch(act: Write | Edit) -> str:
    """The change in the words of Codex's own tool for changes."""
    if isinstance(act, Write):
        lines = [f"*** Add File: {act.path}", *(f"+{line}" for line in act.content.split("\n")[:-1])]
    else:
        old, new = act.old.removesuffix("\n"), act.new.removesuffix("\n")
        lines = [f"*** Update File: {act.path}", "@@", f"-{old}", f"+{new}"]
    return "\n".join(["*** Begin Patch", *lines, "*** End Patch"])


def shell_of(act: Act) -> str:
    match act:
        case Read(path):
            return f"cat {path}"
        case Run(command):
            return command
        case Write() | Edit():
            return f"apply_patch <<'END OF PATCH'\n{patch(act)}\nEND OF PATCH"


def codex_hands(act: Act, _directory: Path) -> Use:
    """Of a model that Codex does not know: it has a shell and nothing else."""
    return Use("exec_command", {"cmd": shell_of(act)})


def codex_freeform_hands(act: Act, _directory: Path) -> Use:
    """Of gpt-5.5: changes are written in a language of their own."""
    if isinstance(act, Write | Edit):
        return Use("apply_patch", patch(act))
    return Use("exec_command", {"cmd": shell_of(act)})


def codex_code_hands(act: Act, _directory: Path) -> Use:
    """Of the newest models: one tool, which takes a program."""
    call = {"cmd": shell_of(act)}
    return Use("exec", f"const done = await tools.exec_command({json.dumps(call)});\ntext(done.output);\n")


def codex_transcript(said: str, _directory: Path) -> Iterator[str]:
    for event in events(said):
        item = event.get("item", {})
        if event["type"] != "item.completed":
            continue
        match item["type"]:
            case "agent_message":
                yield f"say: {item['text']}"
            case "command_execution":
                yield done(item["command"], f"{item['exit_code']} {item['aggregated_output']}")
            case "file_change":
                yield done(f"change {shown(item['changes'])}", item["status"])


def codex(name: str, model: str, hands: Hands, task: Task) -> Agent:
    return Agent(
        id=name,
        client=NAMES["codex"],
        programs=lambda: install.npm("@openai/codex"),
        words=("exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "--json"),
        model=model,
        hands=hands,
        read=codex_transcript,
        task=task,
    )


CODEX = codex("codex", "claude-sonnet-4-5-20250929", codex_hands, MEND_OVERLOADED)
CODEX_FREEFORM = codex("codex-gpt-5.5", "gpt-5.5", codex_freeform_hands, MEND_OVERLOADED)
CODEX_CODE = codex("codex-gpt-6", "gpt-6-sol", codex_code_hands, MEND_ONE_BY_ONE)

# --- Gemini CLI -----------------------------------------------------------------------------------------


def gemini_hands(act: Act, directory: Path) -> Use:
    match act:
        case Read(path):
            return Use("read_file", {"file_path": str(directory / path)})
        case Write(path, content):
            return Use("write_file", {"file_path": str(directory / path), "content": content})
        case Edit(path, old, new):
            place = str(directory / path)
            return Use(
                "replace",
                {"file_path": place, "instruction": "Mend it", "old_string": old, "new_string": new},
            )
        case Run(command):
            return Use("run_shell_command", {"command": command})


def gemini_transcript(said: str, _directory: Path) -> Iterator[str]:
    """Text comes in pieces, which are put together."""
    found = list(events(said))
    results = {event["tool_id"]: event for event in found if event["type"] == "tool_result"}
    text = ""
    for event in found:
        if event["type"] == "message" and event["role"] == "assistant":
            text += event["content"]
            continue
        if text:
            yield f"say: {text}"
            text = ""
        if event["type"] == "tool_use":
            result = results[event["tool_id"]]
            what = f"{result['status']} {result.get('output', result.get('error'))}"
            yield done(f"{event['tool_name']} {shown(event['parameters'])}", what)


GEMINI_CLI = Agent(
    id="gemini-cli",
    client=NAMES["gemini-cli"],
    programs=lambda: install.npm("@google/gemini-cli"),
    words=("--yolo", "--skip-trust", "--output-format", "stream-json", "-p"),
    model="gemini-2.5-flash",
    hands=gemini_hands,
    read=gemini_transcript,
)
