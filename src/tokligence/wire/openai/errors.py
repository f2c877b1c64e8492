"""Errors as OpenAI and servers like it write them, and as we write them.

Source: developers.openai.com/api/docs/guides/error-codes, read 2026-11-24.
"""

from __future__ import annotations

from typing import Final

import msgspec
import orjson
from msgspec import Struct

from tokligence.wire.contract import ErrorView, UpstreamError

ERROR_TYPE: Final[dict[int, str]] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}

STATUS_OF: Final[dict[str, int]] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "insufficient_quota": 429,
    "permission_error": 403,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "requests": 429,
    "tokens": 429,
    "server_error": 500,
    "service_unavailable": 503,
    "overloaded_error": 503,
}
"""The status that an error's type or code stands for, where a stream has no status of its own."""


def error_type(status: int) -> str:
    return ERROR_TYPE.get(status) or ("server_error" if status >= 500 else "invalid_request_error")


# --- reading --------------------------------------------------------------------------------------------

_MESSAGE_CHARS: Final = 4096


class _ErrorFields(Struct):
    message: str | None = None
    type: str | None = None
    code: str | int | None = None
    param: str | None = None


class _Error(_ErrorFields):
    """OpenAI's `error` object; vLLM and others put the fields at the top; FastAPI has `detail`."""

    error: _ErrorFields | str | None = None
    detail: str | None = None


_ERROR: Final = msgspec.json.Decoder(_Error)
_ERRORS: Final = msgspec.json.Decoder(list[_Error])


def _decode_error(raw: bytes) -> _Error | None:
    """None if it is nothing that we know: HTML, an empty body, another shape."""
    try:
        if raw.lstrip()[:1] == b"[":  # Gemini's compatible endpoint wraps its error into an array
            several = _ERRORS.decode(raw)
            return several[0] if several else None
        return _ERROR.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def reported_error(raw: bytes) -> UpstreamError | None:
    """The error that a body reports though its status is 200, as some gateways do; None if it reports none."""
    error = _decode_error(raw)
    return None if error is None or error.error is None else read_error(502, raw)


def read_error(status: int, raw: bytes) -> UpstreamError:
    outer = _decode_error(raw) or _Error()
    inner = outer.error
    fields = _ErrorFields(inner) if isinstance(inner, str) else outer if inner is None else inner
    message = fields.message or outer.detail or _describe(raw)
    return UpstreamError(
        status=status,
        kind=fields.type or error_type(status),
        message=message[:_MESSAGE_CHARS],
        code=None if fields.code is None else str(fields.code),
        param=fields.param,
    )


def _describe(raw: bytes) -> str:
    """For an answer that is not ours to quote: a proxy's HTML page, nothing at all."""
    return "The upstream gave no reason." if raw.strip() else "The upstream sent an empty answer."


# --- writing --------------------------------------------------------------------------------------------


def write_error(error: ErrorView) -> bytes:
    return orjson.dumps(
        {
            "error": {
                "message": error.message,
                "type": error_type(error.status),
                "param": error.param,
                "code": error.code,
            }
        }
    )
