"""Lists of models and counts of tokens, as Google's SDK reads them."""

from __future__ import annotations

import json

import pytest
from google.genai import types

from tests.wire.gemini.given import asked, dumps, request, written_of
from tokligence.errors import GatewayError
from tokligence.wire.contract import ListedModel
from tokligence.wire.gemini import CODEC
from tokligence.wire.gemini.listing import counted_request, read_count, write_count, write_count_request

CLAUDE = ListedModel("claude-x", 5, "anthropic", 200_000, 64_000)


def test_models_are_listed_with_their_limits() -> None:
    listed = json.loads(CODEC.write_models([CLAUDE, ListedModel("bare", 0, "llm")]))["models"]
    first = types.Model.model_validate(
        {key: value for key, value in listed[0].items() if key != "supportedGenerationMethods"}
    )
    assert (first.name, first.input_token_limit, first.output_token_limit) == (
        "models/claude-x",
        200_000,
        64_000,
    )
    assert "generateContent" in listed[0]["supportedGenerationMethods"]
    assert "inputTokenLimit" not in listed[1]
    assert json.loads(CODEC.write_model(CLAUDE)) == listed[0]


def test_tokens_are_counted_of_a_request_or_of_what_it_holds() -> None:
    inner = asked()
    assert json.loads(counted_request(dumps(inner))) == inner
    assert json.loads(counted_request(dumps({"generateContentRequest": inner}))) == inner
    assert json.loads(counted_request(dumps({"generate_content_request": inner}))) == inner
    with pytest.raises(GatewayError):
        counted_request(b"[]")


def test_an_upstream_counts_the_whole_request() -> None:
    body = written_of(request()).body
    sent = json.loads(write_count_request(body, "m"))
    assert sent == {"generateContentRequest": {**json.loads(body), "model": "models/m"}}


def test_a_count_is_written_and_read() -> None:
    assert json.loads(write_count(7)) == {"totalTokens": 7}
    assert read_count(b'{"totalTokens":7,"promptTokensDetails":[]}') == 7
    assert read_count(b"<html>") is read_count(b"{}") is None
