"""An INI file as lines that can be changed one by one; what is not changed keeps every character."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Final

from tokligence.config.endpoints import SECTION, is_endpoint, short_name
from tokligence.config.former import PLAIN_SECTIONS, present_name
from tokligence.config.ini import Entry, read_entries
from tokligence.config.render import default_line, help_line
from tokligence.config.schema import FIELDS

_KEY: Final = r"(\s*)([^=]*?)(\s*=)(\s*)"
_HEADING: Final = r"\s*\[\s*([^\[\]]*?)\s*\]"
_NOWHERE: Final = Path()


class Document:
    """`lines` and the line ending after each; the last has "" if the file does not end with one."""

    def __init__(self, lines: list[str], ends: list[str]) -> None:
        self.lines = lines
        self.ends = ends

    @classmethod
    def read(cls, text: str) -> Document:
        pieces = re.split(r"(\r\n|\n|\r)", text)
        lines, ends = pieces[::2], pieces[1::2]
        if lines[-1]:
            ends.append("")
        else:
            lines.pop()  # what follows the last line ending
        return cls(lines, ends)

    def text(self) -> str:
        return "".join(line + end for line, end in zip(self.lines, self.ends, strict=True))

    def find(self, name: str) -> list[Entry]:
        """The entries that set `name`, or any key of the section `provider.NAME`; an entry with the setting's present
        name comes before one with a former name."""
        found = [entry for entry in read_entries(self.text(), _NOWHERE) if _sets(entry, name)]
        return sorted(found, key=lambda entry: entry.key != _key_of(name))

    def holds(self, name: str) -> bool:
        """Whether anything of `name` stands here: entries, or the heading of a section alone."""
        return bool(self.find(name)) or any(section == name for _, section in self._headings())

    def set(self, name: str, value: str) -> int:
        """Writes `name = value` in the place of its entry, of its commented default, or at the end of its section.
        Gives the number of its line."""
        found = self.find(name)
        if found:
            short = found[0].key if short_name(found[0].key) == name else None
            return self._rewrite(found[0], short or _key_of(name), value)
        line = f"{_key_of(name)} = {value}"
        commented = self._commented(name)
        if commented is None:
            return self._append(_section_of(name), line)
        if name in FIELDS and self.lines[commented].strip() == default_line(FIELDS[name]):
            self.lines[commented] = line
            return commented + 1
        return self._insert(commented + 1, line)

    def unset(self, name: str) -> int:
        """Takes the entries of `name` out; a default that stood there before `set` comes back. Gives the number of the
        first line concerned."""
        found = self.find(name)
        first = min(
            [entry.line for entry in found] or [n + 1 for n, head in self._headings() if head == name]
        )
        for entry in sorted(found, key=lambda entry: entry.line, reverse=True):
            self._drop_continuation(entry)
            above = self.lines[entry.line - 2].strip() if entry.line > 1 else ""
            if name in FIELDS and above == help_line(FIELDS[name]):
                self.lines[entry.line - 1] = default_line(FIELDS[name])
            else:
                self._delete(entry.line - 1)
        if is_endpoint(name) and name.count(".") == 1:
            for number in reversed([n for n, section in self._headings() if section == name]):
                self._delete(number)
        return first

    # --- lines

    def _rewrite(self, entry: Entry, key: str, value: str) -> int:
        self._drop_continuation(entry)
        line = self.lines[entry.line - 1]
        match = re.match(_KEY, line)
        indent, old_key, equals, blank = match.groups() if match else ("", key, " =", " ")
        if not line[match.end() if match else 0 :] and equals != "=":
            blank = " "  # `key =` had no value
        spelled = old_key if old_key.lower() == key else key
        self.lines[entry.line - 1] = f"{indent}{spelled}{equals}{blank}{value}"
        return entry.line

    def _drop_continuation(self, entry: Entry) -> None:
        for part in reversed(entry.parts):
            if part.line is not None and part.line != entry.line:
                self._delete(part.line - 1)

    def _delete(self, index: int) -> None:
        del self.lines[index]
        del self.ends[index]

    def _insert(self, index: int, line: str) -> int:
        """Puts a line before `index`; gives its number."""
        end = Counter(filter(None, self.ends)).most_common(1)[0][0] if any(self.ends) else "\n"
        if index == len(self.lines) and self.ends and not self.ends[-1]:
            self.ends[-1] = end
        self.lines.insert(index, line)
        self.ends.insert(index, end)
        return index + 1

    # --- places

    def _headings(self) -> list[tuple[int, str]]:
        """Index and section of each heading."""
        matches = ((index, re.match(_HEADING, line)) for index, line in enumerate(self.lines))
        return [(index, match[1].lower()) for index, match in matches if match]

    def _region(self, section: str) -> tuple[int, int] | None:
        """The lines of a section, `[start, end)`; for "", those of all sections in which plain settings may stand
        that come before the first in which they may not. None: there is no such section."""
        headings = self._headings()
        if not section:
            stop = next((index for index, name in headings if name not in PLAIN_SECTIONS), len(self.lines))
            return 0, stop
        starts = [position for position, (_, name) in enumerate(headings) if name == section]
        if not starts:
            return None
        after = headings[starts[-1] + 1 :]
        return headings[starts[-1]][0] + 1, after[0][0] if after else len(self.lines)

    def _commented(self, name: str) -> int | None:
        """The index of a line such as `#port = 8081` where the setting may stand."""
        region = self._region(_section_of(name))
        pattern = rf"\s*[#;]\s*{re.escape(_key_of(name))}\s*="
        found = (
            index for index in range(*region or (0, 0)) if re.match(pattern, self.lines[index], re.IGNORECASE)
        )
        return next(found, None)

    def _append(self, section: str, line: str) -> int:
        region = self._region(section)
        if region is None:
            if self.lines and self.lines[-1].strip():
                self._insert(len(self.lines), "")
            self._insert(len(self.lines), f"[{section}]")
            return self._insert(len(self.lines), line)
        start, end = region
        if end < len(self.lines):
            # Comments right above the next heading belong to it.
            while end > start and self.lines[end - 1].lstrip().startswith(("#", ";")):
                end -= 1
        while end > start and not self.lines[end - 1].strip():
            end -= 1
        return self._insert(end, line)


def _sets(entry: Entry, name: str) -> bool:
    if entry.section.startswith(SECTION):
        return name in (entry.section, f"{entry.section}.{entry.key}")
    if entry.section not in ("", *PLAIN_SECTIONS):
        return False
    dotted = short_name(entry.key) or ""
    return name in (entry.key, present_name(entry.key), dotted, dotted.rpartition(".")[0])


def _section_of(name: str) -> str:
    return name.rpartition(".")[0] if is_endpoint(name) else ""


def _key_of(name: str) -> str:
    return name.rpartition(".")[2]
