from __future__ import annotations

from tokligence.conversation import Extras, Loss, LossReason, ProtocolId, Severity
from tokligence.wire.openai_chat.types import KEPT_RAW
from tokligence.wire.severity import EXTRA_SEVERITY, foreign_losses, severity_of


def test_every_field_that_chat_keeps_raw_has_a_severity():
    assert set(KEPT_RAW) <= set(EXTRA_SEVERITY)


def test_a_field_that_we_do_not_know_is_semantic():
    assert severity_of("from_the_future") is Severity.SEMANTIC


def test_foreign_fields_are_lost_and_own_ones_are_not():
    extras = Extras(ProtocolId.OPENAI_CHAT, {"store": b"true", "new": b"1"})
    assert foreign_losses(extras, ProtocolId.OPENAI_CHAT) == []
    assert foreign_losses(None, ProtocolId.OPENAI_CHAT) == []
    assert foreign_losses(extras, ProtocolId.ANTHROPIC) == [
        Loss("store", LossReason.UNSUPPORTED, Severity.COSMETIC),
        Loss("new", LossReason.UNKNOWN_FIELD, Severity.SEMANTIC),
    ]
    assert foreign_losses(extras, ProtocolId.ANTHROPIC, "messages[0]")[0].path == "messages[0].store"
