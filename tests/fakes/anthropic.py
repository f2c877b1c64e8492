"""A scripted Anthropic: Messages, token counts and the model list, in the vendor's form down to the order of events.

    fake = Anthropic(); fake.start()
    anthropic.Anthropic(base_url=fake.url, api_key=fake.key)

Form of answers, events and headers: the SDK's types (anthropic 2.13) and the API reference, read 2026-11. It signs
its thinking and accepts no other signature than its own, for the very text that it signed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from tests.fakes import anthropic_rules
from tests.fakes.anthropic_platform import AnthropicPlatform
from tests.fakes.anthropic_rules import Block, blocks_of
from tests.fakes.openai import TOOL_ORDER
from tests.fakes.replies import (
    Call,
    Failure,
    Part,
    Raw,
    Redacted,
    Refusal,
    Reply,
    Script,
    Text,
    Thinking,
    Usage,
    chunks_of,
    instance_of,
    tokens_of,
)
from tests.fakes.scripted import BadJson, ScriptedUpstream, Violation, read_json, script_failure, sse
from tests.fakes.server import Exchange, Request

VERSIONS = ("2023-06-01", "2026-10-21")

# Status -> (type, message) as api.anthropic.com has them.
ERRORS: dict[int, tuple[str, str]] = {
    400: ("invalid_request_error", "Bad request"),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "Your credit balance is too low to access the Anthropic API."),
    403: ("permission_error", "Your API key does not have permission to use the specified resource."),
    404: ("not_found_error", "The requested resource could not be found."),
    409: ("conflict_error", "The resource was changed by another request."),
    413: ("request_too_large", "Request exceeds the maximum size"),
    422: ("invalid_request_error", "The request could not be processed."),
    429: ("rate_limit_error", "This request would exceed your organization's rate limit."),
    500: ("api_error", "Internal server error"),
    503: ("api_error", "Service unavailable"),
    504: ("timeout_error", "The request timed out."),
    529: ("overloaded_error", "Overloaded"),
}


class Anthropic(ScriptedUpstream):
    vendor = "anthropic"
    key = "sk-ant-upstream-anthropic-key"
    # SDKs since 2026-10-21 send their key as a bearer token, older ones as x-api-key; the API takes either.
    key_headers = ("x-api-key", "authorization")
    call_path = "/v1/messages"

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self._secret = secrets.token_bytes(16)
        self.platform = AnthropicPlatform(self)

    @property
    def base_url(self) -> str:
        return self.url

    async def route(self, request: Request, exchange: Exchange) -> None:
        if request.path == "/" and request.method == "HEAD":
            await exchange.answer(200, [], [b""])
            return
        denied = self._authorise(request)
        if denied is not None:
            await self._fail(exchange, self.violated(request, denied))
        elif request.path == "/v1/messages" and request.method == "POST":
            await self._messages(request, exchange)
        elif request.path == "/v1/messages/count_tokens" and request.method == "POST":
            await self._count(request, exchange)
        elif request.path == "/v1/models" and request.method == "GET":
            await self._send(exchange, _model_list(request.query))
        elif request.path.startswith("/v1/models/") and request.method == "GET":
            await self._model(request, exchange)
        elif not await self.platform.serve(request, exchange):
            text = f"{request.method} {request.path}"
            await self._fail(exchange, self.violated(request, Violation(text, 404, "not_found_error")))

    def _authorise(self, request: Request) -> Violation | None:
        given = [(h, value) for h in self.key_headers if (value := request.header(h)) is not None]
        if not given:
            return Violation("x-api-key header is required", 401, "authentication_error")
        for header, value in given:
            if value.removeprefix("Bearer ") != self.key:
                return Violation(f"invalid {header}", 401, "authentication_error")
        if len(given) > 1:
            return Violation("the key came in two headers", 400, "invalid_request_error")
        version = request.header("anthropic-version")
        if version not in VERSIONS:
            text = "header is required" if version is None else f'"{version}" is not a valid version'
            return Violation(f"anthropic-version: {text}", 400, "invalid_request_error")
        return None

    async def _model(self, request: Request, exchange: Exchange) -> None:
        name = request.path.removeprefix("/v1/models/")
        if name in anthropic_rules.MODELS:
            await self._send(exchange, _model_object(name))
        else:
            await self._fail(exchange, Failure(404, f"model: {name}"))

    async def _count(self, request: Request, exchange: Exchange) -> None:
        violation = self._first_violation(request, count=True)
        if violation is not None:
            await self._fail(exchange, self.violated(request, violation))
        elif self._queue:
            await self._play(request, exchange, self.next_script(request))
        else:
            await self._send(exchange, {"input_tokens": count_tokens(request.json)})

    async def _messages(self, request: Request, exchange: Exchange) -> None:
        violation = self._first_violation(request, count=False)
        if violation is not None:
            await self._fail(exchange, self.violated(request, violation))
        else:
            await self._play(request, exchange, self.next_script(request))

    async def _play(self, request: Request, exchange: Exchange, script: Script) -> None:
        match script:
            case Failure():
                await self._fail(exchange, script)
            case Raw():
                headers = [("content-type", script.content_type), *script.headers.items()]
                await exchange.answer(script.status, headers, [script.body], wire=script.wire)
            case Reply():
                await self._reply(request, exchange, script)

    def _first_violation(self, request: Request, *, count: bool) -> Violation | None:
        if (request.header("content-type") or "").split(";")[0].strip() != "application/json":
            return Violation("content-type: Input should be application/json", 400, "invalid_request_error")
        try:
            body = read_json(request.body)
        except BadJson as fault:
            return Violation(f"The request body is not valid JSON: {fault}", 400, "invalid_request_error")
        # The SDKs before 2.0 said it in the query, the later ones say it by the header alone.
        beta = "beta=true" in request.query.split("&") or request.header("anthropic-beta") is not None
        version = request.header("anthropic-version") or ""
        return next(
            anthropic_rules.violations(body, self.signed, count=count, beta=beta, version=version), None
        )

    async def _reply(self, request: Request, exchange: Exchange, reply: Reply) -> None:
        body = request.json
        answer = Answer(self, body, reply)
        headers = [*self._headers(), *reply.headers.items()]
        if body.get("stream"):
            headers += [("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache")]
            frames = answer.frames()
            if reply.mangle is not None:
                frames = reply.mangle(frames)
            await exchange.answer(200, headers, frames, stream=True, wire=reply.wire)
        else:
            headers.append(("content-type", "application/json"))
            await exchange.answer(200, headers, [answer.whole()], wire=reply.wire)

    async def _send(self, exchange: Exchange, value: Any) -> None:
        headers = [("content-type", "application/json"), *self._headers()]
        await exchange.answer(200, headers, [json.dumps(value).encode()])

    async def _fail(self, exchange: Exchange, failure: Failure) -> None:
        headers = self._headers()
        value = error_object(failure) | {"request_id": dict(headers)["request-id"]}
        headers += [("content-type", "application/json"), *failure.headers.items()]
        if failure.retry_after is not None:
            headers.append(("retry-after", failure.retry_after))
        await exchange.answer(failure.status, headers, [json.dumps(value).encode()], wire=failure.wire)

    def _headers(self) -> list[tuple[str, str]]:
        return [
            ("request-id", self.new_id("req_01")),
            ("anthropic-organization-id", "00000000-0000-4000-8000-000000000000"),
            ("anthropic-ratelimit-requests-limit", "4000"),
            ("anthropic-ratelimit-requests-remaining", "3999"),
            ("anthropic-ratelimit-requests-reset", "2026-11-24T00:00:01Z"),
            ("anthropic-ratelimit-input-tokens-limit", "2000000"),
            ("anthropic-ratelimit-input-tokens-remaining", "1999000"),
            ("anthropic-ratelimit-input-tokens-reset", "2026-11-24T00:00:01Z"),
            ("anthropic-ratelimit-output-tokens-limit", "400000"),
            ("anthropic-ratelimit-output-tokens-remaining", "399000"),
            ("anthropic-ratelimit-output-tokens-reset", "2026-11-24T00:00:01Z"),
        ]

    # --- signatures

    def sign(self, text: str) -> str:
        """A signature of `text`, in base64 as Anthropic's are; each is different."""
        nonce = secrets.token_bytes(12)
        return base64.b64encode(nonce + self._mac(nonce, text)).decode()

    def redact(self) -> str:
        return self.sign("redacted")

    def signed(self, block: Block) -> bool:
        """Whether this fake issued the signature (or the redacted data) of `block`."""
        redacted = block.get("type") == "redacted_thinking"
        text, signature = (
            ("redacted", block.get("data")) if redacted else (block.get("thinking"), block.get("signature"))
        )
        try:
            raw = base64.b64decode(str(signature), validate=True)
        except ValueError:
            return False
        return hmac.compare_digest(raw[12:], self._mac(raw[:12], str(text)))

    def _mac(self, nonce: bytes, text: str) -> bytes:
        return hmac.new(self._secret, nonce + text.encode(), hashlib.sha256).digest()

    def brain(self, request: Request) -> Script:
        return think(request.json)


