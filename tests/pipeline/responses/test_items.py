"""Items of the Responses protocol as raw JSON."""

from __future__ import annotations

import json
from itertools import count

import pytest

from tokligence.errors import GatewayError
from tokligence.pipeline.responses.items import Item, Page, array, items_of, output_items, page_of, resolved

COUNTER = count(1)


def ids(prefix: str) -> str:
    return f"{prefix}{next(COUNTER)}"


def named(*names: str) -> tuple[Item, ...]:
    return tuple(Item(name, json.dumps({"id": name}).encode()) for name in names)


def test_a_string_is_one_user_message_with_a_list_of_parts() -> None:
    (item,) = items_of(b'"hello \\u00e9"', "input", ids)
    said = json.loads(item.raw)
    assert said.pop("id") == item.id and item.id.startswith("msg_")
    assert said == {
        "type": "message",
        "role": "user",
        "status": "completed",
        "content": [{"type": "input_text", "text": "hello é"}],
    }


def test_an_assistants_text_becomes_output_text() -> None:
    (item,) = items_of(b'[{"role":"assistant","content":"yes"}]', "input", ids)
    assert json.loads(item.raw)["content"] == [{"type": "output_text", "text": "yes", "annotations": []}]


@pytest.mark.parametrize(
    ("kind", "prefix"),
    [("function_call_output", "fco_"), ("reasoning", "rs_"), ("custom_tool_call", "ctc_"), ("new", "item_")],
)
def test_an_item_without_an_id_gets_one_of_its_kind(kind: str, prefix: str) -> None:
    (item,) = items_of(json.dumps([{"type": kind, "x": [1.50, {"y": None}]}]).encode(), "input", ids)
    assert item.id.startswith(prefix)
    assert json.loads(item.raw)["x"] == [1.5, {"y": None}]


def test_an_items_own_id_stays() -> None:
    (item,) = items_of(b'[{"type":"message","id":"msg_mine","role":"user","content":[]}]', "input", ids)
    assert item.id == "msg_mine"


@pytest.mark.parametrize("raw", [b"5", b'["x"]', b'{"role":"user"}', b"[{]", b'"\xff"'])
def test_what_is_no_input_is_refused(raw: bytes) -> None:
    with pytest.raises(GatewayError) as refused:
        items_of(raw, "input", ids)
    assert refused.value.code == "request.invalid_field"


def test_the_output_of_an_answer_is_items() -> None:
    response = json.dumps({"output": [{"id": "msg_1", "type": "message"}, {"id": "fc_2"}]}).encode()
    assert [item.id for item in output_items(response)] == ["msg_1", "fc_2"]


def test_a_page_begins_after_the_item_that_the_client_has() -> None:
    items = named("a", "b", "c", "d")
    newest = json.loads(page_of(items, Page(limit=2)))
    assert [item["id"] for item in newest["data"]] == ["d", "c"]
    assert (newest["first_id"], newest["last_id"], newest["has_more"]) == ("d", "c", True)
    rest = json.loads(page_of(items, Page(limit=2, after="c")))
    assert [item["id"] for item in rest["data"]] == ["b", "a"] and rest["has_more"] is False
    oldest = json.loads(page_of(items, Page(limit=1, order="asc")))
    assert [item["id"] for item in oldest["data"]] == ["a"]


def test_an_empty_page_has_empty_ids_and_an_unknown_after_is_refused() -> None:
    assert json.loads(page_of((), Page()))["first_id"] == ""
    with pytest.raises(GatewayError):
        page_of(named("a"), Page(after="z"))


def test_a_reference_is_replaced_by_what_it_names() -> None:
    given = items_of(b'[{"type":"item_reference","id":"msg_1"},{"role":"user","content":"go"}]', "input", ids)
    known = Item("msg_1", b'{"id":"msg_1","type":"message"}')
    found = resolved(given, {"msg_1": known}.get)
    assert found[0] == known
    assert array(found).startswith(b'[{"id":"msg_1"')
    with pytest.raises(GatewayError):
        resolved(given, lambda _: None)
