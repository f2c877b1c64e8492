"""What Gemini refuses with 400 in a `generateContent` request: the types of its SDK, and its rules.

Types: google-genai 3.6.1. Field names may be in camel case or in snake case: its SDK itself sends some in each. Messages follow the answers of
generativelanguage.googleapis.com as users quote them in public issues; rules are those of
ai.google.dev/gemini-api/docs (function-calling, thought-signatures, thinking, structured-output; read 2026-11). Each rule
yields violations; the first one is the answer.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pydantic
import pydantic.alias_generators
from google.genai import types

from tests.fakes.scripted import Violation

Body = Mapping[str, Any]
Signed = Callable[[str], bool]

NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}")
PLACEHOLDER = "skip_thought_signature_validator"
DATA = (
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
)
MEDIA = re.compile(
    r"image/(png|jpeg|webp|heic|heif)|application/(pdf|json)|text/[a-z.+-]+|audio/[a-z0-9.+-]+|video/[a-z0-9.+-]+"
)
ONLY_VERTEX = frozenset(("partialArgs", "willContinue", "streamFunctionCallArguments"))


@dataclass(frozen=True)
class Model:
    """`levels`: accepted thinking levels; else `budgets`: least and most, and whether 0 is taken."""

    cap: int = 65_536
    levels: tuple[str, ...] = ()
    budgets: tuple[int, int, bool] | None = None

    @property
    def strict(self) -> bool:
        """Generation 3 and later."""
        return bool(self.levels)


_3 = ("LOW", "MEDIUM", "HIGH")
MODELS: dict[str, Model] = {
    "gemini-2.0-flash": Model(8_192),
    "gemini-2.5-pro": Model(budgets=(128, 32_768, False)),
    "gemini-2.5-flash": Model(budgets=(1, 24_576, True)),
    "gemini-2.5-flash-lite": Model(budgets=(512, 24_576, True)),
    "gemini-3-flash-preview": Model(levels=("MINIMAL", *_3)),
    "gemini-3.1-pro": Model(levels=_3),
    "gemini-3.8-flash": Model(levels=_3),
}


class Request(pydantic.BaseModel):
    """GenerateContentRequest. Its fields have the SDK's types."""

    model_config = pydantic.ConfigDict(
        extra="forbid", alias_generator=pydantic.alias_generators.to_camel, populate_by_name=True
    )

    contents: list[types.Content]
    system_instruction: types.Content | None = None
    tools: list[types.Tool] | None = None
    tool_config: types.ToolConfig | None = None
    safety_settings: list[types.SafetySetting] | None = None
    generation_config: types.GenerationConfig | None = None
    cached_content: str | None = None
    labels: dict[str, str] | None = None
    service_tier: types.ServiceTier | None = None
    store: bool | None = None
    model: str | None = None


def bad(message: str) -> Violation:
    return Violation(message, 400, "INVALID_ARGUMENT")


def violations(body: Any, name: str, signed: Signed) -> Iterator[Violation]:
    """`signed`: whether the vendor issued a signature."""
    model = MODELS.get(name)
    if model is None:
        text = f"models/{name} is not found for API version v1beta, or is not supported for generateContent."
        yield Violation(text, 404, "NOT_FOUND")
        return
    if not isinstance(body, dict):
        yield bad("Invalid JSON payload received.")
        return
    found = [*unknown(body, Request, ""), *mistyped(body)]
    yield from map(bad, found)
    if found:
        return
    body = camel(body, Request)
    yield from _contents(body, model, signed)
    yield from _tools(body)
    yield from _config(body, model)


# --- types ----------------------------------------------------------------------------------------------


@cache
def fields(shape: type[pydantic.BaseModel]) -> dict[str, Any]:
    found = shape.model_fields.items()
    return {name: info.annotation for name, info in found} | {
        info.alias or name: info.annotation for name, info in found
    }


def camel(value: Any, annotation: Any) -> Any:
    """The same in camel case throughout, so that the rules see one spelling."""
    shapes = models_in(annotation)
    if isinstance(value, list):
        return [camel(item, annotation) for item in value]
    if not shapes or not isinstance(value, dict):
        return value
    if maps(annotation):
        return {name: camel(item, shapes[0]) for name, item in value.items()}
    names = {name: info.alias or name for name, info in shapes[0].model_fields.items()}
    known = fields(shapes[0])
    return {names.get(name, name): camel(item, known.get(name)) for name, item in value.items()}


def maps(annotation: Any) -> bool:
    return any(typing.get_origin(each) is dict for each in (annotation, *typing.get_args(annotation)))


