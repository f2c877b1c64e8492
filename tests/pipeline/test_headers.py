"""Which headers pass: the pure part."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokligence.conversation import Loss, LossReason
from tokligence.pipeline.exchange import usd
from tokligence.pipeline.headers import (
    HOP_BY_HOP,
    LOSS_HEADER_LIMIT,
    for_client,
    for_translated_client,
    for_upstream,
    loss_header,
    loss_text,
    route_header,
    upstream_request_id,
)

losses = st.builds(Loss, st.text(max_size=60), st.sampled_from(LossReason))


@given(st.lists(losses, max_size=80))
def test_the_loss_header_is_short_ascii_and_accounts_for_every_loss(given_losses: list[Loss]):
    header = loss_header(given_losses)
    assert len(header) <= LOSS_HEADER_LIMIT
    assert header.isascii()
    assert b"\n" not in header
    entries = header.decode().split(",") if header else []
    counted = 0
    for entry in entries:
        if entry.startswith("+") and ";" not in entry:
            counted += int(entry)
        else:
            path, _, reason = entry.partition(";")
            loss = given_losses[counted]
            assert (unquote(path, errors="replace"), reason) == (loss.path, loss.reason.value)
            counted += 1
    assert counted == len(given_losses)


def test_a_loss_that_fits_only_without_the_count_still_is_counted():
    exact = [Loss("a" * (LOSS_HEADER_LIMIT - len(";unsupported")), LossReason.UNSUPPORTED)]
    assert len(loss_header(exact)) == LOSS_HEADER_LIMIT
    assert loss_header([*exact, *exact]) == b"+2"


def test_the_ledger_has_more_room_for_losses_than_the_header():
    many = [Loss(f"messages[{i}].name", LossReason.UNSUPPORTED) for i in range(200)]
    assert loss_text(many).count(";") == 200
    assert len(loss_text(many * 100)) <= 16384


@pytest.mark.parametrize("name", sorted(HOP_BY_HOP))
def test_hop_by_hop_headers_pass_in_neither_direction(name: bytes):
    assert for_upstream([(name, b"x")]) == for_client([(name, b"x")]) == []


def test_every_connection_header_can_name_more_of_them():
    headers = [
        (b"connection", b"x-a, X-B"),
        (b"connection", b"x-c"),
        (b"x-a", b"1"),
        (b"x-b", b"1"),
        (b"x-c", b"1"),
    ]
    assert for_upstream([*headers, (b"x-d", b"1")]) == [(b"x-d", b"1")]
    assert for_client([*headers, (b"x-d", b"1")]) == [(b"x-d", b"1")]


def test_order_and_repetition_stay():
    headers = [(b"b", b"1"), (b"a", b"2"), (b"b", b"3")]
    assert for_upstream(headers) == for_client(headers) == headers


def test_across_protocols_only_what_means_the_same_passes():
    headers = [
        (b"content-type", b"x"),
        (b"retry-after", b"5"),
        (b"retry-after-ms", b"5000"),
        (b"x-should-retry", b"true"),
        (b"x-ratelimit-limit-tokens", b"1"),
        (b"anthropic-priority-input-tokens-limit", b"1"),
        (b"openai-version", b"1"),
        (b"x-request-id", b"abc"),
    ]
    names = [name for name, _ in for_translated_client(headers)]
    assert names == [
        b"retry-after",
        b"retry-after-ms",
        b"x-should-retry",
        b"x-ratelimit-limit-tokens",
        b"anthropic-priority-input-tokens-limit",
        b"x-tokligence-upstream-request-id",
    ]


def test_an_answer_without_a_request_id_has_none():
    assert upstream_request_id([(b"date", b"x")]) is None
    assert for_translated_client([]) == []


@given(st.text(max_size=300))
def test_any_model_name_makes_a_header(model: str):
    header = route_header("openai", model)
    assert header.startswith(b"openai/")
    assert header.isascii()
    assert not any(byte < 32 or byte == 127 for byte in header)


@pytest.mark.parametrize(
    ("picousd", "text"),
    [
        (0, b"0"),
        (1, b"0.000000000001"),
        (1_500_000, b"0.0000015"),
        (3 * 10**12, b"3"),
        (10**13 + 10**11, b"10.1"),
    ],
)
def test_costs_are_decimal_text(picousd: int, text: bytes):
    assert usd(picousd) == text
