"""Requests of which all but the body is known beforehand."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.upstream.scripted import OK, Peer, Server, calling, failure_of, serving
from tokligence.errors import GatewayError
from tokligence.upstream import client as client_module
from tokligence.upstream.client import Client, Endpoint, header_lines
from tokligence.upstream.origin import parse_origin
from tokligence.upstream.proxies import Proxies

HEADERS = [(b"x-key", b"k"), (b"x-version", b"1")]
LINES = header_lines(HEADERS)
OWN = header_lines([(b"x-a", b"b")])


def endpoint(server: Server, path: str = "/v1") -> Endpoint:
    return Endpoint(server.origin(path=path), b"/messages", LINES, "acme")


def lines_of(head: bytes) -> list[bytes]:
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    return [first, *sorted(lines)]


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 1 << 20])
def test_a_request_to_an_endpoint_is_what_send_would_send(run: Any, size: int) -> None:
    requests: list[tuple[bytes, bytes]] = []

    async def script(peer: Peer) -> None:
        while True:
            requests.append(await peer.answer())

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            body = b"x" * size
            known = endpoint(server)
            for _ in range(2):
                answer = await client.post(known, body, OWN)
                assert await answer.read(9) == b"ok"
            answer = await client.send(
                known.origin, b"POST", known.target, [(b"x-a", b"b"), *HEADERS], body, provider="acme"
            )
            assert await answer.read(9) == b"ok"
            assert server.connections == 1
        first, second, sent = requests
        assert first == second
        assert (lines_of(first[0]), first[1]) == (lines_of(sent[0]), sent[1])

    run(main())


def test_endpoints_below_different_prefixes_share_connections(run: Any) -> None:
    heads: list[bytes] = []

    async def script(peer: Peer) -> None:
        while True:
            heads.append((await peer.answer())[0])

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            for path in ("/one", "/two"):
                await client.post(endpoint(server, path), b"")
            assert server.connections == 1
        assert [head.split(b" ")[1] for head in heads] == [b"/one/messages", b"/two/messages"]

    run(main())


def test_an_endpoint_behind_a_proxy_is_asked_in_absolute_form(run: Any) -> None:
    async def script(peer: Peer) -> None:
        head, _ = await peer.answer(OK)
        assert head.startswith(
            b"POST http://llm.example/v1/messages HTTP/1.1\r\nhost: llm.example\r\nproxy-authorization: Basic dTpw\r\n"
        )

    async def main() -> None:
        async with (
            serving(script) as proxy,
            calling(Proxies(http=f"http://u:p@127.0.0.1:{proxy.port}")) as client,
        ):
            origin = parse_origin("http://llm.example/v1", versioned=True)
            assert (await client.post(Endpoint(origin, b"/messages", LINES, "acme"), b"{}")).status == 200

    run(main())


def test_a_stale_connection_is_replaced_for_an_endpoint_too(run: Any) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer()
        if peer.number == 1:
            await peer.request()
            peer.writer.transport.abort()

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            known = endpoint(server)
            for _ in range(2):
                assert await (await client.post(known, b"{}")).read(9) == b"ok"
            assert server.connections == 2

    run(main())


def test_a_target_that_cannot_be_sent_opens_no_connection(run: Any) -> None:
    async def main() -> None:
        async with serving(lambda peer: peer.gone()) as server, calling() as client:
            with pytest.raises(GatewayError, match="path"):
                await client.post(Endpoint(server.origin(), b"/a b", LINES, "acme"), b"")
            assert server.connections == 0

    run(main())


def test_endpoints_of_former_configurations_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MOST_STARTS", 3)

    async def main() -> None:
        client = Client(client_module.Options(), Proxies())
        origin = parse_origin("http://127.0.0.1:1", versioned=True)
        for _ in range(10):
            assert (
                await failure_of(client.post(Endpoint(origin, b"/x", LINES, "acme"), b""))
            ).code == "upstream.connect_failed"
            assert len(client._starts) <= 3
        await client.aclose()

    asyncio.run(main())
