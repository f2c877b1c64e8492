"""Fields that only Gemini has, on their way into the conversation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Raw

from tokligence.conversation import Extras, Loss, LossReason, ProtocolId
from tokligence.wire.gemini.types import NULL, sent
from tokligence.wire.severity import EXTRA_SEVERITY, severity_of

OWN: Final = ProtocolId.GEMINI


def extras_of(fields: dict[str, bytes], unknown: Mapping[str, Raw] | None = None) -> Extras | None:
    """What was sent; a field that is null says nothing."""
    if unknown:
        fields.update((name, bytes(value)) for name, value in unknown.items() if value != NULL)
    return Extras(OWN, fields) if fields else None


def kept(values: Mapping[str, Raw]) -> dict[str, bytes]:
    return {name: bytes(value) for name, value in values.items() if sent(value)}


def lose(names: Iterable[str], path: str, losses: list[Loss]) -> None:
    """Fields of an object that has no node of its own in the conversation."""
    for name in names:
        reason = LossReason.UNSUPPORTED if name in EXTRA_SEVERITY else LossReason.UNKNOWN_FIELD
        losses.append(Loss(f"{path}.{name}", reason, severity_of(name)))
