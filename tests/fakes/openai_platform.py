"""The other endpoints of a scripted OpenAI: embeddings, completions, images, audio, moderations, files and what is made
of them. Strict about method, content type and the fields that must be there; files are kept and can be read back.

Form of answers: the SDK's types (openai 3.57), read 2026-11-25. A scripted `Raw` or `Failure` goes before all of it.
"""

from __future__ import annotations

import base64
import email.parser
import email.policy
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.fakes.replies import Failure, Raw, tokens_of
from tests.fakes.scripted import BadJson, Violation, read_json, sse
from tests.fakes.server import Exchange, Request

if TYPE_CHECKING:
    from tests.fakes.openai import OpenAI

CREATED = 1_764_000_000
SOUND = b"ID3\x04\x00" + bytes(range(256)) * 40
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()

Handler = Callable[[Request, dict[str, Any]], Any]


class Broken(Exception):
    """A rule of the vendor's was broken; `args`: message, then the parameter."""


class OpenAIPlatform:
    def __init__(self, fake: OpenAI) -> None:
        self._fake = fake
        self.files: dict[str, dict[str, Any]] = {}
        self.contents: dict[str, bytes] = {}
        self.objects: dict[str, dict[str, Any]] = {}

    async def serve(self, request: Request, exchange: Exchange) -> bool:
        """Whether it answered."""
        handler = self._handler(request)
        if handler is None:
            return False
        if self._fake._queue:
            await self._play(request, exchange)
            return True
        try:
            answer = handler(request, self._body(request))
        except Broken as broken:
            message, *param = broken.args
            violation = Violation(message, 400, "invalid_request_error", param=param[0] if param else None)
            await self._fake._fail(exchange, self._fake.violated(request, violation))
            return True
        if isinstance(answer, Failure):
            await self._fake._fail(exchange, answer)
        elif isinstance(answer, Raw):
            await self._send(exchange, answer)
        elif isinstance(answer, list):
            headers = [("content-type", "text/event-stream; charset=utf-8"), *self._fake._headers()]
            await exchange.answer(200, headers, answer, stream=True)
        else:
            await self._fake._send(exchange, answer)
        return True

    async def _play(self, request: Request, exchange: Exchange) -> None:
        script = self._fake.next_script(request)
        assert isinstance(script, Raw | Failure), "these endpoints have no other replies"
        if isinstance(script, Failure):
            await self._fake._fail(exchange, script)
        else:
            await self._send(exchange, script)

    async def _send(self, exchange: Exchange, raw: Raw) -> None:
        stream = raw.content_type.startswith("text/event-stream")
        frames = (
            [event + b"\n\n" for event in raw.body.split(b"\n\n") if event.strip()] if stream else [raw.body]
        )
        headers = [("content-type", raw.content_type), *self._fake._headers(), *raw.headers.items()]
        await exchange.answer(raw.status, headers, frames, stream=stream, wire=raw.wire)

    def _handler(self, request: Request) -> Handler | None:
        plain = {
            "/v1/embeddings": self._embeddings,
            "/v1/completions": self._completions,
            "/v1/moderations": self._moderations,
            "/v1/rerank": self._rerank,
            "/v1/images/generations": self._images,
            "/v1/images/edits": self._images,
            "/v1/images/variations": self._images,
            "/v1/audio/speech": self._speech,
            "/v1/audio/transcriptions": self._transcription,
            "/v1/audio/translations": self._transcription,
        }.get(request.path)
        if plain is not None:
            return plain if request.method == "POST" else None
        kind = request.path.split("/")[2] if request.path.startswith("/v1/") else ""
        families = {"files": self._files, "batches": self._made, "uploads": self._made}
        return (families | {"vector_stores": self._made}).get(kind)

    def _body(self, request: Request) -> dict[str, Any]:
        kind = request.header("content-type")
        if not request.body:
            if kind is not None and request.method in ("GET", "DELETE"):
                raise Broken("a request without a body has a content type")
            return {}
        if kind is None:
            raise Broken("there is no content type")
        if kind.startswith("multipart/form-data"):
            return read_form(kind, request.body)
        if kind.split(";")[0] != "application/json":
            raise Broken(f"content type {kind}")
        try:
            value = read_json(request.body)
        except BadJson as fault:
            raise Broken(f"We could not parse the JSON body of your request. ({fault})") from fault
        if not isinstance(value, dict):
            raise Broken("the body is no object")
        return value

    # --- one call of a model

    def _embeddings(self, _request: Request, body: dict[str, Any]) -> Any:
        _need(body, "model", "input")
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        vectors = [[float(len(str(text))), 0.5] for text in texts]
        packed = [base64.b64encode(struct.pack("<2f", *vector)).decode() for vector in vectors]
        values = packed if body.get("encoding_format") == "base64" else vectors
        data = [{"object": "embedding", "index": i, "embedding": value} for i, value in enumerate(values)]
        tokens = sum(tokens_of(str(text)) for text in texts)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return {"object": "list", "data": data, "model": body["model"], "usage": usage}

    def _completions(self, _request: Request, body: dict[str, Any]) -> Any:
        _need(body, "model", "prompt")
        head = {"id": self._fake.new_id("cmpl-"), "object": "text_completion", "created": CREATED}
        head["model"] = body["model"]
        usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
        choice: dict[str, Any] = {"index": 0, "logprobs": None, "finish_reason": "stop"}
        if not body.get("stream"):
            return head | {"choices": [choice | {"text": f" said {body['prompt']}"}], "usage": usage}
        chunks = [head | {"choices": [choice | {"text": piece}]} for piece in (" said", f" {body['prompt']}")]
        if (body.get("stream_options") or {}).get("include_usage"):
            chunks.append(head | {"choices": [], "usage": usage})
        return [*(sse(chunk) for chunk in chunks), sse("[DONE]")]

    def _moderations(self, _request: Request, body: dict[str, Any]) -> Any:
        _need(body, "input")
        names = ("hate", "violence")
        result = {
            "flagged": False,
            "categories": dict.fromkeys(names, False),
            "category_scores": dict.fromkeys(names, 0.01),
        }
        model = body.get("model", "omni-moderation-latest")
        return {"id": self._fake.new_id("modr-"), "model": model, "results": [result]}

    def _rerank(self, _request: Request, body: dict[str, Any]) -> Any:
        _need(body, "model", "query", "documents")
        results = [{"index": i, "relevance_score": 1 / (i + 1)} for i in range(len(body["documents"]))]
        return {"model": body["model"], "results": results, "usage": {"total_tokens": 42}}

    def _images(self, request: Request, body: dict[str, Any]) -> Any:
        _need(body, "image" if request.path.endswith(("edits", "variations")) else "prompt")
        usage = {
            "input_tokens": 50,
            "output_tokens": 4160,
            "total_tokens": 4210,
            "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
        }
        if body.get("stream"):
            common = {
                "b64_json": PIXEL,
                "created_at": CREATED,
                "background": "opaque",
                "output_format": "png",
            }
            common |= {"quality": "low", "size": "1024x1024"}
            partial = common | {"type": "image_generation.partial_image", "partial_image_index": 0}
            done = common | {"type": "image_generation.completed", "usage": usage}
            return [sse(event, event["type"]) for event in (partial, done)]
        return {"created": CREATED, "data": [{"b64_json": PIXEL}], "usage": usage}

    def _speech(self, _request: Request, body: dict[str, Any]) -> Any:
        _need(body, "model", "input", "voice")
        if body.get("stream_format") == "sse":
            usage = {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}
            events: list[dict[str, Any]] = [
                {"type": "speech.audio.delta", "audio": PIXEL},
                {"type": "speech.audio.done", "usage": usage},
            ]
            return [sse(event, event["type"]) for event in events]
        return Raw(SOUND, content_type="audio/mpeg")

    def _transcription(self, _request: Request, body: dict[str, Any]) -> Any:
        _need(body, "model", "file")
        if body.get("response_format") == "text":
            return Raw(b"Hello there.\n", content_type="text/plain; charset=utf-8")
        usage: dict[str, Any] = {
            "type": "tokens",
            "input_tokens": 14,
            "input_token_details": {"text_tokens": 10, "audio_tokens": 4},
            "output_tokens": 45,
            "total_tokens": 59,
        }
        if body["model"] == "whisper-1":
            usage = {"type": "duration", "seconds": 9}
        if body.get("stream") == "true":
            events: list[dict[str, Any]] = [
                {"type": "transcript.text.delta", "delta": "Hello there."},
                {"type": "transcript.text.done", "text": "Hello there.", "usage": usage},
            ]
            return [sse(event) for event in events]
        return {"text": "Hello there.", "usage": usage}

    # --- what is kept

    def _files(self, request: Request, body: dict[str, Any]) -> Any:
        rest = request.path.split("/")[3:]
        match request.method, rest:
            case "POST", []:
                _need(body, "file", "purpose")
                name, content = body["file"]
                file = {"id": self._fake.new_id("file-"), "object": "file", "bytes": len(content)}
                file |= {"created_at": CREATED, "filename": name, "purpose": body["purpose"]}
                file["status"] = "processed"
                self.files[file["id"]] = file
                self.contents[file["id"]] = content
                return file
            case "GET", []:
                return {"object": "list", "data": list(self.files.values()), "has_more": False}
            case "GET", [name] if name in self.files:
                return self.files[name]
            case "GET", [name, "content"] if name in self.files:
                return Raw(self.contents[name], content_type="application/octet-stream")
            case "DELETE", [name] if name in self.files:
                del self.files[name]
                return {"id": name, "object": "file", "deleted": True}
        return Failure(404, "No such File object")

    def _made(self, request: Request, body: dict[str, Any]) -> Any:
        """Batches, uploads and vector stores, as far as they are alike."""
        kind, *rest = request.path.split("/")[2:]
        match request.method, rest:
            case "POST", []:
                made = {"id": self._fake.new_id(f"{kind}_"), "object": kind, "created_at": CREATED, **body}
                made["status"] = "in_progress"
                self.objects[made["id"]] = made
                return made
            case "GET", []:
                return {"object": "list", "data": list(self.objects.values()), "has_more": False}
            case "GET", [name] if name in self.objects:
                # A finished batch tells what it used, each time that it is asked.
                return self.objects[name] | {"usage": {"input_tokens": 9, "output_tokens": 9}}
            case "POST", [name, act] if name in self.objects:
                return self.objects[name] | {"status": act, "received": sorted(body)}
            case "DELETE", [name] if name in self.objects:
                return {"id": name, "object": f"{kind}.deleted", "deleted": True}
        return Failure(404, f"No such object in {kind}")


def _need(body: dict[str, Any], *names: str) -> None:
    for name in names:
        if name not in body:
            raise Broken(f"Missing required parameter: '{name}'.", name)


def read_form(content_type: str, raw: bytes) -> dict[str, Any]:
    """Fields as text, files as (name, bytes); read by the standard library, not by what the product uses."""
    text = f"Content-Type: {content_type}\r\n\r\n".encode() + raw
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(text)
    if not message.is_multipart():
        raise Broken("the form has no parts")
    found: dict[str, Any] = {}
    for part in message.iter_parts():  # type: ignore[attr-defined]
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        file = part.get_filename()
        found[str(name).removesuffix("[]")] = content.decode() if file is None else (file, content)
    return found
