"""The conversation becomes a Responses request; what the protocol or the model cannot say is recorded."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest

from tokligence.catalog.models import Dialect, ModelCard, ThinkingOff, ThinkingStyle
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
from tokligence.wire.contract import Target
from tokligence.wire.openai_responses import CODEC

OWN, CHAT, FOREIGN = ProtocolId.OPENAI_RESPONSES, ProtocolId.OPENAI_CHAT, ProtocolId.ANTHROPIC
C, S = Severity.COSMETIC, Severity.SEMANTIC
OPENAI = Dialect(developer_role=True)
HELLO = Turn(Role.USER, (Text("Hello"),), "messages[0]")
SAID = {"type": "message", "role": "user", "content": "Hello"}


def write(
    *turns: Turn, card: ModelCard | None = None, dialect: Dialect = OPENAI, **fields: Any
) -> tuple[dict[str, Any], tuple[Loss, ...]]:
    request = Request("asked", turns or (HELLO,), **fields)
    written = CODEC.write_request(request, Target("gpt-x", card or ModelCard("gpt-x"), "openai", dialect))
    return json.loads(written.body), written.losses


def items(*turns: Turn, **options: Any) -> tuple[list[Any], tuple[Loss, ...]]:
    body, losses = write(*turns, **options)
    return body["input"], losses


def content(*parts: Part, **options: Any) -> tuple[Any, tuple[Loss, ...]]:
    """What becomes of a user's parts."""
    found, losses = items(Turn(Role.USER, parts, "u"), **options)
    return found[0]["content"], losses


def answered(*parts: Part, **options: Any) -> tuple[list[Any], tuple[Loss, ...]]:
    """What becomes of an assistant's parts."""
    found, losses = items(Turn(Role.ASSISTANT, parts, "a"), HELLO, **options)
    assert found.pop() == SAID
    return found, losses


def own(**fields: Any) -> Extras:
    return Extras(OWN, {name: json.dumps(value).encode() for name, value in fields.items()})


ALIEN = Extras(FOREIGN, {"citations": b"[]"})


# --- turns ----------------------------------------------------------------------------------------------


def test_a_request_is_stateless() -> None:
    assert write() == ({"model": "gpt-x", "input": [SAID], "store": False}, ())


def test_a_first_system_text_is_the_instructions() -> None:
    body, losses = write(Turn(Role.SYSTEM, (Text("Be brief."),), "system"), HELLO)
    assert (body["instructions"], body["input"], losses) == ("Be brief.", [SAID], ())


def test_a_system_text_alone_is_a_message_since_there_must_be_an_input() -> None:
    body, losses = write(Turn(Role.SYSTEM, (Text("Be brief."),), "system"))
    assert body["input"] == [{"type": "message", "role": "system", "content": "Be brief."}]
    assert ("instructions" in body, losses) == (False, ())


@pytest.mark.parametrize(
    "turn",
    [
        Turn(Role.SYSTEM, (Text("a"), Text("b")), "s"),
        Turn(Role.SYSTEM, (Text("a", extras=own(novel=1)),), "s"),
        Turn(Role.SYSTEM, (Text("a"),), "s", extras=own(novel=1)),
        Turn(Role.DEVELOPER, (Text("a"),), "s"),
    ],
)
def test_other_system_turns_are_messages_in_place(turn: Turn) -> None:
    body, losses = write(turn, HELLO)
    assert "instructions" not in body
    assert body["input"][0]["role"] == turn.role.value
    assert losses == ()
    later, _ = write(HELLO, Turn(Role.SYSTEM, (Text("a"),), "s"))
    assert later["input"] == [SAID, {"type": "message", "role": "system", "content": "a"}]


def test_developers_are_systems_where_a_server_has_no_developers() -> None:
    found, _ = items(HELLO, Turn(Role.DEVELOPER, (Text("a"),), "s"), dialect=Dialect())
    assert found[1]["role"] == "system"


def test_empty_turns_are_not_sent() -> None:
    found, losses = items(
        Turn(Role.SYSTEM, (), "a"), Turn(Role.USER, (Text(""),), "b"), Turn(Role.ASSISTANT, (), "c"), HELLO
    )
    assert found == [SAID]
    assert losses == tuple(Loss(path, LossReason.DROPPED_EMPTY, C) for path in "abc")


