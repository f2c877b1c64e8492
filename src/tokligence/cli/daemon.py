"""Talking to the gateway that runs on this home, and starting one in the background."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import psutil

from tokligence.config.home import Home, find_home, open_private
from tokligence.config.load import process_environ
from tokligence.edge.process import RunState, running
from tokligence.errors import GatewayError

ANSWER_S: Final = 15.0
START_S: Final = 30.0
POLL_S: Final = 0.02


def home() -> Home:
    return find_home(process_environ())


def found() -> RunState | None:
    """The gateway running on this user's home."""
    return running(home())


def ask(state: RunState, method: str, what: str) -> dict[str, Any]:
    """One of the running gateway's own endpoints. Raises `GatewayError` if it does not answer."""
    connection = http.client.HTTPConnection(reachable(state.host), state.port, timeout=ANSWER_S)
    try:
        headers = {"authorization": f"Bearer {state.token}", "host": f"localhost:{state.port}"}
        connection.request(method, f"/admin/api/v1/{what}", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise GatewayError("config.invalid", reason=f"the gateway answered {answer.status} to {what}")
        parsed: dict[str, Any] = json.loads(body)
        return parsed
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = f"the gateway (pid {state.pid}) does not answer on port {state.port}: {error}"
        raise GatewayError("config.invalid", reason=reason) from None
    finally:
        connection.close()


def reachable(host: str) -> str:
    """The address at which this machine reaches a gateway that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "localhost": "127.0.0.1"}.get(host, host)  # noqa: S104


def url(host: str, port: int) -> str:
    shown = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)  # noqa: S104
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def stop(state: RunState, patience_s: float) -> bool:
    """Ask the gateway to stop and wait for its end; False if it is still there after `patience_s`."""
    try:
        process = psutil.Process(state.pid)
    except psutil.NoSuchProcess:
        return True
    ask(state, "POST", "stop")
    try:
        process.wait(patience_s)
    except psutil.TimeoutExpired:
        return False
    return True


def spawn(words: list[str]) -> tuple[RunState | None, str]:
    """Start `tgw start …` in the background and wait until it serves: its state, or what it said as it failed."""
    where = home()
    where.prepare()
    said = where.run_dir / "start.out"
    with open(said, "wb", opener=open_private) as out:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "tokligence", "start", "--detached", *words],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            close_fds=True,
            **_detached(),
        )
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        state = running(where)
        if state is not None and state.pid == process.pid:
            said.unlink(missing_ok=True)
            return state, ""
        if process.poll() is not None:
            return None, _last_words(said)
        time.sleep(POLL_S)
    process.kill()
    return None, f"it did not start within {START_S:.0f} seconds"


def _last_words(said: Path) -> str:
    text = said.read_text("utf-8", "replace").strip()
    return text.removeprefix("tgw: ") or "it ended without a word; see tgw logs"


def _detached() -> dict[str, Any]:
    """Its own session, so that closing the terminal does not end it."""
    if os.name == "nt":
        return {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined]
    return {"start_new_session": True}
