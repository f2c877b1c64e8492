"""The typed conversation: what every protocol reads into and writes from.

Frozen values without behaviour. Rules that hold everywhere:

* JSON that nobody needs to understand (schemas, unknown fields, unknown blocks) stays `bytes`, raw as it came.
* Tool arguments are text as the model wrote it; they may be broken JSON, never re-serialised.
* What a protocol package does not know it keeps: an unknown block is `Opaque`, unknown fields are `Extras` on
  the nearest node. Both carry their origin: the same protocol writes them back, another records a `Loss`.
* Signatures and encrypted reasoning carry their issuer and go back to that issuer only.
* Token classes are disjoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import Final, TypeAlias

from msgspec import Struct


class ProtocolId(StrEnum):
    """A protocol on the wire, spoken by clients or by upstreams."""

    OPENAI_CHAT = "openai_chat"
    OPENAI_RESPONSES = "openai_responses"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"


class Severity(StrEnum):
    """`semantic`: the model may answer differently, strict mode refuses it. `cosmetic`: it cannot."""

    COSMETIC = "cosmetic"
    SEMANTIC = "semantic"


class LossReason(StrEnum):
    """Why something was not carried over. Metric labels come from here, never from paths."""

    UNSUPPORTED = "unsupported"  # the target has no way to say it
    UNKNOWN_FIELD = "unknown_field"  # we do not know the field, so we cannot translate it
    UNKNOWN_PART = "unknown_part"
    CLAMPED = "clamped"  # the value was moved into the target's range
    CONVERTED = "converted"  # said in another, weaker way
    FOREIGN_SIGNATURE = "foreign_signature"  # belongs to another issuer
    REPAIRED = "repaired"  # the history was invalid for the target and was mended
    MODEL_CAPABILITY = "model_capability"  # the protocol can say it, this model does not take it
    DROPPED_EMPTY = "dropped_empty"


class Loss(Struct, frozen=True, gc=False):
    """One thing that the target cannot say. `path`: in the terms of the protocol it was read from."""

    path: str
    reason: LossReason
    severity: Severity = Severity.SEMANTIC


class Extras(Struct, frozen=True, gc=False):
    """Fields that `origin` has and the conversation does not: name -> raw JSON."""

    origin: ProtocolId
    fields: Mapping[str, bytes]


class CacheControl(Struct, frozen=True):
    """A prompt-cache breakpoint after this element. `ttl`: "5m", "1h" or what the client wrote; None: not given."""

    ttl: str | None = None


# --- sources of media -----------------------------------------------------------------------------------


class UrlSource(Struct, frozen=True):
    url: str


class Base64Source(Struct, frozen=True):
    media_type: str
    data: str


class FileSource(Struct, frozen=True):
    """A file stored with a vendor: `origin` says with whose protocol it was uploaded."""

    file_id: str
    origin: ProtocolId


class TextSource(Struct, frozen=True):
    """A plain-text document."""

    text: str
    media_type: str = "text/plain"


class ContentSource(Struct, frozen=True):
    """A document made of parts (Anthropic `source.type=content`)."""

    parts: tuple[Part, ...]


MediaSource: TypeAlias = UrlSource | Base64Source | FileSource


# --- parts ----------------------------------------------------------------------------------------------


class Text(Struct, frozen=True, gc=False):
    """`citations`: raw JSON array in the terms of `extras.origin`'s protocol is kept in extras, not here."""

    text: str
    cache: CacheControl | None = None
    extras: Extras | None = None


class Image(Struct, frozen=True):
    """`detail`: OpenAI's "auto" | "low" | "high"."""

    source: MediaSource
    detail: str | None = None
    cache: CacheControl | None = None
    extras: Extras | None = None


class Document(Struct, frozen=True):
    source: MediaSource | TextSource | ContentSource
    title: str | None = None
    context: str | None = None
    citations: bool | None = None
    cache: CacheControl | None = None
    extras: Extras | None = None


class Audio(Struct, frozen=True):
    """Input audio, base64. `format`: "wav" | "mp3" …"""

    data: str
    format: str
    cache: CacheControl | None = None
    extras: Extras | None = None


