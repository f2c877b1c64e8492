"""What Anthropic refuses with 400 in a Messages request, beyond the types of its SDK.

Messages follow the answers of api.anthropic.com as users quote them in public issues; limits are those of the API
reference and of the SDK's docstrings (anthropic 2.13), read 2026-11. The first violation is the answer.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from anthropic.types.beta.message_count_tokens_params import MessageCountTokensParams as BetaCountParams
from anthropic.types.beta.message_create_params import MessageCreateParams as BetaCreateParams
from anthropic.types.message_count_tokens_params import MessageCountTokensParams
from anthropic.types.message_create_params import MessageCreateParams

from tests.fakes.scripted import Violation
from tests.fakes.shape import Flaw, check

Body = Mapping[str, Any]
Block = Mapping[str, Any]


@dataclass(frozen=True)
class Model:
    """`sampling`: takes temperature, top_p, top_k; `budget`, `adaptive`: ways to think; `prefill`: may continue an
    assistant message; `mid_system`: takes role system within messages; `silent`: may be told not to think."""

    cap: int
    sampling: bool = True
    budget: bool = True
    adaptive: bool = False
    efforts: tuple[str, ...] = ()
    prefill: bool = True
    mid_system: bool = False
    silent: bool = True


_4 = ("low", "medium", "high")
_46 = ("low", "medium", "high", "max")
_47 = ("low", "medium", "high", "xhigh", "max")
_NEW = Model(128_000, False, False, True, _47, False, True)

MODELS: dict[str, Model] = {
    "claude-haiku-4-5": Model(64_000),
    "claude-haiku-4-5-20251001": Model(64_000),
    "claude-sonnet-4-5": Model(64_000),
    "claude-sonnet-4-5-20250929": Model(64_000),
    "claude-opus-4-5": Model(64_000, efforts=_4),
    "claude-opus-4-5-20251101": Model(64_000, efforts=_4),
    "claude-sonnet-4-6": Model(64_000, adaptive=True, efforts=_46, prefill=False),
    "claude-opus-4-6": Model(128_000, adaptive=True, efforts=_46, prefill=False),
    "claude-opus-4-7": Model(128_000, False, False, True, _47, False),
    "claude-opus-4-8": _NEW,
    "claude-sonnet-5": _NEW,
    "claude-opus-5": _NEW,
    "claude-fable-5": Model(128_000, False, False, True, _47, False, True, False),
    "claude-haiku-5-5": _NEW,
    "claude-sonnet-5-5": _NEW,
    "claude-opus-5-5": _NEW,
}

# The SDK's types no longer have them, the API still takes them from older clients for models that can.
SAMPLING = frozenset({"temperature", "top_p", "top_k"})
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
TOOL_ID = re.compile(r"[a-zA-Z0-9_-]+")
PROPERTY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
DOCS = "https://docs.claude.com/en/docs/build-with-claude/extended-thinking"


def violations(
    body: Any, signed: Callable[[Block], bool], *, count: bool, beta: bool, version: str = "2023-06-01"
) -> Iterator[Violation]:
    """`signed`: whether a thinking block carries a signature that this upstream issued for it. Since version
    2026-10-21 nothing takes sampling parameters, not even their defaults, and users cannot cite."""
    if not isinstance(body, dict):
        yield _bad("The request body is not valid JSON: Input should be an object")
        return
    create, counting = (
        (BetaCreateParams, BetaCountParams) if beta else (MessageCreateParams, MessageCountTokensParams)
    )
    if "betas" in body:
        yield _bad("betas: Extra inputs are not permitted")
    old = version == "2023-06-01"
    extra = SAMPLING if old and not count else frozenset()
    yield from map(_flaw, check(body, counting if count else create, extra=extra))
    if not old:
        yield from _citations(body)
    model = MODELS.get(body.get("model", ""))
    if model is None:
        yield Violation(f"model: {body.get('model')}", 404, "not_found_error")
        return
    turns = Turns(body)
    yield from turns.violations(model)
    yield from _blocks(body, signed)
    yield from _tools(body)
    yield from _caching(body)
    yield from _thinking(body, model, turns)
    if not count:
        yield from _scalars(body, model)


def _bad(message: str) -> Violation:
    return Violation(message, 400, "invalid_request_error")


def _flaw(flaw: Flaw) -> Violation:
    where = ".".join(map(str, flaw.path))
    match flaw.kind:
        case "missing":
            return _bad(f"{where}: Field required")
        case "unknown":
            return _bad(f"{where}: Extra inputs are not permitted")
        case "value":
            return _bad(f"{where}: Input should be {flaw.want}")
        case _:
            return _bad(f"{where}: Input should be {flaw.want}")


def blocks_of(content: Any) -> list[Block]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [b for b in content or () if isinstance(b, dict)]


@dataclass
class Turn:
    """Consecutive messages of one role, which the API reads as one. `at`: index of the last of them."""

    role: str
    at: int
    blocks: list[tuple[str, Block]]  # path, block


class Turns:
    """The conversation as the API sees it: who speaks, and which call has its result where."""

    def __init__(self, body: Body) -> None:
        self.list: list[Turn] = []
        self._messages = [m for m in body.get("messages") or () if isinstance(m, dict)]
        for i, message in enumerate(self._messages):
            blocks = [
                (f"messages.{i}.content.{j}", b) for j, b in enumerate(blocks_of(message.get("content")))
            ]
            role = message.get("role", "")
            if self.list and self.list[-1].role == role:
                self.list[-1].at = i
                self.list[-1].blocks += blocks
            else:
                self.list.append(Turn(role, i, blocks))

    def violations(self, model: Model) -> Iterator[Violation]:
        if not self._messages:
            yield _bad("messages: at least one message is required")
            return
        yield from self._roles(model)
        yield from self._contents()
        yield from self._pairing()

    def _roles(self, model: Model) -> Iterator[Violation]:
        first = self.list[0].role
        if first == "system":
            yield _bad("messages.0: use the top-level 'system' parameter for the initial system prompt")
        elif first != "user":
            yield _bad('messages: first message must use the "user" role')
        for before, turn in zip(self.list, self.list[1:], strict=False):
            if turn.role == "system" and not model.mid_system:
                yield _bad(f"messages.{turn.at}: role 'system' is not supported on this model")
            if turn.role == "system" and before.role != "user":
                yield _bad(f"messages.{turn.at}: a 'system' message must follow a 'user' message")
        last = self.list[-1]
        if last.role == "assistant":
            if not model.prefill:
                text = "This model does not support assistant message prefill."
                yield _bad(f"{text} The conversation must end with a user message.")
            _, block = last.blocks[-1] if last.blocks else ("", {})
            if block.get("type") == "text" and block["text"] != block["text"].rstrip():
                yield _bad("messages: final assistant content cannot end with trailing whitespace")

    def _contents(self) -> Iterator[Violation]:
        for i, message in enumerate(self._messages):
            final = i == len(self._messages) - 1 and message.get("role") == "assistant"
            if not message.get("content") and not final:
                text = (
                    "all messages must have non-empty content except for the optional final assistant message"
                )
                yield _bad(f"messages.{i}: {text}")
        for turn in self.list:
            for path, block in turn.blocks:
                kind = block.get("type")
                if kind == "text" and not block.get("text"):
                    yield _bad(f"messages: text content blocks must be non-empty ({path})")
                elif kind == "text" and not block["text"].strip():
                    yield _bad(f"messages: text content blocks must contain non-whitespace text ({path})")
                wrong = {
                    "user": ("tool_use", "thinking", "redacted_thinking"),
                    "assistant": ("image", "document", "tool_result"),
                }
                if kind in wrong.get(turn.role, ()):
                    yield _bad(f"{path}: `{kind}` blocks are not permitted in {turn.role} messages")

    def _pairing(self) -> Iterator[Violation]:
        seen: set[str] = set()
        open_ids: list[str] = []
        for turn in self.list:
            if turn.role == "system":
                continue
            given = list(open_ids)
            yield from self._results(turn, given, open_ids)
            open_ids = []
            for path, block in turn.blocks:
                if block.get("type") == "tool_use":
                    name = str(block.get("id"))
                    if name in seen:
                        yield _bad(f"{path}: `tool_use` ids must be unique")
                    seen.add(name)
                    open_ids.append(name)
        if open_ids:
            yield self._unanswered(self.list[-1].at, open_ids)

    def _results(self, turn: Turn, asked: list[str], open_ids: list[str]) -> Iterator[Violation]:
        leading = True
        for path, block in turn.blocks:
            if block.get("type") != "tool_result":
                leading = False
                continue
            name = block.get("tool_use_id")
            if name not in asked:
                text = f"unexpected `tool_use_id` found in `tool_result` blocks: {name}."
                rest = "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
                yield _bad(f"{path}: {text} {rest}")
            elif name not in open_ids:
                yield _bad(f"{path}: each tool_use must have a single result. Found multiple with id: {name}")
            elif not leading:
                # A result behind text is not found.
                continue
            else:
                open_ids.remove(name)
        if open_ids:
            yield self._unanswered(turn.at - 1, open_ids)

    def _unanswered(self, at: int, ids: list[str]) -> Violation:
        text = f"`tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(ids)}."
        rest = "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
        return _bad(f"messages.{at}: {text} {rest}")


def _walk(body: Body) -> Iterator[tuple[str, Block]]:
    """Every content block, results' contents included, and the system's, in the order of the cache's prefix."""
    for i, block in enumerate(blocks_of(body.get("system") or [])):
        yield f"system.{i}", block
    for i, message in enumerate(body.get("messages") or ()):
        for j, block in enumerate(blocks_of(message.get("content") if isinstance(message, dict) else None)):
            path = f"messages.{i}.content.{j}"
            yield path, block
            if block.get("type") == "tool_result":
                for k, inner in enumerate(blocks_of(block.get("content") or [])):
                    yield f"{path}.tool_result.content.{k}", inner


