import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from tokligence.signals.metrics import (
    CONTENT_TYPE,
    LATENCY_S,
    OVERHEAD_S,
    Counter,
    Gauge,
    Histogram,
    Metric,
    Metrics,
)

SAMPLE = re.compile(
    r'[a-z_]+(\{[a-z_]+="(?:[^"\\\n]|\\\\|\\"|\\n)*"(?:,[a-z_]+="(?:[^"\\\n]|\\\\|\\"|\\n)*")*\})? (?:-?[0-9.e+-]+|\+Inf)'
)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def metrics():
    return Metrics("1.2.3", Clock())


def families(metrics):
    """The rendered text, read by the client library's parser and held against the grammar line by line."""
    text = metrics.render().decode()
    assert text.endswith("\n")
    for line in text.splitlines():
        assert line.startswith(("# HELP ", "# TYPE ")) or SAMPLE.fullmatch(line), line
    found = list(text_string_to_metric_families(text))
    samples = [(s.name, tuple(sorted(s.labels.items()))) for family in found for s in family.samples]
    assert len(samples) == len(set(samples))
    return {family.name: family for family in found}


def sample(family, suffix="", **labels):
    return next(s.value for s in family.samples if s.name.endswith(suffix) and s.labels == labels)


def test_everything_renders_and_each_metric_is_declared_once(metrics):
    found = families(metrics)
    names = [metric.name for metric in metrics.all()]
    assert len(names) == len(set(names))
    for metric in metrics.all():
        family = found[metric.name.removesuffix("_total")]
        assert family.type == metric.kind
        assert family.documentation == metric.about


def test_names_follow_the_conventions(metrics):
    for metric in metrics.all():
        assert metric.name.startswith("tokligence_")
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.about.endswith(".")


def test_a_counter_counts_each_combination_of_labels(metrics):
    metrics.requests.inc("/v1/messages", "anthropic", "openai_chat", "200")
    metrics.requests.inc("/v1/messages", "anthropic", "openai_chat", "200")
    metrics.requests.inc("/v1/messages", "anthropic", "openai_chat", "429")
    metrics.tokens.add(17, "input", "openai", "gpt-4o")
    metrics.tokens.add(3, "input", "openai", "gpt-4o")
    found = families(metrics)
    labels = {"route": "/v1/messages", "client_protocol": "anthropic", "upstream_protocol": "openai_chat"}
    assert sample(found["tokligence_requests"], **labels, status="200") == 2
    assert sample(found["tokligence_requests"], **labels, status="429") == 1
    assert sample(found["tokligence_tokens"], **{"class": "input"}, provider="openai", model="gpt-4o") == 20
    assert metrics.requests.value("/v1/messages", "anthropic", "openai_chat", "429") == 1
    assert metrics.requests.value("/", "", "", "") == 0


def test_a_counter_without_labels_starts_at_nought():
    counter = Counter("a_total", "A.")
    assert list(counter.lines()) == ["a_total 0"]
    counter.inc()
    assert list(counter.lines()) == ["a_total 1"]


def test_values_that_strangers_choose_cannot_fill_the_memory():
    counter = Counter("a_total", "A.", ("class", "model"), limit=3)
    for number in range(1000):
        counter.inc("input", f"model-{number}")
    counter.inc("output", "model-0")
    assert counter.value("input", "model-2") == 1
    assert counter.value("input", "other") == 997
    assert counter.value("output", "model-0") == 1
    assert len(list(counter.lines())) == 5


def test_a_wrong_number_of_labels_is_a_mistake_of_the_caller():
    with pytest.raises(TypeError, match="a_total has the labels"):
        Counter("a_total", "A.", ("model",)).inc("a", "b")


@pytest.mark.parametrize("value", ['quote"', "back\\slash", "new\nline", 'all\\\n"', "ümlaut", "a,b}=", ""])
def test_label_values_survive_the_text(metrics, value):
    metrics.upstream_errors.inc(value, "openai")
    assert sample(families(metrics)["tokligence_upstream_errors"], code=value, provider="openai") == 1


def test_a_lone_surrogate_does_not_break_the_text(metrics):
    metrics.upstream_errors.inc("\ud800", "openai")
    assert sample(families(metrics)["tokligence_upstream_errors"], code="?", provider="openai") == 1


