"""Errors of upstreams and of the gateway, as each SDK raises them: its own class, the words, the headers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from tests.e2e.conftest import settings
from tests.e2e.daemon import Daemon, running
from tests.e2e.samples import CLAUDE, GPT, user
from tests.fakes import replies
from tests.fakes.anthropic import Anthropic
from tests.fakes.openai import OpenAI
from tests.fakes.replies import Failure, Gate, Raw, Wire
from tests.fakes.scripted import ScriptedUpstream


def _ask_openai(client: openai.OpenAI, model: str, *, stream: bool = False) -> list[Any]:
    answer: Any = client.chat.completions.create(
        model=model,
        messages=[user("hello")],
        stream=stream,
    )
    return list(answer) if stream else [answer]


def _ask_anthropic(client: anthropic.Anthropic, model: str, *, stream: bool = False) -> list[Any]:
    answer: Any = client.messages.create(model=model, max_tokens=99, messages=[user("hello")], stream=stream)
    return list(answer) if stream else [answer]


OPENAI_CLASSES = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    413: openai.APIStatusError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
    503: openai.InternalServerError,
    529: openai.InternalServerError,
}
ANTHROPIC_CLASSES = {
    400: anthropic.BadRequestError,
    401: anthropic.AuthenticationError,
    403: anthropic.PermissionDeniedError,
    404: anthropic.NotFoundError,
    409: anthropic.ConflictError,
    413: anthropic.RequestTooLargeError,
    422: anthropic.UnprocessableEntityError,
    429: anthropic.RateLimitError,
    500: anthropic.InternalServerError,
    503: anthropic.ServiceUnavailableError,
    529: anthropic.OverloadedError,
}
ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", OPENAI_CLASSES)
@pytest.mark.parametrize("model", [GPT, CLAUDE])
def test_each_status_of_an_upstream_raises_openais_class(
    openai_sdk: openai.OpenAI,
    openai_upstream: OpenAI,
    anthropic_upstream: Anthropic,
    model: str,
    status: int,
    stream: bool,
) -> None:
    upstream: ScriptedUpstream = openai_upstream if model == GPT else anthropic_upstream
    upstream.script(Failure(status, "the upstream's words", retry_after="17"))
    with pytest.raises(OPENAI_CLASSES[status], match="the upstream's words") as caught:
        _ask_openai(openai_sdk, model, stream=stream)
    error = caught.value
    # 529 is Anthropic's own; towards OpenAI's clients it is 503.
    assert error.status_code == (503 if status == 529 and model == CLAUDE else status)
    assert error.type
    assert error.request_id
    assert error.response.headers["retry-after"] == "17"
    assert error.response.headers["x-tokligence-request-id"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", ANTHROPIC_CLASSES)
@pytest.mark.parametrize("model", [GPT, CLAUDE])
def test_each_status_of_an_upstream_raises_anthropics_class(
    anthropic_sdk: anthropic.Anthropic,
    openai_upstream: OpenAI,
    anthropic_upstream: Anthropic,
    model: str,
    status: int,
    stream: bool,
) -> None:
    upstream: ScriptedUpstream = openai_upstream if model == GPT else anthropic_upstream
    upstream.script(Failure(status, "the upstream's words", retry_after="17"))
    with pytest.raises(ANTHROPIC_CLASSES[status], match="the upstream's words") as caught:
        _ask_anthropic(anthropic_sdk, model, stream=stream)
    error = caught.value
    assert error.status_code == status
    assert error.type == ANTHROPIC_TYPES.get(status, error.type) is not None
    assert error.request_id
    assert isinstance(error.body, dict) and error.body["request_id"] == error.request_id
    assert error.response.headers["retry-after"] == "17"


def test_the_code_and_the_parameter_of_openai_pass_unchanged(
    openai_sdk: openai.OpenAI, openai_upstream: OpenAI
) -> None:
    openai_upstream.script(Failure(400, "too long", code="context_length_exceeded", param="messages"))
    with pytest.raises(openai.BadRequestError) as caught:
        _ask_openai(openai_sdk, GPT)
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "messages")


def test_an_unknown_model_is_named_with_near_ones(
    openai_sdk: openai.OpenAI, anthropic_sdk: anthropic.Anthropic
) -> None:
    with pytest.raises(openai.NotFoundError, match="nobody-nope") as caught:
        _ask_openai(openai_sdk, "nobody-nope")
    assert caught.value.response.headers["x-tokligence-error-code"] == "route.no_match"
    with pytest.raises(anthropic.NotFoundError, match="nobody-nope") as also:
        _ask_anthropic(anthropic_sdk, "nobody-nope")
    assert also.value.type == "not_found_error"


def test_a_bad_request_never_leaves_the_gateway(
    gateway: Daemon, openai_upstream: OpenAI, anthropic_upstream: Anthropic
) -> None:
    json_type = {"content-type": "application/json"}
    for path in ("/v1/chat/completions", "/v1/messages"):
        answer = httpx2.post(f"{gateway.url}{path}", content=b"{nonsense", headers=json_type)
        assert answer.status_code == 400
        assert answer.json()["error"]["type"] == "invalid_request_error"
        assert answer.headers["x-tokligence-error-code"] == "request.invalid_json"
    assert openai_upstream.requests + anthropic_upstream.requests == []


BROKEN = [
    pytest.param(Raw(b"<html>Bad gateway</html>", content_type="text/html"), id="html"),
    pytest.param(Raw(b""), id="empty"),
    pytest.param(Raw(b'{"half":'), id="half"),
    pytest.param(Raw(b"[]"), id="list"),
    pytest.param(replies.text("a", wire=Wire(cut_at=0)), id="cut before the body"),
    pytest.param(replies.text("a", wire=Wire(cut_at=30)), id="cut within the body"),
    pytest.param(replies.text("a", wire=Wire(reset_at=30)), id="reset within the body"),
]


@pytest.mark.parametrize("reply", BROKEN)
@pytest.mark.parametrize("stream", [False, True])
def test_a_broken_answer_of_anthropic_is_502_for_openais_client(
    openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic, reply: Any, stream: bool
) -> None:
    anthropic_upstream.script(reply)
    with pytest.raises(openai.InternalServerError) as caught:
        _ask_openai(openai_sdk, CLAUDE, stream=stream)
    assert caught.value.status_code == 502
    assert caught.value.response.headers["x-tokligence-error-code"] in (
        "upstream.bad_response",
        "upstream.cut",
    )


@pytest.mark.parametrize("reply", BROKEN)
@pytest.mark.parametrize("stream", [False, True])
def test_a_broken_answer_of_openai_is_502_for_anthropics_client(
    anthropic_sdk: anthropic.Anthropic, openai_upstream: OpenAI, reply: Any, stream: bool
) -> None:
    openai_upstream.script(reply)
    with pytest.raises(anthropic.InternalServerError) as caught:
        _ask_anthropic(anthropic_sdk, GPT, stream=stream)
    assert caught.value.status_code == 502
    assert caught.value.type == "api_error"


def test_a_client_that_does_not_wait_gets_its_own_time_out(
    openai_sdk: openai.OpenAI,
    anthropic_sdk: anthropic.Anthropic,
    openai_upstream: OpenAI,
    anthropic_upstream: Anthropic,
) -> None:
    held = replies.text("a", wire=Wire(hold=Gate()))
    anthropic_upstream.script(held)
    with pytest.raises(openai.APITimeoutError):
        _ask_openai(openai_sdk.with_options(timeout=0.3), CLAUDE)
    assert anthropic_upstream.last.disconnected.wait(20)
    openai_upstream.script(held)
    with pytest.raises(anthropic.APITimeoutError):
        _ask_anthropic(anthropic_sdk.with_options(timeout=0.3), GPT)
    assert openai_upstream.last.disconnected.wait(20)


def test_a_gateway_that_is_not_there_is_a_connection_error(gateway: Daemon) -> None:
    with (
        openai.OpenAI(base_url="http://127.0.0.1:9/v1", api_key="x", max_retries=0) as client,
        pytest.raises(openai.APIConnectionError),
    ):
        _ask_openai(client, GPT)


def test_the_sdk_tries_again_where_it_may(openai_sdk: openai.OpenAI, anthropic_upstream: Anthropic) -> None:
    anthropic_upstream.script(Failure(529, retry_after="0"), replies.text("at last"))
    answer = _ask_openai(openai_sdk.with_options(max_retries=1), CLAUDE)
    assert answer[0].choices[0].message.content == "at last"
    assert len(anthropic_upstream.calls()) == 2


# --- gateways of their own ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def impatient(
    tmp_path_factory: pytest.TempPathFactory, openai_server: OpenAI, anthropic_server: Anthropic
) -> Iterator[Daemon]:
    """Asks for a key, waits briefly for upstreams, and has no key for OpenAI; its Anthropic is real, its other
    address leads nowhere."""
    changes = {
        "TOKLIGENCE_FIRST_CONTENT_TIMEOUT_S": "0.3",
        "TOKLIGENCE_IDLE_TIMEOUT_S": "0.3",
        "TOKLIGENCE_CLIENT_KEYS": "laptop=the-client-key",
        "TOKLIGENCE_OPENAI_API_KEY": "",
        "TOKLIGENCE_LLM_ENDPOINT": "http://127.0.0.1:9/v1",
        "TOKLIGENCE_MODEL_PROVIDER_ROUTES": "nowhere*=llm",
    }
    environment = settings(openai_server, anthropic_server) | changes
    with running(tmp_path_factory.mktemp("home"), environment) as gateway:
        yield gateway


@pytest.fixture
def keyed_openai(impatient: Daemon, anthropic_upstream: Anthropic) -> Iterator[openai.OpenAI]:
    anthropic_upstream.must_not_see("the-client-key")
    with openai.OpenAI(base_url=f"{impatient.url}/v1", api_key="the-client-key", max_retries=0) as client:
        yield client


@pytest.fixture
def keyed_anthropic(impatient: Daemon, anthropic_upstream: Anthropic) -> Iterator[anthropic.Anthropic]:
    anthropic_upstream.must_not_see("the-client-key")
    with anthropic.Anthropic(base_url=impatient.url, api_key="the-client-key", max_retries=0) as client:
        yield client


@pytest.mark.parametrize("wire", [Wire(hold=Gate()), Wire(stall_at=0), Wire(stall_at=40)])
def test_an_upstream_that_is_silent_is_a_gateway_time_out(
    keyed_openai: openai.OpenAI,
    keyed_anthropic: anthropic.Anthropic,
    anthropic_upstream: Anthropic,
    wire: Wire,
) -> None:
    anthropic_upstream.script(*[replies.text("a", wire=wire)] * 2)
    with pytest.raises(openai.InternalServerError) as caught:
        _ask_openai(keyed_openai, CLAUDE)
    assert caught.value.status_code == 504
    with pytest.raises(anthropic.InternalServerError) as also:
        _ask_anthropic(keyed_anthropic, CLAUDE)
    assert also.value.status_code == 504
    assert also.value.response.headers["x-tokligence-error-code"] == "upstream.timeout"


def test_an_upstream_that_cannot_be_reached_is_a_bad_gateway(keyed_openai: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        _ask_openai(keyed_openai, "nowhere-1")
    assert caught.value.status_code == 502
    assert caught.value.response.headers["x-tokligence-error-code"] == "upstream.connect_failed"


def test_clients_must_show_their_key(impatient: Daemon, keyed_openai: openai.OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError) as caught:
        _ask_openai(keyed_openai.with_options(api_key="wrong"), CLAUDE)
    assert caught.value.response.headers["x-tokligence-error-code"] == "auth.invalid_key"
    with anthropic.Anthropic(base_url=impatient.url, api_key="wrong", max_retries=0) as client:
        with pytest.raises(anthropic.AuthenticationError) as also:
            _ask_anthropic(client, CLAUDE)
        assert also.value.type == "authentication_error"
    assert _ask_openai(keyed_openai, CLAUDE)[0].choices[0].message.content == "You said: hello"
