"""A scripted OpenAI: Chat Completions and the model list, in the vendor's form down to the order of chunks.

    fake = OpenAI(); fake.start()
    openai.OpenAI(base_url=fake.url + "/v1", api_key=fake.key)

Form of answers, chunks and headers: the SDK's types (openai 3.57) and the API reference, read 2026-11.
With `compatible=True` it is a server of the kind of vLLM: any model, extra fields, `reasoning_content`.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.fakes import openai_rules
from tests.fakes.openai_platform import OpenAIPlatform
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

CREATED = 1_764_000_000

# Status -> (type, code, message) as api.openai.com has them.
ERRORS: dict[int, tuple[str, str | None, str]] = {
    400: ("invalid_request_error", None, "Bad request."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    403: (
        "invalid_request_error",
        "unsupported_country_region_territory",
        "Country, region, or territory not supported",
    ),
    404: (
        "invalid_request_error",
        "model_not_found",
        "The model does not exist or you do not have access to it.",
    ),
    409: ("invalid_request_error", None, "The resource was changed by another request."),
    413: ("invalid_request_error", None, "The request is too large."),
    422: ("invalid_request_error", None, "The request could not be processed."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests."),
    500: ("server_error", None, "The server had an error while processing your request. Sorry about that!"),
    503: ("server_error", None, "That model is currently overloaded with other requests."),
    529: ("server_error", None, "Overloaded."),
}


class OpenAI(ScriptedUpstream):
    vendor = "openai"
    key = "sk-upstream-openai-key"
    key_headers = ("authorization",)
    call_path = "/v1/chat/completions"

    def __init__(self, port: int = 0, *, compatible: bool = False) -> None:
        super().__init__(port)
        self.compatible = compatible
        self.platform = OpenAIPlatform(self)

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    async def route(self, request: Request, exchange: Exchange) -> None:
        denied = self._authorise(request)
        if denied is not None:
            await self._fail(exchange, self.violated(request, denied))
        elif request.path == self.call_path and request.method == "POST":
            await self._chat(request, exchange)
        elif request.path == "/v1/models" and request.method == "GET":
            data = [_model_object(name) for name in openai_rules.MODELS]
            await self._send(exchange, {"object": "list", "data": data})
        elif request.path.startswith("/v1/models/") and request.method == "GET":
            await self._model(request, exchange)
        elif not await self.platform.serve(request, exchange):
            text = f"Invalid URL ({request.method} {request.path})"
            await self._fail(exchange, self.violated(request, Violation(text, 404, "invalid_request_error")))

    def _authorise(self, request: Request) -> Violation | None:
        given = request.header("authorization")
        if given is None:
            return Violation("You didn't provide an API key.", 401, "invalid_request_error")
        if given != f"Bearer {self.key}":
            return Violation("Incorrect API key provided.", 401, "invalid_request_error", "invalid_api_key")
        return None

    async def _model(self, request: Request, exchange: Exchange) -> None:
        name = request.path.removeprefix("/v1/models/")
        if name in openai_rules.MODELS:
            await self._send(exchange, _model_object(name))
        else:
            await self._fail(exchange, Failure(404, f"The model '{name}' does not exist", param="model"))

    async def _chat(self, request: Request, exchange: Exchange) -> None:
        violation = self._first_violation(request)
        if violation is not None:
            await self._fail(exchange, self.violated(request, violation))
            return
        script = self.next_script(request)
        match script:
            case Failure():
                await self._fail(exchange, script)
            case Raw():
                headers = [("content-type", script.content_type), *script.headers.items()]
                await exchange.answer(script.status, headers, [script.body], wire=script.wire)
            case Reply():
                await self._reply(request, exchange, script)

    def _first_violation(self, request: Request) -> Violation | None:
        if (request.header("content-type") or "").split(";")[0].strip() != "application/json":
            return Violation(
                "Unsupported Media Type: expected application/json.", 415, "invalid_request_error"
            )
        try:
            body = read_json(request.body)
        except BadJson as fault:
            text = f"We could not parse the JSON body of your request. ({fault})"
            return Violation(text, 400, "invalid_request_error")
        return next(openai_rules.violations(body, compatible=self.compatible), None)

    async def _reply(self, request: Request, exchange: Exchange, reply: Reply) -> None:
        body = request.json
        answer = Answer(self, body, reply)
        headers = [*self._headers(), *reply.headers.items()]
        if body.get("stream"):
            headers.insert(0, ("content-type", "text/event-stream; charset=utf-8"))
            frames = answer.frames()
            if reply.mangle is not None:
                frames = reply.mangle(frames)
            await exchange.answer(200, headers, frames, stream=True, wire=reply.wire)
        else:
            headers.insert(0, ("content-type", "application/json"))
            await exchange.answer(200, headers, [answer.whole()], wire=reply.wire)

    async def _send(self, exchange: Exchange, value: Any) -> None:
        headers = [("content-type", "application/json"), *self._headers()]
        await exchange.answer(200, headers, [json.dumps(value).encode()])

    async def _fail(self, exchange: Exchange, failure: Failure) -> None:
        headers = [("content-type", "application/json"), *self._headers(), *failure.headers.items()]
        if failure.retry_after is not None:
            headers.append(("retry-after", failure.retry_after))
        body = json.dumps({"error": error_object(failure)}, indent=2).encode()
        await exchange.answer(failure.status, headers, [body], wire=failure.wire)

    def _headers(self) -> list[tuple[str, str]]:
        return [
            ("x-request-id", self.new_id("req_")),
            ("openai-version", "2020-10-01"),
            ("openai-organization", "org-scripted"),
            ("openai-processing-ms", "12"),
            ("x-ratelimit-limit-requests", "10000"),
            ("x-ratelimit-remaining-requests", "9999"),
            ("x-ratelimit-reset-requests", "6ms"),
            ("x-ratelimit-limit-tokens", "2000000"),
            ("x-ratelimit-remaining-tokens", "1999000"),
            ("x-ratelimit-reset-tokens", "30ms"),
        ]

    def brain(self, request: Request) -> Script:
        return think(request.json)


def error_object(failure: Failure) -> dict[str, Any]:
    kind, code, message = ERRORS.get(failure.status, ("server_error", None, "Error."))
    return {
        "message": failure.message or message,
        "type": failure.kind or kind,
        "param": failure.param,
        "code": failure.code if failure.message else code,
    }


def _model_object(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1_715_367_049, "owned_by": "system"}


class Answer:
    """Writes a `Reply` to one request, whole or as chunks."""

    def __init__(self, fake: OpenAI, body: Mapping[str, Any], reply: Reply) -> None:
        self._body = body
        self._reply = reply
        self._id = fake.new_id("chatcmpl-")
        self._call_ids = {id(p): p.id or fake.new_id("call_") for p in reply.parts if isinstance(p, Call)}
        self._model = reply.model or body["model"]
        self._compatible = fake.compatible
        if any(isinstance(p, Redacted) for p in reply.parts):
            raise AssertionError("OpenAI has no redacted thinking")
        if not fake.compatible and any(isinstance(p, Thinking) for p in reply.parts):
            raise AssertionError("only a compatible server sends reasoning_content")

    @property
    def _calls(self) -> list[Call]:
        return [p for p in self._reply.parts if isinstance(p, Call)]

    def _join(self, kind: type[Text | Thinking | Refusal]) -> str | None:
        found = [p.text for p in self._reply.parts if isinstance(p, kind)]
        return "".join(found) if found else None

    @property
    def _finish(self) -> str:
        return self._reply.stop or ("tool_calls" if self._calls else "stop")

    @property
    def usage(self) -> dict[str, Any]:
        return write_usage(self._reply.usage)

    def _common(self, kind: str) -> dict[str, Any]:
        common: dict[str, Any] = {"id": self._id, "object": kind, "created": CREATED, "model": self._model}
        if not self._compatible:
            common |= {
                "service_tier": self._reply.service_tier or "default",
                "system_fingerprint": "fp_scripted",
            }
        return common

    def whole(self) -> bytes:
        message: dict[str, Any] = {
            "role": "assistant",
            "content": self._join(Text),
            "refusal": self._join(Refusal),
        }
        thought = self._join(Thinking)
        if thought is not None:
            message["reasoning_content"] = thought
        if self._calls:
            message["tool_calls"] = [self._whole_call(c) for c in self._calls]
        if not self._compatible:
            message["annotations"] = []
        choices = [
            {
                "index": i,
                "message": message,
                "logprobs": self._logprobs(self._join(Text)),
                "finish_reason": self._finish,
            }
            for i in range(self._body.get("n") or 1)
        ]
        value = self._common("chat.completion") | {"choices": choices, "usage": self.usage}
        return json.dumps(value, ensure_ascii=False, indent=2).encode()

    def _whole_call(self, call: Call) -> dict[str, Any]:
        function = {"name": call.name, "arguments": call.text}
        return {"id": self._call_ids[id(call)], "type": "function", "function": function}

    def _logprobs(self, text: str | None) -> dict[str, Any] | None:
        if not self._body.get("logprobs"):
            return None
        content = [
            {"token": t, "logprob": -0.25, "bytes": list(t.encode()), "top_logprobs": []}
            for t in re.findall(r"\s*\S+|\s+$", text or "")
        ]
        return {"content": content, "refusal": None}

    def frames(self) -> list[bytes]:
        options = self._body.get("stream_options") or {}
        wants_usage = bool(options.get("include_usage"))
        choices = self._body.get("n") or 1
        frames = [
            self._chunk(i, delta, None, wants_usage) for delta in self._deltas() for i in range(choices)
        ]
        content_end = len(frames)
        frames += [self._chunk(i, {}, self._finish, wants_usage) for i in range(choices)]
        if wants_usage:
            frames.append(
                sse(
                    self._obscure(
                        self._common("chat.completion.chunk") | {"choices": [], "usage": self.usage}
                    )
                )
            )
        frames.append(sse("[DONE]"))
        failure = self._reply.failure
        if failure is not None:
            return script_failure(self._reply, frames, content_end, sse({"error": error_object(failure)}))
        return frames

    def _chunk(self, index: int, delta: dict[str, Any], finish: str | None, wants_usage: bool) -> bytes:
        logprobs = self._logprobs(delta.get("content")) if delta.get("content") else None
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        value = self._common("chat.completion.chunk") | {"choices": [choice]}
        if wants_usage:
            value["usage"] = None
        return sse(self._obscure(value))

    def _obscure(self, value: dict[str, Any]) -> dict[str, Any]:
        """OpenAI pads its chunks unless told not to."""
        if self._compatible or (self._body.get("stream_options") or {}).get("include_obfuscation") is False:
            return value
        return value | {"obfuscation": "x" * (len(str(value)) % 13)}

    def _deltas(self) -> Iterator[dict[str, Any]]:
        """The content in order, the role first: with the first text, or alone before calls."""
        has_text = any(isinstance(p, Text) for p in self._reply.parts)
        first: dict[str, Any] = {"role": "assistant", "content": "" if has_text else None, "refusal": None}
        yield first
        for kind, parts in itertools.groupby(self._reply.parts, type):
            group = list(parts)
            if kind is Call:
                yield from self._call_deltas(group)
                continue
            for part in group:
                yield from self._text_deltas(part)

    def _text_deltas(self, part: Part) -> Iterator[dict[str, Any]]:
        if isinstance(part, Refusal):
            yield from ({"refusal": piece} for piece in chunks_of(Text(part.text)))
        elif isinstance(part, Text | Thinking):
            field = "content" if isinstance(part, Text) else "reasoning_content"
            yield from ({field: piece} for piece in chunks_of(part))

    def _call_deltas(self, group: Sequence[Part]) -> Iterator[dict[str, Any]]:
        calls = [p for p in group if isinstance(p, Call)]
        numbers = {id(c): i for i, c in enumerate(self._calls)}
        starts = [self._call_delta(numbers[id(c)], c) for c in calls]
        fragments = [
            [
                {"tool_calls": [{"index": numbers[id(c)], "function": {"arguments": piece}}]}
                for piece in chunks_of(c)
            ]
            for c in calls
        ]
        if self._reply.interleave:
            yield from starts
            for row in itertools.zip_longest(*fragments):
                yield from (delta for delta in row if delta is not None)
            return
        for start, rest in zip(starts, fragments, strict=True):
            yield start
            yield from rest

    def _call_delta(self, index: int, call: Call) -> dict[str, Any]:
        head = {"index": index, "id": self._call_ids[id(call)], "type": "function"}
        return {"tool_calls": [head | {"function": {"name": call.name, "arguments": ""}}]}


def write_usage(usage: Usage) -> dict[str, Any]:
    """OpenAI counts cached tokens within the prompt."""
    written = usage.cache_write_5m + usage.cache_write_1h
    prompt = usage.input + usage.cache_read + written
    return {
        "prompt_tokens": prompt,
        "completion_tokens": usage.output,
        "total_tokens": prompt + usage.output,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read,
            "audio_tokens": 0,
            "cache_write_tokens": written,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


# --- the brain ------------------------------------------------------------------------------------------

TOOL_ORDER = re.compile(r"^tool:(\S+)[ \t]*(\{.*\})?[ \t]*$", re.MULTILINE)


def text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(p.get("text", "") for p in content or () if isinstance(p, dict))


def think(body: Mapping[str, Any]) -> Reply:
    """Echoes the last user text; `tool:NAME {json}` (one a line) calls offered tools; a forced tool is called; a
    schema gets the smallest value that fits it; tool results are repeated."""
    last = body["messages"][-1]
    said = text_of(last.get("content"))
    offered = {t["function"]["name"]: t["function"] for t in body.get("tools") or () if "function" in t}
    parts: list[Part] = []
    choice = body.get("tool_choice")
    if last["role"] == "user" and choice != "none":
        parts = [Call(name, args or "{}") for name, args in TOOL_ORDER.findall(said) if name in offered]
        if not parts and isinstance(choice, dict) and choice.get("type") == "function":
            name = choice["function"]["name"]
            parts = [Call(name, instance_of(offered[name].get("parameters", {})))]
        elif not parts and choice == "required":
            name, function = next(iter(offered.items()))
            parts = [Call(name, instance_of(function.get("parameters", {})))]
        if body.get("parallel_tool_calls") is False:
            parts = parts[:1]
    if not parts:
        parts = [Text(_words(body, last["role"], said))]
    answered = "".join(p.text for p in parts if isinstance(p, Text | Call))
    reply = Reply(parts=parts, usage=Usage(input=tokens_of(body["messages"]), output=tokens_of(answered)))
    return _limited(body, reply)


def _words(body: Mapping[str, Any], role: str, said: str) -> str:
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        return json.dumps(instance_of(form["json_schema"].get("schema", {})))
    if form.get("type") == "json_object":
        return '{"echo": "json"}'
    if role == "tool":
        results = itertools.takewhile(lambda m: m["role"] == "tool", reversed(body["messages"]))
        return "The tools said: " + " | ".join(text_of(m["content"]) for m in reversed(list(results)))
    return f"You said: {said}"


def _limited(body: Mapping[str, Any], reply: Reply) -> Reply:
    """Applies `stop` and the token limit (a word counts as a token)."""
    part = reply.parts[0]
    if not isinstance(part, Text):
        return reply
    stops = body.get("stop") or []
    for stop in [stops] if isinstance(stops, str) else stops:
        if stop in part.text:
            return Reply(parts=(Text(part.text.partition(stop)[0]),), usage=reply.usage)
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    words = chunks_of(part)
    if limit is not None and len(words) > limit:
        usage = Usage(input=reply.usage.input, output=limit)
        return Reply(parts=(Text("".join(words[:limit])),), stop="length", usage=usage)
    return reply
