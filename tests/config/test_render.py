from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tokligence.config.load import Loaded
from tokligence.config.render import document, limits_of, main, sample_gateway_ini, sample_settings_ini
from tokligence.config.schema import FIELDS, Settings

Read = Callable[..., Loaded]
DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_documentation_is_up_to_date() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), (
        "write it anew: python -m tokligence.config.render docs/configuration.md"
    )


def test_the_documentation_is_written_to_the_file_named_or_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "c.md")]) == 0
    assert (tmp_path / "c.md").read_text(encoding="utf-8") == document()
    assert main([]) == 0
    assert capsys.readouterr().out == document()


def test_each_setting_stands_in_one_sample_once_commented_out_under_its_help() -> None:
    lines = (sample_settings_ini() + sample_gateway_ini()).splitlines()
    for field in FIELDS.values():
        found = [index for index, line in enumerate(lines) if line.startswith(f"#{field.name} = ")]
        assert len(found) == (1 if field.plain else 0), field.name
        if found:
            assert lines[found[0] - 1].startswith(f"# {field.setting.help}")


def test_the_samples_set_nothing(loaded: Read, gateway_ini: Path, settings_ini: Path) -> None:
    gateway_ini.write_text(sample_gateway_ini(), encoding="utf-8")
    settings_ini.write_text(sample_settings_ini(), encoding="utf-8")
    assert loaded().settings == Settings(local_only=False)
    assert loaded().warnings == ()


def test_taking_the_sign_away_sets_the_default(loaded: Read, gateway_ini: Path) -> None:
    for field in FIELDS.values():
        line = next(
            (text for text in sample_gateway_ini().splitlines() if text.startswith(f"#{field.name} = ")), None
        )
        if line is None or field.setting.example:
            continue
        gateway_ini.write_text(line[1:] + "\n")
        assert getattr(loaded().settings, field.name) == getattr(Settings(local_only=False), field.name)


def test_the_samples_of_named_endpoints_are_valid(loaded: Read, gateway_ini: Path) -> None:
    text = sample_gateway_ini()
    section = text[text.index("#[provider.NAME]") :].replace("# ", "; ").replace("#", "")
    gateway_ini.write_text(section)
    first, second = loaded(NAME_API_KEY="x").settings.providers
    assert first.api_key == "x"
    assert (second.name, second.preset) == ("ollama", "ollama")


def test_limits_are_put_in_words() -> None:
    assert limits_of(FIELDS["work_mode"]) == "auto | passthrough | translation"
    assert limits_of(FIELDS["max_headers"]) == "10 to 10000"
    assert limits_of(FIELDS["log_max_bytes"]) == "bytes, at least 64KiB"
    assert limits_of(FIELDS["email"]) == ""


def test_the_tables_of_the_documentation_have_whole_rows() -> None:
    for line in document().splitlines():
        if line.startswith("| `"):
            assert len(re.findall(r"(?<!\\)\|", line)) in (3, 5), line
