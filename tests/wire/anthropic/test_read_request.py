"""Messages requests as clients send them -> conversation."""

from __future__ import annotations

import json

import pytest

from tests.wire.anthropic.given import ANTHROPIC, losses, read
from tokligence.conversation import (
    Base64Source,
    CacheControl,
    ContentSource,
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
    Turn,
    UrlSource,
)
from tokligence.errors import GatewayError
from tokligence.wire.anthropic import CODEC


def part(block: dict[str, object], role: str = "user") -> Part:
    return read({"messages": [{"role": role, "content": [block]}]}).turns[0].parts[0]


def refused(body: dict[str, object]) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        read(body)
    return caught.value


def test_a_peek_tells_model_stream_and_limit() -> None:
    peek = CODEC.peek(b'{"model":"m","stream":true,"max_tokens":9,"messages":[{"nobody":"looks"}]}')
    assert (peek.model, peek.stream, peek.max_output, peek.include_usage) == ("m", True, 9, False)
    assert CODEC.peek(b'{"model":"m","stream":null}').max_output is None


def test_a_peek_at_a_request_without_model_names_the_field() -> None:
    with pytest.raises(GatewayError) as caught:
        CODEC.peek(b"{}")
    assert (caught.value.code, caught.value.details) == ("request.missing_field", {"path": "model"})


def test_a_plain_request_is_read() -> None:
    asked = read(
        {"system": "be brief", "stream": True, "stop_sequences": ["END"], "temperature": 0.5, "top_k": 3}
    )
    assert asked.turns == (
        Turn(Role.SYSTEM, (Text("be brief"),), "system"),
        Turn(Role.USER, (Text("hi"),), "messages[0]"),
    )
    assert (asked.max_tokens, asked.stream, asked.stop) == (10, True, ("END",))
    assert asked.sampling == Sampling(temperature=0.5, top_k=3)
    assert (asked.extras, asked.losses) == (None, ())


def test_system_blocks_keep_their_breakpoints() -> None:
    asked = read(
        {"system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}
    )
    assert asked.turns[0].parts == (Text("a", CacheControl("1h")),)


def test_a_system_message_in_the_middle_is_a_system_turn() -> None:
    asked = read(
        {
            "messages": [
                {"role": "user", "content": "a"},
                {"role": "system", "content": "b", "clear_at": "never"},
            ]
        }
    )
    assert asked.turns[1] == Turn(
        Role.SYSTEM, (Text("b"),), "messages[1]", extras=Extras(ANTHROPIC, {"clear_at": b'"never"'})
    )


def test_text_keeps_citations_and_unknown_fields() -> None:
    block = part({"type": "text", "text": "x", "citations": [{"type": "page_location"}], "novel": 1})
    assert isinstance(block, Text)
    assert block.extras is not None
    assert {name: json.loads(raw) for name, raw in block.extras.fields.items()} == {
        "citations": [{"type": "page_location"}],
        "novel": 1,
    }


@pytest.mark.parametrize("nothing", [None, []])
def test_citations_that_say_nothing_are_nothing(nothing: object) -> None:
    assert part({"type": "text", "text": "x", "citations": nothing}) == Text("x")


def test_fields_of_a_breakpoint_that_have_no_word_are_recorded() -> None:
    control = {"type": "ephemeral", "scope": "global", "novel": 1}
    asked = read(
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": control}]}]}
    )
    assert asked.turns[0].parts == (Text("x", CacheControl()),)
    assert losses(list(asked.losses)) == [
        "messages[0].content[0].cache_control.novel unknown_field cosmetic",
        "messages[0].content[0].cache_control.scope unknown_field cosmetic",
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"type": "base64", "media_type": "image/png", "data": "aGk="}, Base64Source("image/png", "aGk=")),
        ({"type": "url", "url": "https://x/y.png"}, UrlSource("https://x/y.png")),
        ({"type": "file", "file_id": "file_1"}, FileSource("file_1", ANTHROPIC)),
    ],
)
def test_images_are_read_from_every_source(source: dict[str, str], expected: object) -> None:
    assert part({"type": "image", "source": source}) == Image(expected)  # type: ignore[arg-type]


