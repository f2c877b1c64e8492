"""What the metrics and the log are told of each call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from tokligence.conversation import Loss
from tokligence.ledger.record import CallEnded, Outcome
from tokligence.signals.log import Log
from tokligence.signals.metrics import Metrics

NONE: Final = "none"
LONGEST_NAME: Final = 200
"""Characters of a model's name that are logged: clients choose it."""


class RequestLine(Struct, omit_defaults=True):
    """The fields of the line that each call gets. `ms`: from the request's last byte to the answer's."""

    id: str
    route: str
    status: int
    outcome: str
    model: str
    ms: int
    provider: str | None = None
    key: str | None = None
    error: str | None = None


_ENCODE: Final = msgspec.json.Encoder().encode


class CallObserver:
    """The pipeline's `Observer`. Names, counts and codes only: never what was said."""

    def __init__(self, metrics: Metrics, log: Log) -> None:
        self._metrics = metrics
        self._log = log

    def call_ended(self, record: CallEnded, losses: Iterable[Loss], overhead_us: int | None) -> None:
        metrics = self._metrics
        upstream = record.upstream_protocol or NONE
        provider = record.provider or NONE
        metrics.requests.inc(record.route, record.client_protocol, upstream, str(record.status))
        metrics.latency.observe(record.latency_us / 1e6, record.route, provider)
        if overhead_us is not None:
            metrics.overhead.observe(overhead_us / 1e6, record.client_protocol, upstream)
        if record.ttft_us is not None:
            metrics.ttft.observe(record.ttft_us / 1e6, provider)
        if record.outcome is Outcome.UPSTREAM_ERROR:
            metrics.upstream_errors.inc(record.error_code or NONE, provider)
        self._count_tokens(record, provider)
        for loss in losses:
            metrics.losses.inc(loss.reason.value)
        self._write_lines(record)

    def _count_tokens(self, record: CallEnded, provider: str) -> None:
        model = record.model_served or NONE
        for kind, number in (
            ("input", record.input_tokens),
            ("cache_read", record.cache_read_tokens),
            ("cache_write_5m", record.cache_write_5m_tokens),
            ("cache_write_1h", record.cache_write_1h_tokens),
            ("output", record.output_tokens),
            ("reasoning", record.reasoning_tokens),
        ):
            if number:
                self._metrics.tokens.add(number, kind, provider, model)

    def _write_lines(self, record: CallEnded) -> None:
        log = self._log
        if log.enabled("debug") and record.upstream_protocol not in (None, record.client_protocol):
            log.debug(
                "translation",
                request_id=record.request_id,
                pair=f"{record.client_protocol}→{record.upstream_protocol}",
                model=f"{_short(record.model_asked)} → {record.model_served}",
                losses=record.losses,
            )
        log.encoded(
            "request",
            _ENCODE(
                RequestLine(
                    record.request_id,
                    record.route,
                    record.status,
                    record.outcome,
                    _short(record.model_asked),
                    record.latency_us // 1000,
                    record.provider,
                    record.key_name,
                    record.error_code,
                )
            ),
        )


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
