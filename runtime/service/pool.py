"""Where requests are answered: what is short on the event loop, what is long in a bounded pool of threads.

onnxruntime gives up Python's lock while it runs, so that threads use several processors. A thread costs two hand-overs;
what takes less than they do is sooner answered where it is, and nothing else could have been done meanwhile.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from statistics import median
from time import perf_counter
from typing import Any, TypeVar

from ..cost import Cost
from .problems import Refusal

__all__ = ["Pool", "hop_seconds", "inline_bytes"]

T = TypeVar("T")

RETRY_AFTER = ((b"retry-after", b"1"),)

_HOPS = 64

WORDS = 120
"""Bytes that a dialect may write about each column of a row, beside its name and value."""


class Pool:
    """A number of threads, and a bounded queue before them. For the event loop's thread; started when first used.

    threads: that answer at once.
    queue: requests that may wait for each of them; more are refused at once, so that whoever is let in has an answer
        within ``queue`` + 1 times what one takes.
    """

    def __init__(self, threads: int, queue: int) -> None:
        self.threads = threads
        self._most = threads * (1 + queue)
        self._held = 0
        self._begun: set[asyncio.Future[Any]] = set()
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="pipetwin-answer")

    def __deepcopy__(self, memo: object) -> "Pool":
        """Itself: Litestar copies what it is given, and there is one pool however many handlers know it."""
        return self

    @property
    def held(self) -> int:
        """Requests that are being answered here or wait for it."""
        return self._held

    async def run(self, work: Callable[[], T]) -> T:
        """What ``work`` returns or raises, called in a thread. Raises Refusal 503 where the queue is full."""
        self.enter()
        begun = asyncio.get_running_loop().run_in_executor(self._executor, work)
        self._begun.add(begun)
        try:
            return await begun
        finally:
            self._begun.discard(begun)
            self._held -= 1

    def enter(self) -> None:
        """Take a place among those who are answered here or wait for it; whoever has one gives it back by ``leave``.
        Raises Refusal 503 where there is none."""
        if self._held >= self._most:
            raise Refusal(
                503,
                "overloaded",
                f"expected at most {self._most} long requests at once, found more: try again later",
                headers=RETRY_AFTER,
            )
        self._held += 1

    def leave(self) -> None:
        """Give the place back."""
        self._held -= 1

    async def awaited(self, begun: "asyncio.Future[T]") -> T:
        """What somebody with a place waits for; ``settled`` waits for it too."""
        self._begun.add(begun)
        try:
            return await begun
        finally:
            self._begun.discard(begun)

    def start(self, work: Callable[[], None]) -> None:
        """Have a thread do something for those who have a place."""
        self._executor.submit(work)

    async def settled(self) -> None:
        """Wait until everything is answered that had been let in before."""
        if self._begun:
            await asyncio.wait(set(self._begun))


def inline_bytes(cost: Cost) -> int:
    """The largest body that the event loop answers itself, bytes; -1 where it answers none.

    It answers none where the graph takes longer over one row than a hop takes: a thread could have done that
    meanwhile. Else it answers bodies whose rows, written as JSON, take no longer than a hop from bytes to bytes, and
    whatever is no larger than four rows, or than one in the wordiest dialect, the Open Inference Protocol with an input
    a column.
    """
    hop = hop_seconds()
    if cost.run > hop:
        return -1
    rows = 1 + (hop - cost.row) / cost.further if cost.further else 4
    return int(max(cost.size * max(4, rows), cost.size + WORDS * cost.columns))


@cache
def hop_seconds() -> float:
    """What it takes to have nothing done by a thread and to hear of it, seconds: the median of some, measured once, on
    an event loop of its own."""
    times: list[float] = []

    async def hop() -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as executor:
            for _ in range(_HOPS):
                start = perf_counter()
                await loop.run_in_executor(executor, int)
                times.append(perf_counter() - start)

    # In a thread, for whoever makes an application may be inside an event loop already.
    thread = threading.Thread(target=lambda: asyncio.run(hop()), name="pipetwin-hop")
    thread.start()
    thread.join()
    return median(times)
