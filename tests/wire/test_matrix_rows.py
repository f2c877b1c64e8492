"""The rows of pairs that the generated matrix does not show yet."""

from __future__ import annotations

import pytest

from tokligence.wire.matrix import chat_responses, messages_responses
from tokligence.wire.matrix.rows import Rows, Section

PAIRS = [chat_responses.ROWS, messages_responses.ROWS]


@pytest.mark.parametrize("rows", PAIRS)
def test_each_thing_has_one_row_and_what_is_lost_says_why(rows: Rows) -> None:
    assert rows
    for (origin, target, section), listed in rows.items():
        assert origin is not target
        assert section in Section
        names = [row.path for row in listed]
        assert len(names) == len(set(names))