def test_a_turns_own_fields_go_back_and_names_and_foreign_ones_are_lost() -> None:
    found, losses = items(
        Turn(Role.USER, (Text("a"),), "u", "Ann", own(novel=1)),
        Turn(Role.ASSISTANT, (Text("b"),), "a", None, own(phase="commentary")),
        Turn(Role.USER, (ToolResult("x", ()),), "r", None, ALIEN),
        HELLO,
    )
    assert found[0] == {"type": "message", "role": "user", "content": "a", "novel": 1}
    assert found[1] == {"type": "message", "role": "assistant", "content": "b", "phase": "commentary"}
    assert [loss.path for loss in losses] == ["r", "u.name", "r.citations"]


def test_an_answer_that_is_to_be_continued_begins_anew() -> None:
    _, losses = items(HELLO, Turn(Role.ASSISTANT, (Text("so"),), "a"))
    assert losses == (Loss("a", LossReason.CONVERTED),)


# --- content --------------------------------------------------------------------------------------------


def test_pictures_are_addresses_data_or_ids() -> None:
    found, losses = content(
        Image(UrlSource("https://x.org/a.png"), "low"),
        Image(Base64Source("image/png", "TWFy")),
        Image(FileSource("file-1", CHAT)),
        Image(FileSource("file_1", FOREIGN)),
    )
    assert found == [
        {"type": "input_image", "detail": "low", "image_url": "https://x.org/a.png"},
        {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,TWFy"},
        {"type": "input_image", "detail": "auto", "file_id": "file-1"},
        {"type": "input_text", "text": "[image omitted]"},
    ]
    assert losses == (Loss("u.content[3].source", LossReason.UNSUPPORTED),)


def test_a_model_without_eyes_gets_a_note() -> None:
    found, losses = content(Image(UrlSource("https://x.org/a.png")), card=ModelCard("m", images=False))
    assert found == "[image omitted: the model takes no images]"
    assert losses == (Loss("u.content[0]", LossReason.MODEL_CAPABILITY),)


def test_documents_are_files_or_text() -> None:
    found, losses = content(
        Document(Base64Source("application/pdf", "TWFy"), "a.pdf", "read it", citations=True),
        Document(Base64Source("application/pdf", "TWFy")),
        Document(UrlSource("https://x.org/b.pdf"), "B"),
        Document(FileSource("file-1", OWN), extras=own(detail="low")),
        Document(TextSource("words"), "T", "c"),
        Document(ContentSource((Text("x"), Text("y"))), "H"),
        Document(ContentSource((Text("z"),))),
        Document(FileSource("file_1", FOREIGN)),
    )
    assert found == [
        {"type": "input_text", "text": "read it"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,TWFy"},
        {"type": "input_file", "filename": "document.pdf", "file_data": "data:application/pdf;base64,TWFy"},
        {"type": "input_text", "text": "B"},
        {"type": "input_file", "file_url": "https://x.org/b.pdf"},
        {"type": "input_file", "file_id": "file-1", "detail": "low"},
        {"type": "input_text", "text": "T\nc\nwords"},
        {"type": "input_text", "text": "H"},
        {"type": "input_text", "text": "x"},
        {"type": "input_text", "text": "y"},
        {"type": "input_text", "text": "z"},
        {"type": "input_text", "text": "[document omitted]"},
    ]
    assert losses == (
        Loss("u.content[0].citations", LossReason.UNSUPPORTED),
        Loss("u.content[4]", LossReason.CONVERTED, C),
        Loss("u.content[5]", LossReason.CONVERTED, C),
        Loss("u.content[6]", LossReason.CONVERTED, C),
        Loss("u.content[7].source", LossReason.UNSUPPORTED),
    )


def test_other_parts_are_kept_said_otherwise_or_lost() -> None:
    found, losses = content(
        Opaque(OWN, "hologram", b'{"type":"hologram"}'),
        Opaque(FOREIGN, "search_result", b"{}"),
        Audio("TWFy", "wav"),
        Refusal("no"),
        Thinking("hm"),
        Text("a", CacheControl()),
        Text("b", CacheControl(), ALIEN),
    )
    assert found == [
        {"type": "hologram"},
        {"type": "input_text", "text": "[audio omitted]"},
        {"type": "input_text", "text": "no"},
        {"type": "input_text", "text": "a"},
        {"type": "input_text", "text": "b"},
    ]
    assert losses == (
        Loss("u.content[1]", LossReason.UNKNOWN_PART),
        Loss("u.content[2]", LossReason.UNSUPPORTED),
        Loss("u.content[4]", LossReason.UNSUPPORTED),
        Loss("u.content[5].cache_control", LossReason.UNSUPPORTED, C),
        Loss("u.content[6].citations", LossReason.UNSUPPORTED),
    )


# --- calls and results ----------------------------------------------------------------------------------


def test_calls_and_results_are_items_of_their_kind() -> None:
    long = "c" * 70
    found, losses = items(
        Turn(
            Role.ASSISTANT,
            (
                ToolCall("1", "f", "", extras=own(caller={"type": "program"})),
                ToolCall("2", "p", "*** x", freeform=True, namespace="ns", cache=CacheControl()),
                ToolCall(long, "f", '{"a":'),
                ToolCall("4", "f", "{}", signature="s", issuer="google"),
            ),
            "a",
        ),
        Turn(
            Role.USER,
            (
                ToolResult("1", (Text("ok"), Image(UrlSource("https://x.org/a.png")))),
                ToolResult("2", ()),
                ToolResult(long, (Text("broken"),), is_error=True),
                ToolResult("4", (Image(UrlSource("https://x.org/a.png")),), is_error=True, path="r"),
                Text("and?"),
            ),
            "u",
        ),
    )
    picture = {"type": "input_image", "detail": "auto", "image_url": "https://x.org/a.png"}
    short = found[2]["call_id"]
    assert len(short) == 64
    assert found == [
        {
            "type": "function_call",
            "call_id": "1",
            "name": "f",
            "arguments": "{}",
            "caller": {"type": "program"},
        },
        {"type": "custom_tool_call", "call_id": "2", "name": "p", "namespace": "ns", "input": "*** x"},
        {
            "type": "function_call",
            "call_id": short,
            "name": "f",
            "arguments": '{"unfinished_arguments":"{\\"a\\":"}',
        },
        {"type": "function_call", "call_id": "4", "name": "f", "arguments": "{}"},
        {
            "type": "function_call_output",
            "call_id": "1",
            "output": [{"type": "input_text", "text": "ok"}, picture],
        },
        {"type": "custom_tool_call_output", "call_id": "2", "output": ""},
        {"type": "function_call_output", "call_id": short, "output": "Error: broken"},
        {
            "type": "function_call_output",
            "call_id": "4",
            "output": [{"type": "input_text", "text": "Error"}, picture],
        },
        {"type": "message", "role": "user", "content": "and?"},
    ]
    assert losses == (
        Loss("a.content[1].cache_control", LossReason.UNSUPPORTED, C),
        Loss("a.content[2].arguments", LossReason.REPAIRED, C),
        Loss("a.content[3].signature", LossReason.FOREIGN_SIGNATURE, C),
        Loss("u.content[2].is_error", LossReason.CONVERTED, C),
        Loss("r.is_error", LossReason.CONVERTED, C),
    )


def test_a_turn_of_results_needs_no_message() -> None:
    call = Turn(Role.ASSISTANT, (ToolCall("1", "f", "{}"),), "a")
    found, losses = items(call, Turn(Role.USER, (ToolResult("1", (Text("ok"),)),), "u"))
    assert [item["type"] for item in found] == ["function_call", "function_call_output"]
    assert losses == ()


def test_an_assistants_turn_becomes_its_items_in_order() -> None:
    citing = [{"type": "file_path"}]
    found, losses = answered(
        Text("a"),
        Refusal("no"),
        Opaque(OWN, "web_search_call", b'{"type":"web_search_call"}'),
        Text("b", extras=own(annotations=citing)),
        Opaque(FOREIGN, "server_tool_use", b"{}"),
        Text("", extras=ALIEN),
        Image(UrlSource("x")),
    )
    assert found == [
        {
            "type": "message",
            "role": "assistant",
            "id": found[0]["id"],
            "status": "completed",
            "content": [
                {"type": "output_text", "text": "a", "annotations": []},
                {"type": "refusal", "refusal": "no"},
            ],
        },
        {"type": "web_search_call"},
        {
            "type": "message",
            "role": "assistant",
            "id": found[2]["id"],
            "status": "completed",
            "content": [{"type": "output_text", "text": "b", "annotations": citing}],
        },
    ]
    assert found[0]["id"].startswith("msg_")
    assert found[0]["id"] != found[2]["id"]
    assert losses == (
        Loss("a.content[4]", LossReason.UNKNOWN_PART),
        Loss("a.content[5].citations", LossReason.UNSUPPORTED),
        Loss("a.content[6]", LossReason.UNSUPPORTED),
    )


def test_reasoning_goes_back_to_its_issuer_with_its_id() -> None:
    found, losses = answered(
        Thinking("hm", "rs_1:gAAA", "openai"),
        Thinking("", "gAAB", "openai"),
        RedactedThinking("rs_2:gAAC", "openai", ALIEN),
        Text("so"),
    )
    assert found.pop()["content"] == "so"
    assert found == [
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "gAAA",
        },
        {"type": "reasoning", "summary": [], "encrypted_content": "gAAB"},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gAAC"},
    ]
    assert losses == (Loss("a.content[2].citations", LossReason.UNSUPPORTED),)


def test_reasoning_of_others_and_what_nobody_encrypted_stays_here() -> None:
    found, losses = answered(
        Thinking("hm", "sig", "anthropic"),
        RedactedThinking("x"),
        Thinking("hm", issuer="openai"),
        Thinking("hm"),
    )
    assert found == []
    assert losses == (
        Loss("a.content[0]", LossReason.FOREIGN_SIGNATURE, C),
        Loss("a.content[1]", LossReason.FOREIGN_SIGNATURE, C),
        Loss("a.content[2]", LossReason.UNSUPPORTED, C),
        Loss("a.content[3]", LossReason.UNSUPPORTED, C),
        Loss("a", LossReason.DROPPED_EMPTY, C),
    )


def test_reasoning_that_led_to_nothing_is_not_sent() -> None:
    found, losses = answered(Text("a"), Thinking("hm", "rs_1:gAAA", "openai"))
    assert [item["type"] for item in found] == ["message"]
    assert losses == (Loss("a", LossReason.REPAIRED, C),)


def test_a_server_that_takes_plain_reasoning_gets_it() -> None:
    found, losses = answered(Thinking("hm"), Text("a"), dialect=Dialect(reasoning_field="reasoning_content"))
    assert found[0] == {
        "type": "reasoning",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": "hm"}],
    }
    assert losses == ()


# --- tools ----------------------------------------------------------------------------------------------

F = Tool("f", "tools[0]", "d", b'{"type":"object","properties":{}}')
P = Tool("p", "tools[1]", freeform=True, format=b'{"type":"grammar"}')


def test_tools_are_functions_free_ones_and_namespaces() -> None:
    closed = b'{"type":"object","properties":{},"additionalProperties":false}'
    about = own(namespace_description="D", novel=1)
    body, losses = write(
        tools=(
            F,
            P,
            Tool("q", "tools[2]", freeform=True),
            Tool("s", "tools[3]", None, closed, True, CacheControl(), own(novel=2)),
            Tool("f", "tools[4].tools[0]", None, None, namespace="ns", extras=about),
            Tool("l", "tools[5]", None, b'{"type":"array"}', True),
            Tool("g", "tools[4].tools[1]", None, closed, namespace="ns"),
            Tool("h", "tools[6]", None, closed, namespace="bare", extras=ALIEN),
            OpaqueTool(OWN, "web_search", "tools[7]", b'{"type":"web_search"}'),
            OpaqueTool(FOREIGN, "bash", "tools[8]", b"{}"),
        ),
        parallel_tool_calls=False,
    )
    empty = {"type": "object", "properties": {}}
    schema = {**empty, "additionalProperties": False}
    assert body["tools"] == [
        {"type": "function", "name": "f", "description": "d", "parameters": empty, "strict": False},
        {"type": "custom", "name": "p", "format": {"type": "grammar"}},
        {"type": "custom", "name": "q"},
        {"type": "function", "name": "s", "parameters": schema, "strict": True, "novel": 2},
        {
            "type": "namespace",
            "name": "ns",
            "description": "D",
            "tools": [
                {"type": "function", "name": "f", "parameters": empty, "strict": False, "novel": 1},
                {"type": "function", "name": "g", "parameters": schema, "strict": False},
            ],
        },
        {
            "type": "function",
            "name": "l",
            "parameters": {"type": "object", "items": {}, "properties": {}},
            "strict": False,
        },
        {
            "type": "namespace",
            "name": "bare",
            "description": "Tools of bare.",
            "tools": [{"type": "function", "name": "h", "parameters": schema, "strict": False}],
        },
        {"type": "web_search"},
    ]
    assert body["parallel_tool_calls"] is False
    assert losses == (
        Loss("tools[3].cache_control", LossReason.UNSUPPORTED, C),
        Loss("tools[5].parameters", LossReason.REPAIRED, C),
        Loss("tools[5].strict", LossReason.CONVERTED),
        Loss("tools[6].citations", LossReason.UNSUPPORTED),
        Loss("tools[8]", LossReason.UNSUPPORTED),
    )


def test_strict_tools_are_not_for_every_model() -> None:
    body, losses = write(tools=(Tool("f", "tools[0]", strict=True),), card=ModelCard("m", strict_tools=False))
    assert body["tools"][0]["strict"] is False
    assert losses == (Loss("tools[0].strict", LossReason.MODEL_CAPABILITY),)


def test_long_names_are_put_back_in_the_answer() -> None:
    tool = Tool("n" * 80, "tools[0]")
    written = CODEC.write_request(
        Request("m", (HELLO,), (tool,)), Target("gpt-x", ModelCard("gpt-x"), "openai")
    )
    (short,) = written.memory.renames
    assert (len(short), written.memory.renames[short]) == (64, tool.name)


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        (ToolChoice(ToolMode.AUTO), "auto"),
        (ToolChoice(ToolMode.ANY), "required"),
        (ToolChoice(ToolMode.NONE), "none"),
        (ToolChoice(ToolMode.TOOL, ("f",)), {"type": "function", "name": "f"}),
        (ToolChoice(ToolMode.TOOL, ("p",)), {"type": "custom", "name": "p"}),
        (
            ToolChoice(ToolMode.ANY, ("f", "p")),
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "p"}],
            },
        ),
    ],
)
def test_a_choice_of_tools(choice: ToolChoice, written: Any) -> None:
    body, losses = write(tools=(F, P), tool_choice=choice)
    assert (body["tool_choice"], losses) == (written, ())


