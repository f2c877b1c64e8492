"""`tgw init`."""

from __future__ import annotations

import argparse

from tokligence.cli import daemon
from tokligence.cli.terminal import say
from tokligence.config.edit import write_samples


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--force", "-f", action="store_true", help="replace files that exist")


def run(args: argparse.Namespace) -> int:
    home = daemon.home()
    home.prepare()
    written = write_samples(home, force=args.force)
    for file in written:
        say(f"Wrote {file}")
    if not written:
        say(f"Nothing to write: {home.config_dir} has its files. --force replaces them.")
    say("Next: tgw config set openai_api_key sk-...   then: tgw start")
    return 0