def test_an_images_transformations_are_kept() -> None:
    block = part(
        {
            "type": "image",
            "source": {"type": "url", "url": "u"},
            "transformations": {"oversized_image": "error"},
        }
    )
    assert isinstance(block, Image)
    assert block.extras == Extras(ANTHROPIC, {"transformations": b'{"oversized_image": "error"}'})


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"type": "text", "media_type": "text/plain", "data": "abc"}, TextSource("abc")),
        ({"type": "content", "content": "abc"}, ContentSource((Text("abc"),))),
        ({"type": "content", "content": [{"type": "text", "text": "a"}]}, ContentSource((Text("a"),))),
        (
            {"type": "base64", "media_type": "application/pdf", "data": "aGk="},
            Base64Source("application/pdf", "aGk="),
        ),
    ],
)
def test_documents_are_read_from_every_source(source: dict[str, object], expected: object) -> None:
    block = {
        "type": "document",
        "source": source,
        "title": "T",
        "context": "C",
        "citations": {"enabled": True},
    }
    assert part(block) == Document(expected, "T", "C", True)  # type: ignore[arg-type]


def test_a_document_without_citations_says_nothing_of_them() -> None:
    assert part({"type": "document", "source": {"type": "url", "url": "u"}}) == Document(UrlSource("u"))


def test_a_tool_call_keeps_its_input_as_it_was_written() -> None:
    raw = b'{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{"a": 1e400, "b":12345678901234567890, "c":"\\u00e9"}}]}]}'
    assert CODEC.read_request(raw).turns[0].parts == (
        ToolCall("t1", "f", '{"a": 1e400, "b":12345678901234567890, "c":"\\u00e9"}'),
    )


def test_a_call_by_the_model_itself_is_a_plain_call_and_another_caller_is_kept() -> None:
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    assert part(call | {"caller": {"type": "direct"}, "toolset_name": None}, "assistant") == ToolCall(
        "t", "f", "{}"
    )
    other = part(call | {"caller": {"type": "code_execution_20250825"}, "toolset_name": 'a"b'}, "assistant")
    assert isinstance(other, ToolCall)
    assert other.extras == Extras(
        ANTHROPIC, {"caller": b'{"type": "code_execution_20250825"}', "toolset_name": b'"a\\"b"'}
    )


def test_tool_results_are_read_with_text_images_and_errors() -> None:
    image = {"type": "image", "source": {"type": "url", "url": "u"}}
    content = [{"type": "text", "text": "a"}, image, {"type": "tool_reference", "tool_name": "x"}]
    block = part(
        {"type": "tool_result", "tool_use_id": "t", "content": content, "is_error": True, "toolset_name": "s"}
    )
    assert block == ToolResult(
        "t",
        (
            Text("a"),
            Image(UrlSource("u")),
            Opaque(ANTHROPIC, "tool_reference", b'{"type": "tool_reference", "tool_name": "x"}'),
        ),
        True,
        extras=Extras(ANTHROPIC, {"toolset_name": b'"s"'}),
    )


@pytest.mark.parametrize(
    ("content", "parts"), [({}, ()), ({"content": None}, ()), ({"content": "x"}, (Text("x"),))]
)
def test_a_tool_result_may_be_empty_or_a_string(content: dict[str, object], parts: tuple[Part, ...]) -> None:
    assert part({"type": "tool_result", "tool_use_id": "t"} | content) == ToolResult("t", parts)


def test_thinking_from_a_client_is_the_vendors_own_unless_it_says_otherwise() -> None:
    assert part({"type": "thinking", "thinking": "hm", "signature": "abc"}) == Thinking(
        "hm", "abc", "anthropic"
    )
    assert part({"type": "thinking", "thinking": "hm", "signature": "tgw:other:abc"}) == Thinking(
        "hm", "abc", "other"
    )
    assert part({"type": "thinking", "thinking": "hm", "signature": ""}) == Thinking("hm")
    assert part({"type": "thinking", "thinking": "hm", "signature": "tgw:odd"}) == Thinking(
        "hm", "tgw:odd", "anthropic"
    )
    assert part({"type": "redacted_thinking", "data": "tgw:o:d"}) == RedactedThinking("d", "o")
    assert part({"type": "redacted_thinking", "data": ""}) == RedactedThinking("")


