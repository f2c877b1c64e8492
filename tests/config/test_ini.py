from __future__ import annotations

import os
from pathlib import Path

import pytest

from tokligence.config.errors import ConfigError
from tokligence.config.ini import MAX_FILE_BYTES, Entry, Part, expand, read_entries, read_text, unquoted

FILE = Path("gateway.ini")


def test_lines_before_any_section_and_keys_in_any_case_are_read() -> None:
    entries = read_entries("Port = 1\n[Provider.Groq]\nBASE_URL=x=y\n", FILE)
    assert entries == (
        Entry("", "port", 1, (Part("1", 1),)),
        Entry("provider.groq", "base_url", 3, (Part("x=y", 3),)),
    )


def test_comments_and_blank_lines_are_skipped_and_percent_means_nothing() -> None:
    assert read_entries("# a = 1\n\n  ; b = 2\nc = 100%s\n", FILE) == (
        Entry("", "c", 4, (Part("100%s", 4),)),
    )


def test_a_value_keeps_what_looks_like_a_comment_behind_it() -> None:
    (entry,) = read_entries("client_keys = a=b;user=me\n", FILE)
    assert entry.parts == (Part("a=b;user=me", 1),)


def test_deeper_lines_continue_a_value_over_comments_and_blank_lines() -> None:
    text = "routes =\n  a=b\n\n  # why\n\tc=d\nport = 1\n"
    first, second = read_entries(text, FILE)
    assert first == Entry("", "routes", 1, (Part("a=b", 2), Part("c=d", 5)))
    assert second.key == "port"


def test_keys_indented_alike_are_keys_of_their_own() -> None:
    assert [entry.key for entry in read_entries("[gateway]\n  a = 1\n  b = 2\n", FILE)] == ["a", "b"]


def test_an_indented_line_after_a_heading_is_a_key() -> None:
    assert read_entries("a = 1\n[gateway]\n  b = 2", FILE)[1] == Entry("gateway", "b", 3, (Part("2", 3),))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_ending_counts_as_one_line(end: str) -> None:
    assert [entry.line for entry in read_entries(end.join(["a=1", "", "b=2\x0b\x85"]), FILE)] == [1, 3]


@pytest.mark.parametrize(
    ("text", "line"),
    [("a=1\nnonsense\n", 2), ("=1\n", 1), ("[open\n", 1), ("\n[]\n", 2), ("[a] b\n", 1)],
)
def test_a_syntax_error_names_file_and_line(text: str, line: int) -> None:
    with pytest.raises(ConfigError, match=rf"^gateway\.ini:{line}: expected"):
        read_entries(text, FILE)


def test_a_heading_may_have_a_comment() -> None:
    assert read_entries("[ gateway ] # ours\na=1", FILE)[0].section == "gateway"


def test_quotes_come_off_only_around_the_whole() -> None:
    assert unquoted('"a, b"') == "a, b"
    assert unquoted("'it'") == "it"
    assert unquoted('"a"="b"') == '"a"="b"'
    assert unquoted('"') == '"'
    assert unquoted("\"a'") == "\"a'"


def test_variables_are_replaced_with_defaults_and_escapes() -> None:
    environ = {"HOST": "example.com", "EMPTY": ""}
    assert expand("http://${HOST}/${PATH_:-v1}", environ) == ("http://example.com/v1", ())
    assert expand("${EMPTY:-x}${EMPTY:-}", environ) == ("x", ())
    assert expand("$${HOST} $HOST %(HOST)s", environ) == ("${HOST} $HOST %(HOST)s", ())
    assert expand("a${NONE}b", environ) == ("ab", ("NONE",))


def test_the_users_directory_is_known_without_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/users/me"))
    assert expand("${HOME}/l.db", {}) == (f"{Path('/users/me')}/l.db", ())


def test_a_byte_order_mark_is_allowed(tmp_path: Path) -> None:
    file = tmp_path / "a.ini"
    file.write_bytes(b"\xef\xbb\xbfa = \xe2\x86\x92\n")
    assert read_text(file) == "a = →\n"


def test_an_absent_file_is_no_text(tmp_path: Path) -> None:
    assert read_text(tmp_path / "none.ini") is None


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"a=1\r\nb=\xff\n", ":2: is not UTF-8 text"),
        ("a=1".encode("utf-16"), ":1: is not UTF-8 text"),
        (b"a=1\n\n\0", ":3: contains a NUL character"),
        (b"#" * (MAX_FILE_BYTES + 1), ": is larger than"),
    ],
)
def test_bad_bytes_are_one_line_with_the_place(tmp_path: Path, raw: bytes, words: str) -> None:
    file = tmp_path / "a.ini"
    file.write_bytes(raw)
    with pytest.raises(ConfigError) as caught:
        read_text(file)
    assert str(caught.value).startswith(f"{file}{words}")
    assert "\n" not in str(caught.value)


def test_a_directory_in_place_of_a_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is a directory, not a file$"):
        read_text(tmp_path)


def test_a_file_in_place_of_a_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("")
    with pytest.raises(ConfigError, match="cannot be read: Not a directory"):
        read_text(tmp_path / "config" / "settings.ini")


def test_a_file_that_may_not_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.ini").write_text("")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ConfigError, match=r"a\.ini: cannot be read: Permission denied$"):
        read_text(tmp_path / "a.ini")


def test_a_pipe_or_device_is_not_a_configuration_file_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="is not a regular file"):
        read_text(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="is not a regular file"):
        read_text(Path("/dev/null"))
