"""Tokens in disjoint classes, and in Gemini's words."""

from __future__ import annotations

from tests.wire.gemini.given import show
from tokligence.conversation import Usage
from tokligence.wire.gemini.types import ModalityTokensWire, UsageWire
from tokligence.wire.gemini.usage import read_usage, usage_losses, write_usage


def test_cached_tokens_are_a_part_of_the_prompt_and_thoughts_come_on_top() -> None:
    wire = UsageWire(
        prompt_token_count=100,
        cached_content_token_count=60,
        candidates_token_count=20,
        thoughts_token_count=7,
        tool_use_prompt_token_count=5,
        prompt_tokens_details=[ModalityTokensWire("TEXT", 90), ModalityTokensWire("AUDIO", 10)],
        candidates_tokens_details=[ModalityTokensWire("AUDIO", 3), ModalityTokensWire("AUDIO")],
    )
    usage = Usage(input=45, cache_read=60, output=27, reasoning=7, input_audio=10, output_audio=3)
    assert read_usage(wire) == usage
    assert read_usage(UsageWire(), exact=False) == Usage(exact=False)


def test_counts_that_contradict_each_other_give_no_negative_class() -> None:
    wire = UsageWire(prompt_token_count=3, cached_content_token_count=9, candidates_token_count=-1)
    assert read_usage(wire) == Usage(cache_read=3)


def test_what_was_written_to_a_cache_is_a_part_of_the_prompt() -> None:
    usage = Usage(
        input=10, cache_read=5, cache_write_5m=2, cache_write_1h=1, output=9, reasoning=4, web_searches=1
    )
    assert write_usage(usage) == {
        "promptTokenCount": 18,
        "cachedContentTokenCount": 5,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 4,
        "totalTokenCount": 27,
    }
    assert show(usage_losses(usage)) == [
        "usage.cache_write_tokens unsupported cosmetic",
        "usage.server_tool_use unsupported cosmetic",
    ]
    assert usage_losses(None) == usage_losses(Usage()) == []


def test_audio_is_told_by_modality() -> None:
    out = write_usage(Usage(input=10, output=6, input_audio=4, output_audio=6))
    assert out["promptTokensDetails"] == [
        {"modality": "TEXT", "tokenCount": 6},
        {"modality": "AUDIO", "tokenCount": 4},
    ]
    assert out["candidatesTokensDetails"] == [
        {"modality": "TEXT", "tokenCount": 0},
        {"modality": "AUDIO", "tokenCount": 6},
    ]
