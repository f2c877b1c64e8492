"""Names of what is lost, in the words of the protocol that the request was read from.

A writer knows only the conversation, so it names fields as the conversation does (`reasoning`, `stop`); the client
looks for them under its own protocol's names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from tokligence.conversation import Loss, ProtocolId, Request
from tokligence.wire.places import item_path

FIELD: Final[Mapping[ProtocolId, Mapping[str, str]]] = {
    ProtocolId.OPENAI_CHAT: {
        "reasoning": "reasoning_effort",
        "reasoning.budget": "reasoning.max_tokens",
        "reasoning.effort": "reasoning_effort",
        "response_format.name": "response_format.json_schema.name",
        "response_format.strict": "response_format.json_schema",
    },
    ProtocolId.OPENAI_RESPONSES: {
        "logprobs": "include",
        "max_tokens": "max_output_tokens",
        "reasoning.display": "reasoning.summary",
        "response_format": "text.format",
        "response_format.name": "text.format.name",
        "response_format.strict": "text.format.strict",
        "verbosity": "text.verbosity",
    },
    ProtocolId.GEMINI: {
        "frequency_penalty": "generationConfig.frequencyPenalty",
        "logprobs": "generationConfig.responseLogprobs",
        "max_tokens": "generationConfig.maxOutputTokens",
        "n": "generationConfig.candidateCount",
        "presence_penalty": "generationConfig.presencePenalty",
        "reasoning": "generationConfig.thinkingConfig",
        "reasoning.budget": "generationConfig.thinkingConfig.thinkingBudget",
        "reasoning.display": "generationConfig.thinkingConfig.includeThoughts",
        "reasoning.effort": "generationConfig.thinkingConfig.thinkingLevel",
        "seed": "generationConfig.seed",
        "service_tier": "serviceTier",
        "stop": "generationConfig.stopSequences",
        "temperature": "generationConfig.temperature",
        "tool_choice": "toolConfig.functionCallingConfig",
        "top_k": "generationConfig.topK",
        "top_logprobs": "generationConfig.logprobs",
        "top_p": "generationConfig.topP",
    },
    ProtocolId.ANTHROPIC: {
        "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
        "reasoning": "thinking",
        "reasoning.budget": "thinking.budget_tokens",
        "reasoning.display": "thinking.display",
        "reasoning.effort": "output_config.effort",
        "response_format": "output_config.format",
        "response_format.name": "output_config.format.name",
        "response_format.strict": "output_config.format",
        "stop": "stop_sequences",
        "user": "metadata.user_id",
    },
}
"""Field of the conversation's request -> its path in each protocol, where they differ."""

TOOL: Final[Mapping[ProtocolId, Mapping[str, str]]] = {
    ProtocolId.OPENAI_CHAT: {"parameters": "function.parameters", "strict": "function.strict"},
    ProtocolId.OPENAI_RESPONSES: {},
    ProtocolId.ANTHROPIC: {"parameters": "input_schema"},
    ProtocolId.GEMINI: {},
}
"""The same for the fields of a tool."""

_TOOL: Final = re.compile(r"(tools\[\d+\])\.(\w+)")
_SYSTEM: Final = "system.content["
_CONTENT: Final = ".content["
_PROVEN: Final = re.compile(r"contents\[(\d+);([\d,]+)\](?:\.content\[(\d+)\])?")
_RESULT: Final = re.compile(r"(\.parts\[\d+\])\.parts\[(\d+)\]")


def in_terms(losses: Sequence[Loss], request: Request) -> tuple[Loss, ...]:
    """The losses of writing `request`, in the terms of its `origin`; if that is not known, they stay as they are."""
    if not losses or request.origin is None:
        return tuple(losses)
    output = None if request.output is None else request.output.path
    own = {"max_tokens": request.max_tokens_name, "response_format": output, "response_format.strict": output}
    return tuple([_renamed(loss, request.origin, own.get(loss.path)) for loss in losses])


def _renamed(loss: Loss, origin: ProtocolId, path: str | None) -> Loss:
    """`path`: where the client's request has it, of what may stand in several places."""
    if path is None:
        path = FIELD[origin].get(loss.path)
    if path is None and (tool := _TOOL.fullmatch(loss.path)) is not None:
        name = TOOL[origin].get(tool.group(2))
        path = None if name is None else f"{tool.group(1)}.{name}"
    if path is None and loss.path.startswith(_SYSTEM):
        path = "system[" + loss.path.removeprefix(_SYSTEM)  # Anthropic's, where it is an array itself
    if path is None and origin is ProtocolId.GEMINI and (_CONTENT in loss.path or ";" in loss.path):
        path = _gemini_part(loss.path)
    if path is None and origin is ProtocolId.OPENAI_RESPONSES:
        path = item_path(loss.path)
    return loss if path is None else replace(loss, path=path)


def _gemini_part(path: str) -> str:
    """A part says what it is by the name of its data, which a writer does not know. `contents[1;0,3]`: the parts 0 and
    3 of the conversation are followed by one that stands beside them (see `gemini.parts_in`)."""
    found = _PROVEN.match(path)
    if found is not None:
        turn, proven, part = found.groups()
        before = 0 if part is None else sum(int(number) < int(part) for number in proven.split(","))
        content = "" if part is None else f"{_CONTENT}{int(part) - before}]"
        path = f"contents[{turn}]{content}{path[found.end() :]}"
    named = _RESULT.sub(_response, path.replace(_CONTENT, ".parts[").removesuffix(".source"))
    return f"{named.removesuffix('.signature')}.thoughtSignature" if named.endswith(".signature") else named


def _response(found: re.Match[str]) -> str:
    """The first part of a result is its `response`, the others are files."""
    part, number = found.group(1), int(found.group(2))
    return f"{part}.functionResponse.parts[{number - 1}]" if number else f"{part}.functionResponse.response"
