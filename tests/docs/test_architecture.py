"""ARCHITECTURE.md names what exists, and every package."""

from __future__ import annotations

import re

from tests.docs.blocks import ROOT, inline_code

DOCUMENT = ROOT / "ARCHITECTURE.md"
SOURCE = ROOT / "src" / "tokligence"
NAMED = set(inline_code(DOCUMENT))

OF_THE_HOME = ("config/settings.ini", "config/ENV/", "journal/", "ledger.db", "logs/", "run/")


def test_every_path_that_is_named_exists() -> None:
    paths = [
        name
        for name in NAMED
        if re.fullmatch(r"[\w./-]+", name) and ("/" in name or name.endswith((".py", ".md")))
        if not name.startswith(OF_THE_HOME)
    ]
    assert len(paths) > 50
    assert [path for path in paths if not ((SOURCE / path).exists() or (ROOT / path).exists())] == []


def test_every_package_and_every_module_beside_them_is_named() -> None:
    packages = {f"{p.parent.relative_to(SOURCE).as_posix()}/" for p in SOURCE.glob("*/**/__init__.py")}
    modules = {p.name for p in SOURCE.glob("[a-z]*.py")}
    assert packages | modules <= NAMED


def test_the_pure_modules_of_the_ledger_are_those_that_are_checked() -> None:
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    checked = set(re.findall(r'"tokligence\.ledger\.(\w+)"', project))
    text = DOCUMENT.read_text("utf-8")
    pure = text[text.index("Pure means") : text.index("## Translation")]
    assert set(re.findall(r"ledger/(\w+)\.py", pure)) == checked


def test_the_layers_are_in_the_order_that_is_checked() -> None:
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    (block,) = re.findall(r"^layers = \[\n(.*?)^\]", project, re.MULTILINE | re.DOTALL)
    checked = {
        package: str(number)
        for number, line in enumerate(re.findall(r'"(.+)"', block), start=1)
        for package in line.split(" | ")
    }
    rows = re.findall(r"^\| (\d) \| `([a-z_]+)(?:/|\.py)` \|", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    assert {package: number for number, package in rows} == checked
