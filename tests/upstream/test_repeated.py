"""Answers whose head came before: they are taken without being parsed, and are the same as if they had been."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.upstream.scripted import Peer, calling, failure_of, post, serving
from tests.upstream.test_answers import CHUNKED, INTERIM, LENGTH, connected
from tokligence.errors import GatewayError
from tokligence.upstream import connection as connection_module
from tokligence.upstream.connection import Connection, Limits
from tokligence.upstream.pool import Pool

STATUS_LINES = [
    b"HTTP/1.1 200 OK",
    b"HTTP/1.1 204 No Content",
    b"HTTP/1.1 304 Not Modified",
    b"HTTP/1.1 500 Oops",
    b"HTTP/1.0 200 OK",
    b"HTTP/1.1 100 Continue",
    b"\r\nHTTP/1.1 200 OK",
    b"HTTP/1.1  200 OK",
    b"nonsense",
]
LINES = [
    b"Content-Length: 5",
    b"content-length: 0",
    b"Content-Length: 13",
    b"Transfer-Encoding: chunked",
    b"Connection: close",
    b"Connection: keep-alive",
    b"Keep-Alive: timeout=3",
    b"Keep-Alive: timeout=1",
    b"X-Id: 7",
    b"x-folded: a\r\n b",
    b"Upgrade: h2c",
    b": nameless",
]
BODIES = [
    b"",
    b"hello",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"0\r\n\r\n",
    b"\r\n\r\n\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n",
]

answers = st.builds(
    lambda status, lines, body: b"\r\n".join([status, *lines, b"", body]),
    st.sampled_from(STATUS_LINES),
    st.lists(st.sampled_from(LINES), max_size=4),
    st.sampled_from(BODIES),
)


class Taken:
    """How a connection took an answer that came in one read."""

    def __init__(self, connection: Connection, wire: Any, pool: Pool, raw: bytes, head_only: bool) -> None:
        answer = connection.begin("acme", b"head", b"", head_only)
        connection.data_received(raw)
        self.answer = answer
        self.error = None if answer.error is None else answer.error.text
        self.rests = pool.take() is connection
        self.seen = (
            answer.status,
            answer.headers,
            answer.ended,
            b"".join(answer._pieces),
            self.error,
            self.rests,
            wire.aborted,
            connection._hint_s if self.rests else None,
        )


@given(st.lists(st.tuples(answers, st.booleans()), min_size=1, max_size=6))
def test_an_answer_is_taken_alike_whatever_came_before_it(raws: list[tuple[bytes, bool]]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        connection, wire, pool = connected(loop)
        for raw, head_only in [*raws, *raws]:
            now = Taken(connection, wire, pool, raw, head_only)
            assert now.seen == Taken(*connected(loop), raw, head_only).seen
            if not now.rests:
                renewed, wire, _ = connected(loop)
                renewed._home, renewed._heads, renewed._resting = pool, pool.heads, pool.resting
                connection = renewed

    asyncio.run(main())


def test_a_head_that_came_before_is_the_same_object() -> None:
    async def main() -> None:
        connection, wire, pool = connected(asyncio.get_running_loop())
        first = Taken(connection, wire, pool, LENGTH, False)
        other = Taken(connection, wire, pool, LENGTH.replace(b"hello", b"HELLO"), False)
        assert other.answer.head is first.answer.head
        assert await other.answer.read(11) == b"HELLO world"
        new = Taken(connection, wire, pool, LENGTH.replace(b"7", b"8"), False)
        assert new.answer.head is not first.answer.head
        assert (b"x-id", b"8") in new.answer.headers

    asyncio.run(main())


@pytest.mark.parametrize(
    "raw", [CHUNKED, INTERIM, b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"]
)
def test_only_a_head_and_a_body_of_known_length_are_remembered(raw: bytes) -> None:
    async def main() -> None:
        connection, wire, pool = connected(asyncio.get_running_loop())
        Taken(connection, wire, pool, raw, False)
        assert pool.heads == {}

    asyncio.run(main())


def test_the_answer_to_head_and_one_before_the_end_of_the_request_are_not_remembered_nor_recognised() -> None:
    empty = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"

    async def main() -> None:
        connection, wire, pool = connected(asyncio.get_running_loop())
        assert Taken(connection, wire, pool, empty, True).answer.ended
        assert pool.heads == {}
        connection, wire, pool = connected(asyncio.get_running_loop())
        Taken(connection, wire, pool, empty, False)
        connection.begin("acme", b"head", b"body", False)
        connection.pause_writing()
        connection.data_received(empty)
        assert wire.aborted

    asyncio.run(main())


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "HEADS", 3)

    async def main() -> None:
        connection, wire, pool = connected(asyncio.get_running_loop())
        for size in (*range(7), 5000):
            raw = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: %b\r\n\r\n" % (b"a" * size)
            assert Taken(connection, wire, pool, raw, False).rests
            assert len(pool.heads) <= 3
        assert 5000 < len(raw) not in pool.heads

    asyncio.run(main())


def test_a_repeated_answer_rests_as_long_as_its_head_says() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        connection, wire, pool = connected(loop, Limits(keepalive_s=60))
        short = LENGTH.replace(b"X-Id", b"Keep-Alive: timeout=5\r\nX-Id")
        for raw, hint in ((LENGTH, 60), (short, 4), (LENGTH, 60), (short, 4)):
            assert Taken(connection, wire, pool, raw, False).seen[-1] == hint

    asyncio.run(main())


class Waits:
    """Waits for an answer as a handler of the edge does: without a task, and without a context."""

    def __init__(self, awaitable: Any) -> None:
        self._steps = awaitable.__await__()
        self.result: Any = None
        self.error: BaseException | None = None
        self.waits_for: Any = None
        self.step(None)

    def step(self, _awaited: object) -> None:
        self.waits_for = None
        try:
            awaited = next(self._steps)
        except StopIteration as end:
            self.result = end.value
        except GatewayError as error:
            self.error = error
        else:
            assert awaited._asyncio_future_blocking
            awaited._asyncio_future_blocking = False
            awaited.add_done_callback(self.step)
            self.waits_for = awaited


@pytest.mark.parametrize("raw", [LENGTH, CHUNKED, INTERIM], ids=["length", "chunked", "interim"])
def test_who_waits_without_a_task_goes_on_as_soon_as_the_bytes_have_come(raw: bytes) -> None:
    async def main() -> None:
        connection, _, pool = connected(asyncio.get_running_loop())
        for cut in (len(raw), len(raw), 30, len(raw) - 3):
            waits = Waits(connection.begin("acme", b"head", b"", False).read(11))
            connection.data_received(raw[:cut])
            if cut < len(raw):
                assert waits.result is None
                connection.data_received(raw[cut:])
            assert waits.result == b"hello world"
            assert pool.take() is connection

    asyncio.run(main())


def test_who_waits_without_a_task_may_send_the_next_request_at_once() -> None:
    async def main() -> None:
        connection, wire, pool = connected(asyncio.get_running_loop())

        async def twice() -> bytes:
            first = await connection.begin("acme", b"1", b"", False).read(11)
            assert pool.take() is connection
            return first + await connection.begin("acme", b"2", b"", False).read(11)

        for _ in range(2):  # the heads are unknown, then known
            wire.written = b""
            waits = Waits(twice())
            connection.data_received(LENGTH)
            assert wire.written == b"12"
            connection.data_received(LENGTH)
            assert waits.result == b"hello world" * 2
            assert pool.take() is connection

    asyncio.run(main())


def test_a_failure_is_told_in_a_callback_of_its_own() -> None:
    async def main() -> None:
        connection, _, _ = connected(asyncio.get_running_loop())
        waits = Waits(connection.begin("acme", b"head", b"", False).read(11))
        connection.data_received(b"nonsense")
        assert waits.error is None
        await asyncio.sleep(0)
        assert isinstance(waits.error, GatewayError)
        assert waits.error.code == "upstream.bad_response"

    asyncio.run(main())


def test_who_is_cancelled_has_to_raise_and_is_woken_for_it() -> None:
    async def main() -> None:
        connection, wire, _ = connected(asyncio.get_running_loop())
        waits = Waits(connection.begin("acme", b"head", b"", False).read(11))
        assert waits.waits_for.cancel("why") is False
        assert wire.aborted
        assert waits.waits_for is not None
        await asyncio.sleep(0)
        assert waits.waits_for is None
        assert isinstance(waits.error, GatewayError)

    asyncio.run(main())


def test_the_whole_body_is_there_without_a_wait_only_if_all_of_it_has_come() -> None:
    async def main() -> None:
        connection, _, _ = connected(asyncio.get_running_loop())
        answer = connection.begin("acme", b"head", b"", False)
        assert answer.body(99) is None
        connection.data_received(LENGTH[:-1])
        assert answer.body(99) is None
        connection.data_received(LENGTH[-1:])
        assert answer.body(10) is None
        assert answer.body(11) == b"hello world"
        assert await answer.chunk() == b""
        answer = connection.begin("acme", b"head", b"", False)
        connection.data_received(LENGTH)
        assert answer.body(10) is None
        assert (await failure_of(answer.read(10))).code == "upstream.bad_response"

    asyncio.run(main())


def test_heads_of_one_origin_say_nothing_about_another(run: Any) -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.answer(LENGTH)

    async def main() -> None:
        async with serving(script) as one, serving(script) as two, calling() as client:
            heads = [(await post(client, server.origin())).head for server in (one, one, two, two)]
            assert heads[0] is heads[1] is not heads[2] is heads[3]

    run(main())