def error_object(failure: Failure) -> dict[str, Any]:
    kind, message = ERRORS.get(failure.status, ("api_error", "Error"))
    return {"type": "error", "error": {"type": failure.kind or kind, "message": failure.message or message}}


def _model_object(name: str) -> dict[str, Any]:
    model = anthropic_rules.MODELS[name]
    return {
        "type": "model",
        "id": name,
        "display_name": name.replace("-", " ").title(),
        "created_at": "2025-09-29T00:00:00Z",
        "lifecycle": "active",
        "line": name.split("-")[1],
        "max_input_tokens": 200_000,
        "max_tokens": model.cap,
        "deprecated_at": None,
        "retires_at": None,
        "capabilities": None,
    }


def _model_list(query: str) -> dict[str, Any]:
    given = dict(pair.partition("=")[::2] for pair in query.split("&") if pair)
    names = list(anthropic_rules.MODELS)
    if "after_id" in given:
        names = names[names.index(given["after_id"]) + 1 :]
    limit = int(given.get("limit", 20))
    page = [_model_object(n) for n in names[:limit]]
    ends = (
        {"first_id": page[0]["id"], "last_id": page[-1]["id"]}
        if page
        else {"first_id": None, "last_id": None}
    )
    return {"data": page, "has_more": len(names) > limit, **ends}


