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
        "reasoning.display": "generationConfig.thinkingConfig.includeThoughts",
        "reasoning.effort": "generationConfig.thinkingConfig.thinkingLevel",
        "response_format": "generationConfig.responseJsonSchema",
        "response_format.strict": "generationConfig.responseJsonSchema",
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
        "reasoning": "thinking",
        "reasoning.display": "thinking.display",
        "reasoning.effort": "output_config.effort",
        "response_format": "output_config.format",
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


def in_terms(losses: Sequence[Loss], request: Request) -> tuple[Loss, ...]:
    """The losses of writing `request`, in the terms of its `origin`; if that is not known, they stay as they are."""
    if not losses or request.origin is None:
        return tuple(losses)
    return tuple([_renamed(loss, request.origin, request.max_tokens_name) for loss in losses])


def _renamed(loss: Loss, origin: ProtocolId, max_tokens: str | None) -> Loss:
    path = max_tokens if loss.path == "max_tokens" else None
    if path is None:
        path = FIELD[origin].get(loss.path)
    if path is None and (tool := _TOOL.fullmatch(loss.path)) is not None:
        name = TOOL[origin].get(tool.group(2))
        path = None if name is None else f"{tool.group(1)}.{name}"
    if path is None and loss.path.startswith(_SYSTEM):
        path = "system[" + loss.path.removeprefix(_SYSTEM)  # Anthropic's, where it is an array itself
    if path is None and origin is ProtocolId.GEMINI and _CONTENT in loss.path:
        path = loss.path.replace(_CONTENT, ".parts[")
    if path is None and origin is ProtocolId.OPENAI_RESPONSES:
        path = item_path(loss.path)
    return loss if path is None else replace(loss, path=path)
