"""Reading the ledger: recent calls, and sums by model, provider, day or key. Read-only, with or without a daemon.

A reader sees what is posted; calls that only the journal knows appear with the next flush or start.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final, Self

from msgspec import Struct, convert

from tokligence.errors import GatewayError

_BUSY_TIMEOUT: Final = 5.0  # seconds; a reader waits only while the write-ahead log is recovered


class UsageRow(Struct, frozen=True):
    """One row of the view `usage_log`. `started_at`: UTC, ISO 8601 with milliseconds. None: not known."""

    request_id: str
    started_at: str | None
    route: str | None
    client_protocol: str | None
    upstream_protocol: str | None
    stream: bool | None
    model_asked: str | None
    model_served: str | None
    provider: str | None
    deployment: str | None
    key_name: str | None
    user: str | None
    team: str | None
    status: int | None
    outcome: str
    error_code: str | None
    attempts: int | None
    input_tokens: int | None
    cache_read_tokens: int | None
    cache_write_5m_tokens: int | None
    cache_write_1h_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    usage_source: str | None
    cost_microusd: int | None
    price_date: str | None
    latency_ms: float | None
    ttft_ms: float | None
    losses: str | None
    firewall_findings: int | None
    direction: str


class Grouping(StrEnum):
    """By what calls are summed."""

    MODEL = "model"  # the one that served, else the one asked for
    PROVIDER = "provider"
    DAY = "day"  # UTC
    KEY = "key"
    USER = "user"
    TEAM = "team"


_EXPRESSIONS: Final = {
    Grouping.MODEL: "coalesce(model_served, model_asked)",
    Grouping.PROVIDER: "provider",
    Grouping.DAY: "date(started_us / 1000000, 'unixepoch')",
    Grouping.KEY: "key_name",
    Grouping.USER: '"user"',
    Grouping.TEAM: "team",
}


class UsageSum(Struct, frozen=True, array_like=True):
    """The calls of one group. `group`: its values in the order asked for. `failed`: calls whose outcome is not ok.
    Tokens are disjoint classes, `reasoning_tokens` a part of output. `cost_picousd`: of the calls whose price is
    known; `unpriced`: the number of the others. `estimated`: calls whose tokens are an estimate."""

    group: tuple[str | None, ...]
    calls: int
    failed: int
    estimated: int
    unpriced: int
    input_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_picousd: int


# The cost is summed in two halves: SQLite's sum of integers fails above 2^63 (9.2 million USD in pico-USD).
_SUMS: Final = """
    count(*),
    sum(outcome <> 'ok'),
    sum(usage_source = 'estimated'),
    sum(cost_picousd IS NULL),
    coalesce(sum(input_tokens), 0),
    coalesce(sum(cache_read_tokens), 0),
    coalesce(sum(cache_write_5m_tokens), 0),
    coalesce(sum(cache_write_1h_tokens), 0),
    coalesce(sum(output_tokens), 0),
    coalesce(sum(reasoning_tokens), 0),
    coalesce(sum(cost_picousd / 1000000), 0),
    coalesce(sum(cost_picousd % 1000000), 0)
"""


class UsageReader:
    """A read-only look into the ledger at `path`. Use as a context manager, from one thread."""

    def __init__(self, path: Path) -> None:
        """Raises GatewayError `config.invalid` when there is no ledger to read."""
        self._path = path
        try:
            self._db = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=_BUSY_TIMEOUT, isolation_level=None
            )
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    def recent(self, limit: int = 20, since_us: int | None = None) -> list[UsageRow]:
        """The last `limit` calls booked, newest first. `since_us`: Unix microseconds; calls that began earlier are left
        out. Raises GatewayError `config.invalid` when the database cannot be read."""
        # The view has no Unix time; its text sorts as time does.
        sql = """SELECT * FROM usage_log WHERE ?1 IS NULL OR started_at >= strftime('%Y-%m-%dT%H:%M:%S', ?1 / 1000000,
            'unixepoch') || printf('.%03dZ', ?1 / 1000 % 1000) LIMIT ?2"""
        with self._reading():
            cursor = self._db.execute(sql, (since_us, limit))
            names = [column[0] for column in cursor.description]
            return [convert(dict(zip(names, row, strict=True)), UsageRow, strict=False) for row in cursor]

    def summary(self, by: Sequence[Grouping] = (), since_us: int | None = None) -> list[UsageSum]:
        """Sums per group (none: one of all), the dearest first, or in the order of time when `by` begins with DAY.
        `since_us`: Unix microseconds. Raises GatewayError `config.invalid` when the database cannot be read."""
        columns = [_EXPRESSIONS[grouping] for grouping in by]
        places = ", ".join(str(place) for place in range(1, len(by) + 1))
        order = places if by and by[0] is Grouping.DAY else "total(cost_picousd) DESC, count(*) DESC"
        sql = f"""SELECT {"".join(f"{column}, " for column in columns)} {_SUMS} FROM calls
            WHERE ?1 IS NULL OR started_us >= ?1 {f"GROUP BY {places}" if by else "HAVING count(*) > 0"}
            ORDER BY {order}"""  # noqa: S608 - made of our own names
        with self._reading():
            return [_sum(row, len(by)) for row in self._db.execute(sql, (since_us,))]

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: sqlite3.Error) -> GatewayError:
        return GatewayError("config.invalid", reason=f"the ledger {self._path} cannot be read: {error}")


def _sum(row: tuple[str | int | None, ...], groups: int) -> UsageSum:
    *sums, micro, rest = (int(value or 0) for value in row[groups:])
    group = [None if value is None else str(value) for value in row[:groups]]
    return convert((group, *sums, micro * 1_000_000 + rest), UsageSum)
