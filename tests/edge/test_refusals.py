"""Requests that never become a call: each refused with its status, in the client's shape, and the connection ended."""

from __future__ import annotations

import gzip

import pytest

from tests.edge.peer import HOST, Edge, chunked, request, until
from tokligence.edge.protocol import SLICE

CHUNKED = b"Transfer-Encoding: chunked\r\n"
BAD = b"\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\n" + HOST + b"".join(lines) + b"\r\n" + body


def get(*lines: bytes, target: bytes = b"/", version: bytes = b"1.1") -> bytes:
    return b"GET %b HTTP/%b\r\n" % (target, version) + b"".join(lines) + b"\r\n"


MALFORMED = {
    # who ends the body where: the classes of request smuggling
    "Content-Length with chunked": post(b"Content-Length: 5\r\n", CHUNKED, body=chunked()),
    "chunked with Content-Length": post(CHUNKED, b"Content-Length: 5\r\n", body=chunked()),
    "Content-Length twice, equal": post(b"Content-Length: 1\r\n", b"Content-Length: 1\r\n", body=b"x"),
    "Content-Length twice, different": post(b"Content-Length: 1\r\n", b"Content-Length: 2\r\n", body=b"xy"),
    "Content-Length as a list": post(b"Content-Length: 1, 1\r\n", body=b"x"),
    "Content-Length with a sign": post(b"Content-Length: +1\r\n", body=b"x"),
    "Content-Length negative": post(b"Content-Length: -1\r\n", body=b"x"),
    "Content-Length in hexadecimal": post(b"Content-Length: 0x1\r\n", body=b"x"),
    "Content-Length with a space inside": post(b"Content-Length: 1 1\r\n", body=b"x"),
    "Content-Length with an underscore": post(b"Content-Length: 1_0\r\n", body=b"x" * 10),
    "Content-Length empty": post(b"Content-Length: \r\n"),
    "Content-Length beyond 64 bits": post(b"Content-Length: 99999999999999999999\r\n"),
    "Transfer-Encoding twice": post(CHUNKED, CHUNKED, body=chunked()),
    "a coding before chunked": post(b"Transfer-Encoding: gzip, chunked\r\n", body=chunked()),
    "a coding after chunked": post(b"Transfer-Encoding: chunked, gzip\r\n", body=chunked()),
    "identity": post(b"Transfer-Encoding: identity\r\n"),
    "chunked in quotes": post(b'Transfer-Encoding: "chunked"\r\n', body=chunked()),
    "chunked misspelt": post(b"Transfer-Encoding: xchunked\r\n", body=chunked()),
    "chunked behind a vertical tab": post(b"Transfer-Encoding: \x0bchunked\r\n", body=chunked()),
    "chunked on HTTP/1.0": b"POST / HTTP/1.0\r\n" + CHUNKED + b"\r\n" + chunked(),
    "a chunk size in 0x form": post(CHUNKED, body=b"0x1\r\nx\r\n0\r\n\r\n"),
    "a chunk size with a space": post(CHUNKED, body=b"1 \r\nx\r\n0\r\n\r\n"),
    "a chunk size beyond 64 bits": post(CHUNKED, body=b"FFFFFFFFFFFFFFFFF\r\n"),
    "a chunk size that is missing": post(CHUNKED, body=b"\r\n"),
    "a chunk that is longer than its size": post(CHUNKED, body=b"1\r\nxy\r\n0\r\n\r\n"),
    "a chunk line ended by LF": post(CHUNKED, body=b"1\nx\r\n0\r\n\r\n"),
    "a chunk extension with a line feed": post(CHUNKED, body=b"1;a=\nb\r\nx\r\n0\r\n\r\n"),
    "Content-Length in the trailers": post(CHUNKED, body=b"0\r\nContent-Length: 3\r\n\r\n"),
    # lines
    "lines ended by LF": b"GET / HTTP/1.1\nHost: localhost\n\n",
    "one line ended by LF": b"GET / HTTP/1.1\r\nHost: localhost\n\r\n",
    "a carriage return inside a value": get(HOST, b"A: b\rc\r\n"),
    "a folded line": get(HOST, b"A: b\r\n c\r\n"),
    "a space before the colon": get(HOST, b"Content-Length : 5\r\n"),
    "a space before the first header": get(b" Host: localhost\r\n"),
    "a header without a name": get(HOST, b": b\r\n"),
    "a header without a colon": get(HOST, b"nonsense\r\n"),
    "NUL in a value": get(HOST, b"A: b\0c\r\n"),
    "NUL in a name": get(HOST, b"A\0: b\r\n"),
    "a control character in a value": get(HOST, b"A: b\x01c\r\n"),
    "DEL in a value": get(HOST, b"A: b\x7fc\r\n"),
    "a name that is not ASCII": get(HOST, "Ä: b\r\n".encode()),
    # Host
    "no Host": get(),
    "Host twice": get(HOST, HOST),
    "Host that is no name": get(b"Host: " + b"a" * 301 + b"\r\n"),
    "Host with a path": get(b"Host: localhost/x\r\n"),
    "Host with user information": get(b"Host: a@localhost\r\n"),
    "Host with a space": get(b"Host: local host\r\n"),
    "Host with a port that is none": get(b"Host: localhost:80a\r\n"),
    # the request line
    "a method in lower case": b"get / HTTP/1.1\r\n" + HOST + b"\r\n",
    "an unknown method": b"FOO / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a space in the target": get(HOST, target=b"/a b"),
    "a tab in the target": get(HOST, target=b"/a\tb"),
    "a control character in the target": get(HOST, target=b"/a\x01"),
    "a target that is not ASCII": get(HOST, target="/ä".encode()),
    "a target without a slash": get(HOST, target=b"v1"),
    "a fragment": get(HOST, target=b"/v1#x"),
    "an asterisk, but not OPTIONS": get(HOST, target=b"*"),
    "an absolute target of another scheme": get(HOST, target=b"ftp://localhost/"),
    "an absolute target with user information": get(HOST, target=b"http://a@localhost/"),
    "an invalid percent escape": get(HOST, target=b"/v1/%zz"),
    "a percent escape cut short": get(HOST, target=b"/v1/%a"),
    "an escaped NUL": get(HOST, target=b"/v1/%00"),
    "an escaped line break": get(HOST, target=b"/v1/%0d%0aA:%20b"),
    "a path that is not UTF-8": get(HOST, target=b"/v1/%ff"),
    "a version after the version": b"GET / HTTP/1.1 HTTP/1.1\r\n" + HOST + b"\r\n",
    "HTTP/1.2": get(HOST, version=b"1.2"),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "noise": bytes(range(256)),
    # bodies
    "a gzip body that is none": post(b"Content-Encoding: gzip\r\nContent-Length: 4\r\n", body=b"none"),
    "a gzip body cut short": request(
        "POST", body=gzip.compress(b"x" * 99)[:-4], headers=b"Content-Encoding: gzip\r\n"
    ),
    "a zstd body that is none": post(b"Content-Encoding: zstd\r\nContent-Length: 4\r\n", body=b"none"),
    "two headers of content coding": post(
        b"Content-Encoding: gzip\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n", body=b"none"
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_malformed_requests_get_400_and_nothing_behind_them_is_served(edge: Edge, name: str) -> None:
    server = await edge.serve()
    peer = await edge.connect(server)
    await peer.send(MALFORMED[name] + BAD)
    reply = await peer.reply()
    assert reply.status == 400, reply
    assert reply.body.startswith((b"http.malformed|", b"http.bad_encoding|"))
    assert reply.headers["connection"] == "close"
    assert await peer.closed()
    assert edge.script.calls == []
    assert edge.crashes == []


OTHERS = {
    "CONNECT": (b"CONNECT localhost:1 HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    "an unknown expectation": (post(b"Expect: 200-ok\r\nContent-Length: 1\r\n", body=b"x"), 417),
    "a content coding that we lack": (post(b"Content-Encoding: br\r\nContent-Length: 1\r\n", body=b"x"), 415),
    "two content codings": (post(b"Content-Encoding: gzip, gzip\r\nContent-Length: 1\r\n", body=b"x"), 415),
    "HTTP/0.9": (b"GET /\r\n\r\n", 505),
    "HTTP/2.0": (get(HOST, version=b"2.0"), 505),
}


@pytest.mark.parametrize("name", OTHERS)
async def test_other_refusals_have_their_own_status(edge: Edge, name: str) -> None:
    raw, status = OTHERS[name]
    server = await edge.serve()
    peer = await edge.connect(server)
    await peer.send(raw)
    reply = await peer.reply()
    assert (reply.status, reply.headers["connection"]) == (status, "close")
    assert await peer.closed()
    assert edge.script.calls == []


async def test_an_error_knows_the_path_as_far_as_it_was_read(edge: Edge) -> None:
    server = await edge.serve()
    reply = await edge.ask(server, get(b"Bad Name: x\r\n", target=b"//anthropic/v1"))
    assert reply.headers["x-path"] == "/anthropic/v1"
    reply = await edge.ask(server, post(CHUNKED, body=b"nonsense"))
    assert reply.headers["x-path"] == "/"
    reply = await edge.ask(server, get(b"Bad Name: x\r\n", target=b"/%zz"))
    assert reply.headers["x-path"] == "/"


async def test_an_error_in_the_body_of_a_head_request_has_no_body(edge: Edge) -> None:
    server = await edge.serve()
    peer = await edge.connect(server)
    await peer.send(b"HEAD / HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\nnonsense")
    assert (await peer.reply(head_only=True)).status == 400
    assert await peer.closed()


@pytest.mark.parametrize("size", [65536, 10 * 65536])
async def test_headers_beyond_64_kib_get_431(edge: Edge, size: int) -> None:
    server = await edge.serve()
    peer = await edge.connect(server)
    await peer.send(get(HOST, b"A: " + b"a" * size + b"\r\n"))
    assert (await peer.reply()).status == 431
    assert await peer.closed()


async def test_a_header_that_never_ends_gets_431(edge: Edge) -> None:
    server = await edge.serve()
    peer = await edge.connect(server)
    await peer.send(b"GET / HTTP/1.1\r\nA: " + b"a" * 70000)
    assert (await peer.reply()).status == 431


async def test_a_target_that_never_ends_gets_431(edge: Edge) -> None:
    server = await edge.serve()
    peer = await edge.connect(server)
    await peer.send(b"GET /" + b"a" * 70000)
    assert (await peer.reply()).status == 431


async def test_a_hundred_headers_pass_and_one_more_gets_431(edge: Edge) -> None:
    server = await edge.serve()
    lines = [b"A: b\r\n"] * 99
    assert (await edge.ask(server, get(HOST, *lines))).status == 200
    assert (await edge.ask(server, get(HOST, *lines, b"A: b\r\n"))).status == 431
    peer = await edge.connect(server)
    await peer.send(get(HOST, *lines, b"A: b\r\n", b"A: b\r\n")[:-2])  # the end of the head is not awaited
    assert (await peer.reply()).status == 431


@pytest.mark.parametrize("what", ["a trailer", "many trailers", "a chunk extension"])
async def test_a_body_that_hides_endless_headers_gets_431(edge: Edge, what: str) -> None:
    server = await edge.serve()
    endless = {
        "a trailer": b"0\r\nA: " + b"a" * 99999,
        "many trailers": b"0\r\n" + b"A: b\r\n" * 102,
        "a chunk extension": b"1;" + b"a" * 99999,
    }
    peer = await edge.connect(server)
    await peer.send(post(CHUNKED, body=endless[what]))
    assert (await peer.reply()).status == 431


async def test_an_announced_body_beyond_the_limit_is_refused_before_it_is_sent(edge: Edge) -> None:
    server = await edge.serve(max_body_bytes=1000)
    peer = await edge.connect(server)
    await peer.send(post(b"Expect: 100-continue\r\nContent-Length: 1001\r\n"))
    reply = await peer.reply()
    assert (reply.status, reply.headers["connection"]) == (413, "close")


async def test_a_chunked_body_beyond_the_limit_gets_413(edge: Edge) -> None:
    server = await edge.serve(max_body_bytes=1000)
    assert (await edge.ask(server, post(CHUNKED, body=chunked(b"x" * 1000)))).status == 200
    assert (await edge.ask(server, post(CHUNKED, body=chunked(b"x" * 500, b"x" * 501)))).status == 413


async def test_a_compressed_body_beyond_the_limit_gets_413(edge: Edge) -> None:
    server = await edge.serve(max_body_bytes=100_000)
    bomb = gzip.compress(bytes(10_000_000))
    assert len(bomb) < 100_000
    reply = await edge.ask(server, request("POST", body=bomb, headers=b"Content-Encoding: gzip\r\n"))
    assert reply.status == 413


async def test_a_client_that_keeps_sending_still_reads_why_it_was_refused(edge: Edge) -> None:
    """Closing at once would answer its next bytes with a reset, which can take the answer away."""
    server = await edge.serve(max_body_bytes=1000)
    peer = await edge.connect(server)
    await peer.send(post(b"Content-Length: 10000000\r\n"))
    for _ in range(100):
        await peer.send(bytes(10000))
    assert (await peer.reply()).status == 413
    assert await peer.closed()
    await peer.send(bytes(10000))
    server.sweep(server.loop.time() + 10)
    await until(lambda: server.connections == 0)


async def test_a_refusal_in_the_middle_of_a_read_leaves_the_rest_unread(edge: Edge) -> None:
    server = await edge.serve(max_body_bytes=SLICE)
    peer = await edge.connect(server)
    await peer.send(post(CHUNKED, body=chunked(bytes(SLICE + 1), bytes(5 * SLICE))))
    assert (await peer.reply()).status == 413
    assert await peer.closed()


async def test_a_body_cut_short_by_the_client_gets_400(edge: Edge) -> None:
    server = await edge.serve()
    for raw in (post(b"Content-Length: 5\r\n", body=b"four"), b"GET / HT"):
        peer = await edge.connect(server)
        await peer.send(raw)
        peer.shut()
        reply = await peer.reply()
        assert (reply.status, b"cut short" in reply.body) == (400, True)
        assert await peer.closed()


async def test_a_client_that_says_nothing_and_leaves_gets_no_answer(edge: Edge) -> None:
    server = await edge.serve()
    peer = await edge.connect(server)
    await until(lambda: server.connections == 1)
    peer.shut()
    assert await peer.closed()
    await until(lambda: server.connections == 0)
