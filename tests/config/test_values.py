from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tokligence.config.errors import ConfigError
from tokligence.config.ini import Part
from tokligence.config.layers import parts_of
from tokligence.config.schema import FIELDS, ClientKey, Kind
from tokligence.config.values import (
    LIST_READERS,
    READERS,
    Given,
    Origin,
    Place,
    Source,
    odd_key,
    quoted,
    read_value,
    write_value,
)

PLACE = Place(Path("/srv/home"), {"HOME": "/users/me"})
HEX = "ab" * 32


def read(name: str, text: str) -> Any:
    return read_value(FIELDS[name], Given(name, parts_of(text), Origin(Source.FLAG, variable=name)), PLACE)


def refusal(name: str, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(name, text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("port", "3000", 3000),
        ("port", "0", 0),
        ("port", '"3000"', 3000),
        ("max_body_bytes", "64MiB", 64 * 1024 * 1024),
        ("max_body_bytes", "65536", 65536),
        ("max_body_bytes", "1.5 mb", 1_500_000),
        ("max_body_bytes", "2k", 2048),
        ("ledger_journal_max_bytes", "1GiB", 1024**3),
        ("header_timeout_s", "15", 15.0),
        ("header_timeout_s", "0.5", 0.5),
        ("header_timeout_s", ".5", 0.5),
        ("log_level", "Debug", "debug"),
        ("log_level", "warn", "warning"),
        ("work_mode", "translation", "translation"),
        ("host", "0.0.0.0", "0.0.0.0"),
        ("host", "[::1]", "::1"),
        ("host", "::", "::"),
        ("display_name", "Team #1; the best", "Team #1; the best"),
        ("openai_base_url", "http://[::1]:8000/v1/", "http://[::1]:8000/v1/"),
        ("llm_endpoint", "HTTP://localhost:11434/v1", "HTTP://localhost:11434/v1"),
        ("openai_organization", "org-1", "org-1"),
        ("openai_api_key", "a key with blanks", "a key with blanks"),
        ("environment", "prod-eu.1", "prod-eu.1"),
        ("ledger_path", "~/l.db", "/users/me/l.db"),
        ("ledger_path", "l.db", "/srv/home/l.db"),
        ("ledger_path", "/var/l.db", "/var/l.db"),
        ("local_only", "auto", None),
        ("cors_origins", "http://A:3000/, chrome-extension://x", ("http://a:3000", "chrome-extension://x")),
        (
            "model_provider_routes",
            "gpt-4→claude-sonnet,gpt-3.5→claude-haiku",
            ("gpt-4→claude-sonnet", "gpt-3.5→claude-haiku"),
        ),
        ("model_provider_routes", 'a=b\n"c=>d", e=f,,\n', ("a=b", "c=>d", "e=f")),
    ],
)
def test_a_text_becomes_its_value(name: str, text: str, value: object) -> None:
    assert read(name, text) == value


@pytest.mark.parametrize(("word", "value"), [("yes", True), ("TRUE", True), ("on", True), ("1", True)])
def test_words_for_yes(word: str, value: bool) -> None:
    assert read("local_only", word) is value


@pytest.mark.parametrize("word", ["no", "False", "off", "0"])
def test_words_for_no(word: str) -> None:
    assert read("local_only", word) is False


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("port", "80a", "port: '80a' is not a whole number"),
        ("port", "1_000", "is not a whole number"),
        ("port", "٣", "is not a whole number"),
        ("port", "65536", "'65536' is above the greatest value, 65535"),
        ("port", "-1", "'-1' is below the least value, 0"),
        ("commit_after_ms", "1.5", "is not a whole number of milliseconds"),
        ("max_body_bytes", "10", "is below the least value, 1KiB"),
        ("max_body_bytes", "64 miles", "is not a size such as"),
        ("max_body_bytes", "-1", "is not a size such as"),
        ("header_timeout_s", "0", "is below the least value, 0.001"),
        ("header_timeout_s", "nan", "is not a number of seconds"),
        ("header_timeout_s", "15s", "is not a number of seconds"),
        ("log_level", "inof", "is not one of debug, info, warning, error (did you mean info?)"),
        ("work_mode", "manual", "is not one of auto, passthrough, translation"),
        ("local_only", "maybe", "is neither yes nor no"),
        ("host", "http://localhost", "is not a host name or address"),
        ("host", "localhost:80", "the port is a setting of its own"),
        ("display_name", "a\u200bb", "contains characters that cannot be printed"),
        ("display_name", "a\x1b[0m", "contains a control character"),
        ("display_name", "a\nb", "goes on in this line, which only lists may do"),
        ("openai_base_url", "ftp://x", "is not an address such as"),
        ("openai_base_url", "http://x:99999", "is not an address such as"),
        ("openai_base_url", "http://x:0", "is not an address such as"),
        ("openai_base_url", "localhost:11434", "is not an address such as"),
        ("openai_base_url", "http://x?a=1", "must not hold ? or #"),
        ("openai_organization", "org 1", "must be printable ASCII"),
        ("environment", "../etc", "is not a name"),
        ("cors_origins", "*", "is not a web origin"),
        ("cors_origins", "http://a/b", "is not a web origin"),
        ("model_provider_routes", "a=b # mine", "a comment stands on a line of its own"),
    ],
)
def test_a_bad_value_says_what_is_wrong(name: str, text: str, words: str) -> None:
    line = refusal(name, text)
    assert words in line
    assert line.startswith(f"{name}: ")
    assert "\n" not in line


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("openai_api_key", "sk-sëcret"),
        ("openai_base_url", "http://user:sëcret@host"),
        ("client_keys", "sëcret"),
        ("client_keys", "a b=sëcret"),
        ("client_keys", "a=sëcret"),
        ("client_keys", "a=sha256:sëcret"),
    ],
)
def test_a_message_about_a_secret_does_not_show_it(name: str, text: str) -> None:
    assert "cret" not in refusal(name, text)


