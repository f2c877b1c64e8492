"""The conversation -> a Responses request for a model.

| conversation                       | Responses                                                                |
|------------------------------------|--------------------------------------------------------------------------|
| turns                              | `instructions` and `input`: see `items_out`                              |
| `max_tokens`                       | `max_output_tokens`, at least 16, at most the card's limit               |
| `stop`, `top_k`, `seed`, `n` …     | no field                                                                 |
| `sampling`                         | not to models that refuse it                                             |
| `reasoning`                        | `reasoning.effort`: the word, or the one nearest to the budget           |
| `reasoning.display`                | `reasoning.summary` "auto", where thinking is to be seen                 |
| `output`, `verbosity`              | `text`; `strict` if the schema is ready for it, unless ruled out         |
| tools of a namespace               | one `namespace` tool                                                     |
| freeform tools                     | `custom`                                                                 |
| `tool_choice` AUTO, ANY with names | `allowed_tools`                                                          |
| `user` above 64 characters         | its SHA-256                                                              |

The request is stateless: `store` is false, and a model that thinks is asked for its encrypted reasoning.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

import orjson
from orjson import Fragment

from tokligence.catalog.models import ThinkingStyle
from tokligence.conversation import (
    Extras,
    LossReason,
    OpaqueTool,
    OutputFormat,
    OutputKind,
    Reasoning,
    ReasoningMode,
    Request,
    Sampling,
    Severity,
    Tool,
    ToolChoice,
    ToolMode,
)
from tokligence.wire.contract import ReplyMemory, Target, Written
from tokligence.wire.lower import NAMESPACE_DESCRIPTION
from tokligence.wire.openai.effort import effort_word, takes_verbosity
from tokligence.wire.openai.family import taken_over
from tokligence.wire.openai.schema import as_parameters, strict_ready
from tokligence.wire.openai.tiers import SERVICE_TIER
from tokligence.wire.openai_responses.items_in import OWN
from tokligence.wire.openai_responses.items_out import Items, Json
from tokligence.wire.openai_responses.read import ENCRYPTED, LOGPROBS
from tokligence.wire.pairing import pair
from tokligence.wire.terms import in_terms

MIN_OUTPUT: Final = 16
"""The least `max_output_tokens` that the vendor takes (its error "integer_below_min_value", 2026-11)."""
MAX_USER: Final = 64
"""Characters of `user`."""

_NO_SAMPLING: Final = Sampling()
_TAKEN: Final[dict[str, tuple[object, ...]]] = {"temperature": (1,), "top_p": (1,), "top_logprobs": (0,)}
"""Fields of `Sampling` that the protocol has, and the values that ask for nothing."""
_NOT_TAKEN: Final[dict[str, tuple[Severity, tuple[object, ...]]]] = {
    "top_k": (Severity.SEMANTIC, ()),
    "frequency_penalty": (Severity.SEMANTIC, (0,)),
    "presence_penalty": (Severity.SEMANTIC, (0,)),
    "seed": (Severity.COSMETIC, ()),  # OpenAI promises no more than an attempt
    "n": (Severity.SEMANTIC, (1,)),
    "logit_bias": (Severity.SEMANTIC, (b"{}", b"null")),
}
"""Those that it has not: how much is lost, and the values that ask for nothing."""


def write_request(request: Request, target: Target) -> Written:
    turns, losses = pair(request.turns)
    items = Items(target, losses)
    tools = _write_tools(request.tools, target, items)
    written = items.write(turns)
    body: Json = {"model": target.model}
    if items.instructions is not None:
        body["instructions"] = items.instructions
    body["input"] = written
    if tools:
        body["tools"] = tools
    if tools or request.tool_choice is not None:
        _write_choice(request, target, body, items)
    _write_limits(request, target, body, items)
    include: list[str] = []
    if request.sampling != _NO_SAMPLING:
        _write_sampling(request.sampling, target, body, include, items)
    _write_text(request, target, body, items)
    _write_reasoning(request.reasoning, target, body, include, items)
    body["store"] = False
    if include:
        body["include"] = include
    _write_rest(request, body, items)
    memory = ReplyMemory(renames=items.names.renames) if items.names.renames else ReplyMemory()
    return Written(orjson.dumps(body), in_terms(losses, request), memory)


# --- tools ----------------------------------------------------------------------------------------------


def _write_tools(tools: Sequence[Tool | OpaqueTool], target: Target, items: Items) -> list[Any]:
    out: list[Any] = []
    spaces: dict[str, Json] = {}
    for tool in tools:
        if isinstance(tool, OpaqueTool):
            if tool.origin is OWN:
                out.append(Fragment(tool.raw))
            else:
                items.lose(tool.path)
        elif tool.namespace is None:
            out.append(_write_tool(tool, target, items))
        else:
            space = spaces.get(tool.namespace)
            if space is None:
                space = spaces[tool.namespace] = _namespace(tool.namespace)
                out.append(space)
            _describe(space, tool.extras)
            space["tools"].append(_write_tool(tool, target, items))
    return out


def _namespace(name: str) -> Json:
    return {"type": "namespace", "name": name, "description": f"Tools of {name}.", "tools": []}


def _describe(space: Json, extras: Extras | None) -> None:
    if extras is not None and extras.origin is OWN and NAMESPACE_DESCRIPTION in extras.fields:
        space["description"] = Fragment(extras.fields[NAMESPACE_DESCRIPTION])


def _write_tool(tool: Tool, target: Target, items: Items) -> Json:
    out: Json = {"type": "custom" if tool.freeform else "function", "name": items.names.to_target(tool.name)}
    if tool.description is not None:
        out["description"] = tool.description
    if not tool.freeform:
        parameters, mended = as_parameters(tool.parameters)
        if mended:
            items.lose(f"{tool.path}.parameters", LossReason.REPAIRED, Severity.COSMETIC)
        out["parameters"] = Fragment(parameters)
        out["strict"] = _strict(tool, parameters, target, items)  # left out it would be true
    elif tool.format is not None:
        out["format"] = Fragment(tool.format)
    items.lose_cache(tool.cache, tool.path)
    items.extras(tool.extras, tool.path, out)
    out.pop(NAMESPACE_DESCRIPTION, None)
    return out


def _strict(tool: Tool, parameters: bytes, target: Target, items: Items) -> bool:
    if not tool.strict:
        return False
    if not target.card.strict_tools:
        items.lose(f"{tool.path}.strict", LossReason.MODEL_CAPABILITY)
        return False
    if not strict_ready(parameters):
        items.lose(f"{tool.path}.strict", LossReason.CONVERTED)
        return False
    return True


_MODE: Final[dict[ToolMode, str]] = {
    ToolMode.AUTO: "auto",
    ToolMode.ANY: "required",
    ToolMode.NONE: "none",
    ToolMode.TOOL: "required",
}


def _write_choice(request: Request, target: Target, body: Json, items: Items) -> None:
    choice = request.tool_choice
    if "tools" not in body:
        if choice is not None and choice.mode in {ToolMode.ANY, ToolMode.TOOL}:
            items.lose("tool_choice")
        return
    if request.parallel_tool_calls is not None:
        body["parallel_tool_calls"] = request.parallel_tool_calls
    if choice is None:
        return
    if not target.card.forced_tools and choice.mode in {ToolMode.ANY, ToolMode.TOOL}:
        items.lose("tool_choice", LossReason.MODEL_CAPABILITY)
        choice = ToolChoice(ToolMode.AUTO)
    named = [_named(name, request, items) for name in choice.names]
    if not named:
        body["tool_choice"] = _MODE[choice.mode]
    elif choice.mode is not ToolMode.TOOL:
        body["tool_choice"] = {"type": "allowed_tools", "mode": _MODE[choice.mode], "tools": named}
    elif _offers(request, choice.names[0]):
        body["tool_choice"] = named[0]
    else:
        items.lose("tool_choice")


def _named(name: str, request: Request, items: Items) -> Json:
    freeform = any(isinstance(tool, Tool) and tool.name == name and tool.freeform for tool in request.tools)
    return {"type": "custom" if freeform else "function", "name": items.names.to_target(name)}


def _offers(request: Request, name: str) -> bool:
    """Whether it is a tool that both vendors have; one of another vendor's own was lost."""
    return any(isinstance(tool, Tool) and tool.name == name for tool in request.tools)


