"""The checker of JSON values against TypedDicts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, Required, TypedDict

import pytest
from pydantic import BaseModel

from tests.fakes.replies import Call, Text, chunks_of, instance_of
from tests.fakes.shape import Flaw, check


class Model(BaseModel):
    type: Literal["model"]


class Cat(TypedDict, total=False):
    type: Required[Literal["cat"]]
    lives: int | None
    weight: float


class Dog(TypedDict):
    type: Literal["dog"]
    name: str


class House(TypedDict, total=False):
    pets: Required[Iterable[Cat | Dog | Model]]
    rooms: dict[str, int]
    mood: Literal["good", "bad"] | bool
    anything: object


@pytest.mark.parametrize(
    ("value", "flaws"),
    [
        ({"pets": []}, []),
        (
            {"pets": [{"type": "cat", "lives": None, "weight": 4}], "mood": True, "anything": [{"x": None}]},
            [],
        ),
        ({}, [Flaw(("pets",), "missing", "pets")]),
        ({"pets": [], "cars": 1}, [Flaw(("cars",), "unknown", "House")]),
        ({"pets": "none"}, [Flaw(("pets",), "type", "an array")]),
        ({"pets": {}}, [Flaw(("pets",), "type", "an array")]),
        ({"pets": None}, [Flaw(("pets",), "type", "an array")]),
        ({"pets": [{"type": "cow"}]}, [Flaw(("pets", 0, "type"), "value", "cat, dog")]),
        ({"pets": [{}]}, [Flaw(("pets", 0, "type"), "missing", "cat, dog")]),
        ({"pets": [{"type": "dog"}]}, [Flaw(("pets", 0, "name"), "missing", "name")]),
        ({"pets": [{"type": "dog", "name": 3}]}, [Flaw(("pets", 0, "name"), "type", "a string")]),
        ({"pets": [{"type": "cat", "lives": True}]}, [Flaw(("pets", 0, "lives"), "type", "an integer")]),
        ({"pets": [{"type": "cat", "lives": 9.0}]}, [Flaw(("pets", 0, "lives"), "type", "an integer")]),
        ({"pets": [], "rooms": {"bath": "one"}}, [Flaw(("rooms", "bath"), "type", "an integer")]),
        ({"pets": [], "rooms": []}, [Flaw(("rooms",), "type", "an object")]),
        ({"pets": [], "mood": "odd"}, [Flaw(("mood",), "value", "'good' or 'bad' or a boolean")]),
        ({"pets": [], "mood": 1}, [Flaw(("mood",), "type", "'good' or 'bad' or a boolean")]),
    ],
)
def test_flaws_are_found_where_they_are(value: Any, flaws: list[Flaw]) -> None:
    assert check(value, House) == flaws


def test_extra_names_are_allowed_at_the_top_only() -> None:
    extra = frozenset({"cars"})
    assert check({"pets": [], "cars": 1}, House, extra=extra) == []
    assert check({"pets": [{"type": "cat", "cars": 1}]}, House, extra=extra) != []


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"const": 3}, 3),
        ({"enum": ["a", "b"]}, "a"),
        ({"anyOf": [{"type": "null"}]}, None),
        ({"type": ["integer", "null"], "minimum": 4}, 4),
        ({"type": "array", "items": {"type": "boolean"}}, [True]),
        ({"type": "object", "properties": {"a": {"type": "number"}, "b": {}}, "required": ["a"]}, {"a": 1}),
        ({"properties": {"a": {"type": "string"}}}, {"a": "text"}),
    ],
)
def test_an_instance_fits_its_schema(schema: dict[str, Any], value: Any) -> None:
    assert instance_of(schema) == value


@pytest.mark.parametrize("text", ["", " ", "a", " a b\n", "one two  three ", "ä\n\nö"])
def test_chunks_make_up_the_whole(text: str) -> None:
    assert "".join(chunks_of(Text(text))) == text
    assert "".join(chunks_of(Call("f", {"text": text}))) == Call("f", {"text": text}).text
