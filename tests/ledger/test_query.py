import sqlite3

import pytest

from tests.ledger.records import STARTED_US, batch, ended, started
from tokligence.errors import GatewayError
from tokligence.ledger.query import Grouping, UsageReader, UsageSum
from tokligence.ledger.record import Outcome, UsageSource
from tokligence.ledger.store import SqliteStore
from tokligence.ledger.writer import Ledger

DAY_US = 86_400_000_000


@pytest.fixture
def path(tmp_path):
    return tmp_path / "it's 100% a #path?" / "ledger.db"


def fill(path, *records):
    path.parent.mkdir(exist_ok=True)
    store = SqliteStore(path)
    store.post(batch(*records))
    store.close()


def test_recent_calls_come_newest_first_as_typed_rows(path):
    fill(path, ended("a"), ended("b", stream=False, usage_source=UsageSource.NONE, cost_picousd=None))
    with UsageReader(path) as reader:
        newest, oldest = reader.recent()
    assert (newest.request_id, newest.stream, newest.input_tokens, newest.cost_microusd) == (
        "b",
        False,
        None,
        None,
    )
    assert (oldest.request_id, oldest.stream, oldest.input_tokens, oldest.cost_microusd) == (
        "a",
        True,
        100,
        1235,
    )
    assert oldest.started_at == "2026-01-02T03:04:05.678Z"
    assert oldest.latency_ms == 120.5
    assert newest.firewall_findings is None


def test_recent_calls_are_limited_in_number_and_in_time(path):
    fill(path, *(ended(f"r{i}", started_us=STARTED_US + i * 1_000) for i in range(6)))
    with UsageReader(path) as reader:
        assert [row.request_id for row in reader.recent(limit=2)] == ["r5", "r4"]
        assert [row.request_id for row in reader.recent(since_us=STARTED_US + 4_000)] == ["r5", "r4"]


def test_calls_are_summed_per_model(path):
    fill(
        path,
        ended(model_served="small", cost_picousd=10),
        ended(model_served="large", cost_picousd=7_000_000),
        ended(
            model_served="large",
            cost_picousd=None,
            usage_source=UsageSource.NONE,
            outcome=Outcome.UPSTREAM_ERROR,
        ),
        ended(model_served="large", cost_picousd=1_500_000, usage_source=UsageSource.ESTIMATED),
        ended(model_served=None, model_asked="never served", cost_picousd=None, outcome=Outcome.CLIENT_ERROR),
    )
    with UsageReader(path) as reader:
        sums = reader.summary(by=[Grouping.MODEL])
    assert [
        (one.group, one.calls, one.failed, one.estimated, one.unpriced, one.cost_picousd) for one in sums
    ] == [
        (("large",), 3, 1, 1, 1, 8_500_000),
        (("small",), 1, 0, 0, 0, 10),
        (("never served",), 1, 1, 0, 1, 0),
    ]
    assert sums[1] == UsageSum(
        group=("small",),
        calls=1,
        failed=0,
        estimated=0,
        unpriced=0,
        input_tokens=100,
        cache_read_tokens=20,
        cache_write_5m_tokens=3,
        cache_write_1h_tokens=4,
        output_tokens=50,
        reasoning_tokens=7,
        cost_picousd=10,
    )


def test_sums_without_a_group_are_one_row_of_all_or_none(path):
    fill(path, ended(), ended())
    with UsageReader(path) as reader:
        [total] = reader.summary()
        assert (total.group, total.calls, total.input_tokens) == ((), 2, 200)
        assert reader.summary(since_us=STARTED_US + 1) == []
        assert reader.summary(by=[Grouping.KEY], since_us=STARTED_US + 1) == []


def test_days_come_in_the_order_of_time_and_can_be_split_further(path):
    fill(
        path,
        ended(started_us=STARTED_US + DAY_US, provider="openai"),
        ended(started_us=STARTED_US, provider="openai"),
        ended(started_us=STARTED_US, provider="anthropic"),
    )
    with UsageReader(path) as reader:
        sums = reader.summary(by=[Grouping.DAY, Grouping.PROVIDER])
    assert [one.group for one in sums] == [
        ("2026-01-02", "anthropic"),
        ("2026-01-02", "openai"),
        ("2026-01-03", "openai"),
    ]


@pytest.mark.parametrize("grouping", Grouping)
def test_every_grouping_sums_all_calls(path, grouping):
    fill(path, ended(), ended(key_name=None, user=None, team=None, provider=None, model_served=None))
    with UsageReader(path) as reader:
        assert sum(one.calls for one in reader.summary(by=[grouping])) == 2


def test_costs_above_the_databases_integers_are_summed_exactly(path):
    fill(path, *(ended(cost_picousd=2**63 - 1) for _ in range(3)))
    with UsageReader(path) as reader:
        assert reader.summary()[0].cost_picousd == 3 * (2**63 - 1)


def test_the_ledger_is_read_while_it_is_written_and_after(path):
    ledger = Ledger.open(path, path.parent / "journal")
    with UsageReader(path) as reader:
        assert reader.recent() == []
        ledger.started(started("a"))
        ledger.ended(ended("a"))
        assert ledger.flush(30)
        assert [row.request_id for row in reader.recent()] == ["a"]
    ledger.close()
    with UsageReader(path) as reader:
        assert reader.summary()[0].calls == 1


def test_reading_never_writes(path):
    fill(path, ended())
    with UsageReader(path) as reader, pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._db.execute("DELETE FROM calls")


def test_a_ledger_that_is_not_there_is_one_clear_line(path):
    with pytest.raises(GatewayError, match="cannot be read") as caught:
        UsageReader(path)
    assert caught.value.code == "config.invalid"
    assert not path.parent.exists()


def test_a_file_that_is_no_ledger_is_one_clear_line(path):
    path.parent.mkdir()
    path.write_bytes(b"no database" * 100)
    with UsageReader(path) as reader:
        with pytest.raises(GatewayError, match="not a database"):
            reader.recent()
        with pytest.raises(GatewayError, match="not a database"):
            reader.summary()
