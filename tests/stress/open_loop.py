"""Requests at times that do not depend on the answers, as clients are that know nothing of each other.

A client that waits for its answer before it asks again slows down with the server, and hides what others would have
waited. Here each request has its time, drawn beforehand, and what it waited is counted from then.
"""

import asyncio
import random
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Sample", "closed", "offered"]

DEADLINE = 30.0


class Sample(NamedTuple):
    """One request. due, sent, came: seconds; status: 0 where no answer came. head: the answer's headers."""

    due: float
    sent: float
    came: float
    status: int
    head: bytes

    @property
    def waited(self) -> float:
        """From when it was due to its answer, seconds."""
        return self.came - self.due

    @property
    def took(self) -> float:
        """From when it was sent to its answer, seconds."""
        return self.came - self.sent


def offered(port: int, request: bytes, rate: float, seconds: float, seed: int) -> list[Sample]:
    """Requests at random times, ``rate`` a second on average, over as many connections as there are unanswered."""
    return asyncio.run(_offer(port, request, _drawn(rate, seconds, seed)))


def closed(
    port: int, request: bytes, clients: int, seconds: float, beside: Sequence[tuple[bytes, float]] = ()
) -> list[Sample]:
    """So many clients, each of which asks as soon as it has its answer.

    beside: (request, rate) of requests that are offered at the same time; their answers are not looked at.
    """

    async def both() -> list[Sample]:
        others = [_offer(port, other, _drawn(rate, seconds, 0)) for other, rate in beside]
        samples, *_ = await asyncio.gather(_ask(port, request, clients, seconds), *others)
        return samples

    return asyncio.run(both())


def _drawn(rate: float, seconds: float, seed: int) -> list[float]:
    drawn = random.Random(seed)
    due: list[float] = []
    at = drawn.expovariate(rate)
    while at < seconds:
        due.append(at)
        at += drawn.expovariate(rate)
    return due


async def _offer(port: int, request: bytes, due: list[float]) -> list[Sample]:
    loop = asyncio.get_running_loop()
    idle: list[_Connection] = []
    start = loop.time() + 0.05

    async def one(at: float) -> Sample:
        await asyncio.sleep(start + at - loop.time())
        connection = idle.pop() if idle else _Connection()
        sample = await connection.exchange(port, request, start + at)
        if sample.status:
            idle.append(connection)
        return sample

    samples = await asyncio.gather(*(one(at) for at in due))
    for connection in idle:
        connection.close()
    return samples


async def _ask(port: int, request: bytes, clients: int, seconds: float) -> list[Sample]:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    samples: list[Sample] = []

    async def client() -> None:
        connection = _Connection()
        while loop.time() < end:
            samples.append(await connection.exchange(port, request, loop.time()))
        connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return samples


class _Connection(asyncio.Protocol):
    """Asks once at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._found = b""

    async def exchange(self, port: int, request: bytes, due: float) -> Sample:
        """One request and its answer."""
        loop = asyncio.get_running_loop()
        sent = loop.time()
        try:
            if self._transport is None or self._transport.is_closing():
                self._transport, _ = await loop.create_connection(lambda: self, "127.0.0.1", port)
            self._answer = loop.create_future()
            self._found = b""
            self._transport.write(request)
            head = await asyncio.wait_for(self._answer, DEADLINE)
        except (OSError, TimeoutError):
            return Sample(due, sent, loop.time(), 0, b"")
        return Sample(due, sent, loop.time(), int(head[9:12]), head)

    def data_received(self, data: bytes) -> None:
        """A part of an answer."""
        self._found += data
        head, end, body = self._found.partition(b"\r\n\r\n")
        if end and self._answer is not None and not self._answer.done():
            length = head.lower().partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]
            if len(body) >= int(length):
                self._answer.set_result(head.lower())

    def connection_lost(self, error: Exception | None) -> None:
        """The server is gone."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError())

    def close(self) -> None:
        """Nothing more is asked."""
        if self._transport is not None:
            self._transport.close()
