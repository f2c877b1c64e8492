"""From a journal's record to the values of a table's row. Pure.

The replay after a crash reads the bytes that the live path has written; rows made of records at hand are the same. A row
is in the order of its column table. Its values are plain, or of a kind of `str` or `int` (an outcome, a bool).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias, cast

import msgspec
from msgspec.structs import astuple

from tokligence.ledger.record import Attempt, CallEnded, CallStarted, Outcome, UsageSource

Value: TypeAlias = str | int | None
Row: TypeAlias = Sequence[Value]

CALL_COLUMNS: Final[tuple[str, ...]] = CallEnded.__struct_fields__[:-1]
"""Columns of a call: the fields of `CallEnded` without `attempt_log`, which has rows of its own."""

ATTEMPT_COLUMNS: Final[tuple[str, ...]] = ("request_id", "number", *Attempt.__struct_fields__)
"""Columns of a metered attempt. `number`: 1, 2 … within its call."""

# Positions in a decoded record, where the tag comes first.
_WIDTH: Final = 1 + len(CALL_COLUMNS)
_STREAM: Final = 1 + CALL_COLUMNS.index("stream")
_SOURCE: Final = 1 + CALL_COLUMNS.index("usage_source")
_TOKENS: Final = tuple(i for i, name in enumerate(CALL_COLUMNS, 1) if name.endswith("_tokens"))
_ATTEMPT_SOURCE: Final = Attempt.__struct_fields__.index("usage_source")
_ATTEMPT_TOKENS: Final = tuple(
    i for i, name in enumerate(Attempt.__struct_fields__) if name.endswith("_tokens")
)
_NONE: Final = UsageSource.NONE.value

_decode = msgspec.msgpack.Decoder().decode
_decode_ended = msgspec.msgpack.Decoder(CallEnded).decode
_decode_started = msgspec.msgpack.Decoder(CallStarted).decode
_encode = msgspec.msgpack.Encoder().encode


MAX_INTEGER: Final = 2**63 - 1
"""The largest integer that the databases store."""

_CUT: Final = 500  # characters of a string that makes its record too large


class Batch(NamedTuple):
    """What is posted in one transaction."""

    calls: list[Row]
    attempts: list[Row]


class UnreadableRecord(ValueError):
    """A payload whose checksum is right but which is no record of ours."""


def read_batch(payloads: Iterable[bytes]) -> tuple[Batch, list[str]]:
    """The rows of `CallEnded` records, and why some are none."""
    batch = Batch([], [])
    unreadable = []
    for payload in payloads:
        try:
            values = _decode(payload)
            attempts = values.pop()
            if len(values) != _WIDTH or attempts:
                values, attempts = _with_defaults(payload)
        except (msgspec.MsgspecError, AttributeError, IndexError) as error:
            unreadable.append(str(error))
            continue
        values[_STREAM] = 1 if values[_STREAM] else 0
        if values[_SOURCE] == _NONE:
            _forget(values, _TOKENS)
        del values[0]
        batch.calls.append(values)
        for number, attempt in enumerate(attempts, 1):
            if attempt[_ATTEMPT_SOURCE] == _NONE:
                _forget(attempt, _ATTEMPT_TOKENS)
            batch.attempts.append([values[0], number, *attempt])
    return batch, unreadable


def rows_of(records: Iterable[CallEnded]) -> tuple[Batch, list[str]]:
    """The same as `read_batch` makes of what the journal holds of these records."""
    batch = Batch([], [])
    unreadable: list[str] = []
    calls = batch.calls
    for record in records:
        row = astuple(record)
        if row[-1] or row[_SOURCE - 1] == _NONE:
            one, reasons = read_batch((_encode(record),))
            calls += one.calls
            batch.attempts.extend(one.attempts)
            unreadable += reasons
        else:
            calls.append(row[:-1])
    return batch, unreadable


def request_id_of(payload: bytes) -> str:
    """The request id of a record of either kind. Raises UnreadableRecord."""
    try:
        return cast("str", _decode(payload)[1])
    except (msgspec.MsgspecError, TypeError, IndexError) as error:
        raise UnreadableRecord(str(error)) from error


def interrupted(payload: bytes) -> Row:
    """The row of a call whose `CallStarted` is all that is left of it. Raises UnreadableRecord."""
    try:
        started = msgspec.to_builtins(_decode_started(payload))
    except msgspec.MsgspecError as error:
        raise UnreadableRecord(str(error)) from error
    known = dict(zip(CallStarted.__struct_fields__, started[1:], strict=True))
    known |= {"stream": int(known["stream"]), "outcome": Outcome.INTERRUPTED.value, "usage_source": _NONE}
    return [known.get(column) for column in CALL_COLUMNS]


def storable(value: object) -> object:
    """`value` (plain, or a list of such) as any database takes it: integers moved into 64 bits, long strings cut, lone
    surrogates replaced. For the rare record that could not be written as it is."""
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    if isinstance(value, str):
        return value[:_CUT].encode("utf-8", "replace").decode()
    if isinstance(value, int) and not isinstance(value, bool):
        return max(-MAX_INTEGER, min(value, MAX_INTEGER))
    return value


def _with_defaults(payload: bytes) -> tuple[list[Any], list[list[Any]]]:
    """Tag and values, and the attempts of a record that an earlier version may have written: the typed decoder fills
    in what it lacks."""
    values = _decode(_encode(_decode_ended(payload)))
    attempts = values.pop()
    return values, attempts


def _forget(values: list[Any], columns: tuple[int, ...]) -> None:
    for column in columns:
        values[column] = None
