"""A Responses request becomes the conversation; what it cannot hold is kept raw or recorded."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tokligence.conversation import (
    Audio,
    Base64Source,
    CacheControl,
    Document,
    Extras,
    FileSource,
    Image,
    Loss,
    LossReason,
    Opaque,
    OpaqueTool,
    OutputFormat,
    OutputKind,
    ProtocolId,
    Reasoning,
    ReasoningMode,
    RedactedThinking,
    Refusal,
    Request,
    Role,
    Sampling,
    Severity,
    Text,
    TextSource,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
    Turn,
    UrlSource,
)
from tokligence.errors import GatewayError
from tokligence.wire.contract import Peek
from tokligence.wire.openai_responses import CODEC
from tokligence.wire.openai_responses.reasoning import cleaned, pack

OWN = ProtocolId.OPENAI_RESPONSES
C, S = Severity.COSMETIC, Severity.SEMANTIC


def read(**fields: Any) -> Request:
    return CODEC.read_request(json.dumps({"model": "gpt-x", "input": "Hello", **fields}).encode())


def turns(*items: Any) -> tuple[Turn, ...]:
    return read(input=list(items)).turns


def said(*content: Any) -> tuple[Any, ...]:
    (turn,) = turns({"role": "user", "content": list(content)})
    return turn.parts


def own(**fields: Any) -> Extras:
    return Extras(OWN, {name: json.dumps(value).encode() for name, value in fields.items()})


def refused(**fields: Any) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        read(**fields)
    return caught.value


# --- peeking and splicing -------------------------------------------------------------------------------


def test_a_peek_sees_what_routing_needs() -> None:
    raw = b'{"model":"gpt-x","input":"hi","stream":true,"max_output_tokens":9}'
    assert CODEC.peek(raw) == Peek("gpt-x", True, True, 9)
    with pytest.raises(GatewayError):
        CODEC.peek(b'{"model":" "}')


def test_only_the_model_is_spliced() -> None:
    raw = b'{ "model" : "a", "input":[ 1e0 ] }'
    assert CODEC.splice(raw, model="b", ask_usage=True) == b'{ "model" : "b", "input":[ 1e0 ] }'
    assert CODEC.splice(raw, model=None, ask_usage=True) == raw
    assert CODEC.splice(b"{}", model="b", ask_usage=True) == b"{}"


# --- turns ----------------------------------------------------------------------------------------------


def test_instructions_are_the_first_turn_and_a_string_is_what_the_user_said() -> None:
    assert read(instructions="Be brief.").turns == (
        Turn(Role.SYSTEM, (Text("Be brief."),), "instructions"),
        Turn(Role.USER, (Text("Hello"),), "input"),
    )


def test_messages_come_easy_and_typed() -> None:
    assert turns(
        {"role": "user", "content": "a"},
        {"type": "message", "role": "developer", "id": "msg_1", "status": "completed", "content": [{"type": "input_text", "text": "b"}]},
        {"role": "system", "content": "", "type": "message"},
        {"role": "assistant", "content": "c"},
    ) == (
        Turn(Role.USER, (Text("a"),), "input[0]"),
        Turn(Role.DEVELOPER, (Text("b"),), "input[1]"),
        Turn(Role.SYSTEM, (), "input[2]"),
        Turn(Role.ASSISTANT, (Text("c"),), "input[3.0;]"),
    )  # fmt: skip


def test_what_an_assistant_did_between_two_inputs_is_one_turn() -> None:
    shell = {
        "type": "local_shell_call",
        "id": "x",
        "call_id": "y",
        "status": "completed",
        "action": {"type": "exec"},
    }
    found = turns(
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {
            "type": "message",
            "role": "assistant",
            "phase": "commentary",
            "content": [{"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": "no"}],
        },
        {
            "type": "function_call",
            "call_id": "1",
            "name": "f",
            "arguments": "{}",
            "id": "fc_1",
            "namespace": "ns",
        },
        {"type": "custom_tool_call", "call_id": "2", "name": "p", "input": "*** x", "status": "completed"},
        shell,
        {"type": "function_call_output", "call_id": "1", "output": "ok"},
        {
            "type": "custom_tool_call_output",
            "call_id": "2",
            "output": [{"type": "input_text", "text": "done"}],
        },
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "b"}]},
        {"type": "message", "role": "assistant", "phase": "final_answer", "content": "c"},
    )
    assert found == (
        Turn(
            Role.ASSISTANT,
            (
                Thinking("hm"),
                Text("a"),
                Refusal("no"),
                ToolCall("1", "f", "{}", namespace="ns"),
                ToolCall("2", "p", "*** x", freeform=True),
                Opaque(OWN, "local_shell_call", json.dumps(shell).encode()),
            ),
            "input[0;1.0;1.1;2;3;4;]",
            extras=own(phase="commentary"),
        ),
        Turn(
            Role.USER,
            (
                ToolResult("1", (Text("ok"),), path="input[5].output"),
                ToolResult("2", (Text("done"),), path="input[6].output"),
            ),
            "input[5]",
        ),
        Turn(Role.ASSISTANT, (Text("b"),), "input[7.0;]"),
        Turn(Role.ASSISTANT, (Text("c"),), "input[8.0;]", extras=own(phase="final_answer")),
    )


def test_reasoning_belongs_to_the_message_that_it_led_to() -> None:
    found = turns(
        {"role": "assistant", "content": "a"},
        {"type": "reasoning", "summary": [{"text": "hm"}]},
        {"role": "assistant", "content": "b"},
        {"role": "assistant", "content": "c"},
    )
    assert [(turn.parts, turn.path) for turn in found] == [
        ((Text("a"),), "input[0.0;]"),
        ((Thinking("hm"), Text("b")), "input[1;2.0;]"),
        ((Text("c"),), "input[3.0;]"),
    ]


def test_a_call_after_results_begins_a_turn() -> None:
    found = turns(
        {"type": "function_call_output", "call_id": "1", "output": ""},
        {"type": "function_call", "name": "f", "id": "fc_2"},
    )
    assert [(turn.role, turn.parts) for turn in found] == [
        (Role.USER, (ToolResult("1", (), path="input[0].output"),)),
        (Role.ASSISTANT, (ToolCall("fc_2", "f", ""),)),
    ]


def test_what_only_this_protocol_says_of_a_call_is_kept() -> None:
    program = {"type": "program", "caller_id": "p"}
    call, result = turns(
        {"type": "function_call", "call_id": "1", "name": "f", "caller": program, "async": True, "novel": 1},
        {"type": "function_call_output", "call_id": "1", "output": "ok", "caller": program, "novel": 2},
    )
    assert call.parts[0] == ToolCall("1", "f", "", extras=own(caller=program, **{"async": True}, novel=1))
    assert result.parts[0].extras == own(caller=program, novel=2)
    usual = {"caller": {"type": "direct"}, "async": False}
    (plain,) = turns({"type": "custom_tool_call", "call_id": "1", "name": "f", **usual})
    assert plain.parts == (ToolCall("1", "f", "", freeform=True),)


def test_tools_that_items_bring_join_those_of_the_request() -> None:
    function = {"type": "function", "name": "f", "parameters": {}}
    request = read(
        input=[
            {"type": "additional_tools", "role": "developer", "tools": [function]},
            {"type": "tool_search_output", "call_id": "c", "tools": [function | {"name": "g"}]},
            {"role": "user", "content": "go"},
        ],
        tools=[function | {"name": "e"}],
    )
    assert [(tool.path, tool.name) for tool in request.tools if isinstance(tool, Tool)] == [
        ("tools[0]", "e"),
        ("input[0].tools[0]", "f"),
        ("input[1].tools[0]", "g"),
    ]
    assert [[type(part) for part in turn.parts] for turn in request.turns] == [[Opaque], [Text]]


def test_an_unknown_part_of_an_assistants_message_is_lost() -> None:
    content = [{"type": "hologram", "x": 1}, {"type": "output_text", "text": "a"}]
    request = read(input=[{"type": "message", "role": "assistant", "content": content}])
    assert request.turns[0].parts == (Text("a"),)
    assert request.losses == (Loss("input[0].content[0]", LossReason.UNKNOWN_PART),)


def test_an_assistant_that_said_nothing_is_no_turn() -> None:
    request = read(input=[{"role": "assistant", "content": []}, {"role": "user", "content": "x"}])
    assert [turn.parts for turn in request.turns] == [(Text("x"),)]
    assert request.losses == (Loss("input[0]", LossReason.DROPPED_EMPTY, C),)


def test_unknown_fields_of_a_message_are_its_turns() -> None:
    (turn,) = turns({"role": "user", "content": "a", "novel": 1, "nothing": None})
    assert turn.extras == own(novel=1)


@pytest.mark.parametrize(
    ("item", "code", "path"),
    [
        ({"type": "item_reference", "id": "msg_1"}, "request.invalid_field", "input[1]"),
        ({"id": "msg_1"}, "request.invalid_field", "input[1]"),
        ({}, "request.missing_field", "input[1].type"),
        ({"type": ""}, "request.missing_field", "input[1].type"),
        ({"type": "message", "role": "user"}, "request.missing_field", "input[1].content"),
        ({"role": "ghost", "content": "x"}, "request.invalid_field", "input[1].role"),
        ({"role": "user", "content": [{"text": "x"}]}, "request.missing_field", "input[1].content[0].type"),
        ({"role": "user", "content": [{"type": "input_image"}]}, "request.missing_field", "input[1].content[0].image_url"),
        ({"role": "user", "content": [{"type": "input_file"}]}, "request.missing_field", "input[1].content[0].file_data"),
        ("text", "request.invalid_field", "input[1]"),
        ({"type": "reasoning", "encrypted_content": "tgw1.???"}, "request.invalid_field", "input[1].encrypted_content"),
        ({"type": "reasoning", "encrypted_content": "tgw1.\u00e9"}, "request.invalid_field", "input[1].encrypted_content"),
        ({"type": "reasoning", "encrypted_content": "tgw1.e30x"}, "request.invalid_field", "input[1].encrypted_content"),
    ],
)  # fmt: skip
def test_an_item_that_cannot_be_is_refused_by_its_place(item: Any, code: str, path: str) -> None:
    error = refused(input=[{"role": "user", "content": "a"}, item])
    assert (error.code, error.details["path"]) == (code, path)


def test_an_item_that_is_not_even_json_is_refused() -> None:
    with pytest.raises(GatewayError) as caught:
        CODEC.read_request(b'{"model":"m","input":[{"role":"user","content":"\\ud800"}]}')
    assert caught.value.code == "request.invalid_json"


@pytest.mark.parametrize("fields", [{"input": ""}, {"input": []}, {"input": None}])
def test_a_request_that_says_nothing_is_refused(fields: dict[str, Any]) -> None:
    assert (refused(**fields).code, refused(**fields).details["path"]) == ("request.missing_field", "input")
    assert read(**fields, prompt={"id": "p"}).extras == own(prompt={"id": "p"})


def test_a_request_without_a_model_or_in_another_encoding_is_refused() -> None:
    assert refused(model=" ").code == "request.invalid_field"
    with pytest.raises(GatewayError) as caught:
        CODEC.read_request(b'{"model":"m","input":"hi","prompt_cache_key":"\xff"}')
    assert caught.value.code == "request.invalid_json"
    assert read(input="é").turns[0].parts == (Text("é"),)


# --- content --------------------------------------------------------------------------------------------


def test_pictures_come_by_address_in_line_or_by_id() -> None:
    assert said(
        {"type": "input_image", "image_url": "https://x.org/a.png", "detail": "original"},
        {"type": "input_image", "image_url": "data:image/png;base64,TWFy"},
        {"type": "input_image", "file_id": "file-1", "detail": "auto"},
    ) == (
        Image(UrlSource("https://x.org/a.png"), "original"),
        Image(Base64Source("image/png", "TWFy")),
        Image(FileSource("file-1", OWN), "auto"),
    )


def test_files_come_by_address_in_line_or_by_id_and_text_is_text() -> None:
    text = base64.b64encode(b"words").decode()
    assert said(
        {"type": "input_file", "file_url": "https://x.org/a.pdf", "detail": "low"},
        {"type": "input_file", "file_data": "TWFy", "filename": "a.pdf"},
        {"type": "input_file", "file_data": f"data:text/plain;base64,{text}"},
        {"type": "input_file", "file_data": "https://x.org/b.pdf"}
        | {"file_data": "data:application/pdf;base64,TWFy"},
        {"type": "input_file", "file_id": "file-1"},
    ) == (
        Document(UrlSource("https://x.org/a.pdf"), extras=own(detail="low")),
        Document(Base64Source("application/pdf", "TWFy"), "a.pdf"),
        Document(TextSource("words")),
        Document(Base64Source("application/pdf", "TWFy")),
        Document(FileSource("file-1", OWN)),
    )


def test_sound_unknown_parts_and_unknown_fields_are_kept() -> None:
    hologram = {"type": "hologram", "x": 1}
    assert said(
        {"type": "input_audio", "input_audio": {"data": "TWFy", "format": "wav"}},
        hologram,
        {"type": "input_text", "text": "a", "novel": 1},
        {"type": "output_text", "text": "b", "annotations": [], "logprobs": [], "novel": None},
        {"type": "output_text", "text": "c", "annotations": [{"type": "file_path"}]},
    ) == (
        Audio("TWFy", "wav"),
        Opaque(OWN, "hologram", json.dumps(hologram).encode()),
        Text("a", extras=own(novel=1)),
        Text("b"),
        Text("c", extras=own(annotations=[{"type": "file_path"}])),
    )


def test_cache_breakpoints_are_marks() -> None:
    marks = [{}, {"ttl": "30m"}, {"ttl": "12h", "novel": 1, "nothing": None}]
    parts = [
        {"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit", **mark}}
        for mark in marks
    ]
    request = read(input=[{"role": "user", "content": parts}])
    found = [part.cache for part in request.turns[0].parts if isinstance(part, Text)]
    assert found == [CacheControl(), CacheControl("1h"), CacheControl("1h")]
    path = "input[0].content[2].prompt_cache_breakpoint"
    assert request.losses == (
        Loss(f"{path}.novel", LossReason.UNKNOWN_FIELD),
        Loss(f"{path}.ttl", LossReason.CLAMPED, C),
    )


# --- reasoning ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "part",
    [
        Thinking("text", "sig+/=", "anthropic"),
        Thinking("", "alone", "anthropic"),
        Thinking("text", None, "deepseek"),
        RedactedThinking("data", "anthropic"),
    ],
)
def test_reasoning_of_another_vendor_comes_back_as_it_was(part: Thinking | RedactedThinking) -> None:
    text = part.text if isinstance(part, Thinking) else ""
    summary = [{"type": "summary_text", "text": text}] if text else []
    (turn,) = turns({"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": pack(part)})
    assert turn.parts == (part,)


def test_a_request_goes_to_openai_without_what_we_packed_for_others() -> None:
    packed = json.dumps(
        {"type": "reasoning", "summary": [], "encrypted_content": pack(RedactedThinking("x", "a"))}
    )
    own_item = '{ "type":"reasoning", "encrypted_content":"gAAA" }'
    raw = f'{{ "input" : [{packed}, "odd", {own_item}, {packed}], "store":true }}'.encode()
    clean, losses = cleaned(raw)
    assert clean == f'{{ "input" : ["odd",{own_item}], "store":true }}'.encode()
    assert losses == tuple(Loss(f"input[{n}]", LossReason.FOREIGN_SIGNATURE, C) for n in (0, 3))
    for untouched in (b'{"model":"m"}', b'{"input":"tgw1."}', f'{{"input":[{own_item}]}}'.encode()):
        assert cleaned(untouched) == (untouched, ())


def test_reasoning_that_nobody_signed_needs_no_packing() -> None:
    assert pack(Thinking("text")) is None


@pytest.mark.parametrize(
    ("item", "part"),
    [
        ({"id": "rs_1", "summary": [], "encrypted_content": "gAAA"}, RedactedThinking("rs_1:gAAA", "openai")),
        ({"encrypted_content": "gAAA"}, RedactedThinking("gAAA", "openai")),
        (
            {"id": "rs_1", "summary": [{"text": "a"}, {"text": "b"}], "encrypted_content": "gAAA"},
            Thinking("a\n\nb", "rs_1:gAAA", "openai"),
        ),
        ({"summary": [], "content": [{"text": "a"}, {"text": "b"}]}, Thinking("ab")),
    ],
)
def test_openais_own_reasoning_keeps_its_id_in_its_signature(item: Any, part: Any) -> None:
    (turn,) = turns({"type": "reasoning", **item})
    assert turn.parts == (part,)


def test_what_a_reasoning_item_says_twice_or_strangely_is_recorded() -> None:
    request = read(
        input=[
            {
                "type": "reasoning",
                "summary": [{"text": "a", "novel": 1}],
                "content": [{"text": "b"}],
                "novel": 2,
            },
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"role": "user", "content": "x"},
        ]
    )
    assert [turn.parts for turn in request.turns] == [(Thinking("a"),), (Text("x"),)]
    assert request.losses == (
        Loss("input[0].content", LossReason.CONVERTED, C),
        Loss("input[0].summary[0].novel", LossReason.UNKNOWN_FIELD),
        Loss("input[0].novel", LossReason.UNKNOWN_FIELD),
        Loss("input[1]", LossReason.DROPPED_EMPTY, C),
    )


# --- tools ----------------------------------------------------------------------------------------------


def test_functions_free_tools_and_those_of_a_namespace_are_tools() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: x"}
    request = read(
        tools=[
            {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True},
            {"type": "function", "name": "g", "parameters": None, "strict": None, "defer_loading": True, "output_schema": {}},
            {"type": "custom", "name": "p", "format": grammar, "allowed_callers": ["direct"]},
            {"type": "custom", "name": "q", "format": {"type": "text"}, "defer_loading": False},
            {"type": "namespace", "name": "ns", "description": "D", "novel": 1, "tools": [
                {"type": "function", "name": "f", "novel": 2}, {"type": "custom", "name": "p"},
            ]},
            {"type": "namespace", "name": "none", "description": "D", "tools": []},
            {"type": "namespace", "name": "bare", "tools": [{"type": "function", "name": "f"}]},
        ]
    )  # fmt: skip
    assert request.tools == (
        Tool("f", "tools[0]", "d", b'{"type": "object"}', True),
        Tool("g", "tools[1]", extras=own(defer_loading=True, output_schema={})),
        Tool("p", "tools[2]", freeform=True, format=json.dumps(grammar).encode(), extras=own(allowed_callers=["direct"])),
        Tool("q", "tools[3]", freeform=True),
        Tool("f", "tools[4].tools[0]", namespace="ns", extras=own(novel=2, namespace_description="D")),
        Tool("p", "tools[4].tools[1]", namespace="ns", freeform=True),
        Tool("f", "tools[6].tools[0]", namespace="bare"),
    )  # fmt: skip
    assert request.losses == (Loss("tools[4].novel", LossReason.UNKNOWN_FIELD),)


@pytest.mark.parametrize(
    "kind",
    [
        "web_search",
        "file_search",
        "code_interpreter",
        "image_generation",
        "mcp",
        "local_shell",
        "tool_search",
        "novel",
    ],
)
def test_a_tool_that_the_vendor_runs_stays_as_it_is(kind: str) -> None:
    tool = {"type": kind, "name": 5, "x": {"y": 1}}
    assert read(tools=[tool]).tools == (OpaqueTool(OWN, kind, "tools[0]", json.dumps(tool).encode()),)


@pytest.mark.parametrize(
    ("tool", "path"),
    [({"name": "f"}, "tools[0].type"), ({"type": "function"}, "tools[0].name"), ([], "tools[0]")],
)
def test_a_tool_that_cannot_be_is_refused_by_its_place(tool: Any, path: str) -> None:
    assert refused(tools=[tool]).details["path"] == path


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", ToolChoice(ToolMode.AUTO)),
        ("required", ToolChoice(ToolMode.ANY)),
        ("none", ToolChoice(ToolMode.NONE)),
        ({"type": "function", "name": "f"}, ToolChoice(ToolMode.TOOL, ("f",))),
        ({"type": "custom", "name": "f"}, ToolChoice(ToolMode.TOOL, ("f",))),
    ],
)
def test_a_choice_of_tools(choice: Any, expected: ToolChoice) -> None:
    assert read(tool_choice=choice).tool_choice == expected


def test_allowed_tools_are_names_but_for_those_that_the_vendor_runs() -> None:
    tools = [
        {"type": "function", "name": "f"},
        {"type": "custom", "name": "p", "novel": 1},
        {"type": "web_search"},
    ]
    request = read(tool_choice={"type": "allowed_tools", "mode": "required", "tools": tools})
    assert request.tool_choice == ToolChoice(ToolMode.ANY, ("f", "p"))
    assert request.losses == (
        Loss("tool_choice.tools[1].novel", LossReason.UNKNOWN_FIELD),
        Loss("tool_choice.tools[2]", LossReason.UNKNOWN_PART),
    )


@pytest.mark.parametrize("kind", ["web_search_preview", "mcp", "apply_patch", "shell"])
def test_a_choice_that_only_this_protocol_has_is_kept_raw(kind: str) -> None:
    request = read(tool_choice={"type": kind})
    assert (request.tool_choice, request.extras) == (None, own(tool_choice={"type": kind}))


# --- options --------------------------------------------------------------------------------------------


def test_options_have_their_places() -> None:
    request = read(
        max_output_tokens=9,
        temperature=0.5,
        top_p=0.25,
        frequency_penalty=0.125,
        presence_penalty=0.0625,
        top_logprobs=3,
        parallel_tool_calls=False,
        service_tier="flex",
        user="u",
        metadata={"a": "b"},
        stream=True,
        text={"verbosity": "low", "format": {"type": "text"}},
        store=True,
        previous_response_id="resp_1",
        conversation="conv_1",
        background=False,
    )
    assert request.max_tokens == 9
    assert request.sampling == Sampling(0.5, 0.25, None, 0.125, 0.0625, logprobs=True, top_logprobs=3)
    assert (request.parallel_tool_calls, request.service_tier, request.user) == (False, "flex", "u")
    assert (request.metadata, request.stream, request.include_usage) == ({"a": "b"}, True, True)
    assert (request.verbosity, request.output) == ("low", OutputFormat(OutputKind.TEXT))
    assert (request.extras, request.losses, request.origin) == (None, (), OWN)


@pytest.mark.parametrize(
    ("options", "reasoning"),
    [
        ({"effort": "high"}, Reasoning(ReasoningMode.ENABLED, "high")),
        ({"effort": "none"}, Reasoning(ReasoningMode.DISABLED, "none")),
        ({"summary": "auto"}, Reasoning(display="summarized")),
        (
            {"generate_summary": "auto", "effort": "low"},
            Reasoning(ReasoningMode.ENABLED, "low", None, "summarized"),
        ),
        ({"context": "auto", "mode": "standard", "effort": None}, None),
    ],
)
def test_reasoning_is_asked_for_by_effort_and_shown_by_summary(
    options: Any, reasoning: Reasoning | None
) -> None:
    request = read(reasoning=options)
    assert (request.reasoning, request.extras, request.losses) == (reasoning, None, ())


@pytest.mark.parametrize("name", ["summary", "generate_summary"])
def test_a_kind_of_summary_is_not_carried_over(name: str) -> None:
    assert read(reasoning={name: "detailed"}).losses == (Loss(f"reasoning.{name}", LossReason.CONVERTED, C),)


def test_structured_output_is_a_format() -> None:
    form = {"type": "json_schema", "name": "n", "description": "d", "schema": {"a": 1}, "strict": True}
    assert read(text={"format": form}).output == OutputFormat(
        OutputKind.JSON_SCHEMA, "n", "d", b'{"a": 1}', True
    )
    assert read(text={"format": {"type": "json_object"}}).output == OutputFormat(OutputKind.JSON_OBJECT)
    bare = read(text={"format": {"type": "json_schema", "novel": 1}})
    assert bare.output == OutputFormat(OutputKind.JSON_SCHEMA)
    assert bare.losses == (Loss("text.format.novel", LossReason.UNKNOWN_FIELD),)


def test_what_only_this_protocol_has_is_kept_raw() -> None:
    request = read(
        include=["reasoning.encrypted_content", "message.output_text.logprobs", "file_search_call.results"],
        truncation="auto",
        client_metadata={"session": "x"},
        text={"format": {"type": "novel"}, "more": 1},
        reasoning={"context": "all_turns", "effort": "low"},
        stream_options={"include_obfuscation": False, "novel": 1},
        novel={"a": 1},
        prompt_cache_key=None,
    )
    assert request.output is None
    assert request.sampling.logprobs is True
    assert request.extras == own(
        truncation="auto",
        client_metadata={"session": "x"},
        include=["file_search_call.results"],
        **{
            "text.format": {"type": "novel"},
            "text.more": 1,
            "reasoning.context": "all_turns",
            "stream_options.include_obfuscation": False,
            "stream_options.novel": 1,
        },
        novel={"a": 1},
    )
    assert read(truncation="disabled", stream_options={}).extras is None
