"""JSON schemas as Gemini takes them.

It takes two dialects: JSON Schema (`parametersJsonSchema`, `responseJsonSchema`) and a subset of OpenAPI 3.0 with types in
capitals (`parameters`, `responseSchema`; google-genai 3.6.1 `Schema`, read 2026-11-24). The subset has no `$ref`, `const`,
lists of types, `additionalProperties` and the like: the API refuses them there. Schemas come again with every request of
a conversation, so what they become is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from tokligence.conversation import Severity
from tokligence.errors import GatewayError

OPEN_OBJECT: Final = b'{"type":"object"}'
_CACHED: Final = 512
_SNAKE: Final[Mapping[str, str]] = {
    "additional_properties": "additionalProperties",
    "any_of": "anyOf",
    "defs": "$defs",
    "max_items": "maxItems",
    "max_length": "maxLength",
    "max_properties": "maxProperties",
    "min_items": "minItems",
    "min_length": "minLength",
    "min_properties": "minProperties",
    "property_ordering": "propertyOrdering",
    "ref": "$ref",
}
_LISTS: Final = ("anyOf", "oneOf", "allOf", "prefixItems")
_MAPS: Final = ("properties", "$defs", "definitions")
_COUNTS: Final = ("maxItems", "minItems", "maxLength", "minLength", "maxProperties", "minProperties")


def described(raw: bytes, description: str) -> bytes:
    """The schema with a description of the whole, before its own if it has one."""
    schema = _decoded(raw)
    if not isinstance(schema, dict):
        return raw
    own = schema.get("description")
    own = own if isinstance(own, str) else None
    return msgspec.json.encode({**schema, "description": f"{description}\n\n{own}" if own else description})


def as_object(raw: bytes) -> tuple[bytes, bool]:
    """The parameters of a function, which must be an object, and whether they had to be mended."""
    if raw.startswith((b'{"type":"object"', b'{"type": "object"')):
        return raw, False  # nearly every schema, told by its bytes
    schema = _decoded(raw)
    if not isinstance(schema, dict):
        return OPEN_OBJECT, True
    kind = schema.get("type", "object")
    if kind == "object":
        return (
            (raw, False) if "type" in schema else (msgspec.json.encode({"type": "object", **schema}), False)
        )
    if isinstance(kind, list) and "object" in kind:
        return msgspec.json.encode({**schema, "type": "object"}), True
    return OPEN_OBJECT, True


def _decoded(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except RecursionError:
        raise GatewayError("request.too_deep") from None


# --- OpenAPI subset -> JSON Schema ----------------------------------------------------------------------


@lru_cache(maxsize=_CACHED)
def read_subset(raw: bytes) -> bytes:
    """A schema of the subset in JSON Schema's words."""
    try:
        return msgspec.json.encode(_opened(_decoded(raw)))
    except RecursionError:
        raise GatewayError("request.too_deep") from None


def _opened(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    out: dict[str, Any] = {}
    nullable = False
    ordering: Any = None
    for key, value in schema.items():
        name = _SNAKE.get(key, key)
        if name == "nullable":
            nullable = value is True
        elif name == "propertyOrdering":
            ordering = value
        elif name == "type" and isinstance(value, str):
            if value != "TYPE_UNSPECIFIED":
                out[name] = value.lower()
        elif name in _MAPS and isinstance(value, dict):
            out[name] = {each: _opened(inner) for each, inner in value.items()}
        elif name in _LISTS and isinstance(value, list):
            out[name] = [_opened(each) for each in value]
        elif name in ("items", "additionalProperties"):
            out[name] = _opened(value)
        elif name in _COUNTS and isinstance(value, str) and value.isdigit():
            out[name] = int(value)  # 64-bit numbers are texts in Google's JSON
        elif name == "example":
            out["examples"] = [value]
        elif not (name == "format" and value == "enum"):
            out[name] = value
    if isinstance(ordering, list) and isinstance(out.get("properties"), dict):
        out["properties"] = _ordered(out["properties"], ordering)
    return _nullable(out) if nullable else out


def _ordered(properties: dict[str, Any], names: list[Any]) -> dict[str, Any]:
    first = {name: properties[name] for name in names if isinstance(name, str) and name in properties}
    return first | properties


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
        if isinstance(schema.get("enum"), list):
            schema["enum"] = [*schema["enum"], None]
    elif isinstance(schema.get("anyOf"), list):
        schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]
    return schema


# --- JSON Schema -> OpenAPI subset ----------------------------------------------------------------------

_KEPT: Final = frozenset(
    (
        *_COUNTS,
        "default",
        "description",
        "example",
        "maximum",
        "minimum",
        "nullable",
        "pattern",
        "propertyOrdering",
        "required",
        "title",
    )
)
_FORMATS: Final = frozenset(("float", "double", "int32", "int64", "date-time", "enum"))
_SAYS_NOTHING: Final = frozenset(
    ("$schema", "$id", "$comment", "$defs", "definitions", "examples", "$anchor")
)
_DEEPEST: Final = 16
"""References followed one below the other; a schema that goes on is recursive, which the subset cannot say."""
_MOST: Final = 1_000
"""References followed in all."""


