"""A home for each test, with its commands in processes of their own (`home`) or in this one (`cli`)."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.command import FOREIGN, Home, Result
from tests.edge.live import Live, live
from tokligence.cli.main import main

Cli = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def cli(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    for name in list(os.environ):
        if name.startswith(FOREIGN):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TOKLIGENCE_HOME", str(home.root))

    def run(*words: str, stdin: bytes | None = None) -> Result:
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8"))
        capsys.readouterr()
        status = main(words)
        said = capsys.readouterr()
        return Result(status, said.out, said.err)

    return run


@pytest.fixture
def gateway(home: Home, cli: Cli) -> Iterator[Live]:
    """A gateway in this process on the same home."""
    with live(home.root) as running:
        yield running
