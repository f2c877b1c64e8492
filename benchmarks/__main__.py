"""`python -m benchmarks`: everything; `python -m benchmarks speed|start|install|hot`: one part. `--json FILE` keeps it."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path

from benchmarks import hot, install, speed, start

PARTS = {"start": start.measure, "install": install.measure, "speed": speed.measure, "hot": hot.measure}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("part", nargs="*", choices=[*PARTS, []], help="default: all")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--runs", type=int, default=5, help="interleaved runs of each speed (default: 5)")
    parser.add_argument("--seconds", type=int, default=4, help="length of one run (default: 4)")
    args = parser.parse_args()
    print(f"machine: {platform.machine()}, Python {platform.python_version()}")
    figures = {part: PARTS[part](args) for part in args.part or PARTS}
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