class ToolCall(Struct, frozen=True):
    """`arguments`: JSON text exactly as the model wrote it ("" and broken JSON included); of a `freeform` call the
    plain text that its tool takes. `namespace`: of the tool, where it has one. `signature`: proves the call to
    its `issuer` (Gemini's thought signature)."""

    id: str
    name: str
    arguments: str
    cache: CacheControl | None = None
    extras: Extras | None = None
    freeform: bool = False
    namespace: str | None = None
    signature: str | None = None
    issuer: str | None = None


class ToolResult(Struct, frozen=True):
    """`path`: where it stood, if it was a message of its own, for losses; None: in its turn's list."""

    call_id: str
    parts: tuple[Part, ...]
    is_error: bool = False
    cache: CacheControl | None = None
    extras: Extras | None = None
    path: str | None = None


class Thinking(Struct, frozen=True):
    """Readable reasoning. `signature` proves it to its `issuer`; without one it is text only."""

    text: str
    signature: str | None = None
    issuer: str | None = None
    extras: Extras | None = None


class RedactedThinking(Struct, frozen=True):
    """Encrypted reasoning that only `issuer` can read."""

    data: str
    issuer: str | None = None
    extras: Extras | None = None


class Refusal(Struct, frozen=True):
    text: str
    extras: Extras | None = None


class Opaque(Struct, frozen=True):
    """A block of `origin` that the conversation has no word for. `kind`: its `type` there."""

    origin: ProtocolId
    kind: str
    raw: bytes


Part: TypeAlias = (
    Text | Image | Document | Audio | ToolCall | ToolResult | Thinking | RedactedThinking | Refusal | Opaque
)


# --- request --------------------------------------------------------------------------------------------


class Role(StrEnum):
    """Tool results are parts of USER turns, as Anthropic has it; a Chat `tool` message is a USER turn of one result."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"


class Turn(Struct, frozen=True, gc=False):
    """`path`: where it stood in the client's request, for losses ("messages[3]", "system")."""

    role: Role
    parts: tuple[Part, ...]
    path: str
    name: str | None = None
    extras: Extras | None = None


class Tool(Struct, frozen=True):
    """A function that the client runs. `parameters`: raw JSON schema; None: not given. `namespace`: the group of
    tools within which its name is unique (Responses); None: it is unique as it is. `freeform`: it takes plain text
    instead of JSON (OpenAI's custom tools); `format`: raw JSON of the grammar of that text."""

    name: str
    path: str
    description: str | None = None
    parameters: bytes | None = None
    strict: bool | None = None
    cache: CacheControl | None = None
    extras: Extras | None = None
    namespace: str | None = None
    freeform: bool = False
    format: bytes | None = None


class OpaqueTool(Struct, frozen=True):
    """A tool that the vendor runs or that only its dialect has (web search, custom grammar)."""

    origin: ProtocolId
    kind: str
    path: str
    raw: bytes


class ToolMode(StrEnum):
    AUTO = "auto"
    ANY = "any"
    NONE = "none"
    TOOL = "tool"


class ToolChoice(Struct, frozen=True):
    """`names`: with TOOL the one tool; with AUTO or ANY the tools allowed (empty: all)."""

    mode: ToolMode
    names: tuple[str, ...] = ()


class OutputKind(StrEnum):
    TEXT = "text"
    JSON_OBJECT = "json_object"
    JSON_SCHEMA = "json_schema"


class OutputFormat(Struct, frozen=True):
    """`path`: where it stood, if its protocol has several places, for losses."""

    kind: OutputKind
    name: str | None = None
    description: str | None = None
    schema: bytes | None = None
    strict: bool | None = None
    path: str | None = None


class ReasoningMode(StrEnum):
    DISABLED = "disabled"
    ENABLED = "enabled"  # a budget or an effort
    ADAPTIVE = "adaptive"  # the model decides, guided by effort


class Reasoning(Struct, frozen=True):
    """`effort`: "minimal" | "low" | "medium" | "high" | "xhigh" | "max" | "none"; `budget`: tokens.
    `display`: "summarized" | "omitted"."""

    mode: ReasoningMode | None = None
    effort: str | None = None
    budget: int | None = None
    display: str | None = None


class Sampling(Struct, frozen=True, gc=False):
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    logit_bias: bytes | None = None


