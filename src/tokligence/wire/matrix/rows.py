"""What a row of the matrix is, and how rows are made.

A path is in the words of its protocol; `name[kind]` is an element or object of that kind, `name[]` any element,
`content[kind]` a content part wherever it stands, `…name` a field wherever it stands. A row holds for all below its
path that has no row of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

import msgspec
from msgspec import Raw, Struct

from tokligence.conversation import FinishReason, LossReason, ProtocolId, Severity
from tokligence.wire.severity import severity_of

LossKind: TypeAlias = tuple[LossReason, Severity]

_C, _S = Severity.COSMETIC, Severity.SEMANTIC
UNSAID: Final[LossKind] = (LossReason.UNSUPPORTED, _S)
UNSAID_C: Final[LossKind] = (LossReason.UNSUPPORTED, _C)
CAPABILITY: Final[LossKind] = (LossReason.MODEL_CAPABILITY, _S)
CLAMPED: Final[LossKind] = (LossReason.CLAMPED, _C)
CLAMPED_S: Final[LossKind] = (LossReason.CLAMPED, _S)
CONVERTED: Final[LossKind] = (LossReason.CONVERTED, _C)
CONVERTED_S: Final[LossKind] = (LossReason.CONVERTED, _S)
REPAIRED: Final[LossKind] = (LossReason.REPAIRED, _C)
REPAIRED_S: Final[LossKind] = (LossReason.REPAIRED, _S)
FOREIGN: Final[LossKind] = (LossReason.FOREIGN_SIGNATURE, _C)
UNKNOWN_FIELD: Final[LossKind] = (LossReason.UNKNOWN_FIELD, _S)
UNKNOWN_FIELD_C: Final[LossKind] = (LossReason.UNKNOWN_FIELD, _C)
UNKNOWN_PART: Final[LossKind] = (LossReason.UNKNOWN_PART, _S)
EMPTY: Final[LossKind] = (LossReason.DROPPED_EMPTY, _C)


class Fate(StrEnum):
    KEPT = "kept"
    CONVERTED = "converted"
    LOST = "lost"


class Section(StrEnum):
    """What a row is a row of; the titles of the document."""

    REQUEST = "Fields of a request"
    MESSAGE = "Messages and their parts"
    TOOLS = "Tools"
    ANSWER = "Fields of an answer"
    USAGE = "Usage"
    STREAM = "Events of a stream"


class Row(Struct, frozen=True):
    """`target`: the path on the other side. `how`: in a sentence's part. `losses`: those that may be recorded; of a
    LOST row one always is, unless it says the default."""

    path: str
    fate: Fate
    target: str = ""
    how: str = ""
    losses: tuple[LossKind, ...] = ()


def kept(path: str, target: str, how: str = "", *losses: LossKind) -> Row:
    return Row(path, Fate.KEPT, target, how, losses)


def turned(path: str, target: str, how: str, *losses: LossKind) -> Row:
    return Row(path, Fate.CONVERTED, target, how, losses)


def lost(path: str, how: str, *losses: LossKind) -> Row:
    return Row(path, Fate.LOST, "", how, losses)


def own(names: Iterator[str] | tuple[str, ...], within: str = "") -> tuple[Row, ...]:
    """Fields that only one vendor has, as `severity` weighs them."""
    return tuple(
        lost(f"{within}{name}", "", (LossReason.UNSUPPORTED, severity_of(name))) for name in sorted(names)
    )


def raw_fields(shape: type[Struct]) -> tuple[str, ...]:
    """The fields that a codec keeps as they are: the conversation has no word for them."""
    return tuple(field.encode_name for field in msgspec.structs.fields(shape) if field.type is Raw)


Rows: TypeAlias = Mapping[tuple[ProtocolId, ProtocolId, Section], tuple[Row, ...]]
"""Protocol that says it, protocol in which it is said, what it is -> its rows."""

Words: TypeAlias = Mapping[tuple[ProtocolId, ProtocolId, str], tuple[Row, ...]]
"""The same for single words; what the word is for -> word and word on the other side."""


def stops(
    words: Mapping[str, FinishReason],
    said: Mapping[FinishReason, str],
    losses: Mapping[FinishReason, tuple[LossKind, ...]] = MappingProxyType({}),
) -> tuple[Row, ...]:
    """`said`: the other side's words; `losses`: what a finish means for which it has none."""
    return tuple(turned(word, said[finish], "", *losses.get(finish, ())) for word, finish in words.items())


def tiers(own: Mapping[str, str], said: Mapping[str, str]) -> tuple[Row, ...]:
    """`own`: the table into the protocol that says the word, whose values are all its words; `said`: into the other."""
    words = sorted(set(own.values()))
    return tuple(turned(word, said[word], "") if word in said else lost(word, "", UNSAID_C) for word in words)
