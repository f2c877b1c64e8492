import pytest

from tokligence.catalog.data import ROWS
from tokligence.catalog.lookup import CACHE_LIMIT, Catalogue
from tokligence.catalog.models import ModelCard, ThinkingStyle, unknown

CATALOGUE = Catalogue(ROWS)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("gpt-4o", "gpt-4o"),
        ("GPT-4o", "gpt-4o"),
        ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5-20250929"),
        ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022"),
        ("claude-3-5-sonnet-20240620", "claude-3-5-sonnet-20240620"),
        ("claude-opus-4-0", "claude-opus-4-20250514"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
        ("gpt-4o-2031-01-01", "gpt-4o"),
        ("gpt-4-0613", "gpt-4"),
        ("gpt-5-chat-latest", "gpt-5-chat-latest"),
        ("gpt-5.6", "gpt-5.6-sol"),
    ],
)
def test_dated_undated_and_latest_names_find_the_same_row(asked, found):
    assert CATALOGUE.card(asked).id == found


def test_an_unknown_model_has_a_card_that_promises_nothing():
    card = CATALOGUE.card("my-model")
    assert card == unknown("my-model")
    assert card.thinking is ThinkingStyle.UNKNOWN and card.price is None


def test_a_model_that_another_serves_is_not_the_vendors():
    assert CATALOGUE.card("gpt-4o", "openai").price is not None
    assert CATALOGUE.card("gpt-4o", "llm") == unknown("gpt-4o")


def test_a_row_without_vendor_holds_for_whoever_serves_it():
    catalogue = Catalogue([ModelCard("mine", context_tokens=5)])
    assert catalogue.card("mine", "llm").context_tokens == 5


def test_a_star_stands_for_each_other_model_of_its_vendor():
    assert CATALOGUE.card("whatever", "loopback").price.input == 0
    assert CATALOGUE.card("whatever", "loopback").id == "whatever"
    assert CATALOGUE.card("loopback", "loopback").id == "loopback"
    assert CATALOGUE.card("*").price is None
    assert CATALOGUE.card("whatever").price is None
    assert CATALOGUE.card("whatever", "openai").price is None


def test_looked_up_names_are_remembered_but_not_for_ever():
    catalogue = Catalogue([])
    first = catalogue.card("a")
    assert catalogue.card("a") is first
    for number in range(CACHE_LIMIT):
        catalogue.card(f"b{number}")
    assert catalogue.card("a") is not first


def test_a_family_has_a_newest_member():
    assert CATALOGUE.family_newest("claude-sonnet") == "claude-sonnet-5-5"
    assert CATALOGUE.family_newest("Claude-Haiku") == "claude-haiku-5-5"
    assert CATALOGUE.family_newest("gpt-3.5") == "gpt-3.5-turbo"
    assert CATALOGUE.family_newest("gpt-sol") == "gpt-6.2-sol"
    assert CATALOGUE.family_newest("no-family") is None


def test_the_first_row_wins_among_members_of_one_day():
    catalogue = Catalogue(
        [ModelCard("b", family="f", released="2026-01-01"), ModelCard("a", family="f", released="2026-01-01")]
    )
    assert catalogue.family_newest("f") == "b"


def test_a_models_name_is_not_a_familys():
    assert not CATALOGUE.is_family("gpt-4")
    assert CATALOGUE.family_newest("gpt-4") is None
    assert not CATALOGUE.has_member("gpt-4", "gpt-4-turbo")


def test_family_members_are_its_rows_and_what_continues_its_name():
    member = CATALOGUE.family_members("gpt-3.5")
    assert member("gpt-3.5-turbo") and member("GPT-3.5-Turbo-9999")
    assert not member("gpt-4") and not member("gpt-3.55")
    assert CATALOGUE.has_member("claude-sonnet", "claude-3-5-sonnet-latest")
    assert CATALOGUE.has_member("claude-sonnet", "claude-sonnet-9")
    assert not CATALOGUE.has_member("claude-sonnet", "claude-opus-5")


def test_the_known_models_of_a_vendor_include_their_undated_names():
    names = CATALOGUE.known_models("anthropic")
    assert {"claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "claude-3-5-sonnet", "claude-opus-4-0"} <= set(
        names
    )
    assert len(names) == len(set(names))
    assert "gpt-4o" in CATALOGUE.known_models("openai")
    assert CATALOGUE.known_models("openai").count("gpt-4o") == 1
    assert CATALOGUE.known_models("loopback") == ["loopback"]
    assert CATALOGUE.known_models("nobody") == []


def test_near_finds_what_was_meant():
    assert CATALOGUE.near("gtp-4o", 1) == ["gpt-4o"]
    assert CATALOGUE.near("Claude-sonet-5-5", 1) == ["claude-sonnet-5-5"]
    assert CATALOGUE.near("lamma", names=["Llama", "gpt-4o"]) == ["Llama"]
    assert CATALOGUE.near("zzzzzzzz") == []
    assert CATALOGUE.near("x" * 100_000) == []
