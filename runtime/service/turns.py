"""One call at a time, however many ask for it: whoever asks while one is under way shares the next."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

__all__ = ["Turns"]

T = TypeVar("T")


class Turns(Generic[T]):
    """Calls a function for whoever asks; each gets the outcome of a call that began after they asked. For one event
    loop."""

    def __init__(self, call: Callable[[], Awaitable[T]]) -> None:
        self._call = call
        self._now: asyncio.Future[T] | None = None
        self._next: asyncio.Future[T] | None = None

    async def __call__(self) -> T:
        """What the call returns or raises."""
        if self._next is None:
            self._next = asyncio.ensure_future(self._turn(self._now))
        return await asyncio.shield(self._next)

    async def _turn(self, before: "asyncio.Future[T] | None") -> T:
        if before is not None:
            await asyncio.wait([before])
        self._now, self._next = self._next, None
        return await self._call()
