"""The usual requests on a straight path: texts and nothing else, with the options that most clients set.

A request of this kind is decoded into shapes that have room for nothing else, so decoding it is the test whether it is
one; a conversation is tested while it is written. Everything else goes the general way, `read` and `write`; for the
usual requests both ways give the same, to the byte.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct
from orjson import dumps

from tokligence.conversation import NO_SAMPLING, ProtocolId, Request, Role, Sampling, Text, Turn
from tokligence.wire.contract import Peek, Target, Written
from tokligence.wire.openai_chat import read, write
from tokligence.wire.openai_chat.inject import spliced
from tokligence.wire.openai_chat.read import REQUEST, PeekOptions
from tokligence.wire.openai_chat.turns import ROLES, ROLES_WITH_DEVELOPER
from tokligence.wire.openai_chat.types import ChatRequest, Count
from tokligence.wire.recent import Recent
from tokligence.wire.splice import TopLevel, read_top
from tokligence.wire.strict import UNREADABLE

LONGEST: Final = 7_680
"""Bytes of a request that is tried on the straight path. Longer ones are most often of agents, which have tools, and
cost so much to decode that the path does not matter."""

# Constants, since a member looked up on its class costs twenty times as much (Python 3.11).
_OWN: Final = ProtocolId.OPENAI_CHAT
_USER: Final = Role.USER
_ASSISTANT: Final = Role.ASSISTANT


# --- read -----------------------------------------------------------------------------------------------

_Said: TypeAlias = Annotated[str, Meta(min_length=1)]


class _Part(Struct, forbid_unknown_fields=True, gc=False):
    """`type` is no tag: a tag that is missing would be no error where there is one kind of element only."""

    type: Literal["text"]
    text: str


class _Message(Struct, forbid_unknown_fields=True, gc=False):
    """`refusal`: as OpenAI's SDK sends an earlier answer back."""

    role: Role
    content: _Said | Annotated[list[_Part], Meta(min_length=1)]
    refusal: None = None


class _StreamOptions(Struct, forbid_unknown_fields=True, gc=False):
    include_usage: bool | None = None


class _Request(Struct, forbid_unknown_fields=True, gc=False):
    model: _Said
    messages: Annotated[list[_Message], Meta(min_length=1)]
    max_tokens: Count | None = None
    temperature: float | None = None
    stream: bool | None = None
    top_p: float | None = None
    max_completion_tokens: Count | None = None
    stream_options: _StreamOptions | None = None
    stop: str | list[str] | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    n: Count | None = None
    user: str | None = None


