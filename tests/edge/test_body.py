"""Bodies as they arrive: cut anywhere, compressed or not, and never beyond the limit."""

from __future__ import annotations

import gzip
import os
import sys
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokligence.edge.body import MAX_PARTS, open_body
from tokligence.errors import GatewayError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACK: dict[bytes, Callable[[bytes], bytes]] = {b"": bytes, b"gzip": gzip.compress, b"zstd": zstd.compress}
PACKED = (b"gzip", b"zstd")


def collect(encoding: bytes, pieces: list[bytes], limit: int = 1 << 20) -> bytes:
    body = open_body(encoding, limit)
    for piece in pieces:
        body.feed(piece)
    return body.finish()


def code_of(encoding: bytes, pieces: list[bytes], limit: int = 1 << 20) -> str:
    with pytest.raises(GatewayError) as caught:
        collect(encoding, pieces, limit)
    return caught.value.code


@pytest.mark.parametrize("encoding", PACK)
@given(plain=st.binary(max_size=300), size=st.integers(1, 40))
def test_a_body_is_the_same_wherever_it_was_cut(encoding: bytes, plain: bytes, size: int) -> None:
    packed = PACK[encoding](plain)
    assert collect(encoding, [packed[at : at + size] for at in range(0, len(packed), size)]) == plain


def test_a_body_in_one_piece_is_not_copied() -> None:
    piece = bytes(1000)
    assert collect(b"", [piece]) is piece


@pytest.mark.parametrize("encoding", PACK)
def test_a_body_of_nothing_is_empty(encoding: bytes) -> None:
    assert collect(encoding, []) == b""


@pytest.mark.parametrize("encoding", PACKED)
def test_a_body_may_have_several_parts(encoding: bytes) -> None:
    packed = PACK[encoding](b"one") + PACK[encoding](b"") + PACK[encoding](b"two")
    assert collect(encoding, [packed]) == b"onetwo"


@pytest.mark.parametrize("encoding", PACKED)
def test_a_compressed_body_cut_short_is_no_body(encoding: bytes) -> None:
    packed = PACK[encoding](os.urandom(500))
    for end in range(1, len(packed)):
        assert code_of(encoding, [packed[:end]]) == "http.bad_encoding"


@pytest.mark.parametrize("encoding", PACKED)
def test_rubbish_before_or_after_is_noticed(encoding: bytes) -> None:
    assert code_of(encoding, [b"rubbish"]) == "http.bad_encoding"
    assert code_of(encoding, [PACK[encoding](b"text") + b"rubbish"]) == "http.bad_encoding"


def test_zlib_and_raw_deflate_are_not_gzip() -> None:
    assert code_of(b"gzip", [zlib.compress(b"text")]) == "http.bad_encoding"


@pytest.mark.parametrize("encoding", PACK)
def test_the_limit_is_that_of_the_plain_body(encoding: bytes) -> None:
    packed = PACK[encoding](bytes(1000))
    assert collect(encoding, [packed], limit=1000) == bytes(1000)
    assert code_of(encoding, [packed], limit=999) == "http.body_too_large"
    assert code_of(encoding, [packed[:7], packed[7:]], limit=999) == "http.body_too_large"


@pytest.mark.parametrize("encoding", PACKED)
def test_a_bomb_costs_no_more_than_the_limit(encoding: bytes) -> None:
    bomb = PACK[encoding](bytes(50_000_000))
    tracemalloc.start()
    assert code_of(encoding, [bomb], limit=1_000_000) == "http.body_too_large"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize("encoding", PACKED)
def test_countless_empty_parts_are_refused(encoding: bytes) -> None:
    empty = PACK[encoding](b"")
    assert collect(encoding, [empty * MAX_PARTS]) == b""
    assert code_of(encoding, [empty * (MAX_PARTS + 1)]) == "http.bad_encoding"


def test_a_zstd_frame_with_a_window_beyond_the_rfc_is_refused() -> None:
    plain = os.urandom(1 << 16)
    parameter = zstd.CompressionParameter
    for log, fits in ((23, True), (24, False)):
        compressor = zstd.ZstdCompressor(options={parameter.window_log: log})
        packed = compressor.compress(plain) + compressor.flush()
        if fits:
            assert collect(b"zstd", [packed]) == plain
        else:
            assert code_of(b"zstd", [packed]) == "http.bad_encoding"
