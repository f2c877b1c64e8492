"""What is done to a translated request between reading and writing it, and what its answer leaves behind for the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from tokligence.conversation import Part, ProtocolId, Request, Response
from tokligence.pipeline.signatures import Gathered
from tokligence.wire.caching import with_breakpoints, without_volatile

if TYPE_CHECKING:
    from tokligence.pipeline.exchange import ModelCall

ANTHROPIC: Final = ProtocolId.ANTHROPIC
PROVING: Final = frozenset({ProtocolId.ANTHROPIC, ProtocolId.GEMINI})
"""Protocols whose reasoning must come back with its proof, while others have no place for it."""
WORTH_CACHING: Final = 4096
"""Bytes of a request. Claude caches no prompt below 1,024 tokens."""


def prepared(call: ModelCall, request: Request, upstream: ProtocolId) -> Request:
    """The request as the upstream's codec is to write it."""
    if call.codec.protocol is ANTHROPIC:
        request = without_volatile(request)
    worth = upstream is ANTHROPIC and len(call.call.body) >= WORTH_CACHING
    if worth and call.state.settings.prompt_caching == "auto":
        request = with_breakpoints(request)
    signatures = call.hub.signatures
    if signatures.kept and upstream in PROVING:
        request = signatures.restore(
            call.call.principal.key_name, call.target.issuer, request, call.started_us // 1_000_000
        )
    return request


def gathering(call: ModelCall) -> Gathered | None:
    """Takes the events of a streamed answer, if something of it may have to be kept."""
    return Gathered() if call.plan is not None and call.plan.protocol in PROVING else None


def keep_whole(call: ModelCall, response: Response) -> None:
    if call.plan is not None and call.plan.protocol in PROVING:
        _keep(call, response.parts)


def keep_streamed(call: ModelCall, gathered: Gathered | None) -> None:
    if gathered is not None:
        _keep(call, gathered.parts)


def _keep(call: ModelCall, parts: Sequence[Part]) -> None:
    call.hub.signatures.keep(
        call.call.principal.key_name, call.target.issuer, parts, call.started_us // 1_000_000
    )
