"""Golden exchanges and how they are run: what a client sends, what its upstream gets, and the way back.

A golden is one JSON file. By hand: `provenance`, `shows`, `client` (its protocol), `upstream` (its protocol, unless it is
Chat for Messages or the other way round), `provider`, `model` (the upstream's), `path` (where a Gemini client asks),
`request`, and `upstream_answer` or `upstream_error`. Written by `pytest --update-golden` and read by whoever changes
them: `upstream_request`, `request_losses`, `answer` (or `error`), `answer_losses`. Beside it may stand the same answer
streamed: `NAME.upstream.sse` by hand, `NAME.client.sse` written. A loss is `path reason severity`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from tests.fakes import anthropic_rules, gemini_rules, openai_rules
from tokligence.catalog.data import ROWS
from tokligence.catalog.lookup import Catalogue
from tokligence.catalog.models import Dialect
from tokligence.catalog.providers import BY_ID
from tokligence.conversation import Failed, Loss, ProtocolId, Request, StreamEvent
from tokligence.errors import GatewayError
from tokligence.wire.contract import Codec, ErrorView, Reply, ReplyContext, ReplyMemory, Target, Written
from tokligence.wire.gemini.paths import parse_target
from tokligence.wire.registry import CODECS
from tokligence.wire.sse import Splitter, parse

Json = dict[str, Any]

PATH = "/v1beta/models/asked:generateContent"
"""Where a Gemini client asks, unless its golden says otherwise."""
FOLDER = Path(__file__).parent / "goldens"
CHAT, MESSAGES, GEMINI = ProtocolId.OPENAI_CHAT, ProtocolId.ANTHROPIC, ProtocolId.GEMINI
OTHER = {CHAT: MESSAGES, MESSAGES: CHAT}
CATALOGUE = Catalogue(ROWS)
NOW = 1_764_000_000
ESTIMATE = 7


@dataclass(frozen=True)
class Golden:
    """One exchange. `path`: of its JSON file."""

    path: Path
    data: Json

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def client(self) -> ProtocolId:
        return ProtocolId(self.data["client"])

    @property
    def upstream(self) -> ProtocolId:
        return ProtocolId(self.data["upstream"]) if "upstream" in self.data else OTHER[self.client]

    @property
    def compatible(self) -> bool:
        """Whether the upstream is not the vendor itself: it takes fields and models of its own."""
        return self.data["provider"] not in ("openai", "anthropic", "google")

    @property
    def target(self) -> Target:
        return target(self.data["model"], self.data["provider"])

    @property
    def request(self) -> bytes:
        return dumps(self.data["request"])

    @property
    def upstream_answer(self) -> bytes:
        return dumps(self.data["upstream_answer"])

    @property
    def answers(self) -> bool:
        return "upstream_answer" in self.data

    @property
    def upstream_sse(self) -> Path:
        return self.path.with_suffix(".upstream.sse")

    @property
    def client_sse(self) -> Path:
        return self.path.with_suffix(".client.sse")

    @property
    def include_usage(self) -> bool:
        return CODECS[self.client].peek(self.request).include_usage

    @cached_property
    def written(self) -> Written:
        return self.exchange.write(self.request)

    @property
    def exchange(self) -> Exchange:
        return Exchange(self.client, self.target, self.upstream, self.data.get("path", PATH))


def load(folder: Path = FOLDER) -> list[Golden]:
    return [Golden(path, json.loads(path.read_text("utf-8"))) for path in sorted(folder.glob("*.json"))]


GOLDENS = load()


def target(model: str, provider: str) -> Target:
    """A provider's id, or an unknown compatible server that takes reasoning back in a field of its own."""
    row = BY_ID.get(provider)
    if row is None:
        return Target(
            model, CATALOGUE.card(model, provider), provider, Dialect(reasoning_field=FIELD_OF[provider])
        )
    return Target(model, CATALOGUE.card(model, row.vendor), row.issuer, row.dialect)


FIELD_OF = {"openrouter": "reasoning_details", "deepseek": "reasoning_content"}


