"""The response object: what an answer says and what it repeats of its request.

The vendor's own answers, its SDK's type (openai 3.57, `types/responses/response.py`) and the OpenResponses
specification (`ResponseResource`, read 2026-11-24) want every field, so what the request left out is told with the
value that holds then.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import orjson
from msgspec import Raw, Struct, structs

from tokligence.conversation import FinishReason, Usage
from tokligence.wire.contract import ReplyContext
from tokligence.wire.openai.tiers import ANSWER_TIER
from tokligence.wire.openai_responses.tables import INCOMPLETE_REASON
from tokligence.wire.openai_responses.usage import write_usage

ID_PREFIX: Final = "resp_"


class _Echo(Struct):
    """Fields of a request that its answer repeats as they are."""

    background: Raw = Raw(b"false")
    conversation: Raw = Raw(b"null")
    frequency_penalty: Raw = Raw(b"0")
    instructions: Raw = Raw(b"null")
    max_output_tokens: Raw = Raw(b"null")
    max_tool_calls: Raw = Raw(b"null")
    metadata: Raw = Raw(b"{}")
    parallel_tool_calls: Raw = Raw(b"true")
    presence_penalty: Raw = Raw(b"0")
    previous_response_id: Raw = Raw(b"null")
    prompt: Raw = Raw(b"null")
    prompt_cache_key: Raw = Raw(b"null")
    prompt_cache_retention: Raw = Raw(b"null")
    reasoning: Raw = Raw(b"{}")
    safety_identifier: Raw = Raw(b"null")
    store: Raw = Raw(b"true")
    temperature: Raw = Raw(b"1")
    text: Raw = Raw(b"{}")
    tool_choice: Raw = Raw(b'"auto"')
    tools: Raw = Raw(b"[]")
    top_logprobs: Raw = Raw(b"0")
    top_p: Raw = Raw(b"1")
    truncation: Raw = Raw(b'"disabled"')
    user: Raw = Raw(b"null")


_ECHO: Final = msgspec.json.Decoder(_Echo)
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_OBJECTS: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_NULL: Final = b"null"
_NO: Final = Raw(_NULL)
_PLAIN: Final = Raw(b'{"type":"text"}')
_MEDIUM: Final = Raw(b'"medium"')
_DEFAULTS: Final[dict[str, Raw]] = structs.asdict(_Echo())
_FUNCTION: Final = {"description": _NO, "parameters": _NO, "strict": _NO}
_SCHEMA: Final = {"description": _NO, "strict": Raw(b"false")}


def repeated(request: bytes) -> dict[str, object]:
    """What an answer repeats of `request`, the client's raw request."""
    try:
        echo = _ECHO.decode(request)
    except (msgspec.MsgspecError, UnicodeDecodeError):  # none was given
        echo = _Echo()
    told: dict[str, object] = {
        name: _DEFAULTS[name] if bytes(value) == _NULL else value
        for name, value in structs.asdict(echo).items()
    }
    told["reasoning"] = {"effort": _NO, "summary": _NO, **_members(echo.reasoning)}
    told["text"] = _text(echo.text)
    told["tools"] = _tools(echo.tools)
    for name in ("conversation", "prompt"):
        if bytes(getattr(echo, name)) == _NULL:
            del told[name]
    if bytes(echo.conversation).startswith(b'"'):
        told["conversation"] = {"id": echo.conversation}
    return told


def _members(raw: Raw) -> dict[str, Raw]:
    try:
        return _OBJECT.decode(raw)
    except msgspec.MsgspecError:
        return {}


def _text(raw: Raw) -> dict[str, object]:
    text: dict[str, object] = {"format": _PLAIN, "verbosity": _MEDIUM, **_members(raw)}
    form = _members(text["format"]) if isinstance(text["format"], Raw) else {}
    if "schema" in form:
        text["format"] = {**_SCHEMA, **form}
    return text


def _tools(raw: Raw) -> object:
    """Functions with all that the SDK's type demands of them."""
    try:
        tools = _OBJECTS.decode(raw)
    except msgspec.MsgspecError:
        return []
    return [
        {**_FUNCTION, **tool} if bytes(tool.get("type", b"")) == b'"function"' else tool for tool in tools
    ]


class Resource:
    """The response of one answer, which is written again as it goes on. `id`: its own; `model`, `created` and `tier`
    as the upstream tells."""

    __slots__ = ("_context", "_rest", "created", "id", "model", "tier")

    def __init__(self, context: ReplyContext) -> None:
        self._context = context
        self._rest = b"," + msgspec.json.encode(repeated(context.request))[1:]
        self.id = context.new_id(ID_PREFIX)
        self.created = context.now
        self.model = ""
        self.tier: str | None = None

    def write(
        self,
        status: str,
        output: list[Any],
        *,
        usage: Usage | None = None,
        error: dict[str, Any] | None = None,
        reason: str | None = None,
    ) -> bytes:
        """`reason`: why it is incomplete."""
        done = status == "completed"
        clock = self._context.clock
        ended = self._context.now if clock is None else clock()
        head = orjson.dumps(
            {
                "id": self.id,
                "object": "response",
                "created_at": self.created,
                "status": status,
                "completed_at": max(self.created, ended) if done else None,
                "error": error,
                "incomplete_details": None if reason is None else {"reason": reason},
                "model": self.model,
                "output": output,
                "usage": None if usage is None else write_usage(usage),
                "service_tier": ANSWER_TIER.get(self.tier or "", "default"),
            }
        )
        return head[:-1] + self._rest


def ending(finish: FinishReason, *, refused: bool) -> tuple[str, str | None]:
    """Status of a finished response and, if it is incomplete, why. An answer that says its refusal is complete."""
    reason = INCOMPLETE_REASON.get(finish)
    if reason is None or (refused and finish is FinishReason.REFUSAL):
        return "completed", None
    return "incomplete", reason
