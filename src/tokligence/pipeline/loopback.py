"""The built-in upstream: an answer made of the question, so that everything can be tried without a key. PURE.

    hello                 -> hello
    tool:NAME {"a": 1}    -> a call of the tool NAME, if the request offers it
    sleep:250 hello       -> the same text, after a while: `pause_s` says how long, the caller waits
    fail:503              -> an upstream error of that status

What is echoed is the text of the last user turn; a turn of tool results alone is answered by their text, so that an
agent's loop comes to an end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from msgspec.structs import replace

from tokligence.conversation import (
    BlockClosed,
    BlockOpened,
    Closed,
    Finished,
    FinishReason,
    Loss,
    LossReason,
    Opened,
    Part,
    Request,
    Response,
    Role,
    StreamEvent,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolMode,
    ToolResult,
    Turn,
    Usage,
    UsageSeen,
)
from tokligence.errors import GatewayError
from tokligence.pipeline.estimate import BYTES_PER_TOKEN, part_bytes, request_tokens, tokens_of, utf8

NOTHING: Final = "There is no text to echo."
MAX_PAUSE_MS: Final = 600_000
FRAGMENT: Final = 8
"""Characters of tool arguments in one stream event."""

_Content: TypeAlias = tuple[Part, FinishReason, str | None]
"""What is said, why it ends there, and the stop sequence at which it does."""

_COMMAND = re.compile(r"\s*(?:tool|sleep|fail):")
_TOOL = re.compile(r"\s*tool:(\S+)\s*(.*)", re.DOTALL)
_SLEEP = re.compile(r"\s*sleep:(\d{1,9})\b")
_FAIL = re.compile(r"\s*fail:([45]\d\d)\s*")
_WORD = re.compile(r"\S+\s*|\s+")

# Members looked up on their class cost several times as much.
_USER = Role.USER
_STOP = FinishReason.STOP


def pause_s(request: Request) -> float:
    """Seconds to wait before answering; 0 unless the text asks for it."""
    text = _text(_last_user_turn(request))
    asked = _SLEEP.match(text) if _COMMAND.match(text) else None
    return min(int(asked[1]), MAX_PAUSE_MS) / 1000 if asked else 0.0


def plain_answer(request: Request, new_id: Callable[[str], str], now: int) -> Response | None:
    """`answer` to a single text that asks for nothing but its echo, and fits; else None."""
    turn = _last_user_turn(request)
    parts = () if turn is None else turn.parts
    if len(parts) != 1 or type(parts[0]) is not Text:
        return None
    text = parts[0].text
    size, limit = utf8(text), request.max_tokens
    if not text or request.stop or (limit is not None and size > limit * BYTES_PER_TOKEN):
        return None
    if _COMMAND.match(text):
        return None
    # What `answer` would come to.
    usage = Usage(request_tokens(request), 0, 0, 0, tokens_of(size), 0, 0, 0, 0, False)
    return Response(new_id("msg_"), request.model, (Text(text),), _STOP, None, usage, now)


def answer(request: Request, new_id: Callable[[str], str], now: int) -> Response:
    """The whole answer. `now`: Unix seconds. Raises `upstream.error` with the status that the text asks for."""
    turn = _last_user_turn(request)
    text = _text(turn)
    if _COMMAND.match(text):
        failure = _FAIL.fullmatch(text)
        if failure:
            reason = f"the text asked for status {failure[1]}"
            raise GatewayError("upstream.error", status=int(failure[1]), provider="loopback", reason=reason)
        called = _called(request, text, new_id)
    else:
        called = None
    part, finish, sequence = called or _echoed(request, turn, text)
    return Response(
        id=new_id("msg_"),
        model=request.model,
        parts=(part,),
        finish=finish,
        stop_sequence=sequence,
        usage=Usage(input=request_tokens(request), output=tokens_of(part_bytes(part)), exact=False),
        created=now,
        losses=() if turn is None else _ignored(turn),
    )


def events(response: Response) -> Iterator[StreamEvent]:
    """The same answer as a stream: text word by word, tool arguments in fragments."""
    usage = response.usage or Usage(exact=False)
    yield Opened(response.id, response.model, replace(usage, output=0), response.created)
    for index, part in enumerate(response.parts):
        head, pieces = _pieces(part)
        yield BlockOpened(index, head)
        for piece in pieces:
            yield TextDelta(index, piece)
        yield BlockClosed(index)
    yield UsageSeen(usage)
    yield Finished(response.finish, response.stop_sequence)
    yield Closed()


# --- what the text asks for -----------------------------------------------------------------------------


def _last_user_turn(request: Request) -> Turn | None:
    for turn in reversed(request.turns):
        if turn.role is _USER:
            return turn
    return None


def _text(turn: Turn | None) -> str:
    """The text of the turn; results of tools are not commands."""
    if turn is None:
        return ""
    parts = turn.parts
    if len(parts) == 1 and type(parts[0]) is Text:
        return parts[0].text
    return "".join([part.text for part in parts if isinstance(part, Text)])


def _called(request: Request, text: str, new_id: Callable[[str], str]) -> _Content | None:
    call = _TOOL.fullmatch(text)
    if call is None or not _may_call(request, call[1]):
        return None
    arguments, whole = _cut(call[2].strip() or "{}", request.max_tokens)
    finish = FinishReason.TOOL_CALLS if whole else FinishReason.LENGTH
    return ToolCall(new_id("call_"), call[1], arguments), finish, None


def _echoed(request: Request, turn: Turn | None, text: str) -> _Content:
    text, sequence = _stopped(text or _results(turn) or NOTHING, request.stop)
    text, whole = _cut(text, request.max_tokens)
    if not whole:
        return Text(text), FinishReason.LENGTH, None
    return Text(text), _STOP if sequence is None else FinishReason.STOP_SEQUENCE, sequence


def _may_call(request: Request, name: str) -> bool:
    if request.tool_choice is not None and request.tool_choice.mode is ToolMode.NONE:
        return False
    return any(isinstance(tool, Tool) and tool.name == name for tool in request.tools)


def _results(turn: Turn | None) -> str:
    results = [part for part in turn.parts if isinstance(part, ToolResult)] if turn else []
    return "".join(part.text for result in results for part in result.parts if isinstance(part, Text))


def _stopped(text: str, sequences: tuple[str, ...]) -> tuple[str, str | None]:
    """The text up to the stop sequence that comes first in it, and that sequence."""
    if not sequences:
        return text, None
    found = [(text.find(sequence), sequence) for sequence in sequences if sequence and sequence in text]
    if not found:
        return text, None
    where, sequence = min(found)
    return text[:where], sequence


def _cut(text: str, max_tokens: int | None) -> tuple[str, bool]:
    """As much of the text as `max_tokens` allow, whole characters only; whether that is all of it."""
    if max_tokens is None:
        return text, True
    limit = max_tokens * BYTES_PER_TOKEN
    if utf8(text) <= limit:
        return text, True
    raw = text.encode()
    return raw[:limit].decode("utf-8", "ignore"), False


# --- what it counts and leaves out ----------------------------------------------------------------------


def _ignored(turn: Turn) -> tuple[Loss, ...]:
    """A note for each part of the last user turn that the echo leaves out."""
    losses = []
    for index, part in enumerate(turn.parts):
        if type(part) is not Text and type(part) is not ToolResult:
            losses.append(Loss(f"{turn.path}.content[{index}]", LossReason.UNSUPPORTED))
    return tuple(losses)


def _pieces(part: Part) -> tuple[Part, list[str]]:
    """The part's head and the pieces of its text or arguments, which together are the part."""
    match part:
        case Text(text=text):
            return Text(""), _WORD.findall(text)
        case ToolCall(arguments=arguments):
            fragments = [arguments[at : at + FRAGMENT] for at in range(0, len(arguments), FRAGMENT)]
            return replace(part, arguments=""), fragments
        case _:
            return part, []
