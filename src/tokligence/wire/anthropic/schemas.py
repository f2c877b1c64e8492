"""JSON schemas as Anthropic takes them.

A tool's `input_schema` is an object schema without `oneOf`, `anyOf`, `allOf` at its top (400 otherwise, see e.g.
github.com/anthropics/claude-code issues on MCP tools). A schema of `output_config.format` is a subset of JSON Schema:
every object closed, no constraints on numbers, strings and long arrays. Subset from the rules that the vendor's SDK
applies (anthropic 2.13.0 `lib/_parse/_transform.py`, read 2026-11-24); like it, we say in the description what the
schema cannot say.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Raw, Struct

from tokligence.conversation import Severity

T = TypeVar("T")

EMPTY_OBJECT: Final = b'{"type":"object","properties":{}}'
OPEN_OBJECT: Final = b'{"type":"object","additionalProperties":true}'

_COMBINERS: Final = ("oneOf", "anyOf", "allOf")
_FORMATS: Final = frozenset(
    ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid")
)
_KEPT: Final = frozenset(
    ("$ref", "type", "enum", "const", "title", "description", "default", "required", "additionalProperties")
)
_MAPS: Final = frozenset(("properties", "$defs", "definitions"))


class _Head(Struct, rename={"one_of": "oneOf", "any_of": "anyOf", "all_of": "allOf"}):
    """The top of a schema: enough to see that it needs no repair."""

    type: Raw = Raw(b"")
    one_of: Raw = Raw(b"")
    any_of: Raw = Raw(b"")
    all_of: Raw = Raw(b"")


_HEAD: Final = msgspec.json.Decoder(_Head)
_OBJECT_TYPE: Final = Raw(b'"object"')
_NOTHING: Final = Raw(b"")
_USUAL: Final = (b'{"type":"object"', b'{"type": "object"')


def tool_schema(raw: bytes | None) -> tuple[bytes, Severity | None]:
    """A tool's schema and, if it had to be repaired, how much that changes. None: a tool without parameters."""
    if raw is None:
        return EMPTY_OBJECT, None
    if raw.startswith(_USUAL) and b'Of"' not in raw:
        return raw, None  # nearly every schema, told by its bytes
    try:
        head = _HEAD.decode(raw)
    except msgspec.ValidationError:
        return OPEN_OBJECT, Severity.SEMANTIC  # true, null, an array: no object schema
    if (
        head.type == _OBJECT_TYPE
        and head.one_of == _NOTHING
        and head.any_of == _NOTHING
        and head.all_of == _NOTHING
    ):
        return raw, None
    return _repaired(msgspec.json.decode(raw, type=dict[str, Any]))


def _repaired(schema: dict[str, Any]) -> tuple[bytes, Severity | None]:
    kind = schema.get("type", "object")
    if kind != "object" and not (isinstance(kind, list) and "object" in kind):
        return OPEN_OBJECT, Severity.SEMANTIC
    severity = Severity.COSMETIC
    properties = dict(_of_type(dict, schema.get("properties")))
    required = list(_of_type(list, schema.get("required")))
    for combiner in _COMBINERS:
        for variant in _of_type(list, schema.pop(combiner, None)):
            severity = Severity.SEMANTIC
            if isinstance(variant, dict):
                properties = {**_of_type(dict, variant.get("properties")), **properties}
                if combiner == "allOf":
                    more = _of_type(list, variant.get("required"))
                    required += [name for name in more if name not in required]
    repaired: dict[str, Any] = {"type": "object", **schema, "properties": properties}
    repaired["type"] = "object"
    if required or "required" in repaired:
        repaired["required"] = required
    return msgspec.json.encode(repaired), severity


def _of_type(kind: type[T], value: object) -> T:
    """What is of another type is no schema, and says nothing."""
    return value if isinstance(value, kind) else kind()


# --- structured output ----------------------------------------------------------------------------------


@lru_cache(maxsize=512)  # a conversation sends the same schemas again and again
def output_schema(raw: bytes) -> tuple[bytes, bool] | None:
    """The schema for `output_config.format` and whether it had to change; None if it has an object that is open on
    purpose, which cannot be said there."""
    try:
        schema = msgspec.json.decode(raw, type=dict[str, Any])
        subset = _subset(schema)
    except (msgspec.ValidationError, _OpenError, RecursionError):
        return None
    return (raw, False) if subset == schema else (msgspec.json.encode(subset), True)


def described(raw: bytes, description: str) -> bytes:
    """The schema with a description of the whole, before its own if it has one."""
    try:
        schema = msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.ValidationError, RecursionError):
        return raw  # true, null, too deep: no schema that the vendor takes
    own = schema.get("description")
    return msgspec.json.encode({**schema, "description": f"{description}\n\n{own}" if own else description})


class _OpenError(Exception):
    """An object takes properties that the schema does not name."""


def _subset(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    out: dict[str, Any] = {}
    unsaid: list[str] = []
    for key, value in schema.items():
        if key in _MAPS and isinstance(value, dict):
            out[key] = {name: _subset(each) for name, each in value.items()}
        elif key in ("anyOf", "oneOf", "allOf") and isinstance(value, list):
            out["allOf" if key == "allOf" else "anyOf"] = [_subset(each) for each in value]
        elif key == "items":
            out[key] = _subset(value)
        elif (
            key in _KEPT
            or (key == "minItems" and value in (0, 1))
            or (key == "format" and isinstance(value, str) and value in _FORMATS)
        ):
            out[key] = value
        elif key not in ("$schema", "$id"):
            unsaid.append(f"{key}: {msgspec.json.encode(value).decode()}")
    if _is_object(schema):
        if schema.get("additionalProperties", False) is not False or "patternProperties" in schema:
            raise _OpenError
        if "properties" not in schema and "additionalProperties" not in schema:
            raise _OpenError  # a bare {"type": "object"} means any object
        out["additionalProperties"] = False
    if unsaid:
        said = out.get("description")
        out["description"] = (f"{said}\n\n" if said else "") + "{" + ", ".join(unsaid) + "}"
    return out


def _is_object(schema: dict[str, Any]) -> bool:
    kind = schema.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in schema
