"""A Responses request -> the conversation.

| Responses                                   | conversation                                                 |
|---------------------------------------------|--------------------------------------------------------------|
| `instructions`                              | the first turn, SYSTEM                                       |
| `input`                                     | turns: see `turns_in`; a string is what the user said        |
| `tools`                                     | tools: see `tools_in`                                        |
| `max_output_tokens`                         | `max_tokens`                                                 |
| `reasoning.effort`                          | `Reasoning`; "none" is DISABLED; none: the model's default   |
| `reasoning.summary`                         | `Reasoning.display` "summarized"                             |
| `text.format`, `text.verbosity`             | `output`, `verbosity`                                        |
| `top_logprobs`, `include` of logprobs       | `Sampling`                                                   |
| `include` of encrypted reasoning            | nothing: it is always given                                  |
| `store`, `previous_response_id` …           | nothing: the state is kept before a request is read          |
| what only Responses has                     | `Request.extras`; of an object's members by `object.member`  |
"""

from __future__ import annotations

from operator import attrgetter
from typing import Final

import msgspec
from msgspec import Raw, Struct

from tokligence.conversation import (
    Extras,
    Loss,
    LossReason,
    OutputFormat,
    OutputKind,
    Reasoning,
    ReasoningMode,
    Request,
    Role,
    Sampling,
    Severity,
    Text,
    Turn,
)
from tokligence.errors import GatewayError
from tokligence.wire.contract import Peek
from tokligence.wire.openai_responses.items_in import OWN, lose_inner
from tokligence.wire.openai_responses.tools_in import hosted_choice, read_choice, read_tools
from tokligence.wire.openai_responses.turns_in import Turns
from tokligence.wire.openai_responses.types import (
    ABSENT,
    KEPT_RAW,
    Format,
    JsonObjectFormat,
    JsonSchemaFormat,
    ReasoningOptions,
    ResponsesRequest,
    TextFormat,
)
from tokligence.wire.strict import OpaqueWire, Reader, Wire

ENCRYPTED: Final = "reasoning.encrypted_content"
LOGPROBS: Final = "message.output_text.logprobs"

_REQUEST: Final[Reader[ResponsesRequest]] = Reader(ResponsesRequest)


class _Peek(Struct):
    model: str
    stream: bool | None = None
    max_output_tokens: int | None = None


_PEEK: Final[Reader[_Peek]] = Reader(_Peek)


def peek(raw: bytes) -> Peek:
    """Usage comes in every stream without being asked for."""
    seen = _PEEK.read(raw)
    if not seen.model.strip():
        raise _no_model()
    return Peek(seen.model, seen.stream is True, True, seen.max_output_tokens)


def _no_model() -> GatewayError:
    return GatewayError("request.invalid_field", path="model", reason="it is empty")


def read_request(raw: bytes) -> Request:
    wire = _REQUEST.read(raw)
    _demand_utf8(raw)
    if not wire.model.strip():
        raise _no_model()
    losses: list[Loss] = []
    turns = _read_turns(wire, losses)
    if not turns.out and wire.prompt is ABSENT:
        raise GatewayError("request.missing_field", path="input")
    tools = read_tools(wire.tools, "tools", losses) if wire.tools else []
    text = wire.text
    return Request(
        model=wire.model,
        turns=tuple(turns.out),
        tools=(*tools, *turns.tools),
        tool_choice=None if wire.tool_choice is None else read_choice(wire.tool_choice, losses),
        parallel_tool_calls=wire.parallel_tool_calls,
        max_tokens=wire.max_output_tokens,
        sampling=_read_sampling(wire),
        output=None if text is None or text.format is None else _read_format(text.format, losses),
        verbosity=None if text is None else text.verbosity,
        reasoning=None if wire.reasoning is None else _read_reasoning(wire.reasoning, losses),
        service_tier=wire.service_tier,
        user=wire.user,
        metadata=wire.metadata,
        stream=wire.stream is True,
        include_usage=True,
        extras=_read_extras(wire),
        losses=tuple(losses),
        origin=OWN,
    )


def _demand_utf8(raw: bytes) -> None:
    """The decoder does not look into what it keeps raw."""
    if not raw.isascii():
        try:
            raw.decode()
        except UnicodeDecodeError:
            raise GatewayError("request.invalid_json", reason="it is not UTF-8") from None


