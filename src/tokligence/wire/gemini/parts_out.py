"""Turns of the conversation -> Gemini's contents.

Rules (ai.google.dev/gemini-api/docs/{function-calling,thought-signatures}, read 2026-11-24): roles are user and model; a
turn with calls is answered by one content with as many responses, each with the call's id and name; a response is an
object; a call's signature stands beside the call, that of a text beside the text. System text stands apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, assert_never

import msgspec
from msgspec import Raw

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
    MediaSource,
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
from tokligence.wire.gemini.extras import OWN
from tokligence.wire.gemini.signatures import PLACEHOLDER
from tokligence.wire.gemini.tables import AUDIO_TYPE_OF, IMAGE_TYPES, TYPE_OF_NAME
from tokligence.wire.gemini.traits import Traits
from tokligence.wire.names import GEMINI_NAME, ToolNames
from tokligence.wire.severity import foreign_losses, severity_of

Json = dict[str, object]
Piece = Json | Raw
"""A part of a content, or of the vendor's own as it came."""

OPENING: Final = "(The conversation begins with your message.)"
"""Said by the user of a history that starts with the model."""

INVALID_ARGUMENTS: Final = "invalid_json"
"""Key below which arguments stand that are no JSON object, as the vendor demands one."""

_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_EMPTY: Final = Raw(b"{}")
_LONG_NUMBER: Final = re.compile(rb"\d{16}")
"""Google's numbers are doubles: longer ones would come out changed."""
_SPECIAL: Final = frozenset(("output", "error"))
_DOCUMENTS: Final = ("application/pdf", "text/")
_WITHIN: Final = "functionResponse."
_FROM_RESULT: Final = "[from the result of the tool call {call_id}]"

# Constants, since a member looked up on its class costs twenty times as much (Python 3.11).
_USER: Final = Role.USER
_ASSISTANT: Final = Role.ASSISTANT
_SYSTEM: Final = Role.SYSTEM
_NAME: Final = {_USER: "user", _ASSISTANT: "model"}
_C, _S = Severity.COSMETIC, Severity.SEMANTIC


def call_arguments(arguments: str, *, freeform: bool = False) -> tuple[Raw, bool]:
    """A call's `args` and whether the arguments were valid; the empty text stands for no arguments."""
    if freeform:
        return Raw(msgspec.json.encode({"input": arguments})), True
    if not arguments.strip():
        return _EMPTY, True
    raw = arguments.encode("utf-8", "replace")
    try:
        _OBJECT.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return Raw(msgspec.json.encode({INVALID_ARGUMENTS: raw.decode()})), False
    return Raw(raw), True