# --- limits, sampling, output ---------------------------------------------------------------------------


def _write_limits(request: Request, target: Target, body: Json, items: Items) -> None:
    limit = request.max_tokens
    if limit is not None:
        most = target.card.max_output_tokens
        asked = limit
        limit = max(limit if most is None else min(limit, most), MIN_OUTPUT)
        if limit != asked:
            items.lose("max_tokens", LossReason.CLAMPED, Severity.COSMETIC)
        body["max_output_tokens"] = limit
    if request.stop:
        items.lose("stop")


def _write_sampling(sampling: Sampling, target: Target, body: Json, include: list[str], items: Items) -> None:
    card = target.card
    for name, neutral in _TAKEN.items():
        value = getattr(sampling, name)
        if value is None:
            continue
        refused = not card.sampling or (card.one_sampler and name == "top_p" and "temperature" in body)
        if not refused:
            body[name] = value
        elif value not in neutral:
            items.lose(name, LossReason.MODEL_CAPABILITY)
    if sampling.logprobs:
        if card.sampling:
            include.append(LOGPROBS)
        else:
            items.lose("logprobs", LossReason.MODEL_CAPABILITY)
    for name, (severity, neutral) in _NOT_TAKEN.items():
        value = getattr(sampling, name)
        if value is not None and value not in neutral:
            items.lose(name, severity=severity)


