import pytest

from tokligence.catalog.data import ROWS
from tokligence.catalog.providers import BY_ID, IDS, PROVIDERS, AuthStyle, named
from tokligence.config.schema import Settings
from tokligence.conversation import ProtocolId


def test_ids_and_aliases_are_unique():
    names = [name for row in PROVIDERS for name in (row.id, *row.aliases)]
    assert len(names) == len(set(names)) == len(IDS)
    assert IDS["gemini"] == "google"
    assert BY_ID["google"].vendor == "google"


@pytest.mark.parametrize("row", PROVIDERS, ids=lambda row: row.id)
def test_every_setting_that_a_row_names_exists(row):
    settings = [row.key_setting, row.url_setting, row.needs, *(setting for _, setting in row.headers)]
    assert all(hasattr(Settings(), name) for name in settings if name)


@pytest.mark.parametrize("row", PROVIDERS, ids=lambda row: row.id)
def test_default_addresses_agree_with_the_settings(row):
    if row.url_setting:
        assert getattr(Settings(), row.url_setting) == row.base_url


@pytest.mark.parametrize("row", PROVIDERS, ids=lambda row: row.id)
def test_a_row_with_a_protocol_has_its_endpoints(row):
    endpoints = {
        ProtocolId.OPENAI_CHAT: {"chat", "models"},
        ProtocolId.ANTHROPIC: {"messages", "count_tokens", "models"},
        None: set(),
    }
    more = {"responses"} if row.id == "openai" else set()
    assert set(row.paths) == endpoints[row.protocol] | more
    assert all(path.startswith("/") for path in row.paths.values())
    version = "/v1beta/openai/" if row.id == "google" else "/v1/"
    assert all(path.startswith(version) != row.versioned for path in row.paths.values())


def test_default_routes_cover_the_catalogue():
    prefixes = {row.id: tuple(pattern.rstrip("*") for pattern in row.routes) for row in PROVIDERS}
    for model in ROWS:
        if model.id != "*":
            assert model.id.startswith(prefixes[model.vendor])


def test_vendors_take_their_keys_in_their_own_headers():
    assert BY_ID["anthropic"].auth is AuthStyle.X_API_KEY
    assert BY_ID["anthropic"].headers == (("anthropic-version", "anthropic_version"),)
    assert BY_ID["google"].auth is AuthStyle.BEARER
    assert BY_ID["google"].variables == ("GEMINI_API_KEY", "GOOGLE_API_KEY")
    assert BY_ID["openai"].dialect.max_tokens_field == "max_completion_tokens"


def test_a_named_endpoint_follows_the_rules_of_its_protocol():
    chat = named("mine", ProtocolId.OPENAI_CHAT, "http://localhost:1/v1")
    assert (chat.versioned, chat.auth, chat.headers) == (True, AuthStyle.BEARER, ())
    assert chat.paths["chat"] == "/chat/completions"
    messages = named("theirs", ProtocolId.ANTHROPIC, "http://localhost:2")
    assert (messages.versioned, messages.auth) == (False, AuthStyle.X_API_KEY)
    assert messages.paths["messages"] == "/v1/messages"
    assert messages.headers == BY_ID["anthropic"].headers
    assert messages.vendor == messages.issuer == messages.id == "theirs"
