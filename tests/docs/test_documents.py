"""All Markdown files: what they link to is there; versions, decisions and headers are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tokligence
from tests.docs.blocks import README, ROOT, inline_code, links

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_what_is_linked_to_exists(document: Path) -> None:
    files = [
        link.partition("#")[0] for link in links(document) if not link.startswith(("http", "#", "mailto:"))
    ]
    assert [file for file in files if not (document.parent / file).exists()] == []


def test_every_document_that_the_readme_names_exists() -> None:
    named = [name for name in inline_code(README) if re.fullmatch(r"docs/[\w.-]+|examples/", name)]
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_decisions_are_numbered_without_gaps_and_titled_alike() -> None:
    assert [int(path.name[:3]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    for number, path in enumerate(DECISIONS, start=1):
        assert path.read_text("utf-8").startswith(f"# {number}. "), path.name


def test_the_changelog_has_this_version() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[:2] == ["Unreleased", tokligence.__version__]


def test_every_header_that_the_readme_names_is_one_of_ours() -> None:
    source = "\n".join(p.read_text("utf-8") for p in (ROOT / "src").rglob("*.py"))
    named = {name for code in inline_code(README) for name in re.findall(r"x-tokligence-[a-z-]+", code)}
    assert len(named) > 5
    assert {name for name in named if f'"{name}"' not in source} == set()


def test_the_contributing_guide_has_the_readmes_test_command() -> None:
    command = "pip install '.[test]' && pytest"
    assert command in README.read_text("utf-8")
    assert command in (ROOT / "CONTRIBUTING.md").read_text("utf-8")
