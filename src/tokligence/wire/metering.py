"""What an answer tells of its usage when nothing else of it is understood: embeddings, completions, images, audio.

Vocabularies (openai 3.57, `types/create_embedding_response.py`, `completion_usage.py`, `images_response.py`,
`audio/transcription.py`, read 2026-11-25): `prompt_tokens` and `completion_tokens`, or `input_tokens` and
`output_tokens`; rerankers (Jina, Voyage) give `total_tokens` alone. A transcription that is paid by its seconds has no
tokens.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from msgspec import Struct

from tokligence.conversation import Usage

TAIL_BYTES: Final = 4096
"""How much of the end of a large answer is looked at; usage stands behind the data."""

_TAIL: Final = re.compile(rb'"usage"\s*:\s*(\{(?:[^{}]|\{[^{}]*\})*\})')


class _Details(Struct):
    cached_tokens: int | None = None
    audio_tokens: int | None = None


class _Usage(Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    input_tokens_details: _Details | None = None
    input_token_details: _Details | None = None


class _Answer(Struct):
    usage: Any = None
    model: Any = None


_ANSWER: Final = msgspec.json.Decoder(_Answer)


def read_metered(raw: bytes) -> tuple[Usage | None, str | None]:
    """Usage and served model of an answer or of an event's data, as far as they can be read."""
    try:
        answer = _ANSWER.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None, None
    return _read(answer.usage), answer.model if isinstance(answer.model, str) else None


def read_tail(tail: bytes) -> Usage | None:
    """The usage in the last bytes of an answer; they may begin anywhere."""
    found = _TAIL.findall(tail)
    try:
        return _read(msgspec.json.decode(found[-1])) if found else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _read(given: Any) -> Usage | None:
    try:
        usage = msgspec.convert(given, _Usage)
    except msgspec.ValidationError:
        return None
    prompt = _first(usage.prompt_tokens, usage.input_tokens)
    output = _first(usage.completion_tokens, usage.output_tokens)
    if prompt is None and output is None:
        prompt = usage.total_tokens
        if prompt is None:
            return None
    prompt, output = max(prompt or 0, 0), max(output or 0, 0)
    details = usage.prompt_tokens_details or usage.input_tokens_details or usage.input_token_details
    cached = min(max(details.cached_tokens or 0, 0), prompt) if details else 0
    audio = min(max(details.audio_tokens or 0, 0), prompt) if details else 0
    return Usage(input=prompt - cached, cache_read=cached, output=output, input_audio=audio)


def _first(one: int | None, other: int | None) -> int | None:
    return other if one is None else one