NO_SAMPLING: Final = Sampling()


class Request(Struct, frozen=True, gc=False):
    """One model call. `system` turns stand in `turns` where the client put them; Anthropic's top-level `system`
    is the first turn. `extras`: request-level fields that only `extras.origin` has. `origin`: the protocol it was
    read from, in whose terms losses are named. `max_tokens_name`: what the client calls `max_tokens`, where its
    protocol has several names for it."""

    model: str
    turns: tuple[Turn, ...]
    tools: tuple[Tool | OpaqueTool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    sampling: Sampling = NO_SAMPLING
    output: OutputFormat | None = None
    verbosity: str | None = None
    reasoning: Reasoning | None = None
    service_tier: str | None = None
    user: str | None = None
    metadata: Mapping[str, str] | None = None
    stream: bool = False
    include_usage: bool = False
    extras: Extras | None = None
    losses: tuple[Loss, ...] = ()  # found while reading
    origin: ProtocolId | None = None
    max_tokens_name: str | None = None


# --- answer ---------------------------------------------------------------------------------------------


class FinishReason(Enum):
    STOP = "stop"
    STOP_SEQUENCE = "stop_sequence"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    REFUSAL = "refusal"
    PAUSE = "pause"
    CONTEXT_WINDOW = "context_window"


class Usage(Struct, frozen=True, gc=False):
    """Tokens in disjoint classes; only `reasoning` is a part (of `output`), as are the audio classes
    of input and output. `exact`: the upstream said so; else an estimate."""

    input: int = 0  # uncached
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    input_audio: int = 0
    output_audio: int = 0
    web_searches: int = 0
    exact: bool = True
    extras: Extras | None = None


class Response(Struct, frozen=True, gc=False):
    """A whole answer. `created`: Unix seconds where the protocol has it."""

    id: str
    model: str
    parts: tuple[Part, ...]
    finish: FinishReason
    stop_sequence: str | None = None
    usage: Usage | None = None
    created: int | None = None
    service_tier: str | None = None
    extras: Extras | None = None
    losses: tuple[Loss, ...] = ()


# --- answer, streamed -----------------------------------------------------------------------------------
# Order: Opened, then blocks (BlockOpened, deltas, BlockClosed; one open at a time, `index` 0, 1, 2 …),
# then Finished once, UsageSeen any time, Closed last. Failed ends the stream instead of Finished and Closed.


class Opened(Struct, frozen=True):
    """`usage`: what the upstream says at the start (Anthropic's message_start), if anything."""

    id: str
    model: str
    usage: Usage | None = None
    created: int | None = None
    service_tier: str | None = None


class BlockOpened(Struct, frozen=True):
    """`part`: the block's head; its text, arguments or signature are empty unless the upstream sent some at once."""

    index: int
    part: Part


class TextDelta(Struct, frozen=True, gc=False):
    """Text of the open Text, Thinking or Refusal block, or a fragment of the open ToolCall's arguments."""

    index: int
    text: str


class SignatureDelta(Struct, frozen=True):
    """The signature of the open Thinking or ToolCall block."""

    index: int
    signature: str


class OpaqueDelta(Struct, frozen=True):
    """A delta that only `origin` has (citations): raw JSON."""

    index: int
    origin: ProtocolId
    kind: str
    raw: bytes


class BlockClosed(Struct, frozen=True, gc=False):
    index: int


class UsageSeen(Struct, frozen=True, gc=False):
    """The whole usage as known now: replaces what was seen before."""

    usage: Usage


class Finished(Struct, frozen=True):
    reason: FinishReason
    stop_sequence: str | None = None
    extras: Extras | None = None


class Ping(Struct, frozen=True):
    pass


class Closed(Struct, frozen=True):
    pass


class Failed(Struct, frozen=True):
    """The upstream reported an error inside the stream. `kind`: the vendor's error type; `status`: what it
    would have been as a status, if the vendor's table says."""

    kind: str
    message: str
    status: int | None = None
    code: str | None = None


StreamEvent: TypeAlias = (
    Opened
    | BlockOpened
    | TextDelta
    | SignatureDelta
    | OpaqueDelta
    | BlockClosed
    | UsageSeen
    | Finished
    | Ping
    | Closed
    | Failed
)
