"""Conversation -> Messages request."""

from __future__ import annotations

from hashlib import sha256
from itertools import takewhile
from operator import attrgetter
from typing import Final, cast

import msgspec
from msgspec import Raw

from tokligence.conversation import (
    LossReason,
    ProtocolId,
    Request,
    Role,
    Sampling,
    Severity,
    Turn,
)
from tokligence.wire.anthropic.blocks_out import Block, Blocks
from tokligence.wire.anthropic.reasoning_out import Thought, decide, write_sampling
from tokligence.wire.anthropic.tables import REQUEST_TIER_OF, SAMPLING_LOSS, SAMPLING_NEUTRAL
from tokligence.wire.anthropic.tools_out import Tools, plan_tools
from tokligence.wire.contract import ReplyMemory, Target, Written
from tokligence.wire.pairing import pair
from tokligence.wire.severity import foreign_losses, severity_of
from tokligence.wire.terms import in_terms

_OPENING: Final = "(The conversation begins with your message.)"
"""Said by the user of a history that starts with the assistant: "first message must use the user role"."""

USER_ID_LIMIT: Final = 256
"""Characters of `metadata.user_id` (API reference of the Messages API, read 2026-11-24)."""

_LOST_SAMPLING: Final = attrgetter(*SAMPLING_LOSS)
_NOTHING_LOST: Final = (None,) * len(SAMPLING_LOSS)
_NO_SAMPLING: Final = Sampling()
_encode: Final = msgspec.json.Encoder().encode

_C, _S = Severity.COSMETIC, Severity.SEMANTIC


def write_request(request: Request, target: Target) -> Written:
    """Always a request that the vendor takes; what it cannot say is in the losses, in the client's terms."""
    card = target.card
    blocks = Blocks(card, target.issuer)
    tools = plan_tools(request, blocks, card)
    system, messages = _write_turns(request, blocks, mid_system=card.mid_system)
    thought = decide(
        request,
        card,
        blocks.losses,
        forced=tools.forced,
        continues=request.reasoning is None or _continues(messages),
    )
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
    _write_output_config(body, tools, thought)
    if request.sampling != _NO_SAMPLING:
        body.update(write_sampling(request.sampling, card, blocks.losses, thinking=thought.on))
    _write_rest(body, request, target, blocks)
    blocks.place_breakpoints()
    memory = ReplyMemory(blocks.names.renames, tools.output_tool)
    return Written(_encode(body), in_terms(blocks.losses, request.origin), memory)


# --- turns ----------------------------------------------------------------------------------------------


class _Message(msgspec.Struct):
    role: str
    content: list[Block]


def _write_turns(request: Request, blocks: Blocks, *, mid_system: bool) -> tuple[list[Block], list[_Message]]:
    turns, repairs = pair(request.turns)
    system: list[Block] = []
    messages: list[_Message] = []
    # The vendor sees the system prompt first, so its breakpoints are counted first.
    for turn in turns:
        if turn.name is not None:
            blocks.lose(f"{turn.path}.name", LossReason.UNSUPPORTED, _C)
        if turn.role is Role.USER or turn.role is Role.ASSISTANT:
            _append(messages, turn.role, blocks.write(turn.parts, turn.role, turn.path))
        elif not messages:
            system += blocks.write(turn.parts, Role.SYSTEM, turn.path)
        elif mid_system and messages[-1].role != Role.ASSISTANT:  # the vendor wants it after a user's message
            _append(messages, "system", blocks.write(turn.parts, Role.SYSTEM, turn.path))
        else:
            _append(messages, "user", _as_user(turn, blocks))
        _lose_extras(turn, blocks)
    blocks.losses += repairs
    if messages and messages[0].role == Role.ASSISTANT:
        blocks.lose(turns[0].path, LossReason.REPAIRED, _C)
        messages.insert(0, _Message("user", [{"type": "text", "text": _OPENING}]))
    _end_well(messages)
    if not messages and system:
        blocks.lose(turns[-1].path, LossReason.CONVERTED, _C)
        return [], [_Message("user", system)]
    return system, messages


def _append(messages: list[_Message], role: str, content: list[Block]) -> None:
    """An empty turn is none; turns of one role in a row are one message."""
    if not content:
        return
    if messages and messages[-1].role == role:
        messages[-1].content += content
    else:
        messages.append(_Message(role, content))


def _as_user(turn: Turn, blocks: Blocks) -> list[Block]:
    """What the system says in the middle, said where only users speak."""
    said = blocks.write(turn.parts, Role.USER, turn.path)
    if not said:
        return []
    blocks.lose(turn.path, LossReason.CONVERTED, _C)
    return [{"type": "text", "text": "<system>"}, *said, {"type": "text", "text": "</system>"}]


def _lose_extras(turn: Turn, blocks: Blocks) -> None:
    """Fields of a message (the vendor's beta has some on system messages): ours may be several turns."""
    if turn.extras is None:
        return
    blocks.losses += foreign_losses(turn.extras, ProtocolId.ANTHROPIC, turn.path)
    if turn.extras.origin is ProtocolId.ANTHROPIC:
        for name in turn.extras.fields:
            blocks.lose(f"{turn.path}.{name}", LossReason.UNSUPPORTED, severity_of(name))


def _end_well(messages: list[_Message]) -> None:
    """The vendor refuses a last assistant text that ends in white space."""
    if not messages or messages[-1].role != "assistant":
        return
    last = messages[-1].content[-1]
    if isinstance(last, dict) and last["type"] == "text":
        last["text"] = str(last["text"]).rstrip()


def _continues(messages: list[_Message]) -> bool:
    """Whether thinking with a budget may be on: a tool loop that goes on, or an answer to be continued, must have
    begun with thinking."""
    if not messages:
        return True
    if messages[-1].role == "user" and not _has(messages[-1], "tool_result"):
        return True
    back = takewhile(lambda each: each.role == "assistant" or _has(each, "tool_result"), reversed(messages))
    loop = [message for message in back if message.role == "assistant"]
    return not loop or _thinks(loop[0]) or _thinks(loop[-1])


def _has(message: _Message, kind: str) -> bool:
    return any(isinstance(block, dict) and block["type"] == kind for block in message.content)


def _thinks(message: _Message) -> bool:
    first = message.content[0]
    return isinstance(first, dict) and first["type"] in ("thinking", "redacted_thinking")


# --- the rest -------------------------------------------------------------------------------------------


def _write_output_config(body: dict[str, object], tools: Tools, thought: Thought) -> None:
    if thought.thinking is not None:
        body["thinking"] = thought.thinking
    config: dict[str, object] = {}
    if thought.effort is not None:
        config["effort"] = thought.effort
    if tools.format is not None:
        config["format"] = tools.format
    if config:
        body["output_config"] = config


def _write_rest(body: dict[str, object], request: Request, target: Target, blocks: Blocks) -> None:
    if request.stop:
        _write_stop(body, request.stop, target, blocks)
    if request.sampling != _NO_SAMPLING:
        _lose_sampling(request.sampling, blocks)
    if request.verbosity not in (None, "medium"):
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
    values = _LOST_SAMPLING(sampling)
    if values == _NOTHING_LOST:
        return
    for (name, severity), value in zip(SAMPLING_LOSS.items(), values, strict=True):
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
