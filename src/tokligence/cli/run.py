"""`tgw run CLIENT …`: starts an installed client so that it asks the gateway. Nothing of the user's is written."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tokligence.cli import daemon, gateway
from tokligence.cli.clients import NAMES, Client, Facts, config_text, filled, place_of
from tokligence.cli.settings import NOT_CHANGEABLE, with_ours
from tokligence.cli.terminal import CommandFailed
from tokligence.config.edit import replace_file
from tokligence.config.home import Home
from tokligence.config.ini import read_text
from tokligence.config.load import process_environ

NOT_FOUND = 127
"""What a shell says of a program that is not there."""


def arguments(parser: argparse.ArgumentParser) -> None:
    gateway.arguments(parser)
    parser.add_argument("client", choices=sorted(NAMES), metavar="CLIENT", help=", ".join(sorted(NAMES)))
    parser.add_argument(
        "words",
        nargs=argparse.REMAINDER,
        metavar="...",
        help="--model NAME, and what the client itself takes",
    )


def run(args: argparse.Namespace) -> int:
    client = NAMES[args.client]
    args.model, words = model_in(args.words)
    environ = process_environ()
    program = shutil.which(client.program, path=environ.get("PATH"))
    if program is None:
        raise CommandFailed(
            f"{client.title} is not installed ({client.program} is not on the PATH); install it: {client.install}",
            NOT_FOUND,
        )
    facts = gateway.facts_of(args, client, must_run=True)
    command = [program, *arguments_of(client, facts), *words]
    return start(command, environment_of(client, facts, environ, daemon.home()))


def model_in(words: list[str]) -> tuple[str | None, list[str]]:
    """The model that `--model` names, and the other words. Behind `--` everything is the client's."""
    rest: list[str] = []
    model = None
    at = 0
    while at < len(words) and words[at] != "--":
        word = words[at]
        if word in ("--model", "-m") and at + 1 < len(words):
            at += 1
            model = words[at]
        elif word.startswith("--model="):
            model = word.removeprefix("--model=")
        else:
            rest.append(word)
        at += 1
    return model, rest + words[at:]


def arguments_of(client: Client, facts: Facts) -> list[str]:
    templates = (*client.arguments, *(client.model_arguments if facts.model else ()))
    return [word for template in templates if (word := filled(template, facts)) is not None]


def environment_of(client: Client, facts: Facts, environ: Mapping[str, str], home: Home) -> dict[str, str]:
    """The client's environment. Writes what the client must read from a file into our home."""
    kept = {name: value for name, value in environ.items() if name not in client.unset}
    directory = home.root / "clients" / client.id
    if any("{settings_home}" in template for template in client.environ.values()):
        copy_settings(client, facts, environ, directory / client.below)
    config = config_text(client, facts)
    for name, template in client.environ.items():
        value = filled(template, facts, config=config, settings_home=str(directory))
        if value is not None:
            kept[name] = value
    return kept


def copy_settings(client: Client, facts: Facts, environ: Mapping[str, str], directory: Path) -> None:
    """Writes the user's settings of the client, with ours in them, into `directory`. Raises `CommandFailed`."""
    for file in client.files:
        source = place_of(client, file, environ)
        try:
            text, _ = with_ours(read_text(source) or "", file, facts)
        except NOT_CHANGEABLE as error:
            raise CommandFailed(f"{source} cannot be read: {error}") from None
        replace_file(directory / source.name, text, private=True)


def start(command: list[str], environ: Mapping[str, str]) -> int:
    """Becomes the client: its exit status and its signals are the caller's. Where no process can become another
    (Windows), waits for it."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "nt":
        return wait_for(command, environ)
    os.execve(command[0], command, dict(environ))  # noqa: S606 - the user's own program
    raise AssertionError("execve does not return")


def wait_for(command: list[str], environ: Mapping[str, str]) -> int:
    """Runs the client as a child. Ctrl-C reaches both; what it means is the client's to say."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return subprocess.run(command, env=dict(environ), check=False).returncode  # noqa: S603 - likewise
    finally:
        signal.signal(signal.SIGINT, before)
