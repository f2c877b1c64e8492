"""One running gateway: builds all parts from one configuration, reloads it, and takes everything down in order.

    loaded ─open→ SERVING ─stop→ DRAINING ─all answered, all booked→ ended

The composition root: the only place that knows every part.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import filelock
import msgspec
import psutil
from msgspec import Struct

from tokligence import __version__
from tokligence.catalog.providers import PROVIDERS
from tokligence.config.describe import changes
from tokligence.config.errors import ConfigError
from tokligence.config.home import Home, open_private
from tokligence.config.load import Loaded, process_environ
from tokligence.config.schema import Settings
from tokligence.conversation import ProtocolId
from tokligence.edge.app import App, error_headers
from tokligence.edge.guard import Guard, Keyring, Rules, check_exposure, is_loopback
from tokligence.edge.limits import Limits
from tokligence.edge.observe import CallObserver
from tokligence.edge.paths import error_protocol
from tokligence.edge.server import Server
from tokligence.errors import GatewayError
from tokligence.ledger.journal import SyncPolicy
from tokligence.ledger.writer import Ledger
from tokligence.pipeline.build import allowed_hosts, build_state, is_configured
from tokligence.pipeline.contract import Call, Headers
from tokligence.pipeline.hub import Hub, State
from tokligence.pipeline.ids import IdSource
from tokligence.pipeline.meter import Meter
from tokligence.signals.log import Log
from tokligence.signals.metrics import Metrics
from tokligence.upstream.client import Client, Options
from tokligence.upstream.proxies import Proxies
from tokligence.wire.contract import ErrorView
from tokligence.wire.registry import CODECS

WATCH_S: Final = 1.0
"""How often the configuration files are looked at."""
FLUSH_S: Final = 0.2
"""How often buffered log lines reach the file."""


class RunState(Struct, frozen=True):
    """`run/gateway.json`: how the commands of this machine find and address the running gateway.
    `created`: the process's start time, so that a reused pid is not taken for us. `started`: Unix seconds. `flags`: the
    settings that stood on its command line, for `tgw restart`."""

    pid: int
    created: float
    host: str
    port: int
    version: str
    environment: str
    started: float
    token: str
    flags: dict[str, str] = {}


class AlreadyRunning(Exception):
    """Another gateway holds this home."""

    def __init__(self, pid: int | None) -> None:
        self.pid = pid
        super().__init__(f"a gateway is already running on this home (pid {pid or 'unknown'})")


def running(home: Home) -> RunState | None:
    """The gateway that runs on this home, if one does."""
    try:
        state = msgspec.json.decode(home.state_file.read_bytes(), type=RunState)
    except (OSError, msgspec.MsgspecError):
        return None
    try:
        alive = abs(psutil.Process(state.pid).create_time() - state.created) < 2
    except psutil.Error:
        return None
    return state if alive else None


@contextlib.contextmanager
def hold_home(home: Home) -> Iterator[None]:
    """One gateway per home. Raises `AlreadyRunning`."""
    lock = filelock.FileLock(home.lock_file, mode=0o600)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        state = running(home)
        raise AlreadyRunning(state.pid if state else None) from None
    except OSError as error:
        raise ConfigError(f"cannot be locked: {error.strerror}", file=home.lock_file) from None
    try:
        yield
    finally:
        lock.release()


class Gateway:
    """A gateway in this process; it is the `Control` of its own endpoints. `load` reads the configuration anew."""

    def __init__(
        self, loaded: Loaded, load: Callable[[], Loaded], log: Log, flags: Mapping[str, str] | None = None
    ) -> None:
        check_startable(loaded.settings)
        self.settings = loaded.settings
        self.home = loaded.home
        self.token = secrets.token_urlsafe(24)
        self._load = load
        self._flags = dict(flags or {})
        self._loaded = loaded
        self._log = log
        self._ids = IdSource()
        self._metrics = Metrics(__version__, time.monotonic)
        self._started = time.time()
        self._stop = asyncio.Event()
        self._draining = False
        self._tasks: set[asyncio.Task[None]] = set()
        state = build_state(self.settings)
        self._guard_rules = rules(self.settings)
        self._hide_secrets()
        path = Path(self.settings.ledger_path) if self.settings.ledger_path else self.home.ledger_db
        self._ledger = Ledger.open(
            path,
            self.home.journal_dir,
            sync=SyncPolicy(self.settings.ledger_sync),
            max_bytes=self.settings.ledger_journal_max_bytes,
        )
        meter = Meter(self._ledger, CallObserver(self._metrics, log))
        self._hub = Hub(state, self._client(state), meter, self._ids)
        self._app = App(self._hub, Guard(self._guard_rules), self)
        self._server = Server(self._app, limits(self.settings), self._error_answer, self._crashed)
        self.port = 0

    # --- the life of the process --------------------------------------------------------------------

    async def open(self) -> None:
        """Listen. Raises `listen.AddressInUse` or `OSError`; then `close` is still to be called."""
        addresses = await self._server.start(self.settings.host, self.settings.port)
        self.port = addresses[0][1]
        self._write_run_files()
        self._log.info(
            "started", host=self.settings.host, port=self.port, version=__version__, pid=os.getpid()
        )
        for warning in self._loaded.warnings:
            self._log.warning("configuration", warning=warning)

    async def serve(self) -> None:
        """Until `stop`, then drain."""
        self._spawn(self._watch_files())
        self._spawn(self._flush_log())
        with self._signals():
            await self._stop.wait()
        self._draining = True
        self._log.info("stopping", requests=self._server.running)
        cut = await self._server.drain(self.settings.drain_timeout_s)
        if cut:
            self._log.warning("connections were cut", number=cut)

    async def close(self) -> None:
        """Everything down: upstream connections, the ledger with all its rows, the run files, the log."""
        for task in tuple(self._tasks):
            task.cancel()
        await self._hub.client.aclose()
        await asyncio.to_thread(self._ledger.close)
        for path in (self.home.state_file, self.home.pid_file):
            path.unlink(missing_ok=True)
        self._log.info("stopped", uptime_s=round(time.time() - self._started))
        self._log.flush()

    def _write_run_files(self) -> None:
        state = RunState(
            pid=os.getpid(),
            created=psutil.Process().create_time(),
            host=self.settings.host,
            port=self.port,
            version=__version__,
            environment=self.settings.environment,
            started=self._started,
            token=self.token,
            flags=self._flags,
        )
        write_private(self.home.pid_file, b"%d\n" % state.pid)
        write_private(self.home.state_file, msgspec.json.encode(state))

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT stop, SIGHUP reloads; where the loop takes no handlers (Windows) the old way."""
        loop = asyncio.get_running_loop()
        actions = {
            "SIGTERM": self.stop,
            "SIGINT": self.stop,
            "SIGBREAK": self.stop,
            "SIGHUP": self.reload_soon,
        }
        before: list[tuple[int, Any]] = []
        for name, action in actions.items():
            number = getattr(signal, name, None)
            if number is None:
                continue
            try:
                loop.add_signal_handler(number, action)
            except (NotImplementedError, RuntimeError):
                with contextlib.suppress(
                    ValueError
                ):  # not the main thread: whoever embeds us has the signals
                    handler = signal.signal(number, lambda *_, act=action: loop.call_soon_threadsafe(act))
                    before.append((number, handler))
        try:
            yield
        finally:
            for name in actions:
                number = getattr(signal, name, None)
                if number is not None:
                    with contextlib.suppress(NotImplementedError, RuntimeError):
                        loop.remove_signal_handler(number)
            for number, handler in before:
                signal.signal(number, handler)

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _flush_log(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            self._log.flush()

    async def _watch_files(self) -> None:
        """Look at the configuration files; a change reloads."""
        seen = stamps(self._loaded.files)
        while True:
            await asyncio.sleep(WATCH_S)
            now = stamps(self._loaded.files)
            if now != seen:
                seen = now
                await self.reload()

    # --- the configuration --------------------------------------------------------------------------

    def reload_soon(self) -> None:
        self._spawn(self._reload_quietly())

    async def _reload_quietly(self) -> None:
        await self.reload()

    async def reload(self) -> dict[str, Any]:
        """Read the configuration anew. If it is not valid the last good one stays and the answer says why."""
        try:
            loaded = self._load()
            check_startable(loaded.settings)
            state = build_state(loaded.settings)
            new_rules = rules(loaded.settings)
            if loaded.settings.host != self.settings.host:
                check_exposure(self.settings.host, new_rules.keys)
        except GatewayError as error:
            self._log.error("the configuration is not valid; the last good one stays", reason=error.text)
            return {"reloaded": False, "error": error.text}
        live, restart = changes(self.settings, loaded.settings)
        self._loaded = loaded
        self.settings = loaded.settings
        self._hub.state = state
        self._app.guard = Guard(new_rules)
        self._server.limits = limits(loaded.settings)
        self._log.set_level(loaded.settings.log_level)
        self._log.set_limits(loaded.settings.log_max_bytes, loaded.settings.log_keep)
        self._hide_secrets()
        if live:
            old, self._hub.client = self._hub.client, self._client(state)
            self._spawn(_retire(old, loaded.settings.drain_timeout_s))
        self._log.info("reloaded", changed=list(live), needs_restart=list(restart))
        for warning in loaded.warnings:
            self._log.warning("configuration", warning=warning)
        return {"reloaded": True, "changed": list(live), "needs_restart": list(restart)}

    def _client(self, state: State) -> Client:
        settings = state.settings
        options = Options(
            connect_timeout_s=settings.connect_timeout_s,
            first_content_timeout_s=settings.first_content_timeout_s,
            idle_timeout_s=settings.idle_timeout_s,
        )
        return Client(options, proxies_of(process_environ()), allowed_hosts(state))

    def _hide_secrets(self) -> None:
        settings = self.settings
        keys = [
            settings.openai_api_key,
            settings.anthropic_api_key,
            settings.google_api_key,
            settings.llm_api_key,
        ]
        keys += [section.api_key for section in settings.providers]
        keys += [key.value for key in settings.client_keys]
        self._log.hide([key for key in keys if key] + [self.token])

    # --- Control ------------------------------------------------------------------------------------

    def stop(self) -> None:
        self._stop.set()

    async def flush(self) -> None:
        """Every answered call is a row when this returns."""
        await self._ledger.flushed()

    def health(self) -> dict[str, Any]:
        return {"status": "ok", "version": __version__, "uptime_s": round(time.time() - self._started, 1)}

    def ready(self) -> bool:
        """Ready while the database is down: the journal holds what is booked."""
        return not self._draining

    def status(self) -> dict[str, Any]:
        return {
            "running": True,
            "pid": os.getpid(),
            "host": self.settings.host,
            "port": self.port,
            "uptime_s": round(time.time() - self._started, 1),
            "version": __version__,
            "workers": 1,
            "providers": provider_states(self.settings),
            "journal_backlog": self._ledger.backlog,
            "ledger_alarm": self._ledger.alarm,
            "requests_in_flight": self._server.running,
            "connections": self._server.connections,
        }

    async def models(self) -> bytes:
        """The list of models in OpenAI's shape, for `tgw models`."""
        return CODECS[ProtocolId.OPENAI_CHAT].write_models(await self._app.listing.models())

    def metrics(self) -> bytes:
        metrics = self._metrics
        metrics.in_flight.set(self._server.running)
        metrics.connections.set(self._server.connections)
        metrics.ledger_backlog.set(self._ledger.backlog)
        metrics.ledger_alarm.set(int(self._ledger.alarm is not None))
        metrics.log_lost.set(self._log.lost)
        return metrics.render()

    # --- what the server asks -----------------------------------------------------------------------

    def _error_answer(self, path: str, error: GatewayError) -> tuple[Headers, bytes]:
        request_id = self._ids.new("req_")
        view = ErrorView(status=error.status, message=error.text, request_id=request_id, code=error.code)
        headers = [*error_headers(error, request_id), (b"content-type", b"application/json")]
        return headers, CODECS[error_protocol(path)].write_error(view)

    def _crashed(self, error: BaseException, call: Call) -> None:
        """A bug. The log has where, never what was said: frames and the error's type, not its text."""
        frames = traceback.extract_tb(error.__traceback__)[-4:]
        where = " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames))
        self._log.error("internal error", error=type(error).__name__, where=where, path=call.path)


async def _retire(client: Client, seconds: float) -> None:
    """An old client's calls may end; then its connections close."""
    await asyncio.sleep(seconds)
    await client.aclose()


def check_startable(settings: Settings) -> None:
    """What a valid configuration may ask for that cannot be served. Raises `config.invalid`."""
    if settings.work_mode != "auto":
        raise GatewayError(
            "config.invalid",
            reason=f"work_mode={settings.work_mode} is not available in this version",
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


def proxies_of(environ: Mapping[str, str]) -> Proxies:
    """The proxy variables, in lower case first, as curl reads them."""

    def value(name: str) -> str | None:
        return environ.get(name.lower()) or environ.get(name) or None

    return Proxies(http=value("HTTP_PROXY"), https=value("HTTPS_PROXY"), no_proxy=value("NO_PROXY") or "")


def provider_states(settings: Settings) -> list[dict[str, Any]]:
    """For `status`: each provider, whether it can be called, and what is missing."""
    found = []
    for row in PROVIDERS:
        configured = is_configured(row, settings)
        reason = None
        if not configured:
            local = bool(settings.local_only) and row.base_url is not None
            reason = "local_only is on" if local else f"{row.needs} is not set"
        found.append(_provider_state(row.id, configured, reason))
    return found + [_provider_state(section.name, True, None) for section in settings.providers]


def _provider_state(name: str, configured: bool, reason: str | None) -> dict[str, Any]:
    state = "configured" if configured else "off"
    return {"name": name, "configured": configured, "state": state, "reason": reason}


def stamps(files: tuple[Path, ...]) -> list[tuple[int, int] | None]:
    """Modification time and size of each file; None for one that is not there."""
    found: list[tuple[int, int] | None] = []
    for path in files:
        try:
            status = path.stat()
            found.append((status.st_mtime_ns, status.st_size))
        except OSError:
            found.append(None)
    return found


def write_private(path: Path, data: bytes) -> None:
    """Whole or not at all: a reader never sees half a file."""
    fresh = path.with_name(path.name + ".new")
    with open(fresh, "wb", opener=open_private) as file:
        file.write(data)
    fresh.replace(path)