def count_tokens(body: Mapping[str, Any]) -> int:
    return sum(tokens_of(body[k]) for k in ("system", "messages", "tools") if body.get(k))


class Answer:
    """Writes a `Reply` to one request, whole or as events."""

    def __init__(self, fake: Anthropic, body: Mapping[str, Any], reply: Reply) -> None:
        self._reply = reply
        self._id = fake.new_id("msg_01")
        self._model = reply.model or body["model"]
        self._blocks = [(part, self._block(fake, part)) for part in reply.parts]

    def _block(self, fake: Anthropic, part: Part) -> dict[str, Any]:
        match part:
            case Text():
                block: dict[str, Any] = {"type": "text", "text": part.text}
                return block | {"citations": list(part.citations)} if part.citations else block
            case Thinking():
                return {
                    "type": "thinking",
                    "thinking": part.text,
                    "signature": part.signature or fake.sign(part.text),
                }
            case Redacted():
                return {"type": "redacted_thinking", "data": part.data or fake.redact()}
            case Call():
                block = {"type": "tool_use", "id": part.id or fake.new_id("toolu_01"), "name": part.name}
                return block | {"input": part.text, "caller": {"type": "direct"}}
            case Refusal():
                raise AssertionError("Anthropic says a refusal by its stop reason alone")

    @property
    def _stop(self) -> str:
        if self._reply.stop is not None:
            return self._reply.stop
        if any(isinstance(p, Call) for p in self._reply.parts):
            return "tool_use"
        return "stop_sequence" if self._reply.stop_sequence is not None else "end_turn"

    def _message(self, content: list[Any], stop: str | None, usage: dict[str, Any]) -> dict[str, Any]:
        return {
            "model": self._model,
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "content": content,
            "stop_reason": stop,
            "stop_sequence": self._reply.stop_sequence if stop else None,
            "stop_details": self._details if stop else None,
            "usage": usage,
        }

    @property
    def _details(self) -> dict[str, Any] | None:
        if self._stop != "refusal":
            return None
        return {"type": "refusal", "category": None, "explanation": None}

    def whole(self) -> bytes:
        content = [
            b | {"input": json.loads(b["input"] or "{}")} if b["type"] == "tool_use" else b
            for _, b in self._blocks
        ]
        usage = write_usage(self._reply.usage, self._reply.service_tier)
        return json.dumps(self._message(content, self._stop, usage), ensure_ascii=False).encode()

    def frames(self) -> list[bytes]:
        events = [self._start(), *self._content()]
        content_end = len(events)
        events += self._end()
        frames = [sse(e, e["type"]) for e in events]
        ping = sse({"type": "ping"}, "ping")
        # The real stream has its ping behind the first block's start.
        pings = {2, *self._reply.pings}
        content_end += sum(1 for at in pings if at <= content_end)
        frames = [f for i, frame in enumerate(frames) for f in ([ping, frame] if i in pings else [frame])]
        failure = self._reply.failure
        if failure is not None:
            return script_failure(self._reply, frames, content_end, sse(error_object(failure), "error"))
        return frames

    def _start(self) -> dict[str, Any]:
        usage = write_usage(self._reply.usage, self._reply.service_tier)
        usage.pop("output_tokens_details", None)
        return {"type": "message_start", "message": self._message([], None, usage | {"output_tokens": 1})}

    def _end(self) -> list[dict[str, Any]]:
        usage = write_usage(self._reply.usage, None)
        for name in ("cache_creation", "service_tier", "inference_geo"):
            usage.pop(name)
        delta = {
            "stop_reason": self._stop,
            "stop_sequence": self._reply.stop_sequence,
            "stop_details": self._details,
        }
        return [{"type": "message_delta", "delta": delta, "usage": usage}, {"type": "message_stop"}]

    def _content(self) -> Iterator[dict[str, Any]]:
        for index, (part, block) in enumerate(self._blocks):
            yield {"type": "content_block_start", "index": index, "content_block": _opening(block)}
            for delta in _deltas(part, block):
                yield {"type": "content_block_delta", "index": index, "delta": delta}
            yield {"type": "content_block_stop", "index": index}


