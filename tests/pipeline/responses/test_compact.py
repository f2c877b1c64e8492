"""Compaction for upstreams that have none."""

from __future__ import annotations

import json

import pytest
from msgspec import Raw

from tokligence.errors import GatewayError
from tokligence.pipeline.responses.compact import ASK, compacted, request_body, unfolded
from tokligence.pipeline.responses.items import Item


def item(name: str, /, **fields: object) -> Item:
    return Item(name, json.dumps({"id": name, **fields}).encode())


USER = item("msg_1", type="message", role="user", content=[{"type": "input_text", "text": "build it"}])
CALL = item("fc_1", type="function_call", call_id="c", name="run", arguments="{}")
ANSWER = {
    "id": "resp_1",
    "created_at": 5,
    "usage": {"input_tokens": 9},
    "output": [
        {"type": "reasoning", "summary": []},
        {
            "type": "message",
            "content": [{"type": "output_text", "text": "It is built."}, {"type": "refusal"}],
        },
    ],
}


def test_the_question_for_a_summary_has_the_whole_conversation_and_nothing_to_call() -> None:
    body = json.loads(request_body({"model": Raw(b'"m"'), "tools": Raw(b"[1]")}, [USER, CALL]))
    assert [each.get("id") for each in body["input"]] == ["msg_1", "fc_1", None]
    assert body["input"][-1]["content"][0]["text"] == ASK
    assert (body["model"], body["store"], "tools" in body) == ("m", False, False)


def test_what_remains_is_the_users_messages_and_one_summary_that_any_model_can_read() -> None:
    done = json.loads(compacted(json.dumps(ANSWER).encode(), [USER, CALL], "cmp_1"))
    assert (done["object"], done["id"], done["usage"]) == (
        "response.compaction",
        "resp_1",
        {"input_tokens": 9},
    )
    user, compaction = done["output"]
    assert user == json.loads(USER.raw)
    assert "built" not in compaction["encrypted_content"]
    first, second = unfolded([USER, Item("cmp_1", json.dumps(compaction).encode())])
    assert first is USER
    assert json.loads(second.raw)["role"] == "user"
    assert json.loads(second.raw)["content"][0]["text"].endswith("It is built.")


def test_a_model_that_says_nothing_gives_no_compaction() -> None:
    with pytest.raises(GatewayError) as refused:
        compacted(json.dumps({**ANSWER, "output": []}).encode(), [USER], "cmp_1")
    assert refused.value.code == "upstream.bad_response"


def test_a_vendors_own_compaction_stays_and_a_spoilt_one_of_ours_is_refused() -> None:
    theirs = item("cmp_2", type="compaction", encrypted_content="gAAAA")
    word = item("msg_2", type="message", role="user", content='"compaction"', note="compaction")
    assert unfolded([theirs, word]) == (theirs, word)
    for content in ("tgw1.%%%", "tgw1.e30=", "tgw1.é"):
        with pytest.raises(GatewayError):
            unfolded([item("cmp_3", type="compaction", encrypted_content=content)])