def _write_text(request: Request, target: Target, body: Json, items: Items) -> None:
    text: Json = {}
    if request.output is not None:
        form = _format(request.output, target, items)
        if form is not None:
            text["format"] = form
    if request.verbosity is not None:
        if takes_verbosity(request.verbosity, target.card):
            text["verbosity"] = request.verbosity
        else:
            items.lose("verbosity", LossReason.MODEL_CAPABILITY)
    if text:
        body["text"] = text


def _format(output: OutputFormat, target: Target, items: Items) -> Json | None:
    if output.kind is not OutputKind.JSON_SCHEMA:
        return {"type": output.kind.value}
    if not target.card.structured_output:
        items.lose("response_format", LossReason.MODEL_CAPABILITY)
        return None
    form: Json = {"type": "json_schema", "name": output.name or "response"}
    if output.description is not None:
        form["description"] = output.description
    schema, strict = output.schema or b"{}", output.strict
    form["schema"] = Fragment(schema)
    if strict is not False:
        # Anthropic's format binds the model; here only `strict` does, and it takes fewer schemas.
        strict = strict_ready(schema)
        if not strict:
            items.lose("response_format.strict", LossReason.CONVERTED)
    form["strict"] = strict
    return form


def _write_reasoning(
    reasoning: Reasoning | None, target: Target, body: Json, include: list[str], items: Items
) -> None:
    options: Json = {}
    if reasoning is not None:
        effort = effort_word(reasoning, target.card, items.losses)
        if effort is not None:
            options["effort"] = effort
        if _shown(reasoning) and target.card.thinking is not ThinkingStyle.NONE:
            options["summary"] = "auto"
    if options:
        body["reasoning"] = options
    thinks = target.card.thinking is ThinkingStyle.EFFORT or bool(options)
    if thinks and options.get("effort") != "none":
        include.append(ENCRYPTED)


def _shown(reasoning: Reasoning) -> bool:
    """Whether thinking is to be seen. A budget is a word of vendors that show it unless told otherwise."""
    if reasoning.mode is ReasoningMode.DISABLED:
        return False
    if reasoning.display is None:
        return reasoning.budget is not None or reasoning.mode is ReasoningMode.ADAPTIVE
    return reasoning.display != "omitted"


# --- the rest -------------------------------------------------------------------------------------------


def _write_rest(request: Request, body: Json, items: Items) -> None:
    if request.stream:
        body["stream"] = True
    if request.service_tier is not None:
        tier = SERVICE_TIER.get(request.service_tier)
        if tier is None:
            items.lose("service_tier", severity=Severity.COSMETIC)
        else:
            body["service_tier"] = tier
    if request.user is not None:
        user = request.user
        if len(user) > MAX_USER:
            user = sha256(user.encode("utf-8", "surrogatepass")).hexdigest()
            items.lose("user", LossReason.CONVERTED, Severity.COSMETIC)
        body["user"] = user
    if request.metadata is not None:
        body["metadata"] = dict(request.metadata)
    if request.extras is not None:
        for name, raw in taken_over(request.extras, OWN, items.losses).items():
            _put(body, name, raw)


def _put(body: Json, name: str, raw: bytes) -> None:
    """A field of the request's own; `object.member` goes into the object, `include` joins what is asked for."""
    if name == "include":
        body[name] = [*orjson.loads(raw), *body.get(name, ())]
        return
    outer, dot, member = name.partition(".")
    if not dot:
        body[name] = Fragment(raw)
    elif isinstance(body.setdefault(outer, {}), dict):
        body[outer][member] = Fragment(raw)
