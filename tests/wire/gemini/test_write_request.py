"""The conversation -> a Gemini request."""

from __future__ import annotations

import json

import pytest

from tests.fakes import gemini_rules
from tests.wire.gemini.given import (
    ANTHROPIC,
    GEMINI,
    NEW,
    OLD,
    Json,
    model,
    request,
    target,
    tool,
    user,
    write,
    written_of,
)
from tokligence.catalog.models import Dialect, ModelCard
from tokligence.conversation import (
    Audio,
    Base64Source,
    CacheControl,
    ContentSource,
    Document,
    Extras,
    FileSource,
    Image,
    Opaque,
    OpaqueTool,
    Part,
    ProtocolId,
    RedactedThinking,
    Refusal,
    Request,
    Role,
    Text,
    TextSource,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
    Turn,
    UrlSource,
)
from tokligence.wire.contract import Target
from tokligence.wire.gemini.signatures import PLACEHOLDER

PNG = Image(Base64Source("image/png", "aGk="))
INLINE = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}


def faults(body: Json, name: str = NEW) -> list[str]:
    found = gemini_rules.violations(body, name, lambda signature: signature == "c2ln")
    return [fault.message for fault in found]


def contents(*turns: Turn, to: Target | None = None) -> tuple[list[Json], list[str]]:
    body, losses = write(request(*turns), to)
    assert faults(body, (to or target()).model) == []
    return body["contents"], losses


def said(*parts: Part, to: Target | None = None) -> tuple[list[Json], list[str]]:
    """How a user's parts are written."""
    found, losses = contents(user(*parts), to=to)
    return found[-1]["parts"], losses


# --- turns ----------------------------------------------------------------------------------------------


def test_system_texts_at_the_start_are_the_instruction() -> None:
    turns = [
        Turn(Role.SYSTEM, (Text("a"),), "system"),
        Turn(Role.DEVELOPER, (Text("b"), PNG), "messages[0]"),
        user(Text("hi")),
    ]
    body, losses = write(request(*turns))
    assert body["systemInstruction"] == {"parts": [{"text": "a"}, {"text": "b"}, {"text": "[image omitted]"}]}
    assert losses == ["messages[0].content[1] unsupported semantic"]


def test_a_system_text_in_the_middle_is_said_by_the_user() -> None:
    found, losses = contents(user(Text("a")), Turn(Role.SYSTEM, (Text("b"),), "messages[1]"), user(Text("c")))
    assert found == [
        {
            "role": "user",
            "parts": [
                {"text": "a"},
                {"text": "<system>"},
                {"text": "b"},
                {"text": "</system>"},
                {"text": "c"},
            ],
        }
    ]
    assert losses == ["messages[1] converted cosmetic"]
    _, losses = contents(user(Text("a")), Turn(Role.SYSTEM, (Text(""),), "messages[1]"))
    assert losses == []


def test_turns_of_one_role_are_one_content_and_empty_ones_none() -> None:
    found, losses = contents(user(Text("a")), user(), model(Text("")), user(Text("b")))
    assert found == [{"role": "user", "parts": [{"text": "a"}, {"text": "b"}]}]
    assert losses == ["messages[0] dropped_empty cosmetic", "messages[1] dropped_empty cosmetic"]


def test_a_history_that_begins_with_the_model_gets_an_opening() -> None:
    found, losses = contents(model(Text("a")), user(Text("b")))
    assert [content["role"] for content in found] == ["user", "model", "user"]
    assert losses == ["messages[1] repaired cosmetic"]


def test_a_system_text_alone_is_said_by_the_user() -> None:
    body, losses = write(request(Turn(Role.SYSTEM, (Text("a"),), "system")))
    assert body == {"contents": [{"role": "user", "parts": [{"text": "a"}]}]}
    assert losses == ["system converted cosmetic"]


def test_names_and_foreign_fields_of_a_turn_are_lost() -> None:
    turn = Turn(Role.USER, (Text("a"),), "messages[0]", "ann", Extras(ANTHROPIC, {"clear_at": b"1"}))
    own = Turn(Role.USER, (Text("a"),), "contents[0]", extras=Extras(GEMINI, {"mood": b"1"}))
    assert contents(turn, own)[1] == [
        "messages[0].name unsupported cosmetic",
        "messages[0].clear_at unsupported semantic",
        "contents[0].mood unsupported semantic",
    ]


