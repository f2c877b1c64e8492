from __future__ import annotations

import pytest

from tokligence.conversation import Loss, LossReason, OutputFormat, OutputKind, ProtocolId, Request
from tokligence.wire.terms import in_terms

CHAT, MESSAGES = ProtocolId.OPENAI_CHAT, ProtocolId.ANTHROPIC


def request(origin: ProtocolId | None, max_tokens_name: str | None = None) -> Request:
    return Request("m", (), origin=origin, max_tokens_name=max_tokens_name)


@pytest.mark.parametrize(
    ("path", "chat", "messages"),
    [
        ("reasoning", "reasoning_effort", "thinking"),
        ("stop", "stop", "stop_sequences"),
        ("user", "user", "metadata.user_id"),
        ("tools[3].parameters", "tools[3].function.parameters", "tools[3].input_schema"),
        ("tools[3].strict", "tools[3].function.strict", "tools[3].strict"),
        ("tools[3].novel", "tools[3].novel", "tools[3].novel"),
        ("system.content[1].cache_control", "system[1].cache_control", "system[1].cache_control"),
        ("messages[0].content[1]", "messages[0].content[1]", "messages[0].content[1]"),
    ],
)
def test_a_loss_is_named_as_its_client_names_the_field(path: str, chat: str, messages: str) -> None:
    loss = Loss(path, LossReason.CLAMPED)
    assert in_terms([loss], request(CHAT)) == (Loss(chat, LossReason.CLAMPED),)
    assert in_terms([loss], request(MESSAGES)) == (Loss(messages, LossReason.CLAMPED),)


def test_a_loss_of_unknown_origin_stays_as_it_is() -> None:
    loss = Loss("stop", LossReason.CLAMPED)
    assert in_terms([loss], request(None)) == (loss,)
    assert in_terms([], request(MESSAGES)) == ()


def test_a_loss_of_the_limit_has_the_name_that_the_client_used() -> None:
    losses = [Loss("max_tokens", LossReason.CLAMPED), Loss("stop", LossReason.CLAMPED)]
    named = in_terms(losses, request(CHAT, "max_completion_tokens"))
    assert [loss.path for loss in named] == ["max_completion_tokens", "stop"]
    assert [loss.path for loss in in_terms(losses, request(CHAT))] == ["max_tokens", "stop"]


@pytest.mark.parametrize(
    ("path", "gemini"),
    [
        ("response_format", "generationConfig.responseSchema"),
        ("response_format.strict", "generationConfig.responseSchema"),
        ("contents[1].content[2]", "contents[1].parts[2]"),
        ("contents[1].content[2].source", "contents[1].parts[2]"),
        ("contents[1].content[2].signature", "contents[1].parts[2].thoughtSignature"),
        ("contents[1].content[2].content[0]", "contents[1].parts[2].functionResponse.response"),
        ("contents[1].content[2].content[1]", "contents[1].parts[2].functionResponse.parts[0]"),
        ("systemInstruction.content[0]", "systemInstruction.parts[0]"),
        ("contents[1]", "contents[1]"),
    ],
)
def test_a_part_of_gemini_is_named_by_its_data(path: str, gemini: str) -> None:
    output = OutputFormat(OutputKind.JSON_SCHEMA, path="generationConfig.responseSchema")
    asked = Request("m", (), origin=ProtocolId.GEMINI, output=output)
    assert in_terms([Loss(path, LossReason.CLAMPED)], asked) == (Loss(gemini, LossReason.CLAMPED),)


@pytest.mark.parametrize(
    ("path", "part"), [(".content[0]", 0), (".content[1]", 0), (".content[2].source", 1), (".content[5]", 3)]
)
def test_a_proof_beside_a_part_is_named_as_that_part(path: str, part: int) -> None:
    asked = Request("m", (), origin=ProtocolId.GEMINI)
    named = in_terms([Loss(f"contents[1;0,3]{path}", LossReason.CLAMPED)], asked)
    assert [loss.path for loss in named] == [f"contents[1].parts[{part}]"]
    whole = in_terms([Loss("contents[1;0,3].name", LossReason.CLAMPED)], asked)
    assert [loss.path for loss in whole] == ["contents[1].name"]
