"""Protocol id -> codec: the only place that knows all protocol packages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tokligence.conversation import Loss, ProtocolId
from tokligence.wire.anthropic.signatures import MARK
from tokligence.wire.contract import Codec
from tokligence.wire.openai_responses.reasoning import PREFIX, cleaned


def _openai_chat() -> Codec:
    from tokligence.wire.openai_chat.codec import CODEC

    return CODEC


def _openai_responses() -> Codec:
    from tokligence.wire.openai_responses.codec import CODEC

    return CODEC


def _anthropic() -> Codec:
    from tokligence.wire.anthropic.codec import CODEC

    return CODEC


def _gemini() -> Codec:
    from tokligence.wire.gemini.codec import CODEC

    return CODEC


_LOADERS: Final[dict[ProtocolId, Callable[[], Codec]]] = {
    ProtocolId.OPENAI_CHAT: _openai_chat,
    ProtocolId.OPENAI_RESPONSES: _openai_responses,
    ProtocolId.ANTHROPIC: _anthropic,
    ProtocolId.GEMINI: _gemini,
}


class Codecs(dict[ProtocolId, Codec]):
    """Each is loaded when it is first asked for: the protocols are most of what takes time to load, and a start waits
    for none of them."""

    def __missing__(self, protocol: ProtocolId) -> Codec:
        codec = self[protocol] = _LOADERS[protocol]()
        return codec


CODECS: Final = Codecs()

FOREIGN: Final[dict[ProtocolId, bytes]] = {
    ProtocolId.OPENAI_RESPONSES: PREFIX.encode(),
    ProtocolId.ANTHROPIC: b'"' + MARK.encode(),
}
"""Protocol id -> what a request has in it that sends back the reasoning of another vendor's model. The vendor of the
protocol would refuse it, so such a request does not go on as it came."""

CLEANED: Final[dict[ProtocolId, Callable[[bytes], tuple[bytes, tuple[Loss, ...]]]]] = {
    ProtocolId.OPENAI_RESPONSES: cleaned,
}
"""Protocol id -> what takes that out of a request, where it can stay as it came but for it: with its state."""
