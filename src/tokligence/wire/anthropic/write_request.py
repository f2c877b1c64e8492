"""Conversation -> Messages request."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from itertools import takewhile
from operator import attrgetter
from typing import Final, cast

import msgspec
from msgspec import Raw

from tokligence.conversation import (
    Extras,
    Loss,
    LossReason,
    ProtocolId,
    Request,
    Role,
    Sampling,
    Severity,
    Turn,
)
from tokligence.wire.anthropic.blocks_out import Block, Blocks
from tokligence.wire.anthropic.reasoning_out import Thought, decide, output_limit, write_sampling
from tokligence.wire.anthropic.tables import REQUEST_TIER_OF, SAMPLING_LOSS, SAMPLING_NEUTRAL
from tokligence.wire.anthropic.tools_out import Tools, plan_tools
from tokligence.wire.contract import ReplyMemory, Target, Written
from tokligence.wire.pairing import has_tools, pair
from tokligence.wire.severity import foreign_losses, severity_of
from tokligence.wire.terms import in_terms

_OPENING: Final = "(The conversation begins with your message.)"
"""Said by the user of a history that starts with the assistant: "first message must use the user role"."""

USER_ID_LIMIT: Final = 256
"""Characters of `metadata.user_id` (API reference of the Messages API, read 2026-11-24)."""

# Constants, since a member looked up on its class costs twenty times as much (Python 3.11).
_ANTHROPIC: Final = ProtocolId.ANTHROPIC
_USER: Final = Role.USER
_ASSISTANT: Final = Role.ASSISTANT
_SYSTEM: Final = Role.SYSTEM
_C, _S = Severity.COSMETIC, Severity.SEMANTIC

_NO_TOOLS: Final = Tools([])
_NO_MEMORY: Final = ReplyMemory()
_lost_sampling: Final = attrgetter(*SAMPLING_LOSS)
_NO_SAMPLING: Final = Sampling()
_encode: Final = msgspec.json.Encoder().encode


def write_request(request: Request, target: Target) -> Written:
    """Always a request that the vendor takes; what it cannot say is in the losses, in the client's terms."""
    card = target.card
    blocks = Blocks(card, target.issuer)
    called = has_tools(request.turns)
    tools = _NO_TOOLS
    if called or request.tools or request.tool_choice is not None or request.output is not None:
        tools = plan_tools(request, blocks, card)
    turns, repairs = pair(request.turns) if called else (request.turns, [])
    system, messages = _write_turns(turns, repairs, blocks)
    wish = request.reasoning
    if wish is None:
        thought = Thought(output_limit(request, card, blocks.losses))
    else:
        continues = _continues(messages)
        thought = decide(request, wish, card, blocks.losses, forced=tools.forced, continues=continues)
    body: dict[str, object] = {"model": target.model, "max_tokens": thought.max_tokens}
    if tools.instruction is not None:
        system.append({"type": "text", "text": tools.instruction})
    if system:
        body["system"] = system
    body["messages"] = messages
    if tools.tools:
        body["tools"] = tools.tools
    if tools.choice is not None:
        body["tool_choice"] = tools.choice
    if thought.thinking is not None:
        body["thinking"] = thought.thinking
    if thought.effort is not None or tools.format is not None:
        body["output_config"] = _output_config(tools, thought)
    if request.sampling != _NO_SAMPLING:
        write_sampling(body, request.sampling, card, blocks.losses, thinking=thought.on)
        _lose_sampling(request.sampling, blocks)
    _write_rest(body, request, target, blocks)
    if blocks.cached:
        blocks.place_breakpoints()
    memory = _NO_MEMORY
    if blocks.tool_names is not None or tools.output_tool is not None:
        memory = ReplyMemory(blocks.renames, tools.output_tool)
    losses = in_terms(blocks.losses, request) if blocks.losses else ()
    return Written(_encode(body), losses, memory)


# --- turns ----------------------------------------------------------------------------------------------


class _Message(msgspec.Struct):
    role: Role
    content: list[Block]


def _write_turns(
    turns: Sequence[Turn], repairs: list[Loss], blocks: Blocks
) -> tuple[list[Block], list[_Message]]:
    """System and messages. `repairs`: the losses of pairing these turns."""
    system: list[Block] = []
    messages: list[_Message] = []
    # The vendor sees the system prompt first, so its breakpoints are counted first.
    for turn in turns:
        if turn.name is not None:
            blocks.lose(f"{turn.path}.name", LossReason.UNSUPPORTED, _C)
        role = turn.role
        if role is _USER or role is _ASSISTANT:
            _append(messages, role, blocks.write(turn.parts, role, turn.path))
        elif not messages:
            system += blocks.write(turn.parts, _SYSTEM, turn.path)
        elif (
            blocks.card.mid_system and messages[-1].role is not _ASSISTANT
        ):  # it must follow a user's message
            _append(messages, _SYSTEM, blocks.write(turn.parts, _SYSTEM, turn.path))
        else:
            _append(messages, _USER, _as_user(turn, blocks))
        if turn.extras is not None:
            _lose_extras(turn.extras, turn.path, blocks)
    blocks.losses += repairs
    if messages:
        if messages[0].role is _ASSISTANT:
            blocks.lose(turns[0].path, LossReason.REPAIRED, _C)
            messages.insert(0, _Message(_USER, [{"type": "text", "text": _OPENING}]))
        if messages[-1].role is _ASSISTANT:
            _end_well(messages[-1])
    elif system:
        blocks.lose(turns[-1].path, LossReason.CONVERTED, _C)
        return [], [_Message(_USER, system)]
    return system, messages


