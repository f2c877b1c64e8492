"""What stands between a written request and a cloud that wants it in another way: where the model goes, who signs, how the
answer is framed. What a client or a codec sees of it is the plain protocol.

Sources, read 2026-11-25: docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages
(`anthropic_version`, `anthropic_beta` in the body, neither `model` nor `stream`) and the API reference of
InvokeModelWithResponseStream (chunks and exceptions); platform.claude.com/docs/en/api/claude-on-vertex-ai;
learn.microsoft.com/en-us/azure/ai-foundry/openai/reference (deployments).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from urllib.parse import quote

import msgspec
from msgspec import Struct

from tokligence.conversation import ProtocolId
from tokligence.errors import GatewayError
from tokligence.pipeline.contract import Headers
from tokligence.pipeline.headers import first
from tokligence.pipeline.meter import wall_us
from tokligence.upstream.answer import Answer, Head
from tokligence.upstream.client import Client
from tokligence.upstream.cloud.event_stream import Decoder, Message
from tokligence.upstream.cloud.google import Credentials, Signer, Token, read_token, token_request
from tokligence.upstream.cloud.sigv4 import AwsKeys, Request, Scope, sign
from tokligence.upstream.origin import Origin, parse_origin
from tokligence.wire.contract import ErrorView
from tokligence.wire.registry import CODECS
from tokligence.wire.splice import TopLevel

BEDROCK_VERSION: Final = b'"bedrock-2023-05-31"'
VERTEX_VERSION: Final = b'"vertex-2023-10-16"'
EVENT_STREAM: Final = b"application/vnd.amazon.eventstream"
TOKEN_LIMIT: Final = 65536
"""Bytes of a token endpoint's answer."""
SEGMENT: Final = "-_.~!$&'()*+,@"
"""Characters that stand for themselves in a segment of a path, less those to which servers give a meaning: `:` parts a
model from its method, `;` begins parameters."""

ERROR_KINDS: Final[Mapping[str, str]] = {
    "validationException": "invalid_request_error",
    "throttlingException": "rate_limit_error",
    "modelTimeoutException": "timeout_error",
    "serviceUnavailableException": "overloaded_error",
    "modelStreamErrorException": "api_error",
    "internalServerException": "api_error",
}
"""Exceptions within a stream -> Anthropic's kinds of errors; others are `api_error`."""


class Sent(Struct, frozen=True):
    """A request as the cloud wants it. `target`: below the origin's prefix."""

    target: bytes
    headers: Headers
    body: bytes


class Way(Protocol):
    """How requests reach one cloud. `prepare` raises `request.*` for a body that is no JSON object, and what a failed
    exchange of tokens raises."""

    async def prepare(self, client: Client, sent: Sent, *, model: str, stream: bool) -> Sent:
        """`sent`: the plain request to `/v1/messages` or `/chat/completions`, all headers but the credentials in it."""
        ...

    def plain(self, answer: Answer) -> Answer:
        """The answer as the protocol's own vendor would give it."""
        ...


class Azure(Struct, frozen=True):
    """The older addresses, where the deployment stands in the path, if the call names one. The key is one of the
    provider's headers."""

    api_version: str

    async def prepare(self, client: Client, sent: Sent, *, model: str, stream: bool) -> Sent:  # noqa: ARG002
        path = f"/openai/deployments/{quote(model, safe=SEGMENT)}" if model else "/openai"
        target = path.encode() + sent.target + b"?api-version=" + self.api_version.encode()
        return Sent(target, sent.headers, sent.body)

    def plain(self, answer: Answer) -> Answer:
        return answer


class Vertex(Struct, frozen=True):
    """`place`: project and location as they stand in a path. `tokens` gives the access token of each request."""

    protocol: ProtocolId
    place: str
    tokens: Tokens

    async def prepare(self, client: Client, sent: Sent, *, model: str, stream: bool) -> Sent:
        headers = [*sent.headers, (b"authorization", b"Bearer " + await self.tokens.get(client))]
        if self.protocol is ProtocolId.OPENAI_CHAT:
            target = f"/v1/{self.place}/endpoints/openapi/chat/completions"
            return Sent(target.encode(), headers, _with_publisher(sent.body, model))
        if self.protocol is ProtocolId.GEMINI:
            method = "streamGenerateContent?alt=sse" if stream else "generateContent"
            return Sent(self._model("google", model.removeprefix("google/"), method), headers, sent.body)
        method = "streamRawPredict" if stream else "rawPredict"
        body = changed(sent.body, drop=("model",), add={"anthropic_version": VERTEX_VERSION})
        return Sent(self._model("anthropic", model, method), _without(headers, b"anthropic-version"), body)

    def _model(self, publisher: str, name: str, method: str) -> bytes:
        return f"/v1/{self.place}/publishers/{publisher}/models/{quote(name, safe=SEGMENT)}:{method}".encode()

    def plain(self, answer: Answer) -> Answer:
        if answer.status == 401:
            self.tokens.forget()
        if answer.status < 400 or self.protocol is not ProtocolId.ANTHROPIC:
            return answer
        return Explained(answer)


