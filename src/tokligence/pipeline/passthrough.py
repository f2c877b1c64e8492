"""Calls that are only passed on, to a provider that has the same endpoint: embeddings, images, audio, files, batches …

Bytes go unchanged in both directions, streams and binary bodies too; only a model's name is put in the place of another
where a route asks for it, and the address of a batch's results leads back to the gateway, since only the gateway has
the key for it. The provider is that of the model, where the body names one (JSON or a form), else the
vendor's whose shape the path has. Each call has its row, with the usage if the answer tells it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable
from contextlib import suppress
from typing import Final
from urllib.parse import quote

import msgspec

from tokligence.conversation import ProtocolId, Usage
from tokligence.errors import GatewayError
from tokligence.ledger.record import Outcome
from tokligence.pipeline.clouds import Sent
from tokligence.pipeline.contract import Call, Headers, Sink
from tokligence.pipeline.exchange import OUTCOME, ModelCall
from tokligence.pipeline.headers import first, for_client, for_upstream, upstream_request_id
from tokligence.pipeline.hub import Hub, Provider
from tokligence.pipeline.loopback_embeddings import embed
from tokligence.pipeline.outbound import JSON, ask, hop_of, leave_with_client, passing_headers
from tokligence.pipeline.relay import (
    ERROR_CODE,
    is_event_stream,
    let_go,
    opening_chunk,
    outcome_of,
    read_whole,
)
from tokligence.upstream.answer import Answer
from tokligence.wire.metering import TAIL_BYTES, read_metered, read_tail
from tokligence.wire.multipart import Span, field_span
from tokligence.wire.splice import TopLevel
from tokligence.wire.sse import Splitter, parse

EMBEDDINGS: Final = "/v1/embeddings"
VERSION: Final = "/v1"
WHOLE_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of a JSON answer that are held for its usage; of a larger one the end is looked at as it passes."""
SAFE: Final = "/:@!$&'()*+,;=~"
"""Characters of a path besides letters, digits and `_.-` that stand for themselves (RFC 3986, section 3.3)."""
DONE: Final = b"[DONE]"
RESULTS: Final = re.compile(rb'("results_url"\s*:\s*")https?://[^/"]+(?:/[^"]*)?(?=/v1/messages/batches/)')
"""The address in a message batch that its results are fetched from (anthropic 1.17, `types/messages/message_batch.py`)."""


