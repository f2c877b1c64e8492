"""A Chat request becomes the conversation; what it cannot hold is kept raw or recorded."""

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
from tokligence.wire.openai_chat import CODEC

OWN = ProtocolId.OPENAI_CHAT
HELLO = {"role": "user", "content": "Hello"}


def read(**fields: Any) -> Request:
    return CODEC.read_request(json.dumps({"model": "gpt-x", "messages": [HELLO], **fields}).encode())


def read_turns(*messages: dict[str, Any]) -> tuple[Turn, ...]:
    return read(messages=list(messages)).turns


def read_parts(*content: Any) -> tuple[Any, ...]:
    return read_turns({"role": "user", "content": list(content)})[0].parts


def refused(**fields: Any) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        read(**fields)
    return caught.value


# --- messages -------------------------------------------------------------------------------------------


def test_each_role_becomes_a_turn_where_it_stood():
    turns = read_turns(
        {"role": "system", "content": "S"},
        {"role": "developer", "content": "D", "name": "boss"},
        {"role": "user", "content": "U", "name": "ann"},
        {"role": "assistant", "content": "A"},
    )
    assert [(t.role, t.parts, t.path, t.name) for t in turns] == [
        (Role.SYSTEM, (Text("S"),), "messages[0]", None),
        (Role.DEVELOPER, (Text("D"),), "messages[1]", "boss"),
        (Role.USER, (Text("U"),), "messages[2]", "ann"),
        (Role.ASSISTANT, (Text("A"),), "messages[3]", None),
    ]


def test_empty_and_null_content_give_no_parts():
    turns = read_turns({"role": "user", "content": ""}, {"role": "assistant", "content": None})
    assert [t.parts for t in turns] == [(), ()]


def test_tool_calls_and_their_results_keep_ids_and_raw_arguments():
    turns = read_turns(
        {
            "role": "assistant",
            "content": None,
            "refusal": None,
            "annotations": [],
            "tool_calls": [
                {
                    "id": "a",
                    "type": "function",
                    "function": {"name": "f", "arguments": '{"n":12345678901234567890}'},
                },
                {
                    "id": "b",
                    "type": "function",
                    "function": {"name": "g", "arguments": "{broken"},
                    "index": 1,
                },
            ],
        },
        {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "two"}], "name": "g"},
        {"role": "tool", "tool_call_id": "a", "content": "one"},
    )
    assert turns[0].parts == (
        ToolCall("a", "f", '{"n":12345678901234567890}'),
        ToolCall("b", "g", "{broken"),
    )
    assert turns[0].extras is None
    assert turns[1].parts == (ToolResult("b", (Text("two"),), path="messages[1]"),)
    assert turns[2].parts == (ToolResult("a", (Text("one"),), path="messages[2]"),)
    assert turns[1].role is Role.USER


def test_a_call_without_an_id_has_an_empty_one():
    (turn,) = read_turns(
        {"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "f"}}]}
    )
    assert turn.parts == (ToolCall("", "f", ""),)


def test_legacy_functions_get_ids_that_pair_calls_with_results():
    request = read(
        messages=[
            HELLO,
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "42"},
            {"role": "function", "name": "f", "content": None},
        ],
        functions=[{"name": "f", "description": "d", "parameters": {"type": "object"}}],
        function_call={"name": "f"},
    )
    assert request.turns[1].parts == (ToolCall("call_fn_1", "f", "{}"),)
    assert request.turns[2].parts == (ToolResult("call_fn_1", (Text("42"),), path="messages[2]"),)
    assert request.turns[3].parts == (ToolResult("call_fn_3", (), path="messages[3]"),)
    assert request.tools == (Tool("f", "functions[0]", "d", b'{"type": "object"}'),)
    assert request.tool_choice == ToolChoice(ToolMode.TOOL, ("f",))


def test_a_custom_call_says_its_text_as_an_argument():
    (turn,) = read_turns(
        {
            "role": "assistant",
            "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "sql", "input": 'SELECT "x"'}}],
        }
    )
    (part,) = turn.parts
    assert json.loads(part.arguments) == {"input": 'SELECT "x"'}
    assert part.extras == Extras(OWN, {"type": b'"custom"'})


def test_refusals_are_read_from_field_and_part():
    (turn,) = read_turns(
        {"role": "assistant", "refusal": "no", "content": [{"type": "refusal", "refusal": "never"}]}
    )
    assert turn.parts == (Refusal("never"), Refusal("no"))


