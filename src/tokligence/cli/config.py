"""`tgw config list|get|set|unset|explain`."""

from __future__ import annotations

import argparse
import sys

from tokligence.cli import daemon
from tokligence.cli.terminal import complain, say, say_json, table
from tokligence.config.describe import explain, listing, shown, value_of
from tokligence.config.edit import Edit, set_value, unset_value
from tokligence.config.load import load, process_environ


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|get|set|unset|explain")
    named = {
        "list": "every setting, its value and where it comes from",
        "get": "one value",
        "set": "write a value to its file; the value - is read from standard input",
        "unset": "take a value out of its file",
        "explain": "one setting: what each source says and which wins",
    }
    for action, help_text in named.items():
        sub = actions.add_parser(
            action, help=help_text, description=help_text[0].upper() + help_text[1:] + "."
        )
        if action != "list":
            sub.add_argument("name", help="a setting, or provider.NAME.KEY")
        if action == "set":
            sub.add_argument("value", help="the new value; - reads it from standard input")
        sub.add_argument("--env", "-e", help="environment (default: dev)")
        if action in ("list", "get"):
            sub.add_argument("--reveal", action="store_true", help="show secrets in clear")
            sub.add_argument("--json", action="store_true", help="for scripts")


def run(args: argparse.Namespace) -> int:
    environ = process_environ()
    flags = {"environment": args.env} if args.env else {}
    if args.action == "set":
        value = sys.stdin.read().strip() if args.value == "-" else args.value
        return _tell(set_value(args.name, value, environ, flags), f"Set {args.name}")
    if args.action == "unset":
        return _tell(unset_value(args.name, environ, flags), f"Took out {args.name}")
    loaded = load(environ, flags)
    for warning in loaded.warnings if args.action == "list" else ():
        complain(f"warning: {warning}")
    if args.action == "explain":
        for line in explain(loaded, args.name):
            say(line)
    elif args.action == "get":
        value = shown(args.name, value_of(loaded, args.name), reveal=args.reveal)
        say_json({"name": args.name, "value": value}) if args.json else say(value)
    else:
        rows = listing(loaded, reveal=args.reveal)
        if args.json:
            say_json([{"name": r.name, "value": r.value, "origin": r.origin} for r in rows])
        else:
            table(("SETTING", "VALUE", "FROM"), [(r.name, r.value, r.origin) for r in rows])
    return 0


def _tell(edit: Edit, done: str) -> int:
    if edit.file is None:
        say(f"{edit.name} stands in no file.")
    else:
        say(f"{done} in {edit.file}.")
    for warning in edit.warnings:
        complain(f"warning: {warning}")
    if edit.overridden is not None:
        complain(f"warning: {edit.overridden} still wins over the file")
    state = daemon.found()
    if state is None or edit.file is None:
        return 0
    if edit.restart:
        say("A running gateway needs a restart for it: tgw restart")
        return 0
    answer = daemon.ask(state, "POST", "reload")
    if not answer["reloaded"]:
        complain(f"the running gateway did not take it: {answer['error']}")
        return 1
    say("In effect in the running gateway.")
    return 0