def test_a_block_that_is_new_to_us_is_kept_whole() -> None:
    assert part({"type": "search_result", "source": "s", "n": 1.0}) == Opaque(
        ANTHROPIC, "search_result", b'{"type": "search_result", "source": "s", "n": 1.0}'
    )


# --- tools ----------------------------------------------------------------------------------------------


def test_a_clients_tool_is_read_with_its_schema_raw() -> None:
    asked = read(
        {
            "tools": [
                {
                    "name": "f",
                    "type": "custom",
                    "description": "d",
                    "input_schema": {"type": "object"},
                    "strict": True,
                    "cache_control": {"type": "ephemeral", "novel": 1},
                    "input_examples": [{}],
                    "unheard": 2,
                }
            ]
        }
    )
    assert asked.tools == (
        Tool(
            "f",
            "tools[0]",
            "d",
            b'{"type": "object"}',
            True,
            CacheControl(),
            Extras(ANTHROPIC, {"input_examples": b"[{}]", "unheard": b"2"}),
        ),
    )
    assert losses(list(asked.losses)) == ["tools[0].cache_control.novel unknown_field cosmetic"]


def test_a_tool_of_the_vendor_is_kept_whole() -> None:
    asked = read({"tools": [{"type": "web_search_20260318", "name": "web_search", "max_uses": 5}]})
    assert asked.tools == (
        OpaqueTool(
            ANTHROPIC,
            "web_search_20260318",
            "tools[0]",
            b'{"type": "web_search_20260318", "name": "web_search", "max_uses": 5}',
        ),
    )


def test_a_wrong_tool_is_named_by_its_place() -> None:
    tools: list[object] = [{"name": "f", "input_schema": {}}, {"name": "g"}]
    assert refused({"tools": tools}).details == {"path": "tools[1].input_schema"}
    assert refused({"tools": [{"name": 1, "input_schema": {}}]}).details["path"] == "tools[0].name"
    assert refused({"tools": ["f"]}).details["path"] == "tools[0]"


def test_a_lone_surrogate_in_a_tools_novel_field_is_no_json() -> None:
    raw = b'{"model":"m","max_tokens":1,"messages":[],"tools":[{"name":"f","input_schema":{},"novel":"\\ud800"}]}'
    with pytest.raises(GatewayError) as caught:
        CODEC.read_request(raw)
    assert caught.value.code == "request.invalid_json"


@pytest.mark.parametrize(
    ("wire", "choice", "parallel"),
    [
        ({"type": "auto"}, ToolChoice(ToolMode.AUTO), None),
        ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice(ToolMode.ANY), False),
        ({"type": "none"}, ToolChoice(ToolMode.NONE), None),
        ({"type": "tool", "name": "f"}, ToolChoice(ToolMode.TOOL, ("f",)), None),
    ],
)
def test_every_tool_choice_is_read(
    wire: dict[str, object], choice: ToolChoice, parallel: bool | None
) -> None:
    asked = read({"tool_choice": wire})
    assert (asked.tool_choice, asked.parallel_tool_calls) == (choice, parallel)


def test_a_tool_choice_without_its_tool_is_refused_and_a_novel_field_recorded() -> None:
    assert refused({"tool_choice": {"type": "tool"}}).details == {"path": "tool_choice.name"}
    asked = read({"tool_choice": {"type": "auto", "novel": 1}})
    assert losses(list(asked.losses)) == ["tool_choice.novel unknown_field cosmetic"]


