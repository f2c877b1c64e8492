"""Request bodies, collected as they arrive: plain, gzip, zstd; never more than the limit in memory.

A decoder is asked for at most one byte more than the limit still allows, so a bomb is noticed at the limit, not
at its full size.
"""

from __future__ import annotations

import io
import sys
import zlib
from typing import Any, Protocol

from tokligence.errors import GatewayError

ZSTD_WINDOW_LOG = 23
"""8 MiB, the window that RFC 9659 (read 2026-11-24) allows to the content coding: a few bytes must not be able
to reserve more."""

MAX_PARTS = 2048
"""Gzip members or zstd frames in one body. Block-wise gzip makes one for each 64 KiB; millions of empty ones
would only burn our time."""


class Body(Protocol):
    def feed(self, data: bytes) -> None:
        """Raises `http.body_too_large` (413) or `http.bad_encoding` (400)."""
        ...

    def finish(self) -> bytes:
        """The whole body; `http.bad_encoding` if it was cut short."""
        ...


def open_body(encoding: bytes, limit: int) -> Body:
    """`encoding`: b"" for none, b"gzip" or b"zstd"; `limit`: bytes after decompression."""
    if encoding == b"gzip":
        return GzipBody(limit)
    if encoding == b"zstd":
        return ZstdBody(limit)
    return PlainBody(limit)


class PlainBody:
    __slots__ = ("_limit", "_only", "_rest", "size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.size = 0
        self._only = b""
        self._rest: io.BytesIO | None = None

    def feed(self, data: bytes) -> None:
        size = self.size
        self.size = size + len(data)
        if self.size > self._limit:
            raise GatewayError("http.body_too_large", limit=self._limit)
        if not size:
            self._only = data  # most bodies come in one piece, which then is the body
            return
        if self._rest is None:
            # BytesIO gives its buffer away without a copy, which neither a list nor a bytearray does.
            self._rest = io.BytesIO()
            self._rest.write(self._only)
        self._rest.write(data)

    def finish(self) -> bytes:
        return self._only if self._rest is None else self._rest.getvalue()


class GzipBody:
    """RFC 1952: one or more members, one after the other."""

    __slots__ = ("_begun", "_decoder", "_limit", "_parts", "_plain")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._plain = PlainBody(limit)
        self._decoder = zlib.decompressobj(wbits=31)
        self._begun = False
        self._parts = 1

    def feed(self, data: bytes) -> None:
        while data:
            if self._decoder.eof:
                self._decoder = zlib.decompressobj(wbits=31)
                self._parts += 1
                if self._parts > MAX_PARTS:
                    raise GatewayError("http.bad_encoding", encoding="gzip")
            self._begun = True
            try:
                piece = self._decoder.decompress(data, _room(self._limit, self._plain))
            except zlib.error:
                raise GatewayError("http.bad_encoding", encoding="gzip") from None
            self._plain.feed(piece)
            data = self._decoder.unused_data if self._decoder.eof else self._decoder.unconsumed_tail

    def finish(self) -> bytes:
        if self._begun and not self._decoder.eof:
            raise GatewayError("http.bad_encoding", encoding="gzip")
        return self._plain.finish()


class ZstdBody:
    """RFC 8878: one or more frames, one after the other."""

    __slots__ = ("_begun", "_decoder", "_limit", "_parts", "_plain", "_zstd")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._plain = PlainBody(limit)
        # Not loaded with this module: it takes its time, and few bodies need it.
        self._zstd = _zstd()
        self._decoder = self._new_decoder()
        self._begun = False
        self._parts = 1

    def feed(self, data: bytes) -> None:
        while data:
            if self._decoder.eof:
                self._decoder = self._new_decoder()
                self._parts += 1
                if self._parts > MAX_PARTS:
                    raise GatewayError("http.bad_encoding", encoding="zstd")
            self._begun = True
            try:
                piece = self._decoder.decompress(data, _room(self._limit, self._plain))
                self._plain.feed(piece)
                while not self._decoder.needs_input and not self._decoder.eof:
                    self._plain.feed(self._decoder.decompress(b"", _room(self._limit, self._plain)))
            except self._zstd.ZstdError:
                raise GatewayError("http.bad_encoding", encoding="zstd") from None
            data = self._decoder.unused_data if self._decoder.eof else b""

    def finish(self) -> bytes:
        if self._begun and not self._decoder.eof:
            raise GatewayError("http.bad_encoding", encoding="zstd")
        return self._plain.finish()

    def _new_decoder(self) -> Any:
        options = {self._zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG}
        return self._zstd.ZstdDecompressor(options=options)


def _zstd() -> Any:
    """The standard library's module, or its backport."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


def _room(limit: int, plain: PlainBody) -> int:
    """How many bytes to ask for: one more than may still come, which is never 0 (zlib's 0 is "no limit")."""
    return limit - plain.size + 1
