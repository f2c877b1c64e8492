"""The programs of docs/agents.md run as they stand there, each on another vendor's model, and print what is shown."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.agents import install
from tests.agents.cells import judged
from tests.agents.conftest import Available
from tests.docs.blocks import Block, blocks
from tests.docs.shown import AGENTS, check_shown
from tests.e2e.daemon import Daemon, running
from tests.fakes import replies
from tests.fakes.anthropic import Anthropic
from tests.fakes.openai_responses import OpenAIResponses
from tests.fakes.replies import Call, Reply, Script
from tests.fakes.server import Request

pytestmark = [pytest.mark.agents, pytest.mark.timeout(600)]

PROGRAMS = [block for block in blocks(AGENTS) if block.language in ("python", "javascript")]
PYTHON = (
    "langchain",
    "langchain-anthropic",
    "langchain-google-genai",
    "langchain-openai",
    "openai-agents",
    "pydantic-ai-slim[openai]",
)
NODE = (
    "ai",
    "@ai-sdk/anthropic",
    "@ai-sdk/google",
    "@ai-sdk/openai",
    "@anthropic-ai/sdk",
    "@google/genai",
    "openai",
    "zod",
)
FOREIGN = ("OPENAI_", "ANTHROPIC_", "GEMINI_", "GOOGLE_")
PATIENCE = 60
"""Seconds that a program may take."""


def weatherman(request: Request) -> Script:
    """Asks for the weather where it may, and tells it."""
    body = request.json
    asked = "weather" in str(body.get("tools"))
    heard = "sunny" in str(body.get("messages") or body.get("input"))
    if asked and not heard:
        return Reply((Call("weather", {"city": "Rome"}),))
    return replies.text("It is ", "sunny ", "in Rome.")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    openai, anthropic = OpenAIResponses(), Anthropic()
    openai.brain = anthropic.brain = weatherman  # type: ignore[method-assign]
    with judged(openai, anthropic):
        settings = {
            "TOKLIGENCE_OPENAI_BASE_URL": openai.base_url,
            "TOKLIGENCE_OPENAI_API_KEY": openai.key,
            "TOKLIGENCE_ANTHROPIC_BASE_URL": anthropic.base_url,
            "TOKLIGENCE_ANTHROPIC_API_KEY": anthropic.key,
        }
        with running(tmp_path_factory.mktemp("gateway"), settings) as daemon:
            yield daemon


def python(text: str, _directory: Path) -> list[str]:
    return [str(install.pypi(*PYTHON) / "python"), "-c", text]


def node(text: str, directory: Path) -> list[str]:
    modules = install.npm(*NODE).parent
    (directory / "node_modules").symlink_to(modules, target_is_directory=True)
    program = directory / "program.mjs"
    program.write_text(text, "utf-8")
    return [str(install.node() / "node"), str(program)]


RUNNERS: dict[str, Callable[[str, Path], list[str]]] = {"python": python, "javascript": node}


@pytest.mark.parametrize("block", PROGRAMS, ids=lambda block: block.heading)
def test_a_program_prints_what_is_shown(
    block: Block, gateway: Daemon, available: Available, tmp_path: Path, update_golden: bool
) -> None:
    text = block.text.replace("http://localhost:8081", gateway.url)
    command = available(lambda: RUNNERS[block.language](text, tmp_path))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    done = subprocess.run(
        command, env=inherited, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    check_shown(AGENTS, block.heading, "text", done.stdout, update=update_golden)
