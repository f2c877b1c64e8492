"""Heads that came before: what is served by memory is what would be served by reading it anew."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.edge.live import Live, live
from tests.edge.peer import HOST, Edge, Peer, request, until, write_error
from tokligence.edge import known
from tokligence.edge.known import KnownHeads, Route
from tokligence.edge.limits import Limits
from tokligence.edge.protocol import BODY_STEP, Connection
from tokligence.edge.server import Server
from tokligence.pipeline.contract import Call, Principal, Sink

HEADERS = b"X-Thing: a\r\n"


class Transport(asyncio.Transport):
    """Takes what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.open = True

    def write(self, data: Any) -> None:
        self.sent += data

    def write_eof(self) -> None: ...

    def close(self) -> None:
        self.open = False

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Ignorant(KnownHeads):
    def learn(self, *_: Any) -> None:
        return None


async def seen(pieces: Sequence[bytes], *, remember: bool) -> tuple[list[Call], bytes, bool, int]:
    """(the calls, what was answered, whether the connection is open, how many heads are known) of a connection that
    receives these pieces."""
    calls: list[Call] = []

    async def handler(call: Call, sink: Sink) -> None:
        calls.append(call)
        if len(call.body) % 2:
            await asyncio.sleep(0)
        sink.whole(200, [(b"a", b"b")], call.body)

    server = Server(handler, Limits(max_body_bytes=5000), write_error, lambda *_: None)
    server.max_connections = 1
    if not remember:
        server.known = Ignorant()
    transport = Transport()
    connection = Connection(server)
    connection.connection_made(transport)
    for piece in pieces:
        server.loop.call_soon(connection.data_received, piece)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    for _ in range(100):
        await asyncio.sleep(0)
    for call in calls:
        call.received = 0.0
        call.kept = None
        call.fields = dict(sorted((call.fields or {}).items()))
    return calls, transport.sent, transport.open, len(server.known)


LENGTHS = st.one_of(st.integers(0, 40), st.sampled_from([999, 1000, 4999, 5000, 5001]))
ODD_NUMBERS = st.sampled_from([b"0%d", b"+%d", b"%d_0", b"%d, 1", b"%d ", b" %d", b"-%d", b"%dx"])
ODD_LINES = st.sampled_from(
    [
        b"X-Key: secret\r\n",
        b"Connection: close\r\n",
        b"connection: keep-alive\r\n",
        b"Expect: 100-continue\r\n",
        b"transfer-encoding: chunked\r\n",
        b"content-encoding: gzip\r\n",
        b"content-length: 3\r\n",
        b"Upgrade: h2c\r\n",
        b"a b: c\r\n",
        b"\r\n",
    ]
)
ODD_BEGINNINGS = st.sampled_from(
    [
        b"POST /v1/messages?key=k HTTP/1.1\r\nhost: localhost\r\n",
        b"POST http://other/x HTTP/1.1\r\nhost: localhost\r\n",
        b"POST /v1/messages HTTP/1.1\r\nhost: a b\r\n",
        b"POST /v1/messages HTTP/1.0\r\n",
        b"\r\nPOST /v1/messages HTTP/1.1\r\nhost: localhost\r\n",
        b"GET /v1/messages HTTP/1.1\r\nhost: localhost\r\n",
        b"HEAD /v1/messages HTTP/1.1\r\nhost: localhost\r\n",
    ]
)


