import json

import pytest

from tokligence.catalog.data import ROWS
from tokligence.catalog.lookup import Catalogue
from tokligence.catalog.overrides import PricesError, overrides


def catalogue(entries):
    raw = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return Catalogue(overrides(raw, "prices.json", "2026-11-24"))


def test_a_price_of_ones_own_replaces_the_built_in_one():
    card = catalogue({"gpt-4o": {"input": 2.2, "output": 9, "date": "2026-01-02"}}).card("gpt-4o")
    assert (card.price.input, card.price.output) == (2_200_000, 9_000_000)
    assert (card.price.date, card.price.source) == ("2026-01-02", "prices.json")
    assert card.price.cache_read == 1_250_000  # left out: as it was
    assert card.context_tokens == 128_000


def test_a_price_without_a_date_is_as_old_as_the_file():
    assert catalogue({"gpt-4o": {"input": 1}}).card("gpt-4o").price.date == "2026-11-24"


def test_an_undated_name_prices_its_dated_model_too():
    card = catalogue({"claude-sonnet-4-5": {"input": 1}}).card("claude-sonnet-4-5-20250929")
    assert card.price.input == 1_000_000


def test_a_snapshot_can_be_priced_by_itself():
    found = catalogue({"gpt-4o-2024-08-06": {"input": 1}})
    assert found.card("gpt-4o-2024-08-06").price.input == 1_000_000
    assert found.card("gpt-4o").price.input == 2_500_000


def test_a_price_of_ones_own_ends_the_surcharge_on_long_prompts():
    price = catalogue({"gpt-5.5": {"input": 4}}).card("gpt-5.5").price
    assert (price.long, price.long_from) == (None, None)


def test_a_limit_alone_leaves_the_price():
    card = catalogue({"gpt-4o": {"max_output_tokens": 100}}).card("gpt-4o")
    assert card.max_output_tokens == 100
    assert card.price == Catalogue(ROWS).card("gpt-4o").price


def test_a_new_model_needs_input_and_output_and_takes_the_rest_from_input():
    card = catalogue({"mine": {"vendor": "llm", "input": 0.5, "output": 1}}).card("mine", "llm")
    assert (card.price.input, card.price.cache_read, card.price.cache_write_1h) == (500_000, 500_000, 500_000)
    assert card.price.output == 1_000_000


def test_the_same_model_may_cost_differently_elsewhere():
    found = catalogue({"gpt-4o": {"vendor": "azure", "input": 1, "output": 2}})
    assert found.card("gpt-4o", "azure").price.input == 1_000_000
    assert found.card("gpt-4o", "openai").price.input == 2_500_000


def test_a_star_prices_each_model_of_a_vendor():
    found = catalogue({"*": {"vendor": "llm", "input": 0, "output": 0}})
    assert found.card("anything", "llm").price.output == 0


def test_web_searches_are_priced_by_the_thousand():
    assert catalogue({"gpt-4o": {"web_search": 10}}).card("gpt-4o").price.web_search == 10_000_000_000


def test_a_byte_order_mark_is_allowed():
    assert catalogue(b'\xef\xbb\xbf{"gpt-4o": {"input": 1}}').card("gpt-4o").price.input == 1_000_000


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"{", "prices.json, line 1: it is not JSON"),
        (b'{"a":\n1,\n}', "prices.json, line 3: it is not JSON"),
        (b"\xff", "prices.json: it is not UTF-8"),
        (b"[" * 100_000, "prices.json: it is nested too deeply"),
        (b"[]", "prices.json: it must be an object of model names"),
        (b'{"a": {}, "a": {}}', "prices.json: 'a' stands there twice"),
        (b'{"a": 1}', "prices.json: 'a': it must be an object, for example"),
        (b'{"a": {"imput": 1}}', "prices.json: 'a': 'imput' is not known; did you mean input?"),
        (b'{"a": {"zzz": 1}}', "prices.json: 'a': 'zzz' is not known; known are input, output"),
        (b'{"a": {"input": 1}}', "prices.json: 'a': output is missing"),
        (b'{"a": {"output": 1}}', "prices.json: 'a': input is missing"),
        (b'{"a": {"input": "1"}}', "prices.json: 'a': input must be a number of US dollars"),
        (b'{"a": {"input": -1}}', "prices.json: 'a': input must be a number of US dollars"),
        (b'{"a": {"input": NaN}}', "prices.json: 'a': input must be a number of US dollars"),
        (b'{"a": {"input": true}}', "prices.json: 'a': input must be a number of US dollars"),
        (b'{"a": {"input": 1e9}}', "prices.json: 'a': input must be a number of US dollars"),
        (b'{"a": {"input": 0.0000001}}', "prices.json: 'a': input has more than 6 decimals"),
        (
            b'{"a": {"context_tokens": 0}}',
            "prices.json: 'a': context_tokens must be a whole number of tokens",
        ),
        (
            b'{"a": {"context_tokens": true}}',
            "prices.json: 'a': context_tokens must be a whole number of tokens",
        ),
        (
            b'{"a": {"context_tokens": 1.5}}',
            "prices.json: 'a': context_tokens must be a whole number of tokens",
        ),
        (b'{"a": {"vendor": 1}}', "prices.json: 'a': vendor must be text"),
        (b'{"a": {"date": "today"}}', "prices.json: 'a': date must be YYYY-MM-DD"),
    ],
)
def test_what_is_wrong_with_the_file_is_said_in_one_line(raw, message):
    with pytest.raises(PricesError) as caught:
        overrides(raw, "prices.json", "2026-11-24")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
