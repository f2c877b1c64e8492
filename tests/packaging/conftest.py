from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.packaging.pip import Pip, PipFailed

ROOT = Path(__file__).parents[2]


def fresh_environment(where: Path) -> Path:
    """A virtual environment with nothing but pip. Gives its interpreter."""
    bundled = importlib.util.find_spec("ensurepip") is not None  # Debian leaves it out
    venv.create(where, with_pip=bundled, symlinks=os.name != "nt")
    python = where / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not bundled:
        Pip(Path(sys.executable)).run("--python", str(python), "install", "--quiet", "pip")
    return python


@pytest.fixture(scope="session")
def pip(tmp_path_factory: pytest.TempPathFactory) -> Pip:
    """With an index that answers; without one the test fails under CI and is skipped elsewhere."""
    found = Pip(Path(sys.executable))
    try:
        found.run("--version")
    except PipFailed:  # an environment made by another tool has none
        found = Pip(fresh_environment(tmp_path_factory.mktemp("pip") / "venv"))
    try:
        found.resolve("--no-deps", "--ignore-installed", "certifi")
    except PipFailed as error:
        if os.environ.get("CI"):
            pytest.fail(f"packaging cannot be tested without a package index: {error}")
        pytest.skip("packaging cannot be tested without a package index (it fails where CI is set)")
    return found


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as somebody gets it: a clone of what is committed; where there is no repository, of the files."""
    where = tmp_path_factory.mktemp("copy") / "project"
    if (ROOT / ".git").exists() and shutil.which("git"):
        # The owner of the files may be another user, as in a container: safe.directory allows reading them.
        command = [
            "git",
            "-c",
            "safe.directory=*",
            "clone",
            "--quiet",
            "--no-hardlinks",
            str(ROOT),
            str(where),
        ]
        subprocess.run(command, check=True)
    else:
        shutil.copytree(
            ROOT, where, ignore=shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build")
        )
    return where
