"""The codec as the rest of the gateway sees it."""

from __future__ import annotations

import json

import pytest

from tokligence.conversation import ProtocolId
from tokligence.errors import GatewayError
from tokligence.wire.anthropic import CODEC
from tokligence.wire.contract import Codec, ListedModel


def test_it_is_a_codec() -> None:
    codec: Codec = CODEC
    assert codec.protocol is ProtocolId.ANTHROPIC


def test_splicing_changes_the_model_and_no_other_byte() -> None:
    raw = b'{ "a": 1.0, "model" : "x",\n"z":[] }'
    assert CODEC.splice(raw, model='n"', ask_usage=True) == b'{ "a": 1.0, "model" : "n\\"",\n"z":[] }'
    assert CODEC.splice(raw, model=None, ask_usage=True) is raw


def test_repeated_keys_are_refused() -> None:
    with pytest.raises(GatewayError) as caught:
        CODEC.splice(b'{"model":"a","model":"b"}', model=None, ask_usage=False)
    assert caught.value.code == "request.duplicate_key"


def test_models_are_listed_as_the_vendor_lists_them() -> None:
    model = ListedModel("claude-opus-5", 1_764_000_000, "anthropic", 200_000, 64_000)
    one = json.loads(CODEC.write_model(model))
    assert (one["id"], one["type"], one["created_at"]) == ("claude-opus-5", "model", "2025-11-24T16:00:00Z")
    assert json.loads(CODEC.write_models([model]))["data"] == [one]
    assert json.loads(CODEC.write_models([])) == {
        "data": [],
        "has_more": False,
        "first_id": None,
        "last_id": None,
    }
