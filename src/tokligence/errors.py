"""Every error the gateway makes itself: one table, code -> status, fault, retryable, message, hint.

    raise GatewayError("route.no_match", model="gtp-5", hint="did you mean gpt-5?")

A code is stable: users' scripts may match on it (`x-tokligence-error-code`). The message says what
happened, the hint what to do; neither ever holds a secret or a prompt. The protocol packages turn a
`GatewayError` into their vendor's error shape.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class Fault(StrEnum):
    """Whose fault it was: decides the log level and whether an upstream's health suffers."""

    CLIENT = "client"
    OPERATOR = "operator"
    UPSTREAM = "upstream"
    GATEWAY = "gateway"


class ErrorSpec(NamedTuple):
    """One row of the table. `message` and `hint` are `str.format` templates over the error's details."""

    status: int
    fault: Fault
    retryable: bool
    message: str
    hint: str = ""


C, O, U, G = Fault.CLIENT, Fault.OPERATOR, Fault.UPSTREAM, Fault.GATEWAY  # noqa: E741 - column letters of the table

ERRORS: Final[dict[str, ErrorSpec]] = {
    # --- the HTTP request itself
    "http.malformed": ErrorSpec(400, C, False, "The HTTP request is malformed: {reason}."),
    "http.headers_too_large": ErrorSpec(431, C, False, "The request headers exceed {limit}."),
    "http.body_too_large": ErrorSpec(
        413, C, False, "The request body exceeds {limit} bytes.", "Raise max_body_bytes if this is wanted."
    ),
    "http.timeout": ErrorSpec(408, C, True, "The request did not arrive within {seconds} seconds."),
    "http.unsupported_encoding": ErrorSpec(
        415, C, False, "Content-Encoding {encoding} is not supported.", "Send gzip, zstd or no encoding."
    ),
    "http.bad_encoding": ErrorSpec(400, C, False, "The request body is not valid {encoding}."),
    "http.unsupported_media_type": ErrorSpec(
        415, C, False, "Content-Type {media_type} is not supported here.", "Send application/json."
    ),
    "http.not_found": ErrorSpec(404, C, False, "There is nothing at {path}."),
    "http.method_not_allowed": ErrorSpec(
        405, C, False, "{method} is not allowed at {path}.", "Use {allowed}."
    ),
    "http.expectation_failed": ErrorSpec(417, C, False, "Expect: {expect} is not supported."),
    "http.upgrade_refused": ErrorSpec(
        426, C, False, "Upgrade to {protocol} is not supported.", "Use plain HTTP/1.1."
    ),
    # --- who may call
    "auth.missing_key": ErrorSpec(
        401,
        C,
        False,
        "No API key was sent.",
        "Send one of client_keys as Authorization: Bearer KEY or x-api-key: KEY.",
    ),
    "auth.invalid_key": ErrorSpec(
        401, C, False, "The API key is not known here.", "Use one of the keys in client_keys."
    ),
    "auth.forbidden_origin": ErrorSpec(
        403,
        C,
        False,
        "Requests from this web origin are refused.",
        "Add the origin to cors_origins if it is yours.",
    ),
    "auth.forbidden_host": ErrorSpec(
        403,
        C,
        False,
        "The Host header does not name this machine.",
        "Without client_keys only loopback names are served.",
    ),
    # --- the content of a request
    "request.invalid_json": ErrorSpec(400, C, False, "The request body is not valid JSON: {reason}."),
    "request.duplicate_key": ErrorSpec(400, C, False, "The request body repeats a top-level key."),
    "request.missing_field": ErrorSpec(400, C, False, "The field {path} is required."),
    "request.invalid_field": ErrorSpec(400, C, False, "The field {path} is not valid: {reason}."),
    "request.too_deep": ErrorSpec(400, C, False, "The request body is nested too deeply."),
    "translation.refused": ErrorSpec(
        400,
        C,
        False,
        "Strict mode: the target cannot express {losses}.",
        "Drop these fields, choose another model, or set translation_losses=record.",
    ),
    # --- what is kept for the Responses protocol
    "responses.not_found": ErrorSpec(404, C, False, "Nothing with the id {id} is kept here."),
    "responses.previous_not_found": ErrorSpec(
        400,
        C,
        False,
        "The previous response {id} is not kept here.",
        "It may have expired, or been made with store=false or by another key: send the whole history as input.",
    ),
    "responses.conversation_not_found": ErrorSpec(404, C, False, "The conversation {id} is not kept here."),
    "responses.not_kept": ErrorSpec(
        400,
        C,
        False,
        "Responses are not kept here.",
        "Send the whole history as input, or set responses_store=memory.",
    ),
    # --- choosing where it goes
    "route.no_match": ErrorSpec(404, C, False, "The model {model} is not known here."),
    "route.unsupported": ErrorSpec(
        404,
        C,
        False,
        "The provider {provider} does not serve {path}.",
        "Name a model of a provider that does, or set passthrough_provider for calls that name none.",
    ),
    "provider.not_configured": ErrorSpec(
        503,
        O,
        False,
        "The provider {provider} has no API key.",
        "Set {setting} (environment {variable}) and restart, or have another model serve these: "
        "tgw config set model_provider_routes '{pattern}→MODEL' (tgw models lists what there is).",
    ),
    "gateway.loop": ErrorSpec(
        508,
        O,
        False,
        "This request has already passed through this gateway.",
        "A base URL points the gateway at itself.",
    ),
    # --- the upstream
    "upstream.connect_failed": ErrorSpec(502, U, True, "No connection to {provider}: {reason}."),
    "upstream.blocked": ErrorSpec(
        502,
        O,
        False,
        "local_only is on: no connection is made to {provider}.",
        "Set local_only=false to allow it.",
    ),
    "upstream.timeout": ErrorSpec(504, U, True, "{provider} did not answer in time ({phase}, {seconds} s)."),
    "upstream.bad_response": ErrorSpec(
        502, U, True, "{provider} sent an answer that is not valid: {reason}."
    ),
    "upstream.cut": ErrorSpec(502, U, True, "{provider} closed the connection before the end of its answer."),
    "upstream.error": ErrorSpec(502, U, True, "{provider} reported an error: {reason}."),
    # --- ourselves
    "gateway.overloaded": ErrorSpec(503, G, True, "The gateway has too many open connections."),
    "gateway.shutting_down": ErrorSpec(503, G, True, "The gateway is shutting down."),
    "gateway.ledger_unavailable": ErrorSpec(
        503,
        G,
        True,
        "The ledger's journal cannot be written: {reason}.",
        "Free disk space or fix the permissions of the home directory.",
    ),
    "gateway.internal": ErrorSpec(
        500, G, True, "An internal error occurred.", "The log has the details under this request id."
    ),
    # --- the operator's input
    "config.invalid": ErrorSpec(500, O, False, "{reason}"),
}


class GatewayError(Exception):
    """An error with a code from `ERRORS`.

    `retry_after`: seconds, already decided (an upstream's own value passes through).
    `status`: overrides the table's status; used to keep an upstream's status.
    """

    __slots__ = ("code", "details", "hint", "message", "retry_after", "status")

    def __init__(
        self,
        code: str,
        *,
        hint: str | None = None,
        status: int | None = None,
        retry_after: str | None = None,
        **details: object,
    ) -> None:
        spec = ERRORS[code]
        self.code = code
        self.details = details
        self.status = spec.status if status is None else status
        self.message = spec.message.format(**details)
        self.hint = spec.hint.format(**details) if hint is None else hint
        self.retry_after = retry_after
        super().__init__(self.text)

    @property
    def text(self) -> str:
        """Message and hint in one line, as a client reads it."""
        return f"{self.message} {self.hint}" if self.hint else self.message

    @property
    def fault(self) -> Fault:
        return ERRORS[self.code].fault

    @property
    def retryable(self) -> bool:
        return ERRORS[self.code].retryable
