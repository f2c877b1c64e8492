"""Typed decoding that loses nothing: strict first, unknown fields kept when strict fails.

Nearly every request has only fields that we know, so the fast path decodes straight into structs that forbid
unknown fields. Only when that fails the body is read generically and *normalised*: each unknown field moves into
the declared field `extras` of its object (`EXTRAS_KEY` on the wire), each array element or object whose `type` is
unknown becomes `{"type": OPAQUE_TAG, "raw": "<its JSON>"}`. Then the same strict decoder runs again. Whatever still
fails is the sender's fault, with the path that msgspec names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import cache
from types import UnionType
from typing import Any, ClassVar, Final, Generic, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Raw, Struct

from tokligence.errors import GatewayError

# Nobody can send what nobody knows, so that no body has to be searched for our marks, in whatever spelling.
_SECRET = os.urandom(16).hex()
EXTRAS_KEY = f"extras_{_SECRET}"
OPAQUE_TAG = f"opaque_{_SECRET}"

UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not of a shape."""

T = TypeVar("T")


class Wire(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Base of the structs that are read: declares where unknown fields go. `both_names`: a field is also read by its
    name in Python, as Google's parsers take `inline_data` for `inlineData`."""

    both_names: ClassVar[bool] = False

    extras: dict[str, Raw] | None = msgspec.field(default=None, name=EXTRAS_KEY)


class OpaqueWire(Struct, tag=OPAQUE_TAG, tag_field="type", forbid_unknown_fields=True):
    """Member of every tagged union that is read: an element of a `type` that we do not know."""

    raw: str

    @property
    def kind(self) -> str:
        kind: object = json.loads(self.raw).get("type")
        return kind if isinstance(kind, str) else ""


class Reader(Generic[T]):
    """Decoder for one type. Errors are `request.*` of `GatewayError`. `strict` refuses unknown fields, and raises what
    is `UNREADABLE`."""

    def __init__(self, shape: Any) -> None:
        self._shape = shape
        self.strict: Callable[[bytes], T] = msgspec.json.Decoder(shape).decode

    def read(self, raw: bytes) -> T:
        try:
            return self.strict(raw)
        except UNREADABLE:
            return self._read_keeping_unknown(raw)  # finds out why, if it is not for unknown fields

    def _read_keeping_unknown(self, raw: bytes) -> T:
        tree = parse_tree(raw)
        try:
            body = json.dumps(_normalise(tree, self._shape), ensure_ascii=False, allow_nan=False).encode()
        except UnicodeEncodeError:
            raise GatewayError("request.invalid_json", reason="it holds a lone surrogate") from None
        except ValueError:
            raise GatewayError("request.invalid_json", reason="a number is out of range") from None
        except RecursionError:  # as deep as parsing could just go
            raise GatewayError("request.too_deep") from None
        try:
            return self.strict(body)
        except msgspec.ValidationError as error:
            raise _invalid_field(str(error)) from None


def parse_tree(raw: bytes) -> Any:
    """JSON as RFC 8259 has it: no NaN, no BOM."""
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise GatewayError("request.invalid_json", reason="it is not UTF-8") from None
    except RecursionError:
        raise GatewayError("request.too_deep") from None
    except ValueError as error:
        raise GatewayError("request.invalid_json", reason=str(error)) from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _invalid_field(message: str) -> GatewayError:
    """msgspec says: "Expected `int`, got `str` - at `$.messages[0].content`"."""
    reason, _, where = message.partition(" - at `$")
    path = where.rstrip("`").lstrip(".")
    if reason.startswith("Object missing required field"):
        name = reason.split("`")[1]
        return GatewayError("request.missing_field", path=f"{path}.{name}" if path else name)
    return GatewayError(
        "request.invalid_field", path=path or "(the body)", reason=reason[:1].lower() + reason[1:]
    )


# --- normalising, driven by the declared types ----------------------------------------------------------


class _ObjectShape(Struct, frozen=True):
    fields: dict[str, Any]  # wire name -> annotated type
    names: dict[str, str]  # other name -> wire name
    tag_field: str | None
    tag: str | None


@cache
def _object_shape(cls: type[Struct]) -> _ObjectShape:
    info = msgspec.structs.fields(cls)
    config = cls.__struct_config__
    return _ObjectShape(
        fields={f.encode_name: f.type for f in info if f.encode_name != EXTRAS_KEY},
        names={f.name: f.encode_name for f in info if f.encode_name not in (f.name, EXTRAS_KEY)}
        if getattr(cls, "both_names", False)
        else {},
        tag_field=config.tag_field,
        tag=config.tag if isinstance(config.tag, str) else None,
    )


@cache
def _members(shape: Any) -> tuple[Any, ...]:
    """The alternatives of a union, aliases and `Annotated` resolved."""
    origin = get_origin(shape)
    if origin in (Union, UnionType):
        return tuple(m for arg in get_args(shape) for m in _members(arg))
    return (shape,)


def _normalise(value: Any, shape: Any) -> Any:
    if isinstance(value, dict):
        return _normalise_object(value, _members(shape))
    if isinstance(value, list):
        for member in _members(shape):
            if get_origin(member) in (list, tuple):
                return [_normalise(item, get_args(member)[0]) for item in value]
    return value


def _normalise_object(value: dict[str, Any], members: tuple[Any, ...]) -> Any:
    structs = [m for m in members if isinstance(m, type) and issubclass(m, Struct)]
    if not structs:
        for member in members:
            if get_origin(member) is dict:
                return {k: _normalise(v, get_args(member)[1]) for k, v in value.items()}
        return value
    shape = _choose(value, structs)
    if shape is None:
        return (
            {"type": OPAQUE_TAG, "raw": json.dumps(value, ensure_ascii=False)}
            if OpaqueWire in structs
            else value
        )
    known: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    for key, item in value.items():
        key = shape.names.get(key, key)
        if key in known:  # by its other name
            raise GatewayError("request.invalid_field", path=key, reason="it is given twice")
        if key in shape.fields:
            known[key] = _normalise(item, shape.fields[key])
        elif key == shape.tag_field:
            known[key] = item
        else:
            unknown[key] = item
    if unknown:
        known[EXTRAS_KEY] = unknown
    return known


def _choose(value: dict[str, Any], structs: list[type[Struct]]) -> _ObjectShape | None:
    """The struct that `value` claims to be: by its tag, or the only untagged one."""
    for cls in structs:
        shape = _object_shape(cls)
        if cls is OpaqueWire:
            continue
        if shape.tag_field is None or value.get(shape.tag_field) == shape.tag:
            return shape
    return None


def unknown_paths(raw: bytes, shape: Any) -> list[str]:
    """Paths of the fields in `raw` that `shape` does not declare, arrays as `[]`. For streams, where each
    event is decoded leniently and only the first of each kind is examined."""
    found: list[str] = []
    _collect(_normalise(parse_tree(raw), shape), "", found)
    return found


def _collect(value: Any, path: str, found: list[str]) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            here = f"{path}.{key}" if path else key
            if key == EXTRAS_KEY:
                # One that is null says nothing.
                found.extend(f"{path}.{n}" if path else n for n, value in item.items() if value is not None)
            elif key == "type" and item == OPAQUE_TAG:
                found.append(path)
            else:
                _collect(item, here, found)
    elif isinstance(value, list):
        for item in value:
            _collect(item, f"{path}[]", found)
