"""Checks and what they found, as a report: JSON for programs, Markdown for people."""

import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from .result import Result

__all__ = ["Check", "Entry", "write"]

SHOWN = 20
"""How many faults of one check the report for people lists."""


class Check(NamedTuple):
    """One thing that is put under stress. short, nightly: how often, in CI and by night. beside: whether it is judged
    by answers or by series alone, so that others of that kind may run beside it."""

    text: str
    run: Callable[[int, Path], Result]
    short: int
    nightly: int
    beside: bool = False


class Entry(msgspec.Struct, frozen=True):
    """A check that was run. seconds: how long it took."""

    name: str
    text: str
    result: Result
    seconds: float

    def line(self) -> str:
        """The outcome in one line."""
        held = f"{len(self.result.faults)} FAULTS, {self.result.faults[0]}" if self.result.faults else "held"
        figures = "; ".join(f"{name} {value:,.4g}" for name, value in self.result.figures.items())
        return f"{held}; {figures}; {self.seconds:.0f} s"


def write(entries: Sequence[Entry], folder: Path) -> None:
    """Write stress.json and stress.md."""
    folder.mkdir(parents=True, exist_ok=True)
    machine = f"{platform.machine()}, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    found = {"machine": machine, "held": not any(entry.result.faults for entry in entries), "checks": entries}
    (folder / "stress.json").write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    lines = [
        "# The service under stress",
        "",
        machine,
        "",
        "| check | count | faults | measured | s |",
        "|---|---|---|---|---|",
    ]
    for entry in entries:
        figures = "; ".join(f"{name} {value:,.4g}" for name, value in entry.result.figures.items())
        result = entry.result
        lines.append(f"| {entry.text} | {result.count:,} | {len(result.faults)} | {figures} | {entry.seconds:.0f} |")
    for entry in entries:
        if entry.result.faults:
            lines += ["", f"## {entry.name}", "", *(f"- {fault}" for fault in entry.result.faults[:SHOWN])]
    (folder / "stress.md").write_text("\n".join(lines) + "\n")
