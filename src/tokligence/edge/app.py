"""From a request to what answers it: who may call, which endpoint, in whose shape."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import msgspec

from tokligence.conversation import ProtocolId
from tokligence.edge.guard import Guard, cors_headers
from tokligence.edge.known import Route
from tokligence.edge.paths import (
    ADMIN,
    GOOGLE_VERSION,
    MODEL_PREFIX,
    SOCKET,
    Does,
    Endpoint,
    Shape,
    error_shape,
    family,
    find,
    is_shared,
)
from tokligence.edge.refusal import JSON, PROTOCOL, refusal
from tokligence.edge.responses import ResponsesPaths
from tokligence.errors import GatewayError
from tokligence.pipeline.contract import Call, Sink
from tokligence.pipeline.count import count_tokens
from tokligence.pipeline.exchange import ModelCall
from tokligence.pipeline.hub import Hub
from tokligence.pipeline.listing import Listing
from tokligence.pipeline.outbound import hop_of
from tokligence.pipeline.passthrough import PassedCall
from tokligence.wire.contract import Codec
from tokligence.wire.gemini.paths import Method, parse_target, without_alt
from tokligence.wire.registry import CODECS

TEXT: Final = b"text/plain; charset=utf-8"
PROMETHEUS: Final = b"text/plain; version=0.0.4; charset=utf-8"
JSON_TYPES: Final = (b"application/json", b"text/json")


SENT_BY: Final = {b"anthropic-version": Shape.ANTHROPIC, b"x-goog-api-key": Shape.GOOGLE}


class Control(Protocol):
    """What the process lets its endpoints ask of it. `token`: of the run directory, for this machine's commands."""

    token: str

    def health(self) -> dict[str, Any]: ...

    def ready(self) -> bool: ...

    def status(self) -> dict[str, Any]: ...

    def stop(self) -> None: ...

    async def reload(self) -> dict[str, Any]: ...

    async def flush(self) -> dict[str, Any]: ...

    def metrics(self) -> bytes: ...

    async def models(self) -> bytes: ...

    def crashed(self, error: BaseException, call: Call) -> str: ...