def test_a_choice_that_cannot_be_made_is_lost() -> None:
    body, losses = write(tools=(F,), tool_choice=ToolChoice(ToolMode.TOOL, ("bash",)))
    assert ("tool_choice" in body, losses) == (False, (Loss("tool_choice", LossReason.UNSUPPORTED),))
    body, losses = write(tool_choice=ToolChoice(ToolMode.ANY))
    assert ("tool_choice" in body, losses) == (False, (Loss("tool_choice", LossReason.UNSUPPORTED),))
    assert write(tool_choice=ToolChoice(ToolMode.AUTO))[1] == ()
    lenient = ModelCard("m", forced_tools=False)
    body, losses = write(tools=(F,), tool_choice=ToolChoice(ToolMode.ANY), card=lenient)
    assert (body["tool_choice"], losses) == ("auto", (Loss("tool_choice", LossReason.MODEL_CAPABILITY),))


# --- limits, sampling, output ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "most", "written", "lost"), [(9, None, 16, True), (200, 100, 100, True), (50, 100, 50, False)]
)
def test_the_limit_is_within_what_vendor_and_model_take(
    asked: int, most: int | None, written: int, lost: bool
) -> None:
    body, losses = write(max_tokens=asked, card=ModelCard("m", max_output_tokens=most))
    assert body["max_output_tokens"] == written
    assert losses == ((Loss("max_tokens", LossReason.CLAMPED, C),) if lost else ())


