"""Talking to the gateway that runs on this home, and starting one in the background."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import IO, Any, Final

from tokligence.cli.terminal import CommandFailed
from tokligence.config.home import HOME_VARIABLE, Home, find_home
from tokligence.config.load import process_environ
from tokligence.edge.runfile import RunState, running

ANSWER_S: Final = 15.0
START_S: Final = 30.0
POLL_S: Final = 0.02


class NoAnswer(CommandFailed):
    """A gateway runs but does not answer: it is stopping, or something keeps it busy."""


def home() -> Home:
    return find_home(process_environ())


def found() -> RunState | None:
    """The gateway running on this user's home."""
    return running(home())


def ask(state: RunState, method: str, what: str) -> dict[str, Any]:
    """One of the running gateway's own endpoints. Raises `NoAnswer`."""
    import http.client

    connection = http.client.HTTPConnection(reachable(state.host), state.port, timeout=ANSWER_S)
    try:
        headers = {"authorization": f"Bearer {state.token}", "host": f"localhost:{state.port}"}
        connection.request(method, f"/admin/api/v1/{what}", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise NoAnswer(f"the gateway (pid {state.pid}) answered {answer.status} to {what}")
        parsed: dict[str, Any] = json.loads(body)
        return parsed
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = f"the gateway (pid {state.pid}) does not answer on port {state.port}: {error}"
        raise NoAnswer(reason) from None
    finally:
        connection.close()


def reachable(host: str) -> str:
    """The address at which this machine reaches a gateway that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "localhost": "127.0.0.1"}.get(host, host)  # noqa: S104


def url(host: str, port: int) -> str:
    shown = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)  # noqa: S104
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def stop(state: RunState, patience_s: float) -> bool:
    """Asks the gateway to stop and waits for its end; False if it is still there after `patience_s`."""
    import psutil

    try:
        process = psutil.Process(state.pid)
        with contextlib.suppress(NoAnswer):  # most likely it is stopping already
            ask(state, "POST", "stop")
        process.wait(patience_s)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


def spawn(words: list[str]) -> RunState:
    """Starts `tgw start …` in the background and waits until it serves. Raises `CommandFailed` with what it said."""
    where = home()
    where.prepare()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603 - our own program
            # -P: a json.py where the user stands is not the one we mean.
            [sys.executable, "-P", "-m", "tokligence", "start", "--detached", *words],
            env={**process_environ(), HOME_VARIABLE: str(where.root)},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            cwd=where.root,  # not where the user is: that directory may be unmounted or deleted one day
            close_fds=True,
            **_detached(),
        )
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            state = running(where)
            # A virtual environment on Windows starts the interpreter by a program in between.
            if state is not None and process.pid in (state.pid, state.parent):
                return state
            if process.poll() is not None:
                raise CommandFailed(_last_words(said), process.returncode or 1)
            time.sleep(POLL_S)
        process.kill()
        raise CommandFailed(f"it did not start within {START_S:.0f} seconds; see tgw logs")


def _last_words(said: IO[bytes]) -> str:
    said.seek(0)
    text = said.read().decode("utf-8", "replace").strip()
    return text.removeprefix("tgw: ") or "it ended without a word; see tgw logs"


def _detached() -> dict[str, Any]:
    """Its own session, so that closing the terminal does not end it."""
    if os.name == "nt":
        flags = ("DETACHED_PROCESS", "CREATE_NEW_PROCESS_GROUP")
        return {"creationflags": sum(getattr(subprocess, flag) for flag in flags)}
    return {"start_new_session": True}
