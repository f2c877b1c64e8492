"""What a Markdown file shows: its code blocks, its inline code, its links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """One fenced block. `language`: the word behind the fence, "" for none; `heading`: the section it stands in."""

    language: str
    text: str
    heading: str

    @property
    def name(self) -> str:
        """For the test's id."""
        return f"{self.heading}: {self.text.splitlines()[0][:40]}"


def blocks(path: Path, language: str | None = None) -> list[Block]:
    """The blocks of `path` in their order, or those in one language."""
    document = path.read_text("utf-8")
    found = []
    for match in FENCE.finditer(document):
        before = FENCE.sub("", document[: match.start()])  # comments in blocks look like headings
        headings = re.findall(r"^#+ (.+)$", before, re.MULTILINE)
        found.append(Block(match[1], match[2], headings[-1] if headings else ""))
    return [block for block in found if language is None or block.language == language]


def prose(path: Path) -> str:
    """The file without its fenced blocks."""
    return FENCE.sub("", path.read_text("utf-8"))


def inline_code(path: Path) -> list[str]:
    return _INLINE.findall(prose(path))


def links(path: Path) -> list[str]:
    return _LINK.findall(prose(path))
