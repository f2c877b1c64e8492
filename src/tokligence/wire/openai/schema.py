"""JSON schemas as OpenAI takes them (developers.openai.com function calling and structured outputs, 2026-11-24).

A tool's parameters must be of type object, and an array must say its `items`, strict or not. In strict mode each
object must close itself (`additionalProperties: false`) and require all its properties. Schemas come again with
every request of a conversation, so verdicts are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import msgspec

from tokligence.errors import GatewayError

_CACHED_BYTES: Final = 16 * 1024  # longer schemas are examined anew each time, so that the cache stays small
_CACHED_COUNT: Final = 512
_VALUES: Final = frozenset({"enum", "const", "default", "examples"})
"""Keywords that hold data, not schemas."""

EMPTY: Final = b'{"type":"object","properties":{}}'


def as_parameters(raw: bytes | None) -> tuple[bytes, bool]:
    """The parameters of a function, and whether they had to be mended."""
    if raw is None:
        return EMPTY, False
    return _mended_cached(raw) if len(raw) <= _CACHED_BYTES else _mended(raw)


def strict_ready(raw: bytes) -> bool:
    """Whether strict mode would take the schema as it is."""
    return _ready_cached(raw) if len(raw) <= _CACHED_BYTES else _ready(raw)


def _mended(raw: bytes) -> tuple[bytes, bool]:
    schema = _decoded(raw)
    if not isinstance(schema, dict):
        return EMPTY, True
    mended = False
    for node in _nodes(schema):
        kind = node.get("type")
        if (kind == "array" or (isinstance(kind, list) and "array" in kind)) and "items" not in node:
            node["items"] = {}
            mended = True
    if schema.get("type") != "object":
        schema = {**schema, "type": "object"}
        schema.setdefault("properties", {})
        mended = True
    return (msgspec.json.encode(schema), True) if mended else (raw, False)


def _ready(raw: bytes) -> bool:
    schema = _decoded(raw)
    return (
        isinstance(schema, dict)
        and schema.get("type") == "object"
        and all(_is_closed(node) for node in _nodes(schema))
    )


def _decoded(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except RecursionError:
        raise GatewayError("request.too_deep") from None


def _is_closed(node: dict[str, Any]) -> bool:
    properties = node.get("properties")
    if not isinstance(properties, dict):
        return True
    required = node.get("required", [])
    return (
        node.get("additionalProperties") is False
        and isinstance(required, list)
        and all(name in required for name in properties)
    )


def _nodes(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every object in the schema but those that are values; without recursion, since schemas may be deep."""
    waiting: list[Any] = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            yield node
            waiting.extend(item for name, item in node.items() if name not in _VALUES)


_mended_cached = lru_cache(maxsize=_CACHED_COUNT)(_mended)
_ready_cached = lru_cache(maxsize=_CACHED_COUNT)(_ready)
