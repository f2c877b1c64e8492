"""`tgw config list|get|set|unset|explain`."""

from __future__ import annotations

import argparse
import sys
from typing import Final, NamedTuple

from tokligence.cli import daemon
from tokligence.cli.terminal import CommandFailed, complain, is_text, say, say_json, table
from tokligence.config.describe import explain, listing, shown, value_of
from tokligence.config.edit import Edit, set_value, unset_value
from tokligence.config.load import load, process_environ
from tokligence.edge.runfile import RunState


class Action(NamedTuple):
    help: str
    example: str


ACTIONS: Final = {
    "list": Action("every setting, its value and where it comes from", "tgw config list"),
    "get": Action("one value", "tgw config get openai_api_key --reveal"),
    "set": Action(
        "write a value to its file; the value - is read from standard input", "tgw config set port 3000"
    ),
    "unset": Action("take a value out of its file", "tgw config unset port"),
    "explain": Action(
        "one setting: what each source says and which wins", "tgw config explain model_provider_routes"
    ),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="|".join(ACTIONS))
    for name, action in ACTIONS.items():
        sub = actions.add_parser(
            name,
            help=action.help,
            description=action.help[0].upper() + action.help[1:] + ".",
            example=action.example,
        )
        if name != "list":
            sub.add_argument("name", help="a setting, or provider.NAME.KEY")
        if name == "set":
            sub.add_argument("value", help="the new value; - reads it from standard input")
        sub.add_argument("--env", "-e", help="environment (default: dev)")
        if name in ("list", "get"):
            sub.add_argument("--reveal", action="store_true", help="show secrets in clear")
            sub.add_argument("--json", action="store_true", help="for scripts")


def run(args: argparse.Namespace) -> int:
    environ = process_environ()
    flags = {"environment": args.env} if args.env else {}
    if args.action == "set":
        value = _standard_input() if args.value == "-" else args.value
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
    if edit.file is not None:
        state = daemon.found()
        if state is not None:
            return _tell_the_gateway(state, edit)
    return 0


def _tell_the_gateway(state: RunState, edit: Edit) -> int:
    """Has the running gateway read it, and says what became of it there."""
    answer = daemon.ask(state, "POST", "reload")
    if not answer["reloaded"]:
        complain(f"the running gateway did not take it: {answer['error']}")
        return 1
    fixed = answer["fixed"].get(edit.name)
    if edit.name in answer["needs_restart"]:
        say("The running gateway needs a restart for it: tgw restart")
    elif fixed is not None:
        complain(f"warning: in the running gateway {fixed} still wins over the file")
    elif edit.loaded is not None and edit.loaded.settings.environment != answer["environment"]:
        say(f"The running gateway reads the environment {answer['environment']}, not this one.")
    else:
        say("In effect in the running gateway.")
    return 0


def _standard_input() -> str:
    try:
        text = sys.stdin.read().strip()
    except UnicodeDecodeError:
        text = "\0"
    if not is_text(text):
        raise CommandFailed("standard input is not text in UTF-8", 2)
    return text
