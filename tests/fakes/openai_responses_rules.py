"""What OpenAI refuses with 400 in a Responses request, beyond the types of its SDK.

Messages, `param` and `code` follow the answers of api.openai.com as users quote them in public issues (read 2026-11);
limits are those of the API reference and of the SDK's docstrings (openai 3.57). The first violation is the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from typing import Any

from openai.types.responses.response_create_params import ResponseCreateParamsStreaming

from tests.fakes.openai_rules import MODELS, Model, dotted, schema_faults
from tests.fakes.openai_rules import _bad as bad
from tests.fakes.openai_rules import _length as length
from tests.fakes.openai_rules import _name as name_faults
from tests.fakes.scripted import Violation
from tests.fakes.shape import Flaw, check

Body = Mapping[str, Any]

# What OpenAI's own Codex sends though the SDK's types do not have it (codex 0.169).
CODEX_FIELDS = frozenset({"client_metadata", "stream"})
CODEX_NESTED = frozenset({"external_web_access", "id", "search_content_types", "status"})
PREFIXES = {
    "message": "msg",
    "function_call": "fc",
    "custom_tool_call": "ctc",
    "reasoning": "rs",
}
"""Kind of item -> how ids of OpenAI's own begin. An id may be left out."""
CALLS = {"function_call": "function_call_output", "custom_tool_call": "custom_tool_call_output"}


def violations(
    body: Any, encrypted: Callable[[str], bool], *, any_model: bool = False
) -> Iterator[Violation]:
    """`encrypted`: whether this upstream encrypted a reasoning item's content. `any_model`: unknown ones are taken, for
    reasoning models."""
    if not isinstance(body, dict):
        yield bad("We could not parse the JSON body of your request.", None, None)
        return
    yield from map(_flaw, _flaws(body))
    model = MODELS.get(body.get("model", "")) or (MODELS["gpt-5.5"] if any_model else None)
    if model is None:
        text = f"The requested model '{body.get('model')}' does not exist."
        yield Violation(text, 400, "invalid_request_error", "model_not_found", "model")
        return
    yield from _items(body, encrypted)
    yield from _followed(body)
    yield from _pairing(body)
    yield from _tools(body)
    yield from _scalars(body, model)


def _flaws(body: Body) -> Iterator[Flaw]:
    for flaw in check(dict(body), ResponseCreateParamsStreaming, extra=CODEX_FIELDS):
        known = flaw.path == ("stream",)  # a whole answer is of another type
        codex = flaw.kind == "unknown" and flaw.path[-1] in CODEX_NESTED
        if not known and not codex and not _empty_reasoning(body, flaw):
            yield flaw


def _empty_reasoning(body: Body, flaw: Flaw) -> bool:
    """Codex sends a reasoning item's `content` as null."""
    match flaw.path:
        case ("input", int(at), "content"):
            item = body["input"][at]
            return item.get("type") == "reasoning" and item["content"] is None
    return False


def _flaw(flaw: Flaw) -> Violation:
    where = dotted(flaw.path)
    match flaw.kind:
        case "missing":
            return bad(f"Missing required parameter: '{where}'.", where, "missing_required_parameter")
        case "unknown":
            return bad(f"Unknown parameter: '{where}'.", where, "unknown_parameter")
        case "value":
            return bad(
                f"Invalid value for '{where}'. Supported values are: {flaw.want}.", where, "invalid_value"
            )
        case _:
            return bad(f"Invalid type for '{where}': expected {flaw.want}.", where, "invalid_type")


