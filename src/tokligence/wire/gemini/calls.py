"""Ids of function calls. Gemini's models before generation 3 give none, and match a response to its call by name and
order; the conversation, as all other protocols, by id. So calls without an id get one, the same each time the history
is read, and a response without one that of the first call of its name that is not answered yet.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from msgspec import Struct

_DIGITS: Final = 24


def made_id(*parts: object) -> str:
    """The same for the same parts, and another for others."""
    return f"call_{sha256(' '.join(map(str, parts)).encode()).hexdigest()[:_DIGITS]}"


class _Open(Struct):
    """A call that waits for its response. `made`: its id is ours."""

    id: str
    name: str
    made: bool


class Calls:
    """The calls of one history, in its order."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: list[_Open] = []

    def begin(self) -> None:
        """A turn of the model: what it calls is answered next."""
        self._open.clear()

    def called(self, given: str | None, name: str, where: str) -> str:
        """The call's id. `where`: its place in the history."""
        call = _Open(given or made_id(where, name), name, not given)
        self._open.append(call)
        return call.id

    def answered(self, given: str | None, name: str, where: str) -> str:
        """The id of the call that a response answers; without such a call the response's own."""
        for call in self._open:
            if call.id == given if given and not call.made else call.name == name:
                self._open.remove(call)
                return call.id
        return given or made_id(where, name, "response")
