"""Records for the ledger's tests: plain ones, of which a test changes what it is about."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec

from tokligence.ledger.record import Attempt, CallEnded, CallStarted, Outcome, UsageSource
from tokligence.ledger.rows import Batch, read_batch

STARTED_US = 1_767_323_045_678_901  # 2026-01-02T03:04:05.678901Z
_numbers = itertools.count(1)


def started(request_id: str | None = None, **changes: Any) -> CallStarted:
    record = CallStarted(
        request_id or f"req_{next(_numbers):06}",
        STARTED_US,
        "/v1/chat/completions",
        "openai_chat",
        True,
        "gpt-4",
        "laptop",
        "ann",
        "red",
    )
    return msgspec.structs.replace(record, **changes)


def ended(request_id: str | None = None, **changes: Any) -> CallEnded:
    begun = started(request_id)
    record = CallEnded(
        *msgspec.structs.astuple(begun),
        upstream_protocol="anthropic",
        model_served="claude-sonnet-4-5",
        provider="anthropic",
        deployment="anthropic/eu",
        status=200,
        outcome=Outcome.OK,
        error_code=None,
        attempts=1,
        input_tokens=100,
        cache_read_tokens=20,
        cache_write_5m_tokens=3,
        cache_write_1h_tokens=4,
        output_tokens=50,
        reasoning_tokens=7,
        usage_source=UsageSource.EXACT,
        cost_picousd=1_234_567_890,
        price_date="2026-01-01",
        latency_us=120_500,
        ttft_us=30_250,
        losses=None,
    )
    return msgspec.structs.replace(record, **changes)


def attempt(**changes: Any) -> Attempt:
    record = Attempt(
        STARTED_US,
        "openai",
        None,
        "openai_chat",
        "gpt-4",
        503,
        Outcome.UPSTREAM_ERROR,
        "upstream.error",
        9_000,
        UsageSource.EXACT,
        input_tokens=10,
    )
    return msgspec.structs.replace(record, **changes)


def batch(*records: CallEnded) -> Batch:
    rows, unreadable = read_batch(msgspec.msgpack.encode(record) for record in records)
    assert not unreadable
    return rows