_decode: Final = msgspec.json.Decoder(_Request).decode
_RECENT: Final[Recent[_Request | ChatRequest]] = Recent()
_PATHS: Final = tuple([f"messages[{index}]" for index in range(LONGEST // 30)])
"""Of as many messages as there can be: none is shorter, with its comma."""


def _decoded(raw: bytes) -> _Request | ChatRequest | None:
    """None if it has fields that we do not know, or is no request."""
    if len(raw) > LONGEST:
        return _decoded_strictly(raw)
    try:
        return _decode(raw)
    except UNREADABLE:
        return _decoded_strictly(raw)


def _decoded_strictly(raw: bytes) -> ChatRequest | None:
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
    if wire is None or not wire.model.strip():
        return read.peek(raw)
    limit, options = wire.max_completion_tokens, wire.stream_options
    return Peek(
        wire.model,
        wire.stream is True,
        options is not None and options.include_usage is True,
        wire.max_tokens if limit is None else limit,
    )


def read_request(raw: bytes) -> Request:
    """`wire.contract.Codec.read_request`."""
    recent = _RECENT
    wire = recent.wire if recent.raw is raw and recent.top is None else _decoded(raw)
    recent.raw = recent.wire = recent.top = None
    recent.translated = True
    if not isinstance(wire, _Request):
        return read.read_request(raw) if wire is None else read.conversation(wire, raw)
    limit, former = wire.max_completion_tokens, wire.max_tokens
    if wire.model.isspace() or (limit is not None and former is not None):
        return read.read_request(raw)
    turns: list[Turn] = []
    for index, message in enumerate(wire.messages):
        content = message.content
        parts = (Text(content),) if type(content) is str else _read_parts(content)
        turns.append(Turn(message.role, parts, _PATHS[index]))
    temperature, top_p, stop, options = wire.temperature, wire.top_p, wire.stop, wire.stream_options
    sampling = NO_SAMPLING if temperature is None and top_p is None else Sampling(temperature, top_p)
    if wire.frequency_penalty is not None or wire.presence_penalty is not None or wire.n is not None:
        frequency, presence = wire.frequency_penalty, wire.presence_penalty
        sampling = Sampling(temperature, top_p, None, frequency, presence, None, wire.n)
    return Request(  # by position: names would take five times as long
        wire.model,
        tuple(turns),
        (),
        None,
        None,
        former if limit is None else limit,
        () if stop is None else (stop,) if type(stop) is str else tuple(stop),
        sampling,
        None,
        None,
        None,
        None,
        wire.user,
        None,
        wire.stream is True,
        options is not None and options.include_usage is True,
        None,
        (),
        _OWN,
        None if limit is None else "max_completion_tokens",
    )


def _read_parts(content: str | list[_Part]) -> tuple[Text, ...]:
    return (Text(content),) if isinstance(content, str) else tuple([Text(part.text) for part in content])


# --- spliced --------------------------------------------------------------------------------------------

_text: Final = msgspec.json.Decoder(str).decode
_flag: Final = msgspec.json.Decoder(bool | None).decode
_limit: Final = msgspec.json.Decoder(int | None).decode
_options: Final = msgspec.json.Decoder(PeekOptions | None).decode


def _peek_at_top(raw: bytes) -> Peek:
    """The same from the top level, which splicing needs anyway."""
    try:
        top = read_top(raw)
        model = _text(top["model"])
        stream = _flag(top["stream"]) if "stream" in top else None
        options = _options(top["stream_options"]) if "stream_options" in top else None
        limit = _limit(top["max_completion_tokens"]) if "max_completion_tokens" in top else None
        former = _limit(top["max_tokens"]) if "max_tokens" in top else None
    except (KeyError, *UNREADABLE):
        return read.peek(raw)
    if not model.strip():
        return read.peek(raw)
    recent = _RECENT
    recent.raw, recent.wire, recent.top = raw, None, top
    asks = options is not None and options.include_usage is True
    return Peek(model, stream is True, asks, former if limit is None else limit)


def splice(raw: bytes, *, model: str | None, ask_usage: bool) -> bytes:
    """`wire.contract.Codec.splice`."""
    recent = _RECENT
    top = TopLevel(raw, recent.top if recent.raw is raw else None)
    recent.raw = recent.wire = recent.top = None
    recent.translated = False
    return raw if model is None and not ask_usage else spliced(top, model, ask_usage=ask_usage)


# --- written --------------------------------------------------------------------------------------------


def write_request(request: Request, target: Target) -> Written:
    """`wire.contract.Codec.write_request`."""
    body = _body(request, target)
    return write.write_request(request, target) if body is None else Written(dumps(body))


def _body(request: Request, target: Target) -> dict[str, object] | None:
    """None if the conversation is not of the usual kind, or something of it is not for this model."""
    limit, most, dialect = request.max_tokens, target.card.max_output_tokens, target.dialect
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
    messages: list[dict[str, str]] = []
    role: Role | None = None
    try:
        for turn in request.turns:
            (part,) = turn.parts
            if (
                type(part) is not Text
                or part.cache is not None
                or part.extras is not None
                or turn.name is not None
                or turn.extras is not None
                or not part.text
            ):
                return None
            role = turn.role
            if (
                role is _USER
            ):  # looking it up would take longer, for the hash of a member is made by Python code
                name = "user"
            elif role is _ASSISTANT:
                name = "assistant"
            else:
                name = (ROLES_WITH_DEVELOPER if dialect.developer_role else ROLES)[role]
            messages.append({"role": name, "content": part.text})
    except ValueError:  # not one part
        return None
    if role is None or role is _ASSISTANT:
        return None
    body: dict[str, object] = {
        "model": target.model,
        "messages": messages,
        dialect.max_tokens_field: limit,
    }
    sampling = request.sampling
    if sampling is not NO_SAMPLING:
        temperature = sampling.temperature
        if temperature is None or not target.card.sampling or sampling != Sampling(temperature):
            return None
        body["temperature"] = temperature
    if request.stream:
        body["stream"] = True
        if dialect.stream_usage:
            body["stream_options"] = {"include_usage": True}
    return body
