import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokligence.errors import GatewayError
from tokligence.routing.match import ModelNames, Providers, Route, RouteError, Router, parse_route

BUILTIN = [
    Route("gpt*", "openai"),
    Route("claude*", "anthropic"),
    Route("loopback", "loopback"),
    Route("*", "llm"),
]
FAMILIES = {"claude-sonnet": "claude-sonnet-4-5-20250929", "claude-haiku": "claude-haiku-4-5-20251001"}
MEMBERS = {"gpt-3.5": "gpt-3.5-turbo*", "claude-sonnet": "claude-sonnet-*"}
UNSET = {
    "openai": ("openai_api_key", "TOKLIGENCE_OPENAI_API_KEY"),
    "anthropic": ("anthropic_api_key", "A"),
    "llm": ("llm_endpoint", "L"),
    "google": ("google_api_key", "G"),
}

NAMES = ModelNames(
    newest=lambda name: FAMILIES.get(name.lower()),
    is_family=lambda name: name.lower() in FAMILIES or name.lower() in MEMBERS,
    has_member=lambda family, model: fnmatch.fnmatchcase(model, MEMBERS.get(family, "-")),
    near=lambda model: ["gpt-4o"] if model.startswith("gtp") else [],
)


def router(*texts: str, configured: str = "openai anthropic loopback") -> Router:
    ids = {name: name for name in ("openai", "anthropic", "google", "loopback", "llm", "mine")} | {
        "gemini": "google"
    }
    providers = Providers(ids, frozenset(configured.split()), UNSET)
    return Router([parse_route(t) for t in texts], BUILTIN, providers, NAMES)


def resolve(asked: str, *texts: str, configured: str = "openai anthropic loopback") -> tuple[str, str]:
    found = router(*texts, configured=configured).resolve(asked)
    return found.provider, found.model


@pytest.mark.parametrize("arrow", ["=", "=>", "→", " = ", " => ", " → "])
def test_the_three_arrows_mean_the_same(arrow):
    assert parse_route(f"gpt*{arrow}openai") == Route("gpt*", "openai")


@pytest.mark.parametrize("text", ["", "gpt", "=openai", "gpt=", "gpt→", "a=b*", "a=b=c", "a→b→c"])
def test_what_is_not_a_route_is_refused_with_the_text(text):
    with pytest.raises(RouteError):
        parse_route(text)


def test_the_readmes_two_route_lines_work_as_they_stand():
    line = "model_provider_routes=gpt-4→claude-sonnet,gpt-3.5→claude-haiku"
    routes = line.split("=", 1)[1].split(",")
    assert resolve("gpt-4", *routes) == ("anthropic", "claude-sonnet-4-5-20250929")
    assert resolve("gpt-3.5", *routes) == ("anthropic", "claude-haiku-4-5-20251001")
    assert resolve("gpt-3.5-turbo-0125", *routes) == ("anthropic", "claude-haiku-4-5-20251001")
    assert resolve("gpt-4o", *routes) == ("openai", "gpt-4o")
    line = "model_provider_routes=gpt*→openai,claude*→anthropic"
    routes = line.split("=", 1)[1].split(",")
    assert resolve("gpt-4", *routes) == ("openai", "gpt-4")
    assert resolve("claude-x", *routes) == ("anthropic", "claude-x")


def test_exact_goes_before_the_most_literal_before_the_first():
    routes = ["*-x=anthropic", "gpt-4*=anthropic", "gpt-4-x=mine/a", "*t-4-x=mine/b"]
    assert resolve("gpt-4-x", *routes, configured="openai anthropic mine") == ("mine", "a")
    assert resolve("got-4-x", *routes, configured="openai anthropic mine") == ("mine", "b")
    assert resolve("gpt-4-y", *routes) == ("anthropic", "gpt-4-y")
    assert resolve("aa", "a*=openai", "*a=anthropic") == ("openai", "aa")


def test_a_users_route_goes_before_a_built_in_one_of_the_same_length():
    assert resolve("gpt-4", "gpt*=anthropic") == ("anthropic", "gpt-4")


def test_matching_ignores_case_and_the_model_keeps_its_own():
    assert resolve("GPT-4o", "gpt-4O*=OpenAI") == ("openai", "GPT-4o")