def _append(messages: list[_Message], role: Role, content: list[Block]) -> None:
    """An empty turn is none; turns of one role in a row are one message."""
    if not content:
        return
    if messages and messages[-1].role is role:
        messages[-1].content += content
    else:
        messages.append(_Message(role, content))


def _as_user(turn: Turn, blocks: Blocks) -> list[Block]:
    """What the system says in the middle, said where only users speak."""
    said = blocks.write(turn.parts, _USER, turn.path)
    if not said:
        return []
    blocks.lose(turn.path, LossReason.CONVERTED, _C)
    return [{"type": "text", "text": "<system>"}, *said, {"type": "text", "text": "</system>"}]


def _lose_extras(extras: Extras, path: str, blocks: Blocks) -> None:
    """Fields of a message (the vendor's beta has some on system messages): ours may be several turns."""
    blocks.losses += foreign_losses(extras, _ANTHROPIC, path)
    if extras.origin is _ANTHROPIC:
        for name in extras.fields:
            blocks.lose(f"{path}.{name}", LossReason.UNSUPPORTED, severity_of(name))


def _end_well(message: _Message) -> None:
    """The vendor refuses a last assistant text that ends in white space."""
    last = message.content[-1]
    if isinstance(last, dict) and last["type"] == "text":
        last["text"] = str(last["text"]).rstrip()


def _continues(messages: list[_Message]) -> bool:
    """Whether thinking with a budget may be on: a tool loop that goes on, or an answer to be continued, must have
    begun with thinking."""
    if not messages:
        return True
    if messages[-1].role is _USER and not _has(messages[-1], "tool_result"):
        return True
    back = takewhile(lambda each: each.role is _ASSISTANT or _has(each, "tool_result"), reversed(messages))
    loop = [message for message in back if message.role is _ASSISTANT]
    return not loop or _thinks(loop[0]) or _thinks(loop[-1])


def _has(message: _Message, kind: str) -> bool:
    return any(isinstance(block, dict) and block["type"] == kind for block in message.content)


def _thinks(message: _Message) -> bool:
    first = message.content[0]
    return isinstance(first, dict) and first["type"] in ("thinking", "redacted_thinking")


# --- the rest -------------------------------------------------------------------------------------------


def _output_config(tools: Tools, thought: Thought) -> dict[str, object]:
    config: dict[str, object] = {}
    if thought.effort is not None:
        config["effort"] = thought.effort
    if tools.format is not None:
        config["format"] = tools.format
    return config


def _write_rest(body: dict[str, object], request: Request, target: Target, blocks: Blocks) -> None:
    if request.stop:
        _write_stop(body, request.stop, target, blocks)
    if request.verbosity is not None and request.verbosity != "medium":
        blocks.lose("verbosity", LossReason.UNSUPPORTED, _S)
    if request.metadata:
        blocks.lose("metadata", LossReason.UNSUPPORTED, _C)
    if request.user:
        body["metadata"] = {"user_id": _user_id(request.user, blocks)}
    if request.service_tier is not None:
        tier = REQUEST_TIER_OF.get(request.service_tier)
        if tier is not None:
            body["service_tier"] = tier
        else:
            blocks.lose("service_tier", LossReason.UNSUPPORTED, _C)
    if request.stream:
        body["stream"] = True
    if request.extras is not None:
        own: dict[str, object] = {}
        blocks.add_extras(own, request.extras, "")
        _merge_extras(body, own, blocks)


def _lose_sampling(sampling: Sampling, blocks: Blocks) -> None:
    if (  # nearly always; one by one is faster than a loop
        sampling.frequency_penalty is None
        and sampling.presence_penalty is None
        and sampling.seed is None
        and sampling.n is None
        and sampling.logprobs is None
        and sampling.top_logprobs is None
        and sampling.logit_bias is None
    ):
        return
    for (name, severity), value in zip(SAMPLING_LOSS.items(), _lost_sampling(sampling), strict=True):
        if value not in SAMPLING_NEUTRAL and not (name == "n" and value == 1):
            blocks.lose(name, LossReason.UNSUPPORTED, severity)


def _merge_extras(body: dict[str, object], own: dict[str, object], blocks: Blocks) -> None:
    """Fields of the vendor's own go back; parts of `output_config` join what was decided for it."""
    rest = own.pop("output_config", None)
    if isinstance(rest, Raw):
        config = cast("dict[str, object]", body.get("output_config", {}))
        body["output_config"] = {**msgspec.json.decode(rest, type=dict[str, Raw]), **config}
    for name, value in own.items():
        if name in body:
            blocks.lose(name, LossReason.CONVERTED, _C)
        else:
            body[name] = value


def _write_stop(body: dict[str, object], stop: tuple[str, ...], target: Target, blocks: Blocks) -> None:
    if not target.card.stop:
        blocks.lose("stop", LossReason.MODEL_CAPABILITY, _S)
        return
    taken = [each for each in stop if each.strip()]
    if len(taken) < len(stop):
        blocks.lose("stop", LossReason.UNSUPPORTED, _S)
    if taken:
        body["stop_sequences"] = taken


def _user_id(user: str, blocks: Blocks) -> str:
    if len(user) <= USER_ID_LIMIT:
        return user
    blocks.lose("user", LossReason.CONVERTED, _C)
    return sha256(user.encode("utf-8", "surrogatepass")).hexdigest()
