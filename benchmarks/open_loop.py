"""Requests at times drawn beforehand, as clients ask that know nothing of each other, and what each waited since then.

A client that waits for its answer before it asks again slows down with the server, and leaves out what others would
have waited meanwhile (coordinated omission). Here a request that had to wait for anything, this client included, has
waited. The generators that Debian and npm have do not do this: wrk asks again when it is answered; hey counts from when
it sends, and sends one body; autocannon sends at the beginning of a second what all of it is to have, counts
milliseconds, and adds samples that were never sent. wrk2, which does it, is a millisecond off by its own account; a
prediction takes a tenth of that. The generator of ``tests/stress`` is a task a request, for thousands that wait at
once; its timers are of milliseconds too.
"""

import ctypes
import select
import socket
from collections.abc import Sequence
from time import perf_counter_ns
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import FailedError
from .load import whole
from .statistics import Nanoseconds

__all__ = ["Offered", "arrivals", "offer"]

CONNECTIONS = 256
"""At most; a request that comes while all of them wait is sent when one is free, and has waited since it came."""

GIVES_UP_SECONDS = 30

PR_SET_TIMERSLACK = 29


class Offered(NamedTuple):
    """What came of it.

    times: of requests answered with status 200, each from when it was due.
    failed: those with another status.
    """

    times: Nanoseconds
    failed: int


def arrivals(rate: float, seconds: float, seed: int) -> NDArray[np.int64]:
    """Nanoseconds from the start on at which requests are due: ``rate`` a second on average, each whenever it likes
    (exponential gaps)."""
    drawn = np.random.default_rng(seed)
    due = np.cumsum(drawn.exponential(1e9 / rate, int(rate * seconds * 2) + 16))
    return due[due < seconds * 1e9].astype(np.int64)


def offer(port: int, requests: Sequence[bytes], due: NDArray[np.int64]) -> Offered:
    """Send the requests in turn, each when it is due, over as many connections as there are unanswered.

    Raises FailedError where a connection fails, or an answer does not come.
    """
    _wake_on_time()
    client = _Client(port)
    try:
        return client.run(requests, due)
    except OSError as error:
        raise FailedError(f"expected an answer on port {port}, found: {error}") from error
    finally:
        client.close()


def _wake_on_time() -> None:
    """Linux lets a thread sleep 50 µs longer than it asked for, unless it asks not to."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)


class _Client:
    """Connections, of which some wait for an answer. Sleeps in select, whose timeouts are of microseconds; those of
    poll and epoll are of milliseconds."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[socket.socket] = []
        self._every: list[socket.socket] = []
        self._waiting: dict[socket.socket, tuple[int, bytes]] = {}

    def run(self, requests: Sequence[bytes], due: NDArray[np.int64]) -> Offered:
        """As ``offer``."""
        for _ in range(16):  # so that few are made when it counts
            self._idle.append(self._connected())
        start = perf_counter_ns() + 1_000_000
        plan = (due + start).tolist()
        times: list[int] = []
        failed = place = 0
        while place < len(plan) or self._waiting:
            now = perf_counter_ns()
            while place < len(plan) and plan[place] <= now and (connection := self._free()) is not None:
                connection.sendall(requests[place % len(requests)])
                self._waiting[connection] = (plan[place], b"")
                place += 1
                now = perf_counter_ns()
            full = place == len(plan) or (not self._idle and len(self._every) == CONNECTIONS)
            pause = GIVES_UP_SECONDS if full else max(plan[place] - now, 0) / 1e9
            ready = select.select(list(self._waiting), [], [], pause)[0]
            if full and not ready:
                raise FailedError(f"expected every request to be answered, found {len(self._waiting)} that were not")
            for connection in ready:
                was_due, answer = self._waiting[connection]
                answer += self._received(connection)
                if not whole(answer):
                    self._waiting[connection] = (was_due, answer)
                    continue
                if answer.startswith(b"HTTP/1.1 200 "):
                    times.append(perf_counter_ns() - was_due)
                else:
                    failed += 1
                del self._waiting[connection]
                self._idle.append(connection)
        return Offered(np.array(times, np.int64), failed)

    def _free(self) -> socket.socket | None:
        if self._idle:
            return self._idle.pop()
        return self._connected() if len(self._every) < CONNECTIONS else None

    def _connected(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self._port), timeout=GIVES_UP_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._every.append(connection)
        return connection

    @staticmethod
    def _received(connection: socket.socket) -> bytes:
        data = connection.recv(65536)
        if not data:
            raise FailedError("expected every connection to hold, found one that was closed")
        return data

    def close(self) -> None:
        """End every connection."""
        for connection in self._every:
            connection.close()
