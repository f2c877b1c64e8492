"""Items of a Responses request and of an answer, as raw JSON. Pure.

Facts: openai-python 3.x, types/responses (`ResponseInputParam`, `ResponseItem`, `ResponseItemList`) and
types/conversations, read 2026-11-24.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from tokligence.errors import GatewayError

PREFIX: Final = {
    "message": "msg_",
    "reasoning": "rs_",
    "function_call": "fc_",
    "function_call_output": "fco_",
    "custom_tool_call": "ctc_",
    "custom_tool_call_output": "ctco_",
    "compaction": "cmp_",
}
"""Kind of an item -> how its id begins."""
OTHER_PREFIX: Final = "item_"
DEFAULT_PAGE: Final = 20
LARGEST_PAGE: Final = 100


class Item(Struct, frozen=True):
    """One item. `raw`: its JSON, with `id`."""

    id: str
    raw: bytes


class Page(Struct, frozen=True):
    """Which items of a list are wanted. `after`: the id of the last one that the client has."""

    limit: int = DEFAULT_PAGE
    order: str = "desc"
    after: str | None = None


_OBJECTS: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_encode: Final = msgspec.json.Encoder().encode


def items_of(raw: bytes, path: str, new_id: Callable[[str], str]) -> tuple[Item, ...]:
    """The items of an `input`: a string is one user message. Each gets an id if it has none; a message's text becomes
    a list of parts, as lists of items show it. Raises `request.invalid_field`."""
    text = _decoded(raw, str)
    if text is not None:
        objects: list[dict[str, Raw]] = [{"role": Raw(b'"user"'), "content": Raw(raw)}]
    else:
        try:
            objects = _OBJECTS.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise GatewayError("request.invalid_field", path=path, reason=str(error)) from None
    return tuple([_item(fields, new_id) for fields in objects])


def _item(fields: dict[str, Raw], new_id: Callable[[str], str]) -> Item:
    kind = _text(fields, "type") or "message"
    if kind == "item_reference":
        return Item(_text(fields, "id") or "", _encode(fields))
    name = _text(fields, "id")
    if name is None:
        name = new_id(PREFIX.get(kind, OTHER_PREFIX))
    whole: dict[str, Any] = {**fields, "id": name, "type": kind}
    if kind == "message":
        whole.setdefault("status", "completed")
        text = _text(fields, "content")
        if text is not None:
            part = "output_text" if _text(fields, "role") == "assistant" else "input_text"
            extra: dict[str, list[str]] = {"annotations": []} if part == "output_text" else {}
            whole["content"] = [{"type": part, "text": text, **extra}]
    return Item(name, _encode(whole))


def output_items(response: bytes) -> tuple[Item, ...]:
    """What an answer of ours says, as items of a later request."""
    output = msgspec.json.decode(response, type=_Output).output
    return tuple([Item(msgspec.json.decode(raw, type=_WithId).id, bytes(raw)) for raw in output])


class _Output(Struct):
    output: list[Raw] = []


class _WithId(Struct):
    id: str = ""


def array(items: Sequence[Item]) -> bytes:
    """The JSON array of the items."""
    return b"[" + b",".join([item.raw for item in items]) + b"]"


def page_of(items: Sequence[Item], page: Page) -> bytes:
    """A `list` object with one page of the items, which come in the order they were said. Raises
    `request.invalid_field` for an `after` that is not among them."""
    ordered = list(items) if page.order == "asc" else list(reversed(items))
    start = 0
    if page.after is not None:
        ids = [item.id for item in ordered]
        if page.after not in ids:
            raise GatewayError("request.invalid_field", path="after", reason="no such item")
        start = ids.index(page.after) + 1
    shown = ordered[start : start + page.limit]
    return _encode(
        {
            "object": "list",
            "data": [Raw(item.raw) for item in shown],
            "first_id": shown[0].id if shown else "",
            "last_id": shown[-1].id if shown else "",
            "has_more": start + page.limit < len(ordered),
        }
    )


def resolved(items: Sequence[Item], find: Callable[[str], Item | None]) -> tuple[Item, ...]:
    """`item_reference`s replaced by what they name. Raises `request.invalid_field` for an unknown one."""
    out = []
    for item in items:
        if _is_reference(item):
            known = find(item.id)
            if known is None:
                raise GatewayError(
                    "request.invalid_field",
                    path="input",
                    reason="an item_reference names no item stored here",
                )
            item = known
        out.append(item)
    return tuple(out)


def _is_reference(item: Item) -> bool:
    return b"item_reference" in item.raw and _kind(item.raw) == "item_reference"


def _kind(raw: bytes) -> str | None:
    return _text(msgspec.json.decode(raw, type=dict[str, Raw]), "type")


def _text(fields: dict[str, Raw], name: str) -> str | None:
    value = fields.get(name)
    return None if value is None else _decoded(value, str)


def _decoded(raw: bytes | Raw, kind: type[str]) -> str | None:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
