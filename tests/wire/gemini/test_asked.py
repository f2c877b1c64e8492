"""The codec of one call, which knows what the path says."""

from __future__ import annotations

import json

import pytest

from tests.wire.gemini.given import asked, context, dumps
from tokligence.conversation import Opened
from tokligence.wire.contract import ErrorView
from tokligence.wire.gemini.asked import AskedGemini
from tokligence.wire.gemini.paths import Asked, Method


@pytest.mark.parametrize(("method", "streams"), [(Method.GENERATE, False), (Method.STREAM, True)])
def test_model_and_stream_are_those_of_the_path(method: Method, streams: bool) -> None:
    codec = AskedGemini(Asked("m", method))
    peek, request = codec.peek(dumps(asked())), codec.read_request(dumps(asked()))
    assert (peek.model, peek.stream) == (request.model, request.stream) == ("m", streams)


@pytest.mark.parametrize("array", [False, True])
def test_a_stream_is_written_in_the_form_that_was_asked_for(array: bool) -> None:
    codec = AskedGemini(Asked("m", Method.STREAM, array))
    writer = codec.stream_writer(context())
    begun = writer.write(Opened("up", "m", None))
    failed = writer.fail(ErrorView(503, "busy", "req_1"))
    assert (begun + failed).startswith(b"[" if array else b"data: ")
    error = codec.write_stream_error(ErrorView(503, "busy", "req_1"))
    told = json.loads(error.lstrip(b",\r\n").removesuffix(b"]") if array else error.removeprefix(b"data: "))
    assert told["error"]["code"] == 503