class Bedrock(Struct, frozen=True):
    """`keys`: None where an API key, one of the provider's headers, stands for them."""

    origin: Origin
    region: str
    keys: AwsKeys | None

    async def prepare(self, client: Client, sent: Sent, *, model: str, stream: bool) -> Sent:  # noqa: ARG002
        method = "invoke-with-response-stream" if stream else "invoke"
        target = f"/model/{quote(model, safe=SEGMENT)}/{method}".encode()
        add = {"anthropic_version": BEDROCK_VERSION}
        betas = [name for key, value in sent.headers if key == b"anthropic-beta" for name in _words(value)]
        if betas:
            add["anthropic_beta"] = msgspec.json.encode(betas)
        body = changed(sent.body, drop=("model", "stream"), add=add)
        # `Accept` would speak of the framing, of which the client knows nothing.
        headers = _without(sent.headers, b"anthropic-version", b"anthropic-beta", b"accept")
        if self.keys is not None:
            now = datetime.fromtimestamp(wall_us() / 1e6, UTC)
            signed = [(b"host", self.origin.authority), *((n, v) for n, v in headers if n == b"content-type")]
            request = Request(b"POST", self.origin.prefix + target, signed, body)
            headers = [*headers, *sign(self.keys, Scope(self.region, "bedrock"), request, now)]
        return Sent(target, headers, body)

    def plain(self, answer: Answer) -> Answer:
        if answer.status >= 400:
            return Explained(answer)
        kind = first(answer.headers, b"content-type") or b""
        return Unframed(answer) if kind.startswith(EVENT_STREAM) else Named(answer)


# --- requests -------------------------------------------------------------------------------------------


def changed(body: bytes, *, drop: Sequence[str], add: Mapping[str, bytes]) -> bytes:
    """The object without some of its members and with others, unless it has them; every value keeps its bytes."""
    top = TopLevel(body)
    members = [(name, bytes(value)) for name, value in top.values.items() if name not in drop]
    members += [(name, value) for name, value in add.items() if name not in top.values]
    return b"{" + b",".join(msgspec.json.encode(name) + b":" + value for name, value in members) + b"}"


def _with_publisher(body: bytes, model: str) -> bytes:
    """Vertex's endpoint for Chat wants the maker before the model's name."""
    if "/" in model:
        return body
    return TopLevel(body).replace("model", msgspec.json.encode(f"google/{model}"))


def _without(headers: Headers, *names: bytes) -> Headers:
    return [field for field in headers if field[0] not in names]


def _words(value: bytes) -> list[str]:
    return [word for text in value.decode("latin-1").split(",") if (word := text.strip())]


class Tokens:
    """The access token of one credentials file, fetched when it is needed and kept until it ends."""

    def __init__(self, provider: str, credentials: Credentials, signer: Signer | None) -> None:
        self._provider = provider
        self._credentials = credentials
        self._signer = signer
        self._origin = parse_origin(credentials.token_uri, versioned=True)
        self._token: Token | None = None
        self._lock = asyncio.Lock()

    async def get(self, client: Client) -> bytes:
        """Raises `upstream.*` if the token endpoint gives none."""
        async with self._lock:  # many calls may find that it has ended; one fetches
            token, now = self._token, wall_us() / 1e6
            if token is None or token.until <= now:
                self._token = token = await self._fetch(client, now)
        return token.value.encode()

    def forget(self) -> None:
        self._token = None

    async def _fetch(self, client: Client, now: float) -> Token:
        form = token_request(self._credentials, int(now), self._signer)
        headers = [(b"content-type", b"application/x-www-form-urlencoded"), (b"accept-encoding", b"identity")]
        answer = await client.send(self._origin, b"POST", b"", headers, form, provider=self._provider)
        return read_token(answer.status, await answer.read(TOKEN_LIMIT), now, self._provider)


