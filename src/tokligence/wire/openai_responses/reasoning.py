"""Reasoning items, and how reasoning finds back to who issued it.

Two kinds of `encrypted_content` pass here:

* OpenAI's own. The vendor checks it against the item's id ("item_id did not match the target item id"), so the two
  are one signature in the conversation, `ID:CONTENT`; without an id, as Codex sends it, the content alone.
* What another vendor signed and a client of this protocol keeps for it: `tgw1.` and the base64url of a JSON object
  with `issuer` and `signature` (of readable thinking, whose text is the summary) or `data` (of encrypted thinking).
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

import msgspec
from msgspec import Raw, Struct

from tokligence.conversation import Loss, LossReason, Part, RedactedThinking, Severity, Thinking
from tokligence.errors import GatewayError
from tokligence.wire.openai_responses.types import ReasoningItem
from tokligence.wire.splice import TopLevel

OPENAI: Final = "openai"
PREFIX: Final = "tgw1."
BETWEEN: Final = "\n\n"
"""Stands between the parts of a summary where they become one text."""


class _Packed(Struct, omit_defaults=True):
    issuer: str | None = None
    signature: str | None = None
    data: str | None = None


_PACKED: Final = msgspec.json.Decoder(_Packed)


def pack(part: Thinking | RedactedThinking) -> str | None:
    """`encrypted_content` for a client; None: there is nothing to keep."""
    if isinstance(part, RedactedThinking):
        packed = _Packed(part.issuer, data=part.data)
    elif part.issuer is None and part.signature is None:
        return None
    else:
        packed = _Packed(part.issuer, part.signature)
    return PREFIX + urlsafe_b64encode(msgspec.json.encode(packed)).decode()


def pack_signature(issuer: str | None, signature: str | None) -> str | None:
    """The same for a thinking block whose signature came in pieces."""
    return pack(Thinking("", signature, issuer))


def _unpack(text: str, path: str) -> _Packed:
    try:
        return _PACKED.decode(urlsafe_b64decode(text[len(PREFIX) :].encode("ascii")))
    except (ValueError, msgspec.MsgspecError):
        raise GatewayError(
            "request.invalid_field", path=f"{path}.encrypted_content", reason="it is not as it was given out"
        ) from None


def joined(item_id: str | None, content: str) -> str:
    """OpenAI's encrypted reasoning as one signature."""
    return f"{item_id}:{content}" if item_id else content


def parted(signature: str) -> tuple[str | None, str]:
    """Item id, if known, and encrypted content."""
    item_id, colon, content = signature.partition(":")
    return (item_id, content) if colon else (None, signature)


class _Kept(Struct):
    type: str | None = None
    encrypted_content: str | None = None


_KEPT: Final = msgspec.json.Decoder(_Kept)
_ITEMS: Final = msgspec.json.Decoder(list[Raw])


def cleaned(raw: bytes) -> tuple[bytes, tuple[Loss, ...]]:
    """A request for a server of this protocol without the reasoning items that we packed, which it would refuse; all
    other bytes as they came."""
    top = TopLevel(raw)
    try:
        items = _ITEMS.decode(top.values["input"])
    except (KeyError, msgspec.MsgspecError):
        return raw, ()
    foreign = [index for index, item in enumerate(items) if _is_packed(item)]
    if not foreign:
        return raw, ()
    kept = b",".join([bytes(item) for index, item in enumerate(items) if index not in foreign])
    losses = [Loss(f"input[{index}]", LossReason.FOREIGN_SIGNATURE, Severity.COSMETIC) for index in foreign]
    return top.replace("input", b"[" + kept + b"]"), tuple(losses)


def _is_packed(item: Raw) -> bool:
    try:
        kept = _KEPT.decode(item)
    except msgspec.MsgspecError:
        return False
    return kept.type == "reasoning" and (kept.encrypted_content or "").startswith(PREFIX)


def read_reasoning(item: ReasoningItem, issuer: str | None, path: str) -> Part | None:
    """`issuer`: who answered, if this is of an answer; None: what a client sent back. None: it says nothing."""
    text = text_of(item)
    content = item.encrypted_content
    if content is None:
        return Thinking(text, None, issuer) if text else None
    if issuer is None and content.startswith(PREFIX):
        packed = _unpack(content, path)
        if packed.data is not None:
            return RedactedThinking(packed.data, packed.issuer)
        return Thinking(text, packed.signature, packed.issuer)
    signature, whose = joined(item.id, content), issuer or OPENAI
    return Thinking(text, signature, whose) if text else RedactedThinking(signature, whose)


def text_of(item: ReasoningItem) -> str:
    """The summary; of models that show their reasoning, which have none, the reasoning."""
    if item.summary:
        return BETWEEN.join([part.text for part in item.summary])
    return "".join([part.text for part in item.content or ()])
