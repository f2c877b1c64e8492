"""What the parts of the process want of the settings."""

from __future__ import annotations

import pytest

from tokligence.config.schema import FIELDS, SECRET_NAMES, ClientKey, ProviderSection, Settings
from tokligence.edge.derive import OF_CLIENT, client_options, limits, provider_states, proxies_of, secrets_of
from tokligence.edge.paths import Shape
from tokligence.edge.refusal import refusal, write_error
from tokligence.errors import ERRORS, GatewayError
from tokligence.upstream.client import Options
from tokligence.wire.contract import ErrorView
from tokligence.wire.gemini.tables import STATUS_WORD


def test_what_the_upstream_client_is_made_with_are_settings() -> None:
    assert set(FIELDS) >= OF_CLIENT
    options = client_options(Settings(idle_timeout_s=1.5))
    assert options.idle_timeout_s == 1.5
    assert isinstance(options, Options)


def test_limits_are_those_of_the_settings() -> None:
    assert limits(Settings(max_headers=7)).max_headers == 7


def test_every_secret_is_among_those_to_hide() -> None:
    settings = Settings(
        openai_api_key="a",
        anthropic_api_key="b",
        google_api_key="c",
        llm_api_key="d",
        providers=(ProviderSection(name="x", base_url="http://x", api_key="e"),),
        client_keys=(ClientKey(name="y", value="f"),),
    )
    assert secrets_of(settings) == ["a", "b", "c", "d", "e", "f"]
    assert len(SECRET_NAMES) == 6
    assert secrets_of(Settings()) == []


def test_a_provider_that_is_off_says_what_is_missing() -> None:
    reasons = {row["name"]: row["reason"] for row in provider_states(Settings(openai_api_key="k"))}
    assert reasons["openai"] is None
    assert reasons["anthropic"] == "anthropic_api_key is not set"
    assert reasons["llm"] == "llm_endpoint is not set"


def test_local_only_is_the_reason_where_it_is_on() -> None:
    settings = Settings(
        local_only=True,
        openai_api_key="k",
        llm_endpoint="http://localhost:1/v1",
        providers=(ProviderSection(name="mine", base_url="http://localhost:2/v1"),),
    )
    states = {row["name"]: row for row in provider_states(settings)}
    assert states["openai"]["reason"] == "local_only is on"
    assert states["llm"]["configured"] is True
    assert states["mine"] == {"name": "mine", "configured": True, "state": "configured", "reason": None}


def test_a_known_vendor_that_is_off_says_what_is_missing() -> None:
    sections = (
        ProviderSection(name="groq", preset="groq"),
        ProviderSection(name="xai", preset="xai", api_key="k"),
    )
    reasons = {row["name"]: row["reason"] for row in provider_states(Settings(providers=sections))}
    assert (reasons["groq"], reasons["xai"]) == ("[provider.groq] api_key is not set", None)
    local = provider_states(Settings(providers=sections, local_only=True))
    assert {row["reason"] for row in local if row["name"] in ("groq", "xai")} == {"local_only is on"}


@pytest.mark.parametrize(
    ("environ", "https"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://a:1"}, "http://a:1"),
        ({"HTTPS_PROXY": "http://a:1", "https_proxy": "http://b:1"}, "http://b:1"),
        ({"https_proxy": ""}, None),
    ],
)
def test_proxies_are_read_as_curl_reads_them(environ: dict[str, str], https: str | None) -> None:
    assert proxies_of(environ).https == https


def test_every_status_of_ours_has_a_word_for_google() -> None:
    words = set(STATUS_WORD.values())
    for spec in ERRORS.values():
        body = write_error(Shape.GOOGLE, ErrorView(status=spec.status, message="m", request_id="r", code="c"))
        assert any(f'"status":"{word}"'.encode() in body for word in words)
    assert b'"INVALID_ARGUMENT"' in write_error(Shape.GOOGLE, ErrorView(418, "m", "r", "c"))
    assert b'"INTERNAL"' in write_error(Shape.GOOGLE, ErrorView(599, "m", "r", "c"))


def test_a_refusal_says_when_to_come_back_and_whether() -> None:
    for shape in Shape:
        headers, _ = refusal(shape, GatewayError("gateway.overloaded", retry_after="1"), "req_1")
        assert (b"retry-after", b"1") in headers
        assert b"x-should-retry" not in dict(headers)
        headers, _ = refusal(shape, GatewayError("gateway.loop"), "req_1")
        assert (b"x-should-retry", b"false") in headers
