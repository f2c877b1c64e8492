from __future__ import annotations

import json

import pytest

from tokligence.wire.openai.schema import EMPTY, as_parameters, strict_ready

CLOSED = {
    "type": "object",
    "properties": {"a": {"type": "array", "items": {"type": "string"}}, "b": {"anyOf": [{"type": "null"}]}},
    "required": ["a", "b"],
    "additionalProperties": False,
}


def test_a_schema_that_fits_keeps_its_bytes():
    raw = b'{ "type" : "object", "properties": {"x": {"const": 1.0, "enum": [{"type":"array"}]}} }'
    assert as_parameters(raw) == (raw, False)


@pytest.mark.parametrize("raw", [b"true", b"[]", b'"x"'])
def test_what_is_no_object_becomes_the_empty_schema(raw: bytes):
    assert as_parameters(raw) == (EMPTY, True)
    assert as_parameters(None) == (EMPTY, False)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({}, {"type": "object", "properties": {}}),
        ({"anyOf": [{}]}, {"anyOf": [{}], "type": "object", "properties": {}}),
        (
            {"type": "object", "properties": {"x": {"type": ["array", "null"]}}},
            {"type": "object", "properties": {"x": {"type": ["array", "null"], "items": {}}}},
        ),
    ],
)
def test_schemas_are_mended(given: object, sent: object):
    raw, mended = as_parameters(json.dumps(given).encode())
    assert (json.loads(raw), mended) == (sent, True)


def test_long_schemas_are_mended_too():
    schema = {"type": "object", "properties": {"x": {"type": "array", "description": "d" * 20_000}}}
    raw, mended = as_parameters(json.dumps(schema).encode())
    assert mended
    assert json.loads(raw)["properties"]["x"]["items"] == {}
    assert not strict_ready(raw)


def test_deep_schemas_do_not_exhaust_the_stack():
    raw = b'{"type":"object","not":' * 300 + b"{}" + b"}" * 300
    assert as_parameters(raw) == (raw, False)
    assert strict_ready(raw)


@pytest.mark.parametrize(
    ("change", "ready"),
    [
        ({}, True),
        ({"additionalProperties": True}, False),
        ({"required": ["a"]}, False),
        ({"required": "a"}, False),
        ({"type": "string"}, False),
        ({"properties": {"a": {"type": "object", "properties": {"c": {}}}}, "required": ["a"]}, False),
    ],
)
def test_strict_mode_takes_closed_schemas_only(change: dict[str, object], ready: bool):
    assert strict_ready(json.dumps({**CLOSED, **change}).encode()) is ready
    assert not strict_ready(b"[]")
