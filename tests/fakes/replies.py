"""What a scripted upstream can be told to answer, in words that both vendors share.

A reply says *what* (parts, stop reason, usage, an error) and *how* it travels (`Wire`). Each fake writes it in its
vendor's form. Streams are cut into the chunks that a part names, else into words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tests.fakes.server import Gate, Wire

__all__ = [
    "Call",
    "Failure",
    "Gate",
    "Part",
    "Raw",
    "Redacted",
    "Refusal",
    "Reply",
    "Script",
    "Text",
    "Thinking",
    "Usage",
    "Wire",
    "calls",
    "chunks_of",
    "instance_of",
    "text",
    "tokens_of",
]


PLAIN = Wire()


@dataclass(frozen=True)
class Text:
    text: str
    chunks: Sequence[str] | None = None
    citations: Sequence[Mapping[str, Any]] = ()  # Anthropic


@dataclass(frozen=True)
class Thinking:
    """Anthropic: a thinking block, signed by the fake unless `signature` is given. OpenAI-compatible:
    `reasoning_content`."""

    text: str
    signature: str | None = None
    chunks: Sequence[str] | None = None


@dataclass(frozen=True)
class Redacted:
    """Anthropic only. `data` None: the fake makes some that it will know again."""

    data: str | None = None


@dataclass(frozen=True)
class Call:
    """A tool call. `arguments`: a dict, or JSON text exactly as it shall be sent (broken too)."""

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    id: str | None = None
    chunks: Sequence[str] | None = None

    @property
    def text(self) -> str:
        return (
            self.arguments
            if isinstance(self.arguments, str)
            else json.dumps(self.arguments, ensure_ascii=False)
        )


@dataclass(frozen=True)
class Refusal:
    """OpenAI's `refusal`; Anthropic has only the stop reason."""

    text: str


Part: TypeAlias = Text | Thinking | Redacted | Call | Refusal


@dataclass(frozen=True)
class Usage:
    """Disjoint classes, each fake says them in its vendor's words. `reasoning` is a part of `output`."""

    input: int = 11
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 7
    reasoning: int = 0


@dataclass(frozen=True)
class Failure:
    """An error answer, or (as `Reply.failure`) the error event within a stream. None: the vendor's usual word."""

    status: int = 500
    message: str | None = None
    kind: str | None = None
    code: str | None = None
    param: str | None = None
    retry_after: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    wire: Wire = PLAIN


@dataclass(frozen=True)
class Raw:
    """Bytes of any kind: an HTML page with 200, nothing at all, half a JSON document."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    wire: Wire = PLAIN


@dataclass(frozen=True)
class Reply:
    """A model's answer.

    `stop`: the vendor's own word; None: what the parts suggest. `failure`: in a stream, the error event that ends it
    after `failure_after` frames (None: after all content). `interleave`: fragments of parallel calls alternate
    (OpenAI). `pings`: Anthropic, before these frame numbers besides the usual one. `mangle`: rewrites the frames of
    a stream at will. `model`: the name that the upstream claims to have served.
    """

    parts: Sequence[Part] = (Text("Hello from the upstream."),)
    stop: str | None = None
    stop_sequence: str | None = None
    usage: Usage = Usage()
    model: str | None = None
    service_tier: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    failure: Failure | None = None
    failure_after: int | None = None
    interleave: bool = False
    pings: Sequence[int] = ()
    mangle: Callable[[list[bytes]], list[bytes]] | None = None
    wire: Wire = PLAIN


Script: TypeAlias = Reply | Failure | Raw


def text(*texts: str, wire: Wire | None = None, **more: Any) -> Reply:
    """A reply of one text, streamed in these pieces."""
    return Reply(parts=(Text("".join(texts), chunks=texts),), wire=wire or PLAIN, **more)


def calls(*parts: Part, **more: Any) -> Reply:
    return Reply(parts=parts, **more)


def chunks_of(part: Text | Thinking | Call) -> list[str]:
    """The pieces in which `part` streams: those it names, else one for each word or about ten characters of JSON."""
    if part.chunks is not None:
        return list(part.chunks)
    if isinstance(part, Call):
        return re.findall(r".{1,10}", part.text, re.DOTALL)
    return re.findall(r"\s*\S+\s*$|\s*\S+", part.text) or ([part.text] if part.text else [])


def tokens_of(value: object) -> int:
    """A stand-in for a tokenizer, the same everywhere: four bytes a token, rounded up, at least one."""
    raw = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return max(1, -(-len(raw.encode()) // 4))


def instance_of(schema: Mapping[str, Any]) -> Any:
    """The smallest plain value that a JSON schema accepts, for answers that must fit one."""
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return instance_of(schema[key][0])
    kind = schema.get("type", "object")
    if isinstance(kind, list):
        kind = kind[0]
    match kind:
        case "object":
            names = schema.get("required", list(schema.get("properties", {})))
            return {
                name: instance_of(schema.get("properties", {}).get(name, {"type": "string"}))
                for name in names
            }
        case "array":
            return [instance_of(schema.get("items", {"type": "string"}))]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return "text"
