"""What handlers say, and what of it reaches the client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from tests.edge.peer import Edge, request, until
from tokligence.edge import answer
from tokligence.errors import GatewayError
from tokligence.pipeline.contract import Call, Headers, Sink


def handler(answer: Callable[[Sink], None]) -> Callable[[Call, Sink], Awaitable[None]]:
    async def run(_call: Call, sink: Sink) -> None:
        answer(sink)

    return run


async def test_a_whole_answer_is_one_head_and_one_body(edge: Edge) -> None:
    server = await edge.serve(handler(lambda sink: sink.whole(201, [(b"a", b"b"), (b"a", b"c")], b"body")))
    reply = await edge.ask(server, request())
    date = reply.headers["date"]
    assert reply.raw == (
        f"HTTP/1.1 201 Created\r\ndate: {date}\r\na: b\r\na: c\r\ncontent-length: 4\r\n\r\n".encode()
    )
    assert date.endswith(" GMT")


async def test_an_unregistered_status_has_no_reason(edge: Edge) -> None:
    server = await edge.serve(handler(lambda sink: sink.whole(529, [], b"busy")))
    assert (await edge.ask(server, request())).raw.startswith(b"HTTP/1.1 529 \r\n")


async def test_framing_is_the_connections_affair(edge: Edge) -> None:
    headers: Headers = [
        (b"content-length", b"99"),
        (b"transfer-encoding", b"chunked"),
        (b"connection", b"close"),
        (b"date", b"never"),
    ]
    server = await edge.serve(handler(lambda sink: sink.whole(200, headers, b"four")))
    reply = await edge.ask(server, request())
    assert list(reply.headers) == ["date", "content-length"]
    assert reply.body == b"four"


async def test_each_piece_of_a_stream_leaves_at_once_as_a_chunk(edge: Edge) -> None:
    step = asyncio.Event()

    async def stream(_call: Call, sink: Sink) -> None:
        assert not sink.started
        sink.start(200, [(b"content-type", b"text/event-stream")])
        assert sink.started
        for piece in (b"one", b"", b"two"):
            sink.write(piece)
            await step.wait()
            step.clear()
        sink.end(b"end")

    server = await edge.serve(stream)
    peer = await edge.connect(server)
    await peer.send(request())
    assert b"transfer-encoding: chunked" in await peer.until(b"\r\n\r\n")
    assert await peer.until(b"one\r\n") == b"3\r\none\r\n"
    step.set()
    await until(lambda: not step.is_set())
    step.set()
    assert await peer.until(b"two\r\n") == b"3\r\ntwo\r\n"
    step.set()
    assert await peer.until(b"0\r\n\r\n") == b"3\r\nend\r\n0\r\n\r\n"


def streamed(sink: Sink, *, length: int | None = None, last: bytes = b"") -> None:
    sink.start(200, [], length)
    sink.write(b"one")
    sink.write(b"two")
    sink.end(last)


async def test_a_stream_of_known_length_has_no_chunks(edge: Edge) -> None:
    server = await edge.serve(handler(lambda sink: streamed(sink, length=9, last=b"end")))
    peer = await edge.connect(server)
    for _ in range(2):
        await peer.send(request())
        reply = await peer.reply()
        assert (reply.headers["content-length"], reply.body) == ("9", b"onetwoend")


async def test_a_stream_to_http_1_0_ends_with_the_connection(edge: Edge) -> None:
    server = await edge.serve(handler(streamed))
    peer = await edge.connect(server)
    await peer.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    reply = await peer.reply()
    assert (reply.body, reply.headers["connection"]) == (b"onetwo", "close")


async def test_a_stream_to_a_head_request_has_no_body(edge: Edge) -> None:
    server = await edge.serve(handler(streamed))
    peer = await edge.connect(server)
    await peer.send(request("HEAD") + request("GET"))
    assert (await peer.reply(head_only=True)).status == 200
    assert (await peer.reply()).body == b"onetwo"


@pytest.mark.parametrize("status", [204, 304])
async def test_answers_that_have_no_body_have_no_length_either(edge: Edge, status: int) -> None:
    server = await edge.serve(handler(lambda sink: sink.whole(status, [], b"ignored")))
    peer = await edge.connect(server)
    await peer.send(request() * 2)
    for _ in range(2):
        reply = await peer.reply()
        assert (reply.status, list(reply.headers)) == (status, ["date"])


async def test_an_empty_body_has_length_zero(edge: Edge) -> None:
    server = await edge.serve(handler(lambda sink: sink.whole(200, [], b"")))
    assert (await edge.ask(server, request())).headers["content-length"] == "0"


async def test_an_exception_before_the_answer_gives_500_and_is_reported(edge: Edge) -> None:
    crash = KeyError("private detail")

    async def broken(_call: Call, _sink: Sink) -> None:
        raise crash

    server = await edge.serve(broken)
    peer = await edge.connect(server)
    for _ in range(2):  # the connection lives on
        await peer.send(request(target="/v1/x"))
        reply = await peer.reply()
        assert (reply.status, reply.headers["x-path"]) == (500, "/v1/x")
        assert reply.body.startswith(b"gateway.internal|")
        assert b"private" not in reply.body
    assert edge.crashes == [crash, crash]


async def test_a_gateway_error_before_the_answer_is_answered_as_such(edge: Edge) -> None:
    async def refusing(_call: Call, _sink: Sink) -> None:
        raise GatewayError("gateway.shutting_down", retry_after="7")

    server = await edge.serve(refusing)
    reply = await edge.ask(server, request())
    assert (reply.status, reply.headers["retry-after"]) == (503, "7")
    assert edge.crashes == []


def started_then(sink: Sink, then: Callable[[Sink], object]) -> None:
    sink.start(200, [])
    sink.write(b"part")
    then(sink)


def raise_late(_sink: Sink) -> None:
    raise ValueError("late")


def raise_gateway_error(_sink: Sink) -> None:
    raise GatewayError("gateway.internal")


MISTAKES: dict[str, Callable[[Sink], object]] = {
    "raises": raise_late,
    "raises a gateway error": raise_gateway_error,
    "returns without an end": lambda _sink: None,
    "starts again": lambda sink: sink.start(200, []),
    "answers whole after the start": lambda sink: sink.whole(200, [], b""),
}


@pytest.mark.parametrize("name", MISTAKES)
async def test_an_answer_that_fails_half_way_is_cut_so_that_nobody_takes_it_for_whole(
    edge: Edge, name: str
) -> None:
    server = await edge.serve(handler(lambda sink: started_then(sink, MISTAKES[name])))
    peer = await edge.connect(server)
    await peer.send(request())
    with pytest.raises((EOFError, ConnectionResetError)):
        await peer.until(b"0\r\n\r\n")
    await until(lambda: server.connections == 0)
    assert len(edge.crashes) == (name != "raises a gateway error")


async def test_a_handler_that_never_answers_gives_500(edge: Edge) -> None:
    server = await edge.serve(handler(lambda _sink: None))
    assert (await edge.ask(server, request())).status == 500
    assert len(edge.crashes) == 1


@pytest.mark.parametrize("pieces", [[b"toolong"], [b"x"]])
async def test_an_answer_of_another_length_than_announced_is_cut(edge: Edge, pieces: list[bytes]) -> None:
    def answer(sink: Sink) -> None:
        sink.start(200, [], 4)
        for piece in pieces:
            sink.write(piece)
        sink.end()

    server = await edge.serve(handler(answer))
    peer = await edge.connect(server)
    await peer.send(request())
    with pytest.raises((EOFError, ConnectionResetError)):
        await peer.reply()
    assert len(edge.crashes) == 1


@pytest.mark.parametrize("misuse", [lambda sink: sink.write(b"x"), lambda sink: sink.end()])
async def test_writing_before_the_start_is_a_mistake_of_ours(
    edge: Edge, misuse: Callable[[Sink], None]
) -> None:
    server = await edge.serve(handler(misuse))
    assert (await edge.ask(server, request())).status == 500
    assert isinstance(edge.crashes[0], RuntimeError)


async def test_an_exception_after_the_end_is_reported_and_changes_nothing(edge: Edge) -> None:
    def answer(sink: Sink) -> None:
        sink.whole(200, [], b"done")
        raise ValueError("afterwards")

    server = await edge.serve(handler(answer))
    peer = await edge.connect(server)
    for _ in range(2):
        await peer.send(request())
        assert (await peer.reply()).body == b"done"
    await until(lambda: len(edge.crashes) == 2)


@pytest.mark.parametrize("value", [b"a\r\nx: y", b"a\nx: y", b"a\rb", b"a\0b"])
async def test_a_header_cannot_smuggle_another_into_the_answer(edge: Edge, value: bytes) -> None:
    server = await edge.serve(handler(lambda sink: sink.whole(200, [(b"x-model", value)], b"")))
    assert (await edge.ask(server, request())).status == 500
    assert isinstance(edge.crashes[0], ValueError)


async def test_the_date_is_that_of_the_last_second(edge: Edge) -> None:
    server = await edge.serve()
    for wall, second in ((0, 0), (1.5, 1), (1.9, 1)):
        server.lines.refresh(wall)
        assert server.lines.date == f"date: Thu, 01 Jan 1970 00:00:0{second} GMT".encode()
    server.lines.refresh(time.time())
    assert "date" in (await edge.ask(server, request())).headers


async def test_answers_with_ever_other_headers_are_right_and_little_is_kept_of_them(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer, "_MOST_LAYOUTS", 2)
    answer._layouts.clear()
    number = 0

    async def run(_call: Call, sink: Sink) -> None:
        sink.whole(200, [(b"x-%d%%" % number, b"%d"), (b"y", b"b" * number)], b"%b")

    server = await edge.serve(run)
    peer = await edge.connect(server)
    for number in (1, 2, 3, 4, 5000, 1):
        await peer.send(request())
        reply = await peer.reply()
        assert (reply.headers[f"x-{number}%"], reply.headers["y"], reply.body) == ("%d", "b" * number, b"%b")
    assert len(answer._layouts) <= 2


async def test_a_name_may_not_smuggle_another_header_into_the_answer_either(edge: Edge) -> None:
    server = await edge.serve(handler(lambda sink: sink.whole(200, [(b"a\r\nx: y", b"b")], b"")))
    assert (await edge.ask(server, request())).status == 500
    assert isinstance(edge.crashes[0], ValueError)


async def test_a_long_list_of_names_is_not_kept(edge: Edge) -> None:
    names = [(b"x-%d" % number, b"") for number in range(1000)]
    answer._layouts.clear()
    server = await edge.serve(handler(lambda sink: sink.whole(200, list(names), b"")))
    assert len((await edge.ask(server, request())).headers) == 1002
    assert answer._layouts == {}