class Contents:
    """Writes the contents of one request."""

    def __init__(self, target: Target, traits: Traits) -> None:
        self.losses: list[Loss] = []
        self.system: list[Piece] = []
        self.contents: list[tuple[Role, list[Piece]]] = []
        self._target = target
        self._traits = traits
        self._names: ToolNames | None = None
        self._called: dict[str, str] = {}  # id of a call -> its tool
        self._cache_lost = False
        self._later: list[Piece] = []  # what results hold that stands behind all results of the turn

    @property
    def names(self) -> ToolNames:
        if self._names is None:  # most requests have no tools
            self._names = ToolNames(GEMINI_NAME.max_len, GEMINI_NAME.charset, GEMINI_NAME.first)
        return self._names

    @property
    def renames(self) -> Mapping[str, str]:
        return {} if self._names is None else self._names.renames

    def lose(self, path: str, reason: LossReason, severity: Severity) -> None:
        self.losses.append(Loss(path, reason, severity))

    def write(self, turns: Sequence[Turn]) -> None:
        for turn in turns:
            if turn.name is not None:
                self.lose(f"{turn.path}.name", LossReason.UNSUPPORTED, _C)
            role = turn.role
            if role is _USER or role is _ASSISTANT:
                self._append(role, self._pieces(turn, role), turn)
            elif not self.contents:
                self.system += self._pieces(turn, _SYSTEM)
            else:
                self._append(_USER, self._as_user(turn), turn)
            if turn.extras is not None:
                self._lose_extras(turn.extras, turn.path)
        self._settle(turns)

    def _append(self, role: Role, pieces: list[Piece], turn: Turn) -> None:
        """An empty turn is none; turns of one role in a row are one content."""
        if not pieces:
            if turn.role is role:
                self.lose(turn.path, LossReason.DROPPED_EMPTY, _C)
        elif self.contents and self.contents[-1][0] is role:
            self.contents[-1][1].extend(pieces)
        else:
            self.contents.append((role, pieces))

    def _settle(self, turns: Sequence[Turn]) -> None:
        contents = self.contents
        if contents and contents[0][0] is _ASSISTANT:
            self.lose(turns[0].path, LossReason.REPAIRED, _C)
            contents.insert(0, (_USER, [{"text": OPENING}]))
        if not contents and self.system:
            self.lose(turns[-1].path, LossReason.CONVERTED, _C)
            contents.append((_USER, self.system))
            self.system = []
        if self._traits.signed_calls:
            for role, pieces in contents:
                if role is _ASSISTANT:
                    _sign(pieces)

    def body(self) -> Json:
        """`systemInstruction` and `contents`."""
        out: Json = {"systemInstruction": {"parts": self.system}} if self.system else {}
        out["contents"] = [{"role": _NAME[role], "parts": pieces} for role, pieces in self.contents]
        return out

    def _as_user(self, turn: Turn) -> list[Piece]:
        """What the system says in the middle, said where only users speak."""
        said = self._pieces(turn, _USER)
        if not said:
            return []
        self.lose(turn.path, LossReason.CONVERTED, _C)
        return [{"text": "<system>"}, *said, {"text": "</system>"}]

    # --- extras and marks -------------------------------------------------------------------------------

    def add_extras(self, node: Json, extras: Extras | None, path: str) -> None:
        """Own unknown fields go back where they were; foreign ones are lost."""
        if extras is None:
            return
        if extras.origin is OWN:
            node.update((name, Raw(raw)) for name, raw in extras.fields.items())
        else:
            self.losses += foreign_losses(extras, OWN, path)

    def _lose_extras(self, extras: Extras, path: str) -> None:
        """Fields of a whole turn: ours may be one content for several."""
        self.losses += foreign_losses(extras, OWN, path)
        if extras.origin is OWN:
            for name in extras.fields:
                self.lose(f"{path}.{name}", LossReason.UNSUPPORTED, severity_of(name))

    def lose_cache(self, cache: CacheControl | None, path: str) -> None:
        """Gemini caches by itself. One loss tells of all marks."""
        if cache is not None and not self._cache_lost:
            self._cache_lost = True
            self.lose(f"{path}.cache_control", LossReason.UNSUPPORTED, _C)

    # --- parts ------------------------------------------------------------------------------------------

    def _pieces(self, turn: Turn, role: Role) -> list[Piece]:
        pieces: list[Piece] = []
        moved = 0  # results of messages of their own, which do not count in the turn's list
        waiting: str | None = None  # a signature whose part comes after it
        for index, part in enumerate(turn.parts):
            if type(part) is ToolResult and part.path is not None:
                moved += 1
                path = part.path
            else:
                path = f"{turn.path}.content[{index - moved}]"
            if self._later and type(part) is not ToolResult:
                pieces += self._later
                self._later = []
            if waiting is not None and type(part) is not Text and type(part) is not ToolCall:
                pieces.append({"text": "", "thoughtSignature": waiting})
                waiting = None
            if role is _ASSISTANT and type(part) is Thinking and not part.text and self._own(part):
                if not _sign_text(pieces, part.signature or ""):
                    waiting = part.signature
                continue
            before = len(pieces)
            self._part(part, role, path, pieces)
            if waiting is not None and len(pieces) > before:
                written = pieces[before]
                assert isinstance(written, dict), "a text or a call"
                written.setdefault("thoughtSignature", waiting)
                waiting = None
        if waiting is not None:
            pieces.append({"text": "", "thoughtSignature": waiting})
        pieces += self._later
        self._later = []
        return pieces

    def _own(self, part: Thinking | ToolCall) -> bool:
        return part.signature is not None and part.issuer == self._target.issuer

    def _part(self, part: Part, role: Role, path: str, out: list[Piece]) -> None:
        match part:
            case Text():
                self.lose_cache(part.cache, path)
                if part.text:
                    self._add(out, {"text": part.text}, part.extras, path)
            case ToolCall():
                self._call(part, role, path, out)
            case ToolResult():
                self._result(part, path, out)
            case Thinking() | RedactedThinking():
                self._thinking(part, role, path, out)
            case Image():
                self._image(part, role, path, out)
            case Document():
                self._document(part, role, path, out)
            case Audio():
                self._audio(part, role, path, out)
            case Refusal():
                self.lose(path, LossReason.CONVERTED, _C)
                self._add(out, {"text": part.text}, part.extras, path)
            case Opaque():
                if part.origin is OWN:
                    out.append(Raw(part.raw))
                else:
                    self.lose(path, LossReason.UNKNOWN_PART, _S)
            case _:
                assert_never(part)

    def _add(self, out: list[Piece], piece: Json, extras: Extras | None, path: str) -> None:
        self.add_extras(piece, extras, path)
        out.append(piece)

    def _call(self, part: ToolCall, role: Role, path: str, out: list[Piece]) -> None:
        if role is not _ASSISTANT:
            self.lose(path, LossReason.UNSUPPORTED, _S)
            return
        self.lose_cache(part.cache, path)
        args, valid = call_arguments(part.arguments, freeform=part.freeform)
        if not valid:
            self.lose(path, LossReason.REPAIRED, _C)
        self._called[part.id] = part.name
        call: Json = {"id": part.id, "name": self.names.to_target(part.name), "args": args}
        piece: Json = {"functionCall": call}
        if self._own(part):
            piece["thoughtSignature"] = part.signature
        elif part.signature is not None:
            self.lose(f"{path}.signature", LossReason.FOREIGN_SIGNATURE, _C)
        self._add(out, piece, part.extras, path)

    def _thinking(self, part: Thinking | RedactedThinking, role: Role, path: str, out: list[Piece]) -> None:
        if role is not _ASSISTANT or type(part) is not Thinking or part.issuer != self._target.issuer:
            self.lose(path, LossReason.FOREIGN_SIGNATURE, _C)
            return
        piece: Json = {"text": part.text, "thought": True}
        if part.signature is not None:
            piece["thoughtSignature"] = part.signature
        if part.text or part.signature is not None:
            self._add(out, piece, part.extras, path)

    def _result(self, part: ToolResult, path: str, out: list[Piece]) -> None:
        texts: list[str] = []
        media: list[Piece] = []
        for index, inner in enumerate(part.parts):
            written: list[Piece] = []
            self._part(inner, _USER, f"{path}.content[{index}]", written)
            for piece in written:
                text = piece.get("text") if isinstance(piece, dict) else None
                if isinstance(text, str):
                    texts.append(text)
                else:
                    media.append(piece)
        self.lose_cache(part.cache, path)
        if len(texts) > 1:
            self.lose(path, LossReason.CONVERTED, _C)
        response: Json = {
            "id": part.call_id,
            "name": self.names.to_target(self._called.get(part.call_id, part.call_id)),
            "response": _output("\n".join(texts), part.is_error),
        }
        nested = [piece for piece in media if isinstance(piece, dict) and "inlineData" in piece]
        if self._traits.media_results and len(nested) == len(media):
            if nested:
                response["parts"] = nested
        elif media:
            self.lose(path, LossReason.CONVERTED, _C)
            self._later += [{"text": _FROM_RESULT.format(call_id=part.call_id)}, *media]
        beside: Json = {}
        self.add_extras(beside, part.extras, path)
        for name in [name for name in beside if name.startswith(_WITHIN)]:
            response[name.removeprefix(_WITHIN)] = beside.pop(name)
        out.append({"functionResponse": response, **beside})

    # --- media ------------------------------------------------------------------------------------------

    def _placeholder(self, kind: str, path: str, reason: LossReason, out: list[Piece]) -> None:
        """So that the model knows that something was there."""
        self.lose(path, reason, _S)
        out.append({"text": f"[{kind} omitted]"})

    def _image(self, part: Image, role: Role, path: str, out: list[Piece]) -> None:
        self.lose_cache(part.cache, path)
        source = None if role is _SYSTEM else _media(part.source)
        if source is None or _strange(part.source, IMAGE_TYPES):
            self._placeholder("image", path, LossReason.UNSUPPORTED, out)
        elif not self._target.card.images:
            self._placeholder("image", path, LossReason.MODEL_CAPABILITY, out)
        else:
            if part.detail not in (None, "auto"):
                self.lose(f"{path}.detail", LossReason.UNSUPPORTED, _C)
            self._add(out, source, part.extras, path)

    def _audio(self, part: Audio, role: Role, path: str, out: list[Piece]) -> None:
        self.lose_cache(part.cache, path)
        if role is _SYSTEM:
            self._placeholder("audio", path, LossReason.UNSUPPORTED, out)
            return
        kind = AUDIO_TYPE_OF.get(part.format, f"audio/{part.format}")
        self._add(out, {"inlineData": {"mimeType": kind, "data": part.data}}, part.extras, path)

    def _document(self, part: Document, role: Role, path: str, out: list[Piece]) -> None:
        self.lose_cache(part.cache, path)
        if part.citations:
            self.lose(f"{path}.citations", LossReason.UNSUPPORTED, _S)
        head = [line for line in (part.title, part.context) if line]
        source = part.source
        if isinstance(source, TextSource):
            self.lose(path, LossReason.CONVERTED, _C)
            self._add(out, {"text": "\n".join([*head, source.text])}, part.extras, path)
            return
        if isinstance(source, ContentSource):
            self.lose(path, LossReason.CONVERTED, _C)
            if head:
                out.append({"text": "\n".join(head)})
            for index, inner in enumerate(source.parts):
                self._part(inner, role, f"{path}.source.content[{index}]", out)
            self.add_extras({}, part.extras, path)
            return
        written = None if role is _SYSTEM else _media(source, "application/pdf")
        if written is None or _unreadable(source):
            self._placeholder("document", path, LossReason.UNSUPPORTED, out)
            return
        if head:
            self.lose(path, LossReason.CONVERTED, _C)
            out.append({"text": "\n".join(head)})
        self._add(out, written, part.extras, path)