def test_an_earlier_spoken_answer_and_annotations_are_kept_for_their_vendor():
    (turn,) = read_turns(
        {
            "role": "assistant",
            "content": "x",
            "audio": {"id": "au"},
            "annotations": [{"a": 1}],
            "odd": 1,
            "nil": None,
        }
    )
    assert turn.extras == Extras(OWN, {"odd": b"1", "audio": b'{"id": "au"}', "annotations": b'[{"a": 1}]'})


def test_unknown_fields_of_a_message_stay_on_its_turn():
    (turn,) = read_turns({**HELLO, "odd": {"b": 1}, "nil": None})
    assert turn.extras == Extras(OWN, {"odd": b'{"b": 1}'})
    (turn,) = read_turns({**HELLO, "nil": None})
    assert turn.extras is None


# --- reasoning ------------------------------------------------------------------------------------------


def test_reasoning_details_keep_signature_issuer_and_format():
    (turn,) = read_turns(
        {
            "role": "assistant",
            "content": "A",
            "reasoning_content": "same text again",
            "reasoning_details": [
                {"type": "reasoning.text", "text": "t", "signature": "s", "issuer": "anthropic", "index": 0},
                {"type": "reasoning.encrypted", "data": "d", "issuer": "anthropic", "id": "r1", "odd": 1},
                {"type": "reasoning.summary", "summary": "sum", "format": "f"},
                {"type": "reasoning.new", "x": 1},
            ],
        }
    )
    assert turn.parts == (
        Thinking("t", "s", "anthropic"),
        RedactedThinking("d", "anthropic", Extras(OWN, {"id": b'"r1"', "odd": b"1"})),
        Thinking("sum", extras=Extras(OWN, {"type": b'"reasoning.summary"', "format": b'"f"'})),
        Opaque(OWN, "reasoning.new", b'{"type": "reasoning.new", "x": 1}'),
        Text("A"),
    )


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_plain_reasoning_is_thinking_without_a_signature(field: str):
    (turn,) = read_turns({"role": "assistant", "content": "A", field: "hm"})
    assert turn.parts == (Thinking("hm"), Text("A"))


def test_plain_reasoning_counts_beside_details_that_have_no_text():
    (turn,) = read_turns(
        {
            "role": "assistant",
            "reasoning": "hm",
            "reasoning_details": [{"type": "reasoning.encrypted", "data": "d"}],
        }
    )
    assert turn.parts == (Thinking("hm"), RedactedThinking("d"))


# --- content parts --------------------------------------------------------------------------------------


def test_images_by_address_and_by_data():
    parts = read_parts(
        {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/PNG;base64,AAAA"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;name=a.png;base64,AAA="}},
    )
    assert parts == (
        Image(UrlSource("https://x/y.png"), "low"),
        Image(Base64Source("image/png", "AAAA")),
        Image(Base64Source("image/png", "AAA=")),
    )


@pytest.mark.parametrize(
    "url",
    [
        "data:image/png,abc",
        "data:;base64,AAAA",
        "data:image/png;base64,",
        "data:image/png;base64,<html>",
        "data:x",
    ],
)
def test_a_bad_data_address_is_a_clear_error(url: str):
    error = refused(
        messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]
    )
    assert error.code == "request.invalid_field"
    assert "messages[0].content[0].image_url.url" in error.message


def test_audio_and_unknown_parts():
    parts = read_parts(
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "video_url", "video_url": {"url": "u"}},
    )
    assert parts == (
        Audio("AAAA", "wav"),
        Opaque(OWN, "video_url", b'{"type": "video_url", "video_url": {"url": "u"}}'),
    )


def test_a_part_without_a_type_is_a_clear_error():
    error = refused(messages=[{"role": "user", "content": [{"text": "x"}]}])
    assert (error.code, error.details["path"]) == ("request.missing_field", "messages[0].content[0].type")


