"""Starting what is measured, pinned to a core, and reading its CPU time and memory. Linux only."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
GATEWAY_CORE, LOAD_CORE = 0, 1


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def cpu_seconds(pids: list[int]) -> float:
    """User and system time of these processes."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no VmRSS of {pid}")


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_for(port: int, path: str = "/", seconds: float = 10.0) -> None:
    """Until something answers there."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1).read()
        except urllib.error.HTTPError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


@contextmanager
def nginx(folder: Path, name: str, http: str, core: int) -> Iterator[list[int]]:
    """One nginx with this `http` block; gives its workers' pids."""
    home = folder / name
    home.mkdir()
    conf = home / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""  # workers of another user could not read our folder
    conf.write_text(
        f"{user} daemon off; worker_processes 1; pid {home}/pid; error_log {home}/error.log warn; worker_rlimit_nofile 8192;\n"
        f"events {{ worker_connections 4096; }}\n"
        f"http {{ access_log off; keepalive_requests 10000000; client_body_buffer_size 256k;\n"
        f"  client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/f;\n"
        f"  uwsgi_temp_path {home}/u; scgi_temp_path {home}/s;\n{http}\n}}\n"
    )
    process = subprocess.Popen(["taskset", "-c", str(core), "nginx", "-c", str(conf), "-p", str(home)])
    try:
        deadline = time.monotonic() + 5
        while not (pids := children(process.pid)):
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError(f"nginx did not start: {(home / 'error.log').read_text()}")
            time.sleep(0.02)
        yield pids
    finally:
        process.terminate()
        process.wait()


@contextmanager
def gateway(home: Path, port: int, core: int, **environment: str) -> Iterator[int]:
    """`tgw start` in the foreground, pinned; gives its pid."""
    env = {
        k: v for k, v in os.environ.items() if not k.endswith("_API_KEY") and not k.startswith("TOKLIGENCE_")
    }
    env |= {"TOKLIGENCE_HOME": str(home), **environment}
    command = ["taskset", "-c", str(core), sys.executable, "-m", "tokligence", "start", "--port", str(port)]
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    try:
        wait_for(port, "/readyz")
        yield process.pid
    finally:
        process.terminate()
        process.wait()
