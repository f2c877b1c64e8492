"""Protocol id -> codec: the only place that knows all protocol packages."""

from __future__ import annotations

from typing import Final

from tokligence.conversation import ProtocolId
from tokligence.wire import anthropic, gemini, openai_chat, openai_responses
from tokligence.wire.contract import Codec

CODECS: Final[dict[ProtocolId, Codec]] = {
    ProtocolId.OPENAI_CHAT: openai_chat.CODEC,
    ProtocolId.OPENAI_RESPONSES: openai_responses.CODEC,
    ProtocolId.ANTHROPIC: anthropic.CODEC,
    ProtocolId.GEMINI: gemini.CODEC,
}
