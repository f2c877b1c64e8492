from __future__ import annotations

import pytest

from tokligence.conversation import Loss, LossReason, ProtocolId
from tokligence.wire.terms import in_terms

CHAT, MESSAGES = ProtocolId.OPENAI_CHAT, ProtocolId.ANTHROPIC


@pytest.mark.parametrize(
    ("path", "chat", "messages"),
    [
        ("reasoning", "reasoning_effort", "thinking"),
        ("stop", "stop", "stop_sequences"),
        ("user", "user", "metadata.user_id"),
        ("tools[3].parameters", "tools[3].function.parameters", "tools[3].input_schema"),
        ("tools[3].strict", "tools[3].function.strict", "tools[3].strict"),
        ("tools[3].novel", "tools[3].novel", "tools[3].novel"),
        ("system.content[1].cache_control", "system[1].cache_control", "system[1].cache_control"),
        ("messages[0].content[1]", "messages[0].content[1]", "messages[0].content[1]"),
    ],
)
def test_a_loss_is_named_as_its_client_names_the_field(path: str, chat: str, messages: str) -> None:
    loss = Loss(path, LossReason.CLAMPED)
    assert in_terms([loss], CHAT) == (Loss(chat, LossReason.CLAMPED),)
    assert in_terms([loss], MESSAGES) == (Loss(messages, LossReason.CLAMPED),)


def test_a_loss_of_unknown_origin_stays_as_it_is() -> None:
    loss = Loss("stop", LossReason.CLAMPED)
    assert in_terms([loss], None) == (loss,)
    assert in_terms([], MESSAGES) == ()
