"""Protocol P -> protocol Q -> P: what comes back differs from what was sent only where a loss was recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.wire.cross.harness import GEMINI, GOLDENS, Golden, Json, read
from tokligence.catalog.models import Dialect, unknown
from tokligence.conversation import Loss
from tokligence.wire.contract import Target
from tokligence.wire.names import OPENAI_CHAT_ID, OPENAI_NAME, in_form
from tokligence.wire.registry import CODECS


def home(golden: Golden) -> Target:
    """A server of the client's own protocol that takes everything and whose signatures are the target's."""
    field = "max_tokens" if "max_tokens" in golden.data["request"] else "max_completion_tokens"
    dialect = Dialect(field, developer_role=True, reasoning_field="reasoning_details")
    return Target(golden.data["request"].get("model", "any"), unknown("any"), golden.target.issuer, dialect)


def there_and_back(golden: Golden) -> tuple[Json, Json, list[Loss]]:
    """The request as its own protocol writes it, the same by way of the other, and all losses on that way."""
    near, far = CODECS[golden.client], CODECS[golden.upstream]
    request = read(golden.client, golden.request, golden.exchange.path)
    direct = near.write_request(request, home(golden))
    there = far.write_request(request, golden.target)
    method = "streamGenerateContent" if request.stream else "generateContent"
    returned = read(golden.upstream, there.body, f"/v1beta/models/{golden.target.model}:{method}")
    back = near.write_request(returned, home(golden))
    losses = [*request.losses, *there.losses, *returned.losses, *back.losses]
    return json.loads(direct.body), json.loads(back.body), losses


@pytest.mark.parametrize("golden", GOLDENS, ids=lambda golden: golden.name)
def test_a_request_comes_back_but_for_its_losses(golden: Golden) -> None:
    direct, back, losses = there_and_back(golden)
    lost = {name for loss in losses for name in named_by(loss.path)}
    if GEMINI in (golden.client, golden.upstream):
        lost |= SAID_OTHERWISE
    assert {field: change for field, change in changes(direct, back).items() if field not in lost} == {}


def named_by(path: str) -> tuple[str, ...]:
    """The top-level fields that a loss's path stands for, in both protocols."""
    field = path.split(".")[0].split("[")[0]
    return ALSO.get(path, ALSO.get(field, (field,)))


FORMAT = ("generationConfig", "response_format", "tools", "toolConfig")
ALSO: dict[str, tuple[str, ...]] = {
    "system": ("messages", "system", "contents", "systemInstruction"),
    "messages": ("messages", "system", "contents", "systemInstruction"),
    "contents": ("contents", "messages"),
    "systemInstruction": ("contents", "systemInstruction", "messages"),
    "toolConfig": ("toolConfig", "tool_choice", "tools"),
    "tool_choice": ("tool_choice", "toolConfig"),
    "generationConfig.responseJsonSchema": FORMAT,
    "generationConfig.responseMimeType": FORMAT,
    "generationConfig.responseSchema": FORMAT,
    "max_tokens": ("max_tokens", "max_completion_tokens"),
    "max_completion_tokens": ("max_tokens", "max_completion_tokens"),
    # A tool may stand for it, and be asked for.
    "response_format": ("response_format", "tools", "tool_choice", "parallel_tool_calls", "messages"),
    "thinking": ("thinking", "reasoning_effort", "output_config"),
    "tools": ("tools", "tool_choice", "toolConfig"),
}
SAID_OTHERWISE = {
    "thinking",
    "reasoning_effort",
    "output_config",
    "max_tokens",
    "service_tier",
    "stream_options",
}
"""With Gemini: levels, budgets and tiers become the nearest of the other's words, and usage need not be asked for."""


def changes(direct: Json, back: Json) -> dict[str, tuple[Any, Any]]:
    """Top-level field -> before, after: where they differ in more than how they can be said."""
    before, after = normal(direct), normal(back)
    for field in ADDED:
        if field not in before:
            after.pop(field, None)
    return {
        field: (before.get(field), after.get(field))
        for field in sorted(before.keys() | after.keys())
        if before.get(field) != after.get(field)
    }