def _list(body: Body) -> list[Any]:
    given = body.get("input")
    return [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []


def _items(body: Body, encrypted: Callable[[str], bool]) -> Iterator[Violation]:
    given = body.get("input")
    chained = any(body.get(name) for name in ("previous_response_id", "conversation", "prompt"))
    if (given is None or given == []) and not chained:
        yield bad("One of 'input' or 'previous_response_id' or 'prompt' must be provided.", "input", None)
    for i, item in enumerate(_list(body)):
        at = f"input[{i}]"
        kind = item.get("type", "message")
        prefix = PREFIXES.get(kind)
        # Only an assistant's message is an item of OpenAI's own; a user's may be called anything.
        if prefix and item.get("id") and (kind != "message" or item.get("role") == "assistant"):
            yield from length(item["id"], f"{at}.id", 64)
            if not item["id"].startswith(prefix):
                text = f"Expected an ID that begins with '{prefix}'."
                yield bad(f"Invalid '{at}.id': '{item['id']}'. {text}", f"{at}.id")
        if kind in CALLS or kind in CALLS.values():
            yield from length(item.get("call_id"), f"{at}.call_id", 64)
            if item.get("call_id") == "":
                yield bad(f"Invalid '{at}.call_id': empty string.", f"{at}.call_id", "empty_string")
        if kind in CALLS:
            yield from name_faults(item.get("name"), f"{at}.name")
        content = item.get("encrypted_content")
        if kind == "reasoning" and content is not None and not encrypted(content):
            text = "The encrypted content could not be verified. Reason: Encrypted content could not be decrypted or parsed."
            yield bad(text, None, "invalid_encrypted_content")
        if kind == "reasoning" and content is None and body.get("store") is False:
            text = f"Item with id '{item.get('id')}' not found. Items are not persisted when `store` is set to false."
            yield Violation(text, 404, "invalid_request_error", None, "input")
        if kind == "message" and isinstance(item.get("content"), list):
            yield from _content(item, at)


def _followed(body: Body) -> Iterator[Violation]:
    """Reasoning belongs to what it led to."""
    items = _list(body)
    for item, after in zip_longest(items, items[1:], fillvalue={}):
        led = after.get("type") in ("reasoning", *CALLS) or after.get("role") == "assistant"
        if item.get("type") == "reasoning" and not led:
            text = f"Item '{item.get('id')}' of type 'reasoning' was provided without its required following item."
            yield bad(text, "input", None)


def _content(item: Body, at: str) -> Iterator[Violation]:
    allowed = ("output_text", "refusal") if item.get("role") == "assistant" else None
    for j, part in enumerate(item["content"]):
        kind = part.get("type") if isinstance(part, dict) else None
        wrong = kind not in allowed if allowed else kind in ("output_text", "refusal")
        if wrong:
            want = (
                "'output_text' and 'refusal'" if allowed else "'input_text', 'input_image' and 'input_file'"
            )
            where = f"{at}.content[{j}]"
            yield bad(f"Invalid value: '{kind}'. Supported values are: {want}.", where)


def _pairing(body: Body) -> Iterator[Violation]:
    """Every call has its output, of its own kind, and the other way round; order among outputs is free."""
    chained = bool(body.get("previous_response_id") or body.get("conversation"))
    open_calls: dict[str, str] = {}
    seen: set[str] = set()
    for i, item in enumerate(_list(body)):
        kind = item.get("type", "message")
        call_id = str(item.get("call_id"))
        if kind in CALLS:
            if call_id in seen:
                yield bad(f"Duplicate item found with call_id {call_id}.", f"input[{i}]")
            seen.add(call_id)
            open_calls[call_id] = CALLS[kind]
        elif kind in CALLS.values() and not chained and open_calls.pop(call_id, None) != kind:
            what = "custom tool call" if kind.startswith("custom") else "function call"
            yield bad(f"No tool call found for {what} output with call_id {call_id}.", "input", None)
    for call_id in open_calls:
        yield bad(f"No tool output found for function call {call_id}.", "input", None)


def _tools(body: Body) -> Iterator[Violation]:
    names = list[str]()
    for i, tool in enumerate(body.get("tools") or ()):
        yield from _tool(tool, f"tools[{i}]", names)
    if len(set(names)) != len(names):
        yield bad("Tool names must be unique.", "tools")
    choice = body.get("tool_choice")
    named = choice.get("name") if isinstance(choice, dict) else None
    if named is not None and named not in {name.rpartition(".")[2] for name in names}:
        yield bad(f"Tool choice '{named}' not found in 'tools' parameter.", "tool_choice", None)
    if choice == "required" and not body.get("tools"):
        yield bad("Tool choice 'required' must be specified with 'tools' parameter.", "tool_choice", None)
    form = (body.get("text") or {}).get("format") or {}
    if form.get("type") == "json_schema":
        yield from name_faults(form.get("name"), "text.format.name")
        for fault in schema_faults(form.get("schema"), strict=bool(form.get("strict"))):
            yield bad(
                f"Invalid schema for response_format '{form.get('name')}': {fault}", "text.format.schema"
            )


def _tool(tool: Any, at: str, names: list[str], space: str = "") -> Iterator[Violation]:
    if not isinstance(tool, dict) or tool.get("type") not in ("function", "custom", "namespace"):
        return
    yield from name_faults(tool.get("name"), f"{at}.name")
    if tool["type"] == "namespace":
        for j, inner in enumerate(tool.get("tools") or ()):
            yield from _tool(inner, f"{at}.tools[{j}]", names, f"{tool.get('name')}.")
        return
    names.append(f"{space}{tool.get('name')}")
    schema = tool.get("parameters")
    if schema is not None:
        strict = tool.get("strict") is True
        for fault in schema_faults(schema, strict=strict):
            text = f"Invalid schema for function '{tool.get('name')}': {fault}"
            yield bad(text, f"{at}.parameters", "invalid_function_parameters")


def _scalars(body: Body, model: Model) -> Iterator[Violation]:
    most = body.get("max_output_tokens")
    if isinstance(most, int) and most < 16:
        text = f"Expected a value >= 16, but got {most} instead."
        yield bad(
            f"Invalid 'max_output_tokens': integer below minimum value. {text}",
            "max_output_tokens",
            "integer_below_min_value",
        )
    if isinstance(most, int) and most > model.cap:
        text = f"This model supports at most {model.cap} output tokens, whereas you provided {most}."
        yield bad(f"max_output_tokens is too large: {most}. {text}", "max_output_tokens")
    for field, limit in (("user", 64), ("safety_identifier", 64), ("prompt_cache_key", 64)):
        yield from length(body.get(field), field, limit)
    effort = (body.get("reasoning") or {}).get("effort")
    if effort is not None and effort not in model.efforts:
        known = ", ".join(f"'{each}'" for each in model.efforts)
        text = f"Unsupported value: '{effort}' is not supported with the '{body['model']}' model."
        yield bad(f"{text} Supported values are: {known}.", "reasoning.effort", "unsupported_value")
    for field in ("temperature", "top_p"):
        if model.reasons and body.get(field) not in (None, 1):
            text = f"Unsupported parameter: '{field}' is not supported with this model."
            yield bad(text, field, "unsupported_parameter")
    if body.get("top_logprobs") and model.reasons:
        yield bad(
            "logprobs are not supported with reasoning models.", "top_logprobs", "unsupported_parameter"
        )
    if body.get("background") and body.get("store") is False:
        yield bad("Background mode requires 'store' to be true.", "background", None)
