"""The provider table: everything that distinguishes one upstream from another, as data.

Facts of protocols and addresses: platform.claude.com/docs/en/api/overview (x-api-key, anthropic-version),
developers.openai.com/api/reference (Bearer, OpenAI-Organization, max_completion_tokens in place of max_tokens),
ai.google.dev/gemini-api/docs/openai (Chat below /v1beta/openai, Bearer); all read 2026-11-24.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from tokligence.catalog.clouds import Cloud
from tokligence.catalog.models import Dialect
from tokligence.catalog.presets import Preset
from tokligence.conversation import ProtocolId


class AuthStyle(StrEnum):
    """How an upstream wants its key."""

    BEARER = "bearer"  # Authorization: Bearer KEY
    X_API_KEY = "x-api-key"
    API_KEY = "api-key"  # Azure
    NONE = "none"


class ProviderRow(Struct, frozen=True):
    """One provider. `protocol`: None for the built-in upstream, which speaks none.

    `base_url`: default, without its last slash; `versioned`: a base URL includes the version (".../v1").
    `paths`: endpoint -> what follows the base URL. `headers`: header -> name of the setting that holds its value, sent
    if that is set. `key_setting`, `url_setting`: names of settings ("": none). `variables`: the vendor's own environment
    variables for the key, in order of precedence. `needs`: the settings one of which makes it usable ("": always).
    `issuer`: whose signatures it gives and takes. `vendor`: whose models it serves, in the catalogue of models.
    `routes`: patterns of models that go to it by default. `roots`: of the protocols whose other endpoints (embeddings,
    files, batches …) it serves, what follows the base URL in the place of a client's /v1."""

    id: str
    vendor: str
    issuer: str
    protocol: ProtocolId | None = None
    aliases: tuple[str, ...] = ()
    base_url: str | None = None
    versioned: bool = True
    auth: AuthStyle = AuthStyle.BEARER
    headers: tuple[tuple[str, str], ...] = ()
    key_setting: str = ""
    url_setting: str = ""
    variables: tuple[str, ...] = ()
    needs: str = ""
    dialect: Dialect = Dialect()
    routes: tuple[str, ...] = ()
    paths: Mapping[str, str] = {}
    roots: Mapping[ProtocolId, str] = {}


_OPENAI_ROOT: Final = MappingProxyType({ProtocolId.OPENAI_CHAT: ""})
_ANTHROPIC_ROOT: Final = MappingProxyType({ProtocolId.ANTHROPIC: "/v1"})
_GOOGLE_ROOT: Final = MappingProxyType({ProtocolId.OPENAI_CHAT: "/v1beta/openai"})
_CHAT_PATHS: Final = MappingProxyType({"chat": "/chat/completions", "models": "/models"})
_OPENAI_PATHS: Final = MappingProxyType({**_CHAT_PATHS, "responses": "/responses"})
_MESSAGES_PATHS: Final = MappingProxyType(
    {"messages": "/v1/messages", "count_tokens": "/v1/messages/count_tokens", "models": "/v1/models"}
)
_GOOGLE_PATHS: Final = MappingProxyType(
    {"chat": "/v1beta/openai/chat/completions", "models": "/v1beta/openai/models"}
)

