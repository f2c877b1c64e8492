"""One running gateway: builds all parts from one configuration, reloads it, and takes everything down in order.

    loaded ─open→ SERVING ─stop→ DRAINING ─all answered, all booked→ ended

The composition root: the only place that knows every part.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import structs

from tokligence import __version__
from tokligence.config.describe import changes
from tokligence.config.load import Loaded, process_environ
from tokligence.config.values import Source
from tokligence.conversation import ProtocolId
from tokligence.edge.app import App
from tokligence.edge.bridge import bridged, place_of
from tokligence.edge.derive import (
    OF_CLIENT,
    check_startable,
    client_options,
    limits,
    provider_states,
    proxies_of,
    rules,
    secrets_of,
)
from tokligence.edge.guard import Guard
from tokligence.edge.handling import Handling
from tokligence.edge.listen import AddressInUse
from tokligence.edge.observe import CallObserver
from tokligence.edge.refusal import refusal_at
from tokligence.edge.runfile import RunState, forget, write_private
from tokligence.edge.server import Server, ended
from tokligence.edge.signals import handled
from tokligence.errors import GatewayError
from tokligence.ledger.journal import SyncPolicy
from tokligence.ledger.writer import Ledger
from tokligence.pipeline.build import allowed_hosts, build_state
from tokligence.pipeline.contract import Call, Headers
from tokligence.pipeline.hub import Hub, State
from tokligence.pipeline.ids import IdSource
from tokligence.pipeline.meter import Meter
from tokligence.signals.log import Log
from tokligence.signals.metrics import Metrics
from tokligence.upstream.client import Client
from tokligence.wire.registry import CODECS

WATCH_S: Final = 1.0
"""How often the configuration files are looked at."""
FLUSH_S: Final = 0.2
"""How often buffered log lines reach the file."""
LOAD_S: Final = 0.2
"""How long the loop runs on between two protocols that are loaded beside the first answers."""

Stamp = tuple[int, int] | None


class Gateway:
    """A gateway in this process; it is the `Control` of its own endpoints. `load` reads the configuration anew.
    `flags`: the settings of the command line, for whoever restarts it."""

    def __init__(
        self, loaded: Loaded, load: Callable[[], Loaded], log: Log, flags: Mapping[str, str] | None = None
    ) -> None:
        check_startable(loaded.settings)
        self.settings = loaded.settings
        self.home = loaded.home
        self.token = secrets.token_urlsafe(24)
        self.port = 0
        self._load = load
        self._flags = dict(flags or {})
        self._loaded = loaded
        self._seen: list[Stamp] = []
        self._log = log
        self._ids = IdSource()
        self._metrics = Metrics(__version__, time.monotonic)
        self._began = time.monotonic()
        self._stop = asyncio.Event()
        self._draining = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._retired: set[Client] = set()
        self._undo = ExitStack()
        state = build_state(self.settings)
        new_rules = rules(self.settings)
        self._log.hide([*secrets_of(self.settings), self.token])
        self._ledger_path = Path(self.settings.ledger_path or self.home.ledger_db)
        self._ledger = Ledger.open(
            self._ledger_path,
            self.home.journal_dir,
            sync=SyncPolicy(self.settings.ledger_sync),
            max_bytes=self.settings.ledger_journal_max_bytes,
        )
        meter = Meter(self._ledger, CallObserver(self._metrics, log))
        self._hub = Hub(state, _client(state), meter, self._ids)
        self._app = App(self._hub, Guard(new_rules), self)
        self._server = Server(
            self._app, limits(self.settings), self._error_answer, self.crashed, self._app.route
        )

    # --- the life of the process --------------------------------------------------------------------

    async def run(self, on_open: Callable[[], None]) -> None:
        """The whole of it: listens, calls `on_open`, serves until a signal or `stop`, takes everything down.
        Raises as `open` does."""
        with handled(self._stop_or_hurry, self._reload_soon):
            try:
                await self.open()
                on_open()
                await self.serve()
            finally:
                await self.close()

    async def open(self) -> None:
        """Listens. Raises `listen.AddressInUse`, or `config.invalid` for an address that is not ours and for run
        files that cannot be written; then `close` is still to be called."""
        self._undo.enter_context(bridged(self._log))
        host, port = self.settings.host, self.settings.port
        try:
            addresses = await self._server.start(host, port)
        except AddressInUse:
            raise
        except (OSError, UnicodeError) as error:  # the latter for names that cannot be one
            why = error.strerror if isinstance(error, OSError) else None
            reason = f"cannot listen on host {host}, port {port}: {why or error}"
            raise GatewayError("config.invalid", reason=reason) from None
        self.port = addresses[0][1]
        self._write_run_file()
        self._log.info("started", host=host, port=self.port, version=__version__, pid=os.getpid())
        self._warn()
        self._seen = self._stamps()
        self._spawn(self._watch_files())
        self._spawn(self._flush_log())
        self._spawn(self._load_the_rest())

    async def serve(self) -> None:
        """Until `stop`, then drains."""
        await self._stop.wait()
        self._draining = True
        self._log.info("stopping", requests=self._server.running)
        cut = await self._server.drain(self.settings.drain_timeout_s)
        if cut:
            self._log.warning("connections were cut", number=cut)

    async def close(self) -> None:
        """Everything down: upstream connections, the ledger with all its rows, the run file, the log."""
        await self._server.drain(0)
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for client in (*self._retired, self._hub.client):
            await client.aclose()
        await asyncio.to_thread(self._ledger.close)
        if self.port:
            forget(self.home.state_file)
            self._log.info("stopped", uptime_s=round(self.uptime_s))
        self._undo.close()
        self._log.flush()

    @property
    def uptime_s(self) -> float:
        # Not by the wall clock, which may be set while we run.
        return round(time.monotonic() - self._began, 1)

    def _write_run_file(self) -> None:
        state = RunState(
            pid=os.getpid(),
            parent=os.getppid(),
            host=self.settings.host,
            port=self.port,
            version=__version__,
            environment=self.settings.environment,
            started=time.time(),
            token=self.token,
            flags=self._flags,
        )
        write_private(self.home.state_file, msgspec.json.encode(state))

    def _stop_or_hurry(self) -> None:
        """A second signal: whoever sends it does not want to wait for running requests."""
        if self._stop.is_set():
            self._spawn(self._cut())
        self._stop.set()

    async def _cut(self) -> None:
        await self._server.drain(0)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _load_the_rest(self) -> None:
        """What the first answer did not wait for: the protocols, one at a turn, before calls have to wait for them."""
        for protocol in ProtocolId:
            await asyncio.sleep(LOAD_S)
            _ = CODECS[protocol]

    async def _flush_log(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            self._log.flush()

    # --- the configuration --------------------------------------------------------------------------

    async def _watch_files(self) -> None:
        """A change of a configuration file reloads."""
        while True:
            await asyncio.sleep(WATCH_S)
            if self._stamps() != self._seen:
                await self.reload()

    def _files(self) -> tuple[Path, ...]:
        prices = self.settings.prices_file
        return (*self._loaded.files, Path(prices)) if prices else self._loaded.files

    def _stamps(self) -> list[Stamp]:
        return [stamp(path) for path in self._files()]

    def _reload_soon(self) -> None:
        self._spawn(self._reload())

    async def _reload(self) -> None:
        await self.reload()

    async def reload(self) -> dict[str, Any]:
        """Reads the configuration anew. If it is not valid the last good one stays and the answer says why. A setting
        that needs a restart keeps its value until then. `fixed`: settings that no file can change, and what they come from."""
        files = self._files()
        self._seen = self._stamps()  # before the reading: what changes meanwhile is seen the next time
        try:
            loaded = self._load()
            check_startable(loaded.settings)
            live, restart = changes(self.settings, loaded.settings)
            kept = {name: getattr(self.settings, name) for name in restart}
            settings = structs.replace(loaded.settings, **kept)
            check_startable(settings)
            state = build_state(settings)
            new_rules = rules(settings)
        except GatewayError as error:
            self._log.error("the configuration is not valid; the last good one stays", reason=error.text)
            return {"reloaded": False, "error": error.text}
        self._loaded = loaded
        self.settings = settings
        self._hub.state = state
        self._app.guard = Guard(new_rules)
        self._server.limits = limits(settings)
        self._server.forget_heads()
        self._log.set_level(settings.log_level)
        self._log.set_limits(settings.log_max_bytes, settings.log_keep)
        self._log.hide([*secrets_of(settings), self.token])
        if not OF_CLIENT.isdisjoint(live):
            self._replace_client(state)
        if self._files() != files:
            self._seen = self._stamps()
        self._log.info("reloaded", changed=list(live), needs_restart=list(restart))
        self._warn()
        fixed = {
            n: str(o) for n, o in loaded.origins.items() if o.source in (Source.FLAG, Source.ENVIRONMENT)
        }
        return {
            "reloaded": True,
            "changed": list(live),
            "needs_restart": list(restart),
            "environment": settings.environment,
            "fixed": fixed,
        }

    def _warn(self) -> None:
        for warning in self._loaded.warnings:
            self._log.warning("configuration", warning=warning)

    def _replace_client(self, state: State) -> None:
        old, self._hub.client = self._hub.client, _client(state)
        self._retired.add(old)
        self._spawn(self._retire(old, set(self._server.tasks)))

    async def _retire(self, client: Client, users: set[Handling]) -> None:
        """The requests that run now may go on with it to their end, however long that takes."""
        await ended(users)
        self._retired.discard(client)
        await client.aclose()

    # --- Control ------------------------------------------------------------------------------------

    def stop(self) -> None:
        self._stop.set()

    async def flush(self) -> dict[str, Any]:
        """Every answered call is a row when this returns, unless `flushed` is false."""
        return {"flushed": await self._ledger.flushed(), "ledger": str(self._ledger_path)}

    def health(self) -> dict[str, Any]:
        return {"status": "ok", "version": __version__, "uptime_s": self.uptime_s}

    def ready(self) -> bool:
        """Ready while the database is down: the journal holds what is booked."""
        return not self._draining

    def status(self) -> dict[str, Any]:
        return {
            "running": True,
            "pid": os.getpid(),
            "host": self.settings.host,
            "port": self.port,
            "uptime_s": self.uptime_s,
            "version": __version__,
            "workers": 1,
            "providers": provider_states(self.settings),
            "journal_backlog": self._ledger.backlog,
            "ledger_alarm": self._ledger.alarm,
            # Without the one that asks.
            "requests_in_flight": max(0, self._server.running - 1),
            "connections": max(0, self._server.connections - 1),
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

    def crashed(self, error: BaseException, call: Call) -> str:
        """A bug. The log has where, never what was said: frames and the error's type, not its text. A model call that
        has answered for it names its request in a note."""
        request_id = next(iter(getattr(error, "__notes__", ())), None) or self._ids.new("req_")
        self._log.error(
            "internal error", id=request_id, error=type(error).__name__, where=place_of(error), path=call.path
        )
        return request_id

    # --- what the server asks -----------------------------------------------------------------------

    def _error_answer(self, path: str, error: GatewayError) -> tuple[Headers, bytes]:
        logged: Any = error.details.get("request_id")
        return refusal_at(path, error, logged or self._ids.new("req_"))


def _client(state: State) -> Client:
    return Client(client_options(state.settings), proxies_of(process_environ()), allowed_hosts(state))


def stamp(path: Path) -> Stamp:
    """Modification time and size of a file; None for one that is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
