"""What the metrics and the log are told of each call.

While calls run their records are only put aside. They are counted and written together, which costs a fraction: when a
metric is read, when the log wants to write (each 0.2 s, and at the end), or when `BATCH` of them wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from tokligence.conversation import Loss
from tokligence.ledger.record import CallEnded, Outcome
from tokligence.signals.log import MS, Log, line_head
from tokligence.signals.metrics import Metrics

NONE: Final = "none"
LONGEST_NAME: Final = 200
"""Characters of a model's name that are logged: clients choose it."""
BATCH: Final = 512
KINDS: Final = 1024
"""Kinds of calls that are remembered: clients choose the names of models, and so how many there are."""
TOKENS: Final = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning")
MICROSECONDS: Final = 1_000_000

_encode: Final = msgspec.json.Encoder().encode
# Positions in a record as a tuple, which is read several times as fast.
_column: Final = {name: position for position, name in enumerate(CallEnded.__struct_fields__)}
_STARTED, _LATENCY, _TTFT = (_column[name] for name in ("started_us", "latency_us", "ttft_us"))
_TOKENS: Final = tuple((name, itemgetter(_column[f"{name}_tokens"])) for name in TOKENS)
_latency_of, _ttft_of = itemgetter(_LATENCY), itemgetter(_TTFT)
_KIND: Final = slice(_column["route"], _column["attempts"])
"""What stands between is names, protocols, status and outcome: all labels, and all that a line says of its kind."""


class _Call(Struct):
    """The fields of a call's line between its id and its duration."""

    route: str
    status: int
    outcome: str
    model: str


class _Rest(Struct, omit_defaults=True):
    """Those behind it."""

    provider: str | None = None
    key: str | None = None
    error: str | None = None


class _Kind:
    """Calls that share all labels and names. `head`, `middle`, `tail`: their line in the log, less its beginning and what is
    each one's own: the request id behind the head, the duration behind the middle. `rows`, `overheads`: of those that
    wait."""

    __slots__ = ("head", "middle", "overheads", "record", "rows", "tail")

    def __init__(self, record: CallEnded) -> None:
        call = _Call(record.route, record.status, record.outcome, _short(record.model_asked))
        rest = _encode(_Rest(record.provider, record.key_name, record.error_code))[1:].decode()
        self.record = record
        self.head = f'{line_head("info", "request")}"id":"'
        self.middle = f'",{_encode(call)[1:-1].decode()},"ms":'
        self.tail = f"{'' if rest == '}' else ','}{rest}\n"
        self.rows: list[tuple[Any, ...]] = []
        self.overheads: list[int] = []


class CallObserver:
    """The pipeline's `Observer`. Names, counts and codes only: never what was said."""

    def __init__(self, metrics: Metrics, log: Log) -> None:
        self._metrics = metrics
        self._log = log
        self._waiting: list[tuple[CallEnded, Sequence[Loss], int | None]] = []
        self._kinds: dict[object, _Kind] = {}
        log.behind = self.settle
        for metric in (
            metrics.requests,
            metrics.upstream_errors,
            metrics.tokens,
            metrics.losses,
            metrics.latency,
            metrics.overhead,
            metrics.ttft,
        ):
            metric.behind = self.settle

    def call_ended(self, record: CallEnded, losses: Sequence[Loss], overhead_us: int | None) -> None:
        waiting = self._waiting
        waiting.append((record, losses, overhead_us))
        if len(waiting) >= BATCH:
            self.settle()

    def settle(self) -> None:
        """Counts what waits, and gives its lines to the log, in the order in which the calls ended."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        log, kinds = self._log, self._kinds
        informs, debugs = log.enabled("info"), log.enabled("debug")
        lines: list[str] = []
        touched: list[_Kind] = []
        base, beginning = -2 * MICROSECONDS, ""  # the second to which `beginning` belongs
        latest: object = None
        kind: _Kind
        for record, losses, overhead_us in waiting:
            row = astuple(record)
            name = row[_KIND]
            if name != latest:  # most are like the one before
                latest = name
                kind = kinds.get(name) or self._new_kind(name, record)
            rows = kind.rows
            if not rows:
                touched.append(kind)
            rows.append(row)
            if overhead_us is not None:
                kind.overheads.append(overhead_us)
            if losses:
                self._count_losses(losses)
            if debugs:
                lines += self._translation(record)
            if informs:
                us = row[_STARTED] + row[_LATENCY] - base
                if not 0 <= us < MICROSECONDS:
                    second, us = divmod(base + us, MICROSECONDS)
                    base, beginning = second * MICROSECONDS, log.beginning(second)
                lines.append(
                    f"{beginning}{MS[us // 1000]}{kind.head}{row[0]}{kind.middle}{row[_LATENCY] // 1000}{kind.tail}"
                )
        for kind in touched:
            self._count(kind)
        if lines:
            log.add(lines)

    def _new_kind(self, name: object, record: CallEnded) -> _Kind:
        kinds = self._kinds
        if len(kinds) >= KINDS:
            kinds.clear()  # those that wait are in `touched` as well
        kind = kinds[name] = _Kind(record)
        return kind

    def _count_losses(self, losses: Iterable[Loss]) -> None:
        for loss in losses:
            self._metrics.losses.inc(loss.reason.value)

    def _count(self, kind: _Kind) -> None:
        """Into the metrics what waits of this kind."""
        metrics, record = self._metrics, kind.record
        rows, number = kind.rows, len(kind.rows)
        upstream = record.upstream_protocol or NONE
        provider = record.provider or NONE
        model = record.model_served or NONE
        metrics.requests.add(number, record.route, record.client_protocol, upstream, str(record.status))
        metrics.latency.observe_all(map(_latency_of, rows), MICROSECONDS, record.route, provider)
        if kind.overheads:
            metrics.overhead.observe_all(kind.overheads, MICROSECONDS, record.client_protocol, upstream)
            kind.overheads.clear()
        firsts = [us for us in map(_ttft_of, rows) if us is not None]
        if firsts:
            metrics.ttft.observe_all(firsts, MICROSECONDS, provider)
        if record.outcome is Outcome.UPSTREAM_ERROR:
            metrics.upstream_errors.add(number, record.error_code or NONE, provider)
        for name, tokens_of in _TOKENS:
            total = sum(map(tokens_of, rows))
            if total:
                metrics.tokens.add(total, name, provider, model)
        rows.clear()

    def _translation(self, record: CallEnded) -> list[str]:
        """The line of its own that a translated call gets at `debug`."""
        if record.upstream_protocol in (None, record.client_protocol):
            return []
        fields: dict[str, object] = {
            "request_id": record.request_id,
            "pair": f"{record.client_protocol}→{record.upstream_protocol}",
            "model": f"{_short(record.model_asked)} → {record.model_served}",
            "losses": record.losses,
        }
        us = record.started_us + record.latency_us
        return [self._log.line("debug", "translation", us, fields)]


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