def dumps(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def pretty(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def show(losses: Iterable[Loss]) -> list[str]:
    return [f"{loss.path} {loss.reason} {loss.severity}" for loss in losses]


def context(*, include_usage: bool = False) -> ReplyContext:
    """Ids that are the same in each run."""
    numbers = count(1)
    return ReplyContext(
        "req_golden", NOW, lambda prefix: f"{prefix}new{next(numbers)}", include_usage, ESTIMATE
    )


@dataclass(frozen=True)
class Exchange:
    """A client's protocol and where its request goes. `upstream`: the protocol spoken there; None: the other of Chat
    and Messages."""

    client: ProtocolId
    to: Target
    upstream: ProtocolId | None = None
    path: str = PATH

    @property
    def near(self) -> Codec:
        return CODECS[self.client]

    @property
    def far(self) -> Codec:
        return CODECS[self.upstream or OTHER[self.client]]

    def write(self, raw: bytes) -> Written:
        """The upstream's request, with all losses of reading and writing."""
        request = read(self.client, raw, self.path)
        written = self.far.write_request(request, self.to)
        return Written(written.body, (*request.losses, *written.losses), written.memory)

    def reply(self, raw: bytes, memory: ReplyMemory, *, include_usage: bool = False) -> Reply:
        response = self.far.read_response(raw, memory, self.to.issuer)
        reply = self.near.write_response(response, context(include_usage=include_usage))
        return Reply(reply.body, (*response.losses, *reply.losses))

    def stream(
        self, chunks: Iterable[bytes], memory: ReplyMemory, *, include_usage: bool = False
    ) -> tuple[bytes, list[Loss]]:
        """A whole stream for the client, as the relay makes it: an error ends it in the client's error event."""
        out: list[bytes] = []
        reader = self.far.stream_reader(memory, self.to.issuer)
        writer = self.near.stream_writer(context(include_usage=include_usage))
        try:
            for event in self.events(chunks, reader.feed, reader.eof):
                out.append(writer.write(event))
                if isinstance(event, Failed):
                    break
        except GatewayError as error:
            out.append(writer.fail(ErrorView(error.status, error.text, "req_golden", error.code)))
        return b"".join(out), [*reader.losses, *writer.losses]

    @staticmethod
    def events(
        chunks: Iterable[bytes],
        feed: Callable[[bytes, bytes], Iterable[StreamEvent]],
        eof: Callable[[], Iterable[StreamEvent]],
    ) -> Iterator[StreamEvent]:
        splitter = Splitter()
        for chunk in chunks:
            for raw in splitter.feed(chunk):
                yield from feed(*parse(raw))
        yield from feed(*parse(splitter.rest()))
        yield from eof()


STAND_IN, GEMINI_STAND_IN = "claude-sonnet-4-5", "gemini-3.8-flash"
"""For models that the rules do not know."""


def faults(protocol: ProtocolId, body: object, *, compatible: bool = False, model: str = "") -> list[str]:
    """What the vendor would refuse in a request. `model`: of Gemini's path; every signature counts as its own."""
    if protocol is GEMINI:
        name = model if model in gemini_rules.MODELS else GEMINI_STAND_IN
        return [flaw.message for flaw in gemini_rules.violations(body, name, lambda _: True)]
    if protocol is CHAT:
        return [flaw.message for flaw in openai_rules.violations(body, compatible=compatible)]
    assert isinstance(body, dict)
    known = body["model"] in anthropic_rules.MODELS
    found = anthropic_rules.violations(
        body if known else {**body, "model": STAND_IN}, lambda _: True, count=False, beta=True
    )
    return [flaw.message for flaw in found]


def read(protocol: ProtocolId, raw: bytes, path: str = PATH) -> Request:
    """As the pipeline reads it, which knows the path."""
    request = CODECS[protocol].read_request(raw)
    asked = parse_target(*path.partition("?")[::2])
    if protocol is not GEMINI or asked is None:
        return request
    return replace(request, model=asked.model, stream=asked.stream)


def sse_events(raw: bytes) -> list[tuple[bytes, Any]]:
    """Name and data of each event; `[DONE]` stays bytes."""
    splitter = Splitter()
    found = [parse(each) for each in splitter.feed(raw)]
    assert splitter.rest() == b""
    return [(name, data if data == b"[DONE]" else json.loads(data)) for name, data in found if data]
