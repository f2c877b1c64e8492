"""The scripted Gemini, seen by Google's own SDK."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from google import genai
from google.genai import errors, types

from tests.fakes import gemini_rules, replies
from tests.fakes.gemini import Gemini
from tests.fakes.replies import Failure, Reply, Text, Thinking, Usage

FLASH = "gemini-3.8-flash"
OLD = "gemini-2.5-flash"
WEATHER: Any = types.FunctionDeclaration(
    name="weather",
    parameters_json_schema={
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
)
TOOLS: Any = [types.Tool(function_declarations=[WEATHER])]


def test_an_unscripted_text_is_echoed(gemini_sdk: genai.Client) -> None:
    answer = gemini_sdk.models.generate_content(model=FLASH, contents="hello")
    assert answer.text == "You said: hello"
    assert answer.candidates is not None
    assert answer.candidates[0].finish_reason is types.FinishReason.STOP
    assert answer.usage_metadata is not None and answer.usage_metadata.total_token_count


def test_a_stream_gives_the_pieces_and_the_usage_last(
    gemini_sdk: genai.Client, gemini_upstream: Gemini
) -> None:
    usage = Usage(input=5, cache_read=3, output=9, reasoning=4)
    gemini_upstream.script(Reply(parts=[Thinking("hm"), Text("Hel lo", ("Hel", " lo"))], usage=usage))
    chunks = list(gemini_sdk.models.generate_content_stream(model=FLASH, contents="x"))
    assert "".join(chunk.text or "" for chunk in chunks) == "Hel lo"
    last = chunks[-1].usage_metadata
    assert last is not None
    assert (last.prompt_token_count, last.cached_content_token_count) == (8, 3)
    assert (last.candidates_token_count, last.thoughts_token_count) == (5, 4)


def test_a_tool_round_trip_demands_the_signature(gemini_sdk: genai.Client, gemini_upstream: Gemini) -> None:
    config = types.GenerateContentConfig(tools=TOOLS)
    asked = types.UserContent(
        parts=[types.Part(text='tool:weather {"city": "Rome"}\ntool:weather {"city": "Oslo"}')]
    )
    first = gemini_sdk.models.generate_content(model=FLASH, contents=[asked], config=config)
    assert first.candidates is not None
    said = first.candidates[0].content
    assert said is not None and said.parts is not None
    assert [part.thought_signature is None for part in said.parts] == [False, True]
    results = [
        types.Part(
            function_response=types.FunctionResponse(
                id=part.function_call.id, name="weather", response={"result": str(n)}
            )
        )
        for n, part in enumerate(said.parts)
        if part.function_call is not None
    ]
    answer = types.UserContent(parts=results)
    second = gemini_sdk.models.generate_content(model=FLASH, contents=[asked, said, answer], config=config)
    assert second.text == "The tools said: 0 | 1"
    gemini_upstream.expect("missing a thought_signature")
    said.parts[0].thought_signature = None
    with pytest.raises(errors.ClientError):
        gemini_sdk.models.generate_content(model=FLASH, contents=[asked, said, answer], config=config)


def test_an_error_is_the_vendors(gemini_sdk: genai.Client, gemini_upstream: Gemini) -> None:
    gemini_upstream.script(Failure(429))
    with pytest.raises(errors.ClientError) as refused:
        gemini_sdk.models.generate_content(model=FLASH, contents="x")
    assert (refused.value.code, refused.value.status) == (429, "RESOURCE_EXHAUSTED")


def test_an_error_within_a_stream_raises(gemini_sdk: genai.Client, gemini_upstream: Gemini) -> None:
    gemini_upstream.script(replies.text("Hel", "lo", failure=Failure(503)))
    with pytest.raises(errors.ServerError):
        list(gemini_sdk.models.generate_content_stream(model=FLASH, contents="x"))


def test_a_stream_without_sse_is_an_array(gemini_upstream: Gemini) -> None:
    address = f"{gemini_upstream.url}/v1beta/models/{OLD}:streamGenerateContent"
    body = {"contents": [{"parts": [{"text": "a b"}]}]}
    answer = httpx2.post(address, json=body, headers={"x-goog-api-key": gemini_upstream.key})
    parts = [chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in answer.json()]
    assert "".join(parts) == "You said: a b"


def test_tokens_are_counted_and_models_listed(gemini_sdk: genai.Client) -> None:
    assert gemini_sdk.models.count_tokens(model=FLASH, contents="hello").total_tokens
    assert {model.name for model in gemini_sdk.models.list()} == {
        f"models/{name}" for name in gemini_rules.MODELS
    }


def body(**fields: Any) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": "x"}]}], **fields}


CALL = {"functionCall": {"name": "f", "args": {}, "id": "1"}}
ANSWER = {"functionResponse": {"name": "f", "response": {}, "id": "1"}}
REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "an unknown field": (FLASH, body(generationConfiguration={}), "Unknown name"),
    "an unknown field within a part": (
        FLASH,
        {"contents": [{"parts": [{"text": "x", "hue": 1}]}]},
        "Unknown name",
    ),
    "a wrong type": (FLASH, body(generationConfig={"temperature": "warm"}), "Invalid value"),
    "an unknown model": ("gemini-9", body(), "not found"),
    "no contents": (FLASH, {"contents": []}, "not specified"),
    "an empty turn": (FLASH, {"contents": [{"role": "user", "parts": []}]}, "must not be empty"),
    "an unanswered call": (
        OLD,
        {
            "contents": [
                {"parts": [{"text": "x"}]},
                {"role": "model", "parts": [CALL]},
                {"parts": [{"text": "y"}]},
            ]
        },
        "number of function response parts",
    ),
    "a history that begins with a call": (
        OLD,
        {"contents": [{"role": "model", "parts": [CALL]}, {"parts": [ANSWER]}]},
        "immediately after a user turn",
    ),
    "a level and a budget": (
        FLASH,
        body(generationConfig={"thinkingConfig": {"thinkingLevel": "LOW", "thinkingBudget": 5}}),
        "only one of",
    ),
    "a level of an old model": (
        OLD,
        body(generationConfig={"thinkingConfig": {"thinkingLevel": "LOW"}}),
        "level LOW",
    ),
    "a budget that is too large": (
        OLD,
        body(generationConfig={"thinkingConfig": {"thinkingBudget": 99_999}}),
        "budget 99999",
    ),
    "a schema for plain text": (
        FLASH,
        body(generationConfig={"responseJsonSchema": {}}),
        "response_mime_type",
    ),
    "a picture of a strange kind": (
        FLASH,
        {"contents": [{"parts": [{"inlineData": {"mimeType": "image/gif", "data": "AAAA"}}]}]},
        "MIME type",
    ),
    "a choice without functions": (
        FLASH,
        body(toolConfig={"functionCallingConfig": {"mode": "ANY"}}),
        "without",
    ),
    "a penalty": (FLASH, body(generationConfig={"presencePenalty": 1}), "Penalty"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_the_vendor_refuses_is_refused(what: str) -> None:
    model, sent, message = REFUSED[what]
    found = next(gemini_rules.violations(sent, model, lambda _: True), None)
    assert found is not None
    assert message in found.message
