"""Opening connections: TLS against a CA of our own, proxies, refusals, the race of addresses, `local_only`."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import ssl
from pathlib import Path
from typing import Any

import certifi
import pytest
import trustme

from tests.ports import free_port
from tests.upstream.scripted import (
    OK,
    Peer,
    calling,
    failure_of,
    fetch,
    pool_of,
    post,
    serving,
    until,
)
from tokligence.upstream import connect
from tokligence.upstream.client import Endpoint
from tokligence.upstream.connect import ConnectFailure, describe, interleave, trust_store
from tokligence.upstream.origin import parse_origin
from tokligence.upstream.proxies import Proxies
from tokligence.upstream.request import NO_LINES

LARGE = b"0123456789abcdef" * 65536  # 1 MiB


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """OpenSSL takes the CA from SSL_CERT_FILE, as a user would set it."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return authority


def context_for(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["h2", "http/1.1"])
    authority.issue_cert(*(names or ("127.0.0.1", "api.example"))).configure_cert(context)
    return context


async def serve_ok(peer: Peer) -> None:
    while True:
        await peer.answer()


# ---------------------------------------------------------------------- TLS


def test_tls_by_the_loop_carries_large_bodies_both_ways_and_is_kept(run: Any, trusted: trustme.CA) -> None:
    async def script(peer: Peer) -> None:
        assert peer.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
        while True:
            _, body = await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)

    async def main() -> None:
        async with serving(script, context_for(trusted)) as server, calling() as client:
            for _ in range(2):
                assert await fetch(client, server.origin(scheme="https"), LARGE) == LARGE
            assert server.connections == 1

    run(main())


def test_an_unknown_ca_is_refused_in_words(run: Any, authority: trustme.CA) -> None:
    async def main() -> None:
        async with serving(serve_ok, context_for(authority)) as server, calling() as client:
            error = await failure_of(post(client, server.origin(scheme="https")))
            assert error.code == "upstream.connect_failed"
            assert "acme: its TLS certificate is not trusted (unable to get local issuer" in error.message

    run(main())


def test_a_certificate_for_another_name_is_refused(run: Any, trusted: trustme.CA) -> None:
    async def main() -> None:
        context = context_for(trusted, "other.example")
        async with serving(serve_ok, context) as server, calling() as client:
            error = await failure_of(post(client, server.origin(scheme="https")))
            assert error.code == "upstream.connect_failed"
            assert "certificate is not trusted" in error.message

    run(main())


def test_a_peer_that_does_not_speak_tls_is_refused(run: Any, trusted: trustme.CA) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        await peer.gone()

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            error = await failure_of(post(client, server.origin(scheme="https")))
            assert error.code == "upstream.connect_failed"
            assert "TLS handshake failed" in error.message

    run(main())


def test_a_peer_that_closes_during_the_handshake_is_refused(run: Any, trusted: trustme.CA) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.read(1)

    async def main() -> None:
        async with serving(script) as server, calling() as client:
            error = await failure_of(post(client, server.origin(scheme="https")))
            assert error.code == "upstream.connect_failed"

    run(main())


def test_a_handshake_that_hangs_is_a_connect_time_out(run: Any, trusted: trustme.CA) -> None:
    async def main() -> None:
        closed = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.gone()
            closed.set()

        async with serving(script) as server, calling(connect_timeout_s=0.05) as client:
            error = await failure_of(post(client, server.origin(scheme="https")))
            assert (error.code, error.details["phase"]) == ("upstream.timeout", "connect")
            await closed.wait()

    run(main())


def test_an_answer_over_tls_that_is_cut_is_a_cut(run: Any, trusted: trustme.CA) -> None:
    go = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
        await go.wait()
        peer.writer.transport.abort()

    async def main() -> None:
        async with serving(script, context_for(trusted)) as server, calling() as client:
            answer = await post(client, server.origin(scheme="https"))
            assert await answer.chunk() == b"half"
            go.set()
            assert (await failure_of(answer.chunk())).code == "upstream.cut"

    run(main())


def test_an_answer_over_tls_without_a_length_ends_with_the_farewell(run: Any, trusted: trustme.CA) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\n\r\nwhole")

    async def main() -> None:
        async with serving(script, context_for(trusted)) as server, calling() as client:
            assert await fetch(client, server.origin(scheme="https")) == b"whole"

    run(main())


def test_a_slow_consumer_stops_the_reading_over_tls_too(run: Any, trusted: trustme.CA) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(LARGE) + LARGE)

    async def main() -> None:
        async with serving(script, context_for(trusted)) as server, calling(buffer_bytes=1000) as client:
            origin = server.origin(scheme="https")
            answer = await post(client, origin)
            (connection,) = client._lanes[origin.key].pool.open
            await until(lambda: connection._reading_paused)
            assert await answer.read(len(LARGE)) == LARGE

    run(main())


