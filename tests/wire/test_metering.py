from __future__ import annotations

import pytest

from tokligence.conversation import Usage
from tokligence.wire.metering import read_metered, read_tail


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ('{"prompt_tokens":8,"total_tokens":8}', Usage(input=8)),
        ('{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}', Usage(input=5, output=7)),
        (
            '{"prompt_tokens":9,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":4}}',
            Usage(input=5, cache_read=4, output=1),
        ),
        (
            '{"input_tokens":50,"output_tokens":4160,"input_tokens_details":{"text_tokens":10}}',
            Usage(input=50, output=4160),
        ),
        (
            '{"type":"tokens","input_tokens":14,"input_token_details":{"audio_tokens":4},"output_tokens":45}',
            Usage(input=14, output=45, input_audio=4),
        ),
        ('{"total_tokens":42}', Usage(input=42)),
        ('{"prompt_tokens":-3,"completion_tokens":-1}', Usage()),
        ('{"type":"duration","seconds":9}', None),
        ('{"prompt_tokens":"many"}', None),
        ("7", None),
        ("null", None),
    ],
)
def test_each_vocabulary_of_usage_is_understood(usage: str, expected: Usage | None) -> None:
    assert read_metered(f'{{"model":"m","usage":{usage}}}'.encode()) == (expected, "m")


@pytest.mark.parametrize("raw", [b"", b"[]", b"\xff", b'{"model":"\xff"}', b"[" * 5000])
def test_what_cannot_be_read_tells_nothing(raw: bytes) -> None:
    assert read_metered(raw) == (None, None)


def test_a_model_that_is_no_text_is_none() -> None:
    assert read_metered(b'{"model":3}') == (None, None)


def test_usage_is_found_in_the_end_of_a_large_answer() -> None:
    tail = b'.5,0.25]}],"model":"m","usage":{"prompt_tokens":8,"x":{"y":1},"total_tokens":8}}\n'
    assert read_tail(tail) == Usage(input=8)
    assert read_tail(b'"usage":{"prompt_tokens":1},"usage":{"prompt_tokens":2}') == Usage(input=2)
    assert read_tail(b"0.5,0.25]}]}") is None
    assert read_tail(b'"usage":{broken}') is None
