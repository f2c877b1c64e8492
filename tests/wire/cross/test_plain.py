"""The straight path of the usual calls gives what the general way gives, to the byte, for whatever comes."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.cross.harness import CHAT, GOLDENS, MESSAGES, Golden, Json, context, target
from tests.wire.cross.strategies import chat_requests, messages_requests
from tokligence.catalog.models import Dialect, unknown
from tokligence.conversation import (
    CacheControl,
    Extras,
    FinishReason,
    ProtocolId,
    Request,
    Response,
    Role,
    Sampling,
    Text,
    ToolCall,
    Turn,
    Usage,
)
from tokligence.errors import GatewayError
from tokligence.wire.anthropic import plain as messages_plain
from tokligence.wire.anthropic import plain_answer as messages_answer
from tokligence.wire.anthropic import read as messages_read
from tokligence.wire.anthropic import write as messages_write
from tokligence.wire.anthropic import write_request as messages_write_request
from tokligence.wire.contract import ReplyMemory, Target
from tokligence.wire.openai_chat import plain as chat_plain
from tokligence.wire.openai_chat import plain_answer as chat_answer
from tokligence.wire.openai_chat import read as chat_read
from tokligence.wire.openai_chat import read_answer as chat_read_answer
from tokligence.wire.openai_chat import write as chat_write
from tokligence.wire.openai_chat import write_answer as chat_write_answer

BOTH = [CHAT, MESSAGES]
PLAIN: dict[ProtocolId, ModuleType] = {CHAT: chat_plain, MESSAGES: messages_plain}
READ: dict[ProtocolId, ModuleType] = {CHAT: chat_read, MESSAGES: messages_read}
ANSWER: dict[ProtocolId, ModuleType] = {CHAT: chat_answer, MESSAGES: messages_answer}
WRITE: dict[ProtocolId, ModuleType] = {CHAT: chat_write, MESSAGES: messages_write_request}
READ_ANSWER: dict[ProtocolId, ModuleType] = {CHAT: chat_read_answer, MESSAGES: messages_read}
WRITE_ANSWER: dict[ProtocolId, ModuleType] = {CHAT: chat_write_answer, MESSAGES: messages_write}

TARGETS = [
    target("gpt-4o", "openai"),
    target("o3", "openai"),
    target("claude-sonnet-4-5", "anthropic"),
    target("claude-opus-4-7", "anthropic"),
    target("some-model", "deepseek"),
    Target("local", unknown("local"), "local", Dialect(developer_role=True, stream_usage=False)),
]


def outcome(function: Callable[..., Any], *given: Any) -> Any:
    """What it gives, or the error with all that it says."""
    try:
        return function(*given)
    except GatewayError as error:
        return error.code, error.details


# --- what is sent ---------------------------------------------------------------------------------------

words = st.text(max_size=12) | st.sampled_from(["", " \n", 'a\u2028\x7f\x00"\\/', "é😀", "Hello."])
numbers = st.sampled_from([0, 1, 0.5, -0.0, 2, 1e-7, 1e16, 0.1 + 0.2, 3.0])


def text_parts(word: st.SearchStrategy[str]) -> st.SearchStrategy[list[Json]]:
    part = st.fixed_dictionaries({"type": st.just("text"), "text": word})
    odd = st.sampled_from(
        [{"text": "x"}, {"type": "image", "text": "x"}, {"type": "text", "text": "x", "y": 1}]
    )
    return st.lists(part, max_size=3) | st.lists(part | odd, max_size=2)


def messages(*roles: str, **more: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Json]]:
    content = words | words | text_parts(words) | st.none()
    message = st.fixed_dictionaries({"role": st.sampled_from(roles), "content": content}, optional=more)
    usual = st.fixed_dictionaries({"role": st.sampled_from(roles[:2]), "content": words})
    return st.lists(usual, min_size=1, max_size=4) | st.lists(message, max_size=4)


options: dict[str, st.SearchStrategy[Any]] = {
    "temperature": numbers,
    "top_p": numbers,
    "stream": st.booleans() | st.none(),
    "novel": st.none() | words,
}
chat_bodies = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["m", "m", "", " ", 'a"b']),
        "messages": messages(
            "user", "assistant", "system", "developer", "tool", refusal=st.none() | words, name=words
        ),
    },
    optional=options
    | {
        "max_tokens": st.integers(-1, 9) | st.none(),
        "max_completion_tokens": st.integers(1, 9) | st.none(),
        "stream_options": st.none()
        | st.fixed_dictionaries({}, optional={"include_usage": st.booleans() | st.none(), "novel": words}),
        "stop": words | st.lists(words, max_size=2) | st.none(),
        "frequency_penalty": numbers,
        "presence_penalty": numbers,
        "n": st.integers(0, 2),
        "user": words,
    },
)
messages_bodies = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["m", "m", "", 'a"b']),
        "max_tokens": st.integers(-1, 99_999),
        "messages": messages("user", "assistant", "system", "developer"),
    },
    optional=options
    | {
        "system": words | text_parts(words),
        "stop_sequences": st.lists(words, max_size=2) | st.none(),
        "metadata": st.none() | st.fixed_dictionaries({}, optional={"user_id": words, "novel": words}),
    },
)
BODIES = {CHAT: chat_bodies | chat_requests(), MESSAGES: messages_bodies | messages_requests()}
STYLES = [(",", ":"), (", ", ": "), (" ,", ":\n")]


@st.composite
def sent(draw: st.DrawFn, protocol: ProtocolId) -> bytes:
    body = draw(BODIES[protocol])
    return json.dumps(
        body, separators=draw(st.sampled_from(STYLES)), ensure_ascii=draw(st.booleans())
    ).encode("utf-8", "replace")


@pytest.mark.parametrize("spliced", [True, False], ids=["spliced before", "read before"])
@pytest.mark.parametrize("protocol", BOTH)
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_request_is_peeked_at_and_read_as_it_is_in_general(
    protocol: ProtocolId, spliced: bool, data: st.DataObject
) -> None:
    plain, general = PLAIN[protocol], READ[protocol]
    raw = data.draw(sent(protocol))
    if spliced:
        plain.splice(b"{}", model=None, ask_usage=False)
    else:
        outcome(plain.read_request, b"{}")
    assert outcome(plain.peek, raw) == outcome(general.peek, raw)
    assert outcome(plain.read_request, raw) == outcome(general.read_request, raw)
    assert outcome(plain.read_request, raw) == outcome(general.read_request, raw)


@pytest.mark.parametrize("protocol", BOTH)
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_what_is_spliced_does_not_depend_on_the_peek_before_it(
    protocol: ProtocolId, data: st.DataObject
) -> None:
    plain = PLAIN[protocol]
    raw = data.draw(sent(protocol))
    model = data.draw(st.none() | words)
    splice = lambda: plain.splice(raw, model=model, ask_usage=True)
    alone = outcome(splice)
    assert outcome(plain.peek, raw) == outcome(READ[protocol].peek, raw)
    assert outcome(splice) == alone
    assert json.loads(alone)["model"] == (json.loads(raw)["model"] if model is None else model)


@pytest.mark.parametrize("protocol", BOTH)
@pytest.mark.parametrize("last", [b"\xff", b"\\ud800", b"\\", b'"', b"NaN"])
def test_what_is_no_request_is_refused_as_it_is_in_general(protocol: ProtocolId, last: bytes) -> None:
    plain, general = PLAIN[protocol], READ[protocol]
    raw = b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"' + last + b'"}]}'
    for each in (raw, raw[:-1], raw + b"x", b"[]", b"", b'{"model":1}', b'{"model":"m","stream":"yes"}'):
        for before in (lambda: plain.splice(b"{}", model=None, ask_usage=False), lambda: None):
            before()
            assert outcome(plain.peek, each) == outcome(general.peek, each)
            assert outcome(plain.read_request, each) == outcome(general.read_request, each)


@pytest.mark.parametrize("protocol", BOTH)
@pytest.mark.parametrize("more", [{}, {"novel": 1}])
def test_a_long_request_is_read_as_it_is_in_general(protocol: ProtocolId, more: Json) -> None:
    plain, general = PLAIN[protocol], READ[protocol]
    said = [{"role": role, "content": "x" * 99} for role in ("user", "assistant") * 60]
    raw = json.dumps({"model": "m", "max_tokens": 9, "messages": said, **more}).encode()
    assert len(raw) > plain.LONGEST
    assert plain.peek(raw) == general.peek(raw)
    assert plain.read_request(raw) == general.read_request(raw)


@pytest.mark.parametrize("protocol", BOTH)
def test_as_many_messages_as_fit_have_a_path_each(protocol: ProtocolId) -> None:
    plain = PLAIN[protocol]
    head, said = b'{"model":"m","max_tokens":1,"messages":[', b'{"role":"user","content":"x"}'
    number = (plain.LONGEST - len(head) - 1) // (len(said) + 1)
    raw = head + b",".join([said] * number) + b"]}"
    assert plain.LONGEST - 40 < len(raw) <= plain.LONGEST
    assert plain.read_request(raw).turns[-1].path == f"messages[{number - 1}]"


# --- what is written for an upstream --------------------------------------------------------------------

cache, extras = CacheControl("5m"), Extras(CHAT, {"novel": b"1"})
parts = (
    st.builds(Text, words)
    | st.builds(Text, words)
    | st.sampled_from([Text("x", cache), Text("x", None, extras), ToolCall("c", "f", "{}")])
)
turns = st.builds(
    Turn,
    st.sampled_from([Role.USER, Role.ASSISTANT, Role.SYSTEM, Role.DEVELOPER]),
    st.tuples(parts) | st.tuples(parts) | st.lists(parts, max_size=3).map(tuple),
    st.just("messages[0]"),
    st.none() | st.none() | words,
    st.none() | st.none() | st.just(extras),
)
usual_turns = st.builds(Turn, st.sampled_from(list(Role)), st.tuples(st.builds(Text, words)), st.just("x"))
samplings = st.builds(Sampling, st.none() | numbers) | st.builds(
    Sampling, *[st.none() | st.just(value) for value in (0.5, 0.5, 1, 0.5, 0.5, 7, 1, True, 2, b"{}")]
)
requests = st.builds(
    Request,
    st.just("m"),
    (st.lists(usual_turns, min_size=1, max_size=4) | st.lists(turns, max_size=4)).map(tuple),
    max_tokens=st.none() | st.integers(1, 900_000),
    stop=st.sampled_from([(), (), ("x",)]),
    sampling=st.just(Sampling()) | samplings,
    verbosity=st.sampled_from([None, None, "low"]),
    service_tier=st.sampled_from([None, None, "auto"]),
    user=st.sampled_from([None, None, "u"]),
    metadata=st.sampled_from([None, None, {"a": "b"}]),
    stream=st.booleans(),
    extras=st.sampled_from([None, None, extras]),
    origin=st.sampled_from(BOTH),
)


@pytest.mark.parametrize("protocol", BOTH)
@settings(max_examples=400, deadline=None)
@given(request=requests, to=st.sampled_from(TARGETS))
def test_a_conversation_is_written_as_it_is_in_general(
    protocol: ProtocolId, request: Request, to: Target
) -> None:
    assert PLAIN[protocol].write_request(request, to) == WRITE[protocol].write_request(request, to)


USER, ASSISTANT = Turn(Role.USER, (Text("x"),), "a"), Turn(Role.ASSISTANT, (Text("y"),), "b")
SYSTEM = Turn(Role.SYSTEM, (Text("z"),), "c")
ORDERS = [
    (USER, ASSISTANT, USER),
    (SYSTEM, SYSTEM, USER),
    (SYSTEM,),
    (USER, ASSISTANT),
    (ASSISTANT, USER),
    (USER, USER),
    (USER, ASSISTANT, ASSISTANT, USER),
    (USER, SYSTEM, USER),
    (SYSTEM, ASSISTANT, USER),
]


@pytest.mark.parametrize("protocol", BOTH)
@pytest.mark.parametrize("order", ORDERS, ids=lambda order: "-".join(turn.role for turn in order))
@pytest.mark.parametrize("to", TARGETS, ids=lambda to: to.model)
def test_turns_in_any_order_are_written_as_they_are_in_general(
    protocol: ProtocolId, order: tuple[Turn, ...], to: Target
) -> None:
    request = Request("m", order, max_tokens=99, stream=True, origin=CHAT)
    assert PLAIN[protocol].write_request(request, to) == WRITE[protocol].write_request(request, to)


# --- answers --------------------------------------------------------------------------------------------

counts = st.sampled_from([0, 1, 300, 12_345_678])
usages = st.builds(Usage, counts) | st.builds(Usage, *[st.just(0) | counts for _ in range(9)])
responses = st.builds(
    Response,
    st.sampled_from(["", "msg_1", "chatcmpl-1", "chatcmpl-" + "x" * 300, "chatcmpl-a-b", "é"]),
    st.sampled_from(["m", 'a"b']),
    st.tuples(parts) | st.lists(parts, max_size=2).map(tuple),
    st.sampled_from([FinishReason.STOP, *FinishReason]),
    st.none() | st.none() | words,
    st.none() | usages,
    st.none() | counts,
    st.sampled_from([None, "default", "standard", "novel"]),
    st.none() | st.just(extras),
)


@pytest.mark.parametrize("protocol", BOTH)
@settings(max_examples=400, deadline=None)
@given(response=responses)
def test_an_answer_is_written_as_it_is_in_general(protocol: ProtocolId, response: Response) -> None:
    straight = ANSWER[protocol].write_response(response, context())
    assert straight == WRITE_ANSWER[protocol].write_response(response, context())


CHAT_ANSWER: Json = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_764_000_000,
    "model": "gpt-4o",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Héllo.", "refusal": None, "annotations": []},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}},
    "service_tier": "default",
    "system_fingerprint": "fp_1",
}
MESSAGES_ANSWER: Json = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [{"type": "text", "text": "Héllo.", "citations": None}, {"type": "text", "text": ""}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "container": None,
    "usage": {
        "input_tokens": 9,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 3},
        "cache_creation_input_tokens": 3,
        "output_tokens": 2,
        "inference_geo": "eu",
        "service_tier": "standard",
    },
}
ANSWERS = {CHAT: CHAT_ANSWER, MESSAGES: MESSAGES_ANSWER}
VALUES: list[Any] = [None, 0, -1, 2**60, 1.5, "", "x", "tool_calls", "length", [], [None], {}, True]
MEMORIES = [ReplyMemory(), ReplyMemory({"a": "b"}), ReplyMemory({}, "final_answer")]


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += places(item, (*path, key))
    return found


def changed(body: Json, path: tuple[str | int, ...], value: Any, *, remove: bool = False) -> Json:
    body = json.loads(json.dumps(body))
    holder: Any = body
    for step in path[:-1]:
        holder = holder[step]
    if remove:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return body


@pytest.mark.parametrize("memory", MEMORIES, ids=["plain", "renamed", "output tool"])
@pytest.mark.parametrize("protocol", BOTH)
def test_an_answer_is_read_as_it_is_in_general(protocol: ProtocolId, memory: ReplyMemory) -> None:
    body = ANSWERS[protocol]
    bodies = [body, {**body, "novel": 1}]
    for path in places(body):
        bodies.append(changed(body, path, None, remove=True))
        bodies += [changed(body, path, value) for value in VALUES]
    for each in bodies:
        for ascii_only in (True, False):
            raw = json.dumps(each, ensure_ascii=ascii_only).encode()
            straight = outcome(ANSWER[protocol].read_response, raw, memory, "issuer")
            assert straight == outcome(READ_ANSWER[protocol].read_response, raw, memory, "issuer"), each


@pytest.mark.parametrize("protocol", BOTH)
def test_an_answer_that_is_not_utf_8_is_none(protocol: ProtocolId) -> None:
    raw = json.dumps(ANSWERS[protocol], ensure_ascii=False).encode("latin-1")
    straight = outcome(ANSWER[protocol].read_response, raw, ReplyMemory(), "issuer")
    assert straight == outcome(READ_ANSWER[protocol].read_response, raw, ReplyMemory(), "issuer")
    assert straight[0] == "upstream.bad_response"


@pytest.mark.parametrize(
    "golden", [golden for golden in GOLDENS if golden.client in BOTH], ids=lambda golden: golden.name
)
def test_the_request_of_each_golden_exchange_is_read_as_it_is_in_general(golden: Golden) -> None:
    straight = PLAIN[golden.client].read_request(golden.request)
    assert straight == READ[golden.client].read_request(golden.request)


@pytest.mark.parametrize(
    "golden",
    [golden for golden in GOLDENS if golden.answers and golden.upstream in BOTH],
    ids=lambda golden: golden.name,
)
def test_the_answer_of_each_golden_exchange_is_read_as_it_is_in_general(golden: Golden) -> None:
    given = (golden.upstream_answer, golden.written.memory, golden.target.issuer)
    straight = outcome(ANSWER[golden.upstream].read_response, *given)
    assert straight == outcome(READ_ANSWER[golden.upstream].read_response, *given)