def test_sampling_is_what_the_protocol_has() -> None:
    body, losses = write(
        sampling=Sampling(0.5, 0.25, 40, 0.1, 0, 7, 2, True, 3, b'{"1":2}'), stop=("END",), user="u" * 65
    )
    assert (body["temperature"], body["top_p"], body["top_logprobs"]) == (0.5, 0.25, 3)
    assert body["include"] == ["message.output_text.logprobs"]
    assert body["user"] == sha256(b"u" * 65).hexdigest()
    assert losses == (
        Loss("stop", LossReason.UNSUPPORTED),
        Loss("top_k", LossReason.UNSUPPORTED),
        Loss("frequency_penalty", LossReason.UNSUPPORTED),
        Loss("seed", LossReason.UNSUPPORTED, C),
        Loss("n", LossReason.UNSUPPORTED),
        Loss("logit_bias", LossReason.UNSUPPORTED),
        Loss("user", LossReason.CONVERTED, C),
    )


def test_sampling_is_not_for_every_model() -> None:
    body, losses = write(
        sampling=Sampling(0.5, 1, logprobs=True, top_logprobs=0), card=ModelCard("m", sampling=False)
    )
    assert {"temperature", "top_p", "include"}.isdisjoint(body)
    assert losses == (
        Loss("temperature", LossReason.MODEL_CAPABILITY),
        Loss("logprobs", LossReason.MODEL_CAPABILITY),
    )
    body, losses = write(sampling=Sampling(0.5, 0.5), card=ModelCard("m", one_sampler=True))
    assert ("top_p" in body, losses) == (False, (Loss("top_p", LossReason.MODEL_CAPABILITY),))


