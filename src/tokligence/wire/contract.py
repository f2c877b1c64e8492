"""What a protocol package offers to the rest: the `Codec` and the values that go in and out.

Readers take bytes and give the conversation; writers take the conversation and give bytes and the losses.
All are pure: time and ids come as arguments. A reader of requests raises `GatewayError` with a `request.*`
code; a reader of answers raises it with `upstream.bad_response`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from tokligence.catalog.models import Dialect, ModelCard
from tokligence.conversation import Loss, ProtocolId, Request, Response, StreamEvent, Usage
from tokligence.errors import GatewayError


class Target(Struct, frozen=True):
    """Where a request is written to. `model`: the name that the upstream gets. `issuer`: whose signatures it takes.
    `card`: what the catalogue knows of the model; a card of unknown capabilities if it knows nothing."""

    model: str
    card: ModelCard
    issuer: str
    dialect: Dialect = Dialect()


class Stands(Struct, frozen=True):
    """What a function stands for, in the client's words: see `wire.lower`."""

    name: str
    namespace: str | None
    freeform: bool


class ReplyMemory(Struct, frozen=True):
    """What the writer of a request must tell the reader of its answer.

    `renames`: tool name as the upstream knows it -> as the client named it, where they differ.
    `output_tool`: the forced tool that stands for a structured output; its arguments are the answer's text.
    `tools`: names of the tools offered, as the upstream knows them: tells a whole name from the start of one.
    `stands`: name of a function, as after `renames` -> what it stands for, where that is something else.
    """

    renames: Mapping[str, str] = {}
    output_tool: str | None = None
    tools: frozenset[str] = frozenset()
    stands: Mapping[str, Stands] = {}


class Written(Struct, frozen=True, gc=False):
    """A request for an upstream."""

    body: bytes
    losses: tuple[Loss, ...] = ()
    memory: ReplyMemory = ReplyMemory()


class ReplyContext(Struct, frozen=True):
    """What a writer of answers needs. `new_id(prefix)` gives an unused id in the target's form;
    `now`: Unix seconds; `include_usage`: a Chat client asked for the usage chunk;
    `estimated_input`: tokens, for protocols that report usage before the upstream does; `request`: the client's, raw,
    for those whose answers repeat it; `clock`: Unix seconds when it is called, None: `now` has to do."""

    request_id: str
    now: int
    new_id: Callable[[str], str]
    include_usage: bool = False
    estimated_input: int = 1
    request: bytes = b""
    clock: Callable[[], int] | None = None


class Reply(Struct, frozen=True, gc=False):
    """A whole answer for a client."""

    body: bytes
    losses: tuple[Loss, ...] = ()


class Peek(Struct, frozen=True, gc=False):
    """What routing and relaying need of a request, read without its conversation.

    `max_output`: tokens, None if the request sets no limit. `include_usage`: a Chat stream asked for usage."""

    model: str
    stream: bool = False
    include_usage: bool = False
    max_output: int | None = None


class UpstreamError(Struct, frozen=True):
    """An upstream's error answer, read. `kind`: the vendor's error type; `code`, `param`: as OpenAI has them."""

    status: int
    kind: str
    message: str
    code: str | None = None
    param: str | None = None


class ErrorView(Struct, frozen=True):
    """An error to show to a client. `kind`, `code`, `param`: the upstream's words if it was the upstream's error and
    the protocol is the same family; else None, and the writer chooses its vendor's type by status."""

    status: int
    message: str
    request_id: str
    code: str | None = None
    param: str | None = None


class ListedModel(Struct, frozen=True):
    """A model that can be asked for. `created`: Unix seconds, 0 if not known; `owner`: the provider's id."""

    id: str
    created: int
    owner: str
    context_tokens: int | None = None
    max_output_tokens: int | None = None


class StreamReader(Protocol):
    """Reads an upstream's stream. `feed` takes one SSE event (name or b"", data) and gives events in the order
    that `conversation` demands. A malformed event raises `GatewayError("upstream.bad_response")`. `eof` is called
    when the upstream closes: it gives what is still due, or raises `GatewayError("upstream.cut")` if the
    protocol's terminal event never came."""

    losses: list[Loss]

    def feed(self, name: bytes, data: bytes) -> Sequence[StreamEvent]: ...

    def eof(self) -> Sequence[StreamEvent]: ...


class StreamWriter(Protocol):
    """Writes a client's stream: conversation event -> SSE bytes (b"" if the protocol says nothing for it).
    `fail` gives the protocol's error event, at any point, once; nothing follows it."""

    losses: list[Loss]

    def write(self, event: StreamEvent) -> bytes: ...

    def fail(self, error: ErrorView) -> bytes: ...


class StreamTap(Protocol):
    """Watches a same-protocol stream. `feed` takes one raw SSE event with its terminator and gives the bytes
    to forward: the same, or fewer where the gateway asked for usage that the client did not ask for."""

    usage: Usage | None
    model: str | None  # the model that the upstream says it served
    content_seen: bool  # text, thinking, a tool call or a refusal has begun
    ended: bool  # the terminal event has come
    failed: bool  # the upstream's own error event has come

    def feed(self, raw: bytes) -> bytes: ...


class Codec(Protocol):
    """One protocol. `write_stream_error`: its error event, for a same-protocol stream that was cut."""

    protocol: ProtocolId

    def peek(self, raw: bytes) -> Peek: ...

    def splice(self, raw: bytes, *, model: str | None, ask_usage: bool) -> bytes:
        """The request for a same-protocol upstream: another model name, and asked for usage in its stream, where
        wanted; all other bytes as they came. Repeated top-level keys are refused."""
        ...

    def read_request(self, raw: bytes) -> Request: ...

    def write_request(self, request: Request, target: Target) -> Written: ...

    def read_response(self, raw: bytes, memory: ReplyMemory, issuer: str) -> Response: ...

    def write_response(self, response: Response, context: ReplyContext) -> Reply: ...

    def stream_reader(self, memory: ReplyMemory, issuer: str) -> StreamReader: ...

    def stream_writer(self, context: ReplyContext) -> StreamWriter: ...

    def stream_tap(self, *, strip_usage: bool) -> StreamTap: ...

    def read_usage(self, raw: bytes) -> tuple[Usage | None, str | None]:
        """Usage and served model of a whole answer; (None, None) if it is not one."""
        ...

    def read_error(self, status: int, raw: bytes) -> UpstreamError: ...

    def write_error(self, error: ErrorView) -> bytes: ...

    def write_stream_error(self, error: ErrorView) -> bytes: ...

    def write_models(self, models: Sequence[ListedModel]) -> bytes: ...

    def write_model(self, model: ListedModel) -> bytes: ...


def bad_response(provider: str, reason: str) -> GatewayError:
    """`reason` describes the fault, never the upstream's content."""
    return GatewayError("upstream.bad_response", provider=provider, reason=reason)
