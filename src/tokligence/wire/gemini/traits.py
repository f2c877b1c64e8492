"""What a Gemini model takes, told by its name, where the catalogue does not know the model.

Sources, read 2026-11-24: ai.google.dev/gemini-api/docs/{thinking,thought-signatures,function-calling,
structured-output}; github.com/google-gemini/cookbook #1290 (penalties are refused since 2.5);
github.com/googleapis/python-genai #867 (no functions beside a JSON answer before 3).
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from tokligence.catalog.models import ThinkingStyle


class Traits(Struct, frozen=True):
    """`budgets`: least and most tokens of thinking; `off`: thinking stops at a budget of 0. `signed_calls`: a history's
    calls must carry signatures. `media_results`: pictures stand within a function's response. `output_beside_tools`: a
    JSON answer may be asked for beside functions."""

    thinking: ThinkingStyle = ThinkingStyle.UNKNOWN
    budgets: tuple[int, int] = (1, 2**31 - 1)
    off: bool = True
    signed_calls: bool = False
    media_results: bool = False
    output_beside_tools: bool = True
    penalties: bool = True


_OLD: Final = Traits(ThinkingStyle.NONE, output_beside_tools=False)
_PRO_25: Final = Traits(
    ThinkingStyle.BUDGET, (128, 32_768), off=False, output_beside_tools=False, penalties=False
)
_FLASH_25: Final = Traits(ThinkingStyle.BUDGET, (1, 24_576), output_beside_tools=False, penalties=False)
_LITE_25: Final = Traits(ThinkingStyle.BUDGET, (512, 24_576), output_beside_tools=False, penalties=False)
_NEW: Final = Traits(ThinkingStyle.EFFORT, off=False, signed_calls=True, media_results=True, penalties=False)
_UNKNOWN: Final = Traits()

_NAMED: Final = (
    (re.compile(r"gemini-(1|2\.0)\b"), _OLD),
    (re.compile(r"gemini-2\.5-flash-lite"), _LITE_25),
    (re.compile(r"gemini-2\.5-flash"), _FLASH_25),
    (re.compile(r"gemini-2\.5"), _PRO_25),
    (re.compile(r"gemini-(\d|pro-latest|flash-latest|flash-lite-latest)"), _NEW),
)


def traits_of(model: str) -> Traits:
    name = model.rpartition("/")[2]
    return next((traits for pattern, traits in _NAMED if pattern.match(name)), _UNKNOWN)
