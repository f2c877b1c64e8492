"""What stands at which path, and in whose shape an error is written there. Tables."""

from __future__ import annotations

from enum import Enum
from typing import Final

from msgspec import Struct

from tokligence.conversation import ProtocolId
from tokligence.wire.gemini.paths import parse_target

CHAT, ANTHROPIC = ProtocolId.OPENAI_CHAT, ProtocolId.ANTHROPIC
RESPONSES: Final = ProtocolId.OPENAI_RESPONSES


class Does(Enum):
    """What an endpoint does."""

    MODEL_CALL = "model call"
    COUNT_TOKENS = "count tokens"
    FORWARD = "pass on"
    RESPONSES = "responses with their state"
    GENERATE = "model call that its path describes"
    MODELS = "list models"
    MODEL = "show a model"
    ROOT = "greet"
    HEALTH = "health"
    LIVEZ = "alive"
    READYZ = "ready"
    METRICS = "metrics"
    STATUS = "status"
    ALL_MODELS = "list models for the command line"
    STOP = "stop"
    RELOAD = "reload"
    FLUSH = "flush"


class Shape(Enum):
    """Whose shape an error is written in."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GOOGLE = "google"


class Endpoint(Struct, frozen=True):
    """`names_model`: the body of a call that is passed on may say which model is meant."""

    does: Does
    methods: tuple[str, ...]
    protocol: ProtocolId = CHAT
    open: bool = False  # answers without a key
    names_model: bool = False


GET: Final = ("GET", "HEAD")
POST: Final = ("POST",)
ANY: Final = ("GET", "POST", "DELETE")
FORWARD: Final = Endpoint(Does.FORWARD, POST, names_model=True)

ENDPOINTS: Final[dict[str, Endpoint]] = {
    "/v1/chat/completions": Endpoint(Does.MODEL_CALL, POST, CHAT),
    "/v1/messages": Endpoint(Does.MODEL_CALL, POST, ANTHROPIC),
    "/v1/messages/count_tokens": Endpoint(Does.COUNT_TOKENS, POST, ANTHROPIC),
    "/v1/models": Endpoint(Does.MODELS, GET),
    "/v1/embeddings": FORWARD,
    "/v1/completions": FORWARD,
    "/v1/moderations": FORWARD,
    "/v1/rerank": FORWARD,
    "/v1/images/generations": FORWARD,
    "/v1/images/edits": FORWARD,
    "/v1/images/variations": FORWARD,
    "/v1/audio/speech": FORWARD,
    "/v1/audio/transcriptions": FORWARD,
    "/v1/audio/translations": FORWARD,
    "/": Endpoint(Does.ROOT, GET, open=True),
    "/health": Endpoint(Does.HEALTH, GET, open=True),
    "/livez": Endpoint(Does.LIVEZ, GET, open=True),
    "/readyz": Endpoint(Does.READYZ, GET, open=True),
    "/metrics": Endpoint(Does.METRICS, GET),
    "/admin/api/v1/status": Endpoint(Does.STATUS, GET),
    "/admin/api/v1/models": Endpoint(Does.ALL_MODELS, GET),
    "/admin/api/v1/stop": Endpoint(Does.STOP, POST),
    "/admin/api/v1/reload": Endpoint(Does.RELOAD, POST),
    "/admin/api/v1/flush": Endpoint(Does.FLUSH, POST),
}

MODEL: Final = Endpoint(Does.MODEL, GET)
GENERATE: Final = Endpoint(Does.GENERATE, POST, ProtocolId.GEMINI)
SOCKET: Final = "/v1/responses"
"""Where a client may open a WebSocket."""

FILES: Final = "/v1/files"
FAMILIES: Final[dict[str, Endpoint]] = {
    "/v1/responses": Endpoint(Does.RESPONSES, ANY, RESPONSES),
    "/v1/conversations": Endpoint(Does.RESPONSES, ANY, RESPONSES),
    FILES: Endpoint(Does.FORWARD, ANY),
    "/v1/batches": Endpoint(Does.FORWARD, ANY),
    "/v1/uploads": Endpoint(Does.FORWARD, ANY),
    "/v1/vector_stores": Endpoint(Does.FORWARD, ANY),
    "/v1/messages/batches": Endpoint(Does.FORWARD, ANY, ANTHROPIC),
}
"""Endpoints that serve whatever stands below their path too."""

ADMIN: Final = frozenset({Does.STATUS, Does.ALL_MODELS, Does.STOP, Does.RELOAD, Does.FLUSH})
"""Endpoints for the command line of this machine: they want the token of the run directory, not a client key."""

MODELS: Final = "/v1/models"
MODEL_PREFIX: Final = "/v1/models/"
GOOGLE_VERSION: Final = "/v1beta/"
VENDOR_PREFIXES: Final = ("/openai", "/anthropic", "/genai")
"""Each vendor's paths also serve below its name."""

ERROR_SHAPES: Final = {
    "/anthropic": Shape.ANTHROPIC,
    "/v1/messages": Shape.ANTHROPIC,
    "/v1beta": Shape.GOOGLE,
    "/genai": Shape.GOOGLE,
}
"""By the beginning of a path; `Shape.OPENAI` elsewhere."""


def find(path: str) -> tuple[Endpoint | None, str]:
    """The endpoint at a path and the path without the vendor's prefix."""
    endpoint = ENDPOINTS.get(path)
    if endpoint is not None:
        return endpoint, path
    plain = _plain(path)
    if plain.startswith(GOOGLE_VERSION):
        plain = "/v1/" + plain.removeprefix(GOOGLE_VERSION)
    if plain.startswith(MODEL_PREFIX) and parse_target(plain) is not None:
        return GENERATE, plain
    if plain.startswith(MODEL_PREFIX) and len(plain) > len(MODEL_PREFIX):
        return MODEL, plain
    return ENDPOINTS.get(plain) or FAMILIES.get(family(plain)), plain


def family(plain: str) -> str:
    """The path of the endpoint that serves `plain`, without what stands below it."""
    for path in FAMILIES:
        if plain == path or plain.startswith(f"{path}/"):
            return path
    return plain


def error_shape(path: str) -> Shape:
    """Whose error shape a client at this path expects."""
    if parse_target(path) is not None:
        return Shape.GOOGLE
    for prefix, shape in ERROR_SHAPES.items():
        if path.startswith(prefix):
            return shape
    return Shape.OPENAI


def is_shared(path: str) -> bool:
    """Whether a path without a vendor's prefix may be meant for either vendor: lists of models, files."""
    return path == MODELS or path.startswith(MODEL_PREFIX) or family(path) == FILES


def _plain(path: str) -> str:
    for prefix in VENDOR_PREFIXES:
        if path == prefix or path == prefix + "/":
            return "/"
        if path.startswith((prefix + "/v1/", prefix + GOOGLE_VERSION)):
            return path[len(prefix) :]
    return path
