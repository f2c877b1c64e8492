"""From the configuration to the state that calls run on: providers, catalogue, router. No I/O but the files that settings
name: prices, a cloud's credentials."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from tokligence.catalog.clouds import CLOUD, variable_of
from tokligence.catalog.data import ROWS
from tokligence.catalog.lookup import Catalogue
from tokligence.catalog.models import ModelCard
from tokligence.catalog.overrides import PricesError, overrides
from tokligence.catalog.presets import PRESET, PRESETS, setting_of
from tokligence.catalog.providers import (
    IDS,
    PROVIDERS,
    AuthStyle,
    ProviderRow,
    from_cloud,
    from_preset,
    named,
)
from tokligence.config.endpoints import address_of, lacking
from tokligence.config.schema import ProviderSection, Settings
from tokligence.conversation import ProtocolId
from tokligence.errors import GatewayError
from tokligence.pipeline.clouds import Azure, Bedrock, Tokens, Vertex, Way
from tokligence.pipeline.hub import Provider, Resold, State
from tokligence.pipeline.outbound import JSON
from tokligence.routing.match import ModelNames, Providers, Route, RouteError, Router, parse_route
from tokligence.upstream.cloud.google import ServiceAccount, read_credentials, rs256
from tokligence.upstream.cloud.sigv4 import AwsKeys
from tokligence.upstream.origin import Origin, parse_origin

PROTOCOL_OF: Final = {
    "openai": ProtocolId.OPENAI_CHAT,
    "anthropic": ProtocolId.ANTHROPIC,
    "gemini": ProtocolId.GEMINI,
}
"""Words of a provider section."""

BUILTIN: Final = "built in"

_HEADER_VALUE: Final = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*")
"""RFC 9110 section 5.5: visible characters, spaces and tabs."""


def build_state(settings: Settings) -> State:
    """Raises `config.invalid` for a base URL, a route or a price that cannot be used."""
    catalogue = Catalogue(_rows(settings.prices_file))
    providers = {row.id: _provider(row, settings) for row in PROVIDERS if is_configured(row, settings)}
    for section in settings.providers:
        if missing(section, settings) is None:
            make = _cloud_provider if section.type else _named_provider
            providers[section.name] = make(section, settings)
    return State(settings, catalogue, providers, _router(settings, catalogue, providers))


def is_configured(row: ProviderRow, settings: Settings) -> bool:
    """Whether the provider can be called: its key, or its address where that is what it needs, is set."""
    if settings.local_only and row.base_url is not None:
        return False  # a vendor's own service; custom endpoints are the operator's own
    return not row.needs or bool(getattr(settings, row.needs))


def missing(section: ProviderSection, settings: Settings) -> str | None:
    """Why a named endpoint cannot be called; None if it can. A vendor known by its name needs a key, a cloud what its row
    says, and both are of those that `local_only` keeps out, unless the address is the operator's own."""
    preset = PRESET.get(section.preset)
    known = bool(section.type) or (preset is not None and not preset.local)
    if known and settings.local_only and not section.base_url:
        return "local_only is on"
    key = _lacks(section)
    return None if key is None else f"[provider.{section.name}] {key} is not set"


def _lacks(section: ProviderSection) -> str | None:
    """The key without which a section cannot be used and that it has not."""
    if section.type:
        return lacking(section)
    preset = PRESET.get(section.preset)
    if section.base_url or section.api_key or preset is None or preset.local:
        return None
    return "api_key"


def allowed_hosts(state: State) -> Callable[[str], bool] | None:
    """With `local_only`, the only hosts that a connection may leave for; None: any."""
    if not state.settings.local_only:
        return None
    hosts = frozenset(p.origin.host for p in state.providers.values() if p.origin is not None)
    return lambda host: host in hosts


# --- providers ------------------------------------------------------------------------------------------


def _provider(row: ProviderRow, settings: Settings) -> Provider:
    url = getattr(settings, row.url_setting) if row.url_setting else row.base_url
    key = getattr(settings, row.key_setting) if row.key_setting else None
    return _ready(row, url, key, settings, own_endpoint=bool(row.url_setting) and row.base_url is None)


