"""Tools that only the Responses protocol has, said in what every protocol has, and back.

| Responses                      | elsewhere                                                                   |
|--------------------------------|-----------------------------------------------------------------------------|
| a freeform ("custom") tool     | a function with the argument `input`; its grammar is in the description     |
| a call of it                   | arguments `{"input":"…"}`: see `freeform`                                   |
| a tool of a namespace          | a function `NAMESPACE__NAME`, whatever else is needed to be the only one    |

`lower` changes a request before it is written, `raise_response` and `RaisingReader` the answer after it is read. The
names are those of one request: a tool is called the same in each request of a conversation as long as it is offered.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tokligence.conversation import (
    BlockClosed,
    BlockOpened,
    Extras,
    Loss,
    LossReason,
    OpaqueTool,
    Part,
    ProtocolId,
    Request,
    Response,
    Severity,
    StreamEvent,
    TextDelta,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    Turn,
)
from tokligence.wire.contract import Codec, ReplyMemory, Stands, StreamReader, Target, Written
from tokligence.wire.freeform import SCHEMA, Unwrapped, unwrapped, wrapped

NAMESPACE_DESCRIPTION: Final = "namespace_description"
"""Name of the extra that holds it (raw JSON), on the first tool of a namespace."""

_NATIVE: Final = frozenset({ProtocolId.OPENAI_RESPONSES})
"""Protocols that have these tools themselves."""


class Lowered(Struct, frozen=True):
    """`stands`: see `ReplyMemory.stands`."""

    request: Request
    stands: Mapping[str, Stands]
    losses: tuple[Loss, ...] = ()


def lowering(request: Request, codec: Codec) -> Codec:
    """The upstream's codec for `request`: itself if there is nothing to lower."""
    if request.origin not in _NATIVE or codec.protocol in _NATIVE or not _is_needed(request):
        return codec
    return Lowering.around(codec)


def _is_needed(request: Request) -> bool:
    return any(isinstance(tool, Tool) and (tool.freeform or tool.namespace) for tool in request.tools) or any(
        isinstance(part, ToolCall) and (part.freeform or part.namespace)
        for turn in request.turns
        for part in turn.parts
    )


# --- requests -------------------------------------------------------------------------------------------


def lower(request: Request) -> Lowered:
    names = _Names(request.tools)
    losses: list[Loss] = []
    about = _descriptions(request)
    tools = tuple([_lower_tool(tool, names, about, losses) for tool in request.tools])
    turns = tuple([_lower_turn(turn, names) for turn in request.turns])
    choice = request.tool_choice
    if choice is not None and choice.names:
        choice = _lower_choice(choice, request.tools, names)
    return Lowered(
        replace(request, tools=tools, turns=turns, tool_choice=choice), names.stands, tuple(losses)
    )


class _Names:
    """One function's name for each tool. `stands`: see `ReplyMemory.stands`."""

    __slots__ = ("_flat", "_taken", "stands")

    def __init__(self, tools: Sequence[Tool | OpaqueTool]) -> None:
        self._flat: dict[tuple[str | None, str], str] = {}
        self._taken = {tool.name for tool in tools if isinstance(tool, Tool) and tool.namespace is None}
        self.stands: dict[str, Stands] = {}

    def of(self, namespace: str | None, name: str, *, freeform: bool) -> str:
        flat = self._flat.get((namespace, name))
        if flat is None:
            flat = name if namespace is None else self._free(f"{namespace}__{name}")
            self._flat[namespace, name] = flat
        if (freeform or namespace is not None) and flat not in self.stands:
            self.stands[flat] = Stands(name, namespace, freeform)
        return flat

    def _free(self, wanted: str) -> str:
        flat, number = wanted, 1
        while flat in self._taken:
            number += 1
            flat = f"{wanted}_{number}"
        self._taken.add(flat)
        return flat


def _descriptions(request: Request) -> dict[str, str]:
    """Path of a tool -> what it must tell of its namespace: the first that may be called, if any may, does."""
    choice = request.tool_choice
    allowed = choice.names if choice is not None else ()
    about: dict[str, str] = {}
    teller: dict[str, Tool] = {}
    for tool in request.tools:
        if isinstance(tool, OpaqueTool) or tool.namespace is None:
            continue
        about[tool.namespace] = about.get(tool.namespace) or _description(tool.extras)
        known = teller.setdefault(tool.namespace, tool)
        if tool.name in allowed and known.name not in allowed:
            teller[tool.namespace] = tool
    return {teller[name].path: f"({name}: {told})" for name, told in about.items() if told}


def _description(extras: Extras | None) -> str:
    raw = b'""' if extras is None else extras.fields.get(NAMESPACE_DESCRIPTION, b'""')
    return str(json.loads(raw))


def _lower_tool(
    tool: Tool | OpaqueTool, names: _Names, about: Mapping[str, str], losses: list[Loss]
) -> Tool | OpaqueTool:
    if isinstance(tool, OpaqueTool) or not (tool.freeform or tool.namespace):
        return tool
    name = names.of(tool.namespace, tool.name, freeform=tool.freeform)
    told = [each for each in (tool.description, about.get(tool.path)) if each]
    parameters = tool.parameters
    if tool.freeform:
        parameters = SCHEMA
        losses.append(Loss(tool.path, LossReason.CONVERTED, Severity.COSMETIC))
        if tool.format is not None:  # nothing enforces it any more
            told.append(_grammar(tool.format))
            losses.append(Loss(f"{tool.path}.format", LossReason.CONVERTED, Severity.SEMANTIC))
    return replace(
        tool,
        name=name,
        description="\n\n".join(told) or None,
        parameters=parameters,
        namespace=None,
        freeform=False,
        format=None,
        extras=_without_description(tool.extras),
    )


