"""What becomes of each thing that one protocol can say when it is said in another: kept, converted or lost.

Data only, for docs/translation.md, and for the tests that hold it against the codecs: every field that a codec declares
has a row, and every row is proven by golden exchanges (tests/wire/cross). What stands in tables already (severities,
stop reasons, service tiers, sampling) is taken from there. A module holds the two directions of one pair.
"""

from __future__ import annotations

from typing import Final

from tokligence.wire.matrix import chat_gemini, chat_messages, messages_gemini
from tokligence.wire.matrix.rows import (
    UNKNOWN_FIELD,
    UNKNOWN_FIELD_C,
    UNKNOWN_PART,
    Fate,
    LossKind,
    Row,
    Rows,
    Section,
    Words,
    raw_fields,
)

__all__ = ["ANYWHERE", "MATRIX", "WORDS", "Fate", "LossKind", "Row", "Section", "raw_fields"]

MATRIX: Final[Rows] = {**chat_messages.ROWS, **chat_gemini.ROWS, **messages_gemini.ROWS}
WORDS: Final[Words] = {**chat_messages.WORDS, **chat_gemini.WORDS, **messages_gemini.WORDS}

ANYWHERE: Final = (
    Row("(a field that nobody knows)", Fate.LOST, losses=(UNKNOWN_FIELD, UNKNOWN_FIELD_C)),
    Row("(a content part that nobody knows)", Fate.LOST, losses=(UNKNOWN_PART,)),
)
"""What is new, in any protocol."""