def _named_provider(section: ProviderSection, settings: Settings) -> Provider:
    protocol, url = PROTOCOL_OF[section.protocol], address_of(section)
    preset = PRESET.get(section.preset)
    row = (
        named(section.name, protocol, url)
        if preset is None
        else from_preset(section.name, preset, protocol, url)
    )
    return _ready(row, url, section.api_key, settings, own_endpoint=True)


def _cloud_provider(section: ProviderSection, settings: Settings) -> Provider:
    cloud, protocol = CLOUD[section.type], PROTOCOL_OF[section.protocol]
    url = address_of(section)
    older = bool(section.api_version)
    if cloud.platform:
        url = _azure_url(url, deployments=older)
    row = from_cloud(section.name, cloud, protocol, url, responses=cloud.platform and not older)
    provider = _ready(row, url, section.api_key, settings, own_endpoint=False)
    resold = Resold(cloud, cloud.like[section.protocol])
    return replace(provider, resold=resold, way=WAYS[cloud.id](section, provider))


def _azure_url(url: str, *, deployments: bool) -> str:
    """The resource's address, as Azure's portal shows it or with what its SDKs put behind it."""
    resource = url.rstrip("/").removesuffix("/v1").removesuffix("/openai")
    return resource if deployments else f"{resource}/openai/v1"


def _azure(section: ProviderSection, _provider: Provider) -> Way | None:
    return Azure(section.api_version) if section.api_version else None


def _vertex(section: ProviderSection, provider: Provider) -> Way:
    """Raises `config.invalid` for a credentials file that cannot be used."""
    file = Path(section.credentials_file)
    try:
        credentials = read_credentials(file.read_bytes())
        account = credentials if isinstance(credentials, ServiceAccount) else None
        signer = None if account is None else rs256(account.private_key)
        tokens = Tokens(provider.id, credentials, signer)
    except OSError as error:
        raise _unusable(section, f"{file}: {error.strerror}") from None
    except ValueError as error:
        raise _unusable(section, f"{file}: {error}") from None
    except GatewayError as error:
        raise _unusable(section, f"{file}: token_uri: {error.message}") from None
    except ImportError:
        hint = "Install it: pip install 'tokligence[cloud]'."
        raise _unusable(section, f"{file}: a service account needs the package cryptography.", hint) from None
    project = section.project or (account.project_id if account else "")
    if not project:
        raise _unusable(section, "it is not set, and the credentials file names none.", key="project")
    assert provider.protocol is not None, "a cloud speaks a protocol"
    return Vertex(provider.protocol, f"projects/{project}/locations/{section.location}", tokens)


def _bedrock(section: ProviderSection, provider: Provider) -> Way:
    assert provider.origin is not None, "a cloud has an address"
    keys = AwsKeys(section.access_key_id, section.secret_access_key, section.session_token)
    return Bedrock(provider.origin, section.region, None if section.api_key else keys)


WAYS: Final[dict[str, Callable[[ProviderSection, Provider], Way | None]]] = {
    "azure": _azure,
    "vertex": _vertex,
    "bedrock": _bedrock,
}


def _unusable(
    section: ProviderSection, reason: str, hint: str | None = None, *, key: str = "credentials_file"
) -> GatewayError:
    return GatewayError("config.invalid", reason=f"[provider.{section.name}] {key}: {reason}", hint=hint)


def _ready(
    row: ProviderRow, url: str | None, key: str | None, settings: Settings, *, own_endpoint: bool
) -> Provider:
    return Provider(
        id=row.id,
        vendor=row.vendor,
        issuer=row.issuer,
        dialect=row.dialect,
        protocol=row.protocol,
        origin=_origin(row, url) if url else None,
        credentials=_credentials(row, key),
        defaults=(
            JSON,
            *(
                (name.encode(), _sendable(value, setting))
                for name, setting in row.headers
                if (value := getattr(settings, setting))
            ),
        ),
        targets={endpoint: path.encode() for endpoint, path in row.paths.items()},
        roots={protocol: root.encode() for protocol, root in row.roots.items()},
        own_endpoint=own_endpoint,
        max_tokens=settings.anthropic_max_tokens if row.protocol is ProtocolId.ANTHROPIC else None,
    )


