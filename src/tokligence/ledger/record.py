"""What is booked of one model call; the columns of the view `usage_log`. Nothing here can refer back to itself, so that the
garbage collector need not look at records while thousands of them wait."""

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


class CallStarted(Struct, frozen=True, array_like=True, tag="s", gc=False):
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


class Attempt(Struct, frozen=True, array_like=True, gc=False):
    """One metered attempt of a call, in the order they were made. `started_us`: Unix microseconds, for display.
    `latency_us`: from the first request byte sent to the last answer byte read."""

    started_us: int
    provider: str | None
    deployment: str | None
    upstream_protocol: str | None
    model_served: str | None
    status: int | None  # None: no answer came
    outcome: Outcome
    error_code: str | None
    latency_us: int
    usage_source: UsageSource
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_picousd: int | None = None
    price_date: str | None = None
    upstream_request_id: str | None = None


class CallEnded(Struct, frozen=True, array_like=True, tag="e", gc=False):
    """Journalled before the answer's last byte: everything of the row, so that replay needs no other record.

    With `usage_source` NONE the token classes are booked as NULL (unknown), whatever stands here. Records of
    an earlier version may lie in a journal, so new fields are added at the end and have a default.
    """

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
    input_audio_tokens: int = 0  # a part of input_tokens
    output_audio_tokens: int = 0  # a part of output_tokens
    web_searches: int = 0
    upstream_request_id: str | None = None
    attempt_log: tuple[Attempt, ...] = ()
