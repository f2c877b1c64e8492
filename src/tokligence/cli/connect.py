"""`tgw connect CLIENT`: writes the client's own settings, so that it asks the gateway; `--undo` takes them back."""

from __future__ import annotations

import argparse
import difflib
import json
import re
from typing import Any, Final

from tokligence.cli import daemon, gateway
from tokligence.cli.clients import (
    ANY_KEY,
    NAMES,
    Client,
    Facts,
    Syntax,
    filled,
    place_of,
    settings_of,
    tree,
)
from tokligence.cli.gateway import Probe
from tokligence.cli.marked import lines_of
from tokligence.cli.settings import Change, Desk, put_in, take_out
from tokligence.cli.terminal import complain, say, say_json
from tokligence.config.load import process_environ
from tokligence.config.mask import masked

_SECRET: Final = re.compile(r"""(?i)((?:token|key)["']?\s*[:=]\s*["']?)([^"'\s,]+)""")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("client", choices=sorted(NAMES), metavar="CLIENT", help=", ".join(sorted(NAMES)))
    parser.add_argument("--model", "-m", help="the model that the client shall ask for; default: its own")
    gateway.arguments(parser)
    doing = parser.add_mutually_exclusive_group()
    doing.add_argument("--print", action="store_true", help="show the settings and write nothing")
    doing.add_argument("--undo", action="store_true", help="put the client's files back as they were")
    parser.add_argument("--no-probe", action="store_true", help="send no request through the gateway")
    parser.add_argument("--json", action="store_true", help="for scripts")


def run(args: argparse.Namespace) -> int:
    client = NAMES[args.client]
    desk = Desk(daemon.home(), client)
    if args.undo:
        return _undo(client, desk, as_json=args.json)
    facts = gateway.facts_of(args, client, must_run=not args.print)
    if args.print:
        _print(client, facts, as_json=args.json)
        return 0
    changes = put_in(client, facts, desk.record, process_environ())
    if any(change.needed for change in changes):
        desk.write(changes, private=facts.key != ANY_KEY)
    probe = None if args.no_probe else gateway.probe(client, facts)
    if args.json:
        say_json(_as_dict(client, facts, desk, changes, probe))
    else:
        _tell(client, facts, desk, changes, probe)
    return 0 if probe is None or probe.ok else 1


def _undo(client: Client, desk: Desk, *, as_json: bool) -> int:
    changes = take_out(client, desk.record)
    desk.take_back(changes)
    if as_json:
        restored = [str(change.path) for change in changes if change.needed]
        say_json({"client": client.id, "restored": restored})
        return 0
    if not changes:
        say(f"tgw connect has changed nothing of {client.title}'s.")
    for change in changes:
        if change.restores:
            done = "Deleted" if change.after is None else "As it was before:"
            say(f"{done} {change.path}")
        elif change.needed:
            say(f"{change.path} has changed since; took out only what tgw connect had put in:")
            _show(change)
        else:
            say(f"Nothing to take out of {change.path}")
    return 0


def _print(client: Client, facts: Facts, *, as_json: bool) -> None:
    files = [(place_of(client, f, process_environ()), f.syntax, settings_of(f, facts)) for f in client.files]
    environ = {name: filled(value, facts) for name, value in client.environ.items() if "{config" not in value}
    if as_json:
        shown = [{"path": str(path), "settings": tree(values)} for path, _, values in files]
        say_json({"client": client.id, "files": shown, "environment": environ})
        return
    for path, syntax, values in files:
        say(f"# {path}")
        say(snippet(syntax, values))
        say()
    say(f"# or without any file: tgw run {client.program}")


def snippet(syntax: Syntax, values: dict[tuple[str, ...], Any]) -> str:
    """The settings alone, as they stand in the client's file."""
    if syntax is Syntax.JSON:
        return json.dumps(tree(values), ensure_ascii=False, indent=2)
    return "\n".join(lines_of(syntax, values))


def _tell(client: Client, facts: Facts, desk: Desk, changes: list[Change], probe: Probe | None) -> None:
    for change in changes:
        if not change.needed:
            say(f"{change.path} has these settings already.")
            continue
        copy = _copy(desk, change)
        note = " (new)" if change.before is None else f" (as it was: {copy})" if copy else ""
        say(f"{change.path}{note}")
        _show(change)
    say(f"{client.title} asks {facts.url} from its next start on. Undo: tgw connect {client.id} --undo")
    if probe is None:
        return
    if probe.ok:
        by = f", answered by {probe.answered_by}" if probe.answered_by else ""
        say(f"Probe: {probe.model}{by}")
    else:
        complain(f"the settings are written, but the probe failed: {probe.model}: {probe.problem}")


def _copy(desk: Desk, change: Change) -> str | None:
    recorded = desk.record.of(change.path)
    return None if recorded is None else recorded.copy


def _show(change: Change) -> None:
    before, after = (change.before or "").splitlines(), (change.after or "").splitlines()
    for line in list(difflib.unified_diff(before, after, lineterm="", n=2))[2:]:
        say("  " + _SECRET.sub(_masked, line))


def _masked(match: re.Match[str]) -> str:
    return match[1] + (match[2] if match[2] == ANY_KEY else masked(match[2]))


def _as_dict(
    client: Client, facts: Facts, desk: Desk, changes: list[Change], probe: Probe | None
) -> dict[str, Any]:
    files = [
        {"path": str(change.path), "changed": change.needed, "backup": _copy(desk, change)}
        for change in changes
    ]
    told = (
        None
        if probe is None
        else {
            "ok": probe.ok,
            "model": probe.model,
            "status": probe.status,
            "answered_by": probe.answered_by or None,
            "problem": probe.problem or None,
        }
    )
    return {"client": client.id, "url": facts.url, "model": facts.model, "files": files, "probe": told}
