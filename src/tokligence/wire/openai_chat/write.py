"""The conversation -> a Chat Completions request for a model.

| conversation                       | Chat                                                                     |
|------------------------------------|--------------------------------------------------------------------------|
| `max_tokens`                       | the dialect's field, at most the card's limit                            |
| `stop`                             | the first four; not to models that refuse it                             |
| `sampling`                         | not to models that refuse it; `top_k` has no field                       |
| `reasoning`                        | `reasoning_effort`: the word, or the one nearest to the budget           |
| `output`                           | `response_format`; `strict` if the schema is ready for it, unless ruled out  |
| `tool_choice` AUTO, ANY with names | `allowed_tools`                                                          |
| `user` above 64 characters         | its SHA-256                                                              |
| `service_tier`                     | by table                                                                 |
| `system`, `developer`              | in place; `developer` only where the dialect has it                      |
"""

from __future__ import annotations

from hashlib import sha256
from operator import attrgetter
from typing import Any, Final

import orjson
from orjson import Fragment

from tokligence.catalog.models import ChatTools
from tokligence.conversation import (
    LossReason,
    OutputFormat,
    OutputKind,
    Request,
    Sampling,
    Severity,
    Tool,
    ToolChoice,
    ToolMode,
)
from tokligence.errors import GatewayError
from tokligence.wire.contract import ReplyMemory, Target, Written
from tokligence.wire.openai.effort import effort_word, takes_verbosity
from tokligence.wire.openai.family import taken_over
from tokligence.wire.openai.schema import as_parameters, strict_ready
from tokligence.wire.openai.tiers import SERVICE_TIER
from tokligence.wire.openai_chat.parts import OWN
from tokligence.wire.openai_chat.turns import Json, Messages
from tokligence.wire.pairing import pair
from tokligence.wire.terms import in_terms

MAX_STOPS: Final = 4
MAX_USER: Final = 64
"""Characters of `user`."""

