"""Schemas from and to Google's subset of OpenAPI."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.genai import types

from tests.wire.gemini.given import dumps
from tokligence.conversation import Severity
from tokligence.errors import GatewayError
from tokligence.wire.gemini import schema
from tokligence.wire.gemini.schema import OPEN_OBJECT, as_object, described, read_subset, write_subset

C, S = Severity.COSMETIC, Severity.SEMANTIC


def opened(value: Any) -> Any:
    return json.loads(read_subset(dumps(value)))


def subset(value: Any) -> tuple[Any, Severity | None]:
    raw, severity = write_subset(dumps(value))
    types.Schema.model_validate_json(raw)
    return json.loads(raw), severity


def test_a_subset_becomes_json_schema() -> None:
    given = {
        "type": "OBJECT",
        "propertyOrdering": ["b", "a", "none", 5],
        "properties": {
            "a": {"type": "STRING", "format": "enum", "enum": ["x"], "nullable": True},
            "b": {"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": "1", "max_items": 4},
            "c": {"any_of": [{"type": "STRING"}, True], "nullable": True, "example": 1},
            "d": {"type": "TYPE_UNSPECIFIED", "nullable": True},
            "e": {"type": "STRING", "nullable": True, "enum": "x", "format": "date-time"},
            "f": {"type": "STRING", "nullable": False, "minLength": "many"},
        },
        "required": ["a"],
    }
    assert opened(given) == {
        "type": "object",
        "properties": {
            "b": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 4},
            "a": {"type": ["string", "null"], "enum": ["x", None]},
            "c": {"anyOf": [{"type": "string"}, True, {"type": "null"}], "examples": [1]},
            "d": {},
            "e": {"type": ["string", "null"], "enum": "x", "format": "date-time"},
            "f": {"type": "string", "minLength": "many"},
        },
        "required": ["a"],
    }
    assert list(opened(given)["properties"]) == ["b", "a", "c", "d", "e", "f"]
    assert opened({"ref": "#/$defs/x", "defs": {"x": {"type": "NUMBER"}}}) == {
        "$ref": "#/$defs/x",
        "$defs": {"x": {"type": "number"}},
    }


@pytest.mark.parametrize(
    ("given", "said", "loss"),
    [
        ({"type": "object", "properties": {"a": {"type": "string"}}}, None, None),
        ({"$schema": "x", "type": "object", "additionalProperties": False}, {"type": "OBJECT"}, None),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {"type": "OBJECT"}, S),
        ({"type": ["string", "null"]}, {"nullable": True, "type": "STRING"}, None),
        ({"type": ["string", "integer"]}, {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]}, None),
        ({"type": ["null"]}, {"nullable": True}, None),
        ({"const": "a"}, {"enum": ["a"], "format": "enum", "type": "STRING"}, None),
        ({"enum": ["a", None]}, {"enum": ["a"], "format": "enum", "nullable": True, "type": "STRING"}, None),
        ({"enum": [1, 2], "type": "integer"}, {"type": "INTEGER"}, S),
        ({"enum": "a"}, {}, S),
        ({"oneOf": [{"type": "string"}, {"type": "null"}]}, {"nullable": True, "type": "STRING"}, None),
        (
            {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]},
            None,
        ),
        ({"type": "string", "format": "uri"}, {"type": "STRING"}, C),
        ({"type": "string", "format": "date-time"}, {"type": "STRING", "format": "date-time"}, None),
        ({"type": "string", "format": "uri", "propertyNames": {}}, {"type": "STRING"}, S),
        ({"propertyNames": {}, "format": "uri"}, {}, S),
        ({"properties": {"a": True}}, {"properties": {"a": {}}, "type": "OBJECT"}, None),
        ({"items": False}, {"items": {}, "type": "ARRAY"}, S),
        (
            {
                "allOf": [
                    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
                    {"type": "object", "properties": {"b": {"type": "string"}}, "required": ["b"]},
                ]
            },
            {
                "type": "OBJECT",
                "properties": {"a": {"type": "STRING"}, "b": {"type": "STRING"}},
                "required": ["a", "b"],
            },
            None,
        ),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, {"type": "STRING"}, S),
        (
            {"$ref": "#/$defs/a", "description": "d", "$defs": {"a": {"type": "string"}}},
            {"type": "STRING", "description": "d"},
            None,
        ),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "string"}}}, {"type": "STRING"}, None),
        ({"$ref": "https://elsewhere.org/x"}, {"type": "OBJECT"}, S),
        ({"$ref": "#/title/x", "title": "t"}, {"type": "OBJECT"}, S),
    ],
)
def test_json_schema_becomes_the_subset(given: Any, said: Any, loss: Severity | None) -> None:
    expected = {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}} if said is None else said
    assert subset(given) == (expected, loss)


def test_a_recursive_schema_ends_in_an_open_object() -> None:
    node = {"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}}
    found, loss = subset(node)
    assert loss is S
    assert found["type"] == "OBJECT"


def test_the_parameters_of_a_function_are_an_object() -> None:
    whole = b'{"type":"object","properties":{}}'
    assert as_object(whole) == (whole, False)
    assert as_object(b'{"description":"d","type":"object"}') == (
        b'{"description":"d","type":"object"}',
        False,
    )
    assert as_object(b'{"properties":{}}') == (b'{"type":"object","properties":{}}', False)
    assert as_object(b'{"type":["object","null"]}') == (b'{"type":"object"}', True)
    assert as_object(b'{"type":"string"}') == as_object(b"true") == (OPEN_OBJECT, True)


def test_a_description_joins_the_schemas_own() -> None:
    assert described(b"true", "d") == b"true"
    assert json.loads(described(b'{"type":"object"}', "d")) == {"type": "object", "description": "d"}
    assert json.loads(described(b'{"description":"own"}', "d")) == {"description": "d\n\nown"}
    assert json.loads(described(b'{"description":5}', "d")) == {"description": "d"}


def test_schemas_that_are_too_deep_are_refused_by_name() -> None:
    for depth in (400, 990, 5_000, 100_000):
        raw = b'{"type":"object","properties":{"a":' * depth + b"{}" + b"}}" * depth
        for function in (read_subset, write_subset, as_object, described):
            arguments = (raw, "d") if function is described else (raw,)
            try:
                function(*arguments)  # type: ignore[operator]
            except GatewayError as error:
                assert error.code == "request.too_deep"


def test_what_decoding_takes_but_walking_does_not_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Since Python 3.12 the decoder has a limit of its own."""
    deep: Any = {}
    for _ in range(5_000):
        deep = {"items": deep}
    monkeypatch.setattr(schema, "_decoded", lambda _: deep)
    for function in (read_subset, write_subset):
        with pytest.raises(GatewayError) as caught:
            function(b"any")  # type: ignore[operator]
        assert caught.value.code == "request.too_deep"