def test_a_star_may_stand_anywhere():
    assert resolve("a-mini-b", "*mini*=anthropic") == ("anthropic", "a-mini-b")
    assert resolve("a.b", "a.b=anthropic") == ("anthropic", "a.b")
    with pytest.raises(GatewayError):
        resolve("axb", "a.*b=anthropic")


def test_a_provider_in_the_request_selects_directly():
    assert resolve("openai/claude-3", "claude*=anthropic") == ("openai", "claude-3")
    assert resolve("OpenAI/ft:gpt/4") == ("openai", "ft:gpt/4")
    with pytest.raises(GatewayError) as caught:
        resolve("gemini/x")
    assert caught.value.code == "provider.not_configured"


def test_a_name_with_a_slash_that_is_no_provider_is_a_model():
    assert resolve("meta/llama", configured="llm") == ("llm", "meta/llama")


def test_a_target_may_name_provider_and_model():
    assert resolve("fast", "fast=openai/gpt-5-mini") == ("openai", "gpt-5-mini")


def test_targets_are_resolved_again_and_the_steps_are_told():
    found = router("a=b", "b=c", "c=gpt-4").resolve("a")
    assert (found.provider, found.model) == ("openai", "gpt-4")
    assert found.steps == ("a → b", "b → c", "c → gpt-4", "gpt* → openai")


def test_a_family_asked_for_is_its_newest_member():
    assert resolve("claude-sonnet") == ("anthropic", "claude-sonnet-4-5-20250929")


@pytest.mark.parametrize(
    "routes", [["a=b", "b=a"], ["a=a"], ["a*=ab"], [f"m{i}=m{i + 1}" for i in range(10)]]
)
def test_a_loop_is_an_error_when_it_is_loaded(routes):
    with pytest.raises(RouteError, match="does not end"):
        router(*routes)


def test_a_family_whose_provider_has_no_key_says_what_to_set():
    with pytest.raises(GatewayError) as caught:
        resolve("claude-3", configured="openai")
    error = caught.value
    assert (error.code, error.status) == ("provider.not_configured", 503)
    assert "anthropic_api_key" in error.text
    assert "tgw config set model_provider_routes 'claude*→MODEL'" in error.text


def test_a_catch_all_takes_what_no_configured_provider_does():
    assert resolve("claude-3", configured="openai llm") == ("llm", "claude-3")


def test_an_unknown_model_is_404_with_near_names_and_no_guess():
    with pytest.raises(GatewayError) as caught:
        resolve("gtp-4o")
    assert caught.value.status == 404
    assert "Did you mean gpt-4o?" in caught.value.text
    with pytest.raises(GatewayError) as caught:
        resolve("zzz")
    assert "/v1/models" in caught.value.text


def test_a_providers_name_alone_is_no_model_and_no_missing_key():
    for name in ("openai", "openai/", "Anthropic/"):
        with pytest.raises(GatewayError) as caught:
            router().resolve(name)
        assert caught.value.code == "route.no_match"
        assert "/MODEL" in caught.value.text


def test_a_route_to_an_unknown_target_fails_when_it_is_used_not_when_it_is_loaded():
    with pytest.raises(GatewayError) as caught:
        resolve("a", "a=nothing-known")
    assert caught.value.code == "route.no_match"


def test_exact_names_are_listed_without_families():
    assert router("fast=openai/x", "gpt-3.5=claude-haiku", "g*=openai").exact_names() == ["fast", "loopback"]


def test_the_memory_of_resolved_models_is_bounded(monkeypatch):
    monkeypatch.setattr("tokligence.routing.match.CACHE_LIMIT", 2)
    one = router()
    for i in range(5):
        assert one.resolve(f"gpt-{i}").model == f"gpt-{i}"
    assert len(one._cache) <= 2


@given(st.lists(st.sampled_from(["g*", "gp*", "*4", "gpt-4", "*"]), min_size=1, max_size=5, unique=True))
def test_the_order_of_routes_matters_only_among_equals(patterns):
    def served(order):
        routes = [f"{p}=mine/{i}" for i, p in enumerate(patterns)]
        return resolve("gpt-4", *[routes[i] for i in order], configured="mine")

    indices = list(range(len(patterns)))
    lengths = [len(p.replace("*", "")) for p in patterns]
    if len(set(lengths)) == len(lengths):
        assert served(indices) == served(indices[::-1])
