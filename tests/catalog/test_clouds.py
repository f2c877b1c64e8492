from __future__ import annotations

import pytest

from tokligence.catalog.clouds import CLOUD, CLOUDS, plain_name, variable_of
from tokligence.catalog.presets import PRESET
from tokligence.catalog.providers import AuthStyle, from_cloud
from tokligence.config.endpoints import BUILT_IN_PROVIDERS
from tokligence.config.schema import PROTOCOLS, PROVIDER_KEYS
from tokligence.conversation import ProtocolId


@pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud.id)
def test_rows_speak_of_settings_and_protocols_that_exist(cloud) -> None:
    assert AuthStyle(cloud.auth)
    assert set(cloud.protocols) <= set(PROTOCOLS.values())
    assert set(cloud.protocols) <= set(cloud.like)
    keys = {key for group in cloud.variables for key in group} | {key for keys in cloud.needs for key in keys}
    assert keys <= set(PROVIDER_KEYS)
    assert cloud.id not in {*PRESET, *BUILT_IN_PROVIDERS}


@pytest.mark.parametrize(
    ("cloud", "name", "plain"),
    [
        ("bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5-20250929"),
        ("bedrock", "us.anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
        ("bedrock", "global.anthropic.claude-sonnet-5", "claude-sonnet-5"),
        (
            "bedrock",
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-4-5-20251101-v1:0",
            "claude-opus-4-5-20251101",
        ),
        ("bedrock", "amazon.nova-pro-v1:0", "amazon.nova-pro"),
        ("vertex", "claude-sonnet-4-5@20250929", "claude-sonnet-4-5-20250929"),
        ("vertex", "claude-opus-4-6@default", "claude-opus-4-6"),
        ("vertex", "google/gemini-3-pro", "gemini-3-pro"),
        ("azure", "gpt-4o", "gpt-4o"),
    ],
)
def test_a_model_is_known_by_its_makers_name(cloud: str, name: str, plain: str) -> None:
    assert plain_name(CLOUD[cloud], name) == plain


def test_variables_are_found_by_key() -> None:
    assert variable_of(CLOUD["bedrock"], "region") == "AWS_REGION"
    assert variable_of(CLOUD["azure"], "region") == ""


def test_signatures_of_claude_are_the_makers_wherever_it_runs() -> None:
    row = from_cloud("aws", CLOUD["bedrock"], ProtocolId.ANTHROPIC, "https://x")
    assert (row.issuer, row.vendor, row.paths) == ("anthropic", "aws", {"messages": "/v1/messages"})
    chat = from_cloud("az", CLOUD["azure"], ProtocolId.OPENAI_CHAT, "https://x")
    gemini = from_cloud("gcp", CLOUD["vertex"], ProtocolId.GEMINI, "https://x")
    assert (gemini.issuer, set(gemini.paths)) == ("gcp", {"generate"})
    assert (chat.issuer, chat.auth, chat.dialect.developer_role) == ("az", AuthStyle.API_KEY, True)
