"""``python -m tests.stress``: the service under stress, with counts of your choice, and a report of what was found.

Exit codes: 0 everything held; 1 something did not.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from . import drains, flips, fuzz, kills, memory, overload, restarts, series, stalled, starts, swaps
from .report import Check, Entry, write

__all__ = ["CHECKS", "main"]

CHECKS = {
    "swaps": Check("versions swapped under load", swaps.run, 50, 1000),
    "kills": Check("workers killed under load", kills.run, 25, 500),
    "drains": Check("SIGTERMs with 32 requests in flight", drains.run, 20, 200, beside=True),
    "restarts": Check("rolling restarts under load", restarts.run, 5, 100, beside=True),
    "starts": Check("starts that cannot succeed", starts.run, 8, 40),
    "memory": Check("swaps in one process, for what they leave behind", memory.run, 1000, 2000),
    "series": Check("random paths", series.run, 100_000, 1_000_000, beside=True),
    "overload": Check("rounds at ten times capacity", overload.run, 3, 30),
    "stalled": Check("connections that stall", stalled.run, 2000, 10_000, beside=True),
    "fuzz": Check("requests made by schemathesis", fuzz.run, 20_000, 200_000, beside=True),
    "flips": Check("single bits flipped in a bundle", flips.run, 1000, 10_000, beside=True),
}
"""What is checked, with the counts of CI and of the nightly run. What measures time or memory goes first, one after the
other; the rest then shares the processors."""


def main(argv: Sequence[str]) -> int:
    """Run what was asked for; the exit code."""
    asked = _parser().parse_args(argv)
    counts = {
        name: getattr(asked, name) or (check.nightly if asked.nightly else check.short)
        for name, check in CHECKS.items()
        if not asked.only or name in asked.only
    }
    beside = [name for name in counts if CHECKS[name].beside]
    found = {name: _checked(name, count) for name, count in counts.items() if name not in beside}
    with ThreadPoolExecutor(max(len(beside), 1)) as lanes:
        found |= zip(beside, lanes.map(_checked, beside, [counts[name] for name in beside]), strict=True)
    entries = [found[name] for name in counts]
    write(entries, asked.out)
    return 0 if all(not entry.result.faults for entry in entries) else 1


def _checked(name: str, count: int) -> Entry:
    check = CHECKS[name]
    print(f"stress: {name}: {count} {check.text}", flush=True)
    start = time.monotonic()
    with TemporaryDirectory() as folder:
        entry = Entry(name, check.text, check.run(count, Path(folder)), round(time.monotonic() - start, 1))
    print(f"stress: {name}: {entry.line()}", flush=True)
    return entry


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.stress", description="The service under stress.")
    parser.add_argument("--nightly", action="store_true", help="the counts of the nightly run, about two hours")
    parser.add_argument("--only", nargs="+", choices=CHECKS, metavar="CHECK", help=", ".join(CHECKS))
    parser.add_argument("--out", type=Path, default=Path("build/stress"), help="the folder of the report, %(default)s")
    for name, check in CHECKS.items():
        text = f"{check.text}: {check.short} by default, {check.nightly} by night"
        parser.add_argument(f"--{name}", type=int, metavar="COUNT", help=text)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