def _without_description(extras: Extras | None) -> Extras | None:
    if extras is None or NAMESPACE_DESCRIPTION not in extras.fields:
        return extras
    fields = {name: raw for name, raw in extras.fields.items() if name != NAMESPACE_DESCRIPTION}
    return Extras(extras.origin, fields) if fields else None


class _Format(Struct):
    syntax: str = ""
    definition: str = ""


def _grammar(form: bytes) -> str:
    try:
        grammar = msgspec.json.decode(form, type=_Format)
    except msgspec.MsgspecError:
        grammar = _Format()
    if not grammar.definition:
        return f"The input must have this format: {form.decode()}"
    return f"The input must match this {grammar.syntax} grammar:\n{grammar.definition}"


def _lower_turn(turn: Turn, names: _Names) -> Turn:
    parts: list[Part] = []
    changed = False
    for part in turn.parts:
        if isinstance(part, ToolCall) and (part.freeform or part.namespace):
            changed = True
            name = names.of(part.namespace, part.name, freeform=part.freeform)
            arguments = wrapped(part.arguments) if part.freeform else part.arguments
            part = replace(part, name=name, arguments=arguments, freeform=False, namespace=None)
        parts.append(part)
    return replace(turn, parts=tuple(parts)) if changed else turn


def _lower_choice(choice: ToolChoice, tools: Sequence[Tool | OpaqueTool], names: _Names) -> ToolChoice:
    """A choice names tools without their namespace: it means that of the request itself, else those of any."""
    chosen: list[str] = []
    for name in choice.names:
        same = [tool for tool in tools if isinstance(tool, Tool) and tool.name == name]
        plain = [tool for tool in same if tool.namespace is None]
        flat = [names.of(tool.namespace, name, freeform=tool.freeform) for tool in plain or same]
        chosen += flat or [name]
    return ToolChoice(choice.mode, tuple(chosen[:1] if choice.mode is ToolMode.TOOL else chosen))


# --- answers --------------------------------------------------------------------------------------------


def raise_response(response: Response, tools: Mapping[str, Stands]) -> Response:
    return replace(response, parts=tuple([_raised(part, tools) for part in response.parts]))


def _raised(part: Part, tools: Mapping[str, Stands]) -> Part:
    stands = tools.get(part.name) if isinstance(part, ToolCall) else None
    if stands is None or not isinstance(part, ToolCall):
        return part
    call = _renamed(part, stands)
    return replace(call, arguments=unwrapped(part.arguments)) if stands.freeform else call


def _renamed(call: ToolCall, stands: Stands) -> ToolCall:
    return replace(call, name=stands.name, namespace=stands.namespace, freeform=stands.freeform)


class RaisingReader:
    """`wire.contract.StreamReader` around another."""

    __slots__ = ("_reader", "_tools", "_unwrapped", "losses")

    def __init__(self, reader: StreamReader, tools: Mapping[str, Stands]) -> None:
        self._reader = reader
        self._tools = tools
        self._unwrapped: Unwrapped | None = None  # of the open block, if it is a freeform call
        self.losses = reader.losses

    def feed(self, name: bytes, data: bytes) -> Sequence[StreamEvent]:
        return self._raise(self._reader.feed(name, data))

    def eof(self) -> Sequence[StreamEvent]:
        return self._raise(self._reader.eof())

    def _raise(self, events: Sequence[StreamEvent]) -> Sequence[StreamEvent]:
        if self._unwrapped is None and not any(type(event) is BlockOpened for event in events):
            return events
        out: list[StreamEvent] = []
        for event in events:
            match event:
                case BlockOpened(index=index, part=ToolCall() as call) if call.name in self._tools:
                    self._open(index, call, self._tools[call.name], out)
                case TextDelta(index=index, text=text) if self._unwrapped is not None:
                    self._tell(index, self._unwrapped.feed(text), out)
                case BlockClosed(index=index) if self._unwrapped is not None:
                    self._tell(index, self._unwrapped.close(), out)
                    self._unwrapped = None
                    out.append(event)
                case _:
                    out.append(event)
        return out

    def _open(self, index: int, call: ToolCall, stands: Stands, out: list[StreamEvent]) -> None:
        head = _renamed(call, stands)
        if stands.freeform:
            self._unwrapped = Unwrapped()
            head = replace(head, arguments=self._unwrapped.feed(call.arguments))
        out.append(BlockOpened(index, head))

    @staticmethod
    def _tell(index: int, text: str, out: list[StreamEvent]) -> None:
        if text:
            out.append(TextDelta(index, text))


class Lowering:
    """A codec: what it writes is lowered, what it reads is raised, the rest is the inner codec's own."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    @classmethod
    def around(cls, codec: Codec) -> Codec:
        return cast("Codec", cls(codec))

    def __getattr__(self, name: str) -> object:
        return getattr(self._codec, name)

    def write_request(self, request: Request, target: Target) -> Written:
        lowered = lower(request)
        written = self._codec.write_request(lowered.request, target)
        memory = replace(written.memory, stands=lowered.stands)
        return Written(written.body, (*lowered.losses, *written.losses), memory)

    def read_response(self, raw: bytes, memory: ReplyMemory, issuer: str) -> Response:
        return raise_response(self._codec.read_response(raw, memory, issuer), memory.stands)

    def stream_reader(self, memory: ReplyMemory, issuer: str) -> StreamReader:
        return RaisingReader(self._codec.stream_reader(memory, issuer), memory.stands)