def _citations(body: Body) -> Iterator[Violation]:
    for i, message in enumerate(body.get("messages") or ()):
        if isinstance(message, dict) and message.get("role") == "user":
            for j, block in enumerate(blocks_of(message.get("content"))):
                if block.get("type") == "text" and block.get("citations"):
                    yield _bad(
                        f"messages.{i}.content.{j}.text.citations: citations are not permitted in user messages"
                    )


def _blocks(body: Body, signed: Callable[[Block], bool]) -> Iterator[Violation]:
    for path, block in _walk(body):
        match block.get("type"):
            case "text" if not block.get("text") and not path.startswith("messages."):
                yield _bad(f"{path}: text content blocks must be non-empty")
            case "text" if not block.get("text") and ".tool_result." in path:
                yield _bad(f"{path}: text content blocks must be non-empty")
            case "tool_use":
                if not TOOL_ID.fullmatch(str(block.get("id"))):
                    yield _bad(f"{path}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'")
                yield from _tool_name(block.get("name"), f"{path}.tool_use.name")
            case "tool_result" if not TOOL_ID.fullmatch(str(block.get("tool_use_id"))):
                yield _bad(f"{path}.tool_result.tool_use_id: String should match pattern '^[a-zA-Z0-9_-]+$'")
            case "thinking" if not signed(block):
                yield _bad(f"{path}: Invalid `signature` in `thinking` block")
            case "redacted_thinking" if not signed(block):
                yield _bad(f"{path}: Invalid `data` in `redacted_thinking` block")
            case "image" | "document":
                yield from _source(block.get("source") or {}, f"{path}.{block['type']}.source")
            case _:
                pass


