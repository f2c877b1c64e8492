"""The other endpoints of a scripted Anthropic: message batches and files, kept and readable.

Form of answers: the SDK's types (anthropic 1.17, `types/messages/message_batch.py`, `types/beta/file_metadata.py`), read
2026-11-25.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.fakes.openai_platform import Broken, read_form
from tests.fakes.replies import Raw
from tests.fakes.scripted import Violation, read_json
from tests.fakes.server import Exchange, Request

if TYPE_CHECKING:
    from tests.fakes.anthropic import Anthropic

WHEN = "2026-11-25T00:00:00Z"


class AnthropicPlatform:
    def __init__(self, fake: Anthropic) -> None:
        self._fake = fake
        self.batches: dict[str, dict[str, Any]] = {}
        self.asked: dict[str, list[dict[str, Any]]] = {}
        self.files: dict[str, tuple[dict[str, Any], bytes]] = {}

    async def serve(self, request: Request, exchange: Exchange) -> bool:
        """Whether it answered."""
        try:
            if request.path.startswith("/v1/messages/batches"):
                answer = self._batches(request, request.path.split("/")[4:])
            elif request.path.startswith("/v1/files"):
                answer = self._files(request, request.path.split("/")[3:])
            else:
                return False
        except Broken as broken:
            violation = Violation(str(broken.args[0]), 400, "invalid_request_error")
            await self._fake._fail(exchange, self._fake.violated(request, violation))
            return True
        if answer is None:
            return False
        if isinstance(answer, Raw):
            await exchange.answer(200, [("content-type", answer.content_type)], [answer.body])
        else:
            await self._fake._send(exchange, answer)
        return True

    def _batches(self, request: Request, rest: list[str]) -> Any:
        match request.method, rest:
            case "POST", []:
                asked = read_json(request.body)["requests"]
                if not all({"custom_id", "params"} <= set(each) for each in asked):
                    raise Broken("requests: each needs custom_id and params")
                name = self._fake.new_id("msgbatch_")
                counts = dict.fromkeys(("processing", "errored", "canceled", "expired"), 0)
                self.asked[name] = asked
                self.batches[name] = {
                    "id": name,
                    "type": "message_batch",
                    "processing_status": "ended",
                    "request_counts": counts | {"succeeded": len(asked)},
                    **dict.fromkeys(("created_at", "expires_at", "ended_at"), WHEN),
                    **dict.fromkeys(("archived_at", "cancel_initiated_at")),
                    "results_url": f"{self._fake.url}/v1/messages/batches/{name}/results",
                }
                return self.batches[name]
            case "GET", []:
                listed = list(self.batches.values())
                return {"data": listed, "has_more": False, "first_id": None, "last_id": None}
            case "GET", [name] if name in self.batches:
                return self.batches[name]
            case "POST", [name, "cancel"] if name in self.batches:
                return self.batches[name] | {"processing_status": "canceling"}
            case "DELETE", [name] if name in self.batches:
                return {"id": name, "type": "message_batch_deleted"}
            case "GET", [name, "results"] if name in self.batches:
                lines = [json.dumps(self._result(each)) for each in self.asked[name]]
                return Raw("\n".join([*lines, ""]).encode(), content_type="application/x-jsonl")
        return None

    def _result(self, asked: dict[str, Any]) -> dict[str, Any]:
        message = {
            "id": self._fake.new_id("msg_"),
            "type": "message",
            "role": "assistant",
            "model": asked["params"]["model"],
            "content": [{"type": "text", "text": "Done.", "citations": None}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 3, "output_tokens": 2},
        }
        return {"custom_id": asked["custom_id"], "result": {"type": "succeeded", "message": message}}

    def _files(self, request: Request, rest: list[str]) -> Any:
        match request.method, rest:
            case "POST", []:
                name, content = read_form(request.header("content-type") or "", request.body)["file"]
                kept = {"id": self._fake.new_id("file_"), "type": "file", "filename": name}
                kept |= {"mime_type": "text/plain", "size_bytes": len(content), "created_at": WHEN}
                kept["downloadable"] = True
                self.files[kept["id"]] = (kept, content)
                return kept
            case "GET", []:
                listed = [kept for kept, _ in self.files.values()]
                return {"data": listed, "has_more": False, "first_id": None, "last_id": None}
            case "GET", [name] if name in self.files:
                return self.files[name][0]
            case "GET", [name, "content"] if name in self.files:
                return Raw(self.files[name][1], content_type="application/octet-stream")
            case "DELETE", [name] if name in self.files:
                return {"id": name, "type": "file_deleted"}
        return None
