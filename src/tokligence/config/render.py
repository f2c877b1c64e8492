"""Files made from the schema: the sample INI files of `tgw init` and docs/configuration.md.

`python -m tokligence.config.render FILE` writes the documentation anew; a test compares it with the schema.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tokligence.catalog.clouds import CLOUDS, Cloud
from tokligence.catalog.presets import PRESETS, Preset, setting_of
from tokligence.config.former import FORMER_NAMES, FORMER_PREFIXES, FORMER_VARIABLES, Former
from tokligence.config.layers import VENDOR_VARIABLES
from tokligence.config.schema import FIELDS, Field, Group, Kind
from tokligence.config.values import write_number, write_value

SETTINGS_HEAD: Final = """\
# Tokligence Gateway: settings of every environment.
# The file config/ENVIRONMENT/gateway.ini beside this one is stronger, variables TOKLIGENCE_… are stronger still.
# Take the # away before a setting to change it; `tgw config explain NAME` shows what is in force and why.
"""
GATEWAY_HEAD: Final = """\
# Tokligence Gateway: settings of this environment.
# Stronger than settings.ini; variables TOKLIGENCE_… and flags are stronger still.
# Take the # away before a setting to change it; `tgw config explain NAME` shows what is in force and why.
"""
PROVIDER_SAMPLE: Final = """\
# Named endpoints, any number; a route or a request reaches one as NAME/model.
#[provider.NAME]
#base_url = https://llm.example.com/v1
#protocol = openai
#api_key = ${NAME_API_KEY}
# A known vendor (docs/configuration.md lists them) needs its key only, a known server of this machine its heading.
#[provider.ollama]
"""


def sample_settings_ini() -> str:
    """The `settings.ini` that `tgw init` writes."""
    return SETTINGS_HEAD + "".join(_sample_group(Group.GENERAL))


def sample_gateway_ini() -> str:
    """The `gateway.ini` that `tgw init` writes: every other setting."""
    groups = (group for group in Group if group is not Group.GENERAL)
    return (
        GATEWAY_HEAD
        + "".join(text for group in groups for text in _sample_group(group))
        + "\n"
        + PROVIDER_SAMPLE
    )


def _sample_group(group: Group) -> Iterator[str]:
    yield f"\n# --- {group.value}\n"
    for field in FIELDS.values():
        if field.setting.group is group and field.plain:
            yield f"\n{help_line(field)}\n{default_line(field)}\n"


def help_line(field: Field) -> str:
    """The comment above a setting in a sample file."""
    limits = limits_of(field)
    return f"# {field.setting.help}{f' ({limits})' if limits else ''}"


def default_line(field: Field) -> str:
    """A setting at its default, commented out; an example where it has none."""
    return f"#{field.name} = {field.setting.example or write_value(field, field.default)}"


def limits_of(field: Field) -> str:
    """Unit, choices and range of a setting in words; "" if it has none."""
    setting = field.setting
    if setting.choices:
        return " | ".join(setting.choices)
    words = [setting.unit] if setting.unit else []
    low, high = setting.minimum, setting.maximum
    if low is not None and high is not None:
        words.append(f"{write_number(low, setting)} to {write_number(high, setting)}")
    elif low is not None:
        words.append(f"at least {write_number(low, setting)}")
    return ", ".join(words)


# --- docs/configuration.md

DOCUMENT_HEAD: Final = """\
# Configuration

<!-- Made from the schema by `python -m tokligence.config.render docs/configuration.md`; do not edit. -->

Nothing has to be configured: `tgw start` works as it is. What you set is taken from the first of these that has it:

1. flags of `tgw start`,
2. variables `TOKLIGENCE_NAME` (for keys also `TOKLIGENCE_NAME_FILE`, the path of a file that holds the value),
3. `config/ENVIRONMENT/gateway.ini` in the home directory,
4. `config/settings.ini` in the home directory,
5. vendors' own variables for their keys: {vendors} and those of the vendors below,
6. the defaults below.

The home directory is `~/.tokligence`, or what `TOKLIGENCE_HOME` names. The environment is `dev`, or what `--env`,
`TOKLIGENCE_ENV`, `TOKLIGENCE_ENVIRONMENT` or `environment` in `settings.ini` names. A stronger source replaces a
weaker one, lists included; your `model_provider_routes` come before the built-in routes and never replace them.
`OPENAI_BASE_URL` and `ANTHROPIC_BASE_URL` are not read, since they point clients at the gateway.

`tgw config list` shows what is in force, `tgw config explain NAME` why, `tgw config set NAME VALUE` changes it.
`tgw init` writes both files with every setting commented out at its default.

## Files

```ini
# UTF-8. A comment stands on a line of its own and begins with # or ;
port = 3000
display_name = "Quotes around a whole value are taken away"
openai_api_key = ${{MY_KEY}}
ledger_path = ~/ledgers/${{USER:-me}}.db
model_provider_routes =
    gpt-4 → claude-sonnet
    gpt* = openai, claude* = anthropic

[provider.box]
base_url = http://10.0.0.7:8000/v1
protocol = openai
api_key = ${{BOX_API_KEY}}
```

Lists are split at commas and at indented lines. Sizes are bytes or carry a unit: `65536`, `64KiB`, `64MiB`, `1GiB`.
`${{NAME}}` is replaced by a variable, `${{NAME:-text}}` by `text` if it is not set. Relative paths begin in the home
directory. A key that is not known is an error that names the file, the line and the nearest key.
"""


VENDORS_HEAD: Final = """
### Known vendors