def test_help_is_escaped():
    metrics = Metrics("1", Clock())
    metrics.losses.about = "a\\b\nc"
    assert families(metrics)["tokligence_translation_losses"].documentation == "a\\b\nc"


def test_a_gauge_goes_up_and_down(metrics):
    metrics.in_flight.inc()
    metrics.in_flight.inc()
    metrics.in_flight.dec()
    metrics.ledger_backlog.set(42)
    metrics.ledger_alarm.set(1)
    found = families(metrics)
    assert sample(found["tokligence_requests_in_flight"]) == 1
    assert sample(found["tokligence_ledger_backlog_records"]) == 42
    assert sample(found["tokligence_ledger_alarm"]) == 1
    assert metrics.in_flight.value() == 1


def test_a_gauge_may_be_asked_for_its_value(metrics):
    metrics.connections.source = lambda: 7
    assert sample(families(metrics)["tokligence_client_connections"]) == 7
    assert metrics.connections.value() == 7


def test_a_gauge_with_labels_is_set_again():
    gauge = Gauge("g", "G.", ("name",))
    gauge.set(1, "a")
    gauge.set(2.5, "a")
    assert list(gauge.lines()) == ['g{name="a"} 2.5']


def test_version_and_uptime_are_told():
    clock = Clock()
    metrics = Metrics("1.2.3", clock)
    clock.now += 12.5
    found = families(metrics)
    assert sample(found["tokligence_build_info"], version="1.2.3") == 1
    assert sample(found["tokligence_uptime_seconds"]) == 12.5


def test_a_histogram_counts_into_ascending_buckets(metrics):
    for seconds in (0.005, 0.006, 1.0, 3.0, 10_000.0):
        metrics.latency.observe(seconds, "/v1/messages", "openai")
    family = families(metrics)["tokligence_request_duration_seconds"]
    labels = {"route": "/v1/messages", "provider": "openai"}
    assert sample(family, "_bucket", **labels, le="0.005") == 1
    assert sample(family, "_bucket", **labels, le="0.01") == 2
    assert sample(family, "_bucket", **labels, le="1") == 3
    assert sample(family, "_bucket", **labels, le="600") == 4
    assert sample(family, "_bucket", **labels, le="+Inf") == 5
    assert sample(family, "_count", **labels) == 5
    assert sample(family, "_sum", **labels) == pytest.approx(10_004.011)
    assert metrics.latency.count("/v1/messages", "openai") == 5
    assert metrics.latency.count("/v1/messages", "nobody") == 0


def test_a_histogram_without_labels_starts_empty():
    histogram = Histogram("h", "H.", bounds=(1.0,))
    histogram.observe(2)
    assert list(histogram.lines()) == ['h_bucket{le="1"} 0', 'h_bucket{le="+Inf"} 1', "h_sum 2", "h_count 1"]


def test_a_kind_of_metric_must_say_its_lines():
    with pytest.raises(NotImplementedError):
        Metric("m", "M.").lines()


def test_the_content_type_names_the_format():
    assert CONTENT_TYPE == "text/plain; version=0.0.4; charset=utf-8"


@given(
    st.lists(st.integers(0, 10**9), max_size=50),
    st.sampled_from([LATENCY_S, OVERHEAD_S]),
)
def test_values_measured_together_count_as_each_by_itself(values, bounds):
    together, alone = (Histogram("h_seconds", "About.", bounds=bounds) for _ in range(2))
    together.observe_all(values, 1_000_000)
    for value in values:
        alone.observe(value / 1e6)
    *buckets, total, count = together.lines()
    *expected, sum_alone, count_alone = alone.lines()
    assert (buckets, count) == (expected, count_alone)
    assert float(total.split()[-1]) == pytest.approx(float(sum_alone.split()[-1]))


def test_what_has_waited_is_counted_before_a_metric_is_read(metrics):
    waiting = ["ok", "ok"]

    def settle():
        while waiting:
            metrics.losses.inc(waiting.pop())

    metrics.losses.behind = settle
    assert metrics.losses.value("ok") == 2
    waiting.append("ok")
    assert b'tokligence_translation_losses_total{reason="ok"} 3' in metrics.render()
