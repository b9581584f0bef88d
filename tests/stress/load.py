"""Clients that ask the oracle model without pause and keep every answer that is not as it must be."""

import http.client
import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from . import oracle

DEADLINE = 20.0


class Seen(NamedTuple):
    """One answer: when it was asked for and came, by the monotonic clock, and the version it says."""

    asked: float
    came: float
    version: str


class Load:
    """What a number of clients have seen.

    lost: requests that got no answer; wrong: answers that are not what their version must say.
    """

    def __init__(self, host: str, port: int, path: str) -> None:
        self.seen: list[Seen] = []
        self.lost: list[str] = []
        self.wrong: list[str] = []
        self.statuses: list[int] = []
        self.stopping = threading.Event()
        self._host, self._port, self._path = host, port, path
        self._ids = itertools.count(1, 10)

    def client(self) -> None:
        """Ask until it is time to stop, three rows at a time over one connection as long as it lasts, with a pause
        between requests, so that the server's share of the processor is not the clients'."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=DEADLINE)
        while not self.stopping.wait(0.004):
            rows = oracle.rows(next(self._ids), 3)
            start = time.monotonic()
            try:
                connection.request("POST", self._path, json.dumps(rows))
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(repr(error))
                connection.close()
                continue
            self.statuses.append(answer.status)
            if answer.status != 200:
                self.wrong.append(f"{answer.status} {body[:200]!r}")
                continue
            found = json.loads(body)
            problem = oracle.wrong(found, answer.headers["x-model-version"], rows)
            if problem:
                self.wrong.append(problem)
            self.seen.append(Seen(start, time.monotonic(), found["model_version"]))
        connection.close()

    def stale(self, swaps: list[tuple[float, str]]) -> list[Seen]:
        """Answers of requests that began after a swap was said to be done, by an older version than it brought.

        swaps: (when it was said to be done, version), in order.
        """
        found = []
        for seen in self.seen:
            newest = max((version for when, version in swaps if when <= seen.asked), default="")
            if seen.version < newest:
                found.append(seen)
        return found


@contextmanager
def loaded(host: str, port: int, path: str = "/predict", *, clients: int = 4) -> Iterator[Load]:
    """Clients at work for as long as the block takes."""
    load = Load(host, port, path)
    threads = [threading.Thread(target=load.client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.stopping.set()
        for thread in threads:
            thread.join()