ADDED = ("max_tokens", "max_completion_tokens")
"""Anthropic requires a limit, so one is set."""


def normal(body: Json) -> Json:
    """Without what only separates: a text by itself or in a list, one message of a speaker or two in a row."""
    if "contents" in body:
        return normal_gemini(body)
    flat = {name: value for name, value in body.items() if value not in NEUTRAL.get(name, ())}
    said = [item for message in body["messages"] for item in spoken(message)]
    system = body.get("system", [])
    for tool in body.get("tools", ()):
        if "name" in tool:
            tool["name"] = in_form(tool["name"], OPENAI_NAME)
    flat["messages"] = [*(("system", text_of(part)) for part in system), *said]
    flat.pop("system", None)
    return flat


def normal_gemini(body: Json) -> Json:
    """Each part with its speaker; what a response is in has no meaning of its own; thinking apart."""
    flat = dict(body)
    said = [(content["role"], part) for content in body["contents"] for part in content["parts"]]
    flat["contents"] = [(role, part_of(part)) for role, part in said]
    config = {name: value for name, value in body.get("generationConfig", {}).items() if name not in OPTIONS}
    flat["generationConfig"] = config
    flat.pop("serviceTier", None)
    for tool in flat.get("tools", ()):
        for function in tool.get("functionDeclarations", ()):
            function["name"] = in_form(function["name"], OPENAI_NAME)
    return flat


OPTIONS = ("thinkingConfig", "maxOutputTokens", "topK", "candidateCount", "logprobs", "responseLogprobs")
"""Said by the nearest word of the other, or lost by name in any case."""


def part_of(part: Json) -> Json:
    call, response = part.get("functionCall"), part.get("functionResponse")
    for named in (call, response):
        if named is not None:
            named["name"] = in_form(named["name"], OPENAI_NAME)
    if response is None:
        return part
    given = response["response"]
    value = given.get("result", given) if "error" not in given else given
    return {
        "functionResponse": {**response, "response": value if isinstance(value, str) else json.dumps(value)}
    }


NEUTRAL: dict[str, tuple[Any, ...]] = {
    "parallel_tool_calls": (True,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logprobs": (False,),
    "logit_bias": ({},),
    "n": (1,),
    "temperature": (1,),
    "tool_choice": ("auto",),
    "response_format": ({"type": "text"},),
}
"""Values that ask for nothing."""


FORMS = {"id": OPENAI_CHAT_ID, "tool_use_id": OPENAI_CHAT_ID, "name": OPENAI_NAME}
"""Ids and names of calls are put in form by rule, and put back in the answer: nothing of them is lost."""


def spoken(message: Json) -> list[tuple[str, Any]]:
    role = "system" if message["role"] == "developer" else message["role"]
    content = message.get("content") or []
    parts = [content] if isinstance(content, str) else content
    rest = {key: value for key, value in message.items() if key not in ("role", "content", "tool_calls")}
    result = [(role, rest)] if rest else []
    calls = [(role, arguments_of(call)) for call in message.get("tool_calls", ())]
    return [*result, *((role, text_of(part)) for part in parts), *calls]


def arguments_of(call: Json) -> Json:
    if "function" not in call:
        return call
    return {**call, "function": {**call["function"], "arguments": json.loads(call["function"]["arguments"])}}


def text_of(part: Any) -> Any:
    if isinstance(part, dict) and set(part) == {"type", "text"}:
        return part["text"]
    if isinstance(part, dict) and part["type"] in ("tool_use", "tool_result"):
        part = {name: in_form(value, FORMS[name]) if name in FORMS else value for name, value in part.items()}
    if isinstance(part, dict) and isinstance(part.get("content"), list):
        return {**part, "content": [text_of(each) for each in part["content"]]}
    return part
