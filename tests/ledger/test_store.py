"""The contract of a store. Another database joins by one more entry in `STORES`; what only SQLite does is below."""

import os
import shutil
import sqlite3
import subprocess

import msgspec
import pytest

from tests.ledger.records import attempt, batch, ended, started
from tokligence.errors import GatewayError
from tokligence.ledger.record import Outcome, UsageSource
from tokligence.ledger.rows import (
    ATTEMPT_COLUMNS,
    CALL_COLUMNS,
    Batch,
    interrupted,
    read_batch,
    rows_of,
)
from tokligence.ledger.schema import MIGRATIONS
from tokligence.ledger.store import SqliteStore, StoreUnavailable, _insert_rows, _insert_sql


class SqliteCase:
    """A store and a second connection to what it wrote."""

    def __init__(self, directory):
        self.path = directory / "ledger.db"
        self.store = SqliteStore(self.path)

    def read(self, sql):
        db = sqlite3.connect(self.path)
        db.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in db.execute(sql)]
        finally:
            db.close()


STORES = {"sqlite": SqliteCase}


@pytest.fixture(params=STORES)
def case(request, tmp_path):
    case = STORES[request.param](tmp_path)
    yield case
    case.store.close()


def interrupted_row(request_id):
    return interrupted(msgspec.msgpack.encode(started(request_id)))


def ids(case):
    return [row["request_id"] for row in case.read("SELECT request_id FROM usage_log")]


# --- the contract


def test_the_view_has_the_documented_columns_in_their_order(case):
    case.store.post(batch(ended()))
    assert list(case.read("SELECT * FROM usage_log")[0]) == [
        "request_id",
        "started_at",
        "route",
        "client_protocol",
        "upstream_protocol",
        "stream",
        "model_asked",
        "model_served",
        "provider",
        "deployment",
        "key_name",
        "user",
        "team",
        "status",
        "outcome",
        "error_code",
        "attempts",
        "input_tokens",
        "cache_read_tokens",
        "cache_write_5m_tokens",
        "cache_write_1h_tokens",
        "output_tokens",
        "reasoning_tokens",
        "usage_source",
        "cost_microusd",
        "price_date",
        "latency_ms",
        "ttft_ms",
        "losses",
        "firewall_findings",
        "direction",
    ]


def test_a_call_reads_as_it_was_booked(case):
    case.store.post(batch(ended("req_1", losses="messages[3].audio;unsupported")))
    [row] = case.read("SELECT * FROM usage_log")
    assert row == {
        "request_id": "req_1",
        "started_at": "2026-01-02T03:04:05.678Z",
        "route": "/v1/chat/completions",
        "client_protocol": "openai_chat",
        "upstream_protocol": "anthropic",
        "stream": 1,
        "model_asked": "gpt-4",
        "model_served": "claude-sonnet-4-5",
        "provider": "anthropic",
        "deployment": "anthropic/eu",
        "key_name": "laptop",
        "user": "ann",
        "team": "red",
        "status": 200,
        "outcome": "ok",
        "error_code": None,
        "attempts": 1,
        "input_tokens": 100,
        "cache_read_tokens": 20,
        "cache_write_5m_tokens": 3,
        "cache_write_1h_tokens": 4,
        "output_tokens": 50,
        "reasoning_tokens": 7,
        "usage_source": "exact",
        "cost_microusd": 1235,
        "price_date": "2026-01-01",
        "latency_ms": 120.5,
        "ttft_ms": 30.25,
        "losses": "messages[3].audio;unsupported",
        "firewall_findings": None,
        "direction": "consumed",
    }


@pytest.mark.parametrize(
    ("pico", "micro"),
    [(None, None), (0, 0), (499_999, 0), (500_000, 1), (1_499_999, 1), (2**63 - 1, 9223372036855)],
)
def test_the_view_rounds_the_exact_cost_half_up(case, pico, micro):
    case.store.post(batch(ended(cost_picousd=pico)))
    assert case.read("SELECT cost_microusd FROM usage_log") == [{"cost_microusd": micro}]
    assert case.read("SELECT cost_picousd FROM calls") == [{"cost_picousd": pico}]


def test_unknown_usage_reads_as_null(case):
    case.store.post(batch(ended(usage_source=UsageSource.NONE, cost_picousd=None, price_date=None)))
    [row] = case.read("SELECT input_tokens, output_tokens, usage_source, cost_microusd FROM usage_log")
    assert row == {"input_tokens": None, "output_tokens": None, "usage_source": "none", "cost_microusd": None}


