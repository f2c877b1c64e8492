"""Losses of a Responses request are named by the items of its input."""

from __future__ import annotations

import pytest

from tokligence.wire.places import item_path


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("instructions.content[0].cache_control", "instructions"),
        ("input.content[0]", "input"),
        ("input[2].content[1]", "input[2].content[1]"),
        ("input[7].output.content[1].source", "input[7].output[1]"),
        ("input[2].content[1].cache_control", "input[2].content[1].prompt_cache_breakpoint"),
        ("input[7].output.caller", "input[7].caller"),
        ("input[3;4.0;4.1;5;].content[0]", "input[3]"),
        ("input[3;4.0;4.1;5;].content[2].annotations", "input[4].content[1].annotations"),
        ("input[3;4.0;4.1;5;].content[3].arguments", "input[5].arguments"),
        ("input[3;4.0;4.1;5;].content[9]", "input[5]"),
        ("input[4.0;5;].phase", "input[4].phase"),
        ("tools[1].format", "tools[1].format"),
    ],
)
def test_a_path_is_named_by_its_item(path: str, named: str) -> None:
    assert item_path(path) == named
