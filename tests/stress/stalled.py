"""Connections that stall, each in its own way: each is let go at its deadline, and others are answered meanwhile."""

import http.client
import resource
import selectors
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..runtime.service.test_limits import STALLED
from ..runtime.test_main import DEADLINE, serving
from . import oracle
from .result import Result

__all__ = ["Stall", "faults", "run"]

SECONDS = 2.0
"""The deadline of headers and of bodies."""

SPARE = 64
"""Descriptors for everything else."""


class Stall(NamedTuple):
    """What was seen. closed: seconds from when it was opened until it was closed, by connection; what never was is not
    there. good: statuses of requests meanwhile."""

    opened: int
    closed: Mapping[int, float]
    good: Sequence[int]


def run(count: int, folder: Path) -> Result:
    """So many connections at once."""
    oracle.write(folder / "m", 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count + SPARE:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + SPARE), hard))
    words = ("--header-seconds", f"{SECONDS}", "--body-seconds", f"{SECONDS}", "--connections", f"{2 * count}")
    try:
        with serving(str(folder), "--access-log", "false", *words) as (_, client):
            assert client.base_url.port is not None
            stall = watched(client.base_url.port, count)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    figures = {
        "closed after, longest s": max(stall.closed.values(), default=float("nan")),
        "good requests meanwhile": float(len(stall.good)),
    }
    return Result(count, faults(stall, count), figures)


def watched(port: int, count: int, *, patience: float = DEADLINE) -> Stall:
    """Open so many, and look on until the last of them is closed."""
    kinds = list(STALLED.values())
    closed: dict[int, float] = {}
    begun: dict[int, float] = {}
    good: list[int] = []
    other = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    with selectors.DefaultSelector() as selector:
        for index in range(count):
            begun[index] = time.monotonic()  # before the server's deadline begins, however late we are after it
            stalled = socket.create_connection(("127.0.0.1", port), DEADLINE)
            stalled.sendall(kinds[index % len(kinds)])
            stalled.setblocking(False)
            selector.register(stalled, selectors.EVENT_READ, index)
        end = time.monotonic() + patience
        while selector.get_map() and time.monotonic() < end:
            other.request("POST", "/predict", b'{"x": 1, "id": 2}')
            answer = other.getresponse()
            answer.read()
            good.append(answer.status)
            for key, _ in selector.select(0.01):
                assert isinstance(key.fileobj, socket.socket)
                try:
                    part = key.fileobj.recv(65536)
                except ConnectionResetError:
                    part = b""
                if not part:
                    closed[key.data] = time.monotonic() - begun[key.data]
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
        for key in list(selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
    other.close()
    return Stall(count, closed, good)


def faults(stall: Stall, count: int) -> list[str]:
    """What must not be."""
    found = []
    if len(stall.closed) < count:
        found.append(f"{count - len(stall.closed)} of {count} connections that stalled were never closed")
    early = sum(seconds < SECONDS - 0.1 for seconds in stall.closed.values())
    if early:
        found.append(f"{early} connections were closed before their deadline")
    wrong = [status for status in stall.good if status != 200]
    if wrong or not stall.good:
        found.append(f"{len(wrong)} of {len(stall.good)} good requests were not answered meanwhile")
    return found
