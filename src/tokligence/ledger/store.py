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
from typing import Final, Protocol, cast

from tokligence.errors import GatewayError
from tokligence.ledger.rows import ATTEMPT_COLUMNS, CALL_COLUMNS, Batch, Row, Value, storable
from tokligence.ledger.schema import MIGRATIONS

_BUSY_TIMEOUT: Final = 0.25  # seconds; the poster retries, and has other things to do meanwhile
_OPEN_TIMEOUT: Final = 5.0  # seconds

# Rows per INSERT. Each statement lets other threads run twice; row by row, the event loop's thread and the
# poster's hand the interpreter to each other so often that a row costs three times as much.
_CHUNKS: Final = (100, 10, 1)

# The sqlite3 module asks whether NULL can be adapted each time one is bound, which took 40 % of a row's cost. This
# answers at once: None stays None.
_NONE_TO_NONE: Final[dict[None, None]] = {}
sqlite3.register_adapter(type(None), _NONE_TO_NONE.get)

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
            _insert_rows(db, _INSERT_CALLS, batch.calls, variables)
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


_UPDATES = ", ".join(f"{column} = excluded.{column}" for column in CALL_COLUMNS[1:])
_INSERT_CALLS: Final = _insert_sql(
    "calls",
    CALL_COLUMNS,
    f"ON CONFLICT (request_id) DO UPDATE SET {_UPDATES} WHERE calls.outcome = 'interrupted'",
)
_INSERT_ATTEMPTS: Final = _insert_sql(
    "attempts", ATTEMPT_COLUMNS, "ON CONFLICT (request_id, number) DO NOTHING"
)


def _insert_rows(db: sqlite3.Connection, statements: dict[int, str], rows: list[Row], variables: int) -> None:
    """`variables`: how many a statement may have (999 before SQLite 3.32)."""
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
