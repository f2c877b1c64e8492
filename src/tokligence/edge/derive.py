"""From the settings to what each part of the process wants of them. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tokligence.catalog.providers import PROVIDERS, ProviderRow
from tokligence.config.schema import PROVIDER_SECRETS, Settings
from tokligence.edge.guard import Keyring, Rules, check_exposure, is_loopback
from tokligence.edge.limits import Limits
from tokligence.errors import GatewayError
from tokligence.pipeline.build import is_configured, missing
from tokligence.upstream.client import Options
from tokligence.upstream.proxies import Proxies

OF_CLIENT: Final = frozenset(
    {
        "connect_timeout_s",
        "first_content_timeout_s",
        "idle_timeout_s",
        "local_only",
        "llm_endpoint",
        "providers",
    }
)
"""Settings that the upstream client was made with: a change of one needs another client. The addresses among them are
those that `local_only` allows."""


def check_startable(settings: Settings) -> None:
    """What a valid configuration may ask for that cannot be served. Raises `config.invalid`."""
    if settings.work_mode != "auto":
        raise GatewayError(
            "config.invalid",
            reason=f"work_mode={settings.work_mode} is not available in this version.",
            hint="Use work_mode=auto: it passes requests on where the protocols agree and translates the others.",
        )
    check_exposure(settings.host, Keyring.of(settings.client_keys))


def rules(settings: Settings) -> Rules:
    return Rules(
        keys=Keyring.of(settings.client_keys),
        cors_origins=frozenset(settings.cors_origins),
        metrics_open=is_loopback(settings.host),
    )


def limits(settings: Settings) -> Limits:
    return Limits(**{name: getattr(settings, name) for name in Limits.__struct_fields__})


def client_options(settings: Settings) -> Options:
    return Options(
        connect_timeout_s=settings.connect_timeout_s,
        first_content_timeout_s=settings.first_content_timeout_s,
        idle_timeout_s=settings.idle_timeout_s,
    )


def proxies_of(environ: Mapping[str, str]) -> Proxies:
    """The proxy variables, in lower case first, as curl reads them."""

    def value(name: str) -> str | None:
        return environ.get(name.lower()) or environ.get(name) or None

    return Proxies(http=value("HTTP_PROXY"), https=value("HTTPS_PROXY"), no_proxy=value("NO_PROXY") or "")


def secrets_of(settings: Settings) -> list[str]:
    """Every text that no log may show."""
    named = (
        settings.openai_api_key,
        settings.anthropic_api_key,
        settings.google_api_key,
        settings.llm_api_key,
        *(getattr(section, key) for section in settings.providers for key in PROVIDER_SECRETS),
        *(key.value for key in settings.client_keys),
    )
    return [secret for secret in named if secret]


def provider_states(settings: Settings) -> list[dict[str, Any]]:
    """For `status`: each provider, whether it can be called, and what is missing."""
    found = []
    for row in PROVIDERS:
        configured = is_configured(row, settings)
        found.append(_provider_state(row.id, configured, None if configured else _missing(row, settings)))
    for section in settings.providers:
        reason = missing(section, settings)
        found.append(_provider_state(section.name, reason is None, reason))
    return found


def _missing(row: ProviderRow, settings: Settings) -> str:
    vendor = row.base_url is not None
    return "local_only is on" if vendor and settings.local_only else f"{row.needs} is not set"


def _provider_state(name: str, configured: bool, reason: str | None) -> dict[str, Any]:
    state = "configured" if configured else "off"
    return {"name": name, "configured": configured, "state": state, "reason": reason}
