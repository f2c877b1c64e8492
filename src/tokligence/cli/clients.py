"""The agents that `tgw connect` sets up and `tgw run` starts: one table, which `docs/agents.md` shows too.

Settings are templates: `{openai}`, `{anthropic}`, `{gemini}` are the gateway's addresses as the vendors' clients want
them, `{key}` is what a client sends as its key, `{model}` the model it shall ask for. What needs a model is left out
where none is chosen.

Facts, read 2026-11-24: code.claude.com/docs/en/settings and /env-vars; developers.openai.com/codex/config-reference
(`wire_api` has one value left, `experimental_bearer_token`), its `-c` overrides in openai/codex; google-gemini/gemini-cli
0.61 packages/core/src/core/contentGenerator.ts and packages/cli/src/config/settings.ts (an address alone selects a way
to log in that it then refuses, so the way is set too); opencode.ai/docs/config and /docs/providers;
aider.chat/docs/config/options.html.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct

from tokligence.config.home import expand_user
from tokligence.conversation import ProtocolId

PROVIDER: Final = "tokligence"
"""What the gateway is called in the settings of clients that have several providers."""
ANY_KEY: Final = "any-key"
"""What a client sends while the gateway asks for no key: most clients refuse to start without one."""
MODELS: Final = "{models}"
"""Stands for an object that names every model of the gateway."""


class Syntax(Enum):
    JSON = "json"  # with comments
    TOML = "toml"
    YAML = "yaml"
    DOTENV = "dotenv"


class Setting(Struct, frozen=True):
    """`path`: names from the root of the file to the value; in TOML all but the last are the table."""

    path: tuple[str, ...]
    value: str


class SettingsFile(Struct, frozen=True):
    """`names`: within the client's directory; the first that exists is meant, else the first."""

    names: tuple[str, ...]
    syntax: Syntax
    settings: tuple[Setting, ...]


class Client(Struct, frozen=True):
    """`speaks`: its protocol. `directory`: of its settings, which `variable` names if it is set, and then `below`
    stands within. `model`: asked for where the user has chosen none; "": the first one that the gateway has.

    Of `tgw run`: `environ`: set, where `{config}` is the text of the first settings file with nothing but ours in it,
    and `{settings_home}` a directory of ours that stands for the user's, with copies of the settings files and ours in
    them; `unset`: taken away, for they would lead the client elsewhere; `arguments` stand before the user's,
    `model_arguments` too, if there is a model."""

    id: str
    title: str
    program: str
    install: str
    speaks: ProtocolId
    directory: str
    files: tuple[SettingsFile, ...]
    variable: str = ""
    below: str = ""
    model: str = ""
    environ: Mapping[str, str] = {}
    unset: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    model_arguments: tuple[str, ...] = ()


class Facts(Struct, frozen=True):
    """What the templates are filled with. `url`: of the gateway, without a path. `models`: those it has."""

    url: str
    key: str = ANY_KEY
    model: str | None = None
    models: tuple[str, ...] = ()

    def words(self) -> dict[str, str]:
        words = {
            "openai": f"{self.url}/v1",
            "anthropic": f"{self.url}/anthropic",
            "gemini": self.url,
            "key": self.key,
        }
        return words if self.model is None else {**words, "model": self.model}


_VERTEX: Final = ("GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_GCA", "GOOGLE_API_KEY")

