"""`tgw start`: serve in the foreground, or in the background with `--daemon`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from tokligence.cli.terminal import complain, say

if TYPE_CHECKING:
    from tokligence.config.load import Loaded
    from tokligence.signals.log import Log


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", "-H", help="address to listen on (default: localhost)")
    parser.add_argument("--port", "-p", help="port to listen on (default: 8081)")
    parser.add_argument(
        "--env", "-e", help="environment: which config/ENV/gateway.ini is read (default: dev)"
    )
    parser.add_argument("--log-level", help="debug, info, warning or error")
    parser.add_argument("--daemon", "-d", action="store_true", help="run in the background")
    parser.add_argument(
        "--detached", action="store_true", help=argparse.SUPPRESS
    )  # the background process itself


def flags_of(args: argparse.Namespace) -> dict[str, str]:
    """The settings that stand on the command line."""
    named = {"host": args.host, "port": args.port, "environment": args.env, "log_level": args.log_level}
    return {name: value for name, value in named.items() if value is not None}


def words_of(flags: dict[str, str]) -> list[str]:
    """The same as a command line."""
    options = {"host": "--host", "port": "--port", "environment": "--env", "log_level": "--log-level"}
    return [word for name, value in flags.items() for word in (options[name], value)]


def run(args: argparse.Namespace) -> int:
    flags = flags_of(args)
    return start_daemon(flags) if args.daemon else _serve(flags, foreground=not args.detached)


def start_daemon(flags: dict[str, str]) -> int:
    from tokligence.cli import daemon
    from tokligence.config.load import load, process_environ

    load(process_environ(), flags)  # a wrong setting is told here, in full
    state = daemon.found()
    if state is not None:
        complain(f"a gateway is already running on this home (pid {state.pid}, port {state.port})")
        return 1
    state, why = daemon.spawn(words_of(flags))
    if state is None:
        complain(why)
        return 1
    say(f"Tokligence Gateway {state.version} runs in the background (pid {state.pid}).")
    say(f"  Listens on:  {daemon.url(state.host, state.port)}")
    say("  Next:        tgw status · tgw logs -f · tgw stop")
    return 0


def _serve(flags: dict[str, str], *, foreground: bool) -> int:
    from tokligence.config.load import load, process_environ
    from tokligence.edge.listen import AddressInUse
    from tokligence.edge.process import AlreadyRunning, hold_home
    from tokligence.errors import GatewayError
    from tokligence.signals.log import Log

    loaded = load(process_environ(), flags)
    loaded.home.prepare()
    settings = loaded.settings
    log = Log(
        loaded.home.logs_dir,
        level=settings.log_level,
        max_bytes=settings.log_max_bytes,
        keep=settings.log_keep,
        mirror=sys.stderr if foreground and settings.log_level == "debug" else None,
    )
    try:
        with hold_home(loaded.home):
            return _run_loop(loaded, flags, log, foreground=foreground)
    except (AlreadyRunning, AddressInUse) as error:
        reason = _whose_port(error.host, error.port) if isinstance(error, AddressInUse) else str(error)
        log.error("start failed", reason=reason)
        complain(reason)
        return 1
    except OSError as error:
        reason = f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}"
        log.error("start failed", reason=reason)
        complain(reason)
        return 1
    except GatewayError as error:
        log.error("start failed", reason=error.text)
        raise
    finally:
        log.close()


def _run_loop(loaded: Loaded, flags: dict[str, str], log: Log, *, foreground: bool) -> int:
    from tokligence.cli.banner import banner
    from tokligence.config.load import load, process_environ
    from tokligence.edge.process import Gateway

    async def serve() -> None:
        gateway = Gateway(loaded, lambda: load(process_environ(), flags), log, flags)
        try:
            await gateway.open()
            if foreground:
                say(banner(loaded, gateway.port))
                sys.stdout.flush()
            await gateway.serve()
        finally:
            await gateway.close()

    with asyncio.Runner(loop_factory=_fastest_loop()) as runner:
        runner.run(serve())
    return 0


def _fastest_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it exists; asyncio's own loop elsewhere."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _whose_port(host: str, port: int) -> str:
    """Who holds the port, if the system tells: pid and command."""
    import psutil

    try:
        holders = {
            c.pid
            for c in psutil.net_connections("tcp")
            if c.pid and c.status == psutil.CONN_LISTEN and c.laddr.port == port
        }
        named = [f"pid {pid} ({' '.join(psutil.Process(pid).cmdline())[:120]})" for pid in sorted(holders)]
    except psutil.Error:
        named = []
    who = f" by {', '.join(named)}" if named else ""
    return f"port {port} on {host} is in use{who}; stop it, or choose another: tgw start --port {port + 1 if port < 65535 else 8081}"
