"""Whatever stands in a file: a result or one line of error, and an edit changes one value and no other byte."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tokligence.config.document import Document
from tokligence.config.errors import ConfigError
from tokligence.config.load import load
from tokligence.config.schema import FIELDS

ROOT = Path("/nowhere/home")
KEYS = st.sampled_from([*FIELDS, "facade_port", "routes", "auth_disabled", "nonsense", "base_url", "api_key"])
TEXTS = st.one_of(
    st.text(max_size=20), st.sampled_from(["1", "a=b", "${HOME}", "${X:-1}", "yes", "http://a", "x;user=u"])
)
LINES = st.one_of(
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["", "  ", "# ", ";"]),
        KEYS,
        st.sampled_from(["=", " = ", " "]),
        TEXTS,
    ),
    st.sampled_from(
        ["", "# a comment", "[gateway]", "[provider.a]", "[provider.b]", "  a=b", "[prompt_firewall]"]
    ),
    st.text(max_size=20),
)
FILES = st.builds(
    lambda end, lines: end.join(lines), st.sampled_from(["\n", "\r\n", "\r"]), st.lists(LINES, max_size=8)
)


def reader(text: str) -> object:
    return lambda path: text if path.name == "gateway.ini" else None


@given(FILES)
def test_any_file_gives_settings_or_one_line_of_error(text: str) -> None:
    try:
        result = load({"HOME": "/users/me"}, {}, ROOT, reader(text))  # type: ignore[arg-type]
    except ConfigError as error:
        assert str(error).isprintable()
    else:
        assert all(warning.isprintable() for warning in result.warnings)


@given(FILES)
def test_a_document_gives_its_text_back(text: str) -> None:
    assert Document.read(text).text() == text


@given(FILES, st.integers(0, 65535))
def test_setting_a_value_in_any_valid_file_reads_back_and_changes_nothing_else(text: str, port: int) -> None:
    try:
        before = load({"HOME": "/users/me"}, {}, ROOT, reader(text))  # type: ignore[arg-type]
    except ConfigError:
        return
    document = Document.read(text)
    line = document.set("port", str(port))
    after = load({"HOME": "/users/me"}, {}, ROOT, reader(document.text()))  # type: ignore[arg-type]
    assert after.settings.port == port
    changed = [name for name in FIELDS if getattr(before.settings, name) != getattr(after.settings, name)]
    assert changed in ([], ["port"])
    given_at = after.origins["port"].line
    assert given_at == line