def test_output_is_text_json_or_of_a_schema() -> None:
    closed = b'{"type":"object","properties":{},"additionalProperties":false}'
    schema = OutputFormat(OutputKind.JSON_SCHEMA, "n", "d", closed)
    body, losses = write(output=schema, verbosity="low")
    assert body["text"] == {
        "format": {
            "type": "json_schema",
            "name": "n",
            "description": "d",
            "schema": json.loads(closed),
            "strict": True,
        },
        "verbosity": "low",
    }
    assert losses == ()
    assert write(output=OutputFormat(OutputKind.JSON_OBJECT))[0]["text"] == {
        "format": {"type": "json_object"}
    }
    body, losses = write(output=OutputFormat(OutputKind.JSON_SCHEMA))
    assert body["text"]["format"] == {
        "type": "json_schema",
        "name": "response",
        "schema": {},
        "strict": False,
    }
    assert losses == (Loss("response_format.strict", LossReason.CONVERTED),)
    body, losses = write(output=OutputFormat(OutputKind.JSON_SCHEMA, strict=False))
    assert (body["text"]["format"]["strict"], losses) == (False, ())
    body, losses = write(output=schema, card=ModelCard("m", structured_output=False))
    assert ("text" in body, losses) == (False, (Loss("response_format", LossReason.MODEL_CAPABILITY),))


