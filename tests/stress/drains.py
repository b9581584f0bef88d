"""SIGTERM comes while requests are in flight: readiness fails first, none is lost, the exit code is 0."""

import http.client
import json
import signal
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ..runtime.test_main import DEADLINE, serving
from . import oracle
from .result import Result
from .service import model, running

__all__ = ["IN_FLIGHT", "Drain", "drain", "faults", "run"]

IN_FLIGHT = 32

PATIENCE = ("--drain-seconds", "0.5")

BODY = json.dumps(oracle.rows(1, 1)).encode()
HEAD = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(BODY)


class Drain(NamedTuple):
    """What one SIGTERM led to.

    health: (readiness, liveness) as they were seen after the signal; answers: of the requests in flight; ended: (exit
    code, standard error).
    """

    health: set[tuple[int, int]]
    answers: list[bytes]
    ended: tuple[int, str]


def run(count: int, folder: Path) -> Result:
    """So many services are ended: in turn two workers, one below a supervisor, and one process alone."""
    model(folder)
    found: list[str] = []
    for number in range(count):
        with ExitStack() as opened:
            if number % 3 == 2:
                server, client = opened.enter_context(serving(str(folder), *PATIENCE))
            else:
                server, client, *_ = opened.enter_context(running(folder, *PATIENCE, workers=2 - number % 3))
            port = client.base_url.port
            assert port is not None
            client.close()
            seen = drain(port, partial(server.process.send_signal, signal.SIGTERM))
            found += faults(Drain(*seen, server.finish()))
    return Result(count, found, {"requests in flight": float(count * IN_FLIGHT)})


def drain(
    port: int, terminate: Callable[[], None], *, seconds: float = DEADLINE
) -> tuple[set[tuple[int, int]], list[bytes]]:
    """(health, answers) of a service that is told to end while a part of each request's body is still to come.

    seconds: how long to wait for readiness to fail.
    """
    with ExitStack() as opened:
        asked = []
        for _ in range(IN_FLIGHT):
            connection = opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=DEADLINE))
            connection.sendall(HEAD + BODY[:5])
            asked.append(connection)
        for _ in range(20):  # by now the workers have begun with all of them
            _status(port, "/health")
        terminate()
        health: set[tuple[int, int]] = set()
        ends = time.monotonic() + seconds
        while not any(ready == 503 for ready, _ in health) and time.monotonic() < ends:
            try:
                health.add((_status(port, "/health/ready"), _status(port, "/health/live")))
            except (OSError, http.client.HTTPException):
                break  # nobody is let in any more
        for connection in asked:
            connection.sendall(BODY[5:])
        return health, [_whole(connection) for connection in asked]


def faults(seen: Drain) -> list[str]:
    """What must not be."""
    found = []
    if (503, 200) not in seen.health:
        found.append(f"readiness did not fail while the service answered: {sorted(seen.health)}")
    found += [f"lost: {answer[:100]!r}" for answer in seen.answers if not _right(answer)]
    if seen.ended != (0, ""):
        found.append(f"expected exit code 0 in silence, found {seen.ended}")
    return found


def _right(answer: bytes) -> bool:
    return answer.startswith(b"HTTP/1.1 200 OK\r\n") and b'"prediction":[8.0,1.0]' in answer


def _status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    with closing(connection):
        connection.request("GET", path)
        return connection.getresponse().status


def _whole(connection: socket.socket) -> bytes:
    answer = b""
    try:
        while part := connection.recv(65536):
            answer += part
    except OSError:
        return answer
    return answer
