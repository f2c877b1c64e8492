"""Values of options, read for argparse: what it raises becomes wrong usage."""

from __future__ import annotations

import argparse
import re
from typing import Final

UNITS: Final = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def whole_number(text: str) -> int:
    """From 0 up."""
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 up")
    return int(text)


def span(text: str) -> int:
    """`30m`, `24h`, `7d`, `4w` in seconds."""
    match = re.fullmatch(r"([0-9]{1,6})([mhdw])", text.strip().lower())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a span of time: write 30m, 24h, 7d or 4w")
    return int(match[1]) * UNITS[match[2]]
