from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.upstream.scripted import OK, Peer, busy, calling, failure_of, fetch, pool_of, post, serving, until
from tokligence.errors import GatewayError
from tokligence.upstream.client import header_lines

LARGE = bytes(range(256)) * 65536  # 16 MiB
TOO_LARGE = b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\n413"


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 1 << 24])
def test_a_body_of_any_size_arrives_whole(run: Any, size: int) -> None:
    async def script(peer: Peer) -> None:
        while True:
            head, body = await peer.answer()
            assert (
                head
                == b"POST /x HTTP/1.1\r\nhost: 127.0.0.1:%d\r\ncontent-length: %d\r\nx-a: b\r\n\r\n"
                % (
                    peer.writer.get_extra_info("sockname")[1],
                    size,
                )
            )
            assert body == LARGE[:size]

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            for _ in range(2):
                assert await fetch(client, server.origin(), LARGE[:size]) == b"ok"
            assert server.connections == 1

    run(main())


@pytest.mark.parametrize("size", [1, 65537])
def test_prebuilt_headers_are_sent_with_the_callers(run: Any, size: int) -> None:
    async def script(peer: Peer) -> None:
        head, body = await peer.answer()
        assert head.endswith(b"content-length: %d\r\nx-key: k\r\nx-a: b\r\n\r\n" % size)
        assert body == LARGE[:size]

    async def main() -> None:
        lines = header_lines([(b"x-key", b"k")])
        async with serving(script) as server, calling() as client:
            answer = await client.send(
                server.origin(),
                b"POST",
                b"/",
                [(b"x-a", b"b")],
                LARGE[:size],
                provider="acme",
                prebuilt=lines,
            )
            assert await answer.read(9) == b"ok"

    run(main())


def test_a_body_waits_for_a_slow_upstream_instead_of_filling_the_memory(run: Any) -> None:
    go = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.head()
        await go.wait()
        await peer.reader.readexactly(len(LARGE))
        await peer.send(OK)

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            call = asyncio.ensure_future(fetch(client, server.origin(), LARGE))
            connection = await busy(client, server)
            await until(lambda: connection._writing_paused)
            assert connection._transport.get_write_buffer_size() <= 4 * 65536
            go.set()
            assert await call == b"ok"

    run(main())


@pytest.mark.parametrize("closing", [b"", b"connection: close\r\n"])
def test_an_error_before_the_body_has_left_is_the_answer_and_stops_the_upload(
    run: Any, closing: bytes
) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(TOO_LARGE.replace(b"content", closing + b"content"))
        await peer.gone()

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            for number in (1, 2):
                answer = await post(client, server.origin(), LARGE)
                assert (answer.status, await answer.read(9)) == (413, b"413")
                await until(lambda: not pool_of(client, server).open)
                assert server.connections == number

    run(main())


def test_an_early_success_does_not_stop_the_upload(run: Any) -> None:
    async def script(peer: Peer) -> None:
        head = await peer.head()
        assert b"content-length: %d" % len(LARGE) in head
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nok")
        assert await peer.reader.readexactly(len(LARGE)) == LARGE
        await peer.send(b"ay")
        await peer.answer()

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            answer = await post(client, server.origin(), LARGE)
            assert await answer.read(9) == b"okay"
            assert await fetch(client, server.origin()) == b"ok"
            assert server.connections == 1

    run(main())


def test_a_complete_success_before_the_body_has_left_ends_the_connection(run: Any) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(OK)
        await peer.gone()

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            for number in (1, 2):
                assert await fetch(client, server.origin(), LARGE) == b"ok"
                assert server.connections == number

    run(main())


def test_an_upstream_that_closes_in_the_middle_of_the_upload_has_cut(run: Any) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.reader.readexactly(100_000)
        peer.writer.transport.abort()

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            assert (await failure_of(post(client, server.origin(), LARGE))).code == "upstream.cut"

    run(main())


@pytest.mark.parametrize("header", [(b"x-a", b"1\r\nx-b: 2"), (b"x-a\r\n", b"1"), (b"x-a", b"\x00")])
def test_a_header_that_would_inject_another_opens_no_connection(
    run: Any, header: tuple[bytes, bytes]
) -> None:
    async def main() -> None:
        async with serving(lambda peer: peer.gone()) as server, calling() as client:
            with pytest.raises(GatewayError) as caught:
                await client.send(server.origin(), b"POST", b"/", [header], b"", provider="acme")
            assert caught.value.code == "http.malformed"
            assert server.connections == 0

    run(main())
