"""Vendors that are known by name, over real sockets, at the address of a scripted server."""

from __future__ import annotations

import pytest

from tests.pipeline.harness import CHAT, MESSAGES, Bench, chat, messages
from tokligence.config.schema import ProviderSection


def section(bench: Bench, preset: str, **more: str) -> dict[str, tuple[ProviderSection, ...]]:
    upstream = bench.compatible
    found = ProviderSection(
        name=preset, preset=preset, base_url=upstream.base_url, api_key=upstream.key, **more
    )
    return {"providers": (found,)}


async def test_a_request_for_the_vendors_name_reaches_it_without_the_prefix(bench: Bench):
    gate = await bench.serve(**section(bench, "groq"))
    reply = await gate.ask(CHAT, chat(model="groq/meta-llama/llama-4"))
    assert reply.status == 200
    assert reply.headers["x-tokligence-route"] == "groq/meta-llama/llama-4"
    assert bench.compatible.last.json["model"] == "meta-llama/llama-4"
    assert (gate.row.provider, gate.row.outcome) == ("groq", "ok")


@pytest.mark.parametrize(
    ("preset", "model", "field"),
    [("deepseek", "deepseek-v4-pro", "max_tokens"), ("xai", "grok-5", "max_completion_tokens")],
)
async def test_a_translated_request_is_in_the_vendors_dialect(
    bench: Bench, preset: str, model: str, field: str
):
    gate = await bench.serve(**section(bench, preset))
    reply = await gate.ask(MESSAGES, messages(model=model, system="Be brief."))
    assert reply.status == 200
    sent = bench.compatible.last.json
    assert sent[field] == 100
    assert sent["messages"][0]["role"] == "system"


async def test_a_vendor_that_refuses_the_question_is_not_asked_for_usage(bench: Bench):
    gate = await bench.serve(**section(bench, "mistral"))
    for path, body in (
        (CHAT, chat(model="mistral-large", stream=True)),
        (MESSAGES, messages(model="mistral-large", stream=True)),
    ):
        assert (await gate.ask(path, body)).status == 200
        assert "stream_options" not in bench.compatible.last.json
