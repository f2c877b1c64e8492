"""The one error of this package: a single line that says where, what, and the nearest valid name."""

from __future__ import annotations

from os import PathLike

from tokligence.errors import GatewayError


class ConfigError(GatewayError):
    """Something in the configuration cannot be used.

    `str(error)` is the whole line that the user sees:
    `FILE:LINE: KEY: MESSAGE (did you mean NEAREST?)`, each part only where it is known. It never holds a secret.
    `key`: the setting, variable or flag as the user wrote it. `line`: counted from 1.
    """

    __slots__ = ("file", "key", "line", "nearest", "reason")

    def __init__(
        self,
        message: str,
        file: PathLike[str] | str | None = None,
        line: int | None = None,
        key: str | None = None,
        nearest: str | None = None,
    ) -> None:
        self.reason = message
        self.file = file
        self.line = line
        self.key = key
        self.nearest = nearest
        super().__init__("config.invalid", reason=self._one_line())

    def _one_line(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        where = "" if place is None else f"{place}: "
        key = "" if self.key is None else f"{self.key}: "
        nearest = "" if self.nearest is None else f" (did you mean {self.nearest}?)"
        # A name taken from a file may hold anything; the line must stay one line on a terminal.
        return printable(f"{where}{key}{self.reason}{nearest}")


def printable(text: str) -> str:
    """`text` with control characters and lone surrogates escaped, so that it stays one harmless line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
