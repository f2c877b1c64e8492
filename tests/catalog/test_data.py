import re
from collections import Counter
from typing import get_args

import anthropic.types
import openai.types
import pytest

from tokligence.catalog.data import ANTHROPIC, OPENAI, ROWS, pico
from tokligence.catalog.lookup import Catalogue
from tokligence.catalog.models import ChatTools, Price, ThinkingOff, ThinkingStyle, at_length

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
PRICED = [row for row in ROWS if row.price is not None]
CATALOGUE = Catalogue(ROWS)

# Names of the SDKs' lists without a row: other kinds of models, or nothing published that we could read.
NOT_CHAT_TEXT = re.compile(
    r"audio|search|deep-research|computer-use|cyber|daybreak|rosalind|astra-law|mythos-preview|gpt-5\.1-mini$"
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.vendor}-{row.id}")
def test_every_row_says_where_it_comes_from_and_has_sane_limits(row):
    assert row.id and row.vendor and row.source
    assert row.released == "" or DAY.fullmatch(row.released)
    assert (row.max_output_tokens or 1) <= (row.context_tokens or 10**9)
    assert (row.efforts != ()) <= (row.thinking is not ThinkingStyle.NONE)
    if (
        row.vendor == "openai" and row.thinking is ThinkingStyle.EFFORT
    ):  # it can be silenced by a word, or not at all
        silenced = ThinkingOff.OMIT if "none" in row.efforts else ThinkingOff.NEVER
        assert row.thinking_off is silenced
    else:
        assert row.thinking_off is ThinkingOff.OMIT or row.vendor == "anthropic"
    assert (row.chat_tools is ChatTools.ANY) or row.vendor == "openai"


@pytest.mark.parametrize("row", PRICED, ids=lambda row: f"{row.vendor}-{row.id}")
def test_every_price_is_dated_sourced_and_ordered(row):
    price = row.price
    assert DAY.fullmatch(price.date) and price.source
    assert price.cache_read <= price.input <= price.cache_write_5m <= price.cache_write_1h
    assert price.input <= price.output
    assert (price.long is None) == (price.long_from is None)
    if price.long is not None:
        assert price.long.input > price.input and price.long.output > price.output


def test_no_name_stands_for_two_models():
    names = Counter(name for row in ROWS if row.id != "*" for name in (row.id, *row.aliases))
    assert [name for name, times in names.items() if times > 1] == []


def test_published_prices_become_pico_usd_per_token():
    sonnet = CATALOGUE.card("claude-sonnet-4-5").price
    assert (sonnet.input, sonnet.output) == (3_000_000, 15_000_000)
    assert (sonnet.cache_read, sonnet.cache_write_5m, sonnet.cache_write_1h) == (
        300_000,
        3_750_000,
        6_000_000,
    )
    assert sonnet.web_search == 10_000_000_000
    mini = CATALOGUE.card("gpt-4o-mini").price
    assert (mini.input, mini.cache_read, mini.output) == (150_000, 75_000, 600_000)
    assert CATALOGUE.card("gpt-4").price.cache_read == 30_000_000


def test_more_decimals_than_pico_usd_are_refused():
    assert pico("0.000001") == 1
    with pytest.raises(ValueError, match="6 decimals"):
        pico("0.0000001")


def test_a_long_prompt_has_its_own_price():
    price = CATALOGUE.card("gpt-5.5").price
    assert at_length(price, 272_000) is price
    long = at_length(price, 272_001)
    assert (long.input, long.cache_read, long.output) == (10_000_000, 1_000_000, 45_000_000)
    haiku = CATALOGUE.card("claude-haiku-5-5").price
    assert at_length(haiku, 100_001).output == 2_500_000
    flat = CATALOGUE.card("gpt-4o").price
    assert at_length(flat, 10**9) is flat
    assert at_length(Price(1, 1, 1, 1, 1, "", "", long_from=1), 2).long is None


def test_every_text_model_of_the_vendors_lists_is_known():
    theirs = {*get_args(openai.types.ChatModel), *get_args(get_args(openai.types.shared.AllModels)[2])}
    theirs |= set(get_args(get_args(anthropic.types.ModelParam)[0]))
    missing = [name for name in theirs if not NOT_CHAT_TEXT.search(name) and not CATALOGUE.knows(name)]
    assert missing == []


def test_rows_belong_to_their_vendor():
    assert {row.vendor for row in ANTHROPIC} == {"anthropic"}
    assert {row.vendor for row in OPENAI} == {"openai"}


def test_what_newer_models_refuse_is_written_down():
    sonnet = CATALOGUE.card("claude-sonnet-5-5")
    assert (sonnet.sampling, sonnet.forced_tools, sonnet.thinking_off) == (
        False,
        False,
        ThinkingOff.BETWEEN_TOOLS,
    )
    assert CATALOGUE.card("claude-opus-5-5").thinking_off is ThinkingOff.NEVER
    assert CATALOGUE.card("claude-haiku-4-5").one_sampler
    assert CATALOGUE.card("gpt-5.6-luna").chat_tools is ChatTools.WITHOUT_REASONING
    assert CATALOGUE.card("gpt-6.1-sol").chat_tools is ChatTools.NEVER
    assert not CATALOGUE.card("o3").stop