def models_in(annotation: Any) -> list[type[pydantic.BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return [annotation]
    return [each for arg in typing.get_args(annotation) for each in models_in(arg)]


def unknown(value: Any, annotation: Any, path: str) -> Iterator[str]:
    """Names that the API does not know, wherever they stand."""
    shapes = models_in(annotation)
    if not shapes:
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from unknown(item, annotation, f"{path}[{index}]")
    elif isinstance(value, dict):
        if maps(annotation):
            for name, item in value.items():
                yield from unknown(item, shapes[0], f"{path}.{name}")
            return
        known = fields(shapes[0])
        for name, item in value.items():
            where = f"{path}.{name}".lstrip(".")
            if name not in known or name in ONLY_VERTEX:
                yield f"Invalid JSON payload received. Unknown name \"{name}\" at '{path.lstrip('.')}': Cannot find field."
            else:
                yield from unknown(item, known[name], where)


def mistyped(body: Body) -> Iterator[str]:
    try:
        Request.model_validate_json(json.dumps(body))
    except pydantic.ValidationError as error:
        for fault in error.errors():
            yield f"Invalid value at '{'.'.join(map(str, fault['loc']))}': {fault['msg']}"


# --- contents -------------------------------------------------------------------------------------------


def _contents(body: Body, model: Model, signed: Signed) -> Iterator[Violation]:
    contents = body["contents"]
    if not contents:
        yield bad("* GenerateContentRequest.contents: contents is not specified")
        return
    for index, content in enumerate(contents):
        path = f"contents[{index}]"
        if content.get("role", "user") not in ("user", "model"):
            yield bad("Please use a valid role: user, model.")
        if not content.get("parts"):
            yield bad(f"* GenerateContentRequest.{path}.parts: contents.parts must not be empty.")
        for number, part in enumerate(content.get("parts") or ()):
            yield from _part(part, f"{path}.parts[{number}]", content.get("role", "user"), model, signed)
    for part in (body.get("systemInstruction") or {}).get("parts") or ():
        if "text" not in part:
            yield bad("systemInstruction: only text is supported.")
    yield from _steps(contents, model)
    if model.strict:
        yield from _signatures(contents)


def _part(part: Body, path: str, role: str, model: Model, signed: Signed) -> Iterator[Violation]:
    kinds = [kind for kind in DATA if kind in part]
    if len(kinds) != 1:
        yield bad(f"* {path}.data: required oneof field 'data' must have one initialized field")
        return
    signature = part.get("thoughtSignature")
    # Google's own CLI sends the placeholder to models of every generation.
    if signature is not None and signature != PLACEHOLDER and not signed(signature):
        yield bad(f"{path}: Thought signature is not valid.")
    if kinds[0] == "inlineData":
        yield from _blob(part["inlineData"], path)
    if kinds[0] == "fileData":
        uri = part["fileData"].get("fileUri", "")
        if not uri.startswith(("https://", "gs://", "files/")):
            yield bad(f"{path}.fileData: Invalid or unsupported file uri: {uri}")
    call = part.get("functionCall") or part.get("functionResponse")
    if call is not None and not NAME.fullmatch(call.get("name", "")):
        yield bad(f"{path}: Invalid function name: {call.get('name')!r}")
    if "functionCall" in part and role != "model":
        yield bad(f"{path}: a function call must come from the model.")
    response = part.get("functionResponse")
    if response is not None:
        if role != "user" or "response" not in response:
            yield bad(f"{path}.function_response.response: required field is not set")
        for inner in response.get("parts") or ():
            if not model.strict:
                yield bad(f"{path}.function_response.parts: not supported by this model.")
            yield from _blob(inner.get("inlineData") or {}, path)


def _blob(blob: Body, path: str) -> Iterator[Violation]:
    if not MEDIA.fullmatch(blob.get("mimeType", "")):
        yield bad(f"Unsupported MIME type: {blob.get('mimeType')}")
    try:
        if not base64.b64decode(blob.get("data", ""), validate=True):
            yield bad(f"{path}.inline_data.data: required field is not set")
    except (binascii.Error, ValueError):
        yield bad(f"{path}.inline_data.data: Base64 decoding failed")


def _asked(content: Body, kind: str) -> list[Any]:
    return [part[kind] for part in content.get("parts") or () if kind in part]


def _steps(contents: list[Any], model: Model) -> Iterator[Violation]:
    """Calls are answered at once, all of them."""
    for before, content in zip([None, *contents], [*contents, None], strict=True):
        calls = _asked(before, "functionCall") if before else []
        answers = _asked(content, "functionResponse") if content else []
        if calls and content is not None and content.get("role") == "model":
            yield bad("Please ensure that function call turn is followed by a function response turn.")
        if len(calls) != len(answers) and (calls or answers) and content is not None:
            yield bad(
                "Please ensure that the number of function response parts is equal to the number of function call"
                " parts of the function call turn."
            )
        elif answers and sorted(map(_key(model), calls)) != sorted(map(_key(model), answers)):
            yield bad("Function response ids and names must match the function calls.")
        if content is not None and _asked(content, "functionCall") and before is None:
            yield bad(
                "Please ensure that function call turn comes immediately after a user turn or after a function response"
                " turn."
            )


def _key(model: Model) -> Callable[[Body], tuple[str, str]]:
    return lambda call: (call["name"], call.get("id", "") if model.strict else "")


def _signatures(contents: list[Any]) -> Iterator[Violation]:
    """Each step of the current turn: what the model called since a user last said something."""
    start = 0
    for index, content in enumerate(contents):
        said = [part for part in content["parts"] if "functionResponse" not in part]
        if content.get("role", "user") == "user" and said:
            start = index
    for index, content in enumerate(contents[start:], start):
        if content.get("role") != "model":
            continue
        calls = [part for part in content["parts"] if "functionCall" in part]
        if calls and "thoughtSignature" not in calls[0]:
            name = calls[0]["functionCall"]["name"]
            yield bad(
                f"Function call is missing a thought_signature in functionCall parts. Function call `{name}`, position"
                f" {index}."
            )


# --- tools ----------------------------------------------------------------------------------------------


def _tools(body: Body) -> Iterator[Violation]:
    functions = [f for tool in body.get("tools") or () for f in tool.get("functionDeclarations") or ()]
    names = [function.get("name", "") for function in functions]
    for function in functions:
        name = function.get("name", "")
        if not NAME.fullmatch(name):
            yield bad(f"Invalid function name. Must start with a letter or an underscore: {name!r}")
        if "parameters" in function and "parametersJsonSchema" in function:
            yield bad(f"{name}: parameters and parameters_json_schema must not both be set.")
        schema = function.get("parametersJsonSchema")
        if schema is not None and (not isinstance(schema, dict) or schema.get("type") != "object"):
            yield bad(f"{name}: parameters_json_schema must be of type object.")
        if function.get("parameters", {}).get("type", "OBJECT") != "OBJECT":
            yield bad(f"{name}: parameters must be of type OBJECT.")
    if len(set(names)) != len(names):
        yield bad("Duplicate function declaration found.")
    config = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    allowed = config.get("allowedFunctionNames")
    if config and not functions:
        yield bad("Function calling config is set without function_declarations.")
    if allowed is not None:
        if config.get("mode") not in ("ANY", "VALIDATED"):
            yield bad("allowed_function_names should only be set when mode is ANY or VALIDATED.")
        if not set(allowed) <= set(names) or not allowed:
            yield bad(f"allowed_function_names should be a subset of the function names: {allowed}")


# --- config ---------------------------------------------------------------------------------------------


def _config(body: Body, model: Model) -> Iterator[Violation]:
    config = body.get("generationConfig") or {}
    most = config.get("maxOutputTokens")
    if most is not None and not 1 <= most <= model.cap:
        yield bad(f"Unable to submit request because it has a maxOutputTokens value of {most}.")
    if not 0 <= config.get("temperature", 0) <= 2:
        yield bad("temperature must be in the range [0.0, 2.0]")
    if not 0 <= config.get("topP", 0) <= 1:
        yield bad("topP must be in the range [0.0, 1.0]")
    if not -(2**31) <= config.get("seed", 0) < 2**31:
        yield bad("Invalid value at 'generation_config.seed' (TYPE_INT32)")
    if len(config.get("stopSequences") or ()) > 5 or not all(config.get("stopSequences") or ()):
        yield bad("stopSequences: at most 5, none of them empty.")
    if (config.get("presencePenalty") or config.get("frequencyPenalty")) and (model.strict or model.budgets):
        yield bad("Penalty is not enabled for this model")
    if config.get("candidateCount", 1) != 1 and model.strict:
        yield bad("Multiple candidates is not enabled for this model")
    yield from _output(body, config, model)
    yield from _thinking(config.get("thinkingConfig"), model)


def _output(body: Body, config: Body, model: Model) -> Iterator[Violation]:
    kind = config.get("responseMimeType", "text/plain")
    schemas = [name for name in ("responseSchema", "responseJsonSchema") if name in config]
    if schemas and kind != "application/json":
        yield bad("response_schema is only supported with response_mime_type application/json.")
    if len(schemas) > 1:
        yield bad("Only one of response_schema and response_json_schema may be set.")
    functions = any(tool.get("functionDeclarations") for tool in body.get("tools") or ())
    if kind == "application/json" and functions and not model.strict:
        yield bad("Function calling with a response mime type: 'application/json' is unsupported")


def _thinking(config: Body | None, model: Model) -> Iterator[Violation]:
    if config is None:
        return
    if not model.strict and model.budgets is None:
        yield bad("Thinking is not enabled for this model.")
        return
    level, budget = config.get("thinkingLevel"), config.get("thinkingBudget")
    if level is not None and budget is not None:
        yield bad("You can only set only one of thinking budget and thinking level.")
    if level is not None and level not in model.levels:
        yield bad(f"Thinking level {level} is not supported for this model.")
    if budget is not None and model.budgets is not None:
        least, most, off = model.budgets
        if budget != -1 and not least <= budget <= most and not (budget == 0 and off):
            yield bad(
                f"The thinking budget {budget} is invalid. Please choose a value between {least} and {most}."
            )
