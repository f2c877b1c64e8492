"""Where calls go: hops, local_only, what is configured, and the list of models."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.fakes.openai_rules import MODELS
from tests.pipeline.harness import CHAT, MESSAGES, Bench, chat, messages
from tokligence.config.schema import ProviderSection
from tokligence.upstream.proxies import Proxies

COUNT = "/v1/messages/count_tokens"


def question(text: str = "hello", model: str = "claude-sonnet-4-5", **more: Any) -> dict[str, Any]:
    """What a client asks to be counted."""
    body = messages(text, model, **more)
    del body["max_tokens"]
    return body


async def test_every_upstream_call_carries_our_hop(bench: Bench):
    gate = await bench.serve()
    await gate.ask(CHAT, chat())
    await gate.ask(MESSAGES, messages(model="gpt-4o"))
    await gate.ask(COUNT, question())
    ours = gate.hub.hop[1].decode()
    for request in (*bench.openai.requests, *bench.anthropic.requests):
        assert request.all("x-tokligence-hop") == [ours]


@pytest.mark.parametrize("path", [CHAT, MESSAGES, COUNT])
@pytest.mark.parametrize("form", ["{}", "another, {}", "{} , another"])
async def test_a_request_that_has_passed_here_is_a_loop(bench: Bench, path: str, form: str):
    gate = await bench.serve()
    body = chat() if path == CHAT else question() if path == COUNT else messages()
    reply = await gate.ask(path, body, {"x-tokligence-hop": form.format(gate.hub.hop[1].decode())})
    assert reply.status == 508
    assert reply.headers["x-tokligence-error-code"] == "gateway.loop"
    assert bench.openai.requests == bench.anthropic.requests == []


async def test_a_gateway_that_points_at_itself_is_noticed(bench: Bench):
    gate = await bench.serve()
    port = gate.server.addresses[0][1]
    endpoint = ProviderSection(
        name="me", protocol="openai", base_url=f"http://127.0.0.1:{port}/v1", api_key="k"
    )
    _reload(gate, bench.settings(providers=(endpoint,)))
    reply = await gate.ask(CHAT, chat(model="me/me/gpt-4o"))
    assert reply.status == 508
    assert [row.status for row in gate.rows] == [508, 508]
    assert bench.openai.requests == []


async def test_two_gateways_that_point_at_each_other_are_noticed(bench: Bench):
    one, other = await bench.serve(), await bench.serve()
    for gate, next_one in ((one, other), (other, one)):
        url = f"http://127.0.0.1:{next_one.server.addresses[0][1]}/v1"
        _reload(gate, bench.settings(llm_endpoint=url, llm_api_key="k"))
    reply = await one.ask(CHAT, chat(model="mistral"))
    assert reply.status == 508
    assert (len(one.rows), len(other.rows)) == (2, 1)
    models = json.loads((await one.get("/v1/models")).body)["data"]
    assert {"gpt-4o", "claude-sonnet-4-5"} <= {model["id"] for model in models}


def _reload(gate: Any, settings: Any) -> None:
    from tokligence.pipeline.build import build_state

    gate.hub.state = build_state(settings)


async def test_a_family_whose_provider_has_no_key_says_what_to_set(bench: Bench):
    gate = await bench.serve(openai_api_key=None)
    for path, body in ((CHAT, chat()), (MESSAGES, messages(model="gpt-4o"))):
        reply = await gate.ask(path, body)
        assert reply.status == 503
        assert reply.headers["x-should-retry"] == "false"
        assert "TOKLIGENCE_OPENAI_API_KEY" in json.loads(reply.body)["error"]["message"]


async def test_an_unknown_model_names_its_neighbours(bench: Bench):
    gate = await bench.serve()
    reply = await gate.ask(CHAT, chat(model="claud-sonnet-4-5"))
    assert reply.status == 404
    assert "claude-sonnet-4-5" in json.loads(reply.body)["error"]["message"]
    reply = await gate.ask(MESSAGES, messages(model="zzzzzzzz"))
    assert (reply.status, json.loads(reply.body)["error"]["type"]) == (404, "not_found_error")


async def test_with_local_only_no_connection_leaves_for_another_host(bench: Bench):
    gate = await bench.serve(local_only=True, **bench.endpoint())
    port = bench.compatible.server.port
    for path, body in (
        (CHAT, chat()),
        (CHAT, chat(model="claude-sonnet-4-5", stream=True)),
        (MESSAGES, messages()),
        (MESSAGES, messages(model="llama", stream=True)),
        (CHAT, chat(model="openai/gpt-4o")),
        (COUNT, question()),
    ):
        await gate.ask(path, body)
    await gate.get("/v1/models")
    assert set(gate.connects) == {("127.0.0.1", port)}
    assert bench.openai.requests == bench.anthropic.requests == []
    assert [row.provider for row in gate.rows] == ["llm"] * 4 + [None]
    assert gate.rows[-1].error_code == "provider.not_configured"


async def test_with_local_only_the_client_itself_refuses_another_host(bench: Bench):
    gate = await bench.serve(local_only=True, **bench.endpoint())
    _reload(gate, bench.settings(openai_base_url=f"http://localhost:{bench.openai.server.port}/v1"))
    reply = await gate.ask(CHAT, chat())
    assert (reply.status, reply.headers["x-tokligence-error-code"]) == (502, "upstream.blocked")
    assert gate.connects == []


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_with_local_only_not_even_the_proxy_is_contacted(bench: Bench, scheme: str):
    proxy = f"http://127.0.0.1:{bench.openai.server.port}"
    gate = await bench.serve(
        local_only=True, llm_endpoint=f"{scheme}://box.invalid/v1", proxies=Proxies(http=proxy, https=proxy)
    )
    for path, body in ((CHAT, chat()), (MESSAGES, messages(stream=True))):
        assert (await gate.ask(path, body)).headers["x-tokligence-error-code"] == "upstream.connect_failed"
    await gate.get("/v1/models")
    assert {host for host, _ in gate.connects} == {"box.invalid"}
    assert bench.openai.requests == []


async def test_a_reload_holds_for_the_next_call(bench: Bench):
    gate = await bench.serve()
    assert (await gate.ask(CHAT, chat(model="fast"))).status == 404
    _reload(gate, bench.settings(model_provider_routes=("fast=gpt-4o-mini",)))
    assert (await gate.ask(CHAT, chat(model="fast"))).status == 200


# --- the list of models ---------------------------------------------------------------------------------


async def ids(gate: Any) -> list[str]:
    return [model["id"] for model in json.loads((await gate.get("/v1/models")).body)["data"]]


async def test_the_list_has_each_configured_providers_models_and_the_users_exact_routes(bench: Bench):
    gate = await bench.serve(
        anthropic_api_key=None,
        model_provider_routes=("fast=gpt-4o-mini", "x*=openai", "dead=claude-sonnet-4-5"),
    )
    listed = await ids(gate)
    assert listed[0] == "fast"
    assert {"gpt-4o", "loopback"} <= set(listed)
    assert not any(name.startswith("claude") or "*" in name for name in listed)
    assert "dead" not in listed
    assert len(set(listed)) == len(listed)
    assert gate.rows == []


async def test_every_model_in_the_list_can_be_asked_for(bench: Bench):
    named = ProviderSection(
        name="other", protocol="openai", base_url=bench.compatible.base_url, api_key=bench.compatible.key
    )
    gate = await bench.serve(providers=(named,))
    listed = await ids(gate)
    assert "other/gpt-4o" in listed
    for name in listed:
        gate.hub.state.router.resolve(name)


async def test_models_that_no_route_leads_to_are_listed_by_the_name_of_their_endpoint(bench: Bench):
    named = ProviderSection(
        name="other", protocol="openai", base_url=bench.compatible.base_url, api_key=bench.compatible.key
    )
    gate = await bench.serve(
        openai_api_key=None, providers=(named,), model_provider_routes=("gpt-4.1=other",)
    )
    listed = await ids(gate)
    assert "other/gpt-4o" in listed
    assert "gpt-4o" not in listed
    assert "gpt-4.1" in listed
    assert "other/gpt-4.1" not in listed
    for name in listed:
        gate.hub.state.router.resolve(name)


async def test_a_slow_endpoint_is_left_out_this_time(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tokligence.pipeline.listing.PATIENCE_S", 0.02)
    silent = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    gate = await bench.serve(llm_endpoint=f"http://127.0.0.1:{port}/v1")
    assert "gpt-4o" in await ids(gate)
    silent.close()


async def test_what_a_custom_endpoint_lists_joins_and_is_remembered(bench: Bench):
    gate = await bench.serve(openai_api_key=None, anthropic_api_key=None, **bench.endpoint())
    listed = await asyncio.gather(*(ids(gate) for _ in range(5)))
    assert all(set(MODELS) <= set(names) for names in listed)
    assert len(bench.compatible.requests) == 1
    gate.app.listing._heard.clear()
    await ids(gate)
    assert len(bench.compatible.requests) == 2


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"[]", b'{"data":[{"name":1}]}', b"\xff", b'{"data":[{"id":"\xff"}]}'],
)
async def test_an_endpoint_that_lists_nothing_useful_is_left_out(bench: Bench, body: bytes):
    server = await _answering(body)
    port = server.sockets[0].getsockname()[1]
    gate = await bench.serve(llm_endpoint=f"http://127.0.0.1:{port}/v1")
    listed = await ids(gate)
    assert {"gpt-4o", "loopback"} <= set(listed)
    server.close()


async def test_odd_dates_of_an_endpoint_do_no_harm(bench: Bench):
    models = (
        b'{"data":[{"id":"a","created":1e300},{"id":"b","created":-5},{"id":"c","created":17.9},{"id":"d"}]}'
    )
    server = await _answering(models)
    port = server.sockets[0].getsockname()[1]
    gate = await bench.serve(llm_endpoint=f"http://127.0.0.1:{port}/v1")
    listed = {
        model["id"]: model["created"] for model in json.loads((await gate.get("/v1/models")).body)["data"]
    }
    assert [listed[name] for name in "abcd"] == [0, 0, 17, 0]
    reply = await gate.get("/v1/models", {"anthropic-version": "2023-06-01"})
    assert json.loads(reply.body)["has_more"] is False
    server.close()


async def test_a_list_that_is_a_bare_array_is_read_too(bench: Bench):
    server = await _answering(b'[{"id":"zai-org/GLM-5","created":17}]')
    port = server.sockets[0].getsockname()[1]
    gate = await bench.serve(llm_endpoint=f"http://127.0.0.1:{port}/v1")
    assert "zai-org/GLM-5" in await ids(gate)
    server.close()


async def test_an_endpoint_that_fails_is_asked_again_soon(bench: Bench):
    server = await _answering(b"no", status=b"500 No")
    port = server.sockets[0].getsockname()[1]
    gate = await bench.serve(llm_endpoint=f"http://127.0.0.1:{port}/v1")
    await ids(gate)
    (heard,) = gate.app.listing._heard.values()
    assert heard.models == ()
    assert heard.until - gate.hub.loop.time() <= 5
    server.close()


async def _answering(body: bytes, status: bytes = b"200 OK") -> asyncio.Server:
    """A server that gives everyone the same."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 %b\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)
        )
        await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", 0)


