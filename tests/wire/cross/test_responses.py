"""Conversations of Responses clients, and of others with Responses upstreams, at random: the vendor takes what is written,
nothing is lost without a record, streams say what whole answers say, and proofs of reasoning come back as they were."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai import omit
from openai._models import construct_type
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response as VendorResponse
from openai.types.responses import ResponseStreamEvent

from tests.fakes import anthropic_rules, openai_responses_rules, openai_rules
from tests.wire.cross.harness import CHAT, MESSAGES, Json, dumps, faults, target
from tests.wire.cross.responses_requests import responses_requests
from tests.wire.cross.strategies import chat_requests, messages_requests
from tests.wire.cross.test_conversations import lost_silently
from tests.wire.cross.test_streams import chat_answers, messages_answers
from tests.wire.cross.vendor_streams import stream_of
from tests.wire.openai_responses.given import events_in
from tokligence.conversation import (
    BlockOpened,
    Finished,
    FinishReason,
    Loss,
    ProtocolId,
    RedactedThinking,
    Response,
    SignatureDelta,
    StreamEvent,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    UsageSeen,
)
from tokligence.pipeline.events import events_of
from tokligence.wire.contract import ReplyContext, ReplyMemory, Target
from tokligence.wire.lower import lowering
from tokligence.wire.registry import CODECS
from tokligence.wire.sse import Splitter, parse

RESPONSES = ProtocolId.OPENAI_RESPONSES
random = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
CLAUDES = sorted(anthropic_rules.MODELS)
GPTS = [name for name in sorted(openai_rules.MODELS) if not name.startswith("gpt-6")]


# --- requests -------------------------------------------------------------------------------------------


def write(
    body: Json, client: ProtocolId, upstream: ProtocolId, to: Target
) -> tuple[Json, tuple[Loss, ...], set[str]]:
    """The upstream's request, all losses, and names that the answer's reader puts back."""
    request = CODECS[client].read_request(dumps(body))
    written = lowering(request, CODECS[upstream]).write_request(request, to)
    back = set(written.memory.renames.values())
    for stands in written.memory.stands.values():
        back |= {stands.name, stands.namespace or ""}
    return json.loads(written.body), (*request.losses, *written.losses), back


def reaches(
    body: Json, client: ProtocolId, upstream: ProtocolId, to: Target, *, compatible: bool = False
) -> None:
    out, losses, back = write(body, client, upstream, to)
    if upstream is RESPONSES:
        flaws = openai_responses_rules.violations(out, lambda _: True)
        assert [flaw.message for flaw in flaws] == []
    else:
        assert faults(upstream, out, compatible=compatible) == []
    lost = lost_silently(body, out, losses, {name: name for name in back})
    assert [path for path in lost if not is_told_elsewhere(path, losses)] == []


def is_told_elsewhere(path: str, losses: tuple[Loss, ...]) -> bool:
    """Ids are put in form, and put back; what a namespace is goes with its tools."""
    space = path.removesuffix(".description").removesuffix(".name")
    return path.endswith((".id", ".call_id")) or any(
        loss.path.startswith(f"{space}.tools[") for loss in losses
    )


@random
@given(responses_requests(), st.sampled_from(CLAUDES))
def test_a_responses_request_reaches_anthropic_whole(body: Json, model: str) -> None:
    reaches(body, RESPONSES, MESSAGES, target(model, "anthropic"))


@random
@given(responses_requests(), st.sampled_from(GPTS))
def test_a_responses_request_reaches_chat_whole(body: Json, model: str) -> None:
    reaches(body, RESPONSES, CHAT, target(model, "openai"))


@random
@given(responses_requests(), st.sampled_from(["openrouter", "deepseek", "llm"]))
def test_a_responses_request_reaches_a_compatible_server_whole(body: Json, provider: str) -> None:
    reaches(body, RESPONSES, CHAT, target("some-model", provider), compatible=True)


@random
@given(chat_requests(), st.sampled_from(GPTS))
def test_a_chat_request_reaches_responses_whole(body: Json, model: str) -> None:
    reaches(body, CHAT, RESPONSES, target(model, "openai"))


@random
@given(messages_requests(), st.sampled_from(GPTS))
def test_a_messages_request_reaches_responses_whole(body: Json, model: str) -> None:
    reaches(body, MESSAGES, RESPONSES, target(model, "openai"))


@random
@given(responses_requests(), st.sampled_from(GPTS))
def test_a_responses_request_that_is_written_anew_is_still_one(body: Json, model: str) -> None:
    body.pop("novel", None)  # what nobody knows goes back to its protocol, which may not know it either
    reaches(body, RESPONSES, RESPONSES, target(model, "openai"))


# --- answers --------------------------------------------------------------------------------------------

MEMORY = ReplyMemory(tools=frozenset({"weather", "now"}))
few = settings(max_examples=60, deadline=None)


def context() -> ReplyContext:
    numbers = count(1)
    return ReplyContext("req_1", 1_764_000_000, lambda prefix: f"{prefix}{next(numbers)}")


def reread(upstream: ProtocolId, answer: Json) -> Response:
    return CODECS[upstream].read_response(dumps(answer), MEMORY, "anthropic")


def streamed(upstream: ProtocolId, answer: Json, size: int) -> bytes:
    """What a Responses client gets of the upstream's stream, in fragments of this size."""
    reader = CODECS[upstream].stream_reader(MEMORY, "anthropic")
    writer = CODECS[RESPONSES].stream_writer(context())
    splitter = Splitter()
    out: list[bytes] = []
    for frame in stream_of(upstream, answer, size=size):
        for raw in splitter.feed(frame):
            out += [writer.write(event) for event in reader.feed(*parse(raw))]
    return b"".join([*out, *(writer.write(event) for event in reader.eof())])


