"""Where a part of a Responses request stood, from the path that its turn carries (see `openai_responses.turns_in`).

A turn of several items lists them: `input[3;4.0;4.1;5;]`. A loss of its part 2 is `input[3;4.0;4.1;5;].content[2]`,
for the client `input[4].content[1]`.
"""

from __future__ import annotations

import re
from typing import Final

_RESULT: Final = re.compile(r"^(input\[\d+\])\.output(?=\.)")
"""A field of a result's own, which its turn names by the result's content."""

_ITEMS: Final = re.compile(r"input\[([\d.;]+);\](?:\.content\[(\d+)\])?(.*)", re.DOTALL)


def item_path(path: str) -> str:
    """The path of a loss in the words of the client's request."""
    if path.startswith("instructions."):
        return "instructions"
    if path.startswith("input.content["):
        return "input"  # a string
    items = _ITEMS.fullmatch(path)
    if items is None:
        return _named(_RESULT.sub(r"\1", path.replace(".output.content[", ".output["), count=1))
    places = items.group(1).split(";")
    if items.group(2) is None:
        return f"input[{places[0].split('.')[0]}]{items.group(3)}"
    # A repaired turn may have taken up parts of the next one.
    item, inner, part = places[min(int(items.group(2)), len(places) - 1)].partition(".")
    content = f".content[{part}]" if inner else ""
    return _named(f"input[{item}]{content}{items.group(3)}")


def _named(path: str) -> str:
    """What writers call by a general name: a mark of the cache, and what a part's data is."""
    return path.replace(".cache_control", ".prompt_cache_breakpoint").removesuffix(".source")
