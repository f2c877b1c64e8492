"""Turns of the conversation -> instructions and input items.

* A first SYSTEM turn of one text is the `instructions`; other system and developer turns are messages in place.
* Tool results are items of their own and come before what the user said; they take pictures and files.
* An assistant's turn becomes its items in order: reasoning, if the upstream issued it, messages, calls.
* An item's `id` is the vendor's to give: only that of encrypted reasoning goes back, and where the form demands one,
  one is made of the content.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
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
    ProtocolId,
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
from tokligence.wire.names import OPENAI_CALL_ID, OPENAI_NAME, ToolNames, in_form
from tokligence.wire.openai_responses.items_in import OWN
from tokligence.wire.openai_responses.reasoning import parted
from tokligence.wire.severity import foreign_losses

Json = dict[str, Any]

_WHOLE: Final = msgspec.json.Decoder(msgspec.Raw)
_OMITTED: Final = "[{kind} omitted]"
_NO_IMAGES: Final = "[image omitted: the model takes no images]"
_FILES: Final = frozenset({OWN, ProtocolId.OPENAI_CHAT})
"""Protocols whose file ids are OpenAI's."""

# Constants, since a member looked up on its class costs twenty times as much (Python 3.11).
_SYSTEM: Final = Role.SYSTEM
_USER: Final = Role.USER
_ASSISTANT: Final = Role.ASSISTANT
_ROLES: Final[dict[Role, str]] = {_SYSTEM: "system", Role.DEVELOPER: "system", _USER: "user"}
_ROLES_WITH_DEVELOPER: Final = {**_ROLES, Role.DEVELOPER: "developer"}