_NO_MEMORY: Final = ReplyMemory()
_NO_SAMPLING: Final = Sampling()
_TRUE: Final = b"true"
_SAMPLING: Final = (
    "temperature",
    "top_p",
    "frequency_penalty",
    "presence_penalty",
    "logprobs",
    "top_logprobs",
    "seed",
    "n",
)
_sampling_values: Final = attrgetter(*_SAMPLING)
_REASONERS_REFUSE: Final = frozenset(_SAMPLING[:6])
_NEUTRAL: Final[dict[str, tuple[object, ...]]] = {
    "temperature": (1,),
    "top_p": (1,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logprobs": (False,),
    "top_logprobs": (0,),
}
"""Values that say what would be anyway: leaving them out loses nothing."""


def write_request(request: Request, target: Target) -> Written:
    turns, losses = pair(request.turns)
    messages = Messages(target, losses)
    tools = _write_tools(request, target, messages) if request.tools else None
    body: Json = {"model": target.model, "messages": messages.write(turns)}
    if tools:
        body["tools"] = tools
    if tools or request.tool_choice is not None:
        _write_choice(request, target, body, messages)
    _write_limits(request, target, body, messages)
    if request.sampling != _NO_SAMPLING:
        _write_sampling(request.sampling, target, body, messages)
    if request.output is not None:
        _write_format(request.output, target, body, messages)
    effort = None
    if request.reasoning is not None:
        if request.reasoning.display is not None:
            messages.lose("reasoning.display", severity=Severity.COSMETIC)
        effort = effort_word(request.reasoning, target.card, losses)
    if tools and target.card.chat_tools is ChatTools.WITHOUT_REASONING:
        if effort not in {None, "none"}:
            messages.lose("reasoning", LossReason.MODEL_CAPABILITY)
        effort = "none"
    if effort is not None:
        body["reasoning_effort"] = effort
    _write_rest(request, target, body, messages)
    memory = _memory(messages, tools) if tools else _NO_MEMORY
    return Written(orjson.dumps(body), in_terms(losses, request), memory)


def _memory(messages: Messages, tools: list[Json]) -> ReplyMemory:
    offered = frozenset([tool["function"]["name"] for tool in tools if "function" in tool])
    return ReplyMemory(renames=messages.renames, tools=offered)


# --- tools ----------------------------------------------------------------------------------------------


def _write_tools(request: Request, target: Target, messages: Messages) -> list[Json]:
    if target.card.chat_tools is ChatTools.NEVER:
        raise GatewayError(
            "request.invalid_field",
            path="tools",
            reason=f"{target.model} does not call tools over Chat Completions",
        )
    tools: list[Json] = []
    for tool in request.tools:
        if isinstance(tool, Tool):
            tools.append(_write_tool(tool, target, messages))
        elif tool.origin is OWN:
            tools.append(orjson.loads(tool.raw))
        else:
            messages.lose(tool.path)
    return tools


def _write_tool(tool: Tool, target: Target, messages: Messages) -> Json:
    parameters, mended = as_parameters(tool.parameters)
    if mended:
        messages.lose(f"{tool.path}.parameters", LossReason.REPAIRED, Severity.COSMETIC)
    function: Json = {"name": messages.names.to_target(tool.name)}
    if tool.description is not None:
        function["description"] = tool.description
    function["parameters"] = Fragment(parameters)
    if tool.strict:
        if not target.card.strict_tools:
            messages.lose(f"{tool.path}.strict", LossReason.MODEL_CAPABILITY)
        elif strict_ready(parameters):
            function["strict"] = True
        else:
            messages.lose(f"{tool.path}.strict", LossReason.CONVERTED)
    messages.lose_cache(tool.cache, tool.path)
    return messages.extras(tool.extras, tool.path, {"type": "function", "function": function})


_MODE: Final[dict[ToolMode, str]] = {
    ToolMode.AUTO: "auto",
    ToolMode.ANY: "required",
    ToolMode.NONE: "none",
    ToolMode.TOOL: "required",
}


def _write_choice(request: Request, target: Target, body: Json, messages: Messages) -> None:
    choice = request.tool_choice
    if "tools" not in body:  # OpenAI refuses both fields then
        if choice is not None and choice.mode in {ToolMode.ANY, ToolMode.TOOL}:
            messages.lose("tool_choice")
        return
    if request.parallel_tool_calls is not None:
        body["parallel_tool_calls"] = request.parallel_tool_calls
    if choice is None:
        return
    if not target.card.forced_tools and choice.mode in {ToolMode.ANY, ToolMode.TOOL}:
        messages.lose("tool_choice", LossReason.MODEL_CAPABILITY)
        choice = ToolChoice(ToolMode.AUTO)
    if choice.mode is ToolMode.TOOL and not _offers(request, choice.names[0]):
        messages.lose("tool_choice")
        return
    names = [messages.names.to_target(name) for name in choice.names]
    if not names:
        body["tool_choice"] = _MODE[choice.mode]
    elif choice.mode is ToolMode.TOOL:
        body["tool_choice"] = _named(names[0])
    else:
        allowed = {"mode": _MODE[choice.mode], "tools": [_named(name) for name in names]}
        body["tool_choice"] = {"type": "allowed_tools", "allowed_tools": allowed}


def _offers(request: Request, name: str) -> bool:
    """Whether it is a tool that both vendors have; one of another vendor's own was lost."""
    return any(tool.name == name if isinstance(tool, Tool) else tool.origin is OWN for tool in request.tools)


def _named(name: str) -> Json:
    return {"type": "function", "function": {"name": name}}


# --- limits, sampling, output ---------------------------------------------------------------------------


def _write_limits(request: Request, target: Target, body: Json, messages: Messages) -> None:
    limit = request.max_tokens
    if limit is not None:
        most = target.card.max_output_tokens
        if most is not None and limit > most:
            limit = most
            messages.lose("max_tokens", LossReason.CLAMPED, Severity.COSMETIC)
        body[target.dialect.max_tokens_field] = limit
    if not request.stop:
        return
    if not target.card.stop:
        messages.lose("stop", LossReason.MODEL_CAPABILITY)
        return
    if len(request.stop) > MAX_STOPS:
        messages.lose("stop", LossReason.CLAMPED)
    body["stop"] = list(request.stop[:MAX_STOPS])


def _write_sampling(sampling: Sampling, target: Target, body: Json, messages: Messages) -> None:
    card = target.card
    for name, value in zip(_SAMPLING, _sampling_values(sampling), strict=True):
        if value is None:
            continue
        refused = (not card.sampling and name in _REASONERS_REFUSE) or (
            card.one_sampler and name == "top_p" and "temperature" in body
        )
        if not refused:
            body[name] = value
        elif value not in _NEUTRAL[name]:
            messages.lose(name, LossReason.MODEL_CAPABILITY)
    if sampling.top_k is not None:
        messages.lose("top_k")
    if sampling.logit_bias is not None:
        if card.sampling:
            body["logit_bias"] = Fragment(sampling.logit_bias)
        else:
            messages.lose("logit_bias", LossReason.MODEL_CAPABILITY)


def _write_format(output: OutputFormat, target: Target, body: Json, messages: Messages) -> None:
    if output.kind is not OutputKind.JSON_SCHEMA:
        body["response_format"] = {"type": output.kind.value}
        return
    if not target.card.structured_output:
        messages.lose("response_format", LossReason.MODEL_CAPABILITY)
        return
    schema: dict[str, Any] = {"name": output.name or "response"}
    if output.description is not None:
        schema["description"] = output.description
    strict = output.strict
    if output.schema is not None:
        schema["schema"] = Fragment(output.schema)
        if strict is not False:
            # Anthropic's format binds the model; here only `strict` does, and it takes fewer schemas.
            strict = strict_ready(output.schema) or None
            if strict is None:
                messages.lose("response_format.strict", LossReason.CONVERTED)
    if strict is not None:
        schema["strict"] = strict
    body["response_format"] = {"type": "json_schema", "json_schema": schema}


# --- the rest -------------------------------------------------------------------------------------------


def _write_rest(request: Request, target: Target, body: Json, messages: Messages) -> None:
    if request.stream:
        body["stream"] = True
        if target.dialect.stream_usage:
            body["stream_options"] = {"include_usage": True}
    if request.verbosity is not None:
        if takes_verbosity(request.verbosity, target.card):
            body["verbosity"] = request.verbosity
        else:
            messages.lose("verbosity", LossReason.MODEL_CAPABILITY)
    if request.service_tier is not None:
        tier = SERVICE_TIER.get(request.service_tier)
        if tier is None:
            messages.lose("service_tier", severity=Severity.COSMETIC)
        else:
            body["service_tier"] = tier
    if request.user is not None:
        user = request.user
        if len(user) > MAX_USER:
            user = sha256(user.encode("utf-8", "surrogatepass")).hexdigest()
            messages.lose("user", LossReason.CONVERTED, Severity.COSMETIC)
        body["user"] = user
    own = {} if request.extras is None else taken_over(request.extras, OWN, messages.losses)
    body.update((name, Fragment(raw)) for name, raw in own.items())
    if request.metadata:
        if own.get("store") == _TRUE:
            body["metadata"] = dict(request.metadata)
        else:  # the vendor takes them "only when 'store' is enabled"
            messages.lose("metadata", severity=Severity.COSMETIC)
