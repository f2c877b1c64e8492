"""One gateway for all tests, in front of one scripted upstream of each vendor; the SDKs talk to the gateway."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import openai
import pytest

from tests.e2e.daemon import Daemon, running
from tests.fakes.anthropic import Anthropic
from tests.fakes.openai import OpenAI

CLIENT_KEY = "sk-client-key-that-stays-with-the-gateway"


def settings(openai_server: OpenAI, anthropic_server: Anthropic) -> dict[str, str]:
    return {
        "TOKLIGENCE_OPENAI_BASE_URL": openai_server.base_url,
        "TOKLIGENCE_OPENAI_API_KEY": openai_server.key,
        "TOKLIGENCE_ANTHROPIC_BASE_URL": anthropic_server.base_url,
        "TOKLIGENCE_ANTHROPIC_API_KEY": anthropic_server.key,
        "TOKLIGENCE_DRAIN_TIMEOUT_S": "5",  # whatever a test left behind must not hold up the stop
    }


@pytest.fixture(scope="session")
def daemon(
    tmp_path_factory: pytest.TempPathFactory, openai_server: OpenAI, anthropic_server: Anthropic
) -> Iterator[Daemon]:
    with running(tmp_path_factory.mktemp("home"), settings(openai_server, anthropic_server)) as gateway:
        yield gateway


@pytest.fixture
def gateway(daemon: Daemon, openai_upstream: OpenAI, anthropic_upstream: Anthropic) -> Daemon:
    """The gateway, with both upstreams reset before and judged after the test."""
    for upstream in (openai_upstream, anthropic_upstream):
        upstream.must_not_see(CLIENT_KEY)
    return daemon


@pytest.fixture
def openai_sdk(gateway: Daemon) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=CLIENT_KEY, max_retries=0, timeout=30) as client:
        yield client


@pytest.fixture
def anthropic_sdk(gateway: Daemon) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=gateway.url, api_key=CLIENT_KEY, max_retries=0, timeout=30) as client:
        yield client