class Items:
    """Writes the input of one request; its writer shares `losses` and `names`. `instructions`: if there are any."""

    __slots__ = ("_cache_lost", "_freeform", "_roles", "_target", "instructions", "losses", "names", "out")

    def __init__(self, target: Target, losses: list[Loss]) -> None:
        self._target = target
        self.losses = losses
        self.names = ToolNames(OPENAI_NAME.max_len, OPENAI_NAME.charset)
        self.out: list[Json | Fragment] = []
        self.instructions: str | None = None
        self._roles = _ROLES_WITH_DEVELOPER if target.dialect.developer_role else _ROLES
        self._freeform: set[str] = set()  # ids of calls that take plain text
        self._cache_lost = False

    def write(self, turns: Sequence[Turn]) -> list[Json | Fragment]:
        for number, turn in enumerate(turns):
            role = turn.role
            if number == 0 and role is _SYSTEM and (text := self._only_text(turn)) is not None:
                self.instructions = text
            elif role is _ASSISTANT:
                self._assistant(turn)
            else:
                self._input(turn)
            if turn.name is not None:
                self.lose(f"{turn.path}.name", severity=Severity.COSMETIC)
        if turns and turns[-1].role is _ASSISTANT:
            # Anthropic continues such a turn; OpenAI begins a new one.
            self.lose(turns[-1].path, LossReason.CONVERTED)
        if not self.out and self.instructions is not None:
            # The vendor demands an input: what the system says is one where nobody else speaks.
            self.out.append({"type": "message", "role": "system", "content": self.instructions})
            self.instructions = None
        return self.out

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
        """OpenAI caches by itself. One loss tells of all marks."""
        if cache is not None and not self._cache_lost:
            self._cache_lost = True
            self.lose(f"{path}.cache_control", severity=Severity.COSMETIC)

    def _only_text(self, turn: Turn) -> str | None:
        if len(turn.parts) != 1 or turn.extras is not None:
            return None
        part = turn.parts[0]
        if not isinstance(part, Text) or not part.text or part.extras is not None:
            return None
        self.lose_cache(part.cache, f"{turn.path}.content[0]")
        return part.text

    # --- what goes in -------------------------------------------------------------------------------

    def _input(self, turn: Turn) -> None:
        parts: list[Json | Fragment] = []
        answered = False
        for index, part in enumerate(turn.parts):
            path = f"{turn.path}.content[{index}]"
            if isinstance(part, ToolResult):
                self._result(part, part.path or path)
                answered = True
            else:
                self._part(part, path, parts)
        if parts:
            message: Json = {
                "type": "message",
                "role": self._roles[turn.role],
                "content": _simplest(parts),
            }
            self.out.append(self.extras(turn.extras, turn.path, message))
            return
        self.extras(turn.extras, turn.path, {})
        if not answered:
            self.lose(turn.path, LossReason.DROPPED_EMPTY, Severity.COSMETIC)

    def _result(self, result: ToolResult, path: str) -> None:
        parts: list[Json | Fragment] = []
        for index, part in enumerate(result.parts):
            self._part(part, f"{path}.content[{index}]", parts)
        self.lose_cache(result.cache, path)
        if result.is_error:
            first = parts[0] if parts else None
            if isinstance(first, dict) and first["type"] == "input_text":
                parts[0] = {**first, "text": f"Error: {first['text']}"}
            else:
                parts.insert(0, _text("Error"))
            self.lose(f"{path}.is_error", LossReason.CONVERTED, Severity.COSMETIC)
        kind = "custom_tool_call_output" if result.call_id in self._freeform else "function_call_output"
        item: Json = {
            "type": kind,
            "call_id": in_form(result.call_id, OPENAI_CALL_ID),
            "output": _simplest(parts) if parts else "",
        }
        self.out.append(self.extras(result.extras, path, item))

    def _part(self, part: Part, path: str, out: list[Json | Fragment]) -> None:
        """A part as input content, which users, systems and results have."""
        if isinstance(part, Text | Image | Document | Audio):
            self.lose_cache(part.cache, path)
        match part:
            case Text():
                if part.text:
                    out.append(self.extras(part.extras, path, _text(part.text)))
            case Image():
                self._image(part, path, out)
            case Document():
                self._document(part, path, out)
            case Opaque() if part.origin is OWN:
                out.append(Fragment(part.raw))
            case Opaque():
                self.lose(path, LossReason.UNKNOWN_PART)
            case Audio():  # no model takes it over this protocol
                self.lose(path)
                self.extras(part.extras, path, {})
                out.append(_text(_OMITTED.format(kind="audio")))
            case Refusal():
                out.append(_text(part.text))
            case _:
                self.lose(path)

    def _image(self, image: Image, path: str, out: list[Json | Fragment]) -> None:
        if not self._target.card.images:
            self.lose(path, LossReason.MODEL_CAPABILITY)
            out.append(_text(_NO_IMAGES))
            return
        node: Json = {"type": "input_image", "detail": image.detail or "auto"}
        match image.source:
            case UrlSource(url=url):
                node["image_url"] = url
            case Base64Source(media_type=media_type, data=data):
                node["image_url"] = f"data:{media_type};base64,{data}"
            case FileSource(file_id=file_id, origin=origin) if origin in _FILES:
                node["file_id"] = file_id
            case _:
                self.lose(f"{path}.source")
                self.extras(image.extras, path, {})
                out.append(_text(_OMITTED.format(kind="image")))
                return
        out.append(self.extras(image.extras, path, node))

    def _document(self, document: Document, path: str, out: list[Json | Fragment]) -> None:
        if document.citations:
            self.lose(f"{path}.citations")
        head = [line for line in (document.title, document.context) if line]
        node: Json = {"type": "input_file"}
        match document.source:
            case TextSource(text=text):
                self.lose(path, LossReason.CONVERTED, Severity.COSMETIC)
                out.append(self.extras(document.extras, path, _text("\n".join([*head, text]))))
                return
            case ContentSource(parts=parts):
                self.lose(path, LossReason.CONVERTED, Severity.COSMETIC)
                if head:
                    out.append(_text("\n".join(head)))
                for index, part in enumerate(parts):
                    self._part(part, f"{path}.source.content[{index}]", out)
                self.extras(document.extras, path, {})
                return
            case UrlSource(url=url):
                node["file_url"] = url
            case FileSource(file_id=file_id, origin=origin) if origin in _FILES:
                node["file_id"] = file_id
            case Base64Source(media_type=media_type, data=data):
                node["filename"] = document.title or "document.pdf"
                node["file_data"] = f"data:{media_type};base64,{data}"
            case _:
                self.lose(f"{path}.source")
                self.extras(document.extras, path, {})
                out.append(_text(_OMITTED.format(kind="document")))
                return
        if "filename" not in node and document.title:
            out.append(_text(document.title))
        if document.context:
            out.append(_text(document.context))
        out.append(self.extras(document.extras, path, node))

    # --- assistant ----------------------------------------------------------------------------------

    def _assistant(self, turn: Turn) -> None:
        before = len(self.out)
        said: list[Json] = []
        extras = turn.extras
        for index, part in enumerate(turn.parts):
            path = f"{turn.path}.content[{index}]"
            if isinstance(part, Text | Refusal):
                self._say(part, path, said)
                continue
            if said:
                self._message(said, extras, turn.path)
                said, extras = [], None
            match part:
                case ToolCall():
                    self.out.append(self._call(part, path))
                case Thinking() | RedactedThinking():
                    self._reasoning(part, path)
                case Opaque() if part.origin is OWN:
                    self.out.append(Fragment(part.raw))
                case Opaque():
                    self.lose(path, LossReason.UNKNOWN_PART)
                case _:
                    self.lose(path)
        if said:
            self._message(said, extras, turn.path)
        else:
            self.extras(extras, turn.path, {})
        while len(self.out) > before and _is_reasoning(self.out[-1]):
            # The vendor refuses reasoning "without its required following item".
            self.out.pop()
            self.lose(turn.path, LossReason.REPAIRED, Severity.COSMETIC)
        if len(self.out) == before:
            self.lose(turn.path, LossReason.DROPPED_EMPTY, Severity.COSMETIC)

    def _say(self, part: Text | Refusal, path: str, said: list[Json]) -> None:
        if isinstance(part, Refusal):
            said.append(self.extras(part.extras, path, {"type": "refusal", "refusal": part.text}))
            return
        self.lose_cache(part.cache, path)
        if part.text:
            node: Json = {"type": "output_text", "text": part.text, "annotations": []}
            said.append(self.extras(part.extras, path, node))
        else:
            self.extras(part.extras, path, {})

    def _message(self, said: list[Json], extras: Extras | None, path: str) -> None:
        """Writes what was said as one message, with the turn's extras if they are not written yet."""
        only = said[0]
        plain = (
            len(said) == 1 and only["type"] == "output_text" and only["annotations"] == [] and len(only) == 3
        )
        message: Json = {"type": "message", "role": "assistant"}
        if plain:
            message["content"] = only["text"]
        else:  # content of this form has an item of the vendor's own around it
            message |= {"id": _made_id(said), "status": "completed", "content": said}
        self.out.append(self.extras(extras, path, message))

    def _call(self, call: ToolCall, path: str) -> Json:
        self.lose_cache(call.cache, path)
        item: Json = {
            "type": "custom_tool_call" if call.freeform else "function_call",
            "call_id": in_form(call.id, OPENAI_CALL_ID),
            "name": self.names.to_target(call.name),
        }
        if call.namespace is not None:
            item["namespace"] = call.namespace
        if call.freeform:
            self._freeform.add(call.id)
            item["input"] = call.arguments
        else:
            item["arguments"] = self._arguments(call, path)
        if call.signature is not None:
            self.lose(f"{path}.signature", LossReason.FOREIGN_SIGNATURE, Severity.COSMETIC)
        return self.extras(call.extras, path, item)

    def _arguments(self, call: ToolCall, path: str) -> str:
        arguments = call.arguments or "{}"
        try:
            _WHOLE.decode(arguments)
        except msgspec.DecodeError:
            # Several servers parse what the model once wrote, and fail on what it did not finish.
            self.lose(f"{path}.arguments", LossReason.REPAIRED, Severity.COSMETIC)
            return orjson.dumps({"unfinished_arguments": arguments}).decode()
        return arguments

    def _reasoning(self, part: Thinking | RedactedThinking, path: str) -> None:
        issuer = self._target.issuer
        readable = isinstance(part, Thinking)
        if part.issuer != issuer and not (readable and part.issuer is None):
            self.lose(path, LossReason.FOREIGN_SIGNATURE, Severity.COSMETIC)
            return
        self.losses.extend(foreign_losses(part.extras, OWN, path))
        signature = part.signature if isinstance(part, Thinking) else part.data
        text = part.text if isinstance(part, Thinking) else ""
        item: Json = {"type": "reasoning"}
        if signature:
            item_id, content = parted(signature)
            if item_id is not None:
                item["id"] = item_id
            item["summary"] = [{"type": "summary_text", "text": text}] if text else []
            item["encrypted_content"] = content
        elif text and self._target.dialect.reasoning_field:
            item["summary"] = []
            item["content"] = [{"type": "reasoning_text", "text": text}]
        else:  # OpenAI takes no reasoning that it did not encrypt
            self.lose(path, LossReason.UNSUPPORTED, Severity.COSMETIC)
            return
        self.out.append(item)


def _is_reasoning(item: Json | Fragment) -> bool:
    return isinstance(item, dict) and item["type"] == "reasoning"


def _made_id(content: list[Json]) -> str:
    """The same for the same content, so that the prefix of a conversation stays."""
    return f"msg_{sha256(orjson.dumps(content)).hexdigest()[:24]}"


def _text(text: str) -> Json:
    return {"type": "input_text", "text": text}


def _simplest(parts: list[Json | Fragment]) -> str | list[Json | Fragment]:
    """A string if there is one plain text: what every server takes."""
    first = parts[0]
    if len(parts) == 1 and isinstance(first, dict) and first["type"] == "input_text" and len(first) == 2:
        text: str = first["text"]
        return text
    return parts
