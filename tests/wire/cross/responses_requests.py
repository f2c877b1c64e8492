"""Valid requests of Responses clients, at random; see `strategies`."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import strategies as st

from tests.wire.cross.harness import Json
from tests.wire.cross.strategies import Draw, Marks, arguments, maybe, pick, schema


def packed(**fields: str) -> str:
    return "tgw1." + base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()


@st.composite
def responses_requests(draw: Draw) -> Json:
    """What the gateway takes of a client that sends its whole history."""
    marks = Marks()
    tools = [_tool(draw, marks) for _ in range(draw(st.integers(0, 3)))]
    items: list[Json] = []
    for _ in range(draw(st.integers(0, 4))):
        items += _turn(draw, marks, tools)
    items.append(_user(draw, marks))
    body: Json = {"model": "asked", "input": pick(draw, items, items, marks.word())}
    if tools:
        body["tools"] = tools
        maybe(
            draw,
            body,
            tool_choice=lambda: _choice(draw, tools),
            parallel_tool_calls=lambda: pick(draw, True, False),
        )
    maybe(
        draw,
        body,
        instructions=marks.word,
        max_output_tokens=lambda: pick(draw, 16, 2_000, marks.number()),
        temperature=lambda: pick(draw, marks.share(), 1 + marks.share()),
        top_p=marks.share,
        frequency_penalty=marks.share,
        top_logprobs=lambda: 3,
        user=lambda: pick(draw, marks.word(), marks.word() * 9),
        metadata=lambda: {marks.word(): marks.word()},
        service_tier=lambda: pick(draw, "auto", "default", "flex", "priority", "ultrafast"),
        reasoning=lambda: _reasoning(draw),
        text=lambda: _text(draw, marks),
        truncation=lambda: pick(draw, "auto", "disabled"),
        prompt_cache_key=marks.word,
        safety_identifier=marks.word,
        client_metadata=lambda: {"session": marks.word()},
        include=lambda: pick(draw, ["reasoning.encrypted_content"], ["file_search_call.results"]),
        max_tool_calls=marks.number,
        store=lambda: pick(draw, True, False),
        stream=lambda: True,
        novel=marks.word,
    )
    return body


def _reasoning(draw: Draw) -> Json:
    options: Json = {"effort": pick(draw, "none", "minimal", "low", "medium", "high", "xhigh")}
    maybe(
        draw,
        options,
        summary=lambda: pick(draw, "auto", "detailed"),
        context=lambda: pick(draw, "auto", "all_turns"),
    )
    return options


def _text(draw: Draw, marks: Marks) -> Json:
    strict = pick(draw, None, False, True)
    form: Json = {
        "type": "json_schema",
        "name": marks.word(),
        "schema": schema(draw, marks, strict=bool(strict)),
    }
    if strict is not None:
        form["strict"] = strict
    options: Json = {"format": pick(draw, {"type": "text"}, form)}
    maybe(draw, options, verbosity=lambda: pick(draw, "low", "medium", "high"))
    return options


# --- tools ----------------------------------------------------------------------------------------------


def _tool(draw: Draw, marks: Marks) -> Json:
    match pick(draw, "function", "function", "custom", "namespace", "hosted"):
        case "function":
            return _function(draw, marks)
        case "custom":
            return _custom(draw, marks)
        case "namespace":
            inner = [
                pick(draw, _function(draw, marks), _custom(draw, marks))
                for _ in range(draw(st.integers(1, 2)))
            ]
            return {"type": "namespace", "name": marks.word(), "description": marks.word(), "tools": inner}
        case _:
            return {"type": "web_search", "user_location": {"type": "approximate", "city": marks.word()}}


def _function(draw: Draw, marks: Marks) -> Json:
    strict = pick(draw, None, False, True)
    name = pick(draw, marks.word(), marks.word().ljust(64, "n"))
    tool: Json = {"type": "function", "name": name, "strict": strict}
    tool["parameters"] = schema(draw, marks, strict=bool(strict))
    maybe(draw, tool, description=marks.word, defer_loading=lambda: True)
    return tool


def _custom(draw: Draw, marks: Marks) -> Json:
    tool: Json = {"type": "custom", "name": marks.word()}
    grammar = {"type": "grammar", "syntax": "lark", "definition": marks.word()}
    maybe(draw, tool, description=marks.word, format=lambda: pick(draw, {"type": "text"}, grammar))
    return tool


def _callable(tools: list[Json]) -> list[tuple[Json, str | None]]:
    """Tools that a client runs, with their namespace."""
    found: list[tuple[Json, str | None]] = []
    for tool in tools:
        if tool["type"] == "namespace":
            found += [(inner, tool["name"]) for inner in tool["tools"]]
        elif tool["type"] in ("function", "custom"):
            found.append((tool, None))
    return found


def _choice(draw: Draw, tools: list[Json]) -> Any:
    known = [tool for tool, _ in _callable(tools)]
    if not known:
        return "auto"
    chosen = {"type": known[-1]["type"], "name": known[-1]["name"]}
    allowed = {"type": "allowed_tools", "mode": pick(draw, "auto", "required"), "tools": [chosen]}
    return pick(draw, "auto", "none", "required", chosen, allowed)


# --- items ----------------------------------------------------------------------------------------------


def _turn(draw: Draw, marks: Marks, tools: list[Json]) -> list[Json]:
    match pick(draw, "user", "assistant", "system", "developer", "calls", "hosted"):
        case "user":
            return [_user(draw, marks)]
        case "assistant":
            return [*_thoughts(draw, marks), _assistant(draw, marks)]
        case "calls" if _callable(tools):
            return _calls(draw, marks, tools)
        case "hosted":
            return [
                {
                    "type": "web_search_call",
                    "id": marks.word(),
                    "status": "completed",
                    "action": {"type": "search"},
                }
            ]
        case role:
            said = [{"type": "input_text", "text": marks.word()} for _ in range(draw(st.integers(1, 2)))]
            return [
                {"role": "system" if role == "calls" else role, "content": pick(draw, marks.word(), said)}
            ]


def _assistant(draw: Draw, marks: Marks) -> Json:
    parts: list[Json] = [{"type": "output_text", "text": marks.word(), "annotations": []}]
    if pick(draw, True, False):
        parts.append({"type": "refusal", "refusal": marks.word()})
    message: Json = {"type": "message", "role": "assistant", "content": pick(draw, marks.word(), parts)}
    maybe(draw, message, phase=lambda: pick(draw, "commentary", "final_answer"))
    return message


def _thoughts(draw: Draw, marks: Marks) -> list[Json]:
    issuer = pick(draw, "anthropic", "openrouter", "x")
    text = {"summary": [{"type": "summary_text", "text": marks.word()}]}
    return pick(
        draw,
        [],
        [{"type": "reasoning", **text, "encrypted_content": packed(issuer=issuer, signature="c2ln")}],
        [{"type": "reasoning", "summary": [], "encrypted_content": packed(issuer=issuer, data="ZW5j")}],
        [{"type": "reasoning", "id": "rs_1", **text, "encrypted_content": "gAAAAA"}],
        [{"type": "reasoning", **text}],
    )


def _calls(draw: Draw, marks: Marks, tools: list[Json]) -> list[Json]:
    calls: list[Json] = []
    results: list[Json] = []
    for _ in range(draw(st.integers(1, 3))):
        tool, namespace = pick(draw, *_callable(tools))
        call_id = pick(draw, f"call_{marks.word()}", marks.word().ljust(64, "i"))
        call: Json = {"call_id": call_id, "name": tool["name"]}
        if namespace is not None:
            call["namespace"] = namespace
        if tool["type"] == "custom":
            calls.append({"type": "custom_tool_call", **call, "input": f'{marks.word()} "\n'})
        else:
            calls.append({"type": "function_call", **call, "arguments": json.dumps(arguments(draw, marks))})
        kind = "custom_tool_call_output" if tool["type"] == "custom" else "function_call_output"
        parts = [{"type": "input_text", "text": marks.word()}, _media(draw, marks)]
        results.append({"type": kind, "call_id": call_id, "output": pick(draw, "", marks.word(), parts)})
    said = [_assistant(draw, marks)] if pick(draw, True, False) else []
    return [*_thoughts(draw, marks), *said, *calls, *draw(st.permutations(results))]


def _user(draw: Draw, marks: Marks) -> Json:
    parts = [pick(draw, {"type": "input_text", "text": marks.word()}, _media(draw, marks)) for _ in range(2)]
    return {"role": "user", "content": pick(draw, marks.word(), parts)}


def _media(draw: Draw, marks: Marks) -> Json:
    address = f"https://x.org/{marks.word()}"
    image: Json = {
        "type": "input_image",
        "image_url": pick(draw, address, f"data:image/png;base64,{marks.data()}"),
    }
    maybe(draw, image, detail=lambda: pick(draw, "auto", "low"))
    pdf = {"filename": f"{marks.word()}.pdf", "file_data": f"data:application/pdf;base64,{marks.data()}"}
    return pick(
        draw,
        image,
        {"type": "input_image", "file_id": f"file-{marks.word()}"},
        {"type": "input_file", **pdf},
        {"type": "input_file", "file_url": address},
        {"type": "input_file", "file_id": f"file-{marks.word()}"},
    )
