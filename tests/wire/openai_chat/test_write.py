"""The conversation becomes a request that OpenAI and compatible servers take; each loss is recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace
from openai.types.chat import completion_create_params
from pydantic import TypeAdapter

from tokligence.catalog.models import ChatTools, Dialect, ModelCard, ThinkingOff, ThinkingStyle
from tokligence.conversation import (
    Audio,
    Base64Source,
    CacheControl,
    ContentSource,
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
    Part,
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
from tokligence.wire.contract import ReplyMemory, Target, Written
from tokligence.wire.openai_chat import CODEC

OWN, FOREIGN = ProtocolId.OPENAI_CHAT, ProtocolId.ANTHROPIC
TARGET = Target("gpt-x", ModelCard("gpt-x"), "openai")
HELLO = Turn(Role.USER, (Text("Hello"),), "messages[0]")
SCHEMA = (
    b'{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}'
)
PARAMS = TypeAdapter(completion_create_params.CompletionCreateParamsNonStreaming)


def written(request: Request, target: Target = TARGET) -> Written:
    return CODEC.write_request(request, target)


def write(target: Target = TARGET, **fields: Any) -> tuple[dict[str, Any], list[Loss]]:
    out = written(Request(**{"model": "m", "turns": (HELLO,), **fields}), target)
    return json.loads(out.body), list(out.losses)


def write_turns(*turns: Turn, target: Target = TARGET) -> tuple[list[dict[str, Any]], list[Loss]]:
    body, losses = write(target, turns=turns)
    return body["messages"], losses


def user(*parts: Part) -> Turn:
    return Turn(Role.USER, parts, "messages[0]")


def assistant(*parts: Part) -> Turn:
    return Turn(Role.ASSISTANT, parts, "messages[1]")


def with_card(**fields: Any) -> Target:
    return replace(TARGET, card=replace(TARGET.card, **fields))


def with_dialect(**fields: Any) -> Target:
    return replace(TARGET, dialect=Dialect(**fields))


def cosmetic(path: str, reason: LossReason = LossReason.UNSUPPORTED) -> Loss:
    return Loss(path, reason, Severity.COSMETIC)


# --- messages -------------------------------------------------------------------------------------------


def test_a_plain_request_is_small():
    assert write() == ({"model": "gpt-x", "messages": [{"role": "user", "content": "Hello"}]}, [])


def test_system_turns_stay_where_they_are():
    turns = (
        Turn(Role.SYSTEM, (Text("A"), Text("B")), "system"),
        HELLO,
        Turn(Role.SYSTEM, (Text("C"),), "messages[1]", name="ann"),
        Turn(Role.DEVELOPER, (Text("D"),), "messages[2]"),
    )
    messages, losses = write_turns(*turns)
    assert messages == [
        {"role": "system", "content": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]},
        {"role": "user", "content": "Hello"},
        {"role": "system", "content": "C", "name": "ann"},
        {"role": "system", "content": "D"},
    ]
    assert losses == []
    messages, _ = write_turns(*turns, target=with_dialect(developer_role=True))
    assert [m["role"] for m in messages] == ["system", "user", "system", "developer"]


def test_what_a_system_message_cannot_hold_is_lost():
    image = Image(UrlSource("u"))
    messages, losses = write_turns(Turn(Role.SYSTEM, (Text(""), image), "system"), HELLO)
    assert [m["role"] for m in messages] == ["user"]
    assert losses == [
        Loss("system.content[1]", LossReason.UNSUPPORTED),
        cosmetic("system", LossReason.DROPPED_EMPTY),
    ]


def test_empty_messages_are_never_sent():
    messages, losses = write_turns(
        user(Text("")), assistant(Text("")), Turn(Role.USER, (Text("x"),), "messages[2]")
    )
    assert messages == [{"role": "user", "content": "x"}]
    assert losses == [
        cosmetic("messages[0]", LossReason.DROPPED_EMPTY),
        cosmetic("messages[1]", LossReason.DROPPED_EMPTY),
    ]


def test_tool_results_come_before_the_users_text():
    messages, losses = write_turns(
        HELLO,
        assistant(Text("ok"), ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", "")),
        Turn(
            Role.USER,
            (Text("and?"), ToolResult("b", ()), ToolResult("a", (Text("1"), Text("2")))),
            "messages[2]",
        ),
    )
    assert messages[1:] == [
        {
            "role": "assistant",
            "content": "ok",
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}},
                {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "b", "content": ""},
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "1"}, {"type": "text", "text": "2"}]},
        {"role": "user", "content": "and?"},
    ]  # fmt: skip
    assert losses == []


def test_errors_of_tools_are_marked_in_the_text():
    turns = (
        HELLO,
        assistant(ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}")),
        user(ToolResult("a", (Text("boom"),), is_error=True), ToolResult("b", (), is_error=True)),
    )
    messages, losses = write_turns(*turns)
    assert [m["content"] for m in messages[2:]] == ["Error: boom", "Error"]
    assert losses[0] == cosmetic("messages[0].content[0].is_error", LossReason.CONVERTED)


def test_empty_texts_of_a_result_are_left_out():
    messages, losses = write_turns(
        user(Text("go")),
        assistant(ToolCall("c1", "f", "{}")),
        user(ToolResult("c1", (Text(""), Text("sunny")))),
    )
    assert messages[-1]["content"] == "sunny"
    assert losses == []


def test_images_and_files_in_results_move_into_the_next_user_message():
    messages, losses = write_turns(
        HELLO,
        assistant(ToolCall("a", "f", "{}")),
        user(
            ToolResult(
                "a",
                (
                    Text("see"),
                    Image(Base64Source("image/png", "AAAA")),
                    Document(Base64Source("application/pdf", "BBBB")),
                    Document(TextSource("plain")),
                ),
            ),
            Text("what is it?"),
        ),
    )
    assert messages[2]["content"] == [
        {"type": "text", "text": "see"},
        {"type": "text", "text": "[image: see the next user message]"},
        {"type": "text", "text": "[file: see the next user message]"},
        {"type": "text", "text": "plain"},
    ]
    assert messages[3] == {
        "role": "user",
        "content": [
            {"type": "text", "text": "[image from the result of tool call a]"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            {"type": "text", "text": "[file from the result of tool call a]"},
            {
                "type": "file",
                "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,BBBB"},
            },
            {"type": "text", "text": "what is it?"},
        ],
    }
    assert {loss.reason for loss in losses} == {LossReason.CONVERTED}


def test_ids_and_names_that_are_too_long_are_shortened_the_same_everywhere():
    long_id, long_name = "toolu_" + "x" * 60, "mcp__" + "n" * 90
    out = written(
        Request(
            "m",
            (HELLO, assistant(ToolCall(long_id, long_name, "{}")), user(ToolResult(long_id, (Text("r"),)))),
            tools=(Tool(long_name, "tools[0]"), Tool("f", "tools[1]")),
            tool_choice=ToolChoice(ToolMode.TOOL, (long_name,)),
        )
    )
    body = json.loads(out.body)
    call = body["messages"][1]["tool_calls"][0]
    assert len(call["id"]) == 40
    assert body["messages"][2]["tool_call_id"] == call["id"]
    name = call["function"]["name"]
    assert len(name) == 64
    assert body["tools"][0]["function"]["name"] == name
    assert body["tool_choice"]["function"]["name"] == name
    assert out.memory == ReplyMemory({name: long_name}, None, frozenset({name, "f"}))


def test_arguments_that_were_never_finished_are_wrapped():
    messages, losses = write_turns(HELLO, assistant(ToolCall("a", "f", '{"x')), user(ToolResult("a", ())))
    arguments = messages[1]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(arguments) == {"unfinished_arguments": '{"x'}
    assert losses == [cosmetic("messages[1].content[0].arguments", LossReason.REPAIRED)]


def test_a_custom_call_goes_back_as_it_was():
    extras = Extras(OWN, {"type": b'"custom"'})
    messages, _ = write_turns(
        HELLO, assistant(ToolCall("a", "sql", '{"input":"x"}', extras=extras)), user(ToolResult("a", ()))
    )
    assert messages[1]["tool_calls"] == [
        {"id": "a", "type": "custom", "custom": {"name": "sql", "input": "x"}}
    ]


def test_text_after_a_call_moves_before_it_with_a_loss():
    messages, losses = write_turns(
        HELLO, assistant(Text("one"), ToolCall("a", "f", "{}"), Text("two")), user(ToolResult("a", ()))
    )
    assert [part["text"] for part in messages[1]["content"]] == ["one", "two"]
    assert losses == [cosmetic("messages[1].content[2]", LossReason.CONVERTED)]


def test_an_answer_that_the_client_began_is_a_loss():
    _, losses = write_turns(HELLO, assistant(Text("{")))
    assert losses == [Loss("messages[1]", LossReason.CONVERTED)]


def test_refusals_names_and_own_fields_of_a_turn():
    turn = Turn(Role.ASSISTANT, (Refusal("no"),), "messages[1]", "bot", Extras(OWN, {"audio": b'{"id":"x"}'}))
    messages, _ = write_turns(HELLO, turn, user(Refusal("odd"), Text("x")))
    assert messages[1] == {
        "role": "assistant",
        "content": None,
        "refusal": "no",
        "name": "bot",
        "audio": {"id": "x"},
    }
    assert messages[2]["content"][0] == {"type": "text", "text": "odd"}


def test_what_an_assistant_message_cannot_hold_is_lost():
    _, losses = write_turns(
        HELLO,
        assistant(
            Text("x"),
            Image(UrlSource("u")),
            Opaque(FOREIGN, "server_tool_use", b"{}"),
            Opaque(OWN, "new", b"{}"),
        ),
        user(Text("y"), ToolCall("a", "f", "{}"), Opaque(FOREIGN, "search_result", b"{}")),
    )
    assert losses == [
        Loss("messages[1].content[1]", LossReason.UNSUPPORTED),
        Loss("messages[1].content[2]", LossReason.UNKNOWN_PART),
        Loss("messages[1].content[3]", LossReason.UNKNOWN_PART),
        Loss("messages[0].content[1]", LossReason.UNSUPPORTED),
        Loss("messages[0].content[2]", LossReason.UNKNOWN_PART),
    ]


# --- reasoning in the history ---------------------------------------------------------------------------


def test_foreign_reasoning_is_dropped_with_a_cosmetic_loss():
    target = with_dialect(reasoning_field="reasoning_details")
    turn = assistant(Thinking("t", "s", "anthropic"), RedactedThinking("d"), Text("A"))
    messages, losses = write_turns(HELLO, turn, user(Text("x")), target=target)
    assert messages[1] == {"role": "assistant", "content": "A"}
    assert losses == [
        cosmetic("messages[1].content[0]", LossReason.FOREIGN_SIGNATURE),
        cosmetic("messages[1].content[1]", LossReason.FOREIGN_SIGNATURE),
    ]


def test_own_reasoning_is_dropped_where_the_dialect_has_no_field():
    _, losses = write_turns(HELLO, assistant(Thinking("t"), Text("A")), user(Text("x")))
    assert losses == [cosmetic("messages[1].content[0]")]


def test_own_reasoning_goes_back_as_plain_text():
    summary = Thinking("u", extras=Extras(OWN, {"type": b'"reasoning.summary"'}))
    own = assistant(
        Thinking("t", issuer="openai"), summary, Opaque(OWN, "reasoning.new", b'{"type":"reasoning.new"}')
    )
    messages, _ = write_turns(
        HELLO, own, user(Text("x")), target=with_dialect(reasoning_field="reasoning_content")
    )
    assert messages[1] == {"role": "assistant", "content": None, "reasoning_content": "tu"}


def test_own_reasoning_goes_back_with_its_signatures():
    details = [
        {
            "type": "reasoning.text",
            "text": "t",
            "signature": "s",
            "issuer": "openai",
            "index": 0,
            "format": "f",
        },
        {"type": "reasoning.encrypted", "data": "d", "issuer": "openai", "index": 1},
        {"type": "reasoning.summary", "summary": "u", "index": 2},
        {"type": "reasoning.new", "index": 3},
    ]
    raw = {"model": "m", "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "A", "reasoning_details": details}, {"role": "user", "content": "y"}]}  # fmt: skip
    request = CODEC.read_request(json.dumps(raw).encode())
    body = json.loads(written(request, with_dialect(reasoning_field="reasoning_details")).body)
    assert body["messages"][1]["reasoning_details"] == details


# --- content parts --------------------------------------------------------------------------------------


def test_images_keep_detail_and_unknown_fields_of_their_own_protocol():
    messages, losses = write_turns(
        user(
            Image(UrlSource("https://x"), "low", extras=Extras(OWN, {"odd": b"1"})),
            Text("t", extras=Extras(FOREIGN, {"citations": b"[]"})),
        )
    )
    assert messages[0]["content"] == [
        {"type": "image_url", "image_url": {"url": "https://x", "detail": "low"}, "odd": 1},
        {"type": "text", "text": "t"},
    ]
    assert losses == [Loss("messages[0].content[1].citations", LossReason.UNSUPPORTED)]


def test_images_that_cannot_be_sent():
    messages, losses = write_turns(user(Image(FileSource("f", FOREIGN)), Text("x")))
    assert [part["text"] for part in messages[0]["content"]] == ["[image omitted]", "x"]
    assert losses == [Loss("messages[0].content[0].source", LossReason.UNSUPPORTED)]
    messages, losses = write_turns(user(Image(UrlSource("u"))), target=with_card(images=False))
    assert messages[0]["content"] == "[image omitted: the model takes no images]"
    assert losses == [Loss("messages[0].content[0]", LossReason.MODEL_CAPABILITY)]


def test_documents_of_each_source():
    messages, losses = write_turns(
        user(
            Document(Base64Source("application/pdf", "AAAA"), "a.pdf", "read it"),
            Document(FileSource("file-1", OWN)),
            Document(FileSource("file-2", FOREIGN)),
            Document(TextSource("body"), "T", citations=True),
            Document(UrlSource("https://x/a.pdf"), "U"),
            Document(ContentSource((Text("in"), Image(UrlSource("https://i")))), "C"),
            Document(ContentSource((Text("bare"),))),
            Audio("AAAA", "wav"),
            Opaque(OWN, "video_url", b'{"type":"video_url"}'),
        )
    )
    assert messages[0]["content"] == [
        {"type": "text", "text": "read it"},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "text", "text": "[document omitted]"},
        {"type": "text", "text": "T\nbody"},
        {"type": "text", "text": "U\n[document: https://x/a.pdf]"},
        {"type": "text", "text": "C"},
        {"type": "text", "text": "in"},
        {"type": "image_url", "image_url": {"url": "https://i"}},
        {"type": "text", "text": "bare"},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "video_url"},
    ]
    assert losses == [
        Loss("messages[0].content[2].source", LossReason.UNSUPPORTED),
        Loss("messages[0].content[3].citations", LossReason.UNSUPPORTED),
        cosmetic("messages[0].content[3]", LossReason.CONVERTED),
        Loss("messages[0].content[4].source", LossReason.CONVERTED),
        cosmetic("messages[0].content[5]", LossReason.CONVERTED),
        cosmetic("messages[0].content[6]", LossReason.CONVERTED),
    ]


def test_cache_marks_are_one_cosmetic_loss():
    mark = CacheControl("5m")
    _, losses = write_turns(
        Turn(Role.SYSTEM, (Text("s", mark),), "system"), user(Text("a", mark), Text("b", mark))
    )
    assert losses == [cosmetic("system.content[0].cache_control")]


# --- tools ----------------------------------------------------------------------------------------------


def test_tools_are_functions_with_object_schemas():
    body, losses = write(
        tools=(
            Tool("a", "tools[0]", "d", SCHEMA, strict=True),
            Tool("b", "tools[1]", strict=False, cache=CacheControl()),
            Tool("c", "tools[2]", parameters=b'{"properties":{"x":{"type":"array"}}}'),
            Tool("d", "tools[3]", parameters=b'{"type":"object","properties":{}}', strict=True, extras=Extras(FOREIGN, {"input_examples": b"[]"})),
            OpaqueTool(OWN, "custom", "tools[4]", b'{"type":"custom","custom":{"name":"x"}}'),
            OpaqueTool(FOREIGN, "web_search_20250305", "tools[5]", b"{}"),
        )
    )  # fmt: skip
    assert body["tools"] == [
        {"type": "function", "function": {"name": "a", "description": "d", "parameters": json.loads(SCHEMA), "strict": True}},
        {"type": "function", "function": {"name": "b", "parameters": {"type": "object", "properties": {}}}},
        {"type": "function", "function": {"name": "c", "parameters": {"type": "object", "properties": {"x": {"type": "array", "items": {}}}}}},
        {"type": "function", "function": {"name": "d", "parameters": {"type": "object", "properties": {}}}},
        {"type": "custom", "custom": {"name": "x"}},
    ]  # fmt: skip
    assert losses == [
        cosmetic("tools[1].cache_control"),
        cosmetic("tools[2].parameters", LossReason.REPAIRED),
        Loss("tools[3].strict", LossReason.CONVERTED),
        Loss("tools[3].input_examples", LossReason.UNSUPPORTED),
        Loss("tools[5]", LossReason.UNSUPPORTED),
    ]


def test_strict_is_left_out_for_models_that_do_not_take_it():
    body, losses = write(with_card(strict_tools=False), tools=(Tool("a", "tools[0]", None, SCHEMA, True),))
    assert "strict" not in body["tools"][0]["function"]
    assert losses == [Loss("tools[0].strict", LossReason.MODEL_CAPABILITY)]


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (ToolChoice(ToolMode.AUTO), "auto"),
        (ToolChoice(ToolMode.ANY), "required"),
        (ToolChoice(ToolMode.NONE), "none"),
        (ToolChoice(ToolMode.TOOL, ("f",)), {"type": "function", "function": {"name": "f"}}),
        (
            ToolChoice(ToolMode.ANY, ("f",)),
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "function", "function": {"name": "f"}}],
                },
            },
        ),
    ],
)
def test_tool_choice_in_all_forms(choice: ToolChoice, said: Any):
    body, losses = write(tools=(Tool("f", "tools[0]"),), tool_choice=choice, parallel_tool_calls=False)
    assert body["tool_choice"] == said
    assert body["parallel_tool_calls"] is False
    assert losses == []


def test_choice_and_parallel_calls_need_tools():
    body, losses = write(tool_choice=ToolChoice(ToolMode.ANY), parallel_tool_calls=False)
    assert set(body) == {"model", "messages"}
    assert losses == [Loss("tool_choice", LossReason.UNSUPPORTED)]
    assert write(tool_choice=ToolChoice(ToolMode.AUTO))[1] == []


def test_a_forced_choice_is_a_loss_for_models_that_do_not_take_one():
    body, losses = write(
        with_card(forced_tools=False),
        tools=(Tool("f", "tools[0]"),),
        tool_choice=ToolChoice(ToolMode.TOOL, ("f",)),
    )
    assert body["tool_choice"] == "auto"
    assert losses == [Loss("tool_choice", LossReason.MODEL_CAPABILITY)]


def test_models_that_call_tools_only_elsewhere_are_a_clear_error():
    with pytest.raises(GatewayError, match="gpt-x does not call tools"):
        write(with_card(chat_tools=ChatTools.NEVER), tools=(Tool("f", "tools[0]"),))


def test_models_that_call_tools_only_without_reasoning_are_told_not_to_reason():
    target = with_card(
        chat_tools=ChatTools.WITHOUT_REASONING, thinking=ThinkingStyle.EFFORT, efforts=("none", "high")
    )
    tools = (Tool("f", "tools[0]"),)
    body, losses = write(target, tools=tools)
    assert (body["reasoning_effort"], losses) == ("none", [])
    body, losses = write(target, tools=tools, reasoning=Reasoning(ReasoningMode.ENABLED, "high"))
    assert (body["reasoning_effort"], losses) == ("none", [Loss("reasoning", LossReason.MODEL_CAPABILITY)])
    body, _ = write(target, reasoning=Reasoning(ReasoningMode.ENABLED, "high"))
    assert body["reasoning_effort"] == "high"


# --- limits and sampling --------------------------------------------------------------------------------


def test_the_output_limit_has_the_dialects_name_and_the_cards_bound():
    assert write(max_tokens=9)[0]["max_tokens"] == 9
    target = replace(
        with_card(max_output_tokens=5), dialect=Dialect(max_tokens_field="max_completion_tokens")
    )
    body, losses = write(target, max_tokens=9)
    assert body["max_completion_tokens"] == 5
    assert losses == [cosmetic("max_tokens", LossReason.CLAMPED)]
    assert write(target, max_tokens=5)[1] == []


def test_at_most_four_stop_sequences():
    body, losses = write(stop=("a", "b", "c", "d", "e"))
    assert body["stop"] == ["a", "b", "c", "d"]
    assert losses == [Loss("stop", LossReason.CLAMPED)]
    body, losses = write(with_card(stop=False), stop=("a",))
    assert "stop" not in body
    assert losses == [Loss("stop", LossReason.MODEL_CAPABILITY)]


def test_sampling_goes_to_models_that_take_it():
    sampling = Sampling(0.5, 0.9, 40, 0.1, 0.2, 7, 2, True, 3, b'{"1":2}')
    body, losses = write(sampling=sampling)
    assert {name: body[name] for name in body if name not in {"model", "messages"}} == {
        "temperature": 0.5, "top_p": 0.9, "frequency_penalty": 0.1, "presence_penalty": 0.2, "seed": 7, "n": 2,
        "logprobs": True, "top_logprobs": 3, "logit_bias": {"1": 2},
    }  # fmt: skip
    assert losses == [Loss("top_k", LossReason.UNSUPPORTED)]


def test_reasoning_models_refuse_sampling_but_not_its_defaults():
    body, losses = write(with_card(sampling=False), sampling=Sampling(0.5, 1.0, seed=7, logit_bias=b"{}"))
    assert set(body) == {"model", "messages", "seed"}
    assert losses == [
        Loss("temperature", LossReason.MODEL_CAPABILITY),
        Loss("logit_bias", LossReason.MODEL_CAPABILITY),
    ]


def test_models_with_one_sampler_get_the_temperature():
    body, losses = write(with_card(one_sampler=True), sampling=Sampling(0.5, 0.9))
    assert "top_p" not in body
    assert losses == [Loss("top_p", LossReason.MODEL_CAPABILITY)]
    assert write(with_card(one_sampler=True), sampling=Sampling(None, 0.9))[0]["top_p"] == 0.9


# --- output ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "word"), [(OutputKind.TEXT, "text"), (OutputKind.JSON_OBJECT, "json_object")]
)
def test_plain_output_formats(kind: OutputKind, word: str):
    assert write(output=OutputFormat(kind))[0]["response_format"] == {"type": word}


def test_a_schema_is_strict_if_asked_or_if_it_is_ready_for_it():
    def schema_of(output: OutputFormat) -> tuple[dict[str, Any], list[Loss]]:
        body, losses = write(output=output)
        return body["response_format"]["json_schema"], losses

    kind = OutputKind.JSON_SCHEMA
    ready = {"name": "response", "schema": json.loads(SCHEMA), "strict": True}
    assert schema_of(OutputFormat(kind, schema=SCHEMA)) == (ready, [])
    loose = OutputFormat(kind, "n", "d", b'{"type":"object"}', strict=False)
    assert schema_of(loose) == (
        {"name": "n", "description": "d", "schema": {"type": "object"}, "strict": False},
        [],
    )
    open_schema = OutputFormat(kind, schema=b'{"type":"object","properties":{"a":{}}}')
    assert schema_of(open_schema)[1] == [Loss("response_format.strict", LossReason.CONVERTED)]
    assert schema_of(OutputFormat(kind)) == ({"name": "response"}, [])


def test_a_schema_is_lost_on_models_without_structured_output():
    output = OutputFormat(OutputKind.JSON_SCHEMA, schema=SCHEMA)
    body, losses = write(with_card(structured_output=False), output=output)
    assert "response_format" not in body
    assert losses == [Loss("response_format", LossReason.MODEL_CAPABILITY)]


# --- reasoning ------------------------------------------------------------------------------------------

EFFORT = with_card(thinking=ThinkingStyle.EFFORT, efforts=("minimal", "low", "medium", "high"))
WITH_NONE = with_card(thinking=ThinkingStyle.EFFORT, efforts=("none", "low", "high"))
ALWAYS = with_card(thinking=ThinkingStyle.EFFORT, efforts=("minimal", "high"), thinking_off=ThinkingOff.NEVER)
SOMEHOW = with_card(thinking=ThinkingStyle.EFFORT, thinking_off=ThinkingOff.NEVER)
NEVER = with_card(thinking=ThinkingStyle.NONE)
ODD = with_card(thinking=ThinkingStyle.EFFORT, efforts=("turbo",))
BY_WORD = cosmetic("reasoning", LossReason.CONVERTED)
ON, OFF, ADAPTIVE = ReasoningMode.ENABLED, ReasoningMode.DISABLED, ReasoningMode.ADAPTIVE


@pytest.mark.parametrize(
    ("target", "reasoning", "effort", "losses"),
    [
        (TARGET, None, None, []),
        (TARGET, Reasoning(ON, "high"), "high", []),
        (TARGET, Reasoning(ADAPTIVE, "max"), "max", []),
        (TARGET, Reasoning(ON, budget=5000), None, [cosmetic("reasoning")]),
        (TARGET, Reasoning(ADAPTIVE), None, [cosmetic("reasoning")]),
        (TARGET, Reasoning(OFF), None, [cosmetic("reasoning")]),
        (TARGET, Reasoning(OFF, "none"), "none", []),
        (EFFORT, Reasoning(ON, budget=31999), "high", [BY_WORD]),
        (
            EFFORT,
            Reasoning(ON, budget=65536),
            "high",
            [BY_WORD, cosmetic("reasoning.effort", LossReason.CLAMPED)],
        ),
        (EFFORT, Reasoning(ADAPTIVE), None, []),
        (EFFORT, Reasoning(OFF), None, []),
        (EFFORT, Reasoning(ON, "low", display="omitted"), "low", [cosmetic("reasoning.display")]),
        (EFFORT, Reasoning(ON, "odd"), None, [cosmetic("reasoning.effort")]),
        (WITH_NONE, Reasoning(OFF), "none", []),
        (ALWAYS, Reasoning(OFF), "minimal", [Loss("reasoning", LossReason.MODEL_CAPABILITY)]),
        (SOMEHOW, Reasoning(OFF), None, [Loss("reasoning", LossReason.MODEL_CAPABILITY)]),
        (NEVER, Reasoning(OFF), None, []),
        (NEVER, Reasoning(ON, "low"), None, [Loss("reasoning", LossReason.MODEL_CAPABILITY)]),
    ],
)
def test_reasoning_becomes_the_nearest_effort(
    target: Target, reasoning: Reasoning | None, effort: str | None, losses: list[Loss]
):
    body, found = write(target, reasoning=reasoning)
    assert (body.get("reasoning_effort"), found) == (effort, losses)


# --- the rest -------------------------------------------------------------------------------------------


def test_a_stream_asks_for_usage_where_the_dialect_can():
    body, _ = write(stream=True)
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})
    assert "stream_options" not in write(with_dialect(stream_usage=False), stream=True)[0]


def test_service_tiers_by_table():
    assert write(service_tier="standard_only")[0]["service_tier"] == "default"
    assert write(service_tier="flex")[0]["service_tier"] == "flex"
    body, losses = write(service_tier="odd")
    assert ("service_tier" in body, losses) == (False, [cosmetic("service_tier")])


def test_a_long_user_is_hashed():
    assert write(user="u" * 64) == ({**write()[0], "user": "u" * 64}, [])
    body, losses = write(user="u" * 65)
    assert len(body["user"]) == 64
    assert losses == [cosmetic("user", LossReason.CONVERTED)]


def test_metadata_is_for_stored_answers_and_verbosity_for_models_that_think():
    plain = with_card(thinking=ThinkingStyle.NONE)
    body, losses = write(plain, metadata={"a": "b"}, verbosity="low")
    assert {"metadata", "verbosity"}.isdisjoint(body)
    assert losses == [Loss("verbosity", LossReason.MODEL_CAPABILITY), cosmetic("metadata")]
    assert write(plain, metadata={}, verbosity="medium")[1] == []


def test_metadata_verbosity_and_extras():
    body, losses = write(
        metadata={"a": "b"}, verbosity="low", extras=Extras(OWN, {"store": b"true", "new": b"{}"})
    )
    assert (body["metadata"], body["verbosity"], body["store"], body["new"]) == ({"a": "b"}, "low", True, {})
    assert losses == []
    _, losses = write(extras=Extras(FOREIGN, {"container": b'"x"', "context_management": b"{}", "new": b"1"}))
    assert losses == [
        Loss("container", LossReason.UNSUPPORTED),
        cosmetic("context_management"),
        Loss("new", LossReason.UNKNOWN_FIELD),
    ]


def test_repairs_of_the_history_are_losses_of_the_request():
    _, losses = write_turns(HELLO, assistant(ToolCall("a", "f", "{}")), user(Text("x")))
    assert losses[0] == Loss("messages[1]", LossReason.REPAIRED)


def test_a_request_with_everything_is_what_the_sdk_describes():
    out = written(
        Request(
            "m",
            (
                Turn(Role.SYSTEM, (Text("s"),), "system"),
                user(
                    Text("a"),
                    Image(UrlSource("https://x")),
                    Document(Base64Source("application/pdf", "AAAA")),
                ),
                assistant(Text("b"), ToolCall("c", "f", "{}")),
                Turn(Role.USER, (ToolResult("c", (Text("r"),)), Text("go on")), "messages[3]"),
            ),
            tools=(Tool("f", "tools[0]", "d", SCHEMA, True),),
            tool_choice=ToolChoice(ToolMode.ANY, ("f",)),
            parallel_tool_calls=True,
            max_tokens=10,
            stop=("x",),
            sampling=Sampling(0.1, seed=1),
            output=OutputFormat(OutputKind.JSON_SCHEMA, schema=SCHEMA),
            reasoning=Reasoning(ON, "low"),
            user="u",
        )
    )
    assert out.losses == ()
    PARAMS.validate_python(json.loads(out.body))


def test_what_chat_reads_it_writes_again():
    body = {
        "model": "gpt-x",
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c", "content": "r"},
            {"role": "user", "content": "go on", "name": "ann"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
        "tool_choice": "auto", "max_tokens": 5, "temperature": 0.5, "store": False, "user": "u",
        "response_format": {"type": "json_object"}, "reasoning_effort": "low", "unknown": [1, {"a": None}],
    }  # fmt: skip
    request = CODEC.read_request(json.dumps(body).encode())
    out = written(request)
    assert json.loads(out.body) == body
    assert out.losses == ()
