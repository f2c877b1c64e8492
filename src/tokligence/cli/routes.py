"""`tgw routes`: the rules in their order; `tgw routes explain MODEL`: what becomes of one model."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tokligence.cli.terminal import complain, say, say_json, table
from tokligence.errors import GatewayError

if TYPE_CHECKING:
    from tokligence.routing.match import Router


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="?", choices=["list", "explain"], default="list", help="default: list")
    parser.add_argument("model", nargs="?", help="for explain: the model that a client asks for")
    parser.add_argument("--env", "-e", help="environment")
    parser.add_argument("--json", action="store_true", help="for scripts")


def run(args: argparse.Namespace) -> int:
    from tokligence.config.load import load, process_environ
    from tokligence.pipeline.build import build_state

    if (args.what == "explain") != (args.model is not None):
        complain("explain, and only that, takes a model: tgw routes explain gpt-4\nTry: tgw routes --help")
        return 2
    flags = {"environment": args.env} if args.env else {}
    router = build_state(load(process_environ(), flags).settings).router
    if args.what == "explain":
        return _explain(router, args)
    rows = [(route.pattern, route.target, route.origin) for route in router.routes]
    if args.json:
        say_json([{"pattern": p, "target": t, "origin": o} for p, t, o in rows])
    else:
        table(("PATTERN", "TARGET", "FROM"), rows)
    return 0


def _explain(router: Router, args: argparse.Namespace) -> int:
    try:
        found = router.resolve(args.model)
    except GatewayError as error:
        if args.json:
            say_json({"model": args.model, "error": error.code, "message": error.text})
        else:
            complain(error.text)
        return 1
    if args.json:
        say_json(
            {
                "model": args.model,
                "provider": found.provider,
                "served": found.model,
                "steps": list(found.steps),
            }
        )
    else:
        for step in found.steps:
            say(f"  {step}")
        say(f"{args.model} is served by {found.provider} as {found.model}")
    return 0
