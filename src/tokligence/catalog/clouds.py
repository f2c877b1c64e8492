"""Clouds that resell models behind an address and an authentication of their own, as data.

Sources, read 2026-11-25: learn.microsoft.com/en-us/azure/ai-foundry/openai/reference (deployments, /openai/v1, api-key);
cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude, model-reference/inference (rawPredict,
generateContent) and the hosts of the anthropic SDK's Vertex client (2.13); docs.aws.amazon.com/bedrock/latest/APIReference,
InvokeModel and InvokeModelWithResponseStream; each vendor's SDK for the names of its variables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from tokligence.catalog.models import Dialect


class Cloud(Struct, frozen=True, kw_only=True):
    """`auth`: how its key goes, a value of `providers.AuthStyle`. `platform`: it also has the vendor's
    embeddings, files and so on. `protocols`: words of a section's `protocol` that it speaks, the default first. `address`: of the place that the
    section's `region` or `location` names ("": the section gives it); `addresses`: of places that are no region. `needs`:
    keys of the section without which it cannot be called, each with those that do instead of it. `variables`: the
    vendor's own, by key of the section; a group of them counts as one: it is read only if the section has none of its
    keys. `like`: protocol -> whose models these are, in the catalogue of models. `names`: what the cloud adds to a model's
    name, as patterns, and what stands in its place."""

    id: str
    protocols: tuple[str, ...]
    auth: str = "bearer"
    dialect: Dialect = Dialect()
    platform: bool = False
    address: str = ""
    addresses: Mapping[str, str] = {}
    needs: tuple[tuple[str, ...], ...] = ()
    variables: tuple[Mapping[str, tuple[str, ...]], ...] = ()
    like: Mapping[str, str] = {}
    names: tuple[tuple[str, str], ...] = ()


CLOUDS: Final[tuple[Cloud, ...]] = (
    Cloud(
        id="azure",
        protocols=("openai",),
        auth="api-key",
        platform=True,
        dialect=Dialect(max_tokens_field="max_completion_tokens", developer_role=True),
        needs=(("base_url",), ("api_key",)),
        variables=(
            {"api_key": ("AZURE_OPENAI_API_KEY",)},
            {"base_url": ("AZURE_OPENAI_ENDPOINT",)},
        ),
        like={"openai": "openai"},
    ),
    Cloud(
        id="vertex",
        protocols=("gemini", "anthropic", "openai"),
        address="https://{place}-aiplatform.googleapis.com",
        addresses={
            "global": "https://aiplatform.googleapis.com",
            "us": "https://aiplatform.us.rep.googleapis.com",
            "eu": "https://aiplatform.eu.rep.googleapis.com",
        },
        needs=(("credentials_file",),),
        variables=(
            {"project": ("GOOGLE_CLOUD_PROJECT",)},
            {"location": ("GOOGLE_CLOUD_LOCATION",)},
            {"credentials_file": ("GOOGLE_APPLICATION_CREDENTIALS",)},
        ),
        like={"anthropic": "anthropic", "openai": "google", "gemini": "google"},
        # "claude-sonnet-4-5@20250929", "google/gemini-3-pro"
        names=((r"@(?=\d{8}$)", "-"), (r"@default$|^google/", "")),
    ),
    Cloud(
        id="bedrock",
        protocols=("anthropic",),
        address="https://bedrock-runtime.{place}.amazonaws.com",
        needs=(("region",), ("api_key", "access_key_id"), ("api_key", "secret_access_key")),
        variables=(
            {"region": ("AWS_REGION", "AWS_DEFAULT_REGION")},
            {
                "api_key": ("AWS_BEARER_TOKEN_BEDROCK",),
                "access_key_id": ("AWS_ACCESS_KEY_ID",),
                "secret_access_key": ("AWS_SECRET_ACCESS_KEY",),
                "session_token": ("AWS_SESSION_TOKEN",),
            },
        ),
        like={"anthropic": "anthropic"},
        # "us.anthropic.claude-sonnet-4-5-20250929-v1:0", or the ARN of a profile that ends so
        names=((r"^(?:.*/)?(?:[a-z-]+\.)?anthropic\.", ""), (r"-v\d+(?::\d+)?$", "")),
    ),
)

CLOUD: Final[Mapping[str, Cloud]] = MappingProxyType({cloud.id: cloud for cloud in CLOUDS})

DEFAULT_LOCATION: Final = "global"


def address_at(cloud: Cloud, place: str) -> str:
    return cloud.addresses.get(place) or cloud.address.format(place=place)


def variable_of(cloud: Cloud, key: str) -> str:
    """The vendor's variable for a key of the section; "" if it has none."""
    return next((group[key][0] for group in cloud.variables if key in group), "")


def plain_name(cloud: Cloud, model: str) -> str:
    """The model's name as its maker has it."""
    for pattern, instead in cloud.names:
        model = re.sub(pattern, instead, model)
    return model
