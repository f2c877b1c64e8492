"""A scripted OpenAI that also answers Responses, whole or streamed, in the vendor's form down to the order of events.

    fake = OpenAIResponses(); fake.start()
    openai.OpenAI(base_url=fake.url + "/v1", api_key=fake.key)

It keeps no responses. Form of answers and events: the SDK's types (openai 3.57) and the API reference, read 2026-11. It
encrypts its reasoning and accepts no other than its own. Everything else is as `OpenAI` has it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from tests.fakes import openai_responses_rules
from tests.fakes.openai import CREATED, TOOL_ORDER, OpenAI, error_object
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
from tests.fakes.scripted import BadJson, Violation, read_json, sse
from tests.fakes.server import Exchange, Request

Body = Mapping[str, Any]
Item = dict[str, Any]
Event = dict[str, Any]


class OpenAIResponses(OpenAI):
    call_path = "/v1/responses"

    def __init__(self, port: int = 0, *, any_model: bool = False) -> None:
        super().__init__(port)
        self._any_model = any_model
        self._secret = secrets.token_bytes(16)

    async def route(self, request: Request, exchange: Exchange) -> None:
        if request.method != "POST" or self._authorise(request) is not None:
            await super().route(request, exchange)
            return
        if request.path == OpenAI.call_path:
            await self._chat(request, exchange)
            return
        if request.path != self.call_path:
            await super().route(request, exchange)
            return
        violation = self._broken(request)
        script = self.violated(request, violation) if violation else self.next_script(request)
        match script:
            case Failure():
                await self._fail(exchange, script)
            case Raw():
                headers = [("content-type", script.content_type), *script.headers.items()]
                await exchange.answer(script.status, headers, [script.body], wire=script.wire)
            case Reply():
                await self._respond(request, exchange, script)

    def _broken(self, request: Request) -> Violation | None:
        try:
            body = read_json(request.body)
        except BadJson as fault:
            text = f"We could not parse the JSON body of your request. ({fault})"
            return Violation(text, 400, "invalid_request_error")
        return next(openai_responses_rules.violations(body, self.encrypted, any_model=self._any_model), None)

    async def _respond(self, request: Request, exchange: Exchange, reply: Reply) -> None:
        body = request.json
        answer = Answer(self, body, reply)
        headers = [*self._headers(), *reply.headers.items()]
        if not body.get("stream"):
            headers.insert(0, ("content-type", "application/json"))
            whole = json.dumps(answer.whole(), ensure_ascii=False).encode()
            await exchange.answer(200, headers, [whole], wire=reply.wire)
            return
        headers.insert(0, ("content-type", "text/event-stream; charset=utf-8"))
        frames = answer.frames()
        if reply.mangle is not None:
            frames = reply.mangle(frames)
        await exchange.answer(200, headers, frames, stream=True, wire=reply.wire)

    # --- reasoning

    def encrypt(self, text: str) -> str:
        """What stands for the reasoning `text`; each is different."""
        nonce = secrets.token_bytes(12)
        return "gAAAA" + base64.urlsafe_b64encode(nonce + self._mac(nonce)).decode()

    def encrypted(self, text: str) -> bool:
        """Whether this fake encrypted it."""
        try:
            raw = base64.urlsafe_b64decode(text.removeprefix("gAAAA"))
        except ValueError:
            return False
        return hmac.compare_digest(raw[12:], self._mac(raw[:12]))

    def _mac(self, nonce: bytes) -> bytes:
        return hmac.new(self._secret, nonce, hashlib.sha256).digest()

    def brain(self, request: Request) -> Script:
        if request.path == self.call_path:
            return think(request.json)
        return super().brain(request)


class Offered:
    """The tools of a request: which are called freely (with text in the place of JSON), which stand in a namespace."""

    def __init__(self, body: Body) -> None:
        self.names: set[str] = set()
        self.free: set[str] = set()
        self.namespaces: dict[str, str] = {}
        self.schemas: dict[str, Any] = {}
        later = [item["tools"] for item in items_of(body) if item.get("type") == "additional_tools"]
        for tool in [*(body.get("tools") or ()), *(tool for tools in later for tool in tools)]:
            self._add(tool, None)

    def _add(self, tool: Any, namespace: str | None) -> None:
        if tool["type"] == "namespace":
            for inner in tool["tools"]:
                self._add(inner, tool["name"])
        elif tool["type"] in ("function", "custom"):
            name = tool["name"]
            self.names.add(name)
            self.schemas[name] = tool.get("parameters") or {}
            if tool["type"] == "custom":
                self.free.add(name)
            if namespace is not None:
                self.namespaces[name] = namespace


def items_of(body: Body) -> list[Any]:
    given = body.get("input")
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    return [item for item in given or () if isinstance(item, dict)]


class Answer:
    """Writes a `Reply` to one request, whole or as events."""

    def __init__(self, fake: OpenAIResponses, body: Body, reply: Reply) -> None:
        self._fake = fake
        self._body = body
        self._reply = reply
        self._id = fake.new_id("resp_")
        self._offered = Offered(body)
        self._items = [(part, self._item(part)) for part in reply.parts]

    def _item(self, part: Part) -> Item:
        new_id = self._fake.new_id
        match part:
            case Text():
                return {**self._message(new_id("msg_")), "content": [_output_text(part.text)]}
            case Refusal():
                refusal = {"type": "refusal", "refusal": part.text}
                return {**self._message(new_id("msg_")), "content": [refusal]}
            case Thinking():
                summary = [{"type": "summary_text", "text": part.text}] if part.text else []
                item: Item = {"id": new_id("rs_"), "type": "reasoning", "summary": summary}
                if "reasoning.encrypted_content" in (self._body.get("include") or ()):
                    item["encrypted_content"] = part.signature or self._fake.encrypt(part.text)
                return item
            case Call():
                return self._call(part)
            case Redacted():
                raise AssertionError("OpenAI has no redacted thinking")

    def _message(self, item_id: str) -> Item:
        return {"id": item_id, "type": "message", "status": "completed", "role": "assistant"}

    def _call(self, call: Call) -> Item:
        item: Item = {"call_id": call.id or self._fake.new_id("call_"), "name": call.name}
        if call.name in self._offered.free:
            item |= {"id": self._fake.new_id("ctc_"), "type": "custom_tool_call", "input": call.text}
        else:
            item |= {"id": self._fake.new_id("fc_"), "type": "function_call", "arguments": call.text}
        if call.name in self._offered.namespaces:
            item["namespace"] = self._offered.namespaces[call.name]
        return item | {"status": "completed"}

    def _response(self, status: str, output: list[Item], **more: Any) -> dict[str, Any]:
        """The resource; what the request said of itself comes back."""
        body = self._body
        reasoning = body.get("reasoning") or {}
        return {
            "id": self._id,
            "object": "response",
            "created_at": CREATED,
            "status": status,
            "background": False,
            "completed_at": CREATED + 1 if status == "completed" else None,
            "error": None,
            "incomplete_details": None,
            "instructions": body.get("instructions"),
            "max_output_tokens": body.get("max_output_tokens"),
            "max_tool_calls": body.get("max_tool_calls"),
            "model": self._reply.model or body["model"],
            "output": output,
            "parallel_tool_calls": body.get("parallel_tool_calls", True),
            "previous_response_id": body.get("previous_response_id"),
            "prompt_cache_key": body.get("prompt_cache_key"),
            "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
            "safety_identifier": body.get("safety_identifier"),
            "service_tier": self._reply.service_tier or "default",
            "store": body.get("store", True),
            "temperature": body.get("temperature", 1.0),
            "text": body.get("text") or {"format": {"type": "text"}, "verbosity": "medium"},
            "tool_choice": body.get("tool_choice", "auto"),
            "tools": body.get("tools") or [],
            "top_logprobs": 0,
            "top_p": body.get("top_p", 1.0),
            "truncation": body.get("truncation", "disabled"),
            "usage": None,
            "user": body.get("user"),
            "metadata": body.get("metadata") or {},
            **more,
        }

    def _end(self) -> dict[str, Any]:
        usage = write_usage(self._reply.usage)
        output = [item for _, item in self._items]
        if self._reply.stop in (None, "completed"):
            return self._response("completed", output, usage=usage)
        why = {"reason": self._reply.stop}
        return self._response("incomplete", output, usage=usage, incomplete_details=why)

    def whole(self) -> dict[str, Any]:
        return self._end()

    def frames(self) -> list[bytes]:
        events: list[Event] = [
            {"type": f"response.{word}", "response": self._response("in_progress", [])}
            for word in ("created", "in_progress")
        ]
        for index, (part, item) in enumerate(self._items):
            events += self._told(index, part, item)
        failure = self._reply.failure
        if failure is None:
            end = self._end()
            events.append({"type": f"response.{end['status']}", "response": end})
        else:
            at = len(events) if self._reply.failure_after is None else self._reply.failure_after
            error = error_object(failure)
            told = {"code": error["code"] or error["type"], "message": error["message"]}
            failed = self._response("failed", [], error=told)
            events = [*events[:at], {"type": "response.failed", "response": failed}]
        return [
            sse({"type": event["type"], "sequence_number": number, **event}, event["type"])
            for number, event in enumerate(events)
        ]

    def _told(self, index: int, part: Part, item: Item) -> Iterator[Event]:
        where = {"item_id": item["id"], "output_index": index}
        empty = {"content": [], "summary": [], "arguments": "", "input": ""}
        opening = item | {name: value for name, value in empty.items() if name in item}
        if "status" in item:
            opening["status"] = "in_progress"
        yield {"type": "response.output_item.added", "output_index": index, "item": opening}
        match part:
            case Text() | Refusal():
                yield from _told_text(part, where)
            case Thinking():
                yield from _told_summary(part, where)
            case Call():
                free = item["type"] == "custom_tool_call"
                name = "custom_tool_call_input" if free else "function_call_arguments"
                for piece in chunks_of(part):
                    yield {"type": f"response.{name}.delta", **where, "delta": piece, "obfuscation": "x7"}
                value = {"input" if free else "arguments": part.text}
                yield {"type": f"response.{name}.done", **where, **value}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _output_text(text: str) -> Item:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _told_text(part: Text | Refusal, where: Mapping[str, Any]) -> Iterator[Event]:
    at = {**where, "content_index": 0}
    if isinstance(part, Refusal):
        yield {"type": "response.content_part.added", **at, "part": {"type": "refusal", "refusal": ""}}
        for piece in chunks_of(Text(part.text)):
            yield {"type": "response.refusal.delta", **at, "delta": piece}
        yield {"type": "response.refusal.done", **at, "refusal": part.text}
        done: Item = {"type": "refusal", "refusal": part.text}
    else:
        yield {"type": "response.content_part.added", **at, "part": _output_text("")}
        for piece in chunks_of(part):
            yield {
                "type": "response.output_text.delta",
                **at,
                "delta": piece,
                "logprobs": [],
                "obfuscation": "x",
            }
        yield {"type": "response.output_text.done", **at, "text": part.text, "logprobs": []}
        done = _output_text(part.text)
    yield {"type": "response.content_part.done", **at, "part": done}


def _told_summary(part: Thinking, where: Mapping[str, Any]) -> Iterator[Event]:
    if not part.text:
        return
    at = {**where, "summary_index": 0}
    kind = "response.reasoning_summary"
    yield {"type": f"{kind}_part.added", **at, "part": {"type": "summary_text", "text": ""}}
    for piece in chunks_of(part):
        yield {"type": f"{kind}_text.delta", **at, "delta": piece}
    yield {"type": f"{kind}_text.done", **at, "text": part.text}
    yield {"type": f"{kind}_part.done", **at, "part": {"type": "summary_text", "text": part.text}}


def write_usage(usage: Usage) -> dict[str, Any]:
    """OpenAI counts cached tokens within the input."""
    written = usage.cache_write_5m + usage.cache_write_1h
    given = usage.input + usage.cache_read + written
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": usage.cache_read, "cache_write_tokens": written},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": given + usage.output,
    }


# --- the brain ------------------------------------------------------------------------------------------


def text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content or () if isinstance(part, dict))


def think(body: Body) -> Reply:
    """Echoes the last user text; `tool:NAME {json}` (one a line) calls offered tools; a forced tool is called; a
    schema gets the smallest value that fits it; tool outputs are repeated."""
    items = items_of(body)
    outputs = []
    for item in reversed(items):
        if not str(item.get("type")).endswith("_call_output"):
            break
        outputs.insert(0, text_of(item["output"]))
    said = text_of(items[-1].get("content")) if items else ""
    offered = Offered(body)
    parts: list[Part] = []
    if not outputs and body.get("tool_choice") != "none":
        parts = [Call(name, args or "{}") for name, args in TOOL_ORDER.findall(said) if name in offered.names]
        parts = parts or _forced(body, offered)
        if body.get("parallel_tool_calls") is False:
            parts = parts[:1]
    parts = parts or [Text(_words(body, said, outputs))]
    answered = "".join(part.text for part in parts if isinstance(part, Text | Call))
    return Reply(parts=parts, usage=Usage(input=tokens_of(body.get("input")), output=tokens_of(answered)))


def _forced(body: Body, offered: Offered) -> list[Part]:
    choice = body.get("tool_choice")
    name = choice.get("name") if isinstance(choice, dict) else None
    if choice == "required":
        name = next(iter(offered.schemas), None)
    return [Call(name, instance_of(offered.schemas[name]))] if name in offered.schemas else []


def _words(body: Body, said: str, outputs: list[str]) -> str:
    form = (body.get("text") or {}).get("format") or {}
    if form.get("type") == "json_schema":
        return json.dumps(instance_of(form["schema"]))
    if form.get("type") == "json_object":
        return '{"echo": "json"}'
    return "The tools said: " + " | ".join(outputs) if outputs else f"You said: {said}"