def data_url(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def test_files_become_documents():
    parts = read_parts(
        {"type": "file", "file": {"filename": "a.pdf", "file_data": data_url("application/pdf", b"%PDF")}},
        {"type": "file", "file": {"file_data": "JVBERg=="}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "file", "file": {"file_data": data_url("text/plain", "grüß".encode())}},
        {"type": "file", "file": {"file_data": data_url("text/plain", b"\xff\xfe")}},
    )
    assert parts == (
        Document(Base64Source("application/pdf", "JVBERg=="), "a.pdf"),
        Document(Base64Source("application/pdf", "JVBERg==")),
        Document(FileSource("file-1", OWN)),
        Document(TextSource("grüß", "text/plain")),
        Document(Base64Source("text/plain", "//4=")),
    )


def test_a_file_without_content_or_with_bad_content_is_a_clear_error():
    error = refused(messages=[{"role": "user", "content": [{"type": "file", "file": {"filename": "a"}}]}])
    assert error.code == "request.missing_field"
    error = refused(messages=[{"role": "user", "content": [{"type": "file", "file": {"file_data": "<>"}}]}])
    assert error.code == "request.invalid_field"


def test_unknown_fields_of_parts_are_kept_and_inner_ones_recorded():
    request = read(
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "a", "odd": 1},
                    {"type": "image_url", "image_url": {"url": "https://x", "inner": 2}},
                ],
            }
        ]
    )
    assert request.turns[0].parts[0] == Text("a", extras=Extras(OWN, {"odd": b"1"}))
    assert request.losses == (Loss("messages[0].content[1].image_url.inner", LossReason.UNKNOWN_FIELD),)


def test_cache_marks_stand_on_parts_messages_results_and_tools():
    mark = {"type": "ephemeral", "ttl": "1h"}
    request = read(
        messages=[
            {"role": "system", "content": [{"type": "text", "text": "a", "cache_control": mark}]},
            {"role": "user", "content": "b", "cache_control": {"type": "ephemeral"}},
            {
                "role": "user",
                "content": [{"type": "text", "text": "c", "cache_control": mark}],
                "cache_control": {},
            },
            {"role": "user", "content": "", "cache_control": {}},
            {"role": "assistant", "refusal": "no", "cache_control": {}},
            {"role": "assistant", "content": "d", "cache_control": {}},
            {"role": "tool", "tool_call_id": "x", "content": "e", "cache_control": mark},
        ],
        tools=[{"type": "function", "function": {"name": "f"}, "cache_control": mark}],
    )
    hour = CacheControl("1h")
    assert [t.parts for t in request.turns] == [
        (Text("a", hour),),
        (Text("b", CacheControl()),),
        (Text("c", hour),),
        (),
        (Refusal("no"),),
        (Text("d", CacheControl()),),
        (ToolResult("x", (Text("e"),), cache=hour, path="messages[6]"),),
    ]
    assert request.tools == (Tool("f", "tools[0]", cache=hour),)


def test_openai_breakpoints_become_cache_marks_of_an_hour_at_most():
    def marked(**mark: str) -> dict[str, Any]:
        return {"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit", **mark}}

    request = read(messages=[{"role": "user", "content": [marked(), marked(ttl="30m"), marked(ttl="12h")]}])
    assert [p.cache for p in request.turns[0].parts] == [
        CacheControl(),
        CacheControl("1h"),
        CacheControl("1h"),
    ]
    assert request.losses == (
        Loss("messages[0].content[2].prompt_cache_breakpoint.ttl", LossReason.CLAMPED, Severity.COSMETIC),
    )


# --- tools ----------------------------------------------------------------------------------------------


def test_tools_keep_their_schema_as_it_came():
    raw = (
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":'
        b'{"name":"f","description":"d","parameters":{"type":"object", "maximum": 1.50},"strict":true}}]}'
    )
    request = CODEC.read_request(raw)
    assert request.tools == (Tool("f", "tools[0]", "d", b'{"type":"object", "maximum": 1.50}', True),)


