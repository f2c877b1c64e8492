"""docs/agents.md has the settings of the table, and a section for each of its clients."""

from __future__ import annotations

import pytest

from tests.docs.blocks import blocks, prose
from tests.docs.shown import AGENTS, check_shown
from tokligence.cli.clients import CLIENTS, Client, Facts, Syntax, settings_of
from tokligence.cli.connect import snippet

LANGUAGES = {Syntax.JSON: "json", Syntax.TOML: "toml", Syntax.YAML: "yaml", Syntax.DOTENV: "ini"}
CHOSEN = {"gemini-cli": "gpt-5.1", "claude-code": None}
"""The model in the settings that are shown; else a Claude model."""


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.id)
def test_the_settings_are_those_that_are_written(client: Client, update_golden: bool) -> None:
    model = CHOSEN.get(client.id, "claude-sonnet-4-5-20250929")
    facts = Facts("http://localhost:8081", model=model, models=(model,) if model else ())
    for file in client.files:
        text = snippet(file.syntax, settings_of(file, facts)) + "\n"
        check_shown(AGENTS, client.title, LANGUAGES[file.syntax], text, update=update_golden)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.id)
def test_the_files_and_the_commands_are_named(client: Client) -> None:
    text = prose(AGENTS)
    assert f"`tgw connect {client.id}`" in text
    for file in client.files:
        assert f"`{client.directory}/{file.names[0]}`" in text
    if client.variable:
        assert f"`{client.variable}`" in text


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.id)
def test_there_is_a_transcript(client: Client) -> None:
    transcripts = [block for block in blocks(AGENTS, "text") if block.heading == client.title]
    assert len(transcripts) == 1
    assert len(transcripts[0].text.splitlines()) > 5
