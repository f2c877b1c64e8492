"""What an installation weighs: packages and megabytes in a fresh virtual environment, pip itself not counted."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parent.parent
NOT_OURS = {"pip", "setuptools"}


def measure(_args: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        venv.create(home, with_pip=True)
        python = home / "bin" / "python"
        before = _size(home)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", str(PROJECT)], check=True)
        listed = subprocess.run(
            [*pip, "list", "--format=json"], check=True, capture_output=True, text=True
        ).stdout
        names = {row["name"] for row in json.loads(listed)} - NOT_OURS
        figures = {"packages": len(names), "mb": round((_size(home) - before) / 1e6, 1)}
    print(f"installation: {figures['packages']} packages, {figures['mb']} MB (bytecode included)")
    return figures


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


if __name__ == "__main__":
    measure(argparse.Namespace())
    sys.exit(0)
