"""The usual answers on a straight path: texts and what was counted. See `plain`; the general way is `read` and `write`."""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import Struct
from orjson import dumps

from tokligence.conversation import FinishReason, Response, Text
from tokligence.wire.anthropic import read, write
from tokligence.wire.anthropic.tables import ANSWER_TIER_OF, FINISH_OF
from tokligence.wire.anthropic.types import UsageWire
from tokligence.wire.anthropic.usage import read_usage
from tokligence.wire.contract import Reply, ReplyContext, ReplyMemory
from tokligence.wire.strict import UNREADABLE

# Constants, since a member looked up on its class costs twenty times as much (Python 3.11).
_STOP: Final = FinishReason.STOP
_LENGTH: Final = FinishReason.LENGTH


# --- read -----------------------------------------------------------------------------------------------


class _Block(Struct, forbid_unknown_fields=True, gc=False):
    type: Literal["text"]
    text: str
    citations: None = None


class _Answer(Struct, forbid_unknown_fields=True, gc=False):
    """What is null says nothing."""

    id: str
    type: Literal["message"]
    role: str
    model: str
    content: list[_Block]
    stop_reason: str
    stop_sequence: str | None = None
    usage: UsageWire | None = None
    stop_details: None = None
    container: None = None
    context_management: None = None
    diagnostics: None = None
    input_transformations: None = None


_decode: Final = msgspec.json.Decoder(_Answer).decode


def read_response(raw: bytes, memory: ReplyMemory, issuer: str) -> Response:
    """`wire.contract.Codec.read_response`."""
    try:
        wire = _decode(raw)
        if not raw.isascii():
            raw.decode()  # the decoder does not look into fields of the usage that it skips
    except UNREADABLE:
        return read.read_response(raw, memory, issuer)
    finish, usage = FINISH_OF.get(wire.stop_reason), wire.usage
    if finish is None or memory.output_tool is not None:
        return read.read_response(raw, memory, issuer)
    content = wire.content
    return Response(  # by position: names would take five times as long
        wire.id,
        wire.model,
        (Text(content[0].text),) if len(content) == 1 else tuple([Text(block.text) for block in content]),
        finish,
        wire.stop_sequence,
        None if usage is None else read_usage(usage),
        None,
        None if usage is None else usage.service_tier,
    )


# --- written --------------------------------------------------------------------------------------------

_SAYS: Final = b',"content":[{"type":"text","text":'
_ENDED: Final = b'}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":'
_CUT: Final = b'}],"stop_reason":"max_tokens","stop_sequence":null,"usage":{"input_tokens":'
_COUNTS: Final = b'%d,"cache_creation_input_tokens":0,"cache_read_input_tokens":%d,"output_tokens":%d'
_TIER: Final[dict[str | None, bytes]] = {
    None: b"}}",
    **{tier: b',"service_tier":"%b"}}' % word.encode() for tier, word in ANSWER_TIER_OF.items()},
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
        or usage.cache_write_5m
        or usage.cache_write_1h
        or usage.reasoning
        or usage.web_searches
        or usage.input_audio
        or usage.output_audio
        or usage.extras is not None
        or end is None
    ):
        return write.write_response(response, context)
    pieces = (
        b'{"id":',
        dumps(write.message_id(response.id, context.new_id)),
        b',"type":"message","role":"assistant","model":',
        dumps(response.model),
        _SAYS,
        dumps(part.text),
        _ENDED if finish is _STOP else _CUT,
        _COUNTS % (usage.input, usage.cache_read, usage.output),
        end,
    )
    return Reply(b"".join(pieces))