# --- reasoning ------------------------------------------------------------------------------------------

THINKS = ModelCard("m", thinking=ThinkingStyle.EFFORT, efforts=("none", "low", "high"))


@pytest.mark.parametrize(
    ("reasoning", "written", "included"),
    [
        (None, None, True),
        (Reasoning(ReasoningMode.ENABLED, "high"), {"effort": "high"}, True),
        (Reasoning(ReasoningMode.DISABLED, "none"), {"effort": "none"}, False),
        (Reasoning(ReasoningMode.ADAPTIVE), {"summary": "auto"}, True),
        (Reasoning(display="summarized"), {"summary": "auto"}, True),
        (Reasoning(ReasoningMode.ADAPTIVE, "low", display="omitted"), {"effort": "low"}, True),
        (Reasoning(ReasoningMode.ENABLED, budget=30_000), {"effort": "high", "summary": "auto"}, True),
    ],
)
def test_reasoning_is_asked_for_shown_and_kept(
    reasoning: Reasoning | None, written: Any, included: bool
) -> None:
    body, _ = write(reasoning=reasoning, card=THINKS)
    assert body.get("reasoning") == written
    assert body.get("include") == (["reasoning.encrypted_content"] if included else None)


def test_a_model_that_does_not_think_is_not_asked_to() -> None:
    card = ModelCard("m", thinking=ThinkingStyle.NONE)
    body, losses = write(reasoning=Reasoning(ReasoningMode.ENABLED, "high", None, "summarized"), card=card)
    assert {"reasoning", "include"}.isdisjoint(body)
    assert losses == (Loss("reasoning", LossReason.MODEL_CAPABILITY),)
    assert write(reasoning=Reasoning(ReasoningMode.DISABLED), card=card)[1] == ()


