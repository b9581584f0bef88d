"""What a long step is doing, on stderr."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

__all__ = ["step"]


@contextmanager
def step(what: str) -> Iterator[None]:
    """A spinner on a terminal, a plain line elsewhere; then the seconds that it took."""
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    start = time.perf_counter()
    if console.is_terminal:
        with console.status(what):
            yield
    else:
        console.print(f"{what} ...")
        yield
    console.print(f"{what}: {time.perf_counter() - start:.1f} s")
