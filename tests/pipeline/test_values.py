"""Events of a whole answer, estimates and ids."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.pipeline.harness import CHAT
from tokligence.catalog.models import ModelCard, Price
from tokligence.conversation import (
    BlockClosed,
    BlockOpened,
    Closed,
    ContentSource,
    Document,
    Finished,
    FinishReason,
    Image,
    Opaque,
    OpaqueTool,
    Opened,
    ProtocolId,
    RedactedThinking,
    Refusal,
    Request,
    Response,
    Role,
    SignatureDelta,
    Text,
    TextDelta,
    TextSource,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    UrlSource,
    Usage,
    UsageSeen,
)
from tokligence.pipeline.contract import Principal
from tokligence.pipeline.estimate import part_bytes, request_tokens, tokens_of, utf8
from tokligence.pipeline.events import events_of
from tokligence.pipeline.ids import IdSource
from tokligence.pipeline.meter import Trace

PARTS = (
    Thinking("hm", "sig", "anthropic"),
    Thinking("hm"),
    Text("hello"),
    Refusal("no"),
    ToolCall("call_1", "f", '{"a":1}'),
    RedactedThinking("xx", "anthropic"),
)


def test_a_whole_answer_streams_each_block_once_in_order():
    response = Response("id", "m", PARTS, FinishReason.TOOL_CALLS, usage=Usage(1, output=2), created=7)
    events = list(events_of(response))
    assert events[0] == Opened("id", "m", None, 7)
    assert events[-3:] == [Finished(FinishReason.TOOL_CALLS), UsageSeen(Usage(1, output=2)), Closed()]
    opened = [event.index for event in events if isinstance(event, BlockOpened)]
    closed = [event.index for event in events if isinstance(event, BlockClosed)]
    assert opened == closed == list(range(len(PARTS)))
    assert [event.text for event in events if isinstance(event, TextDelta)] == [
        "hm",
        "hm",
        "hello",
        "no",
        '{"a":1}',
    ]
    assert [event.signature for event in events if isinstance(event, SignatureDelta)] == ["sig"]
    heads = [event.part for event in events if isinstance(event, BlockOpened)]
    assert heads[4] == ToolCall("call_1", "f", "")
    assert heads[5] == PARTS[5]


def test_an_answer_without_usage_tells_none():
    events = list(events_of(Response("id", "m", (), FinishReason.STOP)))
    assert not any(isinstance(event, UsageSeen) for event in events)


def test_what_can_be_read_counts_and_pictures_do_not():
    assert part_bytes(Text("é")) == 2
    assert part_bytes(Document(TextSource("abc"))) == 3
    assert part_bytes(Document(ContentSource((Text("ab"), Image(UrlSource("u")))))) == 2
    assert part_bytes(ToolResult("c", (Text("abcd"),))) == 4
    assert part_bytes(Image(UrlSource("https://example.com"))) == 0
    assert part_bytes(Opaque(ProtocolId.ANTHROPIC, "x", b"{}")) == 0


def test_a_requests_tools_are_part_of_its_input():
    tools = (
        Tool("name", "tools[0]", description="about", parameters=b'{"a":1}'),
        OpaqueTool(ProtocolId.ANTHROPIC, "web_search", "tools[1]", b"12345678"),
    )
    request = Request("m", (Turn(Role.USER, (Text("12345678"),), "messages[0]"),), tools=tools)
    assert request_tokens(request) == (8 + 4 + 5 + 7 + 8) // 4


@given(st.integers(0, 10**9))
def test_four_bytes_are_a_token_and_there_is_at_least_one(size: int):
    assert tokens_of(size) * 4 >= size
    assert tokens_of(size) >= 1
    assert (tokens_of(size) - 1) * 4 <= size


@given(st.text())
def test_bytes_are_those_of_utf8(text: str):
    assert utf8(text) == len(text.encode("utf-8", "replace"))


def test_ids_never_repeat_rise_and_have_their_prefix():
    source = IdSource()
    made = [source.new("req_") for _ in range(1000)]
    assert made == sorted(set(made))
    assert all(name.startswith(f"req_{source.stem}") and len(name) == 27 for name in made)
    assert IdSource().stem != source.stem
    assert IdSource("fixed").new("msg_") == "msg_fixed0000001"


def trace(**more: object) -> Trace:
    return Trace("req_1", CHAT, ProtocolId.OPENAI_CHAT, 0.0, 0, Principal(), **more)  # type: ignore[arg-type]


def test_an_exact_count_is_never_replaced_by_an_estimate():
    told = trace(usage=Usage(input=5, output=1), output_bytes=4000)
    told.estimate(lambda: 99)
    assert told.usage == Usage(input=5, output=1)


def test_what_the_upstream_told_of_the_input_stays_when_the_output_is_estimated():
    told = trace(usage=Usage(input=5, cache_read=7, output=1, exact=False), output_bytes=40)
    told.estimate(lambda: 99)
    assert told.usage == Usage(input=5, cache_read=7, output=10, exact=False)
    more = trace(usage=Usage(output=50, exact=False), output_bytes=40)
    more.estimate(lambda: 99)
    assert more.usage == Usage(output=50, exact=False)


def test_without_any_output_nothing_is_estimated():
    silent = trace()
    silent.estimate(lambda: 99)
    assert silent.usage is None
    begun = trace(usage=Usage(input=5, exact=False))
    begun.estimate(lambda: 99)
    assert begun.usage == Usage(input=5, exact=False)


def test_a_cost_needs_a_price_and_a_usage():
    price = Price(1, 2, 1, 1, 1, "2026-01-01", "a page")
    one = Usage(input=1, output=1)
    for unknown in (trace(), trace(usage=one), trace(usage=one, card=ModelCard("m"))):
        unknown.price()
        assert unknown.cost is None
    known = trace(usage=one, card=ModelCard("m", price=price))
    known.price()
    assert known.cost == 3


def test_the_overhead_is_never_negative_and_measured_once():
    late = trace(waited=1e12)
    assert late.measure() == 0
    late.waited = -1e12
    assert late.measure() == 0


def test_ids_of_requests_are_like_others():
    source = IdSource("fixed")
    assert [next(source.requests), source.new("msg_"), next(source.requests)] == [
        "req_fixed0000001",
        "msg_fixed0000002",
        "req_fixed0000003",
    ]
