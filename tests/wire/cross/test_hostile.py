"""Requests and answers that are wrong in any way: they are read or refused by name, and nothing else happens."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.cross.harness import CHAT, GEMINI, GOLDENS, MESSAGES, Golden, Json, dumps
from tests.wire.cross.leaves import Path
from tokligence.conversation import ProtocolId
from tokligence.errors import GatewayError
from tokligence.wire.registry import CODECS

WRONG: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**70,
    1.5,
    1e308,
    "",
    " ",
    "\ud800",
    "x" * 300,
    [],
    [None],
    [[]],
    {},
    {"type": "text"},
    {"type": None},
    {"role": "user"},
    [{"type": "text", "text": 5}],
    {"type": "function", "function": {}},
    {"__tgw_extras__": {}, "type": "__tgw_opaque__", "raw": "{"},
)
EACH = [golden for golden in GOLDENS if "-error-" not in golden.name]


def nodes(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of everything below the top."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from nodes(item, (*path, key))


def put(body: Json, path: Path, value: Any) -> Json:
    changed = copy.deepcopy(body)
    holder: Any = changed
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return changed


def refuses_by_name(golden: Golden, raw: bytes) -> None:
    try:
        golden.exchange.write(raw)
    except GatewayError as error:
        assert error.code.startswith("request."), raw
        assert error.status == 400
        assert error.text


@pytest.mark.parametrize("golden", EACH[::3], ids=lambda golden: golden.name)
def test_any_value_in_any_place_of_a_request_is_read_or_refused_by_name(golden: Golden) -> None:
    body = golden.data["request"]
    for number, path in enumerate(nodes(body)):
        for wrong in WRONG[number % 3 :: 3]:
            refuses_by_name(golden, json.dumps(put(body, path, wrong)).encode())


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(GOLDENS), st.data())
def test_a_request_with_changed_bytes_is_read_or_refused_by_name(golden: Golden, data: st.DataObject) -> None:
    raw = bytearray(golden.request)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=2))
    refuses_by_name(golden, bytes(raw))


BAD = {
    "empty": b"",
    "blank": b"  \n",
    "array": b"[]",
    "text": b'"x"',
    "null": b"null",
    "cut": b'{"model":"m","messages":[{"role":"user","content":"h',
    "twice": b'{"model":"m","messages":[]} {}',
    "byte order mark": b'\xef\xbb\xbf{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":1}',
    "NaN": b'{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":1,"temperature":NaN}',
    "infinite": b'{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":1,"x":1e999}',
    "huge integer": b'{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":'
    + b"9" * 5_000
    + b"}",
    "no UTF-8": b'{"model":"m","messages":[{"role":"user","content":"\xff"}],"max_tokens":1}',
    "no UTF-8 where it stays raw": (
        b'{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":1,"x":"\xff"}'
    ),
    "no UTF-8 in a schema": (
        b'{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":1,"logit_bias":{"\xff":1},'
        b'"tools":[{"type":"function","function":{"name":"f","parameters":{"\xff":1}},'
        b'"name":"f","input_schema":{"\xff":1}}]}'
    ),
    "no model": b'{"messages":[{"role":"user","content":"hi"}],"max_tokens":1}',
    "no messages": b'{"model":"m","max_tokens":1}',
    "no role": b'{"model":"m","max_tokens":1,"messages":[{"content":"hi"}]}',
    "strange role": b'{"model":"m","max_tokens":1,"messages":[{"role":"ghost","content":"hi"}]}',
    "no type": b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"text":"hi"}]}]}',
    "number for text": b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":5}]}',
}


@pytest.mark.parametrize("protocol", [CHAT, MESSAGES])
@pytest.mark.parametrize("what", BAD)
def test_a_bad_request_is_refused_by_name(protocol: ProtocolId, what: str) -> None:
    with pytest.raises(GatewayError) as refused:
        CODECS[protocol].read_request(BAD[what])
    assert refused.value.code.startswith("request.")


@pytest.mark.parametrize(
    ("protocol", "tool"),
    [
        (CHAT, b'{"type":"function","function":{"name":"f","parameters":{"\xff":1}}}'),
        (MESSAGES, b'{"name":"f","input_schema":{"\xff":1}}'),
    ],
)
def test_a_schema_that_is_not_utf8_is_refused_by_name(protocol: ProtocolId, tool: bytes) -> None:
    """It stays as it came, so nothing else looks into it."""
    head = b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"hi"}],"tools":['
    with pytest.raises(GatewayError) as refused:
        CODECS[protocol].read_request(head + tool + b"]}")
    assert refused.value.code == "request.invalid_json"


DEPTHS = (10, 200, 500, 900, 1_100, 3_000, 100_000)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("golden", EACH[::20], ids=lambda golden: golden.name)
def test_deep_nesting_anywhere_is_read_or_refused_by_name(golden: Golden, depth: int) -> None:
    body = golden.data["request"]
    deep = {b"[": b"[" * depth + b"]" * depth, b"{": b'{"a":' * depth + b"1" + b"}" * depth}
    said = "contents" if golden.client is GEMINI else "messages"
    novel: list[Path] = [("novel",), ("tools",), ("metadata",)]
    novel += [(said, 0, "novel")] if isinstance(body[said], list) else []
    for path in [*nodes(body), *novel]:
        raw = json.dumps(put(body, path, "@DEEP@")).encode()
        for nest in deep.values():
            refuses_by_name(golden, raw.replace(b'"@DEEP@"', nest))


ABOUT_THE_LIMIT = range(900, 1_010)
"""Of the interpreter's recursion, less what the test itself has taken."""


