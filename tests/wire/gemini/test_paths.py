"""What stands in the path of a request."""

from __future__ import annotations

import pytest

from tokligence.wire.gemini.paths import Asked, Method, parse_model, parse_target, target_path


@pytest.mark.parametrize(
    ("path", "query", "asked"),
    [
        ("/v1beta/models/gemini-3-flash:generateContent", "", Asked("gemini-3-flash", Method.GENERATE)),
        ("/v1/models/m:streamGenerateContent", "alt=sse", Asked("m", Method.STREAM)),
        ("/genai/v1beta/models/m:streamGenerateContent", "%24alt=sse&x=1", Asked("m", Method.STREAM)),
        ("/v1beta/models/m:streamGenerateContent", "", Asked("m", Method.STREAM, array=True)),
        ("/v1beta/models/m:streamGenerateContent", "alt=json", Asked("m", Method.STREAM, array=True)),
        ("/v1beta/models/m:countTokens", "", Asked("m", Method.COUNT)),
        (
            "/v1beta/models/anthropic/claude-x:generateContent",
            "",
            Asked("anthropic/claude-x", Method.GENERATE),
        ),
        ("/v1beta/models/a%2Fb%3A8b:generateContent", "", Asked("a/b:8b", Method.GENERATE)),
        ("/v1beta/models/llama3:8b:generateContent", "", Asked("llama3:8b", Method.GENERATE)),
        ("/v1beta/models/m", "", None),
        ("/v1beta/models/:generateContent", "", None),
        ("/v1beta/models/m:embedContent", "", None),
        ("/v1beta/files/m:generateContent", "", None),
    ],
)
def test_model_method_and_form_of_the_stream_are_read(path: str, query: str, asked: Asked | None) -> None:
    assert parse_target(path, query) == asked
    assert asked is None or asked.stream is (asked.method is Method.STREAM)


def test_the_model_of_a_lookup_is_read() -> None:
    assert parse_model("/v1beta/models/gemini-3-flash") == "gemini-3-flash"
    assert parse_model("/v1beta/models/") is None
    assert parse_model("/v1beta/files/x") is None


@pytest.mark.parametrize(
    ("model", "method", "path"),
    [
        ("gemini-3-flash", Method.GENERATE, b"/v1beta/models/gemini-3-flash:generateContent"),
        ("gemini-3-flash", Method.STREAM, b"/v1beta/models/gemini-3-flash:streamGenerateContent?alt=sse"),
        ("models/m", Method.COUNT, b"/v1beta/models/m:countTokens"),
        ("tunedModels/mine", Method.GENERATE, b"/v1beta/tunedModels/mine:generateContent"),
        ("a b?x#y%", Method.GENERATE, b"/v1beta/models/a%20b%3Fx%23y%25:generateContent"),
    ],
)
def test_an_upstreams_path_names_model_and_method(model: str, method: Method, path: bytes) -> None:
    assert target_path(model, method) == path
