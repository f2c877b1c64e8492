"""Single members changed in the text of a JSON file with comments."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokligence.cli import jsonc

COMMENTED = """\
// of the user's
{
    /* first */ "theme": "dark", // said of the theme
    "env": {
        "A": "1" // the last
    },
    "list": [1, 2, /* three */ 3,],
}
"""


def test_a_member_is_added_in_the_layout_of_the_file_behind_what_is_said_of_the_one_before() -> None:
    assert jsonc.put(COMMENTED, ("env", "B"), "2") == COMMENTED.replace(
        '"A": "1" // the last', '"A": "1", // the last\n        "B": "2"'
    )


def test_a_trailing_comma_stays_one() -> None:
    assert jsonc.put(COMMENTED, ("model",), {"name": "m"}).endswith(
        '3,],\n    "model": {\n        "name": "m"\n    },\n}\n'
    )


def test_a_value_is_replaced_where_it_stands() -> None:
    assert jsonc.put(COMMENTED, ("theme",), "light") == COMMENTED.replace('"dark"', '"light"')


def test_objects_on_the_way_are_made() -> None:
    assert jsonc.put("{}", ("a", "b"), 1) == '{\n  "a": {\n    "b": 1\n  }\n}'


def test_an_empty_file_becomes_an_object() -> None:
    assert jsonc.put("\n", ("a",), 1) == '{\n  "a": 1\n}\n'


def test_a_file_in_one_line_stays_in_one_line() -> None:
    assert jsonc.put('{ "a": 1 }', ("b",), "x") == '{ "a": 1, "b": "x" }'


def test_what_is_no_object_on_the_way_is_replaced() -> None:
    assert json.loads(jsonc.put('{"a": null}', ("a", "b"), 1)) == {"a": {"b": 1}}


def test_of_a_name_that_stands_twice_the_last_counts() -> None:
    assert jsonc.get('{"a": 1, "a": 2}', ("a",)) == "2"


def test_a_value_is_put_back_as_it_was_written() -> None:
    assert jsonc.put_raw('{"a": "new"}', ("a",), "[1, // one\n]") == '{"a": [1, // one\n]}'


@pytest.mark.parametrize(
    ("text", "path", "left"),
    [
        ('{"a": 1, "b": 2}', ("a",), '{ "b": 2}'),
        ('{"a": 1, "b": 2}', ("b",), '{"a": 1}'),
        ('{"a": 1}', ("a",), "{}"),
        ('{\n  "a": 1,\n}\n', ("a",), "{}\n"),
        ('{\n  "a": 1, // of a\n  "b": 2\n}', ("b",), '{\n  "a": 1 // of a\n}'),
        ('{\n  // of a\n  "a": 1 }', ("a",), "{\n  // of a\n }"),
        ('{"a": {"b": 1}}', ("a", "b"), '{"a": {}}'),
        ('{"a": 1}', ("b",), '{"a": 1}'),
        ('{"a": 1}', ("b", "c"), '{"a": 1}'),
        ('{"a": 1}', ("a", "b"), '{"a": 1}'),
    ],
)
def test_a_member_is_removed_and_comments_stay(text: str, path: tuple[str, ...], left: str) -> None:
    assert jsonc.remove(text, path) == left


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "1",
        "{",
        '{"a"}',
        '{"a": }',
        '{"a": 1 "b": 2}',
        "{,}",
        '{"a": [1 2]}',
        "{} x",
        '{"a": 1} /*',
        '{"\\x": 1}',
        '{"a": ' + "[" * 100_000,
    ],
    ids=lambda text: text[:12],
)
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(jsonc.NotJson):
        jsonc.put(text, ("a",), 1)


NAMES = st.sampled_from(["a", "b", "ü", 'x"y', ""])
TREES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=10,
)
OBJECTS = st.dictionaries(NAMES, TREES, max_size=4)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(tuple)


@given(OBJECTS, PATHS, TREES, st.sampled_from([None, 2, "\t"]))
def test_the_text_means_what_was_asked_for(
    before: dict[str, Any], path: tuple[str, ...], value: Any, indent: int | str | None
) -> None:
    after = jsonc.put(json.dumps(before, indent=indent), path, value)
    expected = json.loads(json.dumps(before))
    node = expected
    for name in path[:-1]:
        if not isinstance(node.get(name), dict):
            node[name] = {}
        node = node[name]
    node[path[-1]] = value
    assert json.loads(after) == expected
    raw = jsonc.get(after, path)
    assert raw is not None
    assert json.loads(raw) == value


@given(OBJECTS, PATHS, st.sampled_from([None, 2, "\t"]))
def test_a_removed_member_is_gone_and_nothing_else(
    before: dict[str, Any], path: tuple[str, ...], indent: int | str | None
) -> None:
    after = jsonc.remove(json.dumps(before, indent=indent), path)
    node: Any = before
    for name in path[:-1]:
        node = node.get(name) if isinstance(node, dict) else None
    if isinstance(node, dict):
        node.pop(path[-1], None)
    assert json.loads(after) == before
