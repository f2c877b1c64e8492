"""What a start in the foreground shows: where to point clients, which providers are there, a request to try."""

from __future__ import annotations

from tokligence import __version__
from tokligence.catalog.providers import PROVIDERS
from tokligence.cli.daemon import url
from tokligence.config.load import Loaded
from tokligence.pipeline.build import is_configured


def banner(loaded: Loaded, port: int) -> str:
    settings = loaded.settings
    base = url(settings.host, port)
    ready = [row.id for row in PROVIDERS if is_configured(row, settings)] + [
        p.name for p in settings.providers
    ]
    missing = [
        f"{row.id} (set {row.needs} or {', '.join(row.variables)})"
        for row in PROVIDERS
        if row.variables and not is_configured(row, settings)
    ]
    key = "" if not settings.client_keys else " -H 'authorization: Bearer YOUR-CLIENT-KEY'"
    lines = [
        f"Tokligence Gateway {__version__} listens on {base}",
        "",
        f"  OpenAI clients     base_url = {base}/v1",
        f"  Anthropic clients  base_url = {base}/anthropic",
        f"  API key            {'one of client_keys' if settings.client_keys else 'any (no client_keys are set)'}",
        f"  Providers          {', '.join(ready)}",
    ]
    if settings.local_only:
        lines.append("  Local only         no connection leaves for any other host")
    elif missing:
        lines.append(f"  Not configured     {', '.join(missing)}")
    lines += [
        f"  Files              {loaded.home.root}",
        "",
        "Try it:",
        f"  curl {base}/v1/chat/completions -H 'content-type: application/json'{key} \\",
        """    -d '{"model":"loopback","messages":[{"role":"user","content":"Hello!"}]}'""",
        "",
        "Stop with Ctrl-C.",
    ]
    lines[2:2] = [f"  Warning: {warning}" for warning in loaded.warnings] + ([""] if loaded.warnings else [])
    return "\n".join(lines)