def _source(source: Block, path: str) -> Iterator[Violation]:
    if source.get("type") == "url" and not str(source.get("url")).startswith("https://"):
        yield _bad(f"{path}.url: Only HTTPS URLs are supported.")
    if source.get("type") == "base64":
        try:
            empty = not base64.b64decode(source.get("data", ""), validate=True)
        except (binascii.Error, ValueError):
            yield _bad(f"{path}.base64.data: invalid base64 data")
            return
        if empty:
            yield _bad(f"{path}.base64.data: image cannot be empty")


def _tool_name(name: Any, path: str) -> Iterator[Violation]:
    if not isinstance(name, str) or not TOOL_NAME.fullmatch(name):
        yield _bad(f"{path}: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")


# --- tools and formats ----------------------------------------------------------------------------------


def _tools(body: Body) -> Iterator[Violation]:
    tools = [t for t in body.get("tools") or () if isinstance(t, dict)]
    names = [t.get("name") for t in tools]
    for i, tool in enumerate(tools):
        if tool.get("type") not in (None, "custom"):
            continue
        yield from _tool_name(tool.get("name"), f"tools.{i}.custom.name")
        schema = tool.get("input_schema")
        if isinstance(schema, dict):
            yield from _input_schema(
                schema, f"tools.{i}.custom.input_schema", strict=bool(tool.get("strict"))
            )
    if len(set(map(str, names))) != len(names):
        yield _bad("tools: Tool names must be unique.")
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        if not tools:
            yield _bad("tool_choice: tool_choice may only be specified while providing tools.")
        elif choice.get("type") == "tool" and choice.get("name") not in names:
            yield _bad(f"tool_choice: Tool '{choice.get('name')}' not found in provided tools")
    form = (body.get("output_config") or {}).get("format")
    if isinstance(form, dict) and isinstance(form.get("schema"), dict):
        yield from _closed(form["schema"], "output_config.format.schema")


