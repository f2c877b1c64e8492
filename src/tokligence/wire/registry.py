"""Protocol id -> codec: the only place that knows all protocol packages."""

from __future__ import annotations

from typing import Final

from tokligence.conversation import ProtocolId
from tokligence.wire import anthropic, gemini, openai_chat, openai_responses
from tokligence.wire.anthropic.signatures import MARK
from tokligence.wire.contract import Codec
from tokligence.wire.openai_responses.reasoning import PREFIX

CODECS: Final[dict[ProtocolId, Codec]] = {
    ProtocolId.OPENAI_CHAT: openai_chat.CODEC,
    ProtocolId.OPENAI_RESPONSES: openai_responses.CODEC,
    ProtocolId.ANTHROPIC: anthropic.CODEC,
    ProtocolId.GEMINI: gemini.CODEC,
}

FOREIGN: Final[dict[ProtocolId, bytes]] = {
    ProtocolId.OPENAI_RESPONSES: PREFIX.encode(),
    ProtocolId.ANTHROPIC: b'"' + MARK.encode(),
}
"""Protocol id -> what a request has in it that sends back the reasoning of another vendor's model. The vendor of the
protocol would refuse it, so such a request does not go on as it came."""
