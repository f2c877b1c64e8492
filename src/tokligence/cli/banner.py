"""What a start shows: where to point clients, which providers are there, a request to try."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from tokligence import __version__
from tokligence.catalog.providers import PROVIDERS
from tokligence.cli.daemon import url
from tokligence.config.load import Loaded


def banner(loaded: Loaded, port: int, providers: Sequence[dict[str, Any]], *, how_to_stop: str) -> str:
    """`providers`: as `status` gives them."""
    settings = loaded.settings
    base = url(settings.host, port)
    ready = [each["name"] for each in providers if each["configured"]]
    missing = [
        f"{row.id} (set {row.needs} or {', '.join(row.variables)})"
        for row in PROVIDERS
        if row.variables and row.id not in ready
    ]
    keys = "one of client_keys" if settings.client_keys else "any (no client_keys are set)"
    lines = [f"Tokligence Gateway {__version__} listens on {base}", ""]
    if loaded.warnings:
        lines += [*(f"  Warning: {warning}" for warning in loaded.warnings), ""]
    lines += [
        f"  OpenAI clients     base_url = {base}/v1",
        f"  Anthropic clients  base_url = {base}/anthropic",
        f"  API key            {keys}",
        f"  Providers          {', '.join(ready)}",
    ]
    if settings.local_only:
        lines.append("  Local only         no connection leaves for any other host")
    elif missing:
        lines.append(f"  Not configured     {', '.join(missing)}")
    return "\n".join(
        [
            *lines,
            f"  Files              {loaded.home.root}",
            "",
            "Try it:",
            *_curl(base, authorized=bool(settings.client_keys)),
            "",
            how_to_stop,
        ]
    )


def _curl(base: str, *, authorized: bool) -> list[str]:
    """A request that can be pasted: for sh, and on Windows for cmd, whose quotes are double and escaped by a backslash
    within curl's argument."""
    address = f"{base}/v1/chat/completions"
    headers = ["content-type: application/json"]
    if authorized:
        headers.append("authorization: Bearer YOUR-CLIENT-KEY")
    body = '{"model":"loopback","messages":[{"role":"user","content":"Hello!"}]}'
    if os.name == "nt":
        named = "".join(f' -H "{header}"' for header in headers)
        quoted = body.replace('"', '\\"')
        return [f'  curl {address}{named} -d "{quoted}"']
    named = "".join(f" -H '{header}'" for header in headers)
    return [f"  curl {address}{named} \\", f"    -d '{body}'"]
