"""The matrix says what the codecs do: every field has a row, every row is proven, and docs/translation.md is made of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
import pytest
from anthropic.types.beta.message_create_params import MessageCreateParamsBase as MessagesParams
from msgspec import Struct
from openai.types.chat.completion_create_params import CompletionCreateParamsBase as ChatParams
from typing_extensions import get_type_hints

from tests.wire.cross.harness import CHAT, GEMINI, MESSAGES, OTHER, Exchange, Json, dumps, show, target
from tests.wire.cross.proof import (
    ANSWERS,
    NOT,
    PAIRS,
    REQUESTS,
    Pair,
    document,
    match,
    pattern,
    proof_of,
    proven,
    row_of,
    rows,
)
from tokligence.conversation import ProtocolId
from tokligence.wire.anthropic import types as messages_types
from tokligence.wire.contract import ReplyMemory
from tokligence.wire.gemini import types as gemini_types
from tokligence.wire.matrix import MATRIX, WORDS, Fate, Row, Section, raw_fields
from tokligence.wire.openai_chat import types as chat_types
from tokligence.wire.strict import EXTRAS_KEY, OpaqueWire

DOCUMENT = Path(__file__).parents[3] / "docs" / "translation.md"
EVERY = [
    ((source, target), section, row) for (source, target, section), found in MATRIX.items() for row in found
]
TO = {CHAT: target("claude-sonnet-4-5", "anthropic"), MESSAGES: target("gpt-4o", "openai")}
BEYOND = {CHAT: TO[MESSAGES], GEMINI: target("gemini-3.8-flash", "google")}
"""Whom a client of Messages asks in each protocol."""


def test_the_document_is_up_to_date(update_golden: bool) -> None:
    if update_golden:
        DOCUMENT.write_text(document(), "utf-8", newline="\n")
    assert DOCUMENT.read_text("utf-8") == document(), "write it anew: pytest tests/wire/cross --update-golden"


# --- every field has a row ------------------------------------------------------------------------------


def members(shape: Any) -> list[Any]:
    if get_origin(shape) in (Union, UnionType):
        return [each for arg in get_args(shape) for each in members(arg)]
    return members(get_args(shape)[0]) if get_origin(shape) is Annotated else [shape]


def declared(shape: type[Struct], above: tuple[type[Struct], ...] = ()) -> Iterator[list[tuple[str, str]]]:
    """The steps to every leaf that a codec declares."""
    for field in msgspec.structs.fields(shape):
        if field.encode_name == EXTRAS_KEY:
            continue
        for member in members(field.type):
            element = members(get_args(member)[0]) if get_origin(member) is list else [member]
            for each in element:
                if not (isinstance(each, type) and issubclass(each, Struct)):
                    if each is not type(None):
                        yield [(field.encode_name, "")]
                elif each is not OpaqueWire and each not in above:
                    tag = each.__struct_config__.tag
                    for rest in declared(each, (*above, each)):
                        yield [(field.encode_name, tag if isinstance(tag, str) else ""), *rest]


SHAPES = [
    (CHAT, REQUESTS, chat_types.ChatRequest),
    (MESSAGES, REQUESTS, messages_types.RequestWire),
    (MESSAGES, REQUESTS, messages_types.ToolWire),
    (CHAT, ANSWERS, chat_types.Completion),
    (MESSAGES, ANSWERS, messages_types.ResponseWire),
    (GEMINI, REQUESTS, gemini_types.RequestWire),
    (GEMINI, ANSWERS, gemini_types.ResponseWire),
]
DECLARED = [
    (pair, sections, shape) for pair in PAIRS for source, sections, shape in SHAPES if source is pair[0]
]
# Constants, numbers of elements, and what stands for whole messages in the rows of their roles.
RAW_TOOLS = [("tools", "")]  # of Anthropic: read one by one as `ToolWire`
PLAIN = ("index", "issuer", "type", "role", "mode", "content")


@pytest.mark.parametrize(
    ("pair", "sections", "shape"), DECLARED, ids=[f"{p[0]}-{p[1]}-{t.__name__}" for p, _, t in DECLARED]
)
def test_every_field_that_a_codec_declares_has_a_row(
    pair: Pair, sections: tuple[Section, ...], shape: type[Struct]
) -> None:
    known = rows(pair, sections)
    above = [("tools", "")] if shape is messages_types.ToolWire else []
    missing = {
        ".".join(f"{name}[{kind}]" if kind else name for name, kind in [*above, *steps])
        for steps in declared(shape)
        if row_of(known, [*above, *steps]) is None and steps[-1][0] not in PLAIN and steps != RAW_TOOLS
    }
    assert missing == set()


PARAMS: dict[ProtocolId, Any] = {CHAT: ChatParams, MESSAGES: MessagesParams}


@pytest.mark.parametrize(
    "pair", [pair for pair in PAIRS if pair[0] in PARAMS], ids=lambda pair: "-".join(pair)
)
def test_every_field_of_the_vendors_sdk_has_a_row(pair: Pair) -> None:
    known = [pattern(row.path)[1][0][0] for row in rows(pair, REQUESTS)]
    assert set(get_type_hints(PARAMS[pair[0]])) - set(known) <= {"betas"}  # a header


# --- every row is proven --------------------------------------------------------------------------------


def ask(source: ProtocolId, **fields: Any) -> Json:
    body: Json = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}
    return body | ({"max_tokens": 9} if source is MESSAGES else {})


CALL = {"type": "tool_use", "id": "a", "name": "f", "input": {}, "toolset_name": "t"}
RESULT = {"type": "tool_result", "tool_use_id": "a", "content": "ok"}


def with_system_message(**fields: Any) -> Json:
    said = [{"role": "user", "content": "hi"}, {"role": "system", "content": "be brief", **fields}]
    return ask(MESSAGES, messages=said)


def answered(**fields: Any) -> Json:
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn"}
    return {**head, "content": [], "usage": {"input_tokens": 1, "output_tokens": 1}, **fields}


OWN = ("billing_policy", "compaction", "fallback_credit_token", "fallbacks", "thread")
ASKED: dict[str, Json] = {name: ask(MESSAGES, **{name: {"a": 1}}) for name in OWN} | {
    "messages[].clear_at": with_system_message(clear_at="turn_end"),
    "messages[].output_config": with_system_message(output_config={"effort": "low"}),
    "….toolset_name": ask(
        MESSAGES, messages=[{"role": "assistant", "content": [CALL]}, {"role": "user", "content": [RESULT]}]
    ),
}
ANSWERED: dict[str, Json] = {
    **{name: answered(**{name: {"a": 1}}) for name in ("container", "context_management", "diagnostics")},
    "input_transformations": answered(input_transformations=[{"a": 1}]),
    "….caller": answered(content=[CALL | {"caller": {"type": "code"}}], stop_reason="tool_use"),
    "….toolset_name": answered(content=[CALL], stop_reason="tool_use"),
    "usage": answered(usage={"input_tokens": 1, "output_tokens": 1, "speed": "fast", "iterations": []}),
}


@pytest.mark.parametrize("path", ASKED)
@pytest.mark.parametrize("protocol", BEYOND)
def test_a_field_of_one_vendor_alone_is_lost_as_its_row_says(protocol: ProtocolId, path: str) -> None:
    row = next(row for row in rows((MESSAGES, protocol), REQUESTS) if row.path == path)
    written = Exchange(MESSAGES, BEYOND[protocol], protocol).write(dumps(ASKED[path]))
    name = path.split(".")[-1]
    assert [(loss.reason, loss.severity) for loss in written.losses if loss.path.endswith(name)] == list(
        row.losses
    )


@pytest.mark.parametrize("path", ANSWERED)
@pytest.mark.parametrize("client", BEYOND)
def test_a_field_of_anthropics_answers_alone_is_lost_as_its_row_says(client: ProtocolId, path: str) -> None:
    row = next(row for row in rows((MESSAGES, client), ANSWERS) if row.path == path)
    reply = Exchange(client, TO[CHAT], MESSAGES).reply(dumps(ANSWERED[path]), ReplyMemory())
    name = path.split(".")[-1]
    assert [(loss.reason, loss.severity) for loss in reply.losses if name in loss.path] == list(row.losses)


def by_property(pair: Pair, section: Section, row: Row) -> bool:
    return pair in ((MESSAGES, CHAT), (MESSAGES, GEMINI)) and row.path in (
        ASKED if section in REQUESTS else ANSWERED
    )


@pytest.mark.parametrize(
    ("pair", "section", "row"), EVERY, ids=[f"{p[0]}-{p[1]}-{t}-{r.path}" for p, t, r in EVERY]
)
def test_every_row_is_proven_by_a_golden_or_a_property(pair: Pair, section: Section, row: Row) -> None:
    proof = proof_of(pair, section, row)
    if section is not Section.STREAM and not by_property(pair, section, row):
        assert set(proof.losses) >= set(row.losses), "a loss that no golden has"
    assert proof.goldens or by_property(pair, section, row)


def test_every_loss_of_a_golden_is_foreseen_by_a_row() -> None:
    assert proven()[1] == []


def test_a_lost_row_says_what_is_recorded_and_a_kept_one_where_it_stands() -> None:
    for _, _, row in EVERY:
        assert row.losses if row.fate is Fate.LOST else (row.target or row.how), row
        assert not (row.fate is Fate.LOST and row.target), row
        assert row.fate is not Fate.KEPT or row.target, row


def test_no_row_is_there_twice() -> None:
    for key, found in MATRIX.items():
        paths = [row.path for row in found]
        assert len(set(paths)) == len(paths), key


def test_fields_kept_as_they_are_have_rows_of_their_own() -> None:
    for name in raw_fields(messages_types.RequestWire):
        assert any(match(row, [(name, "")]) > NOT for row in rows((MESSAGES, CHAT), REQUESTS))


# --- words ----------------------------------------------------------------------------------------------

WORD_ROWS = [
    (source, what, row)
    for (source, target, what), found in WORDS.items()
    if OTHER.get(source) is target
    for row in found
]


def chat_answer(**fields: Any) -> Json:
    message: Json = {"role": "assistant", "content": "x"}
    if fields.get("finish_reason") in ("tool_calls", "function_call", "tool_use"):
        message["tool_calls"] = [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        ]
    choice = {"index": 0, "message": message, "finish_reason": fields.pop("finish_reason", "stop")}
    return {"id": "c", "created": 1, "model": "m", "choices": [choice], **fields}


def becomes(source: ProtocolId, what: str, word: str) -> tuple[Any, list[str]]:
    """What stands in place of a word on the other side, and the losses."""
    if what in ("Service tier asked for", "Reasoning effort"):
        field = "service_tier" if what.startswith("Service") else "reasoning_effort"
        unclamped = target("claude-next", "anthropic") if field == "reasoning_effort" else TO[source]
        written = Exchange(source, unclamped).write(dumps(ask(source, **{field: word})))
        body = json.loads(written.body)
        budget = body.get("thinking", {}).get("budget_tokens")
        said = body.get("service_tier") if field == "service_tier" else f"{budget:,} tokens"
        return said, show(written.losses)
    usage = {"input_tokens": 1, "output_tokens": 1}
    chat, far = source is CHAT, {"Finish reasons": "finish_reason", "Stop reasons": "stop_reason"}.get(what)
    answer = (
        chat_answer(**{far or "service_tier": word})
        if chat
        else answered(**({far: word} if far else {"usage": {**usage, "service_tier": word}}))
    )
    reply = Exchange(OTHER[source], TO[OTHER[source]]).reply(dumps(answer), ReplyMemory())
    body = json.loads(reply.body)
    if chat:
        return (body["stop_reason"] if far else body["usage"].get("service_tier")), show(reply.losses)
    return (body["choices"][0]["finish_reason"] if far else body.get("service_tier")), show(reply.losses)


@pytest.mark.parametrize(
    ("source", "what", "row"),
    WORD_ROWS,
    ids=[f"{source}-{what}-{row.path}" for source, what, row in WORD_ROWS],
)
def test_every_word_becomes_what_its_row_says(source: ProtocolId, what: str, row: Row) -> None:
    said, losses = becomes(source, what, row.path)
    assert (said or "") == row.target
    assert [loss.split(" ", 1)[1] for loss in losses] == [
        f"{reason} {severity}" for reason, severity in row.losses
    ]
