"""What metrics and log are told of each call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from tokligence.conversation import Loss, LossReason, Severity
from tokligence.edge.observe import LONGEST_NAME, CallObserver
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