def _strange(source: MediaSource, known: frozenset[str]) -> bool:
    return isinstance(source, Base64Source) and source.media_type not in known


def _unreadable(source: MediaSource) -> bool:
    return isinstance(source, Base64Source) and not source.media_type.startswith(_DOCUMENTS)


def _media(source: MediaSource, usual: str | None = None) -> Json | None:
    """`usual`: the media type of a file whose address does not tell it."""
    match source:
        case Base64Source():
            return {"inlineData": {"mimeType": source.media_type, "data": source.data}}
        case UrlSource():
            if not source.url.startswith("https://"):
                return None  # "publicly accessible HTTPS URLs" (file input methods, read 2026-11-24)
            return _file(source.url, usual)
        case FileSource():
            return _file(source.file_id, usual) if source.origin is OWN else None
        case _:
            assert_never(source)


def _file(uri: str, usual: str | None) -> Json:
    kind = TYPE_OF_NAME.get(uri.partition("?")[0].rpartition(".")[2].lower(), usual)
    return {"fileData": {"fileUri": uri} if kind is None else {"fileUri": uri, "mimeType": kind}}


def _output(text: str, failed: bool) -> Json | Raw:
    """A function's response: the object that it gave, if that is one and comes out unharmed; else its text."""
    if failed:
        return {"error": text}
    raw = text.encode("utf-8", "replace")
    if raw[:1] == b"{" and _LONG_NUMBER.search(raw) is None:
        try:
            if _SPECIAL.isdisjoint(_OBJECT.decode(raw)):
                return Raw(raw)
        except (msgspec.DecodeError, RecursionError):
            pass
    return {"result": text}


def _sign_text(pieces: list[Piece], signature: str) -> bool:
    """Puts a signature on the text right before it, if there is one without."""
    last = pieces[-1] if pieces else None
    if not isinstance(last, dict) or "text" not in last or "thought" in last or "thoughtSignature" in last:
        return False
    last["thoughtSignature"] = signature
    return True


def _sign(pieces: list[Piece]) -> None:
    """The first call of a step must have a signature; of one that the vendor did not make it checks none."""
    for piece in pieces:
        if isinstance(piece, dict) and "functionCall" in piece:
            piece.setdefault("thoughtSignature", PLACEHOLDER)
            return