CLIENTS: Final[tuple[Client, ...]] = (
    Client(
        id="claude-code",
        title="Claude Code",
        program="claude",
        install="npm install -g @anthropic-ai/claude-code",
        speaks=ProtocolId.ANTHROPIC,
        directory="~/.claude",
        variable="CLAUDE_CONFIG_DIR",
        model="claude-sonnet-4-5-20250929",
        files=(
            SettingsFile(
                ("settings.json",),
                Syntax.JSON,
                (
                    Setting(("env", "ANTHROPIC_BASE_URL"), "{anthropic}"),
                    Setting(("env", "ANTHROPIC_AUTH_TOKEN"), "{key}"),
                    # /model then lists what the gateway has.
                    Setting(("env", "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY"), "1"),
                    Setting(("model",), "{model}"),
                ),
            ),
        ),
        environ=MappingProxyType(
            {
                "ANTHROPIC_BASE_URL": "{anthropic}",
                "ANTHROPIC_AUTH_TOKEN": "{key}",
                "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1",
            }
        ),
        # Two credentials would both be sent; the others choose a cloud in place of an address.
        unset=(
            "ANTHROPIC_API_KEY",
            "ANTHROPIC_MODEL",
            "CLAUDE_CODE_OAUTH_TOKEN",
            "CLAUDE_CODE_USE_BEDROCK",
            "CLAUDE_CODE_USE_FOUNDRY",
            "CLAUDE_CODE_USE_VERTEX",
        ),
        # An address in the user's settings would win over the variable.
        arguments=("--settings", '{"env":{"ANTHROPIC_BASE_URL":"{anthropic}"}}'),
        model_arguments=("--model", "{model}"),
    ),
    Client(
        id="codex",
        title="Codex",
        program="codex",
        install="npm install -g @openai/codex",
        speaks=ProtocolId.OPENAI_RESPONSES,
        directory="~/.codex",
        variable="CODEX_HOME",
        model="gpt-5.5",
        files=(
            SettingsFile(
                ("config.toml",),
                Syntax.TOML,
                (
                    Setting(("model",), "{model}"),
                    Setting(("model_provider",), PROVIDER),
                    Setting(("model_providers", PROVIDER, "name"), "Tokligence Gateway"),
                    Setting(("model_providers", PROVIDER, "base_url"), "{openai}"),
                    Setting(("model_providers", PROVIDER, "wire_api"), "responses"),
                    Setting(("model_providers", PROVIDER, "experimental_bearer_token"), "{key}"),
                ),
            ),
        ),
        environ=MappingProxyType({"TGW_CLIENT_KEY": "{key}"}),
        arguments=(
            *("-c", f'model_provider="{PROVIDER}"'),
            *("-c", f'model_providers.{PROVIDER}.name="Tokligence Gateway"'),
            *("-c", f'model_providers.{PROVIDER}.base_url="{{openai}}"'),
            *("-c", f'model_providers.{PROVIDER}.wire_api="responses"'),
            *("-c", f'model_providers.{PROVIDER}.env_key="TGW_CLIENT_KEY"'),
        ),
        model_arguments=("-c", 'model="{model}"'),
    ),
    Client(
        id="gemini-cli",
        title="Gemini CLI",
        program="gemini",
        install="npm install -g @google/gemini-cli",
        speaks=ProtocolId.GEMINI,
        directory="~/.gemini",
        variable="GEMINI_CLI_HOME",
        below=".gemini",
        model="gemini-2.5-flash",
        files=(
            SettingsFile(
                ("settings.json",),
                Syntax.JSON,
                (
                    Setting(("security", "auth", "selectedType"), "gemini-api-key"),
                    Setting(("model", "name"), "{model}"),
                ),
            ),
            SettingsFile(
                (".env",),
                Syntax.DOTENV,
                (
                    Setting(("GOOGLE_GEMINI_BASE_URL",), "{gemini}"),
                    Setting(("GEMINI_API_KEY",), "{key}"),
                ),
            ),
        ),
        environ=MappingProxyType(
            {
                "GOOGLE_GEMINI_BASE_URL": "{gemini}",
                "GEMINI_API_KEY": "{key}",
                # No variable says which of its ways to log in is meant, and one in the user's settings would win.
                "GEMINI_CLI_HOME": "{settings_home}",
            }
        ),
        unset=_VERTEX,
        model_arguments=("--model", "{model}"),
    ),
    Client(
        id="opencode",
        title="opencode",
        program="opencode",
        install="npm install -g opencode-ai",
        speaks=ProtocolId.OPENAI_CHAT,
        directory="~/.config/opencode",
        variable="XDG_CONFIG_HOME",
        below="opencode",
        files=(
            SettingsFile(
                ("opencode.json", "opencode.jsonc"),
                Syntax.JSON,
                (
                    Setting(("provider", PROVIDER, "npm"), "@ai-sdk/openai-compatible"),
                    Setting(("provider", PROVIDER, "name"), "Tokligence Gateway"),
                    Setting(("provider", PROVIDER, "options", "baseURL"), "{openai}"),
                    Setting(("provider", PROVIDER, "options", "apiKey"), "{key}"),
                    Setting(("provider", PROVIDER, "models"), MODELS),
                    Setting(("model",), f"{PROVIDER}/{{model}}"),
                ),
            ),
        ),
        environ=MappingProxyType({"OPENCODE_CONFIG_CONTENT": "{config}"}),
    ),
    Client(
        id="aider",
        title="aider",
        program="aider",
        install="python -m pip install aider-install && aider-install",
        speaks=ProtocolId.OPENAI_CHAT,
        directory="~",
        files=(
            SettingsFile(
                (".aider.conf.yml",),
                Syntax.YAML,
                (
                    Setting(("openai-api-base",), "{openai}"),
                    Setting(("openai-api-key",), "{key}"),
                    Setting(("model",), "openai/{model}"),
                ),
            ),
        ),
        environ=MappingProxyType({"AIDER_OPENAI_API_BASE": "{openai}", "AIDER_OPENAI_API_KEY": "{key}"}),
        model_arguments=("--model", "openai/{model}"),
    ),
)

NAMES: Final[Mapping[str, Client]] = MappingProxyType(
    {name: client for client in CLIENTS for name in (client.id, client.program)}
)
"""What the commands call them: by id or by program."""


def filled(template: str, facts: Facts, **more: str) -> str | None:
    """The template with its words; None if it needs a model and none is chosen."""
    words = {**facts.words(), **more}
    if "{model}" in template and "model" not in words:
        return None
    for name, word in words.items():
        template = template.replace(f"{{{name}}}", word)
    return template


def settings_of(file: SettingsFile, facts: Facts) -> dict[tuple[str, ...], Any]:
    """The values that belong into `file`: text, or for `MODELS` an object."""
    found: dict[tuple[str, ...], Any] = {}
    for setting in file.settings:
        if setting.value == MODELS:
            found[setting.path] = {name: {} for name in facts.models}
        else:
            value = filled(setting.value, facts)
            if value is not None:
                found[setting.path] = value
    return found


def tree(values: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    """The same as objects within objects."""
    root: dict[str, Any] = {}
    for path, value in values.items():
        node = root
        for name in path[:-1]:
            node = node.setdefault(name, {})
        node[path[-1]] = value
    return root


def config_text(client: Client, facts: Facts) -> str:
    """The client's first settings file with nothing but ours in it, for those that take it in another way."""
    return json.dumps(tree(settings_of(client.files[0], facts)))


def place_of(client: Client, file: SettingsFile, environ: Mapping[str, str]) -> Path:
    """Where this user's `file` of the client stands, or would."""
    named = environ.get(client.variable, "").strip() if client.variable else ""
    directory = Path(named) / client.below if named else expand_user(client.directory, environ)
    places = [directory.absolute() / name for name in file.names]
    return next((place for place in places if place.exists()), places[0])