# --- parts ----------------------------------------------------------------------------------------------


def test_pictures_are_inline_or_at_an_address() -> None:
    parts, losses = said(
        PNG,
        Image(UrlSource("https://x.org/a.JPG?w=1")),
        Image(UrlSource("https://x.org/a"), detail="auto"),
        Image(FileSource("https://generativelanguage.googleapis.com/v1beta/files/x", GEMINI)),
    )
    assert parts == [
        INLINE,
        {"fileData": {"fileUri": "https://x.org/a.JPG?w=1", "mimeType": "image/jpeg"}},
        {"fileData": {"fileUri": "https://x.org/a"}},
        {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x"}},
    ]
    assert losses == []


@pytest.mark.parametrize(
    "image",
    [
        Image(UrlSource("http://x.org/a.png")),
        Image(FileSource("file-1", ProtocolId.OPENAI_CHAT)),
        Image(Base64Source("image/gif", "aGk=")),
    ],
)
def test_a_picture_that_cannot_be_sent_leaves_a_note(image: Image) -> None:
    assert said(image) == ([{"text": "[image omitted]"}], ["messages[0].content[0] unsupported semantic"])


def test_a_model_without_eyes_gets_a_note() -> None:
    blind = target(card=ModelCard(NEW, images=False))
    assert said(PNG, to=blind) == (
        [{"text": "[image omitted]"}],
        ["messages[0].content[0] model_capability semantic"],
    )


def test_what_a_picture_says_beside_itself_is_lost_by_name() -> None:
    image = Image(PNG.source, "high", CacheControl(), Extras(ANTHROPIC, {"transformations": b"1"}))
    assert said(image, Text("x", CacheControl()))[1] == [
        "messages[0].content[0].cache_control unsupported cosmetic",
        "messages[0].content[0].detail unsupported cosmetic",
        "messages[0].content[0].transformations unsupported semantic",
    ]


def test_audio_is_named_by_its_format() -> None:
    parts, _ = said(
        Audio("aGk=", "mp3"), Audio("aGk=", "flac", extras=Extras(GEMINI, {"audioMetadata": b"{}"}))
    )
    assert parts == [
        {"inlineData": {"mimeType": "audio/mp3", "data": "aGk="}},
        {"inlineData": {"mimeType": "audio/flac", "data": "aGk="}, "audioMetadata": {}},
    ]
    body, losses = write(request(Turn(Role.SYSTEM, (Audio("aGk=", "mp3"),), "system"), user(Text("x"))))
    assert body["systemInstruction"]["parts"] == [{"text": "[audio omitted]"}]
    assert losses == ["system.content[0] unsupported semantic"]


def test_documents_are_files_or_their_text() -> None:
    pdf = Base64Source("application/pdf", "aGk=")
    parts, losses = said(
        Document(pdf, "t", "c"),
        Document(pdf),
        Document(UrlSource("https://x.org/a")),
        Document(TextSource("body"), "t"),
        Document(ContentSource((Text("in"), PNG)), "t"),
        Document(ContentSource((Text("in"),))),
        Document(Base64Source("text/plain", "aGk=")),
    )
    inline = {"inlineData": {"mimeType": "application/pdf", "data": "aGk="}}
    assert parts == [
        {"text": "t\nc"},
        inline,
        inline,
        {"fileData": {"fileUri": "https://x.org/a", "mimeType": "application/pdf"}},
        {"text": "t\nbody"},
        {"text": "t"},
        {"text": "in"},
        INLINE,
        {"text": "in"},
        {"inlineData": {"mimeType": "text/plain", "data": "aGk="}},
    ]
    assert losses == [f"messages[0].content[{n}] converted cosmetic" for n in (0, 3, 4, 5)]


def test_documents_that_cannot_be_sent_leave_a_note() -> None:
    parts, losses = said(
        Document(FileSource("file-1", ANTHROPIC), citations=True),
        Document(Base64Source("application/zip", "aGk=")),
    )
    assert parts == [{"text": "[document omitted]"}] * 2
    assert losses == [
        "messages[0].content[0].citations unsupported semantic",
        "messages[0].content[0] unsupported semantic",
        "messages[0].content[1] unsupported semantic",
    ]
    body, _ = write(
        request(
            Turn(Role.SYSTEM, (Document(Base64Source("application/pdf", "aGk=")),), "system"), user(Text("x"))
        )
    )
    assert body["systemInstruction"]["parts"] == [{"text": "[document omitted]"}]


def test_parts_of_the_vendors_own_go_back_and_those_of_others_do_not() -> None:
    parts, losses = said(
        Opaque(GEMINI, "executableCode", b'{"executableCode":{"code":"1"}}'),
        Opaque(ANTHROPIC, "server_tool_use", b"{}"),
        Refusal("no"),
        ToolCall("1", "f", "{}"),
    )
    assert parts == [{"executableCode": {"code": "1"}}, {"text": "no"}]
    assert losses == [
        "messages[0].content[1] unknown_part semantic",
        "messages[0].content[2] converted cosmetic",
        "messages[0].content[3] unsupported semantic",
    ]


# --- thinking and signatures ----------------------------------------------------------------------------


def turn_of_model(*parts: Part, to: Target | None = None) -> tuple[list[Json], list[str]]:
    calls = [part for part in parts if isinstance(part, ToolCall)]
    results = [ToolResult(call.id, (Text("ok"),)) for call in calls]
    found, losses = contents(user(Text("x")), model(*parts), user(*results, Text("go on")), to=to)
    return found[1]["parts"], losses


def test_thoughts_of_the_target_go_back() -> None:
    parts, losses = turn_of_model(
        Thinking("hm", None, "google"),
        Thinking("so", "c2ln", "google"),
        Thinking("", None, "google"),
        Text("a"),
    )
    assert parts == [
        {"text": "hm", "thought": True},
        {"text": "so", "thought": True, "thoughtSignature": "c2ln"},
        {"text": "a"},
    ]
    assert losses == []


@pytest.mark.parametrize(
    "part",
    [
        Thinking("hm", "x", "anthropic"),
        Thinking("", "x", "anthropic"),
        Thinking("hm"),
        RedactedThinking("x", "anthropic"),
        RedactedThinking("x", "google"),
    ],
)
def test_thoughts_of_others_do_not(part: Part) -> None:
    assert turn_of_model(part, Text("a")) == (
        [{"text": "a"}],
        ["messages[1].content[0] foreign_signature cosmetic"],
    )


SIGNED = Thinking("", "c2ln", "google")
CALL = ToolCall("1", "f", '{"a":1}')


@pytest.mark.parametrize(
    ("parts", "written"),
    [
        ((Text("a"), SIGNED), [{"text": "a", "thoughtSignature": "c2ln"}]),
        ((SIGNED, Text("a")), [{"text": "a", "thoughtSignature": "c2ln"}]),
        (
            (Text("a"), SIGNED, SIGNED),
            [{"text": "a", "thoughtSignature": "c2ln"}, {"text": "", "thoughtSignature": "c2ln"}],
        ),
        (
            (SIGNED, Thinking("hm", None, "google"), Text("a")),
            [{"text": "", "thoughtSignature": "c2ln"}, {"text": "hm", "thought": True}, {"text": "a"}],
        ),
        (
            (SIGNED, Text(""), Text("a")),
            [{"text": "a", "thoughtSignature": "c2ln"}],
        ),
        (
            (Thinking("hm", None, "google"), SIGNED),
            [{"text": "hm", "thought": True}, {"text": "", "thoughtSignature": "c2ln"}],
        ),
    ],
)
def test_a_signature_without_text_stands_beside_the_nearest_text(
    parts: tuple[Part, ...], written: list[Json]
) -> None:
    assert turn_of_model(*parts)[0] == written


def test_a_signature_before_a_call_is_the_calls() -> None:
    call = {"functionCall": {"id": "1", "name": "f", "args": {"a": 1}}, "thoughtSignature": "c2ln"}
    assert turn_of_model(SIGNED, CALL)[0] == [call]
    own = ToolCall("1", "f", '{"a":1}', signature="c2ln", issuer="google")
    assert turn_of_model(own)[0] == [call]
    assert turn_of_model(SIGNED, Opaque(GEMINI, "toolCall", b'{"toolCall":{}}'))[0] == [
        {"text": "", "thoughtSignature": "c2ln"},
        {"toolCall": {}},
    ]


def test_a_foreign_call_gets_a_placeholder_where_the_model_demands_a_signature() -> None:
    foreign = ToolCall("2", "f", "{}", signature="x", issuer="other")
    parts, losses = turn_of_model(Text("a"), CALL, foreign)
    assert [part.get("thoughtSignature") for part in parts] == [None, PLACEHOLDER, None]
    assert losses == ["messages[1].content[2].signature foreign_signature cosmetic"]
    parts, _ = turn_of_model(CALL, to=target(OLD))
    assert "thoughtSignature" not in parts[0]


# --- calls and results ----------------------------------------------------------------------------------


def round_of(
    *results: Part, calls: tuple[ToolCall, ...] = (CALL,), to: Target | None = None
) -> tuple[list[Json], list[str]]:
    found, losses = contents(user(Text("x")), model(*calls), user(*results), to=to)
    return found[2]["parts"], losses


def result(*parts: Part, call: str = "1", **fields: object) -> ToolResult:
    return ToolResult(call, parts, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "response"),
    [
        (result(Text("plain")), {"result": "plain"}),
        (result(Text('{"a": 1}')), {"a": 1}),
        (result(Text('{"error": 1}')), {"result": '{"error": 1}'}),
        (result(Text('{"id": 12345678901234567890}')), {"result": '{"id": 12345678901234567890}'}),
        (result(Text("{broken")), {"result": "{broken"}),
        (result(Text("[1]")), {"result": "[1]"}),
        (result(Text("a"), Text("b")), {"result": "a\nb"}),
        (result(), {"result": ""}),
        (result(Text("no"), is_error=True), {"error": "no"}),
    ],
)
def test_a_result_is_an_object(given: ToolResult, response: Json) -> None:
    parts, _ = round_of(given)
    assert parts == [{"functionResponse": {"id": "1", "name": "f", "response": response}}]


