"""Sections of clouds: what they need, what their vendors' variables give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tokligence.config.describe import listing, shown
from tokligence.config.endpoints import address_of, lacking
from tokligence.config.errors import ConfigError
from tokligence.config.load import Loaded
from tokligence.config.schema import ProviderSection

Read = Callable[..., Loaded]

AWS = {
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "AKIA",
    "AWS_SECRET_ACCESS_KEY": "s",
    "AWS_SESSION_TOKEN": "t",
}


def section(loaded: Loaded) -> ProviderSection:
    (found,) = loaded.settings.providers
    return found


def test_bedrock_takes_what_amazons_tools_have_set(loaded: Read, gateway_ini: Path) -> None:
    gateway_ini.write_text("[provider.aws]\ntype = bedrock\n")
    found = section(loaded(**AWS))
    assert found == ProviderSection(
        name="aws",
        type="bedrock",
        protocol="anthropic",
        region="us-east-1",
        access_key_id="AKIA",
        secret_access_key="s",
        session_token="t",
    )
    assert address_of(found) == "https://bedrock-runtime.us-east-1.amazonaws.com"
    assert lacking(found) is None


def test_keys_of_ones_own_are_not_mixed_with_those_of_the_environment(
    loaded: Read, gateway_ini: Path
) -> None:
    gateway_ini.write_text("[provider.aws]\ntype = bedrock\naccess_key_id = MINE\nsecret_access_key = mine\n")
    found = section(loaded(**AWS, AWS_BEARER_TOKEN_BEDROCK="b"))
    assert (found.access_key_id, found.session_token, found.api_key) == ("MINE", "", None)
    assert found.region == "us-east-1"  # that is another matter


def test_an_api_key_is_enough_for_bedrock(loaded: Read, gateway_ini: Path) -> None:
    gateway_ini.write_text("[provider.aws]\ntype = bedrock\nregion = eu-west-3\n")
    found = section(loaded(AWS_BEARER_TOKEN_BEDROCK="b"))
    assert (found.api_key, lacking(found)) == ("b", None)


@pytest.mark.parametrize(
    ("location", "address"),
    [
        ("", "https://aiplatform.googleapis.com"),
        ("location = us\n", "https://aiplatform.us.rep.googleapis.com"),
        ("location = europe-west1\n", "https://europe-west1-aiplatform.googleapis.com"),
    ],
)
def test_vertex_is_everywhere_unless_a_place_is_named(
    loaded: Read, gateway_ini: Path, root: Path, location: str, address: str
) -> None:
    gateway_ini.write_text(f"[provider.gcp]\ntype = Vertex\n{location}credentials_file = keys/k.json\n")
    found = section(loaded())
    assert address_of(found) == address
    assert (found.protocol, found.credentials_file) == ("gemini", str(root / "keys" / "k.json"))


def test_azure_takes_its_address_and_key_from_its_variables(loaded: Read, gateway_ini: Path) -> None:
    gateway_ini.write_text("[provider.az]\ntype = azure\n")
    found = section(loaded(AZURE_OPENAI_ENDPOINT="https://r.openai.azure.com/", AZURE_OPENAI_API_KEY="k"))
    assert (found.base_url, found.api_key) == ("https://r.openai.azure.com/", "k")
    assert lacking(section(loaded())) == "base_url"


def test_no_variable_makes_a_cloud_without_its_section(loaded: Read) -> None:
    assert loaded(**AWS).settings.providers == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("type = amazon\n", "must be one of azure, vertex, bedrock"),
        ("type = bedrok\n", "did you mean bedrock?"),
        ("type = azure\nprotocol = anthropic\n", "azure speaks openai, not anthropic"),
        ("base_url = http://x\nprotocol = gemini\n", "for type vertex only"),
        ("type = azure\npreset = groq\n", "both type and preset"),
        ("base_url = http://x\nregion = r\n", "has region but no type"),
        ("type = bedrock\nregion = us/east\n", "not a name of letters"),
        ("type = vertex\nprojct = x\n", "did you mean project?"),
    ],
)
def test_what_cannot_be_used_is_named(loaded: Read, gateway_ini: Path, text: str, reason: str) -> None:
    gateway_ini.write_text(f"[provider.x]\n{text}")
    with pytest.raises(ConfigError) as caught:
        loaded()
    assert reason in str(caught.value)


def test_a_cloud_that_is_written_down_switches_local_only_off(loaded: Read, gateway_ini: Path) -> None:
    gateway_ini.write_text("llm_endpoint = http://localhost:1/v1\n[provider.aws]\ntype = bedrock\n")
    assert loaded(**AWS).settings.local_only is False
    on = loaded(**AWS, TOKLIGENCE_LOCAL_ONLY="yes")
    assert section(on).access_key_id == ""
    assert "AWS_ACCESS_KEY_ID" in on.warnings[0]


def test_secrets_of_clouds_do_not_show(loaded: Read, gateway_ini: Path) -> None:
    gateway_ini.write_text("[provider.aws]\ntype = bedrock\nregion = r\n")
    result = loaded(**AWS | {"AWS_SECRET_ACCESS_KEY": "a-very-secret-access-key"})
    assert "a-very-secret" not in repr(result.settings.providers)
    (row,) = [row for row in listing(result) if row.name == "providers"]
    assert row.value == "aws (anthropic, https://bedrock-runtime.r.amazonaws.com, no key)"
    assert shown("provider.aws.secret_access_key", "a-very-secret-access-key") == "a-v…-key"
