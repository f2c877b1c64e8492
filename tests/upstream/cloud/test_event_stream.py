"""Amazon's framing of streams. The messages in hexadecimal are those that Amazon's own library is tested with
(aws-c-event-stream, tests/message_deserializer_test.c)."""

from __future__ import annotations

import itertools
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokligence.errors import GatewayError
from tokligence.upstream.cloud.event_stream import Decoder, Message

EMPTY = bytes.fromhex("000000100000000005c248eb7d98c8ff")
PAYLOAD = bytes.fromhex("0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936")
ONE_HEADER = (
    bytes.fromhex("0000003d0000002007fd83960c")
    + b"content-type\x07\x00\x10application/json{'foo':'bar'}"
    + bytes.fromhex("8d9c08b1")
)


def framed(headers: bytes, payload: bytes) -> bytes:
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    raw = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return raw + struct.pack(">I", zlib.crc32(raw))


def text(name: str, value: str) -> bytes:
    return bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()


def test_messages_of_amazons_own_tests_are_read() -> None:
    assert Decoder("p").feed(EMPTY) == [Message({}, b"")]
    assert Decoder("p").feed(PAYLOAD) == [Message({}, b"{'foo':'bar'}")]
    assert Decoder("p").feed(ONE_HEADER) == [Message({"content-type": "application/json"}, b"{'foo':'bar'}")]


@given(st.lists(st.integers(0, len(ONE_HEADER + PAYLOAD + EMPTY)), max_size=6))
def test_it_does_not_matter_where_the_bytes_are_cut(cuts: list[int]) -> None:
    whole = ONE_HEADER + PAYLOAD + EMPTY
    edges = [0, *sorted(cuts), len(whole)]
    decoder = Decoder("p")
    found = [m for a, b in itertools.pairwise(edges) for m in decoder.feed(whole[a:b])]
    assert found == Decoder("p").feed(whole)
    assert decoder.empty


def test_a_stream_that_ends_within_a_message_is_not_empty() -> None:
    decoder = Decoder("p")
    assert decoder.feed(PAYLOAD[:-1]) == []
    assert not decoder.empty


def test_headers_of_other_types_are_stepped_over() -> None:
    others = (
        b"\x01a\x00\x01b\x01\x01c\x02\x07\x01d\x03\x00\x07\x01e\x04\x00\x00\x00\x07"
        b"\x01f\x05" + bytes(8) + b"\x01g\x06\x00\x02\xff\xff\x01h\x08" + bytes(8) + b"\x01i\x09" + bytes(16)
    )  # fmt: skip
    raw = framed(others + text(":event-type", "chunk"), b"{}")
    assert Decoder("p").feed(raw) == [Message({":event-type": "chunk"}, b"{}")]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\x00" * 12, "prelude"),
        (PAYLOAD[:8] + b"\x00\x00\x00\x00" + PAYLOAD[12:], "prelude"),
        (PAYLOAD[:-1] + b"\x00", "message's checksum"),
        (framed(b"\x01a\x0a", b""), "headers"),
        (framed(b"\x05ab", b""), "headers"),
        (framed(b"\x01a\x07\x00\x09abc", b""), "headers"),
        (framed(b"\x01a\x07\x00\x01\xff", b""), "headers"),
        (framed(b"\x01a\x07\x00", b""), "headers"),
    ],
)
def test_what_is_not_in_this_framing_is_refused(raw: bytes, reason: str) -> None:
    with pytest.raises(GatewayError) as caught:
        Decoder("p").feed(raw)
    assert caught.value.code == "upstream.bad_response"
    assert reason in caught.value.message


def test_lengths_that_cannot_be_right_are_refused_before_anything_is_held() -> None:
    for total, headers in ((15, 0), (16, 1), (2**31, 0)):
        prelude = struct.pack(">II", total, headers)
        with pytest.raises(GatewayError, match="length"):
            Decoder("p").feed(prelude + struct.pack(">I", zlib.crc32(prelude)))