def test_custom_and_unknown_tools_are_kept_raw():
    request = read(
        tools=[
            {"type": "custom", "custom": {"name": "sql"}},
            {"type": "web_search", "x": 1},
            {"type": "function", "function": {"name": "f", "parameters": None, "odd": 1}, "also": 2},
        ]
    )
    assert request.tools == (
        OpaqueTool(OWN, "custom", "tools[0]", b'{"type":"custom","custom":{"name": "sql"}}'),
        OpaqueTool(OWN, "web_search", "tools[1]", b'{"type": "web_search", "x": 1}'),
        Tool("f", "tools[2]", extras=Extras(OWN, {"also": b"2"})),
    )
    assert request.losses == (Loss("tools[2].function.odd", LossReason.UNKNOWN_FIELD),)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("none", ToolChoice(ToolMode.NONE)),
        ("auto", ToolChoice(ToolMode.AUTO)),
        ("required", ToolChoice(ToolMode.ANY)),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice(ToolMode.TOOL, ("f",))),
        ({"type": "custom", "custom": {"name": "c"}}, ToolChoice(ToolMode.TOOL, ("c",))),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [
                        {"type": "function", "function": {"name": "f"}},
                        {"type": "custom", "custom": {"name": "c"}},
                    ],
                },
            },
            ToolChoice(ToolMode.ANY, ("f", "c")),
        ),
    ],
)
def test_tool_choice_in_all_forms(given: Any, meant: ToolChoice):
    assert read(tool_choice=given).tool_choice == meant


def test_a_tool_that_is_allowed_but_not_known_is_a_loss():
    request = read(
        tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "mcp"}]}}
    )
    assert request.tool_choice == ToolChoice(ToolMode.AUTO)
    assert request.losses == (Loss("tool_choice.allowed_tools.tools[0]", LossReason.UNKNOWN_PART),)


def test_the_legacy_choice_counts_where_there_is_no_other():
    assert read(function_call="none").tool_choice == ToolChoice(ToolMode.NONE)
    assert read(function_call="none", tool_choice="auto").tool_choice == ToolChoice(ToolMode.AUTO)


# --- options --------------------------------------------------------------------------------------------


def test_max_completion_tokens_counts_if_both_limits_are_given():
    assert read(max_tokens=5).max_tokens == 5
    assert read(max_tokens=5, max_completion_tokens=7).max_tokens == 7


@pytest.mark.parametrize(("given", "meant"), [(None, ()), ("a", ("a",)), (["a", "b"], ("a", "b"))])
def test_stop_is_a_string_or_an_array(given: Any, meant: tuple[str, ...]):
    assert read(stop=given).stop == meant


def test_sampling_and_plain_fields():
    request = read(
        temperature=1, top_p=0.5, top_k=40, frequency_penalty=0.1, presence_penalty=0.2, seed=-7, n=2,
        logprobs=True, top_logprobs=3, logit_bias={"50256": -100}, user="u", metadata={"k": "v"},
        service_tier="flex", verbosity="low", parallel_tool_calls=False, stream=True,
        stream_options={"include_usage": True, "include_obfuscation": True},
    )  # fmt: skip
    assert request.sampling == Sampling(1.0, 0.5, 40, 0.1, 0.2, -7, 2, True, 3, b'{"50256": -100}')
    assert (request.user, request.metadata, request.service_tier) == ("u", {"k": "v"}, "flex")
    assert (request.verbosity, request.parallel_tool_calls) == ("low", False)
    assert (request.stream, request.include_usage) == (True, True)
    assert request.losses == (
        Loss("stream_options.include_obfuscation", LossReason.UNSUPPORTED, Severity.COSMETIC),
    )


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"type": "text"}, OutputFormat(OutputKind.TEXT)),
        ({"type": "json_object"}, OutputFormat(OutputKind.JSON_OBJECT)),
        (
            {
                "type": "json_schema",
                "json_schema": {"name": "n", "description": "d", "schema": {}, "strict": True},
            },
            OutputFormat(OutputKind.JSON_SCHEMA, "n", "d", b"{}", True),
        ),
        (None, None),
    ],
)
def test_output_formats(given: Any, meant: OutputFormat | None):
    assert read(response_format=given).output == meant


def test_an_unknown_output_format_is_kept_raw():
    request = read(response_format={"type": "grammar", "grammar": "g"})
    assert request.output is None
    assert request.extras == Extras(OWN, {"response_format": b'{"type": "grammar", "grammar": "g"}'})


@pytest.mark.parametrize(
    ("fields", "meant"),
    [
        ({"reasoning_effort": "high"}, Reasoning(ReasoningMode.ENABLED, "high")),
        ({"reasoning_effort": "none"}, Reasoning(ReasoningMode.DISABLED, "none")),
        ({"reasoning": {"max_tokens": 2000}}, Reasoning(ReasoningMode.ENABLED, None, 2000)),
        (
            {"reasoning": {"effort": "low", "exclude": True}},
            Reasoning(ReasoningMode.ENABLED, "low", None, "omitted"),
        ),
        ({"reasoning": {"enabled": False, "max_tokens": 9}}, Reasoning(ReasoningMode.DISABLED)),
        (
            {"reasoning": {"effort": "low"}, "reasoning_effort": "high"},
            Reasoning(ReasoningMode.ENABLED, "high"),
        ),
        ({}, None),
    ],
)
def test_reasoning_by_effort_or_budget(fields: dict[str, Any], meant: Reasoning | None):
    assert read(**fields).reasoning == meant


