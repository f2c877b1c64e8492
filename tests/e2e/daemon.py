"""A gateway as a user runs it: a process of its own, on a home of its own, in front of the scripted upstreams."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx2

from tests.ports import free_port

PATIENCE = 30.0
"""Seconds that a start or a stop may take before the test gives up (a loaded machine is slow)."""


class Daemon:
    """`python -m tokligence start`, its address and its output."""

    def __init__(self, home: Path, settings: Mapping[str, str]) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._lines: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tokligence", "start", "--port", str(self.port)],
            env=_environment(home, settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        return "".join(self._lines)

    def wait_until_ready(self) -> None:
        """Polls /readyz; each attempt waits in `connect`, so a start is noticed at once."""
        pause = threading.Event()
        for _ in range(int(PATIENCE / 0.05)):
            if self._process.poll() is not None:
                raise AssertionError(f"the gateway ended with {self._process.returncode}:\n{self.output}")
            with contextlib.suppress(httpx2.TransportError):
                if httpx2.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            pause.wait(0.05)
        raise AssertionError(f"the gateway was not ready in {PATIENCE} s:\n{self.output}")

    def stop(self) -> int:
        """Ends it as a service manager does. Gives its exit code."""
        if sys.platform == "win32":
            self._process.send_signal(signal.CTRL_BREAK_EVENT)
        else:
            self._process.terminate()
        try:
            code = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"the gateway did not stop:\n{self.output}") from None
        finally:
            self._reader.join(5)
        return code

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            self._lines.extend(lines)


@contextlib.contextmanager
def running(home: Path, settings: Mapping[str, str]) -> Iterator[Daemon]:
    """A ready gateway; it must end cleanly."""
    daemon = Daemon(home, settings)
    try:
        daemon.wait_until_ready()
        yield daemon
    finally:
        code = daemon.stop()
    assert code == 0, daemon.output
    assert "Traceback" not in daemon.output, daemon.output


def _environment(home: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """The environment without anything that could lead a test to the outside."""
    foreign = ("TOKLIGENCE_", "OPENAI_", "ANTHROPIC_", "GEMINI_", "GOOGLE_")
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(foreign) and not name.lower().endswith("_proxy")
    }
    return inherited | {"TOKLIGENCE_HOME": str(home), "PYTHONUNBUFFERED": "1"} | dict(settings)
