from __future__ import annotations

import email.parser
import email.policy

from hypothesis import given
from hypothesis import strategies as st

from tokligence.wire.multipart import field_span

KIND = b"multipart/form-data; boundary=xyz"


def part(name: str, value: bytes, *, file: str | None = None, extra: str = "") -> bytes:
    filename = f'; filename="{file}"' if file else ""
    return (
        f'--xyz\r\nContent-Disposition: form-data; name="{name}"{filename}\r\n{extra}\r\n'.encode()
        + value
        + b"\r\n"
    )


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--xyz--\r\n"


def value(body: bytes, name: bytes = b"model", kind: bytes = KIND) -> bytes | None:
    span = field_span(body, kind, name)
    return None if span is None else body[slice(*span)]


def test_a_field_is_found_among_others_and_behind_a_file() -> None:
    body = form(
        part("file", b"--xy\r\n\r\nmodel\r\n", file="a.mp3", extra="Content-Type: audio/mpeg\r\n"),
        part("language", b"en"),
        part("model", b"whisper-1"),
    )
    assert value(body) == b"whisper-1"
    assert value(body, b"language") == b"en"
    assert value(body, b"prompt") is None


def test_a_file_of_that_name_is_no_field() -> None:
    assert value(form(part("model", b"x", file="model"))) is None


def test_a_boundary_may_be_quoted_and_headers_spelled_in_any_case() -> None:
    body = b"--xyz\r\nCONTENT-DISPOSITION: Form-Data; NAME=model\r\n\r\nm\r\n--xyz--"
    assert value(body, kind=b'multipart/form-data; charset=x; BOUNDARY="xyz"') == b"m"


def test_an_empty_field_has_an_empty_span() -> None:
    assert value(form(part("model", b""))) == b""


def test_what_is_no_form_has_no_fields() -> None:
    assert value(b"", kind=b"multipart/form-data") is None
    assert value(b"nothing") is None
    assert value(b"--xyz\r\nno head") is None
    assert value(b"--xyz\r\n\r\nno end of the part") is None
    assert value(form(b"--xyz\r\nContent-Type: text/plain\r\n\r\nm\r\n")) is None


VALUES = st.binary(max_size=40).filter(lambda raw: b"\r\n--xyz" not in raw and not raw.startswith(b"--xyz"))


@given(st.lists(st.tuples(st.sampled_from(["model", "file", "prompt"]), VALUES), max_size=5))
def test_the_first_field_of_a_name_is_what_the_standard_librarys_reader_sees(
    fields: list[tuple[str, bytes]],
) -> None:
    body = form(*(part(name, content) for name, content in fields))
    expected = next((content for name, content in fields if name == "model"), None)
    assert value(body) == expected
    text = b"Content-Type: " + KIND + b"\r\n\r\n" + body
    parts = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(text)
    assert (len(list(parts.iter_parts())) if fields else 0) == len(fields)  # type: ignore[attr-defined]
