"""Makes a history valid for targets that demand it: every tool call is answered directly after its turn.

Both vendors refuse a history in which an assistant's tool calls are not followed at once by one result for each.
Clients send less orderly ones: a Chat client sends each result as its own message, in any order, perhaps with a
system message between; an agent that was interrupted sends calls without results; a trimmed history has results
without calls; some backends use an id twice. `pair` gives the same conversation in this order:

    assistant turn with calls -> one user turn: the results, then what the user said

Putting results first is how the protocols say it and no loss. What is made up or said differently is recorded:
a missing result becomes an error result, a result without a call becomes user text, a repeated id a new one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from tokligence.conversation import Loss, LossReason, Part, Role, Severity, Text, ToolCall, ToolResult, Turn
from tokligence.wire.severity import severity_of

_ASSISTANT: Final = (
    Role.ASSISTANT
)  # a constant costs a twentieth of a member looked up on its class (Python 3.11)

NO_RESULT: Final = "This tool call was not answered."


def pair(turns: Sequence[Turn]) -> tuple[tuple[Turn, ...], list[Loss]]:
    """The turns in a valid order and the repairs; the same turns and no losses if they were valid."""
    if not has_tools(turns) or _is_paired(turns):
        return tuple(turns), []
    return _Repair(turns).run()


def has_tools(turns: Sequence[Turn]) -> bool:
    """Whether there is any tool call or result."""
    for turn in turns:
        for part in turn.parts:
            if type(part) is ToolCall or type(part) is ToolResult:
                return True
    return False


def _is_paired(turns: Sequence[Turn]) -> bool:
    seen: set[str] = set()
    waiting: set[str] = set()
    for turn in turns:
        if turn.role is _ASSISTANT:
            if waiting:
                return False
            for part in turn.parts:
                if type(part) is ToolCall:
                    if not part.id or part.id in seen:
                        return False
                    seen.add(part.id)
                    waiting.add(part.id)
                elif type(part) is ToolResult:
                    return False
        elif not _answers(turn, waiting):
            return False
    return not waiting


def _answers(turn: Turn, waiting: set[str]) -> bool:
    """Whether the turn's results are those waited for, all, and before its other parts. Empties `waiting`."""
    for position, part in enumerate(turn.parts):
        if type(part) is ToolResult:
            if part.call_id not in waiting:
                return False
            waiting.remove(part.call_id)
        elif waiting:
            return False
        else:
            return not any(type(later) is ToolResult for later in turn.parts[position + 1 :])
    return not waiting


class _Repair:
    """One walk over the turns. `_used`: call ids given so far, so that each is given once."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = turns
        self._used: set[str] = set()
        self._out: list[Turn] = []
        self._losses: list[Loss] = []

    def run(self) -> tuple[tuple[Turn, ...], list[Loss]]:
        index, total = 0, len(self._turns)
        while index < total:
            turn = self._turns[index]
            index += 1
            if turn.role is not _ASSISTANT:
                self._out.append(self._without_results(turn, {}, []))
                continue
            # A turn with calls that another assistant turn follows: one answer, cut in two by the client.
            while _has_call(turn) and index < total and self._turns[index].role is _ASSISTANT:
                turn = replace(turn, parts=turn.parts + self._turns[index].parts)
                index += 1
            first = index
            if _has_call(turn):
                while index < total and self._turns[index].role is not _ASSISTANT:
                    index += 1
            self._take(turn, self._turns[first:index])
        return tuple(self._out), self._losses

    def _take(self, turn: Turn, following: Sequence[Turn]) -> None:
        """An assistant turn and, if it has calls, the turns up to the next one, which hold its results."""
        calls: list[str] = []
        waiting: dict[str, deque[str]] = {}
        parts: list[Part] = []
        for part in turn.parts:
            if type(part) is ToolCall:
                fresh = self._fresh_id(part.id, turn.path)
                calls.append(fresh)
                waiting.setdefault(part.id, deque()).append(fresh)
                parts.append(part if fresh == part.id else replace(part, id=fresh))
            elif type(part) is ToolResult:
                parts.extend(self._as_text(part, turn.path))
            else:
                parts.append(part)
        self._out.append(replace(turn, parts=tuple(parts)))
        if calls:
            self._answer(turn, calls, waiting, following)

    def _answer(
        self, turn: Turn, calls: list[str], waiting: dict[str, deque[str]], following: Sequence[Turn]
    ) -> None:
        results: list[ToolResult] = []
        rest = [self._without_results(each, waiting, results) for each in following]
        answered = {result.call_id for result in results}
        for call in calls:
            if call not in answered:
                results.append(ToolResult(call, (Text(NO_RESULT),), is_error=True))
                self._lose(turn.path, Severity.SEMANTIC)
        head = Turn(Role.USER, tuple(results), following[0].path if following else turn.path)
        kept: list[Turn] = []
        for each, source in zip(rest, following, strict=True):
            if each.parts or not source.parts:
                kept.append(each)
            elif each.extras is not None:  # of a message that held results only
                for name in each.extras.fields:
                    self._losses.append(Loss(f"{each.path}.{name}", LossReason.REPAIRED, severity_of(name)))
        if kept and kept[0].role is Role.USER:
            said = kept.pop(0)
            head = replace(said, parts=head.parts + said.parts)
        self._out.append(head)
        self._out.extend(kept)

    def _without_results(self, turn: Turn, waiting: dict[str, deque[str]], results: list[ToolResult]) -> Turn:
        """`turn` with the results that are waited for moved to `results` and all others said as text."""
        if not any(type(part) is ToolResult for part in turn.parts):
            return turn
        parts: list[Part] = []
        for part in turn.parts:
            if type(part) is not ToolResult:
                parts.append(part)
            elif queue := waiting.get(part.call_id):
                call = queue.popleft()
                results.append(part if call == part.call_id else replace(part, call_id=call))
            else:
                parts.extend(self._as_text(part, turn.path))
        return replace(turn, parts=tuple(parts))

    def _as_text(self, result: ToolResult, path: str) -> tuple[Part, ...]:
        self._lose(path, Severity.SEMANTIC)
        kind = "Error" if result.is_error else "Result"
        return (Text(f"[{kind} of the tool call {result.call_id}]"), *result.parts)

    def _fresh_id(self, wanted: str, path: str) -> str:
        fresh = wanted or "call"
        number = 1
        while fresh in self._used:
            number += 1
            fresh = f"{wanted or 'call'}_{number}"
        self._used.add(fresh)
        if fresh != wanted:
            self._lose(path, Severity.COSMETIC)
        return fresh

    def _lose(self, path: str, severity: Severity) -> None:
        self._losses.append(Loss(path, LossReason.REPAIRED, severity))


def _has_call(turn: Turn) -> bool:
    return any(type(part) is ToolCall for part in turn.parts)