def test_the_newest_booking_comes_first_whatever_the_clock_says(case):
    case.store.post(batch(ended("a", started_us=3_000_000), ended("b", started_us=1_000_000)))
    case.store.post(batch(ended("c", started_us=2_000_000)))
    assert ids(case) == ["c", "b", "a"]


def test_posting_again_changes_nothing(case):
    first = batch(ended("a", attempt_log=(attempt(), attempt())), ended("b"))
    case.store.post(first)
    case.store.post(first)
    case.store.post(batch(ended("a", status=500), ended("c")))
    assert ids(case) == ["c", "b", "a"]
    assert case.read("SELECT status FROM usage_log WHERE request_id = 'a'") == [{"status": 200}]
    assert len(case.read("SELECT * FROM attempt_log")) == 2


def test_the_end_of_a_call_replaces_its_interrupted_row_and_never_the_reverse(case):
    case.store.post(Batch([interrupted_row("a")], []))
    assert case.read("SELECT outcome FROM usage_log") == [{"outcome": "interrupted"}]
    case.store.post(batch(ended("a")))
    case.store.post(Batch([interrupted_row("a")], []))
    [row] = case.read("SELECT outcome, status, input_tokens FROM usage_log")
    assert row == {"outcome": "ok", "status": 200, "input_tokens": 100}


def test_metered_attempts_are_read_from_their_own_view(case):
    lost = attempt(provider="openai", cost_picousd=1_500_000, upstream_request_id="up_1")
    case.store.post(batch(ended("a", attempt_log=(lost, attempt(provider="llm")))))
    rows = case.read("SELECT * FROM attempt_log")
    assert [(row["request_id"], row["attempt"], row["provider"]) for row in rows] == [
        ("a", 2, "llm"),
        ("a", 1, "openai"),
    ]
    assert (rows[1]["cost_microusd"], rows[1]["latency_ms"], rows[1]["status"]) == (2, 9.0, 503)
    assert rows[1]["started_at"] == "2026-01-02T03:04:05.678Z"
    assert rows[1]["upstream_request_id"] == "up_1"


@pytest.mark.parametrize("count", [0, 1, 9, 10, 99, 100, 101, 345])
def test_a_batch_of_any_size_is_booked_whole_and_in_order(case, count):
    case.store.post(batch(*(ended(f"req_{i:04}") for i in range(count))))
    assert ids(case) == [f"req_{i:04}" for i in reversed(range(count))]


def test_a_row_that_the_database_refuses_does_not_stop_the_others(case):
    posted = batch(ended("a"), ended("bad"), ended("c", attempt_log=(attempt(),)))
    posted.calls[1][CALL_COLUMNS.index("status")] = {"not": "a value"}
    posted.attempts[0][ATTEMPT_COLUMNS.index("outcome")] = None
    refused = case.store.post(posted)
    assert [row[0] for row in refused] == ["bad", "c"]
    assert ids(case) == ["c", "a"]


def test_a_number_beyond_the_databases_integers_is_booked_as_the_largest(case):
    assert (
        case.store.post(
            batch(ended("a", input_tokens=2**63 + 5, losses="x" * 900), ended("b", losses="x" * 900))
        )
        == []
    )
    rows = case.read("SELECT input_tokens, length(losses) AS n FROM usage_log")
    assert rows == [{"input_tokens": 100, "n": 900}, {"input_tokens": 2**63 - 1, "n": 500}]


def test_what_is_posted_can_be_made_durable(case):
    case.store.post(batch(ended("a")))
    case.store.sync()
    assert ids(case) == ["a"]


def test_every_outcome_can_be_booked(case):
    case.store.post(batch(*(ended(f"r{i}", outcome=outcome) for i, outcome in enumerate(Outcome))))
    assert {row["outcome"] for row in case.read("SELECT outcome FROM usage_log")} == set(Outcome)


# --- SQLite


@pytest.fixture
def sqlite(tmp_path):
    case = SqliteCase(tmp_path)
    yield case
    case.store.close()


def test_the_tables_have_a_column_for_each_field(sqlite):
    columns = [row["name"] for row in sqlite.read("PRAGMA table_info(calls)")]
    assert columns == ["seq", *CALL_COLUMNS]
    columns = [row["name"] for row in sqlite.read("PRAGMA table_info(attempts)")]
    assert columns == ["seq", *ATTEMPT_COLUMNS]


