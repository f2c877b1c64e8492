"""Who may call, and what a web page may do."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from msgspec import Struct

from tokligence.edge.guard import Guard, Keyring, Rules, check_exposure, is_loopback
from tokligence.errors import GatewayError
from tokligence.pipeline.contract import Call, Headers, Principal


class Entry(Struct, frozen=True):
    name: str
    value: str
    user: str | None = None
    team: str | None = None


class Recorder:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.started = False
        self.gone = False
        self.seen: list[object] = []

    def start(self, status: int, headers: Headers, length: int | None = None) -> None:
        self.seen.append(("start", status, headers, length))

    def write(self, data: bytes) -> None:
        self.seen.append(data)

    def end(self, data: bytes = b"") -> None:
        self.seen.append(("end", data))

    def whole(self, status: int, headers: Headers, body: bytes) -> None:
        self.seen.append((status, headers, body))

    async def drained(self) -> None:
        self.seen.append("drained")

    def on_gone(self, callback: Callable[[], None] | None) -> None:
        self.seen.append(callback)


KEYS = Keyring.of(
    [
        Entry("alice", "tgw-alice", user="alice@example.com", team="red"),
        Entry("bob", "sha256:" + hashlib.sha256(b"tgw-bob").hexdigest()),
    ]
)
ALICE = Principal("alice", "alice@example.com", "red")
BOB = Principal("bob")
CLOSED = Guard(Rules(KEYS, frozenset({"https://app.example"})))
OPEN = Guard(Rules())


def call(*headers: tuple[bytes, bytes], method: str = "POST", path: str = "/v1/messages") -> Call:
    return Call(method, path, "", list(headers), b"", 0.0)


def code(guard: Guard, *headers: tuple[bytes, bytes], **about: str) -> str:
    with pytest.raises(GatewayError) as caught:
        guard.check(call(*headers, **about))
    return caught.value.code


@pytest.mark.parametrize(
    "header",
    [
        (b"authorization", b"Bearer tgw-alice"),
        (b"authorization", b"bearer  tgw-alice"),
        (b"x-api-key", b"tgw-alice"),
        (b"x-goog-api-key", b"tgw-alice"),
        (b"api-key", b"tgw-alice"),
    ],
)
def test_a_key_is_taken_from_any_of_the_headers_that_clients_use(header: tuple[bytes, bytes]) -> None:
    assert CLOSED.check(call(header)) == ALICE


def test_a_key_may_be_configured_by_its_hash() -> None:
    assert CLOSED.check(call((b"x-api-key", b"tgw-bob"))) == BOB
    hashed = hashlib.sha256(b"tgw-bob").hexdigest().encode()
    assert code(CLOSED, (b"x-api-key", b"sha256:" + hashed)) == "auth.invalid_key"


def test_one_known_key_among_several_is_enough() -> None:
    both = [(b"authorization", b"Bearer sk-of-a-vendor"), (b"x-api-key", b"tgw-bob")]
    assert CLOSED.check(call(*both)) == BOB


@pytest.mark.parametrize(
    "header",
    [(b"x-api-key", b"tgw-alic"), (b"authorization", b"Bearer x"), (b"x-api-key", "ä".encode("latin-1"))],
)
def test_an_unknown_key_is_invalid(header: tuple[bytes, bytes]) -> None:
    assert code(CLOSED, header) == "auth.invalid_key"


@pytest.mark.parametrize(
    "header",
    [(b"accept", b"*/*"), (b"authorization", b"Basic YTpi"), (b"x-api-key", b""), (b"authorization", b"")],
)
def test_no_key_is_missing(header: tuple[bytes, bytes]) -> None:
    assert code(CLOSED, header) == "auth.missing_key"


def test_with_keys_neither_host_nor_origin_matters() -> None:
    headers = [(b"host", b"gw.example"), (b"origin", b"https://evil.example"), (b"x-api-key", b"tgw-bob")]
    assert CLOSED.check(call(*headers)) == BOB
    CLOSED.check_origin(call(*headers))


def test_without_keys_any_key_is_accepted() -> None:
    assert OPEN.check(call((b"host", b"localhost"), (b"x-api-key", b"whatever"))) == Principal()


@pytest.mark.parametrize(
    "host",
    [
        b"localhost",
        b"LOCALHOST:8081",
        b"127.0.0.1:8081",
        b"127.9.9.9",
        b"[::1]:8081",
        b"[::1]",
        b"a.localhost.:1",
    ],
)
def test_without_keys_this_machine_is_served(host: bytes) -> None:
    OPEN.check(call((b"host", host)))


def test_http_1_0_without_a_host_is_served() -> None:
    OPEN.check(call())


@pytest.mark.parametrize(
    "host",
    [
        b"evil.example",
        b"localhost.evil.example",
        b"127.0.0.1.evil.example",
        b"192.168.1.5:8081",
        b"",
        b"[::2]",
        b"0.0.0.0",
    ],
)
def test_without_keys_a_name_that_was_rebound_to_us_is_refused(host: bytes) -> None:
    assert code(OPEN, (b"host", host)) == "auth.forbidden_host"


@pytest.mark.parametrize("origin", [b"https://evil.example", b"null", b"http://localhost:3000"])
def test_without_keys_a_web_page_is_refused(origin: bytes) -> None:
    assert code(OPEN, (b"host", b"localhost"), (b"origin", origin)) == "auth.forbidden_origin"


def test_a_page_of_a_configured_origin_is_served_and_may_read_the_answer() -> None:
    guard = Guard(Rules(cors_origins=frozenset({"https://app.example"})))
    page = call((b"host", b"localhost"), (b"origin", b"https://app.example"))
    assert guard.check(page) == Principal()
    recorder = Recorder()
    sink = guard.dress(page, recorder)
    sink.whole(200, [(b"a", b"b")], b"body")
    extra = [
        (b"access-control-allow-origin", b"https://app.example"),
        (b"access-control-expose-headers", b"*"),
        (b"vary", b"origin"),
    ]
    assert recorder.seen == [(200, [(b"a", b"b"), *extra], b"body")]


def test_a_star_means_every_origin() -> None:
    guard = Guard(Rules(cors_origins=frozenset({"*"})))
    assert guard.check(call((b"origin", b"https://any.example"))) == Principal()


def test_other_callers_get_the_answer_undressed() -> None:
    recorder = Recorder()
    for headers in ([], [(b"origin", b"https://evil.example")]):
        assert CLOSED.dress(call(*headers), recorder) is recorder
    assert OPEN.dress(call((b"origin", b"https://app.example")), recorder) is recorder


async def test_a_dressed_sink_passes_everything_on(edge: object) -> None:
    recorder = Recorder()
    sink = CLOSED.dress(call((b"origin", b"https://app.example")), recorder)
    assert not sink.started
    assert not sink.gone
    sink.on_gone(None)
    sink.start(200, [], 5)
    sink.write(b"one")
    await sink.drained()
    sink.end(b"two")
    kinds = [seen[0] if isinstance(seen, tuple) else seen for seen in recorder.seen]
    assert kinds == [None, "start", b"one", "drained", "end"]
    assert recorder.seen[1] == ("start", 200, sink._extra, 5)  # type: ignore[attr-defined]


PREFLIGHT = (b"access-control-request-method", b"POST")


def test_a_preflight_of_a_configured_origin_is_answered_without_a_key() -> None:
    asked = (b"access-control-request-headers", b"x-api-key,content-type")
    preflight = call((b"origin", b"https://app.example"), PREFLIGHT, asked, method="OPTIONS")
    recorder = Recorder()
    assert CLOSED.preflight(preflight, CLOSED.dress(preflight, recorder))
    ((status, headers, body),) = recorder.seen  # type: ignore[misc]
    found = dict(headers)
    assert (status, body) == (204, b"")
    assert found[b"access-control-allow-origin"] == b"https://app.example"
    assert found[b"access-control-allow-headers"] == b"x-api-key,content-type"
    assert b"POST" in found[b"access-control-allow-methods"]
    assert len(found) == len(headers)


def test_a_preflight_need_not_ask_for_headers() -> None:
    preflight = call((b"origin", b"https://app.example"), PREFLIGHT, method="OPTIONS")
    recorder = Recorder()
    assert CLOSED.preflight(preflight, CLOSED.dress(preflight, recorder))
    assert b"access-control-allow-headers" not in dict(recorder.seen[0][1])  # type: ignore[index]


@pytest.mark.parametrize("guard", [CLOSED, OPEN])
def test_a_preflight_of_another_origin_is_refused(guard: Guard) -> None:
    preflight = call((b"origin", b"https://evil.example"), PREFLIGHT, method="OPTIONS")
    with pytest.raises(GatewayError) as caught:
        guard.preflight(preflight, Recorder())
    assert caught.value.code == "auth.forbidden_origin"


def test_what_is_no_preflight_goes_on() -> None:
    recorder = Recorder()
    assert not CLOSED.preflight(call(PREFLIGHT), recorder)
    assert not CLOSED.preflight(call(method="OPTIONS"), recorder)
    assert recorder.seen == []


def test_metrics_need_no_key_as_long_as_only_this_machine_can_ask() -> None:
    assert CLOSED.check(call(method="GET", path="/metrics")) == Principal()
    public = Guard(Rules(KEYS, metrics_open=False))
    assert code(public, method="GET", path="/metrics") == "auth.missing_key"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.5", "gateway.example", "localhost.example"])
def test_a_host_that_others_can_reach_needs_keys(host: str) -> None:
    with pytest.raises(GatewayError) as caught:
        check_exposure(host, Keyring())
    assert caught.value.code == "config.invalid"
    assert "client_keys" in caught.value.text
    check_exposure(host, KEYS)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "[::1]", "127.8.8.8"])
def test_a_loopback_host_needs_none(host: str) -> None:
    assert is_loopback(host)
    check_exposure(host, Keyring())


@pytest.mark.parametrize("value", ["sha256:", "sha256:abc", "sha256:" + "g" * 64, "sha256:" + "a" * 63])
def test_a_hash_that_is_none_is_a_mistake_of_the_operator(value: str) -> None:
    with pytest.raises(GatewayError, match="alice"):
        Keyring.of([Entry("alice", value)])


def test_one_key_under_two_names_is_a_mistake_of_the_operator() -> None:
    hashed = "sha256:" + hashlib.sha256(b"same").hexdigest()
    with pytest.raises(GatewayError, match="alice and bob"):
        Keyring.of([Entry("alice", "same"), Entry("bob", hashed)])
