from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tokligence.catalog.models import Price
from tokligence.conversation import Usage
from tokligence.ledger.pricing import MAX_COST, price

SONNET = Price(
    input=3_000_000,
    output=15_000_000,
    cache_read=300_000,
    cache_write_5m=3_750_000,
    cache_write_1h=6_000_000,
    date="2026-01-01",
    source="a page",
    web_search=10_000_000_000,
)

tokens = st.integers(0, 10**7)
classes = st.fixed_dictionaries(
    dict.fromkeys(
        ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "web_searches"), tokens
    )
)


def test_each_class_is_paid_at_its_own_rate():
    usage = Usage(
        input=1, cache_read=10, cache_write_5m=100, cache_write_1h=1_000, output=10_000, web_searches=2
    )
    assert price(usage, SONNET) == (
        3_000_000 + 3_000_000 + 375_000_000 + 6_000_000_000 + 150_000_000_000 + 20_000_000_000
    )


def test_a_million_tokens_cost_the_listed_price():
    assert price(Usage(input=1_000_000), SONNET) == 3 * 10**12


@given(classes, tokens, tokens, tokens)
def test_parts_of_a_class_are_not_paid_again(known, reasoning, heard, spoken):
    parts = {"reasoning": reasoning, "input_audio": heard, "output_audio": spoken}
    assert price(Usage(**known, **parts), SONNET) == price(Usage(**known), SONNET)


@given(classes, classes)
def test_two_calls_cost_what_their_sum_costs(one, other):
    both = {name: one[name] + other[name] for name in one}
    assert price(Usage(**one), SONNET) + price(Usage(**other), SONNET) == price(Usage(**both), SONNET)


@given(
    classes,
    st.sampled_from(["input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "web_searches"]),
)
def test_more_of_anything_costs_more(known, name):
    more = known | {name: known[name] + 1}
    assert price(Usage(**more), SONNET) > price(Usage(**known), SONNET) >= 0


def test_an_estimate_costs_what_the_exact_count_would():
    assert price(Usage(input=5, exact=False), SONNET) == price(Usage(input=5), SONNET)


def test_an_absurd_count_stays_within_what_the_ledger_stores():
    assert price(Usage(output=2**64), SONNET) == MAX_COST


def test_a_long_prompt_is_paid_at_the_price_for_its_length():
    above = replace(SONNET, input=6_000_000, output=22_500_000)
    tiered = replace(SONNET, long_from=200_000, long=above)
    classes = {"cache_read": 50_000, "cache_write_5m": 20_000, "cache_write_1h": 10_000, "output": 7}
    at_limit, over = Usage(input=120_000, **classes), Usage(input=120_001, **classes)
    assert price(at_limit, tiered) == price(at_limit, SONNET)
    assert price(over, tiered) == price(over, above)
