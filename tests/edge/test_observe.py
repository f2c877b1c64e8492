"""What metrics and log are told of each call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from tokligence.conversation import Loss, LossReason, Severity
from tokligence.edge.observe import BATCH, KINDS, LONGEST_NAME, CallObserver
from tokligence.ledger.record import CallEnded, Outcome, UsageSource
from tokligence.signals.log import Log
from tokligence.signals.metrics import Metrics

RECORD = CallEnded(
    request_id="req_1",
    started_us=1,
    route="/v1/messages",
    client_protocol="anthropic",
    stream=False,
    model_asked="asked",
    key_name="laptop",
    user=None,
    team=None,
    upstream_protocol="openai_chat",
    model_served="served",
    provider="openai",
    deployment=None,
    status=200,
    outcome=Outcome.OK,
    error_code=None,
    attempts=1,
    input_tokens=3,
    cache_read_tokens=0,
    cache_write_5m_tokens=0,
    cache_write_1h_tokens=0,
    output_tokens=5,
    reasoning_tokens=0,
    usage_source=UsageSource.EXACT,
    cost_picousd=None,
    price_date=None,
    latency_us=12_345,
    ttft_us=1_000,
    losses="seed;unsupported",
)


class Desk:
    def __init__(self, directory: Path, level: str) -> None:
        self.metrics = Metrics("0", lambda: 0.0)
        self.log = Log(directory, level=level)
        self.observer = CallObserver(self.metrics, self.log)

    def lines(self) -> list[dict[str, Any]]:
        self.log.flush()
        return [json.loads(line) for line in self.log.path.read_text("utf-8").splitlines()]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, "info")


def test_each_call_is_one_line_without_what_is_unknown(desk: Desk) -> None:
    desk.observer.call_ended(RECORD, (), 10)
    (line,) = desk.lines()
    assert {key: value for key, value in line.items() if key != "time"} == {
        "level": "info",
        "event": "request",
        "id": "req_1",
        "route": "/v1/messages",
        "status": 200,
        "outcome": "ok",
        "model": "asked",
        "ms": 12,
        "provider": "openai",
        "key": "laptop",
    }


def test_a_failure_names_its_code(desk: Desk) -> None:
    failed = structs.replace(
        RECORD, outcome=Outcome.UPSTREAM_ERROR, error_code="upstream.timeout", status=504
    )
    desk.observer.call_ended(failed, (), None)
    assert desk.lines()[0]["error"] == "upstream.timeout"
    assert desk.metrics.upstream_errors.value("upstream.timeout", "openai") == 1


def test_a_failure_without_a_code_or_a_provider_counts_as_none(desk: Desk) -> None:
    failed = structs.replace(RECORD, outcome=Outcome.UPSTREAM_ERROR, provider=None, upstream_protocol=None)
    desk.observer.call_ended(structs.replace(failed, ttft_us=None, model_served=None), (), None)
    assert desk.metrics.upstream_errors.value("none", "none") == 1
    assert desk.metrics.requests.value("/v1/messages", "anthropic", "none", "200") == 1
    assert desk.metrics.tokens.value("input", "none", "none") == 3


def test_metrics_count_and_measure(desk: Desk) -> None:
    loss = Loss("seed", LossReason.UNSUPPORTED, Severity.COSMETIC)
    desk.observer.call_ended(RECORD, (loss,), 10)
    metrics = desk.metrics
    assert metrics.requests.value("/v1/messages", "anthropic", "openai_chat", "200") == 1
    assert metrics.latency.count("/v1/messages", "openai") == 1
    assert metrics.overhead.count("anthropic", "openai_chat") == 1
    assert metrics.ttft.count("openai") == 1
    assert metrics.tokens.value("input", "openai", "served") == 3
    assert metrics.tokens.value("output", "openai", "served") == 5
    assert metrics.losses.value(LossReason.UNSUPPORTED.value) == 1


def test_a_translation_is_an_event_of_its_own_at_debug(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "debug")
    desk.observer.call_ended(RECORD, (), None)
    translation, _request = desk.lines()
    assert translation["event"] == "translation"
    assert translation["request_id"] == "req_1"
    assert translation["pair"] == "anthropic→openai_chat"
    assert translation["model"] == "asked → served"
    assert translation["losses"] == "seed;unsupported"


@pytest.mark.parametrize("upstream", [None, "anthropic"])
def test_what_is_not_translated_has_no_such_event(tmp_path: Path, upstream: str | None) -> None:
    desk = Desk(tmp_path, "debug")
    desk.observer.call_ended(structs.replace(RECORD, upstream_protocol=upstream), (), None)
    assert [line["event"] for line in desk.lines()] == ["request"]


def test_a_models_name_of_a_megabyte_is_cut(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "debug")
    desk.observer.call_ended(structs.replace(RECORD, model_asked="m" * 1_000_000), (), None)
    assert all(len(json.dumps(line)) < LONGEST_NAME + 500 for line in desk.lines())


def test_lines_come_in_the_order_in_which_the_calls_ended_and_before_what_is_said_later(desk: Desk) -> None:
    for number in range(5):
        model = ("one", "two")[number % 2]
        desk.observer.call_ended(
            structs.replace(RECORD, request_id=f"req_{number}", model_asked=model), (), 10
        )
    desk.log.info("later")
    desk.observer.call_ended(structs.replace(RECORD, request_id="req_5"), (), 10)
    assert [line.get("id") for line in desk.lines()] == [*(f"req_{n}" for n in range(5)), None, "req_5"]


def test_a_line_has_the_time_at_which_its_call_ended(desk: Desk) -> None:
    began = 1_764_000_000_990_000
    for late in (0, 12_345, 2_000_000):
        desk.observer.call_ended(structs.replace(RECORD, started_us=began, latency_us=late), (), None)
    assert [(line["time"][17:], line["ms"]) for line in desk.lines()] == [
        ("00.990Z", 0),
        ("01.002Z", 12),
        ("02.990Z", 2000),
    ]


def test_names_with_quotes_and_per_cent_signs_are_written_as_they_are(desk: Desk) -> None:
    name = 'a "b" 100 %s \\ é \n'
    desk.observer.call_ended(structs.replace(RECORD, model_asked=name, key_name=name), (), 10)
    (line,) = desk.lines()
    assert (line["model"], line["key"]) == (name, name)


def test_many_calls_are_counted_as_each_by_itself(desk: Desk) -> None:
    sizes = [1, 20, 21, 4_999, 5_000, 5_001, 700_000_000]
    for number in range(3 * BATCH):
        size = sizes[number % len(sizes)]
        record = structs.replace(RECORD, latency_us=size, ttft_us=size if number % 2 else None)
        desk.observer.call_ended(record, (), size)
    alone = Metrics("0", lambda: 0.0)
    for number in range(3 * BATCH):
        size = sizes[number % len(sizes)]
        alone.latency.observe(size / 1e6, "/v1/messages", "openai")
        alone.overhead.observe(size / 1e6, "anthropic", "openai_chat")
        if number % 2:
            alone.ttft.observe(size / 1e6, "openai")
    metrics = desk.metrics
    assert metrics.requests.value("/v1/messages", "anthropic", "openai_chat", "200") == 3 * BATCH
    assert metrics.tokens.value("output", "openai", "served") == 5 * 3 * BATCH
    for name in ("latency", "overhead", "ttft"):
        *buckets, total, count = getattr(metrics, name).lines()
        *expected, sum_alone, count_alone = getattr(alone, name).lines()
        assert (buckets, count) == (expected, count_alone)
        assert float(total.split()[-1]) == pytest.approx(float(sum_alone.split()[-1]))


def test_any_number_of_models_that_clients_name_is_counted(desk: Desk) -> None:
    for number in range(KINDS + 10):
        desk.observer.call_ended(structs.replace(RECORD, model_asked=f"model-{number}"), (), 10)
    assert desk.metrics.requests.value("/v1/messages", "anthropic", "openai_chat", "200") == KINDS + 10
    assert [line["model"] for line in desk.lines()] == [f"model-{number}" for number in range(KINDS + 10)]


def test_calls_below_the_level_are_counted_and_not_written(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "warning")
    desk.observer.call_ended(RECORD, (), 10)
    assert desk.lines() == []
    assert desk.metrics.render().count(b'tokligence_requests_total{route="/v1/messages"') == 1