# --- counting tokens ------------------------------------------------------------------------------------


async def test_tokens_are_counted_by_anthropic_itself(bench: Bench):
    gate = await bench.serve(model_provider_routes=("smart=claude-sonnet-4-5",))
    body = json.dumps(question(model="smart")).replace(" ", "  ").encode()
    reply = await gate.ask(COUNT + "?beta=true", body, {"anthropic-beta": "token-counting-2024-11-01"})
    assert (reply.status, "input_tokens" in json.loads(reply.body)) == (200, True)
    (request,) = bench.anthropic.requests
    assert request.body == body.replace(b'"smart"', b'"claude-sonnet-4-5"')
    assert (request.query, request.header("anthropic-beta")) == ("beta=true", "token-counting-2024-11-01")
    assert reply.headers["x-tokligence-route"] == "anthropic/claude-sonnet-4-5"
    assert int(reply.headers["x-tokligence-overhead-us"]) >= 0
    assert reply.headers["request-id"].startswith("req_01")
    assert "x-tokligence-usage" not in reply.headers
    assert gate.rows == []


@pytest.mark.parametrize("model", ["gpt-4o", "loopback"])
async def test_tokens_are_estimated_where_nobody_counts_them(bench: Bench, model: str):
    gate = await bench.serve()
    body = question("12345678", model=model, tools=[{"name": "f", "input_schema": {}}])
    reply = await gate.ask(COUNT, body)
    assert json.loads(reply.body) == {"input_tokens": 3}
    assert reply.headers["x-tokligence-usage"] == "estimated"
    assert reply.headers["x-tokligence-route"].endswith(f"/{model}")
    assert bench.openai.requests == []