@pytest.mark.parametrize("name", ["chat-unknown-part", "messages-results", "chat-tools-strict"])
def test_nesting_just_about_the_limit_is_read_or_refused_by_name(name: str) -> None:
    golden = next(golden for golden in GOLDENS if golden.name == name)
    body = golden.data["request"]
    for path in nodes(body):
        if path[-1] in ("type", "input_schema", "parameters", "hologram"):
            raw = json.dumps(put(body, path, "@DEEP@")).encode()
            for depth in ABOUT_THE_LIMIT:
                refuses_by_name(golden, raw.replace(b'"@DEEP@"', b'{"a":' * depth + b"1" + b"}" * depth))


@pytest.mark.parametrize("depth", DEPTHS)
def test_deep_schemas_are_read_or_refused_by_name(depth: int) -> None:
    schema = b'{"type":"object","properties":{"a":' * depth + b"{}" + b"}}" * depth
    chat = next(golden for golden in GOLDENS if golden.name == "chat-tools-strict")
    messages = next(golden for golden in GOLDENS if golden.name == "messages-tools-strict")
    formats = [
        next(g for g in GOLDENS if g.name == name)
        for name in ("chat-output-schema-narrowed", "messages-output-schema")
    ]
    places = [
        (chat, ("tools", 0, "function", "parameters")),
        (messages, ("tools", 0, "input_schema")),
        (formats[0], ("response_format", "json_schema", "schema")),
        (formats[1], ("output_config", "format", "schema")),
    ]
    for golden, path in places:
        raw = json.dumps(put(golden.data["request"], path, "@DEEP@")).encode()
        refuses_by_name(golden, raw.replace(b'"@DEEP@"', schema))


ANSWERING = [golden for golden in GOLDENS if golden.answers]


@pytest.mark.parametrize("golden", ANSWERING[::4], ids=lambda golden: golden.name)
def test_any_value_in_any_place_of_an_answer_is_read_or_refused_by_name(golden: Golden) -> None:
    body = golden.data["upstream_answer"]
    for number, path in enumerate(nodes(body)):
        for wrong in WRONG[number % 3 :: 3]:
            try:
                golden.exchange.reply(json.dumps(put(body, path, wrong)).encode(), golden.written.memory)
            except GatewayError as error:
                assert error.code in ("upstream.bad_response", "upstream.error")


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("golden", ANSWERING[::20], ids=lambda golden: golden.name)
def test_deep_nesting_in_an_answer_is_read_or_refused_by_name(golden: Golden, depth: int) -> None:
    body = golden.data["upstream_answer"]
    for path in [*nodes(body), ("novel",)]:
        raw = json.dumps(put(body, path, "@DEEP@")).encode().replace(b'"@DEEP@"', b"[" * depth + b"]" * depth)
        try:
            golden.exchange.reply(raw, golden.written.memory)
        except GatewayError as error:
            assert error.code in ("upstream.bad_response", "upstream.error")


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 529])
@pytest.mark.parametrize("protocol", [CHAT, MESSAGES, GEMINI])
@settings(max_examples=25, deadline=None)
@given(
    raw=st.binary(max_size=60)
    | st.recursive(
        st.none() | st.text(max_size=5),
        lambda v: st.dictionaries(st.sampled_from(["error", "message", "type", "code", "detail"]), v),
    ).map(dumps)
)
def test_any_body_of_an_error_is_read(protocol: ProtocolId, status: int, raw: bytes) -> None:
    error = CODECS[protocol].read_error(status, raw)
    assert error.status == status
    assert error.message
