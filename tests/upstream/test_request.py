from __future__ import annotations

import pytest

from tokligence.errors import GatewayError
from tokligence.upstream import request
from tokligence.upstream.request import FRAMING, header_lines, write_head

HOST = b" HTTP/1.1\r\nhost: h\r\n"


def test_the_head_is_request_line_host_length_and_the_callers_headers() -> None:
    head = write_head(b"POST", b"/v1/x?a=b", HOST, [(b"x-a", b"1"), (b"x-b", b"\xff 2\t")], 7)
    assert (
        head == b"POST /v1/x?a=b HTTP/1.1\r\nhost: h\r\ncontent-length: 7\r\nx-a: 1\r\nx-b: \xff 2\t\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("method", "length"), [(b"POST", b"content-length: 0\r\n"), (b"GET", b""), (b"HEAD", b"")]
)
def test_an_empty_body_is_announced_only_where_a_body_is_usual(method: bytes, length: bytes) -> None:
    assert write_head(method, b"/", HOST, [], 0) == method + b" /" + HOST + length + b"\r\n"


def test_prebuilt_lines_stand_before_the_callers_headers_and_a_short_body_follows() -> None:
    lines = header_lines([(b"x-key", b"k"), (b"x-version", b"1")])
    head = write_head(
        b"POST", b"/x", HOST, [(b"x-a", b"1")], 4, prebuilt=lines, before=b"http://h/p", body=b"body"
    )
    assert head == (
        b"POST http://h/p/x HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\nx-key: k\r\nx-version: 1\r\nx-a: 1\r\n\r\nbody"
    )


def test_no_headers_make_no_lines() -> None:
    assert header_lines([]) == b""


@pytest.mark.parametrize(
    "header",
    [
        (b"x-a", b"1\r\nx-b: 2"),
        (b"x-a", b"1\n"),
        (b"x-a", b"1\r"),
        (b"x-a", b"1\x00"),
        (b"x-a\r\nx-b", b"1"),
        (b"x-a: b", b"1"),
        (b"x a", b"1"),
        (b"x-a ", b"1"),
        (b"", b"1"),
        (b"x-\xe9", b"1"),
    ],
)
def test_a_header_that_could_start_another_line_is_refused(header: tuple[bytes, bytes]) -> None:
    for headers in ([header], [(b"x-c", b"1"), header], [header, (b"x-c", b"1")]):
        with pytest.raises(GatewayError) as caught:
            write_head(b"POST", b"/", HOST, headers, 0)
        assert caught.value.code == "http.malformed"
        with pytest.raises(GatewayError):
            header_lines(headers)


@pytest.mark.parametrize("target", [b"/a b", b"/a\r\n", b"/a\x00", b"/\xe9", b"/a#b", b"/a\x7f"])
def test_a_target_that_could_end_the_request_line_is_refused(target: bytes) -> None:
    with pytest.raises(GatewayError, match="path"):
        write_head(b"POST", target, HOST, [], 0)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(GatewayError, match="method"):
        write_head(b"GET / HTTP/1.1\r\n", b"/", HOST, [], 0)


@pytest.mark.parametrize("name", sorted(FRAMING))
def test_framing_headers_of_a_caller_are_a_fault_of_ours(name: bytes) -> None:
    with pytest.raises(ValueError, match="upstream client alone"):
        write_head(b"POST", b"/", HOST, [(name.title(), b"1")], 0)


def test_names_and_targets_from_clients_cannot_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    known: dict[bytes, bytes] = {}
    targets: set[bytes] = set()
    monkeypatch.setattr(request, "_known", known)
    monkeypatch.setattr(request, "_known_targets", targets)
    monkeypatch.setattr(request, "KNOWN_LIMIT", 3)
    long = b"x" * 129
    write_head(b"POST", b"/" + long, HOST, [(long, b"1")], 0)
    for number in range(10):
        write_head(b"POST", b"/?secret=%d" % number, HOST, [(b"x-%d" % number, b"1")], 0)
        write_head(b"POST", b"/%d" % number, HOST, [], 0)
    assert set(known) == {b"x-0", b"x-1", b"x-2"}
    assert targets == {b"/0", b"/1", b"/2"}
