"""Which gateway runs on a home. Imports little: it serves the commands that only ask.

    gateway.lock   held while a gateway runs; the system lets go of it with the process, however that ends
    gateway.pid    whose lock it is, from the first moment on
    gateway.json   how to address it (`RunState`), while it serves

The lock says whether one runs, the files say which: a reused pid, a file left by `kill -9` and a clock that jumps
deceive nobody.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from tokligence.config.errors import ConfigError
from tokligence.config.home import Home, open_private

LOCK_PATIENCE_S: Final = 0.5
"""How long a start waits for the lock: a command that looks holds it for a moment."""
LOCK_POLL_S: Final = 0.01


class RunState(Struct, frozen=True):
    """`run/gateway.json`: how the commands of this machine find and address the running gateway.

    `parent`: who started it. `started`: Unix seconds. `token`: what its own endpoints ask for. `flags`: the settings
    that stood on its command line, for `tgw restart`."""

    pid: int
    parent: int
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
    """The gateway that serves on this home, if one does."""
    try:
        state = msgspec.json.decode(home.state_file.read_bytes(), type=RunState)
    except (OSError, msgspec.MsgspecError):
        return None
    import psutil  # not for an answer that needs none of it: importing it takes longer than all the above

    return state if psutil.pid_exists(state.pid) and _is_held(home.lock_file) else None


def _is_held(path: Path) -> bool:
    import filelock

    lock = filelock.FileLock(path, mode=0o600)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return True
    except OSError:
        return True  # not ours to open: then the pid must do
    lock.release()
    return False


@contextlib.contextmanager
def hold_home(home: Home) -> Iterator[None]:
    """One gateway per home. Raises `AlreadyRunning`, or `ConfigError` if the run directory cannot be written."""
    import filelock

    lock = filelock.FileLock(home.lock_file, mode=0o600)
    try:
        lock.acquire(timeout=LOCK_PATIENCE_S, poll_interval=LOCK_POLL_S)
    except filelock.Timeout:
        raise AlreadyRunning(_pid_in(home.pid_file)) from None
    except OSError as error:
        raise ConfigError(f"cannot be locked: {error.strerror}", file=home.lock_file) from None
    try:
        forget(home.state_file)  # of one that was killed
        write_private(home.pid_file, b"%d\n" % os.getpid())
        yield
    finally:
        forget(home.state_file)
        forget(home.pid_file)
        lock.release()


def _pid_in(path: Path) -> int | None:
    try:
        return int(path.read_bytes())
    except (OSError, ValueError):
        return None


def forget(path: Path) -> None:
    """Removes a run file; one that stays (Windows, while somebody reads it) misleads nobody."""
    with contextlib.suppress(OSError):
        path.unlink()


def write_private(path: Path, data: bytes) -> None:
    """Whole or not at all: a reader never sees half a file. Raises `ConfigError`."""
    fresh = path.with_name(path.name + ".new")
    try:
        with open(fresh, "wb", opener=open_private) as file:
            file.write(data)
        fresh.replace(path)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", file=path) from None