@pytest.mark.parametrize("view", ["usage_log", "attempt_log"])
def test_the_newest_rows_are_read_without_sorting(sqlite, view):
    table = {"usage_log": "calls", "attempt_log": "attempts"}[view]
    plan = sqlite.read(f"EXPLAIN QUERY PLAN SELECT * FROM {view} LIMIT 10")
    assert [step["detail"] for step in plan] in ([f"SCAN {table}"], [f"SCAN TABLE {table}"])


def test_one_call_is_found_by_its_id_without_a_scan(sqlite):
    [step] = sqlite.read("EXPLAIN QUERY PLAN SELECT * FROM usage_log WHERE request_id = 'a'")[:1]
    assert "USING INDEX" in step["detail"]


def test_any_sqlite3_command_reads_the_view(sqlite):
    command = shutil.which("sqlite3")
    if command is None:  # the same statement through the module: without functions or extensions of ours
        sqlite.store.post(batch(ended("a")))
        assert sqlite.read("SELECT * FROM usage_log LIMIT 10;")[0]["request_id"] == "a"
        return
    sqlite.store.post(batch(ended("a")))
    sql = "SELECT * FROM usage_log LIMIT 10;"
    result = subprocess.run([command, sqlite.path, sql], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("a|2026-01-02T03:04:05.678Z|/v1/chat/completions|")


def test_a_reader_in_the_middle_of_a_query_does_not_hold_up_the_writer(sqlite):
    sqlite.store.post(batch(*(ended() for _ in range(20))))
    reader = sqlite3.connect(sqlite.path)
    cursor = reader.execute("SELECT request_id FROM usage_log")
    assert cursor.fetchone()
    assert sqlite.store.post(batch(ended("while reading"))) == []
    assert "while reading" not in [row[0] for row in cursor]
    reader.close()
    assert ids(sqlite)[0] == "while reading"


def test_while_another_writer_holds_the_lock_nothing_is_booked_and_it_may_be_posted_again(sqlite):
    other = sqlite3.connect(sqlite.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        sqlite.store.post(batch(ended("a")))
    with pytest.raises(StoreUnavailable, match="locked"):
        sqlite.store.sync()
    other.execute("ROLLBACK")
    other.close()
    sqlite.store.post(batch(ended("a")))
    assert ids(sqlite) == ["a"]


def test_a_ledger_opens_while_another_writer_holds_the_lock(sqlite):
    sqlite.store.close()
    other = sqlite3.connect(sqlite.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    sqlite.store = SqliteStore(sqlite.path)
    other.close()
    sqlite.store.post(batch(ended("a")))


def test_a_ledger_whose_file_is_moved_away_begins_a_new_one(sqlite):
    sqlite.store.post(batch(ended("old")))
    for suffix in ("", "-wal", "-shm"):
        os.replace(f"{sqlite.path}{suffix}", f"{sqlite.path}.moved{suffix}")
    sqlite.store.post(batch(ended("new")))
    assert ids(sqlite) == ["new"]
    os.unlink(sqlite.path)
    sqlite.store.post(batch(ended("newer")))
    assert ids(sqlite) == ["newer"]


def test_a_full_disk_is_survived(sqlite):
    sqlite.store.post(batch(ended("a")))
    sqlite.store._db.execute("PRAGMA max_page_count = 1")
    with pytest.raises(StoreUnavailable, match="full"):
        sqlite.store.post(batch(*(ended() for _ in range(500))))
    assert sqlite.store.post(batch(ended("b"))) == []
    assert ids(sqlite) == ["b", "a"]


def test_a_directory_that_vanished_makes_the_store_unavailable_until_it_is_back(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    store = SqliteStore(home / "ledger.db")
    home.rename(tmp_path / "elsewhere")
    with pytest.raises(StoreUnavailable):
        store.post(batch(ended("a")))
    with pytest.raises(StoreUnavailable):
        store.sync()
    home.mkdir()
    assert store.post(batch(ended("a"))) == []
    store.close()


def test_the_file_is_private_and_in_wal_mode(sqlite):
    assert sqlite.read("PRAGMA journal_mode") == [{"journal_mode": "wal"}]
    if os.name == "posix":
        assert sqlite.path.stat().st_mode & 0o777 == 0o600


def test_a_ledger_of_a_newer_version_is_not_touched(sqlite):
    sqlite.store.close()
    db = sqlite3.connect(sqlite.path)
    db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    db.close()
    with pytest.raises(GatewayError, match="newer version of the gateway") as caught:
        SqliteStore(sqlite.path)
    assert caught.value.code == "config.invalid"


def test_tables_of_another_program_in_the_same_file_stay(tmp_path):
    db = sqlite3.connect(tmp_path / "ledger.db")
    db.execute("CREATE TABLE usage_entries (id INTEGER)")
    db.execute("INSERT INTO usage_entries VALUES (7)")
    db.commit()
    db.close()
    case = SqliteCase(tmp_path)
    assert case.read("SELECT id FROM usage_entries") == [{"id": 7}]
    case.store.close()


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path):
    db = sqlite3.connect(tmp_path / "ledger.db")
    db.execute("CREATE TABLE attempts (id INTEGER)")
    db.close()
    with pytest.raises(GatewayError, match="attempts already exists"):
        SqliteStore(tmp_path / "ledger.db")
    db = sqlite3.connect(tmp_path / "ledger.db")
    assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("attempts",)]
    db.close()


def test_a_file_that_is_no_database_is_one_clear_line(tmp_path):
    (tmp_path / "ledger.db").write_text(
        "this is a text, and a long enough one to be taken for no database" * 20
    )
    with pytest.raises(
        GatewayError, match=r"ledger_path: .*ledger\.db cannot be used: file is not a database"
    ):
        SqliteStore(tmp_path / "ledger.db")


def test_a_path_that_is_a_directory_is_one_clear_line(tmp_path):
    with pytest.raises(GatewayError, match="ledger_path"):
        SqliteStore(tmp_path)


def test_a_database_that_can_only_be_read_is_one_clear_line(tmp_path, monkeypatch):
    SqliteStore(tmp_path / "ledger.db").close()
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda path, **options: connect(f"file:{path}?mode=ro", uri=True, **options)
    )
    with pytest.raises(GatewayError, match="readonly"):
        SqliteStore(tmp_path / "ledger.db")


def test_statements_stay_below_the_variables_an_old_sqlite_allows():
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE t (a, b)")
    db.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 20)
    _insert_rows(db, _insert_sql("t", ("a", "b"), ""), [[i, i] for i in range(123)], 20)
    assert db.execute("SELECT count(*), min(a), max(a) FROM t").fetchone() == (123, 0, 122)
    db.close()


