"""The usual answers on a straight path: one text and what was counted. See `plain`; the general way is `read_answer` and
`write_answer`."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct
from orjson import dumps

from tokligence.conversation import Extras, FinishReason, ProtocolId, Response, Text
from tokligence.wire.contract import Reply, ReplyContext, ReplyMemory
from tokligence.wire.openai.tiers import ANSWER_TIER
from tokligence.wire.openai_chat import read_answer, write_answer
from tokligence.wire.openai_chat.tables import FINISH_OF
from tokligence.wire.openai_chat.types import UsageWire
from tokligence.wire.openai_chat.usage import read_usage
from tokligence.wire.openai_chat.write_answer import ID_PREFIX
from tokligence.wire.strict import UNREADABLE

# Constants, since a member looked up on its class costs twenty times as much (Python 3.11).
_OWN: Final = ProtocolId.OPENAI_CHAT
_STOP: Final = FinishReason.STOP
_LENGTH: Final = FinishReason.LENGTH
_CALLED: Final = FinishReason.TOOL_CALLS


# --- read -----------------------------------------------------------------------------------------------

_Nothing: TypeAlias = Annotated[list[Raw], Meta(max_length=0)] | None


class _Message(Struct, forbid_unknown_fields=True, gc=False, kw_only=True):
    """With the fields that OpenAI and vLLM send in each answer, though they say nothing there."""

    role: str | None = None
    content: Annotated[str, Meta(min_length=1)]
    refusal: None = None
    annotations: _Nothing = None
    audio: None = None
    function_call: None = None
    tool_calls: _Nothing = None
    reasoning: None = None
    reasoning_content: None = None


class _Choice(Struct, forbid_unknown_fields=True, gc=False, kw_only=True):
    index: int | None = None
    message: _Message
    logprobs: None = None
    finish_reason: str


class _Answer(Struct, forbid_unknown_fields=True, gc=False, kw_only=True):
    id: str
    object: str | None = None
    created: Annotated[int, Meta(ge=0, le=2**53)]
    model: str
    choices: Annotated[list[_Choice], Meta(min_length=1, max_length=1)]
    usage: UsageWire | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None


_decode: Final = msgspec.json.Decoder(_Answer).decode


def read_response(raw: bytes, memory: ReplyMemory, issuer: str) -> Response:
    """`wire.contract.Codec.read_response`."""
    try:
        wire = _decode(raw)
    except UNREADABLE:
        return read_answer.read_response(raw, memory, issuer)
    choice = wire.choices[0]
    finish = FINISH_OF.get(choice.finish_reason)
    if finish is None or finish is _CALLED:  # nothing was
        return read_answer.read_response(raw, memory, issuer)
    usage, fingerprint = wire.usage, wire.system_fingerprint
    return Response(  # by position: names would take five times as long
        wire.id,
        wire.model,
        (Text(choice.message.content),),
        finish,
        None,
        None if usage is None else read_usage(usage),
        wire.created,
        wire.service_tier,
        None if fingerprint is None else Extras(_OWN, {"system_fingerprint": dumps(fingerprint)}),
    )


# --- written --------------------------------------------------------------------------------------------

_HEAD: Final = b'","object":"chat.completion","created":%d,"model":'
_SAYS: Final = b',"choices":[{"index":0,"message":{"role":"assistant","content":'
_ENDED: Final = b',"refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":'
_CUT: Final = b',"refusal":null},"logprobs":null,"finish_reason":"length"}],"usage":'
_USAGE: Final = b'{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,"prompt_tokens_details":'
_DETAILS: Final = (
    b'{"cached_tokens":%d,"cache_write_tokens":%d,"audio_tokens":0},'
    b'"completion_tokens_details":{"reasoning_tokens":%d,"audio_tokens":0}}'
)
_NO_DETAILS: Final = _DETAILS % (0, 0, 0)
_TIER: Final[dict[str | None, bytes]] = {
    None: b"}",
    **{tier: b',"service_tier":"%b"}' % word.encode() for tier, word in ANSWER_TIER.items()},
}


def write_response(response: Response, context: ReplyContext) -> Reply:
    """`wire.contract.Codec.write_response`."""
    parts, finish, usage, end = (
        response.parts,
        response.finish,
        response.usage,
        _TIER.get(response.service_tier),
    )
    if (
        len(parts) != 1
        or type(part := parts[0]) is not Text
        or part.extras is not None
        or response.extras is not None
        or response.stop_sequence is not None
        or (finish is not _STOP and finish is not _LENGTH)
        or usage is None
        or usage.web_searches
        or usage.input_audio
        or usage.output_audio
        or end is None
    ):
        return write_answer.write_response(response, context)
    prompt, output, details = usage.input, usage.output, _NO_DETAILS
    cached, written, reasoning = (
        usage.cache_read,
        usage.cache_write_5m + usage.cache_write_1h,
        usage.reasoning,
    )
    if cached or written or reasoning:
        prompt += cached + written
        details = _DETAILS % (cached, written, reasoning)
    pieces = (
        b'{"id":"',
        context.new_id(ID_PREFIX).encode(),
        _HEAD % (context.now if response.created is None else response.created),
        dumps(response.model),
        _SAYS,
        dumps(part.text),
        _ENDED if finish is _STOP else _CUT,
        _USAGE % (prompt, output, prompt + output),
        details,
        end,
    )
    return Reply(b"".join(pieces))
