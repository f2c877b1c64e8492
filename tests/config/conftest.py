"""A home in a temporary directory, and `load` on it with no variables but those of the test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tokligence.config.load import Loaded, load


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def gateway_ini(root: Path) -> Path:
    path = root / "config" / "dev" / "gateway.ini"
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def settings_ini(root: Path) -> Path:
    path = root / "config" / "settings.ini"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


Read = Callable[..., Loaded]


@pytest.fixture
def loaded(root: Path) -> Read:
    """`loaded(flags, TOKLIGENCE_X=…)`."""

    def run(flags: Mapping[str, str] | None = None, **environ: str) -> Loaded:
        return load({"HOME": str(root.parent), **environ}, flags, root)

    return run