class PassedCall(ModelCall):
    """One call that is passed on. `route`: its endpoint without ids, as it is booked; `prefix`: the vendor's, which
    `call.path` has lost; `names_model`: whether its body may say which model is meant."""

    __slots__ = ("_binary", "_names_model", "_path", "_prefix")

    def __init__(
        self,
        hub: Hub,
        call: Call,
        sink: Sink,
        protocol: ProtocolId,
        *,
        route: str,
        prefix: str = "",
        names_model: bool,
    ) -> None:
        super().__init__(hub, call, sink, protocol)
        self.open().route = route
        self._path = call.path
        self._prefix = prefix
        self._names_model = names_model
        self._binary = False  # an answer has begun in which no error can be written

    def run(self) -> Awaitable[None]:
        return self.guarded(self._answer())

    async def _answer(self) -> None:
        trace, call = self.trace, self.call
        hop = hop_of(self.hub, call)
        body = _Body(call) if self._names_model and call.body else None
        asked = body.model if body is not None else None
        self.provider = provider = self._choose(asked)
        trace.provider = provider.id
        trace.upstream_protocol = provider.protocol
        trace.stream = body is not None and body.stream
        if provider.protocol is None and self._path == EMBEDDINGS:
            self._embed()
            return
        root = provider.roots.get(self.codec.protocol)
        if root is None:
            raise GatewayError("route.unsupported", provider=provider.id, path=trace.route)
        sent = call.body
        if body is not None and asked is not None and self.target.model != asked:
            sent = body.with_model(self.target.model)
        target = root + quote(self._path.removeprefix(VERSION), safe=SAFE).encode()
        await self._forward(await self._ask(target, sent, _headers(provider, call, hop)))

    def _choose(self, asked: str | None) -> Provider:
        """The provider, and with it what the call is booked on."""
        state, trace = self.state, self.trace
        if asked is not None:
            trace.model_asked = asked
            resolved = state.router.resolve(asked)
            provider = state.providers[resolved.provider]
            self.target = state.target(provider, resolved.model)
            trace.card = self.target.card
            return provider
        anthropic = self.codec.protocol is ProtocolId.ANTHROPIC
        name = "anthropic" if anthropic else state.settings.passthrough_provider
        provider = state.providers[state.router.provider(name)]
        self.target = state.target(provider, "")
        return provider

    def _embed(self) -> None:
        self.begin()
        answer, tokens = embed(self.call.body, self.target.model)
        self.trace.usage = Usage(input=tokens, exact=False)
        self.content_seen()
        self.end(200)
        self.sink.whole(200, [*self.head(translated=True), JSON], answer)

    async def _ask(self, target: bytes, body: bytes, headers: Headers) -> Answer:
        self.begin()
        if not self.target.model:
            self.trace.model_served = None
        leave_with_client(self.sink)
        self.asked_at = self.hub.loop.time()
        self.wait()
        provider, call = self.provider, self.call
        sent = Sent(target, headers, body)
        if provider.way is not None:
            model, stream = self.target.model, self.trace.stream
            sent = await provider.way.prepare(self.hub.client, sent, model=model, stream=stream)
        target = sent.target
        if call.query:
            target += (b"&" if b"?" in target else b"?") + call.query.encode()
        method = call.method.encode()
        self.answer = answer = await ask(self.hub, provider, method, target, sent.headers, body=sent.body)
        self.arrived()
        self.trace.upstream_request_id = upstream_request_id(answer.headers)
        return answer

    # --- the way back -------------------------------------------------------------------------------

    async def _forward(self, answer: Answer) -> None:
        if answer.status >= 400:
            await self._forward_error(answer)
        elif is_event_stream(answer):
            await self._forward_events(answer)
        elif _is_json(answer):
            await self._forward_json(answer)
        else:
            await self._forward_rest(answer, b"", _Tail())

    async def _forward_error(self, answer: Answer) -> None:
        body = await read_whole(self, answer)
        outcome = outcome_of(answer.status)
        self.end(answer.status, outcome, None if outcome is Outcome.OK else ERROR_CODE)
        self.sink.whole(answer.status, self._passed(answer), body)

    async def _forward_json(self, answer: Answer) -> None:
        """Held until it is complete, so that its cost can stand in the head; unless it is very large."""
        pieces: list[bytes] = []
        size = 0
        while size <= WHOLE_LIMIT:
            piece = await opening_chunk(self, answer)
            if not piece:
                body = b"".join(pieces)
                self._meter(body)
                self.content_seen()
                self.end(answer.status)
                self.sink.whole(answer.status, self._passed(answer), self._with_own_address(body))
                return
            pieces.append(piece)
            size += len(piece)
        await self._forward_rest(answer, b"".join(pieces), _Tail())

    async def _forward_rest(self, answer: Answer, data: bytes, tail: _Tail) -> None:
        """Piece by piece as it comes, beginning with `data`. The row is booked before the last byte goes out: that is
        the end of the chunked framing, or of the length that the upstream announced."""
        length = _length(answer)
        self._begin_body(answer, length)
        self._binary = True
        sent = 0
        while data or (data := await answer.chunk()):
            if self.trace.first_content is None:
                self.content_seen()
            tail.add(data)
            sent += len(data)
            if sent == length:
                break
            self.sink.write(data)
            await self.sink.drained()
            data = b""
        if self._names_model:
            self.trace.usage = tail.usage()
        self.end(answer.status)
        self.sink.end(data)

    async def _forward_events(self, answer: Answer) -> None:
        trace, sink = self.trace, self.sink
        trace.stream = True
        splitter = Splitter()
        self._begin_body(answer, None)
        while chunk := await answer.chunk():
            if trace.first_content is None:
                self.content_seen()
            for raw in splitter.feed(chunk):
                data = parse(raw)[1]
                if data == DONE:  # nothing follows that a client would wait for
                    self.end(200)
                    sink.end(chunk)
                    let_go(self, answer)
                    return
                if b'"usage"' in data:
                    self._meter(data)
            sink.write(chunk)
            await sink.drained()
        self.end(200)
        sink.end()

    def _meter(self, data: bytes) -> None:
        """A batch tells its usage each time that it is looked at, so only calls of a model are metered."""
        if self._names_model:
            trace = self.trace
            usage, model = read_metered(data)
            trace.usage = usage or trace.usage
            trace.model_served = model or trace.model_served

    def _with_own_address(self, body: bytes) -> bytes:
        host = self.call.header(b"host")
        if self.codec.protocol is not ProtocolId.ANTHROPIC or host is None or b'"results_url"' not in body:
            return body
        scheme = b"https" if self.call.header(b"x-forwarded-proto") == b"https" else b"http"
        own = b"%s://%s%s" % (scheme, host, self._prefix.encode())
        return RESULTS.sub(lambda found: found[1] + own, body)

    def _begin_body(self, answer: Answer, length: int | None) -> None:
        self.sink.start(answer.status, self._passed(answer), length)

    def _passed(self, answer: Answer) -> Headers:
        return self.head(translated=False) + for_client(answer.headers)

    def _input_tokens(self) -> int:
        raise AssertionError("only what an upstream has counted is booked")

    def _fail(self, error: GatewayError) -> None:
        if not (self._binary and self.sink.started):
            super()._fail(error)
            return
        with suppress(GatewayError):
            self.end(200, OUTCOME[error.fault], error.code)
        raise error  # the connection is cut, which is all that tells its client


