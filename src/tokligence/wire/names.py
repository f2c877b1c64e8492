"""Tool names and call ids in a target's form: a character set and a length.

Vendors differ (read 2026-11-24): Anthropic refuses a tool name that is not `^[a-zA-Z0-9_-]{1,128}$` and a call id
that is not `^[a-zA-Z0-9_-]+$`; OpenAI Chat takes names of 64 characters of the same set and call ids of 40; Gemini takes
dots and colons in a name too, which must begin with a letter or an underscore (google-genai 3.6.1,
`FunctionDeclaration`). What fits stays as it is. What does not is made to fit by its own hash alone, so a text has one
form in every request of a conversation and prompt caches keep hitting.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from typing import Final

from msgspec import Struct

_DIGEST: Final = 10  # hexadecimal characters: 40 bits tell the texts of one conversation apart

WORD: Final = "a-zA-Z0-9_-"
"""The character set that both vendors take, as the inside of a regular expression's class."""


class Form(Struct, frozen=True):
    """`charset`: the inside of a character class; `max_len`: characters, at least 13; `first`: the inside of the
    first character's class, to which `_` belongs; "": any of the set may be first."""

    max_len: int
    charset: str = WORD
    first: str = ""


ANTHROPIC_NAME: Final = Form(128)
ANTHROPIC_ID: Final = Form(256)  # no limit is documented; this one only stops absurd ids
OPENAI_NAME: Final = Form(64)
OPENAI_CHAT_ID: Final = Form(40)
OPENAI_CALL_ID: Final = Form(64)  # of Responses
GEMINI_NAME: Final = Form(128, "a-zA-Z0-9_.:-", "a-zA-Z_")


@lru_cache(maxsize=16)
def _patterns(max_len: int, charset: str, first: str = "") -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What matches a text in form, and what matches each character that is not, and the start of a text whose first
    character may not be first."""
    if not first:
        return re.compile(f"[{charset}]{{1,{max_len}}}"), re.compile(f"[^{charset}]")
    return (
        re.compile(f"(?=[{first}])[{charset}]{{1,{max_len}}}"),
        re.compile(f"[^{charset}]|^(?=[{charset}])(?![{first}])"),
    )


def in_form(text: str, form: Form) -> str:
    """`text` itself if it fits, else its readable start and a hash of the whole."""
    fits, stranger = _patterns(form.max_len, form.charset)
    return text if fits.fullmatch(text) else _shortened(text, form.max_len, stranger)


def _shortened(text: str, max_len: int, stranger: re.Pattern[str]) -> str:
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    head = stranger.sub("_", text)[: max_len - _DIGEST - 1]
    return f"{head}_{digest}"


class ToolNames:
    """Tool names of one request in the target's form. Two names never share a form, even by malice.

    `renames`: target's name -> client's name, only where they differ; it goes into `ReplyMemory.renames`.
    """

    __slots__ = ("_fits", "_max_len", "_source", "_stranger", "_target", "renames")

    def __init__(self, max_len: int, charset: str = WORD, first: str = "") -> None:
        self._max_len = max_len
        self._fits, self._stranger = _patterns(max_len, charset, first)
        self._target: dict[str, str] = {}
        self._source: dict[str, str] = {}
        self.renames: dict[str, str] = {}

    def to_target(self, name: str) -> str:
        known = self._target.get(name)
        if known is not None:
            return known
        target = name
        if target in self._source or not self._fits.fullmatch(target):
            target = _shortened(name, self._max_len, self._stranger)
            while target in self._source:
                target = _shortened(f"{name}\0{target}", self._max_len, self._stranger)
            self.renames[target] = name
        self._target[name] = target
        self._source[target] = name
        return target
