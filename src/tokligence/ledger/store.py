"""Where rows live: the contract of a store, and SQLite in WAL mode.

One writer, any number of readers: in WAL mode neither waits for the other, except for another *writer*'s lock,
which a person's `sqlite3` session can hold. Posting is idempotent by request id; only an `interrupted` row gives
way to the real one.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple, Protocol, cast

from tokligence.errors import GatewayError
from tokligence.ledger.record import Outcome, UsageSource
from tokligence.ledger.rows import ATTEMPT_COLUMNS, CALL_COLUMNS, Batch, Row, Value, storable
from tokligence.ledger.schema import MIGRATIONS

_BUSY_TIMEOUT: Final = 0.25  # seconds; the poster retries, and has other things to do meanwhile
_OPEN_TIMEOUT: Final = 5.0  # seconds

# Rows per INSERT. Each statement lets other threads run twice; row by row, the event loop's thread and the
# poster's hand the interpreter to each other so often that a row costs three times as much.
_CHUNKS: Final = (100, 10, 1)

# Binding a value costs as much as storing it, and calls that are posted together mostly share theirs. Where all rows of a
# chunk have the same in all columns of a group, each of these is bound once.
_KIND: Final = (
    "route",
    "client_protocol",
    "stream",
    "model_asked",
    "key_name",
    "user",
    "team",
    "upstream_protocol",
    "model_served",
    "provider",
    "deployment",
    "status",
    "outcome",
    "error_code",
    "attempts",
    "usage_source",
    "price_date",
    "losses",
)
_SELDOM: Final = (
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "web_searches",
)
"""Mostly zero."""

# The sqlite3 module asks whether a value can be adapted each time one is bound that is no plain number or text, which
# took 40 % of a row's cost. These answer at once.
_NONE_TO_NONE: Final[dict[None, None]] = {}
sqlite3.register_adapter(type(None), _NONE_TO_NONE.get)
sqlite3.register_adapter(bool, int)
for _word in (Outcome, UsageSource):
    sqlite3.register_adapter(_word, str.__str__)

_ROW_ERRORS: Final = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    UnicodeEncodeError,
)
"""What the content of a row can cause; everything else is the database's own trouble."""


class StoreUnavailable(Exception):
    """The database cannot take rows now; it may later."""


class Store(Protocol):
    """What any database offers to the poster, which calls it from one thread."""

    def post(self, batch: Batch) -> list[Row]:
        """Books the batch in one transaction and returns the rows that the database refuses for their content. A request id that is booked already is left as it is, unless that row is an interrupted one.
        Raises StoreUnavailable; then nothing is booked."""
        ...

    def sync(self) -> None:
        """Returns when all that was posted would survive a loss of power. Raises StoreUnavailable."""
        ...

    def close(self) -> None: ...


