"""The usual requests on a straight path: texts and nothing else, with the options that most clients set.

A request of this kind is decoded into shapes that have room for nothing else, so decoding it is the test whether it is
one; a conversation is tested while it is written. Everything else goes the general way, `read` and `write_request`; for
the usual requests both ways give the same, to the byte.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal

import msgspec
from msgspec import Struct
from orjson import dumps

from tokligence.catalog.models import ModelCard
from tokligence.conversation import NO_SAMPLING, ProtocolId, Request, Role, Sampling, Text, Turn
from tokligence.wire.anthropic import read
from tokligence.wire.anthropic import write_request as general
from tokligence.wire.anthropic.read import REQUEST
from tokligence.wire.anthropic.types import Count, RequestWire
from tokligence.wire.contract import Peek, Target, Written
from tokligence.wire.recent import Recent
from tokligence.wire.splice import TopLevel, read_top
from tokligence.wire.strict import UNREADABLE

LONGEST: Final = 7_680
"""Bytes of a request that is tried on the straight path. Longer ones are most often of agents, which have tools, and
cost so much to decode that the path does not matter."""

# Constants, since a member looked up on its class costs twenty times as much (Python 3.11).
_OWN: Final = ProtocolId.ANTHROPIC
_SYSTEM: Final = Role.SYSTEM
_USER: Final = Role.USER
_ASSISTANT: Final = Role.ASSISTANT


# --- read -----------------------------------------------------------------------------------------------


class _Block(Struct, forbid_unknown_fields=True, gc=False):
    """`type` is no tag: a tag that is missing would be no error where there is one kind of element only."""

    type: Literal["text"]
    text: str


class _Message(Struct, forbid_unknown_fields=True, gc=False):
    role: Literal["user", "assistant", "system"]
    content: str | list[_Block]


class _Metadata(Struct, forbid_unknown_fields=True, gc=False):
    user_id: str | None = None


class _Request(Struct, forbid_unknown_fields=True, gc=False):
    model: str
    max_tokens: Count
    messages: list[_Message]
    system: str | list[_Block] | None = None
    temperature: float | None = None
    stream: bool | None = None
    top_p: float | None = None
    stop_sequences: list[str] | None = None
    metadata: _Metadata | None = None


_decode: Final = msgspec.json.Decoder(_Request).decode
_RECENT: Final[Recent[_Request | RequestWire]] = Recent()
_ROLE: Final = {"user": _USER, "assistant": _ASSISTANT, "system": _SYSTEM}
_PATHS: Final = tuple([f"messages[{index}]" for index in range(LONGEST // 29)])
"""Of as many messages as there can be: none is shorter, with its comma."""


def _decoded(raw: bytes) -> _Request | RequestWire | None:
    """None if it has fields that we do not know, or is no request."""
    if len(raw) > LONGEST:
        return _decoded_strictly(raw)
    try:
        return _decode(raw)
    except UNREADABLE:
        return _decoded_strictly(raw)


def _decoded_strictly(raw: bytes) -> RequestWire | None:
    try:
        return REQUEST.strict(raw)
    except UNREADABLE:
        return None


def peek(raw: bytes) -> Peek:
    """`wire.contract.Codec.peek`."""
    recent = _RECENT
    if not recent.translated:
        return _peek_at_top(raw)
    recent.raw, recent.wire, recent.top = raw, (wire := _decoded(raw)), None
    return read.peek(raw) if wire is None else Peek(wire.model, wire.stream is True, False, wire.max_tokens)


def read_request(raw: bytes) -> Request:
    """`wire.contract.Codec.read_request`."""
    recent = _RECENT
    wire = recent.wire if recent.raw is raw and recent.top is None else _decoded(raw)
    recent.raw = recent.wire = recent.top = None
    recent.translated = True
    if not isinstance(wire, _Request):
        return read.read_request(raw) if wire is None else read.conversation(wire, raw)
    turns: list[Turn] = []
    if wire.system:
        turns.append(Turn(_SYSTEM, _read_parts(wire.system), "system"))
    for index, message in enumerate(wire.messages):
        content = message.content
        parts = (Text(content),) if type(content) is str else _read_parts(content)
        turns.append(Turn(_ROLE[message.role], parts, _PATHS[index]))
    temperature, top_p, stop = wire.temperature, wire.top_p, wire.stop_sequences
    return Request(  # by position: names would take five times as long
        wire.model,
        tuple(turns),
        (),
        None,
        None,
        wire.max_tokens,
        tuple(stop) if stop else (),
        NO_SAMPLING if temperature is None and top_p is None else Sampling(temperature, top_p),
        None,
        None,
        None,
        None,
        None if wire.metadata is None else wire.metadata.user_id,
        None,
        wire.stream is True,
        False,
        None,
        (),
        _OWN,
    )


def _read_parts(content: str | list[_Block]) -> tuple[Text, ...]:
    return (Text(content),) if isinstance(content, str) else tuple([Text(block.text) for block in content])


# --- spliced --------------------------------------------------------------------------------------------

_text: Final = msgspec.json.Decoder(str).decode
_flag: Final = msgspec.json.Decoder(bool | None).decode
_limit: Final = msgspec.json.Decoder(int | None).decode


def _peek_at_top(raw: bytes) -> Peek:
    """The same from the top level, which splicing needs anyway."""
    try:
        top = read_top(raw)
        model = _text(top["model"])
        stream = "stream" in top and _flag(top["stream"]) is True
        limit = _limit(top["max_tokens"]) if "max_tokens" in top else None
    except (KeyError, *UNREADABLE):
        return read.peek(raw)
    recent = _RECENT
    recent.raw, recent.wire, recent.top = raw, None, top
    return Peek(model, stream, False, limit)


def splice(raw: bytes, *, model: str | None, ask_usage: bool) -> bytes:  # noqa: ARG001 - usage always comes
    """`wire.contract.Codec.splice`."""
    recent = _RECENT
    top = TopLevel(raw, recent.top if recent.raw is raw else None)
    recent.raw = recent.wire = recent.top = None
    recent.translated = False
    return raw if model is None else top.replace("model", dumps(model))


# --- written --------------------------------------------------------------------------------------------

# What stands between two texts.
_SYSTEM_FIRST: Final = b',"system":[{"type":"text","text":'
_SYSTEM_NEXT: Final = b'},{"type":"text","text":'
_USER_FIRST: Final = b',"messages":[{"role":"user","content":[{"type":"text","text":'
_USER_AFTER_SYSTEM: Final = b'}],"messages":[{"role":"user","content":[{"type":"text","text":'
_USER_NEXT: Final = b'}]},{"role":"user","content":[{"type":"text","text":'
_ASSISTANT_NEXT: Final = b'}]},{"role":"assistant","content":[{"type":"text","text":'


@lru_cache(maxsize=1_024)
def _head(model: str, limit: int) -> bytes:
    return b'{"model":%b,"max_tokens":%d' % (dumps(model), limit)


def write_request(request: Request, target: Target) -> Written:
    """`wire.contract.Codec.write_request`."""
    body = _body(request, target.model, target.card)
    return general.write_request(request, target) if body is None else Written(body)


def _body(request: Request, model: str, card: ModelCard) -> bytes | None:
    """None if the conversation is not of the usual kind, or something of it is not for this model."""
    limit, most, sampling = request.max_tokens, card.max_output_tokens, request.sampling
    if (  # one by one, which is faster than a loop
        limit is None
        or (most is not None and limit > most)
        or request.tools
        or request.tool_choice is not None
        or request.stop
        or request.output is not None
        or request.verbosity is not None
        or request.reasoning is not None
        or request.service_tier is not None
        or request.user is not None
        or request.metadata is not None
        or request.extras is not None
    ):
        return None
    out = [_head(model, limit)]
    append = out.append
    last: Role | None = None
    try:
        for turn in request.turns:
            (part,) = turn.parts
            if (
                type(part) is not Text
                or part.cache is not None
                or part.extras is not None
                or turn.name is not None
                or turn.extras is not None
                or not (text := part.text)
                or text.isspace()
            ):
                return None
            role = turn.role
            if role is _USER:
                if last is _USER:
                    return None
                append(
                    _USER_FIRST if last is None else _USER_NEXT if last is _ASSISTANT else _USER_AFTER_SYSTEM
                )
                last = _USER
            elif role is _ASSISTANT:
                if last is not _USER:
                    return None
                append(_ASSISTANT_NEXT)
                last = _ASSISTANT
            elif last is None or last is _SYSTEM:
                append(_SYSTEM_FIRST if last is None else _SYSTEM_NEXT)
                last = _SYSTEM
            else:
                return None
            append(dumps(text))
    except ValueError:  # not one part
        return None
    if last is not _USER:
        return None
    append(b"}]}]")
    if sampling is not NO_SAMPLING:
        temperature = sampling.temperature
        if temperature is None or temperature > 1 or not card.sampling or _has_more(sampling):
            return None
        append(b',"temperature":')
        append(dumps(temperature))
    append(b',"stream":true}' if request.stream else b"}")
    return b"".join(out)


def _has_more(sampling: Sampling) -> bool:
    """Than a temperature."""
    return (
        sampling.top_p is not None
        or sampling.top_k is not None
        or sampling.frequency_penalty is not None
        or sampling.presence_penalty is not None
        or sampling.seed is not None
        or sampling.n is not None
        or sampling.logprobs is not None
        or sampling.top_logprobs is not None
        or sampling.logit_bias is not None
    )