def test_an_effort_is_the_nearest_that_the_model_has() -> None:
    body, losses = write(reasoning=Reasoning(ReasoningMode.ENABLED, "max"), card=THINKS)
    assert (body["reasoning"], losses) == (
        {"effort": "high"},
        (Loss("reasoning.effort", LossReason.CLAMPED, C),),
    )
    body, losses = write(reasoning=Reasoning(ReasoningMode.ENABLED, "novel"))
    assert ("reasoning" in body, losses) == (
        False,
        (Loss("reasoning.effort", LossReason.UNSUPPORTED, C),),
    )


@pytest.mark.parametrize(
    ("card", "effort", "lost"),
    [
        (ModelCard("m"), None, C),
        (ModelCard("m", thinking=ThinkingStyle.EFFORT), None, None),
        (ModelCard("m", thinking=ThinkingStyle.EFFORT, thinking_off=ThinkingOff.NEVER), None, S),
        (
            ModelCard("m", thinking=ThinkingStyle.EFFORT, thinking_off=ThinkingOff.NEVER, efforts=("low",)),
            "low",
            S,
        ),
    ],
)
def test_thinking_is_switched_off_as_far_as_the_model_lets(
    card: ModelCard, effort: str | None, lost: Severity | None
) -> None:
    body, losses = write(reasoning=Reasoning(ReasoningMode.DISABLED), card=card)
    assert body.get("reasoning") == (None if effort is None else {"effort": effort})
    assert [loss.severity for loss in losses] == ([] if lost is None else [lost])


# --- the rest -------------------------------------------------------------------------------------------


def test_what_is_left_of_the_options() -> None:
    body, losses = write(stream=True, service_tier="standard_only", user="u", metadata={"a": "b"})
    assert (body["stream"], body["service_tier"], body["user"]) == (True, "default", "u")
    assert (body["metadata"], losses) == ({"a": "b"}, ())
    body, losses = write(service_tier="novel")
    assert ("service_tier" in body, losses) == (False, (Loss("service_tier", LossReason.UNSUPPORTED, C),))


def test_verbosity_is_for_models_that_think() -> None:
    body, losses = write(verbosity="low", card=ModelCard("m", thinking=ThinkingStyle.NONE))
    assert ("text" in body, losses) == (False, (Loss("verbosity", LossReason.MODEL_CAPABILITY),))


def test_the_requests_own_fields_go_back_where_they_were() -> None:
    extras = own(
        truncation="auto",
        include=["file_search_call.results"],
        tool_choice={"type": "mcp"},
        **{"reasoning.context": "all_turns", "text.more": 1, "store.x": 2},
    )
    body, losses = write(extras=extras, verbosity="low", card=THINKS)
    assert body["include"] == ["file_search_call.results", "reasoning.encrypted_content"]
    assert (body["truncation"], body["tool_choice"]) == ("auto", {"type": "mcp"})
    assert (body["reasoning"], body["text"]) == ({"context": "all_turns"}, {"verbosity": "low", "more": 1})
    assert (body["store"], losses) == (False, ())


def test_chats_fields_of_the_same_name_are_taken_over_and_others_are_lost() -> None:
    extras = Extras(CHAT, {"prompt_cache_key": b'"k"', "prediction": b"{}"})
    body, losses = write(extras=extras)
    assert body["prompt_cache_key"] == "k"
    assert losses == (Loss("prediction", LossReason.UNSUPPORTED, C),)
    assert write(extras=Extras(FOREIGN, {"container": b'"x"'}))[1] == (
        Loss("container", LossReason.UNSUPPORTED),
    )
