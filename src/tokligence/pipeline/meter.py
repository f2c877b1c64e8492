"""What one call cost: collected while it runs, booked once, before the answer's last byte."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Protocol

from msgspec import Struct, structs

from tokligence.catalog.models import ModelCard
from tokligence.conversation import Loss, ProtocolId, Usage
from tokligence.ledger.pricing import price
from tokligence.ledger.record import CallEnded, CallStarted, Outcome, UsageSource
from tokligence.pipeline.contract import Principal
from tokligence.pipeline.headers import loss_text


class Book(Protocol):
    """The ledger as the pipeline sees it. Both raise `gateway.ledger_unavailable`."""

    def started(self, record: CallStarted) -> None: ...

    def ended(self, record: CallEnded) -> None: ...


class Observer(Protocol):
    """Metrics and log, told once for each call."""

    def call_ended(self, record: CallEnded, losses: Iterable[Loss], overhead_us: int | None) -> None: ...


class Trace(Struct):
    """The state of one call. Times are those of `time.perf_counter`, seconds.

    `waited`: seconds spent waiting for the upstream before the answer began."""

    request_id: str
    route: str
    protocol: ProtocolId
    received: float
    started_us: int
    principal: Principal
    model_asked: str = ""
    stream: bool = False
    provider: str | None = None
    upstream_protocol: ProtocolId | None = None
    model_served: str | None = None
    card: ModelCard | None = None
    attempts: int = 0
    waited: float = 0.0
    first_content: float | None = None
    overhead_us: int | None = None
    usage: Usage | None = None
    losses: list[Loss] = []
    delivered: int = 0  # tokens of output that the client got, estimated while they pass
    booked: bool = False

    def cost(self) -> int | None:
        """pico-USD; None if the price or the usage is not known."""
        if self.usage is None or self.card is None or self.card.price is None:
            return None
        return price(self.usage, self.card.price)

    def estimate(self, body_bytes: int) -> None:
        """Fill in what the upstream did not tell: a broken or silent answer is booked by what was delivered."""
        if self.attempts == 0 or (self.usage is None and self.delivered == 0):
            return
        told = self.usage or Usage(input=max(1, -(-body_bytes // 4)))
        if self.usage is None or told.output < self.delivered:
            self.usage = structs.replace(told, output=max(told.output, self.delivered), exact=False)


class Meter:
    """Writes traces into the ledger, the metrics and the log."""

    def __init__(self, book: Book, observer: Observer) -> None:
        self._book = book
        self._observer = observer

    def begin(self, trace: Trace) -> None:
        """The start record, before the upstream is called."""
        self._book.started(
            CallStarted(
                trace.request_id,
                trace.started_us,
                trace.route,
                trace.protocol.value,
                trace.stream,
                trace.model_asked,
                trace.principal.key_name,
                trace.principal.user,
                trace.principal.team,
            )
        )

    def end(
        self, trace: Trace, now: float, status: int, outcome: Outcome, error_code: str | None = None
    ) -> None:
        """The end record, once: a second call is ignored, since what the client was given first counts."""
        if trace.booked:
            return
        trace.booked = True
        usage = trace.usage or Usage()
        cost = trace.cost()
        record = CallEnded(
            trace.request_id,
            trace.started_us,
            trace.route,
            trace.protocol.value,
            trace.stream,
            trace.model_asked,
            trace.principal.key_name,
            trace.principal.user,
            trace.principal.team,
            trace.upstream_protocol.value if trace.upstream_protocol else None,
            trace.model_served,
            trace.provider,
            None,
            status,
            outcome,
            error_code,
            trace.attempts,
            usage.input,
            usage.cache_read,
            usage.cache_write_5m,
            usage.cache_write_1h,
            usage.output,
            usage.reasoning,
            _source(trace.usage),
            cost,
            trace.card.price.date if cost is not None and trace.card and trace.card.price else None,
            round((now - trace.received) * 1e6),
            None if trace.first_content is None else round((trace.first_content - trace.received) * 1e6),
            loss_text(trace.losses) if trace.losses else None,
        )
        self._book.ended(record)
        self._observer.call_ended(record, trace.losses, trace.overhead_us)


def wall_us() -> int:
    """Unix microseconds, for the start of a row; durations use the loop's clock."""
    return time.time_ns() // 1000


def _source(usage: Usage | None) -> UsageSource:
    if usage is None:
        return UsageSource.NONE
    return UsageSource.EXACT if usage.exact else UsageSource.ESTIMATED