def test_pictures_of_a_result_stand_within_it_or_behind_all_results() -> None:
    calls = (CALL, ToolCall("2", "g", "{}"))
    results = (result(Text("see"), PNG), result(Text("ok"), call="2"))
    new, losses = round_of(*results, Text("go"), calls=calls)
    assert new[0]["functionResponse"]["parts"] == [INLINE]
    assert losses == []
    old, losses = round_of(*results, Text("go"), calls=calls, to=target(OLD))
    assert [next(iter(part)) for part in old] == [
        "functionResponse",
        "functionResponse",
        "text",
        "inlineData",
        "text",
    ]
    assert old[2] == {"text": "[from the result of the tool call 1]"}
    assert losses == ["messages[0].content[0] converted cosmetic"]
    mixed, _ = round_of(result(Image(UrlSource("https://x.org/a.png")), PNG))
    assert [next(iter(part)) for part in mixed] == ["functionResponse", "text", "fileData", "inlineData"]


def test_what_stands_in_and_beside_a_response_goes_back_where_it_was() -> None:
    fields = {"functionResponse.scheduling": b'"SILENT"', "partMetadata": b"{}"}
    (part,), _ = round_of(result(Text("ok"), extras=Extras(GEMINI, fields)))
    assert part["functionResponse"]["scheduling"] == "SILENT"
    assert part["partMetadata"] == {}


