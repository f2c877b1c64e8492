"""What a Gemini client asks for stands in the path of its request, not in the body: model, method, streaming.

    POST /v1beta/models/NAME:generateContent
    POST /v1beta/models/NAME:streamGenerateContent?alt=sse     SSE; without `alt=sse` one JSON array
    POST /v1beta/models/NAME:countTokens

(ai.google.dev/api/generate-content, read 2026-11-24.) Google's Python SDK since 3 asks at `/v1`. The key may come as
`?key=`; ours never go that way.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl, quote, unquote

from msgspec import Struct

_MODELS: Final = "/models/"
_OWN: Final = ("models/", "tunedModels/")
_KEPT: Final = "-._~!$&'()*+,;=:@/"


class Method(StrEnum):
    GENERATE = "generateContent"
    STREAM = "streamGenerateContent"
    COUNT = "countTokens"


class Asked(Struct, frozen=True):
    """`array`: a stream that the client reads as one JSON array."""

    model: str
    method: Method
    array: bool = False

    @property
    def stream(self) -> bool:
        return self.method is Method.STREAM


def parse_target(path: str, query: str = "") -> Asked | None:
    """What a path asks for; None if it is not such a path. Whatever stands before `models/` does not matter. A name
    may hold slashes (`provider/model`) and colons, percent-encoded or not."""
    _, found, rest = path.partition(_MODELS)
    name, colon, word = rest.rpartition(":")
    if not found or not colon or not name:
        return None
    try:
        method = Method(word)
    except ValueError:
        return None
    array = method is Method.STREAM and ("alt", "sse") not in [
        (key.lstrip("$"), value) for key, value in parse_qsl(query)
    ]
    return Asked(unquote(name), method, array)


def without_alt(query: str) -> str:
    """The query without how a stream is to come, which is asked for anew."""
    pairs = query.split("&") if query else []
    return "&".join([pair for pair in pairs if not pair.lstrip("$%24").startswith("alt=")])


def parse_model(path: str) -> str | None:
    """The name in `GET /v1beta/models/NAME`; None if it is another path."""
    _, found, rest = path.partition(_MODELS)
    return unquote(rest) or None if found else None


def target_path(model: str, method: Method) -> bytes:
    """Path and query of an upstream's method, below its base URL. Streams are always asked for as SSE."""
    name = model if model.startswith(_OWN) else f"models/{model}"
    query = "?alt=sse" if method is Method.STREAM else ""
    return f"/v1beta/{quote(name, safe=_KEPT)}:{method.value}{query}".encode()
