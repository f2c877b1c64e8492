"""Freeform tools and namespaces, for protocols that have neither, and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tokligence.catalog.models import ModelCard
from tokligence.conversation import (
    BlockClosed,
    BlockOpened,
    Closed,
    Extras,
    FinishReason,
    Loss,
    LossReason,
    OpaqueTool,
    ProtocolId,
    Request,
    Response,
    Role,
    Severity,
    StreamEvent,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
    Turn,
)
from tokligence.wire.contract import ReplyMemory, Stands, Target
from tokligence.wire.freeform import SCHEMA
from tokligence.wire.lower import RaisingReader, lower, lowering, raise_response
from tokligence.wire.registry import CODECS

OWN, CHAT, MESSAGES = ProtocolId.OPENAI_RESPONSES, ProtocolId.OPENAI_CHAT, ProtocolId.ANTHROPIC
GRAMMAR = b'{"type":"grammar","syntax":"lark","definition":"start: PATCH"}'
PATCH = Tool("apply_patch", "tools[0]", "Edits files.", freeform=True, format=GRAMMAR)
SPAWN = Tool("spawn", "tools[1].tools[0]", "Starts one.", b"{}", namespace="agents")
PLAIN = Tool("read", "tools[2]", None, b"{}")
WEB = OpaqueTool(OWN, "web_search", "tools[3]", b'{"type":"web_search"}')


def asking(
    *tools: Tool | OpaqueTool, turns: tuple[Turn, ...] = (), choice: ToolChoice | None = None
) -> Request:
    said = turns or (Turn(Role.USER, (Text("hi"),), "input"),)
    return Request("m", said, tools, choice, origin=OWN)


# --- requests -------------------------------------------------------------------------------------------


def test_a_freeform_tool_becomes_a_function_of_one_text_with_its_grammar_in_the_description() -> None:
    lowered = lower(asking(PATCH, PLAIN, WEB))
    assert lowered.request.tools == (
        Tool(
            "apply_patch",
            "tools[0]",
            "Edits files.\n\nThe input must match this lark grammar:\nstart: PATCH",
            SCHEMA,
        ),
        PLAIN,
        WEB,
    )
    assert lowered.losses == (
        Loss("tools[0]", LossReason.CONVERTED, Severity.COSMETIC),
        Loss("tools[0].format", LossReason.CONVERTED, Severity.SEMANTIC),
    )
    assert lowered.stands == {"apply_patch": Stands("apply_patch", None, True)}


@pytest.mark.parametrize("form", [b'{"type":"novel"}', b"7"])
def test_a_format_that_is_new_is_described_as_it_is(form: bytes) -> None:
    tool = Tool("exec", "tools[0]", freeform=True, format=form)
    (out,) = lower(asking(tool)).request.tools
    assert isinstance(out, Tool)
    assert out.description == f"The input must have this format: {form.decode()}"


def test_a_freeform_tool_without_a_grammar_needs_no_words() -> None:
    (out,) = lower(asking(Tool("exec", "tools[0]", freeform=True))).request.tools
    assert out == Tool("exec", "tools[0]", None, SCHEMA)


def test_a_tool_of_a_namespace_gets_a_name_of_its_own_and_the_first_says_what_the_namespace_is() -> None:
    extras = Extras(OWN, {"namespace_description": b'"Helpers"', "defer_loading": b"true"})
    first = Tool("spawn", "tools[0].tools[0]", "Starts one.", b"{}", extras=extras, namespace="agents")
    only = Extras(OWN, {"namespace_description": b'"Others"'})
    other = Tool("spawn", "tools[1].tools[0]", None, b"{}", extras=only, namespace="more")
    taken = Tool("agents__spawn", "tools[2]", None, b"{}")
    lowered = lower(asking(first, other, taken))
    assert [(t.name, t.description, t.extras) for t in lowered.request.tools if isinstance(t, Tool)] == [
        (
            "agents__spawn_2",
            "Starts one.\n\n(agents: Helpers)",
            Extras(OWN, {"defer_loading": b"true"}),
        ),
        ("more__spawn", "(more: Others)", None),
        ("agents__spawn", None, None),
    ]
    assert lowered.stands == {
        "agents__spawn_2": Stands("spawn", "agents", False),
        "more__spawn": Stands("spawn", "more", False),
    }
    assert lowered.losses == ()


def test_a_tool_that_may_be_called_says_what_the_namespace_is() -> None:
    extras = Extras(OWN, {"namespace_description": b'"Helpers"'})
    tools = [Tool(name, f"t{name}", None, b"{}", namespace="ns") for name in "abc"]
    tools[0] = Tool("a", "ta", None, b"{}", extras=extras, namespace="ns")
    lowered = lower(asking(*tools, choice=ToolChoice(ToolMode.ANY, ("b", "c"))))
    assert [tool.description for tool in lowered.request.tools if isinstance(tool, Tool)] == [
        None,
        "(ns: Helpers)",
        None,
    ]


def test_calls_of_the_history_are_named_and_wrapped_alike_also_of_tools_that_are_not_offered_any_more() -> (
    None
):
    said = (
        Text("so"),
        ToolCall("a", "apply_patch", 'x "y"', freeform=True),
        ToolCall("b", "spawn", '{"n":1}', namespace="agents"),
        ToolCall("c", "gone", "t", freeform=True, namespace="old"),
        ToolCall("d", "read", "{}"),
    )
    results = tuple(ToolResult(call, (Text("ok"),)) for call in "abcd")
    turns = (Turn(Role.ASSISTANT, said, "input[0;1;2;3;4;]"), Turn(Role.USER, results, "input[5]"))
    lowered = lower(asking(PATCH, SPAWN, PLAIN, turns=turns))
    assert lowered.request.turns == (
        Turn(
            Role.ASSISTANT,
            (
                Text("so"),
                ToolCall("a", "apply_patch", '{"input": "x \\"y\\""}'),
                ToolCall("b", "agents__spawn", '{"n":1}'),
                ToolCall("c", "old__gone", '{"input": "t"}'),
                ToolCall("d", "read", "{}"),
            ),
            "input[0;1;2;3;4;]",
        ),
        turns[1],
    )


@pytest.mark.parametrize(
    ("choice", "chosen"),
    [
        (ToolChoice(ToolMode.ANY), ToolChoice(ToolMode.ANY)),
        (ToolChoice(ToolMode.TOOL, ("spawn",)), ToolChoice(ToolMode.TOOL, ("agents__spawn",))),
        (ToolChoice(ToolMode.TOOL, ("apply_patch",)), ToolChoice(ToolMode.TOOL, ("apply_patch",))),
        (ToolChoice(ToolMode.TOOL, ("nobody",)), ToolChoice(ToolMode.TOOL, ("nobody",))),
        (
            ToolChoice(ToolMode.AUTO, ("spawn", "read")),
            ToolChoice(ToolMode.AUTO, ("agents__spawn", "more__spawn", "read")),
        ),
    ],
)
def test_a_choice_names_what_the_tools_are_called_now(choice: ToolChoice, chosen: ToolChoice) -> None:
    other = Tool("spawn", "tools[4].tools[0]", namespace="more")
    assert lower(asking(PATCH, SPAWN, PLAIN, other, choice=choice)).request.tool_choice == chosen


# --- answers --------------------------------------------------------------------------------------------

TOOLS = {"apply_patch": Stands("apply_patch", None, True), "agents__spawn": Stands("spawn", "agents", False)}


def test_calls_of_an_answer_are_raised() -> None:
    parts = (
        Text("x"),
        ToolCall("a", "apply_patch", '{"input":"*** Begin"}'),
        ToolCall("b", "agents__spawn", "{}"),
        ToolCall("c", "read", "{}"),
    )
    response = Response("r", "m", parts, FinishReason.TOOL_CALLS)
    assert raise_response(response, TOOLS).parts == (
        Text("x"),
        ToolCall("a", "apply_patch", "*** Begin", freeform=True),
        ToolCall("b", "spawn", "{}", namespace="agents"),
        ToolCall("c", "read", "{}"),
    )


class Given:
    """A reader that gives what it is given."""

    def __init__(self, *events: StreamEvent) -> None:
        self.losses: list[Loss] = []
        self._events = events

    def feed(self, name: bytes, data: bytes) -> tuple[StreamEvent, ...]:
        return tuple(self._events[int(i)] for i in data.split(b","))

    def eof(self) -> tuple[StreamEvent, ...]:
        return (Closed(),)


def test_calls_of_a_stream_are_raised_as_they_come() -> None:
    given = Given(
        BlockOpened(0, Text("")), TextDelta(0, "hi"), BlockClosed(0),
        BlockOpened(1, ToolCall("a", "apply_patch", "")), TextDelta(1, '{"input":"*** '), TextDelta(1, "Be\\"), TextDelta(1, 'n"}'),
        BlockClosed(1),
        BlockOpened(2, ToolCall("b", "agents__spawn", "")), TextDelta(2, "{}"), BlockClosed(2),
        BlockOpened(3, ToolCall("c", "apply_patch", '{"patch":"x"}')), BlockClosed(3),
    )  # fmt: skip
    reader = RaisingReader(given, TOOLS)
    assert reader.losses is given.losses
    told = [reader.feed(b"", b"%d" % number) for number in range(10)]
    told += [reader.feed(b"", b"10,11,12"), reader.eof()]
    assert [list(each) for each in told] == [
        [BlockOpened(0, Text(""))], [TextDelta(0, "hi")], [BlockClosed(0)],
        [BlockOpened(1, ToolCall("a", "apply_patch", "", freeform=True))], [TextDelta(1, "*** ")], [TextDelta(1, "Be")], [TextDelta(1, "\n")],
        [BlockClosed(1)],
        [BlockOpened(2, ToolCall("b", "spawn", "", namespace="agents"))], [TextDelta(2, "{}")],
        [BlockClosed(2), BlockOpened(3, ToolCall("c", "apply_patch", "", freeform=True)), TextDelta(3, "x"), BlockClosed(3)],
        [Closed()],
    ]  # fmt: skip


# --- around a codec -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "protocol"),
    [
        (asking(PLAIN, WEB), CHAT),
        (asking(PATCH), OWN),
        (Request("m", (), (PATCH,), origin=CHAT), MESSAGES),
    ],
    ids=["nothing to lower", "its own protocol", "another client"],
)
def test_a_codec_stays_as_it_is_where_nothing_is_to_be_lowered(
    request_: Request, protocol: ProtocolId
) -> None:
    assert lowering(request_, CODECS[protocol]) is CODECS[protocol]


@pytest.mark.parametrize("protocol", [CHAT, MESSAGES])
def test_an_upstream_sees_functions_only_and_its_calls_come_back_as_the_clients(protocol: ProtocolId) -> None:
    called = Turn(Role.ASSISTANT, (ToolCall("a", "apply_patch", "x", freeform=True),), "input[0;]")
    answered = Turn(Role.USER, (ToolResult("a", (Text("ok"),)),), "input[1]")
    request = asking(SPAWN, turns=(called, answered))
    codec = lowering(request, CODECS[protocol])
    assert codec.protocol is protocol
    written = codec.write_request(request, Target("m", ModelCard("m"), "x"))
    body = json.loads(written.body)
    assert "agents__spawn" in json.dumps(body["tools"])
    assert '{\\"input\\"' in json.dumps(body["messages"]) or '"input": {"input": "x"}' in json.dumps(
        body["messages"]
    )
    raw = json.dumps(ANSWER[protocol]).encode()
    response = codec.read_response(raw, written.memory, "x")
    assert response.parts == (ToolCall("b", "spawn", "{}", namespace="agents"),)
    assert isinstance(codec.stream_reader(ReplyMemory(), "x"), RaisingReader)


ANSWER: dict[ProtocolId, Any] = {
    CHAT: {
        "choices": [
            {
                "message": {
                    "tool_calls": [
                        {
                            "id": "b",
                            "type": "function",
                            "function": {"name": "agents__spawn", "arguments": "{}"},
                        }
                    ]
                },
                "finish_reason": "tool_calls",
            }
        ]
    },
    MESSAGES: {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "tool_use", "id": "b", "name": "agents__spawn", "input": {}}],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    },
}