def _origin(row: ProviderRow, url: str) -> Origin:
    try:
        return parse_origin(url, versioned=row.versioned)
    except GatewayError as error:
        setting = row.url_setting or f"[provider.{row.id}] base_url"
        raise GatewayError("config.invalid", reason=f"{setting}: {error.message}", hint=error.hint) from None


def _credentials(row: ProviderRow, key: str | None) -> tuple[tuple[bytes, bytes], ...]:
    if not key or row.auth is AuthStyle.NONE:
        return ()
    value = _sendable(key, row.key_setting or f"[provider.{row.id}] api_key")
    if row.auth is not AuthStyle.BEARER:
        return ((row.auth.value.encode(), value),)
    return ((b"authorization", b"Bearer " + value),)


def _sendable(value: str, setting: str) -> bytes:
    """`value` as a header carries it. The error does not show it: most are secrets."""
    if not _HEADER_VALUE.fullmatch(value):
        reason = f"{setting}: holds a line break or another character that cannot be sent in a header"
        raise GatewayError("config.invalid", reason=reason)
    return value.encode()


# --- routes ---------------------------------------------------------------------------------------------


def _router(settings: Settings, catalogue: Catalogue, providers: dict[str, Provider]) -> Router:
    names = ModelNames(
        newest=catalogue.family_newest,
        is_family=catalogue.is_family,
        has_member=catalogue.has_member,
        near=lambda model: catalogue.near(model, names=_served(catalogue, providers)),
    )
    aliases = {alias: name for name in providers if name in PRESET for alias in PRESET[name].aliases}
    ids = {**IDS, **aliases, **{name.lower(): name for name in providers}}
    needs = {row.id: row.needs for row in PROVIDERS if row.needs}
    needs |= {name: setting_of(preset) for name, preset in PRESET.items()}
    unset = {name: (setting, f"TOKLIGENCE_{setting.upper()}") for name, setting in needs.items()}
    unset |= {section.name: found for section in settings.providers if (found := _unset(section))}
    builtin = [Route(pattern, row.id, BUILTIN) for row in PROVIDERS for pattern in row.routes]
    builtin += [
        Route(pattern, preset.id, BUILTIN, plain=True) for preset in PRESETS for pattern in preset.routes
    ]
    if settings.passthrough_provider.lower() not in ids | unset:
        reason = f"passthrough_provider: there is no provider {settings.passthrough_provider}"
        raise GatewayError("config.invalid", reason=reason)
    try:
        return Router(
            [parse_route(text, "model_provider_routes") for text in settings.model_provider_routes],
            builtin,
            Providers(ids, frozenset(providers), unset),
            names,
        )
    except RouteError as error:
        raise GatewayError("config.invalid", reason=f"model_provider_routes: {error}") from None


def _unset(section: ProviderSection) -> tuple[str, str] | None:
    """What would configure a section, and a variable that gives it; None if nothing is missing but permission."""
    key = _lacks(section)
    if key is None:
        return None
    cloud, preset = CLOUD.get(section.type), PRESET.get(section.preset)
    variables = preset.variables if preset else (variable_of(cloud, key) if cloud else "",)
    return f"provider.{section.name}.{key}", variables[0]


def _served(catalogue: Catalogue, providers: dict[str, Provider]) -> Iterable[str]:
    return [
        name
        for provider in providers.values()
        for name in (*catalogue.known_models(provider.vendor), provider.id)
    ]


def _rows(prices_file: str | None) -> tuple[ModelCard, ...]:
    """The catalogue's rows, the operator's own first. An entry without a date is as old as the file."""
    if prices_file is None:
        return ROWS
    path = Path(prices_file)
    try:
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC).strftime("%Y-%m-%d")
        return overrides(path.read_bytes(), path.name, written)
    except OSError as error:
        raise GatewayError("config.invalid", reason=f"prices_file: {path}: {error.strerror}") from None
    except PricesError as error:
        raise GatewayError("config.invalid", reason=f"prices_file: {error}") from None