def test_the_wish_for_a_reasoning_summary_is_a_cosmetic_loss():
    losses = read(reasoning={"summary": "auto"}).losses
    assert losses == (Loss("reasoning.summary", LossReason.UNSUPPORTED, Severity.COSMETIC),)


def test_what_only_chat_has_is_kept_raw_and_so_is_what_is_unknown():
    request = read(
        store=True, prediction={"type": "content", "content": "x"}, modalities=["text", "audio"],
        prompt_cache_key="k", safety_identifier=None, brand_new={"a": 1}, nil=None,
    )  # fmt: skip
    assert request.extras == Extras(
        OWN,
        {
            "modalities": b'["text", "audio"]',
            "prediction": b'{"type": "content", "content": "x"}',
            "prompt_cache_key": b'"k"',
            "store": b"true",
            "brand_new": b'{"a": 1}',
        },
    )


def test_stream_options_without_obfuscation_lose_nothing():
    assert read(stream=True, stream_options={"include_usage": False}).losses == ()


def test_a_call_of_an_unknown_kind_is_kept_raw():
    (turn,) = read_turns({"role": "assistant", "tool_calls": [{"type": "new", "id": "x"}]})
    assert turn.parts == (Opaque(OWN, "new", b'{"type": "new", "id": "x"}'),)


def test_defaults_said_aloud_are_no_extras():
    raw = b'{"model":"m","messages":[{"role":"user","content":"x"}],"modalities":["text"],"nil":null}'
    assert CODEC.read_request(raw).extras is None


# --- refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["", "  "])
def test_an_empty_model_is_a_clear_error(model: str):
    assert refused(model=model).details["path"] == "model"
    with pytest.raises(GatewayError, match="model"):
        CODEC.peek(json.dumps({"model": model}).encode())


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b'{"messages":[{"role":"user","content":"x"}]}', "request.missing_field"),
        (b'{"model":"m"}', "request.missing_field"),
        (b'{"model":"m","messages":[]}', "request.invalid_field"),
        (b'{"model":"m","messages":[{"role":"boss","content":"x"}]}', "request.invalid_field"),
        (b'{"model":"m","messages":[{"role":"user"}]}', "request.missing_field"),
        (b'{"model":"m","messages":[{"role":"tool","content":"x"}]}', "request.missing_field"),
        (b'{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":0}', "request.invalid_field"),
        (b'{"model":"m","messages":[{"role":"user","content":"x"}],"seed":99999999999999999999}', "request.invalid_field"),
        (b'{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":NaN}', "request.invalid_json"),
        (b"", "request.invalid_json"),
        (b"[]", "request.invalid_field"),
    ],
)  # fmt: skip
def test_bad_requests_are_refused_with_the_reason(raw: bytes, code: str):
    with pytest.raises(GatewayError) as caught:
        CODEC.read_request(raw)
    assert caught.value.code == code


# --- peek -----------------------------------------------------------------------------------------------


def test_peek_sees_model_stream_usage_and_limit():
    peek = CODEC.peek(
        b'{"model":"m","stream":true,"stream_options":{"include_usage":true},"max_tokens":5,"x":[1,{"y":2}]}'
    )
    assert (peek.model, peek.stream, peek.include_usage, peek.max_output) == ("m", True, True, 5)
    peek = CODEC.peek(b'{"max_completion_tokens":7,"max_tokens":5,"model":"m","stream_options":null}')
    assert (peek.stream, peek.include_usage, peek.max_output) == (False, False, 7)


@pytest.mark.parametrize("raw", [b"{}", b"[]", b"", b'{"model":1}', b'{"model":"m","stream":"yes"}'])
def test_peek_refuses_what_it_cannot_see(raw: bytes):
    with pytest.raises(GatewayError, match=r".") as caught:
        CODEC.peek(raw)
    assert caught.value.code.startswith("request.")
