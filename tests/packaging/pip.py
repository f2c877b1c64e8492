"""pip as a user has it, in this interpreter's environment or another; the index is the one that pip is set up for."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PATIENCE = 300.0
"""Seconds that one call may take: a slow index is not what is tested."""


class PipFailed(Exception):
    """The text is pip's own."""


class Pip:
    """`python`: of the environment it works in."""

    def __init__(self, python: Path) -> None:
        self._python = python

    def run(self, *words: str, cwd: Path | None = None) -> str:
        """What it printed on its standard output. Raises `PipFailed`."""
        done = subprocess.run(
            [self._python, "-m", "pip", "--disable-pip-version-check", *words],
            cwd=cwd,
            env=dict(os.environ) | {"PIP_NO_INPUT": "1"},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=PATIENCE,
            check=False,
        )
        if done.returncode != 0:
            raise PipFailed(f"pip {' '.join(words)}\n{done.stdout}{done.stderr}")
        return done.stdout

    def resolve(self, *words: str, cwd: Path | None = None) -> list[dict[str, Any]]:
        """What it would install, as entries of its installation report (pip 22.2 or newer)."""
        report = self.run("install", "--dry-run", "--quiet", "--report", "-", *words, cwd=cwd)
        installed: list[dict[str, Any]] = json.loads(report)["install"]
        return installed

    def wheels_for(
        self, requirements: Sequence[str], platforms: Sequence[str], python: str, target: Path
    ) -> list[dict[str, Any]]:
        """The same for another machine, from wheels alone. It takes markers for those of this machine."""
        tags = [word for platform in platforms for word in ("--platform", platform)]
        return self.resolve(
            "--only-binary=:all:",
            "--ignore-installed",
            *("--python-version", python, "--implementation", "cp", "--target", str(target)),
            *tags,
            *requirements,
        )
