"""Tools, tool choice and structured output of a request."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from tests.wire.anthropic.given import ANTHROPIC, CARD, CHAT, assistant, losses, request, user, write
from tokligence.conversation import (
    Extras,
    OpaqueTool,
    OutputFormat,
    OutputKind,
    Request,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
)

OBJECT = (
    b'{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}'
)
CLOSED = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
F, G = Tool("f", "tools[0]", parameters=OBJECT), Tool("g", "tools[1]", parameters=OBJECT)
SCHEMA = OutputFormat(OutputKind.JSON_SCHEMA, "answer", schema=OBJECT, strict=True)
JSON = OutputFormat(OutputKind.JSON_OBJECT)
OLD = replace(CARD, structured_output=False, strict_tools=False)
SHY = replace(CARD, forced_tools=False)


def choice(mode: ToolMode, *names: str, parallel: bool | None = None, tools: Any = (F, G)) -> Any:
    body, lost, _ = write(
        request(tools=tools, tool_choice=ToolChoice(mode, names), parallel_tool_calls=parallel)
    )
    return body.get("tool_choice"), losses(lost)


def test_a_tool_is_written_with_its_schema_as_it_came() -> None:
    tool = Tool("f", "tools[0]", "d", OBJECT, True, extras=Extras(ANTHROPIC, {"defer_loading": b"false"}))
    body, lost, _ = write(request(tools=(tool,)))
    assert body["tools"] == [
        {"name": "f", "description": "d", "input_schema": CLOSED, "strict": True, "defer_loading": False}
    ]
    assert lost == []


def test_a_tool_without_parameters_takes_an_empty_object() -> None:
    body, lost, _ = write(request(tools=(Tool("f", "tools[0]", ""),)))
    assert body["tools"] == [{"name": "f", "input_schema": {"type": "object", "properties": {}}}]
    assert lost == []


def test_a_schema_that_had_to_be_repaired_is_recorded() -> None:
    _, lost, _ = write(request(tools=(Tool("f", "tools[0]", parameters=b'{"type":"string"}'),)))
    assert losses(lost) == ["tools[0].parameters repaired semantic"]


def test_a_strict_tools_schema_is_closed() -> None:
    open_schema = b'{"type":"object","properties":{"a":{"type":"string","minLength":2}}}'
    body, lost, _ = write(request(tools=(Tool("f", "tools[0]", parameters=open_schema, strict=True),)))
    assert body["tools"][0]["input_schema"]["additionalProperties"] is False
    assert losses(lost) == ["tools[0].parameters converted cosmetic"]


def test_a_schema_open_on_purpose_cannot_be_strict() -> None:
    tool = Tool("f", "tools[0]", parameters=b'{"type":"object","additionalProperties":true}', strict=True)
    body, lost, _ = write(request(tools=(tool,)))
    assert "strict" not in body["tools"][0]
    assert losses(lost) == ["tools[0].strict unsupported semantic"]


def test_a_model_without_strict_tools_gets_none() -> None:
    body, lost, _ = write(request(tools=(replace(F, strict=True),)), OLD)
    assert "strict" not in body["tools"][0]
    assert losses(lost) == ["tools[0].strict model_capability semantic"]


def test_tools_of_the_vendor_go_back_and_others_are_lost() -> None:
    own = OpaqueTool(
        ANTHROPIC, "web_search_20250305", "tools[0]", b'{"type":"web_search_20250305","name":"web_search"}'
    )
    body, lost, _ = write(request(tools=(own, OpaqueTool(CHAT, "custom", "tools[1]", b"{}"))))
    assert body["tools"] == [{"type": "web_search_20250305", "name": "web_search"}]
    assert losses(lost) == ["tools[1] unsupported semantic"]


def test_a_history_with_calls_declares_their_tools() -> None:
    turns = (user("q"), assistant(ToolCall("a", "old.tool", "{}")), user(ToolResult("a", ())))
    body, lost, _ = write(request(*turns))
    assert len(body["tools"]) == 1
    assert body["tools"][0]["name"] == body["messages"][1]["content"][0]["name"]
    assert body["tool_choice"] == {"type": "none"}
    assert losses(lost) == ["tools repaired cosmetic"]


# --- choice ---------------------------------------------------------------------------------------------


def test_every_choice_is_written() -> None:
    assert choice(ToolMode.AUTO) == ({"type": "auto"}, [])
    assert choice(ToolMode.ANY) == ({"type": "any"}, [])
    assert choice(ToolMode.NONE, parallel=False) == ({"type": "none"}, [])
    assert choice(ToolMode.TOOL, "f", parallel=True) == ({"type": "tool", "name": "f"}, [])


def test_one_call_at_a_time_is_part_of_the_choice() -> None:
    assert choice(ToolMode.ANY, parallel=False)[0] == {"type": "any", "disable_parallel_tool_use": True}
    body, _, _ = write(request(tools=(F,), parallel_tool_calls=False))
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert "tool_choice" not in write(request(tools=(F,)))[0]


def test_only_the_allowed_tools_are_shown() -> None:
    body, lost, _ = write(request(tools=(F, G), tool_choice=ToolChoice(ToolMode.ANY, ("g",))))
    assert [tool["name"] for tool in body["tools"]] == ["g"]
    assert losses(lost) == ["tools[0] converted cosmetic"]


def test_without_tools_there_is_no_choice() -> None:
    assert choice(ToolMode.AUTO, tools=()) == (None, [])
    assert choice(ToolMode.ANY, tools=()) == (None, ["tool_choice unsupported semantic"])


def test_a_model_that_cannot_be_forced_is_asked() -> None:
    body, lost, _ = write(request(tools=(F,), tool_choice=ToolChoice(ToolMode.TOOL, ("f",))), SHY)
    assert body["tool_choice"] == {"type": "auto"}
    assert losses(lost) == ["tool_choice model_capability semantic"]


# --- structured output ----------------------------------------------------------------------------------


def test_a_schema_goes_to_the_models_own_structured_output() -> None:
    body, lost, written = write(request(output=SCHEMA))
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": CLOSED}}
    assert losses(lost) == ["response_format.name unsupported cosmetic"]
    assert written.memory.output_tool is None


def test_the_formats_description_becomes_the_schemas() -> None:
    for own, said in ((b"", "A name."), (b',"description":"Own."', "A name.\n\nOwn.")):
        schema = b'{"type":"object","properties":{}' + own + b"}"
        output = OutputFormat(OutputKind.JSON_SCHEMA, description="A name.", schema=schema)
        body, lost, _ = write(request(output=output))
        assert body["output_config"]["format"]["schema"]["description"] == said
        assert losses(lost) == ["response_format converted cosmetic"]


def test_a_description_of_what_is_no_schema_goes_to_the_forced_tool() -> None:
    output = OutputFormat(OutputKind.JSON_SCHEMA, description="Any.", schema=b"true")
    body, _, written = write(request(output=output))
    assert written.memory.output_tool == body["tools"][0]["name"]
    assert body["tools"][0]["description"] == "Any."


def test_a_schema_outside_the_subset_is_converted() -> None:
    output = OutputFormat(
        OutputKind.JSON_SCHEMA, schema=b'{"type":"object","properties":{"a":{"type":"integer","minimum":1}}}'
    )
    body, lost, _ = write(request(output=output))
    assert body["output_config"]["format"]["schema"] == {
        "type": "object",
        "properties": {"a": {"type": "integer", "description": "{minimum: 1}"}},
        "additionalProperties": False,
    }
    assert losses(lost) == ["response_format converted cosmetic"]


def test_text_is_no_format() -> None:
    assert "output_config" not in write(request(output=OutputFormat(OutputKind.TEXT)))[0]


def forced(asked: Request, card: Any = OLD) -> tuple[dict[str, Any], list[str], str | None]:
    body, lost, written = write(asked, card)
    return body, losses(lost), written.memory.output_tool


def test_an_old_model_answers_through_a_forced_tool() -> None:
    body, lost, tool = forced(request(output=replace(SCHEMA, description="A name.")))
    assert tool == "final_answer"
    assert body["tools"] == [{"name": "final_answer", "description": "A name.", "input_schema": CLOSED}]
    assert body["tool_choice"] == {"type": "tool", "name": "final_answer", "disable_parallel_tool_use": True}
    assert lost == ["response_format converted cosmetic"]


def test_json_without_a_schema_is_an_open_object_of_the_forced_tool() -> None:
    body, lost, tool = forced(request(output=JSON), CARD)
    assert tool == "final_answer"
    assert body["tools"][0]["input_schema"] == {"type": "object", "additionalProperties": True}
    assert lost == ["response_format converted cosmetic"]


def test_an_object_open_on_purpose_takes_the_forced_tool() -> None:
    schema = b'{"type":"object","additionalProperties":{"type":"string"}}'
    body, _, tool = forced(request(output=OutputFormat(OutputKind.JSON_SCHEMA, schema=schema)), CARD)
    assert tool == "final_answer"
    assert body["tools"][0]["input_schema"]["additionalProperties"] == {"type": "string"}


def test_beside_the_forced_tool_the_clients_may_be_called() -> None:
    body, _, _ = forced(request(output=SCHEMA, tools=(F,)))
    assert [tool["name"] for tool in body["tools"]] == ["f", "final_answer"]
    assert body["tool_choice"] == {"type": "any"}
    body, _, _ = forced(request(output=SCHEMA, tools=(F,), parallel_tool_calls=False))
    assert body["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}


def test_tools_that_may_not_be_called_leave_only_the_forced_one() -> None:
    body, _, _ = forced(request(output=SCHEMA, tools=(F,), tool_choice=ToolChoice(ToolMode.NONE)))
    assert body["tool_choice"] == {"type": "tool", "name": "final_answer", "disable_parallel_tool_use": True}


def test_a_clients_own_forced_tool_wins_over_the_format() -> None:
    body, lost, tool = forced(
        request(output=SCHEMA, tools=(F,), tool_choice=ToolChoice(ToolMode.TOOL, ("f",)))
    )
    assert (body["tool_choice"], tool) == ({"type": "tool", "name": "f"}, None)
    assert lost == ["response_format unsupported semantic"]


def test_the_forced_tools_name_is_free() -> None:
    assert forced(request(output=SCHEMA, tools=(replace(F, name="final_answer"),)))[2] == "final_answer_"


def test_a_format_that_is_no_object_is_opened() -> None:
    output = OutputFormat(OutputKind.JSON_SCHEMA, schema=b'{"type":"array"}')
    _, lost, _ = forced(request(output=output))
    assert lost == ["response_format converted cosmetic", "response_format repaired semantic"]


def test_a_model_that_cannot_be_forced_is_told_to_answer_through_the_tool() -> None:
    body, lost, tool = forced(request(output=JSON), SHY)
    assert tool == "final_answer"
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert "final_answer" in body["system"][-1]["text"]
    assert lost == ["response_format converted semantic"]