These speak OpenAI's Chat Completions, and need no more than their key: in `ID_api_key` (`TOKLIGENCE_ID_API_KEY`, a `-`
in ID becomes `_`), in `api_key` of a section `[provider.ID]`, or in the vendor's own variable. Then a request for `ID/model`
reaches the vendor, and so do the models in the last column without a prefix. A server of this machine needs the heading
`[provider.ID]` alone. `base_url` in the section, or `ID_base_url`, is an address of your own; `preset = ID` in a section of
another name is a second endpoint of that vendor; with `protocol = anthropic` those marked ¹ are spoken to by Messages.
A variable in brackets serves other tools too: it is read only where a section names the vendor.

| ID | Address | Key | Models |
|---|---|---|---|
"""


CLOUDS_TEXT: Final = """
### Clouds

A section with a `type` is a cloud's. Its name is yours; `NAME/model` reaches it, and routes such as
`claude-sonnet-4-5=aws/eu.anthropic.claude-sonnet-4-5-20250929-v1:0` give its models other names.

```ini
[provider.az]
type = azure
base_url = https://RESOURCE.openai.azure.com
api_key = ${AZURE_OPENAI_API_KEY}
# only for the older addresses, where the deployment stands in the path: api_version = 2024-10-21

[provider.gcp]
type = vertex
# Gemini; for Claude on Vertex AI another section with: protocol = anthropic
location = europe-west1
credentials_file = ~/keys/gateway.json

[provider.aws]
type = bedrock
region = eu-central-1
access_key_id = ${AWS_ACCESS_KEY_ID}
secret_access_key = ${AWS_SECRET_ACCESS_KEY}
```

What a section leaves out is taken from the vendor's own variables; of keys that belong together all or none. Vertex AI takes
the file of a service account (with `pip install 'tokligence[cloud]'`) or of `gcloud auth application-default login`, and
its project unless `project` is set; Bedrock an `api_key` or keys, temporary ones with `session_token`. What they cost is not
known here: `prices_file` can say it, with the section's name as `vendor`.

| Type | Speaks | Needs | Variables |
|---|---|---|---|
"""


def document() -> str:
    """The text of docs/configuration.md."""
    vendors = ", ".join(f"`{name}`" for names in VENDOR_VARIABLES.values() for name in names)
    parts = [DOCUMENT_HEAD.format(vendors=vendors)]
    for group in Group:
        rows = [_document_row(field) for field in FIELDS.values() if field.setting.group is group]
        parts.append(
            f"\n## {group.value}\n\n| Setting | Default | Meaning | Takes effect |\n|---|---|---|---|\n"
        )
        parts.extend(rows)
        if group is Group.PROVIDERS:
            parts.append(VENDORS_HEAD)
            parts.extend(_preset_row(preset) for preset in PRESETS)
            parts.append(CLOUDS_TEXT)
            parts.extend(_cloud_row(cloud) for cloud in CLOUDS)
    parts.append(
        "\n## Names of earlier versions\n\nThey are accepted, in files and as `TOKLIGENCE_NAME`: a renamed one is used, any"
        " other is named once in a warning.\n\n| Name | What became of it |\n|---|---|\n"
    )
    parts.extend(_former_rows())
    return "".join(parts)


def _document_row(field: Field) -> str:
    default = "" if field.setting.kind is Kind.SECTIONS else write_value(field, field.default)
    limits = limits_of(field).replace("|", "\\|")
    extra = f" ({limits})" if limits else ""
    flag = f" Flag: `{field.setting.flag}`." if field.setting.flag else ""
    effect = "reload" if field.setting.reload else "restart"
    return f"| `{field.name}` | {f'`{default}`' if default else ''} | {field.setting.help}{extra}{flag} | {effect} |\n"


def _cloud_row(cloud: Cloud) -> str:
    needs = ", ".join(" or ".join(f"`{key}`" for key in keys) for keys in cloud.needs)
    variables = ", ".join(
        f"`{name}`" for group in cloud.variables for names in group.values() for name in names
    )
    return f"| `{cloud.id}` | {', '.join(cloud.protocols)} | {needs} | {variables} |\n"


def _preset_row(preset: Preset) -> str:
    names = ", ".join(f"`{name}`" for name in (preset.id, *preset.aliases))
    mark = "¹" if preset.anthropic_url else ""
    variables = ", ".join(f"`{name}`" for name in preset.variables)
    own = "" if preset.local else f"`{setting_of(preset)}`, "
    keys = f"{own}({variables})" if preset.shared else f"{own}{variables}"
    routes = ", ".join(f"`{pattern}`" for pattern in preset.routes)
    return f"| {names} | {preset.base_url}{mark} | {keys} | {routes} |\n"


def _former_rows() -> Iterator[str]:
    names = {
        **FORMER_NAMES,
        **{f"{prefix}…": row for prefix, row in FORMER_PREFIXES.items()},
        **{f"variable {name}": row for name, row in FORMER_VARIABLES.items()},
    }
    for name, row in names.items():
        yield f"| `{name}` | {_fate(row)} |\n"


def _fate(row: Former) -> str:
    successor = f"`{row.successor}`" if row.successor else ""
    if not row.note:
        return f"is now {successor}"
    return f"{row.fate.value}: {row.note}{f'; see {successor}' if successor else ''}"


def main(arguments: list[str]) -> int:
    """Writes the documentation to the file named, or to standard output."""
    if arguments:
        Path(arguments[0]).write_text(document(), encoding="utf-8", newline="\n")
    else:
        sys.stdout.write(document())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