class _Body:
    """What of a request's body matters here. Raises `request.*` for JSON that is none."""

    __slots__ = ("_raw", "_span", "_top", "model", "stream")

    def __init__(self, call: Call) -> None:
        kind = (call.header(b"content-type") or b"application/json").lower()
        self._raw = call.body
        self._top: TopLevel | None = None
        self._span: Span | None = None
        self.model: str | None = None
        self.stream = False
        if b"json" in kind.partition(b";")[0]:
            self._top = top = TopLevel(call.body)
            self.stream = bytes(top.values.get("stream", b"")) == b"true"
            if "model" in top.values:
                self.model = _text(bytes(top.values["model"]))
        elif kind.startswith(b"multipart/form-data"):
            given = call.header(b"content-type") or b""
            self._span = field_span(call.body, given, b"model")
            if self._span is not None:
                self.model = call.body[slice(*self._span)].decode("utf-8", "replace") or None
            stream = field_span(call.body, given, b"stream")
            self.stream = stream is not None and call.body[slice(*stream)].lower() == b"true"

    def with_model(self, model: str) -> bytes:
        if self._top is not None:
            return self._top.replace("model", msgspec.json.encode(model))
        assert self._span is not None, "a model that was found stands somewhere"
        start, end = self._span
        return self._raw[:start] + model.encode() + self._raw[end:]


class _Tail:
    """The last bytes of what has passed."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept = b""

    def add(self, data: bytes) -> None:
        self._kept = data[-TAIL_BYTES:] if len(data) >= TAIL_BYTES else (self._kept + data)[-TAIL_BYTES:]

    def usage(self) -> Usage | None:
        return read_tail(self._kept)


def _text(raw: bytes) -> str | None:
    """The name that a JSON value is; None for null, which some clients send for the default."""
    if raw == b"null":
        return None
    try:
        return msgspec.json.decode(raw, type=str)
    except msgspec.MsgspecError:
        raise GatewayError("request.invalid_field", path="model", reason="it must be text") from None


def _headers(provider: Provider, call: Call, hop: tuple[bytes, bytes]) -> Headers:
    """A request without a body has no type."""
    headers = passing_headers(provider, for_upstream(call.headers), hop)
    return headers if call.body else [field for field in headers if field[0] != b"content-type"]


def _is_json(answer: Answer) -> bool:
    kind = first(answer.headers, b"content-type") or b""
    return kind.partition(b";")[0].strip().lower() == b"application/json"


def _length(answer: Answer) -> int | None:
    given = first(answer.headers, b"content-length")
    return int(given) if given is not None and given.isdigit() else None
