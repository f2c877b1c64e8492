"""A user with a home of their own who types what the documentation shows.

The documentation says port 8081, `sk-...` and Ollama's port; on a machine that runs tests these may be taken or lead
outside. So they are replaced before anything runs: ports by free ones or the scripted upstreams', keys by the
upstreams' keys. Nothing else of a block is changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.docs import standins
from tests.fakes.anthropic import Anthropic
from tests.fakes.openai import OpenAI
from tests.ports import free_port

PATIENCE = 60.0
"""Seconds that one block may take."""

FOREIGN = ("TOKLIGENCE_", "OPENAI_", "ANTHROPIC_", "GEMINI_", "GOOGLE_", "GROQ_")


class User:
    """`home` is `~`; the upstreams stand for the vendors, `compatible` for a server on this machine."""

    def __init__(self, home: Path, openai: OpenAI, anthropic: Anthropic, compatible: OpenAI) -> None:
        self.home = home
        self.port, self.other_port = free_port(), free_port()
        self._words = {
            "8081": str(self.port),
            "3000": str(self.other_port),
            "localhost:11434": f"127.0.0.1:{compatible.server.port}",  # the scripted upstream insists on its name
            "sk-ant-...": anthropic.key,
            "sk-...": openai.key,
        }
        self.keys = {
            "TOKLIGENCE_OPENAI_API_KEY": openai.key,
            "TOKLIGENCE_ANTHROPIC_API_KEY": anthropic.key,
        }
        self.environ = self._environment(openai, anthropic, compatible)
        self.settings = home / ".tokligence" / "config" / "settings.ini"
        self.settings.parent.mkdir(parents=True)
        self.settings.write_text(f"port = {self.port}\ndrain_timeout_s = 5\n", "utf-8")

    def _environment(self, openai: OpenAI, anthropic: Anthropic, compatible: OpenAI) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(FOREIGN) and not name.lower().endswith("_proxy")
        }
        tools = self.home / "tools"
        tools.mkdir()
        for name in standins.TOOLS:
            if shutil.which(name) is None:
                script = tools / name
                script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{standins.__file__}" {name} "$@"\n')
                script.chmod(0o755)
        path = os.pathsep.join([str(Path(sys.executable).parent), str(tools), inherited["PATH"]])
        return inherited | {
            "HOME": str(self.home),
            "PATH": path,
            "PYTHONUNBUFFERED": "1",
            "TOKLIGENCE_OPENAI_BASE_URL": openai.base_url,
            "TOKLIGENCE_ANTHROPIC_BASE_URL": anthropic.base_url,
            "TOKLIGENCE_LLM_API_KEY": compatible.key,  # likewise
        }

    def adapted(self, text: str) -> str:
        for shown, real in self._words.items():
            text = text.replace(shown, real)
        return text

    def shell(self, text: str, *, code: int = 0, more: Mapping[str, str] | None = None) -> str:
        """Runs a block in bash; it must end with `code`. Gives what it printed."""
        return self._run(
            ["bash", "-e", "-o", "pipefail", "-c", self.adapted(text)], code, self.environ | dict(more or {})
        )

    def python(self, text: str) -> str:
        """Runs a script with this interpreter; it must succeed. Gives what it printed."""
        return self._run([sys.executable, "-c", self.adapted(text)], 0, self.environ)

    def _run(self, command: list[str], code: int, environ: Mapping[str, str]) -> str:
        # A file, not a pipe: a daemon that the block starts must not keep us waiting for the end of its output.
        said = self.home / "said"
        with said.open("wb") as out:
            done = subprocess.run(
                command,
                env=dict(environ),
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                timeout=PATIENCE,
                check=False,
            )
        text = said.read_text("utf-8")
        assert done.returncode == code, f"{command[-1]}\nended with {done.returncode}:\n{text}"
        assert "Traceback" not in text, text
        return text