def _input_schema(schema: Block, path: str, *, strict: bool) -> Iterator[Violation]:
    if schema.get("type") != "object":
        yield _bad(f"{path}.type: Input should be 'object'")
    if any(key in schema for key in ("oneOf", "allOf", "anyOf")):
        yield _bad(f"{path}: input_schema does not support oneOf, allOf, or anyOf at the top level")
    for name in schema.get("properties") or ():
        if not PROPERTY.fullmatch(name):
            yield _bad(f"{path}.properties: Property keys should match pattern '^[a-zA-Z0-9_.-]{{1,64}}$'")
    if strict:
        yield from _closed(schema, path)


def _closed(schema: Any, path: str) -> Iterator[Violation]:
    """Structured outputs and strict tools: every object says that it takes no other properties."""
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        yield _bad(f"{path}: For 'object' type, 'additionalProperties' must be explicitly set to false")
    for group in ("properties", "$defs", "definitions"):
        for name, inner in (schema.get(group) or {}).items():
            yield from _closed(inner, f"{path}.{group}.{name}")
    yield from _closed(schema.get("items"), f"{path}.items")
    for group in ("anyOf", "allOf", "oneOf"):
        for i, inner in enumerate(schema.get(group) or ()):
            yield from _closed(inner, f"{path}.{group}.{i}")


# --- caching, thinking, scalars -------------------------------------------------------------------------


def _caching(body: Body) -> Iterator[Violation]:
    marks = [
        t["cache_control"] for t in body.get("tools") or () if isinstance(t, dict) and t.get("cache_control")
    ]
    for path, block in _walk(body):
        if block.get("cache_control"):
            marks.append(block["cache_control"])
            if block.get("type") == "text" and not block.get("text"):
                yield _bad(f"{path}: cache_control cannot be set for empty text blocks")
    found = len(marks) + bool(body.get("cache_control"))
    if found > 4:
        yield _bad(f"A maximum of 4 blocks with cache_control may be provided. Found {found}.")
    lives = [m.get("ttl", "5m") for m in marks if isinstance(m, dict)]
    if "5m" in lives and "1h" in lives[lives.index("5m") :]:
        yield _bad("a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block")


def thinks(body: Body) -> bool:
    return (body.get("thinking") or {}).get("type") in ("enabled", "adaptive")


