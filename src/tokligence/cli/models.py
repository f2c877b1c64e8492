"""`tgw models`: what can be asked for; the running gateway's list, else that of the configuration."""

from __future__ import annotations

import argparse
from typing import Any

from tokligence.cli import daemon
from tokligence.cli.terminal import say_json, table


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for scripts")


def run(args: argparse.Namespace) -> int:
    models = _running()
    if models is None:
        models = _configured()
    if args.json:
        say_json(models)
    else:
        table(("MODEL", "PROVIDER"), [(m["id"], m["owned_by"]) for m in models])
    return 0


def _running() -> list[dict[str, Any]] | None:
    """What the running gateway lists, with the models of custom endpoints; None if it does not say."""
    state = daemon.found()
    if state is None:
        return None
    answer = daemon.ask(state, "GET", "models")
    models: list[dict[str, Any]] = answer["data"]
    return models


def _configured() -> list[dict[str, Any]]:
    from tokligence.config.load import load, process_environ
    from tokligence.pipeline.build import build_state
    from tokligence.pipeline.listing import configured_models

    state = build_state(load(process_environ()).settings)
    return [
        {"id": m.id, "object": "model", "created": m.created, "owned_by": m.owner}
        for m in configured_models(state)
    ]
