"""Same-protocol requests change only where they must."""

from __future__ import annotations

import json

import pytest

from tokligence.errors import GatewayError
from tokligence.wire.openai_chat import CODEC
from tokligence.wire.openai_chat.inject import with_usage
from tokligence.wire.splice import TopLevel


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"model":"m"}', b'{"model":"m","stream_options":{"include_usage":true}}'),
        (b"{ }", b'{ "stream_options":{"include_usage":true}}'),
        (b'{"a":1.50,\n "b" : "\\u00e9" }\n', b'{"a":1.50,\n "b" : "\\u00e9" ,"stream_options":{"include_usage":true}}\n'),
        (b'{"stream_options": null, "a":1}', b'{"stream_options": {"include_usage":true}, "a":1}'),
        (b'{"stream_options":{}, "a":1}', b'{"stream_options":{"include_usage":true}, "a":1}'),
        (
            b'{"stream_options":{"include_obfuscation": false }}',
            b'{"stream_options":{"include_obfuscation": false ,"include_usage":true}}',
        ),
        (b'{"stream_options":{"include_usage" : false}}', b'{"stream_options":{"include_usage" : true}}'),
        (b'{"stream_options":{"include_usage":null}}', b'{"stream_options":{"include_usage":true}}'),
        (b'{"stream_options":{"include_usage":true}}', b'{"stream_options":{"include_usage":true}}'),
        (b'{"stream_options":"odd"}', b'{"stream_options":"odd"}'),
    ],
)  # fmt: skip
def test_usage_is_asked_for_and_no_other_byte_changes(before: bytes, after: bytes):
    assert with_usage(TopLevel(before)) == after
    assert CODEC.splice(before, model=None, ask_usage=True) == after
    assert CODEC.splice(before, model=None, ask_usage=False) == before


@pytest.mark.parametrize(
    "raw",
    [
        b'{"model": "old" , "messages":[{"model":"old"}], "stream_options":{"include_usage":false}}',
        b'{"stream_options":null,"messages":[],"model":"old"}',
        b'{"messages":[],"model":"old"}',
    ],
)
def test_model_and_usage_are_spliced_together(raw: bytes):
    out = CODEC.splice(raw, model='new"', ask_usage=True)
    want = {**json.loads(raw), "model": 'new"', "stream_options": {"include_usage": True}}
    assert json.loads(out) == want
    assert raw.replace(b'"old"', b'"new\\""', 1) != CODEC.splice(raw, model=None, ask_usage=False) == raw


def test_a_model_that_is_not_there_is_not_made_up():
    assert CODEC.splice(b'{"a":1}', model="m", ask_usage=False) == b'{"a":1}'


def test_repeated_keys_are_refused():
    with pytest.raises(GatewayError) as caught:
        CODEC.splice(b'{"model":"a","model":"b"}', model=None, ask_usage=False)
    assert caught.value.code == "request.duplicate_key"