def _opening(block: dict[str, Any]) -> dict[str, Any]:
    """A block as it starts: its head, empty."""
    empty: dict[str, dict[str, Any]] = {
        "text": {"text": ""},
        "thinking": {"thinking": "", "signature": ""},
        "tool_use": {"input": {}},
    }
    opening = block | empty.get(block["type"], {})
    return opening | {"citations": []} if "citations" in opening else opening


def _deltas(part: Part, block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    match part:
        case Text():
            yield from ({"type": "citations_delta", "citation": dict(c)} for c in part.citations)
            yield from ({"type": "text_delta", "text": piece} for piece in chunks_of(part))
        case Thinking():
            yield from ({"type": "thinking_delta", "thinking": piece} for piece in chunks_of(part))
            yield {"type": "signature_delta", "signature": block["signature"]}
        case Call():
            yield {"type": "input_json_delta", "partial_json": ""}
            # A call without arguments streams nothing more.
            pieces = [] if part.text == "{}" and part.chunks is None else chunks_of(part)
            yield from ({"type": "input_json_delta", "partial_json": piece} for piece in pieces)
        case Redacted() | Refusal():
            pass


def write_usage(usage: Usage, tier: str | None) -> dict[str, Any]:
    """Anthropic counts cached tokens apart from `input_tokens`."""
    value: dict[str, Any] = {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
        "output_tokens": usage.output,
        "service_tier": tier or "standard",
        "inference_geo": "not_available",
    }
    return (
        value | {"output_tokens_details": {"thinking_tokens": usage.reasoning}} if usage.reasoning else value
    )


# --- the brain ------------------------------------------------------------------------------------------


def think(body: Mapping[str, Any]) -> Reply:
    """Echoes the last user text; `tool:NAME {json}` (one a line) calls offered tools; a forced tool is called; a
    schema gets the smallest value that fits it; tool results are repeated; thinks first if it may."""
    last = next(m for m in reversed(body["messages"]) if m["role"] != "system")
    blocks = blocks_of(last["content"])
    said = "".join(b["text"] for b in blocks if b.get("type") == "text")
    results = [b for b in blocks if b.get("type") == "tool_result"]
    offered = {t["name"]: t for t in body.get("tools") or () if "input_schema" in t}
    parts = _tool_calls(body, said, offered) if last["role"] == "user" else []
    if not parts:
        parts = [Text(_words(body, said, results))]
    answered = "".join(p.text for p in parts if isinstance(p, Text | Call))
    reasoning = 0
    if anthropic_rules.thinks(body):
        thought = f"The user wants: {said or 'an answer'}"
        reasoning = tokens_of(thought)
        parts.insert(0, Thinking("" if body["thinking"].get("display") == "omitted" else thought))
    usage = Usage(input=count_tokens(body), output=tokens_of(answered) + reasoning, reasoning=reasoning)
    return _limited(body, Reply(parts=parts, usage=usage))


def _tool_calls(body: Mapping[str, Any], said: str, offered: Mapping[str, Any]) -> list[Part]:
    choice = body.get("tool_choice") or {"type": "auto"}
    if choice["type"] == "none":
        return []
    found: list[Part] = [
        Call(name, args or "{}") for name, args in TOOL_ORDER.findall(said) if name in offered
    ]
    if choice["type"] == "tool" and choice["name"] in offered:
        found = [c for c in found if isinstance(c, Call) and c.name == choice["name"]]
        found = found or [Call(choice["name"], instance_of(offered[choice["name"]]["input_schema"]))]
    elif choice["type"] == "any" and not found and offered:
        name, tool = next(iter(offered.items()))
        found = [Call(name, instance_of(tool["input_schema"]))]
    return found[:1] if choice.get("disable_parallel_tool_use") else found


def _words(body: Mapping[str, Any], said: str, results: list[Block]) -> str:
    form = (body.get("output_config") or {}).get("format")
    if form is not None:
        return json.dumps(instance_of(form["schema"]))
    if results:
        texts = ["".join(b.get("text", "") for b in blocks_of(r.get("content"))) for r in results]
        return "The tools said: " + " | ".join(texts)
    return f"You said: {said}"


def _limited(body: Mapping[str, Any], reply: Reply) -> Reply:
    """Applies `stop_sequences` and `max_tokens` (a word counts as a token)."""
    *before, part = reply.parts
    if not isinstance(part, Text):
        return reply
    for stop in body.get("stop_sequences") or ():
        if stop in part.text:
            cut = Text(part.text.partition(stop)[0])
            return Reply(parts=(*before, cut) if cut.text else before, stop_sequence=stop, usage=reply.usage)
    words = chunks_of(part)
    limit = body["max_tokens"]
    if len(words) > limit:
        cut = Text("".join(itertools.islice(words, limit)))
        usage = Usage(input=reply.usage.input, output=limit, reasoning=min(limit, reply.usage.reasoning))
        return Reply(parts=(*before, cut), stop="max_tokens", usage=usage)
    return reply
