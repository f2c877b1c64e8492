"""What a request for kept things asks, read from its body or its query; and short JSON answers."""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import parse_qs

import msgspec
from msgspec import Struct

from tokligence.errors import GatewayError
from tokligence.pipeline.contract import Call, Sink
from tokligence.pipeline.outbound import JSON
from tokligence.pipeline.responses.items import DEFAULT_PAGE, LARGEST_PAGE, Page

T = TypeVar("T", bound=Struct)


def decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise GatewayError("request.invalid_field", path="the body", reason=str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise GatewayError("request.invalid_json", reason=str(error)) from None
    except RecursionError:
        raise GatewayError("request.too_deep") from None


def page(call: Call) -> Page:
    query = parse_qs(call.query)
    order = query.get("order", ["desc"])[0]
    if order not in ("asc", "desc"):
        raise GatewayError("request.invalid_field", path="order", reason="it is asc or desc")
    limit = whole_number(query, "limit", DEFAULT_PAGE)
    if not 1 <= limit <= LARGEST_PAGE:
        raise GatewayError("request.invalid_field", path="limit", reason=f"it is 1 to {LARGEST_PAGE}")
    return Page(limit, order, query.get("after", [None])[0])


def whole_number(query: dict[str, list[str]], name: str, default: int) -> int:
    text = query.get(name, [str(default)])[0]
    try:
        return int(text)
    except ValueError:
        raise GatewayError("request.invalid_field", path=name, reason="it is no whole number") from None


def answer(sink: Sink, value: dict[str, Any]) -> None:
    sink.whole(200, [JSON], msgspec.json.encode(value))