def test_results_that_were_messages_of_their_own_keep_their_paths() -> None:
    own = result(PNG, path="messages[2]", extras=Extras(ANTHROPIC, {"toolset_name": b'"t"'}))
    _, losses = round_of(own, Text("x", CacheControl()), to=target(OLD))
    assert losses == [
        "messages[2] converted cosmetic",
        "messages[2].toolset_name unsupported semantic",
        "messages[0].content[0].cache_control unsupported cosmetic",
    ]


def test_a_call_without_a_result_gets_an_error_and_the_other_way_round_text() -> None:
    found, losses = contents(user(Text("x")), model(CALL), user(result(Text("r"), call="9")))
    responses = [part for part in found[2]["parts"] if "functionResponse" in part]
    assert responses == [
        {
            "functionResponse": {
                "id": "1",
                "name": "f",
                "response": {"error": "This tool call was not answered."},
            }
        }
    ]
    assert [loss.split()[1] for loss in losses] == ["repaired", "repaired"]


@pytest.mark.parametrize(
    ("arguments", "args", "losses"),
    [
        ("", {}, []),
        (" ", {}, []),
        ('{"a": 12345678901234567890}', {"a": 12345678901234567890}, []),
        ('{"a": ', {"invalid_json": '{"a": '}, ["messages[1].content[0] repaired cosmetic"]),
        ("[1]", {"invalid_json": "[1]"}, ["messages[1].content[0] repaired cosmetic"]),
    ],
)
def test_arguments_are_an_object(arguments: str, args: Json, losses: list[str]) -> None:
    parts, found = turn_of_model(ToolCall("1", "f", arguments))
    assert parts[0]["functionCall"]["args"] == args
    assert found == losses


