"""The one typed schema of all settings.

A setting is one attribute of `Settings`: its name, type, default and, in its annotation, unit, limits, help and
whether it is secret or takes effect at a reload. INI keys, variables, flags, `tgw config`, the sample files and
the documentation are all generated from `FIELDS`.
Values that hold secrets have a `__repr__` that hides them: a traceback or a log line must not hold a key.
"""

from enum import StrEnum
from typing import Annotated, Any, Final

from msgspec import Struct

from tokligence.config.mask import masked

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB


class Kind(StrEnum):
    """How a setting's text is read; the value is the word of the documentation."""

    TEXT = "text"
    NAME = "name"  # becomes a part of a path
    WORD = "word"  # becomes a header's value
    HOST = "host"
    INTEGER = "whole number"
    NUMBER = "number"
    SIZE = "size"
    SWITCH = "yes or no"
    LIST = "list"
    ORIGINS = "list of origins"
    PATH = "path"
    URL = "address"
    SECRET = "key"  # noqa: S105 - the word, not a secret
    CLIENT_KEYS = "list of keys"
    SECTIONS = "sections"


class Group(StrEnum):
    """Headings of the documentation and the sample files, in their order."""

    GENERAL = "General"
    SERVER = "Server"
    CLIENTS = "Clients"
    PROVIDERS = "Providers"
    ROUTING = "Routing and translation"
    LIMITS = "Limits towards clients"
    UPSTREAM = "Time limits towards providers"
    LEDGER = "Ledger"
    LOGS = "Logs"


class Setting(Struct, frozen=True, kw_only=True):
    """What the schema says of one setting beyond its name, type and default.

    `reload`: takes effect at a reload; else a restart is needed. `minimum`, `maximum`: inclusive, in `unit`.
    `choices`: the only words allowed. `flag`: the option of `tgw start`, if it has one. `example`: the commented
    value of the sample file where the default is empty. `prefixes`: what a vendor's keys start with.
    """

    help: str
    group: Group
    kind: Kind = Kind.TEXT
    unit: str = ""
    reload: bool = True
    secret: bool = False
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    flag: str | None = None
    example: str = ""
    prefixes: tuple[str, ...] = ()


class ClientKey(Struct, frozen=True, kw_only=True):
    """One entry of `client_keys`. `value`: the key in clear, or `sha256:` and 64 lower-case hex digits.
    `user`, `team`: whom its calls are booked on."""

    name: str
    value: str
    user: str | None = None
    team: str | None = None

    def __repr__(self) -> str:
        return f"ClientKey({self.name}={masked(self.value)}, user={self.user!r}, team={self.team!r})"


class ProviderSection(Struct, frozen=True, kw_only=True):
    """A named endpoint, from a section `[provider.NAME]`. `protocol`: "openai", "anthropic" or, of a cloud, "gemini".
    `preset`: id of the known vendor that it is, "" for any other. `base_url`: "" for the vendor's own, of which `Settings`
    then knows nothing. `type`: id of the cloud that it is, "" for none; what follows is of clouds, "" where it is not set."""

    name: str
    base_url: str = ""
    protocol: str = "openai"
    api_key: str | None = None
    preset: str = ""
    type: str = ""
    api_version: str = ""
    project: str = ""
    location: str = ""
    credentials_file: str = ""
    region: str = ""
    access_key_id: str = ""
    secret_access_key: str = ""
    session_token: str = ""

    def __repr__(self) -> str:
        key = None if self.api_key is None else masked(self.api_key)
        kind = self.base_url or self.preset or self.type
        return f"ProviderSection({self.name}, {self.protocol}, {kind}, api_key={key})"


PROTOCOLS: Final[dict[str, str]] = {
    "openai": "openai",
    "openai_chat": "openai",
    "openai-chat": "openai",
    "anthropic": "anthropic",
    "gemini": "gemini",
}
"""Words of a provider section's `protocol` and what they mean."""


