"""Valid requests of both vendors, at random. Every free text in them is a word of its own, every free number a number of
its own, so that one can see what became of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests.wire.cross.harness import Json

Draw = st.DrawFn


class Marks:
    """Words and numbers that are given out once."""

    def __init__(self) -> None:
        self._given = 0

    def word(self) -> str:
        self._given += 1
        return f"mk{self._given:04d}q"

    def data(self) -> str:
        """Base64."""
        self._given += 1
        return f"TWFya{self._given:03d}"

    def share(self) -> float:
        """Above 0 and below 1."""
        self._given += 1
        return 0.5 + self._given / 10_000

    def number(self) -> int:
        self._given += 1
        return 70_000 + self._given


def maybe(draw: Draw, body: Json, **fields: Callable[[], Any]) -> None:
    """Sets each field or leaves it out."""
    for name, make in fields.items():
        if draw(st.integers(0, 3)) == 0:
            body[name] = make()


def pick(draw: Draw, *options: Any) -> Any:
    return draw(st.sampled_from(options))


def schema(draw: Draw, marks: Marks, *, strict: bool) -> Json:
    """An object schema; `strict`: closed, with all its properties required."""
    names = [marks.word() for _ in range(draw(st.integers(0, 2)))]
    kinds: list[Json] = [
        {"type": "string"},
        {"type": "array", "items": {"type": "integer"}},
        {"type": "object", "properties": {marks.word(): {"type": "null"}}} | _closed(strict, marks),
    ]
    properties = {name: {**pick(draw, *kinds), "description": marks.word()} for name in names}
    for each in properties.values():
        if strict and each["type"] == "object":
            each["required"] = list(each["properties"])
    found: Json = {"type": "object", "properties": properties}
    if strict:
        return found | {"required": names, "additionalProperties": False}
    maybe(draw, found, required=lambda: names[:1], additionalProperties=lambda: pick(draw, True, False))
    return found


def _closed(strict: bool, marks: Marks) -> Json:
    return {"additionalProperties": False} if strict else {"description": marks.word()}


def arguments(draw: Draw, marks: Marks) -> Json:
    return pick(draw, {}, {"a": marks.word()}, {"b": [marks.word(), None, True], "c": {"d": marks.number()}})


# --- Chat -----------------------------------------------------------------------------------------------


@st.composite
def chat_requests(draw: Draw) -> Json:
    """What an OpenAI-compatible server takes."""
    marks = Marks()
    tools = [_chat_tool(draw, marks) for _ in range(draw(st.integers(0, 3)))]
    messages: list[Json] = []
    for _ in range(draw(st.integers(0, 4))):
        messages += _chat_turn(draw, marks, [tool["function"]["name"] for tool in tools])
    messages.append(_chat_user(draw, marks))
    body: Json = {"model": "gpt-5", "messages": messages}
    if tools:
        body["tools"] = tools
        maybe(
            draw,
            body,
            tool_choice=lambda: _chat_choice(draw, tools),
            parallel_tool_calls=lambda: pick(draw, True, False),
        )
    maybe(
        draw,
        body,
        temperature=lambda: pick(draw, marks.share(), 1 + marks.share()),
        top_p=marks.share,
        top_k=marks.number,
        frequency_penalty=marks.share,
        presence_penalty=marks.share,
        seed=marks.number,
        n=lambda: pick(draw, 1, 2),
        logit_bias=lambda: {str(marks.number()): 5},
        stop=lambda: pick(draw, marks.word(), [marks.word(), marks.word()]),
        user=lambda: pick(draw, marks.word(), marks.word() * 9),
        service_tier=lambda: pick(draw, "auto", "default", "flex", "scale", "priority"),
        reasoning_effort=lambda: pick(draw, "none", "minimal", "low", "medium", "high", "xhigh", "max"),
        verbosity=lambda: pick(draw, "low", "medium", "high"),
        response_format=lambda: _chat_format(draw, marks),
        prompt_cache_key=marks.word,
        safety_identifier=marks.word,
        prediction=lambda: {"type": "content", "content": marks.word()},
        modalities=lambda: pick(draw, ["text"], ["text", "audio"]),
        web_search_options=lambda: {"search_context_size": "low"},
        stream=lambda: True,
    )
    if pick(draw, True, False):
        body[pick(draw, "max_tokens", "max_completion_tokens")] = pick(draw, 200, 2_000, marks.number())
    if pick(draw, True, False, False):
        body |= {"logprobs": True, "top_logprobs": 3}
    if pick(draw, True, False, False):
        body |= {"store": True, "metadata": {marks.word(): marks.word()}}
    return body


def _chat_tool(draw: Draw, marks: Marks) -> Json:
    function: Json = {"name": pick(draw, marks.word(), marks.word().ljust(64, "n"))}
    strict = pick(draw, None, False, True)
    if strict is not None:
        function["strict"] = strict
    maybe(draw, function, description=marks.word)
    if strict or pick(draw, True, False):
        function["parameters"] = schema(draw, marks, strict=bool(strict))
    return {"type": "function", "function": function}


def _chat_choice(draw: Draw, tools: list[Json]) -> Any:
    chosen = {"type": "function", "function": {"name": tools[-1]["function"]["name"]}}
    allowed = {"mode": pick(draw, "auto", "required"), "tools": [chosen]}
    return pick(draw, "auto", "none", "required", chosen, {"type": "allowed_tools", "allowed_tools": allowed})


def _chat_format(draw: Draw, marks: Marks) -> Json:
    strict = pick(draw, None, False, True)
    described: Json = {"name": marks.word(), "schema": schema(draw, marks, strict=bool(strict))}
    if strict is not None:
        described["strict"] = strict
    maybe(draw, described, description=marks.word)
    return pick(draw, {"type": "text"}, {"type": "json_schema", "json_schema": described})


def _chat_turn(draw: Draw, marks: Marks, tools: list[str]) -> list[Json]:
    match pick(draw, "user", "assistant", "system", "developer", "calls"):
        case "user":
            return [_chat_user(draw, marks)]
        case "assistant":
            message: Json = {"role": "assistant", "content": marks.word()}
            maybe(draw, message, name=marks.word, refusal=marks.word, reasoning_content=marks.word)
            return [message]
        case "calls" if tools:
            return _chat_calls(draw, marks, tools)
        case role:
            message = {
                "role": "system" if role == "calls" else role,
                "content": pick(draw, marks.word(), [_chat_text(draw, marks), _chat_text(draw, marks)]),
            }
            maybe(draw, message, name=marks.word)
            return [message]


def _chat_calls(draw: Draw, marks: Marks, tools: list[str]) -> list[Json]:
    ids = [
        pick(draw, f"call_{marks.word()}", marks.word().ljust(40, "i"))
        for _ in range(draw(st.integers(1, 2)))
    ]
    calls = [
        {
            "id": each,
            "type": "function",
            "function": {"name": pick(draw, *tools), "arguments": _text_of(arguments(draw, marks))},
        }
        for each in ids
    ]
    asking: Json = {"role": "assistant", "content": pick(draw, None, marks.word()), "tool_calls": calls}
    if pick(draw, True, False):
        asking["reasoning_details"] = [_chat_detail(draw, marks)]
    results: list[Json] = [
        {
            "role": "tool",
            "tool_call_id": each,
            "content": pick(draw, "", marks.word(), [{"type": "text", "text": marks.word()}]),
        }
        for each in draw(st.permutations(ids))
    ]
    return [asking, *results]


def _chat_detail(draw: Draw, marks: Marks) -> Json:
    issuer = pick(draw, "anthropic", "openrouter")
    return pick(
        draw,
        {
            "type": "reasoning.text",
            "text": marks.word(),
            "signature": marks.word(),
            "issuer": issuer,
            "index": 0,
        },
        {"type": "reasoning.encrypted", "data": marks.word(), "issuer": issuer, "index": 0},
    )


def _text_of(value: Json) -> str:
    import json

    return json.dumps(value)


def _chat_user(draw: Draw, marks: Marks) -> Json:
    parts = st.sampled_from(["text", "image", "inline", "file", "stored", "audio"])
    kinds = draw(st.lists(parts, min_size=1, max_size=3))
    content = [_chat_part(draw, marks, kind) for kind in kinds]
    message: Json = {"role": "user", "content": pick(draw, marks.word(), content)}
    maybe(draw, message, name=marks.word)
    return message


def _chat_text(draw: Draw, marks: Marks) -> Json:
    part: Json = {"type": "text", "text": marks.word()}
    maybe(draw, part, prompt_cache_breakpoint=lambda: {"mode": "explicit", "ttl": pick(draw, "30m", "12h")})
    return part


def _chat_part(draw: Draw, marks: Marks, kind: str) -> Json:
    match kind:
        case "text":
            return _chat_text(draw, marks)
        case "image":
            image: Json = {"url": f"{pick(draw, 'https', 'http')}://x.org/{marks.word()}.png"}
            maybe(draw, image, detail=lambda: pick(draw, "auto", "low", "high"))
            return {"type": "image_url", "image_url": image}
        case "inline":
            return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{marks.data()}"}}
        case "file":
            data = f"data:application/pdf;base64,{marks.data()}"
            return {"type": "file", "file": {"filename": f"{marks.word()}.pdf", "file_data": data}}
        case "stored":
            return {"type": "file", "file": {"file_id": f"file-{marks.word()}"}}
        case _:
            return {"type": "input_audio", "input_audio": {"data": marks.data(), "format": "wav"}}


# --- Messages -------------------------------------------------------------------------------------------


@st.composite
def messages_requests(draw: Draw) -> Json:
    """What Anthropic takes for some model."""
    marks = Marks()
    tools = [_messages_tool(draw, marks) for _ in range(draw(st.integers(0, 3)))]
    messages: list[Json] = []
    for _ in range(draw(st.integers(0, 3))):
        messages += _messages_turns(draw, marks, [tool["name"] for tool in tools])
    messages.append(_messages_user(draw, marks))
    body: Json = {
        "model": "claude-sonnet-4-5",
        "max_tokens": pick(draw, 200, 2_000, 60_000),
        "messages": messages,
    }
    if tools:
        body["tools"] = tools
        maybe(draw, body, tool_choice=lambda: _messages_choice(draw, tools))
    maybe(
        draw,
        body,
        system=lambda: pick(draw, marks.word(), [_messages_text(draw, marks), _messages_text(draw, marks)]),
        stop_sequences=lambda: [marks.word() for _ in range(draw(st.integers(1, 6)))],
        metadata=lambda: {"user_id": pick(draw, marks.word(), marks.word() * 10)},
        service_tier=lambda: pick(draw, "auto", "standard_only"),
        stream=lambda: True,
        container=marks.word,
        inference_geo=marks.word,
        speed=lambda: "standard",
    )
    forced = body.get("tool_choice", {}).get("type") in ("any", "tool")
    match pick(draw, "plain", "temperature", "top_p", "top_k", "budget", "off"):
        case "temperature":
            body["temperature"] = marks.share()
        case "top_p":
            body["top_p"] = marks.share()
        case "top_k":
            body["top_k"] = marks.number()
        case "budget" if not forced and body["max_tokens"] > 1_100 and not _in_a_loop(messages):
            body["thinking"] = {"type": "enabled", "budget_tokens": 1_050}
        case "off":
            body["thinking"] = {"type": "disabled"}
        case _:
            pass
    if pick(draw, True, False, False):
        strict = {"type": "json_schema", "schema": schema(draw, marks, strict=True)}
        body["output_config"] = {"format": strict}
    return body


def _in_a_loop(messages: list[Json]) -> bool:
    content = messages[-1]["content"]
    return isinstance(content, list) and any(block["type"] == "tool_result" for block in content)


def _messages_tool(draw: Draw, marks: Marks) -> Json:
    strict = pick(draw, None, True)
    tool: Json = {"name": pick(draw, marks.word(), marks.word().ljust(90, "n"))}
    tool["input_schema"] = schema(draw, marks, strict=bool(strict))
    if strict:
        tool["strict"] = True
    maybe(
        draw,
        tool,
        description=marks.word,
        eager_input_streaming=lambda: True,
        input_examples=lambda: [{"x": marks.word()}],
    )
    return tool


def _messages_choice(draw: Draw, tools: list[Json]) -> Json:
    choice: Json = pick(
        draw, {"type": "auto"}, {"type": "any"}, {"type": "none"}, {"type": "tool", "name": tools[-1]["name"]}
    )
    if choice["type"] != "none":
        maybe(draw, choice, disable_parallel_tool_use=lambda: pick(draw, True, False))
    return choice


def _messages_turns(draw: Draw, marks: Marks, tools: list[str]) -> list[Json]:
    """What a user says and what the assistant answers; after calls the results."""
    said: list[Json] = [_messages_user(draw, marks)]
    blocks: list[Json] = [{"type": "text", "text": marks.word()}]
    if pick(draw, True, False):
        thought = {
            "type": "thinking",
            "thinking": marks.word(),
            "signature": f"tgw:{pick(draw, 'openrouter', 'x')}:{marks.word()}",
        }
        blocks.insert(
            0, pick(draw, thought, {"type": "redacted_thinking", "data": f"tgw:openrouter:{marks.word()}"})
        )
    if not tools or pick(draw, True, False):
        return [*said, {"role": "assistant", "content": pick(draw, marks.word(), blocks)}]
    ids = [
        pick(draw, f"toolu_{marks.word()}", marks.word().ljust(60, "i"))
        for _ in range(draw(st.integers(1, 2)))
    ]
    blocks += [
        {"type": "tool_use", "id": each, "name": pick(draw, *tools), "input": arguments(draw, marks)}
        for each in ids
    ]
    results = [_messages_result(draw, marks, each) for each in draw(st.permutations(ids))]
    follows = _messages_user(draw, marks)
    if isinstance(follows["content"], str):
        follows["content"] = [{"type": "text", "text": follows["content"]}]
    answered = {"role": "user", "content": [*results, *follows["content"]]}
    return [
        *said,
        {"role": "assistant", "content": blocks},
        answered,
        {"role": "assistant", "content": marks.word()},
    ]


def _messages_result(draw: Draw, marks: Marks, call: str) -> Json:
    result: Json = {"type": "tool_result", "tool_use_id": call}
    parts = [{"type": "text", "text": marks.word()}, _messages_media(draw, marks)]
    maybe(draw, result, content=lambda: pick(draw, marks.word(), parts), is_error=lambda: True)
    return result


def _messages_user(draw: Draw, marks: Marks) -> Json:
    blocks = [_messages_text(draw, marks)]
    blocks += [_messages_media(draw, marks) for _ in range(draw(st.integers(0, 2)))]
    return {"role": "user", "content": pick(draw, marks.word(), blocks)}


def _messages_text(draw: Draw, marks: Marks) -> Json:
    return {"type": "text", "text": marks.word()}


def _messages_media(draw: Draw, marks: Marks) -> Json:
    base64: Json = {"type": "base64", "media_type": "application/pdf", "data": marks.data()}
    text: Json = {"type": "text", "media_type": "text/plain", "data": marks.word()}
    parts: Json = {"type": "content", "content": [{"type": "text", "text": marks.word()}]}
    address: Json = {"type": "url", "url": f"https://x.org/{marks.word()}"}
    if pick(draw, True, False):
        source = pick(draw, {**base64, "media_type": "image/png"}, address)
        media: Json = {"type": "image", "source": source}
    else:
        media = {"type": "document", "source": pick(draw, base64, text, parts, address)}
        maybe(draw, media, title=marks.word, context=marks.word, citations=lambda: {"enabled": True})
    return media