def _read_turns(wire: ResponsesRequest, losses: list[Loss]) -> Turns:
    turns = Turns(losses)
    if wire.instructions:
        turns.out.append(Turn(Role.SYSTEM, (Text(wire.instructions),), "instructions"))
    if isinstance(wire.input, str):
        if wire.input:
            turns.out.append(Turn(Role.USER, (Text(wire.input),), "input"))
    elif wire.input:
        for index, item in enumerate(wire.input):
            turns.add(item, index)
        turns.close()
    return turns


# --- options --------------------------------------------------------------------------------------------


def _read_sampling(wire: ResponsesRequest) -> Sampling:
    asked = bool(wire.top_logprobs) or (wire.include is not None and LOGPROBS in wire.include)
    return Sampling(
        temperature=wire.temperature,
        top_p=wire.top_p,
        frequency_penalty=wire.frequency_penalty,
        presence_penalty=wire.presence_penalty,
        logprobs=True if asked else None,
        top_logprobs=wire.top_logprobs,
    )


def _read_format(form: Format, losses: list[Loss]) -> OutputFormat | None:
    match form:
        case TextFormat():
            lose_inner(form, "text.format", losses)
            return OutputFormat(OutputKind.TEXT)
        case JsonObjectFormat():
            lose_inner(form, "text.format", losses)
            return OutputFormat(OutputKind.JSON_OBJECT)
        case JsonSchemaFormat():
            lose_inner(form, "text.format", losses)
            schema = bytes(form.schema)
            return OutputFormat(
                OutputKind.JSON_SCHEMA,
                form.name,
                form.description,
                None if schema in (b"", b"null") else schema,
                form.strict,
            )
        case _:
            return None


def _read_reasoning(options: ReasoningOptions, losses: list[Loss]) -> Reasoning | None:
    """Without an effort the model decides as it does by itself: nothing is asked for but, perhaps, a summary."""
    summary = options.summary or options.generate_summary
    if summary in ("concise", "detailed"):
        name = "summary" if options.summary else "generate_summary"
        losses.append(Loss(f"reasoning.{name}", LossReason.CONVERTED, Severity.COSMETIC))
    effort = options.effort
    if effort is None and summary is None:
        return None
    mode = None if effort is None else ReasoningMode.DISABLED if effort == "none" else ReasoningMode.ENABLED
    return Reasoning(mode, effort, None, None if summary is None else "summarized")


_BY_DEFAULT: Final = (b'"auto"', b'"standard"')
"""Values of `reasoning.context` and `reasoning.mode` that ask for nothing."""

_kept_raw: Final = attrgetter(*KEPT_RAW)


def _read_extras(wire: ResponsesRequest) -> Extras | None:
    values: tuple[Raw, ...] = _kept_raw(wire)
    kept = {n: raw for n, value in zip(KEPT_RAW, values, strict=True) if (raw := _raw(value)) is not None}
    if kept.get("truncation") == b'"disabled"':  # the default
        del kept["truncation"]
    if wire.tool_choice is not None and (hosted := hosted_choice(wire.tool_choice)) is not None:
        kept["tool_choice"] = hosted
    include = [each for each in wire.include or () if each not in (ENCRYPTED, LOGPROBS)]
    if include:
        kept["include"] = msgspec.json.encode(include)
    if wire.text is not None:
        if isinstance(wire.text.format, OpaqueWire):
            kept["text.format"] = wire.text.format.raw.encode()
        _keep_members("text", wire.text, {}, kept)
    options = wire.reasoning
    if options is not None:
        _keep_members("reasoning", options, {"context": options.context, "mode": options.mode}, kept)
    if wire.stream_options is not None:
        padded = wire.stream_options.include_obfuscation
        told = {} if padded is None else {"include_obfuscation": Raw(msgspec.json.encode(padded))}
        _keep_members("stream_options", wire.stream_options, told, kept)
    if wire.extras:
        kept.update((n, raw) for n, value in wire.extras.items() if (raw := _raw(value)) is not None)
    return Extras(OWN, kept) if kept else None


def _keep_members(name: str, inner: Wire, known: dict[str, Raw], kept: dict[str, bytes]) -> None:
    """Members of an object that the conversation knows in part, under `name.member`."""
    for member, value in {**known, **(inner.extras or {})}.items():
        raw = _raw(value)
        if raw is not None and raw not in _BY_DEFAULT:
            kept[f"{name}.{member}"] = raw


def _raw(value: Raw) -> bytes | None:
    """Absent and null are the same."""
    if value is ABSENT:
        return None
    raw = bytes(value)
    return None if raw == b"null" else raw
