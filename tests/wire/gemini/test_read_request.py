"""A Gemini request -> the conversation."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.wire.gemini.given import GEMINI, Json, asked, dumps, read, show
from tokligence.conversation import (
    Audio,
    Base64Source,
    Document,
    Extras,
    FileSource,
    Image,
    Opaque,
    OpaqueTool,
    OutputFormat,
    OutputKind,
    Part,
    Reasoning,
    ReasoningMode,
    RedactedThinking,
    Role,
    Sampling,
    Text,
    TextSource,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
    UrlSource,
)
from tokligence.errors import GatewayError
from tokligence.wire.contract import Peek
from tokligence.wire.gemini import CODEC
from tokligence.wire.gemini.signatures import PLACEHOLDER, pack, pack_redacted


def parts_of(*parts: Json) -> tuple[Part, ...]:
    return read(asked(*parts)).turns[0].parts


def config(**fields: Any) -> Json:
    return asked(generationConfig=fields)


def refused(body: Json) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        read(body)
    return caught.value


# --- model, stream, top level ---------------------------------------------------------------------------


def test_model_and_stream_are_for_who_knows_the_path() -> None:
    value = read(asked(model="models/m"))
    assert (value.model, value.stream, value.origin) == ("", False, GEMINI)
    assert CODEC.peek(dumps(asked())) == Peek("")
    assert CODEC.peek(dumps(config(maxOutputTokens=9))) == Peek("", max_output=9)
    assert CODEC.peek(dumps(asked(generation_config={"max_output_tokens": 8}))) == Peek("", max_output=8)


def test_a_body_is_spliced_only_where_it_repeats_the_model() -> None:
    raw = dumps(asked())
    assert CODEC.splice(raw, model="n", ask_usage=True) == raw
    named = b'{"model": "models/m", "contents": []}'
    assert CODEC.splice(named, model="n", ask_usage=False) == b'{"model": "models/n", "contents": []}'
    assert CODEC.splice(named, model=None, ask_usage=False) == named
    with pytest.raises(GatewayError):
        CODEC.splice(b'{"contents":[],"contents":[]}', model=None, ask_usage=False)


def test_snake_case_and_single_values_are_read_as_googles_parsers_do() -> None:
    body = {
        "system_instruction": {"parts": {"text": "be brief"}},
        "contents": {"parts": {"inline_data": {"mime_type": "image/png", "data": "aGk="}}},
        "tools": {"function_declarations": {"name": "f", "parameters_json_schema": {"type": "object"}}},
        "tool_config": {"function_calling_config": {"mode": "any"}},
        "generation_config": {"max_output_tokens": 5, "thinking_config": {"thinking_budget": 9}},
        "service_tier": "flex",
    }
    value = read(body)
    assert [turn.role for turn in value.turns] == [Role.SYSTEM, Role.USER]
    assert value.turns[1].parts == (Image(Base64Source("image/png", "aGk=")),)
    assert [tool.name for tool in value.tools if isinstance(tool, Tool)] == ["f"]
    assert value.tool_choice == ToolChoice(ToolMode.ANY)
    assert (value.max_tokens, value.service_tier) == (5, "flex")
    assert value.losses == ()


def test_what_only_gemini_has_is_kept_with_its_path() -> None:
    body = asked(
        safetySettings=[],
        cachedContent="cachedContents/1",
        labels={"a": "b"},
        store=False,
        novel=1,
        toolConfig={"retrievalConfig": {"languageCode": "de"}},
        generationConfig={"mediaResolution": "LOW", "responseModalities": ["IMAGE"], "speechConfig": None},
    )
    assert read(body).extras == Extras(
        GEMINI,
        {
            "safetySettings": b"[]",
            "cachedContent": b'"cachedContents/1"',
            "labels": b'{"a": "b"}',
            "store": b"false",
            "toolConfig.retrievalConfig": b'{"languageCode": "de"}',
            "generationConfig.mediaResolution": b'"LOW"',
            "generationConfig.responseModalities": b'["IMAGE"]',
            "novel": b"1",
        },
    )
    assert read(config(responseModalities=["Text"], other=None)).extras is None


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"contents": []}, "contents"),
        ({"contents": [{"role": "tool", "parts": []}]}, "contents[0].role"),
        (asked({"text": "a", "inlineData": {"mimeType": "image/png", "data": ""}}), "contents[0].parts[0]"),
        (asked({"inlineData": {"data": "aGk="}}), "contents[0].parts[0].inlineData.mimeType"),
        (
            asked(toolConfig={"functionCallingConfig": {"mode": "SOME"}}),
            "toolConfig.functionCallingConfig.mode",
        ),
        ({}, "contents"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(body: Json, path: str) -> None:
    assert refused(body).details["path"] == path


def test_a_body_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(GatewayError) as caught:
        CODEC.read_request(b'{"contents":[{"parts":[{"text":"a"}]}],"labels":{"\xff":1}}')
    assert caught.value.code == "request.invalid_json"
    assert read(asked({"text": "ä"})).turns[0].parts == (Text("ä"),)


# --- parts ----------------------------------------------------------------------------------------------


def test_media_are_told_by_their_type() -> None:
    inline = [
        {"inlineData": {"mimeType": kind, "data": "aGk_-w==", "displayName": "n"}}
        for kind in ("image/webp", "audio/mpeg", "audio/flac", "application/pdf")
    ]
    assert parts_of(*inline) == (
        Image(Base64Source("image/webp", "aGk/+w==")),
        Audio("aGk/+w==", "mp3"),
        Audio("aGk/+w==", "flac"),
        Document(Base64Source("application/pdf", "aGk/+w=="), "n"),
    )
    assert show(read(asked(*inline)).losses) == [
        f"contents[0].parts[{n}].inlineData.displayName unsupported cosmetic" for n in range(3)
    ]


def test_a_text_file_is_text() -> None:
    data = base64.b64encode("grün".encode()).decode()
    assert parts_of({"inlineData": {"mimeType": "text/csv; charset=utf-8", "data": data}}) == (
        Document(TextSource("grün", "text/csv")),
    )
    assert parts_of({"inlineData": {"mimeType": "text/plain", "data": "!"}}) == (
        Document(Base64Source("text/plain", "!")),
    )


def test_a_video_is_kept_for_gemini() -> None:
    part = {"inlineData": {"mimeType": "video/mp4", "data": "aGk="}, "videoMetadata": {"fps": 2}}
    (found,) = parts_of(part)
    assert isinstance(found, Opaque)
    assert found.kind == "inlineData"
    assert json.loads(found.raw) == part


def test_files_are_addresses_or_stored_with_google() -> None:
    stored = "https://generativelanguage.googleapis.com/v1beta/files/abc"
    files = [
        {"fileData": {"fileUri": "https://x.org/a.png", "mimeType": "image/png", "displayName": "n"}},
        {"fileData": {"fileUri": stored, "mimeType": "application/pdf", "displayName": "n"}},
        {"fileData": {"fileUri": "gs://b/c.txt", "mimeType": "text/plain"}},
        {"fileData": {"fileUri": "https://youtu.be/x"}},
    ]
    image, document, text, video = parts_of(*files)
    assert image == Image(UrlSource("https://x.org/a.png"))
    assert document == Document(FileSource(stored, GEMINI), "n")
    assert text == Document(FileSource("gs://b/c.txt", GEMINI))
    assert isinstance(video, Opaque)


def test_parts_of_the_vendors_tools_and_those_nobody_knows_are_kept_whole() -> None:
    parts = [
        {"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "c2ln"},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK"}},
        {"toolCall": {"toolType": "URL_CONTEXT"}},
        {"toolResponse": {}},
        {"hologram": {"a": 1}},
    ]
    found = parts_of(*parts, {})
    assert [part.kind for part in found if isinstance(part, Opaque)] == [
        "executableCode",
        "codeExecutionResult",
        "toolCall",
        "toolResponse",
        "hologram",
    ]
    assert found[1] == Thinking("", "c2ln", "google")
    assert len(found) == 6


def test_what_stands_beside_a_part_is_kept_on_it() -> None:
    (text,) = parts_of({"text": "a", "partMetadata": {"k": 1}})
    assert text == Text("a", extras=Extras(GEMINI, {"partMetadata": b'{"k": 1}'}))
    value = read({"contents": [{"role": "user", "parts": [{"text": "a"}], "mood": 1}]})
    assert value.turns[0].extras == Extras(GEMINI, {"mood": b"1"})
    assert read({"contents": [{"role": "model"}]}).turns[0].parts == ()


# --- thinking -------------------------------------------------------------------------------------------


def test_a_signature_stands_behind_its_text_or_on_its_call() -> None:
    parts = parts_of(
        {"text": "hm", "thought": True},
        {"text": "so", "thoughtSignature": "c2ln"},
        {"thought": True, "thoughtSignature": "YQ=="},
        {"thoughtSignature": "Yg=="},
        {"functionCall": {"id": "1", "name": "f", "args": {"a": 1}}, "thoughtSignature": "Yw=="},
        {"functionCall": {"id": "2", "name": "f"}, "thoughtSignature": PLACEHOLDER, "novel": 1},
    )
    assert parts == (
        Thinking("hm", None, "google"),
        Text("so"),
        Thinking("", "c2ln", "google"),
        Thinking("", "YQ==", "google"),
        Thinking("", "Yg==", "google"),
        ToolCall("1", "f", '{"a": 1}', signature="Yw==", issuer="google"),
        ToolCall("2", "f", "{}", extras=Extras(GEMINI, {"novel": b"1"})),
    )


def test_another_vendors_thoughts_come_back_as_they_went() -> None:
    assert parts_of(
        {"text": "hm", "thought": True, "thoughtSignature": pack("sig", "anthropic")},
        {"text": "hm", "thought": True, "thoughtSignature": pack("", "deepseek")},
        {"text": "", "thought": True, "thoughtSignature": pack_redacted("data", "anthropic")},
    ) == (
        Thinking("hm", "sig", "anthropic"),
        Thinking("hm", None, "deepseek"),
        RedactedThinking("data", "anthropic"),
    )


# --- functions ------------------------------------------------------------------------------------------


def call(name: str, given: str | None = None) -> Json:
    return {"functionCall": {"name": name, **({} if given is None else {"id": given})}}


def response(name: str, value: Any, given: str | None = None, **fields: Any) -> Json:
    told = {} if given is None else {"id": given}
    return {"functionResponse": {"name": name, "response": value, **told, **fields}}


def history(calls: list[Json], responses: list[Json]) -> Json:
    turns = [("user", [{"text": "x"}]), ("model", calls), ("user", responses)]
    return {"contents": [{"role": role, "parts": parts} for role, parts in turns]}


def ids(body: Json) -> tuple[list[str], list[str]]:
    turns = read(body).turns
    return (
        [part.id for part in turns[1].parts if isinstance(part, ToolCall)],
        [part.call_id for part in turns[2].parts if isinstance(part, ToolResult)],
    )


def test_two_calls_of_one_name_without_ids_are_answered_in_order() -> None:
    body = history(
        [call("f"), call("g"), call("f")], [response("f", {}), response("f", {}), response("g", {})]
    )
    (first, other, second), answered = ids(body)
    assert answered == [first, second, other]
    assert len({first, other, second}) == 3
    assert ids(body) == ids(body)


def test_ids_pair_calls_in_any_order() -> None:
    assert ids(
        history([call("f", "1"), call("f", "2")], [response("f", {}, "2"), response("f", {}, "1")])
    ) == (
        ["1", "2"],
        ["2", "1"],
    )


def test_a_response_with_an_id_answers_a_call_that_had_none() -> None:
    (made,), answered = ids(history([call("f")], [response("f", {}, "own")]))
    assert answered == [made]


def test_a_response_without_a_call_has_an_id_of_its_own() -> None:
    _, answered = ids(
        history([call("f", "1")], [response("g", {}), response("f", {}, "2"), response("f", {}, "1")])
    )
    assert answered[1:] == ["2", "1"]
    assert answered[0].startswith("call_")


@pytest.mark.parametrize(
    ("value", "text", "failed"),
    [
        ({"output": "plain"}, "plain", False),
        ({"result": {"a": 1}}, '{"a": 1}', False),
        ({"error": "broken"}, "broken", True),
        ({"a": 1, "b": 2}, '{"a": 1, "b": 2}', False),
        ({"a": 1}, '{"a": 1}', False),
        ({"output": None}, None, False),
        ({"output": ""}, None, False),
        ({}, None, False),
        (None, None, False),
        ([1], "[1]", False),
    ],
)
def test_a_functions_response_is_read(value: Any, text: str | None, failed: bool) -> None:
    result = read(history([call("f", "1")], [response("f", value, "1")])).turns[2].parts[0]
    assert isinstance(result, ToolResult)
    assert result.parts == (() if text is None else (Text(text),))
    assert result.is_error is failed


def test_a_response_may_hold_media_and_words_of_the_vendor() -> None:
    media = [{"inlineData": {"mimeType": "image/png", "data": "aGk="}, "mood": 1}]
    body = history(
        [call("f", "1")], [response("f", {"output": "see"}, "1", parts=media, scheduling="SILENT")]
    )
    value = read(body)
    result = value.turns[2].parts[0]
    assert isinstance(result, ToolResult)
    assert result.parts == (Text("see"), Image(Base64Source("image/png", "aGk=")))
    assert result.extras == Extras(GEMINI, {"functionResponse.scheduling": b'"SILENT"'})
    assert show(value.losses) == [
        "contents[2].parts[0].functionResponse.parts[0].mood unknown_field semantic"
    ]


def test_arguments_in_pieces_are_not_read() -> None:
    part = {"functionCall": {"id": "1", "name": "f", "partialArgs": [], "willContinue": True, "mood": 1}}
    assert show(read(asked(part)).losses) == [
        "contents[0].parts[0].functionCall.partialArgs unsupported semantic",
        "contents[0].parts[0].functionCall.willContinue unsupported semantic",
        "contents[0].parts[0].functionCall.mood unknown_field semantic",
    ]


# --- tools ----------------------------------------------------------------------------------------------


def test_functions_have_schemas_of_either_dialect() -> None:
    functions = [
        {"name": "a", "description": "d", "parametersJsonSchema": {"type": "object"}, "behavior": "BLOCKING"},
        {"name": "b", "parameters": {"type": "OBJECT"}, "response": {"type": "STRING"}, "mood": 1},
        {"name": "c", "parameters": {"type": "OBJECT"}, "parametersJsonSchema": {}, "responseJsonSchema": {}},
        {"name": "d"},
    ]
    value = read(asked(tools=[{"functionDeclarations": functions}, {"googleSearch": {}, "urlContext": None}]))
    path = "tools[0].functionDeclarations"
    assert value.tools == (
        Tool(
            "a", f"{path}[0]", "d", b'{"type": "object"}', extras=Extras(GEMINI, {"behavior": b'"BLOCKING"'})
        ),
        Tool(
            "b",
            f"{path}[1]",
            None,
            b'{"type":"object"}',
            extras=Extras(GEMINI, {"response": b'{"type": "STRING"}', "mood": b"1"}),
        ),
        Tool("c", f"{path}[2]", None, b"{}", extras=Extras(GEMINI, {"responseJsonSchema": b"{}"})),
        Tool("d", f"{path}[3]"),
        OpaqueTool(GEMINI, "googleSearch", "tools[1].googleSearch", b'{"googleSearch":{}}'),
    )
    assert show(value.losses) == [f"{path}[2].parameters converted cosmetic"]


@pytest.mark.parametrize(
    ("mode", "names", "choice", "losses"),
    [
        ("AUTO", [], ToolChoice(ToolMode.AUTO), []),
        ("ANY", [], ToolChoice(ToolMode.ANY), []),
        ("ANY", ["f"], ToolChoice(ToolMode.TOOL, ("f",)), []),
        ("ANY", ["f", "g"], ToolChoice(ToolMode.ANY, ("f", "g")), []),
        ("NONE", ["f"], ToolChoice(ToolMode.NONE), []),
        (
            "VALIDATED",
            ["f"],
            ToolChoice(ToolMode.AUTO, ("f",)),
            ["toolConfig.functionCallingConfig.mode converted cosmetic"],
        ),
        ("MODE_UNSPECIFIED", [], None, []),
        (None, ["f"], ToolChoice(ToolMode.AUTO, ("f",)), []),
    ],
)
def test_every_mode_of_calling_is_read(
    mode: str | None, names: list[str], choice: ToolChoice | None, losses: list[str]
) -> None:
    value = read(asked(toolConfig={"functionCallingConfig": {"mode": mode, "allowedFunctionNames": names}}))
    assert value.tool_choice == choice
    assert show(value.losses) == losses


def test_what_is_new_in_a_choice_is_lost_by_name() -> None:
    value = read(asked(toolConfig={"functionCallingConfig": {"streamFunctionCallArguments": True}}))
    assert value.tool_choice is None
    assert show(value.losses) == [
        "toolConfig.functionCallingConfig.streamFunctionCallArguments unsupported cosmetic"
    ]


# --- options --------------------------------------------------------------------------------------------


def test_sampling_and_limits_are_read() -> None:
    value = read(
        config(
            temperature=0.5,
            topP=0.9,
            topK=40.0,
            candidateCount=2,
            maxOutputTokens=9,
            stopSequences=["a"],
            seed=-1,
            presencePenalty=0.1,
            frequencyPenalty=0.2,
            responseLogprobs=True,
            logprobs=3,
        )
    )
    assert value.sampling == Sampling(0.5, 0.9, 40, 0.2, 0.1, -1, 2, True, 3)
    assert (value.max_tokens, value.stop) == (9, ("a",))


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        ({}, None),
        ({"responseMimeType": "text/plain"}, OutputFormat(OutputKind.TEXT)),
        (
            {"responseMimeType": "application/json"},
            OutputFormat(OutputKind.JSON_OBJECT, path="generationConfig.responseMimeType"),
        ),
        (
            {"responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}},
            OutputFormat(
                OutputKind.JSON_SCHEMA,
                schema=b'{"type": "object"}',
                strict=True,
                path="generationConfig.responseJsonSchema",
            ),
        ),
        (
            {"responseMimeType": "application/json", "responseSchema": {"type": "OBJECT"}},
            OutputFormat(
                OutputKind.JSON_SCHEMA,
                schema=b'{"type":"object"}',
                strict=True,
                path="generationConfig.responseSchema",
            ),
        ),
    ],
)
def test_the_form_of_the_answer_is_read(fields: Json, output: OutputFormat | None) -> None:
    assert read(config(**fields)).output == output


def test_a_form_that_only_gemini_has_is_kept() -> None:
    value = read(config(responseMimeType="text/x.enum", responseSchema={"type": "STRING"}))
    assert value.output is None
    assert value.extras is not None
    assert value.extras.fields["generationConfig.responseMimeType"] == b'"text/x.enum"'
    assert value.extras.fields["generationConfig.responseSchema"] == b'{"type": "STRING"}'


@pytest.mark.parametrize(
    ("fields", "reasoning"),
    [
        ({"thinkingBudget": 0}, Reasoning(ReasoningMode.DISABLED)),
        (
            {"thinkingBudget": -1, "includeThoughts": True},
            Reasoning(ReasoningMode.ADAPTIVE, display="summarized"),
        ),
        ({"thinkingBudget": 99}, Reasoning(ReasoningMode.ENABLED, budget=99)),
        ({"thinkingLevel": "HIGH"}, Reasoning(ReasoningMode.ENABLED, "high")),
        (
            {"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED", "thinkingBudget": 5},
            Reasoning(ReasoningMode.ENABLED, budget=5),
        ),
        ({"includeThoughts": False}, Reasoning(display="omitted")),
        ({}, None),
    ],
)
def test_thinking_is_read(fields: Json, reasoning: Reasoning | None) -> None:
    assert read(config(thinkingConfig=fields)).reasoning == reasoning


def test_what_is_new_in_thinking_is_lost_by_name() -> None:
    assert show(read(config(thinkingConfig={"mood": 1})).losses) == [
        "generationConfig.thinkingConfig.mood unknown_field semantic"
    ]


def test_a_turn_says_which_of_its_parts_are_followed_by_their_proofs() -> None:
    signed = {"thoughtSignature": "c2ln"}
    parts = [
        {"text": "a"} | signed,
        {"text": "b"},
        {"text": "c"} | signed,
        {"text": "d", "thought": True} | signed,
    ]
    turn = read({"contents": [{"role": "model", "parts": parts}]}).turns[0]
    assert (turn.path, len(turn.parts)) == ("contents[0;0,3]", 6)