PROVIDERS: Final[tuple[ProviderRow, ...]] = (
    ProviderRow(
        id="openai",
        vendor="openai",
        issuer="openai",
        protocol=ProtocolId.OPENAI_CHAT,
        base_url="https://api.openai.com/v1",
        headers=(("openai-organization", "openai_organization"),),
        key_setting="openai_api_key",
        url_setting="openai_base_url",
        variables=("OPENAI_API_KEY",),
        needs="openai_api_key",
        dialect=Dialect(max_tokens_field="max_completion_tokens", developer_role=True),
        routes=(
            *("gpt*", "chatgpt*", "o1*", "o3*", "o4*", "codex*"),
            *("text-embedding-3*", "text-embedding-ada*", "omni-moderation*", "text-moderation*"),
            *("dall-e*", "whisper*", "tts-1*", "davinci-002", "babbage-002"),
        ),
        paths=_OPENAI_PATHS,
        roots=_OPENAI_ROOT,
    ),
    ProviderRow(
        id="anthropic",
        vendor="anthropic",
        issuer="anthropic",
        protocol=ProtocolId.ANTHROPIC,
        base_url="https://api.anthropic.com",
        versioned=False,
        auth=AuthStyle.X_API_KEY,
        headers=(("anthropic-version", "anthropic_version"),),
        key_setting="anthropic_api_key",
        url_setting="anthropic_base_url",
        variables=("ANTHROPIC_API_KEY",),
        needs="anthropic_api_key",
        routes=("claude*",),
        paths=_MESSAGES_PATHS,
        roots=_ANTHROPIC_ROOT,
    ),
    ProviderRow(
        id="google",
        vendor="google",
        issuer="google",
        protocol=ProtocolId.OPENAI_CHAT,
        aliases=("gemini",),
        base_url="https://generativelanguage.googleapis.com",
        versioned=False,
        key_setting="google_api_key",
        url_setting="google_base_url",
        variables=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        needs="google_api_key",
        routes=("gemini*",),
        paths=_GOOGLE_PATHS,
        roots=_GOOGLE_ROOT,
    ),
    ProviderRow(
        id="llm",
        vendor="llm",
        issuer="llm",
        protocol=ProtocolId.OPENAI_CHAT,
        key_setting="llm_api_key",
        url_setting="llm_endpoint",
        needs="llm_endpoint",
        routes=("*",),
        paths=_CHAT_PATHS,
        roots=_OPENAI_ROOT,
    ),
    ProviderRow(
        id="loopback", vendor="loopback", issuer="loopback", auth=AuthStyle.NONE, routes=("loopback",)
    ),
)

BY_ID: Final[Mapping[str, ProviderRow]] = MappingProxyType({row.id: row for row in PROVIDERS})
IDS: Final[Mapping[str, str]] = MappingProxyType(
    {name: row.id for row in PROVIDERS for name in (row.id, *row.aliases)}
)
"""Every id and alias -> the id."""


def named(name: str, protocol: ProtocolId, base_url: str) -> ProviderRow:
    """The row of an endpoint that the operator named ([provider.NAME]): the same rules as the vendor's protocol has,
    with nothing that only the vendor takes."""
    anthropic = protocol is ProtocolId.ANTHROPIC
    return ProviderRow(
        id=name,
        vendor=name,
        issuer=name,
        protocol=protocol,
        base_url=base_url,
        versioned=not anthropic,
        auth=AuthStyle.X_API_KEY if anthropic else AuthStyle.BEARER,
        headers=(("anthropic-version", "anthropic_version"),) if anthropic else (),
        paths=_MESSAGES_PATHS if anthropic else _CHAT_PATHS,
        roots=_ANTHROPIC_ROOT if anthropic else _OPENAI_ROOT,
    )


def from_preset(name: str, preset: Preset, protocol: ProtocolId, base_url: str) -> ProviderRow:
    """The row of an endpoint that is a known vendor's, called by another name perhaps."""
    return replace(
        named(name, protocol, base_url),
        vendor=preset.id,
        issuer=preset.id,
        aliases=preset.aliases if name == preset.id else (),
        auth=AuthStyle.BEARER,  # those of them that answer Messages document it for these too
        dialect=preset.dialect if protocol is ProtocolId.OPENAI_CHAT else Dialect(),
    )


_CLOUD_PATHS: Final[Mapping[ProtocolId, Mapping[str, str]]] = {
    ProtocolId.OPENAI_CHAT: {"chat": "/chat/completions"},
    ProtocolId.ANTHROPIC: {"messages": "/v1/messages"},
    ProtocolId.GEMINI: {"generate": "/"},
}
"""What a cloud's own paths are made of; Gemini's have nothing but the model's name."""


def from_cloud(
    name: str, cloud: Cloud, protocol: ProtocolId, base_url: str, *, responses: bool = False
) -> ProviderRow:
    """The row of a cloud's section. `responses`: it has that API too. Claude's signatures are the same wherever the model runs
    (platform.claude.com/docs/en/build-with-claude/extended-thinking, read 2026-11-25)."""
    anthropic = protocol is ProtocolId.ANTHROPIC
    return ProviderRow(
        id=name,
        vendor=name,
        issuer="anthropic" if anthropic else name,
        protocol=protocol,
        base_url=base_url,
        auth=AuthStyle(cloud.auth),
        dialect=cloud.dialect,
        paths={**_CLOUD_PATHS[protocol], **({"responses": "/responses"} if responses else {})},
        roots=_OPENAI_ROOT if cloud.platform else {},
    )
