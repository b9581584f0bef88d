"""What supervisor and workers say to each other, and how.

Each worker has one end of a socket pair, from before it starts to its end; a message is a line of JSON. The order of
messages on one channel is kept, and everything below rests on that.

    supervisor                          worker
    Load(epoch, plan)        ->                                 load these versions beside what serves
                             <-         Loaded(epoch, fault)    all there and proven, or why not
    Swap(epoch)              ->                                 serve them; the first time: let clients in
                             <-         Swapped(epoch)          every answer from here on is theirs
    Drop(epoch)              ->                                 let go of what was loaded: not everybody could
                             <-         Counted(families)       all metrics so far; several times a second, and last
    Count(number)            ->                                 now, please
                             <-         Counted(families, number)
                             <-         Scrape(number, accept)  somebody asked this worker for /metrics
    Scraped(number, ...)     ->                                 what everybody's metrics add up to

A swap has two phases: ``Swap`` is sent to nobody before every worker has said ``Loaded``. A worker that starts is
given what serves at that moment, and let in by ``Swap`` only if that is still so. When the channel ends, a worker ends
too (its supervisor is gone), and a supervisor keeps what that worker had counted.
"""

import asyncio
import socket
from contextlib import suppress

import msgspec

from .plan import Plan
from .totals import Family

__all__ = [
    "Channel",
    "Count",
    "Counted",
    "Down",
    "Drop",
    "Load",
    "Loaded",
    "Scrape",
    "Scraped",
    "Swap",
    "Swapped",
    "Up",
]


class Load(msgspec.Struct, frozen=True, tag=True):
    """Load a plan's versions; they serve from the ``Swap`` of the same epoch on."""

    epoch: int
    plan: Plan


class Swap(msgspec.Struct, frozen=True, tag=True):
    """Serve what was loaded for this epoch."""

    epoch: int


class Drop(msgspec.Struct, frozen=True, tag=True):
    """Forget what was loaded for this epoch."""

    epoch: int


class Count(msgspec.Struct, frozen=True, tag=True):
    """Say your metrics now."""

    number: int


class Scraped(msgspec.Struct, frozen=True, tag=True):
    """The answer to ``Scrape``."""

    number: int
    text: str
    media_type: str


class Loaded(msgspec.Struct, frozen=True, tag=True):
    """Whether a plan could be loaded; fault: a sentence that says why not."""

    epoch: int
    fault: str | None = None


class Swapped(msgspec.Struct, frozen=True, tag=True):
    """The plan of this epoch serves."""

    epoch: int


class Counted(msgspec.Struct, frozen=True, tag=True):
    """A worker's metrics; number: of the ``Count`` that asked, if one did."""

    families: list[Family]
    number: int = 0


class Scrape(msgspec.Struct, frozen=True, tag=True):
    """Say everybody's metrics, as this Accept header wants them."""

    number: int
    accept: str


Down = Load | Swap | Drop | Count | Scraped
"""From the supervisor to a worker."""

Up = Loaded | Swapped | Counted | Scrape
"""From a worker to the supervisor."""

LONGEST = 64 * 2**20
"""Bytes of a message: metrics of very many classes and features are the largest."""


class Channel:
    """One end of a socket pair, on an event loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._encode = msgspec.json.Encoder().encode

    @classmethod
    async def open(cls, end: socket.socket) -> "Channel":
        """Take over this end of a pair."""
        return cls(*await asyncio.open_connection(sock=end, limit=LONGEST))

    def send(self, message: Down | Up) -> None:
        """Send a message; one to somebody who is gone is lost."""
        if not self._writer.is_closing():
            self._writer.write(self._encode(message) + b"\n")

    async def line(self) -> bytes:
        """The next message; nothing when the other end is gone."""
        try:
            line = await self._reader.readline()
        except (OSError, ValueError):
            return b""
        return line if line.endswith(b"\n") else b""

    def close(self) -> None:
        """End the channel, once what was sent is out."""
        self._writer.close()

    async def closed(self) -> None:
        """Wait until it has ended."""
        with suppress(OSError):
            await self._writer.wait_closed()
