"""Start-up: `tgw --version`, and from `tgw start` to the first answer. Medians of fresh processes that find the modules
compiled, as an installation has them after its first start."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.processes import free_port, wait_for


def measure(args: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as compiled:
        env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        env["PYTHONPYCACHEPREFIX"] = compiled
        command = [sys.executable, "-m", "tokligence", "--version"]
        _first_answer(env)
        version = [_timed(command, env) for _ in range(args.runs * 2)]
        first = [_first_answer(env) for _ in range(args.runs)]
    figures = {
        "version_s": round(statistics.median(version), 3),
        "first_answer_s": round(statistics.median(first), 3),
    }
    print(f"tgw --version: {figures['version_s']} s; start to first answer: {figures['first_answer_s']} s")
    return figures


def _timed(command: list[str], env: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=env)
    return time.perf_counter() - began


def _first_answer(env: dict[str, str]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        env = {**env, "TOKLIGENCE_HOME": str(Path(folder) / "home")}
        began = time.perf_counter()
        command = [sys.executable, "-m", "tokligence", "start", "--port", str(port)]
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
        wait_for(port, "/v1/models")
        took = time.perf_counter() - began
        process.terminate()
        process.wait()
        return took
