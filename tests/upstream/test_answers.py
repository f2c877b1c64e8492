"""How answers are framed, over real sockets; and, fed by hand, that no cut between two reads changes them."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from tests.upstream.scripted import OK, Peer, busy, calling, failure_of, fetch, pool_of, post, serving, until
from tokligence.errors import GatewayError
from tokligence.upstream import connection as connection_module
from tokligence.upstream.connection import Connection, Limits
from tokligence.upstream.pool import Pool

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\nX-Id:  7 \t\r\n\r\nhello world"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nX-Id: 7\r\n\r\n"
    b"6;ext=1\r\nhello \r\n5\r\nworld\r\n0\r\nX-Trailer: t\r\n\r\n"
)
CLOSED = b"HTTP/1.1 200 OK\r\nX-Id: 7\r\n\r\nhello world"
INTERIM = b"HTTP/1.1 100 Continue\r\nx-no: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + LENGTH


class Wire:
    """A transport that only remembers."""

    def __init__(self) -> None:
        self.written = b""
        self.aborted = False
        self.paused = False

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


def connected(loop: asyncio.AbstractEventLoop, limits: Limits | None = None) -> tuple[Connection, Wire, Pool]:
    pool, wire = Pool(), Wire()
    connection = Connection(loop, pool, limits or Limits())
    connection.connection_made(cast("Any", wire))
    return connection, wire, pool


@pytest.mark.parametrize(
    "raw", [LENGTH, CHUNKED, CLOSED, INTERIM], ids=["length", "chunked", "closed", "interim"]
)
def test_every_framing_gives_the_same_answer(run: Any, raw: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(raw)

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            answer = await post(client, server.origin())
            assert answer.status == 200
            assert (b"x-id", b"7") in answer.headers
            assert [name for name, _ in answer.headers if name in {b"x-no", b"link", b"x-trailer"}] == []
            assert await answer.read(100) == b"hello world"
            assert await answer.chunk() == b""

    run(main())


@pytest.mark.parametrize(
    "raw", [LENGTH, CHUNKED, CLOSED, INTERIM], ids=["length", "chunked", "closed", "interim"]
)
def test_an_answer_split_at_any_byte_is_the_same(raw: bytes) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        for cut in range(1, len(raw)):
            connection, _, pool = connected(loop)
            answer = connection.begin("acme", b"head", b"", False)
            connection.data_received(raw[:cut])
            connection.data_received(raw[cut:])
            if raw is CLOSED:
                connection.eof_received()
            else:
                assert pool.take() is connection
            assert (b"x-id", b"7") in answer.headers
            assert await answer.read(100) == b"hello world"

    asyncio.run(main())


@pytest.mark.parametrize("raw", [LENGTH, CHUNKED, INTERIM], ids=["length", "chunked", "interim"])
def test_an_answer_cut_at_any_byte_is_a_cut_after_what_had_come(run: Any, raw: bytes) -> None:
    async def main() -> None:
        cuts = iter(range(len(raw)))

        async def script(peer: Peer) -> None:
            await peer.answer(raw[: next(cuts)])

        async with serving(script) as server, calling() as client:
            for cut in range(len(raw)):
                seen = b""
                error = None
                try:
                    answer = await post(client, server.origin())
                    while data := await answer.chunk():
                        seen += data
                except GatewayError as caught:
                    error = caught
                assert error is not None, cut
                assert error.code == "upstream.cut"
                assert b"hello world".startswith(seen)
                assert len(seen) == 11 or raw is CHUNKED or len(seen) == max(0, cut - (len(raw) - 11))

    run(main())


def test_a_whole_answer_in_one_read_is_read_without_another_wait() -> None:
    async def main() -> None:
        connection, _, _ = connected(asyncio.get_running_loop())
        answer = connection.begin("acme", b"head", b"", False)
        connection.data_received(LENGTH)
        assert answer.ended
        with pytest.raises(StopIteration) as end:
            answer.read(11).send(None)
        assert end.value.value == b"hello world"

    asyncio.run(main())


def test_nothing_of_an_answer_reaches_the_next_one_on_its_connection() -> None:
    async def main() -> None:
        connection, _, pool = connected(asyncio.get_running_loop())
        for raw in (CHUNKED, INTERIM, b"\r\n" + LENGTH, CHUNKED + b"\r\n", LENGTH):
            answer = connection.begin("acme", b"head", b"", False)
            connection.data_received(raw)
            assert pool.take() is connection
            assert len(answer.headers) == 2
            assert await answer.read(11) == b"hello world"

    asyncio.run(main())


def test_names_from_upstreams_cannot_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    lower: dict[bytes, bytes] = {}
    monkeypatch.setattr(connection_module, "_lower", lower)
    monkeypatch.setattr(connection_module, "KNOWN_LIMIT", 3)

    async def main() -> None:
        connection, _, pool = connected(asyncio.get_running_loop())
        for name in (b"X" * 129, b"X-A", b"X-B", b"X-C", b"X-D"):
            answer = connection.begin("acme", b"head", b"", False)
            connection.data_received(b"HTTP/1.1 204 No\r\n%b: v\r\n\r\n" % name)
            assert answer.headers == [(name.lower(), b"v")]
            assert pool.take() is connection
        assert lower == {b"X-A": b"x-a", b"X-B": b"x-b", b"X-C": b"x-c"}

    asyncio.run(main())


@pytest.mark.parametrize("surplus", [b"H", b"x", b"HTTP/1.1 200 OK\r\n", LENGTH])
@pytest.mark.parametrize("raw", [LENGTH, CHUNKED, INTERIM], ids=["length", "chunked", "interim"])
def test_a_byte_after_the_answer_ends_the_connection_but_not_the_answer(raw: bytes, surplus: bytes) -> None:
    async def main() -> None:
        connection, wire, pool = connected(asyncio.get_running_loop())
        answer = connection.begin("acme", b"head", b"", False)
        connection.data_received(raw + surplus)
        assert wire.aborted
        assert pool.take() is None
        assert await answer.read(11) == b"hello world"

    asyncio.run(main())


def test_an_answer_without_a_length_that_is_reset_is_a_cut() -> None:
    async def main() -> None:
        connection, _, _ = connected(asyncio.get_running_loop())
        answer = connection.begin("acme", b"head", b"", False)
        connection.data_received(CLOSED)
        assert await answer.chunk() == b"hello world"
        connection.connection_lost(ConnectionResetError())
        assert (await failure_of(answer.chunk())).code == "upstream.cut"

    asyncio.run(main())


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_statuses_without_a_body_end_with_their_head(run: Any, status: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 " + status + b"\r\nx-a: b\r\n\r\n")
        await peer.answer(OK)

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            answer = await post(client, server.origin())
            assert answer.status == int(status[:3])
            assert await answer.read(100) == b""
            assert await fetch(client, server.origin()) == b"ok"
            assert server.connections == 1

    run(main())


@pytest.mark.parametrize("framing", [b"content-length: 5", b"transfer-encoding: chunked", b"x-a: b"])
def test_the_answer_to_head_has_no_body(run: Any, framing: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
        await peer.gone()

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            answer = await client.send(server.origin(), b"HEAD", b"/", [], b"", provider="acme")
            assert (answer.status, await answer.read(100)) == (200, b"")

    run(main())


BAD = {
    b"hello\r\n\r\n": "",
    b"HTTP/1.1 200 OK\r\nx : y\r\n\r\n": "",
    b"HTTP/1.1 200 OK\r\nx: a\r\n b\r\n\r\n": "",
    b"HTTP/1.1 200 OK\r\nx: a\x00b\r\n\r\n": "",
    b"HTTP/1.1 200 OK\r\nx: a\ny: b\r\n\r\n": "",
    b"HTTP/1.1 200 OK\r\nx: a\ry: b\r\n\r\n": "",
    b"HTTP/1.1 200 OK\nx: a\n\n": "",
    b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n": "",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok": "",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok": "",
    b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\nok": "",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n": "",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n0\r\n\r\n": "",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nabc": "transfer coding",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n": "transfer coding",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\nabc": "transfer coding",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n": "transfer coding",
    b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n": "protocol",
    b"HTTP/1.1 101 Switching\r\n\r\n": "protocol",
    b"HTTP/1.1 099 What\r\ncontent-length: 0\r\n\r\n": "status",
    b"HTTP/1.1 600 What\r\ncontent-length: 0\r\n\r\n": "status",
    b"HTTP/1.1 200 OK\r\nx: " + b"a" * 70000 + b"\r\n\r\n": "headers are too large",
    b"HTTP/1.1 200 OK\r\nx: " + b"a" * 70000: "headers are too large",
    b"HTTP/1.1 200 OK\r\n" + b"x: a\r\n" * 101 + b"\r\n": "headers are too large",
    b"HTTP/1.1 100 Continue\r\n\r\n" * 4000: "headers are too large",
}


@pytest.mark.parametrize("raw", BAD, ids=range(len(BAD)))
def test_a_malformed_head_is_a_bad_response_and_closes(run: Any, raw: bytes) -> None:
    closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.answer(raw)
        await peer.gone()
        closed.set()

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            error = await failure_of(post(client, server.origin()))
            assert error.code == "upstream.bad_response"
            assert BAD[raw] in error.message
            await closed.wait()

    run(main())


@pytest.mark.parametrize(
    "body", [b"2\r\nokX\r\n", b"zz\r\n", b"2\nok\n0\n\n", b"ffffffffffffffffff\r\n", b"0\r\nx: a\nb\r\n\r\n"]
)
def test_a_malformed_chunk_fails_the_body_after_what_had_come(run: Any, body: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n" + body)
        await peer.gone()

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            answer = await post(client, server.origin())
            seen = b""
            with pytest.raises(GatewayError) as caught:
                while data := await answer.chunk():
                    seen += data
            assert caught.value.code == "upstream.bad_response"
            assert seen in {b"hello", b"hellook"}

    run(main())


@pytest.mark.parametrize("endless", [b"x: " + b"a" * 1000, b"0;" + b"e" * 1000])
def test_endless_trailers_and_chunk_extensions_are_refused(endless: bytes) -> None:
    async def main() -> None:
        connection, wire, _ = connected(asyncio.get_running_loop())
        answer = connection.begin("acme", b"head", b"", False)
        connection.data_received(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n")
        connection.data_received(endless if endless.startswith(b"0") else b"0\r\n" + endless)
        for _ in range(80):
            connection.data_received(b"a" * 1000)
            if wire.aborted:
                break
        assert await answer.chunk() == b"x"
        assert (await failure_of(answer.chunk())).code == "upstream.bad_response"

    asyncio.run(main())


def test_a_stream_of_tiny_chunks_with_their_sizes_sent_apart_is_no_fault() -> None:
    async def main() -> None:
        connection, _, _ = connected(asyncio.get_running_loop(), Limits(max_head=200))
        answer = connection.begin("acme", b"head", b"", False)
        connection.data_received(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(500):
            connection.data_received(b"1\r\n")
            connection.data_received(b"x\r\n")
        connection.data_received(b"0\r\n\r\n")
        assert await answer.read(1000) == b"x" * 500

    asyncio.run(main())


def test_a_large_head_within_the_limit_and_a_body_in_one_read_pass() -> None:
    async def main() -> None:
        connection, _, _ = connected(asyncio.get_running_loop())
        answer = connection.begin("acme", b"head", b"", False)
        raw = b"HTTP/1.1 200 OK\r\nx: %b\r\ncontent-length: 50000\r\n\r\n%b" % (b"a" * 30000, b"b" * 50000)
        connection.data_received(raw)
        assert len(await answer.read(50000)) == 50000

    asyncio.run(main())


def test_a_body_above_the_callers_limit_is_refused_and_the_connection_closed(run: Any) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        while True:
            await peer.send(b"x" * 65536)

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            answer = await post(client, server.origin())
            error = await failure_of(answer.read(100000))
            assert error.code == "upstream.bad_response"
            assert "100000 bytes" in error.message
            await until(lambda: not pool_of(client, server).open)

    run(main())


def test_chunks_arrive_one_by_one_as_the_upstream_sends_them(run: Any) -> None:
    taken = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for part in (b"one", b"two", b"three"):
            await peer.send(b"%x\r\n%b\r\n" % (len(part), part))
            await taken.wait()
            taken.clear()
        await peer.send(b"0\r\n\r\n")

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            answer = await post(client, server.origin())
            for part in (b"one", b"two", b"three"):
                assert await answer.chunk() == part
                taken.set()
            assert await answer.chunk() == b""

    run(main())


def test_a_slow_consumer_stops_the_reading_and_nothing_is_lost(run: Any) -> None:
    total = 16 << 20

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % total)
        for _ in range(total >> 16):
            await peer.send(b"x" * 65536)

    async def main() -> None:
        async with serving(script) as server, calling(buffer_bytes=100_000) as client:
            answer = await post(client, server.origin())
            connection = await busy(client, server)
            seen = largest = 0
            while seen < total:
                await until(lambda: connection._reading_paused or answer.ended)
                data = await answer.chunk()
                seen += len(data)
                largest = max(largest, len(data))
            # The limit and one read, which is at most 256 KiB on every loop.
            assert largest <= 100_000 + 262_144
            assert seen == total
            assert await answer.chunk() == b""

    run(main())