def test_client_keys_have_names_values_users_and_teams() -> None:
    text = f"laptop=tok-1;user=me; team = blue\nci=sha256:{HEX.upper()},x=y=="
    assert read("client_keys", text) == (
        ClientKey(name="laptop", value="tok-1", user="me", team="blue"),
        ClientKey(name="ci", value=f"sha256:{HEX}"),
        ClientKey(name="x", value="y=="),
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a=", "a needs a value"),
        ("a=b c", "a needs a value of printable ASCII characters without blanks"),
        ("a=sha256:12", "a: sha256: must be followed by 64 hexadecimal digits"),
        ("a=x;usr=me", "only user=… and team=… may stand (did you mean user?)"),
        ("a=x;user=", "user must be given once, with a value"),
        ("a=x;user=m;user=n", "user must be given once, with a value"),
        ("a=x,A=y", "the name A stands twice"),
        ("a=x,b=x", "a and b have the same value"),
    ],
)
def test_a_bad_client_key_is_named(text: str, words: str) -> None:
    assert words in refusal("client_keys", text)


def test_an_item_of_a_list_is_blamed_with_its_own_line() -> None:
    origin = Origin(Source.GATEWAY_INI, Path("g.ini"), 3)
    given = Given("cors_origins", (Part("http://a", 4), Part("http://b/c", 5)), origin)
    with pytest.raises(ConfigError, match=r"^g\.ini:5: cors_origins: 'http://b/c'"):
        read_value(FIELDS["cors_origins"], given, PLACE)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("openai_api_key", "sk-...", "placeholder"),
        ("openai_api_key", "<key>", "placeholder"),
        ("openai_api_key", "abc", "does not begin with sk-"),
        ("openai_api_key", "sk-ant-1", "a key of Anthropic"),
        ("openai_api_key", "sk-a b", "blanks or quotes"),
        ("google_api_key", "sk-1", "does not begin with AIza or AQ."),
    ],
)
def test_an_odd_key_is_described_without_the_key(name: str, value: str, words: str) -> None:
    assert words in (odd_key(FIELDS[name], value) or "")


@pytest.mark.parametrize(
    ("name", "value"),
    [("openai_api_key", "sk-proj-1"), ("google_api_key", "AQ.x"), ("llm_api_key", "ollama")],
)
def test_a_usual_key_is_not_odd(name: str, value: str) -> None:
    assert odd_key(FIELDS[name], value) is None


def test_every_default_reads_back_from_its_own_text() -> None:
    for name, field in FIELDS.items():
        text = write_value(field, field.default) if field.plain else ""
        if text:
            assert read(name, text) == field.default, name


@pytest.mark.parametrize("text", [f"a=x;user=u;team=t,b=sha256:{HEX}"])
def test_client_keys_read_back_from_their_text(text: str) -> None:
    assert write_value(FIELDS["client_keys"], read("client_keys", text)) == text


@pytest.mark.parametrize(("value", "text"), [(True, "yes"), (False, "no"), (None, "auto")])
def test_switches_are_written_in_words(value: bool | None, text: str) -> None:
    assert write_value(FIELDS["local_only"], value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1536, "1536"), (2048, "2KiB"), (3 * 1024**2, "3MiB"), (1024**3, "1GiB")]
)
def test_sizes_are_written_in_the_largest_whole_unit(value: int, text: str) -> None:
    assert write_value(FIELDS["max_body_bytes"], value) == text


def test_a_fraction_is_written_as_one() -> None:
    assert write_value(FIELDS["idle_timeout_s"], 0.25) == "0.25"
    assert write_value(FIELDS["model_provider_routes"], ("a=b", "c=d")) == "a=b,c=d"


def test_every_kind_has_a_reader() -> None:
    assert set(READERS) | set(LIST_READERS) | {Kind.PATH, Kind.SECTIONS} == set(Kind)


def test_long_texts_are_cut_in_messages() -> None:
    assert len(quoted("x" * 500)) == 60


def test_a_given_value_does_not_show_its_text() -> None:
    given = Given("openai_api_key", (Part("sk-secret"),), Origin(Source.FLAG, variable="--x"))
    assert "secret" not in repr(given)