@lru_cache(maxsize=_CACHED)
def write_subset(raw: bytes) -> tuple[bytes, Severity | None]:
    """A schema in the subset's words and, if that says less, how much that changes."""
    writer = _Subset(_decoded(raw))
    try:
        return msgspec.json.encode(writer.whole()), writer.severity
    except RecursionError:
        raise GatewayError("request.too_deep") from None


class _Subset:
    def __init__(self, root: Any) -> None:
        self._root = root
        self._followed = 0
        self.severity: Severity | None = None

    def whole(self) -> dict[str, Any]:
        return self._write(self._root, 0)

    def _lose(self, severity: Severity = Severity.SEMANTIC) -> None:
        if self.severity is not Severity.SEMANTIC:
            self.severity = severity

    def _write(self, schema: Any, depth: int) -> dict[str, Any]:
        if not isinstance(schema, dict):
            if schema is not True:
                self._lose()
            return {}
        if "$ref" in schema:
            return self._referred(schema, depth)
        out: dict[str, Any] = {}
        for key, value in schema.items():
            self._keyword(key, value, out, depth)
        if "type" not in out and "anyOf" not in out:
            self._guess(out)
        return out

    def _keyword(self, key: str, value: Any, out: dict[str, Any], depth: int) -> None:
        if key in _KEPT:
            out[key] = value
        elif key == "type":
            self._type(value, out)
        elif key == "properties" and isinstance(value, dict):
            out[key] = {name: self._write(each, depth) for name, each in value.items()}
        elif key == "items":
            out[key] = self._write(value, depth)
        elif key in ("anyOf", "oneOf") and isinstance(value, list):
            self._alternatives(value, out, depth)
        elif key == "allOf" and isinstance(value, list):
            self._merge(value, out, depth)
        elif key in ("enum", "const"):
            self._enum(value if key == "enum" else [value], out)
        elif key == "format":
            if value in _FORMATS:
                out[key] = value
            else:
                self._lose(Severity.COSMETIC)
        elif key == "additionalProperties":
            if isinstance(value, dict):
                self._lose()
        elif key not in _SAYS_NOTHING:
            self._lose()

    def _type(self, value: Any, out: dict[str, Any]) -> None:
        kinds = [each for each in value if each != "null"] if isinstance(value, list) else [value]
        if isinstance(value, list) and "null" in value:
            out["nullable"] = True
        if len(kinds) == 1 and isinstance(kinds[0], str):
            out["type"] = kinds[0].upper()
        elif kinds:
            out["anyOf"] = [{"type": str(each).upper()} for each in kinds]

    def _alternatives(self, value: list[Any], out: dict[str, Any], depth: int) -> None:
        kept = [each for each in value if each != {"type": "null"}]
        if len(kept) < len(value):
            out["nullable"] = True
        written = [self._write(each, depth) for each in kept]
        if len(written) == 1:
            for key, each in written[0].items():
                out.setdefault(key, each)
        else:
            out["anyOf"] = written

    def _merge(self, value: list[Any], out: dict[str, Any], depth: int) -> None:
        for each in value:
            for key, inner in self._write(each, depth).items():
                if key == "properties":
                    out[key] = {**inner, **out.get(key, {})}
                elif key == "required" and isinstance(inner, list) and isinstance(out.get(key, []), list):
                    out[key] = [*out.get(key, []), *inner]
                elif out.setdefault(key, inner) != inner:
                    self._lose()

    def _enum(self, values: Any, out: dict[str, Any]) -> None:
        texts = [each for each in values if isinstance(each, str)] if isinstance(values, list) else []
        if isinstance(values, list) and None in values:
            out["nullable"] = True
        if texts and len(texts) == len([each for each in values if each is not None]):
            out["enum"] = texts
            out["format"] = "enum"
        else:
            self._lose()

    def _referred(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        target = self._target(schema["$ref"])
        self._followed += 1
        if depth >= _DEEPEST or self._followed > _MOST or not isinstance(target, dict):
            self._lose()
            return {"type": "OBJECT"}
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return self._write({**target, **beside}, depth + 1)

    def _target(self, reference: Any) -> Any:
        node = self._root if isinstance(reference, str) and reference.startswith("#") else None
        for step in str(reference)[1:].split("/"):
            if step and node is not None:
                name = step.replace("~1", "/").replace("~0", "~")
                node = node.get(name) if isinstance(node, dict) else None
        return node

    def _guess(self, out: dict[str, Any]) -> None:
        kind = next((kind for key, kind in _TYPE_BY.items() if key in out), None)
        if kind is not None:
            out["type"] = kind


_TYPE_BY: Final = {"properties": "OBJECT", "items": "ARRAY", "enum": "STRING"}
