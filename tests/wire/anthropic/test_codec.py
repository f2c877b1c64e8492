"""The codec as the rest of the gateway sees it."""

from __future__ import annotations

import pytest

from tokligence.conversation import ProtocolId
from tokligence.errors import GatewayError
from tokligence.wire.anthropic import CODEC
from tokligence.wire.contract import Codec


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