def test_the_text_of_a_free_form_call_is_its_input() -> None:
    parts, _ = turn_of_model(ToolCall("1", "f", "*** patch", freeform=True))
    assert parts[0]["functionCall"]["args"] == {"input": "*** patch"}


# --- tools ----------------------------------------------------------------------------------------------


def tools_of(value: Request, to: Target | None = None) -> tuple[Json, list[str]]:
    body, losses = write(value, to)
    assert faults(body, (to or target()).model) == []
    return {key: body[key] for key in ("tools", "toolConfig") if key in body}, losses


def test_functions_have_json_schemas() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/b"}},
        "$defs": {"b": {"type": "string"}},
    }
    tools = (
        tool("f", schema, description="d"),
        tool("g"),
        tool("h", {"type": "string"}),
        tool("i", freeform=True),
    )
    written, losses = tools_of(request(tools=tools))
    assert written == {
        "tools": [
            {
                "functionDeclarations": [
                    {"name": "f", "description": "d", "parametersJsonSchema": schema},
                    {"name": "g"},
                    {"name": "h", "parametersJsonSchema": {"type": "object"}},
                    {
                        "name": "i",
                        "parametersJsonSchema": {
                            "type": "object",
                            "properties": {"input": {"type": "string"}},
                            "required": ["input"],
                        },
                    },
                ]
            }
        ]
    }
    assert losses == ["tools[0].parameters repaired semantic"]


def test_a_dialect_without_json_schema_gets_the_subset() -> None:
    subset = target(dialect=Dialect(json_schema=False))
    schema = {"type": "object", "properties": {"a": {"const": 1}}, "additionalProperties": False}
    written, losses = tools_of(request(tools=(tool("f", schema), tool("g", {"type": "object"}))), subset)
    assert written["tools"][0]["functionDeclarations"] == [
        {"name": "f", "parameters": {"type": "OBJECT", "properties": {"a": {}}}},
        {"name": "g", "parameters": {"type": "OBJECT"}},
    ]
    assert losses == ["tools[0].parameters converted semantic"]


def test_tools_of_the_vendor_go_back_and_those_of_others_do_not() -> None:
    tools = (
        OpaqueTool(GEMINI, "googleSearch", "tools[0].googleSearch", b'{"googleSearch":{}}'),
        OpaqueTool(ANTHROPIC, "web_search_20250305", "tools[1]", b"{}"),
    )
    assert tools_of(request(tools=tools)) == (
        {"tools": [{"googleSearch": {}}]},
        ["tools[1] unsupported semantic"],
    )


def test_names_are_put_in_form_and_back() -> None:
    history = (user(Text("x")), model(ToolCall("1", "3d/print", "{}")), user(result(Text("ok"))))
    choice = ToolChoice(ToolMode.TOOL, ("3d/print",))
    written = written_of(request(*history, tools=(tool("3d/print"),), tool_choice=choice))
    body = json.loads(written.body)
    (name,) = written.memory.renames
    assert written.memory.renames == {name: "3d/print"}
    assert body["tools"][0]["functionDeclarations"][0]["name"] == name
    assert body["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"] == [name]
    assert body["contents"][1]["parts"][0]["functionCall"]["name"] == name
    assert body["contents"][2]["parts"][0]["functionResponse"]["name"] == name
    assert faults(body) == []


F, G = tool("f"), tool("g")
STRICT = tool("f", {"type": "object"}, strict=True)