async def test_a_compatible_endpoint_that_cannot_count_is_no_obstacle(bench: Bench):
    from tests.fakes.replies import Failure

    endpoint = ProviderSection(
        name="other", protocol="anthropic", base_url=bench.anthropic.base_url, api_key=bench.anthropic.key
    )
    gate = await bench.serve(providers=(endpoint,))
    bench.anthropic.script(Failure(404, "no such path"), Failure(404, "no such model"))
    reply = await gate.ask(COUNT, question("12345678", model="other/claude-sonnet-4-5"))
    assert (reply.status, json.loads(reply.body)) == (200, {"input_tokens": 2})
    reply = await gate.ask(COUNT, question())
    assert reply.status == 404


async def test_what_is_no_request_is_not_counted(bench: Bench):
    gate = await bench.serve()
    for body, status in (
        (b"{", 400),
        (question(model="nobody"), 404),
        ({"model": "gpt-4o", "messages": 1}, 400),
    ):
        assert (await gate.ask(COUNT, body)).status == status


async def test_a_client_that_leaves_ends_the_count(bench: Bench):
    from tests.fakes.replies import Gate, Wire, text
    from tests.pipeline.harness import reached

    gate = await bench.serve()
    held = Gate()
    bench.anthropic.script(text("never", wire=Wire(hold=held)))
    peer = await gate.send(COUNT, question())
    await reached(held.reached)
    peer.reset()
    await reached(bench.anthropic.disconnected)
