"""CPU per request of the gateway over that of nginx as a bare proxy, on the same core in the same run.

Gateway and nginx are pinned to core 0 in turn; the load (wrk) and a static nginx as the upstream run on core 1. Runs
are interleaved, medians are shown. Needs nginx and wrk (Debian: nginx-light, wrk).
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.processes import (
    GATEWAY_CORE,
    LOAD_CORE,
    cpu_seconds,
    free_port,
    gateway,
    nginx,
    resident_mb,
    wait_for,
)

CONNECTIONS = 64
EVENTS = 400
"""Text deltas in one streamed answer."""

USER = {
    "role": "user",
    "content": "Summarise this paragraph. " + "The quick brown fox jumps over the lazy dog. " * 20,
}
CHAT = {
    "model": "gpt-4o",
    "messages": [{"role": "system", "content": "Be brief."}, USER],
    "max_tokens": 256,
    "temperature": 0.5,
}
TO_CLAUDE = {**CHAT, "model": "claude-sonnet-4-5-20250929"}
TO_LOOPBACK = {**CHAT, "model": "loopback"}

CHAT_ANSWER = {
    "id": "chatcmpl-Bench0000000000000000000000000",
    "object": "chat.completion",
    "created": 1790000000,
    "model": "gpt-4o-2024-08-06",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "A fox jumps over a dog. " * 8, "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 220,
        "completion_tokens": 56,
        "total_tokens": 276,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    },
    "service_tier": "default",
}
MESSAGE_ANSWER = {
    "id": "msg_01BenchBenchBenchBenchBench",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "content": [{"type": "text", "text": "A fox jumps over a dog. " * 8}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 220,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 56,
        "service_tier": "standard",
    },
}


class Load(NamedTuple):
    """`events`: of one answer, for streams."""

    name: str
    path: str
    body: dict[str, Any]
    events: int = 1
    upstream_path: str = ""


LOADS = [
    Load(
        "translated 1 KB (Chat → Messages)", "/v1/chat/completions", TO_CLAUDE, upstream_path="/v1/messages"
    ),
    Load("same protocol 1 KB (Chat)", "/v1/chat/completions", CHAT, upstream_path="/v1/chat/completions"),
    Load("loopback 1 KB", "/v1/chat/completions", TO_LOOPBACK),
    Load(
        "translated stream",
        "/v1/chat/completions",
        {**TO_CLAUDE, "model": "streamed/claude-sonnet-4-5-20250929", "stream": True},
        EVENTS,
    ),
]


class Run(NamedTuple):
    requests: int
    rps: float
    cpu_us: float  # per request


def measure(args: argparse.Namespace) -> dict[str, Any]:
    for tool in ("nginx", "wrk", "taskset"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is not installed; on Debian: apt-get install nginx-light wrk util-linux")
    with tempfile.TemporaryDirectory() as folder:
        return _measure(Path(folder), args.runs, args.seconds)


def _measure(folder: Path, runs: int, seconds: int) -> dict[str, Any]:
    upstream, bare, port = free_port(), free_port(), free_port()
    write_answers(folder)
    base = f"http://127.0.0.1:{upstream}"
    settings = folder / "home" / "config" / "settings.ini"
    settings.parent.mkdir(parents=True)
    settings.write_text(f"[provider.streamed]\nprotocol=anthropic\nbase_url={base}/streamed\napi_key=bench\n")
    with (
        nginx(folder, "upstream", upstream_conf(folder, upstream), LOAD_CORE),
        nginx(folder, "bare", _bare(bare, upstream), GATEWAY_CORE) as bare_pids,
        gateway(
            folder / "home",
            port,
            GATEWAY_CORE,
            TOKLIGENCE_OPENAI_BASE_URL=f"{base}/v1",
            TOKLIGENCE_OPENAI_API_KEY="sk-bench",
            TOKLIGENCE_ANTHROPIC_BASE_URL=base,
            TOKLIGENCE_ANTHROPIC_API_KEY="sk-ant-bench",
        ) as pid,
    ):
        wait_for(upstream)
        figures: dict[str, Any] = {"idle_mb": round(resident_mb(pid), 1)}
        for load in LOADS:
            streamed = load.events > 1
            theirs, ours = [], []
            for _ in range(runs):
                if load.upstream_path and not streamed:
                    theirs.append(_run(folder, load, bare, load.upstream_path, bare_pids, seconds))
                ours.append(_run(folder, load, port, load.path, [pid], seconds))
            figures[load.name] = _report(load, ours, theirs)
        figures["loaded_mb"] = round(resident_mb(pid), 1)
        print(f"memory: idle {figures['idle_mb']} MB, after the load {figures['loaded_mb']} MB")
    return figures


def _run(folder: Path, load: Load, port: int, path: str, pids: list[int], seconds: int) -> Run:
    script = folder / "load.lua"
    body = json.dumps(load.body).replace("\\", "\\\\").replace("'", "\\'")
    script.write_text(
        f"wrk.method='POST'; wrk.body='{body}'; wrk.headers['content-type']='application/json'\n"
    )
    connections = CONNECTIONS if load.events == 1 else 8
    command = [
        "taskset",
        "-c",
        str(LOAD_CORE),
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "-s",
        str(script),
    ]
    before = cpu_seconds(pids)
    out = subprocess.run(
        [*command, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True
    ).stdout
    used = cpu_seconds(pids) - before
    if "Non-2xx" in out or "Socket errors" in out:
        raise RuntimeError(f"{load.name}: {out}")
    requests = int(_number(out, r"(\d+) requests in"))
    return Run(requests, float(_number(out, r"Requests/sec:\s+([\d.]+)")), used / requests * 1e6)


def _number(text: str, pattern: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(f"wrk said: {text}")
    return match[1]


def _report(load: Load, ours: list[Run], theirs: list[Run]) -> dict[str, Any]:
    median: Callable[[list[float]], float] = statistics.median
    cpu, rps = median([r.cpu_us for r in ours]), median([r.rps for r in ours])
    figures: dict[str, Any] = {"cpu_us": round(cpu, 1), "rps": round(rps)}
    line = f"{load.name}: {cpu:.1f} µs CPU, {rps:,.0f} requests/s"
    if theirs:
        ratios = [a.cpu_us / b.cpu_us for a, b in zip(ours, theirs, strict=True)]
        figures |= {
            "nginx_cpu_us": round(median([r.cpu_us for r in theirs]), 1),
            "ratio": round(median(ratios), 2),
        }
        line += f"; nginx {figures['nginx_cpu_us']} µs; ratio {figures['ratio']} ({min(ratios):.2f}-{max(ratios):.2f})"
    if load.events > 1:
        figures["cpu_us_per_event"] = round(cpu / load.events, 2)
        line += f"; {figures['cpu_us_per_event']} µs per event"
    print(line, flush=True)
    return figures


# --- the static upstream and the bare proxy -------------------------------------------------------------


def write_answers(folder: Path) -> None:
    """The files that the static upstream answers with."""
    (folder / "stream").write_text(_stream())
    (folder / "chat").write_text(json.dumps(CHAT_ANSWER))
    (folder / "message").write_text(json.dumps(MESSAGE_ANSWER))


def upstream_conf(folder: Path, port: int) -> str:
    """POST to a file: nginx answers 405, which error_page turns into the file itself."""
    return f"""
  server {{
    listen 127.0.0.1:{port}; root {folder}; error_page 405 =200 $uri; open_file_cache max=10;
    location = / {{ return 200 "ok"; }}
    location = /v1/messages {{ rewrite ^ /message last; }}
    location = /streamed/v1/messages {{ rewrite ^ /stream last; }}
    location = /v1/chat/completions {{ rewrite ^ /chat last; }}
    location = /message {{ internal; default_type application/json; error_page 405 =200 /message; }}
    location = /chat {{ internal; default_type application/json; error_page 405 =200 /chat; }}
    location = /stream {{ internal; default_type text/event-stream; error_page 405 =200 /stream; }}
  }}"""


def _bare(port: int, upstream: int) -> str:
    return f"""
  upstream static {{ server 127.0.0.1:{upstream}; keepalive 128; keepalive_requests 10000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://static; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}"""


def _stream() -> str:
    """An Anthropic stream of `EVENTS` text deltas."""
    start = {
        **MESSAGE_ANSWER,
        "content": [],
        "stop_reason": None,
        "usage": {**MESSAGE_ANSWER["usage"], "output_tokens": 1},
    }  # type: ignore[dict-item]
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *[{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " word"}}]
        * EVENTS,
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": EVENTS},
        },
        {"type": "message_stop"},
    ]
    return "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events)
