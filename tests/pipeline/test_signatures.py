"""Proofs of reasoning for clients that cannot carry them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tokligence.conversation import (
    BlockClosed,
    BlockOpened,
    Part,
    RedactedThinking,
    Request,
    Role,
    SignatureDelta,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    Turn,
)
from tokligence.pipeline.signatures import Gathered, Signatures

THOUGHT = Thinking("because", "sig", "anthropic")
CALL = ToolCall("call_1", "read", "{}")
SIGNED = ToolCall("call_2", "read", "{}", signature="proof", issuer="google")


def asked(*parts: Part) -> Request:
    return Request(
        "m", (Turn(Role.USER, (Text("hi"),), "messages[0]"), Turn(Role.ASSISTANT, parts, "messages[1]"))
    )


def kept(issuer: str, *parts: Part) -> Signatures:
    signatures = Signatures()
    signatures.keep("alice", issuer, parts, 0)
    return signatures


def restored(signatures: Signatures, issuer: str, *parts: Part, owner: str = "alice") -> tuple[Part, ...]:
    return signatures.restore(owner, issuer, asked(*parts), 1).turns[1].parts


def test_the_thinking_before_a_call_comes_back_in_front_of_what_was_said() -> None:
    signatures = kept("anthropic", THOUGHT, Text("I read"), CALL)
    assert restored(signatures, "anthropic", Text("I read"), CALL) == (THOUGHT, Text("I read"), CALL)


def test_a_signed_call_gets_its_signature_back() -> None:
    signatures = kept("google", SIGNED)
    assert restored(signatures, "google", ToolCall("call_2", "read", "{}")) == (SIGNED,)


def test_a_turn_without_calls_is_known_by_its_text() -> None:
    signatures = kept("anthropic", THOUGHT, RedactedThinking("x", "anthropic"), Text("42"))
    assert restored(signatures, "anthropic", Text("4"), Text("2"))[:2] == (
        THOUGHT,
        RedactedThinking("x", "anthropic"),
    )
    assert restored(signatures, "anthropic", Text("43")) == (Text("43"),)


def test_another_owner_and_another_issuer_get_nothing() -> None:
    signatures = kept("anthropic", THOUGHT, CALL)
    assert restored(signatures, "anthropic", CALL, owner="bob") == (CALL,)
    assert restored(signatures, "google", CALL) == (CALL,)


def test_what_the_client_carries_itself_stays_as_it_is() -> None:
    signatures = kept("anthropic", THOUGHT, CALL)
    request = asked(Thinking("because", "sig", "anthropic"), CALL)
    assert signatures.restore("alice", "anthropic", request, 1) is request


def test_a_request_that_lacks_nothing_known_is_the_same_object() -> None:
    request = asked(Text("x"))
    assert Signatures().restore(None, "anthropic", request, 0) is request
    assert kept("anthropic", THOUGHT, CALL).restore("alice", "anthropic", request, 0) is request


def test_unsigned_thinking_is_not_kept() -> None:
    assert len(kept("llm", Thinking("because"), CALL)) == 0


def test_old_ones_are_forgotten() -> None:
    signatures = Signatures(lifetime=10)
    signatures.keep(None, "google", (SIGNED,), 0)
    bare = asked(ToolCall("call_2", "read", "{}"))
    assert signatures.restore(None, "google", bare, 10) is bare
    assert signatures.size == 0


def test_the_oldest_leave_for_room() -> None:
    signatures = Signatures(capacity=1000)
    for number in range(10):
        signatures.keep(None, "google", (ToolCall(f"c{number}", "t", "", signature="s", issuer="google"),), 0)
    assert len(signatures) == 3
    assert signatures.size <= 1000


@given(
    st.lists(st.text(max_size=5), max_size=5),
    st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=3),
)
def test_a_streamed_answer_is_gathered_as_the_whole_one(texts: list[str], signs: list[str]) -> None:
    gathered = Gathered()
    gathered.feed([BlockOpened(0, Thinking("", None, "anthropic"))])
    gathered.feed([TextDelta(0, text) for text in texts])
    gathered.feed([SignatureDelta(0, sign) for sign in signs])
    gathered.feed([BlockClosed(0), BlockOpened(1, CALL), TextDelta(1, '{"a":1}'), BlockClosed(1)])
    assert gathered.parts == [Thinking("".join(texts), "".join(signs), "anthropic"), CALL]