ALIKE = {
    "all": {},
    "but for what is seldom": {"cache_read_tokens": (0, 5, 7), "reasoning_tokens": (1, 0, 0)},
    "in little": {"model_asked": ("a", None, "b"), "outcome": tuple(Outcome)[:3], "stream": (True, False)},
}


@pytest.mark.parametrize("count", [9, 10, 99, 100, 345])
@pytest.mark.parametrize("differing", ALIKE.values(), ids=ALIKE)
@pytest.mark.parametrize("variables", [999, 32_766])
def test_rows_that_are_alike_are_booked_as_each_by_itself(sqlite, monkeypatch, count, differing, variables):
    records = [
        ended(
            f"req_{i:04}",
            input_tokens=i,
            **{name: values[i % len(values)] for name, values in differing.items()},
        )
        for i in range(count)
    ]
    sqlite.store._db.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, variables)
    at_hand, _ = rows_of(records)
    assert sqlite.store.post(at_hand) == []
    read, _ = read_batch(map(msgspec.msgpack.encode, records))
    db = sqlite3.connect(sqlite.path)
    booked = db.execute(f"SELECT {', '.join(CALL_COLUMNS)} FROM calls ORDER BY seq").fetchall()
    db.close()
    assert [list(row) for row in booked] == read.calls


def test_rows_that_are_alike_leave_booked_ones_and_replace_interrupted_ones(sqlite):
    sqlite.store.post(Batch([interrupted_row("req_0003")], []))
    sqlite.store.post(batch(ended("req_0005", status=500)))
    sqlite.store.post(rows_of([ended(f"req_{i:04}") for i in range(10)])[0])
    found = {row["request_id"]: row["status"] for row in sqlite.read("SELECT * FROM usage_log")}
    assert found == {f"req_{i:04}": 500 if i == 5 else 200 for i in range(10)}
