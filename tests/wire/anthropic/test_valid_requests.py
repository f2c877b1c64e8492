"""Whatever is asked, of whichever model, the vendor takes what is written (as far as the strict fake knows it)."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.anthropic_rules import MODELS, violations
from tokligence.catalog.data import ROWS
from tokligence.catalog.lookup import Catalogue
from tokligence.conversation import (
    Audio,
    Base64Source,
    CacheControl,
    Document,
    FileSource,
    Image,
    OutputFormat,
    OutputKind,
    ProtocolId,
    Reasoning,
    ReasoningMode,
    RedactedThinking,
    Refusal,
    Request,
    Role,
    Sampling,
    Text,
    TextSource,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
    Turn,
    UrlSource,
)
from tokligence.wire.anthropic import CODEC
from tokligence.wire.contract import Target

CATALOGUE = Catalogue(ROWS)
CARDS = {name: CATALOGUE.card(name) for name in MODELS}

CACHES = st.sampled_from(
    [None, None, None, CacheControl(), CacheControl("5m"), CacheControl("1h"), CacheControl("9h")]
)
WORDS = st.sampled_from(["", " \n", "hello", "two words ", "é\u2028"])
IDS = st.sampled_from(["", "call_1", "call_2", "functions.f:0", "x" * 300])
NAMES = st.sampled_from(["f", "my.tool", "n" * 200])
SOURCES = st.sampled_from(
    [
        UrlSource("https://x/y.png"),
        UrlSource("http://x/y.png"),
        Base64Source("image/png", "aGk="),
        Base64Source("application/pdf", "aGk="),
        Base64Source("text/plain", "aGk="),
        Base64Source("image/tiff", "aGk="),
        FileSource("file-1", ProtocolId.OPENAI_CHAT),
    ]
)
TEXTS = st.builds(Text, WORDS, CACHES)
MEDIA = st.one_of(
    st.builds(Image, SOURCES, st.sampled_from([None, "high"]), CACHES),
    st.builds(Document, st.one_of(SOURCES, st.builds(TextSource, st.just("text"))), cache=CACHES),
    st.just(Audio("aGk=", "wav")),
)
RESULTS = st.builds(
    ToolResult, IDS, st.lists(st.one_of(TEXTS, MEDIA), max_size=2).map(tuple), st.booleans(), CACHES
)
THOUGHTS = st.one_of(
    st.builds(
        Thinking, WORDS, st.sampled_from([None, "", "sig"]), st.sampled_from([None, "anthropic", "other"])
    ),
    st.builds(RedactedThinking, st.sampled_from(["", "enc"]), st.sampled_from([None, "anthropic", "other"])),
)
CALLS = st.builds(ToolCall, IDS, NAMES, st.sampled_from(["", "{}", '{"a":1}', "{", "[1]"]), CACHES)
PARTS = {
    Role.USER: st.one_of(TEXTS, MEDIA, RESULTS),
    Role.ASSISTANT: st.one_of(TEXTS, CALLS, THOUGHTS, st.builds(Refusal, WORDS)),
    Role.SYSTEM: TEXTS,
    Role.DEVELOPER: TEXTS,
}
TURNS = st.one_of(
    [
        st.builds(Turn, st.just(role), st.lists(parts, max_size=4).map(tuple), st.just("messages[0]"))
        for role, parts in PARTS.items()
    ]
)
SCHEMAS = st.sampled_from(
    [
        None,
        b'{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}',
        b'{"type":"object","properties":{"a":{"type":"object","properties":{"b":{"type":"integer","minimum":1}}}}}',
        b'{"type":"object","additionalProperties":{"type":"string"}}',
        b'{"anyOf":[{"type":"object","properties":{"a":{}}},{"type":"null"}]}',
        b'{"type":["object","null"],"properties":{"a":{"type":"array","items":{"type":"object","properties":{}}}}}',
        b'{"type":"string"}',
        b"{}",
    ]
)
TOOLS = st.lists(
    st.builds(Tool, NAMES, st.just("tools[0]"), WORDS, SCHEMAS, st.sampled_from([None, True, False]), CACHES),
    unique_by=lambda tool: tool.name,
    max_size=3,
)
OUTPUTS = st.none() | st.builds(OutputFormat, st.sampled_from(list(OutputKind)), schema=SCHEMAS)
REASONINGS = st.none() | st.builds(
    Reasoning,
    st.sampled_from([None, *ReasoningMode]),
    st.sampled_from([None, "none", "minimal", "low", "medium", "high", "xhigh", "max", "heroic"]),
    st.sampled_from([None, 1, 2_000, 100_000]),
    st.sampled_from([None, "omitted", "novel"]),
)
SAMPLINGS = st.builds(
    Sampling,
    st.sampled_from([None, 0.0, 0.7, 1, 1.7]),
    st.sampled_from([None, 0.5, 0.97, 1.0]),
    st.sampled_from([None, 5]),
    st.sampled_from([None, 0.5]),
)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Ends with a user's word: whether a model continues an assistant's is not for us to decide."""
    turns = [*draw(st.lists(TURNS, max_size=7)), Turn(Role.USER, (Text("and?"),), "messages[9]")]
    tools = tuple(draw(TOOLS))
    modes = [ToolChoice(mode) for mode in (ToolMode.AUTO, ToolMode.ANY, ToolMode.NONE)]
    modes += [ToolChoice(ToolMode.TOOL, (tool.name,)) for tool in tools]
    modes += [ToolChoice(ToolMode.AUTO, (tool.name,)) for tool in tools]
    return Request(
        "asked",
        tuple(turns),
        tools,
        draw(st.none() | st.sampled_from(modes)),
        draw(st.sampled_from([None, True, False])),
        draw(st.sampled_from([None, 1, 500, 5_000, 500_000])),
        draw(st.sampled_from([(), ("END",), ("\n", "END")])),
        draw(SAMPLINGS),
        draw(OUTPUTS),
        reasoning=draw(REASONINGS),
        service_tier=draw(st.sampled_from([None, "auto", "flex", "default"])),
        user=draw(st.sampled_from([None, "u", "u" * 300])),
        stream=draw(st.booleans()),
    )


@settings(max_examples=150, deadline=None)
@given(requests(), st.sampled_from(sorted(CARDS)))
def test_the_vendor_takes_whatever_is_written(asked: Request, model: str) -> None:
    written = CODEC.write_request(asked, Target(model, CARDS[model], "anthropic"))
    body = json.loads(written.body)
    found = violations(
        body,
        lambda block: block.get("signature", block.get("data")) in ("sig", "enc"),
        count=False,
        beta=True,
    )
    # Which turn of a tool loop must have thought the fake sees more narrowly than the vendor's page on tool use with
    # thinking, where later calls of a loop have no thinking block; `test_reasoning_out` has the cases.
    assert [flaw.message for flaw in found if "Expected `thinking`" not in flaw.message] == []
