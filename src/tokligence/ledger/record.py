"""What is booked of one model call; the columns of the view `usage_log`."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Outcome(StrEnum):
    OK = "ok"
    CLIENT_ERROR = "client_error"
    UPSTREAM_ERROR = "upstream_error"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    BLOCKED = "blocked"


class UsageSource(StrEnum):
    EXACT = "exact"
    ESTIMATED = "estimated"
    NONE = "none"


class CallStarted(Struct, frozen=True, array_like=True, tag="s"):
    """Journalled before the upstream is called. `started_us`: Unix microseconds."""

    request_id: str
    started_us: int
    route: str  # the client's endpoint: "/v1/chat/completions"
    client_protocol: str
    stream: bool
    model_asked: str
    key_name: str | None = None
    user: str | None = None
    team: str | None = None


class CallEnded(Struct, frozen=True, array_like=True, tag="e"):
    """Journalled before the answer's last byte: everything of the row, so that replay needs no other record."""

    request_id: str
    started_us: int
    route: str
    client_protocol: str
    stream: bool
    model_asked: str
    key_name: str | None
    user: str | None
    team: str | None
    upstream_protocol: str | None
    model_served: str | None
    provider: str | None
    deployment: str | None
    status: int
    outcome: Outcome
    error_code: str | None
    attempts: int
    input_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    output_tokens: int
    reasoning_tokens: int
    usage_source: UsageSource
    cost_picousd: int | None  # None: the price is not known
    price_date: str | None
    latency_us: int
    ttft_us: int | None
    losses: str | None  # "path;reason" joined by commas
