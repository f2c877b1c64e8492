"""Breakpoints of prompt caches, and a beginning that stays the same."""

from __future__ import annotations

import pytest

from tokligence.conversation import (
    CacheControl,
    OpaqueTool,
    ProtocolId,
    Request,
    Role,
    Severity,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
)
from tokligence.wire.caching import with_breakpoints, without_volatile

TOOL = Tool("read", "tools[0]")


def turn(role: Role, *parts: object) -> Turn:
    return Turn(role, tuple(Text(part) if isinstance(part, str) else part for part in parts), "messages[0]")  # type: ignore[misc]


def marked(request: Request) -> list[tuple[int, int]]:
    return [
        (at, place)
        for at, each in enumerate(request.turns)
        for place, part in enumerate(each.parts)
        if getattr(part, "cache", None) is not None
    ]


def test_the_end_of_the_system_prompt_and_the_last_two_user_turns_are_marked() -> None:
    request = Request(
        "m",
        (
            turn(Role.SYSTEM, "be kind"),
            turn(Role.DEVELOPER, "be brief", "be exact"),
            turn(Role.USER, "one"),
            turn(Role.ASSISTANT, "1", ToolCall("c", "read", "{}")),
            turn(Role.USER, ToolResult("c", (Text("x"),))),
            turn(Role.ASSISTANT, "2"),
            turn(Role.USER, "three", ""),
        ),
        (TOOL,),
    )
    done = with_breakpoints(request)
    assert marked(done) == [(1, 1), (4, 0), (6, 0)]
    assert done.tools == (TOOL,)  # the breakpoint after the system prompt covers them


def test_without_a_system_prompt_the_last_tool_is_marked() -> None:
    done = with_breakpoints(Request("m", (turn(Role.USER, "hi"),), (TOOL, TOOL)))
    assert [tool.cache for tool in done.tools if isinstance(tool, Tool)] == [None, CacheControl()]
    vendor = OpaqueTool(ProtocolId.ANTHROPIC, "web_search", "tools[0]", b"{}")
    assert with_breakpoints(Request("m", (turn(Role.USER, "hi"),), (vendor,))).tools == (vendor,)


def test_what_cannot_carry_a_breakpoint_gets_none() -> None:
    request = Request("m", (turn(Role.SYSTEM, ""), turn(Role.USER, Thinking("no"))))
    assert marked(with_breakpoints(request)) == []


@pytest.mark.parametrize(
    "request_",
    [
        Request("m", (turn(Role.USER, Text("a", CacheControl("1h"))), turn(Role.USER, "b"))),
        Request("m", (turn(Role.USER, "a"),), (Tool("t", "tools[0]", cache=CacheControl()),)),
    ],
)
def test_a_request_with_breakpoints_of_its_own_keeps_them(request_: Request) -> None:
    assert with_breakpoints(request_) is request_


def test_over_a_long_session_each_request_reads_what_the_one_before_has_written() -> None:
    turns = [turn(Role.SYSTEM, "s")]
    written: list[tuple[int, int]] = []
    for number in range(100):
        turns.append(turn(Role.USER, f"question {number}"))
        places = marked(with_breakpoints(Request("m", tuple(turns))))
        assert not written or written[-1] in places
        assert len(places) <= 4
        written = places
        turns.append(turn(Role.ASSISTANT, f"answer {number}"))


def test_the_block_that_says_who_pays_leaves_with_a_cosmetic_loss() -> None:
    billing = "x-anthropic-billing-header: cc_version=2.1; cch=ab12"
    request = Request(
        "m",
        (turn(Role.SYSTEM, billing, "You code."), turn(Role.USER, billing), turn(Role.SYSTEM, "Be brief.")),
        origin=ProtocolId.ANTHROPIC,
    )
    done = without_volatile(request)
    assert [len(each.parts) for each in done.turns] == [1, 1, 1]
    assert [loss.severity for loss in done.losses] == [Severity.COSMETIC]
    alone = Request("m", (turn(Role.SYSTEM, billing), turn(Role.USER, "hi")))
    assert [each.role for each in without_volatile(alone).turns] == [Role.USER]


def test_a_request_without_such_a_block_is_the_same_object() -> None:
    request = Request("m", (turn(Role.SYSTEM, "You code."), turn(Role.USER, "hi")))
    assert without_volatile(request) is request
