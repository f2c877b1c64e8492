from __future__ import annotations

import subprocess
import sys

import msgspec

from tokligence.config.errors import ConfigError, printable
from tokligence.config.mask import masked
from tokligence.config.schema import FIELDS, PROTOCOLS, PROVIDER_KEYS, Kind, ProviderSection, Settings
from tokligence.errors import GatewayError


def test_every_setting_has_help_a_group_and_a_default_within_its_limits() -> None:
    for field in FIELDS.values():
        setting = field.setting
        assert setting.help.endswith("."), field.name
        assert not setting.choices or field.default in setting.choices
        if isinstance(field.default, int | float) and not isinstance(field.default, bool):
            assert setting.minimum is not None and setting.minimum <= field.default
            assert setting.maximum is None or field.default <= setting.maximum


def test_each_kind_fits_the_type_of_its_settings() -> None:
    types = {Kind.INTEGER: int, Kind.SIZE: int, Kind.NUMBER: float, Kind.LIST: tuple, Kind.CLIENT_KEYS: tuple}
    for field in FIELDS.values():
        if field.default is not None and field.setting.kind in types:
            assert type(field.default) is types[field.setting.kind], field.name


def test_the_variable_of_a_setting_is_its_name_with_the_prefix() -> None:
    assert FIELDS["port"].variable == "TOKLIGENCE_PORT"


def test_no_secret_ends_in_file_so_that_its_variable_is_never_taken_for_a_setting() -> None:
    assert not [name for name, field in FIELDS.items() if field.setting.secret and name.endswith("_file")]


def test_only_what_is_bound_at_the_start_needs_a_restart() -> None:
    assert {name for name, field in FIELDS.items() if not field.setting.reload} == {
        "host",
        "port",
        "ledger_journal_max_bytes",
        "ledger_path",
        "ledger_sync",
        "max_connections",
    }


def test_settings_cannot_be_changed() -> None:
    try:
        Settings().port = 1  # type: ignore[misc]
    except AttributeError:
        return
    raise AssertionError


def test_a_section_of_an_endpoint_has_the_keys_of_its_struct() -> None:
    assert {"name", *PROVIDER_KEYS} == set(ProviderSection.__struct_fields__)
    assert set(PROTOCOLS.values()) == {"openai", "anthropic", "gemini"}
    assert "no-key" not in repr(ProviderSection(name="a", base_url="http://a", api_key="no-key"))
    assert msgspec.structs.asdict(ProviderSection(name="a", base_url="http://a"))["protocol"] == "openai"


def test_the_longer_a_secret_the_more_of_it_shows_but_never_half() -> None:
    assert masked("sk-proj-1234567890abcdef") == "sk-…cdef"
    assert masked("123456789012") == "…12"
    assert masked("12345678901") == "…"
    assert masked("") == "…"
    assert masked("sha256:" + "ab" * 32) == "sha256:…abab"
    assert masked("sha256:ab") == "sha256:…"


def test_an_error_is_one_line_with_what_is_known() -> None:
    assert str(ConfigError("bad")) == "bad"
    assert str(ConfigError("bad", key="port")) == "port: bad"
    assert str(ConfigError("bad", "f.ini", 3, "prot", "port")) == "f.ini:3: prot: bad (did you mean port?)"
    assert str(ConfigError("bad", "f.ini")) == "f.ini: bad"
    assert str(ConfigError("a\nb\x1b[31m {x}", key="\udc80")) == "\\udc80: a\\nb\\x1b[31m {x}"
    error = ConfigError("bad", "f.ini", 3, "prot", "port")
    assert (error.reason, error.file, error.line, error.key, error.nearest) == (
        "bad",
        "f.ini",
        3,
        "prot",
        "port",
    )
    assert isinstance(error, GatewayError) and error.code == "config.invalid"


def test_printable_text_stays_as_it_is() -> None:
    assert printable("gpt* → openai") == "gpt* → openai"


def test_loading_imports_nothing_that_only_errors_or_edits_need() -> None:
    code = (
        "import sys, tokligence.config.load; "
        "print(*{'difflib', 'tempfile', 'asyncio', 'tokligence.config.edit', 'tokligence.config.render'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
