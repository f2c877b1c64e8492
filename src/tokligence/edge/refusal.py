"""Errors of the edge in the shape that the path's clients expect. Tables."""

from __future__ import annotations

from typing import Final

from tokligence.conversation import ProtocolId
from tokligence.edge.paths import Shape, error_shape
from tokligence.errors import GatewayError
from tokligence.pipeline.contract import Headers
from tokligence.wire.contract import ErrorView
from tokligence.wire.registry import CODECS

JSON: Final = b"application/json"

PROTOCOL: Final = {
    Shape.OPENAI: ProtocolId.OPENAI_CHAT,
    Shape.ANTHROPIC: ProtocolId.ANTHROPIC,
    Shape.GOOGLE: ProtocolId.GEMINI,
}
"""Who writes errors, and lists of models, in a shape."""


def write_error(shape: Shape, view: ErrorView) -> bytes:
    return CODECS[PROTOCOL[shape]].write_error(view)


def refusal(shape: Shape, error: GatewayError, request_id: str) -> tuple[Headers, bytes]:
    """Headers and body of an answer that never became a call."""
    view = ErrorView(status=error.status, message=error.text, request_id=request_id, code=error.code)
    encoded = request_id.encode()
    headers: Headers = [
        (b"content-type", JSON),
        (b"x-tokligence-request-id", encoded),
        (b"x-request-id", encoded),
        (b"request-id", encoded),
        (b"x-tokligence-error-code", error.code.encode()),
    ]
    if error.retry_after is not None:
        headers.append((b"retry-after", error.retry_after.encode()))
    if not error.retryable:
        headers.append((b"x-should-retry", b"false"))
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))  # RFC 9110, 15.5.2 demands one
    if error.code == "http.method_not_allowed":
        headers.append((b"allow", str(error.details["allowed"]).encode()))
    return headers, write_error(shape, view)


def refusal_at(path: str, error: GatewayError, request_id: str) -> tuple[Headers, bytes]:
    """The same, by the path alone."""
    return refusal(error_shape(path), error, request_id)