def _thinking(body: Body, model: Model, turns: Turns) -> Iterator[Violation]:
    config = body.get("thinking")
    if not isinstance(config, dict):
        return
    kind = config.get("type")
    if kind == "disabled" and not model.silent:
        yield _bad('"thinking.type.disabled" is not supported for this model.')
    if kind == "adaptive" and not model.adaptive:
        yield _bad("adaptive thinking is not supported on this model")
    if kind == "enabled":
        if not model.budget:
            text = 'Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
            yield _bad(f'"thinking.type.enabled" is not supported for this model. {text}')
        budget = config.get("budget_tokens")
        if isinstance(budget, int) and budget < 1024:
            yield _bad("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
        if isinstance(budget, int) and budget >= body.get("max_tokens", budget + 1):
            yield _bad("`max_tokens` must be greater than `thinking.budget_tokens`.")
        yield from _last_turn_thought(turns)
    if thinks(body) and (body.get("tool_choice") or {}).get("type") in ("any", "tool"):
        yield _bad("Thinking may not be enabled when tool_choice forces tool use.")


def _last_turn_thought(turns: Turns) -> Iterator[Violation]:
    """Only while calls are being answered: the assistant turn that made them must begin with its thinking."""
    for before, turn in zip(turns.list[-2:-1], turns.list[-1:], strict=False):
        answers = any(b.get("type") == "tool_result" for _, b in turn.blocks)
        if before.role == "assistant" and answers and before.blocks:
            path, block = before.blocks[0]
            if block.get("type") not in ("thinking", "redacted_thinking"):
                text = f"Expected `thinking` or `redacted_thinking`, but found `{block.get('type')}`."
                rest = (
                    "When `thinking` is enabled, a final `assistant` message must start with a thinking block"
                )
                yield _bad(
                    f"{path}.type: {text} {rest} (preceeding the lastmost set of `tool_use` blocks). See {DOCS}"
                )


def _scalars(body: Body, model: Model) -> Iterator[Violation]:
    most = body.get("max_tokens")
    if isinstance(most, int):
        # 0 fills the cache without an answer (docstring of the SDK), which makes no sense without a breakpoint.
        if most < 0 or (most == 0 and "cache_control" not in str(body)):
            yield _bad("max_tokens: Input should be greater than or equal to 1")
        if most > model.cap:
            text = f"max_tokens: {most} > {model.cap}, which is the maximum allowed number of output tokens"
            yield _bad(f"{text} for {body['model']}")
    for i, stop in enumerate(body.get("stop_sequences") or ()):
        if isinstance(stop, str) and not stop.strip():
            yield _bad(f"stop_sequences.{i}: each stop sequence must contain non-whitespace")
    user = (body.get("metadata") or {}).get("user_id")
    if isinstance(user, str) and len(user) > 256:
        yield _bad("metadata.user_id: String should have at most 256 characters")
    effort = (body.get("output_config") or {}).get("effort")
    if effort is not None and effort not in model.efforts:
        yield _bad(f"This model does not support the effort parameter value '{effort}'.")
    yield from _sampling(body, model)


def _sampling(body: Body, model: Model) -> Iterator[Violation]:
    for name in sorted(SAMPLING & body.keys()):
        value = body[name]
        if not model.sampling:
            yield _bad(f"`{name}` is deprecated for this model.")
        if isinstance(value, bool) or not isinstance(value, int if name == "top_k" else int | float):
            yield _bad(f"{name}: Input should be a valid number")
        elif value < 0 or (name != "top_k" and value > 1):
            yield _bad(f"{name}: range: 0..1")
    if "temperature" in body and "top_p" in body:
        yield _bad("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")
    if thinks(body):
        if body.get("temperature", 1) != 1:
            yield _bad("`temperature` may only be set to 1 when thinking is enabled.")
        if "top_k" in body:
            yield _bad("`top_k` must be unset when thinking is enabled.")
        if body.get("top_p", 1) < 0.95:
            yield _bad("`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.")
