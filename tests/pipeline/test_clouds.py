"""Azure OpenAI, Vertex AI and Bedrock as upstreams, over real sockets: what they ask for is right, what a client gets is the
plain protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import clouds, replies
from tests.fakes.clouds import ACCESS_KEY, API_KEY, PROJECT, REGION, SECRET_KEY, SESSION_TOKEN
from tests.fakes.replies import Call, Failure, Raw, Reply, Text, Thinking, Usage, Wire
from tests.fakes.scripted import ScriptedUpstream
from tests.pipeline.harness import CHAT, CLIENT_KEY, MESSAGES, Bench, Gate, chat, events, messages, text_of
from tokligence.config.schema import ProviderSection
from tokligence.errors import GatewayError

CLAUDE = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
ON_VERTEX = "claude-sonnet-4-5@20250929"


def served(fake: ScriptedUpstream) -> Iterator[Any]:
    fake.must_not_see(CLIENT_KEY)
    fake.start()
    yield fake
    fake.stop()
    assert not fake.verdict(), "\n".join(fake.verdict())


@pytest.fixture
def bedrock() -> Iterator[clouds.Bedrock]:
    yield from served(clouds.Bedrock())


@pytest.fixture
def vertex() -> Iterator[clouds.Vertex]:
    yield from served(clouds.Vertex())


@pytest.fixture
def azure() -> Iterator[clouds.Azure]:
    yield from served(clouds.Azure())


def on_bedrock(fake: clouds.Bedrock, **more: str) -> ProviderSection:
    keys = {"access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY}
    given = {
        "type": "bedrock",
        "protocol": "anthropic",
        "base_url": fake.url,
        "region": REGION,
        **keys,
        **more,
    }
    return ProviderSection(name="aws", **given)


def on_vertex(fake: clouds.Vertex, file: Path, credentials: dict[str, str], **more: str) -> ProviderSection:
    file.write_text(json.dumps(credentials))
    given = {
        "type": "vertex",
        "protocol": "anthropic",
        "base_url": fake.url,
        "location": "europe-west1",
        **more,
    }
    return ProviderSection(name="gcp", credentials_file=str(file), **given)


def on_azure(fake: clouds.Azure, **more: str) -> ProviderSection:
    return ProviderSection(name="az", type="azure", base_url=fake.url, api_key=fake.key, **more)


async def serve(bench: Bench, *sections: ProviderSection, **settings: Any) -> Gate:
    return await bench.serve(providers=sections, **settings)


# --- Bedrock --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [{}, {"session_token": SESSION_TOKEN}])
async def test_bedrock_gets_signed_requests_and_its_answer_passes(
    bench: Bench, bedrock: clouds.Bedrock, more: dict[str, str]
):
    gate = await serve(bench, on_bedrock(bedrock, **more))
    bedrock.script(replies.text("Hello", usage=Usage(11, cache_read=5, output=7)))
    reply = await gate.ask(f"{MESSAGES}?beta=true", messages(model=f"aws/{CLAUDE}"))
    answer = json.loads(reply.body)
    assert answer["content"][0]["text"] == "Hello"
    assert reply.headers["request-id"] == "0f9a-amazon-request"
    sent = bedrock.requests[-1]
    assert sent.path == "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke"
    assert sent.query == ""
    row = gate.row
    assert (row.provider, row.upstream_protocol, row.outcome) == ("aws", "anthropic", "ok")
    assert (row.input_tokens, row.cache_read_tokens, row.output_tokens) == (11, 5, 7)
    assert row.cost_picousd is None  # the cloud's price is its own


async def test_a_stream_of_amazons_frames_becomes_anthropics_events(bench: Bench, bedrock: clouds.Bedrock):
    gate = await serve(bench, on_bedrock(bedrock))
    bedrock.script(replies.text("Hel", "lo ", "wörld", wire=Wire(split=7)))
    reply = await gate.ask(MESSAGES, messages(model=f"aws/{CLAUDE}", stream=True))
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert text_of(reply.body) == "Hello wörld"
    names = [name for name, _ in events(reply.body)]
    assert (names[0], names[-1]) == ("message_start", "message_stop")
    assert bedrock.requests[-1].path.endswith("/invoke-with-response-stream")
    assert (gate.row.usage_source, gate.row.stream, gate.row.output_tokens) == ("exact", True, 7)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_chat_client_gets_a_claude_of_bedrock(bench: Bench, bedrock: clouds.Bedrock, stream: bool):
    gate = await serve(bench, on_bedrock(bedrock), model_provider_routes=(f"gpt-4={'aws'}/{CLAUDE}",))
    bedrock.script(replies.calls(Text("So."), Call("weather", {"city": "Rome"})))
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    reply = await gate.ask(CHAT, chat(model="gpt-4", stream=stream, tools=[tool]))
    assert reply.status == 200
    assert b"weather" in reply.body and b"tool_calls" in reply.body
    assert reply.headers["x-tokligence-upstream-request-id"] == "0f9a-amazon-request"
    assert bedrock.requests[-1].json["max_tokens"] == 64_000  # the model is known under its maker's name


async def test_an_api_key_takes_the_place_of_a_signature(bench: Bench, bedrock: clouds.Bedrock):
    gate = await serve(bench, on_bedrock(bedrock, api_key=API_KEY))
    assert (await gate.ask(MESSAGES, messages(model=f"aws/{CLAUDE}"))).status == 200
    assert bedrock.requests[-1].header("authorization") == f"Bearer {API_KEY}"


async def test_betas_go_in_the_body_and_values_keep_their_bytes(bench: Bench, bedrock: clouds.Bedrock):
    gate = await serve(bench, on_bedrock(bedrock))
    body = (
        b'{"model":"aws/'
        + CLAUDE.encode()
        + b'", "max_tokens" : 100,"messages":[{"role":"user","content":"h\\u00e9"}]}'
    )
    headers = {"anthropic-beta": "a-2025-01-01, b-2025-02-02", "anthropic-version": "2023-06-01"}
    bedrock.script(
        Raw(b'{"type":"message","model":"m","content":[],"usage":{"input_tokens":1,"output_tokens":1}}')
    )
    await gate.ask(MESSAGES, body, headers)
    assert bedrock.requests[-1].body == (
        b'{"max_tokens":100,"messages":[{"role":"user","content":"h\\u00e9"}],'
        b'"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["a-2025-01-01","b-2025-02-02"]}'
    )


async def test_a_wrong_key_is_an_error_in_the_clients_shape(bench: Bench, bedrock: clouds.Bedrock):
    bedrock.expect("signature we calculated")
    gate = await serve(bench, on_bedrock(bedrock, secret_access_key="another"))
    reply = await gate.ask(MESSAGES, messages(model=f"aws/{CLAUDE}"))
    error = json.loads(reply.body)
    assert (reply.status, error["type"], error["error"]["type"]) == (403, "error", "permission_error")
    assert "does not match" in error["error"]["message"]
    assert gate.row.outcome == "upstream_error"


@pytest.mark.parametrize("path", [MESSAGES, CHAT])
async def test_an_error_before_the_answer_keeps_its_status_and_words(
    bench: Bench, bedrock: clouds.Bedrock, path: str
):
    gate = await serve(bench, on_bedrock(bedrock))
    bedrock.script(Failure(429, "Too many tokens, please wait.", retry_after="3"))
    body = messages(model=f"aws/{CLAUDE}", stream=True) if path == MESSAGES else chat(model=f"aws/{CLAUDE}")
    reply = await gate.ask(path, body)
    assert (reply.status, reply.headers["retry-after"]) == (429, "3")
    assert json.loads(reply.body)["error"]["message"] == "Too many tokens, please wait."


async def test_an_exception_within_a_stream_is_the_error_event_of_the_protocol(
    bench: Bench, bedrock: clouds.Bedrock
):
    gate = await serve(bench, on_bedrock(bedrock))
    bedrock.script(Reply(parts=(Text("Hello"),), failure=Failure(529, "slow down")))
    reply = await gate.ask(MESSAGES, messages(model=f"aws/{CLAUDE}", stream=True))
    name, data = events(reply.body)[-1]
    assert name == "error"
    assert data["error"] == {"type": "rate_limit_error", "message": "slow down"}
    assert (gate.row.outcome, gate.row.output_tokens > 0) == ("upstream_error", True)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (clouds.frame({":message-type": "event"}, b'{"bytes":"e30="}'), "upstream.bad_response"),
        (clouds.frame({":message-type": "event"}, b'{"bytes":"!"}'), "upstream.bad_response"),
        (clouds.frame({":message-type": "event"}, b"{"), "upstream.bad_response"),
        (b"data: not framed at all\n\n", "upstream.bad_response"),
        (b"\x00\x00\x01", "upstream.cut"),
    ],
)
async def test_a_stream_that_is_no_stream_is_an_honest_error(
    bench: Bench, bedrock: clouds.Bedrock, body: bytes, code: str
):
    gate = await serve(bench, on_bedrock(bedrock))
    bedrock.script(Raw(body, content_type="application/vnd.amazon.eventstream"))
    reply = await gate.ask(MESSAGES, messages(model=f"aws/{CLAUDE}", stream=True))
    assert (reply.status, reply.headers["x-tokligence-error-code"]) == (502, code)
    assert gate.row.error_code == code


async def test_an_exception_without_words_is_still_an_error(bench: Bench, bedrock: clouds.Bedrock):
    gate = await serve(bench, on_bedrock(bedrock))
    kinds = {":message-type": "error", ":error-code": "Odd", ":error-message": "oddly"}
    bedrock.script(Raw(clouds.frame(kinds, b""), content_type="application/vnd.amazon.eventstream"))
    reply = await gate.ask(MESSAGES, messages(model=f"aws/{CLAUDE}", stream=True))
    assert json.loads(reply.body)["error"]["type"] == "api_error"


async def test_a_client_that_leaves_ends_the_stream_of_the_cloud(bench: Bench, bedrock: clouds.Bedrock):
    gate = await serve(bench, on_bedrock(bedrock))
    bedrock.script(replies.text(*["word "] * 50, wire=Wire(stall_at=3000)))
    peer = await gate.send(MESSAGES, messages(model=f"aws/{CLAUDE}", stream=True))
    await peer.until(b"word")
    peer.close()
    assert (await gate.booked()).outcome == "cancelled"
    assert await asyncio.to_thread(bedrock.disconnected.wait, 20)


async def test_tokens_of_a_cloud_are_estimated(bench: Bench, bedrock: clouds.Bedrock):
    gate = await serve(bench, on_bedrock(bedrock))
    reply = await gate.ask(f"{MESSAGES}/count_tokens", messages(model=f"aws/{CLAUDE}"))
    assert reply.headers["x-tokligence-usage"] == "estimated"
    assert bedrock.requests == []


async def test_what_a_cloud_has_not_is_refused(bench: Bench, bedrock: clouds.Bedrock):
    gate = await serve(bench, on_bedrock(bedrock))
    reply = await gate.ask("/v1/embeddings", {"model": "aws/titan", "input": "a"})
    assert reply.headers["x-tokligence-error-code"] == "route.unsupported"


async def test_thinking_goes_back_to_claude_wherever_it_runs(bench: Bench, bedrock: clouds.Bedrock):
    gate = await serve(bench, on_bedrock(bedrock))
    assert gate.hub.state.providers["aws"].issuer == gate.hub.state.providers["anthropic"].issuer
    bedrock.script(Reply(parts=(Thinking("Hm."), Text("Yes."))))
    body = messages(
        model=f"aws/{CLAUDE}", thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=2000
    )
    first = json.loads((await gate.ask(MESSAGES, body)).body)
    turns = [
        *body["messages"],
        {"role": "assistant", "content": first["content"]},
        {"role": "user", "content": "Go."},
    ]
    assert (await gate.ask(MESSAGES, body | {"messages": turns})).status == 200


# --- Vertex AI ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["service_account", "authorized_user"])
async def test_vertex_gets_a_token_for_its_credentials_once(
    bench: Bench, vertex: clouds.Vertex, tmp_path: Path, kind: str
):
    section = on_vertex(vertex, tmp_path / "key.json", getattr(vertex, kind)(), project=PROJECT)
    gate = await serve(bench, section)
    both = await asyncio.gather(*(gate.ask(MESSAGES, messages(model=f"gcp/{ON_VERTEX}")) for _ in range(3)))
    assert [reply.status for reply in both] == [200, 200, 200]
    assert len(vertex.issued) == 1
    path = f"/v1/projects/{PROJECT}/locations/europe-west1/publishers/anthropic/models/claude-sonnet-4-5@20250929"
    assert {request.path for request in vertex.calls()} == {f"{path}:rawPredict"}


async def test_vertex_streams_anthropics_own_events(bench: Bench, vertex: clouds.Vertex, tmp_path: Path):
    gate = await serve(bench, on_vertex(vertex, tmp_path / "k", vertex.service_account()))
    vertex.script(replies.text("Hel", "lo"), replies.text("Hel", "lo"))
    reply = await gate.ask(MESSAGES, messages(model=f"gcp/{ON_VERTEX}", stream=True))
    assert text_of(reply.body) == "Hello"
    translated = await gate.ask(CHAT, chat(model=f"gcp/{ON_VERTEX}", stream=True))
    assert text_of(translated.body) == "Hello"
    assert {request.path.rpartition(":")[2] for request in vertex.calls()} == {"streamRawPredict"}


async def test_a_token_that_has_ended_is_renewed(bench: Bench, vertex: clouds.Vertex, tmp_path: Path):
    gate = await serve(bench, on_vertex(vertex, tmp_path / "k", vertex.service_account()))
    vertex.expires_in = 60  # less than the margin
    for _ in range(2):
        assert (await gate.ask(MESSAGES, messages(model=f"gcp/{ON_VERTEX}"))).status == 200
    assert len(vertex.issued) == 2


async def test_a_token_that_is_refused_is_not_used_again(bench: Bench, vertex: clouds.Vertex, tmp_path: Path):
    gate = await serve(bench, on_vertex(vertex, tmp_path / "k", vertex.service_account()))
    ask = messages(model=f"gcp/{ON_VERTEX}")
    assert (await gate.ask(MESSAGES, ask)).status == 200
    vertex.revoked.update(vertex.issued)
    refused = await gate.ask(MESSAGES, ask)
    error = json.loads(refused.body)
    assert (refused.status, error["type"], error["error"]["type"]) == (401, "error", "authentication_error")
    assert "authentication credentials" in error["error"]["message"]
    assert (await gate.ask(MESSAGES, ask)).status == 200


async def test_no_token_is_an_error_that_says_why(bench: Bench, vertex: clouds.Vertex, tmp_path: Path):
    gate = await serve(bench, on_vertex(vertex, tmp_path / "k", vertex.service_account()))
    vertex.no_token = Failure(400, "Invalid JWT: Token must be a short-lived token")
    reply = await gate.ask(MESSAGES, messages(model=f"gcp/{ON_VERTEX}"))
    assert (reply.status, reply.headers["x-tokligence-error-code"]) == (502, "upstream.error")
    assert "short-lived" in json.loads(reply.body)["error"]["message"]
    assert (gate.row.outcome, gate.row.attempts) == ("upstream_error", 1)


async def test_errors_of_claude_itself_pass_as_they_are(bench: Bench, vertex: clouds.Vertex, tmp_path: Path):
    gate = await serve(bench, on_vertex(vertex, tmp_path / "k", vertex.service_account()))
    vertex.script(Failure(529, "Overloaded, sorry"))
    reply = await gate.ask(MESSAGES, messages(model=f"gcp/{ON_VERTEX}"))
    assert (reply.status, json.loads(reply.body)["error"]["type"]) == (529, "overloaded_error")


@pytest.mark.parametrize("stream", [False, True])
async def test_gemini_on_vertex_answers_clients_of_other_protocols(
    bench: Bench, vertex: clouds.Vertex, tmp_path: Path, stream: bool
):
    section = on_vertex(vertex, tmp_path / "k", vertex.service_account(), protocol="gemini")
    gate = await serve(bench, section)
    for path, body in (
        (CHAT, chat(model="gcp/gemini-2.5-flash", stream=stream)),
        (MESSAGES, messages(model="gcp/google/gemini-2.5-flash", stream=stream)),
    ):
        reply = await gate.ask(path, body)
        assert reply.status == 200
        assert "You said: hello" in (text_of(reply.body) if stream else reply.body.decode())
    place = f"/v1/projects/{PROJECT}/locations/europe-west1/publishers/google/models/gemini-2.5-flash"
    method, query = ("streamGenerateContent", "alt=sse") if stream else ("generateContent", "")
    assert {(request.path, request.query) for request in vertex.calls()} == {(f"{place}:{method}", query)}
    assert {(row.upstream_protocol, row.usage_source) for row in gate.rows} == {("gemini", "exact")}


async def test_gemini_on_vertex_is_asked_by_its_chat_endpoint(
    bench: Bench, vertex: clouds.Vertex, tmp_path: Path
):
    section = on_vertex(vertex, tmp_path / "k", vertex.service_account(), protocol="openai")
    gate = await serve(bench, section)
    vertex.expect("there is no such method")  # this fake has Claude only
    for model, sent in (("gemini-3-pro", "google/gemini-3-pro"), ("meta/llama-4", "meta/llama-4")):
        reply = await gate.ask(CHAT, chat(model=f"gcp/{model}"))
        assert reply.status == 404
        request = vertex.calls()[-1]
        assert (
            request.path
            == f"/v1/projects/{PROJECT}/locations/europe-west1/endpoints/openapi/chat/completions"
        )
        assert request.json["model"] == sent


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (None, "No such file"),
        ("{", "not JSON"),
        ('{"type":"service_account"}', "no file of a service account"),
        ('{"type":"service_account","client_email":"e","private_key":"x"}', "private key"),
        (
            '{"type":"authorized_user","client_id":"a","client_secret":"b","refresh_token":"c","token_uri":"ftp://x"}',
            "token_uri",
        ),
        ('{"type":"authorized_user","client_id":"a","client_secret":"b","refresh_token":"c"}', "project"),
    ],
)
async def test_a_credentials_file_that_cannot_be_used_is_named(
    bench: Bench, tmp_path: Path, content: str | None, part: str
):
    file = tmp_path / "key.json"
    if content is not None:
        file.write_text(content)
    section = ProviderSection(
        name="gcp", type="vertex", protocol="anthropic", location="global", credentials_file=str(file)
    )
    with pytest.raises(GatewayError) as caught:
        await serve(bench, section)
    assert caught.value.code == "config.invalid"
    assert part in caught.value.message and "[provider.gcp]" in caught.value.message


async def test_without_the_package_for_signatures_the_error_names_it(
    bench: Bench, vertex: clouds.Vertex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    import sys

    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives", None)
    with pytest.raises(GatewayError) as caught:
        await serve(bench, on_vertex(vertex, tmp_path / "k", vertex.service_account()))
    assert "tokligence[cloud]" in caught.value.text


# --- Azure OpenAI ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["", "/", "/openai", "/openai/v1/"])
async def test_azure_is_asked_below_openai_v1_with_its_own_header(
    bench: Bench, azure: clouds.Azure, ending: str
):
    section = ProviderSection(name="az", type="azure", base_url=azure.url + ending, api_key=azure.key)
    gate = await serve(bench, section)
    reply = await gate.ask(CHAT, chat(model="az/gpt-4o"))
    assert reply.status == 200
    sent = azure.requests[-1]
    assert (sent.path, sent.query, sent.json["model"]) == ("/openai/v1/chat/completions", "", "gpt-4o")
    assert (sent.header("api-key"), sent.header("authorization")) == (azure.key, None)


@pytest.mark.parametrize("stream", [False, True])
async def test_with_an_api_version_the_deployment_stands_in_the_path(
    bench: Bench, azure: clouds.Azure, stream: bool
):
    gate = await serve(bench, on_azure(azure, api_version="2024-10-21"))
    for path, body in (
        (CHAT, chat(model="az/gpt-4o", stream=stream)),
        (MESSAGES, messages(model="az/gpt-4o", stream=stream)),
    ):
        reply = await gate.ask(path, body)
        assert (reply.status, "You said: hello" in text_of(reply.body) or not stream) == (200, True)
        sent = azure.requests[-1]
        assert sent.path == "/openai/deployments/gpt-4o/chat/completions"
        assert sent.query == "api-version=2024-10-21"
    assert {row.usage_source for row in gate.rows} == {"exact"}


async def test_azures_other_endpoints_are_passed_on_in_both_forms(bench: Bench, azure: clouds.Azure):
    for version, embeddings, files in (
        ("", "/openai/v1/embeddings", "/openai/v1/files"),
        ("2024-10-21", "/openai/deployments/text-embedding-3-small/embeddings", "/openai/files"),
    ):
        gate = await serve(bench, on_azure(azure, api_version=version), passthrough_provider="az")
        body = {"model": "az/text-embedding-3-small", "input": "a"}
        assert (await gate.ask("/v1/embeddings", body)).status == 200
        assert azure.requests[-1].path == embeddings
        assert (await gate.get("/v1/files?limit=2")).status == 200
        last = azure.requests[-1]
        assert (last.path, "limit=2" in last.query) == (files, True)


@pytest.mark.parametrize(("version", "endpoints"), [("", {"chat", "responses"}), ("2024-10-21", {"chat"})])
async def test_azures_present_addresses_have_responses_too(
    bench: Bench, azure: clouds.Azure, version: str, endpoints: set[str]
):
    gate = await serve(bench, on_azure(azure, api_version=version))
    assert set(gate.hub.state.providers["az"].targets) == endpoints


async def test_a_deployments_model_is_known_by_its_makers_name(bench: Bench, azure: clouds.Azure):
    gate = await serve(bench, on_azure(azure))
    state = gate.hub.state
    card = state.card(state.providers["az"], "gpt-4o")
    assert card.max_output_tokens == state.card(state.providers["openai"], "gpt-4o").max_output_tokens
    assert card.price is None


# --- what is not there ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "part"),
    [
        (ProviderSection(name="aws", type="bedrock", protocol="anthropic"), "provider.aws.region"),
        (
            ProviderSection(name="aws", type="bedrock", protocol="anthropic", region="r", access_key_id="a"),
            "AWS_SECRET_ACCESS_KEY",
        ),
        (ProviderSection(name="gcp", type="vertex", location="global"), "GOOGLE_APPLICATION_CREDENTIALS"),
        (ProviderSection(name="az", type="azure", base_url="https://x.azure.com"), "AZURE_OPENAI_API_KEY"),
    ],
)
async def test_a_cloud_of_which_something_is_missing_says_what(
    bench: Bench, section: ProviderSection, part: str
):
    gate = await serve(bench, section, model_provider_routes=(f"mine={section.name}",))
    for model in (f"{section.name}/x", "mine"):
        reply = await gate.ask(CHAT, chat(model=model))
        assert reply.headers["x-tokligence-error-code"] == "provider.not_configured"
        assert part in json.loads(reply.body)["error"]["message"]


async def test_local_only_keeps_clouds_out(bench: Bench):
    section = ProviderSection(
        name="aws",
        type="bedrock",
        protocol="anthropic",
        region=REGION,
        access_key_id="a",
        secret_access_key="s",
    )
    gate = await serve(bench, section, local_only=True, openai_api_key=None, anthropic_api_key=None)
    assert set(gate.hub.state.providers) == {"loopback"}
