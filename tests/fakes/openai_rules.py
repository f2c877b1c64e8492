"""What OpenAI refuses with 400 in a Chat Completions request, beyond the types of its SDK.

Messages, `param` and `code` follow the answers of api.openai.com as users quote them in public issues (read 2026-11);
limits are those of the API reference and of the SDK's docstrings (openai 3.57). Each rule yields violations; the
first one is the answer.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from openai.types.chat.completion_create_params import CompletionCreateParams

from tests.fakes.scripted import Violation
from tests.fakes.shape import Flaw, Path, check

Body = Mapping[str, Any]
NAME = re.compile(r"[a-zA-Z0-9_-]+")
DATA_URL = re.compile(r"data:(?P<type>[\w.+/-]+);base64,(?P<data>.*)", re.DOTALL)


@dataclass(frozen=True)
class Model:
    """`efforts`: accepted `reasoning_effort`; empty: not a reasoning model. `cap`: most output tokens."""

    cap: int
    efforts: tuple[str, ...] = ()

    @property
    def reasons(self) -> bool:
        return bool(self.efforts)


_O = ("low", "medium", "high")
_5 = ("minimal", *_O)
_51 = ("none", *_O)
_52 = ("none", *_O, "xhigh")
_6 = ("none", *_O, "xhigh", "max")

MODELS: dict[str, Model] = {
    "gpt-3.5-turbo": Model(4_096),
    "gpt-4": Model(8_192),
    "gpt-4-turbo": Model(4_096),
    "gpt-4o": Model(16_384),
    "gpt-4o-2024-08-06": Model(16_384),
    "gpt-4o-mini": Model(16_384),
    "gpt-4.1": Model(32_768),
    "gpt-4.1-mini": Model(32_768),
    "o1": Model(100_000, _O),
    "o3": Model(100_000, _O),
    "o3-mini": Model(100_000, _O),
    "o4-mini": Model(100_000, _O),
    "gpt-5": Model(128_000, _5),
    "gpt-5-mini": Model(128_000, _5),
    "gpt-5.1": Model(128_000, _51),
    "gpt-5.2": Model(128_000, _52),
    "gpt-5.5": Model(128_000, _52),
    "gpt-6-astra": Model(128_000, _6),
    "gpt-6-sol": Model(128_000, _6),
}

STOPPABLE = ("o1", "o3-mini")
"""Reasoning models that take `stop`: it is "not supported with latest reasoning models `o3` and `o4-mini`" (SDK)."""

# What OpenAI-compatible servers (vLLM, llama.cpp, OpenRouter) take besides, and send.
COMPATIBLE_FIELDS = frozenset({"top_k", "min_p", "repetition_penalty", "chat_template_kwargs", "reasoning"})
COMPATIBLE_MESSAGE_FIELDS = frozenset(
    {"cache_control", "reasoning", "reasoning_content", "reasoning_details"}
)


def violations(body: Any, *, compatible: bool) -> Iterator[Violation]:
    if not isinstance(body, dict):
        yield Violation("We could not parse the JSON body of your request.", kind="invalid_request_error")
        return
    yield from map(_flaw, _flaws(body, compatible))
    if "model" not in body or "messages" not in body:
        return
    model = MODELS.get(body["model"])
    if model is None and not compatible:
        message = f"The model `{body['model']}` does not exist or you do not have access to it."
        yield Violation(message, 404, "invalid_request_error", "model_not_found")
        return
    for rule in RULES:
        yield from rule(body)
    if model is not None and not compatible:
        yield from _model_rules(body, model)


def _flaws(body: Body, compatible: bool) -> Iterable[Flaw]:
    flaws = check(dict(body), CompletionCreateParams, extra=COMPATIBLE_FIELDS if compatible else frozenset())
    if not compatible:
        return flaws
    return [f for f in flaws if not (f.kind == "unknown" and f.path[-1] in COMPATIBLE_MESSAGE_FIELDS)]


def dotted(path: Path) -> str:
    """messages[0].content[1].text"""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")


def _flaw(flaw: Flaw) -> Violation:
    where = dotted(flaw.path)
    match flaw.kind:
        case "missing":
            return _bad(f"Missing required parameter: '{where}'.", where, "missing_required_parameter")
        case "unknown" if len(flaw.path) == 1:
            return _bad(f"Unrecognized request argument supplied: {where}", None)
        case "unknown":
            return _bad(f"Unknown parameter: '{where}'.", where, "unknown_parameter")
        case "value":
            return _bad(
                f"Invalid value for '{where}'. Supported values are: {flaw.want}.", where, "invalid_value"
            )
        case _:
            return _bad(f"Invalid type for '{where}': expected {flaw.want}.", where, "invalid_type")


def _bad(message: str, param: str | None, code: str | None = "invalid_value") -> Violation:
    return Violation(message, 400, "invalid_request_error", code, param)


# --- messages -------------------------------------------------------------------------------------------


def _pairing(body: Body) -> Iterator[Violation]:
    messages = [m for m in body["messages"] if isinstance(m, dict)]
    if not messages:
        yield _bad(
            "Invalid 'messages': empty array. Expected an array with minimum length 1.",
            "messages",
            "empty_array",
        )
    open_ids: list[str] = []
    asked: list[str] = []
    for i, message in enumerate(messages):
        if message.get("role") == "tool":
            if message.get("tool_call_id") in open_ids:
                open_ids.remove(message["tool_call_id"])
            elif message.get("tool_call_id") in asked:
                yield _bad(
                    f"Duplicate tool message for tool_call_id '{message['tool_call_id']}'.",
                    f"messages.[{i}].role",
                )
            else:
                text = (
                    "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
                )
                yield _bad(f"Invalid parameter: {text}", f"messages.[{i}].role", None)
            continue
        yield from _unanswered(open_ids, i)
        open_ids = [c["id"] for c in message.get("tool_calls") or () if isinstance(c, dict) and "id" in c]
        asked = list(open_ids)
        if len(set(open_ids)) != len(open_ids):
            yield _bad(f"Duplicate value for 'tool_call_id' in messages[{i}].", f"messages.[{i}].tool_calls")
    yield from _unanswered(open_ids, len(messages))


def _unanswered(ids: list[str], i: int) -> Iterator[Violation]:
    if ids:
        text = "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'."
        rest = f"The following tool_call_ids did not have response messages: {', '.join(ids)}"
        yield _bad(f"{text} {rest}", f"messages.[{i}].role", None)


def _contents(body: Body) -> Iterator[Violation]:
    for i, message in enumerate(body["messages"]):
        if not isinstance(message, dict):
            continue
        at = f"messages[{i}]"
        content = message.get("content")
        if message.get("role") == "assistant":
            calls = message.get("tool_calls")
            if calls == []:
                yield _bad(f"Invalid '{at}.tool_calls': empty array.", f"{at}.tool_calls", "empty_array")
            if (
                content is None
                and not calls
                and not any(message.get(k) for k in ("refusal", "audio", "function_call"))
            ):
                yield _bad(
                    "Invalid value for 'content': expected a string, got null.",
                    f"messages.[{i}].content",
                    None,
                )
            for j, call in enumerate(calls or ()):
                yield from _call(call, f"{at}.tool_calls[{j}]")
        if content == []:
            yield _bad(f"Invalid '{at}.content': empty array.", f"{at}.content", "empty_array")
        name = message.get("name")
        if isinstance(name, str) and not re.fullmatch(r"[^\s<|\\/>]{1,64}", name):
            yield _bad(f"Invalid '{at}.name': string does not match pattern.", f"{at}.name")
        for j, part in enumerate(content if isinstance(content, list) else ()):
            if isinstance(part, dict):
                yield from _media(part, f"{at}.content[{j}]")


def _call(call: Any, at: str) -> Iterator[Violation]:
    if not isinstance(call, dict):
        return
    yield from _length(call.get("id"), f"{at}.id", 40)
    yield from _name((call.get("function") or {}).get("name"), f"{at}.function.name")


def _media(part: Mapping[str, Any], at: str) -> Iterator[Violation]:
    if part.get("type") == "image_url":
        url = part["image_url"].get("url", "")
        if url.startswith("data:"):
            yield from _data_url(url, f"{at}.image_url.url", r"image/(png|jpeg|gif|webp)")
        elif not re.match(r"https?://[^/]", url):
            yield _bad(
                f"Invalid '{at}.image_url.url': expected a valid URL.",
                f"{at}.image_url.url",
                "invalid_image_url",
            )
    if part.get("type") == "file":
        file = part["file"]
        if "file_data" in file:
            yield from _data_url(file["file_data"], f"{at}.file.file_data", r"application/pdf")
            if not file.get("filename"):
                where = f"{at}.file.filename"
                yield _bad(f"Missing required parameter: '{where}'.", where, "missing_required_parameter")
        elif "file_id" not in file:
            yield _bad(
                f"Missing required parameter: '{at}.file.file_id'.",
                f"{at}.file.file_id",
                "missing_required_parameter",
            )
    if part.get("type") == "input_audio" and not _is_base64(part["input_audio"].get("data", "")):
        yield _bad(f"Invalid '{at}.input_audio.data': not base64.", f"{at}.input_audio.data")


def _data_url(url: str, at: str, types: str) -> Iterator[Violation]:
    found = DATA_URL.fullmatch(url)
    if found is None or not re.fullmatch(types, found["type"]) or not _is_base64(found["data"]):
        yield _bad(f"Invalid '{at}': expected a base64 data URL of {types}.", at)


def _is_base64(data: str) -> bool:
    try:
        return bool(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        return False


# --- tools and formats ----------------------------------------------------------------------------------


def _tools(body: Body) -> Iterator[Violation]:
    tools = body.get("tools")
    if tools == []:
        yield _bad(
            "Invalid 'tools': empty array. Expected an array with minimum length 1.", "tools", "empty_array"
        )
    if not tools:
        for field in ("tool_choice", "parallel_tool_calls"):
            if field in body:
                yield _bad(
                    f"Invalid value for '{field}': '{field}' is only allowed when 'tools' are specified.",
                    field,
                    None,
                )
        return
    if len(tools) > 128:
        yield _bad(
            "Invalid 'tools': array too long. Expected an array with maximum length 128.",
            "tools",
            "array_above_max_length",
        )
    names = []
    for i, tool in enumerate(tools):
        function = tool.get("function") or tool.get("custom") or {}
        name = function.get("name")
        names.append(name)
        yield from _name(name, f"tools[{i}].function.name")
        if "parameters" in function:
            what = f"Invalid schema for function '{name}'"
            where = f"tools[{i}].function.parameters"
            for fault in schema_faults(function["parameters"], strict=bool(function.get("strict"))):
                yield _bad(f"{what}: {fault}", where, "invalid_function_parameters")
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") == "function":
        wanted = choice["function"].get("name")
        if wanted not in names:
            yield _bad(f"Tool choice '{wanted}' not found in 'tools' parameter.", "tool_choice", None)


def _format(body: Body) -> Iterator[Violation]:
    form = body.get("response_format")
    if not isinstance(form, dict):
        return
    if form.get("type") == "json_object":
        if "json" not in str(body["messages"]).lower():
            text = "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
            yield _bad(text, "messages", None)
    elif form.get("type") == "json_schema" and isinstance(form.get("json_schema"), dict):
        given = form["json_schema"]
        yield from _name(given.get("name"), "response_format.json_schema.name")
        if "schema" not in given:
            where = "response_format.json_schema.schema"
            yield _bad(f"Missing required parameter: '{where}'.", where, "missing_required_parameter")
        for fault in schema_faults(given.get("schema", {"type": "object"}), strict=bool(given.get("strict"))):
            yield _bad(
                f"Invalid schema for response_format '{given.get('name')}': {fault}", "response_format", None
            )


def schema_faults(schema: Any, *, strict: bool, context: tuple[str, ...] = ()) -> Iterator[str]:
    """What OpenAI finds wrong with a schema; `strict` adds the rules of Structured Outputs."""
    if not isinstance(schema, dict):
        return
    if not context and schema.get("type") != "object":
        got = f"'type: \"{schema.get('type')}\"'"
        yield f"schema must be a JSON Schema of 'type: \"object\"', got {got}."
        return
    kinds = schema.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "array" in kinds and "items" not in schema:
        yield f"In context={context}, array schema missing items."
    if strict and ("object" in kinds or "properties" in schema):
        if schema.get("additionalProperties") is not False:
            yield f"In context={context}, 'additionalProperties' is required to be supplied and to be false."
        missing = set(schema.get("properties", {})) - set(schema.get("required", ()))
        if missing:
            text = (
                "'required' is required to be supplied and to be an array including every key in properties."
            )
            yield f"In context={context}, {text} Missing '{sorted(missing)[0]}'."
    for group in ("properties", "$defs", "definitions"):
        for name, inner in (schema.get(group) or {}).items():
            yield from schema_faults(inner, strict=strict, context=(*context, group, name))
    if isinstance(schema.get("items"), dict):
        yield from schema_faults(schema["items"], strict=strict, context=(*context, "items"))
    for group in ("anyOf", "allOf", "oneOf"):
        for i, inner in enumerate(schema.get(group) or ()):
            yield from schema_faults(inner, strict=strict, context=(*context, group, str(i)))


# --- scalars --------------------------------------------------------------------------------------------

RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
    "top_logprobs": (0, 20),
    "n": (1, 128),
    "seed": (-(2**63), 2**63 - 1),
    "max_tokens": (1, 2**31),
    "max_completion_tokens": (1, 2**31),
}
LENGTHS = {"user": 64, "safety_identifier": 64, "prompt_cache_key": 64}


def _scalars(body: Body) -> Iterator[Violation]:
    for field, (low, high) in RANGES.items():
        value = body.get(field)
        if isinstance(value, int | float) and not low <= value <= high:
            side, code = (
                ("minimum", "integer_below_min_value")
                if value < low
                else ("maximum", "integer_above_max_value")
            )
            limit = low if value < low else high
            yield _bad(
                f"Invalid '{field}': expected a value with {side} {limit}, but got {value} instead.",
                field,
                code,
            )
    for field, most in LENGTHS.items():
        yield from _length(body.get(field), field, most)
    stop = body.get("stop")
    if isinstance(stop, list):
        if len(stop) > 4:
            text = (
                f"Expected an array with maximum length 4, but got an array with length {len(stop)} instead."
            )
            yield _bad(f"Invalid 'stop': array too long. {text}", "stop", "array_above_max_length")
        if not stop:
            yield _bad(
                "Invalid 'stop': empty array. Expected an array with minimum length 1.", "stop", "empty_array"
            )
    if stop == "" or (isinstance(stop, list) and "" in stop):
        yield _bad("Invalid 'stop': empty string.", "stop", "empty_string")
    metadata = body.get("metadata") or {}
    if len(metadata) > 16:
        yield _bad(
            "Invalid 'metadata': too many properties. Expected at most 16.",
            "metadata",
            "object_above_max_properties",
        )
    for key, value in metadata.items():
        yield from _length(key, "metadata", 64)
        yield from _length(value, f"metadata.{key}", 512)
    if metadata and not body.get("store"):
        yield _bad("The 'metadata' parameter is only allowed when 'store' is enabled.", "metadata", None)
    if body.get("stream_options") is not None and not body.get("stream"):
        text = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        yield _bad(text, "stream_options", None)
    if body.get("top_logprobs") is not None and not body.get("logprobs"):
        yield _bad("'logprobs' must be true to use 'top_logprobs'.", "top_logprobs", None)
    if "max_tokens" in body and "max_completion_tokens" in body:
        text = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        yield _bad(text, "max_tokens", "invalid_parameter_combination")


def _length(value: Any, field: str, most: int) -> Iterator[Violation]:
    if isinstance(value, str) and len(value) > most:
        text = f"Expected a string with maximum length {most}, but got a string with length {len(value)} instead."
        yield _bad(f"Invalid '{field}': string too long. {text}", field, "string_above_max_length")


def _name(name: Any, field: str) -> Iterator[Violation]:
    yield from _length(name, field, 64)
    if isinstance(name, str) and not NAME.fullmatch(name):
        text = "Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
        yield _bad(f"Invalid '{field}': string does not match pattern. {text}", field)


def _model_rules(body: Body, model: Model) -> Iterator[Violation]:
    for field in ("max_tokens", "max_completion_tokens"):
        value = body.get(field)
        if isinstance(value, int) and model.cap < value <= RANGES[field][1]:
            text = f"This model supports at most {model.cap} completion tokens, whereas you provided {value}."
            yield _bad(f"{field} is too large: {value}. {text}", field)
    effort = body.get("reasoning_effort")
    if not model.reasons:
        if effort is not None:
            yield _bad("Unrecognized request argument supplied: reasoning_effort", None, None)
        if body.get("verbosity") not in (None, "medium"):
            text = "Supported values are: 'medium'."
            yield _bad(
                f"Unsupported value: 'verbosity' is not supported with this model. {text}",
                "verbosity",
                "unsupported_value",
            )
        return
    if effort is not None and effort not in model.efforts:
        text = "Supported values are: " + ", ".join(f"'{e}'" for e in model.efforts)
        message = (
            f"Unsupported value: 'reasoning_effort' does not support '{effort}' with this model. {text}."
        )
        yield _bad(message, "reasoning_effort", "unsupported_value")
    for field in ("max_tokens", "stop", "top_p", "logprobs", "top_logprobs", "logit_bias"):
        if field == "stop" and body["model"] in STOPPABLE:
            continue
        if body.get(field) not in (None, False):
            hint = " Use 'max_completion_tokens' instead." if field == "max_tokens" else ""
            text = f"Unsupported parameter: '{field}' is not supported with this model.{hint}"
            yield _bad(text, field, "unsupported_parameter")
    for field, only in (("temperature", 1), ("presence_penalty", 0), ("frequency_penalty", 0)):
        value = body.get(field)
        if value is not None and value != only:
            text = f"Only the default ({only}) value is supported."
            message = f"Unsupported value: '{field}' does not support {value} with this model. {text}"
            yield _bad(message, field, "unsupported_value")


RULES: tuple[Callable[[Body], Iterator[Violation]], ...] = (_pairing, _contents, _tools, _format, _scalars)
