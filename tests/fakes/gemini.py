"""A scripted Gemini: `generateContent`, its stream as SSE and as an array, token counts and the model list.

    fake = Gemini(); fake.start()
    genai.Client(api_key=fake.key, http_options={"base_url": fake.url})

Form of answers, chunks and headers: the SDK's types (google-genai 3.6.1) and ai.google.dev/api, read 2026-11. Models of
generation 3 give ids and sign the first call of each answer; the fake accepts no other signature than its own, and
Google's placeholder.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from tests.fakes import gemini_rules
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
from tests.fakes.scripted import BadJson, ScriptedUpstream, Violation, read_json, script_failure
from tests.fakes.server import Exchange, Request

PATH = re.compile(
    r"/v1(?:beta)?/models/(?P<model>[^:]+):(?P<method>generateContent|streamGenerateContent|countTokens)"
)

# Status -> (word, message) as generativelanguage.googleapis.com has them.
ERRORS: dict[int, tuple[str, str]] = {
    400: ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    401: ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
    403: ("PERMISSION_DENIED", "Permission denied."),
    404: ("NOT_FOUND", "Requested entity was not found."),
    429: (
        "RESOURCE_EXHAUSTED",
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    500: ("INTERNAL", "An internal error has occurred."),
    503: ("UNAVAILABLE", "The model is overloaded. Please try again later."),
    504: ("DEADLINE_EXCEEDED", "The request timed out."),
}


class Gemini(ScriptedUpstream):
    vendor = "google"
    key = "AIza-upstream-google-key"
    key_headers = ("x-goog-api-key",)

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self._secret = secrets.token_bytes(16)

    @property
    def base_url(self) -> str:
        return self.url

    def calls(self) -> list[Request]:
        return [r for r in self.requests if r.path.endswith(("generateContent", "streamGenerateContent"))]

    async def route(self, request: Request, exchange: Exchange) -> None:
        denied = self._authorise(request)
        found = PATH.fullmatch(request.path)
        if denied is not None:
            await self._fail(exchange, self.violated(request, denied))
        elif found is not None and request.method == "POST":
            await self._called(request, exchange, unquote(found["model"]), found["method"])
        elif request.path in ("/v1beta/models", "/v1/models") and request.method == "GET":
            await self._send(exchange, {"models": [_model_object(name) for name in gemini_rules.MODELS]})
        elif "/models/" in request.path and request.method == "GET":
            await self._model(exchange, request.path.rpartition("/")[2])
        else:
            text = f"{request.method} {request.path}"
            await self._fail(exchange, self.violated(request, Violation(text, 404, "NOT_FOUND")))

    def _authorise(self, request: Request) -> Violation | None:
        if "key=" in request.query:
            return Violation("the key came in the URL", 400, "INVALID_ARGUMENT")
        given = request.header("x-goog-api-key")
        if given is None:
            return Violation("Method doesn't allow unregistered callers.", 403, "PERMISSION_DENIED")
        if given != self.key:
            return Violation("API key not valid. Please pass a valid API key.", 400, "INVALID_ARGUMENT")
        return None

    async def _model(self, exchange: Exchange, name: str) -> None:
        if name in gemini_rules.MODELS:
            await self._send(exchange, _model_object(name))
        else:
            await self._fail(exchange, Failure(404, f"models/{name} is not found"))

    async def _called(self, request: Request, exchange: Exchange, model: str, method: str) -> None:
        violation = self._first_violation(request, model, method)
        if violation is not None:
            await self._fail(exchange, self.violated(request, violation))
        elif method == "countTokens":
            await self._send(exchange, {"totalTokens": tokens_of(request.json)})
        else:
            await self._play(request, exchange, model, method)

    def _first_violation(self, request: Request, model: str, method: str) -> Violation | None:
        if (request.header("content-type") or "").split(";")[0].strip() != "application/json":
            return Violation("Content-Type must be application/json", 400, "INVALID_ARGUMENT")
        try:
            body = read_json(request.body)
        except BadJson as fault:
            return Violation(f"Invalid JSON payload received. {fault}", 400, "INVALID_ARGUMENT")
        if method == "countTokens" and isinstance(body, dict):
            body = body.get("generateContentRequest", body)
        return next(gemini_rules.violations(body, model, self.signed), None)

    async def _play(self, request: Request, exchange: Exchange, model: str, method: str) -> None:
        script = self.next_script(request)
        match script:
            case Failure():
                await self._fail(exchange, script)
            case Raw():
                headers = [("content-type", script.content_type), *script.headers.items()]
                await exchange.answer(script.status, headers, [script.body], wire=script.wire)
            case Reply():
                answer = Answer(self, model, script)
                headers = [*self._headers(), *script.headers.items()]
                if method == "generateContent":
                    headers.append(("content-type", "application/json; charset=UTF-8"))
                    await exchange.answer(200, headers, [answer.whole()], wire=script.wire)
                    return
                as_sse = "alt=sse" in request.query.split("&")
                headers.append(
                    ("content-type", "text/event-stream" if as_sse else "application/json; charset=UTF-8")
                )
                frames = answer.frames() if as_sse else answer.array()
                if script.mangle is not None:
                    frames = script.mangle(frames)
                await exchange.answer(200, headers, frames, stream=True, wire=script.wire)

    async def _send(self, exchange: Exchange, value: Any) -> None:
        headers = [("content-type", "application/json; charset=UTF-8"), *self._headers()]
        await exchange.answer(200, headers, [json.dumps(value).encode()])

    async def _fail(self, exchange: Exchange, failure: Failure) -> None:
        headers = [
            ("content-type", "application/json; charset=UTF-8"),
            *self._headers(),
            *failure.headers.items(),
        ]
        if failure.retry_after is not None:
            headers.append(("retry-after", failure.retry_after))
        body = json.dumps(error_object(failure), indent=2).encode()
        await exchange.answer(failure.status, headers, [body], wire=failure.wire)

    def _headers(self) -> list[tuple[str, str]]:
        return [("server", "scaffolding on HTTPServer2"), ("server-timing", "gfet4t7; dur=12")]

    # --- signatures

    def sign(self) -> str:
        """In base64, with characters that differ between its alphabets; each is different."""
        nonce = b"\xfb\xff" + secrets.token_bytes(10)
        return base64.b64encode(nonce + self._mac(nonce)).decode()

    def signed(self, signature: str) -> bool:
        """Whether this fake issued it."""
        try:
            raw = base64.urlsafe_b64decode(signature.replace("+", "-").replace("/", "_"))
        except ValueError:
            return False
        return hmac.compare_digest(raw[12:], self._mac(raw[:12]))

    def _mac(self, nonce: bytes) -> bytes:
        return hmac.new(self._secret, nonce, hashlib.sha256).digest()

    def brain(self, request: Request) -> Script:
        return think(request.json)


def error_object(failure: Failure) -> dict[str, Any]:
    word, message = ERRORS.get(failure.status, ("INTERNAL", "Error."))
    status = failure.kind or word
    return {"error": {"code": failure.status, "message": failure.message or message, "status": status}}


def _model_object(name: str) -> dict[str, Any]:
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": name.replace("-", " ").title(),
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": gemini_rules.MODELS[name].cap,
        "supportedGenerationMethods": ["generateContent", "countTokens", "createCachedContent"],
    }


class Answer:
    """Writes a `Reply` to one request, whole or as chunks."""

    def __init__(self, fake: Gemini, model: str, reply: Reply) -> None:
        self._fake = fake
        self._reply = reply
        self._id = fake.new_id("")
        self._model = reply.model or model
        rules = gemini_rules.MODELS.get(model)
        self._strict = rules is not None and rules.strict
        self._signs = self._strict

    def _signature(self, part: Part) -> dict[str, str]:
        """Once an answer: beside its first call, else at its end."""
        if not self._signs or not isinstance(part, Call):
            return {}
        self._signs = False
        return {"thoughtSignature": self._fake.sign()}

    def _pieces(self) -> list[dict[str, Any]]:
        """The parts of the answer, texts in their fragments."""
        pieces: list[dict[str, Any]] = []
        for part in self._reply.parts:
            match part:
                case Text():
                    pieces += [{"text": text} for text in chunks_of(part)]
                case Thinking():
                    pieces += [{"text": text, "thought": True} for text in chunks_of(part)]
                case Call():
                    call: dict[str, Any] = {"name": part.name, "args": json.loads(part.text or "{}")}
                    if self._strict:
                        call["id"] = part.id or self._fake.new_id("fc_")
                    pieces.append({"functionCall": call} | self._signature(part))
                case Redacted() | Refusal():
                    raise AssertionError("Gemini has no such part")
        if self._signs:
            pieces.append({"text": "", "thoughtSignature": self._fake.sign()})
        return pieces

    def whole(self) -> bytes:
        parts: list[dict[str, Any]] = []
        for piece in self._pieces():
            last = parts[-1] if parts else {}
            if "text" in piece and "text" in last and piece.get("thought") == last.get("thought"):
                last.update(piece | {"text": last["text"] + piece["text"]})
            else:
                parts.append(dict(piece))
        candidate = {"content": {"parts": parts, "role": "model"}, "finishReason": self._finish, "index": 0}
        return json.dumps(self._response([candidate], last=True), ensure_ascii=False, indent=2).encode()

    @property
    def _finish(self) -> str:
        return self._reply.stop or "STOP"

    def _response(self, candidates: list[Any], *, last: bool) -> dict[str, Any]:
        usage = write_usage(self._reply.usage)
        if not last:
            usage = {name: usage[name] for name in ("promptTokenCount", "totalTokenCount")}
        return {
            "candidates": candidates,
            "usageMetadata": usage,
            "modelVersion": self._model,
            "responseId": self._id,
        }

    def _chunks(self) -> list[dict[str, Any]]:
        pieces = self._pieces()
        chunks = []
        for number, piece in enumerate(pieces, 1):
            candidate: dict[str, Any] = {"content": {"parts": [piece], "role": "model"}}
            last = number == len(pieces)
            if last:
                candidate["finishReason"] = self._finish
            chunks.append(self._response([candidate | {"index": 0}], last=last))
        return chunks or [self._response([{"finishReason": self._finish, "index": 0}], last=True)]

    def frames(self) -> list[bytes]:
        frames = [_sse(chunk) for chunk in self._chunks()]
        failure = self._reply.failure
        if failure is not None:
            return script_failure(self._reply, frames, len(frames) - 1, _sse(error_object(failure)))
        return frames

    def array(self) -> list[bytes]:
        texts = [json.dumps(chunk, ensure_ascii=False, indent=2).encode() for chunk in self._chunks()]
        return [(b",\r\n" if number else b"[") + text for number, text in enumerate(texts)] + [b"\n]\n"]


def _sse(value: Any) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\r\n\r\n"


def write_usage(usage: Usage) -> dict[str, Any]:
    """Google counts cached tokens within the prompt, and thoughts beside the answer."""
    prompt = usage.input + usage.cache_read
    out: dict[str, Any] = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": usage.output - usage.reasoning,
        "totalTokenCount": prompt + usage.output,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}],
    }
    if usage.cache_read:
        out["cachedContentTokenCount"] = usage.cache_read
    if usage.reasoning:
        out["thoughtsTokenCount"] = usage.reasoning
    return out


# --- the brain ------------------------------------------------------------------------------------------


def think(body: Mapping[str, Any]) -> Reply:
    """Echoes the last user text; `tool:NAME {json}` (one a line) calls offered tools; mode ANY calls one; a schema gets
    the smallest value that fits it; function responses are repeated."""
    last = body["contents"][-1]["parts"]
    said = "".join(part.get("text", "") for part in last)
    answers = [part["functionResponse"]["response"] for part in last if "functionResponse" in part]
    declared = [f for tool in body.get("tools") or () for f in tool.get("functionDeclarations") or ()]
    offered = {f["name"]: f.get("parametersJsonSchema") or {} for f in declared}
    config = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    parts: list[Part] = []
    if offered and config.get("mode") != "NONE":
        parts = [Call(name, args or "{}") for name, args in TOOL_ORDER.findall(said) if name in offered]
        if not parts and config.get("mode") == "ANY":
            name = (config.get("allowedFunctionNames") or list(offered))[0]
            parts = [Call(name, instance_of(offered[name]))]
    if not parts:
        parts = [Text(_words(body, said, answers))]
    answered = "".join(p.text for p in parts if isinstance(p, Text | Call))
    return Reply(parts=parts, usage=Usage(input=tokens_of(body["contents"]), output=tokens_of(answered)))


def _words(body: Mapping[str, Any], said: str, answers: list[Any]) -> str:
    config = body.get("generationConfig") or {}
    if config.get("responseMimeType") == "application/json":
        return json.dumps(instance_of(config.get("responseJsonSchema") or {}))
    if answers:
        return "The tools said: " + " | ".join(
            str(answer.get("result", answer.get("error", answer))) for answer in answers
        )
    return f"You said: {said}"
