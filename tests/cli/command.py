"""The command as a user types it: in a process of its own, or within this one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

FOREIGN = ("TOKLIGENCE_", "OPENAI_", "ANTHROPIC_", "GEMINI_", "GOOGLE_")
PATIENCE = 60.0  # seconds, before a test gives up on a process


@dataclass
class Result:
    status: int
    out: str
    err: str


def environment(home: Path, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's, without what would lead a gateway anywhere."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(FOREIGN) and not name.lower().endswith("_proxy")
    }
    return kept | {"TOKLIGENCE_HOME": str(home), "PYTHONUTF8": "1"} | dict(settings or {})


def words_of(*words: str) -> list[str]:
    return [sys.executable, "-m", "tokligence", *words]


class Home:
    """A home and its commands."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.settings: dict[str, str] = {}

    def tgw(self, *words: str, stdin: bytes = b"", **settings: str) -> Result:
        done = subprocess.run(
            words_of(*words),
            env=environment(self.root, {**self.settings, **settings}),
            input=stdin,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        result = Result(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert "Traceback" not in result.err, result.err
        return result

    @contextmanager
    def process(self, *words: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
        """One that goes on; killed at the end if it still does."""
        process = subprocess.Popen(
            words_of(*words),
            env=environment(self.root, {**self.settings, **settings}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()

    @contextmanager
    def serving(self, *words: str, **settings: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
        """`tgw start` in the foreground, once its banner is out: the process and the banner's lines."""
        with self.process("start", *words, **settings) as process:
            yield process, banner_of(process)

    @contextmanager
    def daemon(self, *words: str, **settings: str) -> Iterator[Result]:
        """`tgw start --daemon`, and `tgw stop` at the end."""
        started = self.tgw("start", "--daemon", *words, **settings)
        assert started.status == 0, started.err
        try:
            yield started
        finally:
            assert self.tgw("stop").status == 0

    def config(self, text: str) -> Path:
        file = self.root / "config" / "dev" / "gateway.ini"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        return file


def banner_of(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if line.startswith("Stop with"):
            return lines
    raise AssertionError(f"no banner: {lines} {process.stderr.read() if process.stderr else ''}")
