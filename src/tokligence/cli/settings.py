"""Our settings in the files of a client: put in, and taken out again so that the files are as they were.

What was done is recorded below our home, with a copy of each file as it was. Who undoes gets that copy back, unless the
file has changed since: then only our settings are taken out of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from tokligence.cli import jsonc, marked
from tokligence.cli.clients import PROVIDER, Client, Facts, SettingsFile, Syntax, place_of, settings_of
from tokligence.cli.terminal import CommandFailed
from tokligence.config.edit import replace_file
from tokligence.config.home import Home
from tokligence.config.ini import read_text

NOT_CHANGEABLE: Final = (jsonc.NotJson, marked.Unsafe)
"""What a file that our settings do not fit into raises."""


class Taken(Struct, frozen=True):
    """One value that was put into a JSON file. `slot`: how many of `path` name the member that had to be made or
    replaced. `raw`: what stood there, None for nothing."""

    path: tuple[str, ...]
    value: Any
    slot: int
    raw: str | None


class Recorded(Struct, frozen=True):
    """One file. `copy`: of the file as it was, and its `mode`; None: there was none. `sha256`: of what was written."""

    path: str
    sha256: str
    copy: str | None = None
    mode: int | None = None
    taken: tuple[Taken, ...] = ()


class Record(Struct, frozen=True):
    files: tuple[Recorded, ...] = ()

    def of(self, path: Path) -> Recorded | None:
        return next((file for file in self.files if file.path == str(path)), None)


class Change(Struct, frozen=True):
    """What becomes of one file. `before`, `after`: its text now and then; None: no file. `restores`: it will be as it
    was before the first change, to the byte."""

    path: Path
    before: str | None
    after: str | None
    taken: tuple[Taken, ...] = ()
    restores: bool = False

    @property
    def needed(self) -> bool:
        return self.before != self.after


class Desk:
    """Where the files of one client are changed, and what was done is recorded."""

    def __init__(self, home: Home, client: Client) -> None:
        self._directory = home.root / "connect"
        self._client = client
        self._file = self._directory / f"{client.id}.json"
        self.record = self._read()

    def _read(self) -> Record:
        text = read_text(self._file)
        try:
            return Record() if text is None else msgspec.json.decode(text, type=Record)
        except msgspec.MsgspecError:
            raise CommandFailed(
                f"{self._file} is damaged; delete it, and the settings stay as they are"
            ) from None

    def write(self, changes: list[Change], *, private: bool) -> None:
        """Writes the files that need it. `private`: they hold a key that opens something."""
        files = [self._recorded(change) for change in changes]
        changed = {file.path for file in files}
        files += [file for file in self.record.files if file.path not in changed]
        # First what is needed to undo it.
        self.record = Record(tuple(files))
        replace_file(self._file, msgspec.json.encode(self.record).decode(), private=True)
        for change in changes:
            if change.needed:
                replace_file(change.path, change.after or "", private=private)

    def _recorded(self, change: Change) -> Recorded:
        before = self.record.of(change.path)
        copy, mode = (None, None) if before is None else (before.copy, before.mode)
        if before is None and change.before is not None:
            place = self._directory / f"{self._client.id}-{change.path.name.lstrip('.')}.backup"
            replace_file(place, change.before, private=True)
            copy, mode = str(place), change.path.stat().st_mode & 0o777
        return Recorded(str(change.path), _sha256(change.after or ""), copy, mode, change.taken)

    def take_back(self, changes: list[Change]) -> None:
        """Writes the files as they are without us, and forgets them."""
        for change in changes:
            recorded = self.record.of(change.path)
            if change.after is None:
                change.path.unlink(missing_ok=True)
            elif change.needed:
                replace_file(change.path, change.after, private=False)
                if recorded is not None and recorded.mode is not None:
                    change.path.chmod(recorded.mode)
        for recorded in self.record.files:
            if recorded.copy is not None:
                Path(recorded.copy).unlink(missing_ok=True)
        self._file.unlink(missing_ok=True)


def put_in(client: Client, facts: Facts, record: Record, environ: Mapping[str, str]) -> list[Change]:
    """What would become of the client's files. Raises `CommandFailed` for one that cannot be changed safely."""
    changes = []
    for file in client.files:
        path = place_of(client, file, environ)
        before = read_text(path)
        recorded = record.of(path)
        clean = before if recorded is None else without(path, before, recorded, file.syntax).after
        try:
            after, taken = with_ours(clean or "", file, facts)
        except NOT_CHANGEABLE as error:
            raise CommandFailed(f"{path} cannot be changed: {error}") from None
        changes.append(Change(path, before, after, taken))
    return changes


