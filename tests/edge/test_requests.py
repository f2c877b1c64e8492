"""Requests as they should be, over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import sys
from time import perf_counter

import pytest

from tests.edge.peer import HOST, Edge, chunked, request, until
from tokligence.pipeline.contract import Call, Sink

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


async def test_a_request_reaches_the_handler_whole(edge: Edge) -> None:
    server = await edge.serve()
    before = perf_counter()
    raw = request("POST", "/v1/messages?beta=true", body=b"{}", headers=b"X-Thing: a \t\r\nx-thing: b\r\n")
    reply = await edge.ask(server, raw)
    assert (reply.status, reply.body) == (200, b"POST /v1/messages {}")
    (call,) = edge.script.calls
    assert (call.method, call.path, call.query, call.body) == ("POST", "/v1/messages", "beta=true", b"{}")
    assert call.headers == [
        (b"host", b"localhost"),
        (b"x-thing", b"a"),
        (b"x-thing", b"b"),
        (b"content-length", b"2"),
    ]
    assert before <= call.received <= perf_counter()


async def test_a_connection_serves_one_request_after_the_other(edge: Edge) -> None:
    server = await edge.serve()
    peer = await edge.connect(server)
    for number in range(3):
        await peer.send(request("POST", f"/{number}", body=b"x" * number))
        reply = await peer.reply()
        assert reply.body == b"POST /%d " % number + b"x" * number
        assert "connection" not in reply.headers
    assert server.connections == 1


async def test_a_request_may_come_byte_by_byte(edge: Edge) -> None:
    server = await edge.serve()
    peer = await edge.connect(server)
    for byte in request("POST", "/slow?a=b", body=b"body", headers=b"A: b\r\n") + request("GET", "/next"):
        await peer.send(bytes([byte]))
        await asyncio.sleep(0)
    assert (await peer.reply()).body == b"POST /slow body"
    assert (await peer.reply()).body == b"GET /next "
    assert edge.script.calls[0].query == "a=b"


async def test_the_client_may_ask_for_the_end_of_the_connection(edge: Edge) -> None:
    server = await edge.serve()
    peer = await edge.connect(server)
    await peer.send(request(headers=b"Connection: close\r\n"))
    assert (await peer.reply()).headers["connection"] == "close"
    assert await peer.closed()


async def test_http_1_0_ends_the_connection_unless_it_asks_to_keep_it(edge: Edge) -> None:
    server = await edge.serve()
    peer = await edge.connect(server)
    await peer.send(b"GET /kept HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    reply = await peer.reply()
    assert (reply.body, reply.headers["connection"]) == (b"GET /kept ", "keep-alive")
    await peer.send(b"GET /last HTTP/1.0\r\n\r\n")
    reply = await peer.reply()
    assert (reply.body, reply.headers["connection"]) == (b"GET /last ", "close")
    assert await peer.closed()


async def test_chunked_bodies_come_whole_and_their_trailers_are_dropped(edge: Edge) -> None:
    server = await edge.serve()
    peer = await edge.connect(server)
    head = request("POST", "/", headers=b"Transfer-Encoding: Chunked\r\n")
    await peer.send(
        head + b"3;name=value\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: dropped\r\n\r\n" + request(target="/2")
    )
    assert (await peer.reply()).body == b"POST / abcde"
    assert (await peer.reply()).body == b"GET /2 "
    assert all(name != b"x-trailer" for call in edge.script.calls for name, _ in call.headers)


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "zstd", "GZIP"])
@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_compressed_bodies_are_decoded_and_no_header_says_otherwise(
    edge: Edge, encoding: str, framing: str
) -> None:
    server = await edge.serve()
    plain = b"text that compresses " * 9999
    packed = zstd.compress(plain) if encoding == "zstd" else gzip.compress(plain)
    headers = f"Content-Encoding: {encoding}\r\n".encode()
    if framing == "length":
        raw = request("POST", "/", body=packed, headers=headers)
    else:
        pieces = [packed[at : at + 7] for at in range(0, len(packed), 7)]
        raw = request("POST", "/", headers=headers + b"Transfer-Encoding: chunked\r\n") + chunked(*pieces)
    reply = await edge.ask(server, raw)
    assert reply.body == b"POST / " + plain
    names = [name for name, _ in edge.script.calls[0].headers]
    assert b"content-encoding" not in names
    assert b"content-length" not in names


async def test_identity_and_an_absent_body_need_no_decoding(edge: Edge) -> None:
    server = await edge.serve()
    reply = await edge.ask(
        server, request("POST", "/", body=b"as is", headers=b"Content-Encoding: identity\r\n")
    )
    assert reply.body == b"POST / as is"
    reply = await edge.ask(server, request("POST", "/", body=b"", headers=b"Content-Encoding: gzip\r\n"))
    assert reply.body == b"POST / "


async def test_a_large_body_in_many_reads_comes_whole(edge: Edge) -> None:
    server = await edge.serve()
    body = bytes(range(256)) * 8192
    peer = await edge.connect(server)
    sending = asyncio.ensure_future(peer.send(request("PUT", "/", body=body) + request(target="/next")))
    assert (await peer.reply()).body == b"PUT / " + body
    await sending
    assert (await peer.reply()).body == b"GET /next "


async def test_a_head_just_below_the_limit_may_come_in_one_piece_with_its_body(edge: Edge) -> None:
    server = await edge.serve()
    head = request(
        "POST", "/a", body=b"", headers=b"A: " + b"a" * 65000 + b"\r\nTransfer-Encoding: chunked\r\n"
    )
    head = head.replace(b"Content-Length: 0\r\n", b"")
    peer = await edge.connect(server)
    sending = asyncio.ensure_future(peer.send(head + chunked(bytes(100_000))))
    assert (await peer.reply()).body == b"POST /a " + bytes(100_000)
    await sending


async def test_expect_100_continue_gets_its_go_ahead(edge: Edge) -> None:
    server = await edge.serve()
    peer = await edge.connect(server)
    await peer.send(b"POST / HTTP/1.1\r\n" + HOST + b"Expect: 100-Continue\r\nContent-Length: 4\r\n\r\n")
    assert await peer.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    await peer.send(b"body")
    assert (await peer.reply()).body == b"POST / body"


async def test_no_go_ahead_without_a_body_or_towards_http_1_0(edge: Edge) -> None:
    server = await edge.serve()
    reply = await edge.ask(server, request(headers=b"Expect: 100-continue\r\n"))
    assert reply.status == 200
    raw = b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx"
    assert (await edge.ask(server, raw)).status == 200


async def test_head_has_the_headers_of_get_and_no_body(edge: Edge) -> None:
    server = await edge.serve()
    peer = await edge.connect(server)
    await peer.send(request("HEAD", "/a") + request("GET", "/b"))
    reply = await peer.reply(head_only=True)
    assert reply.headers["content-length"] == str(len(b"HEAD /a "))
    assert (await peer.reply()).body == b"GET /b "


async def test_an_absolute_target_names_the_host(edge: Edge) -> None:
    server = await edge.serve()
    raw = b"GET http://other.example:80/v1/models?x HTTP/1.1\r\nAccept: */*\r\n" + HOST + b"\r\n"
    assert (await edge.ask(server, raw)).body == b"GET /v1/models "
    assert edge.script.calls[0].header(b"host") == b"other.example:80"
    assert len([1 for name, _ in edge.script.calls[0].headers if name == b"host"]) == 1


async def test_empty_lines_before_a_request_are_skipped(edge: Edge) -> None:
    server = await edge.serve()
    assert (await edge.ask(server, b"\r\n\r\n" + request())).status == 200


@pytest.mark.parametrize("framing", ["length", "chunks", "none"])
@pytest.mark.parametrize("split", [False, True])
async def test_an_offer_of_h2c_is_ignored_and_the_request_served_with_its_body(
    edge: Edge, framing: str, split: bool
) -> None:
    server = await edge.serve()
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    if framing == "length":
        head, body = request("POST", "/a", headers=offer + b"Content-Length: 4\r\n"), b"body"
    elif framing == "chunks":
        head, body = (
            request("POST", "/a", headers=offer + b"Transfer-Encoding: chunked\r\n"),
            chunked(b"bo", b"dy"),
        )
    else:
        head, body = request("GET", "/a", headers=offer), b""
    peer = await edge.connect(server)
    if split:
        await peer.send(head)
        await asyncio.sleep(0)
        await peer.send(body)
    else:
        await peer.send(head + body)
    reply = await peer.reply()
    assert reply.body == (b"GET /a " if framing == "none" else b"POST /a body")
    await peer.send(request(target="/b"))
    assert (await peer.reply()).body == b"GET /b "
    assert edge.script.calls[0].header(b"upgrade") is None


async def test_an_offer_of_h2c_behind_a_running_request_waits_its_turn(edge: Edge) -> None:
    server = await edge.serve()
    offer = b"Connection: Upgrade, close\r\nUpgrade: h2c\r\n"
    peer = await edge.connect(server)
    await peer.send(request(target="/a") + request("POST", "/b", body=b"body", headers=offer))
    assert (await peer.reply()).body == b"GET /a "
    reply = await peer.reply()
    assert (reply.body, reply.headers["connection"]) == (b"POST /b body", "close")


async def test_a_key_in_the_query_becomes_a_header(edge: Edge) -> None:
    server = await edge.serve()
    await edge.ask(server, request(target="/v1beta/models?alt=sse&key=s%65cret&key=2"))
    (call,) = edge.script.calls
    assert call.query == "alt=sse"
    assert call.header(b"x-goog-api-key") == b"secret"


async def test_bytes_after_the_last_request_are_dropped(edge: Edge) -> None:
    server = await edge.serve()
    peer = await edge.connect(server)
    await peer.send(request(headers=b"Connection: close\r\n") + request(target="/never"))
    assert (await peer.reply()).body == b"GET / "
    await peer.send(b"more that nobody reads")
    assert await peer.closed()
    assert len(edge.script.calls) == 1


async def test_bytes_that_come_during_the_last_answer_are_dropped(edge: Edge) -> None:
    go = asyncio.Event()
    started = asyncio.Event()

    async def handler(_call: Call, sink: Sink) -> None:
        started.set()
        await go.wait()
        sink.whole(200, [], b"late")

    server = await edge.serve(handler)
    peer = await edge.connect(server)
    await peer.send(request(headers=b"Connection: close\r\n"))
    await started.wait()
    await peer.send(request(target="/never"))
    await until(lambda: edge.connection(server)._dropped)
    go.set()
    assert (await peer.reply()).body == b"late"
    assert await peer.closed()