# --- reasoning and output -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2048, "display": "omitted"}},
            Reasoning(ReasoningMode.ENABLED, None, 2048, "omitted"),
        ),
        ({"thinking": {"type": "disabled"}}, Reasoning(ReasoningMode.DISABLED)),
        (
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
            Reasoning(ReasoningMode.ADAPTIVE, "high"),
        ),
        ({"output_config": {"effort": "low"}}, Reasoning(None, "low")),
        ({"output_config": {}}, None),
    ],
)
def test_thinking_and_effort_are_read(body: dict[str, object], expected: Reasoning | None) -> None:
    asked = read(body)
    assert asked.reasoning == expected
    assert asked.extras is None


def test_a_way_of_thinking_that_is_new_to_us_is_kept_whole() -> None:
    asked = read(
        {"thinking": {"type": "between_tools", "display": "updates", "budget_tokens": 5, "novel": 1}}
    )
    assert asked.reasoning is None
    assert asked.extras is not None
    assert json.loads(asked.extras.fields["thinking"]) == {
        "type": "between_tools",
        "budget_tokens": 5,
        "display": "updates",
        "novel": 1,
    }
    with_effort = read({"thinking": {"type": "between_tools"}, "output_config": {"effort": "low"}})
    assert with_effort.reasoning == Reasoning(None, "low")


def test_fields_of_thinking_and_output_without_a_word_are_kept() -> None:
    asked = read(
        {
            "thinking": {"type": "adaptive", "block_binding": {"a": 1}},
            "output_config": {"task_budget": {"total": 5}, "novel": 2},
        }
    )
    assert asked.reasoning == Reasoning(ReasoningMode.ADAPTIVE)
    assert asked.extras is not None
    assert {name: json.loads(raw) for name, raw in asked.extras.fields.items()} == {
        "thinking": {"type": "adaptive", "block_binding": {"a": 1}},
        "output_config": {"task_budget": {"total": 5}, "novel": 2},
    }


@pytest.mark.parametrize("place", ["new", "old"])
def test_structured_output_is_read_from_both_places(place: str) -> None:
    form = {"type": "json_schema", "schema": {"type": "object"}, "novel": 1}
    body = {"output_config": {"format": form}} if place == "new" else {"output_format": form}
    asked = read(body)
    assert asked.output == OutputFormat(OutputKind.JSON_SCHEMA, schema=b'{"type": "object"}', strict=True)
    path = "output_config.format" if place == "new" else "output_format"
    assert losses(list(asked.losses)) == [f"{path}.novel unknown_field cosmetic"]


def test_metadata_names_the_user() -> None:
    asked = read({"metadata": {"user_id": "u", "novel": 1}})
    assert asked.user == "u"
    assert losses(list(asked.losses)) == ["metadata.novel unknown_field cosmetic"]
    assert read({"metadata": {}}).user is None


def test_fields_that_only_this_protocol_has_are_extras_and_null_is_nothing() -> None:
    asked = read(
        {"context_management": {"edits": []}, "mcp_servers": None, "unheard_of": [1], "service_tier": "auto"}
    )
    assert asked.extras == Extras(ANTHROPIC, {"context_management": b'{"edits": []}', "unheard_of": b"[1]"})
    assert asked.service_tier == "auto"


# --- bad input ------------------------------------------------------------------------------------------


def test_a_request_without_a_limit_is_refused_as_the_vendor_does() -> None:
    with pytest.raises(GatewayError) as caught:
        CODEC.read_request(b'{"model":"m","messages":[]}')
    assert caught.value.details == {"path": "max_tokens"}


def test_a_wrong_field_is_named_by_its_path() -> None:
    assert refused({"messages": [{"role": "robot", "content": "x"}]}).details["path"] == "messages[0].role"
    assert refused({"max_tokens": -1}).details["path"] == "max_tokens"


@pytest.mark.parametrize("where", [b'"a"', b'{"k":"a"}'])
def test_bytes_that_are_not_utf8_are_refused_wherever_they_stand(where: bytes) -> None:
    raw = b'{"model":"m","max_tokens":1,"messages":[],"container":' + where.replace(b"a", b"\xff") + b"}"
    with pytest.raises(GatewayError) as caught:
        CODEC.read_request(raw)
    assert caught.value.code == "request.invalid_json"