def take_out(client: Client, record: Record) -> list[Change]:
    """What becomes of the files when our settings are taken out."""
    syntaxes = {name: file.syntax for file in client.files for name in file.names}
    return [
        without(path, read_text(path), recorded, syntaxes.get(path.name, Syntax.JSON))
        for recorded in record.files
        for path in (Path(recorded.path),)
    ]


def with_ours(text: str, file: SettingsFile, facts: Facts) -> tuple[str, tuple[Taken, ...]]:
    """`text` with our settings, and what they replaced. Raises one of `NOT_CHANGEABLE`."""
    values = settings_of(file, facts)
    crlf = 0 < text.count("\n") == text.count("\r\n")
    text = text.replace("\r\n", "\n") if crlf else text
    taken: list[Taken] = []
    if file.syntax is Syntax.JSON:
        text = text if text.strip() else "{}\n"
        for path, value in values.items():
            taken.append(_slot(text, path, value))
            text = jsonc.put(text, path, value)
    else:
        text = marked.put(marked.take_out(text), file.syntax, values)
    return (text.replace("\n", "\r\n") if crlf else text), tuple(taken)


def without(path: Path, text: str | None, recorded: Recorded, syntax: Syntax) -> Change:
    """The file without our settings."""
    if text is None:
        return Change(path, None, None)
    copy = None if recorded.copy is None else read_text(Path(recorded.copy))
    if _sha256(text) == recorded.sha256 and (copy is None) == (recorded.copy is None):
        return Change(path, text, copy, restores=True)
    if syntax is not Syntax.JSON:
        return Change(path, text, marked.take_out(text))
    try:
        return Change(path, text, _json_without(text, recorded.taken))
    except jsonc.NotJson as error:
        raise CommandFailed(f"{path} cannot be changed: {error}") from None


def _slot(text: str, path: tuple[str, ...], value: Any) -> Taken:
    node = jsonc.parse(text)
    for depth, name in enumerate(path, start=1):
        member = node.member(name)
        if member is None:
            return Taken(path, value, depth, None)
        node = member.value
        if node.members is None or depth == len(path):
            return Taken(path, value, depth, text[node.start : node.end])
    raise AssertionError("a path has at least one name")


def _json_without(text: str, taken: tuple[Taken, ...]) -> str:
    for each in reversed(taken):
        if PROVIDER in each.path:  # ours as a whole, whatever was added to it
            path = each.path[: each.path.index(PROVIDER) + 1]
            text = _pruned(jsonc.remove(text, path), path, each)
            continue
        there = jsonc.get(text, each.path)
        if there is None or not _is(there, each.value):
            continue  # the user has chosen something else since
        if each.slot < len(each.path) or each.raw is None:
            text = _pruned(jsonc.remove(text, each.path), each.path, each)
        else:
            text = jsonc.put_raw(text, each.path, each.raw)
    return text


def _pruned(text: str, path: tuple[str, ...], each: Taken) -> str:
    """Without the objects that were made for `path` and hold nothing any more; what one replaced is put back."""
    for depth in range(len(path) - 1, each.slot - 1, -1):
        there = jsonc.get(text, path[:depth])
        if there is None or not _is(there, {}):
            return text
        replaced = each.raw if depth == each.slot else None
        text = (
            jsonc.remove(text, path[:depth])
            if replaced is None
            else jsonc.put_raw(text, path[:depth], replaced)
        )
    return text


def _is(raw: str, value: Any) -> bool:
    try:
        return bool(json.loads(raw) == value)
    except ValueError:  # a comment within
        return False


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
