"""Counters, gauges and histograms, and their text for Prometheus.

    metrics.requests.inc("/v1/messages", "anthropic", "openai_chat", "200")
    metrics.render()

Label values are positional, in the order of the declaration. Values that strangers choose (a model's name) are bounded:
after `limit` different ones a label says "other", so that no client can fill the memory.

Format: prometheus.io/docs/instrumenting/exposition_formats, text format 0.0.4, read 2026-11-24.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import Final

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
LIMIT: Final = 100
"""Different values of one label, if its declaration says nothing else."""
OTHER: Final = "other"

LATENCY_S: Final = (
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
)
OVERHEAD_S: Final = (0.00002, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)


class Metric:
    """What all kinds share: name, help, labels and the bound on their values. `behind`: called before the metric is read,
    to count what has waited until then."""

    kind = "untyped"
    behind: Callable[[], None] | None = None

    def __init__(self, name: str, about: str, labels: tuple[str, ...] = (), *, limit: int = LIMIT) -> None:
        self.name = name
        self.about = about
        self.labels = labels
        self.limit = limit
        self._seen: tuple[set[str], ...] = tuple(set() for _ in labels)

    def lines(self) -> Iterator[str]:
        """The samples, without HELP and TYPE."""
        raise NotImplementedError

    def catch_up(self) -> None:
        if self.behind is not None:
            self.behind()

    def _admit(self, values: tuple[str, ...]) -> tuple[str, ...]:
        """`values`, with "other" in the place of those that are too many. Called for a new combination only."""
        if len(values) != len(self.labels):
            raise TypeError(f"{self.name} has the labels {self.labels}, not {values}")
        return tuple(self._bound(seen, value) for seen, value in zip(self._seen, values, strict=True))

    def _bound(self, seen: set[str], value: str) -> str:
        if value not in seen:
            if len(seen) >= self.limit:
                return OTHER
            seen.add(value)
        return value


class Counter(Metric):
    """A number that only grows, for each combination of labels."""

    kind = "counter"

    def __init__(self, name: str, about: str, labels: tuple[str, ...] = (), *, limit: int = LIMIT) -> None:
        super().__init__(name, about, labels, limit=limit)
        self._values: dict[tuple[str, ...], int] = {} if labels else {(): 0}

    def inc(self, *labels: str) -> None:
        try:
            self._values[labels] += 1
        except KeyError:
            self.add(1, *labels)

    def add(self, amount: int, *labels: str) -> None:
        values = self._values
        if labels not in values:
            labels = self._admit(labels)
            values.setdefault(labels, 0)
        values[labels] += amount

    def value(self, *labels: str) -> int:
        self.catch_up()
        return self._values.get(labels, 0)

    def lines(self) -> Iterator[str]:
        for values, number in self._values.items():
            yield f"{self.name}{_braces(self.labels, values)} {number}"


class Gauge(Metric):
    """A number that goes up and down. `source`: asked at each rendering, in the place of `set`."""

    kind = "gauge"

    def __init__(
        self,
        name: str,
        about: str,
        labels: tuple[str, ...] = (),
        *,
        limit: int = LIMIT,
        source: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(name, about, labels, limit=limit)
        self.source = source
        self._values: dict[tuple[str, ...], float] = {} if labels else {(): 0}

    def set(self, number: float, *labels: str) -> None:
        self._values[labels if labels in self._values else self._admit(labels)] = number

    def inc(self) -> None:
        self._values[()] += 1

    def dec(self) -> None:
        self._values[()] -= 1

    def value(self, *labels: str) -> float:
        return self.source() if self.source is not None else self._values.get(labels, 0)

    def lines(self) -> Iterator[str]:
        if self.source is not None:
            self._values[()] = self.source()
        for values, number in self._values.items():
            yield f"{self.name}{_braces(self.labels, values)} {_number(number)}"


class Histogram(Metric):
    """How often a measured value fell below each of `bounds` (ascending, in the metric's unit), and their sum."""

    kind = "histogram"

    def __init__(
        self,
        name: str,
        about: str,
        labels: tuple[str, ...] = (),
        *,
        bounds: tuple[float, ...],
        limit: int = LIMIT,
    ) -> None:
        super().__init__(name, about, labels, limit=limit)
        self.bounds = bounds
        # For each combination: the count of each bucket by itself, that above the last bound, the sum.
        self._series: dict[tuple[str, ...], list[float]] = {} if labels else {(): self._empty()}

    def observe(self, value: float, *labels: str) -> None:
        series = self._series.get(labels)
        if series is None:
            series = self._series.setdefault(self._admit(labels), self._empty())
        series[bisect_left(self.bounds, value)] += 1
        series[-1] += value

    def observe_all(self, values: Iterable[int], per_unit: int, *labels: str) -> None:
        """Many at once, as whole numbers of which `per_unit` make one unit of the metric. For a batch that is sorted once
        and then cut at each bound, which costs less than to look for each value's place."""
        series = self._series.get(labels)
        if series is None:
            series = self._series.setdefault(self._admit(labels), self._empty())
        ordered = sorted(values)
        size = len(ordered)
        below = 0
        for number, bound in enumerate(self.bounds):
            within = bisect_right(ordered, bound * per_unit, below)
            series[number] += within - below
            below = within
            if below == size:
                break
        series[len(self.bounds)] += size - below
        series[-1] += sum(ordered) / per_unit

    def count(self, *labels: str) -> int:
        self.catch_up()
        return int(sum(self._series.get(labels, [0])[:-1]))

    def lines(self) -> Iterator[str]:
        for values, series in self._series.items():
            total = 0
            for bound, count in zip((*self.bounds, None), series[:-1], strict=True):
                total += int(count)
                edge = "+Inf" if bound is None else _number(bound)
                yield f"{self.name}_bucket{_braces((*self.labels, 'le'), (*values, edge))} {total}"
            yield f"{self.name}_sum{_braces(self.labels, values)} {_number(series[-1])}"
            yield f"{self.name}_count{_braces(self.labels, values)} {total}"

    def _empty(self) -> list[float]:
        return [0] * (len(self.bounds) + 2)


class Metrics:
    """Everything the gateway measures. `clock`: monotonic seconds."""

    def __init__(self, version: str, clock: Callable[[], float]) -> None:
        began = clock()
        self.requests = Counter(
            "tokligence_requests_total",
            "Finished requests, by endpoint, protocols and status of the answer.",
            ("route", "client_protocol", "upstream_protocol", "status"),
        )
        self.upstream_errors = Counter(
            "tokligence_upstream_errors_total",
            "Failed calls of upstreams, by code and provider.",
            ("code", "provider"),
        )
        self.tokens = Counter(
            "tokligence_tokens_total",
            "Tokens of finished requests; the classes are disjoint, but reasoning is a part of output.",
            ("class", "provider", "model"),
        )
        self.losses = Counter(
            "tokligence_translation_losses_total",
            "What translations could not carry over, by reason.",
            ("reason",),
        )
        self.latency = Histogram(
            "tokligence_request_duration_seconds",
            "From the last byte of a request to the last byte of its answer.",
            ("route", "provider"),
            bounds=LATENCY_S,
        )
        self.ttft = Histogram(
            "tokligence_time_to_first_token_seconds",
            "From the last byte of a request to the first content of its answer.",
            ("provider",),
            bounds=LATENCY_S,
        )
        self.overhead = Histogram(
            "tokligence_overhead_seconds",
            "What the gateway itself added before the first byte of the answer.",
            ("client_protocol", "upstream_protocol"),
            bounds=OVERHEAD_S,
        )
        self.in_flight = Gauge("tokligence_requests_in_flight", "Requests that are being answered.")
        self.connections = Gauge("tokligence_client_connections", "Open connections of clients.")
        self.ledger_backlog = Gauge(
            "tokligence_ledger_backlog_records",
            "Records of the journal that do not stand in the database yet.",
        )
        self.ledger_alarm = Gauge(
            "tokligence_ledger_alarm", "1 while the ledger's database cannot be written."
        )
        self.log_lost = Gauge("tokligence_log_lines_lost", "Lines of the log that could not be written.")
        self.build_info = Gauge("tokligence_build_info", "The version that runs; always 1.", ("version",))
        self.build_info.set(1, version)
        self.uptime = Gauge(
            "tokligence_uptime_seconds", "Since the process started.", source=lambda: clock() - began
        )

    def all(self) -> tuple[Metric, ...]:
        return tuple(metric for metric in vars(self).values() if isinstance(metric, Metric))

    def render(self) -> bytes:
        """All metrics as `CONTENT_TYPE`."""
        lines: list[str] = []
        for metric in self.all():
            metric.catch_up()
            lines.append(f"# HELP {metric.name} {_escape_help(metric.about)}")
            lines.append(f"# TYPE {metric.name} {metric.kind}")
            lines.extend(metric.lines())
        lines.append("")
        return "\n".join(lines).encode("utf-8", "replace")


def _braces(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    if not names:
        return ""
    pairs = ",".join(f'{name}="{_escape_label(value)}"' for name, value in zip(names, values, strict=True))
    return f"{{{pairs}}}"


def _escape_label(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _escape_help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _number(value: float) -> str:
    """Whole numbers without a point, others in the shortest form that reads back as the same."""
    return str(int(value)) if value == int(value) else repr(value)
