"""Answers whose head came before: they do not reach llhttp, and are the same as if they had."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.upstream.scripted import Peer, calling, failure_of, post, serving
from tests.upstream.test_answers import CHUNKED, INTERIM, LENGTH, connected
from tokligence.errors import GatewayError
from tokligence.upstream import connection as connection_module
from tokligence.upstream.connection import Connection, Limits
from tokligence.upstream.pool import Pool

STATUS_LINES = [
    b"HTTP/1.1 200 OK",
    b"HTTP/1.1 429 Too Many Requests",
    b"HTTP/1.1 500 ",
    b"HTTP/1.1 500",
    b"HTTP/1.1 204 No Content",
    b"HTTP/1.1 304 Not Modified",
    b"HTTP/1.1 599 \xe9",
    b"HTTP/1.1 600 What",
    b"HTTP/1.1 199 What",
    b"HTTP/1.1 100 Continue",
    b"HTTP/1.1 101 Switching",
    b"HTTP/1.1 2000 OK",
    b"HTTP/1.1 20 OK",
    b"HTTP/1.0 200 OK",
    b"HTTP/2 200 OK",
    b"http/1.1 200 OK",
    b"\r\nHTTP/1.1 200 OK",
    b"HTTP/1.1  200 OK",
    b"HTTP/1.1\t200 OK",
    b"HTTP/1.1 200 O\x00K",
    b"nonsense",
    b"",
]
USUAL_LINES = [
    b"Connection: keep-alive",
    b"Connection: Keep-Alive",
    b"Content-Type: application/json",
    b"content-type:application/json",
    b"X-Id: 7",
    b'X-Id: a, b;c="d e"',
    b"Set-Cookie: a=b",
    b"!#$%&'*+-.^_`|~0aZ: 1",
]
ODD_LINES = [
    b"Transfer-Encoding: chunked",
    b"transfer-encoding: gzip, chunked",
    b"Connection: close",
    b"Connection: keep-alive, close",
    b"Connection: upgrade",
    b"Connection: ",
    b"Proxy-Connection: close",
    b"Keep-Alive: timeout=3",
    b"Keep-Alive: timeout=1",
    b"Upgrade: h2c",
    b"Trailer: x",
    b"content-length: 0",
    b"Content-Length: 5",
    b"X-Empty:",
    b"X-Empty: ",
    b"X-Space:  7",
    b"X-Space: 7 ",
    b"X-Tab: a\tb",
    b"X-Tab:\t7\t",
    b"X-Latin: \xe9",
    b"X-Nul: \x00",
    b"X-Bell: \x07",
    b"X-Del: \x7f",
    b"X-Cr: a\rb",
    b"X-Lf: a\nb",
    b"x-folded: a\r\n b",
    b"x-folded: a\r\n\tb",
    b": nameless",
    b"no colon",
    b"x y: 1",
    b"x : 1",
    b" x: 1",
    b"x\xe9: 1",
    b"x\x00: 1",
    b"(x): 1",
    b"",
]
LENGTHS = ["%d"] * 30 + [
    "0%d",
    "+%d",
    "-%d",
    " %d",
    "%d ",
    "%d,%d",
    "0x%d",
    "%d0000000000000000",
    "\u0663",
    "",
]
BODIES = [
    b"",
    b"hello",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"\r\n\r\n\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"x" * 4096,
]


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """An answer, usual but for one or two oddities, perhaps."""
    body = draw(st.sampled_from(BODIES))
    status = draw(st.sampled_from(STATUS_LINES) if draw(st.integers(0, 3)) == 0 else st.just(STATUS_LINES[0]))
    lines = draw(st.lists(st.sampled_from(USUAL_LINES), max_size=3))
    if draw(st.booleans()):
        lines += draw(st.lists(st.sampled_from(ODD_LINES), max_size=2))
    if draw(st.integers(0, 7)):
        given = draw(st.sampled_from(LENGTHS)).replace("%d", str(len(body))).encode()
        lines.append(draw(st.sampled_from([b"Content-Length: ", b"content-length:"])) + given)
    surplus = draw(st.sampled_from([b""] * 9 + [b"x", b"\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]))
    end = draw(st.sampled_from([b"\r\n\r\n"] * 9 + [b"\n\n", b"\r\n", b"\r\n\n", b"\r\n \r\n\r\n"]))
    return b"\r\n".join([status, *draw(st.permutations(lines))]) + end + body + surplus


class Taken:
    """How a connection took an answer that came in one read; `parsed`: by llhttp in any case."""

    def __init__(
        self,
        connection: Connection,
        wire: Any,
        pool: Pool,
        raw: bytes,
        *,
        head_only: bool = False,
        parsed: bool = False,
    ) -> None:
        answer = connection.begin("acme", b"head", b"", head_only)
        if parsed:
            connection._usual = False
        connection.data_received(raw)
        self.answer = answer
        self.error = None if answer.error is None else answer.error.text
        self.rests = pool.take() is connection
        self.unparsed = not answer.heard
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


@given(
    st.lists(st.tuples(answers(), st.booleans()), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=4),
    st.sampled_from([Limits(), Limits(max_head=60, max_headers=3)]),
)
@example([(LENGTH, False)], [], Limits(keepalive_s=0))
@example([(LENGTH, False)], [(22, 0), (60, 0)], Limits())
@example([(LENGTH[:-11], True), (LENGTH, False), (LENGTH[:-11], True), (LENGTH, True)], [], Limits())
def test_an_answer_is_taken_as_llhttp_takes_it_whatever_came_before(
    taken: list[tuple[bytes, bool]], changes: list[tuple[int, int]], limits: Limits
) -> None:
    """`taken`: the bytes, and whether they answer HEAD. `changes`: of one byte, to make what resembles them."""
    resembling = [
        (b"%b%c%b" % (raw[:at], byte, raw[at + 1 :]), head_only)
        for raw, head_only in taken
        for at, byte in changes
        if at < len(raw)
    ]

    async def main() -> None:
        loop = asyncio.get_running_loop()
        connection, wire, pool = connected(loop, limits)
        for raw, head_only in [*taken, *resembling, *taken]:
            now = Taken(connection, wire, pool, raw, head_only=head_only)
            assert now.seen == Taken(*connected(loop, limits), raw, head_only=head_only, parsed=True).seen
            if not now.rests:
                renewed, wire, _ = connected(loop, limits)
                renewed._home, renewed._heads, renewed._resting = pool, pool.heads, pool.resting
                connection = renewed

    asyncio.run(main())


@pytest.mark.parametrize("line", [*USUAL_LINES, b"Keep-Alive: timeout=3", b"X-Latin: \xe9", b"X-Space:  7 "])
@pytest.mark.parametrize("status", [b"HTTP/1.1 200 OK", b"HTTP/1.1 429 Too Many Requests", b"HTTP/1.1 500 "])
def test_an_answer_whose_head_came_before_is_not_parsed(status: bytes, line: bytes) -> None:
    async def main() -> None:
        connection, wire, pool = connected(asyncio.get_running_loop())
        for number in range(3):
            raw = b"%b\r\n%b\r\nContent-Length: 5\r\n\r\nhell%d" % (status, line, number)
            taken = Taken(connection, wire, pool, raw)
            assert taken.unparsed is (number > 0)
            assert taken.rests
            assert await taken.answer.read(5) == b"hell%d" % number

    asyncio.run(main())


def test_a_head_that_came_before_is_the_same_object() -> None:
    async def main() -> None:
        connection, wire, pool = connected(asyncio.get_running_loop())
        first = Taken(connection, wire, pool, LENGTH)
        other = Taken(connection, wire, pool, LENGTH.replace(b"hello", b"HELLO"))
        assert other.answer.head is first.answer.head
        assert await other.answer.read(11) == b"HELLO world"
        new = Taken(connection, wire, pool, LENGTH.replace(b"7", b"8"))
        assert new.answer.head is not first.answer.head
        assert (b"x-id", b"8") in new.answer.headers

    asyncio.run(main())


@pytest.mark.parametrize(
    "raw", [CHUNKED, INTERIM, b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"]
)
def test_only_a_head_and_a_body_of_known_length_are_remembered(raw: bytes) -> None:
    async def main() -> None:
        connection, wire, pool = connected(asyncio.get_running_loop())
        Taken(connection, wire, pool, raw)
        assert pool.heads == {}

    asyncio.run(main())


def test_the_answer_to_head_and_one_before_the_end_of_the_request_are_not_remembered_nor_recognised() -> None:
    empty = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"

    async def main() -> None:
        connection, wire, pool = connected(asyncio.get_running_loop())
        assert Taken(connection, wire, pool, empty, head_only=True).answer.ended
        assert pool.heads == {}
        connection, wire, pool = connected(asyncio.get_running_loop())
        Taken(connection, wire, pool, empty)
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
            assert Taken(connection, wire, pool, raw).rests
            assert len(pool.heads) <= 3
        assert 5000 < len(raw) not in pool.heads

    asyncio.run(main())


def test_a_repeated_answer_rests_as_long_as_its_head_says() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        connection, wire, pool = connected(loop, Limits(keepalive_s=60))
        short = LENGTH.replace(b"X-Id", b"Keep-Alive: timeout=5\r\nX-Id")
        for raw, hint in ((LENGTH, 60), (short, 4), (LENGTH, 60), (short, 4)):
            assert Taken(connection, wire, pool, raw).seen[-1] == hint

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

        for _ in range(2):  # the head is unknown, then known
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