def rarely(odd: st.SearchStrategy[bytes], usual: bytes = b"") -> st.SearchStrategy[bytes]:
    return st.integers(0, 19).flatmap(lambda number: odd if number == 7 else st.just(usual))


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Requests as most clients send them, and others that look much like them."""
    length = draw(LENGTHS)
    begin = draw(rarely(ODD_BEGINNINGS, b"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\n"))
    name = draw(st.sampled_from([b"content-length: ", b"Content-Length: "]))
    number = draw(rarely(ODD_NUMBERS, b"%d")) % length
    lines = draw(rarely(ODD_LINES)), draw(rarely(ODD_LINES))
    return b"%b%b%b%b\r\n%b\r\n" % (begin, lines[0], name, number, lines[1]) + b"x" * length


@st.composite
def pieces(draw: st.DrawFn) -> list[bytes]:
    """Some requests: most in one piece each, some cut anywhere, some with others behind them or without their end."""
    found = []
    for message in draw(st.lists(messages(), min_size=1, max_size=6)):
        match draw(st.integers(0, 7)):
            case 0:
                place = draw(st.integers(0, len(message)))
                found += [message[:place], message[place:]]
            case 1:
                found[-1:] = [b"".join(found[-1:]) + message]
            case 2:
                found[-1:] = [b"".join(found[-1:]) + message[: draw(st.integers(0, len(message)))]]
            case _:
                found.append(message)
    return [piece for piece in found if piece]


BEGIN = b"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: "


@pytest.mark.parametrize("before", [1, 2])
@pytest.mark.parametrize(
    "resembling",
    [
        BEGIN + b"12\r\n\r\nx",
        BEGIN + b"2\r\n\r\nxx" + BEGIN,
        BEGIN + b"05\r\n\r\nxxxxx",
        BEGIN + b"5001\r\n\r\n" + b"x" * 5001,
        BEGIN + b"9999999999999999999999\r\n\r\nx",
        BEGIN + b"\r\n\r\nx",
        BEGIN + b"+1\r\n\r\nx",
        BEGIN + b"1_\r\n\r\nx",
        BEGIN + b"1 \r\n\r\nx",
        BEGIN + b"1_0\r\n\r\nxxxxxxxxxx",
        BEGIN + b"\xb2\r\n\r\nxx",
        BEGIN + b"2\r\nconnection: close\r\n\r\nxx",
        BEGIN + b"2\r\ntransfer-encoding: chunked\r\n\r\nxx",
        BEGIN + b"2\n\r\nxx",
        BEGIN[:-1] + b"2\r\n\r\nxx",
        BEGIN + b"1\r\n\r\nxPO",
        BEGIN + b"1\r\n\r\nxPOST /",
        b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\nPOST /",
    ],
)
def test_what_resembles_a_known_head_is_treated_as_if_none_were_known(resembling: bytes, before: int) -> None:
    async def both() -> None:
        sizes = [9, 8, 7] if before == 1 else [10, 11, 12]
        usual = [BEGIN + b"%d\r\n\r\n%b" % (size, b"x" * size) for size in sizes]
        pieces = [*usual, resembling, BEGIN + b"2\r\n\r\nxx"]
        *with_memory, known = await seen(pieces, remember=True)
        *without, _ = await seen(pieces, remember=False)
        assert with_memory == without
        assert known

    asyncio.run(both())


@settings(max_examples=300, deadline=None)
@given(pieces=pieces())
def test_a_connection_does_the_same_with_and_without_memory(pieces: list[bytes]) -> None:
    async def both() -> None:
        *with_memory, _ = await seen(pieces, remember=True)
        *without, _ = await seen(pieces, remember=False)
        assert with_memory == without

    asyncio.run(both())


async def acquainted(edge: Edge, server: Server, *requests: bytes) -> Peer:
    """A client that has sent each of these twice, so that their heads are known."""
    peer = await edge.connect(server)
    for raw in requests * 2:
        await peer.send(raw)
        await peer.reply()
    return peer


async def test_the_third_request_with_a_head_is_not_read_again(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await edge.serve()
    peer = await acquainted(edge, server, request("POST", "/a?b", body=b"1", headers=HEADERS))
    monkeypatch.setattr(Connection, "_parse", None)
    for body in (b"two", b"x" * 12345, b""):
        await peer.send(request("POST", "/a?b", body=body, headers=HEADERS))
        assert (await peer.reply()).body == b"POST /a " + body
    first, _, *others = edge.script.calls
    for call in others:
        assert (call.method, call.path, call.query) == ("POST", "/a", "b")
        assert call.headers == [*first.headers[:-1], (b"content-length", b"%d" % len(call.body))]
        assert call.header(b"x-thing") == b"a"
        assert call.header(b"content-length") is None  # the edge's affair
        assert call.received > first.received


async def test_what_is_kept_for_a_head_is_shared_by_its_calls_alone(edge: Edge) -> None:
    server = await edge.serve()
    await acquainted(edge, server, *(request("POST", path, body=b"1") for path in ("/a", "/b")))
    for path in ("/a", "/a", "/b"):
        await edge.ask(server, request("POST", path, body=path.encode()))
    *read, one, two, other = [call.kept for call in edge.script.calls]
    assert read == [None] * 4  # not recognised
    assert one is two is not other is not None
    server.forget_heads()
    for _ in range(2):
        await edge.ask(server, request("POST", "/a", body=b"1"))
    again = edge.script.calls[-1].kept
    assert again is not None
    assert again is not one


async def test_another_connection_knows_the_head_too(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    server = await edge.serve()
    await acquainted(edge, server, request("POST", body=b"1"))
    monkeypatch.setattr(Connection, "_parse", None)
    assert (await edge.ask(server, request("POST", body=b"two"))).body == b"POST / two"


async def test_a_client_that_changes_between_two_heads_is_known_by_both(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await edge.serve()
    requests = request("POST", "/a", body=b"1"), request("POST", "/b", body=b"2")
    peer = await acquainted(edge, server, *requests)
    monkeypatch.setattr(Connection, "_parse", None)
    for raw in requests * 2:
        await peer.send(raw)
        assert (await peer.reply()).status == 200


async def test_a_client_whose_heads_never_come_again_is_not_looked_at_any_longer(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await edge.serve()
    peer = await edge.connect(server)
    for number in range(known.PATIENCE):
        await peer.send(request("POST", f"/{number}", body=b"x"))
        await peer.reply()
    monkeypatch.setattr(known, "split", None)
    await peer.send(request("POST", "/", body=b"x"))
    assert (await peer.reply()).body == b"POST / x"
    assert len(server.known) == 0


async def test_one_whose_heads_come_again_now_and_then_is(edge: Edge) -> None:
    server = await edge.serve()
    usual = request("POST", "/usual", body=b"x")
    peer = await acquainted(edge, server, usual)
    for number in range(2 * known.PATIENCE):
        await peer.send(request("POST", f"/{number}", body=b"x"))
        await peer.reply()
        await peer.send(usual)
        await peer.reply()
    assert edge.connection(server)._memory.known.path == "/usual"


async def test_only_so_many_heads_are_remembered_as_having_come_once(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "MOST_MARKS", 2)
    server = await edge.serve()
    for path in ("/a", "/b", "/c", "/a", "/a"):
        await edge.ask(server, request("POST", path, body=b"x"))
        assert len(server.known._marks) <= 2
    assert len(server.known) == 1


@pytest.mark.parametrize(
    "raw",
    [
        request("GET"),
        request("PUT", body=b"x"),
        request("POST", body=b""),
        request("POST", body=b"x", headers=b"Connection: close\r\n"),
        request("POST", body=b"x", headers=b"Expect: 100-continue\r\n"),
        request("POST", body=b"x", headers=b"X: " + b"x" * known.LONGEST + b"\r\n"),
        request("POST", headers=b"Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n",
        request("POST", headers=b"CONTENT-LENGTH: 1\r\n") + b"x",
        request("POST", headers=b"Content-Length: 1 \r\n") + b"x",
        b"POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\nx",
    ],
)
async def test_unusual_heads_are_not_kept(edge: Edge, raw: bytes) -> None:
    server = await edge.serve()
    for _ in range(3):
        peer = await edge.connect(server)
        await peer.send(raw)
        await peer.until(b"HTTP/1.1 200 OK")
    assert len(server.known) == 0


async def test_only_so_many_heads_are_kept(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "MOST", 2)
    server = await edge.serve()
    requests = [request("POST", f"/{number}", body=b"x") for number in range(4)]
    peer = await acquainted(edge, server, *requests)
    assert len(server.known) == 2
    first = known.split(requests[0])
    assert first is not None
    assert server.known.find(first) is None
    await peer.send(requests[0])
    assert (await peer.reply()).body == b"POST /0 x"


async def test_a_forgotten_head_is_read_again_and_decided_upon_again(edge: Edge) -> None:
    server = await edge.serve()
    asked: list[Call] = []

    async def other(call: Call, sink: Sink) -> None:
        assert (call.path, call.principal.key_name) == ("/other", "me")
        sink.whole(200, [], b"%d" % len(asked))

    def route(call: Call) -> Route:
        asked.append(call)
        return Route(other, "/other", Principal("me"))

    server.route = route
    peer = await acquainted(edge, server, request("POST", body=b"x"))
    assert len(edge.script.calls) == 2  # by the handler of all
    for _ in range(2):
        await peer.send(request("POST", body=b"x"))
        assert (await peer.reply()).body == b"1"
    server.forget_heads()
    await peer.send(request("POST", body=b"x"))
    assert (await peer.reply()).body == b"POST / x"
    assert len(asked) == 2


async def test_new_limits_hold_for_known_heads(edge: Edge) -> None:
    server = await edge.serve()
    peer = await acquainted(edge, server, request("POST", body=b"x" * 10))
    server.limits = Limits(max_body_bytes=5)
    await peer.send(request("POST", body=b"x" * 10))
    assert (await peer.reply()).status == 413


async def test_a_body_that_comes_in_pieces_behind_a_known_head_has_time_and_earns_more(edge: Edge) -> None:
    server = await edge.serve(body_timeout_s=60)
    peer = await acquainted(edge, server, request("POST", "/v1", body=b"x"))
    connection = edge.connection(server)
    whole = request("POST", "/v1", body=bytes(200_000))
    await peer.send(whole[:200])
    await until(lambda: connection._unparsed is not None)
    assert connection.deadline > server.loop.time()
    connection.deadline = 1e9  # so that a new one shows
    await peer.send(whole[200:210])
    await until(lambda: connection._body_left < 199_870)
    assert connection.deadline == 1e9
    await peer.send(whole[210 : 210 + BODY_STEP])
    await until(lambda: connection.deadline < 1e9)
    await peer.send(whole[210 + BODY_STEP :] + request("POST", "/2", body=b"behind"))
    assert (await peer.reply()).body == b"POST /v1 " + bytes(200_000)
    assert (await peer.reply()).body == b"POST /2 behind"


async def test_a_body_that_does_not_come_behind_a_known_head_gets_408_in_the_shape_of_its_path(
    edge: Edge,
) -> None:
    server = await edge.serve(body_timeout_s=60)
    server.route = lambda call: None
    peer = await acquainted(edge, server, request("POST", "/v1", body=b"x"))
    await peer.send(request("POST", "/v1", body=b"xyz")[:-1])
    await until(lambda: edge.connection(server)._unparsed is not None)
    server.sweep(server.loop.time() + 61)
    reply = await peer.reply()
    assert (reply.status, reply.headers["connection"], reply.headers["x-path"]) == (408, "close", "/v1")
    await peer.send(b"z")
    assert await peer.closed()
    assert len(edge.script.calls) == 2


async def test_a_body_cut_short_behind_a_known_head_gets_400(edge: Edge) -> None:
    server = await edge.serve()
    peer = await acquainted(edge, server, request("POST", body=b"x"))
    await peer.send(request("POST", body=b"xyz")[:-1])
    peer.shut()
    assert (await peer.reply()).status == 400
    assert await peer.closed()


async def test_a_limit_that_is_lowered_while_a_body_comes_holds_for_it(edge: Edge) -> None:
    server = await edge.serve()
    peer = await acquainted(edge, server, request("POST", body=b"x"))
    await peer.send(request("POST", body=b"x" * 100)[:-100])
    await until(lambda: edge.connection(server)._unparsed is not None)
    server.limits = Limits(max_body_bytes=5)
    await peer.send(b"x" * 50)
    assert (await peer.reply()).status == 413


async def test_a_request_whose_head_is_forgotten_while_its_body_comes_is_decided_upon_again(
    edge: Edge,
) -> None:
    server = await edge.serve()

    async def other(call: Call, sink: Sink) -> None:
        sink.whole(200, [], b"other")

    server.route = lambda call: Route(other, "/other", Principal("me"))
    peer = await acquainted(edge, server, request("POST", body=b"xyz"))
    await peer.send(request("POST", body=b"xyz")[:-1])
    await until(lambda: edge.connection(server)._unparsed is not None)
    server.forget_heads()
    await peer.send(b"z")
    assert (await peer.reply()).body == b"POST / xyz"
    assert edge.script.calls[-1].principal == Principal()


def test_a_key_that_is_withdrawn_is_refused_on_the_connection_that_used_it(tmp_path: Any) -> None:
    with live(tmp_path) as gateway:
        gateway.set("client_keys = one=secret")
        gateway.reload()
        body = b'{"model":"loopback","messages":[{"role":"user","content":"hi"}]}'
        raw = request("POST", "/v1/chat/completions", body=body, headers=b"authorization: Bearer secret\r\n")
        statuses = asyncio.run(_statuses(gateway, raw, "client_keys = one=other"))
        assert statuses == [200, 200, 200, 200, 401]


async def _statuses(gateway: Live, raw: bytes, change: str) -> list[int]:
    """Of five requests on one connection; before the last the configuration changes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.gateway.port)
    found = []
    for number in range(5):
        if number == 4:
            gateway.set(change)
            await asyncio.to_thread(gateway.reload)
        writer.write(raw)
        head = await reader.readuntil(b"\r\n\r\n")
        found.append(int(head.split()[1]))
        length = int(head.lower().split(b"content-length: ")[1].split()[0])
        await reader.readexactly(length)
    writer.close()
    return found


def test_a_model_call_by_memory_is_answered_like_the_first(tmp_path: Any) -> None:
    with live(tmp_path) as gateway:
        body = b'{"model":"loopback","messages":[{"role":"user","content":"hi"}]}'
        raw = request("POST", "/openai/v1/chat/completions", body=body, headers=b"X: " + HOST[6:])
        assert asyncio.run(_statuses(gateway, raw, "")) == [200] * 5
        lines = [line for line in gateway.events("request") if line["route"] == "/v1/chat/completions"]
        assert len(lines) == 5