class App:
    """The server's handler."""

    def __init__(self, hub: Hub, guard: Guard, control: Control) -> None:
        self.hub = hub
        self.guard = guard
        self._control = control
        self.listing = Listing(hub)
        self.responses = ResponsesPaths(hub)
        self._answers: dict[Does, Callable[[Call, Sink, Endpoint], Awaitable[None]]] = {
            Does.MODELS: self._models,
            Does.MODEL: self._model,
            Does.COUNT_TOKENS: self._count_tokens,
            Does.FORWARD: self._forward,
            Does.RESPONSES: self._responses,
            Does.GENERATE: self._generate,
            Does.ROOT: self._root,
            Does.HEALTH: self._health,
            Does.LIVEZ: self._alive,
            Does.READYZ: self._ready,
            Does.METRICS: self._metrics,
            Does.STATUS: self._status,
            Does.ALL_MODELS: self._all_models,
            Does.STOP: self._stop,
            Does.RELOAD: self._reload,
            Does.FLUSH: self._flush,
        }

    async def __call__(self, call: Call, sink: Sink) -> None:
        sink = self.guard.dress(call, sink)
        path = call.path
        try:
            await self._answer(call, sink)
        except GatewayError as error:
            if sink.started:
                raise
            self._refuse(_shape(path, call), sink, error, self.hub.ids.new("req_"))
        except Exception as error:  # the edge is where an unforeseen error stops
            if sink.started:
                raise
            request_id = self._control.crashed(error, call)
            self._refuse(_shape(path, call), sink, GatewayError("gateway.internal"), request_id)

    def route(self, call: Call) -> Route | None:
        """The server's `Router`: model calls of those who may make them. All else is decided, and refused, call by
        call."""
        endpoint, plain = find(call.path)
        if endpoint is None or endpoint.does is not Does.MODEL_CALL or call.method not in endpoint.methods:
            return None
        if cors_headers(call, self.guard.rules):
            return None
        try:
            principal = self.guard.check(call)
            require_json(call)
        except GatewayError:
            return None
        hub, protocol = self.hub, endpoint.protocol

        def answer(call: Call, sink: Sink) -> Awaitable[None]:
            return ModelCall(hub, call, sink, protocol).run()

        return Route(answer, plain, principal)

    async def _answer(self, call: Call, sink: Sink) -> None:
        if self.guard.preflight(call, sink):
            return
        endpoint, plain = find(call.path)
        if endpoint is None:
            self.guard.check(call)
            raise GatewayError(
                "http.not_found", path=call.path[:200], hint="GET /v1/models lists what is served."
            )
        if call.method not in endpoint.methods:
            raise GatewayError(
                "http.method_not_allowed",
                method=call.method,
                path=call.path[:200],
                allowed=", ".join(endpoint.methods),
            )
        if endpoint.does in ADMIN:
            self._check_token(call)
        elif endpoint.open:
            self.guard.check_origin(call)
        else:
            call.principal = self.guard.check(call)
        if call.open_socket is not None and (plain != SOCKET or call.method != "GET"):
            # 426 sends clients that try a socket first to plain HTTP without a retry.
            raise GatewayError("http.upgrade_refused", protocol="websocket")
        if endpoint.does is Does.MODEL_CALL:
            require_json(call)
            call.path = plain
            await ModelCall(self.hub, call, sink, endpoint.protocol).run()
        else:
            if not endpoint.open:
                hop_of(self.hub, call)  # a list of models too is asked of endpoints, one of which may be us
            await self._answers[endpoint.does](call, sink, endpoint)

    def _check_token(self, call: Call) -> None:
        sent = call.header(b"authorization") or b""
        if not hmac.compare_digest(sent, b"Bearer " + self._control.token.encode()):
            raise GatewayError(
                "auth.invalid_key", hint="These endpoints serve the tgw command of this machine."
            )

    def _refuse(self, shape: Shape, sink: Sink, error: GatewayError, request_id: str) -> None:
        headers, body = refusal(shape, error, request_id)
        sink.whole(error.status, headers, body)

    # --- models -------------------------------------------------------------------------------------

    async def _models(self, call: Call, sink: Sink, _endpoint: Endpoint) -> None:
        whole(sink, _codec(call).write_models(await self.listing.models()))

    async def _model(self, call: Call, sink: Sink, _endpoint: Endpoint) -> None:
        name = find(call.path)[1][len(MODEL_PREFIX) :]
        for model in await self.listing.models():
            if model.id == name:
                whole(sink, _codec(call).write_model(model))
                return
        raise GatewayError("route.no_match", model=name[:200], hint="GET /v1/models lists what is served.")

    async def _count_tokens(self, call: Call, sink: Sink, endpoint: Endpoint) -> None:
        require_json(call)
        await count_tokens(self.hub, call, sink, endpoint.protocol)

    async def _forward(self, call: Call, sink: Sink, endpoint: Endpoint) -> None:
        asked, shape = call.path, _shape(call.path, call)
        call.path = plain = find(asked)[1]
        protocol = endpoint.protocol
        if is_shared(plain) and shape is Shape.ANTHROPIC:
            protocol = ProtocolId.ANTHROPIC
        passed = PassedCall(
            *(self.hub, call, sink, protocol),
            route=family(plain),
            prefix=asked.removesuffix(plain),
            names_model=endpoint.names_model,
        )
        await passed.run()

    async def _generate(self, call: Call, sink: Sink, endpoint: Endpoint) -> None:
        require_json(call)
        asked = parse_target(find(call.path)[1], call.query)
        assert asked is not None, "the path was found by it"
        call.path = f"{GOOGLE_VERSION}models:{asked.method}"
        call.query = without_alt(call.query)
        from tokligence.wire.gemini.asked import AskedGemini  # with it comes the whole protocol

        codec = AskedGemini(asked)
        if asked.method is Method.COUNT:
            await count_tokens(self.hub, call, sink, endpoint.protocol, codec)
        else:
            await ModelCall(*(self.hub, call, sink, endpoint.protocol), codec=codec, array=asked.array).run()

    async def _responses(self, call: Call, sink: Sink, _endpoint: Endpoint) -> None:
        if call.body:
            require_json(call)
        call.path = find(call.path)[1]
        await self.responses.answer(call, sink)

    # --- the process --------------------------------------------------------------------------------

    async def _root(self, _call: Call, sink: Sink, _endpoint: Endpoint) -> None:
        whole(sink, b"Tokligence Gateway\n", TEXT)

    async def _alive(self, _call: Call, sink: Sink, _endpoint: Endpoint) -> None:
        whole(sink, b"ok\n", TEXT)

    async def _health(self, _call: Call, sink: Sink, _endpoint: Endpoint) -> None:
        whole(sink, msgspec.json.encode(self._control.health()))

    async def _ready(self, _call: Call, sink: Sink, _endpoint: Endpoint) -> None:
        if not self._control.ready():
            raise GatewayError("gateway.shutting_down")
        whole(sink, b"ok\n", TEXT)

    async def _metrics(self, _call: Call, sink: Sink, _endpoint: Endpoint) -> None:
        whole(sink, self._control.metrics(), PROMETHEUS)

    async def _status(self, _call: Call, sink: Sink, _endpoint: Endpoint) -> None:
        whole(sink, msgspec.json.encode(self._control.status()))

    async def _all_models(self, _call: Call, sink: Sink, _endpoint: Endpoint) -> None:
        whole(sink, await self._control.models())

    async def _stop(self, _call: Call, sink: Sink, _endpoint: Endpoint) -> None:
        whole(sink, b'{"stopping":true}')
        self._control.stop()

    async def _reload(self, _call: Call, sink: Sink, _endpoint: Endpoint) -> None:
        whole(sink, msgspec.json.encode(await self._control.reload()))

    async def _flush(self, _call: Call, sink: Sink, _endpoint: Endpoint) -> None:
        whole(sink, msgspec.json.encode(await self._control.flush()))


def _shape(path: str, call: Call) -> Shape:
    """Of an answer: by the path, and where vendors have the same by the header that only their own clients send."""
    if is_shared(path):
        for header, shape in SENT_BY.items():
            if call.header(header) is not None:
                return shape
    return error_shape(path)


def _codec(call: Call) -> Codec:
    return CODECS[PROTOCOL[_shape(call.path, call)]]


def whole(sink: Sink, body: bytes, kind: bytes = JSON) -> None:
    sink.whole(200, [(b"content-type", kind)], body)


def require_json(call: Call) -> None:
    """A body of another type is refused; none named is taken for JSON."""
    kind = call.header(b"content-type")
    if kind is not None and kind.partition(b";")[0].strip().lower() not in JSON_TYPES:
        raise GatewayError("http.unsupported_media_type", media_type=kind.decode("latin-1")[:100])