def accumulated(raw: bytes) -> Json:
    """What the SDK's accumulator makes of a stream."""
    state: Any = ResponseStreamState(input_tools=[], text_format=omit)
    completed: Any = None
    for event in events_in(raw):
        for made in state.handle_event(_sdk_event(event)):
            completed = getattr(made, "response", completed)
    found: Json = json.loads(completed.to_json())
    return found


def _sdk_event(event: Json) -> Any:
    return construct_type(type_=ResponseStreamEvent, value=event)


def comparable(response: Json) -> Json:
    output = [
        {k: v for k, v in item.items() if k not in ("id", "parsed_arguments")} for item in response["output"]
    ]
    for item in output:
        for part in item.get("content") or ():
            part.pop("parsed", None)
    kept = {name: response.get(name) for name in ("status", "incomplete_details", "model", "usage", "error")}
    return {**kept, "output": output}


@few
@given(messages_answers(), st.integers(1, 9))
def test_any_answer_of_anthropic_streams_as_it_comes_whole(answer: Json, size: int) -> None:
    streams_alike(MESSAGES, answer, size)


@few
@given(chat_answers(), st.integers(1, 9))
def test_any_chat_answer_streams_as_it_comes_whole(answer: Json, size: int) -> None:
    streams_alike(CHAT, answer, size)


def streams_alike(upstream: ProtocolId, answer: Json, size: int) -> None:
    whole = CODECS[RESPONSES].write_response(reread(upstream, answer), context()).body
    VendorResponse.model_validate_json(whole, strict=True)
    assert comparable(accumulated(streamed(upstream, answer, size))) == comparable(json.loads(whole))


@few
@given(messages_answers() | chat_answers(), st.integers(1, 9), st.randoms())
def test_what_a_responses_upstream_streams_is_read_as_its_whole_answer_is(
    answer: Json, size: int, chance: Any
) -> None:
    """The upstream is our own writer; its stream is cut anywhere."""
    upstream = CHAT if "choices" in answer else MESSAGES
    raw = streamed(upstream, answer, size)
    reader = CODECS[RESPONSES].stream_reader(ReplyMemory(), "openai")
    splitter = Splitter()
    cut = chance.randrange(len(raw))
    events = [
        event
        for chunk in (raw[:cut], raw[cut:])
        for each in splitter.feed(chunk)
        for event in reader.feed(*parse(each))
    ]
    assert (reader.eof(), reader.losses) == ([], [])
    last = json.loads(parse(Splitter().feed(raw)[-1])[1])["response"]
    whole = CODECS[RESPONSES].read_response(dumps(last), ReplyMemory(), "openai")
    assert told(events) == told(list(events_of(whole)))


def told(events: list[StreamEvent]) -> list[str]:
    """What each block says, and how the answer ended."""
    found: list[str] = []
    ends: list[str] = []
    for event in events:
        match event:
            case BlockOpened(part=part):
                data = part.data if isinstance(part, RedactedThinking) else ""
                name = part.name if isinstance(part, ToolCall) else ""
                found.append(f"{type(part).__name__} {name} {data} ")
            case TextDelta(text=text):
                found[-1] += text
            case SignatureDelta(signature=signature):
                found[-1] += f" signed {signature}"
            case UsageSeen() | Finished():
                ends.append(str(event))
            case _:
                pass
    return [*found, *sorted(ends)]


# --- proofs of reasoning --------------------------------------------------------------------------------

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
THINKING = st.builds(Thinking, TEXT, TEXT.filter(bool), st.sampled_from(["anthropic", "google", "x"]))
REDACTED = st.builds(RedactedThinking, TEXT, st.sampled_from(["anthropic", "x"]))


@given(st.lists(THINKING | REDACTED, max_size=4), st.booleans())
def test_reasoning_and_its_proof_come_back_byte_for_byte(
    parts: list[Thinking | RedactedThinking], stream: bool
) -> None:
    response = Response("r", "m", (*parts, Text("so")), FinishReason.STOP)
    codec = CODECS[RESPONSES]
    if stream:
        writer = codec.stream_writer(context())
        raw = b"".join([writer.write(event) for event in events_of(response)])
        answer = json.loads(parse(Splitter().feed(raw)[-1])[1])["response"]
    else:
        answer = json.loads(codec.write_response(response, context()).body)
    history = [*answer["output"], {"role": "user", "content": "go on"}]
    request = codec.read_request(dumps({"model": "m", "input": history}))
    assert request.turns[0].parts == (*parts, Text("so"))
