"""Conversation -> Messages request. Every body written here is also checked by the strict fake upstream's rules."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from msgspec.structs import replace

from tests.wire.anthropic.given import (
    ANTHROPIC,
    CARD,
    CHAT,
    assistant,
    chat_extras,
    losses,
    request,
    system,
    user,
    write,
)
from tokligence.conversation import (
    Audio,
    Base64Source,
    CacheControl,
    ContentSource,
    Document,
    Extras,
    FileSource,
    Image,
    Opaque,
    Part,
    RedactedThinking,
    Refusal,
    Role,
    Sampling,
    Text,
    TextSource,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    UrlSource,
)
from tokligence.wire.anthropic import CODEC
from tokligence.wire.contract import Target

PNG = Base64Source("image/png", "aGk=")
SIGNED = Thinking("hm", "sig", "anthropic")
NEW = replace(CARD, mid_system=True)


def messages(*turns: Turn, **fields: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = write(request(*turns, **fields))[0]["messages"]
    return found


def content(*parts: Part) -> tuple[list[dict[str, Any]], list[str]]:
    """The blocks of a user turn and the losses."""
    body, lost, _ = write(request(user(*parts)))
    return body["messages"][0]["content"], losses(lost)


def text(content: str) -> dict[str, Any]:
    return {"type": "text", "text": content}


def test_a_plain_request() -> None:
    body, lost, written = write(request(system("s"), user("hi"), max_tokens=100, stream=True))
    assert body == {
        "model": "claude-sonnet-4-5",
        "max_tokens": 100,
        "system": [text("s")],
        "messages": [{"role": "user", "content": [text("hi")]}],
        "stream": True,
    }
    assert (lost, written.memory.renames, written.memory.output_tool) == ([], {}, None)


# --- system turns ---------------------------------------------------------------------------------------


def test_leading_system_and_developer_turns_become_system_blocks_in_order() -> None:
    developer = Turn(Role.DEVELOPER, (Text("b"),), "messages[1]")
    body, lost, _ = write(request(system("a"), developer, user("hi")))
    assert body["system"] == [text("a"), text("b")]
    assert lost == []


def test_a_system_turn_in_the_middle_is_said_by_the_user() -> None:
    turns = (user("a"), assistant("b"), system("c", path="messages[2]"), user("d"))
    body, lost, _ = write(request(*turns))
    assert body["messages"][2]["content"] == [text("<system>"), text("c"), text("</system>"), text("d")]
    assert losses(lost) == ["messages[2] converted cosmetic"]


def test_a_model_that_takes_it_gets_the_system_turn_in_its_place() -> None:
    turns = (user("a"), system("b", path="messages[1]"), assistant("c"))
    written = CODEC.write_request(request(*turns), Target("claude-opus-5", NEW, "anthropic"))
    assert [each["role"] for each in json.loads(written.body)["messages"]] == ["user", "system", "assistant"]
    assert written.losses == ()


def test_after_an_assistant_even_such_a_model_hears_it_from_the_user() -> None:
    turns = (user("a"), assistant("b"), system("c", path="messages[2]"), user("d"))
    body, lost, _ = write(request(*turns), NEW)
    assert [each["role"] for each in body["messages"]] == ["user", "assistant", "user"]
    assert losses(lost) == ["messages[2] converted cosmetic"]


def test_an_empty_system_turn_in_the_middle_is_nothing() -> None:
    body, lost, _ = write(request(user("a"), system(""), user("b")))
    assert body["messages"] == [{"role": "user", "content": [text("a"), text("b")]}]
    assert lost == []


def test_a_conversation_of_system_turns_alone_becomes_a_user_message() -> None:
    body, lost, _ = write(request(system("do it")))
    assert body["messages"] == [{"role": "user", "content": [text("do it")]}]
    assert "system" not in body
    assert losses(lost) == ["messages[0] converted cosmetic"]


# --- turns ----------------------------------------------------------------------------------------------


def test_turns_of_one_role_are_merged() -> None:
    assert messages(user("a"), user("b"), assistant("c"), assistant("d"), user("e")) == [
        {"role": "user", "content": [text("a"), text("b")]},
        {"role": "assistant", "content": [text("c"), text("d")]},
        {"role": "user", "content": [text("e")]},
    ]


def test_empty_texts_are_nothing_and_blank_ones_are_recorded() -> None:
    body, lost, _ = write(request(user("", "a"), assistant(""), user("b", " \n", path="messages[2]")))
    assert body["messages"] == [{"role": "user", "content": [text("a"), text("b")]}]
    assert losses(lost) == ["messages[2] dropped_empty cosmetic"]


def test_a_blank_text_loses_its_breakpoint_too() -> None:
    body, _, _ = write(request(user(Text(" ", CacheControl()), "a")))
    assert body["messages"][0]["content"] == [text("a")]


def test_the_last_assistant_text_ends_without_white_space() -> None:
    assert messages(user("a"), assistant("The answer is \n"))[-1]["content"] == [text("The answer is")]


def test_a_last_assistant_turn_of_white_space_is_dropped() -> None:
    assert [each["role"] for each in messages(user("a"), assistant(" \n"))] == ["user"]


def test_a_history_that_the_assistant_begins_gets_a_user_first() -> None:
    body, lost, _ = write(request(assistant("hello", path="messages[0]"), user("hi")))
    assert [each["role"] for each in body["messages"]] == ["user", "assistant", "user"]
    assert losses(lost) == ["messages[0] repaired cosmetic"]


def test_names_and_fields_of_messages_are_recorded() -> None:
    named = Turn(Role.USER, (Text("a"),), "messages[0]", "ada", chat_extras(novel=b"1"))
    own = Turn(Role.USER, (Text("a"),), "messages[1]", extras=Extras(ANTHROPIC, {"clear_at": b'"never"'}))
    _, lost, _ = write(request(named, own))
    assert losses(lost) == [
        "messages[0].name unsupported cosmetic",
        "messages[0].novel unknown_field semantic",
        "messages[1].clear_at unsupported semantic",
    ]


# --- tool calls and results -----------------------------------------------------------------------------


def test_calls_and_results_are_paired_and_in_the_vendors_form() -> None:
    body, lost, written = write(
        request(
            user("q"),
            assistant(ToolCall("functions.f:0", "my.tool", '{"a": 1}')),
            user(ToolResult("functions.f:0", (Text("r"),), is_error=True)),
            tools=(Tool("my.tool", "tools[0]"),),
        )
    )
    call = body["messages"][1]["content"][0]
    result = body["messages"][2]["content"][0]
    assert call["input"] == {"a": 1}
    assert call["name"] == body["tools"][0]["name"]
    assert written.memory.renames == {call["name"]: "my.tool"}
    assert result == {
        "type": "tool_result",
        "tool_use_id": call["id"],
        "content": [text("r")],
        "is_error": True,
    }
    assert lost == []


def test_what_pairing_repairs_is_recorded() -> None:
    _, lost, _ = write(
        request(user("q"), assistant(ToolCall("a", "f", "{}")), tools=(Tool("f", "tools[0]"),))
    )
    assert losses(lost) == ["messages[1] repaired semantic"]


@pytest.mark.parametrize("arguments", ["", " "])
def test_no_arguments_are_an_empty_object(arguments: str) -> None:
    turns = (user("q"), assistant(ToolCall("a", "f", arguments)), user(ToolResult("a", ())))
    sent = messages(*turns, tools=(Tool("f", "tools[0]"),))
    assert sent[1]["content"][0]["input"] == {}
    assert sent[2]["content"] == [{"type": "tool_result", "tool_use_id": "a"}]


@pytest.mark.parametrize("arguments", ['{"a": ', "[1]", '"x"', "[" * 100_000])
def test_arguments_that_are_no_object_are_wrapped(arguments: str) -> None:
    turns = (user("q"), assistant(ToolCall("a", "f", arguments)), user(ToolResult("a", (Text("bad"),))))
    body, lost, _ = write(request(*turns, tools=(Tool("f", "tools[0]"),)))
    assert body["messages"][1]["content"][0]["input"] == {"invalid_json": arguments}
    assert losses(lost) == ["messages[1].content[0] repaired cosmetic"]


def test_arguments_go_on_as_they_were_written() -> None:
    arguments = '{"big":12345678901234567890,"float":1.0,"text":"\\u00e9"}'
    asked = request(user("q"), assistant(ToolCall("a", "f", arguments)), user(ToolResult("a", (Text("r"),))))
    assert arguments.encode() in CODEC.write_request(asked, Target("m", CARD, "anthropic")).body


def test_a_call_said_by_the_user_is_dropped_with_a_loss() -> None:
    blocks, lost = content(ToolCall("a", "f", "{}"), Text("x"))
    assert blocks == [text("x")]
    assert "messages[0].content[0] unsupported semantic" in lost


def test_results_hold_images_and_lose_what_they_cannot() -> None:
    turns = (
        user("q"),
        assistant(ToolCall("a", "f", "{}")),
        user(ToolResult("a", (Text(""), Image(PNG), Audio("aGk=", "wav"))), path="messages[2]"),
    )
    body, lost, _ = write(request(*turns, tools=(Tool("f", "tools[0]"),)))
    assert [block["type"] for block in body["messages"][2]["content"][0]["content"]] == ["image", "text"]
    assert losses(lost) == ["messages[2].content[0].content[2] unsupported semantic"]


# --- thinking in the history ----------------------------------------------------------------------------


def test_signed_thinking_goes_back_to_its_issuer() -> None:
    redacted = RedactedThinking("enc", "anthropic", Extras(ANTHROPIC, {}))
    sent = messages(user("q"), assistant(SIGNED, redacted, "a"), user("b"))
    assert sent[1]["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "enc"},
        text("a"),
    ]


@pytest.mark.parametrize(
    "part",
    [
        Thinking("hm", "sig", "other"),
        Thinking("hm"),
        RedactedThinking("x", "other"),
        RedactedThinking("", "anthropic"),
    ],
)
def test_foreign_or_unsigned_thinking_does_not(part: Part) -> None:
    body, lost, _ = write(request(user("q"), assistant(part, "a"), user("b")))
    assert body["messages"][1]["content"] == [text("a")]
    assert losses(lost) == ["messages[1].content[0] foreign_signature cosmetic"]


def test_thinking_said_by_a_user_is_dropped() -> None:
    assert content(SIGNED, Text("x")) == ([text("x")], ["messages[0].content[0] foreign_signature cosmetic"])


# --- media ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "wire"),
    [
        (PNG, {"type": "base64", "media_type": "image/png", "data": "aGk="}),
        (UrlSource("https://x/y.png"), {"type": "url", "url": "https://x/y.png"}),
        (FileSource("file_1", ANTHROPIC), {"type": "file", "file_id": "file_1"}),
    ],
)
def test_images_are_written_from_every_source(source: Any, wire: dict[str, str]) -> None:
    assert content(Image(source, detail="auto")) == ([{"type": "image", "source": wire}], [])


@pytest.mark.parametrize(
    "source", [UrlSource("http://x/y.png"), FileSource("f", CHAT), Base64Source("image/tiff", "aGk=")]
)
def test_an_image_that_the_vendor_does_not_take_leaves_a_placeholder(source: Any) -> None:
    assert content(Image(source)) == (
        [text("[image omitted]")],
        ["messages[0].content[0] unsupported semantic"],
    )


def test_an_image_for_a_blind_model_leaves_a_placeholder() -> None:
    body, lost, _ = write(request(user(Image(PNG))), replace(CARD, images=False))
    assert body["messages"][0]["content"] == [text("[image omitted]")]
    assert losses(lost) == ["messages[0].content[0] model_capability semantic"]


def test_an_images_detail_is_recorded() -> None:
    assert content(Image(PNG, detail="high"))[1] == ["messages[0].content[0].detail unsupported cosmetic"]


def test_images_and_documents_of_an_assistant_leave_placeholders() -> None:
    sent = messages(user("q"), assistant(Image(PNG), Document(TextSource("x"))), user("b"))
    assert sent[1]["content"] == [text("[image omitted]"), text("[document omitted]")]


@pytest.mark.parametrize(
    ("source", "wire"),
    [
        (TextSource("abc"), {"type": "text", "media_type": "text/plain", "data": "abc"}),
        (ContentSource((Text("a"),)), {"type": "content", "content": [text("a")]}),
        (
            Base64Source("application/pdf", "aGk="),
            {"type": "base64", "media_type": "application/pdf", "data": "aGk="},
        ),
        (
            Base64Source("text/csv", base64.b64encode(b"a,b").decode()),
            {"type": "text", "media_type": "text/plain", "data": "a,b"},
        ),
        (UrlSource("https://x/y.pdf"), {"type": "url", "url": "https://x/y.pdf"}),
        (FileSource("f", ANTHROPIC), {"type": "file", "file_id": "f"}),
    ],
)
def test_documents_are_written_from_every_source(source: Any, wire: dict[str, Any]) -> None:
    assert content(Document(source, "T", "C", True)) == (
        [{"type": "document", "source": wire, "title": "T", "context": "C", "citations": {"enabled": True}}],
        [],
    )


@pytest.mark.parametrize(
    "source",
    [
        Base64Source("application/zip", "aGk="),
        Base64Source("text/csv", "!"),
        Base64Source("text/csv", "/w=="),
    ],
)
def test_a_document_that_the_vendor_does_not_take_leaves_a_placeholder(source: Any) -> None:
    assert content(Document(source)) == (
        [text("[document omitted]")],
        ["messages[0].content[0] unsupported semantic"],
    )


def test_audio_and_refusals_become_text() -> None:
    assert content(Audio("aGk=", "wav"))[0] == [text("[audio omitted]")]
    body, lost, _ = write(request(user("q"), assistant(Refusal("no")), user("b")))
    assert body["messages"][1]["content"] == [text("no")]
    assert losses(lost) == ["messages[1].content[0] converted cosmetic"]


def test_blocks_of_the_vendors_own_go_back_and_others_are_lost() -> None:
    own = Opaque(
        ANTHROPIC, "search_result", b'{"type":"search_result","source":"s","title":"t","content":[]}'
    )
    blocks, lost = content(own, Opaque(CHAT, "input_file", b"{}"))
    assert blocks == [{"type": "search_result", "source": "s", "title": "t", "content": []}]
    assert lost == ["messages[0].content[1] unknown_part semantic"]


def test_fields_of_parts_go_back_to_their_protocol_only() -> None:
    own = Extras(ANTHROPIC, {"transformations": b'{"oversized_image":"error"}'})
    blocks, lost = content(Image(PNG, extras=own), Text("x", extras=chat_extras(novel=b"1", store=b"true")))
    assert blocks[0]["transformations"] == {"oversized_image": "error"}
    assert lost == [
        "messages[0].content[1].novel unknown_field semantic",
        "messages[0].content[1].store unsupported cosmetic",
    ]


# --- cache ----------------------------------------------------------------------------------------------


def test_breakpoints_are_kept_on_every_element() -> None:
    mark = CacheControl("1h")
    body, lost, _ = write(
        request(
            system(Text("s", mark)),
            user(Image(PNG, cache=mark)),
            assistant(Text("a", mark)),
            user("b"),
            tools=(Tool("f", "tools[0]", cache=mark),),
        )
    )
    wire = {"type": "ephemeral", "ttl": "1h"}
    assert body["tools"][0]["cache_control"] == body["system"][0]["cache_control"] == wire
    assert body["messages"][0]["content"][0]["cache_control"] == wire
    assert body["messages"][1]["content"][0]["cache_control"] == wire
    assert lost == []


def test_of_more_than_four_breakpoints_the_last_four_stay() -> None:
    body, lost, _ = write(
        request(*[user(Text(str(i), CacheControl()), path=f"messages[{i}]") for i in range(6)])
    )
    marked = [block["text"] for block in body["messages"][0]["content"] if "cache_control" in block]
    assert marked == ["2", "3", "4", "5"]
    assert losses(lost) == [
        "messages[0].content[0].cache_control clamped cosmetic",
        "messages[1].content[0].cache_control clamped cosmetic",
    ]


def test_a_results_own_breakpoint_covers_those_within() -> None:
    inner = Text("r", CacheControl("1h"))
    turns = (
        user("q"),
        assistant(ToolCall("a", "f", "{}")),
        user(ToolResult("a", (inner,), cache=CacheControl())),
    )
    body, lost, _ = write(request(*turns, tools=(Tool("f", "tools[0]"),)))
    result = body["messages"][2]["content"][0]
    assert result["cache_control"] == {"type": "ephemeral"}
    assert result["content"] == [text("r")]
    assert losses(lost) == ["messages[0].content[0].cache_control clamped cosmetic"]


def test_a_lifetime_that_is_unknown_or_out_of_order_is_the_default() -> None:
    turns = [
        user(Text("a", CacheControl("2d"))),
        user(Text("b", CacheControl("1h"))),
        user(Text("c", CacheControl("5m"))),
    ]
    body, lost, _ = write(request(*turns))
    assert [block["cache_control"] for block in body["messages"][0]["content"]] == [
        {"type": "ephemeral"},
        {"type": "ephemeral"},
        {"type": "ephemeral", "ttl": "5m"},
    ]
    assert losses(lost) == ["messages[0].content[0].cache_control.ttl clamped cosmetic"] * 2


# --- the rest -------------------------------------------------------------------------------------------


def test_a_document_may_have_nothing_but_its_source() -> None:
    source = {"type": "url", "url": "https://x/y.pdf"}
    assert content(Document(UrlSource("https://x/y.pdf"))) == ([{"type": "document", "source": source}], [])


def test_blank_stop_sequences_are_dropped() -> None:
    assert write(request(stop=("END", "STOP")))[0]["stop_sequences"] == ["END", "STOP"]
    body, lost, _ = write(request(stop=("END", "\n")))
    assert body["stop_sequences"] == ["END"]
    assert losses(lost) == ["stop unsupported semantic"]
    assert "stop_sequences" not in write(request(stop=("",)))[0]


def test_a_model_without_stop_sequences_gets_none() -> None:
    body, lost, _ = write(request(stop=("END",)), replace(CARD, stop=False))
    assert "stop_sequences" not in body
    assert losses(lost) == ["stop model_capability semantic"]


def test_sampling_that_the_vendor_does_not_have_is_recorded() -> None:
    sampling = Sampling(
        frequency_penalty=0.5,
        presence_penalty=0,
        seed=7,
        n=2,
        logprobs=True,
        top_logprobs=3,
        logit_bias=b'{"1":2}',
    )
    _, lost, _ = write(request(sampling=sampling))
    assert losses(lost) == [
        "frequency_penalty unsupported semantic",
        "seed unsupported cosmetic",
        "n unsupported semantic",
        "logprobs unsupported semantic",
        "top_logprobs unsupported semantic",
        "logit_bias unsupported semantic",
    ]


def test_sampling_that_asks_for_nothing_is_no_loss() -> None:
    sampling = Sampling(frequency_penalty=0.0, n=1, logprobs=False, top_logprobs=0, logit_bias=b"{}")
    assert write(request(sampling=sampling))[1] == []


def test_verbosity_and_metadata_are_recorded() -> None:
    _, lost, _ = write(request(verbosity="low", metadata={"a": "b"}))
    assert losses(lost) == ["verbosity unsupported semantic", "metadata unsupported cosmetic"]
    assert write(request(verbosity="medium"))[1] == []


def test_the_user_is_named_and_a_long_name_hashed() -> None:
    assert write(request(user="u1"))[0]["metadata"] == {"user_id": "u1"}
    body, lost, _ = write(request(user="u" * 300))
    assert len(body["metadata"]["user_id"]) == 64
    assert losses(lost) == ["user converted cosmetic"]


@pytest.mark.parametrize(
    ("asked", "sent"), [("auto", "auto"), ("default", "standard_only"), ("priority", "auto")]
)
def test_service_tiers_are_translated(asked: str, sent: str) -> None:
    body, lost, _ = write(request(service_tier=asked))
    assert (body["service_tier"], lost) == (sent, [])


def test_a_service_tier_without_a_word_is_recorded() -> None:
    body, lost, _ = write(request(service_tier="flex"))
    assert "service_tier" not in body
    assert losses(lost) == ["service_tier unsupported cosmetic"]


def test_fields_of_a_request_go_back_to_their_protocol_only() -> None:
    own = Extras(
        ANTHROPIC,
        {"inference_geo": b'"eu"', "output_config": b'{"task_budget":{"type":"tokens","total":20000}}'},
    )
    body, lost, _ = write(request(extras=own))
    assert body["inference_geo"] == "eu"
    assert body["output_config"] == {"task_budget": {"type": "tokens", "total": 20000}}
    assert lost == []
    _, lost, _ = write(request(extras=chat_extras(store=b"true", novel=b"1")))
    assert losses(lost) == ["store unsupported cosmetic", "novel unknown_field semantic"]
