"""Protocol id -> codec: the only place that knows all protocol packages."""

from __future__ import annotations

from typing import Final

from tokligence.conversation import ProtocolId
from tokligence.wire import anthropic, openai_chat
from tokligence.wire.contract import Codec

CODECS: Final[dict[ProtocolId, Codec]] = {
    ProtocolId.OPENAI_CHAT: openai_chat.CODEC,
    ProtocolId.ANTHROPIC: anthropic.CODEC,
}