def test_certifis_store_stands_in_where_the_system_has_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    bundled = Path(certifi.where()).read_text().count("BEGIN CERTIFICATE")
    assert trust_store().cert_store_stats()["x509_ca"] > bundled // 2
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "absent"))
    assert trust_store().cert_store_stats()["x509_ca"] > bundled // 2


def test_a_directory_of_certificates_is_a_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "0a0b0c0d.0").write_text("read by OpenSSL when needed")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert trust_store().cert_store_stats()["x509_ca"] == 0


# ---------------------------------------------------------------------- failures


def test_a_refused_connection_says_so(run: Any) -> None:
    async def main() -> None:
        async with calling() as client:
            origin = parse_origin(f"http://127.0.0.1:{free_port()}", versioned=True)
            error = await failure_of(post(client, origin))
            assert error.code == "upstream.connect_failed"
            assert error.message == "No connection to acme: connection refused."

    run(main())


def test_a_name_that_does_not_resolve_says_so(run: Any) -> None:
    async def main() -> None:
        async with calling() as client:
            error = await failure_of(post(client, parse_origin("http://nowhere.invalid", versioned=True)))
            assert error.code == "upstream.connect_failed"
            assert error.message == "No connection to acme: its host name cannot be resolved."

    run(main())


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectFailure("the proxy refused with status 403"), "the proxy refused with status 403"),
        (
            ConnectionAbortedError("SSL handshake is taking longer"),
            "the connection was closed during the handshake",
        ),
        (ConnectionResetError(104, "at ('10.0.0.1', 1)"), os.strerror(104).lower()),
        (ssl.SSLError(1, "x"), "the TLS handshake failed (protocol error)"),
        (socket.gaierror(-2, "x"), "its host name cannot be resolved"),
    ],
)
def test_reasons_are_short_words_without_addresses(error: OSError | ConnectFailure, words: str) -> None:
    assert describe(error) == words


# ---------------------------------------------------------------------- the race of addresses

V4 = (socket.AF_INET, socket.SOCK_STREAM, 6, ("127.0.0.1", 1))
V6 = (socket.AF_INET6, socket.SOCK_STREAM, 6, ("::1", 1, 0, 0))


def test_families_take_turns_and_the_resolvers_first_leads() -> None:
    assert interleave([V6, V6, V6, V4]) == [V6, V4, V6, V6]
    assert interleave([V4, V6, V6]) == [V4, V6, V6]
    assert interleave([V4]) == [V4]


