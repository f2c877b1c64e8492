"""Checks a JSON value against the SDKs' TypedDict parameters: strict types, no unknown keys, exact paths.

pydantic could read the same TypedDicts, but it takes `Iterable` for a lazy generator (so nothing below it is
checked), ignores unknown keys, and answers a wrong block with one error for each of the twenty blocks it might have
been. Vendors answer with one error and the path of the culprit, and so do we.

A member of a union that cannot come over JSON (a model class, a file handle) is passed over.
"""

from __future__ import annotations

import collections.abc
import types
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin

from typing_extensions import get_type_hints, is_typeddict

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Flaw:
    """One thing wrong. `kind`: "missing" | "unknown" | "type" | "value"; `want`: what would be right."""

    path: Path
    kind: str
    want: str = ""


@dataclass(frozen=True)
class Fields:
    """A TypedDict, resolved."""

    name: str
    types: dict[str, Any] = field(hash=False)
    required: frozenset[str]

    def tag(self, key: str) -> tuple[Any, ...]:
        """The literal values that `key` may have; empty if it is not a literal."""
        shape = self.types.get(key)
        return tuple(v for m in members(shape) if get_origin(m) is Literal for v in get_args(m))


@cache
def fields(cls: Any) -> Fields:
    hints = get_type_hints(cls, include_extras=True)
    required = {name for name, hint in hints.items() if _is(hint, Required)}
    if cls.__total__:
        required |= {name for name in cls.__required_keys__ if not _is(hints[name], NotRequired)}
    return Fields(cls.__name__, {name: _bare(hint) for name, hint in hints.items()}, frozenset(required))


def _is(hint: Any, mark: Any) -> bool:
    origin: Any = get_origin(hint)
    return origin is mark


def _bare(hint: Any) -> Any:
    while get_origin(hint) in (Required, NotRequired, Annotated):
        hint = get_args(hint)[0]
    return hint


def members(shape: Any) -> tuple[Any, ...]:
    """The alternatives of a union, flat."""
    shape = _bare(shape)
    if get_origin(shape) in (Union, types.UnionType):
        return tuple(m for arg in get_args(shape) for m in members(arg))
    return (shape,)


def check(value: Any, shape: Any, path: Path = (), extra: frozenset[str] = frozenset()) -> list[Flaw]:
    """The flaws of `value`; `extra` names keys of the outermost object that are allowed though the type lacks them."""
    candidates = members(shape)
    if value is None:
        return (
            []
            if type(None) in candidates or object in candidates
            else [Flaw(path, "type", _want(candidates))]
        )
    if object in candidates or Any in candidates:
        return []
    if isinstance(value, dict):
        return _check_object(value, candidates, path, extra)
    if isinstance(value, list):
        for item in map(_element, candidates):
            if item is not None:
                return [flaw for i, element in enumerate(value) for flaw in check(element, item, (*path, i))]
        return [Flaw(path, "type", _want(candidates))]
    return _check_scalar(value, candidates, path)


def _check_scalar(value: Any, candidates: tuple[Any, ...], path: Path) -> list[Flaw]:
    literals: list[Any] = []
    for member in candidates:
        if get_origin(member) is Literal:
            literals += get_args(member)
        elif type(value) is member or (member is float and type(value) is int):
            return []
    if any(type(value) is type(option) and value == option for option in literals):
        return []
    same_type = any(type(value) is type(option) for option in literals)
    return [Flaw(path, "value" if same_type else "type", _want(candidates))]


def _check_object(
    value: dict[str, Any], candidates: tuple[Any, ...], path: Path, extra: frozenset[str]
) -> list[Flaw]:
    shapes = [fields(m) for m in candidates if is_typeddict(m)]
    for member in candidates:
        # Beside a TypedDict it says that the object is open: a JSON schema, for one.
        if get_origin(member) is dict:
            of = get_args(member)[1]
            return [flaw for key, item in value.items() for flaw in check(item, of, (*path, key))]
    if not shapes:
        return [Flaw(path, "type", _want(candidates))]
    for tag in ("type", "role"):
        fitting = [s for s in shapes if _tag_fits(value, s, tag)]
        if not fitting:
            options = sorted({str(v) for s in shapes for v in s.tag(tag)})
            kind = "value" if tag in value else "missing"
            return [Flaw((*path, tag), kind, ", ".join(options))]
        shapes = fitting
    return min((_check_fields(value, s, path, extra) for s in shapes), key=len)


def _tag_fits(value: dict[str, Any], shape: Fields, tag: str) -> bool:
    options = shape.tag(tag)
    if not options:
        return True
    if tag not in value:
        return tag not in shape.required
    return value[tag] in options or (value[tag] is None and type(None) in members(shape.types[tag]))


def _check_fields(value: dict[str, Any], shape: Fields, path: Path, extra: frozenset[str]) -> list[Flaw]:
    flaws = [Flaw((*path, name), "missing", name) for name in sorted(shape.required - value.keys())]
    for name, item in value.items():
        if name in shape.types:
            flaws += check(item, shape.types[name], (*path, name))
        elif name not in extra:
            flaws.append(Flaw((*path, name), "unknown", shape.name))
    return flaws


def _element(shape: Any) -> Any | None:
    """The element type if `shape` is a kind of sequence (the SDKs have their own protocol for "not a str")."""
    origin = get_origin(shape)
    if origin in (list, collections.abc.Iterable, collections.abc.Sequence):
        return get_args(shape)[0]
    if getattr(origin, "__name__", "") == "SequenceNotStr":
        return get_args(shape)[0]
    return None


def _want(candidates: tuple[Any, ...]) -> str:
    names: list[str] = []
    for member in candidates:
        if get_origin(member) is Literal:
            names += [repr(v) for v in get_args(member)]
        elif is_typeddict(member) or get_origin(member) is dict:
            names.append("an object")
        elif _element(member) is not None:
            names.append("an array")
        elif member in (str, int, float, bool):
            names.append({str: "a string", int: "an integer", float: "a number", bool: "a boolean"}[member])
    return " or ".join(dict.fromkeys(names)) or "null"
