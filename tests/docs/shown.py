"""Blocks of a document that are written by what they show: compared, or with `--update-golden` put in its place."""

from __future__ import annotations

from pathlib import Path

from tests.docs.blocks import FENCE, ROOT, blocks

AGENTS = ROOT / "docs" / "agents.md"


def check_shown(document: Path, heading: str, language: str, text: str, *, update: bool) -> None:
    """The block in `language` below `heading` must be `text`."""
    if update:
        whole = document.read_text("utf-8")
        # The fences come in the order of the blocks, which know their headings.
        fences = zip(FENCE.finditer(whole), blocks(document), strict=True)
        spans = [f.span(2) for f, block in fences if (block.heading, block.language) == (heading, language)]
        assert len(spans) == 1, f"{document} must have one block in {language} below {heading}"
        ((start, end),) = spans
        document.write_text(whole[:start] + text + whole[end:], "utf-8")
    there = [block.text for block in blocks(document, language) if block.heading == heading]
    assert there == [text]