@pytest.mark.parametrize(
    ("tools", "choice", "config", "losses"),
    [
        ((F,), None, None, []),
        ((F,), ToolChoice(ToolMode.AUTO), {"mode": "AUTO"}, []),
        ((F,), ToolChoice(ToolMode.ANY), {"mode": "ANY"}, []),
        ((F,), ToolChoice(ToolMode.NONE, ("f",)), {"mode": "NONE"}, []),
        ((F, G), ToolChoice(ToolMode.TOOL, ("g",)), {"mode": "ANY", "allowedFunctionNames": ["g"]}, []),
        ((F, G), ToolChoice(ToolMode.AUTO, ("g",)), {"mode": "VALIDATED", "allowedFunctionNames": ["g"]}, []),
        (
            (F,),
            ToolChoice(ToolMode.ANY, ("f", "x")),
            {"mode": "ANY", "allowedFunctionNames": ["f"]},
            ["tool_choice converted semantic"],
        ),
        ((STRICT,), None, {"mode": "VALIDATED"}, []),
        ((STRICT,), ToolChoice(ToolMode.ANY), {"mode": "ANY"}, []),
        ((F,), ToolChoice(ToolMode.TOOL, ("x",)), None, ["tool_choice unsupported semantic"]),
        ((), ToolChoice(ToolMode.ANY), None, ["tool_choice unsupported semantic"]),
        ((), ToolChoice(ToolMode.AUTO), None, []),
    ],
)
def test_every_choice_has_its_mode(
    tools: tuple[object, ...], choice: ToolChoice | None, config: Json | None, losses: list[str]
) -> None:
    written, found = tools_of(request(tools=tools, tool_choice=choice))
    assert written.get("toolConfig") == (None if config is None else {"functionCallingConfig": config})
    assert found == losses


def test_what_a_model_cannot_be_told_is_lost() -> None:
    plain = target(card=ModelCard(NEW, forced_tools=False, strict_tools=False))
    written, losses = tools_of(
        request(tools=(STRICT,), tool_choice=ToolChoice(ToolMode.ANY), parallel_tool_calls=False), plain
    )
    assert written["toolConfig"] == {"functionCallingConfig": {"mode": "AUTO"}}
    assert losses == [
        "tool_choice model_capability semantic",
        "tools[0].strict model_capability semantic",
        "parallel_tool_calls unsupported semantic",
    ]


def test_what_a_tool_says_beside_its_schema_is_kept_or_lost() -> None:
    tools = (
        tool("f", cache=CacheControl(), extras=Extras(ANTHROPIC, {"defer_loading": b"true"})),
        tool("g", extras=Extras(GEMINI, {"behavior": b'"BLOCKING"'})),
    )
    written, losses = tools_of(request(tools=tools))
    assert written["tools"][0]["functionDeclarations"][1] == {"name": "g", "behavior": "BLOCKING"}
    assert losses == [
        "tools[0].cache_control unsupported cosmetic",
        "tools[0].defer_loading unsupported cosmetic",
    ]


# --- the rest -------------------------------------------------------------------------------------------


def test_what_gemini_has_no_field_for_is_lost() -> None:
    _, losses = write(request(verbosity="low", metadata={"a": "b"}, user="u", service_tier="scale"))
    assert losses == [
        "verbosity unsupported semantic",
        "metadata unsupported cosmetic",
        "user unsupported cosmetic",
        "service_tier unsupported cosmetic",
    ]
    assert write(request(verbosity="medium", service_tier="auto"))[0]["serviceTier"] == "standard"


def test_own_fields_go_back_where_they_were() -> None:
    fields = {
        "safetySettings": b"[]",
        "generationConfig.mediaResolution": b'"MEDIA_RESOLUTION_LOW"',
        "generationConfig.maxOutputTokens": b"1",
        "toolConfig.retrievalConfig": b"{}",
        "contents": b"[]",
    }
    body, losses = write(request(max_tokens=7, extras=Extras(GEMINI, fields)))
    assert body["safetySettings"] == []
    assert body["generationConfig"] == {"maxOutputTokens": 7, "mediaResolution": "MEDIA_RESOLUTION_LOW"}
    assert body["toolConfig"] == {"retrievalConfig": {}}
    assert losses == ["generationConfig.maxOutputTokens converted cosmetic", "contents converted cosmetic"]


def test_fields_of_others_are_lost() -> None:
    assert write(request(extras=Extras(ANTHROPIC, {"speed": b'"fast"'})))[1] == ["speed unsupported cosmetic"]


def test_losses_are_named_as_the_client_named_the_fields() -> None:
    _, losses = write(request(verbosity="low", stop=tuple("abcdef"), origin=ANTHROPIC))
    assert losses == ["stop_sequences clamped semantic", "verbosity unsupported semantic"]
