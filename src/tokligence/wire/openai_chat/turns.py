"""Turns of the conversation -> Chat messages.

* Tool results are messages of their own and come before what the user said. A `tool` message holds text only: an
  image or a file in a result leaves a note there and goes into the user message that follows.
* Text after a tool call in one assistant turn cannot be said: Chat has one text and its calls.
* An empty message is never sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import orjson
from orjson import Fragment

from tokligence.conversation import (
    Audio,
    Base64Source,
    CacheControl,
    ContentSource,
    Document,
    Extras,
    FileSource,
    Image,
    Loss,
    LossReason,
    Opaque,
    Part,
    RedactedThinking,
    Refusal,
    Role,
    Severity,
    Text,
    TextSource,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
    UrlSource,
)
from tokligence.wire.contract import Target
from tokligence.wire.names import OPENAI_CHAT_ID, OPENAI_NAME, ToolNames, in_form
from tokligence.wire.openai_chat.parts import OWN
from tokligence.wire.openai_chat.reasoning import write_detail
from tokligence.wire.severity import foreign_losses

Json = dict[str, Any]

_WHOLE: Final = msgspec.json.Decoder(msgspec.Raw)
_MOVED: Final = "[{kind}: see the next user message]"
_FROM_RESULT: Final = "[{kind} from the result of tool call {call_id}]"
_OMITTED: Final = "[{kind} omitted]"
_NO_IMAGES: Final = "[image omitted: the model takes no images]"
_CACHEABLE: Final = (Text, Image, Document, Audio)


# Constants, since a member looked up on its class costs twenty times as much (Python 3.11).
_USER: Final = Role.USER
_ASSISTANT: Final = Role.ASSISTANT
ROLES: Final[dict[Role, str]] = {
    Role.SYSTEM: "system",
    Role.DEVELOPER: "system",
    _USER: "user",
    _ASSISTANT: "assistant",
}
ROLES_WITH_DEVELOPER: Final = {**ROLES, Role.DEVELOPER: "developer"}


class Messages:
    """Writes the messages of one request; its writer shares `losses` and `names`."""

    __slots__ = ("_cache_lost", "_names", "_roles", "_target", "losses", "out")

    def __init__(self, target: Target, losses: list[Loss]) -> None:
        self._target = target
        self.losses = losses
        self._names: ToolNames | None = None
        self._roles = ROLES_WITH_DEVELOPER if target.dialect.developer_role else ROLES
        self.out: list[Json] = []
        self._cache_lost = False

    def write(self, turns: Sequence[Turn]) -> list[Json]:
        for turn in turns:
            role = turn.role
            if len(turn.parts) == 1 and type(part := turn.parts[0]) is Text and part.text:
                # The usual message: one text, no need to look further.
                if part.cache is not None or part.extras is not None:
                    self._marks(part, f"{turn.path}.content[0]")
                self._append({"role": self._roles[role], "content": part.text}, turn)
            elif role is _ASSISTANT:
                self._assistant(turn)
            elif role is _USER:
                self._user(turn)
            else:
                self._system(turn)
        if turns and turns[-1].role is _ASSISTANT:
            # Anthropic continues such a turn; Chat begins a new one.
            self.lose(turns[-1].path, LossReason.CONVERTED)
        return self.out

    @property
    def names(self) -> ToolNames:
        if self._names is None:  # most requests have no tools
            self._names = ToolNames(OPENAI_NAME.max_len, OPENAI_NAME.charset)
        return self._names

    @property
    def renames(self) -> dict[str, str]:
        return {} if self._names is None else self._names.renames

    def lose(
        self, path: str, reason: LossReason = LossReason.UNSUPPORTED, severity: Severity = Severity.SEMANTIC
    ) -> None:
        self.losses.append(Loss(path, reason, severity))

    def extras(self, extras: Extras | None, path: str, node: Json) -> Json:
        """Own unknown fields go back where they were; foreign ones are lost."""
        if extras is not None:
            if extras.origin is OWN:
                node.update((name, Fragment(raw)) for name, raw in extras.fields.items())
            else:
                self.losses.extend(foreign_losses(extras, OWN, path))
        return node

    def lose_cache(self, cache: CacheControl | None, path: str) -> None:
        """Chat caches by itself. One loss tells of all marks."""
        if cache is not None and not self._cache_lost:
            self._cache_lost = True
            self.lose(f"{path}.cache_control", severity=Severity.COSMETIC)

    def _append(self, message: Json, turn: Turn) -> None:
        if turn.name is not None:
            message["name"] = turn.name
        if turn.extras is not None:
            self.extras(turn.extras, turn.path, message)
        self.out.append(message)

    # --- system and user ----------------------------------------------------------------------------

    def _system(self, turn: Turn) -> None:
        parts: list[Json] = []
        for index, part in enumerate(turn.parts):
            path = f"{turn.path}.content[{index}]"
            if isinstance(part, (Text, Opaque)):
                self._content_part(part, path, parts)
            else:
                self.lose(path)
        if parts:
            self._append({"role": self._roles[turn.role], "content": _simplest(parts)}, turn)
        else:
            self.lose(turn.path, LossReason.DROPPED_EMPTY, Severity.COSMETIC)

    def _user(self, turn: Turn) -> None:
        parts: list[Json] = []
        answered = False
        for index, part in enumerate(turn.parts):
            if type(part) is Text and part.cache is None and part.extras is None:
                if part.text:
                    parts.append(_text(part.text))
            elif isinstance(part, ToolResult):
                self._result(part, part.path or f"{turn.path}.content[{index}]", parts)
                answered = True
            else:
                self._content_part(part, f"{turn.path}.content[{index}]", parts)
        if parts:
            self._append({"role": "user", "content": _simplest(parts)}, turn)
        elif answered:
            self.extras(turn.extras, turn.path, {})
        else:
            self.lose(turn.path, LossReason.DROPPED_EMPTY, Severity.COSMETIC)

    def _result(self, result: ToolResult, path: str, moved: list[Json]) -> None:
        texts: list[Json] = []
        for index, part in enumerate(result.parts):
            if type(part) is Text and part.cache is None and part.extras is None:
                if part.text:
                    texts.append(_text(part.text))
            else:
                self._result_part(result, part, f"{path}.content[{index}]", texts, moved)
        self.lose_cache(result.cache, path)
        if result.is_error:
            head = texts[0]["text"] if texts else ""
            texts[:1] = [_text(f"Error: {head}" if head else "Error")]
            self.lose(f"{path}.is_error", LossReason.CONVERTED, Severity.COSMETIC)
        message: Json = {
            "role": "tool",
            "tool_call_id": in_form(result.call_id, OPENAI_CHAT_ID),
            "content": _simplest(texts) if texts else "",
        }
        self.out.append(self.extras(result.extras, path, message))

    def _result_part(
        self, result: ToolResult, part: Part, path: str, texts: list[Json], moved: list[Json]
    ) -> None:
        written: list[Json] = []
        self._content_part(part, path, written)
        if all(each["type"] == "text" for each in written):
            texts.extend(written)
            return
        kind = "image" if isinstance(part, Image) else "file"
        texts.append(_text(_MOVED.format(kind=kind)))
        moved.append(_text(_FROM_RESULT.format(kind=kind, call_id=in_form(result.call_id, OPENAI_CHAT_ID))))
        moved.extend(written)
        self.lose(path, LossReason.CONVERTED, Severity.COSMETIC)

    # --- content parts ------------------------------------------------------------------------------

    def _marks(self, part: Text | Image | Document | Audio, path: str) -> None:
        """What a part carries beside its content, where the content has no node to hold it."""
        self.lose_cache(part.cache, path)
        self.extras(part.extras, path, {})

    def _content_part(self, part: Part, path: str, out: list[Json]) -> None:
        if isinstance(part, _CACHEABLE):
            self.lose_cache(part.cache, path)
        match part:
            case Text():
                if part.text:
                    out.append(self.extras(part.extras, path, _text(part.text)))
            case Image():
                self._image(part, path, out)
            case Document():
                self._document(part, path, out)
            case Audio():
                node: Json = {
                    "type": "input_audio",
                    "input_audio": {"data": part.data, "format": part.format},
                }
                out.append(self.extras(part.extras, path, node))
            case Opaque() if part.origin is OWN:
                node = orjson.loads(part.raw)
                out.append(node)
            case Opaque():
                self.lose(path, LossReason.UNKNOWN_PART)
            case Refusal():
                out.append(_text(part.text))
            case _:
                self.lose(path)

    def _image(self, image: Image, path: str, out: list[Json]) -> None:
        if not self._target.card.images:
            self.lose(path, LossReason.MODEL_CAPABILITY)
            out.append(_text(_NO_IMAGES))
            return
        match image.source:
            case UrlSource(url=url):
                pass
            case Base64Source(media_type=media_type, data=data):
                url = f"data:{media_type};base64,{data}"
            case _:
                self.lose(f"{path}.source")
                out.append(_text(_OMITTED.format(kind="image")))
                return
        node: Json = {"url": url}
        if image.detail is not None:
            node["detail"] = image.detail
        out.append(self.extras(image.extras, path, {"type": "image_url", "image_url": node}))

    def _document(self, document: Document, path: str, out: list[Json]) -> None:
        if document.citations:
            self.lose(f"{path}.citations")
        head = [line for line in (document.title, document.context) if line]
        source = document.source
        match source:
            case TextSource(text=text):
                self.lose(path, LossReason.CONVERTED, Severity.COSMETIC)
                out.append(self.extras(document.extras, path, _text("\n".join([*head, text]))))
                return
            case ContentSource(parts=parts):
                self.lose(path, LossReason.CONVERTED, Severity.COSMETIC)
                if head:
                    out.append(_text("\n".join(head)))
                for index, part in enumerate(parts):
                    self._content_part(part, f"{path}.source.content[{index}]", out)
                self.extras(document.extras, path, {})
                return
            case UrlSource(url=url):
                # The gateway never fetches, and Chat has no slot: the model reads at least where it is.
                out.append(_text("\n".join([*head, f"[document: {url}]"])))
                self.lose(f"{path}.source", LossReason.CONVERTED)
                self.extras(document.extras, path, {})
                return
            case FileSource(origin=origin) if origin is not OWN:
                self.lose(f"{path}.source")
                out.append(_text(_OMITTED.format(kind="document")))
                self.extras(document.extras, path, {})
                return
            case FileSource(file_id=file_id):
                file: Json = {"file_id": file_id}
            case _:
                data = f"data:{source.media_type};base64,{source.data}"
                file = {"filename": document.title or "document.pdf", "file_data": data}
        if document.context:
            out.append(_text(document.context))
        out.append(self.extras(document.extras, path, {"type": "file", "file": file}))

    # --- assistant ----------------------------------------------------------------------------------

    def _assistant(self, turn: Turn) -> None:
        texts: list[Json] = []
        calls: list[Json] = []
        reasoning: list[Json] = []
        refusals: list[str] = []
        for index, part in enumerate(turn.parts):
            if type(part) is Text and part.cache is None and part.extras is None and not calls:
                if part.text:
                    texts.append(_text(part.text))
                continue
            path = f"{turn.path}.content[{index}]"
            match part:
                case ToolCall():
                    calls.append(self._call(part, path))
                case Thinking() | RedactedThinking():
                    self._reasoning(part, path, reasoning)
                case Refusal():
                    refusals.append(part.text)
                case Text():
                    if calls and part.text:
                        self.lose(path, LossReason.CONVERTED, Severity.COSMETIC)
                    self._content_part(part, path, texts)
                case Opaque() if part.origin is OWN and part.kind.startswith("reasoning."):
                    if self._target.dialect.reasoning_field == "reasoning_details":
                        reasoning.append(orjson.loads(part.raw))
                case Opaque():
                    self.lose(path, LossReason.UNKNOWN_PART)
                case _:
                    self.lose(path)
        more = self._reasoning_field(reasoning) if reasoning else {}
        if refusals:
            more["refusal"] = "".join(refusals)
        if calls:
            more["tool_calls"] = calls
        if texts or more or turn.extras is not None:
            content = _simplest(texts) if texts else None
            self._append({"role": "assistant", "content": content, **more}, turn)
        else:
            self.lose(turn.path, LossReason.DROPPED_EMPTY, Severity.COSMETIC)

    def _call(self, call: ToolCall, path: str) -> Json:
        name = self.names.to_target(call.name)
        call_id = in_form(call.id, OPENAI_CHAT_ID)
        arguments = call.arguments or "{}"
        self.lose_cache(call.cache, path)
        if call.signature is not None:
            self.lose(f"{path}.signature", LossReason.FOREIGN_SIGNATURE, Severity.COSMETIC)
        extras = call.extras
        try:
            _WHOLE.decode(arguments)
        except msgspec.DecodeError:
            # Several servers parse what the model once wrote, and fail on what it did not finish.
            arguments = orjson.dumps({"unfinished_arguments": arguments}).decode()
            self.lose(f"{path}.arguments", LossReason.REPAIRED, Severity.COSMETIC)
        if extras is not None and extras.origin is OWN and extras.fields.get("type") == b'"custom"':
            text = orjson.loads(arguments).get("input", arguments)
            return {"id": call_id, "type": "custom", "custom": {"name": call.name, "input": text}}
        node: Json = {
            "id": call_id,
            "type": "function",
            "function": {"name": name, "arguments": arguments},
        }
        return self.extras(extras, path, node)

    def _reasoning(self, part: Thinking | RedactedThinking, path: str, out: list[Json]) -> None:
        target = self._target
        foreign = part.issuer is not None and part.issuer != target.issuer
        if foreign or (part.issuer is None and isinstance(part, RedactedThinking)):
            self.lose(path, LossReason.FOREIGN_SIGNATURE, Severity.COSMETIC)
        elif not target.dialect.reasoning_field:
            self.lose(path, LossReason.UNSUPPORTED, Severity.COSMETIC)
        else:
            self.losses.extend(foreign_losses(part.extras, OWN, path))
            out.append(write_detail(part, len(out)))

    def _reasoning_field(self, details: list[Json]) -> Json:
        if self._target.dialect.reasoning_field == "reasoning_details":
            return {"reasoning_details": details}
        return {"reasoning_content": "".join(each.get("text") or each.get("summary", "") for each in details)}


def _text(text: str) -> Json:
    return {"type": "text", "text": text}


def _simplest(parts: list[Json]) -> str | list[Json]:
    """A string if there is one plain text: what every server takes."""
    if len(parts) == 1 and len(parts[0]) == 2 and "text" in parts[0]:
        text: str = parts[0]["text"]
        return text
    return parts