# --- answers --------------------------------------------------------------------------------------------


class _Nothing:
    """The source of an answer that is fed by another answer."""

    def resume_reading(self) -> None: ...

    def abort(self) -> None: ...


class Named(Answer):
    """An answer in the place of the cloud's own, whose id of the request is found under the usual name."""

    __slots__ = ("_inner",)

    def __init__(self, inner: Answer, *, content_type: bytes | None = None) -> None:
        self._inner = inner
        super().__init__(inner.provider, _Nothing())
        headers = list(inner.headers)
        amazons = first(headers, b"x-amzn-requestid")
        if amazons is not None:
            headers.append((b"request-id", amazons))
        if content_type is not None:
            headers = [
                *_without(headers, b"content-type", b"content-length"),
                (b"content-type", content_type),
            ]
        self.status = inner.status
        self.head = Head(inner.status, headers, 0.0)

    @property
    def deadline(self) -> float | None:  # the end is the inner answer's to keep
        return self._inner.deadline

    @deadline.setter
    def deadline(self, value: float | None) -> None:
        self._inner.deadline = value

    async def chunk(self) -> bytes:
        return await self._inner.chunk()

    def body(self, limit: int) -> bytes | None:  # noqa: ARG002 - it is for `read`
        return None

    async def read(self, limit: int) -> bytes:
        return await self._inner.read(limit)

    def cancel(self, _msg: object = None) -> bool:
        return self._inner.cancel()


class Explained(Named):
    """A cloud's error in Anthropic's shape; one that is in it already stays."""

    __slots__ = ()

    def __init__(self, inner: Answer) -> None:
        super().__init__(inner, content_type=b"application/json")

    async def read(self, limit: int) -> bytes:
        raw = await self._inner.read(limit)
        message = _message_in(raw)
        if message is None:
            return raw
        request_id = first(self.headers, b"request-id") or b""
        view = ErrorView(self.status, message, request_id.decode("latin-1"))
        return CODECS[ProtocolId.ANTHROPIC].write_error(view)


class Unframed(Named):
    """A stream of Amazon's frames as the server-sent events that are in them."""

    __slots__ = ("_decoder",)

    def __init__(self, inner: Answer) -> None:
        super().__init__(inner, content_type=b"text/event-stream")
        self._decoder = Decoder(inner.provider)

    async def chunk(self) -> bytes:
        while data := await self._inner.chunk():
            try:
                events = b"".join([self._event(message) for message in self._decoder.feed(data)])
            except GatewayError:
                self.cancel()
                raise
            if events:
                return events
        if not self._decoder.empty:
            raise GatewayError("upstream.cut", provider=self.provider)
        return b""

    def _event(self, message: Message) -> bytes:
        headers = message.headers
        if headers.get(":message-type") in ("exception", "error"):
            kind = headers.get(":exception-type") or headers.get(":error-code") or ""
            text = (
                _message_in(message.payload) or headers.get(":error-message") or kind or "the stream failed"
            )
            error = {"type": ERROR_KINDS.get(kind, "api_error"), "message": text}
            return b"event: error\ndata: " + msgspec.json.encode({"type": "error", "error": error}) + b"\n\n"
        try:
            data = base64.b64decode(_CHUNK.decode(message.payload).bytes, validate=True)
            name = _KIND.decode(data).type
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, binascii.Error):
            raise GatewayError(
                "upstream.bad_response", provider=self.provider, reason="a chunk of its stream has no event"
            ) from None
        return b"event: " + name.encode() + b"\ndata: " + data.replace(b"\n", b" ") + b"\n\n"


class _Chunk(Struct):
    bytes: str


class _Kind(Struct):
    type: str


_CHUNK: Final = msgspec.json.Decoder(_Chunk)
_KIND: Final = msgspec.json.Decoder(_Kind)


def _message_in(raw: bytes) -> str | None:
    """What a cloud's error says; None for one in Anthropic's own shape. Amazon writes `{"message": …}`, Google
    `{"error": {"message": …}}`, in streams within an array."""
    try:
        found: Any = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return raw.decode("utf-8", "replace")[:500] or "there is no message"
    if isinstance(found, list) and found:
        found = found[0]
    if not isinstance(found, dict):
        return "there is no message"
    error = found.get("error")
    if isinstance(error, dict):
        if found.get("type") == "error":
            return None
        found = error
    words = found.get("message") or found.get("Message")
    return words if isinstance(words, str) else "there is no message"