class Settings(Struct, frozen=True, kw_only=True):
    """Every setting with its default. Built by `load`; a reload builds a new one."""

    # fmt: off
    # --- General
    environment: Annotated[
        str,
        Setting(
            help="Which environment this is: the name of the directory in config/ whose gateway.ini is read.",
            group=Group.GENERAL, kind=Kind.NAME, flag="--env",
        ),
    ] = "dev"
    email: Annotated[
        str | None,
        Setting(help="E-mail address of the local account: a label, sent nowhere.", group=Group.GENERAL, example="you@example.com"),
    ] = None
    display_name: Annotated[
        str | None,
        Setting(help="Name of the local account: a label, sent nowhere.", group=Group.GENERAL, example="Your Name"),
    ] = None

    # --- Server
    host: Annotated[
        str,
        Setting(
            help="Address to listen on; localhost is 127.0.0.1 and ::1. Any other than loopback needs client_keys.",
            group=Group.SERVER, kind=Kind.HOST, flag="--host", reload=False,
        ),
    ] = "localhost"
    port: Annotated[
        int,
        Setting(
            help="Port to listen on; 0 takes any free one.",
            group=Group.SERVER, kind=Kind.INTEGER, minimum=0, maximum=65535, flag="--port", reload=False,
        ),
    ] = 8081
    max_connections: Annotated[
        int,
        Setting(
            help="Client connections open at once; 0 derives it from the limit of open files.",
            group=Group.SERVER, kind=Kind.INTEGER, minimum=0, maximum=1_000_000, reload=False,
        ),
    ] = 0
    drain_timeout_s: Annotated[
        float,
        Setting(
            help="At a stop, how long running requests may still take.",
            group=Group.SERVER, kind=Kind.NUMBER, unit="seconds", minimum=0, maximum=86_400,
        ),
    ] = 30.0

    # --- Clients
    client_keys: Annotated[
        tuple[ClientKey, ...],
        Setting(
            help="Keys that clients must send, as name=value; value in clear or sha256:HEX, then ;user=… and ;team=… if wanted."
            " Empty: no key is asked for.",
            group=Group.CLIENTS, kind=Kind.CLIENT_KEYS, secret=True, example="laptop=sha256:HEX;user=me",
        ),
    ] = ()
    cors_origins: Annotated[
        tuple[str, ...],
        Setting(help="Web origins whose pages may call the gateway.", group=Group.CLIENTS, kind=Kind.ORIGINS, example="http://localhost:3000"),
    ] = ()

    # --- Providers
    openai_api_key: Annotated[
        str | None,
        Setting(help="API key of OpenAI.", group=Group.PROVIDERS, kind=Kind.SECRET, secret=True, example="sk-...", prefixes=("sk-",)),
    ] = None
    openai_base_url: Annotated[
        str,
        Setting(help="Address of OpenAI's API, with its version.", group=Group.PROVIDERS, kind=Kind.URL),
    ] = "https://api.openai.com/v1"
    openai_organization: Annotated[
        str | None,
        Setting(help="OpenAI organization that calls are made for.", group=Group.PROVIDERS, kind=Kind.WORD, example="org-..."),
    ] = None
    anthropic_api_key: Annotated[
        str | None,
        Setting(help="API key of Anthropic.", group=Group.PROVIDERS, kind=Kind.SECRET, secret=True, example="sk-ant-...", prefixes=("sk-ant-",)),
    ] = None
    anthropic_base_url: Annotated[
        str,
        Setting(help="Address of Anthropic's API, without its version.", group=Group.PROVIDERS, kind=Kind.URL),
    ] = "https://api.anthropic.com"
    anthropic_version: Annotated[
        str,
        Setting(help="The anthropic-version header of calls whose client sends none.", group=Group.PROVIDERS, kind=Kind.WORD),
    ] = "2023-06-01"
    anthropic_max_tokens: Annotated[
        int | None,
        Setting(
            help="Output limit sent to Anthropic when neither the request nor the catalogue of models gives one.",
            group=Group.PROVIDERS, kind=Kind.INTEGER, unit="tokens", minimum=1, maximum=10_000_000, example="8192",
        ),
    ] = None
    google_api_key: Annotated[
        str | None,
        Setting(help="API key of Google's Gemini.", group=Group.PROVIDERS, kind=Kind.SECRET, secret=True, example="AIza...", prefixes=("AIza", "AQ.")),
    ] = None
    google_base_url: Annotated[
        str,
        Setting(help="Address of Google's Gemini API, without its version.", group=Group.PROVIDERS, kind=Kind.URL),
    ] = "https://generativelanguage.googleapis.com"
    llm_endpoint: Annotated[
        str | None,
        Setting(
            help="Address of an OpenAI-compatible server such as Ollama, vLLM or LM Studio, with its version.",
            group=Group.PROVIDERS, kind=Kind.URL, example="http://localhost:11434/v1",
        ),
    ] = None
    llm_api_key: Annotated[
        str | None,
        Setting(help="API key of llm_endpoint, if it wants one.", group=Group.PROVIDERS, kind=Kind.SECRET, secret=True, example="optional-key"),
    ] = None
    local_only: Annotated[
        bool | None,
        Setting(
            help="Whether only llm_endpoint and named endpoints with an address of yours may be connected to; auto is yes when"
            " llm_endpoint is set and no vendor's key is set here.",
            group=Group.PROVIDERS, kind=Kind.SWITCH,
        ),
    ] = None
    providers: Annotated[
        tuple[ProviderSection, ...],
        Setting(
            help="Named endpoints, any number: a section [provider.NAME] with base_url, protocol (openai or anthropic) and api_key;"
            " NAME or preset may be one of the vendors below, whose address is then known; type may be azure, vertex or bedrock.",
            group=Group.PROVIDERS, kind=Kind.SECTIONS, secret=True,
        ),
    ] = ()

    # --- Routing and translation
    model_provider_routes: Annotated[
        tuple[str, ...],
        Setting(
            help="Which models go where, as pattern=target; read before the built-in routes. A target is a provider,"
            " provider/model, or another model.",
            group=Group.ROUTING, kind=Kind.LIST, example="gpt*=openai,claude*=anthropic",
        ),
    ] = ()
    passthrough_provider: Annotated[
        str,
        Setting(
            help="The provider of calls in OpenAI's shape that name no model: files, batches, uploads, vector stores.",
            group=Group.ROUTING, kind=Kind.NAME,
        ),
    ] = "openai"
    work_mode: Annotated[
        str,
        Setting(
            help="auto passes requests on unchanged where the protocols agree and translates the others.",
            group=Group.ROUTING, choices=("auto", "passthrough", "translation"),
        ),
    ] = "auto"
    translation_losses: Annotated[
        str,
        Setting(
            help="What a translation cannot express: record shows it in the answer's headers, strict refuses the request.",
            group=Group.ROUTING, choices=("record", "strict"),
        ),
    ] = "record"
    stream_usage: Annotated[
        str,
        Setting(
            help="Usage of Chat streams whose client did not ask for it: inject asks for it in the client's place, estimate"
            " changes no byte.",
            group=Group.ROUTING, choices=("inject", "estimate"),
        ),
    ] = "inject"
    prompt_caching: Annotated[
        str,
        Setting(
            help="Claude caches a prompt up to where it is told: auto tells it for clients of other protocols, off leaves"
            " it alone.",
            group=Group.ROUTING, choices=("auto", "off"),
        ),
    ] = "auto"
    responses_store: Annotated[
        str,
        Setting(
            help="Where responses are kept for previous_response_id, for upstreams that keep none: memory (a day, 256 MB)"
            " or off.",
            group=Group.ROUTING, choices=("memory", "off"),
        ),
    ] = "memory"
    commit_after_ms: Annotated[
        int,
        Setting(
            help="How long the opening of a stream is held back for its first content.",
            group=Group.ROUTING, kind=Kind.INTEGER, unit="milliseconds", minimum=0, maximum=600_000,
        ),
    ] = 3000

    # --- Limits towards clients
    max_body_bytes: Annotated[
        int,
        Setting(
            help="Largest request body, after decompression.",
            group=Group.LIMITS, kind=Kind.SIZE, unit="bytes", minimum=KIB, maximum=4 * GIB,
        ),
    ] = 64 * MIB
    max_header_bytes: Annotated[
        int,
        Setting(
            help="Largest head of a request: its first line and all headers.",
            group=Group.LIMITS, kind=Kind.SIZE, unit="bytes", minimum=KIB, maximum=16 * MIB,
        ),
    ] = 64 * KIB
    max_headers: Annotated[
        int,
        Setting(help="Most headers in a request.", group=Group.LIMITS, kind=Kind.INTEGER, minimum=10, maximum=10_000),
    ] = 100
    header_timeout_s: Annotated[
        float,
        Setting(
            help="How long a client may take to send the head of a request.",
            group=Group.LIMITS, kind=Kind.NUMBER, unit="seconds", minimum=0.001, maximum=86_400,
        ),
    ] = 15.0
    body_timeout_s: Annotated[
        float,
        Setting(
            help="How long a client may take to send the body of a request.",
            group=Group.LIMITS, kind=Kind.NUMBER, unit="seconds", minimum=0.001, maximum=86_400,
        ),
    ] = 60.0
    keepalive_timeout_s: Annotated[
        float,
        Setting(
            help="How long an idle client connection stays open.",
            group=Group.LIMITS, kind=Kind.NUMBER, unit="seconds", minimum=0, maximum=86_400,
        ),
    ] = 60.0
    write_timeout_s: Annotated[
        float,
        Setting(
            help="How long a client may leave its answer unread.",
            group=Group.LIMITS, kind=Kind.NUMBER, unit="seconds", minimum=0.001, maximum=86_400,
        ),
    ] = 300.0

    # --- Time limits towards providers
    connect_timeout_s: Annotated[
        float,
        Setting(
            help="How long connecting to a provider may take, TLS included.",
            group=Group.UPSTREAM, kind=Kind.NUMBER, unit="seconds", minimum=0.001, maximum=86_400,
        ),
    ] = 10.0
    first_content_timeout_s: Annotated[
        float,
        Setting(
            help="How long a provider may take until the first content of its answer.",
            group=Group.UPSTREAM, kind=Kind.NUMBER, unit="seconds", minimum=0.001, maximum=86_400,
        ),
    ] = 600.0
    idle_timeout_s: Annotated[
        float,
        Setting(
            help="How long a provider may be silent within its answer.",
            group=Group.UPSTREAM, kind=Kind.NUMBER, unit="seconds", minimum=0.001, maximum=86_400,
        ),
    ] = 300.0

    # --- Ledger
    ledger_path: Annotated[
        str | None,
        Setting(
            help="The ledger's database file; by default ledger.db in the home directory.",
            group=Group.LEDGER, kind=Kind.PATH, example="~/.tokligence/ledger.db", reload=False,
        ),
    ] = None
    ledger_sync: Annotated[
        str,
        Setting(
            help="When the ledger's journal is forced to the disk: never, once a second, or before each answer ends."
            " It matters at a power loss only.",
            group=Group.LEDGER, choices=("off", "interval", "always"), reload=False,
        ),
    ] = "interval"
    ledger_journal_max_bytes: Annotated[
        int,
        Setting(
            help="Most that the journal may hold while the database cannot be written; then requests are refused.",
            group=Group.LEDGER, kind=Kind.SIZE, unit="bytes", minimum=MIB, reload=False,
        ),
    ] = GIB
    prices_file: Annotated[
        str | None,
        Setting(
            help="A JSON file of prices that override those of the catalogue of models.",
            group=Group.LEDGER, kind=Kind.PATH, example="~/.tokligence/config/prices.json",
        ),
    ] = None

    # --- Logs
    log_level: Annotated[
        str,
        Setting(help="How much is logged.", group=Group.LOGS, choices=("debug", "info", "warning", "error"), flag="--log-level"),
    ] = "info"
    log_max_bytes: Annotated[
        int,
        Setting(
            help="Size at which a new log file is begun; one is begun each day too.",
            group=Group.LOGS, kind=Kind.SIZE, unit="bytes", minimum=64 * KIB,
        ),
    ] = 300 * MIB
    log_keep: Annotated[
        int,
        Setting(help="Full log files that are kept.", group=Group.LOGS, kind=Kind.INTEGER, unit="files", minimum=0, maximum=10_000),
    ] = 14
    # fmt: on

    def __repr__(self) -> str:
        public = (name for name in self.__struct_fields__ if name not in SECRET_NAMES)
        return f"Settings({', '.join(f'{name}={getattr(self, name)!r}' for name in public)})"


