"""The gateway that a client shall ask: the one that runs here, or one at an address."""

from __future__ import annotations

import argparse
import http.client
import json
from collections.abc import Mapping
from email.message import Message
from typing import Any, Final
from urllib.parse import quote, urlsplit

from msgspec import Struct

from tokligence.cli import daemon
from tokligence.cli.clients import ANY_KEY, Client, Facts
from tokligence.cli.terminal import CommandFailed
from tokligence.config.load import load, process_environ
from tokligence.config.schema import ClientKey
from tokligence.conversation import ProtocolId

NOT_RUNNING: Final = 3
PROBE_S: Final = 60.0
"""A model that has to think first, or a local one that has to be loaded, takes its time."""
LIST_S: Final = 15.0
HASHED: Final = "sha256:"
WORDS: Final = "Answer with OK."


class Probe(Struct, frozen=True):
    """What became of one small request through the gateway. `answered_by`: provider/model. `problem`: "" if it was
    answered."""

    model: str
    ok: bool
    status: int | None = None
    answered_by: str = ""
    problem: str = ""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--url", help="address of a gateway elsewhere, for example https://gateway.example:8081"
    )
    parser.add_argument("--key", help="the client key to send, if the gateway asks for one")


def facts_of(args: argparse.Namespace, client: Client, *, must_run: bool) -> Facts:
    """What the client is told. `must_run`: fails if no gateway runs here; else the configured address is taken."""
    if args.url:
        url = _address(args.url)
        key = args.key or ANY_KEY
        models = _listed(url, key) if must_run else ()
    else:
        url, models = _here(must_run)
        key = args.key or _own_key()
    model = args.model or _first_of(client, models)
    return Facts(url, key, model, tuple(dict.fromkeys((*([model] if model else []), *models))))


def probe(client: Client, facts: Facts) -> Probe:
    """Asks as the client would, for a few tokens."""
    model = facts.model or client.model
    path, body = _question(client.speaks, model)
    headers = {"content-type": "application/json", **_key_header(client.speaks, facts.key)}
    try:
        status, answered, text = _fetch(facts.url + path, headers, PROBE_S, json.dumps(body))
    except (OSError, http.client.HTTPException) as error:
        return Probe(model, False, problem=f"{facts.url} does not answer: {_reason(error)}")
    if status == 200:
        return Probe(model, True, status, answered.get("x-tokligence-route", ""))
    return Probe(model, False, status, problem=_message(text) or f"status {status}")


def _address(url: str) -> str:
    parts = urlsplit(url if "//" in url else f"http://{url}")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or parts.query:
        raise CommandFailed(f"--url {url!r} is not the address of a gateway", 2)
    path = parts.path.rstrip("/").removesuffix("/v1")
    return f"{parts.scheme}://{parts.netloc}{path}"


def _here(must_run: bool) -> tuple[str, tuple[str, ...]]:
    state = daemon.found()
    if state is not None:
        found = daemon.ask(state, "GET", "models")["data"]
        return daemon.url(state.host, state.port), tuple(model["id"] for model in found)
    if must_run:
        raise CommandFailed("no gateway is running on this home; start one: tgw start --daemon", NOT_RUNNING)
    settings = load(process_environ()).settings
    return daemon.url(settings.host, settings.port), ()


def _own_key() -> str:
    """The one key of this home, if it is here in clear."""
    keys: tuple[ClientKey, ...] = load(process_environ()).settings.client_keys
    if not keys:
        return ANY_KEY
    clear = [key for key in keys if not key.value.startswith(HASHED)]
    if len(clear) == 1:
        return clear[0].value
    why = "several client_keys are set" if clear else "client_keys has no key in clear"
    raise CommandFailed(f"{why}; say which the client shall send: --key KEY", 2)


def _first_of(client: Client, models: tuple[str, ...]) -> str | None:
    """A model for a client that has none of its own."""
    if client.model:
        return None
    return next((model for model in models if model != "loopback"), "loopback")


def _listed(url: str, key: str) -> tuple[str, ...]:
    headers = {"authorization": f"Bearer {key}"}
    try:
        status, _, text = _fetch(f"{url}/v1/models", headers, LIST_S)
        if status != 200:
            raise CommandFailed(f"{url} answered {status}: {_message(text)}")
        return tuple(str(model["id"]) for model in json.loads(text)["data"])
    except (OSError, http.client.HTTPException) as error:
        raise CommandFailed(f"{url} does not answer: {_reason(error)}") from None
    except (ValueError, KeyError, TypeError):
        raise CommandFailed(f"{url} is no gateway: it lists no models") from None


def _fetch(
    url: str, headers: Mapping[str, str], timeout: float, body: str | None = None
) -> tuple[int, Message, bytes]:
    """Status, headers and body of the answer; with a body it is a POST."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    assert parts.hostname is not None
    connection = kind(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request("GET" if body is None else "POST", parts.path, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _key_header(speaks: ProtocolId, key: str) -> dict[str, str]:
    match speaks:
        case ProtocolId.ANTHROPIC:
            return {"authorization": f"Bearer {key}", "anthropic-version": "2023-06-01"}
        case ProtocolId.GEMINI:
            return {"x-goog-api-key": key}
        case _:
            return {"authorization": f"Bearer {key}"}


def _question(speaks: ProtocolId, model: str) -> tuple[str, dict[str, Any]]:
    """Path and body of a small request."""
    message = {"role": "user", "content": WORDS}
    match speaks:
        case ProtocolId.ANTHROPIC:
            return "/v1/messages", {"model": model, "max_tokens": 16, "messages": [message]}
        case ProtocolId.OPENAI_CHAT:
            body = {"model": model, "max_completion_tokens": 16, "messages": [message]}
            return "/v1/chat/completions", body
        case ProtocolId.OPENAI_RESPONSES:
            return "/v1/responses", {
                "model": model,
                "max_output_tokens": 16,
                "input": [message],
                "store": False,
            }
        case ProtocolId.GEMINI:
            content = {"role": "user", "parts": [{"text": WORDS}]}
            body = {"contents": [content], "generationConfig": {"maxOutputTokens": 16}}
            return f"/v1beta/models/{quote(model, safe='')}:generateContent", body


def _message(text: bytes) -> str:
    """What an error says: all protocols have it at the same place."""
    try:
        return str(json.loads(text)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return text.decode("utf-8", "replace")[:200].strip()
