"""Blocks of a document that are written by what they show: compared, or with `--update-golden` put in its place."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.blocks import ROOT, blocks

AGENTS = ROOT / "docs" / "agents.md"


def check_shown(document: Path, heading: str, language: str, text: str, *, update: bool) -> None:
    """The block in `language` below `heading` must be `text`."""
    if update:
        whole = document.read_text("utf-8")
        pattern = rf"(^#+ {re.escape(heading)}\n(?:(?!^#+ ).*\n)*?^```{language}\n)(?:.*\n)*?(?=^```$)"
        new, found = re.subn(pattern, lambda m: m[1] + text, whole, count=1, flags=re.MULTILINE)
        assert found == 1, f"{document} has no block in {language} below {heading}"
        document.write_text(new, "utf-8")
    there = [block.text for block in blocks(document, language) if block.heading == heading]
    assert there == [text]
