"""JSON schemas as the vendor takes them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tokligence.conversation import Severity
from tokligence.wire.anthropic.schemas import EMPTY_OBJECT, OPEN_OBJECT, output_schema, tool_schema


def tool(schema: Any) -> tuple[Any, Severity | None]:
    raw, severity = tool_schema(json.dumps(schema).encode())
    return json.loads(raw), severity


def output(schema: Any) -> tuple[Any, bool] | None:
    found = output_schema(json.dumps(schema).encode())
    return None if found is None else (json.loads(found[0]), found[1])


def test_no_schema_is_an_empty_object() -> None:
    assert tool_schema(None) == (EMPTY_OBJECT, None)


@pytest.mark.parametrize(
    "raw", [b'{"type":"object"}', b'{"type": "object"}', b'{"properties":{},"type":"object"}']
)
def test_an_object_schema_is_not_touched(raw: bytes) -> None:
    assert tool_schema(raw) == (raw, None)


def test_an_inner_combiner_is_not_touched() -> None:
    schema = {"type": "object", "properties": {"a": {"anyOf": []}}}
    assert tool(schema) == (schema, None)


def test_a_missing_type_is_added() -> None:
    assert tool({"properties": {"a": {}}}) == ({"type": "object", "properties": {"a": {}}}, Severity.COSMETIC)


def test_a_nullable_object_is_an_object() -> None:
    assert tool({"type": ["object", "null"]}) == ({"type": "object", "properties": {}}, Severity.COSMETIC)


@pytest.mark.parametrize("schema", [True, None, [], {"type": "string"}, {"type": ["array"]}])
def test_what_is_no_object_becomes_an_open_one(schema: Any) -> None:
    assert tool(schema) == (json.loads(OPEN_OBJECT), Severity.SEMANTIC)


def test_alternatives_at_the_top_are_joined() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "anyOf": [{"properties": {"b": {}}, "required": ["b"]}, True],
        "allOf": [{"properties": {"c": {}}, "required": ["c", "a"]}, {}],
        "required": ["a"],
    }
    assert tool(schema) == (
        {
            "type": "object",
            "properties": {"c": {}, "b": {}, "a": {"type": "string"}},
            "required": ["a", "c"],
        },
        Severity.SEMANTIC,
    )


@pytest.mark.parametrize("nonsense", [0.5, "x", True])
def test_what_is_of_another_type_than_it_must_be_says_nothing(nonsense: Any) -> None:
    schema = {
        "properties": nonsense,
        "required": nonsense,
        "oneOf": nonsense,
        "allOf": [nonsense, {"properties": nonsense, "required": nonsense}],
    }
    repaired = {"type": "object", "properties": {}, "required": []}
    assert tool(schema) == (repaired, Severity.SEMANTIC)


def test_a_schema_in_the_subset_is_not_touched() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "array", "items": {"$ref": "#/$defs/x"}, "minItems": 1},
            "b": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
        },
        "required": ["a"],
        "additionalProperties": False,
        "$defs": {"x": {"enum": [1, 2], "title": "X"}},
    }
    assert output(schema) == (schema, False)


def test_what_the_subset_cannot_say_is_said_in_the_description() -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "n": {"type": "integer", "description": "N", "minimum": 1, "maximum": 3},
            "s": {"type": "string", "format": "regex"},
            "l": {"type": "array", "items": True, "minItems": 2},
            "o": {"oneOf": [{"type": "string"}]},
        },
    }
    assert output(schema) == (
        {
            "type": "object",
            "properties": {
                "n": {"type": "integer", "description": "N\n\n{minimum: 1, maximum: 3}"},
                "s": {"type": "string", "description": '{format: "regex"}'},
                "l": {"type": "array", "items": True, "description": "{minItems: 2}"},
                "o": {"anyOf": [{"type": "string"}]},
            },
            "additionalProperties": False,
        },
        True,
    )


def test_a_format_that_is_no_word_is_said_in_the_description() -> None:
    schema = {"type": "string", "format": ["date"]}
    assert output(schema) == ({"type": "string", "description": '{format: ["date"]}'}, True)


def test_properties_make_an_object_also_without_a_type() -> None:
    assert output({"properties": {}}) == ({"properties": {}, "additionalProperties": False}, True)
    assert output({"type": ["object", "null"], "properties": {}, "allOf": [{}]}) == (
        {"type": ["object", "null"], "properties": {}, "allOf": [{}], "additionalProperties": False},
        True,
    )


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "additionalProperties": True},
        {
            "type": "object",
            "properties": {"a": {"type": "object", "additionalProperties": {"type": "string"}}},
        },
        {"type": "object", "properties": {}, "patternProperties": {"^x": {}}},
        [],
    ],
)
def test_an_object_that_is_open_on_purpose_has_no_subset(schema: Any) -> None:
    assert output(schema) is None


def test_a_schema_nested_too_deeply_has_no_subset() -> None:
    assert output_schema(b'{"items":' * 5_000 + b"1" + b"}" * 5_000) is None