class Field(Struct, frozen=True):
    """One row of `FIELDS`: a setting with its name and default."""

    name: str
    default: Any
    setting: Setting

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"TOKLIGENCE_{self.name.upper()}"

    @property
    def plain(self) -> bool:
        """Whether it is a `key = value`; named endpoints are sections and have neither key nor variable."""
        return self.setting.kind is not Kind.SECTIONS


def _fields() -> dict[str, Field]:
    notes = Settings.__annotations__
    defaults = Settings()
    return {
        name: Field(name, getattr(defaults, name), notes[name].__metadata__[0])
        for name in Settings.__struct_fields__
    }


FIELDS: Final[dict[str, Field]] = _fields()
"""Every setting by its name, in the order of the documentation."""

SECRET_NAMES: Final = frozenset(name for name, field in FIELDS.items() if field.setting.secret)

PROVIDER_KEYS: Final = ProviderSection.__struct_fields__[1:]
"""Keys of a section `[provider.NAME]`."""

PROVIDER_SECRETS: Final = ("api_key", "secret_access_key", "session_token")
"""Those that are secrets."""

VENDOR_KEYS: Final = ("openai_api_key", "anthropic_api_key", "google_api_key")
"""Settings that make calls leave for a vendor; none of them may be set for `local_only` to come on by itself."""

NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
"""Names of environments and client keys: safe in a path and a header. A pattern for
`re.fullmatch`; like the others of this package it is compiled when first used, which keeps the start short."""
