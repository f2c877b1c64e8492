"""Histories as clients send them, and the order that every target takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tokligence.conversation import (
    Extras,
    Loss,
    LossReason,
    Part,
    ProtocolId,
    Role,
    Severity,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from tokligence.wire.pairing import NO_RESULT, pair


def turn(role: Role, *parts: Part, path: str = "messages[0]") -> Turn:
    return Turn(role, parts, path)


def user(*parts: Part, path: str = "messages[0]") -> Turn:
    return turn(Role.USER, *parts, path=path)


def assistant(*parts: Part, path: str = "messages[0]") -> Turn:
    return turn(Role.ASSISTANT, *parts, path=path)


def call(name: str) -> ToolCall:
    return ToolCall(name, "f", "{}")


def result(name: str, text: str = "ok") -> ToolResult:
    return ToolResult(name, (Text(text),))


def shape(turns: tuple[Turn, ...]) -> list[tuple[str, list[str]]]:
    """A history in short: role and, per part, `call:id`, `result:id` or the text."""

    def name(part: Part) -> str:
        match part:
            case ToolCall():
                return f"call:{part.id}"
            case ToolResult():
                return f"result:{part.call_id}"
            case Text():
                return part.text
            case _:
                return type(part).__name__

    return [(each.role.value, [name(part) for part in each.parts]) for each in turns]


REPAIRED = Loss("messages[0]", LossReason.REPAIRED, Severity.SEMANTIC)


def test_a_history_without_tools_is_returned_as_it_is() -> None:
    turns = (turn(Role.SYSTEM, Text("s")), user(Text("a")), user(Text("b")), assistant(Text("c")))
    assert pair(turns) == (turns, [])


def test_a_valid_history_is_returned_as_it_is() -> None:
    turns = (user(Text("q")), assistant(call("a"), call("b")), user(result("b"), result("a"), Text("go on")))
    assert pair(turns) == (turns, [])


def test_results_of_separate_messages_come_together_and_before_the_users_text() -> None:
    turns = (assistant(call("a"), call("b")), user(result("b")), user(result("a")), user(Text("go on")))
    assert shape(pair(turns)[0]) == [
        ("assistant", ["call:a", "call:b"]),
        ("user", ["result:b", "result:a", "go on"]),
    ]
    assert pair(turns)[1] == []


def test_results_after_text_in_the_same_turn_come_first() -> None:
    turns = (assistant(call("a")), user(Text("here:"), result("a")))
    assert shape(pair(turns)[0]) == [("assistant", ["call:a"]), ("user", ["result:a", "here:"])]
    assert pair(turns)[1] == []


def test_a_result_between_texts_comes_first() -> None:
    turns = (assistant(call("a"), call("b")), user(result("a"), Text("x"), result("b"), Text("y")))
    assert shape(pair(turns)[0])[1] == ("user", ["result:a", "result:b", "x", "y"])


def test_a_system_turn_between_call_and_result_comes_after_the_results() -> None:
    turns = (assistant(call("a")), turn(Role.SYSTEM, Text("hurry")), user(result("a")), user(Text("q")))
    assert shape(pair(turns)[0]) == [
        ("assistant", ["call:a"]),
        ("user", ["result:a"]),
        ("system", ["hurry"]),
        ("user", ["q"]),
    ]
    assert pair(turns)[1] == []


def test_a_missing_result_becomes_an_error_result() -> None:
    turns, losses = pair((assistant(call("a"), call("b")), user(result("a"), Text("q"))))
    assert shape(turns)[1] == ("user", ["result:a", "result:b", "q"])
    missing = turns[1].parts[1]
    assert missing == ToolResult("b", (Text(NO_RESULT),), is_error=True)
    assert losses == [REPAIRED]


def test_calls_at_the_end_of_the_history_are_answered() -> None:
    turns, losses = pair((assistant(call("a"), path="messages[4]"),))
    assert shape(turns) == [("assistant", ["call:a"]), ("user", ["result:a"])]
    assert losses == [Loss("messages[4]", LossReason.REPAIRED, Severity.SEMANTIC)]


def test_a_user_who_answers_with_text_only_keeps_it_after_the_error_result() -> None:
    turns, losses = pair((assistant(call("a")), user(Text("never mind")), assistant(Text("fine"))))
    assert shape(turns) == [
        ("assistant", ["call:a"]),
        ("user", ["result:a", "never mind"]),
        ("assistant", ["fine"]),
    ]
    assert losses == [REPAIRED]


def test_a_result_without_a_call_becomes_user_text() -> None:
    turns, losses = pair((user(result("gone", "42")),))
    assert shape(turns) == [("user", ["[Result of the tool call gone]", "42"])]
    assert losses == [REPAIRED]


def test_an_error_result_without_a_call_says_that_it_was_an_error() -> None:
    turns, _ = pair((user(ToolResult("gone", (Text("boom"),), is_error=True)),))
    assert shape(turns) == [("user", ["[Error of the tool call gone]", "boom"])]


def test_a_result_of_another_call_is_no_answer() -> None:
    turns, losses = pair((assistant(call("a")), user(result("x", "other"))))
    assert shape(turns)[1] == ("user", ["result:a", "[Result of the tool call x]", "other"])
    assert losses == [REPAIRED, REPAIRED]


def test_a_second_result_for_one_call_becomes_user_text() -> None:
    turns, losses = pair((assistant(call("a")), user(result("a", "1"), result("a", "2"))))
    assert shape(turns)[1] == ("user", ["result:a", "[Result of the tool call a]", "2"])
    assert losses == [REPAIRED]


def test_a_result_after_the_users_text_that_nobody_waits_for_is_found() -> None:
    turns, losses = pair((assistant(call("a")), user(result("a"), Text("x"), result("b"))))
    assert shape(turns)[1] == ("user", ["result:a", "x", "[Result of the tool call b]", "ok"])
    assert losses == [REPAIRED]


def test_a_result_inside_an_assistant_turn_becomes_text() -> None:
    turns, losses = pair((assistant(result("a"), Text("x")),))
    assert shape(turns) == [("assistant", ["[Result of the tool call a]", "ok", "x"])]
    assert losses == [REPAIRED]


def test_calls_cut_into_two_assistant_turns_become_one() -> None:
    turns, losses = pair((assistant(call("a")), assistant(call("b")), user(result("a")), user(result("b"))))
    assert shape(turns) == [("assistant", ["call:a", "call:b"]), ("user", ["result:a", "result:b"])]
    assert losses == []


def test_assistant_turns_without_calls_stay_apart() -> None:
    turns = (assistant(Text("a")), assistant(Text("b"), call("c")), user(result("c")))
    assert pair(turns) == (turns, [])


def test_an_id_used_twice_in_one_turn_is_renamed_and_its_results_keep_their_order() -> None:
    turns, losses = pair((assistant(call("a"), call("a")), user(result("a", "1")), user(result("a", "2"))))
    assert shape(turns) == [("assistant", ["call:a", "call:a_2"]), ("user", ["result:a", "result:a_2"])]
    assert turns[1].parts[1] == result("a_2", "2")
    assert losses == [Loss("messages[0]", LossReason.REPAIRED, Severity.COSMETIC)]


def test_an_id_used_again_in_a_later_turn_is_renamed() -> None:
    turns, _ = pair((assistant(call("a")), user(result("a")), assistant(call("a")), user(result("a"))))
    assert [each[1] for each in shape(turns)] == [["call:a"], ["result:a"], ["call:a_2"], ["result:a_2"]]


def test_calls_without_ids_get_some() -> None:
    turns, _ = pair((assistant(call(""), call("")), user(result(""), result(""))))
    assert [each[1] for each in shape(turns)] == [
        ["call:call", "call:call_2"],
        ["result:call", "result:call_2"],
    ]


def test_fields_of_a_message_of_results_alone_are_lost_with_it() -> None:
    extras = Extras(ProtocolId.ANTHROPIC, {"x": b"1"})
    results = Turn(Role.USER, (result("b"), result("a")), "messages[2]", extras=extras)
    late = Turn(Role.USER, (result("c"),), "messages[3]", extras=extras)
    turns, losses = pair([assistant(call("a"), call("b"), call("c")), results, late])
    assert list(turns[1].parts) == [result("b"), result("a"), result("c")]
    assert losses == [
        Loss("messages[2].x", LossReason.REPAIRED),
        Loss("messages[3].x", LossReason.REPAIRED),
    ]


def test_the_users_turn_keeps_its_name_and_extras() -> None:
    extras = Extras(ProtocolId.ANTHROPIC, {"x": b"1"})
    said = Turn(Role.USER, (Text("q"),), "messages[2]", name="ada", extras=extras)
    turns, _ = pair((assistant(call("a"), call("b")), user(result("a")), user(result("b")), said))
    assert (turns[1].name, turns[1].extras, turns[1].path) == ("ada", extras, "messages[2]")


def test_an_empty_turn_that_was_empty_before_is_kept() -> None:
    turns, losses = pair((assistant(call("a")), user(), user(result("a"))))
    assert shape(turns) == [("assistant", ["call:a"]), ("user", ["result:a"])]
    assert losses == []


IDS = st.sampled_from(["", "a", "b", "a_2", "call"])
PARTS = st.one_of(IDS.map(call), IDS.map(result), st.just(Text("t")))
TURNS = st.lists(
    st.builds(
        lambda role, parts: Turn(
            role, tuple(p for p in parts if role is Role.ASSISTANT or type(p) is not ToolCall), "p"
        ),
        st.sampled_from(list(Role)),
        st.lists(PARTS, max_size=4),
    ),
    max_size=6,
)


@given(TURNS)
def test_whatever_comes_in_a_valid_history_comes_out(history: list[Turn]) -> None:
    turns, _ = pair(history)
    assert pair(turns) == (turns, [])
    calls = [part.id for each in turns for part in each.parts if isinstance(part, ToolCall)]
    results = [part.call_id for each in turns for part in each.parts if isinstance(part, ToolResult)]
    assert sorted(calls) == sorted(results)
    assert len(set(calls)) == len(calls)
    assert len(calls) == sum(isinstance(part, ToolCall) for each in history for part in each.parts)
