"""What is written for people."""

from __future__ import annotations

import pytest

from tokligence.cli.terminal import table


def test_a_table_shows_nothing_that_a_terminal_would_obey(capsys: pytest.CaptureFixture[str]) -> None:
    table(["MODEL"], [["\x1b[31mred\r\nb"], ["é 模型"]])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == [r"\x1b[31mred\r\nb", "é 模型"]
