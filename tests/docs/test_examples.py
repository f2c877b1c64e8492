"""The files in examples/ run as they are; only the gateway's address is replaced (see `user`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.blocks import README, ROOT, blocks
from tests.docs.user import User
from tests.fakes import replies
from tests.fakes.anthropic import Anthropic
from tests.fakes.openai import OpenAI
from tests.fakes.replies import Call, Usage

EXAMPLES = ROOT / "examples"
SNIPPETS = [block.text for block in blocks(README, "python")]


def run(user: User, name: str) -> str:
    return user.python((EXAMPLES / name).read_text("utf-8"))


def test_the_readmes_snippets_are_examples_word_for_word() -> None:
    files = ("openai_sdk_with_claude.py", "anthropic_sdk_with_gpt.py")
    assert [(EXAMPLES / name).read_text("utf-8") for name in files] == SNIPPETS


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.py")), ids=lambda p: p.name)
def test_every_example_has_a_test(example: Path) -> None:
    here = Path(__file__).read_text("utf-8")
    assert f'"{example.name}"' in here


@pytest.mark.parametrize("name", ["openai_sdk_with_claude.py", "anthropic_sdk_with_gpt.py"])
def test_a_snippet_runs_as_a_file(gateway: User, name: str) -> None:
    assert run(gateway, name) == ""


def test_both_streams_are_printed_with_their_usage(
    gateway: User, openai_upstream: OpenAI, anthropic_upstream: Anthropic
) -> None:
    anthropic_upstream.script(replies.text("Good ", "day.", usage=Usage(input=11, output=7)))
    openai_upstream.script(replies.text("Good ", "night.", usage=Usage(input=12, output=8)))
    assert run(gateway, "streams.py").splitlines() == [
        "Good day.",
        "[11 tokens in, 7 out]",
        "Good night.",
        "[12 tokens in, 8 out]",
    ]
    assert anthropic_upstream.last.json["stream"] is True
    assert openai_upstream.last.json["stream"] is True


def test_the_tool_is_called_and_its_result_goes_back(gateway: User, anthropic_upstream: Anthropic) -> None:
    anthropic_upstream.script(
        replies.calls(Call("weather", {"city": "Rome"})), replies.text("Sunny, 18 degrees.")
    )
    assert run(gateway, "tools.py").splitlines() == [
        'weather({"city": "Rome"}) -> 18 degrees and sunny in Rome',
        "Sunny, 18 degrees.",
    ]
    (result,) = anthropic_upstream.last.json["messages"][-1]["content"]
    assert result["type"] == "tool_result"
    assert "18 degrees and sunny in Rome" in str(result["content"])
