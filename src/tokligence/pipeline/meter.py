"""What one call cost: collected while it runs, booked once, before the answer's last byte."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Final, Protocol

from msgspec import structs

from tokligence.catalog.models import ModelCard
from tokligence.conversation import Loss, ProtocolId, Usage
from tokligence.errors import GatewayError
from tokligence.ledger.pricing import price
from tokligence.ledger.record import CallEnded, CallStarted, Outcome, UsageSource
from tokligence.pipeline.contract import Principal
from tokligence.pipeline.estimate import tokens_of
from tokligence.pipeline.headers import NAME_LIMIT, loss_text


class Book(Protocol):
    """The ledger as the pipeline sees it. Both raise `gateway.ledger_unavailable`."""

    def started(self, record: CallStarted) -> None: ...

    def ended(self, record: CallEnded) -> None: ...


class Observer(Protocol):
    """Metrics and log, told once for each call. The losses are not changed after that."""

    def call_ended(self, record: CallEnded, losses: Sequence[Loss], overhead_us: int | None) -> None: ...


class Trace:
    """The state of one call. Times are those of `time.perf_counter`, seconds; `started_us`: Unix microseconds.

    `waited`: seconds spent waiting for the upstream before the answer began. `output_bytes`: UTF-8 bytes of content
    that went on to the client. `cost`: pico-USD, known at the end. `ended`: booked, or tried to."""

    __slots__ = (
        "attempts",
        "card",
        "cost",
        "ended",
        "first_content",
        "losses",
        "model_asked",
        "model_served",
        "output_bytes",
        "overhead_us",
        "principal",
        "protocol",
        "provider",
        "received",
        "request_id",
        "route",
        "started_us",
        "stream",
        "upstream_protocol",
        "upstream_request_id",
        "usage",
        "waited",
    )

    def __init__(  # noqa: PLR0917 - by position, which takes a fraction of the time
        self,
        request_id: str,
        route: str,
        protocol: ProtocolId,
        received: float,
        started_us: int,
        principal: Principal,
        *,
        card: ModelCard | None = None,
        usage: Usage | None = None,
        output_bytes: int = 0,
        waited: float = 0.0,
    ) -> None:
        self.request_id = request_id
        self.route = route
        self.protocol = protocol
        self.received = received
        self.started_us = started_us
        self.principal = principal
        self.model_asked = ""
        self.stream = False
        self.provider: str | None = None
        self.upstream_protocol: ProtocolId | None = None
        self.model_served: str | None = None
        self.card = card
        self.upstream_request_id: str | None = None
        self.attempts = 0
        self.waited = waited
        self.first_content: float | None = None
        self.overhead_us: int | None = None
        self.usage = usage
        self.losses: list[Loss] = []
        self.output_bytes = output_bytes
        self.cost: int | None = None
        self.ended = False

    def measure(self) -> int:
        """The overhead, microseconds: taken once, when the answer begins."""
        us = self.overhead_us
        if us is None:
            us = int((perf_counter() - self.received - self.waited) * 1e6)
            us = max(us, 0)
            self.overhead_us = us
        return us

    def price(self) -> None:
        """Fill in the cost, which stays unknown with the price or the usage."""
        usage, card = self.usage, self.card
        if usage is not None and card is not None and card.price is not None:
            self.cost = price(usage, card.price)

    def estimate(self, input_tokens: Callable[[], int]) -> None:
        """Fill in what the upstream has not told: a broken or silent answer is booked by what was delivered. An exact
        count stays. `input_tokens`: asked only if not even the input is known."""
        usage = self.usage
        if usage is None:
            if not self.output_bytes:
                return
            usage = Usage(input=input_tokens(), exact=False)
        elif usage.exact or not self.output_bytes:
            return
        self.usage = structs.replace(
            usage, output=max(usage.output, tokens_of(self.output_bytes)), exact=False
        )


class Meter:
    """Writes traces into the ledger, the metrics and the log."""

    def __init__(self, book: Book, observer: Observer) -> None:
        self.book = book
        self.observer = observer

    def begin(self, trace: Trace) -> None:
        """The start record, before the upstream is called. Raises `gateway.ledger_unavailable`."""
        principal = trace.principal
        self.book.started(
            CallStarted(
                trace.request_id,
                trace.started_us,
                trace.route,
                WORD[trace.protocol],
                trace.stream,
                trace.model_asked[:NAME_LIMIT],
                principal.key_name,
                principal.user,
                principal.team,
            )
        )

    def end(self, trace: Trace, status: int, outcome: Outcome, error_code: str | None = None) -> None:
        """The end record, once: a second call is ignored, since what the client was given first counts. `status`: as
        the client sees it. Raises `gateway.ledger_unavailable`; a call that had begun is then booked as interrupted
        when the journal is read, and must not look complete to its client."""
        if trace.ended:
            return
        trace.ended = True
        trace.price()
        record = _record(trace, perf_counter(), status, outcome, error_code)
        try:
            self.book.ended(record)
        except GatewayError as error:
            record = structs.replace(record, outcome=Outcome.INTERRUPTED, error_code=error.code)
            raise
        finally:
            self.observer.call_ended(record, trace.losses, trace.measure())


def _record(trace: Trace, now: float, status: int, outcome: Outcome, error_code: str | None) -> CallEnded:
    usage, principal, received = trace.usage, trace.principal, trace.received
    asked, served, upstream = trace.model_asked, trace.model_served, trace.upstream_protocol
    first, cost, card = trace.first_content, trace.cost, trace.card
    if usage is None:
        usage, source = _NOTHING, _NONE
    else:
        source = _EXACT if usage.exact else _ESTIMATED
    if len(asked) > NAME_LIMIT:
        asked = asked[:NAME_LIMIT]
    if served is not None and len(served) > NAME_LIMIT:
        served = served[:NAME_LIMIT]
    return CallEnded(
        trace.request_id,
        trace.started_us,
        trace.route,
        WORD[trace.protocol],
        trace.stream,
        asked,
        principal.key_name,
        principal.user,
        principal.team,
        None if upstream is None else WORD[upstream],
        served,
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
        source,
        cost,
        None if cost is None or card is None or card.price is None else card.price.date,
        int((now - received) * 1e6),
        None if first is None else int((first - received) * 1e6),
        loss_text(trace.losses) if trace.losses else None,
        usage.input_audio,
        usage.output_audio,
        usage.web_searches,
        trace.upstream_request_id,
    )


WORD: Final = {protocol: protocol.value for protocol in ProtocolId}
# A member looked up on its class costs several times as much.
_NONE, _EXACT, _ESTIMATED = UsageSource.NONE, UsageSource.EXACT, UsageSource.ESTIMATED
_NOTHING = Usage()


def wall_us() -> int:
    """Unix microseconds, for the start of a row; durations use `perf_counter`."""
    return time.time_ns() // 1000
