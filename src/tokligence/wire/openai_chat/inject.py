"""Changes of a same-protocol Chat request that touch no other byte: the model's name, and asking for usage.

Usage comes in a stream only if `stream_options.include_usage` is true. All forms in which a client may have left it
out are handled: no `stream_options`, null, an object without it, false or null.
"""

from __future__ import annotations

import orjson

from tokligence.errors import GatewayError
from tokligence.wire.splice import TopLevel

_TRUE = b"true"
_ASKED = b'{"include_usage":true}'

Edit = tuple[int, int, bytes]
"""Bytes from, to, and what stands there instead."""


def spliced(top: TopLevel, model: str | None, *, ask_usage: bool) -> bytes:
    """The request with another model, asking for usage, where wanted."""
    edits: list[Edit] = []
    if model is not None and "model" in top.values:
        edits.append((*top.span("model"), orjson.dumps(model)))
    if ask_usage and (edit := _usage_edit(top)) is not None:
        edits.append(edit)
    return _apply(top.raw, edits) if edits else top.raw


def with_usage(body: TopLevel) -> bytes:
    """The request, asking for usage in its stream."""
    edit = _usage_edit(body)
    return body.raw if edit is None else _apply(body.raw, [edit])


def _apply(raw: bytes, edits: list[Edit]) -> bytes:
    edits.sort(reverse=True)
    for start, end, value in edits:
        raw = raw[:start] + value + raw[end:]
    return raw


def _usage_edit(top: TopLevel) -> Edit | None:
    """None if it is asked for already, or if the field is not an object: the upstream says so better than we do."""
    if "stream_options" not in top.values:
        close = top.raw.rindex(b"}")
        comma = b"," if top.values else b""
        return close, close, comma + b'"stream_options":' + _ASKED
    start, end = top.span("stream_options")
    value = bytes(top.values["stream_options"])
    if value == b"null":
        return start, end, _ASKED
    try:
        options = TopLevel(value)
    except GatewayError:
        return None
    if "include_usage" not in options.values:
        return start, end, options.append("include_usage", _TRUE)
    if bytes(options.values["include_usage"]) in {b"false", b"null"}:
        return start, end, options.replace("include_usage", _TRUE)
    return None
