"""What a terminal shows while a stage goes on."""

import contextlib
from collections.abc import Iterator
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

__all__ = ["Gauge"]


class Gauge(contextlib.AbstractContextManager["Gauge"]):
    """One line at the bottom of a terminal: the last stage that ended, or how far the present one is, and for how long
    it has gone on. It is gone when the context ends."""

    def __init__(self, console: Console) -> None:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(24),
            TextColumn("{task.fields[amount]}"),
            TimeElapsedColumn(),
        )
        self._bars = Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
        self._bar = self._bars.add_task("reading", total=None, amount="")

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    @contextlib.contextmanager
    def aside(self, line: str) -> Iterator[None]:
        """Out of the way while somebody prints; then the stage after that line goes on."""
        self._bars.stop()
        yield
        self._bars.reset(self._bar, total=None, description=line, amount="")
        self._bars.start()

    def moved(self, what: str, done: int, total: int) -> None:
        """A stage has come so far: a ``progress.Progress``."""
        self._bars.update(
            self._bar,
            description=what,
            completed=done,
            total=total,
            amount=f"{done:,} of {total:,}",
            refresh=done == total,  # else ten times a second
        )
