"""Leaves of a JSON value, and what becomes of them in a translation."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from tests.wire.cross.harness import Json
from tokligence.conversation import Loss

Path = tuple[str | int, ...]


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every scalar and every empty array or object, with its path."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value


def spelled(path: Path) -> str:
    """messages[0].content[1].text, as losses are named."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def without(body: Json, path: Path) -> Json:
    """A copy in which this leaf, and what held only it, is not there."""
    changed = copy.deepcopy(body)
    holder: Any = changed
    for step in path[:-1]:
        holder = holder[step]
    del holder[path[-1]]
    return changed


def objects(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every object."""
    if isinstance(value, dict):
        yield path
        for key, item in value.items():
            yield from objects(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from objects(item, (*path, index))


def having(body: Json, path: Path, name: str, value: Any) -> Json:
    """A copy in which the object at `path` has one field more."""
    changed = copy.deepcopy(body)
    holder: Any = changed
    for step in path:
        holder = holder[step]
    holder[name] = value
    return changed


def explained(path: Path, losses: Iterable[Loss]) -> bool:
    """Whether a loss names the leaf, or what it is a part of. Gemini's fields may also be spelled in snake case."""
    leaf = spelled(path)
    both = (leaf, re.sub(r"_([a-z])", lambda found: found[1].upper(), leaf))
    return any(_names(loss.path, each) for loss in losses for each in both)


def _names(loss: str, leaf: str) -> bool:
    """A loss of an assistant's part stands for what Chat says outside of `content`: reasoning, refusals, calls."""
    if leaf == loss or (leaf.startswith(loss) and leaf[len(loss)] in ".["):
        return True
    part, within = _PART.match(loss), _OUTSIDE.match(leaf)
    return part is not None and within is not None and part.group(1) == within.group(1)


_PART: Final = re.compile(r"(messages\[\d+\])\.content\[\d+\]")
_OUTSIDE: Final = re.compile(
    r"(messages\[\d+\])\.(?:reasoning_details|reasoning_content|reasoning|refusal|tool_calls|content|tool_call_id)\b"
)


def ends(*names: str) -> Callable[[str], bool]:
    return lambda path: path.endswith(names)


NEUTRAL: Final[list[tuple[Callable[[str], bool], tuple[Any, ...]]]] = [
    # What stands there anyway.
    (ends("parallel_tool_calls"), (True,)),
    (ends("frequency_penalty", "presence_penalty", "logprobs"), (0, False)),
    (ends("logit_bias"), ({},)),
    (ends("n"), (1,)),
    (ends("temperature"), (1,)),
    (ends("strict"), (False,)),
    (ends("cache_control.type", "prompt_cache_breakpoint.mode"), ("ephemeral", "explicit")),
    (ends(".media_type"), ("text/plain",)),
    (ends("].type"), ("custom",)),
    (ends(".signature"), ("",)),
    (ends(".content"), ("", [])),
    (ends("function.arguments"), ("", "{}")),
    (ends("reasoning_details[0].index"), (0,)),
    (ends("caller.type"), ("direct",)),
    (ends("parameters.type", "input_schema.type"), ("object",)),
    (ends(".role"), ("user",)),
    (ends("functionResponse.id"), ("1", "fc_1", "fc_2")),  # the name tells it too
    (ends("responseMimeType"), ("application/json", "text/plain")),  # beside a schema, and the default
    (ends("thinkingBudget"), (0, -1)),
    (ends(".text"), ("",)),
    (ends(".thought"), (True,)),  # beside a signature of ours
    # It stands in the path where Gemini is asked.
    (ends("stream"), (True,)),
    (ends("model"), ("models/asked",)),
    # It says again what `reasoning_details` says.
    (ends("reasoning_content"), ("Look it up.",)),
    # It is for the gateway: how the answer's stream ends.
    (ends("stream_options.include_usage"), (True, False)),
    # Anthropic enforces every schema, and closes every object of it.
    (ends("json_schema.strict", "parameters.additionalProperties"), (True, False)),
]
"""Leaves that may be left out without a difference, and the values with which they may."""
