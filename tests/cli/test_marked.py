"""Our lines between two marks, in files made of lines."""

from __future__ import annotations

import tomllib

import pytest

from tokligence.cli import marked
from tokligence.cli.clients import Syntax
from tokligence.cli.marked import Unsafe

CODEX = {
    ("model_provider",): "tokligence",
    ("model_providers", "tokligence", "name"): "The gateway",
    ("model_providers", "tokligence", "base_url"): "http://localhost:8081/v1",
}
THEIRS = """\
# mine
model = "o3"
model_provider = "openai" # for now
notify = [
  "a",
]

[model_providers.other]
name = "Other"
model_provider = "not at the root"
"""


def test_root_keys_stand_before_the_tables_and_what_they_contradict_is_out_of_force() -> None:
    new = marked.put(THEIRS, Syntax.TOML, CODEX)
    assert tomllib.loads(new) == {
        "model": "o3",
        "notify": ["a"],
        "model_provider": "tokligence",
        "model_providers": {
            "other": {"name": "Other", "model_provider": "not at the root"},
            "tokligence": {"name": "The gateway", "base_url": "http://localhost:8081/v1"},
        },
    }
    assert '#tgw# model_provider = "openai" # for now\n' in new
    assert marked.take_out(new) == THEIRS


def test_a_last_line_without_an_end_gets_one() -> None:
    new = marked.put("x = 1", Syntax.TOML, CODEX)
    assert marked.take_out(new) == "x = 1\n"


@pytest.mark.parametrize(
    "text",
    [
        "x =",
        "[model_providers.tokligence]\nname = 'mine'\n",
        "model_providers = { other = { name = 'x' } }\n",
        'x = """\nmodel_provider = 1\n"""\n',
    ],
)
def test_a_file_that_cannot_be_changed_line_by_line_is_left_alone(text: str) -> None:
    with pytest.raises(Unsafe):
        marked.put(text, Syntax.TOML, CODEX)


def test_yaml_lines_and_what_continues_them_are_set_aside() -> None:
    theirs = "model: >\n  gpt\n  4\ndark-mode: true\n"
    new = marked.put(theirs, Syntax.YAML, {("model",): "openai/x"})
    assert new == (
        "#tgw# model: >\n#tgw#   gpt\n#tgw#   4\ndark-mode: true\n"
        '# >>> tgw connect\nmodel: "openai/x"\n# <<< tgw connect\n'
    )
    assert marked.take_out(new) == theirs


def test_variables_are_quoted_where_they_must_be() -> None:
    theirs = "export GEMINI_API_KEY=old\nOTHER=1\n"
    new = marked.put(theirs, Syntax.DOTENV, {("GEMINI_API_KEY",): "a#b", ("URL",): "http://h:1"})
    assert new.splitlines() == [
        "#tgw# export GEMINI_API_KEY=old",
        "OTHER=1",
        "# >>> tgw connect",
        "GEMINI_API_KEY='a#b'",
        "URL=http://h:1",
        "# <<< tgw connect",
    ]
    assert marked.take_out(new) == theirs


def test_nothing_to_set_changes_nothing() -> None:
    assert marked.put("a: 1\n", Syntax.YAML, {}) == "a: 1\n"
    assert marked.put("a = 1\n", Syntax.TOML, {}) == "a = 1\n"