class SqliteStore:
    """A ledger in the file `path`. Opened in one thread, used by another."""

    def __init__(self, path: Path) -> None:
        """Makes or migrates the file. Raises GatewayError `config.invalid` when that cannot be."""
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        try:
            self._db = self._connect(_OPEN_TIMEOUT)
            self._db.execute(f"PRAGMA busy_timeout = {int(_BUSY_TIMEOUT * 1000)}")
            _check_writable(self._db)
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise GatewayError(
                "config.invalid", reason=f"ledger_path: {path} cannot be used: {error}"
            ) from error

    def post(self, batch: Batch) -> list[Row]:
        try:
            db = self._connection()
            try:
                self._insert(db, batch)
            except _ROW_ERRORS:
                return self._insert_each(db, batch)
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)
            raise StoreUnavailable(str(error)) from error
        return []

    def sync(self) -> None:
        try:
            db = self._connection()
            # With FULL a commit syncs the whole write-ahead log; writing the version again makes it one page long.
            db.execute("PRAGMA synchronous = FULL")
            db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
            db.execute("PRAGMA synchronous = NORMAL")
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)
            raise StoreUnavailable(str(error)) from error

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _connection(self) -> sqlite3.Connection:
        """The open connection; a new one after trouble, or when someone has moved the file away: SQLite would go
        on writing to a file that no longer has a name."""
        if self._db is not None and _identity(self._path) != self._file:
            self.close()
        if self._db is None:
            self._db = self._connect(_BUSY_TIMEOUT)
        return self._db

    def _connect(self, timeout: float) -> sqlite3.Connection:
        _create_private(self._path)
        db = sqlite3.connect(self._path, timeout=timeout, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            _migrate(db)
        except sqlite3.Error:
            db.close()
            raise
        self._file = _identity(self._path)
        return db

    def _give_up(self, error: Exception) -> None:
        """A lock passes; after anything else start afresh."""
        if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY:
            self.close()

    def _insert(self, db: sqlite3.Connection, batch: Batch) -> None:
        variables = db.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
        db.execute("BEGIN IMMEDIATE")
        try:
            _insert_calls(db, batch.calls, variables)
            _insert_rows(db, _INSERT_ATTEMPTS, batch.attempts, variables)
            db.execute("COMMIT")
        except (sqlite3.Error, *_ROW_ERRORS):
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def _insert_each(self, db: sqlite3.Connection, batch: Batch) -> list[Row]:
        """One row at a time, so that the row that cannot be booked does not stop the others."""
        refused = []
        for single in [Batch([row], []) for row in batch.calls] + [
            Batch([], [row]) for row in batch.attempts
        ]:
            bounded = Batch(*([_storable_row(row) for row in rows] for rows in single))
            if not (self._inserted(db, single) or self._inserted(db, bounded)):
                refused += single.calls + single.attempts
        return refused

    def _inserted(self, db: sqlite3.Connection, batch: Batch) -> bool:
        try:
            self._insert(db, batch)
        except _ROW_ERRORS:
            return False
        return True


def _storable_row(row: Row) -> Row:
    return [cast("Value", storable(value)) for value in row]


def _insert_sql(table: str, columns: Sequence[str], conflict: str) -> dict[int, str]:
    """The statement for each chunk size."""
    row = f"({', '.join('?' * len(columns))})"
    head = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "  # noqa: S608 - our own names
    return {size: f"{head}{', '.join([row] * size)} {conflict}" for size in _CHUNKS}


class _Shared(NamedTuple):
    """Statements for chunks whose rows are alike in some columns. `alike`, `own`: their positions, and those of the
    others, of which the values of one column follow each other. `sql`: by chunk size."""

    alike: tuple[int, ...]
    own: tuple[int, ...]
    sql: dict[int, str]


def _shared_sql(columns: Sequence[str], alike: Sequence[str], conflict: str) -> _Shared:
    first = tuple(columns.index(name) for name in alike)
    others = tuple(i for i, name in enumerate(columns) if name not in alike)
    head = f"INSERT INTO calls ({', '.join(columns)}) VALUES "  # noqa: S608 - our own names
    sql = {}
    for size in _CHUNKS[:-1]:
        rows = []
        for row in range(size):
            number = {i: n for n, i in enumerate(first, 1)}
            number |= {i: len(first) + n * size + row + 1 for n, i in enumerate(others)}
            rows.append(f"({', '.join(f'?{number[i]}' for i in range(len(columns)))})")
        sql[size] = f"{head}{', '.join(rows)} {conflict}"
    return _Shared(first, others, sql)


_UPDATES = ", ".join(f"{column} = excluded.{column}" for column in CALL_COLUMNS[1:])
_ON_BOOKED: Final = f"ON CONFLICT (request_id) DO UPDATE SET {_UPDATES} WHERE calls.outcome = 'interrupted'"
_INSERT_CALLS: Final = _insert_sql("calls", CALL_COLUMNS, _ON_BOOKED)
_SHARING: Final = tuple(_shared_sql(CALL_COLUMNS, alike, _ON_BOOKED) for alike in ((*_KIND, *_SELDOM), _KIND))
_INSERT_ATTEMPTS: Final = _insert_sql(
    "attempts", ATTEMPT_COLUMNS, "ON CONFLICT (request_id, number) DO NOTHING"
)


def _insert_calls(db: sqlite3.Connection, rows: Sequence[Row], variables: int) -> None:
    """`variables`: how many a statement may have (999 before SQLite 3.32)."""
    position = 0
    for size in _CHUNKS[:-1]:
        while len(rows) - position >= size:
            chunk = rows[position : position + size]
            if not _insert_alike(db, chunk, variables):
                _insert_rows(db, _INSERT_CALLS, chunk, variables)
            position += size
    _insert_rows(db, _INSERT_CALLS, rows[position:], variables)


def _insert_alike(db: sqlite3.Connection, chunk: Sequence[Row], variables: int) -> bool:
    """Inserts the chunk, if its rows share enough."""
    columns = list(zip(*chunk, strict=True))
    size = len(chunk)
    for shared in _SHARING:
        if len(shared.alike) + size * len(shared.own) > variables:
            continue
        if all(columns[i].count(columns[i][0]) == size for i in shared.alike):
            values = [columns[i][0] for i in shared.alike]
            values.extend(chain.from_iterable([columns[i] for i in shared.own]))
            db.execute(shared.sql[size], values)
            return True
    return False


def _insert_rows(
    db: sqlite3.Connection, statements: dict[int, str], rows: Sequence[Row], variables: int
) -> None:
    """`variables`: as above."""
    position = 0
    for size in _CHUNKS:
        while len(rows) - position >= size and size * len(rows[0]) <= variables:
            db.execute(statements[size], list(chain.from_iterable(rows[position : position + size])))
            position += size


def _create_private(path: Path) -> None:
    """Makes the file before SQLite would, readable by its owner only; SQLite's other files take its mode."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        pass  # and never open it: closing a second descriptor would drop the locks of other connections


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _migrate(db: sqlite3.Connection) -> None:
    version = _version(db)
    if version == len(MIGRATIONS):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        version = _version(db)  # again, now that nobody else can migrate
        if version > len(MIGRATIONS):
            raise sqlite3.DatabaseError(
                f"it was made by a newer version of the gateway (schema {version}, this one knows {len(MIGRATIONS)})"
            )
        for statement in chain.from_iterable(MIGRATIONS[version:]):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        db.execute("COMMIT")
    except sqlite3.Error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _version(db: sqlite3.Connection) -> int:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    return int(version)


def _check_writable(db: sqlite3.Connection) -> None:
    """Raises sqlite3.OperationalError when nothing can be written. Another's lock is no reason: it passes."""
    try:
        db.execute("BEGIN IMMEDIATE")
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        db.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