class Race:
    """Addresses by port: 0 hangs, 1 fails, else a socket."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *kinds: str) -> None:
        self.tried: list[str] = []
        self.cancelled: list[str] = []
        self.sockets: list[socket.socket] = []
        monkeypatch.setattr(connect, "ATTEMPT_DELAY_S", 0.01)
        monkeypatch.setattr(connect, "_attempt", self._attempt)

        async def resolve(*_: Any) -> list[Any]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, (kind, 1)) for kind in kinds]

        monkeypatch.setattr(connect, "_resolve", resolve)

    async def _attempt(self, loop: asyncio.AbstractEventLoop, address: Any) -> socket.socket:
        kind = address[3][0]
        self.tried.append(kind)
        if kind.startswith("fail"):
            raise OSError(111, kind)
        if kind.startswith("hang"):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.append(kind)
                if kind == "hang-then-connect":
                    self.sockets.append(socket.socket())
                    return self.sockets[-1]
                raise
        self.sockets.append(socket.socket())
        return self.sockets[-1]


def test_an_address_that_hangs_is_overtaken_by_the_next(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    race = Race(monkeypatch, "hang", "good", "unneeded")

    async def main() -> None:
        sock = await connect.dial(asyncio.get_running_loop(), "host", 1)
        assert sock is race.sockets[0]
        await until(lambda: race.cancelled == ["hang"])
        assert race.tried == ["hang", "good"]
        sock.close()

    run(main())


def test_an_address_that_fails_is_followed_by_the_next_at_once(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    race = Race(monkeypatch, "fail", "good")

    async def main() -> None:
        (await connect.dial(asyncio.get_running_loop(), "host", 1)).close()
        assert race.tried == ["fail", "good"]

    run(main())


def test_if_every_address_fails_the_last_failure_is_told(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Race(monkeypatch, "fail-1", "fail-2")

    async def main() -> None:
        with pytest.raises(OSError, match="fail-2"):
            await connect.dial(asyncio.get_running_loop(), "host", 1)

    run(main())


def test_a_loser_that_connected_too_is_closed(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    race = Race(monkeypatch, "hang-then-connect", "good")

    async def main() -> None:
        sock = await connect.dial(asyncio.get_running_loop(), "host", 1)
        await until(lambda: len(race.sockets) == 2 and race.sockets[1].fileno() == -1)
        assert sock.fileno() != -1
        sock.close()

    run(main())


def test_leaving_during_the_race_ends_every_attempt(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    race = Race(monkeypatch, "hang-1", "hang-2")

    async def main() -> None:
        call = asyncio.ensure_future(connect.dial(asyncio.get_running_loop(), "host", 1))
        await until(lambda: len(race.tried) == 2)
        call.cancel()
        await until(lambda: sorted(race.cancelled) == ["hang-1", "hang-2"])
        with pytest.raises(asyncio.CancelledError):
            await call

    run(main())


def test_localhost_finds_a_server_that_listens_on_one_family_only(run: Any) -> None:
    async def main() -> None:
        async with serving(serve_ok) as server, calling() as client:
            assert await fetch(client, server.origin(host="localhost")) == b"ok"

    run(main())


def test_small_writes_are_not_delayed(run: Any) -> None:
    async def main() -> None:
        async with serving(serve_ok) as server, calling() as client:
            await fetch(client, server.origin())
            (connection,) = pool_of(client, server).open
            sock = connection._transport.get_extra_info("socket")
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)

    run(main())


# ---------------------------------------------------------------------- local_only


def test_a_host_that_is_not_allowed_is_never_connected_to(run: Any) -> None:
    async def main() -> None:
        seen: list[tuple[str, int]] = []
        async with (
            serving(serve_ok) as server,
            calling(
                allowed=lambda host: host == "127.0.0.1",
                on_connect=lambda host, port: seen.append((host, port)),
            ) as client,
        ):
            assert await fetch(client, server.origin()) == b"ok"
            for url in ("https://api.openai.com/v1", "http://api.anthropic.com", "http://localhost:1"):
                error = await failure_of(post(client, parse_origin(url, versioned=True)))
                assert error.code == "upstream.blocked"
            assert seen == [("127.0.0.1", server.port)]

    run(main())


@pytest.mark.parametrize("url", ["http://box.invalid:8000/v1", "https://box.invalid/v1"])
def test_where_hosts_are_restricted_no_proxy_is_contacted(run: Any, url: str) -> None:
    async def main() -> None:
        seen: list[str] = []
        async with serving(serve_ok) as proxy:
            address = f"http://127.0.0.1:{proxy.port}"
            async with calling(
                Proxies(http=address, https=address),
                allowed=lambda host: host == "box.invalid",
                on_connect=lambda host, _: seen.append(host),
            ) as client:
                origin = parse_origin(url, versioned=True)
                for call in (
                    post(client, origin),
                    client.post(Endpoint(origin, b"/x", NO_LINES, "acme"), b""),
                ):
                    assert (await failure_of(call)).code == "upstream.connect_failed"
            assert seen == ["box.invalid"] * 2
            assert proxy.connections == 0

    run(main())


def test_a_replacement_of_a_stale_connection_asks_again(run: Any) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer()
        await peer.request()

    async def main() -> None:
        answers = iter([True, False])
        async with serving(script) as server, calling(allowed=lambda _: next(answers)) as client:
            assert await fetch(client, server.origin()) == b"ok"
            assert (await failure_of(post(client, server.origin()))).code == "upstream.blocked"

    run(main())


# ---------------------------------------------------------------------- proxies


class Tunnels:
    """A proxy that answers CONNECT with `answer` and then joins both ends, whatever name was asked for."""

    def __init__(
        self, target: int, answer: bytes = b"HTTP/1.1 200 Connection established\r\nvia: p\r\n\r\n"
    ) -> None:
        self._target = target
        self._answer = answer
        self.heads: list[bytes] = []

    async def __call__(self, peer: Peer) -> None:
        self.heads.append(await peer.head())
        reader, writer = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            await peer.send(self._answer)
            await asyncio.gather(self._copy(peer.reader, writer), self._copy(reader, peer.writer))
        finally:
            writer.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()


@pytest.mark.parametrize("login", ["", "user:p%40ss@"])
def test_https_goes_through_a_tunnel_with_tls_to_the_origin(
    run: Any, trusted: trustme.CA, login: str
) -> None:
    async def main() -> None:
        heads = []

        async def script(peer: Peer) -> None:
            while True:
                heads.append((await peer.answer())[0])

        async with serving(script, context_for(trusted)) as server:
            tunnels = Tunnels(
                server.port, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
            )
            seen: list[tuple[str, int]] = []
            async with (
                serving(tunnels) as proxy,
                calling(
                    Proxies(https=f"http://{login}127.0.0.1:{proxy.port}"),
                    on_connect=lambda host, port: seen.append((host, port)),
                ) as client,
            ):
                origin = parse_origin("https://api.example:8443/v1", versioned=True)
                for _ in range(2):
                    assert await fetch(client, origin) == b"ok"
                assert seen == [("127.0.0.1", proxy.port)]
        (head,) = tunnels.heads
        assert head.startswith(b"CONNECT api.example:8443 HTTP/1.1\r\nhost: api.example:8443\r\n")
        assert (b"proxy-authorization: Basic " + base64.b64encode(b"user:p@ss") in head) is bool(login)
        assert len(heads) == 2
        assert all(h.startswith(b"POST /v1/x HTTP/1.1\r\nhost: api.example:8443\r\n") for h in heads)
        assert not any(b"proxy-" in h for h in heads)

    run(main())


def test_a_tunnel_to_an_ipv6_address_puts_it_into_brackets(run: Any) -> None:
    async def main() -> None:
        heads = []

        async def refuse(peer: Peer) -> None:
            heads.append(await peer.head())
            await peer.send(b"HTTP/1.1 403 Forbidden\r\n\r\n")

        async with (
            serving(refuse) as proxy,
            calling(Proxies(https=f"http://127.0.0.1:{proxy.port}")) as client,
        ):
            await failure_of(post(client, parse_origin("https://[2001:db8::1]", versioned=True)))
        assert heads[0].startswith(b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\n")

    run(main())


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", "the proxy refused with status 403"),
        (
            b"HTTP/1.1 407 Auth\r\ncontent-length: 0\r\n\r\n",
            "the proxy wants a user name and a password, or others",
        ),
        (b"HTTP/1.1 302 Found\r\nlocation: /login\r\n\r\n", "the proxy refused with status 302"),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", "the proxy's answer is not valid"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "the proxy's answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 70000, "the proxy's answer is too large"),
        (b"HTTP/1.1 200", "the proxy closed the connection"),
    ],
)
def test_a_proxy_that_refuses_is_a_failed_connect_without_its_password(
    run: Any, answer: bytes, reason: str
) -> None:
    async def main() -> None:
        async def script(peer: Peer) -> None:
            await peer.head()
            await peer.send(answer)
            if len(answer) > 20:
                await peer.gone()

        async with (
            serving(script) as proxy,
            calling(Proxies(https=f"http://user:hunter2@127.0.0.1:{proxy.port}")) as client,
        ):
            error = await failure_of(post(client, parse_origin("https://api.example", versioned=True)))
            assert error.code == "upstream.connect_failed"
            assert error.details["reason"] == reason
            assert "hunter2" not in error.text

    run(main())


def test_http_goes_to_the_proxy_in_absolute_form(run: Any) -> None:
    async def main() -> None:
        heads = []

        async def script(peer: Peer) -> None:
            while True:
                heads.append((await peer.answer(OK))[0])

        async with (
            serving(script) as proxy,
            calling(Proxies(http=f"http://user:pass@127.0.0.1:{proxy.port}")) as client,
        ):
            origin = parse_origin("http://llm.example:8000/v1", versioned=True)
            for _ in range(2):
                assert await fetch(client, origin) == b"ok"
            assert proxy.connections == 1
        assert set(heads) == {
            b"POST http://llm.example:8000/v1/x HTTP/1.1\r\nhost: llm.example:8000\r\nproxy-authorization: Basic dXNlcjpwYXNz\r\ncontent-length: 2\r\nx-a: b\r\n\r\n"
        }

    run(main())


def test_http_through_a_proxy_without_a_login_sends_none(run: Any) -> None:
    async def main() -> None:
        async def script(peer: Peer) -> None:
            head, _ = await peer.answer()
            assert b"proxy-authorization" not in head

        async with serving(script) as proxy, calling(Proxies(http=f"127.0.0.1:{proxy.port}")) as client:
            assert await fetch(client, parse_origin("http://llm.example", versioned=True)) == b"ok"

    run(main())


def test_loopback_and_exempt_hosts_go_past_the_proxy(run: Any) -> None:
    async def main() -> None:
        async with (
            serving(serve_ok) as server,
            serving(serve_ok) as proxy,
            calling(Proxies(http=f"http://127.0.0.1:{proxy.port}", no_proxy=".invalid")) as client,
        ):
            assert await fetch(client, server.origin()) == b"ok"
            error = await failure_of(post(client, parse_origin("http://nowhere.invalid", versioned=True)))
            assert error.details["reason"] == "its host name cannot be resolved"
            assert (server.connections, proxy.connections) == (1, 0)

    run(main())
