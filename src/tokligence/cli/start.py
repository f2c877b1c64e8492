"""`tgw start`: serve in the foreground, or in the background with `--daemon`."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from tokligence.cli.terminal import CommandFailed, drop_output, say

if TYPE_CHECKING:
    import asyncio

    from tokligence.config.load import Loaded
    from tokligence.edge.process import Gateway
    from tokligence.signals.log import Log

FAILED = "start failed"
LOADED_S = 3.0
"""After so many seconds all that is loaded beside the first answers is there."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", "-H", help="address to listen on (default: localhost)")
    parser.add_argument("--port", "-p", help="port to listen on (default: 8081)")
    parser.add_argument(
        "--env", "-e", help="environment: which config/ENV/gateway.ini is read (default: dev)"
    )
    parser.add_argument("--log-level", help="debug, info, warning or error (default: info)")
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
    return [f"{options[name]}={value}" for name, value in flags.items()]


def run(args: argparse.Namespace) -> int:
    flags = flags_of(args)
    return start_daemon(flags) if args.daemon else serve(flags, foreground=not args.detached)


def start_daemon(flags: dict[str, str]) -> int:
    from tokligence.cli import daemon
    from tokligence.cli.banner import banner

    loaded = read(flags)  # a wrong setting is told here
    state = daemon.found()
    if state is not None:
        reason = f"a gateway is already running on this home (pid {state.pid}, port {state.port})"
        note(reason)
        raise CommandFailed(reason)
    state = daemon.spawn(words_of(flags))
    providers = daemon.ask(state, "GET", "status")["providers"]
    say(
        banner(
            loaded,
            state.port,
            providers,
            how_to_stop="Stop with tgw stop; see also tgw status and tgw logs -f.",
        )
    )
    return 0


def read(flags: dict[str, str]) -> Loaded:
    """The configuration; a bad one is a failed start, and in the log."""
    from tokligence.config.load import load, process_environ
    from tokligence.errors import GatewayError

    try:
        return load(process_environ(), flags)
    except GatewayError as error:
        note(error.text)
        raise


def note(reason: str) -> None:
    """A start that failed before there was a log of its own, into the log; unless that is what failed."""
    from tokligence.cli import daemon
    from tokligence.errors import GatewayError
    from tokligence.signals.log import Log

    try:
        home = daemon.home()
        home.prepare()
        log = Log(home.logs_dir)
    except (GatewayError, OSError):
        return
    log.error(FAILED, reason=reason)
    log.close()


def serve(flags: dict[str, str], *, foreground: bool) -> int:
    gc.disable()  # nothing of what a start makes is garbage, and looking for it is a tenth of its time
    try:
        return _serve(flags, foreground=foreground)
    finally:
        gc.enable()


def _serve(flags: dict[str, str], *, foreground: bool) -> int:
    from tokligence.edge.bridge import place_of
    from tokligence.edge.listen import AddressInUse
    from tokligence.edge.runfile import AlreadyRunning, hold_home
    from tokligence.errors import GatewayError
    from tokligence.signals.log import Log

    loaded = read(flags)
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
    except AlreadyRunning as error:
        log.error(FAILED, reason=str(error))
        raise CommandFailed(str(error)) from None
    except AddressInUse as error:
        from tokligence.cli.ports import in_use

        reason = in_use(error.host, error.port)
        log.error(FAILED, reason=reason)
        raise CommandFailed(reason) from None
    except GatewayError as error:
        log.error(FAILED, reason=error.text)
        raise
    except Exception as error:
        log.error("crashed", error=type(error).__name__, where=place_of(error))
        raise
    finally:
        log.close()


def _run_loop(loaded: Loaded, flags: dict[str, str], log: Log, *, foreground: bool) -> int:
    import asyncio

    from tokligence.config.load import load, process_environ
    from tokligence.edge.process import Gateway

    async def whole() -> None:
        gateway = Gateway(loaded, lambda: load(process_environ(), flags), log, flags)

        def opened() -> None:
            gc.enable()
            gc.freeze()  # what stands now stays: collections need not look at it
            asyncio.get_running_loop().call_later(LOADED_S, gc.freeze)
            if foreground:
                greet(loaded, gateway)

        await gateway.run(opened)

    with asyncio.Runner(loop_factory=fastest_loop()) as runner:
        runner.run(whole())
    return 0


def greet(loaded: Loaded, gateway: Gateway) -> None:
    from tokligence.cli.banner import banner

    text = banner(loaded, gateway.port, gateway.status()["providers"], how_to_stop="Stop with Ctrl-C.")
    try:
        say(text)
        sys.stdout.flush()
    except OSError:  # nobody reads it (`| head -1`), which is no reason to stop
        drop_output()


def fastest_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it exists; asyncio's own loop elsewhere."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
