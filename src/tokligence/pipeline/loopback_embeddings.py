"""Embeddings of the built-in upstream: the same text always has the same vector, and texts that share words have
similar ones. PURE.

Each word adds 1 or -1 at a place that its hash names (feature hashing); the sum is scaled to length 1.
"""

from __future__ import annotations

import base64
import re
import struct
from hashlib import blake2b
from math import sqrt
from typing import Final

import msgspec
from msgspec import Struct

from tokligence.errors import GatewayError
from tokligence.pipeline.estimate import tokens_of, utf8

DIMENSIONS: Final = 256
MAX_DIMENSIONS: Final = 4096
MAX_INPUTS: Final = 2048
"""As OpenAI has it (developers.openai.com/api/reference, embeddings, read 2026-11-25)."""

_WORD: Final = re.compile(r"\w+|[^\w\s]")


class _Request(Struct):
    input: str | list[str | int | list[int]]
    model: str = ""
    dimensions: int | None = None
    encoding_format: str | None = None


def embed(raw: bytes, model: str) -> tuple[bytes, int]:
    """The answer to a request for embeddings and the tokens booked for it. Raises `request.*`."""
    try:
        request = msgspec.json.decode(raw, type=_Request)
    except msgspec.ValidationError as error:
        raise GatewayError("request.invalid_field", path="input", reason=str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise GatewayError("request.invalid_json", reason="it cannot be read") from None
    size = DIMENSIONS if request.dimensions is None else request.dimensions
    if not 0 < size <= MAX_DIMENSIONS:
        raise GatewayError("request.invalid_field", path="dimensions", reason=f"1 to {MAX_DIMENSIONS}")
    texts = _texts(request.input)
    if not 0 < len(texts) <= MAX_INPUTS:
        raise GatewayError("request.invalid_field", path="input", reason=f"1 to {MAX_INPUTS} texts")
    data = [
        {"object": "embedding", "index": index, "embedding": _written(vector(text, size), request)}
        for index, text in enumerate(texts)
    ]
    tokens = sum(tokens_of(utf8(text)) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return msgspec.json.encode({"object": "list", "data": data, "model": model, "usage": usage}), tokens


def vector(text: str, size: int) -> list[float]:
    """A vector of length 1."""
    sums = [0.0] * size
    for word in _WORD.findall(text.lower()):
        digest = int.from_bytes(blake2b(word.encode("utf-8", "replace"), digest_size=8).digest())
        sums[(digest >> 1) % size] += 1.0 if digest & 1 else -1.0
    length = sqrt(sum(value * value for value in sums))
    if not length:
        return [1.0, *sums[1:]]
    return [value / length for value in sums]


def _texts(given: str | list[str | int | list[int]]) -> list[str]:
    """Token ids stand for words: what they mean is their model's secret. A list of ids alone is one text."""
    if isinstance(given, str):
        return [given]
    if given and all(isinstance(item, int) for item in given):
        return [" ".join(map(str, given))]
    return [" ".join(map(str, item)) if isinstance(item, list) else str(item) for item in given]


def _written(values: list[float], request: _Request) -> list[float] | str:
    """OpenAI's base64 is of little-endian 32-bit floats (openai 3.57, `resources/embeddings.py`)."""
    if request.encoding_format != "base64":
        return values
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
