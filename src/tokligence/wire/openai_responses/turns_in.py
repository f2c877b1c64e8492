"""Items of a request -> turns.

What an assistant said and did between two inputs is one turn, whatever number of items it is: reasoning, a message,
calls, the vendor's own tools with their results. A second message begins another turn, so that each keeps its phase.

| item                                        | conversation                                    |
|---------------------------------------------|-------------------------------------------------|
| `message` of user, system, developer        | a turn                                          |
| `message` of assistant, `reasoning`, calls  | parts of one ASSISTANT turn                     |
| `…_call_output` of functions, custom tools  | those in a row are one USER turn                |
| `additional_tools`, `tool_search_output`    | their tools join those of the request           |
| anything else                               | `Opaque` in the ASSISTANT turn                  |

Losses name a part by its turn's path and its place there, but here a turn may be made of several items. So the path
of such a turn lists where each part stood: `input[3;4.0;4.1;5]` for a whole item 3, two parts of the content of item
4, and item 5. `wire.terms` turns `input[3;4.0;4.1;5].content[2]` into `input[4].content[1]`.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw

from tokligence.conversation import (
    Extras,
    Loss,
    LossReason,
    Opaque,
    OpaqueTool,
    Part,
    RedactedThinking,
    Role,
    Severity,
    Text,
    Thinking,
    Tool,
    ToolResult,
    Turn,
)
from tokligence.wire.openai_responses.items_in import (
    extras_of,
    lose_inner,
    read_call,
    read_content,
    read_item,
    read_result,
    read_spoken,
    read_thought,
)
from tokligence.wire.openai_responses.tools_in import held_tools, read_tools
from tokligence.wire.openai_responses.types import (
    AdditionalTools,
    Content,
    CustomCall,
    CustomCallOutput,
    FunctionCall,
    FunctionCallOutput,
    InputText,
    MessageItem,
    ReasoningItem,
)

# Constants, since a member looked up on its class costs twenty times as much (Python 3.11).
_USER: Final = Role.USER
_ASSISTANT: Final = Role.ASSISTANT
_ROLES: Final = {"user": _USER, "system": Role.SYSTEM, "developer": Role.DEVELOPER}


class Turns:
    """Collects the turns of one request. `tools`: those that items brought."""

    __slots__ = (
        "_answered",
        "_extras",
        "_losses",
        "_parts",
        "_results",
        "_spoken",
        "_stood",
        "out",
        "tools",
    )

    def __init__(self, losses: list[Loss]) -> None:
        self.out: list[Turn] = []
        self.tools: list[Tool | OpaqueTool] = []
        self._losses = losses
        self._results: list[ToolResult] = []  # of the open user's turn
        self._answered = ""  # the path of the first
        self._parts: list[Part] = []  # of the open assistant's turn
        self._stood: list[str] = []  # where each of them was
        self._spoken = False  # it has a message
        self._extras: Extras | None = None  # of that message

    def add(self, raw: Raw, index: int) -> None:
        path = f"input[{index}]"
        item = read_item(raw, path)
        match item:
            case MessageItem():
                self._message(item, index, path)
            case FunctionCall() | CustomCall():
                self._say(read_call(item), str(index))
            case FunctionCallOutput() | CustomCallOutput():
                self._close_assistant()
                self._results.append(read_result(item, path, self._losses))
                self._answered = self._answered or path
            case ReasoningItem():
                part = read_thought(item, None, path, self._losses)
                if part is not None:
                    self._say(part, str(index))
            case AdditionalTools():
                lose_inner(item, path, self._losses)
                self.tools += read_tools(item.tools, f"{path}.tools", self._losses)
            case _:
                self._opaque(item, index, path)

    def close(self) -> None:
        """The open turn is over."""
        if self._results:
            self.out.append(Turn(_USER, tuple(self._results), self._answered))
            self._results = []
            self._answered = ""
        self._close_assistant()

    def _close_assistant(self) -> None:
        if self._parts:
            path = f"input[{';'.join(self._stood)};]"
            self.out.append(Turn(_ASSISTANT, tuple(self._parts), path, None, self._extras))
            self._parts = []
            self._stood = []
        self._spoken = False
        self._extras = None

    def _begin_anew(self) -> None:
        """Another turn, with the reasoning that came last: it led to what follows."""
        at = len(self._parts)
        while at and isinstance(self._parts[at - 1], Thinking | RedactedThinking):
            at -= 1
        parts, stood = self._parts[at:], self._stood[at:]
        del self._parts[at:], self._stood[at:]
        self.close()
        self._parts, self._stood = parts, stood

    def _say(self, part: Part, place: str) -> None:
        if self._results:
            self.close()
        self._parts.append(part)
        self._stood.append(place)

    def _message(self, item: MessageItem, index: int, path: str) -> None:
        role = _ROLES.get(item.role)
        content = item.content
        if role is not None:
            self.close()
            extras = extras_of(item.extras) if item.extras else None
            text = _plain_text(content)  # of the usual message
            parts = (Text(text),) if text else read_content(content, f"{path}.content", self._losses)
            self.out.append(Turn(role, parts, path, None, extras))
            return
        if self._spoken:
            self._begin_anew()
        elif self._results:
            self.close()
        self._spoken = True
        fields = {} if item.phase is None else {"phase": msgspec.json.encode(item.phase)}
        self._extras = extras_of(item.extras, fields)
        parts = read_spoken(content, f"{path}.content", self._losses)
        if not parts:
            self._losses.append(Loss(path, LossReason.DROPPED_EMPTY, Severity.COSMETIC))
        for place, part in enumerate(parts):
            self._say(part, f"{index}.{place}")

    def _opaque(self, item: Opaque, index: int, path: str) -> None:
        if item.kind == "tool_search_output":
            self.tools += held_tools(item.raw, f"{path}.tools", self._losses)
        self._say(item, str(index))


def _plain_text(content: Content) -> str | None:
    """The text of a content that is one text and nothing else."""
    if isinstance(content, str):
        return content
    if len(content) == 1:
        part = content[0]
        if type(part) is InputText and part.extras is None and part.prompt_cache_breakpoint is None:
            return part.text
    return None
