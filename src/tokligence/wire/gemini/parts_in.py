"""Parts of Gemini's contents -> parts of the conversation. The same for requests and answers.

A signature beside a text or a picture becomes a `Thinking` of its own, without text, right behind it; beside a call it
is the call's.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

import msgspec
from msgspec import Raw, Struct

from tokligence.conversation import (
    Audio,
    Base64Source,
    Document,
    FileSource,
    Image,
    Loss,
    Opaque,
    Part,
    RedactedThinking,
    Text,
    TextSource,
    Thinking,
    ToolCall,
    ToolResult,
    UrlSource,
)
from tokligence.errors import GatewayError
from tokligence.wire.gemini.calls import Calls
from tokligence.wire.gemini.extras import OWN, extras_of, kept, lose
from tokligence.wire.gemini.signatures import GOOGLE, unpack
from tokligence.wire.gemini.tables import AUDIO_TYPES
from tokligence.wire.gemini.types import (
    BlobWire,
    ContentWire,
    FileDataWire,
    FunctionCallWire,
    FunctionResponseWire,
    PartWire,
    sent,
)
from tokligence.wire.strict import EXTRAS_KEY

_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_TEXT: Final = msgspec.json.Decoder(str)
_OPAQUE: Final = {
    "executable_code": "executableCode",
    "code_execution_result": "codeExecutionResult",
    "tool_call": "toolCall",
    "tool_response": "toolResponse",
}
_RESPONSE: Final = "functionResponse"
_RESPONSE_KEYS: Final = ("output", "result", "error")
_STORED: Final = ("gs://", "https://generativelanguage.googleapis.com/", "files/")
"""How the addresses of files begin that only Google can read."""


class Scope(Struct):
    """Where parts stand. `path`: of their content. `issuer`: whose signatures these are; None: the client's, who may
    name another. `calls`: the ids of the history's calls. `seed`: goes into ids that are made. `proven`: which parts
    of the conversation have a proof of their own after them, that in Gemini stands beside them."""

    path: str
    losses: list[Loss]
    calls: Calls
    issuer: str | None = None
    seed: str = ""
    proven: list[int] = []

    def turn(self) -> str:
        """The path, with which of the parts are two: `terms` counts them as the client did."""
        if not self.proven:
            return self.path
        return f"{self.path[:-1]};{','.join(map(str, self.proven))}]"


def parts_of(content: ContentWire) -> list[PartWire]:
    parts = content.parts
    if parts is None:
        return []
    return parts if isinstance(parts, list) else [parts]


def read_parts(content: ContentWire, scope: Scope) -> tuple[Part, ...]:
    parts: list[Part] = []
    for index, part in enumerate(parts_of(content)):
        text = part.text
        if text is not None and part == PartWire(text=text):
            parts.append(Text(text))  # and nothing else: most parts are
        else:
            found = read_part(part, f"{scope.path}.parts[{index}]", scope)
            if len(found) > 1:
                scope.proven.append(len(parts))
            parts += found
    return tuple(parts)


def read_part(part: PartWire, where: str, scope: Scope) -> list[Part]:
    kinds = _kinds(part)
    if len(kinds) > 1:
        reason = f"it holds more than one of {', '.join(kinds)}"
        raise GatewayError("request.invalid_field", path=where, reason=reason)
    if part.function_call is not None:
        return [_read_call(part, part.function_call, where, scope)]
    signature, issuer, redacted = unpack(part.thought_signature, scope.issuer)
    if redacted:
        return [RedactedThinking(signature or "", issuer, extras_of({}, part.extras))]
    if part.thought and (part.text is not None or not kinds):
        return [Thinking(part.text or "", signature, issuer or GOOGLE, extras_of({}, part.extras))]
    if signature is None:
        return _read_data(part, kinds, where, scope)
    if part.text == "":
        return [Thinking("", signature, issuer, extras_of({}, part.extras))]
    return [*_read_data(part, kinds, where, scope), Thinking("", signature, issuer)]


def _kinds(part: PartWire) -> list[str]:
    """The kinds of data that a part holds, by their names on the wire."""
    found = [
        name
        for name, value in (
            ("text", part.text),
            ("inlineData", part.inline_data),
            ("fileData", part.file_data),
            ("functionCall", part.function_call),
            ("functionResponse", part.function_response),
        )
        if value is not None
    ]
    found += [name for field, name in _OPAQUE.items() if sent(getattr(part, field))]
    return found


def _read_data(part: PartWire, kinds: list[str], where: str, scope: Scope) -> list[Part]:
    if part.text is not None:
        return [Text(part.text, extras=extras_of({}, part.extras))]
    if part.inline_data is not None:
        return [_read_blob(part, part.inline_data, f"{where}.inlineData", scope)]
    if part.file_data is not None:
        return [_read_file(part, part.file_data, f"{where}.fileData", scope)]
    if part.function_response is not None:
        return [_read_response(part, part.function_response, where, scope)]
    if kinds:
        return [Opaque(OWN, kinds[0], _whole(part))]
    if part.extras:
        return [Opaque(OWN, next(iter(part.extras)), _whole(part))]
    return []


def _whole(part: PartWire) -> bytes:
    """The part as it came."""
    fields = _OBJECT.decode(msgspec.json.encode(part))
    unknown = fields.pop(EXTRAS_KEY, None)
    return msgspec.json.encode(fields | (_OBJECT.decode(unknown) if unknown is not None else {}))


# --- functions ------------------------------------------------------------------------------------------


def _read_call(part: PartWire, call: FunctionCallWire, where: str, scope: Scope) -> ToolCall:
    signature, issuer, _ = unpack(part.thought_signature, scope.issuer)
    unfinished = kept({"partialArgs": call.partial_args, "willContinue": call.will_continue})
    lose([*unfinished, *(call.extras or ())], f"{where}.functionCall", scope.losses)
    return ToolCall(
        scope.calls.called(call.id, call.name, f"{scope.seed}{where}"),
        call.name,
        bytes(call.args).decode() if sent(call.args) else "{}",
        extras=extras_of({}, part.extras),
        signature=signature,
        issuer=None if signature is None else issuer,
    )


def _read_response(part: PartWire, response: FunctionResponseWire, where: str, scope: Scope) -> ToolResult:
    parts, failed = _read_output(response.response)
    for index, media in enumerate(response.parts or ()):
        inner = f"{where}.functionResponse.parts[{index}]"
        lose(media.extras or (), inner, scope.losses)
        holder = PartWire(inline_data=media.inline_data, file_data=media.file_data)
        parts += _read_data(holder, [], inner, scope)
    told = {"scheduling": response.scheduling, "willContinue": response.will_continue}
    fields = kept(
        {f"{_RESPONSE}.{name}": value for name, value in {**told, **(response.extras or {})}.items()}
    )
    call = scope.calls.answered(response.id, response.name, f"{scope.seed}{where}")
    return ToolResult(call, tuple(parts), failed, extras=extras_of(fields, part.extras))


def _read_output(raw: Raw) -> tuple[list[Part], bool]:
    """What a function gave, and whether it failed. The vendor reads `output` (its SDK writes `result`) as the output,
    `error` as an error, and an object of other fields as the output itself."""
    if not sent(raw):
        return [], False
    try:
        fields = _OBJECT.decode(raw)
    except msgspec.DecodeError:
        return _said(raw), False
    if len(fields) == 1:
        name, value = next(iter(fields.items()))
        if name in _RESPONSE_KEYS:
            return _said(value), name == "error"
    return _said(raw) if fields else [], False


def _said(value: Raw) -> list[Part]:
    """A text as it is, other JSON as its text."""
    raw = bytes(value).strip()
    text = _TEXT.decode(raw) if raw.startswith(b'"') else raw.decode()
    return [Text(text)] if text and text != "null" else []


# --- media ----------------------------------------------------------------------------------------------


def _read_blob(part: PartWire, blob: BlobWire, where: str, scope: Scope) -> Part:
    kind = blob.mime_type.partition(";")[0].strip().lower()
    if not kind:
        raise GatewayError("request.missing_field", path=f"{where}.mimeType")
    data = (
        blob.data.replace("-", "+").replace("_", "/") if "-" in blob.data or "_" in blob.data else blob.data
    )
    extras = extras_of({}, part.extras)
    lose(blob.extras or (), where, scope.losses)
    if kind.startswith("audio/"):
        _lose_name(blob, where, scope)
        return Audio(data, AUDIO_TYPES.get(kind, kind.removeprefix("audio/")), extras=extras)
    source = Base64Source(kind, data)
    if kind.startswith("image/"):
        _lose_name(blob, where, scope)
        return Image(source, extras=extras)
    if kind.startswith("video/"):
        return Opaque(OWN, "inlineData", _whole(part))
    text = _as_text(source) if kind.startswith("text/") else None
    return Document(text or source, blob.display_name, extras=extras)


def _lose_name(data: BlobWire | FileDataWire, where: str, scope: Scope) -> None:
    if data.display_name is not None:
        lose(("displayName",), where, scope.losses)


def _as_text(source: Base64Source) -> TextSource | None:
    try:
        return TextSource(base64.b64decode(source.data, validate=True).decode(), source.media_type)
    except (binascii.Error, ValueError):
        return None


def _read_file(part: PartWire, file: FileDataWire, where: str, scope: Scope) -> Part:
    """A file at an address. What it is says its media type alone."""
    kind = file.mime_type.partition(";")[0].strip().lower()
    uri = file.file_uri
    extras = extras_of({}, part.extras)
    source = FileSource(uri, OWN) if uri.startswith(_STORED) else UrlSource(uri)
    if kind.startswith("image/"):
        lose(file.extras or (), where, scope.losses)
        _lose_name(file, where, scope)
        return Image(source, extras=extras)
    if kind == "application/pdf" or kind.startswith("text/"):
        lose(file.extras or (), where, scope.losses)
        return Document(source, file.display_name, extras=extras)
    return Opaque(OWN, "fileData", _whole(part))
