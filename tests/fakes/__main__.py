"""Scripted upstreams by hand, or for benchmarks: `python -m tests.fakes --openai-port 9001 --anthropic-port 9002`.

Prints where they listen as one JSON line, then every violation, until interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading

from tests.fakes.anthropic import Anthropic
from tests.fakes.openai import OpenAI


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fakes", description=__doc__)
    parser.add_argument("--openai-port", "--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--anthropic-port", type=int, default=0, help="0: any free port")
    parser.add_argument("--compatible", action="store_true", help="OpenAI side: any model, extra fields")
    options = parser.parse_args()
    openai, anthropic = (
        OpenAI(options.openai_port, compatible=options.compatible),
        Anthropic(options.anthropic_port),
    )
    for fake in (openai, anthropic):
        fake.start()
    where = {f.vendor: {"base_url": f.base_url, "api_key": f.key} for f in (openai, anthropic)}
    print(json.dumps(where), flush=True)
    told = 0
    never = threading.Event()
    try:
        while not never.wait(0.5):
            found = openai.violations + anthropic.violations
            for violation in found[told:]:
                print(violation, file=sys.stderr, flush=True)
            told = len(found)
    except KeyboardInterrupt:
        for fake in (openai, anthropic):
            fake.stop()


if __name__ == "__main__":
    main()
